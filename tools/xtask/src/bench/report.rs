//! The figures as a table, as JSON, and as a chart beside mTCP's.

use std::fmt::Write;

use serde_json::{Value, json};

use super::figures::{Figure, Target};

/// The figures of one speed of the PC.
pub struct Section {
    pub title: String,
    pub figures: Vec<Figure>,
    /// The host's load in the minute before, at the start and after every run.
    pub loads: Vec<f64>,
}

/// A table for people.
pub fn table(sections: &[Section]) -> String {
    let mut text = String::new();
    for section in sections {
        let (low, high) = section
            .loads
            .iter()
            .fold((f64::INFINITY, 0.0_f64), |(low, high), load| (low.min(*load), high.max(*load)));
        // Writing to a String cannot fail.
        let _ = writeln!(text, "\n{}; the host's load was {low:.1} to {high:.1}", section.title);
        let _ = writeln!(
            text,
            "{:37} {:>10} {:>19} {:>8}  {:8} target",
            "", "median", "lowest..highest", "mTCP", ""
        );
        for figure in &section.figures {
            let (low, high) = figure.ends();
            let spread = format!("{low:.2}..{high:.2}");
            let mtcp = figure.mtcp.map_or(String::new(), |value| format!("{value:.2}"));
            let (name, median, unit) = (&figure.name, figure.median(), figure.unit);
            let target = figure.target.map_or(String::new(), |target| verdict(target, median));
            let row = format!("{name:37} {median:>10.2} {spread:>19} {mtcp:>8}  {unit:8} {target}");
            let _ = writeln!(text, "{}", row.trim_end());
        }
    }
    text
}

fn verdict(target: Target, value: f64) -> String {
    let met = if target.is_met(value) { "met" } else { "NOT MET" };
    match target {
        Target::AtLeast(least) => format!("at least {least}: {met}"),
        Target::Within(most) => format!("within {most}: {met}"),
    }
}

/// All values, for programs.
pub fn json(sections: &[Section]) -> Value {
    let figure = |figure: &Figure| {
        let (at_least, within) = match figure.target {
            Some(Target::AtLeast(least)) => (Some(least), None),
            Some(Target::Within(most)) => (None, Some(most)),
            None => (None, None),
        };
        let met = figure.target.map(|target| target.is_met(figure.median()));
        json!({
            "name": figure.name, "unit": figure.unit, "median": figure.median(),
            "values": figure.values, "mtcp": figure.mtcp,
            "at_least": at_least, "within": within, "met": met,
        })
    };
    let section = |section: &Section| {
        let figures: Vec<Value> = section.figures.iter().map(figure).collect();
        json!({ "title": section.title, "host_load": section.loads, "figures": figures })
    };
    Value::Array(sections.iter().map(section).collect())
}

const ROW: usize = 40;
const LABEL: usize = 200;
const BAR: f64 = 400.0;

/// Bars of the figures that mTCP has too, ours above its own. Each pair has its own scale: what counts is
/// the ratio, which is written beside it.
pub fn chart(sections: &[Section]) -> String {
    let mut body = String::new();
    let mut y = 10;
    for section in sections {
        let title = match section.title.as_str() {
            "uncapped" => "As fast as the host runs the PC",
            _ => "At 7.8 MIPS, a fast 386",
        };
        let _ =
            writeln!(body, "<text x=\"10\" y=\"{}\" font-weight=\"bold\">{title}</text>", y + 16,);
        y += 26;
        for figure in section.figures.iter().filter(|figure| figure.mtcp.is_some()) {
            pair(&mut body, y, figure);
            y += ROW;
        }
        y += 8;
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"800\" height=\"{y}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{body}</svg>\n"
    )
}

fn pair(body: &mut String, y: usize, figure: &Figure) {
    let (ours, theirs) = (figure.median(), figure.mtcp.unwrap_or_default());
    let is_time = matches!(figure.unit, "ms" | "s");
    let times = if is_time { theirs / ours } else { ours / theirs };
    let scale = BAR / ours.max(theirs);
    let _ = writeln!(body, "<text x=\"10\" y=\"{}\">{}</text>", y + 20, figure.name);
    let rows = [
        (2, ours, format!("FTPSRV, {times:.1} times as fast"), "#2a6fb0"),
        (18, theirs, "mTCP".to_owned(), "#b0b0b0"),
    ];
    for (offset, value, who, colour) in rows {
        let (width, top) = (value * scale, y + offset);
        // Beside a long bar there is no room for what is said of it.
        let inside = width > BAR * 0.55;
        let (at, anchor, ink) = if inside {
            (LABEL as f64 + width - 6.0, "end", "white")
        } else {
            (LABEL as f64 + width + 6.0, "start", "black")
        };
        let _ = writeln!(
            body,
            "<rect x=\"{LABEL}\" y=\"{top}\" width=\"{width:.0}\" height=\"14\" fill=\"{colour}\"/>\
             <text x=\"{at:.0}\" y=\"{}\" font-size=\"11\" text-anchor=\"{anchor}\" fill=\"{ink}\">\
             {value:.2} {} {who}</text>",
            top + 11,
            figure.unit
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sections(values: &[f64], unit: &'static str, target: Target) -> [Section; 1] {
        let values = values.to_vec();
        let name = "RETR".into();
        let figure = Figure { name, unit, values, mtcp: Some(1.0), target: Some(target) };
        [Section { title: "full".into(), figures: vec![figure], loads: vec![0.5, 2.0] }]
    }

    #[test]
    fn table_json_and_chart_hold_the_same_figure() {
        let sections = sections(&[3.0, 2.0, 2.5], "MB/s", Target::AtLeast(2.6));
        let text = table(&sections);
        assert!(text.contains("2.50") && text.contains("2.00..3.00"), "{text}");
        assert!(text.contains("at least 2.6: NOT MET") && text.contains("0.5 to 2.0"), "{text}");
        let json = json(&sections);
        assert_eq!(json[0]["figures"][0]["median"], 2.5);
        assert_eq!(json[0]["figures"][0]["met"], false);
        assert!(chart(&sections).contains("2.50 MB/s FTPSRV, 2.5 times as fast"));
    }

    #[test]
    fn less_time_is_faster() {
        let sections = sections(&[0.25], "s", Target::Within(0.5));
        assert!(chart(&sections).contains("0.25 s FTPSRV, 4.0 times as fast"));
        assert!(table(&sections).contains("within 0.5: met"));
    }
}

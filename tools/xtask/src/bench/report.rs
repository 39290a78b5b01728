//! The figures as a table, as JSON, and as a chart beside mTCP's.

use std::fmt::Write;

use serde_json::{Value, json};

/// What was measured several times under one name.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// As `RETR 8 MB`.
    pub name: String,
    /// As `MB/s`; 10^6 bytes.
    pub unit: &'static str,
    /// One value a run, in the order of the runs.
    pub values: Vec<f64>,
    /// What mTCP FtpSrv was measured at on the same virtual PC.
    pub mtcp: Option<f64>,
}

impl Figure {
    /// The middle value.
    pub fn median(&self) -> f64 {
        let sorted = self.sorted();
        let middle = sorted.len() / 2;
        match sorted.len() {
            0 => f64::NAN,
            count if count % 2 == 1 => sorted[middle],
            _ => (sorted[middle - 1] + sorted[middle]) / 2.0,
        }
    }

    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }

    fn ends(&self) -> (f64, f64) {
        let sorted = self.sorted();
        (sorted.first().copied().unwrap_or(f64::NAN), sorted.last().copied().unwrap_or(f64::NAN))
    }
}

/// The figures of one speed of the PC.
pub struct Section {
    pub title: String,
    pub figures: Vec<Figure>,
}

/// A table for people.
pub fn table(sections: &[Section]) -> String {
    let mut text = String::new();
    for section in sections {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "\n{}", section.title);
        let _ =
            writeln!(text, "{:34} {:>10} {:>21}  {:>8}", "", "median", "lowest..highest", "mTCP");
        for figure in &section.figures {
            let (low, high) = figure.ends();
            let spread = format!("{low:.2}..{high:.2}");
            let mtcp = figure.mtcp.map_or(String::new(), |value| format!("{value:.2}"));
            let (name, median, unit) = (&figure.name, figure.median(), figure.unit);
            let _ = writeln!(text, "{name:34} {median:>10.2} {spread:>21}  {mtcp:>8}  {unit}");
        }
    }
    text
}

/// All values, for programs.
pub fn json(sections: &[Section]) -> Value {
    let figure = |figure: &Figure| {
        json!({
            "name": figure.name, "unit": figure.unit, "median": figure.median(),
            "values": figure.values, "mtcp": figure.mtcp,
        })
    };
    let section = |section: &Section| {
        let figures: Vec<Value> = section.figures.iter().map(figure).collect();
        json!({ "title": section.title, "figures": figures })
    };
    Value::Array(sections.iter().map(section).collect())
}

const ROW: usize = 46;
const LABEL: usize = 250;
const BAR: f64 = 380.0;

/// Bars of the figures that mTCP has too, ours above its own. Each pair has its own scale: what counts is
/// the ratio.
pub fn chart(sections: &[Section]) -> String {
    let mut body = String::new();
    let mut y = 10;
    for section in sections {
        let _ = writeln!(
            body,
            "<text x=\"10\" y=\"{}\" font-weight=\"bold\">{}</text>",
            y + 16,
            section.title
        );
        y += 28;
        for figure in section.figures.iter().filter(|figure| figure.mtcp.is_some()) {
            let (ours, theirs) = (figure.median(), figure.mtcp.unwrap_or_default());
            let scale = BAR / ours.max(theirs);
            let _ = writeln!(body, "<text x=\"10\" y=\"{}\">{}</text>", y + 20, figure.name);
            for (offset, value, who, colour) in
                [(4, ours, "FTPSRV", "#2a6fb0"), (20, theirs, "mTCP", "#b0b0b0")]
            {
                let width = value * scale;
                let top = y + offset;
                let _ = writeln!(
                    body,
                    "<rect x=\"{LABEL}\" y=\"{top}\" width=\"{width:.0}\" height=\"13\" fill=\"{colour}\"/>\
                     <text x=\"{:.0}\" y=\"{}\" font-size=\"11\">{who} {value:.2} {}</text>",
                    LABEL as f64 + width + 6.0,
                    top + 11,
                    figure.unit
                );
            }
            y += ROW;
        }
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"780\" height=\"{y}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{body}</svg>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(values: &[f64]) -> Figure {
        Figure { name: "RETR".into(), unit: "MB/s", values: values.to_vec(), mtcp: Some(1.0) }
    }

    #[test]
    fn the_median_is_the_middle_one_whatever_the_order() {
        assert_eq!(figure(&[3.0, 1.0, 2.0]).median(), 2.0);
        assert_eq!(figure(&[4.0, 1.0, 2.0, 3.0]).median(), 2.5);
        assert!(figure(&[]).median().is_nan());
    }

    #[test]
    fn table_json_and_chart_hold_the_same_figure() {
        let sections = [Section { title: "full".into(), figures: vec![figure(&[2.0, 2.5, 3.0])] }];
        assert!(table(&sections).contains("2.50") && table(&sections).contains("2.00..3.00"));
        assert_eq!(json(&sections)[0]["figures"][0]["median"], 2.5);
        let chart = chart(&sections);
        assert!(chart.contains("FTPSRV 2.50 MB/s") && chart.contains("mTCP 1.00 MB/s"));
    }
}

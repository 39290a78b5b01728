//! What was measured: values with what mTCP FtpSrv reached on the same virtual PC, and what is to be
//! reached.

/// What a figure has to come to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    AtLeast(f64),
    Within(f64),
}

impl Target {
    /// Whether a value reaches it.
    pub fn is_met(self, value: f64) -> bool {
        match self {
            Target::AtLeast(least) => value >= least,
            Target::Within(most) => value <= most,
        }
    }
}

/// What was measured several times under one name.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// As `RETR 8 MB`.
    pub name: String,
    /// As `MB/s`; 10^6 bytes.
    pub unit: &'static str,
    /// One value a run, in the order of the runs.
    pub values: Vec<f64>,
    /// mTCP FtpSrv's median, with its best settings.
    pub mtcp: Option<f64>,
    pub target: Option<Target>,
}

impl Figure {
    /// The middle value.
    pub fn median(&self) -> f64 {
        median(&self.values)
    }

    /// The lowest and the highest value.
    pub fn ends(&self) -> (f64, f64) {
        self.values
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(*v), high.max(*v)))
    }
}

/// The middle value.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => sorted[middle],
        _ => (sorted[middle - 1] + sorted[middle]) / 2.0,
    }
}

/// A row that is known before it is measured: its name, mTCP's median, and what is to be reached.
pub type Known = (&'static str, Option<f64>, Option<Target>);

/// Figures in the order in which they were first taken.
pub struct Figures {
    known: &'static [Known],
    pub rows: Vec<Figure>,
}

impl Figures {
    /// None yet.
    pub fn new(known: &'static [Known]) -> Figures {
        Figures { known, rows: Vec::new() }
    }

    /// Adds a value under its name.
    pub fn add(&mut self, name: &str, unit: &'static str, value: f64) {
        if let Some(row) = self.rows.iter_mut().find(|row| row.name == name) {
            row.values.push(value);
            return;
        }
        let known = self.known.iter().find(|(known, ..)| *known == name);
        let (mtcp, target) = known.map_or((None, None), |(_, mtcp, target)| (*mtcp, *target));
        self.rows.push(Figure { name: name.into(), unit, values: vec![value], mtcp, target });
    }

    /// The last value of a row.
    pub fn last(&self, name: &str) -> Option<f64> {
        self.rows.iter().find(|row| row.name == name)?.values.last().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one_whatever_the_order() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn a_row_has_its_target_from_the_table() {
        const KNOWN: &[Known] = &[("login", Some(219.0), Some(Target::Within(10.0)))];
        let mut figures = Figures::new(KNOWN);
        figures.add("login", "ms", 12.0);
        figures.add("NOOP", "ms", 1.0);
        figures.add("login", "ms", 8.0);
        let row = &figures.rows[0];
        assert_eq!((row.median(), row.ends(), row.mtcp), (10.0, (8.0, 12.0), Some(219.0)));
        assert!(row.target.is_some_and(|target| target.is_met(10.0) && !target.is_met(10.1)));
        assert_eq!(figures.rows[1].target, None);
        assert_eq!(figures.last("NOOP"), Some(1.0));
    }
}

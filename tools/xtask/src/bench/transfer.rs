//! What a transfer's instructions came to: a table for people, JSON for programs.
//!
//! Files are counted by the byte; what has no length worth counting by, as a whole.

use serde_json::{Value, json};

use super::layers::{Counts, Layer};

/// A transfer's count.
pub struct Transfer {
    /// RETR, STOR, or what else was done.
    pub verb: &'static str,
    /// 1 where it is counted as a whole.
    pub bytes: u64,
    /// Turns of the server's loop, where they are known.
    pub turns: Option<u64>,
    pub counts: Counts,
}

impl Transfer {
    /// Instructions a byte: of every layer, then of all together.
    pub fn rows(&self) -> Vec<(&'static str, f64)> {
        let count = |layer| self.counts.layers.get(&layer).copied().unwrap_or(0);
        let mut rows = Layer::ALL.map(|layer| (layer.name(), self.per_byte(count(layer)))).to_vec();
        rows.push(("all", self.per_byte(self.counts.total())));
        rows
    }

    fn per_byte(&self, count: u64) -> f64 {
        count as f64 / self.bytes as f64
    }
}

/// What a row of a transfer, by its name and the transfer's index, may come to at most.
pub type Ceiling = fn(&str, usize) -> Option<f64>;

/// A table, with the `top` functions that take most.
pub fn table(transfers: &[Transfer], ceiling: Option<Ceiling>, top: usize) -> String {
    let mut text = format!("{:20}", "instructions");
    for transfer in transfers {
        let unit = if transfer.bytes > 1 { "/byte" } else { "" };
        let head = format!("{}{unit}", transfer.verb);
        text += &format!(" {head:>10} {:>8}", ceiling.map_or("", |_| "ceiling"));
    }
    let rows: Vec<_> = transfers.iter().map(Transfer::rows).collect();
    for row in 0..=Layer::ALL.len() {
        let name = rows.first().map_or("", |rows| rows[row].0);
        text += &format!("\n{name:20}");
        for (index, rows) in rows.iter().enumerate() {
            let most = ceiling.and_then(|ceiling| ceiling(name, index));
            // Whole counts are whole numbers.
            let digits = if transfers[index].bytes > 1 { 3 } else { 0 };
            let most = most.map_or(String::new(), |most| format!("{most:.*}", digits.min(2)));
            text += &format!(" {:>10.digits$} {most:>8}", rows[row].1);
        }
    }
    text.push('\n');
    for transfer in transfers {
        if let Some(turns) = transfer.turns {
            text += &format!("{}: {} bytes a turn\n", transfer.verb, transfer.bytes / turns.max(1));
        }
        let mut functions: Vec<_> = transfer.counts.functions.iter().collect();
        functions.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        for ((layer, function), count) in functions.into_iter().take(top) {
            let share = transfer.per_byte(*count);
            let digits = if transfer.bytes > 1 { 3 } else { 0 };
            text +=
                &format!("{} {share:7.digits$} {:18} {function}\n", transfer.verb, layer.name());
        }
    }
    text
}

/// All of it, for programs.
pub fn json(transfers: &[Transfer]) -> Value {
    let transfer = |transfer: &Transfer| {
        let rows = transfer.rows().into_iter().map(|(name, value)| (name.to_owned(), json!(value)));
        json!({
            "verb": transfer.verb, "bytes": transfer.bytes, "turns": transfer.turns,
            "instructions_a_byte": Value::Object(rows.collect()),
        })
    };
    Value::Array(transfers.iter().map(transfer).collect())
}

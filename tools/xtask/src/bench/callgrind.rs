//! Callgrind's output as a profile.
//!
//! Format: valgrind manual, "Callgrind Format Specification", uncompressed, with `--dump-instr=yes`.

use super::layers::Profile;

/// Reads how often each instruction of `program` was carried out, and how many were in other files:
/// the host's libraries.
pub fn parse(text: &str, program: &str) -> (Profile, u64) {
    let (mut profile, mut elsewhere) = (Profile::new(), 0);
    let mut is_program = false;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(object) = line.strip_prefix("ob=") {
            is_program = object == program;
        } else if line.starts_with("calls=") {
            // What the call costs in all is on the next line, and counted where it is spent.
            lines.next();
        } else if let Some((address, count)) = cost(line) {
            if is_program {
                *profile.entry(address).or_default() += count;
            } else {
                elsewhere += count;
            }
        }
    }
    (profile, elsewhere)
}

/// `0x4c3e1 296 17`: address, line, count.
fn cost(line: &str) -> Option<(u64, u64)> {
    let mut words = line.strip_prefix("0x")?.split(' ');
    let address = u64::from_str_radix(words.next()?, 16).ok()?;
    Some((address, words.nth(1)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_where_they_are_spent() {
        let text = "events: Ir\nsummary: 1000\n\nob=/p/instructions\nfl=/p/a.rs\nfn=a\n0x10 1 5\n\
            fi=/lib/option.rs\n0x14 2 7\ncfn=b\ncalls=3 0x99 0\n0x14 3 600\n0x14 2 1\n\n\
            ob=/lib/libc.so.6\nfl=???\nfn=b\n0x99 0 600\n";
        let profile = Profile::from([(0x10, 5), (0x14, 8)]);
        assert_eq!(parse(text, "/p/instructions"), (profile, 600));
    }
}

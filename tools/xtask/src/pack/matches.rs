//! Finds where bytes of an image were before.

use super::model::LENGTHS;

/// So many bytes are as they were so many bytes before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match {
    pub distance: usize,
    pub length: usize,
}

/// The matches of each place of an image: for each length the nearest one. Longer ones are behind.
pub fn find(image: &[u8]) -> Vec<Vec<Match>> {
    // Where each pair of bytes was last, and where that of each place was before it.
    let mut last = vec![None; 1 << 16];
    let mut before: Vec<Option<usize>> = vec![None; image.len()];
    let mut matches = vec![Vec::new(); image.len()];
    for (at, pair) in image.windows(2).enumerate() {
        let pair = usize::from(pair[0]) << 8 | usize::from(pair[1]);
        before[at] = last[pair].replace(at);
        let limit = (image.len() - at).min(*LENGTHS.end());
        let mut longest = 1;
        let mut next = before[at];
        while let Some(from) = next.filter(|_| longest < limit) {
            // Where this byte differs, it cannot be longer.
            if image[from + longest] == image[at + longest] {
                let length = common(image, from, at);
                if length > longest {
                    longest = length;
                    matches[at].push(Match { distance: at - from, length });
                }
            }
            next = before[from];
        }
    }
    matches
}

/// How many bytes are the same at `from` and at `at`, which is behind it: as many as a match may have.
pub fn common(image: &[u8], from: usize, at: usize) -> usize {
    let pairs = image[from..].iter().zip(&image[at..]).take(*LENGTHS.end());
    pairs.take_while(|(one, other)| one == other).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_match_of_each_length_is_found() {
        let found = find(b"abcd-abc-abcd");
        assert_eq!(found[9], [Match { distance: 4, length: 3 }, Match { distance: 9, length: 4 }]);
        assert_eq!(found[5], [Match { distance: 5, length: 3 }]);
        assert!(found[..5].iter().all(Vec::is_empty));
        assert_eq!(find(&[0; 500])[1], [Match { distance: 1, length: 273 }]);
        assert_eq!(find(&[0; 500])[499], []);
    }
}

//! Text at any size, for measuring; the example `span_speed` and the bench use it.

/// A word, by its rank: a product of uniform numbers gives few frequent and many rare ones.
fn rank(numbers: &mut Numbers) -> u64 {
    let most = numbers.below(300) + 1;
    numbers.below(most) * numbers.below(200)
}

/// So many megabytes of words whose frequencies fall like those of a language, three of four of which are one of the eight
/// that like to follow the word before, with passages that repeat.
pub fn prose(megabytes: u64) -> Vec<(String, String)> {
    let mut numbers = Numbers(7);
    let mut texts: Vec<(String, String)> = Vec::new();
    for document in 0..megabytes * 1_000_000 / 6_600 {
        let mut text = String::new();
        let mut word = 0;
        while text.len() < 6_000 {
            word = match numbers.below(4) {
                0 => rank(&mut numbers),
                _ => rank(&mut Numbers(word << 3 | numbers.below(8))),
            };
            text.push_str(&format!("w{word} "));
        }
        if let Some((_, other)) = texts.get(numbers.below(document + 1) as usize) {
            text.push_str(&other[..600]);
        }
        texts.push((format!("owner{}", document % 24), text));
    }
    texts
}

/// SplitMix64: the same numbers on every run.
pub struct Numbers(pub u64);

impl Numbers {
    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound.max(1)
    }
}

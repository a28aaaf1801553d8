//! How much of a text that says nothing is found in the data all the same.
//!
//! Three words meet by chance the oftener, the fewer words a corpus has and the more of them are set
//! phrases. How often, the corpus itself tells: words drawn from it at random are followed in it like an
//! answer. What an answer has in common with the data counts only above the most that such a draw has.

use openledger_types::formats::BPS;

use crate::near::mix;
use crate::Index;

/// Draws.
const DRAWS: u64 = 128;
/// Words of a draw: of longer ones a smaller part meets, of shorter ones the answer is no answer.
const WORDS: u64 = 32;
/// Most that counts as chance, so that answers from a corpus of set phrases can pay at all.
const MOST: u16 = BPS / 2;

impl Index {
    /// Most basis points of their weight that texts of random words of this index have in matches of
    /// [`crate::GROUNDED_WORDS`] or more, at most 5,000: of 128 draws of 32 words, word `j` of draw `i` at token
    /// `mix(32 i + j) mod n` of the index, where a separator is passed over. Rounded up.
    pub fn chance(&self) -> u16 {
        (0..DRAWS).map(|draw| self.chance_of(draw)).max().unwrap_or(0).min(MOST)
    }

    fn chance_of(&self, draw: u64) -> u16 {
        let tokens = self.suffixes.tokens.len() as u64;
        let words: Vec<&str> = (draw * WORDS..(draw + 1) * WORDS)
            .filter_map(|number| self.word_at(mix(number).checked_rem(tokens)? as u32))
            .collect();
        let found = self.follow("", &words.join(" ")).grounding();
        let part = (found.grounded * u128::from(BPS)).div_ceil(found.words.max(1));
        part.min(u128::from(BPS)) as u16
    }

    /// The word at a token; none at a separator.
    fn word_at(&self, position: u32) -> Option<&str> {
        let word = self.suffixes.tokens.get(position as usize)?;
        if *word as usize >= self.words.len() {
            return None;
        }
        let (text, start, end) = self.source(position);
        text.get(start..end)
    }
}

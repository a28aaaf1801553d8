//! Texts whose words are in no order: lists of everybody's words, put together to be near every question.
//!
//! In any language the words that follow one another are words that others have let follow one another
//! before, far more often than words taken from places some words apart are. Where the one happens hardly
//! more often than the other, the order says nothing. Punctuation is passed over: a word that is taken with the
//! mark behind it would bring a known pair into any list.

use std::collections::{HashMap, HashSet};

/// Distances of the words that are compared with neighbours.
const APART: [usize; 4] = [5, 8, 13, 21];

/// Pairs of known words that a text must have, neighbours and others, to be judged: of fewer chance decides.
const LEAST_PAIRS: u64 = 24;

/// Words apart that must be known as neighbours: where chance is never met, its absence says nothing.
const LEAST_MET: u64 = 8;

/// Neighbours must be known more often than others by one in so many of the others that are not known. A larger
/// margin leaves out more honest texts, a smaller one keeps more lists.
const MARGIN: u128 = 12;

/// Who has used a word or a pair: nobody, one owner (its number from 1), or several.
type Users = u32;
const SEVERAL: Users = Users::MAX;

fn used_by_others(users: Users, owner: u32) -> bool {
    users != 0 && users != owner + 1
}

fn joined(users: Users, owner: u32) -> Users {
    match users {
        0 => owner + 1,
        one if one == owner + 1 => one,
        _ => SEVERAL,
    }
}

fn pair(first: u32, second: u32) -> u64 {
    u64::from(first) << 32 | u64::from(second)
}

/// Different pairs of words that others know one by one, and those of them that others have as neighbours.
#[derive(Clone, Copy, Default)]
struct Count {
    pairs: u64,
    neighbours: u64,
}

/// Words and pairs of the texts so far.
struct Seen {
    words: Vec<Users>,
    pairs: HashMap<u64, Users>,
}

impl Seen {
    fn word(&self, word: u32) -> Users {
        self.words.get(word as usize).copied().unwrap_or(0)
    }

    fn count(&self, text: &[u32], owner: u32, apart: usize, count: &mut Count) {
        // What a text repeats is no further evidence.
        let mut counted = HashSet::new();
        for (first, second) in text.iter().zip(text.iter().skip(apart)) {
            if !counted.insert(pair(*first, *second)) {
                continue;
            }
            if [first, second].into_iter().all(|word| used_by_others(self.word(*word), owner)) {
                let users = self.pairs.get(&pair(*first, *second)).copied().unwrap_or(0);
                count.pairs += 1;
                count.neighbours += u64::from(used_by_others(users, owner));
            }
        }
    }

    fn has_order(&self, text: &[u32], owner: u32) -> bool {
        let (mut next, mut apart) = (Count::default(), Count::default());
        self.count(text, owner, 1, &mut next);
        if next.pairs < LEAST_PAIRS {
            return true;
        }
        APART.iter().for_each(|distance| self.count(text, owner, *distance, &mut apart));
        if apart.pairs < LEAST_PAIRS || apart.neighbours < LEAST_MET {
            return true;
        }
        // f - g < (1 - g) / MARGIN, of the parts f of the next and g of the others, without a division.
        let [k, f, l, g] = [next.pairs, next.neighbours, apart.pairs, apart.neighbours].map(u128::from);
        MARGIN * f * l >= MARGIN * g * k + k * (l - g)
    }

    fn add(&mut self, text: &[u32], owner: u32) {
        for word in text {
            if let Some(users) = self.words.get_mut(*word as usize) {
                *users = joined(*users, owner);
            }
        }
        for (first, second) in text.iter().zip(text.iter().skip(1)) {
            let users = self.pairs.entry(pair(*first, *second)).or_default();
            *users = joined(*users, owner);
        }
    }
}

/// Texts, in order of priority with their owners, whose words are in no order. Each is held against the
/// earlier texts of other owners that have one, so that no later text changes the verdict. `marks` says of
/// every word whether it is punctuation.
pub(crate) fn without_order<'a>(texts: impl Iterator<Item = (&'a [u32], u32)>, marks: &[bool]) -> Vec<usize> {
    let mut seen = Seen { words: vec![0; marks.len()], pairs: HashMap::new() };
    let mut found = Vec::new();
    for (number, (text, owner)) in texts.enumerate() {
        let is_mark = |word: &u32| marks.get(*word as usize).copied().unwrap_or(true);
        let text: Vec<u32> = text.iter().copied().filter(|word| !is_mark(word)).collect();
        if seen.has_order(&text, owner) {
            seen.add(&text, owner);
        } else {
            found.push(number);
        }
    }
    found
}

//! The tokens of a model in the order of their bytes, and sets of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::state::Char;
use super::text::Table;

/// The tokens of a model in the order of their bytes.
#[derive(Debug)]
pub struct Vocabulary {
    pub(super) size: usize,
    pub(super) end: u32,
    tokens: Vec<Token>,
    /// Where each token stands among them.
    places: HashMap<u32, usize>,
    /// What follows within a text, by where in a character it stands: made when first needed, at most nine.
    tables: Mutex<HashMap<Char, Arc<Table>>>,
}

/// A token that has bytes.
#[derive(Debug)]
struct Token {
    id: u32,
    bytes: Vec<u8>,
    /// How many of its bytes it shares with the one before.
    shared: usize,
}

impl Vocabulary {
    /// The tokens below `size`, whose bytes `bytes` gives (none for control tokens); `end` ends a text.
    pub fn new<'a>(size: usize, end: u32, bytes: impl Fn(u32) -> &'a [u8]) -> Self {
        let mut ids: Vec<u32> = (0..size as u32).filter(|id| *id != end && !bytes(*id).is_empty()).collect();
        ids.sort_by_key(|id| bytes(*id));
        let (mut tokens, mut before): (Vec<_>, &[u8]) = (Vec::with_capacity(ids.len()), &[]);
        for id in ids {
            let own = bytes(id);
            let shared = before.iter().zip(own).take_while(|(a, b)| a == b).count();
            tokens.push(Token { id, bytes: own.to_vec(), shared });
            before = own;
        }
        let places = tokens.iter().enumerate().map(|(at, token)| (token.id, at)).collect();
        Vocabulary { size, end, tokens, places, tables: Mutex::default() }
    }

    pub(super) fn bytes(&self, token: u32) -> &[u8] {
        let place = self.places.get(&token).and_then(|at| self.tokens.get(*at));
        place.map_or(&[], |token| &token.bytes)
    }

    /// Follows every token from `start` byte by byte, those that begin alike together: `step` gives what is behind
    /// one byte more, nothing where no token goes on, and `visit` gets each token that is followed to its end.
    pub(super) fn walk<S>(
        &self,
        start: S,
        mut step: impl FnMut(&S, u8, usize) -> Option<S>,
        mut visit: impl FnMut(u32, &[u8], &S),
    ) {
        // What is behind each byte of the token before.
        let mut path = vec![start];
        let mut at = 0;
        while let Some(token) = self.tokens.get(at) {
            path.truncate(token.shared + 1);
            let mut dead = None;
            for (i, byte) in token.bytes.iter().enumerate().skip(path.len() - 1) {
                match path.last().and_then(|last| step(last, *byte, i)) {
                    Some(next) => path.push(next),
                    None => {
                        dead = Some(i + 1);
                        break;
                    }
                }
            }
            at += 1;
            match (dead, path.last()) {
                // No token with these bytes at its beginning is followed.
                (Some(length), _) => {
                    let rest = self.tokens.get(at..).unwrap_or(&[]);
                    at += rest.iter().take_while(|token| token.shared >= length).count();
                }
                (None, Some(last)) => visit(token.id, &token.bytes, last),
                (None, None) => {}
            }
        }
    }

    /// What follows within a text at `at`.
    pub(super) fn table(&self, at: Char) -> Arc<Table> {
        let held = || self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(table) = held().get(&at) {
            return table.clone();
        }
        // Two who ask at once may both make it; it is the same.
        let table = Arc::new(Table::new(self, at));
        held().entry(at).or_insert(table).clone()
    }
}

/// A set of tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mask(Vec<u64>);

impl Mask {
    /// No token of a vocabulary of `size`.
    pub fn none(size: usize) -> Self {
        Mask(vec![0; size.div_ceil(64)])
    }

    /// Lets `token` through.
    pub fn allow(&mut self, token: u32) {
        if let Some(word) = self.0.get_mut(token as usize / 64) {
            *word |= 1 << (token % 64);
        }
    }

    /// Holds `token` back.
    pub(super) fn forbid(&mut self, token: u32) {
        if let Some(word) = self.0.get_mut(token as usize / 64) {
            *word &= !(1 << (token % 64));
        }
    }

    /// Whether `token` is let through.
    pub fn has(&self, token: u32) -> bool {
        self.0.get(token as usize / 64).is_some_and(|word| word >> (token % 64) & 1 == 1)
    }

    /// Whether no token is.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }
}

//! Masks within texts, where most tokens may follow and only how many characters are left changes from one mask to
//! the next.
//!
//! Which tokens stay within a text, and after how many characters, follows from the tokens alone: it is found once
//! for a vocabulary. A mask then counts, and follows only what stands behind a closing quote. Within a text one byte
//! never leads to two states, and all states that meet the closing quote leave their texts by it; so the states
//! behind it are those that a walk byte by byte finds, in the same order.

use std::collections::BTreeMap;

use super::state::{step, Char, State};
use super::vocabulary::{Mask, Vocabulary};
use crate::schema::Schema;

/// What may follow at one place within a text.
#[derive(Debug)]
pub(super) struct Table {
    /// Tokens that stay within the text.
    inside: Mask,
    /// The same with the characters for which there must be room, those with the most first.
    rooms: Vec<(u32, u32)>,
    /// Tokens that close the text, by the bytes behind the quote: after how many characters, and which token.
    closing: BTreeMap<Vec<u8>, Vec<(u32, u32)>>,
}

/// Where a token stands that began within a text.
enum Place {
    Inside(State),
    /// Behind the quote that closed the text after so many characters; so many bytes of the token are read.
    Closed {
        count: u32,
        read: usize,
    },
}

impl Table {
    pub(super) fn new(vocabulary: &Vocabulary, at: Char) -> Self {
        // A text without bounds that no token gets to: nothing is closed but by a quote.
        let schema = Schema::any_object();
        let mut table =
            Table { inside: Mask::none(vocabulary.size), rooms: Vec::new(), closing: BTreeMap::new() };
        let next = |place: &Place, byte: u8, read: usize| match place {
            Place::Closed { count, read } => Some(Place::Closed { count: *count, read: *read }),
            Place::Inside(state) => {
                let count = state.text().map_or(0, |text| text.count);
                let state = step(&schema, std::slice::from_ref(state), byte).into_iter().next()?;
                Some(match state.text() {
                    Some(_) => Place::Inside(state),
                    None => Place::Closed { count, read: read + 1 },
                })
            }
        };
        vocabulary.walk(Place::Inside(State::in_text(at)), next, |token, bytes, place| match place {
            Place::Inside(state) => {
                let Some(text) = state.text() else { return };
                // An escape that has only begun takes the room of its character.
                let room = text.count + u32::from(text.at == Char::Escape);
                table.inside.allow(token);
                table.rooms.push((room, token));
            }
            Place::Closed { count, read } => {
                let rest = bytes.get(*read..).unwrap_or(&[]).to_vec();
                table.closing.entry(rest).or_default().push((*count, token));
            }
        });
        table.rooms.sort_unstable_by(|a, b| b.cmp(a));
        table
    }

    /// The tokens that may follow, for a text that has room for `room` characters more.
    fn inside(&self, room: u32) -> Mask {
        let mut mask = self.inside.clone();
        for (_, token) in self.rooms.iter().take_while(|(needed, _)| *needed > room) {
            mask.forbid(*token);
        }
        mask
    }
}

/// The tokens that may follow where every state is within a text, at the same place of a character; `None` elsewhere.
pub(super) fn mask(schema: &Schema, vocabulary: &Vocabulary, states: &[State]) -> Option<Mask> {
    let texts: Vec<_> = states.iter().map(State::text).collect::<Option<_>>()?;
    let at = texts.first()?.at;
    if texts.iter().any(|text| text.at != at) {
        return None;
    }
    let table = vocabulary.table(at);
    let mut mask = table.inside(texts.iter().map(|text| text.room).max()?);
    for (rest, tokens) in &table.closing {
        // Texts that may be closed after so many characters, and whether the rest follows then. Counts are few.
        let mut known: Vec<(u32, bool)> = Vec::new();
        for (count, token) in tokens {
            let found = known.iter().find(|(other, _)| other == count).map(|(_, follows)| *follows);
            let follows = found.unwrap_or_else(|| {
                let mut behind: Vec<State> = Vec::with_capacity(states.len());
                let closed = |text: &super::state::Text| text.need <= *count && *count <= text.room;
                for (state, _) in states.iter().zip(&texts).filter(|(_, text)| closed(text)) {
                    let state = state.back();
                    if !behind.contains(&state) {
                        behind.push(state);
                    }
                }
                for byte in rest {
                    behind = step(schema, &behind, *byte);
                }
                known.push((*count, !behind.is_empty()));
                !behind.is_empty()
            });
            if follows {
                mask.allow(*token);
            }
        }
    }
    Some(mask)
}

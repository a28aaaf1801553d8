//! Where a text stands between its bytes.
//!
//! A state is a stack of frames, of which the top one waits for the next byte. Where a schema leaves several
//! ways open, a text stands in several states at once.

use std::sync::Arc;

use crate::schema::{Id, Member, Schema, Shape};

/// Most states that a text stands in; later ones, by the order of the schema, are given up. Each of those
/// that stay leads to a whole text.
const MAX_STATES: usize = 8;
/// Most digits of a whole number, and of what stands before and behind a point: what 64 bits hold.
const MAX_DIGITS: u8 = 18;
/// Most digits of an exponent.
const MAX_EXPONENT: u8 = 2;

/// A stack of frames.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct State {
    top: Frame,
    /// Objects and arrays that are open.
    depth: u16,
    below: Option<Arc<Below>>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Below {
    frame: Frame,
    below: Option<Arc<Below>>,
}

/// What the next byte is read by. `spaced`: the one byte of white space that may stand here has been.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Frame {
    /// A value begins.
    Value { shape: Id, spaced: bool },
    /// Within a word: `at` bytes of that with number `like` are there.
    Word { shape: Id, like: u32, at: u32 },
    /// Within a text of so many characters.
    Text { min: u32, max: u32, count: u32, at: Char },
    /// Within a number.
    Number { whole: bool, at: Digits },
    /// Between the parts of an object with named members.
    Object { shape: Id, at: Part },
    /// Within the name of a member: `at` bytes of that with number `like` are there, `next` is the first that
    /// it may be.
    Name { shape: Id, next: u32, like: u32, at: u32 },
    /// Between the parts of an object with any members.
    Map { values: Id, at: Part },
    /// Between the parts of an array with `count` items.
    List { shape: Id, count: u32, at: Part },
    /// Behind the whole text.
    End,
}

/// Within a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Char {
    /// Between characters.
    Between,
    /// Behind a `\`.
    Escape,
    /// Within a character of several bytes: so many are to come, the next within these.
    Within { more: u8, from: u8, to: u8 },
}

/// Of a state within a text: where in a character it stands, how many there were since [`State::in_text`], how many
/// must come before the closing quote, and how many may.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text {
    pub at: Char,
    pub count: u32,
    pub need: u32,
    pub room: u32,
}

/// Within a number, with the digits of its part so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Digits {
    Minus,
    Zero,
    Whole(u8),
    Point,
    Fraction(u8),
    Exponent,
    Sign,
    Power(u8),
}

/// Between parts; in objects with named members `next` is the first member that may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Part {
    /// Behind the opening bracket.
    Open { spaced: bool },
    /// Behind a name; in objects with named members that of member `next`.
    Colon { next: u32 },
    /// Behind a value.
    After { next: u32, spaced: bool },
    /// Behind a comma.
    Comma { next: u32, spaced: bool },
}

impl State {
    /// Whether the text is whole.
    pub(super) fn is_end(&self) -> bool {
        self.top == Frame::End
    }

    /// Within a text that nothing stands around.
    pub(super) fn in_text(at: Char) -> State {
        let top = Frame::Text { min: 0, max: u32::MAX - 1, count: 0, at };
        State { top, depth: 0, below: None }
    }

    /// What is to be known where the top is a text.
    pub(super) fn text(&self) -> Option<Text> {
        let Frame::Text { min, max, count, at } = self.top else { return None };
        let room = if max == u32::MAX { u32::MAX } else { max.saturating_sub(count) };
        Some(Text { at, count, need: min.saturating_sub(count), room })
    }

    /// Whether it is within a text whose characters count.
    pub(super) fn is_counted(&self) -> bool {
        self.text().is_some_and(|text| text.need > 0 || text.room < u32::MAX)
    }

    /// The same stack with another top.
    fn at(&self, top: Frame) -> State {
        State { top, ..self.clone() }
    }

    /// The same with `under` in place of the top, and `top` above it.
    fn above(&self, under: Frame, top: Frame) -> State {
        let below = Some(Arc::new(Below { frame: under, below: self.below.clone() }));
        State { top, depth: self.depth, below }
    }

    /// What was above is whole.
    pub(super) fn back(&self) -> State {
        match &self.below {
            Some(below) => State { top: below.frame, depth: self.depth, below: below.below.clone() },
            None => State { top: Frame::End, depth: self.depth, below: None },
        }
    }

    /// The same, when the top was an object or an array.
    fn closed(&self) -> State {
        State { depth: self.depth.saturating_sub(1), ..self.back() }
    }

    fn opened(&self, top: Frame) -> State {
        State { depth: self.depth + 1, ..self.at(top) }
    }
}

/// Before the first byte.
pub(super) fn begin(schema: &Schema) -> Vec<State> {
    vec![State { top: Frame::Value { shape: schema.root, spaced: false }, depth: 0, below: None }]
}

/// After one more byte: each state once, in the order of the schema; none where no text goes on so.
pub(super) fn step(schema: &Schema, states: &[State], byte: u8) -> Vec<State> {
    let mut out = Vec::with_capacity(states.len());
    for state in states {
        Step { schema, state, byte, out: &mut out }.run();
    }
    if out.len() < 2 {
        return out;
    }
    let mut kept: Vec<State> = Vec::with_capacity(out.len());
    for state in out {
        if kept.len() < MAX_STATES && !kept.contains(&state) {
            kept.push(state);
        }
    }
    kept
}

fn is_space(byte: u8) -> bool {
    byte == b' ' || byte == b'\n'
}

/// One byte read by one state.
struct Step<'a> {
    schema: &'a Schema,
    state: &'a State,
    byte: u8,
    out: &'a mut Vec<State>,
}

impl Step<'_> {
    fn go(&mut self, top: Frame) {
        self.out.push(self.state.at(top));
    }

    fn run(&mut self) {
        match self.state.top {
            Frame::End => {}
            Frame::Value { shape, spaced: false } if is_space(self.byte) => {
                self.go(Frame::Value { shape, spaced: true });
            }
            Frame::Value { shape, .. } => self.value(shape, self.state),
            Frame::Word { shape, like, at } => self.word(shape, like, at),
            Frame::Text { min, max, count, at } => self.text(min, max, count, at),
            Frame::Number { whole, at } => {
                if let Some(at) = digit(whole, at, self.byte) {
                    self.number(whole, at, self.state);
                }
            }
            Frame::Object { shape, at } => self.object(shape, at),
            Frame::Name { shape, next, like, at } => self.name(shape, next, like, at),
            Frame::Map { values, at } => self.map(values, at),
            Frame::List { shape, count, at } => self.list(shape, count, at),
        }
    }

    /// The first byte of a value whose frame is the top of `state`.
    fn value(&mut self, id: Id, state: &State) {
        if !self.schema.fits(id, state.depth) {
            return;
        }
        let schema = self.schema;
        match (schema.shape(id), self.byte) {
            (Some(Shape::Any(ids)), _) => ids.iter().for_each(|id| self.value(*id, state)),
            (Some(Shape::Words(words)), byte) => {
                let like = words.iter().position(|word| word.first() == Some(&byte));
                if let Some(like) = like {
                    self.word_at(id, words, like, 1, state);
                }
            }
            (Some(Shape::Text { min, max }), b'"') => {
                let top = Frame::Text { min: *min, max: *max, count: 0, at: Char::Between };
                self.out.push(state.at(top));
            }
            (Some(Shape::Number { whole }), byte) => {
                let at = match byte {
                    b'-' => Digits::Minus,
                    b'0' => Digits::Zero,
                    b'1'..=b'9' => Digits::Whole(1),
                    _ => return,
                };
                self.number(*whole, at, state);
            }
            (Some(Shape::Object(_)), b'{') => {
                let top = Frame::Object { shape: id, at: Part::Open { spaced: false } };
                self.out.push(state.opened(top));
            }
            (Some(Shape::Map(values)), b'{') => {
                let top = Frame::Map { values: *values, at: Part::Open { spaced: false } };
                self.out.push(state.opened(top));
            }
            (Some(Shape::List { .. }), b'[') => {
                let top = Frame::List { shape: id, count: 0, at: Part::Open { spaced: false } };
                self.out.push(state.opened(top));
            }
            _ => {}
        }
    }

    fn word(&mut self, id: Id, like: u32, at: u32) {
        let Some(Shape::Words(words)) = self.schema.shape(id) else { return };
        let (like, at) = (like as usize, at as usize);
        let Some(so_far) = words.get(like).and_then(|word| word.get(..at)) else { return };
        let next =
            words.iter().position(|word| word.get(..at) == Some(so_far) && word.get(at) == Some(&self.byte));
        if let Some(like) = next {
            self.word_at(id, words, like, at + 1, self.state);
        }
    }

    /// The first `at` bytes of a word are there: it goes on, or is whole, or both.
    fn word_at(&mut self, id: Id, words: &[Vec<u8>], like: usize, at: usize, state: &State) {
        let Some(so_far) = words.get(like).and_then(|word| word.get(..at)) else { return };
        let longer = words.iter().any(|word| word.len() > at && word.get(..at) == Some(so_far));
        if longer {
            let top = Frame::Word { shape: id, like: like as u32, at: at as u32 };
            self.out.push(state.at(top));
        }
        if words.iter().any(|word| word == so_far) {
            self.out.push(state.back());
        }
    }

    fn text(&mut self, min: u32, max: u32, count: u32, at: Char) {
        let char_at = |count, at| Frame::Text { min, max, count, at };
        // Where there is no upper bound, only the way to the lower one is counted.
        let more = if max == u32::MAX { (count + 1).min(min) } else { count.saturating_add(1) };
        let room = max == u32::MAX || count < max;
        match (at, self.byte) {
            (Char::Between, b'"') if count >= min => self.out.push(self.state.back()),
            (Char::Between, b'"' | 0..=0x1f) => {}
            (Char::Between, _) if !room => {}
            (Char::Between, b'\\') => self.go(char_at(count, Char::Escape)),
            (Char::Between, 0x20..=0x7f) => self.go(char_at(more, Char::Between)),
            (Char::Between, byte) => {
                if let Some(within) = lead(byte) {
                    self.go(char_at(more, within));
                }
            }
            (Char::Escape, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.go(char_at(more, Char::Between));
            }
            (Char::Escape, _) => {}
            (Char::Within { more, from, to }, byte) if (from..=to).contains(&byte) => {
                let at = match more {
                    1 => Char::Between,
                    _ => Char::Within { more: more - 1, from: 0x80, to: 0xbf },
                };
                self.go(char_at(count, at));
            }
            (Char::Within { .. }, _) => {}
        }
    }

    /// A number with one more byte: it goes on, or is whole, or both.
    fn number(&mut self, whole: bool, at: Digits, state: &State) {
        self.out.push(state.at(Frame::Number { whole, at }));
        if matches!(at, Digits::Zero | Digits::Whole(_) | Digits::Fraction(_) | Digits::Power(_)) {
            self.out.push(state.back());
        }
    }

    fn object(&mut self, id: Id, at: Part) {
        let Some(Shape::Object(members)) = self.schema.shape(id) else { return };
        let frame = |at| Frame::Object { shape: id, at };
        let (schema, depth) = (self.schema, self.state.depth);
        let more = |next: u32| candidates(schema, depth, members, next).next().is_some();
        let done = |next: u32| members.iter().skip(next as usize).all(|member| !member.required);
        match (at, self.byte) {
            (Part::Open { spaced: false }, byte) if is_space(byte) => {
                self.go(frame(Part::Open { spaced: true }));
            }
            (Part::Open { .. }, b'}') if done(0) => self.out.push(self.state.closed()),
            (Part::Open { .. }, b'"') => self.first_name(id, members, 0),
            (Part::Colon { next }, b':') => {
                let Some(member) = members.get(next as usize) else { return };
                let under = frame(Part::After { next: next + 1, spaced: false });
                let top = Frame::Value { shape: member.shape, spaced: false };
                self.out.push(self.state.above(under, top));
            }
            // Behind a space only the bracket may follow.
            (Part::After { next, spaced: false }, byte) if is_space(byte) && done(next) => {
                self.go(frame(Part::After { next, spaced: true }));
            }
            (Part::After { next, .. }, b'}') if done(next) => self.out.push(self.state.closed()),
            (Part::After { next, spaced: false }, b',') if more(next) => {
                self.go(frame(Part::Comma { next, spaced: false }));
            }
            (Part::Comma { next, spaced: false }, byte) if is_space(byte) => {
                self.go(frame(Part::Comma { next, spaced: true }));
            }
            (Part::Comma { next, .. }, b'"') => self.first_name(id, members, next),
            _ => {}
        }
    }

    fn first_name(&mut self, id: Id, members: &[Member], next: u32) {
        if let Some((like, _)) = candidates(self.schema, self.state.depth, members, next).next() {
            self.go(Frame::Name { shape: id, next, like, at: 1 });
        }
    }

    fn name(&mut self, id: Id, next: u32, like: u32, at: u32) {
        let Some(Shape::Object(members)) = self.schema.shape(id) else { return };
        let length = at as usize;
        let Some(so_far) = members.get(like as usize).and_then(|member| member.name.get(..length)) else {
            return;
        };
        let byte = self.byte;
        let found = candidates(self.schema, self.state.depth, members, next).find(|(_, member)| {
            member.name.get(..length) == Some(so_far) && member.name.get(length) == Some(&byte)
        });
        let Some((like, member)) = found else { return };
        // Names end with a quote, so none begins another.
        self.go(match member.name.len() == length + 1 {
            true => Frame::Object { shape: id, at: Part::Colon { next: like } },
            false => Frame::Name { shape: id, next, like, at: at + 1 },
        });
    }

    fn map(&mut self, values: Id, at: Part) {
        let frame = |at| Frame::Map { values, at };
        let name = |step: &mut Self| {
            if step.schema.fits(values, step.state.depth) {
                let top = Frame::Text { min: 0, max: u32::MAX, count: 0, at: Char::Between };
                step.out.push(step.state.above(frame(Part::Colon { next: 0 }), top));
            }
        };
        match (at, self.byte) {
            (Part::Open { spaced: false }, byte) if is_space(byte) => {
                self.go(frame(Part::Open { spaced: true }));
            }
            (Part::Open { .. }, b'}') => self.out.push(self.state.closed()),
            (Part::Open { .. } | Part::Comma { .. }, b'"') => name(self),
            (Part::Colon { .. }, b':') => {
                let under = frame(Part::After { next: 0, spaced: false });
                self.out.push(self.state.above(under, Frame::Value { shape: values, spaced: false }));
            }
            (Part::After { spaced: false, .. }, byte) if is_space(byte) => {
                self.go(frame(Part::After { next: 0, spaced: true }));
            }
            (Part::After { .. }, b'}') => self.out.push(self.state.closed()),
            (Part::After { spaced: false, .. }, b',') => {
                self.go(frame(Part::Comma { next: 0, spaced: false }));
            }
            (Part::Comma { spaced: false, .. }, byte) if is_space(byte) => {
                self.go(frame(Part::Comma { next: 0, spaced: true }));
            }
            _ => {}
        }
    }

    fn list(&mut self, id: Id, count: u32, at: Part) {
        let Some(Shape::List { items, min, max }) = self.schema.shape(id) else { return };
        let (items, min, max) = (*items, *min, *max);
        let frame = |count, at| Frame::List { shape: id, count, at };
        let after = Part::After { next: 0, spaced: false };
        // As in texts.
        let more = if max == u32::MAX { (count + 1).min(min) } else { count.saturating_add(1) };
        match (at, self.byte) {
            (Part::Open { spaced: false }, byte) if is_space(byte) => {
                self.go(frame(0, Part::Open { spaced: true }));
            }
            (Part::Open { .. }, b']') if min == 0 => self.out.push(self.state.closed()),
            (Part::Open { .. }, _) if max > 0 => {
                let state = self.state.above(frame(more, after), Frame::End);
                self.value(items, &state);
            }
            (Part::After { spaced: false, .. }, byte) if is_space(byte) && count >= min => {
                self.go(frame(count, Part::After { next: 0, spaced: true }));
            }
            (Part::After { .. }, b']') if count >= min => self.out.push(self.state.closed()),
            (Part::After { spaced: false, .. }, b',') if max == u32::MAX || count < max => {
                let top = Frame::Value { shape: items, spaced: false };
                self.out.push(self.state.above(frame(more, after), top));
            }
            _ => {}
        }
    }
}

/// The members that may come from number `next` on where `depth` objects and arrays are open: those that may be
/// left out, up to the first that may not.
fn candidates<'m>(
    schema: &'m Schema,
    depth: u16,
    members: &'m [Member],
    next: u32,
) -> impl Iterator<Item = (u32, &'m Member)> {
    let last = members.iter().skip(next as usize).position(|member| member.required);
    let end = last.map_or(members.len(), |at| next as usize + at + 1);
    let open = (0u32..).zip(members).take(end).skip(next as usize);
    open.filter(move |(_, member)| schema.fits(member.shape, depth))
}

/// What follows the first byte of a character of several bytes; none for bytes that begin no such.
fn lead(byte: u8) -> Option<Char> {
    let (more, from, to) = match byte {
        0xc2..=0xdf => (1, 0x80, 0xbf),
        0xe0 => (2, 0xa0, 0xbf),
        0xed => (2, 0x80, 0x9f),
        0xe1..=0xef => (2, 0x80, 0xbf),
        0xf0 => (3, 0x90, 0xbf),
        0xf1..=0xf3 => (3, 0x80, 0xbf),
        0xf4 => (3, 0x80, 0x8f),
        _ => return None,
    };
    Some(Char::Within { more, from, to })
}

/// A number with one more byte; none where it does not go on so.
fn digit(whole: bool, at: Digits, byte: u8) -> Option<Digits> {
    Some(match (at, byte) {
        // A whole number is never written -0.
        (Digits::Minus, b'0') if !whole => Digits::Zero,
        (Digits::Minus, b'1'..=b'9') => Digits::Whole(1),
        (Digits::Whole(n), b'0'..=b'9') if n < MAX_DIGITS => Digits::Whole(n + 1),
        (Digits::Zero | Digits::Whole(_), b'.') if !whole => Digits::Point,
        (Digits::Point, b'0'..=b'9') => Digits::Fraction(1),
        (Digits::Fraction(n), b'0'..=b'9') if n < MAX_DIGITS => Digits::Fraction(n + 1),
        (Digits::Zero | Digits::Whole(_) | Digits::Fraction(_), b'e' | b'E') if !whole => Digits::Exponent,
        (Digits::Exponent, b'+' | b'-') => Digits::Sign,
        (Digits::Exponent | Digits::Sign, b'0'..=b'9') => Digits::Power(1),
        (Digits::Power(n), b'0'..=b'9') if n < MAX_EXPONENT => Digits::Power(n + 1),
        _ => return None,
    })
}

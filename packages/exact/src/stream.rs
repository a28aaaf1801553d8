//! From tokens to text while they come: whole characters only, and nothing that may turn out to be
//! the start of a stop string.

use openledger_types::formats::Outcome;

/// Text under construction.
pub struct TextStream<'a> {
    stops: &'a [String],
    /// Bytes at the end that are not a whole character yet.
    bytes: Vec<u8>,
    /// Text that may be the start of a stop string.
    held: String,
    stopped: bool,
}

impl<'a> TextStream<'a> {
    /// Text that ends before the first of `stops`.
    pub fn new(stops: &'a [String]) -> Self {
        TextStream { stops, bytes: Vec::new(), held: String::new(), stopped: false }
    }

    /// Whether a stop string has been met.
    pub fn stopped(&self) -> bool {
        self.stopped
    }

    /// Takes the bytes of one token and returns what may be shown now.
    pub fn push(&mut self, bytes: &[u8]) -> String {
        if self.stopped {
            return String::new();
        }
        self.bytes.extend_from_slice(bytes);
        self.take_characters();
        let found = self.stops.iter().filter_map(|stop| self.held.find(stop.as_str())).min();
        if let Some(at) = found {
            self.stopped = true;
            self.held.truncate(at);
            return std::mem::take(&mut self.held);
        }
        let keep = self.stops.iter().map(|stop| overlap(&self.held, stop)).max().unwrap_or(0);
        let rest = self.held.split_off(self.held.len() - keep);
        std::mem::replace(&mut self.held, rest)
    }

    /// What was held back, at the end; an unfinished character is left out.
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }

    /// Moves whole characters from `bytes` to `held`; what can never become one turns into U+FFFD.
    fn take_characters(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        let mut rest = bytes.as_slice();
        loop {
            match std::str::from_utf8(rest) {
                Ok(text) => {
                    self.held.push_str(text);
                    return;
                }
                Err(error) => {
                    let (valid, after) = rest.split_at(error.valid_up_to());
                    self.held.push_str(&String::from_utf8_lossy(valid));
                    let Some(bad) = error.error_len() else {
                        self.bytes = after.to_vec();
                        return;
                    };
                    self.held.push('\u{fffd}');
                    rest = after.get(bad..).unwrap_or(&[]);
                }
            }
        }
    }
}

/// Bytes at the end of `text` that are a proper beginning of `stop`.
fn overlap(text: &str, stop: &str) -> usize {
    (1..stop.len())
        .rev()
        .filter(|n| stop.is_char_boundary(*n))
        .find(|n| text.ends_with(&stop[..*n]))
        .unwrap_or(0)
}

/// The text of a finished answer, as it was sent: the same for the node and for who replays.
/// Returns it with the number of tokens after which a stop string was complete, if one was.
pub fn render<'t>(
    bytes: &dyn Fn(u32) -> &'t [u8],
    tokens: &[u32],
    stops: &[String],
    outcome: Outcome,
) -> (String, Option<usize>) {
    let mut stream = TextStream::new(stops);
    let mut text = String::new();
    let mut stopped = None;
    for (i, token) in tokens.iter().enumerate() {
        text.push_str(&stream.push(bytes(*token)));
        if stream.stopped() && stopped.is_none() {
            stopped = Some(i + 1);
        }
    }
    if outcome != Outcome::Cancelled {
        text.push_str(&stream.finish());
    }
    (text, stopped)
}

/// Whether the tokens end where the request makes them end, as `outcome` says: at the token `end`, at a stop
/// string that was complete after `stopped` tokens, or at the most that was asked for.
pub fn ends_as(tokens: &[u32], stopped: Option<usize>, end: u32, most: u32, outcome: Outcome) -> bool {
    let end = tokens.iter().position(|t| *t == end).map(|i| i + 1);
    match end.into_iter().chain(stopped).min() {
        Some(at) => at == tokens.len() && outcome == Outcome::Stop,
        None if tokens.len() == most as usize => outcome == Outcome::Length,
        None => outcome == Outcome::Cancelled,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_shown_whole_and_stops_are_cut() {
        let stops = vec!["END".to_string(), "\n\n".to_string()];
        let mut stream = TextStream::new(&stops);
        assert_eq!(stream.push(&[b'a', 0xc3]), "a");
        assert_eq!(stream.push(&[0xa9, b'E']), "\u{e9}");
        assert_eq!(stream.push(b"N"), "");
        assert_eq!(stream.push(b"x\n"), "ENx");
        assert_eq!(stream.push(b"b\n\nc"), "\nb");
        assert!(stream.stopped());
        assert_eq!(stream.push(b"more"), "");
        assert_eq!(stream.finish(), "");
    }

    #[test]
    fn bytes_that_never_become_a_character_are_replaced() {
        let mut stream = TextStream::new(&[]);
        assert_eq!(stream.push(&[0xff, b'a', 0xf0, 0x9f]), "\u{fffd}a");
        assert_eq!(stream.push(b"b"), "\u{fffd}b");
        assert_eq!(stream.push(&[0xe2, 0x82]), "");
        assert_eq!(stream.finish(), "");
    }

    proptest::proptest! {
        /// However tokens cut a text, whatever bytes they have, the same text is shown, and it is the one that all bytes
        /// together give, less a character that has only begun.
        #[test]
        fn any_bytes_in_any_pieces_give_the_text_of_all(
            bytes in proptest::collection::vec(proptest::prop_oneof![
                proptest::prelude::Just(b'a'), proptest::prelude::Just(0xc3u8), proptest::prelude::Just(0xa9u8),
                proptest::prelude::Just(0xe2u8), proptest::prelude::Just(0x82u8), proptest::prelude::Just(0xacu8),
                proptest::prelude::Just(0xf0u8), proptest::prelude::Just(0x9fu8), proptest::prelude::any::<u8>(),
            ], 0..40),
            cuts in proptest::collection::vec(1usize..5, 1..40),
        ) {
            let mut stream = TextStream::new(&[]);
            let (mut shown, mut rest, mut cuts) = (String::new(), bytes.as_slice(), cuts.into_iter().cycle());
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(cuts.next().unwrap_or(1).min(rest.len()));
                shown.push_str(&stream.push(piece));
                rest = after;
            }
            shown.push_str(&stream.finish());
            let begun = (1..=bytes.len().min(3))
                .map(|n| &bytes[bytes.len() - n..])
                .find(|tail| std::str::from_utf8(tail).is_err_and(|e| e.valid_up_to() == 0 && e.error_len().is_none()));
            let whole = String::from_utf8_lossy(&bytes[..bytes.len() - begun.map_or(0, <[u8]>::len)]);
            proptest::prop_assert_eq!(shown, whole);
        }
    }
}

//! Match text (PROTOCOL D2): the form in which two documents are compared, never stored or trained on.
//!
//! Steps, in this order:
//! 1. NFKD (Unicode 18.0 tables of `unicode-normalization`; full-width forms, ligatures, styled
//!    letters become plain ones);
//! 2. removal of control characters, zero-width and bidirectional controls and everything else with
//!    the property Default_Ignorable_Code_Point;
//! 3. case: simple lower case of Unicode 17.0 (`case_table.rs`), final sigma to sigma, `ß` to `ss`;
//! 4. look-alikes to ASCII (`confusables.rs`, Unicode TS 39);
//! 5. NFC; what comes out is NFKC as well, because step 1 left nothing to decompose further;
//! 6. runs of white space (property White_Space, and the blank Braille cell) to one space, trimmed.
//!
//! The function is deterministic, idempotent, and linear in its input; a test pins the hash of its
//! result over all Unicode scalars, so that a new table version cannot change chain data unseen.

use unicode_normalization::{is_nfc_quick, IsNormalized, UnicodeNormalization};

use crate::case_table::LOWER;
use crate::confusables::CONFUSABLES;

/// The match text of `text`. At most 11 times as long in bytes (U+FDFA), as a rule shorter.
pub fn match_text(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut folder = Folder { out: Vec::with_capacity(bytes.len()), space: false, scratch: String::new() };
    let mut at = 0;
    while at < bytes.len() {
        let plain = bytes[at..].iter().take_while(|byte| CLASS[usize::from(**byte)] != REMOVED).count();
        let mut end = at + plain;
        // The last plain character before a complex run may be the base of a combining mark.
        if end < bytes.len() && plain > 0 {
            end -= 1;
        }
        folder.plain(&bytes[at..end]);
        let mut stop = at + plain;
        while stop < bytes.len() && CLASS[usize::from(bytes[stop])] == REMOVED {
            stop += 1;
        }
        folder.complex(&text[end..stop]);
        at = stop;
    }
    // Only whole characters were appended.
    String::from_utf8(folder.out)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// In [`CLASS`]: ASCII control that match text drops, or a byte of a character outside ASCII.
const REMOVED: u8 = 0;

/// For each byte: [`REMOVED`], a space for white space, else the lower-case character.
const CLASS: [u8; 256] = {
    let mut table = [REMOVED; 256];
    let mut byte = 0x20u8;
    while byte < 0x7F {
        table[byte as usize] = byte.to_ascii_lowercase();
        byte += 1;
    }
    let mut white = 0x09u8;
    while white <= 0x0D {
        table[white as usize] = b' ';
        white += 1;
    }
    table
};

struct Folder {
    out: Vec<u8>,
    /// White space was seen since the last character written.
    space: bool,
    scratch: String,
}

impl Folder {
    /// ASCII without removed controls.
    fn plain(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let folded = CLASS[usize::from(*byte)];
            if folded == b' ' {
                self.space = true;
            } else {
                self.flush_space();
                self.out.push(folded);
            }
        }
    }

    /// A run of other characters, with the plain character before it.
    fn complex(&mut self, run: &str) {
        if run.is_empty() {
            return;
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        for c in run.nfkd() {
            if is_removed(c) {
                continue;
            }
            match fold(c) {
                'ß' => scratch.push_str("ss"),
                folded => scratch.push(folded),
            }
        }
        if is_nfc_quick(scratch.chars()) == IsNormalized::Yes {
            scratch.chars().for_each(|c| self.push(c));
        } else {
            scratch.nfc().for_each(|c| self.push(c));
        }
        self.scratch = scratch;
    }

    fn push(&mut self, c: char) {
        if c.is_whitespace() || c == '\u{2800}' {
            self.space = true;
            return;
        }
        self.flush_space();
        let mut buffer = [0; 4];
        self.out.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
    }

    fn flush_space(&mut self) {
        if self.space {
            self.space = false;
            if !self.out.is_empty() {
                self.out.push(b' ');
            }
        }
    }
}

/// Controls other than white space, and Default_Ignorable_Code_Point (Unicode 17.0).
fn is_removed(c: char) -> bool {
    let u = u32::from(c);
    if u < 0xAD {
        return c.is_control() && !c.is_whitespace();
    }
    matches!(
        u,
        0xAD | 0x34F
            | 0x61C
            | 0x115F..=0x1160
            | 0x17B4..=0x17B5
            | 0x180B..=0x180F
            | 0x200B..=0x200F
            | 0x202A..=0x202E
            | 0x2060..=0x206F
            | 0x3164
            | 0xFE00..=0xFE0F
            | 0xFEFF
            | 0xFFA0
            | 0xFFF0..=0xFFFB
            | 0x1BCA0..=0x1BCA3
            | 0x1D173..=0x1D17A
            | 0xE0000..=0xE0FFF
    )
}

/// Lower case, then look-alike. Characters of scripts without case and without look-alikes leave early.
fn fold(c: char) -> char {
    let u = u32::from(c);
    if u < 0x80 {
        return c.to_ascii_lowercase();
    }
    if (0x3000..0xA640).contains(&u) || (0xAC00..0xF900).contains(&u) {
        return c;
    }
    let lower = lower(u).and_then(char::from_u32).unwrap_or(c);
    match CONFUSABLES.binary_search_by_key(&lower, |pair| pair.0) {
        Ok(found) => CONFUSABLES[found].1,
        Err(_) => lower,
    }
}

fn lower(u: u32) -> Option<u32> {
    let after = LOWER.partition_point(|range| range.0 <= u);
    let (first, last, step, delta) = *LOWER.get(after.checked_sub(1)?)?;
    (u <= last && (u - first).is_multiple_of(step)).then(|| u.wrapping_add_signed(delta))
}

//! Bytes to text: encodings, binary files, line ends.

use std::borrow::Cow;

use unicode_normalization::{is_nfc_quick, IsNormalized, UnicodeNormalization};

use crate::refusal::{line_of, Refusal};

/// Decodes UTF-8 (with or without byte order mark) and UTF-16 with byte order mark, and refuses
/// what is binary: any NUL, or control characters above one in a hundred.
pub(crate) fn decode(raw: &[u8]) -> Result<Cow<'_, str>, Refusal> {
    let text = match raw {
        [0xEF, 0xBB, 0xBF, rest @ ..] => utf8(rest, 3)?,
        [0xFF, 0xFE, rest @ ..] => Cow::Owned(utf16(rest, u16::from_le_bytes)?),
        [0xFE, 0xFF, rest @ ..] => Cow::Owned(utf16(rest, u16::from_be_bytes)?),
        _ => utf8(raw, 0)?,
    };
    refuse_binary(&text)?;
    Ok(text)
}

fn utf8(bytes: &[u8], offset: usize) -> Result<Cow<'_, str>, Refusal> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Cow::Borrowed(text)),
        Err(error) => {
            // A NUL before the bad byte tells the reader more than the encoding does.
            match bytes.iter().position(|byte| *byte == 0) {
                Some(at) => Err(Refusal::Binary { line: line_of(bytes, at) }),
                None => Err(Refusal::Encoding { at: offset + error.valid_up_to() }),
            }
        }
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, Refusal> {
    let pairs = bytes.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return Err(Refusal::Encoding { at: bytes.len() + 1 });
    }
    let units = pairs.map(|pair| unit([pair[0], pair[1]]));
    let mut text = String::with_capacity(bytes.len());
    let mut at = 2;
    for decoded in char::decode_utf16(units) {
        let c = decoded.map_err(|_| Refusal::Encoding { at })?;
        at += 2 * c.len_utf16();
        text.push(c);
    }
    Ok(text)
}

fn refuse_binary(text: &str) -> Result<(), Refusal> {
    let bytes = text.as_bytes();
    let mut controls = 0usize;
    let mut first = None;
    for (at, byte) in bytes.iter().enumerate() {
        if *byte < 0x20 && !matches!(*byte, 0x08..=0x0D) {
            if *byte == 0 {
                return Err(Refusal::Binary { line: line_of(bytes, at) });
            }
            first = first.or(Some(at));
            controls += 1;
        }
    }
    match first {
        Some(at) if controls.saturating_mul(100) > bytes.len() => {
            Err(Refusal::Binary { line: line_of(bytes, at) })
        }
        _ => Ok(()),
    }
}

/// Carriage returns, alone or before a line feed, become line feeds.
pub(crate) fn line_ends(text: Cow<'_, str>) -> Cow<'_, str> {
    if !text.as_bytes().contains(&b'\r') {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    let mut parts = text.split('\r');
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        if !part.starts_with('\n') {
            out.push('\n');
        }
        out.push_str(part);
    }
    Cow::Owned(out)
}

/// Unicode NFC.
pub(crate) fn nfc(text: Cow<'_, str>) -> String {
    if text.is_ascii() || is_nfc_quick(text.chars()) == IsNormalized::Yes {
        return text.into_owned();
    }
    text.nfc().collect()
}

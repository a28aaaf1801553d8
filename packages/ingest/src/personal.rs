//! Personal data, counted so that the contributor sees it before signing. Nothing is changed here.

use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};

/// How many of each were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PersonalData {
    /// E-mail addresses.
    pub emails: u32,
    /// Telephone numbers in the common international and national spellings.
    pub phones: u32,
    /// International bank account numbers whose check digits are right (ISO 13616).
    pub ibans: u32,
}

impl PersonalData {
    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        *self == PersonalData::default()
    }

    pub(crate) fn add(&mut self, other: &PersonalData) {
        self.emails = self.emails.saturating_add(other.emails);
        self.phones = self.phones.saturating_add(other.phones);
        self.ibans = self.ibans.saturating_add(other.ibans);
    }
}

static PHONE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?x)(?-u:
            \+[1-9][0-9]{0,2}(?:[\x20.\-/]?\(?[0-9]{1,4}\)?){2,6}
          | \([0-9]{3}\)\x20?[0-9]{3}[\-.\x20][0-9]{4}\b
          | \b[0-9]{3}[\-.][0-9]{3}[\-.][0-9]{4}\b
          | \b0[0-9]{2,4}[\x20/\-][0-9]{3,4}[\x20\-]?[0-9]{3,5}\b)",
    )
    .ok()
});

static IBAN: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?-u:\b[A-Z]{2}[0-9]{2}(?:\x20?[0-9A-Z]{4}){2,7}(?:\x20?[0-9A-Z]{1,3})?\b)").ok()
});

/// Counts what `text` holds.
pub(crate) fn count(text: &str) -> PersonalData {
    let accounts: Vec<_> = IBAN.as_ref().map_or_else(Vec::new, |regex| regex.find_iter(text).collect());
    // Groups of an account number, even of a wrong one, look like a telephone number.
    let in_account = |start: usize| {
        let after = accounts.partition_point(|account| account.start() <= start);
        after.checked_sub(1).and_then(|at| accounts.get(at)).is_some_and(|account| start < account.end())
    };
    let phones = PHONE.as_ref().map_or(0, |regex| {
        regex
            .find_iter(text)
            .filter(|found| {
                is_phone(text.as_bytes(), found.start(), found.as_str()) && !in_account(found.start())
            })
            .count()
    });
    let ibans = accounts.iter().filter(|account| is_iban(account.as_str())).count();
    PersonalData { emails: emails(text.as_bytes()), phones: saturate(phones), ibans: saturate(ibans) }
}

fn saturate(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// An at sign with a name before it and a domain with a dot and a top level of letters after it.
fn emails(bytes: &[u8]) -> u32 {
    let mut count = 0u32;
    for (at, _) in bytes.iter().enumerate().filter(|(_, byte)| **byte == b'@') {
        let named = at
            .checked_sub(1)
            .and_then(|before| bytes.get(before))
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || b"._%+-".contains(byte));
        // A domain name has at most 253 characters.
        let rest = bytes.get(at + 1..).unwrap_or_default();
        let length = rest
            .iter()
            .take(253)
            .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(**byte, b'.' | b'-'))
            .count();
        let domain = rest.get(..length).unwrap_or_default();
        let domain = domain.strip_suffix(b".").unwrap_or(domain);
        let labels = domain.split(|byte| *byte == b'.').collect::<Vec<_>>();
        let top = labels.last().copied().unwrap_or_default();
        if named
            && labels.len() >= 2
            && labels.iter().all(|label| !label.is_empty())
            && top.len() >= 2
            && top.iter().all(u8::is_ascii_alphabetic)
        {
            count = count.saturating_add(1);
        }
    }
    count
}

/// 8 to 15 digits (ITU-T E.164), not glued to a longer number or word.
fn is_phone(text: &[u8], start: usize, found: &str) -> bool {
    let digits = found.bytes().filter(u8::is_ascii_digit).count();
    let glued = |byte: &u8| byte.is_ascii_alphanumeric();
    let before = start.checked_sub(1).and_then(|at| text.get(at)).is_some_and(glued);
    let after = text.get(start + found.len()).is_some_and(glued);
    (8..=15).contains(&digits) && !before && !after
}

/// Check digits by ISO 7064 mod 97-10 over the length that the country prescribes.
fn is_iban(found: &str) -> bool {
    let compact: Vec<u8> = found.bytes().filter(u8::is_ascii_alphanumeric).collect();
    let length = match compact.get(..2) {
        Some(b"NO") => 15,
        Some(b"BE") => 16,
        Some(b"DK" | b"FI" | b"NL") => 18,
        Some(b"AT" | b"LU" | b"LT" | b"EE") => 20,
        Some(b"CH" | b"HR" | b"LV") => 21,
        Some(b"DE" | b"IE" | b"GB" | b"BG") => 22,
        Some(b"ES" | b"SE" | b"CZ" | b"SK" | b"RO") => 24,
        Some(b"PT") => 25,
        Some(b"FR" | b"IT" | b"GR") => 27,
        Some(b"PL" | b"HU") => 28,
        _ => compact.len(),
    };
    let Some(number) = compact.get(..length) else { return false };
    let Some((head, tail)) = number.split_at_checked(4) else { return false };
    let mut remainder = 0u32;
    for byte in tail.iter().chain(head) {
        let value = match byte {
            b'0'..=b'9' => u32::from(byte - b'0'),
            _ => u32::from(byte - b'A') + 10,
        };
        remainder = if value < 10 { remainder * 10 + value } else { remainder * 100 + value } % 97;
    }
    length >= 15 && remainder == 1
}

//! Personal data: found, masked and counted, so that the contributor sees it before signing and nobody
//! trains on it.

use std::ops::Range;
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

/// A kind of personal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Email,
    Phone,
    Iban,
}

impl Kind {
    /// What stands in its place.
    fn mask(self) -> &'static str {
        match self {
            Kind::Email => "[e-mail]",
            Kind::Phone => "[phone]",
            Kind::Iban => "[iban]",
        }
    }
}

/// Puts a mask in the place of what `text` holds, and counts it.
pub(crate) fn mask(text: String) -> (String, PersonalData) {
    let found = find(&text);
    if found.is_empty() {
        return (text, PersonalData::default());
    }
    let mut data = PersonalData::default();
    let mut masked = String::with_capacity(text.len());
    let mut at = 0;
    for (range, kind) in found {
        // Ranges come in order; one that begins inside another is masked with it.
        if range.start < at {
            continue;
        }
        masked.push_str(text.get(at..range.start).unwrap_or_default());
        masked.push_str(kind.mask());
        let count = match kind {
            Kind::Email => &mut data.emails,
            Kind::Phone => &mut data.phones,
            Kind::Iban => &mut data.ibans,
        };
        *count = count.saturating_add(1);
        at = range.end;
    }
    masked.push_str(text.get(at..).unwrap_or_default());
    (masked, data)
}

/// What `text` holds, by place.
fn find(text: &str) -> Vec<(Range<usize>, Kind)> {
    let accounts: Vec<_> = IBAN.as_ref().map_or_else(Vec::new, |regex| regex.find_iter(text).collect());
    // Groups of an account number, even of a wrong one, look like a telephone number.
    let in_account = |start: usize| {
        let after = accounts.partition_point(|account| account.start() <= start);
        after.checked_sub(1).and_then(|at| accounts.get(at)).is_some_and(|account| start < account.end())
    };
    let mut found: Vec<(Range<usize>, Kind)> = Vec::new();
    if let Some(regex) = PHONE.as_ref() {
        let phones = regex.find_iter(text).filter(|found| {
            is_phone(text.as_bytes(), found.start(), found.as_str()) && !in_account(found.start())
        });
        found.extend(phones.map(|phone| (phone.range(), Kind::Phone)));
    }
    let real = accounts.iter().filter(|account| is_iban(account.as_str()));
    found.extend(real.map(|account| (account.range(), Kind::Iban)));
    found.extend(emails(text.as_bytes()).into_iter().map(|range| (range, Kind::Email)));
    found.sort_by_key(|(range, _)| range.start);
    found
}

/// An at sign with a name before it and a domain with a dot and a top level of letters after it.
fn emails(bytes: &[u8]) -> Vec<Range<usize>> {
    let in_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"._%+-".contains(byte);
    let mut found = Vec::new();
    for (at, _) in bytes.iter().enumerate().filter(|(_, byte)| **byte == b'@') {
        // A name has at most 64 characters.
        let name = bytes
            .get(..at)
            .unwrap_or_default()
            .iter()
            .rev()
            .take(64)
            .take_while(|byte| in_name(byte))
            .count();
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
        if name > 0
            && labels.len() >= 2
            && labels.iter().all(|label| !label.is_empty())
            && top.len() >= 2
            && top.iter().all(u8::is_ascii_alphabetic)
        {
            found.push(at - name..at + 1 + domain.len());
        }
    }
    found
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

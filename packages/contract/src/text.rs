//! Forms of the texts that messages carry. Everything kept on chain is bounded and free of control
//! characters, so that a list in a terminal or a page shows what was meant.

use bech32::primitives::decode::CheckedHrpstring;
use bech32::Bech32;

use crate::CommonError;

/// Most bytes of a denom (bank module of the Cosmos SDK).
const MAX_DENOM: usize = 128;

/// Most bytes of an SPDX expression.
const MAX_LICENSE: usize = 256;

/// Most bytes of a media type.
const MAX_MEDIA: usize = 128;

fn bad(field: &'static str, rule: &'static str) -> CommonError {
    CommonError::BadField { field, rule }
}

fn ensure(ok: bool, field: &'static str, rule: &'static str) -> Result<(), CommonError> {
    match ok {
        true => Ok(()),
        false => Err(bad(field, rule)),
    }
}

/// One line of `min` to `max` bytes of UTF-8; `rule` says so in words.
pub fn line(
    field: &'static str,
    value: &str,
    min: usize,
    max: usize,
    rule: &'static str,
) -> Result<(), CommonError> {
    let fits = (min..=max).contains(&value.len()) && !value.chars().any(char::is_control);
    ensure(fits && value.trim().len() >= min.min(1), field, rule)
}

/// Text of at most `max` bytes, of which the only control characters are line ends and tabs.
pub fn paragraph(
    field: &'static str,
    value: &str,
    max: usize,
    rule: &'static str,
) -> Result<(), CommonError> {
    let plain = |c: char| !c.is_control() || c == '\n' || c == '\t';
    ensure(value.len() <= max && value.chars().all(plain), field, rule)
}

/// An SPDX licence expression, by its alphabet.
pub fn license(value: &str) -> Result<(), CommonError> {
    let spdx = |c: char| c.is_ascii_alphanumeric() || " .+-():".contains(c);
    let fits = (1..=MAX_LICENSE).contains(&value.len()) && value.trim() == value;
    ensure(fits && value.chars().all(spdx), "license", "an SPDX expression of 1 to 256 characters")
}

/// A media type such as `text/plain; charset=utf-8`.
pub fn media(value: &str) -> Result<(), CommonError> {
    let fits = (3..=MAX_MEDIA).contains(&value.len()) && value.contains('/') && value.trim() == value;
    let printable = value.chars().all(|c| c.is_ascii_graphic() || c == ' ');
    ensure(fits && printable, "media", "a media type of at most 128 ASCII characters")
}

/// A denom as the bank module takes it.
pub fn denom(field: &'static str, value: &str) -> Result<(), CommonError> {
    let first = value.chars().next().is_some_and(|c| c.is_ascii_alphabetic());
    let fits = (3..=MAX_DENOM).contains(&value.len());
    let rest = value.chars().all(|c| c.is_ascii_alphanumeric() || "/:._-".contains(c));
    ensure(first && fits && rest, field, "a denom: a letter, then 2 to 127 of letters, digits or /:._-")
}

/// An age recipient for X25519: bech32 `age1…` over 32 bytes.
pub fn age_recipient(field: &'static str, value: &str) -> Result<(), CommonError> {
    let lower = !value.chars().any(|c| c.is_ascii_uppercase());
    ensure(lower && is_age_key(value, "age"), field, "an age recipient (age1…, X25519)")
}

/// An age identity for X25519: bech32 `AGE-SECRET-KEY-1…` over 32 bytes, in capitals.
pub fn age_identity(field: &'static str, value: &str) -> Result<(), CommonError> {
    let upper = !value.chars().any(|c| c.is_ascii_lowercase());
    ensure(
        upper && is_age_key(value, "age-secret-key-"),
        field,
        "an age identity (AGE-SECRET-KEY-1…, X25519)",
    )
}

/// An account of another chain: bech32 under its prefix in lower case, over 20 bytes (keys) or 32
/// (contracts, modules, interchain accounts).
pub fn remote_account(field: &'static str, value: &str, prefix: &str) -> Result<(), CommonError> {
    let lower = !value.chars().any(|c| c.is_ascii_uppercase());
    let valid = lower
        && CheckedHrpstring::new::<Bech32>(value).is_ok_and(|address| {
            address.hrp().as_str() == prefix && matches!(address.byte_iter().count(), 20 | 32)
        });
    ensure(valid, field, "a bech32 address of the route's prefix, in lower case, of 20 or 32 bytes")
}

/// Whether `value` is 32 bytes in bech32 under this prefix, in capitals or not.
fn is_age_key(value: &str, prefix: &str) -> bool {
    // 32 bytes are 52 characters, the checksum 6 and the separator 1.
    value.len() == prefix.len() + 59
        && CheckedHrpstring::new::<Bech32>(value)
            .is_ok_and(|key| key.hrp().to_lowercase() == prefix && key.byte_iter().count() == 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the age specification.
    const RECIPIENT: &str = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";
    const IDENTITY: &str = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";

    #[test]
    fn age_keys_are_checked_to_the_last_character() {
        assert!(age_recipient("recipient", RECIPIENT).is_ok());
        assert!(age_identity("identity", IDENTITY).is_ok());
        for wrong in ["", "age1", IDENTITY, &RECIPIENT.to_uppercase(), &RECIPIENT.replace("nujwj", "nujwq")] {
            assert!(age_recipient("recipient", wrong).is_err(), "{wrong}");
        }
        for wrong in ["", RECIPIENT, &IDENTITY.to_lowercase(), &IDENTITY[1..]] {
            assert!(age_identity("identity", wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn accounts_of_other_chains_are_checked_by_checksum_prefix_and_length() {
        let account = "cosmos1fl48vsnmsdzcv85q5d2q4z5ajdha8yu34mf0eh";
        assert!(remote_account("remote_addr", account, "cosmos").is_ok());
        for (wrong, prefix) in [
            (account, "osmo"),
            ("cosmos1fl48vsnmsdzcv85q5d2q4z5ajdha8yu34mf0ef", "cosmos"),
            (&account.to_uppercase(), "cosmos"),
            ("cosmos1", "cosmos"),
            ("", ""),
        ] {
            assert!(remote_account("remote_addr", wrong, prefix).is_err(), "{wrong}");
        }
        for (bytes, fits) in [(19, false), (20, true), (21, false), (32, true), (33, false)] {
            let prefix = bech32::Hrp::parse("cosmos").unwrap();
            let address = bech32::encode::<Bech32>(prefix, &vec![7; bytes]).unwrap();
            assert_eq!(remote_account("remote_addr", &address, "cosmos").is_ok(), fits, "{bytes}");
        }
    }

    #[test]
    fn lines_have_no_control_characters() {
        assert!(line("name", "maps", 1, 4, "").is_ok());
        assert!(line("title", "", 0, 4, "").is_ok());
        for wrong in ["", "   ", "mapss", "a\nb", "a\u{1b}["] {
            assert!(line("name", wrong, 1, 4, "").is_err(), "{wrong:?}");
        }
        assert!(paragraph("description", "two\nlines", 16, "").is_ok());
        assert!(paragraph("description", "bell\u{7}", 16, "").is_err());
        assert!(paragraph("description", "longer than it may be", 16, "").is_err());
    }

    #[test]
    fn licences_media_types_and_denoms_have_their_alphabets() {
        for fine in ["MIT OR Apache-2.0", "LicenseRef-own", "(MIT AND GPL-2.0+)"] {
            assert!(license(fine).is_ok(), "{fine}");
        }
        for wrong in ["", " MIT", "MIT\n", "MIT;DROP"] {
            assert!(license(wrong).is_err(), "{wrong:?}");
        }
        assert!(media("text/plain; charset=utf-8").is_ok());
        assert!(media("text").is_err());
        assert!(media("text/pläin").is_err());
        for fine in ["uopen", "ibc/27394FB092D2ECCD56123C74F36E4C1F926001CEADA9CA97EA622B25F41E5EB2"] {
            assert!(denom("denom", fine).is_ok(), "{fine}");
        }
        for wrong in ["", "uo", "1open", "u open"] {
            assert!(denom("denom", wrong).is_err(), "{wrong:?}");
        }
    }
}

//! From raw bytes to what is stored, matched and committed.

use openledger_merkle::{chunk_root, Hash, CONTENT_CHUNK};
use sha2::{Digest, Sha256};

use crate::decode::{decode, line_ends, nfc};
use crate::html::to_text;
use crate::language;
use crate::match_text::match_text;
use crate::media::Media;
use crate::personal::{self, PersonalData};
use crate::quality::{self, Quality};
use crate::refusal::Refusal;
use crate::secrets::find_secret;

/// Largest document in bytes, before and after cleaning. Also bounds what a reader must hold.
pub const MAX_DOCUMENT_BYTES: usize = 4 * 1024 * 1024;

/// Longest match text in bytes: a few characters grow when they are taken apart.
pub const MAX_MATCH_BYTES: usize = 2 * MAX_DOCUMENT_BYTES;

/// What a datanet asks of its documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Kind of text; decides whether markup is stripped.
    pub media: Media,
    /// Largest raw document in bytes; at most [`MAX_DOCUMENT_BYTES`] is honoured.
    pub max_bytes: usize,
    /// Fewest characters of content text that are not white space.
    pub min_chars: usize,
    /// ISO 639-3 codes taken, `code` and `und` among them; empty takes every language.
    pub languages: Vec<String>,
    /// Lowest quality score taken, 0 to 1000.
    pub min_quality: u16,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            media: Media::Auto,
            max_bytes: MAX_DOCUMENT_BYTES,
            min_chars: 16,
            languages: Vec::new(),
            min_quality: 0,
        }
    }
}

/// A document that may be contributed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cleaned {
    /// Content text: stored and trained on (NFC, line feeds, no markup).
    pub content: String,
    /// Match text: compared only (PROTOCOL D2).
    pub match_text: String,
    /// Root over 1 KiB chunks of the content text.
    pub content_root: Hash,
    /// Root over 1 KiB chunks of the match text.
    pub match_root: Hash,
    /// SHA-256 of the match text, unique over all datanets.
    pub match_hash: Hash,
    /// SHA-256 of the raw bytes, which a commit binds (D1).
    pub raw_hash: Hash,
    /// Kind of text, never [`Media::Auto`].
    pub media: Media,
    /// ISO 639-3 code, `code` or `und`.
    pub language: String,
    /// Personal data that was found; masks stand in its place.
    pub personal: PersonalData,
    /// Score and reasons.
    pub quality: Quality,
}

/// Cleans one document.
///
/// # Errors
/// A [`Refusal`] with code, line and advice. The same bytes and options always give the same result.
pub fn clean(raw: &[u8], options: &Options) -> Result<Cleaned, Refusal> {
    let limit = options.max_bytes.min(MAX_DOCUMENT_BYTES);
    if raw.is_empty() {
        return Err(Refusal::Empty);
    }
    if raw.len() > limit {
        return Err(Refusal::TooLarge { bytes: raw.len(), limit });
    }
    let text = decode(raw)?;
    let media = options.media.settle(&text);
    let text = line_ends(text);
    let content = nfc(if media == Media::Html { to_text(&text).into() } else { text });
    check_length(&content, options)?;
    if let Some(secret) = find_secret(&content) {
        return Err(Refusal::Secret { kind: secret.kind, line: secret.line });
    }
    let (content, personal) = personal::mask(content);
    let language = language::detect(&content, media);
    if !options.languages.is_empty() && !options.languages.iter().any(|taken| taken == language) {
        return Err(Refusal::Language { found: language.to_owned() });
    }
    let match_text = match_text(&content);
    if match_text.is_empty() {
        return Err(Refusal::Empty);
    }
    if match_text.len() > MAX_MATCH_BYTES {
        return Err(Refusal::TooLong { bytes: match_text.len(), limit: MAX_MATCH_BYTES });
    }
    let quality = quality::score(&content, language == "code");
    if quality.score < options.min_quality {
        return Err(Refusal::Quality { score: quality.score, limit: options.min_quality });
    }
    Ok(Cleaned {
        content_root: chunk_root(content.as_bytes(), CONTENT_CHUNK),
        match_root: chunk_root(match_text.as_bytes(), CONTENT_CHUNK),
        match_hash: match_hash(&match_text),
        raw_hash: Sha256::digest(raw).into(),
        media,
        language: language.to_owned(),
        personal,
        quality,
        content,
        match_text,
    })
}

/// SHA-256 of a match text.
pub fn match_hash(match_text: &str) -> Hash {
    Sha256::digest(match_text.as_bytes()).into()
}

fn check_length(content: &str, options: &Options) -> Result<(), Refusal> {
    if content.len() > MAX_DOCUMENT_BYTES {
        return Err(Refusal::TooLong { bytes: content.len(), limit: MAX_DOCUMENT_BYTES });
    }
    let chars = content.chars().filter(|c| !c.is_whitespace()).count();
    if chars == 0 {
        return Err(Refusal::Empty);
    }
    if chars < options.min_chars {
        return Err(Refusal::TooShort { chars, limit: options.min_chars });
    }
    Ok(())
}

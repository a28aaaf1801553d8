//! Byte-level BPE as GPT-2 defines it, without a tokenizer library: small enough for a page. Reads the
//! `tokenizer.json` that training writes; other layouts are refused, never guessed. Tests hold it against the
//! library that nodes use.

use std::collections::HashMap;

use regex_syntax::hir::{Class, HirKind};
use serde::Deserialize;

use crate::error::{Error, Result};

fn refuse(what: impl Into<String>) -> Error {
    Error::new(
        "E-MODEL-005",
        format!("tokenizer.json refused: {}", what.into()),
        "Only byte-level BPE is read here: ask a node, or use openledger verify.",
    )
}

/// The character that stands for `byte` in byte-level BPE (the table of GPT-2): printable bytes for
/// themselves, the others from U+0100 on in rising order.
pub fn byte_table() -> Vec<char> {
    let mut next = 0x100u32;
    (0..=255u8)
        .map(|byte| match byte {
            0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff => char::from(byte),
            _ => {
                next += 1;
                char::from_u32(next - 1).unwrap_or('\u{fffd}')
            }
        })
        .collect()
}

#[derive(Deserialize)]
struct File {
    normalizer: Option<serde_json::Value>,
    truncation: Option<serde_json::Value>,
    padding: Option<serde_json::Value>,
    pre_tokenizer: Option<PreTokenizer>,
    post_processor: Option<serde_json::Value>,
    #[serde(default)]
    added_tokens: Vec<Added>,
    model: Model,
}

#[derive(Deserialize)]
struct PreTokenizer {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    add_prefix_space: bool,
    #[serde(default = "yes")]
    use_regex: bool,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
struct Added {
    id: u32,
    special: bool,
}

#[derive(Deserialize)]
struct Model {
    #[serde(rename = "type")]
    kind: String,
    vocab: HashMap<String, u32>,
    merges: Vec<Merge>,
    #[serde(default)]
    dropout: Option<f32>,
    #[serde(default)]
    continuing_subword_prefix: Option<String>,
    #[serde(default)]
    end_of_word_suffix: Option<String>,
    #[serde(default)]
    byte_fallback: bool,
    #[serde(default)]
    ignore_merges: bool,
}

/// Both layouts that the library has written.
#[derive(Deserialize)]
#[serde(untagged)]
enum Merge {
    Pair(String, String),
    Text(String),
}

impl Merge {
    fn pair(&self) -> Option<(&str, &str)> {
        match self {
            Merge::Pair(a, b) => Some((a, b)),
            Merge::Text(text) => text.split_once(' '),
        }
    }
}

/// A set of characters as rising ranges.
struct Set(Vec<(char, char)>);

impl Set {
    /// The set of a Unicode class such as `\p{L}`.
    fn of(pattern: &str) -> Self {
        let ranges = match regex_syntax::parse(pattern).map(|hir| hir.into_kind()) {
            Ok(HirKind::Class(Class::Unicode(class))) => class.iter().map(|r| (r.start(), r.end())).collect(),
            _ => Vec::new(),
        };
        Set(ranges)
    }

    fn has(&self, c: char) -> bool {
        let at = self.0.partition_point(|(_, end)| *end < c);
        self.0.get(at).is_some_and(|(start, _)| *start <= c)
    }
}

/// A tokenizer.
pub struct Bpe {
    /// Id of each byte's token.
    bytes_id: [u32; 256],
    /// (left, right) to (rank, merged).
    merges: HashMap<(u32, u32), (u32, u32)>,
    /// Bytes of each token; empty for special tokens and unused ids.
    bytes: Vec<Vec<u8>>,
    letter: Set,
    number: Set,
}

impl Bpe {
    /// Reads `tokenizer.json`. `vocab_size` bounds the ids.
    ///
    /// # Errors
    /// `E-MODEL-005` for anything but byte-level BPE.
    pub fn parse(json: &[u8], vocab_size: usize) -> Result<Self> {
        let file: File = serde_json::from_slice(json).map_err(|e| refuse(e.to_string()))?;
        let model = file.model;
        let changes_texts = file.normalizer.is_some() || file.truncation.is_some() || file.padding.is_some();
        if changes_texts || file.post_processor.is_some() || file.added_tokens.iter().any(|t| !t.special) {
            return Err(refuse("a normalizer, truncation, padding or added words change texts"));
        }
        let split = file.pre_tokenizer.as_ref();
        if !split.is_some_and(|p| p.kind == "ByteLevel" && !p.add_prefix_space && p.use_regex) {
            return Err(refuse("it does not split texts as GPT-2 does"));
        }
        let affixes = [&model.continuing_subword_prefix, &model.end_of_word_suffix];
        if model.kind != "BPE"
            || model.dropout.is_some()
            || model.byte_fallback
            || model.ignore_merges
            || affixes.into_iter().flatten().any(|affix| !affix.is_empty())
        {
            return Err(refuse("it is no plain BPE"));
        }
        let table = byte_table();
        let by_char: HashMap<char, u8> = (0..=255u8).zip(&table).map(|(byte, c)| (*c, byte)).collect();
        let special: Vec<u32> = file.added_tokens.iter().map(|t| t.id).collect();
        let mut bytes = vec![Vec::new(); vocab_size];
        for (token, id) in &model.vocab {
            let slot = bytes
                .get_mut(*id as usize)
                .ok_or_else(|| refuse(format!("id {id} is not below {vocab_size}")))?;
            if !special.contains(id) {
                *slot = token
                    .chars()
                    .map(|c| by_char.get(&c).copied())
                    .collect::<Option<Vec<u8>>>()
                    .ok_or_else(|| refuse("a token is not made of bytes"))?;
            }
        }
        let id = |token: &str| model.vocab.get(token).copied();
        let mut bytes_id = [0; 256];
        for (slot, c) in bytes_id.iter_mut().zip(&table) {
            *slot = id(&c.to_string()).ok_or_else(|| refuse("a byte has no token"))?;
        }
        let mut merges = HashMap::with_capacity(model.merges.len());
        for (rank, merge) in (0u32..).zip(&model.merges) {
            let known = merge
                .pair()
                .and_then(|(a, b)| Some(((id(a)?, id(b)?), id(&format!("{a}{b}"))?)))
                .ok_or_else(|| refuse(format!("merge {rank} joins what is not in the vocabulary")))?;
            merges.insert(known.0, (rank, known.1));
        }
        Ok(Bpe { bytes_id, merges, bytes, letter: Set::of(r"\p{L}"), number: Set::of(r"\p{N}") })
    }

    /// Tokens of `text`, without a token for its start or end; what spells a special token is text.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        let mut tokens = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (word, after) = rest.split_at(self.word(rest));
            self.merge(word.as_bytes(), &mut tokens);
            rest = after;
        }
        tokens
    }

    /// Bytes that `token` stands for; none for special tokens and unknown ids.
    pub fn bytes(&self, token: u32) -> &[u8] {
        self.bytes.get(token as usize).map_or(&[], Vec::as_slice)
    }

    /// Bytes of the first piece of a text that is not empty, by GPT-2's expression
    /// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`.
    fn word(&self, text: &str) -> usize {
        for short in ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"] {
            if text.starts_with(short) {
                return short.len();
            }
        }
        let lead = usize::from(text.starts_with(' '));
        let body = text.get(lead..).unwrap_or("");
        let run = |wanted: &dyn Fn(char) -> bool| {
            body.char_indices().find(|(_, c)| !wanted(*c)).map_or(body.len(), |(at, _)| at)
        };
        let other = |c: char| !c.is_whitespace() && !self.letter.has(c) && !self.number.has(c);
        for length in [run(&|c| self.letter.has(c)), run(&|c| self.number.has(c)), run(&other)] {
            if length > 0 {
                return lead + length;
            }
        }
        // White space: all of it at the end of the text, else all but its last character, which belongs to
        // what follows unless it stands alone.
        let mut ends: Vec<usize> = Vec::new();
        for (at, c) in text.char_indices() {
            if !c.is_whitespace() {
                break;
            }
            ends.push(at + c.len_utf8());
        }
        match ends.as_slice() {
            [.., before, last] if *last < text.len() => *before,
            [.., last] => *last,
            [] => text.chars().next().map_or(text.len(), char::len_utf8),
        }
    }

    /// Joins the bytes of a piece: always the pair that was learned first, the leftmost of equals.
    fn merge(&self, bytes: &[u8], tokens: &mut Vec<u32>) {
        let mut parts: Vec<u32> =
            bytes.iter().filter_map(|byte| self.bytes_id.get(usize::from(*byte)).copied()).collect();
        loop {
            let pairs = parts.windows(2).enumerate().filter_map(|(at, pair)| {
                let (rank, merged) = self.merges.get(&(*pair.first()?, *pair.get(1)?))?;
                Some((*rank, at, *merged))
            });
            let Some((_, at, merged)) = pairs.min() else { break };
            parts.splice(at..at + 2, [merged]);
        }
        tokens.extend(parts);
    }
}

//! Byte-level BPE: every UTF-8 text encodes, and decodes to itself.

use std::panic::{catch_unwind, AssertUnwindSafe};

use openledger_exact::bpe::byte_table;
use tokenizers::Tokenizer as Inner;

use super::error::{Error, Result};

/// Text that the tokenizer must carry unchanged before it is used.
const PROBE: &str =
    "fn main() {\r\n\t// \u{0}\u{7f} caf\u{e9} \u{4f60}\u{597d} \u{1f980}\n\n   }  <|endoftext|> don't 12345";

/// A tokenizer in the layout of `tokenizer.json`, restricted to byte-level BPE.
pub struct Tokenizer {
    inner: Inner,
    /// Bytes of each token; empty for special tokens and unused ids.
    bytes: Vec<Vec<u8>>,
    longest: usize,
    /// Control tokens by name.
    control: Vec<(String, u32)>,
}

fn refuse(what: impl Into<String>) -> Error {
    Error::new(
        "E-MODEL-005",
        format!("tokenizer.json refused: {}", what.into()),
        "Use a byte-level BPE tokenizer whose ids lie below vocab_size.",
    )
}

/// The 256 characters of byte-level BPE.
pub(crate) fn byte_alphabet() -> Vec<char> {
    byte_table()
}

impl Tokenizer {
    /// Reads `tokenizer.json`. `vocab_size` bounds the ids.
    pub fn parse(json: &[u8], vocab_size: usize) -> Result<Self> {
        // A third-party parser must not bring the process down, whatever the file holds.
        let parsed = catch_unwind(AssertUnwindSafe(|| Inner::from_bytes(json)));
        let mut inner =
            parsed.map_err(|_| refuse("its parser gave up"))?.map_err(|e| refuse(e.to_string()))?;
        if inner.get_normalizer().is_some()
            || inner.get_truncation().is_some()
            || inner.get_padding().is_some()
        {
            return Err(refuse("a normalizer, truncation or padding changes texts"));
        }
        // What a user writes is never a control token, even when it spells one.
        inner.set_encode_special_tokens(true);
        let special = inner.get_added_tokens_decoder();
        let mut by_char = std::collections::HashMap::new();
        for (byte, character) in byte_table().into_iter().enumerate() {
            by_char.insert(character, byte as u8);
        }
        let mut bytes = vec![Vec::new(); vocab_size];
        for (token, id) in inner.get_vocab(true) {
            let Some(slot) = bytes.get_mut(id as usize) else {
                return Err(refuse(format!("id {id} is not below {vocab_size}")));
            };
            if special.contains_key(&id) {
                continue;
            }
            *slot = token
                .chars()
                .map(|c| by_char.get(&c).copied())
                .collect::<Option<Vec<u8>>>()
                .ok_or_else(|| refuse("a token is not made of bytes"))?;
        }
        let longest = bytes.iter().map(Vec::len).max().unwrap_or(0);
        let mut control: Vec<(String, u32)> = special
            .iter()
            .filter(|(_, token)| !token.content.is_empty())
            .map(|(id, token)| (token.content.clone(), *id))
            .collect();
        control.sort();
        let tokenizer = Tokenizer { inner, bytes, longest, control };
        let back = catch_unwind(AssertUnwindSafe(|| tokenizer.encode(PROBE)))
            .map_err(|_| refuse("it gave up on a test text"))??;
        if tokenizer.decode(&back) != PROBE {
            return Err(refuse("it does not return a text unchanged"));
        }
        Ok(tokenizer)
    }

    /// Tokens of `text`, without a token for its start or end.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = self.inner.encode_fast(text, false).map_err(|e| refuse(e.to_string()))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Tokens of a text of a model's chat format, in which control tokens stand by their names.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub(crate) fn encode_format(&self, text: &str) -> Result<Vec<u32>> {
        let (mut tokens, mut rest) = (Vec::new(), text);
        while !rest.is_empty() {
            // The first control token, the longest of those that begin there.
            let found = self
                .control
                .iter()
                .filter_map(|(name, id)| Some((rest.find(name.as_str())?, name.len(), *id)))
                .min_by_key(|(at, len, _)| (*at, std::cmp::Reverse(*len)));
            let Some((at, len, id)) = found else {
                tokens.extend(self.encode(rest)?);
                break;
            };
            tokens.extend(self.encode(&rest[..at])?);
            tokens.push(id);
            rest = &rest[at + len..];
        }
        Ok(tokens)
    }

    /// Name of a control token.
    pub(crate) fn control_name(&self, token: u32) -> Option<&str> {
        self.control.iter().find(|(_, id)| *id == token).map(|(name, _)| name.as_str())
    }

    /// Bytes that `token` stands for; none for special tokens and unknown ids.
    pub fn bytes(&self, token: u32) -> &[u8] {
        self.bytes.get(token as usize).map_or(&[], Vec::as_slice)
    }

    /// The text of `tokens`; bytes that are not UTF-8 become U+FFFD.
    pub fn decode(&self, tokens: &[u32]) -> String {
        let bytes: Vec<u8> = tokens.iter().flat_map(|t| self.bytes(*t)).copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Bytes of the longest token.
    pub fn longest(&self) -> usize {
        self.longest
    }
}

//! A model's own form of chats: `chat_format.json`, texts before and after each message (docs/adr/0019).
//!
//! Models from elsewhere bring a template in Jinja, a programming language: nodes and verifiers would have to
//! run a stranger's program, equal to the bit and within bounds. `derive` runs it
//! once, where the model is imported, and writes down what it does; what node and verifier read is this list
//! of texts.

use serde::{Deserialize, Serialize};

use super::error::{Error, Result};
use super::tokenizer::Tokenizer;
use crate::request::{Chat, Speaker};

/// Name of the file in a model's folder.
pub const CHAT_FILE: &str = "chat_format.json";
/// Most bytes of it.
pub(crate) const MAX_CHAT_FORMAT: u64 = 64 << 10;

/// What stands around a message.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Around {
    /// Text before it.
    pub before: String,
    /// Text after it.
    pub after: String,
}

/// The form of a model's chats. Control tokens stand by their names; what users write is never one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChatFormat {
    /// Version of this document: 1.
    pub format: u32,
    /// Text at the very beginning.
    pub begin: String,
    /// Text after it when the first message is not the system's: what the model is told by default.
    pub without_system: String,
    /// Around a message of the system; none when the model takes none.
    pub system: Option<Around>,
    /// Around a message of the user.
    pub user: Around,
    /// Around a message of the assistant.
    pub assistant: Around,
    /// Text after which the answer is written.
    pub answer: String,
    /// Whether messages lose white space at both ends.
    pub trim: bool,
}

fn refuse(what: impl std::fmt::Display) -> Error {
    Error::new(
        "E-MODEL-012",
        format!("{CHAT_FILE} refused: {what}"),
        "Import the model again with this release.",
    )
}

/// A text of the format, or of a user.
enum Part<'a> {
    Format(&'a str),
    Content(&'a str),
}

impl ChatFormat {
    /// Reads `chat_format.json`.
    ///
    /// # Errors
    /// `E-MODEL-012`.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        if bytes.len() as u64 > MAX_CHAT_FORMAT {
            return Err(refuse(format!("{} bytes, allowed are {MAX_CHAT_FORMAT}", bytes.len())));
        }
        let format: ChatFormat = serde_json::from_slice(bytes).map_err(refuse)?;
        match format.format {
            1 => Ok(format),
            other => Err(refuse(format!("its version is {other}"))),
        }
    }

    /// The parts of a chat in order.
    fn parts<'a>(&'a self, chat: &'a Chat) -> Result<Vec<Part<'a>>> {
        let mut parts = vec![Part::Format(&self.begin)];
        if chat.messages.first().is_some_and(|m| m.speaker != Speaker::System) {
            parts.push(Part::Format(&self.without_system));
        }
        let last = chat.messages.len().saturating_sub(1);
        for (i, message) in chat.messages.iter().enumerate() {
            if chat.going_on && i == last {
                parts.push(Part::Format(&self.answer));
                // As it was written: the answer goes on from its last byte.
                parts.push(Part::Content(&message.content));
                return Ok(parts);
            }
            let around = match message.speaker {
                Speaker::System => self.system.as_ref().ok_or_else(|| {
                    Error::new(
                        "E-GEN-003",
                        "this model takes no message of the system",
                        "Say it in the first message of the user.",
                    )
                })?,
                Speaker::User => &self.user,
                Speaker::Assistant => &self.assistant,
            };
            let content = if self.trim { message.content.trim() } else { &message.content };
            parts.extend([Part::Format(&around.before), Part::Content(content), Part::Format(&around.after)]);
        }
        parts.push(Part::Format(&self.answer));
        Ok(parts)
    }

    /// A chat as one text, for comparison with the template it was derived from.
    ///
    /// # Errors
    /// `E-GEN-003` when the model takes no message of the system.
    pub fn render(&self, chat: &Chat) -> Result<String> {
        let texts = self.parts(chat)?;
        Ok(texts
            .iter()
            .map(|part| match part {
                Part::Format(text) | Part::Content(text) => *text,
            })
            .collect())
    }

    /// Tokens of a chat. Neighbouring texts of the format are encoded together with control tokens among
    /// them, each message by itself without.
    ///
    /// # Errors
    /// As [`ChatFormat::render`], and `E-MODEL-005` when the tokenizer fails.
    pub(crate) fn encode(&self, chat: &Chat, tokenizer: &Tokenizer) -> Result<Vec<u32>> {
        let (mut tokens, mut waiting) = (Vec::new(), String::new());
        for part in self.parts(chat)? {
            match part {
                Part::Format(text) => waiting.push_str(text),
                Part::Content(text) => {
                    tokens.extend(tokenizer.encode_format(&std::mem::take(&mut waiting))?);
                    tokens.extend(tokenizer.encode(text)?);
                }
            }
        }
        tokens.extend(tokenizer.encode_format(&waiting)?);
        Ok(tokens)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::ChatMessage;

    fn chatml() -> ChatFormat {
        let around =
            |name: &str| Around { before: format!("<|im_start|>{name}\n"), after: "<|im_end|>\n".into() };
        ChatFormat {
            format: 1,
            begin: String::new(),
            without_system: "<|im_start|>system\nBe kind.<|im_end|>\n".into(),
            system: Some(around("system")),
            user: around("user"),
            assistant: around("assistant"),
            answer: "<|im_start|>assistant\n".into(),
            trim: true,
        }
    }

    fn chat(messages: &[(Speaker, &str)], going_on: bool) -> Chat {
        let message =
            |(speaker, text): &(Speaker, &str)| ChatMessage { speaker: *speaker, content: (*text).into() };
        Chat { messages: messages.iter().map(message).collect(), going_on }
    }

    #[test]
    fn a_chat_is_written_as_the_format_says() {
        let format = chatml();
        let asked = chat(&[(Speaker::User, " Hi ")], false);
        assert_eq!(
            format.render(&asked).unwrap(),
            "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
        );
        let going = chat(&[(Speaker::System, "S"), (Speaker::User, "Q"), (Speaker::Assistant, "We ")], true);
        assert_eq!(
            format.render(&going).unwrap(),
            "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\nWe "
        );
        let without = ChatFormat { system: None, ..format };
        assert_eq!(without.render(&going).unwrap_err().code, "E-GEN-003");
    }

    #[test]
    fn a_format_of_another_form_is_refused() {
        let good = serde_json::to_vec(&chatml()).unwrap();
        assert_eq!(ChatFormat::parse(&good).unwrap(), chatml());
        let other = String::from_utf8(good.clone()).unwrap().replace("\"format\":1", "\"format\":2");
        for bad in [b"{}".as_slice(), &good[..20], other.as_bytes(), &[b' '; 70_000]] {
            assert_eq!(ChatFormat::parse(bad).unwrap_err().code, "E-MODEL-012");
        }
    }
}

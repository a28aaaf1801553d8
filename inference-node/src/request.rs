//! What a body asks for: OpenAI's `/v1/completions` and `/v1/chat/completions`, read into prompt,
//! decoding and stop strings. Pure; the node that answers and the verifier that replays read a body
//! by this same function, so that the same bytes always mean the same question.
//!
//! Fields that OpenAI's servers know and that would change the answer, but that this node does not
//! offer, are refused with a reason; fields nobody knows are ignored. `seed` is ignored: the seed
//! follows from the signed voucher (PROTOCOL S5).

mod format;

use std::sync::Arc;

use openledger_types::formats::Decoding;
use serde::Deserialize;
use serde_json::Value;

use crate::engine::{Json, Schema, MAX_STOPS, MAX_STOP_BYTES};
use crate::fault::{Class, Fault, Result};

/// Most bytes of a body.
pub const MAX_BODY: usize = 1 << 20;
/// Most messages of a chat.
pub const MAX_MESSAGES: usize = 256;
/// Tokens of an answer when `/v1/completions` names none, as OpenAI has it.
pub const COMPLETION_TOKENS: u32 = 16;
/// Tokens of an answer when `/v1/chat/completions` names none.
pub const CHAT_TOKENS: u32 = 256;
/// Where a chat's answer ends when neither the body names a stop string nor the model a chat format.
pub const CHAT_STOP: &str = "\nUser:";
pub use openledger_exact::sampler::{MAX_PENALTY, NO_PENALTY};

const ADVICE: &str = "Mend the request; nothing was charged.";

/// The two paths that questions come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// `/v1/completions`.
    Completions,
    /// `/v1/chat/completions`.
    Chat,
}

impl Endpoint {
    /// The path, as it stands in the answer bundle.
    pub fn path(self) -> &'static str {
        match self {
            Endpoint::Completions => "/v1/completions",
            Endpoint::Chat => "/v1/chat/completions",
        }
    }

    /// The endpoint of a path.
    ///
    /// # Errors
    /// `E-REQ-001` for any other path.
    pub fn of(path: &str) -> Result<Self> {
        [Endpoint::Completions, Endpoint::Chat].into_iter().find(|e| e.path() == path).ok_or_else(|| {
            Fault::invalid("E-REQ-001", format!("{path} is not an endpoint of answers"), ADVICE)
        })
    }
}

/// Which model a body names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelName {
    /// Model.
    pub model_id: u64,
    /// Version; the session's when absent.
    pub version: Option<u32>,
}

impl ModelName {
    /// Whether it names this version.
    pub fn names(&self, model_id: u64, version: u32) -> bool {
        self.model_id == model_id && self.version.is_none_or(|v| v == version)
    }
}

/// The name of a version in `model` fields: `<model>:<version>`.
pub fn model_name(model_id: u64, version: u32) -> String {
    format!("{model_id}:{version}")
}

/// Who speaks in a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    /// Sets the frame.
    System,
    /// Asks.
    User,
    /// Answers.
    Assistant,
}

/// A message of a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatMessage {
    /// Who speaks.
    pub speaker: Speaker,
    /// The text.
    pub content: String,
}

/// A chat as it was asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chat {
    /// The messages, at least one.
    pub messages: Vec<ChatMessage>,
    /// Whether the answer goes on within the last message, which is the assistant's.
    pub going_on: bool,
}

/// A question.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// Model.
    pub model: ModelName,
    /// The text to be continued; of a chat, its messages in the plain form of models without a chat format,
    /// by which attribution masks echoes whatever the model reads.
    pub prompt: String,
    /// The chat, when it is one.
    pub chat: Option<Chat>,
    /// Divides the logits above 0 of tokens that stand in prompt or answer already, and multiplies those
    /// below, in thousandths.
    pub repetition_milli: u32,
    /// What the answer is bound by: the schema of `response_format`, if it names one.
    pub schema: Option<Arc<Schema>>,
    /// Temperature in thousandths.
    pub temperature_milli: u32,
    /// See [`Decoding::top_k`].
    pub top_k: u32,
    /// See [`Decoding::top_p_milli`].
    pub top_p_milli: u32,
    /// Most tokens of the answer, when the body says so.
    pub max_tokens: Option<u32>,
    /// The answer ends before the first of these.
    pub stop: Vec<String>,
    /// Whether the answer is streamed.
    pub stream: bool,
    endpoint: Endpoint,
    usual_stop: bool,
}

impl Asked {
    /// How tokens are chosen for a prompt of `prompt_tokens` in a context of `context` tokens. A
    /// body that names no `max_tokens` gets the endpoint's usual number or what there is room for.
    ///
    /// # Errors
    /// `E-REQ-012` when prompt and answer do not fit.
    pub fn decoding(&self, context: usize, prompt_tokens: usize) -> Result<Decoding> {
        let room = u32::try_from(context.saturating_sub(prompt_tokens)).unwrap_or(u32::MAX);
        let usual = match self.endpoint {
            Endpoint::Completions => COMPLETION_TOKENS,
            Endpoint::Chat => CHAT_TOKENS,
        };
        let max_tokens = self.max_tokens.unwrap_or(usual.min(room));
        if max_tokens > room || max_tokens == 0 {
            return Err(Fault::invalid(
                "E-REQ-012",
                format!(
                    "a prompt of {prompt_tokens} tokens with an answer of {} exceeds the context of {context}",
                    self.max_tokens.unwrap_or(1)
                ),
                "Shorten the prompt or lower max_tokens.",
            ));
        }
        Ok(Decoding {
            temperature_milli: self.temperature_milli,
            top_k: self.top_k,
            top_p_milli: self.top_p_milli,
            max_tokens,
        })
    }

    /// Drops the stop string that a chat has where the model knows no chat format.
    pub fn without_usual_stop(&mut self) {
        if std::mem::take(&mut self.usual_stop) {
            self.stop.clear();
        }
    }

    /// The endpoint that it came by.
    pub fn endpoint(&self) -> Endpoint {
        self.endpoint
    }
}

#[derive(Deserialize)]
struct Body {
    model: Option<Value>,
    prompt: Option<Value>,
    messages: Option<Vec<Message>>,
    max_tokens: Option<Value>,
    max_completion_tokens: Option<Value>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    top_k: Option<i64>,
    stop: Option<Value>,
    stream: Option<bool>,
    n: Option<u64>,
    best_of: Option<u64>,
    echo: Option<bool>,
    suffix: Option<String>,
    logprobs: Option<Value>,
    top_logprobs: Option<u64>,
    logit_bias: Option<Value>,
    presence_penalty: Option<f64>,
    frequency_penalty: Option<f64>,
    tools: Option<Value>,
    functions: Option<Value>,
    response_format: Option<Json>,
    repetition_penalty: Option<f64>,
    continue_final_message: Option<bool>,
}

#[derive(Deserialize)]
struct Message {
    role: String,
    content: Option<Value>,
}

/// Reads a body.
///
/// # Errors
/// `E-REQ-002` to `-015`, each naming the field; `-003` has class 413.
pub fn parse(endpoint: Endpoint, body: &[u8]) -> Result<Asked> {
    if body.len() > MAX_BODY {
        return Err(Fault::new(
            Class::TooLarge,
            "E-REQ-003",
            format!("the body has {} bytes, allowed are {MAX_BODY}", body.len()),
            "Shorten the prompt.",
        ));
    }
    let body: Body = serde_json::from_slice(body).map_err(|e| {
        Fault::invalid("E-REQ-002", format!("the body is not the JSON of this endpoint: {e}"), ADVICE)
    })?;
    refuse_unsupported(&body)?;
    let chat = match endpoint {
        Endpoint::Completions => None,
        Endpoint::Chat => {
            Some(chat(body.messages.unwrap_or_default(), body.continue_final_message == Some(true))?)
        }
    };
    let prompt = match &chat {
        None => plain_prompt(body.prompt)?,
        Some(chat) => chat_prompt(chat),
    };
    let schema = format::schema(body.response_format.as_ref(), chat.as_ref())?;
    let mut stop = stops(body.stop)?;
    let usual_stop = stop.is_empty() && endpoint == Endpoint::Chat;
    if usual_stop {
        stop.push(CHAT_STOP.into());
    }
    let max_tokens = match (body.max_tokens, body.max_completion_tokens) {
        (None | Some(Value::Null), None | Some(Value::Null)) => None,
        (Some(value), None | Some(Value::Null)) | (None | Some(Value::Null), Some(value)) => {
            Some(token_count(&value)?)
        }
        (Some(a), Some(b)) if a == b => Some(token_count(&a)?),
        _ => return Err(field("E-REQ-006", "max_tokens and max_completion_tokens differ")),
    };
    Ok(Asked {
        model: model(body.model.as_ref())?,
        prompt,
        chat,
        schema,
        repetition_milli: match body.repetition_penalty {
            None => NO_PENALTY,
            Some(p) if (1.0..=f64::from(MAX_PENALTY) / 1_000.0).contains(&p) => (p * 1_000.0).round() as u32,
            Some(_) => return Err(field("E-REQ-014", "repetition_penalty must lie within 1 and 2")),
        },
        temperature_milli: thousandths("E-REQ-007", "temperature", body.temperature, 2.0)?,
        top_k: match body.top_k {
            None | Some(-1) => 0,
            Some(k) => {
                u32::try_from(k).map_err(|_| field("E-REQ-008", "top_k must lie within 0 and 4294967295"))?
            }
        },
        top_p_milli: match thousandths("E-REQ-009", "top_p", body.top_p, 1.0)? {
            0 => return Err(field("E-REQ-009", "top_p must be at least 0.001")),
            milli => milli,
        },
        max_tokens,
        stop,
        stream: body.stream.unwrap_or(false),
        endpoint,
        usual_stop,
    })
}

fn field(code: &'static str, what: impl Into<String>) -> Fault {
    Fault::invalid(code, what, ADVICE)
}

fn refuse_unsupported(body: &Body) -> Result<()> {
    let set = |value: &Option<Value>| {
        value.as_ref().is_some_and(|v| match v {
            Value::Null | Value::Bool(false) => false,
            Value::Number(n) => n.as_f64() != Some(0.0),
            Value::Array(items) => !items.is_empty(),
            Value::Object(items) => !items.is_empty(),
            _ => true,
        })
    };
    let refused = [
        ("n other than 1", body.n.is_some_and(|n| n != 1)),
        ("best_of other than 1", body.best_of.is_some_and(|n| n != 1)),
        ("echo", body.echo == Some(true)),
        ("suffix", body.suffix.as_ref().is_some_and(|s| !s.is_empty())),
        ("logprobs", set(&body.logprobs) || body.top_logprobs.is_some_and(|n| n != 0)),
        ("logit_bias", set(&body.logit_bias)),
        ("presence_penalty", body.presence_penalty.is_some_and(|p| p != 0.0)),
        ("frequency_penalty", body.frequency_penalty.is_some_and(|p| p != 0.0)),
        ("tools", set(&body.tools) || set(&body.functions)),
    ];
    match refused.iter().find(|(_, refused)| *refused) {
        Some((name, _)) => Err(field("E-REQ-013", format!("{name} is not offered by this node"))),
        None => Ok(()),
    }
}

fn model(value: Option<&Value>) -> Result<ModelName> {
    let refuse = || {
        field(
            "E-REQ-004",
            "model must be \"<model>\" or \"<model>:<version>\" in numbers, see GET /v1/models",
        )
    };
    let text = value.and_then(Value::as_str).ok_or_else(refuse)?;
    let (model_id, version) = match text.split_once(':') {
        Some((id, version)) => (id, Some(version.parse().map_err(|_| refuse())?)),
        None => (text, None),
    };
    Ok(ModelName { model_id: model_id.parse().map_err(|_| refuse())?, version })
}

fn plain_prompt(value: Option<Value>) -> Result<String> {
    match value {
        Some(Value::String(text)) => Ok(text),
        Some(Value::Array(mut items)) if items.len() == 1 => match items.pop() {
            Some(Value::String(text)) => Ok(text),
            _ => Err(field("E-REQ-005", "prompt must be a text")),
        },
        _ => Err(field("E-REQ-005", "prompt must be one text")),
    }
}

fn chat(messages: Vec<Message>, going_on: bool) -> Result<Chat> {
    if messages.is_empty() || messages.len() > MAX_MESSAGES {
        return Err(field("E-REQ-005", format!("messages must be 1 to {MAX_MESSAGES}")));
    }
    let messages: Vec<ChatMessage> = messages
        .into_iter()
        .map(|message| {
            let speaker = match message.role.as_str() {
                "system" | "developer" => Speaker::System,
                "user" => Speaker::User,
                "assistant" => Speaker::Assistant,
                other => {
                    let what = format!("role {other:?} is none of system, user, assistant");
                    return Err(field("E-REQ-005", what));
                }
            };
            Ok(ChatMessage { speaker, content: content(message.content)? })
        })
        .collect::<Result<_>>()?;
    if going_on && messages.last().is_none_or(|last| last.speaker != Speaker::Assistant) {
        return Err(field("E-REQ-005", "continue_final_message needs a last message of the assistant"));
    }
    Ok(Chat { messages, going_on })
}

/// The form of models that bring none: `System: …`, `User: …`, `Assistant: …`, each followed by an empty
/// line, then `Assistant:`. An answer that goes on follows its beginning as it was written.
fn chat_prompt(chat: &Chat) -> String {
    let mut prompt = String::new();
    let (going_on, whole) = match chat.messages.split_last() {
        Some((last, before)) if chat.going_on => (Some(last), before),
        _ => (None, chat.messages.as_slice()),
    };
    for message in whole {
        let name = match message.speaker {
            Speaker::System => "System",
            Speaker::User => "User",
            Speaker::Assistant => "Assistant",
        };
        prompt.push_str(name);
        prompt.push_str(": ");
        prompt.push_str(&message.content);
        prompt.push_str("\n\n");
    }
    prompt.push_str("Assistant:");
    prompt.push_str(going_on.map_or("", |last| last.content.as_str()));
    prompt
}

fn content(value: Option<Value>) -> Result<String> {
    let refuse = || field("E-REQ-005", "content must be a text or parts of type text");
    match value {
        Some(Value::String(text)) => Ok(text),
        Some(Value::Array(parts)) => {
            let mut text = String::new();
            for part in &parts {
                if part.get("type").and_then(Value::as_str) != Some("text") {
                    return Err(refuse());
                }
                text.push_str(part.get("text").and_then(Value::as_str).ok_or_else(refuse)?);
            }
            Ok(text)
        }
        _ => Err(refuse()),
    }
}

fn stops(value: Option<Value>) -> Result<Vec<String>> {
    let refuse = || {
        field("E-REQ-010", format!("stop must be at most {MAX_STOPS} texts of 1 to {MAX_STOP_BYTES} bytes"))
    };
    let stops = match value {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(items)) => items
            .into_iter()
            .map(|item| match item {
                Value::String(text) => Ok(text),
                _ => Err(refuse()),
            })
            .collect::<Result<_>>()?,
        Some(_) => return Err(refuse()),
    };
    if stops.len() > MAX_STOPS || stops.iter().any(|s| s.is_empty() || s.len() > MAX_STOP_BYTES) {
        return Err(refuse());
    }
    Ok(stops)
}

fn token_count(value: &Value) -> Result<u32> {
    value
        .as_u64()
        .and_then(|n| u32::try_from(n).ok())
        .filter(|n| *n > 0)
        .ok_or_else(|| field("E-REQ-006", "max_tokens must be a whole number of at least 1"))
}

/// A number within 0 and `most` in thousandths, rounded to the nearest; 1 when absent.
fn thousandths(code: &'static str, name: &str, value: Option<f64>, most: f64) -> Result<u32> {
    let value = value.unwrap_or(1.0);
    if !(0.0..=most).contains(&value) {
        return Err(field(code, format!("{name} must lie within 0 and {most}")));
    }
    Ok((value * 1_000.0).round() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn completions(json: &str) -> Result<Asked> {
        parse(Endpoint::Completions, json.as_bytes())
    }

    #[test]
    fn a_completion_has_the_usual_values_where_it_says_nothing() {
        let asked = completions(r#"{"model":"3:2","prompt":"fn main","user":"x","seed":7}"#).unwrap();
        assert_eq!(asked.model, ModelName { model_id: 3, version: Some(2) });
        assert!(asked.model.names(3, 2) && !asked.model.names(3, 1));
        let decoding = asked.decoding(256, 10).unwrap();
        assert_eq!(
            decoding,
            Decoding { temperature_milli: 1000, top_k: 0, top_p_milli: 1000, max_tokens: COMPLETION_TOKENS }
        );
        assert_eq!(asked.decoding(12, 10).unwrap().max_tokens, 2);
        assert_eq!(asked.decoding(10, 10).unwrap_err().code, "E-REQ-012");
        assert!(!asked.stream && asked.stop.is_empty());
    }

    #[test]
    fn a_chat_becomes_a_plain_text() {
        let body = r#"{"model":"1","messages":[{"role":"system","content":"Be short."},
            {"role":"user","content":[{"type":"text","text":"Hi"},{"type":"text","text":"!"}]}],
            "max_completion_tokens":5,"temperature":0.7,"top_p":0.95,"stop":null,"stream":true}"#;
        let asked = parse(Endpoint::Chat, body.as_bytes()).unwrap();
        assert_eq!(asked.prompt, "System: Be short.\n\nUser: Hi!\n\nAssistant:");
        assert_eq!(asked.stop, [CHAT_STOP]);
        assert_eq!((asked.temperature_milli, asked.top_p_milli, asked.max_tokens), (700, 950, Some(5)));
        assert!(asked.stream);
        assert_eq!(asked.decoding(8, 4).unwrap_err().code, "E-REQ-012");
    }

    #[test]
    fn an_answer_goes_on_within_the_assistants_last_message() {
        let body = r#"{"model":"1","continue_final_message":true,"messages":[
            {"role":"user","content":"Hi"},{"role":"assistant","content":" Hel"}]}"#;
        let asked = parse(Endpoint::Chat, body.as_bytes()).unwrap();
        assert_eq!(asked.prompt, "User: Hi\n\nAssistant: Hel");
        let body = body.replace("\"assistant\"", "\"user\"");
        assert_eq!(parse(Endpoint::Chat, body.as_bytes()).unwrap_err().code, "E-REQ-005");
    }

    #[test]
    fn what_is_not_offered_is_refused_by_name() {
        for (extra, code) in [
            (r#""n":2"#, "E-REQ-013"),
            (r#""echo":true"#, "E-REQ-013"),
            (r#""logprobs":3"#, "E-REQ-013"),
            (r#""tools":[{}]"#, "E-REQ-013"),
            (r#""presence_penalty":0.5"#, "E-REQ-013"),
            (r#""temperature":-0.1"#, "E-REQ-007"),
            (r#""temperature":2.1"#, "E-REQ-007"),
            (r#""top_p":0"#, "E-REQ-009"),
            (r#""top_k":-5"#, "E-REQ-008"),
            (r#""max_tokens":0"#, "E-REQ-006"),
            (r#""max_tokens":1.5"#, "E-REQ-006"),
            (r#""max_tokens":-1"#, "E-REQ-006"),
            (r#""stop":["a","b","c","d","e"]"#, "E-REQ-010"),
            (r#""stop":"""#, "E-REQ-010"),
            (r#""stop":5"#, "E-REQ-010"),
        ] {
            let body = format!(r#"{{"model":"1:1","prompt":"a",{extra}}}"#);
            assert_eq!(completions(&body).unwrap_err().code, code, "{extra}");
        }
        for (body, code) in [
            ("", "E-REQ-002"),
            ("[]", "E-REQ-002"),
            (r#"{"prompt":"a"}"#, "E-REQ-004"),
            (r#"{"model":"gpt","prompt":"a"}"#, "E-REQ-004"),
            (r#"{"model":"1:x","prompt":"a"}"#, "E-REQ-004"),
            (r#"{"model":"1:1"}"#, "E-REQ-005"),
            (r#"{"model":"1:1","prompt":["a","b"]}"#, "E-REQ-005"),
            (r#"{"model":"1:1","prompt":"a","prompt":"b"}"#, "E-REQ-002"),
        ] {
            assert_eq!(completions(body).unwrap_err().code, code, "{body}");
        }
        for ok in [r#""n":1"#, r#""logprobs":null"#, r#""tools":[]"#, r#""response_format":{"type":"text"}"#]
        {
            assert!(completions(&format!(r#"{{"model":"1:1","prompt":"a",{ok}}}"#)).is_ok(), "{ok}");
        }
        let large = vec![b' '; MAX_BODY + 1];
        assert_eq!(parse(Endpoint::Chat, &large).unwrap_err().class, Class::TooLarge);
        assert_eq!(Endpoint::of("/v1/embeddings").unwrap_err().code, "E-REQ-001");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = parse(Endpoint::Completions, &bytes);
            let _ = parse(Endpoint::Chat, &bytes);
        }

        #[test]
        fn any_prompt_is_carried_unchanged(prompt in ".{0,200}") {
            let body = serde_json::json!({"model": "1:1", "prompt": prompt}).to_string();
            prop_assert_eq!(completions(&body).unwrap().prompt, prompt);
        }
    }
}

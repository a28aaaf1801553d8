//! Bodies of questions: what a payer sets in them, and how another node goes on with an answer. Pure.

use std::ops::{Deref, DerefMut};

use openledger_node::request::{Endpoint, CHAT_TOKENS, COMPLETION_TOKENS};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{json, Map, Value};

use crate::session::Left;

/// Name of the member that is kept as it was written.
const FORMAT: &str = "response_format";

/// A question's body, an object. What `response_format` says is kept to the byte: the members of a bound answer
/// come in the order in which its schema lists them.
#[derive(Debug, Clone, Default)]
pub struct Body {
    fields: Map<String, Value>,
    format: Option<Box<RawValue>>,
}

impl Body {
    /// An empty one.
    pub fn new() -> Self {
        Body::default()
    }

    /// Reads a body.
    ///
    /// # Errors
    /// When it is no JSON object.
    pub fn parse(bytes: &[u8]) -> serde_json::Result<Self> {
        #[derive(Deserialize)]
        struct Format {
            response_format: Option<Box<RawValue>>,
        }
        let mut fields: Map<String, Value> = serde_json::from_slice(bytes)?;
        let format = match fields.remove(FORMAT) {
            Some(_) => serde_json::from_slice::<Format>(bytes)?.response_format,
            None => None,
        };
        Ok(Body { fields, format })
    }
}

impl Deref for Body {
    type Target = Map<String, Value>;

    fn deref(&self) -> &Self::Target {
        &self.fields
    }
}

impl DerefMut for Body {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.fields
    }
}

impl PartialEq for Body {
    fn eq(&self, other: &Self) -> bool {
        let format = |body: &Self| body.format.as_ref().map(|format| format.get().to_string());
        self.fields == other.fields && format(self) == format(other)
    }
}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in &self.fields {
            map.serialize_entry(name, value)?;
        }
        if let Some(format) = &self.format {
            map.serialize_entry(FORMAT, format)?;
        }
        map.end()
    }
}

/// The member of a question that says how many tokens its answer may have, and how many they are where it does not.
fn most_tokens(endpoint: Endpoint, body: &Body) -> (&'static str, u32) {
    match endpoint {
        Endpoint::Completions => ("max_tokens", COMPLETION_TOKENS),
        Endpoint::Chat if body.get("max_tokens").is_some_and(|v| !v.is_null()) => ("max_tokens", CHAT_TOKENS),
        Endpoint::Chat => ("max_completion_tokens", CHAT_TOKENS),
    }
}

/// How many tokens an answer may have.
pub fn wanted(endpoint: Endpoint, body: &Body) -> u64 {
    let (name, usual) = most_tokens(endpoint, body);
    body.get(name).and_then(Value::as_u64).unwrap_or(usual.into())
}

/// The question whose answer goes on where `left` ends: the same question with what was received behind it,
/// for as many tokens as are still wanted. None when all of them were received.
pub fn go_on(endpoint: Endpoint, body: &Body, left: &Left) -> Option<Body> {
    let mut body = body.clone();
    // What was not answered yet is asked as it is; whether its figures make sense is the node's to say.
    if *left == Left::default() {
        return Some(body);
    }
    let still = wanted(endpoint, &body).checked_sub(left.tokens.into()).filter(|still| *still > 0)?;
    let (name, _) = most_tokens(endpoint, &body);
    body.insert(name.into(), still.into());
    if left.text.is_empty() {
        return Some(body);
    }
    match endpoint {
        Endpoint::Completions => {
            let prompt = body.get_mut("prompt")?;
            let text = match prompt {
                Value::String(text) => text,
                Value::Array(items) => match items.first_mut() {
                    Some(Value::String(text)) => text,
                    _ => return None,
                },
                _ => return None,
            };
            text.push_str(&left.text);
        }
        Endpoint::Chat => {
            let going_on = body.get("continue_final_message") == Some(&Value::Bool(true));
            let messages = body.get_mut("messages")?.as_array_mut()?;
            match messages.last_mut().filter(|_| going_on).and_then(|m| m.get_mut("content")) {
                Some(Value::String(text)) => text.push_str(&left.text),
                _ => messages.push(json!({"role": "assistant", "content": left.text})),
            }
            body.insert("continue_final_message".into(), true.into());
        }
    }
    Some(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(value: Value) -> Body {
        Body::parse(value.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn what_binds_an_answer_goes_on_as_it_was_written() {
        let text = r#"{"messages":[],"response_format":{"z": 1, "a":2.50}}"#;
        let read = Body::parse(text.as_bytes()).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
        let more = go_on(Endpoint::Chat, &read, &left("x", 1)).unwrap();
        assert!(serde_json::to_string(&more).unwrap().ends_with(r#""response_format":{"z": 1, "a":2.50}}"#));
        assert!(Body::parse(b"[]").is_err());
    }

    fn left(text: &str, tokens: u32) -> Left {
        Left { text: text.into(), tokens }
    }

    #[test]
    fn another_node_gets_what_was_received_and_the_rest_of_the_tokens() {
        let asked = body(json!({"prompt": "once", "max_tokens": 10, "temperature": 0}));
        let more = go_on(Endpoint::Completions, &asked, &left(" upon a", 3)).unwrap();
        assert_eq!(more, body(json!({"prompt": "once upon a", "max_tokens": 7, "temperature": 0})));
        // A second loss counts from the first question.
        let more = go_on(Endpoint::Completions, &asked, &left(" upon a time", 9)).unwrap();
        assert_eq!((&more["prompt"], &more["max_tokens"]), (&json!("once upon a time"), &json!(1)));
        assert_eq!(go_on(Endpoint::Completions, &asked, &left("x", 10)), None);
        let usual = go_on(Endpoint::Completions, &body(json!({"prompt": ["a"]})), &left("b", 1)).unwrap();
        assert_eq!((&usual["prompt"], &usual["max_tokens"]), (&json!(["ab"]), &json!(15)));
    }

    #[test]
    fn a_chat_goes_on_within_its_last_message() {
        let asked = body(json!({"messages": [{"role": "user", "content": "hi"}]}));
        let more = go_on(Endpoint::Chat, &asked, &left(" Hello", 2)).unwrap();
        assert_eq!(more["messages"][1], json!({"role": "assistant", "content": " Hello"}));
        assert_eq!(more["continue_final_message"], json!(true));
        assert_eq!(more["max_completion_tokens"], json!(254));
        assert_eq!(go_on(Endpoint::Chat, &asked, &left("", 0)).unwrap(), asked);
        let going = body(json!({"continue_final_message": true, "max_tokens": 5,
            "messages": [{"role": "assistant", "content": "We"}]}));
        let more = go_on(Endpoint::Chat, &going, &left(" go", 1)).unwrap();
        assert_eq!(more["messages"], json!([{"role": "assistant", "content": "We go"}]));
        assert_eq!(more["max_tokens"], json!(4));
    }
}

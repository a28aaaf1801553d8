//! Bodies in OpenAI's form: what a caller sends, what it gets. Pure.

use openledger_node::request::Endpoint;
use openledger_types::formats::Outcome;
use serde_json::{json, Map, Value};

use crate::payer::{Answer, Body, Failure};

/// A caller's question.
#[derive(Debug)]
pub struct Question {
    /// The body, as it goes on to the node.
    pub body: Body,
    /// Whether the caller wants a stream.
    pub stream: bool,
    /// Whether the stream ends with a chunk of its own for the usage.
    pub include_usage: bool,
}

impl Question {
    /// Reads a body.
    ///
    /// # Errors
    /// In words, when it is no object or names another model than `model`.
    pub fn parse(bytes: &[u8], model: &str) -> Result<Self, Refusal> {
        let body = Body::parse(bytes).map_err(|e| {
            Refusal::new(
                400,
                "invalid_request_error",
                "E-REQ-002",
                format!("the body is no JSON object: {e}"),
            )
        })?;
        let named = body.get("model").and_then(Value::as_str).unwrap_or_default();
        let short = model.split(':').next().unwrap_or(model);
        if named != model && named != short {
            let what = format!("this gateway pays for model {model:?} only, not {named:?}. Name that model, or start a gateway for the other one.");
            return Err(Refusal::new(404, "not_found_error", "model_not_found", what));
        }
        let stream = body.get("stream") == Some(&Value::Bool(true));
        let include_usage = body
            .get("stream_options")
            .and_then(|options| options.get("include_usage"))
            .is_some_and(|value| value == &Value::Bool(true));
        Ok(Question { body, stream, include_usage })
    }
}

/// A refusal with its HTTP status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    kind: String,
    code: String,
    message: String,
    /// Whether the same request may succeed later.
    pub retryable: bool,
}

impl Refusal {
    /// A refusal that a retry does not help.
    pub fn new(status: u16, kind: &str, code: &str, message: impl Into<String>) -> Self {
        Refusal { status, kind: kind.into(), code: code.into(), message: message.into(), retryable: false }
    }

    /// The same, where a retry may help.
    pub fn retry(mut self) -> Self {
        self.retryable = true;
        self
    }

    /// The body, in OpenAI's form.
    pub fn body(&self) -> Value {
        json!({"error": {
            "message": self.message, "type": self.kind, "param": null, "code": self.code,
            "retryable": self.retryable,
        }})
    }
}

impl From<Failure> for Refusal {
    /// What the node said is passed on with its status; what this machine found gets one that OpenAI's
    /// clients understand. A spent limit is 402, which they do not retry.
    fn from(failure: Failure) -> Self {
        let error = failure.error;
        if let Some((status, said)) = failure.node {
            let refusal = Refusal::new(status, &said.r#type, &said.code, said.message);
            return Refusal { retryable: said.retryable, ..refusal };
        }
        let (status, kind) = match error.code {
            "E-CLI-042" | "E-CLI-078" => (402, "insufficient_quota"),
            "E-CLI-020" => (400, "invalid_request_error"),
            "E-CLI-063" => (502, "verification_error"),
            _ if error.retryable => (503, "service_unavailable"),
            _ => (502, "server_error"),
        };
        let message = format!("{}. What to do: {}.", error.message, error.advice);
        Refusal { retryable: error.retryable, ..Refusal::new(status, kind, error.code, message) }
    }
}

/// What stays the same in every part of an answer.
#[derive(Clone, Debug)]
pub struct Naming {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// Id of the answer.
    pub id: String,
    /// Model.
    pub model: String,
    /// Seconds since 1970.
    pub created: u64,
}

impl Naming {
    fn head(&self, object: &str) -> Map<String, Value> {
        let mut head = Map::new();
        head.insert("id".into(), self.id.clone().into());
        head.insert("object".into(), object.into());
        head.insert("created".into(), self.created.into());
        head.insert("model".into(), self.model.clone().into());
        head
    }

    /// A part of a stream; the first of a chat names the role.
    pub fn chunk(&self, text: &str, first: bool, finish: Option<&str>) -> Map<String, Value> {
        let (object, choice) = match self.endpoint {
            Endpoint::Completions => (
                "text_completion",
                json!({"index": 0, "text": text, "logprobs": null, "finish_reason": finish}),
            ),
            Endpoint::Chat => {
                let mut delta = Map::new();
                if first {
                    delta.insert("role".into(), "assistant".into());
                }
                if !text.is_empty() || first {
                    delta.insert("content".into(), text.into());
                }
                let choice = json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish});
                ("chat.completion.chunk", choice)
            }
        };
        let mut chunk = self.head(object);
        chunk.insert("choices".into(), json!([choice]));
        chunk
    }

    /// The last parts of a stream.
    pub fn last(&self, answer: &Answer, include_usage: bool) -> Vec<Map<String, Value>> {
        let mut chunk = self.chunk("", false, Some(finish_reason(answer)));
        chunk.insert("openledger".into(), paid(answer));
        let mut chunks = vec![chunk];
        if include_usage {
            let mut usage_chunk = self.chunk("", false, None);
            usage_chunk.insert("choices".into(), json!([]));
            usage_chunk.insert("usage".into(), usage(answer));
            chunks.push(usage_chunk);
        }
        chunks
    }

    /// A whole answer.
    pub fn whole(&self, answer: &Answer) -> Map<String, Value> {
        let (object, choice) = match self.endpoint {
            Endpoint::Completions => (
                "text_completion",
                json!({
                    "index": 0, "text": answer.text(), "logprobs": null, "finish_reason": finish_reason(answer),
                }),
            ),
            Endpoint::Chat => (
                "chat.completion",
                json!({
                    "index": 0, "message": {"role": "assistant", "content": answer.text(), "refusal": null},
                    "logprobs": null, "finish_reason": finish_reason(answer),
                }),
            ),
        };
        let mut whole = self.head(object);
        whole.insert("choices".into(), json!([choice]));
        whole.insert("usage".into(), usage(answer));
        whole.insert("openledger".into(), paid(answer));
        whole
    }
}

/// OpenAI's word for how an answer ended; an answer that was cut is one that ran out of length.
fn finish_reason(answer: &Answer) -> &'static str {
    match answer.bundle.receipt.receipt.outcome {
        Outcome::Stop => "stop",
        Outcome::Length | Outcome::Cancelled => "length",
    }
}

/// Tokens of the question as it was asked and of the whole answer, whichever nodes wrote it.
fn usage(answer: &Answer) -> Value {
    let receipt = &answer.bundle.receipt.receipt;
    let before: u32 = answer.before.iter().map(|part| part.tokens).sum();
    let prompt = u64::from(receipt.tokens_in.saturating_sub(before));
    let completion = u64::from(receipt.tokens_out) + u64::from(before);
    json!({
        "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion,
    })
}

/// Who was paid.
fn paid(answer: &Answer) -> Value {
    let receipt = &answer.bundle.receipt.receipt;
    let before: Vec<Value> = answer
        .before
        .iter()
        .map(|part| json!({"node_id": part.node_id, "tokens": part.tokens, "gap_ms": part.gap_ms}))
        .collect();
    json!({
        "receipt": answer.receipt_id, "node_id": receipt.node_id, "fee": receipt.fee,
        "denom": answer.bundle.voucher.voucher.denom, "shares": receipt.shares,
        "no_evidence": receipt.no_evidence, "checks": answer.checks.len(), "before": before,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_names_the_sessions_model_and_says_how_it_wants_the_answer() {
        let body = br#"{"model":"3:2","stream":true,"stream_options":{"include_usage":true},"messages":[]}"#;
        let question = Question::parse(body, "3:2").unwrap();
        assert!(question.stream && question.include_usage);
        assert!(!Question::parse(br#"{"model":"3"}"#, "3:2").unwrap().stream);
        for (body, status) in [
            (&b"[]"[..], 400),
            (b"{", 400),
            (b"{}", 404),
            (br#"{"model":"4:2"}"#, 404),
            (br#"{"model":3}"#, 404),
        ] {
            assert_eq!(Question::parse(body, "3:2").unwrap_err().status, status);
        }
    }
}

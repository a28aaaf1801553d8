//! A node's stream of server-sent events, event by event.

use std::time::Duration;

use futures::stream::{BoxStream, StreamExt};
use openledger_types::api::AnswerBundle;

/// Longest line of a stream, in bytes: a bundle with its trace.
const MAX_LINE: usize = 64 << 20;
/// A node that says nothing for this long is gone: it sends a sign of life every second.
pub const SILENCE: Duration = Duration::from_secs(5);

/// One event.
#[derive(Debug)]
pub enum Event {
    /// Text, and the tokens of the answer so far when the node says so.
    Text(String, Option<u32>),
    /// The answer is whole: everything that proves it.
    Bundle(Box<AnswerBundle>),
    /// The node gave up, in its words; with its code.
    Failed(String, String),
    /// Nothing comes any more.
    Done,
}

/// Reads one stream.
pub struct Events {
    body: BoxStream<'static, reqwest::Result<bytes::Bytes>>,
    pending: Vec<u8>,
}

impl Events {
    /// The events of a response.
    pub fn new(response: reqwest::Response) -> Self {
        Events { body: response.bytes_stream().boxed(), pending: Vec::new() }
    }

    /// The next event.
    ///
    /// # Errors
    /// In words, when the connection breaks, falls silent, ends early or carries something else.
    pub async fn next(&mut self) -> Result<Event, String> {
        loop {
            while let Some(end) = self.pending.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = self.pending.drain(..=end).collect();
                if let Some(event) = line.strip_prefix(b"data:").map(parse) {
                    match event? {
                        Some(event) => return Ok(event),
                        None => continue,
                    }
                }
            }
            if self.pending.len() > MAX_LINE {
                return Err(format!("a line of more than {MAX_LINE} bytes"));
            }
            let part = tokio::time::timeout(SILENCE, self.body.next()).await;
            match part.map_err(|_| format!("no sign of life for {} s", SILENCE.as_secs()))? {
                Some(Ok(part)) => self.pending.extend_from_slice(&part),
                Some(Err(error)) => return Err(format!("the connection broke: {error}")),
                None => return Err("the connection ended before the receipt".into()),
            }
        }
    }
}

fn parse(data: &[u8]) -> Result<Option<Event>, String> {
    let data = data.trim_ascii();
    if data == b"[DONE]" {
        return Ok(Some(Event::Done));
    }
    let mut event: serde_json::Value =
        serde_json::from_slice(data).map_err(|e| format!("unreadable event: {e}"))?;
    if event["object"] == "openledger.receipt" {
        let bundle = serde_json::from_value(event["bundle"].take());
        return bundle
            .map(|b| Some(Event::Bundle(Box::new(b))))
            .map_err(|e| format!("unreadable receipt: {e}"));
    }
    if let Some(message) = event["error"]["message"].as_str() {
        let code = event["error"]["code"].as_str().unwrap_or_default();
        return Ok(Some(Event::Failed(message.into(), code.into())));
    }
    let choice = &event["choices"][0];
    let piece = choice["text"].as_str().or_else(|| choice["delta"]["content"].as_str());
    let tokens = event["completion_tokens"].as_u64().and_then(|n| u32::try_from(n).ok());
    Ok(piece.filter(|piece| !piece.is_empty()).map(|piece| Event::Text(piece.into(), tokens)))
}

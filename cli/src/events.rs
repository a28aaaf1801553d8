//! A node's stream of server-sent events, event by event.

use std::time::Duration;

use futures::stream::{BoxStream, StreamExt};
use openledger_types::api::{AnswerBundle, HEADER_ALIVE};

/// Longest line of a stream, in bytes: a bundle with its trace.
const MAX_LINE: usize = 64 << 20;
/// A node that says nothing for this long is gone, whatever it announced.
pub const SILENCE: Duration = Duration::from_secs(5);
/// Signs of life in a row that have to be missing before a node is suspected.
const MISSED: u32 = 4;
/// Bounds of what is believed of a node's announcement: a stream cannot make its reader busy, or patient.
const BEATS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(1_250));

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
    /// Pause between two signs of life, as the node announces it.
    announced: Option<Duration>,
    /// Pauses that passed here since the last byte. A reader that was itself stopped for a while has missed one.
    missed: u32,
}

impl Events {
    /// The events of a response.
    pub fn new(response: reqwest::Response) -> Self {
        let announced =
            response.headers().get(HEADER_ALIVE).and_then(|value| value.to_str().ok()?.parse().ok());
        let announced = announced.map(|ms| Duration::from_millis(ms).clamp(BEATS.0, BEATS.1));
        Events { body: response.bytes_stream().boxed(), pending: Vec::new(), announced, missed: 0 }
    }

    /// The next event.
    ///
    /// # Errors
    /// In words, when the connection breaks, falls silent, ends early or carries something else.
    pub async fn next(&mut self) -> Result<Event, String> {
        let silence = || format!("no sign of life for {} s", SILENCE.as_secs());
        self.within(SILENCE).await?.ok_or_else(silence)
    }

    /// The same; none as soon as the node has missed signs of life that it had announced. A node of an older release
    /// announces none and is waited for as by [`Events::next`], which may be called afterwards.
    ///
    /// # Errors
    /// Those of [`Events::next`].
    pub async fn next_in_time(&mut self) -> Result<Option<Event>, String> {
        match self.announced {
            Some(beat) => self.within(beat * MISSED).await,
            None => self.next().await.map(Some),
        }
    }

    /// Whether signs of life are missing now.
    pub fn is_silent(&self) -> bool {
        self.missed >= MISSED
    }

    /// The next event; none when there was no byte for so long.
    async fn within(&mut self, patience: Duration) -> Result<Option<Event>, String> {
        let beat = self.announced.unwrap_or(BEATS.1);
        loop {
            while let Some(end) = self.pending.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = self.pending.drain(..=end).collect();
                if let Some(event) = line.strip_prefix(b"data:").map(parse) {
                    match event? {
                        Some(event) => return Ok(Some(event)),
                        None => continue,
                    }
                }
            }
            if self.pending.len() > MAX_LINE {
                return Err(format!("a line of more than {MAX_LINE} bytes"));
            }
            if beat * self.missed >= patience {
                return Ok(None);
            }
            match tokio::time::timeout(beat, self.body.next()).await {
                Ok(Some(Ok(part))) => {
                    self.pending.extend_from_slice(&part);
                    self.missed = 0;
                }
                Ok(Some(Err(error))) => return Err(format!("the connection broke: {error}")),
                Ok(None) => return Err("the connection ended before the receipt".into()),
                Err(_) => self.missed = self.missed.saturating_add(1),
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

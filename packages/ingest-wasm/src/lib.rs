//! `openledger-ingest` for web pages (`web/app/src/lib/ingest.ts`): what runs on a contributor's machine
//! in the page is the code that runs in the command line.
//!
//! Three C functions carry one JSON document in and one out, so that no binding generator is needed:
//! [`ol_alloc`] gives the page memory to write a [`Call`] into, [`ol_call`] answers with where the
//! [`Answer`] lies, [`ol_free`] takes memory back.

mod abi;

pub use abi::{ol_alloc, ol_call, ol_free};

use base64::prelude::{Engine, BASE64_STANDARD};
use openledger_ingest::{align, match_text, Cleaned, Deduplicator, Options, Report, Run};
use serde::{Deserialize, Serialize};

/// What a page asks.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Call {
    /// The match text of a text, and the ranges of the text behind ranges of its match text.
    Match {
        /// The text.
        text: String,
        /// (start, end) in bytes of the match text.
        ranges: Vec<(usize, usize)>,
    },
    /// Cleans the documents of one run, in order.
    Clean {
        /// Documents.
        documents: Vec<Document>,
    },
}

/// A document as the contributor dropped it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// Name; its extension may decide how it is cleaned.
    pub name: String,
    /// Raw bytes (base64).
    pub raw: String,
}

/// What a page is told.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Of [`Call::Match`].
    Match {
        /// Match text.
        text: String,
        /// For each range asked for, (start, end) in bytes of the text given.
        ranges: Vec<(usize, usize)>,
    },
    /// Of [`Call::Clean`].
    Clean {
        /// What the contributor reads before signing.
        report: Report,
        /// Documents that may be contributed, in order.
        ready: Vec<Ready>,
    },
    /// The call could not be read.
    Error(String),
}

/// A cleaned document; hashes in hexadecimal.
#[derive(Debug, Serialize)]
pub struct Ready {
    name: String,
    content: String,
    content_root: String,
    content_len: u64,
    match_root: String,
    match_len: u64,
    match_hash: String,
    raw_hash: String,
    media: &'static str,
}

impl Ready {
    fn new(name: &str, cleaned: Cleaned) -> Self {
        Ready {
            name: name.to_owned(),
            content_root: hex::encode(cleaned.content_root),
            content_len: cleaned.content.len() as u64,
            match_root: hex::encode(cleaned.match_root),
            match_len: cleaned.match_text.len() as u64,
            match_hash: hex::encode(cleaned.match_hash),
            raw_hash: hex::encode(cleaned.raw_hash),
            media: cleaned.media.content_type(),
            content: cleaned.content,
        }
    }
}

/// Answers one call.
pub fn answer(call: &[u8]) -> Answer {
    match serde_json::from_slice(call) {
        Ok(Call::Match { text, ranges }) => matched(&text, &ranges),
        Ok(Call::Clean { documents }) => cleaned(&documents),
        Err(error) => Answer::Error(format!("the call cannot be read: {error}")),
    }
}

fn matched(original: &str, ranges: &[(usize, usize)]) -> Answer {
    let text = match_text(original);
    let alignment = align(original, &text);
    let ranges = ranges.iter().map(|(start, end)| {
        let range = alignment.original(*start..*end);
        (range.start, range.end)
    });
    Answer::Match { ranges: ranges.collect(), text }
}

fn cleaned(documents: &[Document]) -> Answer {
    let mut run = Run::new(Options::default(), Deduplicator::new(Vec::new()));
    let mut ready = Vec::new();
    for document in documents {
        let Ok(raw) = BASE64_STANDARD.decode(&document.raw) else {
            return Answer::Error(format!("{} is not base64", document.name));
        };
        if let Some(cleaned) = run.document(&document.name, &raw) {
            ready.push(Ready::new(&document.name, cleaned));
        }
    }
    Answer::Clean { report: run.finish(), ready }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(call: &str) -> serde_json::Value {
        serde_json::to_value(answer(call.as_bytes())).unwrap()
    }

    #[test]
    fn ranges_of_match_text_lead_back_to_the_text() {
        let got = json(r#"{"match":{"text":"Let  X = Ärger;","ranges":[[4,5],[8,14]]}}"#);
        let text = got["match"]["text"].as_str().unwrap();
        assert!(text.starts_with("let x = "), "{text}");
        assert_eq!(got["match"]["ranges"][0], serde_json::json!([5, 6]));
        assert_eq!(got["match"]["ranges"][1][0], 9);
    }

    #[test]
    fn a_run_reports_and_hands_out_what_may_be_contributed() {
        let raw = BASE64_STANDARD.encode("fn main() { println!(\"hello, wide world\"); }\n");
        let got = json(&format!(
            r#"{{"clean":{{"documents":[{{"name":"a.rs","raw":"{raw}"}},{{"name":"b.rs","raw":"{raw}"}},{{"name":"c","raw":""}}]}}}}"#
        ));
        let clean = &got["clean"];
        assert_eq!(clean["report"]["totals"]["accepted"], 1);
        assert_eq!(clean["report"]["totals"]["duplicates"], 1);
        assert_eq!(clean["report"]["totals"]["refused"], 1);
        assert_eq!(clean["ready"][0]["name"], "a.rs");
        assert_eq!(clean["ready"][0]["match_hash"].as_str().unwrap().len(), 64);
    }

    #[test]
    fn what_cannot_be_read_is_an_error_not_a_panic() {
        assert!(json("{").get("error").is_some());
        assert!(json(r#"{"clean":{"documents":[{"name":"a","raw":"%"}]}}"#).get("error").is_some());
        assert_eq!(
            json(r#"{"match":{"text":"","ranges":[[3,9]]}}"#)["match"]["ranges"][0],
            serde_json::json!([0, 0])
        );
    }
}

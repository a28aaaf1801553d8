//! What the contributor sees before signing: one entry a document, and totals.

use serde::{Deserialize, Serialize};

use crate::clean::{clean, Cleaned, Options};
use crate::dedup::{Deduplicator, Seen};
use crate::media::Media;
use crate::personal::PersonalData;
use crate::quality::Quality;
use crate::refusal::Refusal;

/// A refusal as the report shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedReport {
    /// Stable code, `E-INGEST-…`.
    pub code: String,
    /// What is wrong.
    pub reason: String,
    /// What to do.
    pub advice: String,
    /// Line in question, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}

impl From<&Refusal> for RefusedReport {
    fn from(refusal: &Refusal) -> Self {
        RefusedReport {
            code: refusal.code().to_owned(),
            reason: refusal.to_string(),
            advice: refusal.advice().to_owned(),
            line: refusal.line(),
        }
    }
}

/// What a duplicate repeats.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DuplicateOf {
    /// A document earlier in this run, by name.
    Document(String),
    /// A contribution that the chain holds already.
    Chain,
}

/// One document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentReport {
    /// Name given by the caller.
    pub name: String,
    /// Raw bytes.
    pub bytes_in: u64,
    /// Bytes of content text; 0 when refused.
    pub bytes_out: u64,
    /// ISO 639-3 code, `code` or `und`; empty when refused.
    pub language: String,
    /// Set when the document was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<RefusedReport>,
    /// Set when it repeats another; it is then not contributed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duplicate_of: Option<DuplicateOf>,
    /// Personal data that was masked in the content text.
    pub personal: PersonalData,
    /// Score and reasons; absent when refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<Quality>,
}

/// Sums over all documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Documents seen.
    pub documents: u64,
    /// Of them, ready to contribute.
    pub accepted: u64,
    /// Refused.
    pub refused: u64,
    /// Duplicates.
    pub duplicates: u64,
    /// Raw bytes of all documents.
    pub bytes_in: u64,
    /// Bytes of content text of the accepted ones.
    pub bytes_out: u64,
    /// Personal data in the accepted ones.
    pub personal: PersonalData,
}

/// The report of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Report {
    /// In the order of the run.
    pub documents: Vec<DocumentReport>,
    /// Sums.
    pub totals: Totals,
}

/// Cleans documents one after the other, drops exact duplicates and writes the report.
#[derive(Debug)]
pub struct Run {
    options: Options,
    dedup: Deduplicator,
    report: Report,
    /// Index in the report of each new document, by its number in the deduplicator.
    accepted: Vec<u32>,
}

impl Run {
    /// A run with the rules of a datanet and the match hashes that the chain holds.
    pub fn new(options: Options, dedup: Deduplicator) -> Self {
        Run { options, dedup, report: Report::default(), accepted: Vec::new() }
    }

    /// Cleans one document; `Some` when it may be contributed. With [`Media::Auto`] the name's
    /// extension decides the kind of text first, then the contents.
    pub fn document(&mut self, name: &str, raw: &[u8]) -> Option<Cleaned> {
        let result = if self.options.media == Media::Auto {
            clean(raw, &Options { media: Media::from_name(name), ..self.options.clone() })
        } else {
            clean(raw, &self.options)
        };
        let mut entry = DocumentReport {
            name: name.to_owned(),
            bytes_in: raw.len() as u64,
            bytes_out: 0,
            language: String::new(),
            refused: None,
            duplicate_of: None,
            personal: PersonalData::default(),
            quality: None,
        };
        let taken = match result {
            Ok(cleaned) => {
                entry.bytes_out = cleaned.content.len() as u64;
                entry.language.clone_from(&cleaned.language);
                entry.personal = cleaned.personal;
                entry.quality = Some(cleaned.quality.clone());
                entry.duplicate_of = self.duplicate_of(&cleaned);
                entry.duplicate_of.is_none().then_some(cleaned)
            }
            Err(refusal) => {
                entry.refused = Some(RefusedReport::from(&refusal));
                None
            }
        };
        self.report.push(entry);
        taken
    }

    /// The report so far.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Ends the run.
    pub fn finish(self) -> Report {
        self.report
    }

    fn duplicate_of(&mut self, cleaned: &Cleaned) -> Option<DuplicateOf> {
        match self.dedup.observe(&cleaned.match_hash) {
            Seen::New => {
                self.accepted.push(u32::try_from(self.report.documents.len()).unwrap_or(u32::MAX));
                None
            }
            Seen::OnChain => Some(DuplicateOf::Chain),
            Seen::InRun(number) => {
                let earlier =
                    self.accepted.get(number as usize).and_then(|at| self.report.documents.get(*at as usize));
                Some(DuplicateOf::Document(earlier.map(|entry| entry.name.clone()).unwrap_or_default()))
            }
        }
    }
}

impl Report {
    /// Adds an entry and its figures.
    pub fn push(&mut self, entry: DocumentReport) {
        let totals = &mut self.totals;
        totals.documents += 1;
        totals.bytes_in = totals.bytes_in.saturating_add(entry.bytes_in);
        if entry.refused.is_some() {
            totals.refused += 1;
        } else if entry.duplicate_of.is_some() {
            totals.duplicates += 1;
        } else {
            totals.accepted += 1;
            totals.bytes_out = totals.bytes_out.saturating_add(entry.bytes_out);
            totals.personal.add(&entry.personal);
        }
        self.documents.push(entry);
    }
}

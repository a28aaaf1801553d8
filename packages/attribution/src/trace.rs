//! Tracing an answer: who is credited for each of its words.

use std::collections::{BTreeMap, BTreeSet};

use openledger_types::formats::{Piece, Share, BPS};
use openledger_types::merkle::Hash;
use serde::{Deserialize, Serialize};

use crate::evidence::pieces;
use crate::influence::Signature;
use crate::layers::{Answer, Credits, Method};
use crate::spans::{copied, cover, echoed, maximal_spans};
use crate::suffix::NO_WORD;
use crate::Index;
use openledger_ingest::{match_text, match_words};

/// Fractional bits of a credit: one sixteenth of a bit of surprisal is `1 << 32`.
pub const CREDIT_FRACTION: u32 = 32;

/// Words of an answer that are traced; further ones count as unknown.
pub const MAX_ANSWER_WORDS: usize = 1 << 16;

/// Words of a match from which on it shows that the data speaks of what the answer says: two words meet by
/// chance.
pub const GROUNDED_WORDS: usize = 3;

/// How much of an answer the data knows, in weights of its words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grounding {
    /// All words.
    pub words: u128,
    /// Words that repeat the prompt.
    pub echo: u128,
    /// Words in copies, and in matches of [`GROUNDED_WORDS`] or more, payees or not.
    pub grounded: u128,
}

/// What a run of words is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunKind {
    /// In a window of 16 words or more of a document: pays its earliest origin.
    Copy,
    /// A shorter phrase: shared equally by the contributors who have it.
    Phrase,
    /// A phrase that more than 256 contributors have: no evidence.
    Common,
    /// A run of 8 words or more that the prompt has too: no evidence.
    Echo,
    /// Words that no document has: no evidence.
    Unknown,
}

/// A contribution that a run pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payee {
    /// Contribution.
    pub contribution_id: u64,
    /// First byte of the run's words in the contribution's match text.
    pub source_start: u64,
    /// Token where they stand in the index.
    pub(crate) position: u32,
}

/// A stretch of words with one fate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// What it is.
    pub kind: RunKind,
    /// First word.
    pub first_token: usize,
    /// Words.
    pub tokens: usize,
    /// Words of the match that it lies in, of which another run may have a part: for a phrase its whole
    /// span, for a copy the run; 0 without a match.
    pub matched: usize,
    /// First byte in the answer's match text.
    pub start: usize,
    /// Bytes of match text.
    pub len: usize,
    /// Sum of the words' weights, in credit units.
    pub weight: u128,
    /// Who is paid, sorted by contribution, each `floor(weight / payees)`; empty for no evidence.
    pub payees: Vec<Payee>,
}

/// A word of the answer's match text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// First byte.
    pub start: usize,
    /// Byte behind the last.
    pub end: usize,
    /// Weight in sixteenths of a bit.
    pub weight: u32,
    /// Its run.
    pub run: usize,
}

/// An answer traced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The answer's match text.
    pub match_text: String,
    /// Its words.
    pub tokens: Vec<Token>,
    /// The words' fates; every word is in exactly one run.
    pub runs: Vec<Run>,
    /// Credit of each contribution.
    pub credits: BTreeMap<u64, u128>,
    /// Credit without evidence: runs without payees and what the floors of the others leave. With
    /// `credits` it is the weight of all words exactly.
    pub no_evidence: u128,
    /// Credit of all layers, from which the shares follow; that of the span layer where it is alone.
    pub total: Credits,
    /// Shares of the receipt.
    pub shares: Vec<Share>,
    /// Basis points without evidence.
    pub no_evidence_bps: u16,
    /// Evidence for the shares.
    pub pieces: Vec<Piece>,
}

/// What becomes of one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Echo,
    Unknown,
    /// Its place at the origin.
    Copy(u32),
    /// The span that covers it.
    Phrase(usize),
}

impl Fate {
    /// Whether the next word, with fate `next`, belongs to the same run.
    fn goes_on(self, next: Fate, index: &Index) -> bool {
        match (self, next) {
            (Fate::Copy(here), Fate::Copy(there)) => {
                here + 1 == there && index.document_at(here) == index.document_at(there)
            }
            _ => self == next,
        }
    }
}

impl Index {
    /// Traces `answer`, given to `prompt`. `seed` is the receipt's: it breaks ties of shares.
    ///
    /// Every word weighs its surprisal in the index. From the strongest to the weakest claim:
    /// 1. Words in a run of 8 or more that the prompt has too are an echo and pay nobody.
    /// 2. Words in a window of 16 that a document has are copied. Each pays the contribution with the
    ///    earliest such window and, where that itself is pieced together, the origin of the word there.
    /// 3. Other words belong to the longest span that covers them. Its contributors share them
    ///    equally, each by the earliest contribution that has the span; more than 256 share nothing.
    ///
    /// Works on words and integers only; the same index, prompt, answer and seed give the same bytes
    /// everywhere.
    pub fn trace(&self, prompt: &str, answer: &str, seed: &Hash) -> Trace {
        self.evidence(&Answer {
            prompt,
            text: answer,
            signature: &Signature::default(),
            seed,
            barred: &BTreeSet::new(),
        })
    }

    /// Where the words of an answer stand and what that credits; shares are not settled yet.
    pub(crate) fn follow(&self, prompt: &str, answer: &str) -> Trace {
        let text = match_text(answer);
        let prompt = match_text(prompt);
        let mut tokens = Vec::new();
        let mut strings = Vec::new();
        let mut words = Vec::new();
        for (range, word) in match_words(&text) {
            let id = self.words.get(word).unwrap_or(NO_WORD);
            tokens.push(Token { start: range.start, end: range.end, weight: self.weight(id), run: 0 });
            words.push(if words.len() < MAX_ANSWER_WORDS { id } else { NO_WORD });
            strings.push(word);
        }
        let echo = echoed(&strings, match_words(&prompt).map(|(_, word)| word));
        let spans = maximal_spans(&self.suffixes, &words);
        let cover = cover(&spans, words.len());
        let places = copied(&self.suffixes, &self.first16, &spans, words.len());
        let fates: Vec<Fate> = (0..words.len())
            .map(|t| match (echo[t], places[t], cover[t]) {
                (true, _, _) => Fate::Echo,
                (_, Some(place), _) => Fate::Copy(self.origin(place)),
                (_, _, Some(span)) => Fate::Phrase(span),
                _ => Fate::Unknown,
            })
            .collect();

        let mut runs: Vec<Run> = Vec::new();
        let mut known: BTreeMap<(usize, usize), Option<Vec<u32>>> = BTreeMap::new();
        let mut first = 0;
        while first < fates.len() {
            let mut end = first + 1;
            while end < fates.len() && fates[end - 1].goes_on(fates[end], self) {
                end += 1;
            }
            let (kind, matched, positions) = match fates[first] {
                Fate::Echo => (RunKind::Echo, 0, Vec::new()),
                Fate::Unknown => (RunKind::Unknown, 0, Vec::new()),
                Fate::Copy(origin) => (RunKind::Copy, end - first, vec![origin]),
                Fate::Phrase(span) => {
                    let span = spans[span];
                    let places = known.entry((span.lo, span.hi)).or_insert_with(|| {
                        self.owners
                            .first_places(&self.suffixes.sorted, span.lo, span.hi, |p| self.document_at(p))
                    });
                    let into = (first - span.start) as u32;
                    match places {
                        Some(places) => {
                            (RunKind::Phrase, span.len, places.iter().map(|place| place + into).collect())
                        }
                        None => (RunKind::Common, span.len, Vec::new()),
                    }
                }
            };
            let mut payees: Vec<Payee> = positions
                .into_iter()
                .map(|position| Payee {
                    contribution_id: self.contribution(self.document_at(position)),
                    source_start: self.offset(position),
                    position,
                })
                .collect();
            payees.sort_by_key(|payee| payee.contribution_id);
            let number = runs.len();
            let mut weight = 0u128;
            for token in &mut tokens[first..end] {
                token.run = number;
                weight += u128::from(token.weight) << CREDIT_FRACTION;
            }
            let start = tokens[first].start;
            let len = tokens[end - 1].end - start;
            runs.push(Run {
                kind,
                first_token: first,
                tokens: end - first,
                matched,
                start,
                len,
                weight,
                payees,
            });
            first = end;
        }

        let Credits { contributions: credits, no_evidence } = credited(&runs, |_| true);
        Trace {
            match_text: text,
            tokens,
            runs,
            credits,
            no_evidence,
            total: Credits::default(),
            shares: Vec::new(),
            no_evidence_bps: BPS,
            pieces: Vec::new(),
        }
    }
}

/// Credits of the runs that `counts`; the weight of the others has no evidence.
fn credited(runs: &[Run], counts: impl Fn(&Run) -> bool) -> Credits {
    let mut credits = Credits::default();
    for run in runs {
        let payees: &[Payee] = if counts(run) { &run.payees } else { &[] };
        let count = payees.len() as u128;
        let part = run.weight.checked_div(count).unwrap_or(0);
        for payee in payees {
            *credits.contributions.entry(payee.contribution_id).or_default() += part;
        }
        credits.no_evidence += run.weight - part * count;
    }
    credits
}

impl Trace {
    /// Credits of the span layer.
    pub fn span_credits(&self) -> Credits {
        Credits { contributions: self.credits.clone(), no_evidence: self.no_evidence }
    }

    /// Credits of the copies, and of phrases that are part of a match of at least `words` words.
    pub fn phrase_credits(&self, words: usize) -> Credits {
        credited(&self.runs, |run| run.kind == RunKind::Copy || run.matched >= words)
    }

    /// Weights of the answer's words.
    pub fn grounding(&self) -> Grounding {
        let mut found = Grounding::default();
        for run in &self.runs {
            found.words += run.weight;
            match run.kind {
                RunKind::Echo => found.echo += run.weight,
                RunKind::Copy => found.grounded += run.weight,
                _ if run.matched >= GROUNDED_WORDS => found.grounded += run.weight,
                _ => (),
            }
        }
        found
    }

    /// Takes the shares and picks the evidence for them.
    pub(crate) fn settle(&mut self, index: &Index, shares: Vec<Share>, no_evidence: u16) {
        self.pieces = pieces(index, &self.match_text, &self.tokens, &self.runs, &shares);
        (self.shares, self.no_evidence_bps) = (shares, no_evidence);
    }
}

//! The test of order: how many documents as they were written it leaves out, and how many of those in whose
//! place words or runs of words stand in random order.

use anyhow::Result;
use openledger_attribution::{Document, Index};

use super::corpus::{generated, speeches, Doc, Numbers};
use super::texts::folder;
use super::Settings;
use crate::report::Metric;

/// One document in so many is replaced.
const REPLACED: usize = 20;
/// Most documents of a corpus with `--quick`.
const QUICK: usize = 4_000;

/// What takes a document's place.
#[derive(Clone, Copy)]
enum Instead {
    /// Its own words in random order.
    Shuffled,
    /// As many words of everybody, in runs of so many.
    Runs(usize),
}

const KINDS: [(&str, Instead); 3] =
    [("shuffled", Instead::Shuffled), ("pairs", Instead::Runs(2)), ("fours", Instead::Runs(4))];

/// For every corpus the parts left out for their order, in percent: of the documents as they are, and of those
/// that were replaced, one in twenty.
///
/// # Errors
/// When a corpus cannot be read.
pub fn measure(settings: &Settings) -> Result<Vec<Metric>> {
    let (contributors, each) = if settings.quick { (24, 16) } else { (48, 100) };
    let mut corpora = vec![("generated".to_string(), generated(contributors, each, 6, 71))];
    if let Some(path) = &settings.plays {
        corpora.push(("plays".into(), speeches(path)?));
    }
    if let Some(path) = &settings.texts {
        corpora.push(("texts".into(), folder(path)?));
    }
    let mut metrics = Vec::new();
    for (name, mut docs) in corpora {
        // Who commits first is drawn.
        let mut numbers = Numbers(12);
        shuffle(&mut docs, &mut numbers);
        docs.truncate(if settings.quick { QUICK } else { usize::MAX });
        metrics.push(Metric::of(&format!("order_{name}_documents"), "", vec![docs.len() as f64]));
        let all = docs.len().max(1) as f64;
        let found = left_out(&docs, |_| true)? as f64;
        metrics.push(Metric::of(&format!("order_{name}_as_written"), "%", vec![100.0 * found / all]));
        for (kind, instead) in KINDS {
            let replaced = replace(&docs, instead, &mut numbers);
            let chosen = (0..docs.len()).filter(|i| is_replaced(*i)).count().max(1) as f64;
            let found = left_out(&replaced, is_replaced)? as f64;
            metrics.push(Metric::of(&format!("order_{name}_{kind}"), "%", vec![100.0 * found / chosen]));
        }
    }
    Ok(metrics)
}

fn is_replaced(number: usize) -> bool {
    number % REPLACED == REPLACED - 1
}

/// How many of the documents that `counted` takes are left out for their order.
fn left_out(docs: &[Doc], counted: impl Fn(usize) -> bool) -> Result<usize> {
    let documents = (1u64..).zip(docs).map(|(id, doc)| Document {
        contribution_id: id,
        contributor: doc.contributor.to_string(),
        priority: (id, 0),
        match_text: openledger_ingest::match_text(&doc.text),
    });
    let index = Index::build(documents.collect())?;
    Ok(index.disordered().iter().filter(|id| counted(**id as usize - 1)).count())
}

fn replace(docs: &[Doc], instead: Instead, numbers: &mut Numbers) -> Vec<Doc> {
    let everybody: Vec<&str> = docs.iter().flat_map(|doc| doc.text.split_whitespace()).collect();
    let mut replaced = docs.to_vec();
    for doc in replaced.iter_mut().enumerate().filter(|(i, _)| is_replaced(*i)).map(|(_, doc)| doc) {
        let mut own: Vec<&str> = doc.text.split_whitespace().collect();
        let words = match instead {
            Instead::Shuffled => {
                shuffle(&mut own, numbers);
                own
            }
            Instead::Runs(run) => (0..own.len().div_ceil(run))
                .map(|_| numbers.below(everybody.len().saturating_sub(run) as u64) as usize)
                .flat_map(|at| everybody.iter().skip(at).take(run).copied())
                .collect(),
        };
        doc.text = words.join(" ");
    }
    replaced
}

/// Fisher and Yates.
fn shuffle<T>(values: &mut [T], numbers: &mut Numbers) {
    for last in (1..values.len()).rev() {
        values.swap(last, numbers.below(last as u64 + 1) as usize);
    }
}

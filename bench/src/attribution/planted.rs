//! E3, provenance: each contributor plants facts, and an answer repeats one verbatim, with words swapped or
//! with its sentences in another order. Measured is the rank of the contributor who planted it.

use anyhow::Result;
use openledger_attribution::{combine, Document, Index, Layer};
use serde_json::json;

use super::corpus::{generated, Doc, Numbers};
use super::{peer_scores, Settings};
use crate::report::Metric;

/// A question with the document that answers it.
struct Fact {
    text: String,
    document: usize,
}

pub fn measure(settings: &Settings) -> Result<Vec<Metric>> {
    let (contributors, each) = if settings.quick { (24, 8) } else { (48, 24) };
    let docs = generated(contributors, each, 6, 23);
    let index = Index::build(
        (1u64..)
            .zip(&docs)
            .map(|(id, doc)| Document {
                contribution_id: id,
                contributor: format!("contributor{}", doc.contributor),
                priority: (id, 0),
                match_text: openledger_ingest::match_text(&doc.text),
            })
            .collect(),
    )?;
    let mut metrics = Vec::new();
    for (name, facts) in
        [("verbatim", verbatim(&docs)), ("substituted", substituted(&docs)), ("reordered", reordered(&docs))]
    {
        let exchange = json!({
            "documents": docs.iter().map(|d| &d.text).collect::<Vec<_>>(),
            "queries": facts.iter().map(|f| &f.text).collect::<Vec<_>>(),
        });
        let file = settings.exchange.join(format!("planted_{name}.in.json"));
        std::fs::write(file, serde_json::to_vec(&exchange)?)?;
        let ours: Vec<Vec<f64>> = facts.iter().map(|fact| spans(&index, &fact.text, docs.len())).collect();
        let mut metric = Metric::of(&format!("mrr_{name}"), "MRR", vec![mrr(&ours, &facts, &docs)]);
        if let Some(scores) = peer_scores(&settings.exchange, &format!("planted_{name}.bm25")) {
            let peer = mrr(&scores, &facts, &docs);
            metric.peer = Some(peer);
            metric.peer_name = Some("BM25".into());
            metric.ratio = (peer > 0.0).then(|| metric.ours / peer);
        }
        metrics.push(metric);
    }
    Ok(metrics)
}

/// Credit by document of what the answer's words show: phrases and vocabulary, each as a part of its sum.
fn spans(index: &Index, answer: &str, documents: usize) -> Vec<f64> {
    let trace = index.trace("", answer, &[1; 32]);
    let whole = 1 << 32;
    let total = combine(&[
        Layer { credits: &trace.span_credits(), weight: 1, whole },
        Layer { credits: &index.vocabulary(&trace), weight: 1, whole },
    ]);
    let credit = |id: u64| total.contributions.get(&id).map_or(0.0, |credit| *credit as f64);
    (1..=documents as u64).map(credit).collect()
}

/// Mean of 1 / rank of the contributor who planted the fact, contributors ranked by the sum of their scores.
fn mrr(scores: &[Vec<f64>], facts: &[Fact], docs: &[Doc]) -> f64 {
    let contributors = docs.iter().map(|d| d.contributor).max().map_or(0, |most| most + 1);
    let mut sum = 0.0;
    for (row, fact) in scores.iter().zip(facts) {
        let mut totals = vec![0.0; contributors];
        row.iter().zip(docs).for_each(|(score, doc)| totals[doc.contributor] += score);
        let own = totals[docs[fact.document].contributor];
        // Of equals the own one comes last.
        let before = totals.iter().filter(|total| **total >= own).count().max(1);
        sum += 1.0 / before as f64;
    }
    sum / facts.len().max(1) as f64
}

/// The third and fourth sentence of every third document.
fn passages(docs: &[Doc]) -> Vec<(usize, Vec<&str>)> {
    let chosen = docs.iter().enumerate().step_by(3);
    chosen.map(|(i, doc)| (i, doc.text.split(". ").skip(2).take(2).collect())).collect()
}

fn verbatim(docs: &[Doc]) -> Vec<Fact> {
    passages(docs).into_iter().map(|(document, parts)| Fact { text: parts.join(". "), document }).collect()
}

/// A fifth of the words swapped for words of other documents.
fn substituted(docs: &[Doc]) -> Vec<Fact> {
    let mut numbers = Numbers(3);
    passages(docs)
        .into_iter()
        .map(|(document, parts)| {
            let text = parts.join(". ");
            let words: Vec<String> = text
                .split(' ')
                .map(|word| match numbers.below(5) {
                    0 => {
                        let other = &docs[numbers.below(docs.len() as u64) as usize].text;
                        let all: Vec<&str> = other.split(' ').collect();
                        all[numbers.below(all.len() as u64) as usize].to_string()
                    }
                    _ => word.to_string(),
                })
                .collect();
            Fact { text: words.join(" "), document }
        })
        .collect()
}

/// Both sentences, the halves of each in reverse order.
fn reordered(docs: &[Doc]) -> Vec<Fact> {
    passages(docs)
        .into_iter()
        .map(|(document, parts)| {
            let turned = parts.iter().rev().map(|part| {
                let words: Vec<&str> = part.split(' ').collect();
                let (first, second) = words.split_at(words.len() / 2);
                [second, first].concat().join(" ")
            });
            Fact { text: turned.collect::<Vec<_>>().join(". "), document }
        })
        .collect()
}

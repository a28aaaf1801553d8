//! Both layers together: vectors, properties, hostile files.

use std::collections::{BTreeMap, BTreeSet};

use openledger_attribution::influence::{
    Builder, InfluenceIndex, Parameters, Passage, Raw, Signature, Statistics, RANK, READOUT,
};
use openledger_attribution::{
    combine, grounded, heard, shares, Answer, Credits, Grounding, Layer, Layers, Method, Weights,
    THREE_LAYERS, THREE_LAYERS_FLOORED, TWO_LAYERS,
};
use openledger_types::formats::validate_shares;
use proptest::prelude::*;
use serde_json::{json, Value};

use crate::support::{cut, document, index, prose, Numbers};

const SEED: [u8; 32] = [9; 32];

pub fn parameters(slots: usize) -> Parameters {
    Parameters {
        width: 4,
        slots,
        projection: vec![0.5; RANK * 4],
        gains: vec![1.0; slots],
        clip: 10.0,
        scale: 0.01,
    }
}

/// Rows out of small numbers.
pub fn raw(rows: &[(u32, [i32; 3])]) -> Raw {
    rows.iter()
        .map(|(slot, values)| {
            let mut row = [0.0; RANK];
            row.iter_mut().zip(values).for_each(|(x, v)| *x = f64::from(*v) / 100.0);
            (*slot, row)
        })
        .collect()
}

fn small() -> InfluenceIndex {
    let documents = BTreeMap::from([
        (1, raw(&[(0, [100, 0, 0]), (5, [40, -20, 0])])),
        (2, raw(&[(0, [-50, 10, 0])])),
        (3, raw(&[(5, [600, 0, 90]), (9, [10, 10, 10])])),
    ]);
    InfluenceIndex::new(READOUT, parameters(12), &documents)
}

fn signature() -> Signature {
    Signature::quantise(&raw(&[(0, [30, 0, 0]), (5, [60, 10, 0]), (11, [5, 5, 5])]))
}

/// Every step from a signature to shares, for other implementations.
fn computed() -> Value {
    let (index, signature) = (small(), signature());
    let influence = index.influence(&signature);
    let owners = ["", "a", "b", "c"];
    let sizes = [90, 120, 210];
    let credits = influence.credits(&sizes, |id| owners.get(id as usize).copied());
    let by_owner = influence.credits_above_floor(|id| owners.get(id as usize).copied());
    let span = Credits { contributions: BTreeMap::from([(1, 700u128), (2, 200)]), no_evidence: 100 };
    let weights = Weights::default();
    let lexical = Credits { contributions: BTreeMap::from([(2, 500u128), (3, 90)]), no_evidence: 10 };
    let words = Grounding { words: 1_000, echo: 250, grounded: 150 };
    let (echo, known) = (heard(&words), grounded(&words, 100));
    let total = combine(&[
        Layer { credits: &credits, weight: weights.influence, whole: known },
        Layer { credits: &lexical, weight: weights.lexical, whole: known },
        Layer { credits: &span, weight: weights.span, whole: 1 << 32 },
    ]);
    let found = shares(&total.contributions, total.no_evidence, &SEED);
    let map = |credits: &Credits| {
        json!({
            "contributions": credits.contributions.iter().map(|(id, c)| json!([id, c.to_string()])).collect::<Vec<_>>(),
            "no_evidence": credits.no_evidence.to_string(),
        })
    };
    json!({
        "index_file": hex(&index.to_bytes()),
        "index_root": hex(&index.root()),
        "signature": hex(&signature.to_bytes()),
        "signature_root": hex(&signature.root(READOUT)),
        "owners": [[1, "a"], [2, "b"], [3, "c"]],
        "influence": influence.documents.iter().map(|(id, i)| json!([id, i.to_string()])).collect::<Vec<_>>(),
        "sizes": sizes,
        "influence_credits": map(&credits),
        "influence_credits_above_floor": map(&by_owner),
        "span_credits": map(&span),
        "lexical_credits": map(&lexical),
        "weights": [weights.influence, weights.lexical, weights.span],
        "words": "1000", "echo": "250", "grounded": "150", "chance_bps": 100,
        "heard": echo.to_string(), "known": known.to_string(),
        "total": map(&total),
        "seed": hex(&SEED),
        "shares": found.shares.iter().map(|s| json!([s.contribution_id, s.bps])).collect::<Vec<_>>(),
        "no_evidence": found.no_evidence,
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn every_step_to_the_shares_matches_its_vector() {
    let path = "vectors/shares.json";
    let computed = computed();
    let frozen: Value = std::fs::read_to_string(path)
        .ok()
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_else(|| panic!("{path} is missing or no JSON; it would hold:\n{computed:#}"));
    assert_eq!(frozen, computed);
}

#[test]
fn index_and_signature_are_read_as_they_were_written() {
    let (index, signature) = (small(), signature());
    assert_eq!(InfluenceIndex::parse(&index.to_bytes()).unwrap(), index);
    assert_eq!(Signature::parse(&signature.to_bytes()).unwrap(), signature);
    assert_eq!(index.documents(), [(1, 0), (2, 0), (3, 3)]);
    // The slot that no document has costs nothing, the others are products of rows.
    let found = index.influence(&signature);
    assert!(found.documents[0].1 > 0 && found.documents[1].1 < 0 && found.documents[2].1 > 0);
}

#[test]
fn hostile_files_are_refused_without_a_panic() {
    let (index, signature) = (small().to_bytes(), signature().to_bytes());
    for len in 0..index.len() {
        assert!(InfluenceIndex::parse(&index[..len]).is_err(), "{len}");
    }
    for len in (0..signature.len()).filter(|len| len % (4 + RANK) != 0) {
        assert!(Signature::parse(&signature[..len]).is_err(), "{len}");
    }
    for at in 0..index.len() {
        for bit in [1u8, 0x80] {
            let mut other = index.clone();
            other[at] ^= bit;
            // Read or refused; whatever is read has one form and another root.
            if let Ok(read) = InfluenceIndex::parse(&other) {
                assert_eq!(read.to_bytes(), other);
                assert_ne!(read.root(), small().root(), "byte {at} is not committed");
            }
        }
    }
    let rows: Vec<u8> = [signature[20..40].to_vec(), signature[..20].to_vec()].concat();
    assert!(Signature::parse(&rows).is_err(), "rows out of order");
    assert!(Signature::parse(&[0; 20]).is_err(), "a row of zeros");
}

#[test]
fn rows_that_are_no_numbers_make_an_empty_signature() {
    let rows = Raw::from([(3, [f64::NAN; RANK]), (4, [f64::INFINITY; RANK])]);
    assert!(Signature::quantise(&rows).rows().is_empty());
    let hidden = [f32::NAN; 8];
    let passage = Passage { hidden: &hidden, logits: &[0.0; 24], labels: &[Some(1), Some(2)] };
    let mut statistics = Statistics::new(4, 12);
    statistics.add(&passage);
    let builder = statistics.builder();
    let segments = builder.segments(&passage);
    let index = builder.calibrated(&segments).index(&BTreeMap::from([(1, segments[0].clone())]));
    assert_eq!(index.rows(), 0);
    assert!(Builder::of(&index).signature(&passage).rows().is_empty());
}

fn layers(documents: &[(u64, &str, &str)], rows: &[(u64, Raw)]) -> Layers {
    let texts = documents.iter().map(|(id, owner, text)| document(*id, owner, text)).collect();
    let rows: BTreeMap<u64, Raw> = rows.iter().cloned().collect();
    let influence = InfluenceIndex::new(READOUT, parameters(64), &rows);
    Layers::new(index(texts), influence, Weights::default()).expect("the documents are indexed")
}

#[test]
fn a_contribution_that_is_not_indexed_earns_nothing_by_influence() {
    let text = prose(1, 60);
    let texts = vec![document(1, "a", &text), document(2, "copier", &text)];
    let rows = BTreeMap::from([(2, raw(&[(1, [50, 0, 0])]))]);
    let influence = InfluenceIndex::new(READOUT, parameters(4), &rows);
    let refused = Layers::new(index(texts), influence, Weights::default()).unwrap_err();
    assert_eq!(refused.code(), "E-ATTR-007");
}

#[test]
fn attr_attack_13_an_influence_index_that_drops_a_contributor_is_refused() {
    let texts = vec![document(1, "a", &prose(1, 60)), document(2, "dropped", &prose(2, 60))];
    let rows = BTreeMap::from([(1, raw(&[(1, [50, 0, 0])]))]);
    let influence = InfluenceIndex::new(READOUT, parameters(4), &rows);
    let refused = Layers::new(index(texts), influence, Weights::default()).unwrap_err();
    assert_eq!(refused.code(), "E-ATTR-009");
}

/// Models of earlier schemes pay as they did, and no scheme takes the weights of another.
#[test]
fn each_scheme_pays_by_its_own_rule() {
    let texts: Vec<String> = (1..=3).map(|seed| prose(seed, 60)).collect();
    let documents = || index((1u64..).zip(&texts).map(|(id, text)| document(id, "abc", text)).collect());
    let rows: BTreeMap<u64, Raw> = (1u64..=3).map(|id| (id, raw(&[(1, [20 * id as i32, 0, 0])]))).collect();
    let influence = InfluenceIndex::new(READOUT, parameters(4), &rows);
    let of = |scheme: &str, weights| Layers::of_scheme(scheme, documents(), influence.clone(), weights);
    let signature = Signature::quantise(&raw(&[(1, [10, 0, 0])]));
    let credits = |scheme: &str, weights| of(scheme, weights).unwrap().influence_credits(&signature);
    let (three, two) = (Weights::default(), Weights { lexical: 0, ..Weights::default() });
    let old = credits(THREE_LAYERS_FLOORED, three);
    assert_eq!(old, credits(TWO_LAYERS, two));
    assert!(credits(THREE_LAYERS, three).contributions[&3] < old.contributions[&3]);
    for (scheme, weights) in
        [(THREE_LAYERS, two), (THREE_LAYERS_FLOORED, two), (TWO_LAYERS, three), ("span/1", three)]
    {
        assert_eq!(of(scheme, weights).unwrap_err().code(), "E-ATTR-008", "{scheme}");
    }
}

#[test]
fn an_empty_layer_and_the_echo_have_no_evidence() {
    let text = prose(1, 200);
    let method = layers(&[(1, "a", &text)], &[(1, raw(&[(1, [90, 0, 0])]))]);
    let answer = cut(&text, 10, 40);
    let none = Signature::default();
    let found = method.evidence(&Answer {
        prompt: "",
        text: &answer,
        signature: &none,
        seed: &SEED,
        barred: &BTreeSet::new(),
    });
    // Influence has weight 8 of 10; vocabulary and wording are all of the only contributor.
    assert_eq!(found.shares.iter().map(|s| s.bps).collect::<Vec<_>>(), [2_000]);
    // An echo pays nobody, whatever the signature says.
    let signed = Signature::quantise(&raw(&[(1, [10, 0, 0])]));
    let echo =
        Answer { prompt: &answer, text: &answer, signature: &signed, seed: &SEED, barred: &BTreeSet::new() };
    assert_eq!(method.evidence(&echo).no_evidence_bps, 10_000);
    assert!(method.evidence(&echo).pieces.is_empty());
}

#[test]
fn rule_d4_what_may_not_be_cited_goes_to_the_commons() {
    let (one, two) = (prose(1, 200), prose(2, 200));
    let rows = [(1, raw(&[(1, [90, 0, 0])])), (2, raw(&[(1, [40, 0, 0])]))];
    let method = layers(&[(1, "a", &one), (2, "b", &two)], &rows);
    let answer = [cut(&one, 10, 40), cut(&two, 10, 40)].join(" ");
    let signature = Signature::quantise(&raw(&[(1, [10, 0, 0])]));
    let evidence = |barred: &BTreeSet<u64>| {
        method.evidence(&Answer { prompt: "", text: &answer, signature: &signature, seed: &SEED, barred })
    };
    let (all, fewer) = (evidence(&BTreeSet::new()), evidence(&BTreeSet::from([1])));
    let share = |trace: &openledger_attribution::Trace, id| {
        trace.shares.iter().find(|s| s.contribution_id == id).map_or(0, |s| s.bps)
    };
    assert!(share(&all, 1) > 0 && share(&fewer, 1) == 0);
    assert!(fewer.pieces.iter().all(|piece| piece.contribution_id != 1));
    // Nobody else gains by it, up to the odd point.
    assert!(share(&fewer, 2).abs_diff(share(&all, 2)) <= 1);
    validate_shares(&fewer.shares, fewer.no_evidence_bps).unwrap();
}

fn credits() -> impl Strategy<Value = Credits> {
    let entry = (1u64..200, any::<u64>().prop_map(u128::from));
    (prop::collection::btree_map(entry.0, entry.1, 0..90), any::<u64>())
        .prop_map(|(contributions, rest)| Credits { contributions, no_evidence: rest.into() })
}

proptest! {
    #[test]
    fn rule_s2_shares_of_both_layers_are_ten_thousand(
        layers in prop::collection::vec((credits(), 0u32..100, any::<u64>()), 1..4),
        (words, echo, known) in (any::<u64>(), any::<u64>(), any::<u64>()), chance in 0u16..=10_000, seed in any::<[u8; 32]>(),
    ) {
        let words = Grounding { words: words.into(), echo: (echo % words.max(1)).into(), grounded: known.into() };
        prop_assert!(grounded(&words, chance) <= grounded(&words, 0));
        prop_assert!(grounded(&words, 0) <= heard(&words) && heard(&words) <= 1 << 32);
        let layers: Vec<Layer> = layers
            .iter()
            .map(|(credits, weight, whole)| Layer { credits, weight: *weight, whole: u128::from(*whole) })
            .collect();
        let total = combine(&layers);
        let all = total.contributions.values().sum::<u128>() + total.no_evidence;
        prop_assert_eq!(all, layers.iter().map(|l| u128::from(l.weight) << 32).sum::<u128>());
        let found = shares(&total.contributions, total.no_evidence, &seed);
        validate_shares(&found.shares, found.no_evidence).unwrap();
    }

    #[test]
    fn an_uncited_contribution_can_be_taken_away(seed in any::<u64>()) {
        let mut numbers = Numbers(seed);
        let mut row = |id: u64| {
            let mut value = || numbers.below(200) as i32 - 100;
            (id, raw(&[(id as u32 % 3, [value(), value(), value()]), (7, [value(), value(), 0])]))
        };
        let rows: Vec<(u64, Raw)> = (1..=6).map(&mut row).collect();
        let signature = Signature::quantise(&raw(&[(0, [9, 1, 4]), (7, [3, -2, 1])]));
        let full = InfluenceIndex::new(READOUT, parameters(8), &rows.iter().cloned().collect());
        let found = full.influence(&signature);
        for gone in 1..=6u64 {
            let fewer = rows.iter().filter(|(id, _)| *id != gone).cloned().collect();
            let without = InfluenceIndex::new(READOUT, parameters(8), &fewer).influence(&signature);
            let rest: Vec<_> = found.documents.iter().filter(|(id, _)| *id != gone).copied().collect();
            prop_assert_eq!(without.documents, rest);
        }
    }

    #[test]
    fn random_bytes_are_no_index(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = Signature::parse(&bytes);
        let file = [b"OLI1".to_vec(), vec![1, b'x'], bytes].concat();
        if let Ok(read) = InfluenceIndex::parse(&file) {
            prop_assert_eq!(read.to_bytes(), file);
        }
    }
}

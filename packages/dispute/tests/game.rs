//! Whole disputes over small networks: whoever lies about one value loses, whoever computed loses never.

use openledger_dispute::layout::{Layout, Place, Statement};
use openledger_dispute::opened::Opened;
use openledger_dispute::step::holds;
use openledger_dispute::trace::{Rows, Trace};
use openledger_dispute::tree::{most_moves, root_of, slot_leaf, unit_leaves, Descent};
use openledger_merkle::Hash;
use proptest::prelude::*;

#[path = "answers.rs"]
mod answers;

use answers::{answered_by, config, weights};

fn answered(
    config: &openledger_exact::config::ModelConfig,
    rows: &Rows,
    seed: u64,
    prompt: usize,
    answer: usize,
) -> Trace {
    answered_by(config, rows, seed, (prompt, answer), [9; 32])
}

/// How a dispute between two traces ends: whether the accused is found guilty.
fn is_guilty(
    accused: &Trace,
    challenger: &Trace,
    statement: &Statement,
    rows: &Rows,
    weights_root: &Hash,
) -> bool {
    let layout = accused.layout();
    let root = accused.root();
    let mut descent = Descent::new(root, layout.slots());
    let mut moves = 0;
    let target = loop {
        if let Some(target) = descent.target() {
            break target;
        }
        moves += 2;
        assert!(moves <= most_moves(layout.slots(), layout.most_units()), "a dispute ends");
        let units = descent.at_slot().map_or(0, |slot| layout.units(slot).unwrap());
        let hashes = accused.open(&descent);
        // Whoever cannot show what its root commits to falls silent and loses.
        if descent.open(units, hashes).is_err() {
            return true;
        }
        if !descent.shown.is_empty() {
            // A challenger that finds nothing wrong has to pick something.
            descent.pick(challenger.pick(&descent).unwrap_or(0)).unwrap();
        }
    };
    let openings = accused.openings(rows, target.slot, target.unit).unwrap();
    match Opened::new(layout, &root, weights_root, &openings) {
        Ok(mut opened) => !holds(layout, statement, &target, &mut opened).unwrap(),
        Err(_) => true,
    }
}

#[test]
fn the_trace_is_what_the_engine_computes() {
    for qwen in [false, true] {
        let config = config(qwen);
        let rows = Rows::new(&weights(&config, 5));
        assert_eq!(rows.root(), weights(&config, 5).root());
        let trace = answered(&config, &rows, 5, 5, 36);
        assert_eq!(trace.digests(), trace.statement().digests);
        for (at, token) in trace.statement().answer.iter().enumerate() {
            let slot = trace.layout().slot(4 + at, Place::Token);
            assert_eq!(trace.values()[slot as usize], [*token as f32]);
        }
        for slot in 0..trace.layout().slots() {
            let (position, place) = trace.layout().place(slot).unwrap();
            assert_eq!(trace.layout().slot(position, place), slot);
            assert_eq!(trace.layout().len(slot).unwrap(), trace.values()[slot as usize].len());
        }
        assert!(trace.layout().place(trace.layout().slots()).is_err());
    }
}

#[test]
fn rule_f2_every_unit_of_an_honest_trace_holds() {
    for qwen in [false, true] {
        let config = config(qwen);
        let rows = Rows::new(&weights(&config, 5));
        let trace = answered(&config, &rows, 5, 3, 17);
        let (layout, root) = (trace.layout(), trace.root());
        for slot in 0..layout.slots() {
            let leaves = openledger_dispute::tree::unit_leaves(&trace.values()[slot as usize]);
            for (unit, leaf) in leaves.iter().enumerate().step_by(if slot % 5 == 0 { 1 } else { 7 }) {
                let target = openledger_dispute::tree::Target { slot, unit: unit as u64, leaf: *leaf };
                let openings = trace.openings(&rows, slot, unit as u64).unwrap();
                let bytes = cosmwasm_std::to_json_vec(&openings).unwrap().len() as u64;
                assert!(bytes <= layout.most_bytes(), "slot {slot}: {bytes} > {}", layout.most_bytes());
                let mut opened = Opened::new(layout, &root, &rows.root(), &openings).unwrap();
                assert!(holds(layout, trace.statement(), &target, &mut opened).unwrap(), "slot {slot}");
            }
        }
    }
}

#[test]
fn rule_f2_other_weights_are_found() {
    let config = config(false);
    let (rows, others) = (Rows::new(&weights(&config, 5)), Rows::new(&weights(&config, 6)));
    // The node answered with other weights, and says so truly in its trace; or copies the trace that the
    // right weights give, under tokens and digests of the others.
    let cheat = answered(&config, &others, 6, 4, 20);
    let honest = Trace::new(cheat.layout().clone(), cheat.statement().clone(), &rows).unwrap();
    assert!(is_guilty(&cheat, &honest, cheat.statement(), &others, &rows.root()));
    assert!(is_guilty(&honest, &honest, cheat.statement(), &rows, &rows.root()));
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(24),
        ..ProptestConfig::default()
    })]

    /// A value altered alone, in any slot, whether or not the values after it follow from it.
    #[test]
    fn rule_f2_one_altered_value_is_found(at in any::<u64>(), value in any::<u32>(), qwen in any::<bool>(), bits in prop_oneof![Just(1u32), any::<u32>()]) {
        let config = config(qwen);
        let rows = Rows::new(&weights(&config, 5));
        let honest = answered(&config, &rows, 5, 4, 18);
        let mut values = honest.values().to_vec();
        let slot = (at % honest.layout().slots()) as usize;
        let place = value as usize % values[slot].len();
        let altered = f32::from_bits(values[slot][place].to_bits() ^ bits.max(1));
        prop_assume!(!(altered.is_nan() && values[slot][place].is_nan()));
        values[slot][place] = altered;
        let statement = honest.statement().clone();
        let liar = Trace::from_values(honest.layout().clone(), statement.clone(), values);
        prop_assert!(is_guilty(&liar, &honest, &statement, &rows, &rows.root()));
        // The other way round: an honest node is never convicted, whatever trace its challenger has.
        prop_assert!(!is_guilty(&honest, &liar, &statement, &rows, &rows.root()));
    }

    /// A token or a digest in the receipt that does not follow, under a true trace.
    #[test]
    fn rule_f2_a_false_token_or_digest_is_found(at in 0usize..18, digest in any::<bool>()) {
        let config = config(false);
        let rows = Rows::new(&weights(&config, 5));
        let mut statement = answered(&config, &rows, 5, 4, 18).statement().clone();
        match digest {
            true => statement.digests[0][at] ^= 1,
            false => statement.answer[at] = (statement.answer[at] + 1) % 50,
        }
        let trace = Trace::new(Layout::new(&config, &statement).unwrap(), statement.clone(), &rows).unwrap();
        prop_assert!(is_guilty(&trace, &trace, &statement, &rows, &rows.root()));
    }
}

/// docs/formats.md in numbers: `packages/dispute/vectors/trace.json` was made by another implementation and is frozen.
#[test]
fn the_formats_of_a_trace_are_those_of_their_vectors() {
    let text = std::fs::read_to_string("vectors/trace.json").unwrap();
    let vectors: serde_json::Value = serde_json::from_str(&text).unwrap();
    let hash = |value: &serde_json::Value| -> Hash {
        hex::decode(value.as_str().unwrap()).unwrap().try_into().unwrap()
    };
    let mut leaves = Vec::new();
    for slot in vectors["slots"].as_array().unwrap() {
        let bits = hex::decode(slot["values"].as_str().unwrap()).unwrap();
        let words = bits.chunks(4).map(|word| u32::from_be_bytes(word.try_into().unwrap()));
        let values: Vec<f32> = words.map(f32::from_bits).collect();
        let units = unit_leaves(&values);
        let expected: Vec<Hash> = slot["units"].as_array().unwrap().iter().map(hash).collect();
        assert_eq!(units, expected);
        leaves.push(slot_leaf(&root_of(&units)));
        assert_eq!(leaves.last(), Some(&hash(&slot["leaf"])));
    }
    assert_eq!(root_of(&leaves), hash(&vectors["root"]));
    let tokens = &vectors["tokens"];
    let input: Vec<u32> = serde_json::from_value(tokens["input"].clone()).unwrap();
    assert_eq!(openledger_types::formats::tokens_hash(&input), hash(&tokens["hash"]));
}

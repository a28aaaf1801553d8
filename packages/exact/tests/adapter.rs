//! Adapters of the exact class: the same bits alone, in a mixed batch, in pieces and on every path; a file that does
//! not fit is refused; the root binds everything that decides a bit.

mod support;

use std::collections::BTreeMap;

use openledger_exact::adapter::{max_file_bytes, tensor_names, write, Adapter, Target};
use openledger_exact::cache::Cache;
use openledger_exact::config::ModelConfig;
use openledger_exact::file::Tensor;
use openledger_exact::net::{ExactNet, Piece, Read, Workspace};
use openledger_numerics::Path;
use openledger_types::formats::hidden_digest;
use openledger_types::merkle::Hash;
use proptest::prelude::*;
use serde_json::{json, Value};

const VOCAB: usize = 70;
const BASE: Hash = [7; 32];

type Tensors = BTreeMap<String, Tensor>;

/// Tensors of an adapter that follow from a formula.
fn tensors(config: &ModelConfig, targets: &[Target], rank: usize, seed: usize) -> Tensors {
    let mut all = Tensors::new();
    for layer in 0..config.num_hidden_layers {
        for target in targets {
            let [outputs, inputs] = target.shape(config);
            for (k, (name, shape)) in
                tensor_names(layer, *target).into_iter().zip([[rank, inputs], [outputs, rank]]).enumerate()
            {
                let at = (layer * 14 + *target as usize * 2 + k + seed) * 104_729;
                let value = |i: usize| (((i * 7_919 + at) % 1_009) as f32 - 504.0) / 3_000.0;
                let values = (0..shape[0] * shape[1]).map(value).collect();
                all.insert(name, Tensor { shape: shape.to_vec(), values });
            }
        }
    }
    all
}

fn adapter(config: &ModelConfig, targets: &[Target], rank: usize, seed: usize) -> Adapter {
    let bytes = write(&tensors(config, targets, rank, seed), &BASE, rank, 16.0).unwrap();
    Adapter::parse(&bytes, config).unwrap()
}

fn net(config: &ModelConfig, path: Path) -> ExactNet {
    ExactNet::new(config, support::weights(config, 0), path)
}

/// Hidden vectors and logits of all positions, as bits.
fn bits(net: &ExactNet, adapter: Option<&Adapter>, tokens: &[u32], chunk: usize) -> Vec<u32> {
    let (mut cache, mut room, mut all) = (Cache::new(net.shape()), Workspace::default(), Vec::new());
    net.read_adapted(adapter, &mut cache, tokens, (chunk, 0), &mut room, &mut |_, hidden, logits| {
        all.extend(hidden.iter().chain(logits).map(|x| x.to_bits()));
    });
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_an_adapter_gives_does_not_depend_on_the_batch_the_pieces_or_the_path(
        qwen: bool,
        (rank, chosen) in (1usize..40, prop::sample::subsequence(Target::ALL.to_vec(), 1..=7)),
        texts in prop::collection::vec((prop::collection::vec(0..VOCAB as u32, 2..20), 0usize..4), 1..6),
        chunk in 1usize..24,
    ) {
        let config = support::config(qwen, VOCAB, 32);
        let adapters: Vec<Adapter> =
            (0..3).map(|seed| adapter(&config, &chosen, rank, seed)).collect();
        let law = net(&config, Path::SCALAR);
        let own = |which: usize| adapters.get(which);
        let alone: Vec<Vec<u32>> =
            texts.iter().map(|(tokens, which)| bits(&law, own(*which), tokens, 1)).collect();
        for path in Path::available() {
            let net = net(&config, path);
            for ((tokens, which), expected) in texts.iter().zip(&alone) {
                prop_assert_eq!(&bits(&net, own(*which), tokens, chunk), expected);
            }
            // All but the last token of every text in one step, of which nothing is read; then the last ones.
            let mut caches: Vec<Cache> = texts.iter().map(|_| Cache::new(net.shape())).collect();
            let mut room = Workspace::default();
            for read in [Read::None, Read::Last] {
                let mut pieces: Vec<Piece> = caches.iter_mut().zip(&texts).map(|(cache, (tokens, which))| {
                    let (before, last) = tokens.split_at(tokens.len() - 1);
                    let tokens = if read == Read::None { before } else { last };
                    Piece { cache, tokens, read, adapter: own(*which) }
                }).collect();
                net.step(&mut pieces, &mut room);
            }
            for ((hidden, logits), expected) in room.rows(&net).zip(&alone) {
                let row: Vec<u32> = hidden.iter().chain(logits).map(|x| x.to_bits()).collect();
                prop_assert_eq!(&row[..], &expected[expected.len() - row.len()..]);
            }
        }
    }
}

#[test]
fn every_target_changes_the_answer_and_no_adapter_changes_another() {
    let config = support::config(true, VOCAB, 32);
    let net = net(&config, Path::best());
    let tokens = [1, 5, 9, 2, 44];
    let plain = bits(&net, None, &tokens, 64);
    let mut seen = vec![plain.clone()];
    for target in Target::ALL {
        let found = bits(&net, Some(&adapter(&config, &[target], 4, 1)), &tokens, 64);
        assert!(!seen.contains(&found), "{target:?}");
        seen.push(found);
    }
    assert_eq!(bits(&net, None, &tokens, 64), plain);
}

#[test]
fn the_frozen_adapter_has_its_root_and_its_hidden_vectors() {
    let config = support::config(false, VOCAB, 32);
    let adapter = adapter(&config, &[Target::Query, Target::Value, Target::Down], 5, 3);
    let net = net(&config, Path::best());
    let (mut cache, mut room, mut hidden) = (Cache::new(net.shape()), Workspace::default(), Vec::new());
    net.read_adapted(Some(&adapter), &mut cache, &[3, 1, 4, 1, 5], (64, 0), &mut room, &mut |_, row, _| {
        hidden.extend_from_slice(row);
    });
    let found = json!({
        "root": hex::encode(adapter.root()),
        "parameters": adapter.parameters(),
        "hidden": hex::encode(hidden_digest(&hidden)),
    });
    let frozen: Value = serde_json::from_str(include_str!("../vectors/adapter.json")).unwrap();
    assert_eq!(found, frozen, "found {found:#}");
}

#[test]
fn the_root_binds_base_rank_alpha_and_every_row() {
    let config = support::config(false, VOCAB, 32);
    let made = |tensors: &Tensors, base: &Hash, rank, alpha| {
        *Adapter::parse(&write(tensors, base, rank, alpha).unwrap(), &config).unwrap().root()
    };
    let own = tensors(&config, &[Target::Query], 4, 0);
    let root = made(&own, &BASE, 4, 8.0);
    assert_eq!(made(&own, &BASE, 4, 8.0), root);
    assert_ne!(made(&own, &[8; 32], 4, 8.0), root);
    assert_ne!(made(&own, &BASE, 4, 8.5), root);
    assert_ne!(made(&tensors(&config, &[Target::Query], 5, 0), &BASE, 5, 8.0), root);
    // The same values under the name of another product of the same shape.
    let moved = |from: &str, to: &str| own.iter().map(|(n, t)| (n.replace(from, to), t.clone())).collect();
    let moved: Tensors = moved("q_proj", "o_proj");
    assert_ne!(made(&moved, &BASE, 4, 8.0), root);
    for name in own.keys() {
        let rows = own[name].values.len();
        for at in [0, rows / 2, rows - 1] {
            let mut changed = own.clone();
            changed.get_mut(name).unwrap().values[at] += 0.1;
            assert_ne!(made(&changed, &BASE, 4, 8.0), root, "{name} at {at}");
        }
    }
}

#[test]
fn node_attack_hostile_adapter_files_are_refused() {
    let config = support::config(false, VOCAB, 32);
    let own = tensors(&config, &[Target::Query, Target::Up], 4, 0);
    let good = write(&own, &BASE, 4, 8.0).unwrap();
    let refused = |bytes: &[u8], case: &str| {
        let code = Adapter::parse(bytes, &config).err().map(|e| e.code);
        assert_eq!(code, Some("E-MODEL-014"), "{case}");
    };
    assert!(Adapter::parse(&good, &config).is_ok() && (good.len() as u64) < max_file_bytes(&config));
    for end in 0..good.len() {
        refused(&good[..end], "cut off");
    }
    refused(&[&good[..], &[0]].concat(), "longer than it says");
    let mut huge = good.clone();
    huge[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    refused(&huge, "a header of 2^64 bytes");
    for (rank, alpha) in
        [(0, 8.0), (3, 8.0), (257, 8.0), (4, 0.0), (4, -1.0), (4, f32::NAN), (4, f32::INFINITY)]
    {
        refused(&write(&own, &BASE, rank, alpha).unwrap(), &format!("rank {rank}, alpha {alpha}"));
    }
    for bad in [f32::NAN, f32::INFINITY] {
        let mut changed = own.clone();
        changed.values_mut().next().unwrap().values[7] = bad;
        refused(&write(&changed, &BASE, 4, 8.0).unwrap(), "not finite");
    }
    let mut changed = own.clone();
    let first = changed.keys().next().unwrap().clone();
    changed.remove(&first);
    refused(&write(&changed, &BASE, 4, 8.0).unwrap(), "one tensor of two");
    changed.clear();
    refused(&write(&changed, &BASE, 4, 8.0).unwrap(), "nothing");
    changed = own.clone();
    changed.insert("lm_head.weight".into(), Tensor { shape: vec![1], values: vec![1.0] });
    refused(&write(&changed, &BASE, 4, 8.0).unwrap(), "a tensor of no product");
    changed = own.clone();
    changed.get_mut(&first).unwrap().shape.reverse();
    refused(&write(&changed, &BASE, 4, 8.0).unwrap(), "a turned shape");
    let wider = support::config(false, VOCAB, 64);
    refused(&write(&tensors(&wider, &[Target::Query], 4, 0), &BASE, 4, 8.0).unwrap(), "of a wider base");
    let text = String::from_utf8_lossy(&good).into_owned();
    assert!(text.contains("openledger-lora/1"));
    let at = good.windows(17).position(|w| w == b"openledger-lora/1").unwrap();
    let mut other = good.clone();
    other[at + 16] = b'2';
    refused(&other, "another format");
}

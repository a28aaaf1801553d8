//! `model.q8` (docs/formats.md): what was written is read, and nothing else is taken for it.

mod support;

use openledger_exact::cache::Cache;
use openledger_exact::config::ModelConfig;
use openledger_exact::net::{ExactNet, Workspace};
use openledger_exact::prepared::{prepared_len, read_prepared, write_prepared};
use openledger_exact::weights::ExactWeights;
use openledger_numerics::Path;
use serde_json::{json, Value};

fn written(weights: &ExactWeights) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_prepared(weights, &weights.root(), &mut bytes).unwrap();
    bytes
}

fn logits(config: &ModelConfig, weights: ExactWeights) -> Vec<u32> {
    let net = ExactNet::new(config, weights, Path::best());
    let (mut cache, mut room, mut all) = (Cache::new(net.shape()), Workspace::default(), Vec::new());
    net.read_text(&mut cache, &[1, 2, 3, 0], (4, 0), &mut room, &mut |_, _, logits| {
        all.extend(logits.iter().map(|x| x.to_bits()));
    });
    all
}

#[test]
fn a_written_file_gives_the_same_weights_by_any_number_of_threads() {
    for (qwen, vocab, hidden) in [(false, 4, 8), (true, 37, 48), (false, 70, 64)] {
        let config = support::config(qwen, vocab, hidden);
        let weights = support::weights(&config, 0);
        let (root, bytes) = (weights.root(), written(&weights));
        assert_eq!(prepared_len(&config), Some(bytes.len() as u64));
        let expected = logits(&config, weights);
        for threads in [0, 1, 2, 64] {
            let read = read_prepared(&config, &root, &bytes, threads).unwrap();
            assert_eq!(read.root_with(threads), root);
            assert_eq!(written(&read), bytes);
            assert_eq!(logits(&config, read), expected);
        }
    }
}

#[test]
fn node_attack_a_changed_byte_is_found_wherever_it_stands() {
    let config = support::config(true, 4, 8);
    let weights = support::weights(&config, 0);
    let (root, mut bytes) = (weights.root(), written(&weights));
    for at in 0..bytes.len() {
        for bit in [0x01, 0x80] {
            bytes[at] ^= bit;
            let refused = read_prepared(&config, &root, &bytes, 1).err();
            assert_eq!(refused.map(|e| e.code), Some("E-MODEL-010"), "bit {bit:#x} of byte {at}");
            bytes[at] ^= bit;
        }
    }
    assert!(read_prepared(&config, &root, &bytes, 1).is_ok());
}

#[test]
fn node_attack_a_file_of_other_weights_shape_or_length_is_refused() {
    let config = support::config(false, 4, 8);
    let (weights, other) = (support::weights(&config, 0), support::weights(&config, 1));
    let root = weights.root();
    let refused = |bytes: &[u8]| read_prepared(&config, &root, bytes, 2).err().map(|e| e.code);
    assert_eq!(refused(&written(&other)), Some("E-MODEL-010"));
    // Other weights under the right root.
    let mut posing = Vec::new();
    write_prepared(&other, &root, &mut posing).unwrap();
    assert_eq!(refused(&posing), Some("E-MODEL-010"));
    let bytes = written(&weights);
    for len in [0, 7, 39, 40, bytes.len() - 1] {
        assert_eq!(refused(&bytes[..len]), Some("E-MODEL-010"), "{len} bytes");
    }
    assert_eq!(refused(&[&bytes[..], &[0]].concat()), Some("E-MODEL-010"));
    let larger = support::config(false, 5, 8);
    assert_eq!(refused(&written(&support::weights(&larger, 0))), Some("E-MODEL-010"));
}

#[test]
fn the_format_is_the_frozen_one() {
    let config = support::config(false, 4, 8);
    let weights = support::weights(&config, 0);
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let computed = json!({
        "config": serde_json::to_value(&config).unwrap(),
        "weights_root": hex(&weights.root()),
        "file": hex(&written(&weights)),
    });
    let path = "vectors/prepared.json";
    if std::env::var_os("OPENLEDGER_WRITE_VECTORS").is_some() {
        std::fs::write(path, format!("{computed}\n")).unwrap();
    }
    let frozen: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(frozen, computed);
}

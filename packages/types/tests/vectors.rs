//! docs/formats.md in numbers. `packages/types/vectors/formats.json` is frozen: this test recomputes
//! every entry and compares. To add a format, add it to `computed` and append what the test prints.

use cosmwasm_std::{HexBinary, Uint128};
use openledger_types::faults::{datanets_hash, receipt_guilt, root_guilt, sequence_guilt, SessionFacts};
use openledger_types::formats::*;
use openledger_types::merkle::{chunk_root, Frontier, Hash, SumNode, Tree, BLOB_CHUNK, CONTENT_CHUNK};
use openledger_types::money::divide_answer;
use serde_json::{json, Value};

fn h(byte: u8) -> Hash {
    [byte; 32]
}

fn hx(byte: u8) -> HexBinary {
    HexBinary::from(&h(byte))
}

fn hex32(hash: Hash) -> String {
    hex::encode(hash)
}

fn blob(byte: u8) -> BlobRef {
    BlobRef { root: hx(byte), len: 1000 + u64::from(byte) }
}

fn facts() -> ContributionFacts {
    ContributionFacts {
        datanet_id: 3,
        contribution_id: 17,
        contributor: "openledger1contributor".into(),
        priority: Priority { height: 100, tx_index: 2 },
        content_root: hx(1),
        content_len: 2048,
        match_root: hx(2),
        match_len: 2000,
        match_hash: hx(3),
        blob: blob(4),
        media: "text/plain".into(),
        license: "MIT OR Apache-2.0".into(),
        uses: Uses { train: true, answer: true, commercial: false },
    }
}

fn version() -> VersionRef {
    VersionRef { datanet_id: 3, version: 1, root: hx(5), size: 9 }
}

fn voucher() -> Voucher {
    Voucher {
        chain_id: "openledger-1".into(),
        contract: "openledger1escrow".into(),
        session_id: 7,
        node_id: 2,
        sequence: 4,
        denom: "uopen".into(),
        request_hash: hx(6),
        cumulative_max: Uint128::new(123_456_789),
        acknowledged: SumRoot { hash: hx(7), sum: Uint128::new(1_000_000), count: 3 },
    }
}

fn receipt() -> Receipt {
    Receipt {
        chain_id: "openledger-1".into(),
        contract: "openledger1escrow".into(),
        node_id: 2,
        session_id: 7,
        sequence: 4,
        height: 101,
        request_hash: hx(6),
        answer_root: hx(8),
        answer_len: 300,
        model_id: 5,
        model_version: 1,
        datanets: vec![version()],
        tokens_in: 20,
        tokens_out: 64,
        fee: Uint128::new(84_000),
        decoding: Decoding { temperature_milli: 800, top_k: 40, top_p_milli: 950, max_tokens: 64 },
        seed: hx(9),
        commit_scheme: "proj32-f32/1".into(),
        commit_root: hx(10),
        signature_scheme: "none".into(),
        signature_root: hx(0),
        evidence_root: hx(11),
        outcome: Outcome::Stop,
        shares: vec![Share { contribution_id: 17, bps: 6_000 }, Share { contribution_id: 21, bps: 1_500 }],
        no_evidence: 2_500,
    }
}

fn detail() -> Detail {
    Detail { receipt_id: hx(12), contribution_id: 17, amount: Uint128::new(25_200) }
}

fn leaf() -> LedgerLeaf {
    LedgerLeaf {
        account: Account::Contributor("openledger1contributor".into()),
        cumulative: Uint128::new(70_000),
        uses: 3,
        detail: SumRoot::new(Tree::new(vec![detail().leaf()]).unwrap().root(), 1),
    }
}

fn epoch() -> EpochCommit {
    EpochCommit {
        chain_id: "openledger-1".into(),
        contract: "openledger1escrow".into(),
        node_id: 2,
        denom: "uopen".into(),
        epoch: 1,
        previous: SumRoot::empty(),
        receipts: SumRoot::new(Tree::new(vec![receipt().leaf()]).unwrap().root(), 1),
        ledger: SumRoot::new(Tree::new(vec![leaf().leaf()]).unwrap().root(), 1),
        leaves_blob: blob(13),
        receipts_blob: blob(14),
    }
}

fn session_facts() -> SessionFacts {
    SessionFacts {
        session_id: 7,
        node_id: 2,
        node_key: HexBinary::from(&[2; 33]),
        denom: "uopen".into(),
        model_id: 5,
        model_version: 1,
        datanets_hash: hx(23),
        price_in: Uint128::new(200),
        price_out: Uint128::new(1_250),
        min_fee: Uint128::new(10_000),
        floor_per_token: Uint128::new(5),
        data_bps: 5_000,
        opened_at: 90,
        log: SumRoot { hash: hx(7), sum: Uint128::new(1_000_000), count: 3 },
        settled_from: 1,
        settled_epoch: 2,
    }
}

fn row() -> Row {
    [0, 1, -1, 127, -127, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, -12]
}

fn sum(node: SumNode) -> Value {
    json!({ "hash": hex32(node.hash), "sum": node.sum.to_string() })
}

fn computed() -> Value {
    let text: Vec<u8> = (0..2500u32).map(|i| (i % 251) as u8).collect();
    let large: Vec<u8> = (0..40_000u32).map(|i| (i % 251) as u8).collect();
    let manifest = br#"{"format":1}"#;
    let request = request_hash(br#"{"prompt":"hi"}"#, &h(20));
    let piece = Piece { answer_start: 5, len: 40, contribution_id: 17, source_start: 1000 };
    let mut log = Frontier::new();
    for fee in [1u128, 10, 100] {
        log.push(receipt_leaf(&h(fee as u8), 7, fee as u64, fee)).unwrap();
    }
    let r = receipt();
    let division = divide_answer(84_001, 5_000, &r.shares, r.no_evidence, &h(9));
    let mut all = json!({
        "chunk_root_2500_bytes_1024": hex32(chunk_root(&text, CONTENT_CHUNK)),
        "blob_root_40000_bytes_16384": hex32(chunk_root(&large, BLOB_CHUNK)),
        "commit_leaf": hex32(commit_leaf(&h(1), "openledger1contributor", &h(2))),
        "contribution": { "input": facts(), "leaf": hex32(facts().leaf()) },
        "contribution_1": { "input": facts(), "leaf": hex32(facts().legacy_leaf()) },
        "version": { "input": version(), "hash": hex32(version().hash()) },
        "manifest_hash": { "document": String::from_utf8_lossy(manifest), "hash": hex32(manifest_hash(manifest)) },
        "quantized_row_leaf": hex32(quantized_row_leaf("lm_head.weight", 3, &[0.25], &[-127, 0, 127, 5])),
        "hidden_digest": hex32(hidden_digest(&[1.5, -0.25])),
        "weights_row_leaf": hex32(weights_row_leaf("lm_head.weight", 3, &1.5f32.to_le_bytes())),
        "training_leaf": sum(training_leaf(17, 4)),
        "training_root": hex32(training_root(&[(3, SumRoot { hash: hx(7), sum: Uint128::new(44), count: 6 })])),
        "withdrawal_leaf": hex32(withdrawal_leaf(3, 17, 500)),
        "node_key_digest": hex32(node_key_digest("openledger-1", "openledger1registry", "openledger1operator", &[2; 33])),
        "audit_draw": audit_draw(&h(21), &h(22)).to_string(),
        "vote_commitment": hex32(vote_commitment("openledger-1", "openledger1referee", 4, 2, true, &h(21))),
        "seed_commitment": hex32(seed_commitment("openledger-1", "openledger1referee", 2, 9, &h(22))),
        "session_facts": { "input": session_facts(), "hash": hex32(session_facts().hash()) },
        "datanets_hash": hex32(datanets_hash(&[version()])),
        "guilt": {
            "receipt": hex32(receipt_guilt(&h(24))),
            "sequence": hex32(sequence_guilt(7, 2, 4)),
            "root": hex32(root_guilt(&h(25))),
        },
        "request_hash": { "body": "{\"prompt\":\"hi\"}", "nonce": hex32(h(20)), "hash": hex32(request) },
        "seed": hex32(seed(&request, 7, 2, 4)),
        "window_leaf": hex32(window_leaf(&request, 1, &[5, 70_000], &[1, 2, 3, 4])),
        "voucher": { "input": voucher(), "digest": hex32(voucher().digest()) },
        "receipt": { "input": receipt(), "digest": hex32(receipt().digest()), "leaf": sum(receipt().leaf()) },
        "log_of_three": { "root": sum(log.root().unwrap()), "peaks": log.peaks().iter().map(|p| sum(*p)).collect::<Vec<_>>() },
        "evidence_header_leaf": hex32(evidence_header_leaf(&h(15), 290)),
        "span_leaf": hex32(piece.leaf()),
        "influence": {
            "signature_header_leaf": hex32(signature_header_leaf("rkf16-int8/1", 2)),
            "signature_row_leaf": hex32(signature_row_leaf(70_000, &row())),
            "influence_header_leaf": hex32(influence_header_leaf("rkf16-int8/1", &h(26), &[(17, 0), (21, 3)], 2)),
            "posting_leaf": hex32(posting_leaf(5, &[(0, row()), (1, row())])),
        },
        "tie_key": hex32(tie_key(&h(9), 17)),
        "detail": { "input": detail(), "leaf": sum(detail().leaf()) },
        "ledger_leaf": { "input": leaf(), "leaf": sum(leaf().leaf()) },
        "commons_leaf": sum(LedgerLeaf { account: Account::Commons, ..leaf() }.leaf()),
        "dust_leaf": sum(LedgerLeaf { account: Account::Dust, ..leaf() }.leaf()),
    });
    // One list of all is more than the macro can nest.
    let rest = json!({
        "adapter_root": hex32(adapter_root(&h(1), 8, 16.0, &h(2))),
        "adapter_rows_leaf": hex32(adapter_rows_leaf("a.lora_A.weight", 16, &[(vec![0.25], vec![-127, 5]), (vec![0.5], vec![1, 0])])),
        "close_digest": hex32(close_digest("openledger-1", "openledger1gateway", 7)),
        "payer_account": hex32(payer_account("openledger1gateway", "channel-0", "cosmos1payer")),
        "epoch": { "input": epoch(), "hash": hex32(epoch().hash()) },
        "storage": storage(),
        "divide_answer": {
            "fee": "84001", "data_bps": 5000, "seed": hex32(h(9)),
            "amounts": division.amounts.iter().map(|(id, a)| json!([id, a.to_string()])).collect::<Vec<_>>(),
            "commons": division.commons.to_string(),
        },
    });
    if let (Some(all), Value::Object(rest)) = (all.as_object_mut(), rest) {
        all.extend(rest);
    }
    all
}

/// Packs, placements, draws. The vectors were computed by another implementation (Python's hashlib).
fn storage() -> Value {
    let nanos = 1_700_000_000_123_456_789;
    let (chain, contract) = ("openledger-1", "openledger1storage");
    let pack = pack_id(3, [(17, &blob(4)), (18, &blob(5))].into_iter());
    let seed = placement_seed(chain, contract, 9, &pack, 100, nanos);
    let beacon = storage_beacon(chain, contract, &h(0), 1, 100, nanos);
    json!({
        "pack_id": hex32(pack),
        "placement_seed": hex32(seed),
        "score": hex32(storage_score(&seed, 2)),
        "beacon": hex32(beacon),
        "sample": storage_sample(&beacon, 2, 3, 1_000_003),
    })
}

#[test]
fn every_format_matches_its_frozen_vector() {
    let path = "vectors/formats.json";
    let computed = computed();
    let frozen: Value = std::fs::read_to_string(path)
        .ok()
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_else(|| panic!("{path} is missing or no JSON; it would hold:\n{computed:#}"));
    let (frozen, computed) = (frozen.as_object().unwrap(), computed.as_object().unwrap());
    assert_eq!(
        frozen.keys().collect::<Vec<_>>(),
        computed.keys().collect::<Vec<_>>(),
        "formats and vectors name different things"
    );
    for (name, value) in computed {
        assert_eq!(&frozen[name], value, "{name} changed: a frozen format never does");
    }
}

#[test]
fn inputs_read_back_to_the_same_hashes() {
    let text = serde_json::to_string(&receipt()).unwrap();
    let back: Receipt = serde_json::from_str(&text).unwrap();
    assert_eq!(back.digest(), receipt().digest());
    let back: Voucher = serde_json::from_str(&serde_json::to_string(&voucher()).unwrap()).unwrap();
    assert_eq!(back.digest(), voucher().digest());
    let back: EpochCommit = serde_json::from_str(&serde_json::to_string(&epoch()).unwrap()).unwrap();
    assert_eq!(back.hash(), epoch().hash());
    assert!(serde_json::to_string(&NumericClass::TolerantF32).unwrap().contains("tolerant-f32"));
}

/// Flips every leaf value of a JSON document in turn and checks that the hash changes with it.
fn every_field_counts<T: serde::de::DeserializeOwned + serde::Serialize>(
    value: &T,
    skip: &[&str],
    hash: impl Fn(&T) -> Hash,
) {
    fn leaves(value: &Value, path: Vec<String>, out: &mut Vec<Vec<String>>) {
        match value {
            Value::Object(map) => map.iter().for_each(|(k, v)| {
                let mut p = path.clone();
                p.push(k.clone());
                leaves(v, p, out)
            }),
            Value::Array(list) => list.iter().enumerate().for_each(|(i, v)| {
                let mut p = path.clone();
                p.push(i.to_string());
                leaves(v, p, out)
            }),
            _ => out.push(path),
        }
    }
    let document = serde_json::to_value(value).unwrap();
    let mut paths = Vec::new();
    leaves(&document, Vec::new(), &mut paths);
    assert!(paths.len() > 5);
    for path in paths {
        if skip.iter().any(|s| path.iter().any(|p| p == s)) {
            continue;
        }
        let mut changed = document.clone();
        let mut at = &mut changed;
        for key in &path {
            at = match at {
                Value::Array(list) => &mut list[key.parse::<usize>().unwrap()],
                other => other.get_mut(key).unwrap(),
            };
        }
        *at = match at.clone() {
            Value::Bool(b) => json!(!b),
            Value::Number(n) => json!(n.as_u64().unwrap() + 1),
            Value::String(s) if s == "stop" => json!("length"),
            Value::String(s) if s.parse::<u128>().is_ok() && s.len() < 30 => {
                json!((s.parse::<u128>().unwrap() + 1).to_string())
            }
            Value::String(s) if s.len() == 64 || s.len() == 66 => json!(format!("ff{}", &s[2..])),
            Value::String(s) => json!(format!("{s}x")),
            other => panic!("{other}"),
        };
        let back: T = serde_json::from_value(changed).unwrap();
        assert_ne!(hash(&back), hash(value), "{path:?} is not hashed");
    }
}

#[test]
fn rule_s1_every_field_of_a_voucher_is_signed() {
    every_field_counts(&voucher(), &[], Voucher::digest);
}

#[test]
fn rule_s2_every_field_of_a_receipt_is_signed() {
    every_field_counts(&receipt(), &[], Receipt::digest);
}

#[test]
fn rule_l2_every_field_of_an_epoch_is_hashed() {
    every_field_counts(&epoch(), &[], EpochCommit::hash);
}

#[test]
fn rule_d2_every_field_of_a_contribution_is_hashed() {
    every_field_counts(&facts(), &[], ContributionFacts::leaf);
}

#[test]
fn rule_f1_every_field_of_session_facts_is_hashed() {
    every_field_counts(&session_facts(), &[], SessionFacts::hash);
}

#[test]
fn rule_l3_every_field_of_a_leaf_is_hashed() {
    every_field_counts(&leaf(), &[], |l: &LedgerLeaf| l.leaf().hash);
    assert_ne!(Detail { contribution_id: 18, ..detail() }.leaf(), detail().leaf());
}

#[test]
fn rule_s2_shares_of_a_wrong_form_are_refused() {
    let share = |id, bps| Share { contribution_id: id, bps };
    assert!(validate_shares(&[share(1, 4000), share(2, 5000)], 1000).is_ok());
    assert!(validate_shares(&[], 10_000).is_ok());
    for (shares, rest) in [
        (vec![share(2, 4000), share(1, 5000)], 1000),
        (vec![share(1, 4000), share(1, 5000)], 1000),
        (vec![share(1, 4000), share(2, 5000)], 999),
        (vec![share(1, 0), share(2, 9000)], 1000),
        (vec![share(0, 9000)], 1000),
        ((1..=65).map(|i| share(i, 1)).collect(), 9935),
        (vec![share(1, 10_000), share(2, 10_000)], 0),
    ] {
        assert!(validate_shares(&shares, rest).is_err(), "{shares:?} {rest}");
    }
}

#[test]
fn a_signature_has_one_form() {
    use k256::ecdsa::{signature::hazmat::PrehashSigner, Signature, SigningKey};
    use openledger_types::signature::{is_canonical, is_compressed_key};
    let key = SigningKey::from_slice(&h(1)).unwrap();
    let signature: Signature = key.sign_prehash(&h(2)).unwrap();
    let low = signature.normalize_s().unwrap_or(signature);
    let high = Signature::from_scalars(low.r().to_bytes(), (-*low.s()).to_bytes()).unwrap();
    assert!(is_canonical(&low.to_bytes()));
    assert!(!is_canonical(&high.to_bytes()));
    assert!(!is_canonical(&low.to_bytes()[..63]));
    assert!(is_compressed_key(key.verifying_key().to_encoded_point(true).as_bytes()));
    assert!(!is_compressed_key(key.verifying_key().to_encoded_point(false).as_bytes()));
}

//! An answer that was changed anywhere does not verify: one flipped byte in voucher, receipt, body,
//! nonce, answer, tokens, trace, evidence or share is found, by the pure checks or by computing the
//! answer again.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::atomic::AtomicBool;
use std::sync::OnceLock;

use cosmwasm_std::{Binary, HexBinary, Uint128};
use openledger::check::{check_bundle, Check, Pins};
use openledger::verify::{check_rows, recompute};
use openledger_attribution::influence::{InfluenceIndex, Signature, EKFAC, LOGRA, RANK, READOUT};
use openledger_attribution::{Document, Evidence, Index, Weights};
use openledger_client::Key;
use openledger_node::attribution::{Asked, Attribution, Source, INFLUENCE_FILE};
use openledger_node::engine::{GenRequest, Model};
use openledger_node::request::{self, Endpoint};
use openledger_node::train::{self, Recipe};
use openledger_types::api::{AnswerBundle, EvidencePiece};
use openledger_types::formats::{
    request_hash, seed, Outcome, Receipt, SignedReceipt, SignedVoucher, SumRoot, VersionRef, Voucher,
};
use openledger_types::merkle::{chunk_root, CONTENT_CHUNK, ZERO_HASH};
use openledger_types::money::answer_fee;

const BODY: &[u8] = br#"{"model":"1:1","prompt":"the ledger pays","max_tokens":24,"temperature":0.5}"#;

/// An honest answer with what is known to check it.
struct Honest {
    model: Model,
    attribution: Attribution,
    pins: Pins,
    node_key: Key,
    session_key: Key,
    bundle: AnswerBundle,
    /// Everything that is indexed.
    texts: Vec<String>,
}

fn honest() -> &'static Honest {
    static HONEST: OnceLock<Honest> = OnceLock::new();
    HONEST.get_or_init(make)
}

fn texts() -> Vec<String> {
    let sentences = [
        "the ledger pays every contributor for each answer that repeats its words exactly and nobody else",
        "in the old harbour a ledger lists boats, their captains, cargo and the tolls that were due at dusk",
        "apples from the northern orchard are weighed twice before any ledger names the buyer or his price",
        "when iron leaves the foundry its weight goes into a second ledger that the smith keeps under lock",
    ];
    (0..)
        .zip(sentences)
        .map(|(i, text)| format!("document {i}: {}", format!("{text}; ").repeat(40)))
        .collect()
}

fn index(texts: &[String]) -> Index {
    let documents = (1u64..).zip(texts).map(|(id, text)| Document {
        contribution_id: id,
        contributor: format!("contributor{id}"),
        priority: (id, 0),
        match_text: openledger_ingest::match_text(text),
    });
    Index::build(documents.collect()).expect("the texts can be indexed")
}

fn make() -> Honest {
    let texts = texts();
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    let versions = vec![VersionRef { datanet_id: 1, version: 1, root: HexBinary::from(&[7u8; 32]), size: 4 }];
    let documents: Vec<train::Document> = texts
        .iter()
        .enumerate()
        .map(|(i, text)| train::Document { contribution_id: i as u64 + 1, datanet_id: 1, text })
        .collect();
    let recipe = Recipe { steps: Some(150), ..Recipe::tiny() };
    train::train(&recipe, &documents, &versions, dir.path(), &mut |_| {}, &AtomicBool::new(false))
        .expect("the tiny recipe trains");
    let model = Model::load(dir.path()).expect("what was trained loads");

    let (node_key, session_key) = (Key::random().expect("random"), Key::random().expect("random"));
    let pins = Pins {
        chain_id: "test-1".into(),
        contract: "escrow".into(),
        session_id: 5,
        denom: "uopen".into(),
        session_key: HexBinary::from(&session_key.public_key()),
        node_id: 2,
        node_key: HexBinary::from(&node_key.public_key()),
        model_id: 1,
        model_version: 1,
        datanets: versions,
        price_in: 100,
        price_out: 1_000,
        min_fee: 10_000,
    };
    let nonce = [9u8; 32];
    let hash = request_hash(BODY, &nonce);
    let voucher = Voucher {
        chain_id: pins.chain_id.clone(),
        contract: pins.contract.clone(),
        session_id: 5,
        node_id: 2,
        sequence: 1,
        denom: pins.denom.clone(),
        request_hash: HexBinary::from(&hash),
        cumulative_max: Uint128::new(100_000),
        acknowledged: SumRoot::empty(),
    };
    let asked = request::parse(Endpoint::Completions, BODY).expect("the body can be read");
    let prompt_tokens = model.encode_prompt(&asked.prompt).expect("the prompt fits");
    let decoding = asked.decoding(model.context(), prompt_tokens.len()).expect("the answer fits");
    let seed = seed(&hash, 5, 2, 1);
    let tokens_in = prompt_tokens.len() as u32;
    let prompt = prompt_tokens.clone();
    let stop = asked.stop.clone();
    let request = GenRequest {
        prompt_tokens,
        decoding,
        seed,
        request_hash: hash,
        stop,
        repetition_milli: 1_000,
        schema: None,
    };
    let made = model.generate(&request, &mut |_| ControlFlow::Continue(())).expect("the model answers");
    // One more document holds the answer, so that there is evidence whatever the small model writes.
    let quoting = format!("somebody wrote: {} and no more", made.text);
    let all = [texts.clone(), vec![quoting.clone()]].concat();
    let sources: Vec<Source> =
        (1u64..).zip(&all).map(|(contribution_id, text)| Source { contribution_id, text }).collect();
    let index = index(&all);
    Model::add_influence(dir.path(), &sources, &index, Weights::default(), None, &|_, _| {})
        .expect("the model gets its influence index");
    let influence = std::fs::read(dir.path().join(INFLUENCE_FILE)).expect("the index was written");
    let model = Model::load(dir.path()).expect("what was trained loads");
    let attribution =
        Attribution::open(model.manifest(), index, Some(&influence)).expect("the index is the manifest's");
    let answered =
        Asked { prompt: &asked.prompt, prompt_tokens: &prompt, answer: &made.text, tokens: &made.tokens };
    let signature = attribution.sign(&model, &answered).expect("the answer can be signed");
    let trace = attribution.evidence(&answered, &signature, &seed, &BTreeSet::new());
    let tokens_out = made.tokens.len() as u32;
    let receipt = Receipt {
        chain_id: pins.chain_id.clone(),
        contract: pins.contract.clone(),
        node_id: 2,
        session_id: 5,
        sequence: 1,
        height: 10,
        request_hash: HexBinary::from(&hash),
        answer_root: HexBinary::from(&chunk_root(made.text.as_bytes(), CONTENT_CHUNK)),
        answer_len: made.text.len() as u64,
        model_id: 1,
        model_version: 1,
        datanets: pins.datanets.clone(),
        tokens_in,
        tokens_out,
        fee: Uint128::new(
            answer_fee(tokens_in, tokens_out, pins.price_in, pins.price_out, pins.min_fee).expect("small"),
        ),
        decoding,
        seed: HexBinary::from(&seed),
        commit_scheme: model.manifest().commit_scheme.clone(),
        commit_root: HexBinary::from(&made.commit_root),
        signature_scheme: attribution.signature_scheme().into(),
        signature_root: HexBinary::from(&attribution.signature_root(&signature)),
        evidence_root: HexBinary::from(&Evidence::new(&trace).root()),
        outcome: made.outcome,
        shares: trace.shares.clone(),
        no_evidence: trace.no_evidence_bps,
    };
    let evidence = trace
        .pieces
        .iter()
        .map(|p| EvidencePiece {
            answer_start: p.answer_start,
            len: p.len,
            contribution_id: p.contribution_id,
            source_start: p.source_start,
        })
        .collect();
    let bundle = AnswerBundle {
        receipt: SignedReceipt {
            signature: HexBinary::from(&node_key.sign_digest(&receipt.digest())),
            receipt,
        },
        voucher: SignedVoucher {
            signature: HexBinary::from(&session_key.sign_digest(&voucher.digest())),
            voucher,
        },
        endpoint: Endpoint::Completions.path().into(),
        body: Binary::from(BODY),
        nonce: HexBinary::from(&nonce),
        answer: made.text,
        tokens: made.tokens,
        trace: Binary::from(made.trace),
        evidence,
        signature: Binary::from(signature.to_bytes()),
    };
    Honest { model, attribution, pins, node_key, session_key, bundle, texts: all }
}

fn failing(checks: Vec<Check>) -> Vec<&'static str> {
    checks.into_iter().filter(|c| !c.holds).map(|c| c.name).collect()
}

/// Names of the checks that fail, without and with the model.
fn failures(bundle: &AnswerBundle) -> (Vec<&'static str>, Vec<&'static str>) {
    let honest = honest();
    let again = recompute(&honest.model, &honest.attribution, bundle, &BTreeSet::new());
    (failing(check_bundle(&honest.pins, bundle)), failing(again.checks.0))
}

fn flipped(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let at = at % bytes.len();
    bytes[at] ^= 1;
    bytes
}

/// The change signed again by the node, as a node that lies would do.
fn signed_again(mut bundle: AnswerBundle) -> AnswerBundle {
    let digest = bundle.receipt.receipt.digest();
    bundle.receipt.signature = HexBinary::from(&honest().node_key.sign_digest(&digest));
    bundle
}

#[test]
fn an_honest_answer_verifies() {
    let bundle = &honest().bundle;
    assert_eq!(failures(bundle), (vec![], vec![]));
    assert!(
        !bundle.tokens.is_empty() && !bundle.evidence.is_empty() && !bundle.receipt.receipt.shares.is_empty()
    );
    // As it stands in the file and in the node's answer.
    let read: AnswerBundle = serde_json::from_slice(&serde_json::to_vec(bundle).unwrap()).unwrap();
    assert_eq!(&read, bundle);
}

#[test]
fn a_flipped_byte_in_a_signature_fails() {
    for at in [0, 31, 32, 63] {
        let mut bundle = honest().bundle.clone();
        bundle.receipt.signature = HexBinary::from(flipped(&bundle.receipt.signature, at));
        assert_eq!(failures(&bundle).0, ["receipt signed by the node key"]);
        let mut bundle = honest().bundle.clone();
        bundle.voucher.signature = HexBinary::from(flipped(&bundle.voucher.signature, at));
        assert_eq!(failures(&bundle).0, ["voucher signed by the session key"]);
    }
}

#[test]
fn every_changed_field_of_the_receipt_fails() {
    type Change = fn(&mut Receipt);
    let changes: Vec<(&str, Change)> = vec![
        ("chain_id", |r| r.chain_id.push('x')),
        ("contract", |r| r.contract.push('x')),
        ("node_id", |r| r.node_id += 1),
        ("session_id", |r| r.session_id += 1),
        ("sequence", |r| r.sequence += 1),
        ("height", |r| r.height += 1),
        ("request_hash", |r| r.request_hash = HexBinary::from(flipped(&r.request_hash, 3))),
        ("answer_root", |r| r.answer_root = HexBinary::from(flipped(&r.answer_root, 3))),
        ("answer_len", |r| r.answer_len += 1),
        ("model_id", |r| r.model_id += 1),
        ("model_version", |r| r.model_version += 1),
        ("datanets", |r| r.datanets.clear()),
        ("tokens_in", |r| r.tokens_in += 1),
        ("tokens_out", |r| r.tokens_out += 1),
        ("fee", |r| r.fee += Uint128::one()),
        ("temperature", |r| r.decoding.temperature_milli += 1),
        ("max_tokens", |r| r.decoding.max_tokens -= 1),
        ("seed", |r| r.seed = HexBinary::from(flipped(&r.seed, 3))),
        ("commit_scheme", |r| r.commit_scheme = "proj32-f32/1".into()),
        ("commit_root", |r| r.commit_root = HexBinary::from(flipped(&r.commit_root, 3))),
        ("signature_scheme", |r| r.signature_scheme.push('x')),
        ("signature_root", |r| r.signature_root = HexBinary::from(flipped(&r.signature_root, 3))),
        ("evidence_root", |r| r.evidence_root = HexBinary::from(flipped(&r.evidence_root, 3))),
        ("outcome", |r| {
            r.outcome = if r.outcome == Outcome::Stop { Outcome::Length } else { Outcome::Stop };
        }),
        ("shares", |r| {
            r.shares[0].bps -= 1;
            r.no_evidence += 1;
        }),
    ];
    for (name, change) in changes {
        let mut bundle = honest().bundle.clone();
        change(&mut bundle.receipt.receipt);
        let (plain, _) = failures(&bundle);
        assert!(plain.contains(&"receipt signed by the node key"), "{name}");
        // A node that signs the lie is found as well, but for the height, which only bounds its key.
        let (plain, again) = failures(&signed_again(bundle));
        assert_eq!(plain.is_empty() && again.is_empty(), name == "height", "{name}");
    }
}

#[test]
fn rule_s2_a_share_moved_to_another_contribution_fails_though_signed() {
    let mut bundle = honest().bundle.clone();
    let shares = &mut bundle.receipt.receipt.shares;
    let last = shares.len() - 1;
    shares[last].contribution_id += 100;
    let (plain, again) = failures(&signed_again(bundle));
    assert_eq!((plain, again), (vec![], vec!["shares recomputed"]));
}

#[test]
fn rule_s5_another_body_or_nonce_fails() {
    for at in 0..BODY.len() {
        let mut bundle = honest().bundle.clone();
        bundle.body = Binary::from(flipped(&bundle.body, at));
        assert!(failures(&bundle).0.contains(&"request hash over body and nonce (S5)"), "{at}");
    }
    let mut bundle = honest().bundle.clone();
    bundle.nonce = HexBinary::from(flipped(&bundle.nonce, 31));
    assert!(failures(&bundle).0.contains(&"request hash over body and nonce (S5)"));
    bundle.nonce = HexBinary::from(&[1u8; 31]);
    assert!(failures(&bundle).0.contains(&"request hash over body and nonce (S5)"));
}

#[test]
fn another_answer_fails() {
    let mut bundle = honest().bundle.clone();
    let changed = flipped(bundle.answer.as_bytes(), 0);
    bundle.answer = String::from_utf8_lossy(&changed).into_owned();
    let (plain, again) = failures(&bundle);
    assert!(plain.contains(&"answer root and length (S2)"));
    assert!(again.contains(&"text of the answer"));
    // Signed for by the node, the replay still finds it.
    let root = chunk_root(bundle.answer.as_bytes(), CONTENT_CHUNK);
    bundle.receipt.receipt.answer_root = HexBinary::from(&root);
    bundle.receipt.receipt.answer_len = bundle.answer.len() as u64;
    assert!(failures(&signed_again(bundle)).1.contains(&"text of the answer"));
}

#[test]
fn other_tokens_or_another_trace_fail() {
    let mut bundle = honest().bundle.clone();
    bundle.tokens[0] ^= 1;
    let (plain, again) = failures(&bundle);
    assert!(plain.contains(&"commitment over tokens and trace") && again.contains(&"replay of the answer"));
    let mut bundle = honest().bundle.clone();
    bundle.tokens.pop();
    assert!(failures(&bundle).0.contains(&"commitment over tokens and trace"));
    for at in [0, 3, 64] {
        let mut bundle = honest().bundle.clone();
        bundle.trace = Binary::from(flipped(&bundle.trace, at));
        let (plain, again) = failures(&bundle);
        assert!(
            plain.contains(&"commitment over tokens and trace") && again.contains(&"replay of the answer")
        );
    }
}

#[test]
fn other_evidence_fails() {
    let changes: [fn(&mut EvidencePiece); 4] =
        [|p| p.answer_start += 1, |p| p.len -= 1, |p| p.contribution_id += 1, |p| p.source_start += 1];
    for change in changes {
        let mut bundle = honest().bundle.clone();
        change(&mut bundle.evidence[0]);
        let (plain, again) = failures(&bundle);
        assert_eq!((plain, again), (vec!["evidence root"], vec!["evidence recomputed"]));
    }
    let mut bundle = honest().bundle.clone();
    bundle.evidence.clear();
    assert!(!failures(&bundle).0.is_empty());
}

#[test]
fn rule_s1_a_voucher_that_promises_less_or_something_else_fails() {
    let changes: [fn(&mut Voucher); 6] = [
        |v| v.cumulative_max = Uint128::one(),
        |v| v.sequence += 1,
        |v| v.session_id += 1,
        |v| v.denom.push('x'),
        |v| v.chain_id.push('x'),
        |v| v.request_hash = HexBinary::from(&ZERO_HASH),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut bundle = honest().bundle.clone();
        change(&mut bundle.voucher.voucher);
        assert!(failures(&bundle).0.contains(&"voucher signed by the session key"));
        let digest = bundle.voucher.voucher.digest();
        bundle.voucher.signature = HexBinary::from(&honest().session_key.sign_digest(&digest));
        assert!(!failures(&bundle).0.is_empty(), "change {number}");
    }
}

/// The change with the signature's root stated anew.
fn with_signature(signature: Vec<u8>) -> AnswerBundle {
    let mut bundle = honest().bundle.clone();
    let parsed = Signature::parse(&signature).expect("the test writes signatures");
    bundle.receipt.receipt.signature_root = HexBinary::from(&honest().attribution.signature_root(&parsed));
    bundle.signature = Binary::from(signature);
    signed_again(bundle)
}

#[test]
fn attr_attack_13_a_forged_signature_fails_though_signed() {
    let honest = honest();
    let row = 4 + RANK;
    assert!(honest.bundle.signature.len() >= 2 * row, "the answer has a signature of several rows");
    // As posted it is another than the receipt commits.
    let mut bundle = honest.bundle.clone();
    bundle.signature = Binary::from(bundle.signature[row..].to_vec());
    assert!(failures(&bundle).0.contains(&"signature root"));
    // Committed by the node, a pass over the answer still finds it: a row left out, a row doubled, one
    // entry moved by two.
    let left_out = honest.bundle.signature[row..].to_vec();
    let mut moved = honest.bundle.signature.to_vec();
    moved[5] = if (moved[5] as i8) < 0 { moved[5] + 2 } else { moved[5] - 2 };
    for forged in [left_out, moved, Vec::new()] {
        let (plain, again) = failures(&with_signature(forged));
        assert_eq!(plain, Vec::<&str>::new());
        assert!(again.contains(&"signature recomputed"), "{again:?}");
    }
    // In the exact class every processor finds the same: one unit in the last place is a forgery too.
    let mut near = honest.bundle.signature.to_vec();
    near[5] = if (near[5] as i8) < 0 { near[5] + 1 } else { near[5] - 1 };
    let (plain, again) = failures(&with_signature(near));
    assert_eq!(plain, Vec::<&str>::new());
    assert!(again.contains(&"signature recomputed"), "{again:?}");
}

#[test]
fn attr_attack_15_a_developer_who_favours_a_document_in_the_index_is_found() {
    let honest = honest();
    let contents: BTreeMap<u64, String> =
        texts().into_iter().enumerate().map(|(i, text)| (i as u64 + 1, text)).collect();
    let fair = check_rows(&honest.model, &honest.attribution, &contents, &honest.bundle);
    assert!(fair.hold(), "{:?}", fair.0);
    // The same index held against other texts: rows that the model does not give.
    let mut others = contents.clone();
    for text in others.values_mut() {
        *text = text.replace("ledger", "friend");
    }
    assert!(!check_rows(&honest.model, &honest.attribution, &others, &honest.bundle).hold());
}

#[test]
fn an_index_of_a_method_that_is_not_served_is_refused() {
    let honest = honest();
    let bytes = honest.attribution.influence().expect("the model has an influence index").to_bytes();
    for scheme in [READOUT, EKFAC, LOGRA] {
        // Four bytes of magic, the length of the name, the name.
        let mut renamed = bytes[..4].to_vec();
        renamed.push(scheme.len() as u8);
        renamed.extend_from_slice(scheme.as_bytes());
        renamed.extend_from_slice(&bytes[5 + READOUT.len()..]);
        let mut manifest = honest.model.manifest().clone();
        if let Some(params) = &mut manifest.influence {
            let found = InfluenceIndex::parse(&renamed).expect("the name alone was changed");
            params.index_root = HexBinary::from(&found.root());
        }
        let opened = Attribution::open(&manifest, index(&honest.texts), Some(&renamed));
        let refused = (scheme != READOUT).then_some("E-MODEL-009");
        assert_eq!(opened.err().map(|e| e.code), refused, "{scheme}");
    }
}

#[test]
fn garbage_is_refused_without_a_panic() {
    let mut bundle = honest().bundle.clone();
    bundle.receipt.receipt.seed = HexBinary::from(&[1u8; 3]);
    bundle.receipt.receipt.commit_root = HexBinary::default();
    assert!(!failures(&bundle).1.is_empty());
    let mut bundle = honest().bundle.clone();
    bundle.tokens = vec![u32::MAX; 10_000];
    assert!(failures(&bundle).1.contains(&"replay of the answer"));
    let mut bundle = honest().bundle.clone();
    bundle.tokens.clear();
    bundle.trace = Binary::default();
    assert!(failures(&bundle).1.contains(&"replay of the answer"));
    let mut bundle = honest().bundle.clone();
    bundle.endpoint = "/elsewhere".into();
    bundle.body = Binary::default();
    assert_eq!(failures(&bundle).1, ["request can be read"]);
    let mut bundle = honest().bundle.clone();
    bundle.evidence = vec![
        EvidencePiece {
            answer_start: u64::MAX,
            len: u32::MAX,
            contribution_id: 0,
            source_start: u64::MAX
        };
        100
    ];
    assert!(failures(&bundle).0.contains(&"evidence root"));
}

//! Faults of single receipts: signatures, terms, floors, equivocation, spans.

use cosmwasm_std::{Binary, HexBinary, Uint128};
use k256::ecdsa::{Signature, SigningKey};
use openledger_types::api::EvidencePiece;
use openledger_types::faults::proofs::false_span;
use openledger_types::faults::*;
use openledger_types::formats::*;
use openledger_types::merkle::{Hash, Tree, ZERO_HASH};

use super::story::{court, evidence_root, judge, verify, Story, NODE};

/// The newest receipt of session 9, which the third epoch settled, and what is to be stated of it.
fn newest(story: &Story) -> (Receipt, Stated) {
    let facts = story.epochs[2].facts[&9].clone();
    let stated = Stated { commit: Some(story.epochs[2].commit.clone()), session: Some(facts) };
    (story.logs[&9][3].signed.receipt.clone(), stated)
}

fn arithmetic(story: &Story, bend: impl FnOnce(&mut Receipt)) -> Result<Judgement, FaultError> {
    let (mut receipt, stated) = newest(story);
    bend(&mut receipt);
    judge(&Fault::Arithmetic { receipt: story.sign(receipt) }, &stated)
}

#[test]
fn rule_f1_a_receipt_must_follow_from_its_terms() {
    let story = Story::new(0);
    let bends: [fn(&mut Receipt); 17] = [
        |r| r.fee += Uint128::new(1),
        |r| r.fee = Uint128::zero(),
        |r| r.tokens_out += 1,
        |r| r.tokens_in += 1,
        |r| r.seed = HexBinary::from(&[1; 32]),
        |r| r.seed = HexBinary::from(&[1; 31]),
        |r| r.request_hash = HexBinary::from(&[1; 32]),
        |r| r.request_hash = HexBinary::default(),
        |r| r.height = 89,
        |r| r.model_id += 1,
        |r| r.model_version += 1,
        |r| r.datanets[0].size += 1,
        |r| r.datanets.clear(),
        |r| r.shares[0].bps += 1,
        |r| r.shares.reverse(),
        |r| r.no_evidence = u16::MAX,
        |r| r.commit_root = HexBinary::from(&[1; 32]),
    ];
    for (number, bend) in bends.into_iter().enumerate() {
        let judged = arithmetic(&story, bend).unwrap_or_else(|error| panic!("{number}: {error}"));
        assert_eq!((judged.node_id, judged.conviction.fault.as_str()), (NODE, "arithmetic"));
    }
    assert!(matches!(arithmetic(&story, |_| {}), Err(FaultError::NoFault(_))));
}

#[test]
fn the_first_release_pinned_no_datanets() {
    let story = Story::new(0);
    let (mut receipt, mut stated) = newest(&story);
    receipt.datanets[0].version += 1;
    stated.session.as_mut().unwrap().datanets_hash = HexBinary::from(&ZERO_HASH);
    let fault = Fault::Arithmetic { receipt: story.sign(receipt) };
    assert!(matches!(judge(&fault, &stated), Err(FaultError::NoFault(_))));
}

#[test]
fn rule_s2_only_the_pinned_key_convicts() {
    let story = Story::new(0);
    let (mut receipt, stated) = newest(&story);
    receipt.fee += Uint128::new(1);
    let good = story.sign(receipt.clone());
    let low = Signature::from_slice(&good.signature).unwrap();
    let high = Signature::from_scalars(low.r().to_bytes(), (-*low.s()).to_bytes()).unwrap();
    assert!(verify(&receipt.digest(), &good.signature, &stated.session.as_ref().unwrap().node_key));
    let mut stranger = Story::new(0);
    stranger.key = SigningKey::from_slice(&[8; 32]).unwrap();
    let bad = [
        HexBinary::from(&high.to_bytes()[..]),
        stranger.sign(receipt.clone()).signature,
        HexBinary::from(&good.signature[..63]),
        HexBinary::default(),
    ];
    for signature in bad {
        let receipt = SignedReceipt { receipt: receipt.clone(), signature };
        let other = story.sign(newest(&story).0);
        for fault in [
            Fault::Arithmetic { receipt: receipt.clone() },
            Fault::BelowFloor { receipt: receipt.clone() },
            Fault::Citation { receipt: receipt.clone(), contribution_id: 5 },
            Fault::Equivocation { first: receipt.clone(), second: other.clone() },
            Fault::Equivocation { first: other.clone(), second: receipt.clone() },
        ] {
            assert_eq!(judge(&fault, &stated), Err(FaultError::BadSignature));
        }
    }
    assert!(judge(&Fault::Arithmetic { receipt: good }, &stated).is_ok());
}

#[test]
fn rule_s2_a_receipt_of_another_place_convicts_nobody_here() {
    let story = Story::new(0);
    type Bend = fn(&mut Receipt);
    let bends: [(&str, Bend); 4] = [
        ("chain", |r| r.chain_id = "openledger-2".into()),
        ("contract", |r| r.contract = "openledger1other".into()),
        ("session", |r| r.session_id = 7),
        ("node", |r| r.node_id = 3),
    ];
    for (field, bend) in bends {
        let error = FaultError::WrongDomain { document: "receipt", field };
        assert_eq!(arithmetic(&story, bend), Err(error));
    }
}

#[test]
fn rule_d5_a_fee_below_the_floor() {
    let story = Story::new(0);
    let (receipt, mut stated) = newest(&story);
    let fault = Fault::BelowFloor { receipt: story.sign(receipt.clone()) };
    assert!(matches!(judge(&fault, &stated), Err(FaultError::NoFault(_))));
    let mut at = |floor: u128| {
        stated.session.as_mut().unwrap().floor_per_token = Uint128::new(floor);
        judge(&fault, &stated).is_ok()
    };
    let reached = receipt.fee.u128() / u128::from(receipt.tokens_out);
    assert!(!at(reached) && at(reached + 1) && at(u128::MAX));
}

#[test]
fn rule_s2_two_receipts_for_one_request() {
    let story = Story::new(0);
    let (receipt, stated) = newest(&story);
    let mut other = receipt.clone();
    other.answer_len += 1;
    let (first, second) = (story.sign(receipt.clone()), story.sign(other));
    let one = Fault::Equivocation { first: first.clone(), second: second.clone() };
    let two = Fault::Equivocation { first: second, second: first.clone() };
    let (one, two) = (judge(&one, &stated).unwrap(), judge(&two, &stated).unwrap());
    // One guilt whichever way round, and no root rests on it.
    assert_eq!((one.guilt, one.conviction.root), (two.guilt, None));
    assert_eq!(one.guilt, sequence_guilt(9, NODE, 4));
    let same = Fault::Equivocation { first: first.clone(), second: first.clone() };
    assert!(matches!(judge(&same, &stated), Err(FaultError::NoFault(_))));
    let next = Fault::Equivocation { first, second: story.logs[&9][2].signed.clone() };
    assert!(matches!(judge(&next, &stated), Err(FaultError::NoFault(_))));
}

#[test]
fn rule_f1_a_receipt_is_guilty_once_and_voids_the_root_that_settled_it() {
    let story = Story::new(0);
    let (mut receipt, stated) = newest(&story);
    receipt.fee = Uint128::new(1);
    let signed = story.sign(receipt.clone());
    let faults = [Fault::Arithmetic { receipt: signed.clone() }, Fault::BelowFloor { receipt: signed }];
    let commit = stated.commit.clone().unwrap();
    let root = (3, HexBinary::from(&commit.hash()));
    for fault in &faults {
        let judged = judge(fault, &stated).unwrap();
        assert_eq!(judged.guilt, receipt_guilt(&receipt.digest()));
        assert_eq!(judged.conviction.root.as_ref(), Some(&root));
        let facts = stated.session.as_ref().unwrap();
        assert_eq!(judged.conviction.session, Some((9, HexBinary::from(&facts.hash()))));
        // A node that accuses itself cannot spare the root.
        let without = Stated { commit: None, ..stated.clone() };
        assert_eq!(judge(fault, &without), Err(FaultError::NotStated("commitment")));
        let other = Stated { commit: Some(story.epochs[1].commit.clone()), ..stated.clone() };
        assert!(matches!(judge(fault, &other), Err(FaultError::WrongDomain { field: "epoch", .. })));
    }
    // Settled before the newest settlement, or not yet: no root is named.
    for sequence in [2, 5] {
        let mut receipt = receipt.clone();
        receipt.sequence = sequence;
        let fault = Fault::Arithmetic { receipt: story.sign(receipt) };
        let without = Stated { commit: None, ..stated.clone() };
        assert_eq!(judge(&fault, &without).unwrap().conviction.root, None);
    }
    let nothing = Stated::default();
    assert_eq!(judge(&faults[0], &nothing), Err(FaultError::NotStated("session")));
}

#[test]
fn rule_f1_a_root_is_guilty_once() {
    let mut story = Story::new(0);
    story.epochs[1].ledger.leaves.swap(0, 1);
    story.epochs[1].receipts.receipts.swap(0, 1);
    story.epochs[1].reroot();
    let findings = story.audit(1, 1);
    let guilts: std::collections::BTreeSet<Hash> = findings
        .faults
        .iter()
        .map(|found| found.fault.judge(&court(), &found.stated).unwrap().guilt)
        .collect();
    assert!(findings.faults.len() > 1);
    assert_eq!(guilts.into_iter().collect::<Vec<_>>(), [root_guilt(&story.epochs[1].commit.hash())]);
}

/// A receipt that signs these pieces over its answer, and the proof against piece `number`.
fn span(story: &Story, number: u64, bend: impl FnOnce(&mut Vec<EvidencePiece>)) -> (Fault, Stated) {
    let (mut receipt, stated) = newest(story);
    let told = &story.logs[&9][3];
    let mut pieces = told.pieces.clone();
    bend(&mut pieces);
    receipt.evidence_root = HexBinary::from(&evidence_root(&told.answer, &pieces));
    let signed = story.sign(receipt);
    let id = pieces[number as usize].contribution_id;
    let source = story.source(id).unwrap();
    let text = story.texts[id as usize - 1].as_bytes();
    (false_span(&signed, told.answer.as_bytes(), &pieces, number, source, text).unwrap(), stated)
}

#[test]
fn rule_f1_a_false_span() {
    for seed in 0..5 {
        let story = Story::new(seed);
        for number in 0..2 {
            let (fault, stated) = span(&story, number, |_| {});
            assert!(
                matches!(judge(&fault, &stated), Err(FaultError::NoFault(_))),
                "{:?}",
                judge(&fault, &stated)
            );
            let bends: [fn(&mut EvidencePiece); 7] = [
                |piece| piece.source_start += 1,
                |piece| piece.answer_start += 1,
                // Too long for anybody to show, or nothing at all.
                |piece| piece.len = 1_025,
                |piece| piece.len = 0,
                |piece| piece.len = u32::MAX,
                // Beyond either text.
                |piece| piece.source_start = u64::MAX,
                |piece| piece.answer_start = u64::MAX - 3,
            ];
            for (way, bend) in bends.into_iter().enumerate() {
                let (fault, stated) = span(&story, number, |pieces| bend(&mut pieces[number as usize]));
                let judged = judge(&fault, &stated).unwrap_or_else(|error| panic!("{way}: {error}"));
                assert_eq!(judged.conviction.fault, "false_span");
            }
        }
    }
}

#[test]
fn the_number_of_pieces_is_the_filers_word_and_proves_nothing() {
    let story = Story::new(0);
    let (honest, stated) = span(&story, 0, |_| {});
    let Fault::FalseSpan { .. } = &honest else { panic!("another fault") };
    for count_now in (0..20).chain([u64::MAX]) {
        for index_now in 0..20 {
            let mut fault = honest.clone();
            if let Fault::FalseSpan { count, index, .. } = &mut fault {
                (*count, *index) = (count_now, index_now);
            }
            assert!(judge(&fault, &stated).is_err());
        }
    }
}

#[test]
fn chunks_must_be_those_of_the_piece_at_their_full_length() {
    let story = Story::new(3);
    let (honest, stated) = span(&story, 0, |pieces| pieces[0].source_start += 1);
    assert!(judge(&honest, &stated).is_ok());
    let bends: [fn(&mut ChunkRange); 6] = [
        |range| range.first += 1,
        |range| drop(range.chunks.pop()),
        |range| drop(range.paths.pop()),
        |range| range.chunks.push(Binary::default()),
        |range| range.chunks[0] = Binary::from(&range.chunks[0][1..]),
        |range| range.chunks.clear(),
    ];
    for bend in bends {
        for of_text in [true, false] {
            let mut fault = honest.clone();
            if let Fault::FalseSpan { answer, text, .. } = &mut fault {
                bend(if of_text { text } else { answer });
            }
            assert!(matches!(judge(&fault, &stated), Err(FaultError::WrongChunks(_))));
        }
    }
    let mut fault = honest.clone();
    if let Fault::FalseSpan { answer, .. } = &mut fault {
        let mut bytes = answer.chunks[0].to_vec();
        bytes[0] ^= 1;
        answer.chunks[0] = bytes.into();
    }
    assert_eq!(judge(&fault, &stated), Err(FaultError::BadPath("answer")));
}

#[test]
fn rule_f1_a_source_is_proved_in_the_receipts_own_versions() {
    let story = Story::new(0);
    let (honest, stated) = span(&story, 0, |pieces| pieces[0].source_start += 1);
    let bends: [fn(&mut ContributionAt); 5] = [
        |source| source.datanet = 1,
        |source| source.index += 1,
        |source| source.facts.match_len += 1,
        |source| source.facts.contribution_id += 1,
        |source| {
            source.path.pop();
        },
    ];
    for bend in bends {
        let mut fault = honest.clone();
        if let Fault::FalseSpan { source, .. } = &mut fault {
            bend(source);
        }
        assert_eq!(judge(&fault, &stated), Err(FaultError::BadPath("contribution")));
    }
    // Another contribution of the version, with its own path.
    let mut fault = honest;
    if let Fault::FalseSpan { source, piece, .. } = &mut fault {
        *source = story.source(piece.contribution_id % 5 + 1).unwrap();
    }
    let error = FaultError::WrongDomain { document: "source", field: "contribution" };
    assert_eq!(judge(&fault, &stated), Err(error));
}

#[test]
fn versions_of_the_first_release_hold_their_leaves_in_the_first_form() {
    let mut story = Story::new(0);
    let (fault, _) = span(&story, 0, |pieces| pieces[0].source_start += 1);
    let Fault::FalseSpan { receipt, piece, .. } = &fault else { panic!("another fault") };
    let tree = Tree::new(story.contributions.iter().map(ContributionFacts::legacy_leaf).collect()).unwrap();
    story.version.root = HexBinary::from(&tree.root());
    let mut receipt = receipt.receipt.clone();
    receipt.datanets = vec![story.version.clone()];
    let (_, stated) = newest(&story);
    let mut fault = fault.clone();
    let index = piece.contribution_id - 1;
    if let Fault::FalseSpan { source, receipt: signed, .. } = &mut fault {
        source.path = tree.prove(index).unwrap().into();
        *signed = story.sign(receipt);
    }
    assert!(judge(&fault, &stated).is_ok());
}

//! S1 and S5: what a voucher and a pending receipt must be.

use cosmwasm_std::{HexBinary, Uint128};
use openledger_merkle::{leaf_hash, ZERO_HASH};
use openledger_payable_escrow::ContractError;
use openledger_types::formats::{Receipt, SignedVoucher, Voucher};
use openledger_types::msg::escrow::Settlement;

use crate::common::keys::high_s;
use crate::common::node::Draft;
use crate::common::suite::{refused_in, K};
use crate::common::{Answer, Client, Key, Suite, OPEN};

/// Session 1 with nodes 1 and 2: three answers of node 1 acknowledged, two not.
fn scene() -> (Suite, Client, Draft) {
    let mut suite = Suite::new();
    let user = suite.user(0);
    let mut client = suite.open(&user, 1, &[(1, 40_000), (2, 40_000)]);
    for tokens in [50, 60, 70] {
        suite.answer(&mut client, 1, &Answer::plain(tokens, tokens));
    }
    for tokens in [80, 90] {
        suite.ask(&mut client, 1, &Answer::plain(tokens, tokens));
    }
    let draft = suite.draft(1, OPEN, &[]).unwrap();
    assert_eq!(draft.settlements[0].voucher.voucher.acknowledged.count, 3);
    assert_eq!(draft.settlements[0].pending.len(), 2);
    (suite, client, draft)
}

/// Posts the draft with a changed settlement, which must be refused.
fn refuse(suite: &mut Suite, draft: &Draft, reason: ContractError, change: impl FnOnce(&mut Settlement)) {
    let mut bad = draft.clone();
    change(&mut bad.settlements[0]);
    refused_in(1, suite.post_draft(&bad), reason);
    suite.assert_conserved();
}

/// A voucher changed and signed again by the client: only its content is wrong.
fn resign(client: &Client, signed: &mut SignedVoucher, change: impl FnOnce(&mut Voucher)) {
    let mut voucher = signed.voucher.clone();
    change(&mut voucher);
    *signed = client.sign(voucher);
}

#[test]
fn rule_s1_acknowledged_and_signed_for_pending_receipts_are_paid() {
    let (mut suite, _, draft) = scene();
    suite.post_draft(&draft).unwrap();
    let node = &suite.session(1).nodes[0];
    assert_eq!((node.settled.u128(), node.log.count), (3_500, 5));
    suite.assert_conserved();
}

#[test]
fn rule_s1_a_voucher_for_another_chain_contract_session_node_or_denom_is_refused() {
    let (mut suite, client, draft) = scene();
    type Change = fn(&mut Voucher);
    let changes: [(&'static str, Change); 5] = [
        ("chain", |v| v.chain_id = "openledger-2".into()),
        ("contract", |v| v.contract = "another".into()),
        ("session", |v| v.session_id = 2),
        ("node", |v| v.node_id = 2),
        ("denom", |v| v.denom = "uatom".into()),
    ];
    for (field, change) in changes {
        let refusal = || ContractError::WrongDomain { document: "voucher", field };
        refuse(&mut suite, &draft, refusal(), |s| resign(&client, &mut s.voucher, change));
        refuse(&mut suite, &draft, refusal(), |s| resign(&client, &mut s.pending[1].voucher, change));
    }
}

#[test]
fn rule_s1_a_forged_or_uncanonical_signature_is_refused() {
    let (mut suite, _, draft) = scene();
    let forged = || ContractError::BadSignature { document: "voucher" };
    type Change = fn(&SignedVoucher) -> HexBinary;
    let changes: [Change; 8] = [
        |v| Key::named("mallory").sign(&v.voucher.digest()),
        |v| Key::named("node1").sign(&v.voucher.digest()),
        |v| high_s(&v.signature),
        |v| HexBinary::from(&v.signature[..63]),
        |v| HexBinary::from([v.signature.as_slice(), &[0]].concat()),
        |_| HexBinary::default(),
        |_| HexBinary::from(&[0; 64]),
        |v| {
            let mut flipped = v.signature.to_vec();
            flipped[40] ^= 1;
            HexBinary::from(flipped)
        },
    ];
    for change in changes {
        refuse(&mut suite, &draft, forged(), |s| s.voucher.signature = change(&s.voucher));
        refuse(&mut suite, &draft, forged(), |s| {
            s.pending[0].voucher.signature = change(&s.pending[0].voucher);
        });
    }
    // The signature of one voucher under the content of another.
    refuse(&mut suite, &draft, forged(), |s| s.voucher.signature = s.pending[0].voucher.signature.clone());
    refuse(&mut suite, &draft, forged(), |s| s.voucher.voucher.cumulative_max += Uint128::one());
    refuse(&mut suite, &draft, forged(), |s| s.voucher.voucher.sequence += 1);
}

#[test]
fn rule_s1_fields_of_a_wrong_length_are_refused() {
    let (mut suite, client, draft) = scene();
    type Change = fn(&mut Voucher);
    let changes: [Change; 2] =
        [|v| v.request_hash = HexBinary::from(&[0; 31]), |v| v.acknowledged.hash = HexBinary::from(&[0; 33])];
    for change in changes {
        let mut bad = draft.clone();
        resign(&client, &mut bad.settlements[0].voucher, change);
        assert!(suite.post_draft(&bad).unwrap_err().to_string().contains("must have 32 bytes"));
    }
}

#[test]
fn rule_s1_finding_p21_a_replayed_or_lower_voucher_pays_nothing() {
    let (mut suite, mut client, _) = scene();
    let old = suite.draft(1, OPEN, &[]).unwrap();
    suite.settle(1, OPEN);
    let settled = Uint128::new(3_500);
    // Replayed as it was, under a commitment that fits.
    let mut replay = old.clone();
    replay.commit.epoch = 2;
    replay.commit.previous = suite.ledger(1, OPEN).ledger;
    refused_in(1, suite.post_draft(&replay), ContractError::NothingNew { settled });
    // Lower: the acknowledgement without the pending receipts.
    let mut lower = replay.clone();
    lower.settlements[0].pending.clear();
    refused_in(1, suite.post_draft(&lower), ContractError::NothingNew { settled });
    // The client acknowledges what was settled: still nothing new.
    for (_, receipt) in suite.nodes[&1].sessions[&1].log.clone().iter().skip(3) {
        client.receive(1, receipt);
    }
    let mut equal = replay.clone();
    let lane = &client.lanes[&1];
    equal.settlements[0].voucher = client.acknowledge(1);
    equal.settlements[0].acknowledged_peaks = lane.log.peaks().to_vec().into();
    equal.settlements[0].pending.clear();
    refused_in(1, suite.post_draft(&equal), ContractError::NothingNew { settled });
    // The next answer settles.
    suite.answer(&mut client, 1, &Answer::plain(10, 10));
    suite.settle(1, OPEN);
    assert_eq!(suite.session(1).nodes[0].settled.u128(), 3_600);
    suite.assert_conserved();
}

#[test]
fn rule_s1_nothing_above_the_cap_is_paid() {
    let mut suite = Suite::new();
    let user = suite.user(0);
    let mut client = suite.open(&user, 1, &[(1, 5_000), (2, 45_000)]);
    suite.answer(&mut client, 1, &Answer::plain(300, 300));
    suite.answer(&mut client, 1, &Answer::plain(201, 200));
    let draft = suite.draft(1, OPEN, &[]).unwrap();
    let total = Uint128::new(5_003);
    refused_in(1, suite.post_draft(&draft), ContractError::AboveCap { total });
    // The cap is each node's own: the other one still has all of its.
    suite.answer(&mut client, 2, &Answer::plain(4_500, 4_500));
    suite.settle(2, OPEN);
    assert_eq!(suite.session(1).nodes[1].settled.u128(), 45_000);
    // A top-up of the missing coins frees the settlement.
    let top_up = openledger_types::msg::escrow::ExecuteMsg::TopUp { session_id: 1, node_id: 1 };
    suite.send(&user, &top_up, &[cosmwasm_std::coin(3, OPEN)]).unwrap();
    suite.settle(1, OPEN);
    assert_eq!(suite.term(OPEN, "escrowed"), 0);
    suite.assert_conserved();
}

#[test]
fn rule_s1_nothing_above_the_cumulative_maximum_is_paid() {
    let (mut suite, client, draft) = scene();
    let acknowledged = Uint128::new(1_800);
    refuse(&mut suite, &draft, ContractError::AboveVoucher { total: acknowledged }, |s| {
        resign(&client, &mut s.voucher, |v| v.cumulative_max = Uint128::new(1_799));
    });
    for (i, total) in [(0, 2_600), (1, 3_500)] {
        refuse(&mut suite, &draft, ContractError::AboveVoucher { total: Uint128::new(total) }, |s| {
            resign(&client, &mut s.pending[i].voucher, |v| v.cumulative_max = Uint128::new(total - 1));
        });
    }
    // Exactly enough is enough.
    let mut exact = draft.clone();
    resign(&client, &mut exact.settlements[0].pending[1].voucher, |v| v.cumulative_max = Uint128::new(3_500));
    suite.post_draft(&exact).unwrap();
}

#[test]
fn rule_s1_at_most_k_receipts_are_pending() {
    for (pending, fits) in [(K, true), (K + 1, false)] {
        let mut suite = Suite::new();
        let user = suite.user(0);
        let mut client = suite.open(&user, 1, &[(1, 40_000)]);
        suite.answer(&mut client, 1, &Answer::plain(10, 10));
        for _ in 0..pending {
            suite.ask(&mut client, 1, &Answer::plain(10, 10));
        }
        let chain_id = suite.app.block_info().chain_id;
        let place = (chain_id.as_str(), suite.escrow.as_str(), OPEN);
        let draft = suite.nodes[&1].draft(place, &[], 64, &|c| suite.contributor(c).to_string()).unwrap();
        assert_eq!(draft.settlements[0].pending.len(), pending as usize);
        match fits {
            true => drop(suite.post_draft(&draft).unwrap()),
            false => refused_in(1, suite.post_draft(&draft), ContractError::TooManyPending { most: K }),
        }
    }
}

#[test]
fn rule_s1_sequences_run_without_gaps_repeats_or_swaps() {
    let (mut suite, _, draft) = scene();
    refuse(&mut suite, &draft, ContractError::WrongSequence { expected: 4, found: 5 }, |s| {
        s.pending.swap(0, 1)
    });
    refuse(&mut suite, &draft, ContractError::WrongSequence { expected: 4, found: 5 }, |s| {
        s.pending.remove(0);
    });
    refuse(&mut suite, &draft, ContractError::WrongSequence { expected: 5, found: 4 }, |s| {
        s.pending[1] = s.pending[0].clone();
    });
    // The receipt of one request beside the voucher of another.
    refuse(&mut suite, &draft, ContractError::WrongSequence { expected: 4, found: 5 }, |s| {
        s.pending[0].receipt = s.pending[1].receipt.clone();
    });
    refuse(&mut suite, &draft, ContractError::WrongSequence { expected: 4, found: 5 }, |s| {
        s.pending[0].voucher = s.pending[1].voucher.clone();
    });
}

#[test]
fn rule_s1_a_pending_receipt_needs_a_request_of_its_own() {
    let (mut suite, client, draft) = scene();
    refuse(&mut suite, &draft, ContractError::RequestMismatch {}, |s| {
        resign(&client, &mut s.pending[0].voucher, |v| v.request_hash = HexBinary::from(&[9; 32]));
    });
    // An acknowledgement asks for nothing, even if a receipt claims to answer it.
    let key = suite.nodes[&1].clone();
    refuse(&mut suite, &draft, ContractError::RequestMismatch {}, |s| {
        let zero = HexBinary::from(&ZERO_HASH);
        resign(&client, &mut s.pending[0].voucher, |v| v.request_hash = zero.clone());
        let mut receipt = s.pending[0].receipt.receipt.clone();
        receipt.request_hash = zero.clone();
        s.pending[0].receipt = key.sign(receipt);
    });
}

#[test]
fn rule_s1_peaks_must_bag_to_what_was_acknowledged() {
    let (mut suite, client, draft) = scene();
    let wrong = || ContractError::WrongPeaks {};
    refuse(&mut suite, &draft, wrong(), |s| s.acknowledged_peaks.clear());
    refuse(&mut suite, &draft, wrong(), |s| s.acknowledged_peaks.swap(0, 1));
    refuse(&mut suite, &draft, wrong(), |s| s.acknowledged_peaks[1].sum += 1);
    refuse(&mut suite, &draft, wrong(), |s| s.acknowledged_peaks[0].hash = leaf_hash(b"x"));
    refuse(&mut suite, &draft, wrong(), |s| {
        s.acknowledged_peaks[0].sum = u128::MAX;
        s.acknowledged_peaks[1].sum = u128::MAX;
    });
    // The client itself signs a sum, a count or a root that does not belong together.
    refuse(&mut suite, &draft, wrong(), |s| {
        resign(&client, &mut s.voucher, |v| v.acknowledged.sum += Uint128::one());
    });
    refuse(&mut suite, &draft, wrong(), |s| resign(&client, &mut s.voucher, |v| v.acknowledged.count = 4));
    refuse(&mut suite, &draft, ContractError::WrongAcknowledgement {}, |s| {
        resign(&client, &mut s.voucher, |v| v.sequence = 2);
    });
}

/// Changes the first pending receipt, signs it as node 1 and posts it.
fn refuse_receipt(reason: ContractError, change: impl FnOnce(&mut Receipt)) {
    let (mut suite, _, draft) = scene();
    let node = suite.nodes[&1].clone();
    refuse(&mut suite, &draft, reason, |s| {
        let mut receipt = s.pending[0].receipt.receipt.clone();
        change(&mut receipt);
        s.pending[0].receipt = node.sign(receipt);
    });
}

#[test]
fn rule_s2_a_receipt_for_something_else_is_refused() {
    let other = |field| ContractError::WrongDomain { document: "receipt", field };
    refuse_receipt(other("chain"), |r| r.chain_id = "openledger-2".into());
    refuse_receipt(other("contract"), |r| r.contract = "another".into());
    refuse_receipt(other("session"), |r| r.session_id = 2);
    refuse_receipt(other("node"), |r| r.node_id = 2);
    refuse_receipt(other("model"), |r| r.model_id = 2);
    refuse_receipt(other("model version"), |r| r.model_version = 2);
}

#[test]
fn rule_s2_a_fee_is_what_the_tokens_cost_to_the_unit() {
    let expected = Uint128::new(800);
    for fee in [0, 799, 801, u128::MAX] {
        refuse_receipt(ContractError::WrongFee { expected }, |r| r.fee = Uint128::new(fee));
    }
    refuse_receipt(ContractError::WrongFee { expected: Uint128::new(803) }, |r| r.tokens_in += 1);
    refuse_receipt(ContractError::WrongFee { expected: Uint128::new(100) }, |r| {
        r.tokens_in = 0;
        r.tokens_out = 0;
    });
}

#[test]
fn rule_s5_the_seed_follows_from_the_request() {
    refuse_receipt(ContractError::WrongSeed {}, |r| r.seed = HexBinary::from(&[7; 32]));
}

#[test]
fn rule_d4_a_receipt_is_dated_between_the_opening_and_now() {
    refuse_receipt(ContractError::WrongHeight {}, |r| r.height -= 1);
    refuse_receipt(ContractError::WrongHeight {}, |r| r.height += 1);
    // Taken before a settlement that went without it: settled by the next one.
    let mut suite = Suite::new();
    let user = suite.user(0);
    let mut client = suite.open(&user, 1, &[(1, 40_000)]);
    suite.answer(&mut client, 1, &Answer::plain(10, 10));
    let draft = suite.draft(1, OPEN, &[]).unwrap();
    suite.ask(&mut client, 1, &Answer::plain(20, 20));
    let taken = suite.height();
    suite.advance(1);
    suite.post_draft(&draft).unwrap();
    assert!(taken < suite.session(1).nodes[0].settled_at);
    suite.advance(crate::common::suite::FINAL);
    suite.finalize(1).unwrap();
    suite.settle(1, OPEN);
    assert_eq!(suite.session(1).nodes[0].log.count, 2);
}

#[test]
fn rule_s2_shares_and_roots_of_a_wrong_form_are_refused() {
    type Change = fn(&mut Receipt);
    let changes: [(&str, Change); 6] = [
        ("not 10,000 together", |r| r.no_evidence += 1),
        ("not sorted", |r| r.shares.reverse()),
        ("a share of nothing", |r| r.shares[0].bps = 0),
        ("does not exist", |r| r.shares[0].contribution_id = 0),
        ("32 zero bytes", |r| r.commit_root = HexBinary::from(&[1; 32])),
        ("must have 32 bytes", |r| r.answer_root = HexBinary::default()),
    ];
    for (reason, change) in changes {
        let (mut suite, _, mut draft) = scene();
        let mut receipt = draft.settlements[0].pending[0].receipt.receipt.clone();
        change(&mut receipt);
        draft.settlements[0].pending[0].receipt = suite.nodes[&1].sign(receipt);
        let text = suite.post_draft(&draft).unwrap_err().to_string();
        assert!(text.contains(reason), "{reason}: {text}");
    }
}

#[test]
fn rule_s2_a_receipt_is_signed_by_the_key_pinned_at_opening() {
    let (mut suite, _, draft) = scene();
    let refusal = || ContractError::BadSignature { document: "receipt" };
    for other in ["node2", "mallory"] {
        refuse(&mut suite, &draft, refusal(), |s| {
            s.pending[0].receipt.signature = Key::named(other).sign(&s.pending[0].receipt.receipt.digest());
        });
    }
    refuse(&mut suite, &draft, refusal(), |s| {
        s.pending[0].receipt.signature = high_s(&s.pending[0].receipt.signature);
    });
}

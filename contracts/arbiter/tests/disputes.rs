//! Disputes from their opening to the verdict.

use openledger_dispute::trace::Trace;
use openledger_types::msg::arbiter::{ExecuteMsg, Outcome, Turn};
use openledger_types::msg::escrow::RootStatus;
use openledger_types::msg::referee::{self, ArbiterResponse, ReceiptFault, Verdict};

use crate::suite::{config_of, Suite, MOVE, OTHER, RIGHT};

/// A dispute that the challenger has opened.
fn opened(seed: u64) -> (Suite, u64) {
    let mut suite = Suite::new(seed);
    let case_id = suite.case(ReceiptFault::Output);
    let (challenger, msg) = (suite.challenger.clone(), suite.opening(case_id));
    suite.tell(&challenger, &msg).unwrap();
    (suite, case_id)
}

/// A second copy of a trace, so that a suite can play it.
fn copy(trace: &Trace) -> Trace {
    Trace::from_values(trace.layout().clone(), trace.statement().clone(), trace.values().to_vec())
}

#[test]
fn rule_f2_other_weights_lose_by_arithmetic() {
    let (mut suite, case_id) = opened(OTHER);
    let (node, honest) = (copy(&suite.claimed), copy(&suite.honest));
    suite.play(case_id, &node, &honest);
    assert_eq!(suite.dispute(case_id).outcome, Some(Outcome::Guilty));
    assert_eq!(suite.verdict(case_id).verdict, Some(Verdict::Guilty));
    let root = suite.world.epoch(suite.node.node_id, 1).unwrap();
    assert_eq!(root.status, RootStatus::Void);
    // The bond came back, and the cut waits for the veto as after a vote.
    let (challenger, before) = (suite.challenger.clone(), suite.world.balance(&suite.challenger));
    suite.world.tell_referee(&challenger, &referee::ExecuteMsg::Withdraw {}).unwrap();
    let bond = suite.world.profile.referee.case_bond.u128();
    assert_eq!(suite.world.balance(&challenger) - before, bond);
    assert_eq!(suite.world.node(suite.node.node_id).unwrap().open_cases, 0);
}

#[test]
fn rule_f2_a_true_trace_under_false_tokens_loses() {
    let (mut suite, case_id) = opened(OTHER);
    let honest = copy(&suite.honest);
    suite.used = openledger_dispute::trace::Rows::new(&crate::suite::weights(RIGHT));
    suite.play(case_id, &honest, &honest);
    assert_eq!(suite.dispute(case_id).outcome, Some(Outcome::Guilty));
}

#[test]
fn rule_f2_an_honest_node_forces_arithmetic_and_is_acquitted() {
    let mut suite = Suite::new(RIGHT);
    let case_id = suite.case(ReceiptFault::Output);
    let (operator, msg) = (suite.node.operator.clone(), suite.opening(case_id));
    suite.tell(&operator, &msg).unwrap();
    // The challenger has computed with other weights, or says so.
    let mut values = suite.honest.values().to_vec();
    values[40][0] += 1.0;
    let liar = Trace::from_values(suite.honest.layout().clone(), suite.honest.statement().clone(), values);
    let node = copy(&suite.honest);
    suite.play(case_id, &node, &liar);
    assert_eq!(suite.dispute(case_id).outcome, Some(Outcome::NotGuilty));
    // The auditors are not needed for it: without a quorum against the node the challenger has lost.
    assert_eq!(suite.verdict(case_id).verdict, None);
    let decided = suite.world.decide_case(case_id, &[], true).unwrap();
    assert_eq!(decided.verdict, Some(Verdict::NotGuilty));
    // Half of the challenger's bond is the node's, half is burned.
    let before = suite.world.balance(&operator);
    suite.world.tell_referee(&operator, &referee::ExecuteMsg::Withdraw {}).unwrap();
    let bond = suite.world.profile.referee.case_bond.u128();
    assert_eq!(suite.world.balance(&operator) - before, bond - bond / 2);
}

#[test]
fn rule_f2_silence_of_the_node_convicts_it() {
    let (mut suite, case_id) = opened(RIGHT);
    let anyone = suite.world.account("anyone");
    let expire = ExecuteMsg::Expire { case_id };
    suite.world.advance(MOVE);
    assert!(suite.tell(&anyone, &expire).is_err(), "its time is not over");
    suite.world.advance(1);
    let (operator, late) = (suite.node.operator.clone(), suite.node_move(case_id, &suite.honest));
    assert!(suite.tell(&operator, &late).is_err(), "its time is over");
    suite.tell(&anyone, &expire).unwrap();
    assert_eq!(suite.verdict(case_id).verdict, Some(Verdict::Guilty));
    assert!(suite.tell(&anyone, &expire).is_err(), "it has ended");
}

#[test]
fn rule_f2_silence_of_the_challenger_acquits() {
    let (mut suite, case_id) = opened(RIGHT);
    let operator = suite.node.operator.clone();
    for _ in 0..2 {
        let msg = suite.node_move(case_id, &suite.honest);
        suite.tell(&operator, &msg).unwrap();
    }
    assert_eq!(suite.dispute(case_id).turn, Turn::Pick);
    suite.world.advance(MOVE + 1);
    suite.tell(&operator, &ExecuteMsg::Expire { case_id }).unwrap();
    assert_eq!(suite.dispute(case_id).outcome, Some(Outcome::NotGuilty));
    let decided = suite.world.decide_case(case_id, &[], true).unwrap();
    assert_eq!(decided.verdict, Some(Verdict::NotGuilty));
}

#[test]
fn rule_f2_attack_a_friend_who_loses_on_purpose_saves_no_node() {
    let (mut suite, case_id) = opened(OTHER);
    // The challenger lets its time pass, so that a wrong answer would be acquitted and never held again.
    let (operator, node) = (suite.node.operator.clone(), copy(&suite.claimed));
    while suite.dispute(case_id).turn != Turn::Pick {
        let msg = suite.node_move(case_id, &node);
        suite.tell(&operator, &msg).unwrap();
    }
    suite.world.advance(MOVE + 1);
    suite.tell(&operator, &ExecuteMsg::Expire { case_id }).unwrap();
    let auditors = suite.auditors.clone();
    let decided = suite.world.decide_case(case_id, &auditors, true).unwrap();
    assert_eq!(decided.verdict, Some(Verdict::Guilty));
    suite.world.assert_invariants();
}

#[test]
fn rule_f2_a_contested_prompt_goes_back_to_the_votes() {
    let (mut suite, case_id) = opened(RIGHT);
    let (operator, challenger) = (suite.node.operator.clone(), suite.challenger.clone());
    assert!(suite.tell(&challenger, &ExecuteMsg::Contest { case_id }).is_err());
    suite.tell(&operator, &ExecuteMsg::Contest { case_id }).unwrap();
    assert_eq!(suite.dispute(case_id).outcome, Some(Outcome::Contested));
    assert_eq!(suite.verdict(case_id).verdict, None);
    suite.assert_counted();
    let again = suite.opening(case_id);
    assert!(suite.tell(&challenger, &again).is_err(), "one dispute a case");
    let auditors = suite.auditors.clone();
    let decided = suite.world.decide_case(case_id, &auditors, false).unwrap();
    assert_eq!(decided.verdict, Some(Verdict::NotGuilty));
}

#[test]
fn rule_f2_votes_do_not_end_what_arithmetic_decides_before_the_one_deadline() {
    let (mut suite, case_id) = opened(RIGHT);
    let (anyone, until) = (suite.world.account("anyone"), suite.verdict(case_id).reveal_until);
    let conclude = referee::ExecuteMsg::Conclude { case_id };
    suite.world.advance_to(until);
    assert!(suite.world.tell_referee(&anyone, &conclude).is_err());
    // Nobody has expired the dispute: the case ends all the same, and nothing is held for ever.
    suite.world.advance(1);
    suite.world.tell_referee(&anyone, &conclude).unwrap();
    assert_eq!(suite.verdict(case_id).verdict, Some(Verdict::Undecided));
    // The dispute is left without a decision, and says so.
    suite.tell(&anyone, &ExecuteMsg::Expire { case_id }).unwrap();
    assert_eq!(suite.dispute(case_id).outcome, Some(Outcome::Lapsed));
    assert_eq!(suite.verdict(case_id).verdict, Some(Verdict::Undecided));
    suite.assert_counted();
}

#[test]
fn rule_f2_a_replaced_arbiter_keeps_its_cases() {
    let (mut suite, case_id) = opened(OTHER);
    let first = suite.arbiter.clone();
    let second = suite.deploy();
    suite.world.name_arbiter(&second).unwrap();
    let query = referee::QueryMsg::Arbiter { case_id: Some(case_id) };
    let found: ArbiterResponse = suite.world.query(&suite.world.referee, &query).unwrap();
    assert_eq!(found.of_case, Some(first.to_string()));
    assert_ne!(found.arbiter, found.of_case);
    let (node, honest) = (copy(&suite.claimed), copy(&suite.honest));
    suite.play(case_id, &node, &honest);
    assert_eq!(suite.verdict(case_id).verdict, Some(Verdict::Guilty));
}

#[test]
fn rule_f2_only_what_arithmetic_can_decide_is_taken_from_the_votes() {
    let mut suite = Suite::new(RIGHT);
    let case_id = suite.case(ReceiptFault::Output);
    let challenger = suite.challenger.clone();
    let stranger = suite.world.account("stranger");
    let whole = suite.opening(case_id);
    assert!(suite.tell(&stranger, &whole).is_err());
    type Spoil = fn(&mut ExecuteMsg);
    let spoils: [Spoil; 6] = [
        |msg| {
            if let ExecuteMsg::Open { receipt, .. } = msg {
                receipt.height += 1
            }
        },
        |msg| {
            if let ExecuteMsg::Open { manifest, .. } = msg {
                *manifest = b"{}".as_slice().into()
            }
        },
        |msg| {
            if let ExecuteMsg::Open { config, .. } = msg {
                *config = b"{}".as_slice().into()
            }
        },
        |msg| {
            if let ExecuteMsg::Open { prompt, .. } = msg {
                prompt.pop();
            }
        },
        |msg| {
            if let ExecuteMsg::Open { prompt, .. } = msg {
                prompt[0] = 50
            }
        },
        |msg| {
            if let ExecuteMsg::Open { repetition_milli, .. } = msg {
                *repetition_milli = 2_001
            }
        },
    ];
    for spoil in spoils {
        let mut msg = suite.opening(case_id);
        spoil(&mut msg);
        assert!(suite.tell(&challenger, &msg).is_err(), "{msg:?}");
    }
    // Late in a case not all moves fit before its end.
    suite.world.advance(MOVE * 30);
    let late = suite.tell(&challenger, &whole).unwrap_err().to_string();
    assert!(late.contains("let it be voted on"), "{late}");
    // Another kind of fault is the auditors' to judge.
    let mut suite = Suite::new(RIGHT);
    let case_id = suite.case(ReceiptFault::MissingSource);
    let msg = suite.opening(case_id);
    assert!(suite.tell(&challenger, &msg).is_err());
}

#[test]
fn rule_f2_an_answer_that_the_receipt_does_not_hold_is_refused() {
    let (mut suite, case_id) = opened(RIGHT);
    let operator = suite.node.operator.clone();
    let mut msg = suite.node_move(case_id, &suite.honest);
    if let ExecuteMsg::Answer { tokens, .. } = &mut msg {
        tokens[3] = (tokens[3] + 1) % 50;
    }
    assert!(suite.tell(&operator, &msg).is_err());
    assert_eq!(suite.dispute(case_id).turn, Turn::Answer);
}

#[test]
fn rule_f2_attack_no_honest_node_is_led_to_a_step_that_fits_no_transaction() {
    // The logits of one position are opened whole: 4 bytes a token, in base64.
    for (vocabulary, fits) in [(90_000, true), (150_000, false)] {
        let mut suite = Suite::said_to_have(RIGHT, config_of(vocabulary));
        let case_id = suite.case(ReceiptFault::Output);
        let (challenger, msg) = (suite.challenger.clone(), suite.opening(case_id));
        let sent = suite.tell(&challenger, &msg);
        assert_eq!(sent.is_ok(), fits, "{vocabulary}: {sent:?}");
        if !fits {
            assert!(sent.unwrap_err().to_string().contains("does not fit a transaction"));
        }
    }
}

#[test]
fn rule_f2_a_case_about_a_model_with_an_adapter_is_left_to_the_votes() {
    let mut suite = Suite::adapted();
    let case_id = suite.case(ReceiptFault::Output);
    let operator = suite.node.operator.clone();
    for who in [suite.challenger.clone(), operator] {
        let msg = suite.opening(case_id);
        let refused = suite.tell(&who, &msg).unwrap_err().to_string();
        assert!(refused.contains("has an adapter"), "{refused}");
    }
}

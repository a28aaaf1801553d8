//! What a round of an auditor's loops costs: by what runs and what is new, not by all that ever was.

use std::sync::atomic::{AtomicUsize, Ordering};

use openledger_node::audit::{Juror, RefereeView};
use openledger_node::dispute::Computation;
use openledger_node::journal::Accusation;
use openledger_types::msg::escrow::HeldReceipt;
use openledger_types::msg::referee::{ExecuteMsg, ReceiptFault, Subject, Verdict};

use crate::audit::{auditor_node, FakeReferee};
use crate::disputes::{audited, with_other_weights, Accused};
use crate::support::*;

/// A case about a receipt that nobody has.
fn unknown(id: u8) -> Subject {
    let held = HeldReceipt {
        receipt_id: [id; 32].into(),
        session_id: 7,
        sequence: 1,
        fee: 100u128.into(),
        index: 0,
        path: Default::default(),
    };
    let receipts = vec![held];
    Subject::Receipts { node_id: NODE, denom: DENOM.into(), epoch: 1, kind: ReceiptFault::Output, receipts }
}

/// Cases of somebody else that have ended, before all others.
async fn ended(referee: &FakeReferee, count: u8) {
    for id in 0..count {
        let open = ExecuteMsg::OpenCase { subject: unknown(id), reason: "r".into() };
        referee.tell(&open, None).await.unwrap();
    }
    for case in referee.cases.lock().unwrap().iter_mut() {
        case.challenger = "openledger1another".into();
        case.verdict = Some(Verdict::Undecided);
    }
}

fn opened(referee: &FakeReferee) -> usize {
    referee.told(|msg| matches!(msg, ExecuteMsg::OpenCase { .. }))
}

#[tokio::test]
async fn a_round_of_a_challenger_reads_the_cases_that_run_and_those_that_are_new() {
    let found = Accused::new(with_other_weights, audited).await;
    ended(&found.referee, 21).await;
    let node = found.auditor(audited).await;
    let challenger = found.challenger(&node, 1_000_000);
    assert_eq!(challenger.round().await.unwrap(), 1);
    assert_eq!((opened(&found.referee), found.referee.asked("cases")), (22, 12), "all of them, once");
    for _ in 0..3 {
        challenger.round().await.unwrap();
        assert_eq!(found.referee.asked("cases"), 2, "the one that runs, and that there are no more");
    }
    // Nothing is asked where there is nothing to do.
    found.referee.cases.lock().unwrap()[21].verdict = Some(Verdict::Guilty);
    challenger.round().await.unwrap();
    assert!(node.journal.accusations().unwrap().is_empty());
    found.referee.asked("cases");
    challenger.round().await.unwrap();
    assert_eq!(found.referee.asked("cases"), 0);
}

#[tokio::test]
async fn a_case_that_ended_long_ago_still_speaks_about_its_answer() {
    let found = Accused::new(with_other_weights, audited).await;
    let node = found.auditor(audited).await;
    let row = node.journal.accusations().unwrap().remove(0);
    let challenger = found.challenger(&node, 1_000_000);
    challenger.round().await.unwrap();
    {
        let mut cases = found.referee.cases.lock().unwrap();
        (cases[0].challenger, cases[0].verdict) = ("openledger1another".into(), Some(Verdict::Guilty));
    }
    challenger.round().await.unwrap();
    assert!(node.journal.accusations().unwrap().is_empty());
    // The same answer is accused once more.
    node.journal.keep_accusation(&Accusation { case: None, ..row }).unwrap();
    found.referee.asked("case");
    assert_eq!(challenger.round().await.unwrap(), 0);
    assert_eq!((found.referee.asked("case"), opened(&found.referee)), (1, 1));
    assert!(node.journal.accusations().unwrap().is_empty());
}

/// An accusation that was made anew, under another root, is not dropped with the one that it replaced.
#[tokio::test]
async fn an_accusation_under_another_root_outlives_the_former_one() {
    let found = Accused::new(with_other_weights, audited).await;
    let node = found.auditor(audited).await;
    let row = node.journal.accusations().unwrap().remove(0);
    node.journal.drop_accusation(row.receipt_id(), row.epoch + 1).unwrap();
    assert_eq!(node.journal.accusations().unwrap(), std::slice::from_ref(&row));
    node.journal.drop_accusation(row.receipt_id(), row.epoch).unwrap();
    assert!(node.journal.accusations().unwrap().is_empty());
    node.journal.drop_accusation(row.receipt_id(), row.epoch).unwrap();
}

static COMPUTED: AtomicUsize = AtomicUsize::new(0);

fn counted() -> Computation {
    COMPUTED.fetch_add(1, Ordering::SeqCst);
    audited()
}

#[tokio::test]
async fn accusations_over_the_budget_cost_no_computing_no_memory_and_no_query() {
    let found = Accused::new(with_other_weights, audited).await;
    let node = found.auditor(counted).await;
    let row = node.journal.accusations().unwrap().remove(0);
    // Behind it in the journal's order.
    for last in 0..20 {
        let mut other = row.clone();
        let mut id = [0xff; 32];
        id[31] = last;
        other.held.receipt_id = id.into();
        node.journal.keep_accusation(&other).unwrap();
    }
    let challenger = found.challenger(&node, 1_000_000);
    COMPUTED.store(0, Ordering::SeqCst);
    found.referee.asked("epoch");
    assert_eq!(challenger.round().await.unwrap(), 1);
    for _ in 0..3 {
        challenger.round().await.unwrap();
    }
    assert_eq!((opened(&found.referee), COMPUTED.load(Ordering::SeqCst)), (1, 1));
    assert_eq!((challenger.held_in_memory(), found.referee.asked("epoch")), (1, 1));
    assert_eq!(node.journal.accusations().unwrap().len(), 21);
    // After the verdict the next one has its turn, and the values of the first are gone.
    found.referee.cases.lock().unwrap()[0].verdict = Some(Verdict::Guilty);
    assert_eq!(challenger.round().await.unwrap(), 2);
    assert_eq!((opened(&found.referee), COMPUTED.load(Ordering::SeqCst)), (2, 2));
    assert_eq!((challenger.held_in_memory(), node.journal.accusations().unwrap().len()), (1, 20));
}

#[tokio::test]
async fn a_case_that_cannot_be_judged_is_tried_ever_more_rarely_and_an_ended_one_not_read_again() {
    let home = tempfile::tempdir().unwrap();
    let chain = new_chain();
    let referee = FakeReferee::new(&chain, "http://127.0.0.1:1");
    ended(&referee, 9).await;
    let open = ExecuteMsg::OpenCase { subject: unknown(99), reason: "r".into() };
    referee.tell(&open, None).await.unwrap();
    referee.cases.lock().unwrap()[9].challenger = "openledger1another".into();
    let juror = Juror::new(auditor_node(home.path(), &chain), referee.clone());
    let from = chain.state().height;
    for height in from..from + 40 {
        chain.state().height = height;
        assert_eq!(juror.round().await.unwrap(), 0);
    }
    // At once, then after 1, 2, 4, 8 and 16 blocks.
    assert_eq!(referee.asked("nodes"), 6);
    // Six pages the first time, two afterwards: the case that runs, and that there are no more.
    assert_eq!(referee.asked("cases"), 6 + 39 * 2);
}

use cosmwasm_std::Addr;
use openledger_datanet::ContractError;
use openledger_testing::{datanet_msg, Document, Refused};
use openledger_types::msg::datanet::{ContributionStatus, CurationResponse, ExecuteMsg, Policy, QueryMsg};

use crate::common::{fixture, text, Fixture, BOND, WINDOW};

/// Three curators, two of whom decide, and a datanet of Alice's with two contributions of Bob's.
fn curated() -> (Fixture, u64, Vec<Addr>, Vec<u64>) {
    let mut f = fixture();
    let mut curators: Vec<Addr> = ["one", "two", "three"].map(|name| f.world.account(name)).to_vec();
    curators.sort();
    let policy = Policy::Curated { curators: curators.iter().map(Addr::to_string).collect(), quorum: 2 };
    let (alice, bob) = (f.alice.clone(), f.bob.clone());
    let datanet_id = f.world.create_datanet_with(&alice, &with_policy(policy)).unwrap();
    let given = f.world.contribute(&bob, datanet_id, Document::generate(1, 2)).unwrap();
    (f, datanet_id, curators, given)
}

fn with_policy(new: Policy) -> ExecuteMsg {
    let mut msg = datanet_msg("curated");
    if let ExecuteMsg::CreateDatanet { policy, .. } = &mut msg {
        *policy = Some(new);
    }
    msg
}

fn vote(ids: &[u64], approve: bool, slash: bool) -> ExecuteMsg {
    let reason = if approve { "" } else { "spam" }.to_string();
    ExecuteMsg::Curate { contribution_ids: ids.to_vec(), approve, reason, slash }
}

#[test]
fn a_version_takes_what_a_quorum_approved() {
    let (mut f, datanet_id, curators, given) = curated();
    let alice = f.alice.clone();
    assert_eq!(f.world.status(given[0]).unwrap(), ContributionStatus::Proposed);
    f.send(&curators[0], &vote(&given, true, false)).unwrap();
    f.send(&curators[0], &vote(&given, true, false)).unwrap();
    assert_eq!(f.world.status(given[0]).unwrap(), ContributionStatus::Proposed, "one voice counts once");
    assert!(f.world.seal(&alice, datanet_id).is_err());
    f.send(&curators[1], &vote(&given[1..], true, false)).unwrap();
    assert_eq!(f.world.status(given[1]).unwrap(), ContributionStatus::Accepted);
    f.world.seal(&alice, datanet_id).unwrap();
    assert_eq!(f.leaves(datanet_id), given[1..]);
    f.send(&curators[2], &vote(&given[..1], true, false)).unwrap();
    f.world.seal(&alice, datanet_id).unwrap();
    assert_eq!(f.leaves(datanet_id), [given[1], given[0]]);
}

#[test]
fn approval_does_not_shorten_the_window_of_challenges() {
    let (mut f, datanet_id, curators, given) = curated();
    let accepted_at = f.world.height() + WINDOW;
    for curator in &curators[..2] {
        f.send(curator, &vote(&given, true, false)).unwrap();
    }
    assert_eq!(f.world.contribution(given[0]).unwrap().accepted_at, accepted_at);
    let alice = f.alice.clone();
    let seal = ExecuteMsg::Seal { datanet_id, up_to: None, limit: None };
    assert!(f.send(&alice, &seal).unwrap_err().0.contains("can be challenged until"));
}

#[test]
fn a_rejection_says_why_and_its_bond_returns_unless_the_whole_quorum_slashes() {
    for (slashes, slashed) in [([false, false], 0), ([true, false], 0), ([true, true], BOND)] {
        let (mut f, _, curators, given) = curated();
        for (curator, slash) in curators.iter().zip(slashes) {
            f.send(curator, &vote(&given[..1], false, slash)).unwrap();
        }
        let gone = f.world.contribution(given[0]).unwrap();
        assert_eq!((gone.status, gone.reason.as_deref()), (ContributionStatus::Rejected, Some("spam")));
        // 30 % burned; curators find nothing for themselves.
        assert_eq!(f.term("bonds_at_stake"), 2 * BOND - slashed);
        assert_eq!(f.term("treasury"), slashed * 7 / 10);
        assert_eq!(f.term("withdrawable"), 0);
        f.world.assert_invariants();
        let refused = f.send(&curators[2], &vote(&given[..1], true, false)).unwrap_err();
        assert!(refused.is(&ContractError::NotWaiting { contribution_id: given[0] }));
    }
}

#[test]
fn a_vote_can_be_changed_until_it_decided() {
    let (mut f, _, curators, given) = curated();
    f.send(&curators[0], &vote(&given, false, true)).unwrap();
    f.send(&curators[0], &vote(&given[..1], true, false)).unwrap();
    let votes = |f: &Fixture, contribution_id| {
        let votes: CurationResponse = f.ask(&QueryMsg::Curation { contribution_id }).unwrap();
        (votes.approvals, votes.rejections)
    };
    let own = vec![curators[0].to_string()];
    assert_eq!(votes(&f, given[0]), (own.clone(), vec![]));
    assert_eq!(votes(&f, given[1]), (vec![], own));
}

#[test]
fn votes_that_were_cast_stand_when_curators_change() {
    let (mut f, datanet_id, curators, given) = curated();
    let alice = f.alice.clone();
    f.send(&curators[0], &vote(&given, true, false)).unwrap();
    let left = vec![curators[1].to_string()];
    f.send(&alice, &ExecuteMsg::UpdateCurators { datanet_id, curators: left, quorum: 1 }).unwrap();
    let refused = f.send(&curators[0], &vote(&given, true, false)).unwrap_err();
    assert!(refused.0.starts_with("unauthorized"));
    f.send(&curators[1], &vote(&given, true, false)).unwrap();
    assert_eq!(f.world.status(given[0]).unwrap(), ContributionStatus::Accepted);
}

#[test]
fn a_text_that_curators_did_not_want_is_still_its_contributors() {
    let (mut f, _, curators, _) = curated();
    let (alice, bob, open) = (f.alice.clone(), f.bob.clone(), f.datanet_id);
    let curated = f.world.contribution(1).unwrap().facts.datanet_id;
    let given = f.world.contribute(&bob, curated, text("off topic")).unwrap();
    for curator in &curators[..2] {
        f.send(curator, &vote(&given, false, false)).unwrap();
    }
    let refused = f.world.contribute(&alice, open, text("off topic")).unwrap_err();
    assert!(refused.is(&ContractError::MatchTaken { index: 0, contribution_id: given[0] }));
    assert!(f.world.contribute(&bob, open, text("off topic")).is_ok());
}

#[test]
fn a_challenged_contribution_waits_for_its_verdict_before_curators() {
    let (mut f, _, curators, given) = curated();
    f.hold(given[0], true).unwrap();
    assert_eq!(f.world.status(given[0]).unwrap(), ContributionStatus::Challenged);
    let refused = f.send(&curators[0], &vote(&given, true, false)).unwrap_err();
    assert!(refused.is(&ContractError::NotWaiting { contribution_id: given[0] }));
    f.hold(given[0], false).unwrap();
    assert_eq!(f.world.status(given[0]).unwrap(), ContributionStatus::Proposed);
    f.send(&curators[0], &vote(&given, true, false)).unwrap();
}

#[test]
fn curators_and_votes_of_a_wrong_form_are_refused() {
    let (mut f, datanet_id, curators, given) = curated();
    let (alice, open) = (f.alice.clone(), f.datanet_id);
    let names: Vec<String> = curators.iter().map(Addr::to_string).collect();
    let wrong: Vec<(Vec<String>, u8, &str)> = vec![
        (vec![], 1, "curators"),
        (names.iter().rev().cloned().collect(), 1, "curators"),
        (vec![names[0].clone(), names[0].clone()], 1, "curators"),
        ((0..17).map(|i| format!("{i:02}")).collect(), 1, "curators"),
        (names.clone(), 0, "quorum"),
        (names.clone(), 4, "quorum"),
        (vec!["Nobody".into()], 1, ""),
    ];
    for (curators, quorum, field) in wrong {
        let create = with_policy(Policy::Curated { curators: curators.clone(), quorum });
        let update = ExecuteMsg::UpdateCurators { datanet_id, curators, quorum };
        for msg in [create, update] {
            let refused: Refused = f.send(&alice, &msg).unwrap_err();
            assert!(refused.0.starts_with(field), "{field}: {refused}");
        }
    }
    let update = ExecuteMsg::UpdateCurators { datanet_id: open, curators: names, quorum: 1 };
    let refused = f.send(&alice, &update).unwrap_err();
    assert!(refused.is(&ContractError::NotCurated { datanet_id: open }));
    let none = ExecuteMsg::Curate {
        contribution_ids: given.clone(),
        approve: false,
        reason: String::new(),
        slash: false,
    };
    assert!(f.send(&curators[0], &none).unwrap_err().0.starts_with("reason"));
    assert!(f.send(&curators[0], &vote(&given, true, true)).unwrap_err().0.starts_with("slash"));
    for ids in [vec![], vec![given[1], given[0]], vec![given[0], given[0]], (1..=65).collect()] {
        let refused = f.send(&curators[0], &vote(&ids, true, false)).unwrap_err();
        assert!(refused.0.starts_with("contribution_ids"), "finding P6: {refused}");
    }
}

//! `EditDatanet`, `UpdateTerms`, `UpdateDatanetOwner`, `EditContribution`, `Connect`.

use cosmwasm_std::Uint128;
use openledger_contract::CommonError;
use openledger_datanet::ContractError;
use openledger_testing::{datanet_msg, Document};
use openledger_types::formats::Uses;
use openledger_types::msg::common::OwnershipAction;
use openledger_types::msg::datanet::{ConnectionsResponse, ExecuteMsg, QueryMsg};

use crate::common::fixture;

#[test]
fn words_change_and_data_does_not() {
    let mut f = fixture();
    let (alice, datanet_id) = (f.alice.clone(), f.datanet_id);
    let before = f.world.datanet_of(datanet_id).unwrap();
    let edit = |name: Option<&str>, description: Option<&str>| ExecuteMsg::EditDatanet {
        datanet_id,
        name: name.map(String::from),
        description: description.map(String::from),
    };
    f.send(&alice, &edit(Some("new name"), None)).unwrap();
    f.send(&alice, &edit(None, Some("new words"))).unwrap();
    let after = f.world.datanet_of(datanet_id).unwrap();
    assert_eq!((after.name.as_str(), after.description.as_str()), ("new name", "new words"));
    let words = (before.name.clone(), before.description.clone());
    let mut again = after;
    (again.name, again.description) = words;
    assert_eq!(again, before);
    assert!(f.send(&alice, &edit(Some(""), None)).unwrap_err().0.starts_with("name"));
    let long = "d".repeat(1_025);
    assert!(f.send(&alice, &edit(None, Some(&long))).unwrap_err().0.starts_with("description"));
}

#[test]
fn a_title_changes_alone_also_in_a_version() {
    let mut f = fixture();
    let (alice, bob, datanet_id) = (f.alice.clone(), f.bob.clone(), f.datanet_id);
    let given = f.world.contribute(&bob, datanet_id, Document::generate(1, 12)).unwrap();
    f.world.seal(&alice, datanet_id).unwrap();
    let before: Vec<_> = given.iter().map(|id| f.world.contribution(*id).unwrap()).collect();
    let edit = |contribution_id: u64, title: &str| ExecuteMsg::EditContribution {
        contribution_id,
        title: title.into(),
    };
    for at in [0, 7, 8, 11] {
        f.send(&bob, &edit(given[at], "a much longer title than there was before, in other words")).unwrap();
        f.send(&bob, &edit(given[at], "short")).unwrap();
    }
    for (at, id) in given.iter().enumerate() {
        let mut after = f.world.contribution(*id).unwrap();
        assert_eq!(after.title == "short", [0, 7, 8, 11].contains(&at));
        after.title = before[at].title.clone();
        assert_eq!(after, before[at]);
    }
    let long = "t".repeat(129);
    assert!(f.send(&bob, &edit(given[0], &long)).unwrap_err().0.starts_with("title"));
    let refused = f.send(&alice, &edit(given[0], "hers")).unwrap_err();
    assert!(refused.is(&CommonError::Unauthorized { role: "the contributor" }));
}

#[test]
fn rule_d5_new_terms_hold_for_versions_sealed_from_now_on() {
    let mut f = fixture();
    let (alice, datanet_id) = (f.alice.clone(), f.datanet_id);
    f.world.contribute(&alice, datanet_id, Document::generate(1, 1)).unwrap();
    f.world.seal(&alice, datanet_id).unwrap();
    let terms = |min_data_bps| ExecuteMsg::UpdateTerms {
        datanet_id,
        min_data_bps,
        floor_per_token: Uint128::new(70),
        training_price: Uint128::new(9),
    };
    assert!(f.send(&alice, &terms(10_001)).unwrap_err().0.starts_with("min_data_bps"));
    f.send(&alice, &terms(4_000)).unwrap();
    f.world.contribute(&alice, datanet_id, Document::generate(2, 1)).unwrap();
    f.world.seal(&alice, datanet_id).unwrap();
    let pinned = |version| {
        let version = f.world.version(datanet_id, version).unwrap();
        (version.min_data_bps, version.floor_per_token.u128(), version.training_price.u128())
    };
    assert_eq!((pinned(1), pinned(2)), ((3_000, 50, 0), (4_000, 70, 9)));
}

#[test]
fn rule_d4_licence_and_uses_are_pinned_with_the_contribution() {
    let mut f = fixture();
    let alice = f.alice.clone();
    let mut msg = datanet_msg("answers only");
    let only_answers = Uses { train: false, answer: true, commercial: false };
    if let ExecuteMsg::CreateDatanet { uses, .. } = &mut msg {
        *uses = Some(only_answers);
    }
    let datanet_id = f.world.create_datanet_with(&alice, &msg).unwrap();
    assert_eq!(f.world.datanet_of(datanet_id).unwrap().uses, only_answers);
    let given = f.world.contribute(&alice, datanet_id, Document::generate(1, 1)).unwrap();
    let open = f.world.contribute(&alice, f.datanet_id, Document::generate(2, 1)).unwrap();
    assert_eq!(f.world.contribution(given[0]).unwrap().facts.uses, only_answers);
    assert_eq!(f.world.contribution(open[0]).unwrap().facts.uses, Uses::ALL);
}

#[test]
fn finding_p12_a_datanet_changes_hands_in_two_steps_and_is_never_without_an_owner() {
    let mut f = fixture();
    let (alice, bob, datanet_id) = (f.alice.clone(), f.bob.clone(), f.datanet_id);
    let step = |action| ExecuteMsg::UpdateDatanetOwner { datanet_id, action };
    let propose = step(OwnershipAction::Propose { new_owner: bob.to_string() });
    let accept = step(OwnershipAction::Accept {});
    assert!(f.send(&bob, &accept).unwrap_err().is(&CommonError::NoPendingOwner {}));
    f.send(&alice, &propose).unwrap();
    assert_eq!(f.world.datanet_of(datanet_id).unwrap().pending_owner, Some(bob.to_string()));
    f.send(&alice, &step(OwnershipAction::Cancel {})).unwrap();
    assert!(f.send(&bob, &accept).is_err());
    f.send(&alice, &propose).unwrap();
    f.send(&bob, &accept).unwrap();
    let datanet = f.world.datanet_of(datanet_id).unwrap();
    assert_eq!((datanet.owner, datanet.pending_owner), (bob.to_string(), None));
    assert!(f.send(&alice, &propose).unwrap_err().0.starts_with("unauthorized"));
    let refused = f.send(&bob, &step(OwnershipAction::Renounce {})).unwrap_err();
    assert!(refused.is(&ContractError::NeedsOwner { datanet_id }));
    let capitals = bob.to_string().to_uppercase();
    assert!(f.send(&bob, &step(OwnershipAction::Propose { new_owner: capitals })).is_err(), "finding P1");
}

#[test]
fn only_the_connected_contracts_are_believed_and_the_owner_can_change_them() {
    let mut f = fixture();
    let (owner, bob, datanet_id) = (f.world.owner.clone(), f.bob.clone(), f.datanet_id);
    let given = f.world.contribute(&bob, datanet_id, Document::generate(1, 1)).unwrap();
    let (old, new) = (f.world.referee.clone(), f.world.account("new referee"));
    let hold = ExecuteMsg::HoldContribution { contribution_id: given[0], open: true };
    assert!(f.send(&new, &hold).unwrap_err().is(&CommonError::Unauthorized { role: "the referee" }));
    let registry = f.world.model_registry.to_string();
    let connect = ExecuteMsg::Connect { model_registry: registry.clone(), referee: new.to_string() };
    f.send(&owner, &connect).unwrap();
    assert!(f.send(&old, &hold).is_err());
    f.send(&new, &hold).unwrap();
    let known: ConnectionsResponse = f.ask(&QueryMsg::Connections {}).unwrap();
    let expected =
        ConnectionsResponse { model_registry: Some(registry), referee: Some(new.to_string()), storage: None };
    assert_eq!(known, expected);
    let wrong = ExecuteMsg::Connect { model_registry: "nobody".into(), referee: new.to_string() };
    assert!(f.send(&owner, &wrong).is_err());
}

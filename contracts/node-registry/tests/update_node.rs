use openledger_node_registry::ContractError;
use openledger_types::msg::node_registry::{ExecuteMsg, Role};

use crate::common::fixture;

fn update(node_id: u64, endpoint: Option<&str>, moniker: Option<&str>, hot: Option<&str>) -> ExecuteMsg {
    ExecuteMsg::UpdateNode {
        node_id,
        endpoint: endpoint.map(Into::into),
        moniker: moniker.map(Into::into),
        hot_addr: hot.map(Into::into),
        age_recipient: None,
        roles: None,
    }
}

#[test]
fn what_is_given_changes_and_the_rest_stays() {
    let mut f = fixture();
    let (alice, bob, id) = (f.alice.clone(), f.bob.clone(), f.node_id);
    let before = f.world.node(id).unwrap();
    f.send(&alice, &update(id, Some("https://new.example"), None, None)).unwrap();
    f.send(&alice, &update(id, None, Some("new"), Some(bob.as_str()))).unwrap();
    let after = f.world.node(id).unwrap();
    assert_eq!((after.endpoint.as_str(), after.moniker.as_str()), ("https://new.example", "new"));
    assert_eq!(after.hot_addr, Some(bob.to_string()));
    assert_eq!((after.node_key, after.bond, after.roles), (before.node_key, before.bond, before.roles));
}

#[test]
fn roles_and_the_recipient_of_datanet_keys_change_too() {
    let mut f = fixture();
    let (alice, id) = (f.alice.clone(), f.node_id);
    let change = |age_recipient: Option<String>, roles: Option<Vec<Role>>| ExecuteMsg::UpdateNode {
        node_id: id,
        endpoint: None,
        moniker: None,
        hot_addr: None,
        age_recipient,
        roles,
    };
    let (recipient, roles) = (openledger_testing::age_recipient("new"), vec![Role::Inference, Role::Storage]);
    f.send(&alice, &change(Some(recipient.clone()), Some(roles.clone()))).unwrap();
    assert_eq!((f.node().age_recipient, f.node().roles), (recipient, roles));
    for wrong in [
        change(Some("age1".into()), None),
        change(None, Some(vec![])),
        change(None, Some(vec![Role::Storage, Role::Inference])),
        change(None, Some(vec![Role::Storage, Role::Storage])),
    ] {
        assert!(f.send(&alice, &wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn changes_of_a_wrong_form_are_refused() {
    let mut f = fixture();
    let (alice, id) = (f.alice.clone(), f.node_id);
    for (msg, field) in [
        (update(id, None, None, None), "changes"),
        (update(id, Some("nowhere"), None, None), "endpoint"),
        (update(id, None, Some(""), None), "moniker"),
    ] {
        assert!(f.send(&alice, &msg).unwrap_err().0.starts_with(field));
    }
    assert!(f.send(&alice, &update(id, None, None, Some("x"))).is_err());
    let refused = f.send(&alice, &update(9, None, Some("x"), None)).unwrap_err();
    assert!(refused.is(&ContractError::NodeNotFound { node_id: 9 }));
}

use cosmwasm_std::{coin, HexBinary};
use openledger_contract::CommonError;
use openledger_node_registry::ContractError;
use openledger_testing::{register_msg, Key};
use openledger_types::msg::node_registry::{ExecuteMsg, NodeStatus, Role};

use crate::common::{fixture, BOND};

#[test]
fn a_node_is_in_service_from_its_block_on() {
    let mut f = fixture();
    let node = f.world.node(f.node_id).unwrap();
    assert_eq!((node.operator, node.status), (f.alice.to_string(), NodeStatus::Bonded));
    assert_eq!((node.bond.u128(), node.unbonds_at), (BOND, None));
    assert_eq!(node.node_key, Key::named("first").public());
    let bob = f.bob.clone();
    let msg = register_msg("second", &Key::named("second"));
    f.pay(&bob, &msg, BOND + 5).unwrap();
    assert_eq!(f.world.node(2).unwrap().bond.u128(), BOND + 5);
    assert_eq!(f.bonds(), 2 * BOND + 5);
    f.world.assert_invariants();
}

#[test]
fn finding_p5_only_a_bond_of_the_denom_is_taken() {
    let mut f = fixture();
    let (bob, registry) = (f.bob.clone(), f.world.node_registry.clone());
    f.world.mint(&bob, coin(2 * BOND, "uother"));
    let msg = register_msg("second", &Key::named("second"));
    for funds in [vec![], vec![coin(BOND, "uother")], vec![coin(BOND, "uopen"), coin(1, "uother")]] {
        let refused = f.world.execute(&bob, &registry, &msg, &funds).unwrap_err();
        assert!(refused.is(&CommonError::WrongFunds { expected: "uopen".into() }));
    }
    let refused = f.pay(&bob, &msg, BOND - 1).unwrap_err();
    assert!(refused.is(&ContractError::BondTooSmall { least: BOND, sent: BOND - 1 }));
}

#[test]
fn rule_s2_a_key_belongs_to_one_node_for_ever() {
    let mut f = fixture();
    let (alice, bob, node_id) = (f.alice.clone(), f.bob.clone(), f.node_id);
    let taken = ContractError::KeyTaken { node_id };
    let first = register_msg("copy", &Key::named("first"));
    assert!(f.pay(&bob, &first, BOND).unwrap_err().is(&taken));
    // Neither a rotation nor leaving gives it back.
    f.send(&alice, &ExecuteMsg::RotateKey { node_id, node_key: Key::named("next").public() }).unwrap();
    f.send(&alice, &ExecuteMsg::Unbond { node_id }).unwrap();
    f.world.advance(f.world.profile.node_registry.unbonding_blocks);
    f.send(&alice, &ExecuteMsg::WithdrawBond { node_id }).unwrap();
    for name in ["first", "next"] {
        let refused = f.pay(&bob, &register_msg("copy", &Key::named(name)), BOND).unwrap_err();
        assert!(refused.is(&taken), "{name}: {refused}");
    }
}

#[test]
fn fields_of_a_wrong_form_are_refused() {
    let mut f = fixture();
    let bob = f.bob.clone();
    type Change = fn(&mut Fields);
    let cases: Vec<(&str, Change)> = vec![
        ("moniker", |m| m.moniker = String::new()),
        ("moniker", |m| m.moniker = "m".repeat(65)),
        ("endpoint", |m| m.endpoint = "ftp://x".into()),
        ("endpoint", |m| m.endpoint = "https://user@x".into()),
        ("node_key", |m| m.node_key = HexBinary::from([2u8; 32])),
        ("node_key", |m| m.node_key = HexBinary::from([4u8; 33])),
        ("node_key", |m| m.node_key = HexBinary::default()),
        ("age_recipient", |m| m.age_recipient = "age1zzz".into()),
        ("roles", |m| m.roles = vec![]),
        ("roles", |m| m.roles = vec![Role::Audit, Role::Inference]),
        ("roles", |m| m.roles = vec![Role::Audit, Role::Audit]),
    ];
    for (field, change) in cases {
        let mut fields = Fields::good();
        change(&mut fields);
        let refused = f.pay(&bob, &fields.msg(), BOND).unwrap_err();
        assert!(refused.0.starts_with(field), "{field}: {refused}");
    }
    let mut fields = Fields::good();
    fields.hot_addr = Some("not an address".into());
    assert!(f.pay(&bob, &fields.msg(), BOND).is_err());
    fields.hot_addr = Some(bob.to_string());
    fields.roles = vec![Role::Inference, Role::Storage, Role::Audit];
    f.pay(&bob, &fields.msg(), BOND).unwrap();
    assert_eq!(f.world.node(2).unwrap().hot_addr, Some(bob.to_string()));
}

struct Fields {
    moniker: String,
    endpoint: String,
    node_key: HexBinary,
    hot_addr: Option<String>,
    age_recipient: String,
    roles: Vec<Role>,
}

impl Fields {
    fn good() -> Self {
        Fields {
            moniker: "m".into(),
            endpoint: "https://node.example".into(),
            node_key: Key::named("good").public(),
            hot_addr: None,
            age_recipient: openledger_testing::age_recipient("m"),
            roles: vec![Role::Inference],
        }
    }

    fn msg(&self) -> ExecuteMsg {
        ExecuteMsg::Register {
            moniker: self.moniker.clone(),
            endpoint: self.endpoint.clone(),
            node_key: self.node_key.clone(),
            hot_addr: self.hot_addr.clone(),
            age_recipient: self.age_recipient.clone(),
            roles: self.roles.clone(),
        }
    }
}

#[test]
fn rule_a1_pause_stops_registrations_and_nothing_else() {
    let mut f = fixture();
    let (owner, alice, bob, node_id) = (f.world.owner.clone(), f.alice.clone(), f.bob.clone(), f.node_id);
    f.send(&owner, &ExecuteMsg::SetPaused { paused: true }).unwrap();
    let refused = f.pay(&bob, &register_msg("late", &Key::named("late")), BOND).unwrap_err();
    assert!(refused.is(&CommonError::Paused {}));
    f.send(&alice, &ExecuteMsg::RotateKey { node_id, node_key: Key::named("next").public() }).unwrap();
    f.pay(&bob, &ExecuteMsg::AddBond { node_id }, 5).unwrap();
    f.send(&alice, &ExecuteMsg::Unbond { node_id }).unwrap();
    f.world.advance(f.world.profile.node_registry.unbonding_blocks);
    f.send(&alice, &ExecuteMsg::WithdrawBond { node_id }).unwrap();
}

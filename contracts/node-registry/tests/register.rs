use cosmwasm_std::{coin, Addr, HexBinary};
use openledger_contract::CommonError;
use openledger_node_registry::ContractError;
use openledger_testing::{key_proof, register_msg, Key, World};
use openledger_types::msg::node_registry::{ExecuteMsg, NodeStatus, NodesResponse, QueryMsg, Role};

use crate::common::{fixture, plan, slash, BOND};

#[test]
fn a_node_is_in_service_from_its_block_on() {
    let mut f = fixture();
    let node = f.world.node(f.node_id).unwrap();
    assert_eq!((node.operator, node.status), (f.alice.to_string(), NodeStatus::Bonded));
    assert_eq!((node.bond.u128(), node.unbonds_at), (BOND, None));
    assert_eq!(node.node_key, Key::named("first").public());
    let bob = f.bob.clone();
    let msg = register_msg(&f.world, &bob, "second", &Key::named("second"));
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
    let msg = register_msg(&f.world, &bob, "second", &Key::named("second"));
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
    let first = register_msg(&f.world, &bob, "copy", &Key::named("first"));
    assert!(f.pay(&bob, &first, BOND).unwrap_err().is(&taken));
    // Neither a rotation nor leaving gives it back.
    let rotate = f.rotate(&alice, "next");
    f.send(&alice, &rotate).unwrap();
    f.send(&alice, &ExecuteMsg::Unbond { node_id }).unwrap();
    f.world.advance(f.world.profile.node_registry.unbonding_blocks);
    f.send(&alice, &ExecuteMsg::WithdrawBond { node_id }).unwrap();
    for name in ["first", "next"] {
        let msg = register_msg(&f.world, &bob, "copy", &Key::named(name));
        let refused = f.pay(&bob, &msg, BOND).unwrap_err();
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
        let mut fields = Fields::good(&f.world, &bob);
        change(&mut fields);
        let refused = f.pay(&bob, &fields.msg(), BOND).unwrap_err();
        assert!(refused.0.starts_with(field), "{field}: {refused}");
    }
    let mut fields = Fields::good(&f.world, &bob);
    fields.hot_addr = Some("not an address".into());
    assert!(f.pay(&bob, &fields.msg(), BOND).is_err());
    fields.hot_addr = Some(bob.to_string());
    fields.roles = vec![Role::Inference, Role::Storage];
    f.pay(&bob, &fields.msg(), BOND).unwrap();
    assert_eq!(f.world.node(2).unwrap().hot_addr, Some(bob.to_string()));
}

struct Fields {
    moniker: String,
    endpoint: String,
    node_key: HexBinary,
    key_proof: HexBinary,
    hot_addr: Option<String>,
    age_recipient: String,
    roles: Vec<Role>,
}

impl Fields {
    fn good(world: &World, operator: &Addr) -> Self {
        Fields {
            moniker: "m".into(),
            endpoint: "https://node.example".into(),
            node_key: Key::named("good").public(),
            key_proof: key_proof(world, operator, &Key::named("good")),
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
            key_proof: self.key_proof.clone(),
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
    let msg = register_msg(&f.world, &bob, "late", &Key::named("late"));
    let refused = f.pay(&bob, &msg, BOND).unwrap_err();
    assert!(refused.is(&CommonError::Paused {}));
    let rotate = f.rotate(&alice, "next");
    f.send(&alice, &rotate).unwrap();
    f.send(&alice, &ExecuteMsg::RenewKey { node_id }).unwrap();
    f.pay(&bob, &ExecuteMsg::AddBond { node_id }, 5).unwrap();
    let case = |open| ExecuteMsg::Freeze { node_id, open };
    for msg in [case(true), case(false), slash(node_id, 100, Some(&bob)), plan(node_id, 100, None)] {
        f.referee(&msg).unwrap();
    }
    f.send(&bob, &ExecuteMsg::WithdrawRewards {}).unwrap();
    f.world.advance(f.params().jail_blocks.max(f.params().veto_blocks));
    f.send(&bob, &ExecuteMsg::ExecuteCut { cut_id: 1 }).unwrap();
    f.pay(&bob, &ExecuteMsg::AddBond { node_id }, BOND).unwrap();
    f.send(&alice, &ExecuteMsg::Unjail { node_id }).unwrap();
    f.send(&alice, &ExecuteMsg::Unbond { node_id }).unwrap();
    f.world.advance(f.world.profile.node_registry.unbonding_blocks);
    f.send(&alice, &ExecuteMsg::WithdrawBond { node_id }).unwrap();
}

#[test]
fn node_attack_nobody_registers_a_key_that_is_not_theirs() {
    let mut f = fixture();
    let (alice, bob, node_id) = (f.alice.clone(), f.bob.clone(), f.node_id);
    let key = Key::named("victim");
    // The victim's own registration, sent by another: the proof names its operator.
    let copied = register_msg(&f.world, &alice, "victim", &key);
    assert!(f.pay(&bob, &copied, BOND).unwrap_err().0.starts_with("key_proof"));
    f.pay(&alice, &copied, BOND).unwrap();

    let mut fields = Fields::good(&f.world, &bob);
    let good = fields.key_proof.clone();
    for wrong in [
        HexBinary::default(),
        HexBinary::from([1u8; 64]),
        HexBinary::from(&good[..63]),
        key_proof(&f.world, &bob, &Key::named("another")),
        high(&good),
    ] {
        fields.key_proof = wrong;
        let refused = f.pay(&bob, &fields.msg(), BOND).unwrap_err();
        assert!(refused.0.starts_with("key_proof"), "{refused}");
    }
    // Off the curve: the form is right, no signature can be.
    fields.node_key = HexBinary::from([2u8; 33].map(|_| 2));
    fields.key_proof = good.clone();
    assert!(f.pay(&bob, &fields.msg(), BOND).unwrap_err().0.starts_with("key_proof"));
    let rotate = ExecuteMsg::RotateKey { node_id, node_key: Key::named("good").public(), key_proof: good };
    assert!(f.send(&alice, &rotate).unwrap_err().0.starts_with("key_proof"), "made for Bob");
    // A proof for another registry or chain is none for this one.
    let good = Key::named("good");
    for (chain, registry) in [("openledger-2", f.world.node_registry.clone()), ("openledger-1", bob.clone())]
    {
        let digest = openledger_types::formats::node_key_digest(
            chain,
            registry.as_str(),
            bob.as_str(),
            &good.public(),
        );
        fields.node_key = good.public();
        fields.key_proof = good.sign(&digest);
        assert!(f.pay(&bob, &fields.msg(), BOND).is_err());
    }
}

/// The other signature over the same digest that plain ECDSA would accept: `s` in the upper half.
fn high(signature: &HexBinary) -> HexBinary {
    const ORDER: &str = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
    let order = HexBinary::from_hex(ORDER).unwrap();
    let number = |bytes: &[u8]| cosmwasm_std::Uint256::from_be_bytes(bytes.try_into().unwrap());
    let s = number(&order).checked_sub(number(&signature[32..])).unwrap();
    HexBinary::from([&signature[..32], &s.to_be_bytes()[..]].concat())
}

#[test]
fn node_attack_a_flood_of_registrations_locks_a_bond_each_and_lengthens_no_answer() {
    let mut f = fixture();
    let bob = f.bob.clone();
    f.world.mint(&bob, coin(200 * BOND, f.world.denom.clone()));
    let before = f.world.balance(&bob);
    let flood: Vec<u64> = (0..100)
        .map(|number| {
            let name = format!("flood-{number}");
            f.world.register_node(&bob, &name, &Key::named(&name)).unwrap()
        })
        .collect();
    assert_eq!(f.world.balance(&bob), before - 100 * BOND);
    let msg = QueryMsg::Nodes { start_after: None, limit: Some(u32::MAX) };
    assert_eq!(f.ask::<NodesResponse>(&msg).unwrap().nodes.len(), 30);
    // One bond buys one place at a time: it comes back after the whole delay only.
    for node_id in &flood {
        f.send(&bob, &ExecuteMsg::Unbond { node_id: *node_id }).unwrap();
        assert!(f.send(&bob, &ExecuteMsg::WithdrawBond { node_id: *node_id }).is_err());
    }
    assert_eq!(f.world.balance(&bob), before - 100 * BOND);
    // Alice's node stands where it stood.
    assert_eq!((f.node().status, f.node().bond.u128()), (NodeStatus::Bonded, BOND));
    f.world.assert_invariants();
}

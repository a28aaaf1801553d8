//! Random histories: the bonds' equation holds after every message (PROTOCOL A2).

use cosmwasm_std::{coins, Addr, BankMsg};
use cw_multi_test::Executor;
use openledger_testing::{register_msg, Key};
use openledger_types::msg::node_registry::{ExecuteMsg, NodeStatus};
use proptest::prelude::*;

use crate::common::{fixture, Fixture, BOND};

#[derive(Clone, Debug)]
enum Step {
    Register { who: usize, key: u8, extra: u128 },
    Add { who: usize, node: u64, amount: u128 },
    Unbond { who: usize, node: u64 },
    Withdraw { who: usize, node: u64 },
    Rotate { who: usize, node: u64, key: u8 },
    Gift,
    Wait { blocks: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let (who, node) = (0..3usize, 1..6u64);
    prop_oneof![
        2 => (who.clone(), 0..12u8, 0..5u128).prop_map(|(who, key, extra)| Step::Register { who, key, extra }),
        2 => (who.clone(), node.clone(), 1..9u128)
            .prop_map(|(who, node, amount)| Step::Add { who, node, amount }),
        2 => (who.clone(), node.clone()).prop_map(|(who, node)| Step::Unbond { who, node }),
        3 => (who.clone(), node.clone()).prop_map(|(who, node)| Step::Withdraw { who, node }),
        1 => (who, node, 0..12u8).prop_map(|(who, node, key)| Step::Rotate { who, node, key }),
        1 => Just(Step::Gift),
        2 => (1..400u64).prop_map(|blocks| Step::Wait { blocks }),
    ]
}

/// Takes a step; refusals are part of a history.
fn take(f: &mut Fixture, people: &[Addr], step: Step) {
    let key = |number: u8| Key::named(&format!("key {number}"));
    let _ = match step {
        Step::Register { who, key: number, extra } => {
            f.pay(&people[who], &register_msg("node", &key(number)), BOND + extra)
        }
        Step::Add { who, node, amount } => {
            f.pay(&people[who], &ExecuteMsg::AddBond { node_id: node }, amount)
        }
        Step::Unbond { who, node } => f.send(&people[who], &ExecuteMsg::Unbond { node_id: node }),
        Step::Withdraw { who, node } => f.send(&people[who], &ExecuteMsg::WithdrawBond { node_id: node }),
        Step::Rotate { who, node, key: number } => {
            let node_key = key(number).public();
            f.send(&people[who], &ExecuteMsg::RotateKey { node_id: node, node_key })
        }
        Step::Gift => {
            let to_address = f.world.node_registry.to_string();
            let gift = BankMsg::Send { to_address, amount: coins(3, "uopen") };
            f.world.app.execute(people[0].clone(), gift.into()).map_err(Into::into)
        }
        Step::Wait { blocks } => {
            f.world.advance(blocks);
            return;
        }
    };
}

fn check(f: &Fixture) {
    f.world.assert_invariants();
    let mut bonds = 0;
    for node_id in 1.. {
        let Ok(node) = f.world.node(node_id) else { break };
        assert_eq!(node.bond.is_zero(), node.status == NodeStatus::Left);
        assert_eq!(node.unbonds_at.is_some(), node.status == NodeStatus::Unbonding);
        bonds += node.bond.u128();
    }
    assert_eq!(f.bonds(), bonds);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rule_a2_bonds_are_conserved_over_random_histories(
        steps in prop::collection::vec(step(), 20..60),
    ) {
        let mut f = fixture();
        let people = [f.alice.clone(), f.bob.clone(), f.world.account("carol")];
        for step in steps {
            take(&mut f, &people, step);
            check(&f);
        }
    }
}

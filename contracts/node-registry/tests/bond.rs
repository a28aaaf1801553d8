use cosmwasm_std::{coin, coins, BankMsg, Uint256};
use cw_multi_test::Executor;
use openledger_contract::CommonError;
use openledger_node_registry::ContractError;
use openledger_types::msg::common::InvariantsResponse;
use openledger_types::msg::node_registry::{ExecuteMsg, NodeStatus, QueryMsg};

use crate::common::{fixture, BOND};

#[test]
fn anyone_adds_to_the_bond_of_a_node_in_service() {
    let mut f = fixture();
    let (alice, bob, node_id) = (f.alice.clone(), f.bob.clone(), f.node_id);
    let add = ExecuteMsg::AddBond { node_id };
    f.pay(&bob, &add, 7).unwrap();
    assert_eq!((f.world.node(node_id).unwrap().bond.u128(), f.bonds()), (BOND + 7, BOND + 7));
    f.send(&alice, &ExecuteMsg::Unbond { node_id }).unwrap();
    assert!(f.pay(&bob, &add, 7).unwrap_err().is(&ContractError::NotBonded { node_id }));
    let refused = f.pay(&bob, &ExecuteMsg::AddBond { node_id: 9 }, 7).unwrap_err();
    assert!(refused.is(&ContractError::NodeNotFound { node_id: 9 }));
    f.world.assert_invariants();
}

#[test]
fn finding_p5_a_bond_grows_by_its_denom_only() {
    let mut f = fixture();
    let (bob, registry, node_id) = (f.bob.clone(), f.world.node_registry.clone(), f.node_id);
    f.world.mint(&bob, coin(10, "uother"));
    for funds in [vec![], vec![coin(1, "uother")], vec![coin(1, "uopen"), coin(1, "uother")]] {
        let msg = ExecuteMsg::AddBond { node_id };
        let refused = f.world.execute(&bob, &registry, &msg, &funds).unwrap_err();
        assert!(refused.is(&CommonError::WrongFunds { expected: "uopen".into() }));
    }
}

#[test]
fn rule_f5_a_bond_stays_at_stake_for_the_whole_delay() {
    let mut f = fixture();
    let (alice, node_id) = (f.alice.clone(), f.node_id);
    let withdraw = ExecuteMsg::WithdrawBond { node_id };
    assert!(f.send(&alice, &withdraw).unwrap_err().is(&ContractError::NotUnbonding { node_id }));
    let before = f.world.balance(&alice);
    let unbonds_at = f.world.height() + f.world.profile.node_registry.unbonding_blocks;
    f.send(&alice, &ExecuteMsg::Unbond { node_id }).unwrap();
    let node = f.world.node(node_id).unwrap();
    assert_eq!((node.status, node.unbonds_at), (NodeStatus::Unbonding, Some(unbonds_at)));
    let refused = f.send(&alice, &ExecuteMsg::Unbond { node_id }).unwrap_err();
    assert!(refused.is(&ContractError::NotBonded { node_id }));

    // A shorter delay for others does not free it.
    let owner = f.world.owner.clone();
    let mut params = f.world.profile.node_registry.clone();
    params.unbonding_blocks = params.epoch_blocks + params.veto_blocks + 1;
    f.send(&owner, &ExecuteMsg::UpdateParams { params }).unwrap();
    f.world.advance_to(unbonds_at - 1);
    let refused = f.send(&alice, &withdraw).unwrap_err();
    assert!(refused.is(&ContractError::StillUnbonding { node_id, unbonds_at }));
    f.world.advance(1);
    f.send(&alice, &withdraw).unwrap();
    assert_eq!(f.world.balance(&alice), before + BOND);
    let node = f.world.node(node_id).unwrap();
    assert_eq!((node.status, node.bond.u128(), node.unbonds_at), (NodeStatus::Left, 0, None));
    assert_eq!(f.bonds(), 0);
    for msg in [withdraw, ExecuteMsg::Unbond { node_id }] {
        assert!(f.send(&alice, &msg).is_err(), "paid once");
    }
    f.world.assert_invariants();
}

#[test]
fn finding_p5_coins_sent_directly_are_surplus_and_nobodys() {
    let mut f = fixture();
    let (bob, registry) = (f.bob.clone(), f.world.node_registry.clone());
    let gift = BankMsg::Send { to_address: registry.to_string(), amount: coins(77, "uopen") };
    f.world.app.execute(bob, gift.into()).unwrap();
    let answer: InvariantsResponse = f.ask(&QueryMsg::Invariants {}).unwrap();
    assert!(answer.holds);
    assert_eq!(answer.denoms[0].surplus, Uint256::from(77u128));
}

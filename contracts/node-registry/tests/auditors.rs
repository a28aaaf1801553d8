//! Who may audit and with how much weight (PROTOCOL F3).

use cosmwasm_std::Addr;
use openledger_node_registry::ContractError;
use openledger_testing::{register_as, Key, World, SELF_DELEGATION};
use openledger_types::msg::node_registry::{
    AuditWeightResponse, AuditorsResponse, ExecuteMsg, QueryMsg, Role, MAX_AUDITORS,
};

use crate::common::{fixture, slash, Fixture, BOND};

fn weights(f: &Fixture) -> Vec<(u64, u128)> {
    let answer: AuditorsResponse = f.ask(&QueryMsg::Auditors {}).unwrap();
    let listed: Vec<_> = answer.auditors.iter().map(|one| (one.node_id, one.weight.u128())).collect();
    // One question and the other give the same answer.
    for node_id in 1.. {
        let Ok(found) = f.ask::<AuditWeightResponse>(&QueryMsg::AuditWeight { node_id }) else { break };
        let weight = listed.iter().find(|(listed, _)| *listed == node_id).map_or(0, |(_, weight)| *weight);
        assert_eq!(found.weight.u128(), weight, "node {node_id}");
    }
    listed
}

fn roles(node_id: u64, roles: &[Role]) -> ExecuteMsg {
    ExecuteMsg::UpdateNode {
        node_id,
        endpoint: None,
        moniker: None,
        hot_addr: None,
        age_recipient: None,
        roles: Some(roles.to_vec()),
    }
}

#[test]
fn rule_f3_weight_is_the_lesser_of_bond_and_self_delegation() {
    let mut f = fixture();
    assert_eq!(weights(&f), []);
    let (first, operator) = f.world.register_auditor("first validator", BOND).unwrap();
    let (second, rich) = f.world.register_auditor("second validator", 2 * BOND).unwrap();
    assert_eq!(weights(&f), [(first, BOND), (second, 2 * BOND)]);
    // What it has bonded beyond its self-delegation weighs nothing, and the other way round.
    f.world.undelegate(&operator, SELF_DELEGATION - 7);
    assert_eq!(weights(&f), [(first, 7), (second, 2 * BOND)]);
    f.world.undelegate(&operator, 7);
    assert_eq!(weights(&f), [(second, 2 * BOND)], "nothing delegated, nothing weighed");
    f.world.mint(&rich, cosmwasm_std::coin(BOND, "uopen"));
    f.pay(&rich, &ExecuteMsg::AddBond { node_id: second }, BOND).unwrap();
    assert_eq!(weights(&f), [(second, 3 * BOND)]);
    let answer: AuditorsResponse = f.ask(&QueryMsg::Auditors {}).unwrap();
    assert_eq!((answer.auditors[0].operator.as_str(), &answer.auditors[0].hot_addr), (rich.as_str(), &None));
}

#[test]
fn rule_f3_delegations_of_others_give_no_weight() {
    let mut f = fixture();
    let (auditor, operator) = f.world.register_auditor("validator", BOND).unwrap();
    f.world.undelegate(&operator, SELF_DELEGATION - 5);
    let bob = f.bob.clone();
    let validator = openledger_contract::validator::operator_address(operator.as_str()).unwrap();
    let amount = cosmwasm_std::coin(BOND, "uopen");
    let msg = cosmwasm_std::StakingMsg::Delegate { validator, amount };
    cw_multi_test::Executor::execute(&mut f.world.app, bob, msg.into()).unwrap();
    assert_eq!(weights(&f), [(auditor, 5)]);
}

#[test]
fn rule_f3_a_validator_outside_of_the_bonded_set_has_no_weight() {
    let mut f = fixture();
    let (first, operator) = f.world.register_auditor("first validator", BOND).unwrap();
    let (second, _) = f.world.register_auditor("second validator", BOND).unwrap();
    f.world.drop_validator(&operator);
    assert_eq!(weights(&f), [(second, BOND)]);
    // Its place is kept: the weight is read now, and comes back with the validator.
    f.world.restore_validator(&operator);
    assert_eq!(weights(&f), [(first, BOND), (second, BOND)]);
}

#[test]
fn rule_f3_jailed_and_leaving_nodes_have_no_weight() {
    let mut f = fixture();
    let (first, _) = f.world.register_auditor("first validator", BOND).unwrap();
    let (second, operator) = f.world.register_auditor("second validator", 2 * BOND).unwrap();
    f.referee(&slash(first, 1, None)).unwrap();
    assert_eq!(weights(&f), [(second, 2 * BOND)]);
    f.send(&operator, &ExecuteMsg::Unbond { node_id: second }).unwrap();
    assert_eq!(weights(&f), []);
}

#[test]
fn rule_f3_only_operators_of_bonded_validators_may_audit() {
    let mut f = fixture();
    let (alice, bob, node_id) = (f.alice.clone(), f.bob.clone(), f.node_id);
    let register = |world: &World, who: &Addr, name: &str| {
        register_as(world, who, name, &Key::named(name), vec![Role::Inference, Role::Audit])
    };
    let msg = register(&f.world, &bob, "impostor");
    let refused = f.pay(&bob, &msg, BOND).unwrap_err();
    assert!(refused.is(&ContractError::NotValidator { operator: bob.to_string() }), "{refused}");
    let refused = f.send(&alice, &roles(node_id, &[Role::Audit])).unwrap_err();
    assert!(refused.is(&ContractError::NotValidator { operator: alice.to_string() }), "{refused}");

    // A validator that fell out of the set neither.
    f.world.add_validator("alice");
    f.world.drop_validator(&alice);
    assert!(f.send(&alice, &roles(node_id, &[Role::Audit])).is_err());
    f.world.add_validator("bob");
    f.pay(&bob, &msg, BOND).unwrap();
    assert_eq!(weights(&f), [(2, BOND)]);
}

#[test]
fn rule_f3_one_auditor_an_operator() {
    let mut f = fixture();
    let (auditor, operator) = f.world.register_auditor("validator", BOND).unwrap();
    let again = |f: &Fixture, name: &str| {
        register_as(&f.world, &operator, name, &Key::named(name), vec![Role::Audit])
    };
    let taken = ContractError::AlreadyAudits { node_id: auditor };
    let msg = again(&f, "second");
    assert!(f.pay(&operator, &msg, BOND).unwrap_err().is(&taken));
    // Other roles are free, and taking this one on later is refused too.
    let other = f.world.register_node(&operator, "other", &Key::named("other")).unwrap();
    let refused = f.send(&operator, &roles(other, &[Role::Inference, Role::Audit])).unwrap_err();
    assert!(refused.is(&taken));
    // Once the first has laid the role down, the other may take it up; and so when it leaves.
    f.send(&operator, &roles(auditor, &[Role::Audit])).unwrap();
    f.send(&operator, &roles(auditor, &[Role::Storage])).unwrap();
    f.send(&operator, &roles(other, &[Role::Inference, Role::Audit])).unwrap();
    assert_eq!(weights(&f), [(other, BOND)]);
    f.send(&operator, &ExecuteMsg::Unbond { node_id: other }).unwrap();
    let refused = f.send(&operator, &roles(other, &[Role::Audit])).unwrap_err();
    assert!(refused.is(&ContractError::NotBonded { node_id: other }));
    f.pay(&operator, &msg, BOND).unwrap();
    assert_eq!(weights(&f), [(other + 1, BOND)]);
}

#[test]
fn rule_f3_a_stake_in_another_denom_has_no_weight() {
    let world = World::builder().profile(|p| p.node_registry.denom = "ubond".into()).build();
    let mut f = Fixture { alice: world.owner.clone(), bob: world.owner.clone(), node_id: 0, world };
    let operator = f.world.add_validator("validator");
    f.world.mint(&operator, cosmwasm_std::coin(BOND, "ubond"));
    let msg = register_as(&f.world, &operator, "n", &Key::named("n"), vec![Role::Audit]);
    let registry = f.world.node_registry.clone();
    f.world.execute(&operator, &registry, &msg, &[cosmwasm_std::coin(BOND, "ubond")]).unwrap();
    assert_eq!(weights(&f), []);
}

#[test]
fn finding_p4_auditors_are_bounded_and_one_without_validator_gives_way() {
    let mut f = fixture();
    let mut first = None;
    for number in 0..MAX_AUDITORS {
        let (_, operator) = f.world.register_auditor(&format!("validator {number}"), BOND).unwrap();
        first = first.or(Some(operator));
    }
    assert_eq!(weights(&f).len(), MAX_AUDITORS);
    let refused = f.world.register_auditor("one too many", BOND).unwrap_err();
    assert!(refused.is(&ContractError::TooManyAuditors { most: MAX_AUDITORS }), "{refused}");
    f.world.drop_validator(&first.unwrap());
    f.world.register_auditor("next", BOND).unwrap();
    assert_eq!(weights(&f).len(), MAX_AUDITORS);
}

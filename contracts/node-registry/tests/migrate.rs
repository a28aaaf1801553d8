//! From release 0.1.0 to this one.

use cosmwasm_std::{coin, HexBinary, Order, Uint128};
use cw_multi_test::{ContractWrapper, Executor};
use openledger_contract::CommonError;
use openledger_node_registry::contract::{
    execute, instantiate, migrate, query, CONTRACT_NAME, CONTRACT_VERSION,
};
use openledger_node_registry::{execute as messages, ContractError};
use openledger_testing::{conformity, register_msg, Key, World};
use openledger_types::msg::node_registry::{
    AuditorsResponse, ConfigResponse, ExecuteMsg, MigrateMsg, NodeStatus, QueryMsg, Role,
};
use openledger_types::profile::Profile;
use serde::Deserialize;

use crate::common::{plan, slash, Fixture};

/// Stored bytes of release 0.1.0 after a run of its code: node 1 is Alice's, with a rotated key and a
/// hot address; node 2 Bob's, unbonding; node 3 Carol's, with three roles; node 4 was Dave's and left.
const STATE: &str = include_str!("fixtures/state-0.1.0.json");

#[derive(Deserialize)]
struct Stored {
    records: Vec<(String, String)>,
}

/// A world whose node registry holds that state, with its coins, and was migrated.
fn migrated() -> Fixture {
    let mut world = World::new();
    world.advance_to(1_500);
    let stored: Stored = serde_json::from_str(STATE).unwrap();
    let registry = world.node_registry.clone();
    {
        let mut storage = world.app.contract_storage_mut(&registry);
        let new: Vec<_> = storage.range(None, None, Order::Ascending).map(|(key, _)| key).collect();
        new.iter().for_each(|key| storage.remove(key));
        for (key, value) in stored.records {
            storage.set(&HexBinary::from_hex(&key).unwrap(), &HexBinary::from_hex(&value).unwrap());
        }
    }
    world.mint(&registry, coin(400_000_012, "uopen"));
    let code = ContractWrapper::new(execute, instantiate, query).with_migrate(migrate);
    let code_id = world.app.store_code(Box::new(code));
    let owner = world.owner.clone();
    world.app.migrate_contract(owner, registry, &MigrateMsg {}, code_id).unwrap();
    let (alice, bob) = (world.account("alice"), world.account("bob"));
    for name in ["carol", "dave", "hot"] {
        world.account(name);
    }
    Fixture { world, alice, bob, node_id: 1 }
}

#[test]
fn finding_p11_stored_state_of_0_1_0_is_carried_over() {
    let f = migrated();
    let params = f.ask::<ConfigResponse>(&QueryMsg::Config {}).unwrap().params;
    assert_eq!((params.min_bond.u128(), params.unbonding_blocks), (100_000_000, 302));
    let defaults = Profile::protocol("uopen").node_registry;
    assert_eq!((params.finder_bps, params.key_blocks), (defaults.finder_bps, defaults.key_blocks));
    // Windows shrink with the delay, so that their order stays.
    assert_eq!((params.epoch_blocks, params.veto_blocks, params.jail_blocks), (1, 86, 43));
    messages::admin::validate(&params).unwrap();

    let (first, second) = (f.node(), f.world.node(2).unwrap());
    assert_eq!((first.operator.as_str(), first.status), (f.alice.as_str(), NodeStatus::Bonded));
    assert_eq!(first.node_key, Key::named("first again").public());
    // Keys of 0.1.0 live from the migration on.
    assert_eq!(first.key_expires, f.world.height() + params.key_blocks);
    assert_eq!((first.jailed_until, first.open_cases), (None, 0));
    assert_eq!((second.status, second.unbonds_at), (NodeStatus::Unbonding, Some(1_202)));
    assert_eq!(f.world.node(3).unwrap().bond.u128(), 100_000_012);
    assert_eq!(f.world.node(4).unwrap().status, NodeStatus::Left);
    assert_eq!(f.key_at(600), Some(Key::named("first").public()));
    assert_eq!((f.bonds(), f.term("rewards"), f.term("treasury")), (400_000_012, 0, 0));
    f.world.assert_invariants();
}

#[test]
fn finding_p11_the_migrated_state_does_real_work() {
    let mut f = migrated();
    let (owner, alice, bob) = (f.world.owner.clone(), f.alice.clone(), f.bob.clone());
    let carol = f.world.account("carol");
    let connect = ExecuteMsg::Connect {
        model_registry: f.world.model_registry.to_string(),
        escrow: f.world.escrow.to_string(),
        referee: f.world.referee.to_string(),
    };
    f.send(&owner, &connect).unwrap();
    // Old keys stay taken, new ones are taken with a proof.
    let taken = register_msg(&f.world, &bob, "copy", &Key::named("first"));
    assert!(f.pay(&bob, &taken, 100_000_000).unwrap_err().is(&ContractError::KeyTaken { node_id: 1 }));
    let rotate = f.rotate(&alice, "third key");
    f.send(&alice, &rotate).unwrap();
    f.send(&carol, &ExecuteMsg::RenewKey { node_id: 3 }).unwrap();
    assert_eq!(f.world.register_node(&bob, "fifth", &Key::named("fifth")).unwrap(), 5);
    let bond = f.world.node(5).unwrap().bond;

    // The role of an auditor that anybody could take then has no weight until it is earned.
    let weights = |f: &Fixture| {
        let answer: AuditorsResponse = f.ask(&QueryMsg::Auditors {}).unwrap();
        answer.auditors.iter().map(|one| (one.node_id, one.weight.u128())).collect::<Vec<_>>()
    };
    let roles = ExecuteMsg::UpdateNode {
        node_id: 3,
        endpoint: None,
        moniker: None,
        hot_addr: None,
        age_recipient: None,
        roles: Some(vec![Role::Inference, Role::Storage, Role::Audit]),
    };
    assert_eq!(f.world.node(3).unwrap().roles.len(), 3);
    assert!(f.send(&carol, &roles).is_err());
    f.world.add_validator("carol");
    assert_eq!(weights(&f), []);
    f.send(&carol, &roles).unwrap();
    assert_eq!(weights(&f), [(3, 100_000_012)]);

    // Cuts, cases, exits.
    f.referee(&slash(2, 5_000, Some(&alice))).unwrap();
    f.referee(&plan(3, 1_000, None)).unwrap();
    f.referee(&ExecuteMsg::Freeze { node_id: 2, open: true }).unwrap();
    let withdraw = ExecuteMsg::WithdrawBond { node_id: 2 };
    let frozen = ContractError::BondFrozen { node_id: 2, open_cases: 1 };
    assert!(f.send(&bob, &withdraw).unwrap_err().is(&frozen));
    f.referee(&ExecuteMsg::Freeze { node_id: 2, open: false }).unwrap();
    let before = f.world.balance(&bob);
    f.send(&bob, &withdraw).unwrap();
    assert_eq!(f.world.balance(&bob), before + 100_000_000);
    f.send(&alice, &ExecuteMsg::WithdrawRewards {}).unwrap();
    f.world.advance(86);
    f.send(&bob, &ExecuteMsg::ExecuteCut { cut_id: 1 }).unwrap();
    f.world.assert_invariants();
    let cut = Uint128::new(100_000_012 / 10);
    assert_eq!(f.world.node(3).unwrap().bond, Uint128::new(100_000_012).checked_sub(cut).unwrap());
    assert_eq!(f.bonds(), 100_000_000 + 100_000_012 - cut.u128() + bond.u128());

    // The hot address of 0.1.0 still runs the node.
    let hot = f.world.account("hot");
    let work = openledger_types::msg::node_registry::DeclaredWork { served: 1, ..Default::default() };
    f.send(&hot, &ExecuteMsg::ReportWork { node_id: 1, work }).unwrap();
}

#[test]
fn finding_p11_a_second_migration_changes_nothing() {
    let mut f = migrated();
    let expires = f.node().key_expires;
    f.referee(&slash(1, 1, None)).unwrap_err();
    f.world.advance(10);
    let code = ContractWrapper::new(execute, instantiate, query).with_migrate(migrate);
    let code_id = f.world.app.store_code(Box::new(code));
    let (owner, registry) = (f.world.owner.clone(), f.world.node_registry.clone());
    f.world.app.migrate_contract(owner, registry, &MigrateMsg {}, code_id).unwrap();
    assert_eq!(f.node().key_expires, expires);
}

fn migrated_from(release: Option<(&str, &str)>) -> Result<String, ContractError> {
    conformity::migrated_from(migrate, MigrateMsg {}, |_| {}, release)
}

#[test]
fn finding_p11_the_same_release_is_taken_as_it_is() {
    assert_eq!(migrated_from(Some((CONTRACT_NAME, CONTRACT_VERSION))).unwrap(), CONTRACT_VERSION);
}

#[test]
fn finding_p11_another_contract_or_a_newer_release_is_refused() {
    conformity::assert_strangers_are_refused(CONTRACT_NAME, migrated_from, |refused| {
        matches!(refused, ContractError::Common(CommonError::CannotMigrate { .. }))
    });
}

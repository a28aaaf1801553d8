use cosmwasm_std::Uint128;
use openledger_storage::ContractError;
use openledger_types::msg::datanet;
use openledger_types::msg::storage::{ExecuteMsg, FunderResponse, QueryMsg};

use crate::common::{Suite, DEPOSIT};

fn value(suite: &Suite, address: &cosmwasm_std::Addr) -> u128 {
    let msg = QueryMsg::Funder { datanet_id: suite.datanet_id, address: address.to_string() };
    suite.world.query::<FunderResponse>(&suite.world.storage, &msg).unwrap().value.u128()
}

#[test]
fn rule_i3_a_funder_takes_back_what_is_left_after_notice() {
    let mut suite = Suite::new(3);
    let (alice, bob, datanet_id) = (suite.alice.clone(), suite.bob.clone(), suite.datanet_id);
    suite.world.fund_storage(&bob, datanet_id, DEPOSIT).unwrap();
    assert_eq!((value(&suite, &alice), value(&suite, &bob)), (DEPOSIT, DEPOSIT));
    suite.kept();
    assert!(suite.tell(&bob, ExecuteMsg::Exit { datanet_id }).is_err(), "nothing announced");
    suite.tell(&bob, ExecuteMsg::AnnounceExit { datanet_id }).unwrap();
    assert!(suite.tell(&bob, ExecuteMsg::Exit { datanet_id }).is_err(), "notice runs");
    suite.world.advance(suite.params().notice_blocks);
    let (before, worth) = (suite.world.balance(&bob), value(&suite, &bob));
    assert!(worth < DEPOSIT, "both parts have paid for what was kept");
    assert!(value(&suite, &alice).abs_diff(worth) <= 1, "alike");
    suite.tell(&bob, ExecuteMsg::Exit { datanet_id }).unwrap();
    assert_eq!(suite.world.balance(&bob) - before, worth);
    assert_eq!(value(&suite, &bob), 0);
    assert!(suite.tell(&bob, ExecuteMsg::Exit { datanet_id }).is_err(), "once");
    suite.world.assert_invariants();
}

#[test]
fn rule_i3_an_announced_exit_lapses() {
    let mut suite = Suite::new(1);
    let (alice, datanet_id) = (suite.alice.clone(), suite.datanet_id);
    suite.tell(&alice, ExecuteMsg::AnnounceExit { datanet_id }).unwrap();
    suite.world.advance(2 * suite.params().notice_blocks + 1);
    let refused = suite.tell(&alice, ExecuteMsg::Exit { datanet_id }).unwrap_err();
    assert!(refused.0.contains("not at this height"), "{refused}");
}

#[test]
fn rule_i1_what_the_datanet_contract_forwards_is_nobodys() {
    let mut suite = Suite::new(3);
    let (alice, bob, datanet_id) = (suite.alice.clone(), suite.bob.clone(), suite.datanet_id);
    let (datanet, funds) = (suite.world.datanet.clone(), suite.world.coins(500));
    let fund = datanet::ExecuteMsg::FundStorage { parts: vec![(datanet_id, Uint128::new(500))] };
    // Held before the storage contract is known, forwarded by anyone after.
    suite.world.execute(&bob, &datanet, &fund, &funds).unwrap();
    assert_eq!(suite.world.storage_account(datanet_id).unwrap().deposit.u128(), DEPOSIT);
    let forward = datanet::ExecuteMsg::ForwardDeposit { datanet_id };
    let refused = suite.world.execute(&bob, &datanet, &forward, &[]).unwrap_err();
    assert!(refused.is(&openledger_datanet::ContractError::NothingToForward {}));
    suite.world.forward_deposits().unwrap();
    suite.world.execute(&bob, &datanet, &forward, &[]).unwrap();
    assert!(suite.world.execute(&bob, &datanet, &forward, &[]).is_err(), "once");
    // Forwarded at once from then on.
    suite.world.execute(&bob, &datanet, &fund, &funds).unwrap();
    assert_eq!(suite.world.storage_account(datanet_id).unwrap().deposit.u128(), DEPOSIT + 1_000);
    assert_eq!((value(&suite, &alice), value(&suite, &bob)), (DEPOSIT, 0));
    let refused = suite.tell(&bob, ExecuteMsg::AnnounceExit { datanet_id }).unwrap_err();
    assert!(refused.is(&ContractError::NoFunder {}));
    suite.world.assert_invariants();
}

#[test]
fn finding_p5_the_parts_are_the_coin_and_nothing_else() {
    let mut suite = Suite::new(1);
    let (bob, storage) = (suite.bob.clone(), suite.world.storage.clone());
    let fund = |parts: &[(u64, u128)]| ExecuteMsg::Fund {
        parts: parts.iter().map(|(id, sum)| (*id, Uint128::new(*sum))).collect(),
    };
    for (parts, sent) in [
        (vec![(1, 5)], 4),
        (vec![(1, 5)], 6),
        (vec![], 5),
        (vec![(1, 0)], 5),
        (vec![(1, 2), (1, 3)], 5),
        (vec![(2, 2), (1, 3)], 5),
        (vec![(1, 2), (9, 3)], 5),
        (vec![(1, u128::MAX), (2, 1)], 5),
        ((1..=17).map(|id| (id, 1)).collect(), 17),
    ] {
        let funds = suite.world.coins(sent);
        assert!(suite.world.execute(&bob, &storage, &fund(&parts), &funds).is_err(), "{parts:?}");
    }
    assert!(suite.tell(&bob, fund(&[(1, 5)])).is_err(), "no coins");
}

#[test]
fn rule_i3_the_deposit_ends_honestly_at_the_height_that_was_told() {
    let mut suite = Suite::new(3);
    let (bob, datanet_id) = (suite.bob.clone(), suite.datanet_id);
    let object_id = suite.kept();
    let dry_at = suite.world.storage_account(datanet_id).unwrap().dry_at.unwrap();
    let end = ExecuteMsg::Retire { object_id, contribution_id: None };
    suite.world.advance_to(dry_at - 1);
    let refused = suite.tell(&bob, end.clone()).unwrap_err();
    assert!(refused.is(&ContractError::StillKept { object_id }));
    suite.world.advance_to(dry_at + 1);
    assert_eq!(suite.world.storage_account(datanet_id).unwrap().dry_at, Some(dry_at));
    suite.tell(&bob, end).unwrap();
    assert!(suite.holders(object_id).is_empty());
    suite.world.assert_invariants();
}

#[test]
fn rule_i3_spent_parts_are_void_and_do_not_dilute_what_comes_after() {
    let mut suite = Suite::new(3);
    let (alice, bob, datanet_id) = (suite.alice.clone(), suite.bob.clone(), suite.datanet_id);
    suite.kept();
    let dry_at = suite.world.storage_account(datanet_id).unwrap().dry_at.unwrap();
    suite.world.advance_to(dry_at + 10);
    suite.world.fund_storage(&bob, datanet_id, DEPOSIT).unwrap();
    assert_eq!(value(&suite, &alice), 0);
    assert!(DEPOSIT - value(&suite, &bob) < DEPOSIT / 1_000, "nothing is charged for the dry blocks");
}

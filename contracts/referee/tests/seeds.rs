use cosmwasm_std::HexBinary;
use openledger_referee::ContractError;
use openledger_types::formats::seed_commitment;
use openledger_types::msg::referee::{ExecuteMsg, QueryMsg, SeedResponse};

use crate::common::{params, refused, Suite, PERIOD};

const SEED: [u8; 32] = [9; 32];

fn next(suite: &Suite) -> u64 {
    suite.height() / PERIOD + 1
}

fn commit(
    suite: &mut Suite,
    auditor: u64,
    period: u64,
) -> cosmwasm_std::StdResult<cw_multi_test::AppResponse> {
    let chain_id = suite.app.block_info().chain_id;
    let hash = seed_commitment(&chain_id, suite.referee.as_str(), auditor, period, &SEED);
    let msg = ExecuteMsg::CommitSeed { auditor, period, commitment: HexBinary::from(&hash) };
    suite.act(&suite.hot(auditor), &msg)
}

fn reveal(
    suite: &mut Suite,
    auditor: u64,
    period: u64,
    seed: [u8; 32],
) -> cosmwasm_std::StdResult<cw_multi_test::AppResponse> {
    let msg = ExecuteMsg::RevealSeed { auditor, period, seed: HexBinary::from(&seed) };
    suite.act(&suite.hot(auditor), &msg)
}

fn report(
    suite: &mut Suite,
    auditor: u64,
    period: u64,
) -> cosmwasm_std::StdResult<cw_multi_test::AppResponse> {
    suite.act(&suite.bob.clone(), &ExecuteMsg::ReportSeed { auditor, period })
}

fn state(suite: &Suite, auditor: u64, period: u64) -> SeedResponse {
    suite.ask(&QueryMsg::Seed { auditor, period }).unwrap()
}

#[test]
fn rule_f4_a_seed_is_committed_for_the_next_period_once() {
    let mut suite = Suite::new();
    let period = next(&suite);
    for wrong in [0, period - 1, period + 1, u64::MAX] {
        refused(commit(&mut suite, 11, wrong), &ContractError::WrongPeriod { next: period });
    }
    commit(&mut suite, 11, period).unwrap();
    refused(commit(&mut suite, 11, period), &ContractError::SeedCommitted { auditor: 11, period });
    commit(&mut suite, 12, period).unwrap();
    suite.set_node(14, 0);
    refused(commit(&mut suite, 14, period), &ContractError::NoWeight { auditor: 14 });
    assert!(state(&suite, 11, period).commitment.is_some() && state(&suite, 13, period).commitment.is_none());
}

#[test]
fn rule_f4_a_seed_is_revealed_in_the_period_after_its_own() {
    let mut suite = Suite::new();
    let period = next(&suite);
    commit(&mut suite, 11, period).unwrap();
    let (from, until) = ((period + 1) * PERIOD, (period + 2) * PERIOD - 1);
    let time = ContractError::NotSeedTime { from, until };
    suite.advance_to(from - 1);
    refused(reveal(&mut suite, 11, period, SEED), &time);
    suite.advance(1);
    refused(reveal(&mut suite, 11, period, [8; 32]), &ContractError::WrongOpening {});
    refused(reveal(&mut suite, 12, period, SEED), &ContractError::NoSeed { auditor: 12, period });
    suite.advance_to(until);
    refused(report(&mut suite, 11, period), &ContractError::NotSilent { until });
    reveal(&mut suite, 11, period, SEED).unwrap();
    assert_eq!(state(&suite, 11, period).seed, Some(HexBinary::from(&SEED)));
    suite.advance(1);
    refused(reveal(&mut suite, 11, period, SEED), &time);
    refused(report(&mut suite, 11, period), &ContractError::NotSilent { until });
    assert!(suite.slashes().is_empty());
}

#[test]
fn rule_f4_a_committed_seed_not_revealed_costs_the_bond_once() {
    let mut suite = Suite::new();
    let period = next(&suite);
    commit(&mut suite, 11, period).unwrap();
    let until = (period + 2) * PERIOD - 1;
    suite.advance_to(until + 1);
    report(&mut suite, 11, period).unwrap();
    assert_eq!(suite.slashes(), [(11, 11, suite.bob.to_string())]);
    refused(report(&mut suite, 11, period), &ContractError::NotSilent { until });
    refused(report(&mut suite, 12, period), &ContractError::NoSeed { auditor: 12, period });
    assert!(state(&suite, 11, period).reported);
}

#[test]
fn attack_a_copied_seed_commitment_opens_nothing() {
    let mut suite = Suite::new();
    let period = next(&suite);
    commit(&mut suite, 11, period).unwrap();
    let commitment = state(&suite, 11, period).commitment.unwrap();
    suite.act(&suite.hot(12), &ExecuteMsg::CommitSeed { auditor: 12, period, commitment }).unwrap();
    suite.advance_to((period + 1) * PERIOD);
    reveal(&mut suite, 11, period, SEED).unwrap();
    refused(reveal(&mut suite, 12, period, SEED), &ContractError::WrongOpening {});
}

#[test]
fn rule_f4_new_periods_do_not_move_the_reveal_of_seeds_already_committed() {
    let mut suite = Suite::new();
    let period = next(&suite);
    commit(&mut suite, 11, period).unwrap();
    let owner = suite.owner.clone();
    let mut changed = params();
    changed.seed_blocks = 1_000;
    suite.act(&owner, &ExecuteMsg::UpdateParams { params: changed }).unwrap();
    suite.advance_to((period + 1) * PERIOD);
    reveal(&mut suite, 11, period, SEED).unwrap();
}

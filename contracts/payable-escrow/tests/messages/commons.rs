//! `SweepCommons`.

use cosmwasm_std::{HexBinary, StdResult};
use cw_multi_test::AppResponse;
use openledger_payable_escrow::ContractError;
use openledger_types::formats::VersionRef;
use openledger_types::msg::escrow::ExecuteMsg;

use crate::common::suite::EPOCH;
use crate::common::{refused, Answer, Suite, OPEN};

fn version(datanet_id: u64) -> VersionRef {
    VersionRef { datanet_id, version: 1, root: HexBinary::from(&[1; 32]), size: 3 }
}

/// Settles an answer without any evidence, in a session on a model that rests on these datanets.
fn answer(suite: &mut Suite, model_id: u64, datanets: &[u64], tokens: u32) {
    let mut model = suite.model(model_id, OPEN);
    model.datanets = datanets.iter().map(|id| version(*id)).collect();
    suite.set_model(model.clone());
    suite.nodes.get_mut(&1).unwrap().datanets = model.datanets;
    let user = suite.user(0);
    suite.advance(1);
    let key = crate::common::Key::named(&format!("session of {user} at {}", suite.height()));
    let msg = suite.opening(model_id, &key, &[(1, 50_000)]);
    let response = suite.send(&user, &msg, &[cosmwasm_std::coin(51_000, OPEN)]).unwrap();
    let id = response.events.iter().flat_map(|e| &e.attributes).find(|a| a.key == "session_id").unwrap();
    let mut client = crate::common::Client {
        chain_id: suite.app.block_info().chain_id,
        contract: suite.escrow.to_string(),
        session_id: id.value.parse().unwrap(),
        denom: OPEN.into(),
        key,
        lanes: Default::default(),
    };
    suite.answer(&mut client, 1, &Answer { tokens_in: tokens, tokens_out: tokens, shares: vec![] });
    suite.settle(1, OPEN);
    let claims = suite.claims(1, OPEN);
    suite.claim(claims).unwrap();
}

fn sweep(suite: &mut Suite) -> StdResult<AppResponse> {
    let anyone = suite.stranger.clone();
    suite.call(&anyone, &ExecuteMsg::SweepCommons { denom: OPEN.into() })
}

#[test]
fn rule_i1_half_of_the_commons_is_burned_and_half_stores_the_datanets_used() {
    let mut suite = Suite::new();
    let nothing = ContractError::NothingToSweep { denom: OPEN.into() };
    refused(sweep(&mut suite), &nothing);
    // Fees of 1,000 on datanet 7; of 3,000 on 7 and 8.
    answer(&mut suite, 1, &[7], 100);
    answer(&mut suite, 3, &[7, 8], 300);
    let commons = suite.term(OPEN, "commons");
    assert_eq!(commons, 400 + 1_200);
    sweep(&mut suite).unwrap();
    // Weights 4,000 and 3,000 of 7,000.
    assert_eq!((suite.storage_of(7), suite.storage_of(8)), (457, 343));
    assert_eq!(suite.term(OPEN, "commons"), 0);
    let supply: u128 = suite.everyone().iter().map(|who| suite.wallet(who, OPEN)).sum::<u128>()
        + suite.wallet(&suite.escrow, OPEN)
        + suite.wallet(&suite.datanet, OPEN);
    assert_eq!(supply, 6 * crate::common::suite::PURSE - 800, "half is gone for good");
    suite.assert_conserved();
}

#[test]
fn rule_i1_the_commons_are_swept_once_an_epoch_and_only_for_new_use() {
    let mut suite = Suite::new();
    answer(&mut suite, 1, &[7], 100);
    sweep(&mut suite).unwrap();
    let from = suite.height() + EPOCH;
    refused(sweep(&mut suite), &ContractError::SweptAlready { from });
    suite.advance(EPOCH);
    refused(sweep(&mut suite), &ContractError::NothingToSweep { denom: OPEN.into() });
    answer(&mut suite, 1, &[7], 100);
    sweep(&mut suite).unwrap();
    assert_eq!(suite.storage_of(7), 400);
    suite.assert_conserved();
}

#[test]
fn rule_i1_a_sweep_over_many_datanets_goes_on_without_burning_again() {
    let mut suite = Suite::new();
    for model in 0..5 {
        let datanets: Vec<u64> = (0..5).map(|i| 10 + model * 5 + i).collect();
        answer(&mut suite, 3 + model, &datanets, 200);
    }
    let commons = suite.term(OPEN, "commons");
    sweep(&mut suite).unwrap();
    assert!(suite.storage_of(25) > 0 && suite.storage_of(26) == 0);
    // New weights do not mix into the sweep that runs.
    answer(&mut suite, 1, &[26], 100);
    let held = suite.term(OPEN, "commons");
    sweep(&mut suite).unwrap();
    let paid: u128 = (10..35).map(|id| suite.storage_of(id)).sum();
    assert_eq!(paid, commons / 2);
    assert_eq!(held - suite.term(OPEN, "commons"), (26..35).map(|id| suite.storage_of(id)).sum::<u128>());
    assert_eq!(suite.term(OPEN, "commons"), 400);
    suite.assert_conserved();
    suite.advance(EPOCH);
    sweep(&mut suite).unwrap();
    assert_eq!(suite.storage_of(26), commons / 2 / 25 + 200);
}

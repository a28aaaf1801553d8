//! `migrate`.

use cosmwasm_std::testing::{mock_dependencies, mock_env};
use cosmwasm_std::{from_json, Addr, HexBinary, MigrateInfo};
use openledger_payable_escrow::contract::{migrate, CONTRACT_NAME, CONTRACT_VERSION};
use openledger_types::msg::escrow::{ConfigResponse, ExecuteMsg, MigrateMsg, QueryMsg};
use openledger_types::profile::Profile;

use crate::common::suite::{params, FINAL, GRACE};
use crate::common::{Answer, Suite, ATOM, OPEN};

#[test]
fn convention_c4_the_same_or_an_older_version_migrates_and_keeps_its_state() {
    let mut suite = Suite::new();
    let user = suite.user(0);
    let mut client = suite.open(&user, 1, &[(1, 50_000)]);
    suite.answer(&mut client, 1, &Answer::plain(100, 100));
    suite.post(1, OPEN);
    let before = suite.session(1);
    suite.migrate().unwrap();
    assert_eq!(suite.session(1), before);
    suite.assert_conserved();
}

/// What the chain says of the one who migrates.
fn info() -> MigrateInfo {
    MigrateInfo { sender: Addr::unchecked("governance"), old_migrate_version: Some(1) }
}

#[test]
fn finding_p11_another_contract_or_a_newer_version_is_refused() {
    let mut deps = mock_dependencies();
    for (name, version, allowed) in [
        (CONTRACT_NAME, CONTRACT_VERSION, true),
        (CONTRACT_NAME, "0.1.1", true),
        ("crate:another", "0.0.1", false),
        (CONTRACT_NAME, "99.0.0", false),
        (CONTRACT_NAME, "one", false),
    ] {
        cw2::set_contract_version(&mut deps.storage, name, version).unwrap();
        assert_eq!(
            migrate(deps.as_mut(), mock_env(), MigrateMsg {}, info()).is_ok(),
            allowed,
            "{name} {version}"
        );
        if allowed {
            let kept = cw2::get_contract_version(&deps.storage).unwrap();
            assert_eq!((kept.contract.as_str(), kept.version.as_str()), (CONTRACT_NAME, CONTRACT_VERSION));
        }
    }
    let mut empty = mock_dependencies();
    assert!(migrate(empty.as_mut(), mock_env(), MigrateMsg {}, info()).is_err(), "no version on record");
}

/// Stored bytes of release 0.1.0, key and value as hexadecimal: what its own code wrote in the scene of
/// the test below.
const STATE_0_1_0: &str = include_str!("../fixtures/state-0.1.0.json");

/// Session 1 has a final ledger of which one leaf was claimed; session 2 lies under a root that waits;
/// session 3 has an answer that is not settled; session 4 is closing. The kit plays the same scene on
/// the present code, so that nodes and clients know what they did, then the bytes are exchanged.
#[test]
fn finding_p11_the_state_of_0_1_0_migrates_and_goes_on() {
    let mut suite = Suite::new();
    let (a, b) = (suite.user(0), suite.user(1));
    let mut first = suite.open(&a, 1, &[(1, 50_000), (2, 20_000)]);
    suite.advance(1);
    for tokens in [50, 60, 70] {
        suite.answer(&mut first, 1, &Answer::plain(tokens, tokens));
    }
    suite.settle(1, OPEN);
    let claims = suite.claims(1, OPEN);
    suite.claim(vec![claims.last().unwrap().clone()]).unwrap();
    let mut second = suite.open(&b, 1, &[(1, 40_000)]);
    suite.advance(1);
    suite.answer(&mut second, 1, &Answer::plain(100, 90));
    let asked = suite.ask(&mut second, 1, &Answer::plain(10, 90));
    suite.post(1, OPEN);
    let mut third = suite.open(&a, 2, &[(2, 30_000)]);
    suite.advance(1);
    suite.answer(&mut third, 2, &Answer::plain(80, 90));
    let fourth = suite.open(&b, 2, &[(2, 30_000)]);
    suite.call(&b, &ExecuteMsg::RequestClose { session_id: fourth.session_id }).unwrap();

    let pairs: Vec<(HexBinary, HexBinary)> = from_json(STATE_0_1_0).unwrap();
    let escrow = suite.escrow.clone();
    let present: Vec<Vec<u8>> =
        suite.app.dump_wasm_raw(&escrow).into_iter().map(|(key, _)| key.to_vec()).collect();
    {
        let mut storage = suite.app.contract_storage_mut(&escrow);
        present.iter().for_each(|key| storage.remove(key));
        pairs.iter().for_each(|(key, value)| storage.set(key, value));
    }
    // Without the migration nothing but what needs no parameters goes on.
    assert!(suite.draft(2, ATOM, &[]).map(|draft| suite.post_draft(&draft)).unwrap().is_err());
    suite.migrate().unwrap();
    let connect = suite.connect();
    suite.call(&suite.owner.clone(), &connect).unwrap();
    suite.assert_conserved();
    let config: ConfigResponse = suite.query(&QueryMsg::Config {});
    let defaults = Profile::protocol(OPEN).escrow;
    assert_eq!(config.params.denoms, params().denoms);
    assert_eq!(config.params.challenge_blocks, params().challenge_blocks);
    assert_eq!(config.params.epoch_blocks, 1);
    assert_eq!(defaults.epoch_blocks, defaults.challenge_blocks / 12);
    assert_eq!(
        (config.params.abandoned_epochs, config.params.audit_bps),
        (defaults.abandoned_epochs, defaults.audit_bps)
    );
    assert_eq!(
        (config.params.abandoned_cut_bps, config.params.exposure_bps),
        (defaults.abandoned_cut_bps, defaults.exposure_bps)
    );

    // The old ledger pays, the old root becomes final, old sessions are settled, closed and refunded.
    assert!(suite.epoch(1, OPEN, 1).finalized);
    suite.claim(claims).unwrap();
    assert_eq!(suite.facts(2, 1).settled_epoch, 0);
    suite.void(1);
    suite.replace(1, &[]);
    suite.advance(FINAL);
    suite.finalize(1).unwrap();
    let claims = suite.claims(1, OPEN);
    suite.claim(claims).unwrap();
    suite.answer(&mut first, 1, &Answer::plain(100, 100));
    second.receive(1, &asked);
    suite.answer(&mut second, 1, &Answer::plain(100, 100));
    suite.settle(1, OPEN);
    assert_eq!(suite.facts(1, 1).settled_epoch, 4);
    suite.settle(2, ATOM);
    suite.advance(GRACE);
    suite.call(&b, &ExecuteMsg::Refund { session_id: fourth.session_id }).unwrap();
    for who in [a, b] {
        drop(suite.call(&who, &ExecuteMsg::Withdraw { denoms: vec![OPEN.into(), ATOM.into()] }));
    }
    let fifth = suite.open(&suite.user(2), 1, &[(1, 20_000)]);
    assert_eq!(fifth.session_id, 5);
    suite.assert_conserved();
}

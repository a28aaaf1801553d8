//! `UpdateParams`, `SetPaused`, `SpendTreasury`, `UpdateOwnership`.

use cosmwasm_std::Uint128;
use openledger_contract::CommonError;
use openledger_payable_escrow::ContractError;
use openledger_types::msg::common::{Amount, OwnershipAction, OwnershipResponse};
use openledger_types::msg::escrow::{ConfigResponse, DenomParams, ExecuteMsg, Params, QueryMsg};

use crate::common::suite::{params, OPEN_FEE, PURSE};
use crate::common::{refused, Answer, Suite, ATOM, OPEN};

fn update(params: Params) -> ExecuteMsg {
    ExecuteMsg::UpdateParams { params }
}

#[test]
fn no_parameter_can_disable_its_rule() {
    let mut suite = Suite::new();
    let owner = suite.owner.clone();
    type Change = fn(&mut Params);
    let changes: [(&str, Change); 20] = [
        ("denoms", |p| p.denoms.clear()),
        ("denoms", |p| p.denoms.reverse()),
        ("denoms", |p| p.denoms[1] = p.denoms[0].clone()),
        ("denoms", |p| p.denoms = (0..9).map(|i| other(&format!("u{i}x"))).collect()),
        ("denoms.denom", |p| p.denoms[0].denom = "".into()),
        ("denoms.denom", |p| p.denoms[0].denom = "9ab".into()),
        ("denoms.denom", |p| p.denoms[0].denom = "a b c".into()),
        ("denoms.denom", |p| p.denoms = vec![other(&"u".repeat(129))]),
        ("min_deposit", |p| p.denoms[0].min_deposit = Uint128::zero()),
        ("min_deposit", |p| p.denoms[0].min_deposit = Uint128::new(99)),
        ("open_fee", |p| p.denoms[0].open_fee = Uint128::zero()),
        ("min_fee", |p| p.denoms[0].min_fee = Uint128::zero()),
        ("grace_blocks", |p| p.grace_blocks = 0),
        ("grace_blocks", |p| p.grace_blocks = u64::MAX),
        ("challenge_blocks", |p| p.challenge_blocks = 0),
        ("challenge_blocks", |p| p.challenge_blocks = u64::MAX),
        ("max_session_blocks", |p| p.max_session_blocks = 0),
        ("unattested_windows", |p| p.unattested_windows = 0),
        ("in_flight", |p| p.in_flight = 0),
        ("in_flight", |p| p.in_flight = 65),
    ];
    for (name, change) in changes {
        let mut bad = params();
        change(&mut bad);
        let text = suite.call(&owner, &update(bad)).expect_err(name).to_string();
        assert!(text.contains(&format!("parameter {name} must be")), "{name}: {text}");
    }
    let config: ConfigResponse = suite.query(&QueryMsg::Config {});
    assert_eq!(config.params, params());
}

fn other(denom: &str) -> DenomParams {
    DenomParams { denom: denom.to_string(), ..params().denoms[0].clone() }
}

#[test]
fn a_denom_that_is_dropped_stays_alive_for_its_sessions() {
    let mut suite = Suite::new();
    let (owner, user) = (suite.owner.clone(), suite.user(0));
    let mut client = suite.open(&user, 2, &[(1, 50_000)]);
    suite.answer(&mut client, 1, &Answer::plain(100, 100));
    let mut fewer = params();
    fewer.denoms.remove(0);
    suite.call(&owner, &update(fewer)).unwrap();
    refused(
        suite.open_with(&user, 2, &[(1, 50_000)], 50_000).map(|_| ()),
        &ContractError::DenomNotAllowed { denom: ATOM.into() },
    );
    let top_up = ExecuteMsg::TopUp { session_id: 1, node_id: 1 };
    suite.send(&user, &top_up, &[cosmwasm_std::coin(5, ATOM)]).unwrap();
    suite.settle(1, ATOM);
    let claims = suite.claims(1, ATOM);
    suite.claim(claims).unwrap();
    suite.assert_conserved();
    assert_eq!(suite.invariants().denoms.len(), 2, "the equation of a dropped denom is still told");
}

#[test]
fn rule_a2_the_number_of_denoms_is_bounded_for_life() {
    let mut suite = Suite::new();
    let owner = suite.owner.clone();
    let mut next = 2;
    while next < 64 {
        let mut fresh = params();
        fresh.denoms = (next..(next + 8).min(64)).map(|i| other(&format!("u{i:03}"))).collect();
        next += 8;
        suite.call(&owner, &update(fresh)).unwrap();
    }
    assert_eq!(suite.invariants().denoms.len(), 64);
    let mut one_more = params();
    one_more.denoms = vec![other("u999")];
    let rule = "at most 64 different ones over the contract's life";
    refused(suite.call(&owner, &update(one_more)), &CommonError::BadParam { name: "denoms", rule }.into());
    suite.call(&owner, &update(params())).unwrap();
}

#[test]
fn the_treasury_pays_what_it_has_and_no_more() {
    let mut suite = Suite::new();
    let (owner, user) = (suite.owner.clone(), suite.user(0));
    suite.open(&user, 1, &[(1, 50_000)]);
    let spend = |denom: &str, amount| ExecuteMsg::SpendTreasury {
        to: owner.to_string(),
        amount: Amount { denom: denom.into(), amount: Uint128::new(amount) },
    };
    let held = Uint128::new(OPEN_FEE);
    refused(
        suite.call(&owner, &spend(OPEN, OPEN_FEE + 1)),
        &ContractError::TreasuryTooSmall { held, denom: OPEN.into() },
    );
    refused(
        suite.call(&owner, &spend("ujunk", 1)),
        &ContractError::TreasuryTooSmall { held: Uint128::zero(), denom: "ujunk".into() },
    );
    let refusal = CommonError::BadParam { name: "amount", rule: "at least 1" };
    refused(suite.call(&owner, &spend(OPEN, 0)), &refusal.into());
    let bad = ExecuteMsg::SpendTreasury {
        to: "nobody".into(),
        amount: Amount { denom: OPEN.into(), amount: Uint128::one() },
    };
    assert!(suite.call(&owner, &bad).is_err());
    suite.call(&owner, &spend(OPEN, OPEN_FEE)).unwrap();
    assert_eq!(suite.wallet(&owner, OPEN), PURSE + OPEN_FEE);
    suite.assert_conserved();
}

#[test]
fn rule_a1_finding_p20_a_pause_stops_nothing_that_was_begun() {
    let mut suite = Suite::new();
    let (owner, user) = (suite.owner.clone(), suite.user(0));
    let mut client = suite.open(&user, 1, &[(1, 50_000)]);
    suite.answer(&mut client, 1, &Answer::plain(100, 100));
    suite.call(&owner, &ExecuteMsg::SetPaused { paused: true }).unwrap();
    assert!(suite.query::<ConfigResponse>(&QueryMsg::Config {}).paused);
    suite.settle(1, OPEN);
    let claims = suite.claims(1, OPEN);
    suite.claim(claims).unwrap();
    let earner = suite.contributor(1);
    suite.call(&earner, &ExecuteMsg::Withdraw { denoms: vec![OPEN.into()] }).unwrap();
    suite.call(&user, &ExecuteMsg::RequestClose { session_id: 1 }).unwrap();
    suite.advance(crate::common::suite::GRACE);
    suite.call(&user, &ExecuteMsg::Refund { session_id: 1 }).unwrap();
    suite.call(&user, &ExecuteMsg::Withdraw { denoms: vec![OPEN.into()] }).unwrap();
    suite.assert_conserved();
}

#[test]
fn finding_p12_the_owner_changes_in_two_steps() {
    let mut suite = Suite::new();
    let (owner, heir, stranger) = (suite.owner.clone(), suite.user(0), suite.stranger.clone());
    let act = ExecuteMsg::UpdateOwnership;
    suite.call(&owner, &act(OwnershipAction::Propose { new_owner: heir.to_string() })).unwrap();
    let seen: OwnershipResponse = suite.query(&QueryMsg::Ownership {});
    assert_eq!(seen.owner.as_deref(), Some(owner.as_str()));
    assert_eq!(seen.pending.as_deref(), Some(heir.as_str()));
    refused(suite.call(&stranger, &act(OwnershipAction::Accept {})), &CommonError::NoPendingOwner {}.into());
    suite.call(&heir, &act(OwnershipAction::Accept {})).unwrap();
    let pause = ExecuteMsg::SetPaused { paused: true };
    refused(suite.call(&owner, &pause), &CommonError::Unauthorized { role: "the owner" }.into());
    suite.call(&heir, &pause).unwrap();
}

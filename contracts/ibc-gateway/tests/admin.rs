//! Routes, bounds, migration.

use cosmwasm_std::testing::{mock_dependencies, mock_env};
use cosmwasm_std::{Addr, MigrateInfo};
use openledger_contract::CommonError;
use openledger_ibc_gateway::contract::{migrate, CONTRACT_NAME, CONTRACT_VERSION};
use openledger_ibc_gateway::ContractError;
use openledger_testing::ROUTE;
use openledger_types::msg::gateway::{ExecuteMsg, MigrateMsg, Params, QueryMsg, Route};

use crate::common::{Fixture, OPEN};

fn set(f: &mut Fixture, route: Route) -> Result<(), openledger_testing::Refused> {
    let owner = f.world.owner.clone();
    f.world.tell_gateway(&owner, &ExecuteMsg::SetRoute { route }).map(drop)
}

#[test]
fn routes_that_could_not_work_are_refused() {
    let mut f = Fixture::new();
    let good = f.world.route();
    let change = |change: &dyn Fn(&mut Route)| {
        let mut route = good.clone();
        change(&mut route);
        route
    };
    for wrong in [
        change(&|route| route.name = String::new()),
        change(&|route| route.name = "Other Chain".into()),
        change(&|route| route.channel_id = "07-tendermint-0".into()),
        change(&|route| route.channel_id = "channel-".into()),
        change(&|route| route.prefix = "Other".into()),
        change(&|route| route.denoms.clear()),
        change(&|route| route.denoms = vec![route.denoms[0].clone(); 2]),
        change(&|route| route.denoms[0].denom = "u".into()),
        change(&|route| route.denoms[0].min_payout = 0u128.into()),
        change(&|route| route.denoms[0].max_bounty = 0u128.into()),
        change(&|route| route.denoms[0].max_bounty = route.denoms[0].min_payout),
        change(&|route| route.timeout_seconds = 59),
        change(&|route| route.timeout_seconds = 604_801),
    ] {
        assert!(set(&mut f, wrong.clone()).is_err(), "{wrong:?}");
    }
    set(&mut f, good).unwrap();
}

#[test]
fn a_channel_belongs_to_one_route_and_comes_free_when_the_route_leaves_it() {
    let mut f = Fixture::new();
    let good = f.world.route();
    let second = Route { name: "second".into(), ..good.clone() };
    let refused = set(&mut f, second.clone()).unwrap_err();
    let taken = ContractError::ChannelTaken { channel_id: good.channel_id.clone(), name: ROUTE.into() };
    assert!(refused.is(&taken));
    set(&mut f, Route { channel_id: "channel-8".into(), ..good }).unwrap();
    set(&mut f, second.clone()).unwrap();
    let found: Route = f.ask(&QueryMsg::Route { name: "second".into() }).unwrap();
    assert_eq!(found, second);
}

#[test]
fn rule_a2_routes_and_denoms_are_bounded() {
    let mut f = Fixture::new();
    let good = f.world.route();
    for n in 1..64 {
        let mut route =
            Route { name: format!("r{n}"), channel_id: format!("channel-{}", n + 100), ..good.clone() };
        route.denoms[0].denom = format!("udenom{n}");
        set(&mut f, route).unwrap();
    }
    let more = Route { name: "more".into(), channel_id: "channel-999".into(), ..good.clone() };
    assert!(set(&mut f, more).unwrap_err().is(&CommonError::BadParam { name: "routes", rule: "at most 64" }));
    let mut route = good;
    route.denoms[0].denom = "uanother".into();
    assert!(set(&mut f, route).unwrap_err().0.contains("at most 64 different ones"));
}

#[test]
fn bounds_that_disable_their_rule_are_refused() {
    let mut f = Fixture::new();
    let owner = f.world.owner.clone();
    let good = f.world.profile.gateway.clone();
    let change = |change: &dyn Fn(&mut Params)| {
        let mut params = good.clone();
        change(&mut params);
        params
    };
    for wrong in [
        change(&|params| params.grace_seconds = 0),
        change(&|params| params.grace_seconds = u64::MAX),
        change(&|params| params.holdoff_blocks = 0),
        change(&|params| params.max_attempts = 0),
        change(&|params| params.max_attempts = 17),
        change(&|params| params.bounty_bps = 0),
        change(&|params| params.bounty_bps = 501),
        change(&|params| params.bounty_window_blocks = 0),
        change(&|params| params.bounties_per_window = 0),
        change(&|params| params.callback_gas = 99_999),
        change(&|params| params.callback_gas = 1_000_001),
        change(&|params| params.send_gas = 0),
        change(&|params| params.open_gas = 1_000_001),
    ] {
        let msg = ExecuteMsg::UpdateParams { params: wrong.clone() };
        assert!(f.world.tell_gateway(&owner, &msg).is_err(), "{wrong:?}");
    }
    f.world.tell_gateway(&owner, &ExecuteMsg::UpdateParams { params: good }).unwrap();
}

#[test]
fn a_payout_in_flight_keeps_the_channel_it_was_sent_over() {
    let mut f = Fixture::new();
    let bob = f.contributor("bob", 100_000);
    let packet = f.send(&bob);
    let route = Route { channel_id: "channel-8".into(), ..f.world.route() };
    set(&mut f, route).unwrap();
    f.time_out(&packet);
    assert_eq!(f.accrued(&bob), 100_000);
    f.wait_holdoff(&bob);
    f.world.flush(&[&bob]).unwrap();
    assert_eq!(f.world.packets("channel-8").len(), 1);
    assert_eq!(f.accrued(&bob), 0);
    let (_, answer) = f.world.invariants().pop().unwrap();
    assert!(answer.holds && answer.denoms.iter().any(|entry| entry.denom == OPEN));
}

#[test]
fn finding_p11_state_of_another_contract_or_a_newer_release_is_refused() {
    let mut deps = mock_dependencies();
    let info = || MigrateInfo { sender: Addr::unchecked("admin"), old_migrate_version: Some(1) };
    for (name, version) in [("crate:other", "0.1.0"), (CONTRACT_NAME, "99.0.0"), (CONTRACT_NAME, "soon")] {
        cw2::set_contract_version(&mut deps.storage, name, version).unwrap();
        assert!(migrate(deps.as_mut(), mock_env(), MigrateMsg {}, info()).is_err(), "{name} {version}");
    }
    cw2::set_contract_version(&mut deps.storage, CONTRACT_NAME, "0.2.0").unwrap();
    migrate(deps.as_mut(), mock_env(), MigrateMsg {}, info()).unwrap();
    assert_eq!(cw2::get_contract_version(&deps.storage).unwrap().version, CONTRACT_VERSION);
}

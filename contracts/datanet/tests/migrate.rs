//! From release 0.1.0, whose stored bytes are in `fixtures/state-0.1.0.json`: pairs of key and value,
//! in hexadecimal, as its code wrote them.
//!
//! Datanet 1: commit 1 of three leaves by Bob, sealed; commit 2 of two by Alice, revealed late; commit 3
//! of four by Carol, of which leaves 0 and 2 are open. Datanet 2: commit 4 of five by Bob, of which a
//! seal in progress has taken two.

use cosmwasm_std::{from_json, HexBinary, Order, Storage};
use cw_multi_test::Executor;
use openledger_contract::CommonError;
use openledger_datanet::contract::{migrate, CONTRACT_NAME, CONTRACT_VERSION};
use openledger_datanet::ContractError;
use openledger_merkle::{Hash, Tree};
use openledger_testing::{conformity, Batch, Document, World};
use openledger_types::formats::{hash32, Uses};
use openledger_types::msg::datanet::{
    ConfigResponse, ContributionStatus, ContributionsResponse, ExecuteMsg, KeyGrantResponse, LeavesResponse,
    MigrateMsg, Policy, QueryMsg, VersionHealthResponse,
};

use crate::common::{text, Fixture, BOND};

fn migrated_from(release: Option<(&str, &str)>) -> Result<String, ContractError> {
    let params = r#"{"denom":"uopen","commit_bond":"10000","reveal_blocks":720,"withdrawal_grace":604}"#;
    let stored = |storage: &mut dyn Storage| storage.set(b"params", params.as_bytes());
    conformity::migrated_from(migrate, MigrateMsg {}, stored, release)
}

#[test]
fn finding_p11_an_older_release_is_carried_over() {
    assert_eq!(migrated_from(Some((CONTRACT_NAME, "0.0.9"))).unwrap(), CONTRACT_VERSION);
    assert_eq!(migrated_from(Some((CONTRACT_NAME, "0.1.0"))).unwrap(), CONTRACT_VERSION);
    assert_eq!(migrated_from(Some((CONTRACT_NAME, CONTRACT_VERSION))).unwrap(), CONTRACT_VERSION);
}

#[test]
fn finding_p11_another_contract_or_a_newer_release_is_refused() {
    conformity::assert_strangers_are_refused(CONTRACT_NAME, migrated_from, |refused| {
        matches!(refused, ContractError::Common(CommonError::CannotMigrate { .. }))
    });
}

/// A world whose datanet contract has the bytes and the coins of release 0.1.0, carried over.
fn carried_over() -> Fixture {
    let mut world = World::new();
    let (owner, alice, bob) = (world.owner.clone(), world.account("alice"), world.account("bob"));
    let datanet = world.datanet.clone();
    let bytes = include_bytes!("fixtures/state-0.1.0.json");
    let pairs: Vec<(HexBinary, HexBinary)> = from_json(bytes).unwrap();
    {
        let mut storage = world.app.contract_storage_mut(&datanet);
        let old: Vec<Vec<u8>> = storage.range(None, None, Order::Ascending).map(|(key, _)| key).collect();
        old.iter().for_each(|key| storage.remove(key));
        pairs.iter().for_each(|(key, value)| storage.set(key, value));
    }
    // 14 bonds were paid and none left.
    world.mint(&datanet, cosmwasm_std::coin(14 * BOND, "uopen"));
    world.advance_to(1_030);
    let code_id = world.app.contract_data(&datanet).unwrap().code_id;
    world.app.migrate_contract(owner.clone(), datanet, &MigrateMsg {}, code_id).unwrap();
    let mut f = Fixture { world, alice, bob, datanet_id: 1 };
    let connect = ExecuteMsg::Connect {
        model_registry: f.world.model_registry.to_string(),
        referee: f.world.referee.to_string(),
    };
    f.send(&owner, &connect).unwrap();
    f
}

#[test]
fn finding_p11_what_release_0_1_0_stored_is_read_as_before() {
    let f = carried_over();
    let config: ConfigResponse = f.ask(&QueryMsg::Config {}).unwrap();
    let devnet = openledger_testing::Profile::devnet("uopen").datanet;
    assert_eq!(config.params.commit_bond.u128(), BOND);
    assert_eq!(config.params.acceptance_blocks, devnet.acceptance_blocks, "in proportion to the grace");
    assert_eq!(config.params.access_blocks, devnet.access_blocks);
    assert_eq!((config.params.finder_bps, config.params.burn_bps), (devnet.finder_bps, devnet.burn_bps));
    assert_eq!(config.params.developer_bond, devnet.developer_bond);

    let datanet = f.world.datanet_of(1).unwrap();
    assert_eq!((datanet.policy, datanet.uses), (Policy::Open {}, Uses::ALL));
    assert_eq!((datanet.contributions, datanet.leaves, datanet.legacy_leaves), (7, 3, 3));
    let first = f.world.contribution(1).unwrap();
    let item = Batch::new(&f.bob, Document::generate(1, 3)).item(0);
    assert_eq!((first.status, first.position), (ContributionStatus::Sealed, Some(0)));
    assert_eq!(
        (first.facts.match_hash.as_slice(), first.facts.uses),
        (item.match_hash.as_slice(), Uses::ALL)
    );
    let waiting = f.world.contribution(4).unwrap();
    assert_eq!((waiting.status, waiting.cluster), (ContributionStatus::Accepted, 4));
    let key: KeyGrantResponse = f.ask(&QueryMsg::KeyGrant { datanet_id: 2, node_id: 7 }).unwrap();
    assert!(key.wrapped.is_some());
    // Bonds: 2 of Carol's unopened, 10 returned at the reveal, 2 of Alice's late ones forfeited.
    let terms = ["bonds_held", "bonds_at_stake", "withdrawable", "treasury"].map(|name| f.term(name) / BOND);
    assert_eq!(terms, [2, 0, 10, 2]);
    let health: VersionHealthResponse =
        f.ask(&QueryMsg::VersionHealth { datanet_id: 1, version: 1 }).unwrap();
    assert_eq!((health.size, health.lost), (3, 0));
    f.world.assert_invariants();
}

#[test]
fn finding_p11_work_goes_on_where_release_0_1_0_stopped() {
    let mut f = carried_over();
    let (alice, bob, carol) = (f.alice.clone(), f.bob.clone(), f.world.account("carol"));
    // The open commit: another leaf is opened, its bond is at stake; a copy is still refused.
    let batch = Batch::new(&carol, Document::generate(3, 4));
    let late = f.world.reveal(&carol, 3, vec![batch.item(1), batch.item(3)]).unwrap();
    assert_eq!(f.term("bonds_at_stake"), 2 * BOND);
    let copied = f.world.contribute(&bob, 1, Document::generate(1, 1)).unwrap_err();
    assert!(copied.is(&ContractError::MatchTaken { index: 0, contribution_id: 1 }));
    let page: ContributionsResponse =
        f.ask(&QueryMsg::Contributions { datanet_id: 1, start_after: Some(3), limit: None }).unwrap();
    let ids: Vec<u64> = page.contributions.iter().map(|c| c.facts.contribution_id).collect();
    assert_eq!(ids, [4, 5, 6, 7, late[0], late[1]]);

    // The seal in progress ends; the next version takes old and new leaves in the order of commits.
    f.send(&alice, &ExecuteMsg::Seal { datanet_id: 2, up_to: None, limit: None }).unwrap();
    assert_eq!(f.world.version(2, 1).unwrap().version.size, 5);
    let more = f.world.contribute(&bob, 1, text("words of the new release")).unwrap();
    f.world.seal(&alice, 1).unwrap();
    assert_eq!(f.leaves(1), [&[1, 2, 3, 4, 5, 6, 7][..], &late, &more].concat());
    for (datanet_id, legacy) in [(1, 3), (2, 2)] {
        let datanet = f.world.datanet_of(datanet_id).unwrap();
        assert_eq!(datanet.legacy_leaves, legacy);
        let ask = QueryMsg::Leaves { datanet_id, start: 0, limit: Some(100) };
        let leaves = f.ask::<LeavesResponse>(&ask).unwrap().leaves;
        let hashes: Vec<Hash> = leaves
            .iter()
            .enumerate()
            .map(|(at, facts)| if (at as u64) < legacy { facts.legacy_leaf() } else { facts.leaf() })
            .collect();
        for version in 1..=datanet.latest_version {
            let sealed = f.world.version(datanet_id, version).unwrap().version;
            let root = Tree::new(hashes[..sealed.size as usize].to_vec()).unwrap().root();
            assert_eq!(
                hash32("root", &sealed.root).unwrap(),
                root,
                "datanet {datanet_id}, version {version}"
            );
        }
    }

    // Old contributions: a title, a verdict without a bond to take, a withdrawal, an earlier commit.
    let title = ExecuteMsg::EditContribution { contribution_id: 2, title: "new".into() };
    f.send(&bob, &title).unwrap();
    assert_eq!(f.world.contribution(2).unwrap().title, "new");
    f.convict(1, None).unwrap();
    f.world.withdraw_contributions(&bob, &[2]).unwrap();
    assert_eq!(f.world.status(1).unwrap(), ContributionStatus::Rejected);
    let health: VersionHealthResponse =
        f.ask(&QueryMsg::VersionHealth { datanet_id: 1, version: 1 }).unwrap();
    assert_eq!(health.lost, 2);

    // Everybody leaves.
    f.world.advance(1);
    f.world.release_bonds(&carol, 3).unwrap();
    f.world.release_bonds(&bob, 5).unwrap_err();
    for commit_id in [4, 6] {
        f.world.release_bonds(&bob, commit_id).unwrap();
    }
    for address in [&bob, &carol] {
        f.world.withdraw_bonds(address).unwrap();
    }
    assert_eq!((f.term("withdrawable"), f.term("bonds_at_stake")), (0, 0));
    f.world.assert_invariants();
}

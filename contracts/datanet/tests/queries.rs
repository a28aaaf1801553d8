use cosmwasm_std::HexBinary;
use openledger_datanet::ContractError;
use openledger_testing::Document;
use openledger_types::msg::datanet::{
    BondsResponse, ContributionsResponse, DatanetsResponse, LeavesResponse, MatchResponse, QueryMsg,
};

use crate::common::{fixture, BOND, WINDOW};

#[test]
fn finding_p4_lists_are_bounded_and_go_on_where_they_stopped() {
    let mut f = fixture();
    let (alice, datanet_id) = (f.alice.clone(), f.datanet_id);
    for _ in 1..40 {
        f.world.create_datanet(&alice).unwrap();
    }
    let datanets = |start_after, limit| {
        let answer: DatanetsResponse = f.ask(&QueryMsg::Datanets { start_after, limit }).unwrap();
        answer.datanets.iter().map(|d| d.datanet_id).collect::<Vec<_>>()
    };
    assert_eq!(datanets(None, None), (1..=10).collect::<Vec<_>>());
    assert_eq!(datanets(None, Some(1_000)).len(), 30);
    assert_eq!(datanets(Some(38), Some(30)), [39, 40]);

    let given = f.world.contribute(&alice, datanet_id, Document::generate(1, 120)).unwrap();
    f.world.contribute(&alice, 2, Document::generate(2, 1)).unwrap();
    f.world.seal(&alice, datanet_id).unwrap();
    let contributions = |start_after, limit| {
        let msg = QueryMsg::Contributions { datanet_id, start_after, limit };
        let answer: ContributionsResponse = f.ask(&msg).unwrap();
        answer.contributions.iter().map(|c| c.facts.contribution_id).collect::<Vec<_>>()
    };
    assert_eq!(contributions(None, None), given[..10]);
    assert_eq!(contributions(None, Some(1_000)), given[..30]);
    assert_eq!(contributions(Some(given[118]), None), given[119..]);
    let leaves = |start, limit| {
        let msg = QueryMsg::Leaves { datanet_id, start, limit };
        f.ask::<LeavesResponse>(&msg).unwrap().leaves.len()
    };
    assert_eq!((leaves(0, None), leaves(0, Some(1_000)), leaves(119, None)), (10, 100, 1));
    assert_eq!((leaves(120, None), leaves(u64::MAX, None)), (0, 0));
}

#[test]
fn what_is_not_there_is_said_to_be_missing() {
    let f = fixture();
    let missing: Vec<(QueryMsg, ContractError)> = vec![
        (QueryMsg::Datanet { datanet_id: 9 }, ContractError::DatanetNotFound { datanet_id: 9 }),
        (QueryMsg::Commit { commit_id: 9 }, ContractError::CommitNotFound { commit_id: 9 }),
        (
            QueryMsg::Contribution { contribution_id: 9 },
            ContractError::ContributionNotFound { contribution_id: 9 },
        ),
        (
            QueryMsg::Contributions { datanet_id: 9, start_after: None, limit: None },
            ContractError::DatanetNotFound { datanet_id: 9 },
        ),
        (
            QueryMsg::Version { datanet_id: 1, version: 1 },
            ContractError::VersionNotFound { datanet_id: 1, version: 1 },
        ),
        (
            QueryMsg::Leaves { datanet_id: 9, start: 0, limit: None },
            ContractError::DatanetNotFound { datanet_id: 9 },
        ),
    ];
    for (msg, error) in missing {
        let refused = f.ask::<serde::de::IgnoredAny>(&msg).unwrap_err();
        assert!(refused.is(&error), "{refused}");
    }
    let hash = HexBinary::from([3u8; 32]);
    let answer: MatchResponse = f.ask(&QueryMsg::ByMatchHash { match_hash: hash }).unwrap();
    assert_eq!(answer.contribution_id, None);
    let short = QueryMsg::ByMatchHash { match_hash: HexBinary::from([3u8; 3]) };
    assert!(f.ask::<MatchResponse>(&short).is_err());
}

#[test]
fn bonds_are_told_by_address() {
    let mut f = fixture();
    let (bob, datanet_id) = (f.bob.clone(), f.datanet_id);
    f.world.contribute(&bob, datanet_id, Document::generate(1, 2)).unwrap();
    f.world.advance(WINDOW + 1);
    f.world.release_bonds(&bob, 1).unwrap();
    let ask = |address: String| f.ask::<BondsResponse>(&QueryMsg::Bonds { address });
    assert_eq!(ask(bob.to_string()).unwrap().withdrawable.u128(), 2 * BOND);
    assert_eq!(ask(f.alice.to_string()).unwrap().withdrawable.u128(), 0);
    assert!(ask(bob.to_string().to_uppercase()).is_err());
}

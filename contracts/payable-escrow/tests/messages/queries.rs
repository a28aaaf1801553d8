//! Queries of what is there and of what is not.

use openledger_types::formats::{Account, SumRoot};
use openledger_types::msg::escrow::{QueryMsg, SessionResponse, SessionsResponse};

use crate::common::{Suite, OPEN};

#[test]
fn what_is_not_there_is_said() {
    let suite = Suite::new();
    let wrap = suite.app.wrap();
    let missing = wrap
        .query_wasm_smart::<SessionResponse>(&suite.escrow, &QueryMsg::Session { session_id: 1 })
        .unwrap_err();
    assert!(missing.to_string().contains("session 1 does not exist"), "{missing}");
    let epoch = QueryMsg::Epoch { node_id: 1, denom: OPEN.into(), epoch: 1 };
    let missing = wrap
        .query_wasm_smart::<openledger_types::msg::escrow::EpochResponse>(&suite.escrow, &epoch)
        .unwrap_err();
    assert!(missing.to_string().contains("node 1 has posted no epoch 1 in uopen"), "{missing}");
    assert!(suite.pending(9).is_none());
    let ledger = suite.ledger(9, "nothing");
    assert_eq!((ledger.epoch, ledger.ledger, ledger.leaves_blob), (0, SumRoot::empty(), None));
    assert_eq!(suite.claimed(9, OPEN, Account::Dust), 0);
    assert_eq!(suite.balance(&suite.stranger, OPEN), 0);
}

#[test]
fn convention_c8_lists_are_paged() {
    let mut suite = Suite::new();
    let user = suite.user(0);
    for _ in 0..35 {
        suite.open(&user, 1, &[(1, 10_000)]);
    }
    let page = |start_after, limit| -> Vec<u64> {
        let page: SessionsResponse = suite.query(&QueryMsg::Sessions { start_after, limit });
        page.sessions.into_iter().map(|s| s.session_id).collect()
    };
    assert_eq!(page(None, None), (1..=10).collect::<Vec<_>>());
    assert_eq!(page(None, Some(1_000)), (1..=30).collect::<Vec<_>>());
    assert_eq!(page(Some(30), Some(30)), (31..=35).collect::<Vec<_>>());
    assert_eq!(page(Some(35), None), Vec::<u64>::new());
    assert_eq!(suite.sessions().len(), 35);
}

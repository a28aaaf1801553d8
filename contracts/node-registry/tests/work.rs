//! `ReportWork` and `RecordWork`.

use cosmwasm_std::Uint128;
use openledger_types::msg::node_registry::{DeclaredWork, ExecuteMsg, QueryMsg, RecordedWork, WorkResponse};

use crate::common::fixture;

#[test]
fn what_a_node_says_and_what_contracts_saw_are_kept_apart() {
    let mut f = fixture();
    let (alice, escrow, node_id) = (f.alice.clone(), f.world.escrow.clone(), f.node_id);
    let work = |f: &crate::common::Fixture| f.ask::<WorkResponse>(&QueryMsg::Work { node_id }).unwrap();
    assert_eq!(
        work(&f),
        WorkResponse { recorded: RecordedWork::default(), declared: DeclaredWork::default() }
    );
    let said = DeclaredWork { idle: 1, served: 2, refused: 3, failed: 4, tokens: u64::MAX - 1 };
    let seen = RecordedWork {
        answers: 1,
        fees: Uint128::new(u128::MAX - 1),
        epochs: 2,
        audits: 3,
        misses: 4,
        proven_bytes: 5,
        faults: 6,
    };
    for _ in 0..2 {
        f.send(&alice, &ExecuteMsg::ReportWork { node_id, work: said.clone() }).unwrap();
    }
    f.send(&escrow, &ExecuteMsg::RecordWork { node_id, work: seen.clone() }).unwrap();
    f.referee(&ExecuteMsg::RecordWork { node_id, work: seen }).unwrap();
    let found = work(&f);
    // Sums stop at the end of their range: finality does not hang on a record.
    assert_eq!(found.declared, DeclaredWork { idle: 2, served: 4, refused: 6, failed: 8, tokens: u64::MAX });
    assert_eq!(
        found.recorded,
        RecordedWork {
            answers: 2,
            fees: Uint128::MAX,
            epochs: 4,
            audits: 6,
            misses: 8,
            proven_bytes: 10,
            faults: 12
        }
    );
}

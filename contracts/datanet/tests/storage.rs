//! `FundStorage` (PROTOCOL I1, I3).

use cosmwasm_std::{coin, Uint128};
use openledger_datanet::execute::storage::{MAX_DENOMS, MAX_DENOMS_IN_ALL};
use openledger_datanet::ContractError;
use openledger_types::msg::common::InvariantsResponse;
use openledger_types::msg::datanet::{ExecuteMsg, QueryMsg, StorageResponse};

use crate::common::{fixture, Fixture};

fn fund(parts: &[(u64, u128)]) -> ExecuteMsg {
    ExecuteMsg::FundStorage { parts: parts.iter().map(|(id, sum)| (*id, Uint128::new(*sum))).collect() }
}

fn deposits(f: &Fixture, datanet_id: u64) -> Vec<(String, u128)> {
    let answer: StorageResponse = f.ask(&QueryMsg::Storage { datanet_id }).unwrap();
    answer.deposits.into_iter().map(|deposit| (deposit.denom, deposit.amount.u128())).collect()
}

#[test]
fn rule_i3_deposits_are_kept_by_datanet_and_denom() {
    let mut f = fixture();
    let (alice, bob, datanet) = (f.alice.clone(), f.bob.clone(), f.world.datanet.clone());
    f.world.create_datanet(&alice).unwrap();
    f.world.mint(&bob, coin(100, "ibc/27394FB092D2ECCD56123C74F36E4C1F926001CEADA9CA97EA622B25F41E5EB2"));
    f.pay(&bob, &fund(&[(1, 30), (2, 12)]), 42).unwrap();
    let voucher = "ibc/27394FB092D2ECCD56123C74F36E4C1F926001CEADA9CA97EA622B25F41E5EB2";
    f.world.execute(&bob, &datanet, &fund(&[(2, 7)]), &[coin(7, voucher)]).unwrap();
    f.pay(&bob, &fund(&[(2, 1)]), 1).unwrap();
    assert_eq!(deposits(&f, 1), [("uopen".to_string(), 30)]);
    assert_eq!(deposits(&f, 2), [(voucher.to_string(), 7), ("uopen".to_string(), 13)]);
    let answer: InvariantsResponse = f.ask(&QueryMsg::Invariants {}).unwrap();
    assert!(answer.holds);
    assert_eq!(answer.denoms.len(), 2, "one equation a denom");
    assert_eq!(f.term("storage_deposits"), 43);
    assert!(answer.denoms.iter().all(|denom| denom.surplus.is_zero()));
}

#[test]
fn finding_p5_the_parts_are_the_coin_and_nothing_else() {
    let mut f = fixture();
    let (bob, datanet) = (f.bob.clone(), f.world.datanet.clone());
    f.world.mint(&bob, coin(1_000, "uother"));
    for funds in [vec![], vec![coin(5, "uopen"), coin(5, "uother")]] {
        let refused = f.world.execute(&bob, &datanet, &fund(&[(1, 5)]), &funds).unwrap_err();
        assert!(refused.is(&ContractError::OneCoin {}));
    }
    for sent in [4, 6] {
        let refused = f.pay(&bob, &fund(&[(1, 5)]), sent).unwrap_err();
        assert!(refused.is(&ContractError::WrongSum { expected: 5, sent }));
    }
    let many: Vec<(u64, u128)> = (1..=17).map(|id| (id, 1)).collect();
    for parts in [vec![], vec![(1, 0), (2, 5)], vec![(1, 2), (1, 3)], vec![(2, 2), (1, 3)], many] {
        assert!(f.pay(&bob, &fund(&parts), 5).unwrap_err().0.starts_with("parts"));
    }
    let missing = ContractError::DatanetNotFound { datanet_id: 9 };
    assert!(f.pay(&bob, &fund(&[(1, 2), (9, 3)]), 5).unwrap_err().is(&missing));
    assert!(f.pay(&bob, &fund(&[(1, u128::MAX), (2, 1)]), 5).is_err(), "sums are checked");
}

#[test]
fn finding_p4_denoms_are_bounded_and_that_of_bonds_is_always_taken() {
    let mut f = fixture();
    let (alice, bob, datanet) = (f.alice.clone(), f.bob.clone(), f.world.datanet.clone());
    for _ in 1..4 {
        f.world.create_datanet(&alice).unwrap();
    }
    let mut number = 0..;
    let mut fresh = |f: &mut Fixture, datanet_id| {
        let denom = format!("token{}", number.next().unwrap());
        f.world.mint(&bob, coin(1, &denom));
        f.world.execute(&bob, &datanet, &fund(&[(datanet_id, 1)]), &[coin(1, &denom)])
    };
    for _ in 0..MAX_DENOMS - 1 {
        fresh(&mut f, 1).unwrap();
    }
    let refused = fresh(&mut f, 1).unwrap_err();
    assert!(refused.is(&ContractError::TooManyDenoms { bound: MAX_DENOMS }));
    for _ in 0..MAX_DENOMS - 1 {
        fresh(&mut f, 2).unwrap();
    }
    for _ in 0..MAX_DENOMS_IN_ALL - 1 - 2 * (MAX_DENOMS - 1) {
        fresh(&mut f, 3).unwrap();
    }
    let refused = fresh(&mut f, 3).unwrap_err();
    assert!(refused.is(&ContractError::TooManyDenoms { bound: MAX_DENOMS_IN_ALL }));
    f.pay(&alice, &fund(&[(1, 5), (2, 5), (3, 5)]), 15).unwrap();
    assert_eq!(deposits(&f, 1).len(), MAX_DENOMS as usize);
    let answer: InvariantsResponse = f.ask(&QueryMsg::Invariants {}).unwrap();
    assert_eq!((answer.holds, answer.denoms.len()), (true, MAX_DENOMS_IN_ALL as usize));
}

//! Coins that come with messages (finding P5).

use cosmwasm_std::{coin, coins};
use openledger_contract::CommonError;

use crate::common::{Fixture, OPEN};
use crate::permissions::table;

#[test]
fn finding_p5_no_message_takes_coins() {
    let mut f = Fixture::new();
    let gateway = f.world.gateway.clone();
    for (msg, _) in table(&f) {
        for account in [f.alice.clone(), f.world.owner.clone()] {
            f.world.mint(&account, coin(5, "uatom"));
            for funds in [coins(1, OPEN), coins(1, "uatom"), vec![coin(1, "uatom"), coin(1, OPEN)]] {
                let refused = f.world.execute(&account, &gateway, &msg, &funds).unwrap_err();
                assert!(refused.is(&CommonError::NonPayable {}), "{msg:?}: {refused}");
            }
        }
    }
}

#[test]
fn finding_p5_coins_sent_past_the_messages_are_surplus() {
    let mut f = Fixture::new();
    let gateway = f.world.gateway.clone();
    f.world.mint(&gateway, coin(12, OPEN));
    let (_, answer) = f.world.invariants().into_iter().find(|(name, _)| *name == "ibc-gateway").unwrap();
    assert!(answer.holds);
    let found = answer.denoms.iter().find(|entry| entry.denom == OPEN).unwrap();
    assert_eq!(found.surplus, cosmwasm_std::Uint256::from(12u128));
    let bob = f.contributor("bob", 100_000);
    assert_eq!(f.send(&bob).amount, coin(99_500, OPEN));
}

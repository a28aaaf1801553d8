//! `Slash` and `Unjail` (PROTOCOL F5).

use cosmwasm_std::Uint128;
use openledger_node_registry::cuts::{divide, Division};
use openledger_node_registry::ContractError;
use openledger_testing::attribute;
use openledger_types::msg::node_registry::{ExecuteMsg, NodeStatus, Params};
use openledger_types::profile::Profile;
use proptest::prelude::*;

use crate::common::{fixture, slash, BOND};

#[test]
fn rule_f5_part_of_every_cut_is_burned_and_the_finder_has_less_than_all() {
    let mut f = fixture();
    let (bob, node_id) = (f.bob.clone(), f.node_id);
    let supply = f.supply();
    let done = f.referee(&slash(node_id, 2_000, Some(&bob))).unwrap();
    let cut = BOND / 5;
    let fact = |key: &str| attribute(&done, "node_slashed", key).unwrap();
    assert_eq!(fact("amount"), cut.to_string());
    assert_eq!((fact("finder"), fact("reason")), (bob.to_string(), "false span".into()));
    assert_eq!((f.node().bond.u128(), f.bonds()), (BOND - cut, BOND - cut));
    assert_eq!(f.rewards(&bob), cut * 3 / 10);
    assert_eq!(supply - f.supply(), cut * 4 / 10);
    assert_eq!(f.term("treasury"), cut * 3 / 10);
    f.world.assert_invariants();
}

#[test]
fn rule_f5_accusing_oneself_loses() {
    let mut f = fixture();
    let (alice, node_id) = (f.alice.clone(), f.node_id);
    // Openly: there is no finder's part.
    f.referee(&slash(node_id, 5_000, Some(&alice))).unwrap();
    assert_eq!((f.rewards(&alice), f.term("rewards")), (0, 0));
    assert_eq!(f.term("treasury"), BOND / 2 * 6 / 10);
    // Through another account of hers: far less comes back than is lost.
    let helper = f.world.account("alice's other account");
    let lost = f.node().bond.u128();
    f.referee(&slash(node_id, 10_000, Some(&helper))).unwrap();
    assert_eq!(f.rewards(&helper), lost * 3 / 10);
    f.world.assert_invariants();
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rule_f5_cuts_are_divided_without_a_rest_and_always_burn(
        amount in prop_oneof![0..20u128, any::<u128>()],
        finder_bps in 1..10_000u16,
        burn in any::<prop::sample::Index>(),
        has_finder: bool,
    ) {
        let burn_bps = 1 + burn.index(usize::from(10_000 - finder_bps)) as u16;
        let params = Params { finder_bps, burn_bps, ..Profile::protocol("uopen").node_registry };
        let parts = divide(Uint128::new(amount), &params, has_finder).unwrap();
        let Division { finder, burned, treasury } = parts;
        prop_assert_eq!(finder.checked_add(burned).unwrap().checked_add(treasury).unwrap().u128(), amount);
        prop_assert!(amount == 0 || !burned.is_zero());
        prop_assert!(has_finder || finder.is_zero());
        prop_assert!(amount == 0 || finder.u128() < amount);
    }
}

#[test]
fn node_attack_slash_race_two_faults_in_a_block_cut_what_is_left() {
    let mut f = fixture();
    let (alice, bob, node_id) = (f.alice.clone(), f.bob.clone(), f.node_id);
    f.send(&alice, &ExecuteMsg::Unbond { node_id }).unwrap();
    f.world.advance(f.params().unbonding_blocks - 1);
    // Both in the last block at stake, before the withdrawal of the next.
    f.referee(&slash(node_id, 6_000, Some(&bob))).unwrap();
    let escrow = f.world.escrow.clone();
    f.send(&escrow, &slash(node_id, 6_000, Some(&bob))).unwrap();
    let left = BOND * 16 / 100;
    assert_eq!((f.node().bond.u128(), f.node().status), (left, NodeStatus::Unbonding));
    assert!(f.send(&alice, &ExecuteMsg::WithdrawBond { node_id }).is_err());
    f.world.advance(1);
    let before = f.world.balance(&alice);
    f.send(&alice, &ExecuteMsg::WithdrawBond { node_id }).unwrap();
    assert_eq!(f.world.balance(&alice), before + left);
    let jailed_until = f.node().jailed_until;
    f.world.advance(1);
    // Too late: the message that found the fault goes through, and takes nothing.
    let done = f.referee(&slash(node_id, 6_000, Some(&bob))).unwrap();
    assert_eq!(attribute(&done, "node_slashed", "amount").as_deref(), Some("0"));
    assert_eq!(f.node().jailed_until, jailed_until, "who has left is not jailed");
    f.world.assert_invariants();
}

#[test]
fn a_bond_that_was_cut_wholly_leaves_without_a_payment() {
    let mut f = fixture();
    let (alice, node_id) = (f.alice.clone(), f.node_id);
    f.referee(&slash(node_id, 10_000, None)).unwrap();
    f.referee(&slash(node_id, 10_000, None)).unwrap();
    f.send(&alice, &ExecuteMsg::Unbond { node_id }).unwrap();
    f.world.advance(f.params().unbonding_blocks);
    f.send(&alice, &ExecuteMsg::WithdrawBond { node_id }).unwrap();
    assert_eq!(f.node().status, NodeStatus::Left);
    f.world.assert_invariants();
}

#[test]
fn a_slashed_node_stays_in_jail_for_the_longest_of_its_terms() {
    let mut f = fixture();
    let (alice, node_id) = (f.alice.clone(), f.node_id);
    let unjail = ExecuteMsg::Unjail { node_id };
    assert!(f.send(&alice, &unjail).unwrap_err().is(&ContractError::NotJailed { node_id }));
    f.referee(&slash(node_id, 10, None)).unwrap();
    f.world.advance(5);
    f.referee(&slash(node_id, 10, None)).unwrap();
    let until = f.world.height() + f.params().jail_blocks;
    assert_eq!(f.node().jailed_until, Some(until));
    f.world.advance_to(until - 1);
    let refused = f.send(&alice, &unjail).unwrap_err();
    assert!(refused.is(&ContractError::StillJailed { node_id, jailed_until: until }));
    f.world.advance(1);
    // What is left of the bond would not be taken at registration either.
    let sent = f.node().bond.u128();
    assert!(f.send(&alice, &unjail).unwrap_err().is(&ContractError::BondTooSmall { least: BOND, sent }));
    f.pay(&alice, &ExecuteMsg::AddBond { node_id }, BOND - sent).unwrap();
    f.send(&alice, &unjail).unwrap();
    assert_eq!(f.node().jailed_until, None);
    f.referee(&slash(node_id, 10, None)).unwrap();
    f.send(&alice, &ExecuteMsg::Unbond { node_id }).unwrap();
    assert!(f.send(&alice, &unjail).unwrap_err().is(&ContractError::NotBonded { node_id }));
}

#[test]
fn sentences_of_a_wrong_form_are_refused() {
    let mut f = fixture();
    let node_id = f.node_id;
    let sentence = |bps: u16, finder: Option<&str>, reason: &str| {
        let (finder, reason) = (finder.map(String::from), reason.to_string());
        [
            ExecuteMsg::Slash { node_id, bps, finder: finder.clone(), reason: reason.clone() },
            ExecuteMsg::PlanCut { node_id, bps, finder, reason },
        ]
    };
    let long = "r".repeat(129);
    for (bps, finder, reason) in
        [(0, None, "r"), (10_001, None, "r"), (1, Some("nobody"), "r"), (1, None, ""), (1, None, &long)]
    {
        for msg in sentence(bps, finder, reason) {
            assert!(f.referee(&msg).is_err(), "{msg:?}");
        }
    }
    let refused = f.referee(&slash(9, 1, None)).unwrap_err();
    assert!(refused.is(&ContractError::NodeNotFound { node_id: 9 }));
}

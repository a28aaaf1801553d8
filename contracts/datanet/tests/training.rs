//! `UseAccess` and `ClaimTraining` (PROTOCOL D6).

use cosmwasm_std::{Addr, Uint128};
use cw_multi_test::AppResponse;
use openledger_datanet::ContractError;
use openledger_merkle::{SumNode, Tree};
use openledger_testing::{Document, Refused};
use openledger_types::formats::{training_leaf, SumRoot};
use openledger_types::msg::datanet::{AccessResponse, ExecuteMsg, QueryMsg, TrainingItem, TrainingResponse};
use proptest::prelude::*;

use crate::common::{fixture, Fixture};

/// Price of training.
pub const PRICE: u128 = 1_000;

/// Model and version that pay.
const MODEL: (u64, u32) = (4, 2);

/// A training receipt.
pub struct Receipt {
    leaves: Vec<(u64, u64)>,
    tree: Tree<SumNode>,
}

impl Receipt {
    /// Over (contribution, times seen).
    pub fn new(leaves: &[(u64, u64)]) -> Self {
        let nodes = leaves.iter().map(|(id, times)| training_leaf(*id, *times)).collect();
        Receipt { leaves: leaves.to_vec(), tree: Tree::new(nodes).unwrap() }
    }

    /// Its root.
    pub fn root(&self) -> SumRoot {
        SumRoot::new(self.tree.root(), self.leaves.len() as u64)
    }

    /// Leaf `index` with its path.
    pub fn item(&self, index: u64) -> TrainingItem {
        let (contribution_id, times_seen) = self.leaves[index as usize];
        let path = self.tree.prove(index).unwrap().into();
        TrainingItem { contribution_id, times_seen, index, path }
    }
}

/// Sealed contributions of Bob's and Alice's on a datanet that asks a price, and a developer who paid.
fn trained() -> (Fixture, Addr, Vec<u64>) {
    let mut f = fixture();
    let (alice, bob, datanet_id) = (f.alice.clone(), f.bob.clone(), f.datanet_id);
    set_price(&mut f, PRICE);
    let mut given = f.world.contribute(&bob, datanet_id, Document::generate(1, 2)).unwrap();
    given.extend(f.world.contribute(&alice, datanet_id, Document::generate(2, 1)).unwrap());
    f.world.seal(&alice, datanet_id).unwrap();
    let developer = f.world.account("developer");
    f.world.buy_access(&developer, datanet_id).unwrap();
    (f, developer, given)
}

fn set_price(f: &mut Fixture, price: u128) {
    let alice = f.alice.clone();
    let msg = ExecuteMsg::UpdateTerms {
        datanet_id: f.datanet_id,
        min_data_bps: 3_000,
        floor_per_token: Uint128::new(50),
        training_price: Uint128::new(price),
    };
    f.send(&alice, &msg).unwrap();
}

fn register(
    f: &mut Fixture,
    developer: &Addr,
    version: u32,
    training: SumRoot,
) -> Result<AppResponse, Refused> {
    register_as(f, developer, version, training, MODEL)
}

fn register_as(
    f: &mut Fixture,
    developer: &Addr,
    version: u32,
    training: SumRoot,
    (model_id, model_version): (u64, u32),
) -> Result<AppResponse, Refused> {
    let registry = f.world.model_registry.clone();
    let (datanet_id, developer) = (f.datanet_id, developer.to_string());
    let msg = ExecuteMsg::UseAccess { datanet_id, version, developer, model_id, model_version, training };
    f.send(&registry, &msg)
}

fn claim(f: &mut Fixture, items: Vec<TrainingItem>) -> Result<AppResponse, Refused> {
    let (datanet_id, stranger) = (f.datanet_id, f.world.account("stranger"));
    let (model_id, model_version) = MODEL;
    f.send(&stranger, &ExecuteMsg::ClaimTraining { datanet_id, model_id, model_version, items })
}

#[test]
fn rule_d6_a_registration_turns_the_price_into_a_pot_that_training_uses_share() {
    let (mut f, developer, given) = trained();
    let (alice, bob) = (f.alice.clone(), f.bob.clone());
    let receipt = Receipt::new(&[(given[0], 3), (given[1], 3), (given[2], 1)]);
    register(&mut f, &developer, 1, receipt.root()).unwrap();
    assert_eq!((f.term("access_paid"), f.term("training_pots")), (0, PRICE));
    claim(&mut f, vec![receipt.item(1)]).unwrap();
    assert_eq!(f.withdrawable(&bob), 428, "floor of 1,000 x 3 / 7");
    claim(&mut f, vec![receipt.item(0), receipt.item(2)]).unwrap();
    assert_eq!((f.withdrawable(&bob), f.withdrawable(&alice)), (856, 142));
    assert_eq!((f.term("training_pots"), f.term("treasury")), (0, 2), "the remainder, with the last leaf");
    let (datanet_id, model_id, model_version) = (f.datanet_id, MODEL.0, MODEL.1);
    let pot: TrainingResponse = f.ask(&QueryMsg::Training { datanet_id, model_id, model_version }).unwrap();
    let pot = pot.training.unwrap();
    assert_eq!((pot.paid.u128(), pot.claimed.u128(), pot.training), (PRICE, PRICE, receipt.root()));
    f.world.withdraw_bonds(&bob).unwrap();
    f.world.assert_invariants();
}

#[test]
fn finding_p6_a_part_of_a_pot_is_claimed_once() {
    let (mut f, developer, given) = trained();
    let receipt = Receipt::new(&[(given[0], 3), (given[0], 3), (given[2], 1)]);
    register(&mut f, &developer, 1, receipt.root()).unwrap();
    let again = ContractError::AlreadyClaimed { contribution_id: given[0] };
    for second in [0, 1] {
        let both = vec![receipt.item(0), receipt.item(second)];
        assert!(claim(&mut f, both).unwrap_err().is(&again), "in one message, and as a second leaf");
    }
    claim(&mut f, vec![receipt.item(0)]).unwrap();
    assert!(claim(&mut f, vec![receipt.item(1)]).unwrap_err().is(&again));
    let used = ContractError::AlreadyUsed { datanet_id: 1, model_id: MODEL.0, model_version: MODEL.1 };
    assert!(register(&mut f, &developer, 1, receipt.root()).unwrap_err().is(&used));
}

#[test]
fn every_changed_part_of_a_training_leaf_is_refused() {
    let (mut f, developer, given) = trained();
    let receipt = Receipt::new(&[(given[0], 3), (given[1], 3), (given[2], 1)]);
    register(&mut f, &developer, 1, receipt.root()).unwrap();
    type Change = fn(&mut TrainingItem);
    let changes: [Change; 6] = [
        |item| item.times_seen += 1,
        |item| item.contribution_id += 1,
        |item| item.index = 2,
        |item| item.index = 9,
        |item| item.path[0].sum = 4,
        |item| {
            item.path.pop();
        },
    ];
    for change in changes {
        let mut item = receipt.item(0);
        change(&mut item);
        let refused = claim(&mut f, vec![item.clone()]).unwrap_err();
        assert!(refused.is(&ContractError::NotTrained { contribution_id: item.contribution_id }));
    }
    for items in [vec![], vec![receipt.item(0); 33]] {
        assert!(claim(&mut f, items).unwrap_err().0.starts_with("items"));
    }
}

#[test]
fn attack_a_developer_cannot_draw_the_pot_to_contributions_outside_the_version() {
    let (mut f, developer, given) = trained();
    let (alice, datanet_id) = (f.alice.clone(), f.datanet_id);
    let other = f.world.create_datanet(&alice).unwrap();
    let elsewhere = f.world.contribute(&developer, other, Document::generate(7, 1)).unwrap()[0];
    f.world.seal(&alice, other).unwrap();
    let later = f.world.contribute(&developer, datanet_id, Document::generate(8, 2)).unwrap();
    f.world.withdraw_contributions(&developer, &later[..1]).unwrap();
    f.world.seal(&alice, datanet_id).unwrap();
    let leaves = [(given[0], 1), (elsewhere, 1_000), (later[0], 1_000), (later[1], 1_000)];
    let receipt = Receipt::new(&leaves);
    register(&mut f, &developer, 1, receipt.root()).unwrap();
    for (index, (id, _)) in leaves.iter().enumerate().skip(1) {
        let refused = claim(&mut f, vec![receipt.item(index as u64)]).unwrap_err();
        assert!(refused.is(&ContractError::NotInVersion { contribution_id: *id }), "{refused}");
    }
    claim(&mut f, vec![receipt.item(0)]).unwrap();
}

#[test]
fn the_part_of_a_guilty_contribution_goes_to_the_treasury() {
    let (mut f, developer, given) = trained();
    let bob = f.bob.clone();
    let receipt = Receipt::new(&[(given[0], 1), (given[1], 1)]);
    register(&mut f, &developer, 1, receipt.root()).unwrap();
    f.world.withdraw_contributions(&bob, &given[1..2]).unwrap();
    f.convict(given[0], None).unwrap();
    let before = f.term("treasury");
    claim(&mut f, vec![receipt.item(0), receipt.item(1)]).unwrap();
    assert_eq!(f.term("treasury") - before, PRICE / 2);
    assert_eq!(f.withdrawable(&bob), PRICE / 2, "a withdrawn one was used all the same");
}

#[test]
fn rule_d5_a_version_asks_the_price_that_was_pinned_at_its_seal() {
    let (mut f, developer, given) = trained();
    let (alice, datanet_id) = (f.alice.clone(), f.datanet_id);
    let receipt = Receipt::new(&[(given[0], 1)]);
    // The price rose: one who pays today's has a rest when registering on the older version.
    set_price(&mut f, 5 * PRICE);
    assert_eq!(f.world.version(datanet_id, 1).unwrap().training_price.u128(), PRICE);
    let second = f.world.account("second");
    f.world.buy_access(&second, datanet_id).unwrap();
    register(&mut f, &second, 1, receipt.root()).unwrap();
    assert_eq!((f.term("training_pots"), f.term("access_paid")), (PRICE, 5 * PRICE));
    let wrapped = vec![1; 9].into();
    f.send(&alice, &ExecuteMsg::GrantAccess { datanet_id, developer: second.to_string(), wrapped }).unwrap();
    f.world.advance(f.world.profile.datanet.access_blocks + 1);
    f.send(&second, &ExecuteMsg::LeaveAccess { datanet_id }).unwrap();
    assert_eq!(f.withdrawable(&second), 4 * PRICE + 10_000_000, "the rest, with the bond");

    // One who paid the old price cannot register on the dearer version.
    f.world.contribute(&alice, datanet_id, Document::generate(9, 1)).unwrap();
    f.world.seal(&alice, datanet_id).unwrap();
    let refused = register_as(&mut f, &developer, 2, receipt.root(), (5, 1)).unwrap_err();
    assert!(refused.is(&ContractError::NotPaid { datanet_id, price: 5 * PRICE }));
    f.world.assert_invariants();
}

#[test]
fn rule_d6_no_access_no_registration_and_no_price_no_pot() {
    let (mut f, developer, given) = trained();
    let (alice, datanet_id) = (f.alice.clone(), f.datanet_id);
    let receipt = Receipt::new(&[(given[0], 1)]);
    let stranger = f.world.account("stranger");
    let not_paid = ContractError::NotPaid { datanet_id, price: PRICE };
    assert!(register(&mut f, &stranger, 1, receipt.root()).unwrap_err().is(&not_paid));
    for training in [SumRoot::empty(), Receipt::new(&[(given[0], 0)]).root()] {
        assert!(register(&mut f, &developer, 1, training).unwrap_err().0.starts_with("training"));
    }
    let missing = ContractError::VersionNotFound { datanet_id, version: 9 };
    assert!(register(&mut f, &developer, 9, receipt.root()).unwrap_err().is(&missing));
    set_price(&mut f, 0);
    f.world.contribute(&alice, datanet_id, Document::generate(9, 1)).unwrap();
    f.world.seal(&alice, datanet_id).unwrap();
    register(&mut f, &stranger, 2, receipt.root()).unwrap();
    let none = ContractError::PotNotFound { datanet_id, model_id: MODEL.0, model_version: MODEL.1 };
    assert!(claim(&mut f, vec![receipt.item(0)]).unwrap_err().is(&none));
    assert_eq!(f.term("access_paid"), PRICE);
    let msg = QueryMsg::Access { datanet_id, developer: stranger.to_string() };
    assert_eq!(f.ask::<AccessResponse>(&msg).unwrap().access, None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// However often training saw each, and whatever order leaves are claimed in.
    #[test]
    fn finding_p2_a_pot_pays_floors_and_never_more_than_it_holds(
        times in prop::collection::vec(0..u64::MAX / 4, 3),
    ) {
        prop_assume!(times.iter().any(|times| *times > 0));
        let (mut f, developer, given) = trained();
        let leaves: Vec<(u64, u64)> = given.iter().copied().zip(times.iter().copied()).collect();
        let receipt = Receipt::new(&leaves);
        register(&mut f, &developer, 1, receipt.root()).unwrap();
        let all: u128 = times.iter().map(|times| u128::from(*times)).sum();
        for index in [2, 0, 1] {
            claim(&mut f, vec![receipt.item(index)]).unwrap();
            f.world.assert_invariants();
        }
        let floor = |at: usize| PRICE * u128::from(times[at]) / all;
        let (alice, bob) = (f.alice.clone(), f.bob.clone());
        prop_assert_eq!(f.withdrawable(&bob), floor(0) + floor(1));
        prop_assert_eq!(f.withdrawable(&alice), floor(2));
        prop_assert!(f.term("treasury") < 3);
        prop_assert_eq!(f.term("training_pots"), 0);
    }
}

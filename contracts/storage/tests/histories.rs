//! Coins are conserved over random histories, and at the end everyone leaves.

use openledger_types::msg::storage::{ExecuteMsg, QueryMsg};
use proptest::prelude::*;

use crate::common::Suite;

#[derive(Clone, Debug)]
enum Step {
    Fund(u128),
    Advance(u64),
    Draw,
    Prove(prop::sample::Index),
    Miss(prop::sample::Index),
    Claim(prop::sample::Index),
    Leave(prop::sample::Index),
    Vacate(prop::sample::Index),
    Sweep(prop::sample::Index),
    Fill,
    AnnounceExit,
    Exit,
    Retire,
    Place,
}

fn step() -> impl Strategy<Value = Step> {
    let who = any::<prop::sample::Index>;
    prop_oneof![
        2 => (1u128..100_000).prop_map(Step::Fund),
        3 => (1u64..60).prop_map(Step::Advance),
        6 => Just(Step::Draw),
        8 => who().prop_map(Step::Prove),
        3 => who().prop_map(Step::Miss),
        4 => who().prop_map(Step::Claim),
        1 => who().prop_map(Step::Leave),
        1 => who().prop_map(Step::Vacate),
        1 => who().prop_map(Step::Sweep),
        3 => Just(Step::Fill),
        1 => Just(Step::AnnounceExit),
        1 => Just(Step::Exit),
        1 => Just(Step::Retire),
        1 => Just(Step::Place),
    ]
}

/// Carries a step out; what is refused is refused, and says nothing here.
fn apply(suite: &mut Suite, object_id: u64, step: Step) {
    let (alice, bob, datanet_id) = (suite.alice.clone(), suite.bob.clone(), suite.datanet_id);
    let nodes: Vec<u64> = suite.storers.iter().map(|(node_id, _)| *node_id).collect();
    let pick = move |index: prop::sample::Index| nodes[index.index(nodes.len())];
    match step {
        Step::Fund(amount) => drop(suite.world.fund_storage(&bob, datanet_id, amount)),
        Step::Advance(blocks) => suite.world.advance(blocks),
        Step::Draw => {
            suite.world.advance(15);
            drop(suite.tell(&bob, ExecuteMsg::Draw {}));
        }
        Step::Prove(index) => drop(suite.prove(pick(index))),
        Step::Miss(index) => drop(suite.miss(pick(index))),
        Step::Claim(index) => drop(suite.claim(pick(index))),
        Step::Leave(index) => {
            let node_id = pick(index);
            let operator = suite.operator(node_id);
            drop(suite.tell(&operator, ExecuteMsg::Leave { node_id }));
        }
        Step::Vacate(index) => {
            let node_id = pick(index);
            let positions = suite.positions(node_id);
            drop(suite.tell(&bob, ExecuteMsg::Vacate { node_id, positions }));
        }
        Step::Sweep(index) => {
            let node_id = pick(index);
            for position in suite.positions(node_id) {
                drop(suite.tell(&bob, ExecuteMsg::Sweep { node_id, positions: vec![position] }));
            }
        }
        Step::Fill => {
            drop(suite.world.nominate(&bob, object_id));
            suite.world.advance(suite.params().assign_blocks + 1);
            for (slot, place) in (0u8..).zip(suite.world.object(object_id).unwrap().slots) {
                if let Some(node_id) = place.nominee {
                    drop(suite.accept(node_id, object_id, slot));
                }
            }
        }
        Step::AnnounceExit => drop(suite.tell(&bob, ExecuteMsg::AnnounceExit { datanet_id })),
        Step::Exit => drop(suite.tell(&bob, ExecuteMsg::Exit { datanet_id })),
        Step::Retire => drop(suite.tell(&alice, ExecuteMsg::Retire { object_id, contribution_id: None })),
        Step::Place => drop(suite.place()),
    }
}

/// Recounts what nodes keep from what objects say, and compares deposits with the bank.
fn check(suite: &Suite) {
    suite.world.assert_invariants();
    let answer: openledger_types::msg::common::InvariantsResponse =
        suite.world.query(&suite.world.storage, &QueryMsg::Invariants {}).unwrap();
    assert!(answer.denoms[0].surplus.is_zero(), "every coin has an owner: {answer:?}");
    let account = suite.world.storage_account(suite.datanet_id).unwrap();
    assert!(account.reserved <= account.deposit, "{account:?}");
    for (node_id, _) in &suite.storers {
        let storer = suite.world.storer(*node_id).unwrap();
        let holdings = suite.world.holdings(*node_id).unwrap();
        let kept: u64 = holdings.iter().filter(|h| h.live).map(|h| h.leaves).sum();
        let drawn: u64 = holdings.iter().map(|h| h.leaves).sum();
        assert_eq!((storer.kept, storer.drawn_from), (kept, drawn));
        for holding in holdings.iter().filter(|h| h.live) {
            let object = suite.world.object(holding.object_id).unwrap();
            let slot = &object.slots[usize::from(holding.slot)];
            assert_eq!((slot.holder, slot.position), (Some(*node_id), Some(holding.position)));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(6),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]
    #[test]
    fn rule_a2_deposits_are_conserved_over_random_histories_and_everyone_can_leave(
        steps in proptest::collection::vec(step(), 1..60),
        poor in any::<bool>(),
    ) {
        let mut suite = Suite::with(4, |params| {
            (params.epoch_blocks, params.answer_blocks, params.cover_blocks) = (15, 8, 43);
        });
        if poor {
            // A price at which the deposit runs dry within the history.
            let (alice, datanet_id) = (suite.alice.clone(), suite.datanet_id);
            let price = Some(6_000_000_000_000_000u128.into());
            suite.tell(&alice, ExecuteMsg::SetPrice { datanet_id, price }).unwrap();
        }
        let Ok(object_id) = suite.place() else { return Ok(()) };
        for step in steps {
            apply(&mut suite, object_id, step);
            check(&suite);
        }
        // Everyone leaves.
        let (alice, bob, datanet_id) = (suite.alice.clone(), suite.bob.clone(), suite.datanet_id);
        for object_id in 1..=60 {
            drop(suite.tell(&alice, ExecuteMsg::Retire { object_id, contribution_id: None }));
        }
        for (node_id, _) in suite.storers.clone() {
            drop(suite.claim(node_id));
        }
        for funder in [&alice, &bob] {
            drop(suite.tell(funder, ExecuteMsg::AnnounceExit { datanet_id }));
        }
        suite.world.advance(suite.params().notice_blocks);
        for funder in [&alice, &bob] {
            drop(suite.tell(funder, ExecuteMsg::Exit { datanet_id }));
        }
        check(&suite);
        let left = suite.world.storage_account(datanet_id).unwrap();
        prop_assert!(left.reserved.is_zero());
        // What stays is nobody's: dust of roundings, and what was void when a spent deposit was filled.
        prop_assert!(left.deposit.u128() < 1_000_000, "{left:?}");
    }
}

use openledger_storage::ContractError;
use openledger_testing::attribute;
use openledger_types::msg::storage::{ExecuteMsg, StorerState};

use crate::common::Suite;

fn nominate(suite: &mut Suite, object_id: u64, slot: u8, node_id: u64) -> openledger_testing::Result<()> {
    let bob = suite.bob.clone();
    suite.tell(&bob, ExecuteMsg::Nominate { object_id, nominees: vec![(slot, node_id)] }).map(|_| ())
}

#[test]
fn rule_i3_a_better_node_takes_a_nomination_over_until_the_window_closes() {
    let mut suite = Suite::new(5);
    let object_id = suite.place().unwrap();
    let ranking = suite.world.ranking(&suite.world.object(object_id).unwrap());
    nominate(&mut suite, object_id, 0, ranking[4]).unwrap();
    nominate(&mut suite, object_id, 0, ranking[2]).unwrap();
    let refused = nominate(&mut suite, object_id, 0, ranking[3]).unwrap_err();
    assert!(refused.0.contains("is taken"), "a worse one does not: {refused}");
    nominate(&mut suite, object_id, 0, ranking[0]).unwrap();
    nominate(&mut suite, object_id, 1, ranking[3]).unwrap();
    suite.world.advance(suite.params().assign_blocks + 1);
    assert!(nominate(&mut suite, object_id, 1, ranking[1]).is_err(), "the window is closed");
    assert!(suite.accept(ranking[2], object_id, 0).is_err(), "taken over");
    suite.accept(ranking[0], object_id, 0).unwrap();
    for worse in [1, 2, 4] {
        let storer = suite.world.storer(ranking[worse]).unwrap();
        assert_eq!((storer.pending, storer.kept), (0, 0), "nominations that ended weigh nothing");
    }
}

#[test]
fn rule_i3_nodes_of_an_object_are_distinct_and_so_are_their_operators() {
    let mut suite = Suite::new(3);
    let object_id = suite.place().unwrap();
    let (first, operator) = suite.storers[0].clone();
    nominate(&mut suite, object_id, 0, first).unwrap();
    assert!(nominate(&mut suite, object_id, 1, first).is_err());
    // A second node of the same operator.
    let key = openledger_testing::Key::named("second node");
    let roles = vec![openledger_types::msg::node_registry::Role::Storage];
    let msg = openledger_testing::register_as(&suite.world, &operator, "second node", &key, roles);
    let (registry, funds) = (suite.world.node_registry.clone(), suite.world.coins(100_000_000));
    let done = suite.world.execute(&operator, &registry, &msg, &funds).unwrap();
    let node_id = attribute(&done, "node_registered", "node_id").unwrap().parse().unwrap();
    suite.tell(&operator, ExecuteMsg::Enroll { node_id, capacity: 1_000 }).unwrap();
    let refused = nominate(&mut suite, object_id, 1, node_id).unwrap_err();
    assert!(refused.is(&ContractError::Ineligible { node_id, why: "its operator has a slot of this object" }));
}

#[test]
fn a_nominee_accepts_in_its_time_and_only_what_it_was_named_for() {
    let mut suite = Suite::new(3);
    let object_id = suite.place().unwrap();
    let (node_id, other) = (suite.storers[0].0, suite.storers[1].0);
    nominate(&mut suite, object_id, 0, node_id).unwrap();
    assert!(suite.accept(node_id, object_id, 0).is_err(), "better nodes have time");
    suite.world.advance(suite.params().assign_blocks + 1);
    assert!(suite.accept(other, object_id, 0).is_err());
    assert!(suite.accept(node_id, object_id, 1).is_err());
    assert!(suite.accept(node_id, object_id, 9).is_err());
    suite.world.advance(suite.params().accept_blocks);
    assert!(suite.accept(node_id, object_id, 0).is_err(), "too late");
    // It offers no more room, so that it does not keep the slot vacant.
    nominate(&mut suite, object_id, 0, other).unwrap();
    assert_eq!(suite.world.storer(node_id).unwrap().capacity, 0);
    assert!(nominate(&mut suite, object_id, 1, node_id).is_err());
}

#[test]
fn a_full_node_is_not_nominated() {
    let mut suite = Suite::new(3);
    let object_id = suite.place().unwrap();
    let (node_id, operator) = suite.storers[0].clone();
    let leaves = suite.world.object(object_id).unwrap().leaves;
    suite.tell(&operator, ExecuteMsg::Enroll { node_id, capacity: leaves - 1 }).unwrap();
    assert!(nominate(&mut suite, object_id, 0, node_id).is_err());
    suite.tell(&operator, ExecuteMsg::Enroll { node_id, capacity: leaves }).unwrap();
    nominate(&mut suite, object_id, 0, node_id).unwrap();
}

#[test]
fn rule_i3_only_the_slots_of_a_node_that_leaves_move() {
    let mut suite = Suite::new(10);
    let object_id = suite.kept();
    let before = suite.holders(object_id);
    let gone = before[3];
    let operator = suite.operator(gone);
    suite.tell(&operator, ExecuteMsg::Leave { node_id: gone }).unwrap();
    assert!(matches!(suite.world.storer(gone).unwrap().state, StorerState::Leaving { .. }));
    let object = suite.world.object(object_id).unwrap();
    let best = suite.world.ranking(&object).into_iter().find(|node| !before.contains(node)).unwrap();
    nominate(&mut suite, object_id, 3, best).unwrap();
    assert!(nominate(&mut suite, object_id, 2, best).is_err(), "its holder is in service");
    assert_eq!(suite.holders(object_id), before, "the leaving node keeps it until then");
    suite.world.advance(suite.params().assign_blocks + 1);
    suite.accept(best, object_id, 3).unwrap();
    let mut after = before;
    after[3] = best;
    assert_eq!(suite.holders(object_id), after);
    assert_eq!(suite.world.storer(gone).unwrap().kept, 0);
}

#[test]
fn rule_i3_a_node_keeps_no_more_than_its_bond_covers() {
    // One cut takes 1 % of the least bond: 1,000,000. A tenth of the pay of the blocks is compared with it.
    for (price, covered) in [(1_000_000_000_000u128, true), (10_000_000_000_000, false)] {
        let mut suite = Suite::with(3, |params| {
            (params.cover_blocks, params.default_price) = (200_000, price.into());
        });
        let object_id = suite.place().unwrap();
        let node_id = suite.storers[0].0;
        nominate(&mut suite, object_id, 0, node_id).unwrap();
        suite.world.advance(suite.params().assign_blocks + 1);
        let object = suite.world.object(object_id).unwrap();
        let tenth = u128::from(object.leaves) * price * 200_000 / 10 / (1 << 20) / 1_000_000;
        assert_eq!(tenth < 1_000_000, covered, "{tenth}");
        assert_eq!(suite.accept(node_id, object_id, 0).is_ok(), covered);
    }
}

#[test]
fn rule_i3_assignment_is_balanced_over_objects() {
    use openledger_types::formats::storage_score;
    let (nodes, objects, slots) = (20u64, 2_000u64, 8usize);
    let mut counts = vec![0u32; nodes as usize];
    for object in 0..objects {
        let seed = openledger_types::formats::placement_seed("c-1", "a", object, &[0; 32], 7, 9);
        let mut ranking: Vec<u64> = (0..nodes).collect();
        ranking.sort_by_key(|node| std::cmp::Reverse(storage_score(&seed, *node)));
        for node in &ranking[..slots] {
            counts[*node as usize] += 1;
        }
        // Without one node only its place is taken, by the next in line.
        let without: Vec<u64> = ranking.iter().copied().filter(|node| *node != ranking[2]).collect();
        let moved = without[..slots].iter().filter(|node| !ranking[..slots].contains(node)).count();
        assert_eq!(moved, 1);
    }
    // Binomial with 2,000 tries at 0.4: mean 800, standard deviation 22; six of them.
    assert!(counts.iter().all(|count| (668..932).contains(count)), "{counts:?}");
}

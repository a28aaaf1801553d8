//! Keepers with stores and HTTP servers of their own, on a simulated chain with all contracts.

mod network;

use network::{Network, Node};
use openledger_store::{restore, BlobStore};
use openledger_types::formats::hash32;
use openledger_types::msg::storage::ObjectResponse;

/// The pack out of what these nodes have on their disks.
fn pack_of(object: &ObjectResponse, nodes: &[Node]) -> Vec<u8> {
    let mut found = Vec::new();
    for (slot, place) in (0u8..).zip(&object.slots) {
        let Some(node) = nodes.iter().find(|node| Some(node.node_id) == place.holder) else { continue };
        let root = hash32("root", &object.roots[usize::from(slot)]).unwrap();
        if let Some(bytes) = node.store.get(&root).unwrap() {
            found.push((slot, bytes));
        }
    }
    found.truncate(usize::from(object.coding.data));
    restore(object.len, object.coding, &found).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn storage_attack_a_third_of_the_nodes_vanishes_and_not_a_byte_is_lost() {
    let mut network = Network::start(12).await;
    let object_id = network.place().await;
    network.rounds_until("every slot is kept", 40, |n| n.holders(object_id).len() == 8).await;
    let object = network.object(object_id);
    assert_eq!((object.coding.data, object.coding.total), (4, 8));
    // The contributor's node forgets the blobs: from now on the pack lives in its fragments only.
    network.forget_blobs();

    // The worst third: four holders, so that exactly as many fragments are left as the code needs.
    let lost: Vec<u64> = network.holders(object_id)[..4].to_vec();
    network.kill(&lost);
    let started = std::time::Instant::now();
    network
        .rounds_until("the lost fragments are made anew", 120, |n| {
            let holders = n.holders(object_id);
            holders.len() == 8 && holders.iter().all(|holder| !lost.contains(holder))
        })
        .await;
    let object = network.object(object_id);
    assert_eq!(pack_of(&object, &network.nodes), network.pack, "not a byte is lost");
    let made = object.coding.fragment_len(object.len) * 4;
    println!("{made} bytes made anew, {:.1} s with detection", started.elapsed().as_secs_f64());

    // Those who left without notice paid for it, those who stayed are paid.
    network.rounds_until("pay arrives", 60, |n| n.nodes.iter().all(|node| n.earned(node) > 0)).await;
    for node_id in lost {
        assert!(network.bond(node_id) < network.least_bond());
    }
    network.assert_invariants();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_d4_a_withdrawal_erases_the_bytes_on_every_holder() {
    let mut network = Network::start(3).await;
    let object_id = network.place().await;
    network.rounds_until("every slot is kept", 40, |n| n.holders(object_id).len() == 3).await;
    let root = hash32("root", &network.object(object_id).roots[0]).unwrap();
    assert!(network.nodes.iter().all(|node| node.store.has(&root).unwrap()));
    network.withdraw_first();
    network
        .rounds_until("the bytes are gone", 80, |n| {
            n.nodes.iter().all(|node| !node.store.has(&root).unwrap())
        })
        .await;
    assert!(network.object(object_id).retired_at.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_fragment_is_fetched_again_before_it_is_asked_for() {
    let mut network = Network::start(3).await;
    let object_id = network.place().await;
    network.rounds_until("every slot is kept", 40, |n| n.holders(object_id).len() == 3).await;
    let root = hash32("root", &network.object(object_id).roots[0]).unwrap();
    let victim = network.holders(object_id)[1];
    network.node(victim).store.delete(&root).unwrap();
    network.rounds_until("the fragment is back", 60, |n| n.node(victim).store.has(&root).unwrap()).await;
    network.rounds_until("it is paid", 60, |n| n.earned(n.node(victim)) > 0).await;
    assert_eq!(network.bond(victim), network.least_bond(), "nothing was missed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_roots_of_junk_are_accepted_by_no_honest_node() {
    let mut network = Network::start(3).await;
    let object_id = network.place_with([9; 32]).await;
    let faults = network.rounds(10).await;
    assert!(network.holders(object_id).is_empty());
    assert!(faults.iter().any(|fault| fault.code == "E-STORAGE-002"), "{faults:?}");
}

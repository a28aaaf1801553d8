//! Keepers with stores and HTTP servers of their own, on a simulated chain with all contracts.

mod network;

use network::{Network, Node};
use openledger_store::restore;
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

/// How fast a lost fragment is made anew, against what network and disk alone would take for the same bytes:
/// four fragments over HTTP and one write. The assertions are about the bytes; the figures are printed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rate_of_repair_is_measured() {
    use openledger_node::corpus::HttpBlobs;
    use openledger_store::{fragment_root, fragments};
    use openledger_types::formats::Coding;

    let mib = if std::env::var_os("OPENLEDGER_LONG").is_some() { 64 } else { 4 };
    let coding = Coding { data: 4, total: 8 };
    let pack: Vec<u8> = (0..mib << 20).map(|i: u32| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let made = fragments(&pack, coding).unwrap();
    let network = Network::start(2).await;
    let (source, target) = (&network.nodes[0], &network.nodes[1]);
    let roots: Vec<_> = made.iter().map(|fragment| fragment_root(fragment)).collect();
    // The four that are left are those of the code: the most work that there is.
    for slot in 4..8 {
        source.store.put(&roots[slot], &made[slot]).unwrap();
    }
    let peer = HttpBlobs::new(&network.endpoint(source.node_id)).unwrap();
    let len = coding.fragment_len(pack.len() as u64);
    let started = std::time::Instant::now();
    let mut found = Vec::new();
    for slot in 4..8u8 {
        found.push((slot, peer.fragment(&roots[usize::from(slot)], len).await.unwrap()));
    }
    let fetched = started.elapsed();
    let started = std::time::Instant::now();
    let restored = restore(pack.len() as u64, coding, &found).unwrap();
    let again = fragments(&restored, coding).unwrap();
    assert_eq!(fragment_root(&again[2]), roots[2]);
    let computed = started.elapsed();
    let started = std::time::Instant::now();
    target.store.put(&roots[2], &again[2]).unwrap();
    let written = started.elapsed();
    assert_eq!((restored == pack, target.store.has(&roots[2]).unwrap()), (true, true));
    let (io, all) = (fetched + written, fetched + computed + written);
    println!(
        "{mib} MiB: fetched in {:.2} s, computed in {:.2} s, written in {:.2} s; {:.0} MiB/s, {:.0} % of network and disk alone",
        fetched.as_secs_f64(),
        computed.as_secs_f64(),
        written.as_secs_f64(),
        f64::from(mib) / all.as_secs_f64(),
        100.0 * io.as_secs_f64() / all.as_secs_f64(),
    );
}

//! The attacks of docs/threat-model.md ("A node that computes less or counts more") on a real network: nodes that answer
//! cheaply and sign with their registered keys, that settle twice or show nothing, auditors that copy, nod or are jailed,
//! users who accuse falsely or flood, against nodes, auditors and contracts as they are. What each comes to is measured
//! and printed, a line an attack.
//!
//! `scripts/test --full --stage network` names the network in `OPENLEDGER_TEST_NETWORK`, after the faults of
//! `network.rs`: bonds are cut here. Without it this test says so and does nothing.
//!
//! All run at once, each with a node and a payer of its own, since most of their time is a wait for the votes. At first
//! no auditor looks, so that what a user finds is the user's; the fourth auditor is the test's own.

mod cheater;
mod convicted;
mod jailed;
mod lab;
mod settlements;
mod tricks;
mod withheld;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{ensure, Context as _, Result};
use openledger::network::money;

use lab::Lab;

/// Keys that pay.
const PAYERS: [&str; 8] = [
    "cheats-user-1",
    "cheats-user-2",
    "cheats-user-3",
    "cheats-user-4",
    "cheats-user-5",
    "cheats-user-6",
    "cheats-user-7",
    "cheats-user-8",
];

/// An attack under way.
type Attack = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// Runs an attack on a task of its own and says how long it took.
async fn timed(name: &'static str, attack: Attack) -> Result<()> {
    let since = Instant::now();
    let result = tokio::spawn(attack).await?;
    println!(
        "{name}: {} after {:.0} s",
        if result.is_ok() { "done" } else { "failed" },
        since.elapsed().as_secs_f64()
    );
    result.map_err(|error| error.context(name))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn node_attacks_on_a_live_network_are_found_and_do_not_pay() -> Result<()> {
    let since = Instant::now();
    let Some(lab) = Lab::open(&PAYERS).await? else { return Ok(()) };
    println!("every node has the model after {:.0} s", since.elapsed().as_secs_f64());
    let seeds = tokio::spawn({
        let lab = lab.clone();
        async move { lab.reveal_seeds().await }
    });
    let silences = [lab.silence().await, lab.silence().await, lab.silence().await, lab.silence().await];
    let [by_hand, by_votes, falsely, by_tricks] = silences;
    let of = |lab: &Arc<Lab>| lab.clone();
    let (a, b, c, d, e, f, g) = (of(&lab), of(&lab), of(&lab), of(&lab), of(&lab), of(&lab), of(&lab));
    let attacks: Vec<(&'static str, Attack)> = vec![
        ("02, disputed and accused", {
            Box::pin(async move {
                convicted::node_attack_02_a_node_with_weights_of_fewer_bits_is_convicted_and_pays(&a, by_hand)
                    .await
            })
        }),
        ("02, contested; 12, 13", {
            Box::pin(async move {
                convicted::node_attack_02_a_cheat_that_contests_what_it_was_asked_is_convicted_by_votes(
                    &b, by_votes,
                )
                .await
            })
        }),
        ("13, a false accusation", {
            Box::pin(async move {
                convicted::node_attack_13_who_accuses_an_honest_node_falsely_loses_before_the_arbiter(
                    &c, falsely,
                )
                .await
            })
        }),
        ("01 to 08", {
            Box::pin(async move {
                convicted::node_attacks_01_to_08_each_trick_is_convicted_and_pays(&d, by_tricks).await
            })
        }),
        ("09, 10, 17", {
            Box::pin(async move {
                settlements::node_attacks_09_10_and_17_nothing_is_settled_twice_or_for_more(&e).await
            })
        }),
        ("11, 18", {
            Box::pin(async move {
                withheld::node_attack_11_withheld_leaves_cost_the_root_and_a_part_of_the_bond(&f).await
            })
        }),
        ("the auditors", Box::pin(async move { g.wake().await })),
    ];
    // OPENLEDGER_TEST_ATTACK runs only those whose name holds it.
    let only = std::env::var("OPENLEDGER_TEST_ATTACK").unwrap_or_default();
    let attacks = attacks.into_iter().filter(|(name, _)| name.contains(&only) || *name == "the auditors");
    let results = futures::future::join_all(attacks.map(|(name, attack)| timed(name, attack))).await;
    let failed: Vec<String> = results.into_iter().filter_map(|r| r.err().map(|e| format!("{e:#}"))).collect();
    ensure!(failed.is_empty(), "{}", failed.join("\n"));
    // Last: a validator leaves the set by it.
    let own = lab.clone();
    let jailed = async move {
        jailed::node_attack_20_a_jailed_validator_that_is_still_answered_has_no_vote(&own).await
    };
    timed("20", Box::pin(jailed)).await?;
    // Those of a period that is not over yet are nobody's to report.
    match seeds.is_finished() {
        true => seeds.await?.context("the fourth auditor's seeds")?,
        false => seeds.abort(),
    }

    let books = money::audit(&lab.net.reader(0).await?).await?;
    ensure!(books.faults.is_empty(), "{}", books.faults.join("; "));
    let cheats: Vec<u64> =
        lab.net.nodes[1..].iter().chain(lab.sly_auditor()).map(|member| member.node_id).collect();
    let honest: Vec<u64> = books.punished.iter().copied().filter(|id| !cheats.contains(id)).collect();
    ensure!(honest.is_empty(), "honest members were punished: {honest:?}");
    println!("all attacks: {:.0} s", since.elapsed().as_secs_f64());
    Ok(())
}

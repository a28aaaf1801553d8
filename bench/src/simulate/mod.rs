//! The network at a scale that no testnet has: a discrete-event simulation with measured costs, reproducible from
//! its seed (`scripts/bench simulate`).

mod chain;
mod compare;
mod costs;
mod held;
mod kind;
mod network;
pub mod page;
mod parts;
mod readings;
mod setting;
mod watch;

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use cosmwasm_std::{HexBinary, Uint128};
use openledger_client::{Key, KnownKey};
use openledger_node::audit::AuditSettings;
use openledger_node::serve::Settings;
use openledger_types::formats::{Decoding, Outcome as Stop, Receipt, Share, SignedReceipt, VersionRef};
use openledger_types::merkle::{Hash, ZERO_HASH};
use openledger_types::msg::escrow::{self, MAX_SETTLEMENTS};
use openledger_types::msg::referee;
use openledger_types::profile::Profile;

use crate::report::Metric;
pub use compare::{faults, table};
pub use costs::{Gas, Work};
pub use held::{check, Asked};
pub use setting::{Outcome, Setting, Windows};

/// Receipts of a root over which the cost of a check is measured: those of a small one.
const RECEIPTS: usize = 1_000;
/// Fee of an answer, in base units: somewhat above the least.
const FEE: u128 = 11_000;

/// One line of the page.
pub struct Scenario {
    /// Name, which its figures begin with.
    pub name: &'static str,
    /// What is different from the first one.
    pub what: &'static str,
    /// Its setting.
    pub setting: Setting,
    /// What came out.
    pub outcome: Outcome,
}

/// What was simulated, and with which costs.
pub struct Simulation {
    /// Gas of transactions.
    pub gas: Gas,
    /// CPU and bytes of answers.
    pub work: Work,
    /// The scenarios.
    pub scenarios: Vec<Scenario>,
}

/// Runs all scenarios: 10,000 nodes and 10^9 answers a day, or a tenth of both where it has to be quick.
///
/// # Errors
/// A page of figures that cannot be read.
pub fn simulate(docs: &Path, seed: u64, quick: bool) -> Result<Simulation> {
    let (gas, work) = costs(docs)?;
    let base = setting(seed, quick);
    let of = |change: fn(&mut Setting)| {
        let mut setting = base.clone();
        change(&mut setting);
        setting
    };
    let scenarios = [
        ("base", "as above", of(|_| {})),
        (
            "long_sessions",
            "sessions of 10,000 answers over ten days",
            of(|s| (s.answers_per_session, s.session_blocks) = (10_000.0, s.session_blocks * 10.0)),
        ),
        (
            "hourly_sessions",
            "sessions of 100 answers over one hour",
            of(|s| (s.answers_per_session, s.session_blocks) = (100.0, 720.0)),
        ),
        (
            "long_grace",
            "a closed session can be settled for 10,800 blocks: longer than a root waits",
            of(|s| s.windows.grace = 10_800),
        ),
        (
            "churn",
            "a tenth of the nodes fails on any day, for six hours",
            of(|s| (s.failing, s.hours_away) = (0.1, 6.0)),
        ),
        (
            "cheaters",
            "a node in twenty sells a cheaper model's answers as its own, always",
            of(|s| s.cheaters = 0.05),
        ),
        (
            "sly_cheaters",
            "the same nodes cheat with one answer in a hundred",
            of(|s| (s.cheaters, s.cheated) = (0.05, 0.01)),
        ),
        (
            "coalition_30",
            "always cheating, and 30 % of the audit weight looks away",
            of(|s| (s.cheaters, s.coalition) = (0.05, 0.3)),
        ),
        (
            "coalition_40",
            "always cheating, and 40 % of the audit weight looks away",
            of(|s| (s.cheaters, s.coalition) = (0.05, 0.4)),
        ),
        ("small_auditors", "auditors with a line of 100 Mbit/s", of(|s| s.auditor_bandwidth = 12.5e6)),
    ];
    let scenarios = scenarios
        .into_iter()
        .map(|(name, what, setting)| {
            eprintln!("{name}: {what}");
            let outcome = network::Network::new(&setting, &gas, &work).run();
            Scenario { name, what, setting, outcome }
        })
        .collect();
    Ok(Simulation { gas, work, scenarios })
}

/// What work costs: by the pages of figures, and by a receipt as nodes write it.
///
/// # Errors
/// A page that cannot be read, or that lacks a figure.
fn costs(docs: &Path) -> Result<(Gas, Work)> {
    let read = |name: &str| {
        let path = docs.join(name);
        std::fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))
    };
    let (check, bytes) = receipt_costs()?;
    Ok((Gas::read(&read("gas.md")?)?, Work::read(&read("performance.md")?, check, bytes)?))
}

/// The windows of contracts and nodes.
fn windows(escrow: &escrow::Params, referee: &referee::Params) -> Windows {
    Windows {
        epoch: escrow.epoch_blocks,
        availability: referee.availability_blocks,
        challenge: escrow.challenge_blocks,
        unattested: u64::from(escrow.unattested_windows),
        grace: escrow.grace_blocks,
        settle_after: Settings::default().settle_after_blocks,
        seed: referee.seed_blocks,
        sessions: MAX_SETTLEMENTS,
        quorum_bps: referee.quorum_bps,
        missed: referee.missed_roots,
        cut_bps: referee.voted_cut_bps,
    }
}

/// The protocol's windows, and a network of the size asked.
fn setting(seed: u64, quick: bool) -> Setting {
    let Profile { escrow, referee, model_registry, .. } = Profile::protocol("uopen");
    let part = |bps: u16| f64::from(bps) / 10_000.0;
    let scale = if quick { 0.1 } else { 1.0 };
    Setting {
        seed,
        days: if quick { 1.0 } else { 3.0 },
        nodes: (10_000.0 * scale) as usize,
        auditors: 100,
        auditor_cores: 4.0,
        auditor_bandwidth: 125e6,
        answers_per_day: 1e9 * scale,
        answers_per_session: 1_000.0,
        session_blocks: 17_280.0,
        block_gas: (100_000_000.0 * scale) as u64,
        block_seconds: 5.0,
        rate_bps: 500,
        cheaters: 0.0,
        cheated: 1.0,
        saved: 0.25,
        coalition: 0.0,
        failing: 0.0,
        hours_away: 0.0,
        patience: 0,
        fee: FEE as f64,
        parts: [
            part(model_registry.min_data_bps),
            part(model_registry.protocol_bps) * part(escrow.audit_bps),
        ],
        least_claim: AuditSettings::default().least_claim as f64,
        windows: windows(&escrow, &referee),
        watched: None,
    }
}

/// CPU-seconds in which an auditor reads a receipt and checks its signature beside the others of its root, and the
/// receipt's bytes.
fn receipt_costs() -> Result<(f64, f64)> {
    let key = Key::from_bytes(&[7; 32])?;
    let zero = HexBinary::from(&ZERO_HASH);
    let receipt = Receipt {
        chain_id: "openledger-1".into(),
        contract: format!("openledger1{}", "q".repeat(58)),
        node_id: 1_000,
        session_id: 1_000_000,
        sequence: 500,
        height: 10_000_000,
        request_hash: zero.clone(),
        answer_root: zero.clone(),
        answer_len: 400,
        model_id: 10,
        model_version: 2,
        datanets: vec![VersionRef { datanet_id: 3, version: 5, root: zero.clone(), size: 10_000 }],
        tokens_in: 20,
        tokens_out: 100,
        fee: Uint128::new(FEE),
        decoding: Decoding { temperature_milli: 0, top_k: 0, top_p_milli: 1_000, max_tokens: 256 },
        seed: zero.clone(),
        commit_scheme: "exact-1".into(),
        commit_root: zero.clone(),
        signature_scheme: "rkf16-span/1".into(),
        signature_root: zero.clone(),
        evidence_root: zero,
        outcome: Stop::Stop,
        shares: (1..=8).map(|id| Share { contribution_id: 100_000 + id, bps: 1_000 }).collect(),
        no_evidence: 2_000,
    };
    let signature = HexBinary::from(key.sign_digest(&receipt.digest()).as_slice());
    let bytes = serde_json::to_vec(&SignedReceipt { receipt, signature })?;
    let rounds: u32 = 5;
    let mut least = f64::INFINITY;
    for _ in 0..rounds {
        let start = Instant::now();
        // As for a root of as many receipts: the key's table is made once.
        let known = KnownKey::new(&key.public_key()).context("a key that was just made is none")?;
        let mut read: Vec<SignedReceipt> = Vec::with_capacity(RECEIPTS);
        for _ in 0..RECEIPTS {
            read.push(serde_json::from_slice(&bytes)?);
        }
        let signed: Vec<(Hash, &[u8])> =
            read.iter().map(|one| (one.receipt.digest(), one.signature.as_slice())).collect();
        let right = known.verify(&signed).into_iter().all(|holds| holds);
        anyhow::ensure!(right, "a signature that was just made is refused");
        least = least.min(start.elapsed().as_secs_f64());
    }
    Ok((least / RECEIPTS as f64, bytes.len() as f64))
}

impl Outcome {
    /// Mean gas of a block.
    pub fn mean_gas(&self) -> f64 {
        self.gas.iter().sum::<u64>() as f64 / self.gas.len().max(1) as f64
    }

    /// Blocks within which this part of the answers became final.
    pub fn delay(&self, part: f64) -> f64 {
        let mut delays = self.delays.clone();
        delays.sort_by(|a, b| a.0.total_cmp(&b.0));
        let all: f64 = delays.iter().map(|(_, answers)| answers).sum();
        let mut seen = 0.0;
        for (delay, answers) in &delays {
            seen += answers;
            if seen >= part * all {
                return *delay;
            }
        }
        0.0
    }
}

/// The figures, for the table and for JSON.
pub fn metrics(simulation: &Simulation) -> Vec<Metric> {
    let mut metrics = Vec::new();
    for Scenario { name, setting, outcome, .. } in &simulation.scenarios {
        let mut add = |what: &str, unit, value: f64| {
            metrics.push(Metric::of(&format!("{name}.{what}"), unit, vec![value]));
        };
        let answers = setting.answers_per_day * outcome.blocks as f64 * setting.block_seconds / 86_400.0;
        let hours = setting.block_seconds / 3_600.0;
        add("block_gas", "gas", outcome.mean_gas());
        add("block_gas_share", "", outcome.mean_gas() / setting.block_gas as f64);
        add("gas_per_answer", "gas", outcome.gas.iter().sum::<u64>() as f64 / answers);
        add(
            "transactions_per_second",
            "",
            outcome.transactions as f64 / outcome.blocks as f64 / setting.block_seconds,
        );
        add("wait_p99", "blk", outcome.waits[1] as f64);
        add("left_waiting", "tx", outcome.waiting as f64);
        add("final_p50", "h", outcome.delay(0.5) * hours);
        add("final_p99", "h", outcome.delay(0.99) * hours);
        add("unpaid_share", "", outcome.unpaid / outcome.answers.max(1.0));
        add("audit_share", "", outcome.auditing / outcome.generating.max(1e-9));
        add(
            "auditor_bytes_per_second",
            "B/s",
            outcome.fetched / outcome.blocks as f64 / setting.block_seconds,
        );
        add("largest_root", "MB", outcome.largest_root * simulation.work.receipt_bytes / 1e6);
        add("unattested_share", "", outcome.unattested as f64 / outcome.roots.max(1) as f64);
        add("punished", "", outcome.punished as f64);
        if setting.cheaters > 0.0 {
            add("cheaters", "", outcome.cheaters as f64);
            add("caught_share", "", outcome.caught as f64 / outcome.cheaters.max(1) as f64);
            add("profit_per_cheater", "fees", outcome.profit / outcome.cheaters.max(1) as f64);
        }
    }
    metrics
}

#[cfg(test)]
mod tests {
    use super::*;

    fn costs() -> (Gas, Work) {
        let gas = Gas {
            open: 340_000,
            settle: 190_000,
            settle_next: 28_000,
            finalize: 350_000,
            close: 258_000,
            withdraw: 146_000,
            attest: 300_000,
            claim: Some(200_000),
            seed: 150_000,
            naive: 187_000,
        };
        let (replay_share, replay_share_without) = (0.5, 0.6);
        let work =
            Work { generate: 0.2, replay_share, replay_share_without, check: 0.0004, receipt_bytes: 1_500.0 };
        (gas, work)
    }

    fn small() -> Setting {
        let mut setting = setting(1, true);
        (setting.nodes, setting.auditors, setting.days) = (20, 10, 4.0);
        (setting.answers_per_day, setting.block_gas) = (2e6, 20_000_000);
        setting
    }

    fn run(setting: &Setting) -> Outcome {
        let (gas, work) = costs();
        network::Network::new(setting, &gas, &work).run()
    }

    #[test]
    fn the_same_seed_gives_the_same_run_and_another_seed_another() {
        let setting = small();
        let (one, two) = (run(&setting), run(&setting));
        assert_eq!(format!("{one:?}"), format!("{two:?}"));
        let other = run(&Setting { seed: 2, ..setting });
        assert_ne!(one.transactions, other.transactions);
    }

    #[test]
    fn honest_nodes_are_not_punished_and_every_cheater_that_always_cheats_is_caught() {
        let honest = run(&small());
        assert_eq!((honest.punished, honest.unattested, honest.waiting > 1_000), (0, 0, false));
        assert!(honest.settled > 0.0 && honest.unpaid < honest.answers);
        let cheating = run(&Setting { cheaters: 0.3, ..small() });
        assert!(cheating.cheaters > 0);
        assert_eq!((cheating.caught, cheating.punished), (cheating.cheaters, 0));
        assert!(cheating.profit < 0.0);
        // More than a third of the weight looks away: no case has its quorum.
        let blind = run(&Setting { cheaters: 0.3, coalition: 0.4, ..small() });
        assert_eq!(blind.caught, 0);
        assert!(blind.profit > 0.0);
    }

    /// Two sessions on one node, the second of which wants to close while the first one's root waits; four auditors.
    fn watched(bond: u128, epoch: u64) -> Setting {
        let Profile { escrow, referee, .. } = Profile::devnet("uopen");
        let session = |open, close| setting::Planned { node: 0, open, close, answers: 6 };
        let nodes = vec![setting::Standing { epoch, paid: 5_000_000, bond }];
        let sessions = vec![session(5, 20), session(25, 30)];
        let watched = setting::Watched { sessions, nodes, seeds_from: 10, blocks: 140 };
        let windows = windows(&escrow, &referee);
        let (nodes, auditors) = (1, 4);
        Setting { nodes, auditors, patience: 200, windows, watched: Some(watched), ..small() }
    }

    #[test]
    fn a_network_that_is_watched_has_the_transactions_of_its_sessions() {
        let out = run(&watched(100_000_000, 0));
        let counts: Vec<u64> =
            kind::Kind::ALL.iter().map(|kind| out.kinds.get(kind).map_or(0, |(count, _)| *count)).collect();
        // Opened, posted, made final, closed, refunded, withdrawn; attested by all; no claim is worth a message; two
        // periods of seeds.
        assert_eq!(counts, [2, 2, 2, 2, 2, 2, 8, 0, 8, 8]);
        let challenge = Profile::devnet("uopen").escrow.challenge_blocks;
        assert_eq!(out.finality, [challenge, challenge]);
        // Block 20 settles the first; the second waits from 30 until the block after the first one is final.
        assert_eq!(out.settling, [1, 20 + challenge + 1 + 1 - 30]);
        // On trial every auditor computes every answer again.
        assert_eq!((out.replays, out.rates, out.settled), (48, Some((10_000, 10_000)), 12.0));
        let known = run(&watched(100_000_000, 10));
        assert!(known.replays < 48 && known.rates.is_some_and(|(_, most)| most < 10_000));
    }

    #[test]
    fn a_full_chain_makes_transactions_wait() {
        let narrow = run(&Setting { block_gas: 1, answers_per_day: 2e7, ..small() });
        assert!(narrow.waiting > 100 && narrow.waits[1] > 10);
    }

    #[test]
    fn auditors_that_cannot_keep_up_lose_their_weight() {
        let slow = run(&Setting { auditor_cores: 0.000_1, ..small() });
        assert!(slow.punished > 0 && slow.unattested > 0);
    }
}

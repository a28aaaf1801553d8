//! The relayer beside stock Hermes: on the same two chains, over the same channel, with the same limits.

pub mod page;
mod process;
mod world;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use self::process::{until, Hermes, Ours, Running, HERMES};
pub use self::world::End;
use self::world::{mnemonic, Trip, World};
use crate::report::Metric;

/// What is measured, and with what.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The two chains.
    pub ends: [End; 2],
    /// Our program.
    pub ours: PathBuf,
    /// Hermes; only ours is measured without.
    pub hermes: Option<PathBuf>,
    /// File with the development accounts.
    pub accounts: PathBuf,
    /// Folder of configurations, keys and logs.
    pub folder: PathBuf,
    /// How much.
    pub size: Size,
}

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Packets that wait when a relayer starts.
    pub pending: usize,
    /// Runs of each contender.
    pub runs: usize,
    /// Single packets whose way is timed.
    pub trips: usize,
    /// Seconds without packets.
    pub idle: u64,
    /// Packets of the backlog.
    pub backlog: usize,
}

impl Size {
    /// Some minutes.
    pub fn quick() -> Self {
        Size { pending: 300, runs: 1, trips: 10, idle: 20, backlog: 1_000 }
    }

    /// What the marks are about.
    pub fn full() -> Self {
        Size { pending: 1_000, runs: 3, trips: 30, idle: 60, backlog: 10_000 }
    }
}

/// A relayer of either kind, ready to be started.
enum Contender<'a> {
    Ours(&'a Ours),
    Hermes(&'a Hermes),
}

impl Contender<'_> {
    fn start(&self) -> Result<Running> {
        match self {
            Contender::Ours(ours) => ours.start(),
            Contender::Hermes(hermes) => hermes.start(),
        }
    }
}

/// Measures everything.
///
/// # Errors
/// When a chain, a relayer or a packet does not do what it should within its time.
pub async fn measure(setting: &Setting) -> Result<Vec<Metric>> {
    let size = setting.size;
    let say = |text: String| eprintln!("    {text}");
    let ours = Ours { program: setting.ours.clone(), folder: setting.folder.join("ours") };
    ours.prepare(&setting.ends, &mnemonic(&setting.accounts, "auditor")?)?;
    let channels = ours.link()?;
    let world = World::connect(setting.ends.clone(), channels.clone(), &setting.accounts).await?;
    let hermes =
        setting.hermes.clone().map(|program| Hermes { program, folder: setting.folder.join("hermes") });
    let words = mnemonic(&setting.accounts, "developer")?;

    // Throughput: runs take turns, so that a busy minute of the machine hits both.
    let (mut rates, mut peak) = (Vec::new(), 0f64);
    let mut peers: Vec<Vec<f64>> = vec![Vec::new(); HERMES.len()];
    let mut peer_peak = 0f64;
    for run in 1..=size.runs {
        let (rate, memory) = throughput(&world, &Contender::Ours(&ours), &ours, size.pending).await?;
        say(format!("run {run}: {rate:.1} packets/s"));
        rates.push(rate);
        peak = peak.max(memory);
        let Some(hermes) = &hermes else { continue };
        // The first run finds the best setting; the others are for it alone.
        let only = best(&peers);
        for (i, set) in HERMES.iter().enumerate().filter(|(i, _)| only.is_none_or(|best| best == *i)) {
            hermes.prepare(&setting.ends, &channels, &words, set)?;
            let (rate, memory) = throughput(&world, &Contender::Hermes(hermes), &ours, size.pending).await?;
            say(format!("run {run}: {rate:.1} packets/s by {} ({})", hermes.version()?, set.name));
            peers[i].push(rate);
            peer_peak = peer_peak.max(memory);
        }
    }
    let best = best(&peers).map(|i| (i, median(&peers[i])));
    let name = match (&hermes, best) {
        (Some(hermes), Some((i, _))) => {
            let set = HERMES[i];
            hermes.prepare(&setting.ends, &channels, &words, &set)?;
            format!("{}, {}", hermes.version()?, set.name)
        }
        _ => String::new(),
    };
    let mut metrics = Vec::new();
    let mut keep = |metric: Metric, peer: Option<f64>, more_is_better: bool| {
        metrics.push(match peer {
            Some(peer) if more_is_better => metric.beside(&name, peer),
            Some(peer) => metric.against(&name, peer),
            None => metric,
        });
    };
    keep(Metric::of("packets_per_second", "1/s", rates), best.map(|(_, rate)| rate), true);

    // Idle, then single packets on their way, by one process each.
    let alone = quiet(&world, &Contender::Ours(&ours), &size).await?;
    let peer = match &hermes {
        Some(hermes) => Some(quiet(&world, &Contender::Hermes(hermes), &size).await?),
        None => None,
    };
    let of = |f: fn(&Quiet) -> f64| peer.as_ref().map(f);
    keep(Metric::of("idle_cpu", "%", vec![alone.cpu_percent]), of(|q| q.cpu_percent), false);
    keep(Metric::of("idle_memory", "MiB", vec![alone.mebibytes]), of(|q| q.mebibytes), false);
    let peer_peak = hermes.is_some().then_some(peer_peak);
    keep(Metric::of("memory_at_most", "MiB", vec![peak]), peer_peak, false);
    let paces = |q: &Quiet| q.trips.iter().map(|t| t.paces).collect::<Vec<f64>>();
    let blocks = |q: &Quiet| q.trips.iter().map(|t| t.blocks).collect::<Vec<f64>>();
    let peer_paces = peer.as_ref().map(|q| median(&paces(q)));
    keep(Metric::of("commit_to_commit", "paces", paces(&alone)), peer_paces, false);
    let peer_blocks = peer.as_ref().map(|q| median(&blocks(q)));
    keep(Metric::of("commit_to_commit_blocks", "block", blocks(&alone)), peer_blocks, false);

    // A backlog, with fresh packets between.
    let usual = median(&blocks(&alone));
    let (rate, fresh) = backlog(&world, &ours, size.backlog).await?;
    keep(Metric::of("backlog_packets_per_second", "1/s", vec![rate]), None, true);
    let delays = fresh.iter().map(|trip| (trip.blocks - usual).max(0.0)).collect();
    keep(Metric::of("delay_by_backlog", "block", delays), None, false);
    Ok(metrics)
}

fn median(values: &[f64]) -> f64 {
    Metric::of("", "", values.to_vec()).ours
}

/// The setting with the highest median; none before all were tried.
fn best(peers: &[Vec<f64>]) -> Option<usize> {
    let tried = peers.iter().all(|rates| !rates.is_empty());
    let mut order: Vec<usize> = (0..peers.len()).filter(|_| tried).collect();
    order.sort_by(|a, b| median(&peers[*a]).total_cmp(&median(&peers[*b])));
    order.pop()
}

/// Packets wait, a relayer is started; packets received and acknowledged a second, counted from its start,
/// and the most memory it took. A peer that does not finish in time is measured by what it did; ours must.
async fn throughput(
    world: &World,
    contender: &Contender<'_>,
    ours: &Ours,
    pending: usize,
) -> Result<(f64, f64)> {
    world.send_many(pending).await?;
    let mut running = contender.start()?;
    let limit = Duration::from_secs(60 + pending as u64 / 2);
    let clear = || async { Ok(world.waiting().await? == 0) };
    let done = until(limit, Duration::from_millis(200), "packets acknowledged", clear).await;
    running.assert_runs()?;
    let memory = running.mebibytes("VmHWM")?;
    match (done, contender) {
        (Ok(at), _) => {
            let seconds = at.duration_since(running.since).as_secs_f64();
            Ok((pending as f64 / seconds, memory))
        }
        (Err(_), Contender::Hermes(_)) => {
            let done = pending.saturating_sub(world.waiting().await?);
            let rate = done as f64 / running.since.elapsed().as_secs_f64();
            drop(running);
            let _finishing = ours.start()?;
            until(limit, Duration::from_millis(200), "what the peer has left acknowledged", clear).await?;
            Ok((rate, memory))
        }
        (Err(e), Contender::Ours(_)) => Err(e),
    }
}

/// What a relayer uses with nothing to do, and how long single packets take.
struct Quiet {
    cpu_percent: f64,
    mebibytes: f64,
    trips: Vec<Trip>,
}

async fn quiet(world: &World, contender: &Contender<'_>, size: &Size) -> Result<Quiet> {
    let mut running = contender.start()?;
    tokio::time::sleep(Duration::from_secs(10)).await;
    let (since, before) = (std::time::Instant::now(), running.cpu_seconds()?);
    tokio::time::sleep(Duration::from_secs(size.idle)).await;
    let cpu_percent = (running.cpu_seconds()? - before) / since.elapsed().as_secs_f64() * 100.0;
    let mebibytes = running.mebibytes("VmRSS")?;
    let mut trips = Vec::new();
    for n in 0..size.trips {
        // Spread over the pause between blocks, so that no phase is preferred.
        let pause = world.paces()[0].clamp(0.1, 10.0) * (1.0 + (n as f64 * 0.618).fract());
        tokio::time::sleep(Duration::from_secs_f64(pause)).await;
        trips.push(world.trip().await?);
        running.assert_runs()?;
    }
    let limit = Duration::from_secs(60);
    until(limit, Duration::from_millis(300), "the last packet acknowledged", || async {
        Ok(world.waiting().await? == 0)
    })
    .await?;
    Ok(Quiet { cpu_percent, mebibytes, trips })
}

/// Clears a backlog while fresh packets are sent one after the other; packets a second, and their trips.
async fn backlog(world: &World, ours: &Ours, packets: usize) -> Result<(f64, Vec<Trip>)> {
    world.send_many(packets).await?;
    let mut running = ours.start()?;
    let mut fresh = Vec::new();
    let limit = Duration::from_secs(120 + packets as u64 / 10);
    loop {
        fresh.push(world.trip().await?);
        running.assert_runs()?;
        if world.waiting().await? <= 1 {
            break;
        }
        anyhow::ensure!(
            running.since.elapsed() < limit,
            "the backlog is not cleared in {} s",
            limit.as_secs()
        );
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let seconds = running.since.elapsed().as_secs_f64();
    Ok((packets as f64 / seconds, fresh))
}

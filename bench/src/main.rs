//! Measurements beside peers; `scripts/bench` starts what they need and calls this program.

mod adapters;
mod attribution;
mod cores;
mod engine;
mod gas;
mod honest;
mod host;
mod marks;
mod peer;
mod quality;
mod relayer;
mod report;
mod resident;
mod simulate;
mod train;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use openledger::demo::corpus::DataOptions;

/// Measures OpenLedger beside its peers.
#[derive(Parser)]
#[command(name = "openledger-bench", version)]
struct Arguments {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Subcommand)]
enum Bench {
    /// Provenance and influence against ground truth.
    Attribution {
        /// Folder in which trainings are kept.
        #[arg(long)]
        cache: PathBuf,
        /// Folder for what peers read and write.
        #[arg(long)]
        exchange: PathBuf,
        /// One part alone.
        #[arg(long, value_enum)]
        part: Option<attribution::Part>,
        /// File of plays, as a second corpus for influence.
        #[arg(long)]
        plays: Option<PathBuf>,
        /// Of influence one corpus alone: generated or plays.
        #[arg(long)]
        corpus: Option<String>,
        /// Folder for the figures of influence as SVG.
        #[arg(long)]
        plots: Option<PathBuf>,
        /// Small sizes.
        #[arg(long)]
        quick: bool,
        /// One JSON object on standard output in place of a table.
        #[arg(long)]
        json: bool,
    },
    /// Speed of the exact class on the weights of a GGUF file, beside llama.cpp.
    Engine {
        /// GGUF file in Q8_0.
        #[arg(long)]
        gguf: PathBuf,
        /// Python of an environment that has the peer.
        #[arg(long)]
        python: Option<PathBuf>,
        /// Script that measures the peer.
        #[arg(long, default_value = "bench/peers/llama_cpp.py")]
        script: PathBuf,
        /// One run.
        #[arg(long)]
        quick: bool,
        /// One JSON object on standard output in place of a table.
        #[arg(long)]
        json: bool,
    },
    /// False alarms of the exact class over honest answers.
    Honest {
        /// A tenth of the tokens.
        #[arg(long)]
        quick: bool,
        /// One JSON object on standard output in place of a table.
        #[arg(long)]
        json: bool,
    },
    /// How well a model trained here predicts held-out text.
    Quality {
        /// Folder with one subfolder per contributor, or of .jsonl(.gz) files.
        #[arg(long)]
        data: PathBuf,
        /// Field of the text in .jsonl lines.
        #[arg(long, default_value = "text")]
        text_field: String,
        /// Field of the contributor: one in twenty of them is held out whole.
        #[arg(long, default_value = "contributor")]
        contributor_field: String,
        /// Seconds of training on all cores.
        #[arg(long, default_value_t = 3_600)]
        seconds: u64,
        /// Steps of 2,048 tokens in place of seconds, where other work shares the machine.
        #[arg(long)]
        steps: Option<u64>,
        /// Folder of the model; a run that was stopped goes on in it.
        #[arg(long)]
        out: PathBuf,
        /// One JSON object on standard output in place of a table.
        #[arg(long)]
        json: bool,
    },
    /// Prints the memory that serving a model takes as a part of what it cannot do without.
    #[command(hide = true)]
    Resident {
        /// Folder of the model.
        folder: PathBuf,
    },
    /// What many adapters on one base cost; a part of `engine` that needs no peer.
    Adapters {
        /// Folder for a thousand adapters, 1.2 GB, which is removed at the end.
        #[arg(long, default_value = "adapters.bench")]
        scratch: PathBuf,
        /// One run.
        #[arg(long)]
        quick: bool,
        /// One JSON object on standard output in place of a table.
        #[arg(long)]
        json: bool,
    },
    /// Speed of training beside PyTorch, on one thread.
    Train {
        /// Python of an environment that has PyTorch.
        #[arg(long)]
        python: PathBuf,
        /// Script that measures the peer.
        #[arg(long, default_value = "bench/peers/torch_train.py")]
        script: PathBuf,
        /// One run.
        #[arg(long)]
        quick: bool,
        /// One JSON object on standard output in place of a table.
        #[arg(long)]
        json: bool,
    },
    /// The network at a scale that no testnet has, with measured costs.
    Simulate {
        /// Folder with the pages of measured figures.
        #[arg(long, default_value = "docs")]
        docs: PathBuf,
        /// Seed of everything that is drawn.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// A tenth of the size, for one day.
        #[arg(long)]
        quick: bool,
        /// Holds the simulation against the network of this file in place of running it at scale.
        #[arg(long, value_name = "NETWORK.json")]
        check: Option<PathBuf>,
        /// Sessions of the check.
        #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..=1_000), requires = "check")]
        sessions: u16,
        /// Answers of each of them.
        #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..=1_000), requires = "check")]
        answers: u16,
        /// One JSON object on standard output in place of a table.
        #[arg(long)]
        json: bool,
        /// Writes the page with the table to this file too.
        #[arg(long)]
        page: Option<PathBuf>,
    },
    /// The relayer beside Hermes, between two chains that run and whose development accounts are known.
    Relayer {
        /// CometBFT RPC address of openledger-1, and of peer-1. The gRPC ports lie two higher.
        #[arg(long, num_args = 2)]
        rpc: Vec<String>,
        /// The relayer.
        #[arg(long)]
        program: PathBuf,
        /// Hermes; without it only ours is measured.
        #[arg(long)]
        hermes: Option<PathBuf>,
        /// File with the development accounts.
        #[arg(long)]
        accounts: PathBuf,
        /// Folder of configurations, keys and logs.
        #[arg(long)]
        folder: PathBuf,
        /// Fewer packets and one run.
        #[arg(long)]
        quick: bool,
        /// Packets that wait when a relayer starts, in place of 1,000 or, with --quick, 300.
        #[arg(long)]
        pending: Option<usize>,
        /// Packets of the backlog, in place of 10,000 or, with --quick, 1,000.
        #[arg(long)]
        backlog: Option<usize>,
        /// One JSON object on standard output in place of a table.
        #[arg(long)]
        json: bool,
        /// Writes the figures into this page too.
        #[arg(long)]
        page: Option<PathBuf>,
    },
    /// Gas of transactions on a chain that runs and whose development accounts are known.
    Gas {
        /// CometBFT RPC address.
        #[arg(long)]
        rpc: String,
        /// Chain id.
        #[arg(long)]
        chain_id: String,
        /// Folder with the compiled contracts.
        #[arg(long)]
        wasm_dir: PathBuf,
        /// File with the development accounts.
        #[arg(long)]
        accounts: PathBuf,
        /// Smaller trees and one run.
        #[arg(long)]
        quick: bool,
        /// One JSON object on standard output in place of a table.
        #[arg(long)]
        json: bool,
        /// Writes the page with the table to this file too.
        #[arg(long)]
        page: Option<PathBuf>,
    },
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    match run(Arguments::parse().bench).await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}

async fn run(bench: Bench) -> Result<()> {
    let before = host::load();
    let (rpc, chain_id, wasm_dir, accounts, quick, json, page) = match bench {
        Bench::Gas { rpc, chain_id, wasm_dir, accounts, quick, json, page } => {
            (rpc, chain_id, wasm_dir, accounts, quick, json, page)
        }
        Bench::Attribution { cache, exchange, part, plays, corpus, plots, quick, json } => {
            let settings = attribution::Settings { quick, part, plays, corpus, cache, exchange, plots };
            let metrics = attribution::measure(&settings)?;
            return show("attribution", before, 1, metrics, json);
        }
        Bench::Simulate { docs, seed, check: Some(network), sessions, answers, page, .. } => {
            let (sessions, answers) = (usize::from(sessions), u64::from(answers));
            let asked = simulate::Asked { network, sessions, answers, seed };
            return hold(&docs, &asked, page).await;
        }
        Bench::Simulate { docs, seed, quick, json, page, .. } => {
            let simulation = simulate::simulate(&docs, seed, quick)?;
            let metrics = simulate::metrics(&simulation);
            let report =
                report::Report { name: "simulate".into(), host: host::describe(before), runs: 1, metrics };
            if let Some(path) = page {
                let older = std::fs::read_to_string(&path).unwrap_or_default();
                write(&path, &simulate::page::render(&report, &simulation, seed, &older))?;
            }
            return print(&report, json);
        }
        Bench::Relayer { rpc, program, hermes, accounts, folder, quick, pending, backlog, json, page } => {
            let mut size = if quick { relayer::Size::quick() } else { relayer::Size::full() };
            size.pending = pending.unwrap_or(size.pending);
            size.backlog = backlog.unwrap_or(size.backlog);
            let ends = [("openledger-1", "openledger", "uopen"), ("peer-1", "peer", "upeer")];
            let [a, b]: [relayer::End; 2] = ends
                .iter()
                .zip(&rpc)
                .map(|((id, prefix, denom), rpc)| relayer::End::beside(id, rpc, prefix, denom))
                .collect::<Result<Vec<_>>>()?
                .try_into()
                .ok()
                .context("two RPC addresses are needed")?;
            if let Some(page) = &page {
                relayer::page::check(page)?;
            }
            let setting = relayer::Setting { ends: [a, b], ours: program, hermes, accounts, folder, size };
            let metrics = relayer::measure(&setting).await?;
            let (host, runs) = (host::describe(before), size.runs as u64);
            let report = report::Report { name: "relayer".into(), host, runs, metrics };
            if let Some(page) = page {
                relayer::page::write(&page, &report, &size)?;
                eprintln!("wrote {}", page.display());
            }
            return print(&report, json);
        }
        Bench::Engine { gguf, python, script, quick, json } => {
            let runs = if quick { 1 } else { 5 };
            let setting = engine::Setting { gguf, python, script, runs };
            let metrics = tokio::task::spawn_blocking(move || engine::measure(&setting)).await??;
            return show("engine", before, runs as u64, metrics, json);
        }
        Bench::Honest { quick, json } => {
            let tokens = if quick { 100_000 } else { 1_000_000 };
            let metrics = tokio::task::spawn_blocking(move || honest::measure(tokens)).await??;
            return show("honest", before, 1, metrics, json);
        }
        Bench::Quality { data, text_field, contributor_field, seconds, steps, out, json } => {
            let data = DataOptions { path: data, text_field, contributor_field, max_bytes: u64::MAX };
            let setting = quality::Setting { data, seconds, steps, out };
            let metrics = tokio::task::spawn_blocking(move || quality::measure(&setting)).await??;
            return show("quality", before, 1, metrics, json);
        }
        Bench::Resident { folder } => return resident::print(&folder),
        Bench::Adapters { scratch, quick, json } => {
            let runs = if quick { 1 } else { 5 };
            let metrics = tokio::task::spawn_blocking(move || adapters::measure(runs, &scratch)).await??;
            return show("adapters", before, runs as u64, metrics, json);
        }
        Bench::Train { python, script, quick, json } => {
            let runs = if quick { 1 } else { 5 };
            let setting = train::Setting { python, script, runs };
            let metrics = tokio::task::spawn_blocking(move || train::measure(&setting)).await??;
            return show("train", before, runs as u64, metrics, json);
        }
    };
    let size = if quick { gas::Size::quick() } else { gas::Size::full() };
    let (metrics, failed) = gas::measure(&rpc, &chain_id, &wasm_dir, &accounts, &size).await?;
    let report =
        report::Report { name: "gas".into(), host: host::describe(before), runs: size.runs as u64, metrics };
    if let Some(path) = page {
        write(&path, &gas::page::render(&report, &size))?;
    }
    print(&report, json)?;
    anyhow::ensure!(failed.is_empty(), "not measured: {}", failed.join("; "));
    Ok(())
}

/// Holds the simulation against a network; what differs is an error after the table was printed and written.
async fn hold(docs: &std::path::Path, asked: &simulate::Asked, page: Option<PathBuf>) -> Result<()> {
    let held = simulate::check(docs, asked).await?;
    print!("{}", simulate::table(&held.rows));
    if let Some(path) = page {
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        write(&path, &simulate::page::HELD.replace(&text, &held.text())?)?;
    }
    let faults = simulate::faults(&held.rows);
    anyhow::ensure!(
        faults.is_empty(),
        "E-BENCH-013 the network does not do as simulated: {}\n  what to do: try again on a quieter machine; what stays \
         is an assumption of bench/src/simulate that is wrong",
        faults.join("; ")
    );
    Ok(())
}

/// Prints what was measured.
fn show(name: &str, before: f64, runs: u64, metrics: Vec<report::Metric>, json: bool) -> Result<()> {
    print(&report::Report { name: name.into(), host: host::describe(before), runs, metrics }, json)
}

fn print(report: &report::Report, json: bool) -> Result<()> {
    match json {
        true => println!("{}", serde_json::to_string_pretty(report)?),
        false => print!("{}", report.table()),
    }
    Ok(())
}

fn write(path: &std::path::Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))?;
    eprintln!("wrote {}", path.display());
    Ok(())
}

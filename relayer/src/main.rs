//! The relayer's command line.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use openledger_client::Chain;
use openledger_relayer::config::{Config, EXAMPLE};
use openledger_relayer::cursor::CursorFile;
use openledger_relayer::error::{Error, Result};
use openledger_relayer::health::{self, Level};
use openledger_relayer::packet::PacketEvent;
use openledger_relayer::scan::{scan, Range};

/// Watches IBC packets between OpenLedger and other chains. This release reads and checks; it does not
/// relay yet.
#[derive(Parser)]
#[command(name = "openledger-relayer", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The configuration file.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Looks at every chain's endpoint; exit code 1 when one cannot be used.
    HealthCheck {
        /// Configuration file.
        #[arg(long, env = "OPENLEDGER_RELAYER_CONFIG", default_value = "relayer.toml")]
        config: PathBuf,
        /// One JSON object a chain.
        #[arg(long)]
        json: bool,
    },
    /// Prints the packet events of a chain, block by block, and remembers how far it came.
    Packets {
        /// Configuration file.
        #[arg(long, env = "OPENLEDGER_RELAYER_CONFIG", default_value = "relayer.toml")]
        config: PathBuf,
        /// Chain id.
        #[arg(long)]
        chain: String,
        /// First height; where the last run ended when absent.
        #[arg(long)]
        from: Option<u64>,
        /// Last height; follows the chain when absent.
        #[arg(long)]
        to: Option<u64>,
        /// One JSON object an event.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Checks a file; names every value that cannot be used.
    Validate {
        /// The file.
        file: PathBuf,
    },
    /// Prints a commented example.
    Example,
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let work = run(Arguments::parse().command);
    let done = tokio::select! {
        done = work => done,
        // Every step on disk is whole, so the work may be dropped anywhere.
        _ = tokio::signal::ctrl_c() => return ExitCode::from(130),
    };
    match done {
        Ok(code) => code,
        Err(e) => {
            eprintln!("error {}: {e}", e.code());
            eprintln!("  retry: {}", if e.retryable() { "may help" } else { "does not help" });
            eprintln!("  what to do: {}", e.advice());
            ExitCode::from(e.exit_code())
        }
    }
}

async fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Config(ConfigCommand::Example) => write!(std::io::stdout(), "{EXAMPLE}")?,
        Command::Config(ConfigCommand::Validate { file }) => {
            let config = Config::load(&file)?;
            writeln!(std::io::stdout(), "{}: good, {} chain(s)", file.display(), config.chains.len())?;
        }
        Command::HealthCheck { config, json } => return health_check(&Config::load(&config)?, json).await,
        Command::Packets { config, chain, from, to, json } => {
            let config = Config::load(&config)?;
            let entry = config.chain(&chain)?;
            let file = CursorFile::new(&config.state_dir, &chain);
            let connected = Chain::connect(entry.client.clone())
                .await
                .map_err(|source| Error::Chain { chain_id: chain.clone(), source })?;
            let sink = |packets: &[PacketEvent]| print_packets(&chain, packets, json);
            let summary = scan(&connected, &file, Range { from, to }, sink).await?;
            eprintln!(
                "{} block(s) read, {} packet event(s), next height {}",
                summary.blocks, summary.packets, summary.next_height
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn health_check(config: &Config, json: bool) -> Result<ExitCode> {
    let mut worst = Level::Ok;
    let mut out = std::io::stdout();
    for entry in &config.chains {
        let report = health::check(entry).await;
        worst = worst.max(report.level());
        if json {
            writeln!(out, "{}", serde_json::to_string(&report).map_err(std::io::Error::from)?)?;
            continue;
        }
        writeln!(out, "{}", report.chain_id)?;
        for found in &report.findings {
            let mark = match found.level {
                Level::Ok => "ok  ",
                Level::Warn => "warn",
                Level::Fail => "FAIL",
            };
            writeln!(out, "  {mark} {} {}", found.code, found.message)?;
            if !found.advice.is_empty() {
                writeln!(out, "       what to do: {}", found.advice)?;
            }
        }
    }
    Ok(if worst == Level::Fail { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// Writes a block's events and flushes, so that the cursor never runs ahead of the reader.
fn print_packets(chain: &str, packets: &[PacketEvent], json: bool) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for packet in packets {
        if json {
            let mut value = serde_json::to_value(packet)?;
            if let Some(fields) = value.as_object_mut() {
                fields.insert("chain_id".into(), chain.into());
            }
            writeln!(out, "{value}")?;
        } else {
            writeln!(out, "{chain} {packet}")?;
        }
    }
    out.flush()
}

//! The relayer's command line.

mod commands;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

/// Relays IBC packets between OpenLedger and other chains.
#[derive(Parser)]
#[command(name = "openledger-relayer", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// The configuration, and how keys are opened.
#[derive(Args, Clone, Debug)]
struct Setup {
    /// Configuration file.
    #[arg(long, env = "OPENLEDGER_RELAYER_CONFIG", default_value = "relayer.toml")]
    config: PathBuf,
    /// Open file descriptor that the passphrase is read from; else OPENLEDGER_RELAYER_PASSPHRASE, else a
    /// prompt.
    #[arg(long)]
    passphrase_fd: Option<u32>,
}

#[derive(Subcommand)]
enum Command {
    /// The configuration file.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Keys of the accounts that pay.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Looks at every chain's endpoint; exit code 1 when one cannot be used.
    HealthCheck {
        /// Configuration file.
        #[arg(long, env = "OPENLEDGER_RELAYER_CONFIG", default_value = "relayer.toml")]
        config: PathBuf,
        /// One JSON object a chain.
        #[arg(long)]
        json: bool,
    },
    /// Opens clients, connection and channel of every path, or finds the open ones; goes on where an
    /// earlier call stopped.
    Link {
        #[command(flatten)]
        setup: Setup,
        /// One JSON object a path.
        #[arg(long)]
        json: bool,
    },
    /// Relays all paths in both directions until SIGTERM or Ctrl-C.
    Start {
        #[command(flatten)]
        setup: Setup,
    },
    /// Relays what waits now, once, and ends.
    Clear {
        #[command(flatten)]
        setup: Setup,
        /// Rounds without progress after which it gives up.
        #[arg(long, default_value_t = 5)]
        patience: u32,
    },
    /// Prints what is due now; sends nothing and needs no key.
    Plan {
        #[command(flatten)]
        setup: Setup,
        /// One JSON object a path.
        #[arg(long)]
        json: bool,
    },
    /// Prints what the chains say of every path: clients, channel, packets on their way.
    Query {
        #[command(flatten)]
        setup: Setup,
        /// One JSON object a path.
        #[arg(long)]
        json: bool,
    },
    /// Prints payouts of the gateways whose end was lost, with what both chains prove of each.
    Payouts {
        #[command(flatten)]
        setup: Setup,
        /// One JSON object a payout.
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

#[derive(Subcommand)]
enum KeysCommand {
    /// Makes a key file, encrypted; prints its address on every chain that names the file.
    Add {
        #[command(flatten)]
        setup: Setup,
        /// The new file.
        file: PathBuf,
        /// Read a mnemonic, or 64 hexadecimal digits, from standard input instead of making a key.
        #[arg(long)]
        stdin: bool,
        /// Do not encrypt: for development chains, whose coins are worth nothing.
        #[arg(long)]
        insecure_test_key: bool,
    },
    /// Prints the address and the coins of every chain's key.
    Show {
        #[command(flatten)]
        setup: Setup,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn,openledger_relayer=info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let command = Arguments::parse().command;
    let graceful = matches!(command, Command::Start { .. });
    let work = commands::run(command);
    let done = tokio::select! {
        done = work => done,
        // Every step on disk is whole, so the work may be dropped anywhere.
        _ = tokio::signal::ctrl_c(), if !graceful => return ExitCode::from(130),
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

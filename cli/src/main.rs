//! The command line of OpenLedger.

mod command;

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use openledger::context::{Context, Settings};
use openledger::error::{Class, CliError, Result};

use command::args::{Cli, Global};

#[tokio::main]
async fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() && std::env::args().any(|arg| arg == "--json") => {
            let text = error.to_string();
            return fail(&CliError::usage(text.trim_start_matches("error: ").trim_end()), true);
        }
        Err(error) => error.exit(),
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("OPENLEDGER_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let json = cli.global.json;
    let done = match context(&cli.global) {
        Ok(ctx) => command::run(&ctx, &cli.global, cli.command).await,
        Err(error) => Err(error),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error, json),
    }
}

/// Prints an error; its class is the exit code.
fn fail(error: &CliError, json: bool) -> ExitCode {
    let text = match json {
        true => serde_json::json!({
            "code": error.code,
            "message": error.message,
            "retryable": error.retryable,
            "advice": error.advice,
        })
        .to_string(),
        false => error.to_string(),
    };
    // Nobody is left to tell when standard error is closed.
    let _ = writeln!(std::io::stderr(), "{text}");
    ExitCode::from(error.class as u8)
}

fn context(global: &Global) -> Result<Context> {
    let home = global
        .home
        .clone()
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".openledger")))
        .ok_or_else(|| {
            CliError::new(Class::Usage, "E-CLI-021", "there is no home folder", "name one with --home DIR")
        })?;
    let flags = Settings {
        rpc: global.rpc.clone(),
        deployment: global.deployment.clone(),
        node: global.node.clone(),
        key: global.key.clone(),
    };
    Context::open(home, flags, !global.json && !global.quiet && std::io::stderr().is_terminal())
}

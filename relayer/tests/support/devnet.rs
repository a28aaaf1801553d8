//! Stops, changes and starts the second chain of a pair.

use std::path::Path;
use std::process::{Command, Output};

fn run(home: &Path, arguments: &[&str]) -> Output {
    let script = "../testnet/devnet";
    let (action, rest) = arguments.split_first().unwrap();
    let output =
        Command::new(script).arg(action).arg("--home").arg(home.join("second")).args(rest).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Stops the chain.
pub fn down(home: &Path) {
    run(home, &["down"]);
}

/// Starts it again.
pub fn up(home: &Path) {
    run(home, &["up"]);
}

/// Restarts the chain from its own exported state, in which a channel is closed. It is the same chain to a light
/// client: id, validator and revision are those of before, heights and time go on. A transfer channel of stock
/// wasmd cannot be closed by any message, so this is how one is seen.
pub fn restart_with_closed_channel(home: &Path, channel: &str) {
    down(home);
    let exported = run(home, &["exec", "--", "export"]).stdout;
    let mut genesis: serde_json::Value = serde_json::from_slice(&exported).unwrap();
    genesis["genesis_time"] = tendermint::Time::now().to_rfc3339().into();
    let channels = &mut genesis["app_state"]["ibc"]["channel_genesis"]["channels"];
    let channels = channels.as_array_mut().unwrap();
    let found = channels.iter_mut().find(|c| c["channel_id"] == channel && c["port_id"] == "transfer");
    found.unwrap()["state"] = "STATE_CLOSED".into();
    let file = home.join("second/config/genesis.json");
    std::fs::write(file, serde_json::to_vec(&genesis).unwrap()).unwrap();
    run(home, &["exec", "--", "comet", "unsafe-reset-all"]);
    up(home);
}

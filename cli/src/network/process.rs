//! Nodes as processes of this machine: made ready, registered, started, found again, stopped.
//!
//! A node's folder holds its process id in `node.pid` and its log in `node.log`, so that whoever comes later
//! (a second call, a test that kills it) finds it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{bail, Context as _, Result};
use openledger_node::config::{Config, Home};

/// Name of the node's program.
const NODE: &str = "openledger-node";

/// A node that this process started.
#[derive(Debug)]
pub struct NodeProcess {
    /// Number in the registry.
    pub node_id: u64,
    /// Base URL.
    pub url: String,
    /// Folder of its log and data.
    pub home: PathBuf,
    child: Child,
}

/// How to start it.
#[derive(Clone, Debug)]
pub struct NodeSetup<'a> {
    /// The program.
    pub binary: &'a Path,
    /// Its folder.
    pub home: PathBuf,
    /// Port on the loopback interface.
    pub port: u16,
    /// Deployment file.
    pub deployment: &'a Path,
    /// Chain id.
    pub chain_id: &'a str,
    /// RPC address.
    pub rpc: &'a str,
    /// Key file of the operator.
    pub operator_key: &'a Path,
    /// Bond in base units.
    pub bond: u128,
    /// What it does, as `register --role` takes it.
    pub roles: &'a [&'a str],
    /// Name.
    pub moniker: &'a str,
    /// Base units for the node's own account, from which it pays gas.
    pub gas: u128,
}

/// Runs `openledger-node` and reads its JSON answer.
///
/// # Errors
/// When it cannot be run, or fails: with its words.
pub async fn call(binary: &Path, args: &[&str]) -> Result<serde_json::Value> {
    call_with(binary, args, None).await
}

/// The same with a line for its standard input.
///
/// # Errors
/// As [`call`].
pub async fn call_with(binary: &Path, args: &[&str], input: Option<&str>) -> Result<serde_json::Value> {
    use tokio::io::AsyncWriteExt;
    let mut child = tokio::process::Command::new(binary)
        .args(args)
        .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("E-DEMO-010 cannot run {}", binary.display()))?;
    if let (Some(input), Some(mut pipe)) = (input, child.stdin.take()) {
        // A program that does not read it says so by its exit.
        let _ = pipe.write_all(input.as_bytes()).await;
    }
    let output = child.wait_with_output().await?;
    if !output.status.success() {
        bail!(
            "E-DEMO-010 openledger-node {} failed: {} {}",
            args.first().unwrap_or(&""),
            String::from_utf8_lossy(&output.stdout).trim(),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(serde_json::from_slice(&output.stdout).unwrap_or_default())
}

/// Number under which a node's folder is registered; none before that.
///
/// # Errors
/// When there is a config that cannot be read.
pub fn registered(home: &Path) -> Result<Option<u64>> {
    let path = Home(home.to_path_buf()).config();
    match path.exists() {
        false => Ok(None),
        true => Ok(Some(Config::load(&path)?.node_id).filter(|id| *id != 0)),
    }
}

impl NodeSetup<'_> {
    /// Base URL of the node.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Makes the node's keys and config and registers it, as far as that is not done. Says its number.
    ///
    /// # Errors
    /// When the chain refuses.
    pub async fn prepare(&self) -> Result<u64> {
        let home = self.home.display().to_string();
        let (key, bond) = (self.operator_key.display().to_string(), self.bond.to_string());
        let (gas, listen) = (self.gas.to_string(), format!("127.0.0.1:{}", self.port));
        let (contracts, url) = (self.deployment.display().to_string(), self.url());
        #[rustfmt::skip]
        let init = [
            "init", "--home", &home, "--chain-id", self.chain_id, "--rpc", self.rpc,
            "--contracts", &contracts, "--listen", &listen, "--json",
        ];
        call(self.binary, &init).await?;
        if let Some(node_id) = registered(&self.home)? {
            return Ok(node_id);
        }
        #[rustfmt::skip]
        let mut register = vec![
            "register", "--home", &home, "--operator-key", &key, "--bond", &bond, "--endpoint", &url,
            "--moniker", self.moniker, "--gas", &gas, "--json",
        ];
        register.extend(self.roles.iter().flat_map(|role| ["--role", *role]));
        let registered = call(self.binary, &register).await?;
        registered["node_id"].as_u64().context("E-DEMO-011 the node did not say its number")
    }
}

impl NodeProcess {
    /// Makes the node ready, starts it and waits until it is healthy.
    ///
    /// # Errors
    /// When the chain refuses or the node does not become healthy within a minute.
    pub async fn start(setup: &NodeSetup<'_>, http: &reqwest::Client) -> Result<Self> {
        let node_id = setup.prepare().await?;
        let child = spawn(setup.binary, &setup.home)?;
        let mut node = NodeProcess { node_id, url: setup.url(), home: setup.home.clone(), child };
        let alive = || node.child.try_wait().ok().flatten().is_none();
        wait_healthy(http, &node.url, &node.home, Duration::from_secs(60), alive).await?;
        Ok(node)
    }

    /// Lets it go on without this process.
    pub fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        // A node that is killed loses nothing (its journal is durable): no reason to wait for a drain.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(self.home.join("node.pid"));
    }
}

/// Starts `openledger-node serve` on a folder that is registered; it outlives this process.
///
/// # Errors
/// When log or process cannot be made.
pub fn spawn(binary: &Path, home: &Path) -> Result<Child> {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(home.join("node.log"))?;
    let mut command = Command::new(binary);
    command.args(["serve", "--home"]).arg(home).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    #[cfg(unix)]
    {
        // A group of its own: Ctrl-C in the terminal ends the caller, which then decides about the node.
        use std::os::unix::process::CommandExt;
        command.process_group(0);
    }
    let child = command.spawn().with_context(|| format!("E-DEMO-010 cannot run {}", binary.display()))?;
    std::fs::write(home.join("node.pid"), child.id().to_string())?;
    Ok(child)
}

/// Starts a node that goes on by itself: its process id stays in `node.pid`.
///
/// # Errors
/// As [`spawn`].
pub fn launch(binary: &Path, home: &Path) -> Result<()> {
    spawn(binary, home).map(drop)
}

/// Waits until a node answers, as long as its process lives.
///
/// # Errors
/// When it ends or does not answer within `patience`.
pub async fn wait_healthy(
    http: &reqwest::Client,
    url: &str,
    home: &Path,
    patience: Duration,
    mut alive: impl FnMut() -> bool,
) -> Result<()> {
    let since = Instant::now();
    let log = home.join("node.log");
    loop {
        if healthy(http, url).await {
            return Ok(());
        }
        if !alive() {
            bail!("E-DEMO-012 the node stopped; see {}", log.display());
        }
        if since.elapsed() > patience {
            bail!("E-DEMO-012 the node does not answer at {url}; see {}", log.display());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Whether a node's process answers.
pub async fn healthy(http: &reqwest::Client, url: &str) -> bool {
    let asked = http.get(format!("{url}/health")).timeout(Duration::from_secs(3)).send().await;
    asked.is_ok_and(|response| response.status().is_success())
}

/// The process whose id stands in `pid_file`, if it still is one of `program` working on `folder`. A number
/// left over from a dead process, or taken since by another program, does not count.
pub fn running(pid_file: &Path, program: &str, folder: &Path) -> Option<u32> {
    let pid: u32 = std::fs::read_to_string(pid_file).ok()?.trim().parse().ok()?;
    let output = Command::new("ps").args(["-o", "command=", "-p", &pid.to_string()]).output().ok()?;
    let command = String::from_utf8_lossy(&output.stdout).into_owned();
    (command.contains(program) && command.contains(&folder.display().to_string())).then_some(pid)
}

/// Whether a process of `program` has ended with all its threads, so that its ports are free. The kernel takes a
/// process' arguments away before its sockets, so [`running`] may deny one that still holds them.
pub fn gone(pid: u32, program: &str) -> bool {
    let Ok(output) = Command::new("ps").args(["-o", "stat=,comm=", "-p", &pid.to_string()]).output() else {
        return false;
    };
    let line = String::from_utf8_lossy(&output.stdout).into_owned();
    let Some((state, name)) = line.trim().split_once(char::is_whitespace) else { return true };
    // `l`: threads are left, which hold what a zombie's first thread has given up. Linux cuts names at 15.
    let ended = state.starts_with('Z') && !state.contains('l');
    ended || !name.contains(program.get(..15).unwrap_or(program))
}

/// The folders below `parent` in which a node was started and not stopped.
///
/// # Errors
/// When the folder cannot be read.
pub fn homes_in(parent: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(parent).with_context(|| format!("E-NET-011 {}", parent.display()))?;
    let homes = entries.collect::<std::io::Result<Vec<_>>>()?.into_iter().map(|entry| entry.path());
    Ok(homes.filter(|home| home.join("node.pid").is_file()).collect())
}

/// The process of the node in a folder, when it runs.
pub fn running_node(home: &Path) -> Option<u32> {
    running(&home.join("node.pid"), NODE, home)
}

/// Sends a signal by its name (`TERM`, `KILL`, `STOP`, `CONT`) to a process.
///
/// # Errors
/// When there is no such process of ours.
pub fn signal(pid: u32, name: &str) -> Result<()> {
    let done = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status()?;
    if !done.success() {
        bail!("E-NET-003 process {pid} takes no signal {name}");
    }
    Ok(())
}

/// Stops the node in a folder by a signal and waits until its process is gone. None running is no error.
///
/// # Errors
/// When it does not end within `patience`.
pub async fn stop_node(home: &Path, name: &str, patience: Duration) -> Result<()> {
    let Some(pid) = running_node(home) else { return Ok(()) };
    signal(pid, name)?;
    let since = Instant::now();
    while !gone(pid, NODE) {
        if since.elapsed() > patience {
            bail!("E-NET-004 the node in {} does not end after SIG{name}", home.display());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let _ = std::fs::remove_file(home.join("node.pid"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_found_by_their_folders_before_the_networks_file_is_written() {
        let parent = tempfile::tempdir().unwrap();
        for name in ["node-1", "node-2", "validator-1"] {
            std::fs::create_dir(parent.path().join(name)).unwrap();
        }
        std::fs::write(parent.path().join("node-2/node.pid"), "1").unwrap();
        std::fs::write(parent.path().join("accounts.json"), "{}").unwrap();
        assert_eq!(homes_in(parent.path()).unwrap(), [parent.path().join("node-2")]);
        assert!(homes_in(&parent.path().join("missing")).is_err());
    }

    #[test]
    fn a_process_is_gone_when_it_ended_and_not_before() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        assert!(!gone(child.id(), "sleep"));
        assert!(gone(child.id(), "another-program"), "a number taken by another program");
        child.kill().unwrap();
        let since = Instant::now();
        // Not waited for: it stays a zombie.
        while !gone(child.id(), "sleep") {
            assert!(since.elapsed() < Duration::from_secs(20));
            std::thread::sleep(Duration::from_millis(20));
        }
        child.wait().unwrap();
        assert!(gone(child.id(), "sleep"));
    }
}

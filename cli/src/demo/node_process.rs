//! The nodes of the demo, each a process of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{bail, Context as _, Result};

/// A node that was started.
#[derive(Debug)]
pub struct NodeProcess {
    /// Number in the registry.
    pub node_id: u64,
    /// Base URL.
    pub url: String,
    /// Folder of its log and data.
    pub home: PathBuf,
    child: std::process::Child,
}

/// How to start it.
#[derive(Debug)]
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

fn call(binary: &Path, args: &[&str]) -> Result<serde_json::Value> {
    let output = Command::new(binary)
        .args(args)
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .with_context(|| format!("E-DEMO-010 cannot run {}", binary.display()))?;
    if !output.status.success() {
        bail!(
            "E-DEMO-010 openledger-node {} failed: {}",
            args.first().unwrap_or(&""),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(serde_json::from_slice(&output.stdout).unwrap_or_default())
}

impl NodeProcess {
    /// Makes the node's keys and config, registers it, and starts serving.
    ///
    /// # Errors
    /// When the chain refuses or the node does not become healthy within a minute.
    pub async fn start(setup: &NodeSetup<'_>, http: &reqwest::Client) -> Result<Self> {
        let home = setup.home.display().to_string();
        let url = format!("http://127.0.0.1:{}", setup.port);
        let (key, bond) = (setup.operator_key.display().to_string(), setup.bond.to_string());
        let (gas, listen) = (setup.gas.to_string(), format!("127.0.0.1:{}", setup.port));
        let contracts = setup.deployment.display().to_string();
        call(
            setup.binary,
            &[
                "init",
                "--home",
                &home,
                "--chain-id",
                setup.chain_id,
                "--rpc",
                setup.rpc,
                "--contracts",
                &contracts,
                "--listen",
                &listen,
                "--json",
            ],
        )?;
        let mut register = vec![
            "register",
            "--home",
            &home,
            "--operator-key",
            &key,
            "--bond",
            &bond,
            "--endpoint",
            &url,
            "--moniker",
            setup.moniker,
            "--gas",
            &gas,
            "--json",
        ];
        register.extend(setup.roles.iter().flat_map(|role| ["--role", *role]));
        let registered = call(setup.binary, &register)?;
        let node_id = registered["node_id"].as_u64().context("E-DEMO-011 the node did not say its number")?;
        let log_path = setup.home.join("node.log");
        let log = std::fs::File::create(&log_path)?;
        let mut command = Command::new(setup.binary);
        command.args(["serve", "--home", &home]).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        #[cfg(unix)]
        {
            // A group of its own: Ctrl-C in the terminal ends the demo, which then stops the node.
            use std::os::unix::process::CommandExt;
            command.process_group(0);
        }
        let child = command.spawn()?;
        std::fs::write(setup.home.join("node.pid"), child.id().to_string())?;
        let mut node = NodeProcess { node_id, url, home: setup.home.clone(), child };
        let since = Instant::now();
        loop {
            if let Some(status) = node.child.try_wait()? {
                bail!("E-DEMO-012 the node stopped ({status}); see {}", log_path.display());
            }
            if http.get(format!("{}/health", node.url)).send().await.is_ok_and(|r| r.status().is_success()) {
                return Ok(node);
            }
            if since.elapsed() > Duration::from_secs(60) {
                bail!("E-DEMO-012 the node does not answer at {}; see {}", node.url, log_path.display());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
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

//! The two relayers as processes: configuration, start, what they use, end.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{bail, ensure, Context, Result};

use super::world::End;

/// Ticks of `/proc/PID/stat` a second (`getconf CLK_TCK`, 100 on every Linux of today).
const TICKS: f64 = 100.0;
/// Limits that both relayers are given.
pub const MAX_MSG_NUM: usize = 50;
const MAX_GAS: u64 = 20_000_000;
const MAX_TX_SIZE: usize = 180_000;
const GAS_MULTIPLIER: &str = "1.4";

/// How Hermes is set.
#[derive(Clone, Copy, Debug)]
pub struct HermesSetting {
    /// For the report.
    pub name: &'static str,
    push: bool,
    batch_delay: &'static str,
    tx_confirmation: bool,
}

/// The settings of Hermes that are tried; all of them clear 1,000 packets at once (50 by default).
pub const HERMES: [HermesSetting; 3] = [
    HermesSetting { name: "push, 500 ms", push: true, batch_delay: "500ms", tx_confirmation: false },
    HermesSetting { name: "push, confirmed", push: true, batch_delay: "100ms", tx_confirmation: true },
    HermesSetting { name: "pull, 200 ms", push: false, batch_delay: "200ms", tx_confirmation: false },
];

/// A relayer that runs; it is ended when dropped.
pub struct Running {
    child: Child,
    /// When it was started.
    pub since: Instant,
}

impl Running {
    fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(log)?;
        let command = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        Ok(Running { child, since: Instant::now() })
    }

    /// Processor seconds used so far.
    pub fn cpu_seconds(&self) -> Result<f64> {
        let text = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name in brackets may hold spaces; what follows it does not.
        let rest = text.rsplit_once(')').context("unknown form of /proc/PID/stat")?.1;
        let field = |n: usize| rest.split_whitespace().nth(n).and_then(|t| t.parse::<f64>().ok());
        let (user, system) = field(11).zip(field(12)).context("unknown form of /proc/PID/stat")?;
        Ok((user + system) / TICKS)
    }

    /// A number of `/proc/PID/status` in MiB: `VmRSS` now, `VmHWM` at most so far.
    pub fn mebibytes(&self, name: &str) -> Result<f64> {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let kib = line.and_then(|l| l.split_whitespace().next()?.parse::<f64>().ok());
        Ok(kib.with_context(|| format!("/proc/PID/status has no {name}"))? / 1_024.0)
    }

    /// Fails when the process has ended by itself.
    pub fn assert_runs(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("the relayer ended by itself: {status}; see its log"),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // SIGTERM would let a relayer finish what it began; the next measurement must not wait for it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Our relayer.
pub struct Ours {
    /// The program.
    pub program: PathBuf,
    /// Folder of configuration, keys and state.
    pub folder: PathBuf,
}

impl Ours {
    fn config(&self) -> PathBuf {
        self.folder.join("relayer.toml")
    }

    /// Writes the configuration, and the keys unencrypted.
    pub fn prepare(&self, ends: &[End; 2], mnemonic: &str) -> Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        let mut text = String::from("state_dir = \"state\"\n");
        for end in ends {
            text.push_str(&format!(
                "[[chains]]\nid = \"{}\"\nrpc_addr = \"{}\"\naccount_prefix = \"{}\"\n\
                 gas_price = \"0.0025{}\"\ngas_multiplier = \"{GAS_MULTIPLIER}\"\nmax_gas = {MAX_GAS}\n\
                 max_msg_num = {MAX_MSG_NUM}\nmax_tx_size = {MAX_TX_SIZE}\ntrusting_period = \"14d\"\n\
                 clock_drift = \"5s\"\nmax_block_time = \"30s\"\nkey_file = \"key.json\"\n",
                end.chain_id, end.rpc, end.prefix, end.denom
            ));
        }
        text.push_str(&format!("[[paths]]\na = \"{}\"\nb = \"{}\"\n", ends[0].chain_id, ends[1].chain_id));
        std::fs::write(self.config(), text)?;
        let key = self.folder.join("key.json");
        if !key.exists() {
            let key = openledger_client::keyfile::save(
                &openledger_client::Key::from_mnemonic(mnemonic)?,
                &key,
                None,
            );
            key?;
        }
        Ok(())
    }

    /// Links the chains; answers with the two channels.
    pub fn link(&self) -> Result<[String; 2]> {
        let output =
            Command::new(&self.program).args(["link", "--json", "--config"]).arg(self.config()).output()?;
        ensure!(output.status.success(), "link failed: {}", String::from_utf8_lossy(&output.stderr));
        let link: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        let channel =
            |end: &str| link[end]["channel"].as_str().map(str::to_string).context("link names no channel");
        Ok([channel("a")?, channel("b")?])
    }

    /// Starts it, without what it remembered of packets.
    pub fn start(&self) -> Result<Running> {
        let state = self.folder.join("state");
        for entry in std::fs::read_dir(&state)?.flatten() {
            let link = entry.file_name().to_string_lossy().ends_with(".link.json");
            match entry.file_type()?.is_dir() {
                true => std::fs::remove_dir_all(entry.path())?,
                false if !link => std::fs::remove_file(entry.path())?,
                false => {}
            }
        }
        Running::start(
            Command::new(&self.program).args(["start", "--config"]).arg(self.config()),
            &self.folder.join("log"),
        )
    }
}

/// Hermes.
pub struct Hermes {
    /// The program.
    pub program: PathBuf,
    /// Folder of configuration and keys.
    pub folder: PathBuf,
}

impl Hermes {
    fn config(&self) -> PathBuf {
        self.folder.join("hermes.toml")
    }

    /// Writes the configuration, and the keys.
    pub fn prepare(
        &self,
        ends: &[End; 2],
        channels: &[String; 2],
        mnemonic: &str,
        set: &HermesSetting,
    ) -> Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        let mut text = format!(
            "[global]\nlog_level = 'warn'\n[mode.clients]\nenabled = true\nrefresh = true\nmisbehaviour = true\n\
             [mode.connections]\nenabled = false\n[mode.channels]\nenabled = false\n\
             [mode.packets]\nenabled = true\nclear_interval = 50\nclear_on_start = true\n\
             clear_limit = 1000\ntx_confirmation = {}\n[rest]\nenabled = false\nhost = '127.0.0.1'\nport = 3000\n\
             [telemetry]\nenabled = false\nhost = '127.0.0.1'\nport = 3001\n",
            set.tx_confirmation
        );
        for (end, channel) in ends.iter().zip(channels) {
            let address = end.rpc.trim_start_matches("http://");
            let source = match set.push {
                true => format!(
                    "{{ mode = 'push', url = 'ws://{address}/websocket', batch_delay = '{}' }}",
                    set.batch_delay
                ),
                false => format!("{{ mode = 'pull', interval = '{}', max_retries = 4 }}", set.batch_delay),
            };
            text.push_str(&format!(
                "[[chains]]\ntype = 'CosmosSdk'\nid = '{}'\nrpc_addr = '{}'\ngrpc_addr = '{}'\n\
                 event_source = {source}\nrpc_timeout = '10s'\naccount_prefix = '{}'\nkey_name = 'bench'\n\
                 key_store_type = 'Test'\nkey_store_folder = '{}'\nstore_prefix = 'ibc'\n\
                 default_gas = 1000000\nmax_gas = {MAX_GAS}\ngas_multiplier = {GAS_MULTIPLIER}\n\
                 gas_price = {{ price = 0.0025, denom = '{}' }}\nmax_msg_num = {MAX_MSG_NUM}\n\
                 max_tx_size = {MAX_TX_SIZE}\nclock_drift = '5s'\nmax_block_time = '30s'\n\
                 trusting_period = '14days'\ntrust_threshold = {{ numerator = '1', denominator = '3' }}\n\
                 [chains.packet_filter]\npolicy = 'allow'\nlist = [['transfer', '{channel}']]\n",
                end.chain_id,
                end.rpc,
                end.grpc,
                end.prefix,
                self.folder.join("keys").display(),
                end.denom,
            ));
        }
        std::fs::write(self.config(), text)?;
        let file = self.folder.join("mnemonic");
        std::fs::write(&file, mnemonic)?;
        for end in ends {
            let output = self
                .command()
                .args(["keys", "add", "--overwrite", "--chain", &end.chain_id, "--mnemonic-file"])
                .arg(&file)
                .output()?;
            ensure!(
                output.status.success(),
                "hermes keys add failed: {}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(())
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env("HOME", &self.folder).arg("--config").arg(self.config());
        command
    }

    /// Starts it.
    pub fn start(&self) -> Result<Running> {
        Running::start(self.command().arg("start"), &self.folder.join("log"))
    }

    /// What it says of its version.
    pub fn version(&self) -> Result<String> {
        let output = Command::new(&self.program).arg("version").output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text.lines().find(|line| line.contains("hermes")).unwrap_or("hermes");
        Ok(line.trim().into())
    }
}

/// Waits until a check holds, `pause` between two looks.
pub async fn until<F, W>(limit: Duration, pause: Duration, what: &str, check: F) -> Result<Instant>
where
    F: Fn() -> W,
    W: std::future::Future<Output = Result<bool>>,
{
    let since = Instant::now();
    while !check().await? {
        ensure!(since.elapsed() < limit, "{what}: not within {} s", limit.as_secs());
        tokio::time::sleep(pause).await;
    }
    Ok(Instant::now())
}

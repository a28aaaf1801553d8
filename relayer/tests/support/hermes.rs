//! Stock Hermes as a process, on the channel of the tests.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::World;

/// Hermes with its configuration and keys.
pub struct Hermes {
    program: PathBuf,
    folder: PathBuf,
}

/// A process that is killed when dropped.
pub struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Hermes {
    /// The program that `OPENLEDGER_TEST_HERMES` names, set up for the world's channel; none without.
    pub fn find(a: &str, b: &str, world: &World, folder: &Path) -> Option<Self> {
        let program = PathBuf::from(std::env::var("OPENLEDGER_TEST_HERMES").ok().filter(|p| !p.is_empty())?);
        std::fs::create_dir_all(folder).unwrap();
        let mut text = "[global]\nlog_level = 'warn'\n[mode.clients]\nenabled = true\nrefresh = true\n\
             misbehaviour = false\n[mode.connections]\nenabled = false\n[mode.channels]\nenabled = false\n\
             [mode.packets]\nenabled = true\nclear_interval = 10\nclear_on_start = true\n\
             tx_confirmation = true\n[rest]\nenabled = false\nhost = '127.0.0.1'\nport = 3000\n\
             [telemetry]\nenabled = false\nhost = '127.0.0.1'\nport = 3001\n"
            .to_string();
        let ends = [
            ("openledger-1", a, "openledger", "uopen", &world.linked.a.channel),
            ("peer-1", b, "peer", "upeer", &world.linked.b.channel),
        ];
        for (id, rpc, prefix, denom, channel) in ends {
            let (host, port) = rpc.rsplit_once(':').unwrap();
            let grpc = format!("{host}:{}", port.parse::<u16>().unwrap() + 2);
            let keys = folder.join("keys");
            let keys = keys.display();
            text.push_str(&format!(
                "[[chains]]\ntype = 'CosmosSdk'\nid = '{id}'\nrpc_addr = '{rpc}'\ngrpc_addr = '{grpc}'\n\
                 event_source = {{ mode = 'pull', interval = '300ms', max_retries = 4 }}\n\
                 account_prefix = '{prefix}'\nkey_name = 'test'\nkey_store_type = 'Test'\n\
                 key_store_folder = '{keys}'\nstore_prefix = 'ibc'\nmax_gas = 20000000\n\
                 gas_multiplier = 1.4\ngas_price = {{ price = 0.0025, denom = '{denom}' }}\n\
                 max_msg_num = 30\nclock_drift = '5s'\nmax_block_time = '30s'\ntrusting_period = '14days'\n\
                 trust_threshold = {{ numerator = '1', denominator = '3' }}\n\
                 [chains.packet_filter]\npolicy = 'allow'\nlist = [['transfer', '{channel}']]\n"
            ));
        }
        std::fs::write(folder.join("hermes.toml"), text).unwrap();
        std::fs::write(folder.join("mnemonic"), super::mnemonic("developer")).unwrap();
        let hermes = Hermes { program, folder: folder.into() };
        for (id, ..) in ends {
            let file = folder.join("mnemonic");
            let output = hermes
                .command()
                .args(["keys", "add", "--overwrite", "--chain", id, "--mnemonic-file"])
                .arg(&file)
                .output()
                .unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        }
        Some(hermes)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env("HOME", &self.folder).arg("--config").arg(self.folder.join("hermes.toml"));
        command
    }

    /// Starts it.
    pub fn start(&self) -> Running {
        let log = std::fs::File::create(self.folder.join("log")).unwrap();
        let command = &mut self.command();
        let command = command.arg("start").stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        Running(command.spawn().unwrap())
    }
}

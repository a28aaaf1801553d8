//! What each command does.

use std::io::{Read, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use openledger_client::{address_of, Chain};
use openledger_relayer::chain::message::ChannelKind;
use openledger_relayer::chain::ChainHandle;
use openledger_relayer::config::{ChainEntry, Config, PathEntry, EXAMPLE};
use openledger_relayer::core::plan::Plan;
use openledger_relayer::cursor::CursorFile;
use openledger_relayer::error::{Error, Result};
use openledger_relayer::health::{self, Level};
use openledger_relayer::keeper::{Case, Keeper};
use openledger_relayer::keys::{self, Passphrase};
use openledger_relayer::link::{link, Linked};
use openledger_relayer::packet::PacketEvent;
use openledger_relayer::relay::Relay;
use openledger_relayer::rest;
use openledger_relayer::scan::{scan, Range};
use openledger_relayer::store::Store;
use openledger_relayer::telemetry::Metrics;
use tokio::sync::watch;

use crate::{Command, ConfigCommand, KeysCommand, Setup};

/// How often the balances of the keys are read.
const BALANCES: Duration = Duration::from_secs(60);

pub async fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Config(ConfigCommand::Example) => write!(std::io::stdout(), "{EXAMPLE}")?,
        Command::Config(ConfigCommand::Validate { file }) => {
            let config = Config::load(&file)?;
            let (chains, paths) = (config.chains.len(), config.paths.len());
            writeln!(std::io::stdout(), "{}: good, {chains} chain(s), {paths} path(s)", file.display())?;
        }
        Command::Keys(command) => return keys_command(command).await,
        Command::HealthCheck { config, json } => return health_check(&Config::load(&config)?, json).await,
        Command::Link { setup, json } => link_all(&setup, json).await?,
        Command::Start { setup } => start(&setup).await?,
        Command::Clear { setup, patience } => return clear(&setup, patience).await,
        Command::Plan { setup, json } => show_plan(&setup, json).await?,
        Command::Query { setup, json } => query(&setup, json).await?,
        Command::Payouts { setup, json } => return payouts(&setup, json).await,
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

/// The configuration with its chains, whose keys were opened when `with_keys`.
struct Opened {
    config: Config,
    chains: Vec<Arc<ChainHandle>>,
}

impl Opened {
    fn new(setup: &Setup, with_keys: bool) -> Result<Self> {
        let config = Config::load(&setup.config)?;
        let mut passphrase = Passphrase::new(setup.passphrase_fd);
        let mut chains = Vec::new();
        for entry in &config.chains {
            let key = match &entry.key_file {
                Some(file) if with_keys => Some(keys::load(file, &mut passphrase, &entry.client.chain_id)?),
                _ => None,
            };
            chains.push(Arc::new(ChainHandle::new(entry.clone(), key)));
        }
        if config.paths.is_empty() {
            let reason = "the configuration has no [[paths]] entry".to_string();
            return Err(Error::Path { path: "none".into(), reason });
        }
        Ok(Opened { config, chains })
    }

    fn chain(&self, id: &str) -> Result<Arc<ChainHandle>> {
        let found = self.chains.iter().find(|c| c.id() == id).cloned();
        found.ok_or_else(|| Error::NoSuchChain { id: id.into(), known: String::new() })
    }

    fn pair(&self, path: &PathEntry) -> Result<(Arc<ChainHandle>, Arc<ChainHandle>)> {
        Ok((self.chain(&path.a)?, self.chain(&path.b)?))
    }

    fn relay(&self, path: &PathEntry, store: &Arc<Store>) -> Result<Relay> {
        let linked = self.linked(path)?;
        let (every, folder) = (self.config.clear_interval, &self.config.state_dir);
        Ok(Relay::new(self.pair(path)?, linked, path, every, store.clone(), folder))
    }

    fn linked(&self, path: &PathEntry) -> Result<Linked> {
        Linked::load(&self.config.state_dir, &path.a, &path.b)?.ok_or_else(|| Error::Path {
            path: format!("{}, {}", path.a, path.b),
            reason: "it was not linked".into(),
        })
    }

    /// What serves the path's gateway; none when the path names none.
    fn keeper(&self, path: &PathEntry, metrics: &Metrics) -> Result<Option<Keeper>> {
        let Some(gateway) = &path.gateway else { return Ok(None) };
        Ok(Some(Keeper::new(self.chain(&path.a)?, &self.linked(path)?, gateway, metrics.clone())))
    }

    fn relays(&self) -> Result<Vec<Relay>> {
        let store = Arc::new(Store::open(&self.config.state_dir)?);
        self.config.paths.iter().map(|path| self.relay(path, &store)).collect()
    }
}

async fn link_all(setup: &Setup, json: bool) -> Result<()> {
    let opened = Opened::new(setup, true)?;
    for path in &opened.config.paths {
        let (a, b) = opened.pair(path)?;
        let known = Linked::load(&opened.config.state_dir, &path.a, &path.b)?;
        let linked = link(&a, &b, &ChannelKind::transfer(), known.as_ref()).await?;
        linked.save(&opened.config.state_dir)?;
        let mut out = std::io::stdout();
        if json {
            writeln!(out, "{}", to_json(&linked)?)?;
        } else {
            for end in [&linked.a, &linked.b] {
                let (id, client, connection) = (&end.chain_id, &end.client, &end.connection);
                writeln!(out, "{id}: {client}, {connection}, {}/{}", end.port, end.channel)?;
            }
        }
    }
    Ok(())
}

async fn start(setup: &Setup) -> Result<()> {
    let opened = Opened::new(setup, true)?;
    let metrics = Metrics::default();
    let (stop, stopped) = watch::channel(false);
    let relays: Vec<Relay> = opened.relays()?.into_iter().map(|r| r.counted(metrics.clone())).collect();
    let mut server = None;
    if let Some(address) = opened.config.listen {
        let views = relays.iter().map(Relay::view).collect();
        let (bound, task) = rest::serve(address, metrics.clone(), views, stopped.clone()).await?;
        tracing::info!(%bound, "listens");
        server = Some(task);
    }
    let mut tasks = tokio::task::JoinSet::new();
    for path in &opened.config.paths {
        if let (Some(keeper), Some(service)) = (opened.keeper(path, &metrics)?, path.service) {
            let stopped = stopped.clone();
            tasks.spawn(async move {
                keeper.run(&service, stopped).await;
                Ok(())
            });
        }
    }
    for mut relay in relays {
        let stopped = stopped.clone();
        tasks.spawn(async move { relay.run(stopped).await });
    }
    let balances = tokio::spawn(watch_balances(opened.chains.clone(), metrics));
    tracing::info!(paths = opened.config.paths.len(), "relays");
    let mut result = Ok(());
    tokio::select! {
        () = until_told_to_stop() => tracing::info!("stops after the rounds that have begun"),
        Some(done) = tasks.join_next() => result = done.unwrap_or_else(|e| Err(Error::Link(e.to_string()))),
    }
    // The receivers live in the tasks; none left means that they have ended by themselves.
    let _ = stop.send(true);
    while let Some(done) = tasks.join_next().await {
        let done = done.unwrap_or_else(|e| Err(Error::Link(e.to_string())));
        result = result.and(done);
    }
    balances.abort();
    if let Some(server) = server {
        // A reader that keeps its connection open does not hold the end up.
        let _ = tokio::time::timeout(Duration::from_secs(2), server).await;
    }
    result
}

async fn until_told_to_stop() {
    #[cfg(unix)]
    {
        let kind = tokio::signal::unix::SignalKind::terminate();
        if let Ok(mut terminate) = tokio::signal::unix::signal(kind) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    // Without a handler for the signal the process ends by it, which loses nothing.
    let _ = tokio::signal::ctrl_c().await;
}

async fn watch_balances(chains: Vec<Arc<ChainHandle>>, metrics: Metrics) {
    loop {
        for chain in &chains {
            let Ok(signer) = chain.endpoints().signer().await else { continue };
            if let Ok(balance) = signer.balance().await {
                let denom = &chain.entry().client.denom;
                let labels = format!("chain=\"{}\",denom=\"{denom}\"", chain.id());
                metrics.set("wallet_balance", labels, balance as f64);
            }
        }
        tokio::time::sleep(BALANCES).await;
    }
}

async fn clear(setup: &Setup, patience: u32) -> Result<ExitCode> {
    let mut waiting = 0;
    for mut relay in Opened::new(setup, true)?.relays()? {
        let (mut idle, mut done) = (0, 0);
        loop {
            let round = relay.round().await?;
            done += round.done;
            idle = if round.done > 0 { 0 } else { idle + 1 };
            let (a, b) = relay.read().await?;
            let left = a.state.sent.len() + b.state.sent.len();
            if left == 0 || idle > patience {
                waiting += left;
                break;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        writeln!(std::io::stdout(), "{done} message(s) relayed")?;
    }
    if waiting > 0 {
        writeln!(std::io::stdout(), "{waiting} packet(s) still wait; `query` shows which")?;
        return Ok(ExitCode::from(1));
    }
    Ok(ExitCode::SUCCESS)
}

async fn show_plan(setup: &Setup, json: bool) -> Result<()> {
    let opened = Opened::new(setup, false)?;
    for (path, relay) in opened.config.paths.iter().zip(opened.relays()?) {
        let Plan { actions, alarms } = relay.plan().await?;
        let mut out = std::io::stdout();
        if json {
            let value = serde_json::json!({ "a": path.a, "b": path.b, "actions": actions, "alarms": alarms });
            writeln!(out, "{value}")?;
            continue;
        }
        writeln!(out, "{}, {}: {} message(s) due", path.a, path.b, actions.len())?;
        for action in &actions {
            let to = if action.on() == openledger_relayer::core::state::Side::A { &path.a } else { &path.b };
            match action.packet() {
                Some(packet) => writeln!(out, "  {to} {} #{}", action.name(), packet.sequence)?,
                None => writeln!(out, "  {to} {}", action.name())?,
            }
        }
        for (side, alarm) in &alarms {
            writeln!(out, "  {side:?} {} {alarm:?}: {}", alarm.code(), alarm.advice())?;
        }
    }
    Ok(())
}

async fn query(setup: &Setup, json: bool) -> Result<()> {
    let opened = Opened::new(setup, false)?;
    for (path, relay) in opened.config.paths.iter().zip(opened.relays()?) {
        let (a, b) = relay.read().await?;
        let now = openledger_relayer::link::now_ns();
        let mut out = std::io::stdout();
        for (id, here, there) in [(&path.a, &a, &b), (&path.b, &b, &a)] {
            let state = &here.state;
            let sequences: Vec<u64> = state.sent.keys().copied().collect();
            let received: Vec<u64> = there.state.received.iter().copied().collect();
            let value = serde_json::json!({
                "chain": id,
                "height": state.proof_height.height,
                "channel": state.channel,
                "client_frozen": state.client.frozen,
                "client_seconds_left": state.client.left_ns(now) / 1_000_000_000,
                "sent": sequences,
                "received_by_the_other": received,
                "unknown": here.unknown,
                "left_out_by_filter": here.left_out,
            });
            if json {
                writeln!(out, "{value}")?;
            } else {
                writeln!(
                    out,
                    "{id}: channel {:?}, client good for {} s, {} packet(s) on their way, {} of them received",
                    state.channel,
                    state.client.left_ns(now) / 1_000_000_000,
                    sequences.len(),
                    received.len()
                )?;
            }
        }
    }
    Ok(())
}

/// Payouts whose callback was lost, with what is proved of them. Exit code 1 when there are any.
async fn payouts(setup: &Setup, json: bool) -> Result<ExitCode> {
    let opened = Opened::new(setup, false)?;
    let store = Store::open(&opened.config.state_dir)?;
    let mut out = std::io::stdout();
    let mut found = 0;
    for path in &opened.config.paths {
        let Some(keeper) = opened.keeper(path, &Metrics::default())? else { continue };
        for case in keeper.unresolved(&*opened.chain(&path.b)?, &opened.linked(path)?, &store).await? {
            found += 1;
            if json {
                writeln!(out, "{}", to_json(&case)?)?;
                continue;
            }
            let Case { payout, verdict, gateway, message, .. } = &case;
            let amount = format!("{}{}", payout.amount.amount, payout.amount.denom);
            let (id, to) = (payout.payout_id, &payout.remote_addr);
            writeln!(out, "payout {id}: {amount} to {to}: {verdict:?}")?;
            if let Some(message) = message {
                writeln!(out, "  its owner has to execute on {gateway}: {}", to_json(message)?)?;
            }
        }
    }
    if found == 0 && !json {
        writeln!(out, "no payout waits for a decision")?;
    }
    Ok(if found == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

async fn keys_command(command: KeysCommand) -> Result<ExitCode> {
    let mut out = std::io::stdout();
    match command {
        KeysCommand::Add { setup, file, stdin, insecure_test_key } => {
            let mut text = String::new();
            if stdin {
                std::io::stdin().take(4_096).read_to_string(&mut text)?;
            }
            let secret = stdin.then_some(text.as_str());
            let mut passphrase = Passphrase::new(setup.passphrase_fd);
            let key = keys::add(&file, secret, (!insecure_test_key).then_some(&mut passphrase))?;
            writeln!(out, "{}: public key {}", file.display(), hex::encode(key.public_key()))?;
            // Without a configuration the addresses are not known yet.
            for entry in Config::load(&setup.config).map(|c| c.chains).unwrap_or_default() {
                if let Ok(address) = address_of(&key.public_key(), &entry.client.prefix) {
                    writeln!(out, "{}: {address}", entry.client.chain_id)?;
                }
            }
        }
        KeysCommand::Show { setup } => {
            let config = Config::load(&setup.config)?;
            let mut passphrase = Passphrase::new(setup.passphrase_fd);
            for entry in &config.chains {
                show_key(entry, &mut passphrase).await?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn show_key(entry: &ChainEntry, passphrase: &mut Passphrase) -> Result<()> {
    let id = &entry.client.chain_id;
    let mut out = std::io::stdout();
    let Some(file) = &entry.key_file else {
        writeln!(out, "{id}: no key")?;
        return Ok(());
    };
    let key = keys::load(file, passphrase, id)?;
    let wrap = |source| Error::Chain { chain_id: id.clone(), source };
    let address = key.address(&entry.client.prefix).map_err(wrap)?;
    let chain = ChainHandle::new(entry.clone(), Some(key));
    match chain.endpoints().signer().await {
        Ok(signer) => match signer.balance().await {
            Ok(balance) => writeln!(out, "{id}: {address} holds {balance}{}", entry.client.denom)?,
            Err(e) => writeln!(out, "{id}: {address} ({e})")?,
        },
        Err(e) => writeln!(out, "{id}: {address} ({e})")?,
    }
    Ok(())
}

fn to_json<T: serde::Serialize>(value: &T) -> Result<String> {
    Ok(serde_json::to_string(value).map_err(std::io::Error::from)?)
}

async fn health_check(config: &Config, json: bool) -> Result<ExitCode> {
    let mut worst = Level::Ok;
    let mut out = std::io::stdout();
    for entry in &config.chains {
        let mut report = health::check(entry).await;
        let served = config.paths.iter().filter(|path| path.a == entry.client.chain_id);
        for gateway in served.filter_map(|path| path.gateway.as_deref()) {
            report.findings.extend(health::lost_payouts(entry, gateway).await);
        }
        worst = worst.max(report.level());
        if json {
            writeln!(out, "{}", to_json(&report)?)?;
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

//! Opens a path between two chains: clients, connection, channel. What is there already is used, so a
//! link that was interrupted anywhere goes on, and a complete one is found again.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ibc_proto::ibc::core::channel::v1::Channel;
use ibc_proto::ibc::core::commitment::v1::MerkleRoot;
use ibc_proto::ibc::core::connection::v1::ConnectionEnd;
use ibc_proto::ibc::lightclients::tendermint::v1::{
    ClientState as TmClientState, ConsensusState as TmConsensusState, Fraction,
};
use openledger_client::proto::cosmos::staking::v1beta1::{QueryParamsRequest, QueryParamsResponse};
use openledger_client::proto::prost::Message;
use openledger_client::{Any, Chain, TxResult};
use serde::{Deserialize, Serialize};
use tendermint_light_client_verifier::types::UntrustedBlockState;
use tendermint_light_client_verifier::{ProdVerifier, Verdict};
use tendermint_proto::google::protobuf::{Duration as ProtoDuration, Timestamp};
use tendermint_rpc::Client;

use crate::chain::light::{height_to_proto, nanoseconds_of};
use crate::chain::message::{self, At, ChannelKind};
use crate::chain::proof::Proved;
use crate::chain::query::{channel_phase, connection_phase, TM_CLIENT_STATE};
use crate::chain::ChainHandle;
use crate::core::handshake::{next_step, End, Layer, LinkEnd, Step};
use crate::core::state::{Phase, Side};
use crate::error::{Error, Result};
use crate::submit::{base, channel_path, connection_path, Base};

const FORMAT: &str = "openledger-relayer-link/1";
/// Steps after which something must be wrong; a whole link takes eleven.
const MAX_STEPS: usize = 40;
/// How long a state that a transaction has made is waited for.
const SETTLE: Duration = Duration::from_secs(60);
/// Pause between two looks.
const POLL: Duration = Duration::from_millis(200);

/// One end of a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkedEnd {
    /// Chain.
    pub chain_id: String,
    /// The client that follows the other chain.
    pub client: String,
    /// Connection.
    pub connection: String,
    /// Port.
    pub port: String,
    /// Channel.
    pub channel: String,
}

/// A path that is open at both ends, as `state_dir` keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Linked {
    format: String,
    /// The first chain's end.
    pub a: LinkedEnd,
    /// The second's.
    pub b: LinkedEnd,
}

impl Linked {
    fn file(state_dir: &Path, a: &str, b: &str) -> PathBuf {
        state_dir.join(format!("{a}--{b}.link.json"))
    }

    /// Reads the record of a path; none when it was not linked here.
    pub fn load(state_dir: &Path, a: &str, b: &str) -> Result<Option<Self>> {
        let bad = |reason: String| Error::Path { path: format!("{a}, {b}"), reason };
        let text = match std::fs::read_to_string(Linked::file(state_dir, a, b)) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(bad(e.to_string())),
        };
        let linked: Linked = serde_json::from_str(&text).map_err(|e| bad(e.to_string()))?;
        if linked.format != FORMAT || linked.a.chain_id != a || linked.b.chain_id != b {
            return Err(bad("its record is of another format or of other chains".into()));
        }
        Ok(Some(linked))
    }

    /// Writes the record in one step.
    pub fn save(&self, state_dir: &Path) -> Result<()> {
        let file = Linked::file(state_dir, &self.a.chain_id, &self.b.chain_id);
        let write = || -> std::io::Result<()> {
            std::fs::create_dir_all(state_dir)?;
            let draft = file.with_extension(format!("{}.new", std::process::id()));
            std::fs::write(&draft, serde_json::to_vec_pretty(self)?)?;
            std::fs::rename(&draft, &file)
        };
        let path = format!("{}, {}", self.a.chain_id, self.b.chain_id);
        write().map_err(|e| Error::Path { path, reason: e.to_string() })
    }
}

/// Nanoseconds since 1970 by this machine's clock.
pub fn now_ns() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
}

/// Opens a channel of this kind between two chains, or finds the open one. `known` is the record of an
/// earlier run: its clients are used even where the configuration has changed since.
pub async fn link(
    a: &ChainHandle,
    b: &ChainHandle,
    kind: &ChannelKind,
    known: Option<&Linked>,
) -> Result<Linked> {
    let mut work = Work {
        a,
        b,
        kind,
        clients: [known.map(|k| k.a.client.clone()), known.map(|k| k.b.client.clone())],
        connection: None,
    };
    for _ in 0..MAX_STEPS {
        let (near, far) = work.read().await?;
        let pair = work.connection.as_ref().map(|(a, b)| (a.as_str(), b.as_str()));
        let step = next_step(&near, &far, pair);
        tracing::info!(?step, "link");
        match step {
            Step::ConnectionOpen(a, b) => work.connection = Some((a, b)),
            Step::Done(channel_a, channel_b) => return work.finish(channel_a, channel_b),
            step => work.carry_out(step).await?,
        }
    }
    Err(Error::Link(format!("no channel is open after {MAX_STEPS} steps")))
}

struct Work<'a> {
    a: &'a ChainHandle,
    b: &'a ChainHandle,
    kind: &'a ChannelKind,
    clients: [Option<String>; 2],
    connection: Option<(String, String)>,
}

impl Work<'_> {
    fn chain(&self, side: Side) -> &ChainHandle {
        match side {
            Side::A => self.a,
            Side::B => self.b,
        }
    }

    fn client(&self, side: Side) -> Result<&str> {
        let [a, b] = &self.clients;
        let client = match side {
            Side::A => a,
            Side::B => b,
        };
        client.as_deref().ok_or_else(|| Error::Link("the client is not known".into()))
    }

    fn own_connection(&self, side: Side) -> Result<&str> {
        let (a, b) =
            self.connection.as_ref().ok_or_else(|| Error::Link("the connection is not known".into()))?;
        Ok(match side {
            Side::A => a,
            Side::B => b,
        })
    }

    async fn read(&mut self) -> Result<(LinkEnd, LinkEnd)> {
        for (index, side) in [Side::A, Side::B].into_iter().enumerate() {
            if self.clients.get(index).is_some_and(|c| c.is_none()) {
                let found = find_client(self.chain(side), self.chain(side.other())).await?;
                if let Some(slot) = self.clients.get_mut(index) {
                    *slot = found;
                }
            }
        }
        Ok((self.read_end(Side::A).await?, self.read_end(Side::B).await?))
    }

    async fn read_end(&self, side: Side) -> Result<LinkEnd> {
        let chain = self.chain(side);
        let (Ok(own), Ok(other)) = (self.client(side), self.client(side.other())) else {
            return Ok(LinkEnd { client: self.client(side).ok().map(Into::into), ..LinkEnd::default() });
        };
        let mut end = LinkEnd { client: Some(own.into()), ..LinkEnd::default() };
        if self.connection.is_some() {
            let connection = self.own_connection(side)?;
            for channel in chain.connection_channels(connection).await? {
                let fits = channel.port_id == self.kind.port
                    && channel.version == self.kind.version
                    && channel.ordering == 1
                    && channel.counterparty.as_ref().is_some_and(|c| c.port_id == self.kind.port);
                if let Some(phase) = channel_phase(channel.state).filter(|_| fits) {
                    let counterparty = channel.counterparty.map(|c| c.channel_id).unwrap_or_default();
                    end.channels.push(End { id: channel.channel_id, phase, counterparty });
                }
            }
            end.channels.sort_by_key(|c| number_of(&c.id));
        } else {
            for id in chain.client_connections(own).await? {
                let Some(connection) = chain.connection(&id, None).await? else { continue };
                let counterparty = connection.counterparty.unwrap_or_default();
                // A delay would hold every packet up; versions that were not tried are left alone.
                let fits = counterparty.client_id == other && connection.delay_period == 0;
                if let Some(phase) = connection_phase(connection.state).filter(|_| fits) {
                    end.connections.push(End { id, phase, counterparty: counterparty.connection_id });
                }
            }
            end.connections.sort_by_key(|c| number_of(&c.id));
        }
        Ok(end)
    }

    async fn carry_out(&mut self, step: Step) -> Result<()> {
        match step {
            Step::CreateClient(side) => {
                let id = create_client(self.chain(side), self.chain(side.other())).await?;
                let index = usize::from(side == Side::B);
                if let Some(slot) = self.clients.get_mut(index) {
                    *slot = Some(id);
                }
                Ok(())
            }
            Step::Init(layer, side) => {
                let chain = self.chain(side);
                let signer = chain.endpoints().signer().await?;
                let message = match layer {
                    Layer::Connection => message::connection_init(
                        self.client(side)?,
                        self.client(side.other())?,
                        signer.address(),
                    ),
                    Layer::Channel => {
                        message::channel_init(self.kind, self.own_connection(side)?, signer.address())
                    }
                };
                send(chain, vec![message]).await.map(|_| ())
            }
            Step::Try(layer, side, of) => self.prove_and_send(layer, side, None, &of, Phase::Init).await,
            Step::Ack(layer, side, own, other) => {
                self.prove_and_send(layer, side, Some(&own), &other, Phase::TryOpen).await
            }
            Step::Confirm(layer, side, own, other) => {
                self.prove_and_send(layer, side, Some(&own), &other, Phase::Open).await
            }
            Step::ConnectionOpen(..) | Step::Done(..) => Ok(()),
        }
    }

    /// Sends the step to `side` that follows from the other chain's end being in `phase`.
    async fn prove_and_send(
        &self,
        layer: Layer,
        side: Side,
        own: Option<&str>,
        other: &str,
        phase: Phase,
    ) -> Result<()> {
        let (host, source) = (self.chain(side), self.chain(side.other()));
        let signer = host.endpoints().signer().await?;
        let signer = signer.address();
        let key = match layer {
            Layer::Connection => connection_path(other),
            Layer::Channel => channel_path(&self.kind.port, other),
        };
        let in_phase = |value: &[u8]| match layer {
            Layer::Connection => {
                ConnectionEnd::decode(value).ok().and_then(|c| connection_phase(c.state)) == Some(phase)
            }
            Layer::Channel => Channel::decode(value).ok().and_then(|c| channel_phase(c.state)) == Some(phase),
        };
        let (base, proved) = self.prove_state(side, source, &key, in_phase).await?;
        let at = At { proved: &proved, height: base.height };
        let bad = |e: prost::DecodeError| Error::Link(format!("{key}: {e}"));
        let message = match (layer, own) {
            (Layer::Connection, None) => {
                let end = ConnectionEnd::decode(proved.value.as_slice()).map_err(bad)?;
                message::connection_try(self.client(side)?, other, &end, &at, signer)
            }
            (Layer::Connection, Some(own)) if phase == Phase::TryOpen => {
                let end = ConnectionEnd::decode(proved.value.as_slice()).map_err(bad)?;
                let version = end.versions.into_iter().next().unwrap_or_else(message::connection_version);
                message::connection_ack(own, other, version, &at, signer)
            }
            (Layer::Connection, Some(own)) => message::connection_confirm(own, &at, signer),
            (Layer::Channel, None) => {
                message::channel_try(self.kind, self.own_connection(side)?, other, &at, signer)
            }
            (Layer::Channel, Some(own)) if phase == Phase::TryOpen => {
                message::channel_ack(self.kind, own, other, &at, signer)
            }
            (Layer::Channel, Some(own)) => message::channel_confirm(self.kind, own, &at, signer),
        };
        let messages = base.update.into_iter().chain([message]).collect();
        send(host, messages).await.map(|_| ())
    }

    /// Waits until the newest provable state of `source` holds what is looked for.
    async fn prove_state(
        &self,
        side: Side,
        source: &ChainHandle,
        key: &str,
        fits: impl Fn(&[u8]) -> bool,
    ) -> Result<(Base, Proved)> {
        let host = self.chain(side);
        let id = self.client(side)?;
        let signer = host.endpoints().signer().await?;
        let start = tokio::time::Instant::now();
        loop {
            let head = source.status().await?.height;
            let client = host.client(id, None).await?;
            let client = client.ok_or_else(|| Error::Link(format!("{} has no client {id}", host.id())))?;
            if client.latest.height <= head {
                let base = base(host, id, &client, source, head, now_ns(), signer.address()).await?;
                let proved = base.prove(source, key).await?;
                if fits(&proved.value) {
                    return Ok((base, proved));
                }
            }
            if start.elapsed() > SETTLE {
                let text =
                    format!("{} does not show {key} as expected within {} s", source.id(), SETTLE.as_secs());
                return Err(Error::Link(text));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    fn finish(&self, channel_a: String, channel_b: String) -> Result<Linked> {
        let end = |side: Side, channel: String| -> Result<LinkedEnd> {
            Ok(LinkedEnd {
                chain_id: self.chain(side).id().into(),
                client: self.client(side)?.into(),
                connection: self.own_connection(side)?.into(),
                port: self.kind.port.clone(),
                channel,
            })
        };
        Ok(Linked { format: FORMAT.into(), a: end(Side::A, channel_a)?, b: end(Side::B, channel_b)? })
    }
}

async fn send(chain: &ChainHandle, messages: Vec<Any>) -> Result<TxResult> {
    let signer = chain.endpoints().signer().await?;
    let wrap = |source| Error::Chain { chain_id: chain.id().into(), source };
    signer.broadcast(messages, "").await.map_err(wrap)
}

/// The number at the end of an id such as `connection-12`.
fn number_of(id: &str) -> u64 {
    id.rsplit_once('-').and_then(|(_, n)| n.parse().ok()).unwrap_or(u64::MAX)
}

/// The settings that a client of `target` on `host` gets.
async fn wanted_client(host: &ChainHandle, target: &ChainHandle) -> Result<TmClientState> {
    let path = "/cosmos.staking.v1beta1.Query/Params";
    let params: QueryParamsResponse = target.query(path, &QueryParamsRequest {}, None).await?;
    let unbonding = params.params.and_then(|p| p.unbonding_time);
    let unbonding = unbonding.ok_or_else(|| target.malformed("staking parameters", "no unbonding time"))?;
    let seconds = |d: Duration| i64::try_from(d.as_secs()).unwrap_or(i64::MAX);
    let duration = |seconds| Some(ProtoDuration { seconds, nanos: 0 });
    let trusting = seconds(target.entry().trusting_period);
    if trusting >= unbonding.seconds {
        return Err(Error::Link(format!(
            "trusting_period of {} is not below its unbonding time of {} s",
            target.id(),
            unbonding.seconds
        )));
    }
    let drift = target.entry().clock_drift + host.entry().clock_drift + host.entry().max_block_time;
    Ok(TmClientState {
        chain_id: target.id().into(),
        trust_level: Some(Fraction { numerator: 1, denominator: 3 }),
        trusting_period: duration(trusting),
        unbonding_period: duration(unbonding.seconds),
        max_clock_drift: duration(seconds(drift)),
        frozen_height: Some(Default::default()),
        proof_specs: vec![ics23::iavl_spec(), ics23::tendermint_spec()],
        upgrade_path: vec!["upgrade".into(), "upgradedIBCState".into()],
        ..TmClientState::default()
    })
}

/// A header of `target` as a client's first state. All endpoints that answer must agree on it, and its
/// own validators must have signed it; beyond that the first header of a link is taken on trust.
async fn first_state(target: &ChainHandle, height: u64) -> Result<TmConsensusState> {
    let signed = target.signed_header(height).await?;
    let set = target.validators(height, Some(signed.header.proposer_address)).await?;
    let untrusted = UntrustedBlockState { signed_header: &signed, validators: &set, next_validators: None };
    let verifier = ProdVerifier::default();
    for verdict in [verifier.verify_validator_sets(&untrusted), verifier.verify_commit(&untrusted)] {
        if verdict != Verdict::Success {
            return Err(target.bad_header(height, format!("{verdict:?}")));
        }
    }
    for at in 0..target.endpoints().count() {
        let seen = target
            .endpoints()
            .call_at(at, |chain: Chain| async move {
                let height = u32::try_from(height)
                    .map_err(|e| openledger_client::Error::Input { what: "height", reason: e.to_string() })?;
                chain.http().commit(height).await.map_err(|e| chain.name_error(e))
            })
            .await;
        if let Ok(seen) = seen {
            if seen.signed_header.header.hash() != signed.header.hash() {
                return Err(target.bad_header(height, "the endpoints disagree about it"));
            }
        }
    }
    let time = signed.header.time;
    let nanos = i32::try_from(time.unix_timestamp_nanos().rem_euclid(1_000_000_000)).unwrap_or(0);
    Ok(TmConsensusState {
        timestamp: Some(Timestamp { seconds: time.unix_timestamp(), nanos }),
        root: Some(MerkleRoot { hash: signed.header.app_hash.as_bytes().to_vec() }),
        next_validators_hash: signed.header.next_validators_hash.as_bytes().to_vec(),
    })
}

/// A client of `target` on `host` that has the wanted settings, is active, and holds what `target` says.
async fn find_client(host: &ChainHandle, target: &ChainHandle) -> Result<Option<String>> {
    let wanted = wanted_client(host, target).await?;
    let mut fitting = Vec::new();
    for client in host.clients().await? {
        let Some(any) = client.client_state.filter(|a| a.type_url == TM_CLIENT_STATE) else { continue };
        let Ok(state) = TmClientState::decode(any.value.as_slice()) else { continue };
        if (TmClientState { latest_height: wanted.latest_height, ..state }) == wanted {
            fitting.push(client.client_id);
        }
    }
    fitting.sort_by_key(|id| number_of(id));
    for id in fitting {
        let Some(client) = host.client(&id, None).await? else { continue };
        if client.view().frozen || client.view().expired(now_ns()) {
            continue;
        }
        // A height that the target no longer keeps cannot be compared.
        match first_state(target, client.latest.height).await {
            Ok(state) if state == client.consensus => return Ok(Some(id)),
            Ok(_) => tracing::warn!(host = host.id(), client = id, "follows another history"),
            Err(e) => tracing::debug!(host = host.id(), client = id, error = %e, "cannot be compared"),
        }
    }
    Ok(None)
}

async fn create_client(host: &ChainHandle, target: &ChainHandle) -> Result<String> {
    let height = target.status().await?.height;
    let consensus = first_state(target, height).await?;
    let latest_height = Some(height_to_proto(target.height(height)));
    let state = TmClientState { latest_height, ..wanted_client(host, target).await? };
    if nanoseconds_of(consensus.timestamp) == 0 {
        return Err(target.bad_header(height, "it has no time"));
    }
    let signer = host.endpoints().signer().await?;
    let result = send(host, vec![message::create_client(&state, &consensus, signer.address())]).await?;
    let id = result.attribute("create_client", "client_id");
    id.map(Into::into).ok_or_else(|| host.malformed("result of MsgCreateClient", "it names no client"))
}

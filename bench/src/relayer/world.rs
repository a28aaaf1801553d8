//! The two chains, the senders, and what the chains show of packets.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use ibc_proto::cosmos::base::v1beta1::Coin;
use ibc_proto::ibc::applications::transfer::v1::MsgTransfer;
use ibc_proto::ibc::core::channel::v1::{QueryPacketCommitmentsRequest, QueryPacketCommitmentsResponse};
use openledger_client::proto::prost::{Message, Name};
use openledger_client::{Any, Chain, ChainConfig, Key, Signer};
use openledger_relayer::packet::{packets_of, Kind, Packet};

/// Transfers in a transaction.
const TRANSFERS: usize = 100;
/// Life of a packet: longer than a measurement.
const LIFE: Duration = Duration::from_secs(3 * 3_600);
/// How often the chains' heads are looked at.
const LOOK: Duration = Duration::from_millis(40);

/// Where a chain is.
#[derive(Clone, Debug)]
pub struct End {
    /// Chain id.
    pub chain_id: String,
    /// CometBFT RPC address.
    pub rpc: String,
    /// gRPC address.
    pub grpc: String,
    /// First part of its addresses.
    pub prefix: String,
    /// Its coin.
    pub denom: String,
}

impl End {
    /// A chain of `testnet/pair`, whose gRPC port lies two above its RPC port.
    ///
    /// # Errors
    /// When the address has no port.
    pub fn beside(chain_id: &str, rpc: &str, prefix: &str, denom: &str) -> Result<Self> {
        let (host, port) = rpc.rsplit_once(':').context("an RPC address has a port")?;
        let grpc: u16 = port.parse::<u16>()?.checked_add(2).context("the port is too high")?;
        let (chain_id, prefix, denom) = (chain_id.into(), prefix.into(), denom.into());
        Ok(End { chain_id, rpc: rpc.into(), grpc: format!("{host}:{grpc}"), prefix, denom })
    }
}

/// The two chains with the accounts that send.
pub struct World {
    /// Where they are.
    pub ends: [End; 2],
    /// Channel at each end.
    pub channels: [String; 2],
    senders: Vec<[Signer; 2]>,
    receiver: [String; 2],
    heads: [Heads; 2],
}

/// When each block of a chain was first seen.
#[derive(Clone, Default)]
struct Heads(Arc<Mutex<Vec<(u64, Instant)>>>);

impl Heads {
    fn watch(chain: Chain) -> Self {
        let heads = Heads::default();
        let kept = heads.clone();
        tokio::spawn(async move {
            loop {
                if let Ok(height) = chain.latest_height().await {
                    let mut all = kept.0.lock().unwrap_or_else(PoisonError::into_inner);
                    if all.last().is_none_or(|(last, _)| *last < height) {
                        all.push((height, Instant::now()));
                    }
                }
                tokio::time::sleep(LOOK).await;
            }
        });
        heads
    }

    fn seen(&self, height: u64) -> Option<Instant> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().find(|(h, _)| *h >= height).map(|(_, at)| *at)
    }

    fn height_at(&self, at: Instant) -> u64 {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().rev().find(|(_, seen)| *seen <= at).map_or(0, |(h, _)| *h)
    }

    /// Mean seconds between the blocks of the last `span`.
    fn pace(&self, span: Duration) -> f64 {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((last, at)) = all.last() else { return 0.0 };
        let Some((first, since)) = all.iter().find(|(_, seen)| at.duration_since(*seen) <= span) else {
            return 0.0;
        };
        at.duration_since(*since).as_secs_f64() / last.saturating_sub(*first).max(1) as f64
    }
}

/// How long a packet took from its block to the block that received it.
#[derive(Clone, Copy, Debug)]
pub struct Trip {
    /// Blocks of the receiving chain that were made meanwhile, the one that received it among them.
    pub blocks: f64,
    /// The time, in pauses between the receiving chain's blocks.
    pub paces: f64,
}

/// The secret words of a development account.
pub fn mnemonic(accounts: &Path, name: &str) -> Result<String> {
    let file: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(accounts)?)?;
    let list = file["accounts"].as_array().context("the accounts file holds no accounts")?;
    let account = list.iter().find(|a| a["name"] == name).with_context(|| format!("no account {name}"))?;
    Ok(account["mnemonic"].as_str().context("no mnemonic")?.to_string())
}

impl World {
    /// Connects.
    pub async fn connect(ends: [End; 2], channels: [String; 2], accounts: &Path) -> Result<Self> {
        let mut chains = Vec::new();
        for end in &ends {
            let config = ChainConfig {
                prefix: end.prefix.clone(),
                denom: end.denom.clone(),
                confirm_seconds: 300,
                ..ChainConfig::new(end.chain_id.clone(), end.rpc.clone())
            };
            chains.push(Chain::connect(config).await?);
        }
        let [a, b]: [Chain; 2] = chains.try_into().ok().context("two chains")?;
        let mut senders = Vec::new();
        for name in ["user", "node", "deployer"] {
            let key = Key::from_mnemonic(&mnemonic(accounts, name)?)?;
            senders.push([a.signer(key.clone())?, b.signer(key)?]);
        }
        let receiver = Key::from_mnemonic(&mnemonic(accounts, "datanet-owner")?)?;
        let receiver = [receiver.address(&ends[0].prefix)?, receiver.address(&ends[1].prefix)?];
        let heads = [Heads::watch(a), Heads::watch(b)];
        Ok(World { ends, channels, senders, receiver, heads })
    }

    fn transfer(&self, from: usize, sender: &Signer) -> Any {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let message = MsgTransfer {
            source_port: "transfer".into(),
            source_channel: self.channels[from].clone(),
            token: Some(Coin { denom: self.ends[from].denom.clone(), amount: "1".into() }),
            sender: sender.address().into(),
            receiver: self.receiver[1 - from].clone(),
            timeout_height: Some(Default::default()),
            timeout_timestamp: u64::try_from((now + LIFE).as_nanos()).unwrap_or(u64::MAX),
            memo: String::new(),
        };
        Any { type_url: MsgTransfer::type_url(), value: message.encode_to_vec() }
    }

    /// Sends transfers from the first chain to the second and waits until all stand in blocks.
    pub async fn send_many(&self, count: usize) -> Result<()> {
        let mut left = count;
        let mut sizes = Vec::new();
        while left > 0 {
            let size = left.min(TRANSFERS);
            sizes.push(size);
            left -= size;
        }
        // The first sender is kept for fresh packets; the others share the load.
        let senders: Vec<&Signer> = self.senders.iter().skip(1).map(|pair| &pair[0]).collect();
        // A block takes only so many; what is handed over at once fits the mempool.
        for part in sizes.chunks(10) {
            let sent = part.iter().zip(senders.iter().cycle()).map(|(size, sender)| async move {
                let messages = (0..*size).map(|_| self.transfer(0, sender)).collect();
                sender.broadcast(messages, "").await
            });
            for done in futures::future::join_all(sent).await {
                done?;
            }
        }
        Ok(())
    }

    /// Packets from the first chain that were not acknowledged; counts up to 1,000 of them exactly.
    pub async fn waiting(&self) -> Result<usize> {
        let request = QueryPacketCommitmentsRequest {
            port_id: "transfer".into(),
            channel_id: self.channels[0].clone(),
            pagination: Some(ibc_proto::cosmos::base::query::v1beta1::PageRequest {
                limit: 1_000,
                ..Default::default()
            }),
        };
        let path = "/ibc.core.channel.v1.Query/PacketCommitments";
        let answer: QueryPacketCommitmentsResponse = self.senders[0][0].chain().query(path, &request).await?;
        Ok(answer.commitments.len())
    }

    /// Sends one packet from the first chain and waits until the second has received it.
    pub async fn trip(&self) -> Result<Trip> {
        let sender = &self.senders[0][0];
        let sent = sender.broadcast(vec![self.transfer(0, sender)], "").await?;
        let sequence: u64 =
            sent.attribute("send_packet", "packet_sequence").context("no packet was sent")?.parse()?;
        let there = self.senders[0][1].chain();
        let left = loop {
            match self.heads[0].seen(sent.height) {
                Some(at) => break at,
                None => tokio::time::sleep(LOOK).await,
            }
        };
        let first = self.heads[1].height_at(left).max(1);
        let mut height = first;
        loop {
            there.wait_for_height(height, Duration::from_secs(120)).await?;
            let block = loop {
                match there.block_events(height).await {
                    Ok(block) => break block,
                    Err(openledger_client::Error::NotFound(_)) => tokio::time::sleep(LOOK).await,
                    Err(e) => return Err(e.into()),
                }
            };
            let received = packets_of(&block)?.into_iter().any(|event| {
                let Packet::Channel(packet) = &event.packet else { return false };
                event.event == Kind::RecvPacket
                    && packet.sequence == sequence
                    && packet.dst_channel == self.channels[1]
            });
            if received {
                break;
            }
            height += 1;
        }
        let arrived = loop {
            match self.heads[1].seen(height) {
                Some(at) => break at,
                None => tokio::time::sleep(LOOK).await,
            }
        };
        let pace = self.heads[1].pace(Duration::from_secs(20)).max(0.001);
        let seconds = arrived.saturating_duration_since(left).as_secs_f64();
        Ok(Trip { blocks: (height - first) as f64, paces: seconds / pace })
    }

    /// Mean seconds between blocks of both chains in the last minute.
    pub fn paces(&self) -> [f64; 2] {
        [0, 1].map(|i| self.heads[i].pace(Duration::from_secs(60)))
    }
}

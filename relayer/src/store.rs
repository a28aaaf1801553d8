//! Packets on their way and acknowledgements that wait to be brought back, kept on disk.
//!
//! Only a cache: the chains' commitments say what is due, and what is missing here is found again by
//! search. It spares that search, and lets the cursor move past a block as soon as its packets are safe.

use std::collections::BTreeMap;
use std::path::Path;

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

use crate::core::state::IbcPacket;
use crate::error::{Error, Result};
use crate::packet::{Kind, Packet, PacketEvent};

/// `chain/port/channel/sequence` of the sender, the sequence in 20 digits -> (height, packet as JSON).
const SENT: TableDefinition<&str, (u64, &[u8])> = TableDefinition::new("sent");
/// `chain/port/channel/sequence` of the receiver -> (height, acknowledgement).
const WRITTEN: TableDefinition<&str, (u64, &[u8])> = TableDefinition::new("written");

/// Bytes of the store that stay in memory.
const CACHE: usize = 8 << 20;

/// A channel end, by which packets and acknowledgements are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndId {
    /// Chain.
    pub chain_id: String,
    /// Port.
    pub port: String,
    /// Channel.
    pub channel: String,
}

impl EndId {
    fn key(&self, sequence: u64) -> String {
        format!("{}/{}/{}/{sequence:020}", self.chain_id, self.port, self.channel)
    }
}

/// The store. One process at a time has it open.
#[derive(Debug)]
pub struct Store(Database);

impl Store {
    /// Opens the store in a folder, or makes it.
    pub fn open(state_dir: &Path) -> Result<Self> {
        std::fs::create_dir_all(state_dir).map_err(failed)?;
        let database = Database::builder()
            .set_cache_size(CACHE)
            .create(state_dir.join("packets.redb"))
            .map_err(failed)?;
        let write = database.begin_write().map_err(failed)?;
        write.open_table(SENT).map_err(failed)?;
        write.open_table(WRITTEN).map_err(failed)?;
        write.commit().map_err(failed)?;
        Ok(Store(database))
    }

    /// Keeps what a block of `chain_id` has sent and acknowledged. Durable when it returns; keeping the
    /// same block twice changes nothing.
    pub fn keep(&self, chain_id: &str, events: &[PacketEvent]) -> Result<()> {
        let write = self.0.begin_write().map_err(failed)?;
        {
            let mut sent = write.open_table(SENT).map_err(failed)?;
            let mut written = write.open_table(WRITTEN).map_err(failed)?;
            for event in events {
                let Packet::Channel(packet) = &event.packet else { continue };
                match event.event {
                    Kind::SendPacket => {
                        let Some(whole) = IbcPacket::of_event(packet) else { continue };
                        let end = end(chain_id, &packet.src_port, &packet.src_channel);
                        let json = serde_json::to_vec(&whole).map_err(failed)?;
                        let key = end.key(packet.sequence);
                        sent.insert(key.as_str(), (event.height, json.as_slice())).map_err(failed)?;
                    }
                    Kind::WriteAcknowledgement => {
                        let Some(bytes) = &packet.acknowledgement else { continue };
                        let key = end(chain_id, &packet.dst_port, &packet.dst_channel).key(packet.sequence);
                        written.insert(key.as_str(), (event.height, bytes.as_slice())).map_err(failed)?;
                    }
                    _ => {}
                }
            }
        }
        write.commit().map_err(failed)
    }

    /// The packets that a channel end has sent, by sequence.
    pub fn sent(&self, from: &EndId) -> Result<BTreeMap<u64, IbcPacket>> {
        let mut all = BTreeMap::new();
        let read = self.0.begin_read().map_err(failed)?;
        let table = read.open_table(SENT).map_err(failed)?;
        let (low, high) = (from.key(0), from.key(u64::MAX));
        for row in table.range(low.as_str()..=high.as_str()).map_err(failed)? {
            let (_, value) = row.map_err(failed)?;
            let packet: IbcPacket = serde_json::from_slice(value.value().1).map_err(failed)?;
            all.insert(packet.sequence, packet);
        }
        Ok(all)
    }

    /// The acknowledgement that a channel end has written for a packet.
    pub fn written(&self, to: &EndId, sequence: u64) -> Result<Option<Vec<u8>>> {
        let read = self.0.begin_read().map_err(failed)?;
        let table = read.open_table(WRITTEN).map_err(failed)?;
        let found = table.get(to.key(sequence).as_str()).map_err(failed)?;
        Ok(found.map(|v| v.value().1.to_vec()))
    }

    /// Forgets packets between two ends that were sent up to `height` and that `waiting` no longer says,
    /// with their acknowledgements.
    pub fn forget(&self, from: &EndId, to: &EndId, height: u64, waiting: impl Fn(u64) -> bool) -> Result<()> {
        let write = self.0.begin_write().map_err(failed)?;
        let mut done = Vec::new();
        {
            let mut sent = write.open_table(SENT).map_err(failed)?;
            let mut written = write.open_table(WRITTEN).map_err(failed)?;
            let (low, high) = (from.key(0), from.key(u64::MAX));
            for row in sent.range(low.as_str()..=high.as_str()).map_err(failed)? {
                let (key, value) = row.map_err(failed)?;
                let sequence = key.value().rsplit('/').next().and_then(|s| s.parse::<u64>().ok());
                if let Some(sequence) = sequence.filter(|s| value.value().0 <= height && !waiting(*s)) {
                    done.push(sequence);
                }
            }
            for sequence in &done {
                sent.remove(from.key(*sequence).as_str()).map_err(failed)?;
                written.remove(to.key(*sequence).as_str()).map_err(failed)?;
            }
        }
        if done.is_empty() {
            return write.abort().map_err(failed);
        }
        write.commit().map_err(failed)
    }
}

fn end(chain_id: &str, port: &str, channel: &str) -> EndId {
    EndId { chain_id: chain_id.into(), port: port.into(), channel: channel.into() }
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Store(error.to_string())
}

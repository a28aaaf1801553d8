//! Reads the states of both chains, each at one height, for the planner.

use std::collections::{BTreeMap, BTreeSet};

use crate::chain::light::{nanoseconds, ClientData};
use crate::chain::query::{channel_phase, connection_phase};
use crate::chain::ChainHandle;
use crate::core::filter::Filter;
use crate::core::state::{acknowledgement_commitment, EndState, IbcPacket, Ordering, Phase};
use crate::error::{Error, Result};
use crate::link::{Linked, LinkedEnd};
use crate::packet::{Kind, Packet, PacketEvent};
use crate::store::{EndId, Store};

/// Searches of one round; a larger backlog takes several.
const MAX_SEARCHES: usize = 50;

/// One chain's state with what is needed to act on it.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// For the planner.
    pub state: EndState,
    /// The client here.
    pub client: ClientData,
    /// Height of the header that proves the state.
    pub head: u64,
    /// Packets that stand in the state but that could not be found or do not match it.
    pub unknown: BTreeSet<u64>,
    /// Packets that the filter leaves out.
    pub left_out: u64,
    /// Whether more of the unknown would have been looked for, had a read no limit.
    pub searched: bool,
}

/// What is needed of a chain to send something there, or to prove something of it.
#[derive(Clone, Debug)]
pub(super) struct Base {
    /// The client here.
    pub client: ClientData,
    /// Height of the header that proves the state.
    pub head: u64,
}

impl Snapshot {
    /// Without its packets.
    pub(super) fn clone_base(&self) -> Base {
        Base { client: self.client.clone(), head: self.head }
    }
}

/// Where one end's packets are kept.
pub fn end_id(end: &LinkedEnd) -> EndId {
    EndId { chain_id: end.chain_id.clone(), port: end.port.clone(), channel: end.channel.clone() }
}

/// Reads both ends.
pub async fn read(
    (a, b): (&ChainHandle, &ChainHandle),
    linked: &Linked,
    store: &Store,
    filter: &Filter,
) -> Result<(Snapshot, Snapshot)> {
    let (mut near, mut far) = tokio::try_join!(
        read_sent(a, &linked.a, &linked.b, store, filter),
        read_sent(b, &linked.b, &linked.a, store, filter)
    )?;
    let (at_near, at_far) = tokio::try_join!(
        read_received(a, &linked.a, &far.state.sent, near.head, store),
        read_received(b, &linked.b, &near.state.sent, far.head, store)
    )?;
    (near.state.received, near.state.acknowledgements) = at_near;
    (far.state.received, far.state.acknowledgements) = at_far;
    Ok((near, far))
}

/// Reads one end without its packets, in the state that the header at `head` proves.
pub(crate) async fn read_end(
    chain: &ChainHandle,
    end: &LinkedEnd,
    other: &LinkedEnd,
    head: u64,
) -> Result<Snapshot> {
    let height = head.saturating_sub(1);
    let gone = |what: &str| Error::Path {
        path: format!("{}, {}", end.chain_id, other.chain_id),
        reason: format!("{} has no {what}", end.chain_id),
    };
    let (client, connection, channel, header) = tokio::try_join!(
        chain.client(&end.client, Some(height)),
        chain.connection(&end.connection, Some(height)),
        chain.channel(&end.port, &end.channel, Some(height)),
        chain.signed_header(head)
    )?;
    let client = client.ok_or_else(|| gone(&format!("client {}", end.client)))?;
    let connection = connection.ok_or_else(|| gone(&format!("connection {}", end.connection)))?;
    let channel = channel.ok_or_else(|| gone(&format!("channel {}", end.channel)))?;
    let counterparty = channel.counterparty.unwrap_or_default();
    if counterparty.channel_id != other.channel || counterparty.port_id != other.port {
        return Err(gone(&format!("channel {} to {}", end.channel, other.channel)));
    }
    let state = EndState {
        proof_height: chain.height(head),
        proof_time_ns: nanoseconds(header.header.time),
        client: client.view(),
        connection_open: connection_phase(connection.state) == Some(Phase::Open),
        channel: channel_phase(channel.state).unwrap_or(Phase::Init),
        ordering: if channel.ordering == 1 { Ordering::Unordered } else { Ordering::Ordered },
        sent: BTreeMap::new(),
        received: BTreeSet::new(),
        acknowledgements: BTreeMap::new(),
    };
    Ok(Snapshot { state, client, head, unknown: BTreeSet::new(), left_out: 0, searched: false })
}

async fn read_sent(
    chain: &ChainHandle,
    end: &LinkedEnd,
    other: &LinkedEnd,
    store: &Store,
    filter: &Filter,
) -> Result<Snapshot> {
    let head = chain.status().await?.height.max(2);
    let height = head.saturating_sub(1);
    let (mut snapshot, commitments) = tokio::try_join!(
        read_end(chain, end, other, head),
        chain.commitments(&end.port, &end.channel, height)
    )?;
    let mut known = store.sent(&end_id(end))?;
    let mut searches = 0;
    for (sequence, commitment) in &commitments {
        let matches = |p: &&IbcPacket| p.commitment().as_slice() == commitment.as_slice();
        if known.get(sequence).filter(matches).is_none() && searches < MAX_SEARCHES {
            // Its neighbours come from the same transaction: all of them are kept.
            searches += 1;
            let events = chain.search_sent(&end.channel, *sequence).await?;
            store.keep(chain.id(), &events)?;
            known.extend(sent_from(&events, end).map(|packet| (packet.sequence, packet)));
        }
        match known.get(sequence).filter(matches) {
            Some(packet) if filter.allows(packet) => {
                snapshot.state.sent.insert(*sequence, packet.clone());
            }
            Some(_) => snapshot.left_out = snapshot.left_out.saturating_add(1),
            None => {
                snapshot.unknown.insert(*sequence);
            }
        }
    }
    snapshot.searched = searches >= MAX_SEARCHES;
    store.forget(&end_id(end), &end_id(other), height, |s| commitments.contains_key(&s))?;
    Ok(snapshot)
}

/// The packets that an end has sent, out of events of its chain.
fn sent_from<'a>(events: &'a [PacketEvent], end: &'a LinkedEnd) -> impl Iterator<Item = IbcPacket> + 'a {
    events.iter().filter_map(move |event| match &event.packet {
        Packet::Channel(packet)
            if event.event == Kind::SendPacket
                && packet.src_port == end.port
                && packet.src_channel == end.channel =>
        {
            IbcPacket::of_event(packet)
        }
        _ => None,
    })
}

type Received = (BTreeSet<u64>, BTreeMap<u64, Vec<u8>>);

/// Of what the other end has `sent`: what was received here, and the acknowledgements.
async fn read_received(
    chain: &ChainHandle,
    end: &LinkedEnd,
    sent: &BTreeMap<u64, IbcPacket>,
    head: u64,
    store: &Store,
) -> Result<Received> {
    let height = head.saturating_sub(1);
    let sequences: Vec<u64> = sent.keys().copied().collect();
    if sequences.is_empty() {
        return Ok(Received::default());
    }
    let received = chain.received(&end.port, &end.channel, &sequences, height).await?;
    let list: Vec<u64> = received.iter().copied().collect();
    let commitments = match list.is_empty() {
        true => BTreeMap::new(),
        false => chain.acknowledgements(&end.port, &end.channel, &list, height).await?,
    };
    let mut acknowledgements = BTreeMap::new();
    let mut searches = 0;
    for (sequence, commitment) in &commitments {
        let matches = |bytes: &Vec<u8>| acknowledgement_commitment(bytes).as_slice() == commitment.as_slice();
        let mut bytes = store.written(&end_id(end), *sequence)?.filter(matches);
        if bytes.is_none() && searches < MAX_SEARCHES {
            searches += 1;
            store.keep(chain.id(), &chain.search_written(&end.channel, *sequence).await?)?;
            bytes = store.written(&end_id(end), *sequence)?.filter(matches);
        }
        if let Some(bytes) = bytes {
            acknowledgements.insert(*sequence, bytes);
        }
    }
    Ok((received, acknowledgements))
}

//! Clients, connections, channels and packets as a chain's IBC module tells them, without proof. They
//! say where to look; what is sent is proved by [`super::proof`].

use std::collections::{BTreeMap, BTreeSet};

use ibc_proto::cosmos::base::query::v1beta1::PageRequest;
use ibc_proto::ibc::core::channel::v1::{
    Channel, IdentifiedChannel, QueryChannelRequest, QueryChannelResponse, QueryConnectionChannelsRequest,
    QueryConnectionChannelsResponse, QueryPacketAcknowledgementsRequest, QueryPacketAcknowledgementsResponse,
    QueryPacketCommitmentsRequest, QueryPacketCommitmentsResponse, QueryUnreceivedPacketsRequest,
    QueryUnreceivedPacketsResponse,
};
use ibc_proto::ibc::core::client::v1::{
    IdentifiedClientState, QueryClientStateRequest, QueryClientStateResponse, QueryClientStatesRequest,
    QueryClientStatesResponse, QueryConsensusStateRequest, QueryConsensusStateResponse,
};
use ibc_proto::ibc::core::connection::v1::{
    ConnectionEnd, QueryClientConnectionsRequest, QueryClientConnectionsResponse, QueryConnectionRequest,
    QueryConnectionResponse,
};
use ibc_proto::ibc::lightclients::tendermint::v1::{
    ClientState as TmClientState, ConsensusState as TmConsensusState,
};
use openledger_client::proto::prost::Message;

use super::light::{height_from_proto, nanoseconds_of, ClientData};
use super::ChainHandle;
use crate::core::state::{ClientView, Phase};
use crate::error::Result;
use crate::packet::IbcHeight;

/// Entries a page.
const PAGE: u64 = 1_000;
/// Sequences a question, so that no question grows beyond what nodes take.
const QUESTION: usize = 500;
/// Pages after which a list is cut; the rest is seen once these are done with.
const MAX_PAGES: usize = 50;

/// Type of a state of a CometBFT client.
pub const TM_CLIENT_STATE: &str = "/ibc.lightclients.tendermint.v1.ClientState";
const TM_CONSENSUS_STATE: &str = "/ibc.lightclients.tendermint.v1.ConsensusState";

impl ClientData {
    /// What the planner needs to know of it.
    pub fn view(&self) -> ClientView {
        let trusting = self.state.trusting_period.map_or(0, |d| {
            let nanos = u64::try_from(d.nanos).unwrap_or(0);
            u64::try_from(d.seconds).unwrap_or(0).saturating_mul(1_000_000_000).saturating_add(nanos)
        });
        let frozen =
            self.state.frozen_height.is_some_and(|h| h.revision_height != 0 || h.revision_number != 0);
        ClientView {
            latest: self.latest,
            latest_time_ns: nanoseconds_of(self.consensus.timestamp),
            trusting_ns: trusting,
            frozen,
        }
    }
}

impl ChainHandle {
    /// A client of this chain with its newest consensus state; none when there is no such client.
    pub async fn client(&self, id: &str, height: Option<u64>) -> Result<Option<ClientData>> {
        let request = QueryClientStateRequest { client_id: id.into() };
        let path = "/ibc.core.client.v1.Query/ClientState";
        let Some(answer) = self.find::<_, QueryClientStateResponse>(path, &request, height).await? else {
            return Ok(None);
        };
        let what = || format!("client {id}");
        let any = answer.client_state.ok_or_else(|| self.malformed(what(), "is empty"))?;
        if any.type_url != TM_CLIENT_STATE {
            return Err(self.malformed(what(), format!("is of the type {}", any.type_url)));
        }
        let state = TmClientState::decode(any.value.as_slice()).map_err(|e| self.malformed(what(), e))?;
        let latest = height_from_proto(state.latest_height.unwrap_or_default());
        let consensus = self.consensus_at(id, latest, height).await?;
        let consensus = consensus.ok_or_else(|| self.malformed(what(), "has no state"))?;
        Ok(Some(ClientData { state, latest, consensus }))
    }

    /// What a client of this chain holds at a height of the other chain; none when nothing.
    pub async fn consensus(&self, id: &str, of: IbcHeight) -> Result<Option<TmConsensusState>> {
        self.consensus_at(id, of, None).await
    }

    async fn consensus_at(
        &self,
        id: &str,
        of: IbcHeight,
        height: Option<u64>,
    ) -> Result<Option<TmConsensusState>> {
        let request = QueryConsensusStateRequest {
            client_id: id.into(),
            revision_number: of.revision,
            revision_height: of.height,
            latest_height: false,
        };
        let path = "/ibc.core.client.v1.Query/ConsensusState";
        let answer: Option<QueryConsensusStateResponse> = self.find(path, &request, height).await?;
        let Some(any) = answer.and_then(|a| a.consensus_state) else { return Ok(None) };
        let what = || format!("client {id}");
        if any.type_url != TM_CONSENSUS_STATE {
            return Err(self.malformed(what(), format!("has a state of the type {}", any.type_url)));
        }
        TmConsensusState::decode(any.value.as_slice()).map(Some).map_err(|e| self.malformed(what(), e))
    }

    /// All clients of this chain.
    pub async fn clients(&self) -> Result<Vec<IdentifiedClientState>> {
        let mut all = Vec::new();
        let mut key = Vec::new();
        for _ in 0..MAX_PAGES {
            let request = QueryClientStatesRequest { pagination: Some(page(key)) };
            let path = "/ibc.core.client.v1.Query/ClientStates";
            let answer: QueryClientStatesResponse = self.query(path, &request, None).await?;
            all.extend(answer.client_states);
            key = answer.pagination.map(|p| p.next_key).unwrap_or_default();
            if key.is_empty() {
                break;
            }
        }
        Ok(all)
    }

    /// A connection; none when there is no such.
    pub async fn connection(&self, id: &str, height: Option<u64>) -> Result<Option<ConnectionEnd>> {
        let request = QueryConnectionRequest { connection_id: id.into() };
        let path = "/ibc.core.connection.v1.Query/Connection";
        let answer: Option<QueryConnectionResponse> = self.find(path, &request, height).await?;
        Ok(answer.and_then(|a| a.connection))
    }

    /// Ids of the connections over a client.
    pub async fn client_connections(&self, client: &str) -> Result<Vec<String>> {
        let request = QueryClientConnectionsRequest { client_id: client.into() };
        let path = "/ibc.core.connection.v1.Query/ClientConnections";
        let answer: Option<QueryClientConnectionsResponse> = self.find(path, &request, None).await?;
        Ok(answer.map(|a| a.connection_paths).unwrap_or_default())
    }

    /// The channels over a connection.
    pub async fn connection_channels(&self, connection: &str) -> Result<Vec<IdentifiedChannel>> {
        let mut all = Vec::new();
        let mut key = Vec::new();
        for _ in 0..MAX_PAGES {
            let request =
                QueryConnectionChannelsRequest { connection: connection.into(), pagination: Some(page(key)) };
            let path = "/ibc.core.channel.v1.Query/ConnectionChannels";
            let answer: QueryConnectionChannelsResponse = self.query(path, &request, None).await?;
            all.extend(answer.channels);
            key = answer.pagination.map(|p| p.next_key).unwrap_or_default();
            if key.is_empty() {
                break;
            }
        }
        Ok(all)
    }

    /// A channel; none when there is no such.
    pub async fn channel(&self, port: &str, channel: &str, height: Option<u64>) -> Result<Option<Channel>> {
        let request = QueryChannelRequest { port_id: port.into(), channel_id: channel.into() };
        let path = "/ibc.core.channel.v1.Query/Channel";
        let answer: Option<QueryChannelResponse> = self.find(path, &request, height).await?;
        Ok(answer.and_then(|a| a.channel))
    }

    /// Packets sent over a channel that were neither acknowledged nor timed out: sequence and commitment.
    pub async fn commitments(
        &self,
        port: &str,
        channel: &str,
        height: u64,
    ) -> Result<BTreeMap<u64, Vec<u8>>> {
        let mut all = BTreeMap::new();
        let mut key = Vec::new();
        for _ in 0..MAX_PAGES {
            let request = QueryPacketCommitmentsRequest {
                port_id: port.into(),
                channel_id: channel.into(),
                pagination: Some(page(key)),
            };
            let path = "/ibc.core.channel.v1.Query/PacketCommitments";
            let answer: QueryPacketCommitmentsResponse = self.query(path, &request, Some(height)).await?;
            all.extend(answer.commitments.into_iter().map(|c| (c.sequence, c.data)));
            key = answer.pagination.map(|p| p.next_key).unwrap_or_default();
            if key.is_empty() {
                break;
            }
        }
        Ok(all)
    }

    /// Of packets sent to this channel: those that were received here.
    pub async fn received(
        &self,
        port: &str,
        channel: &str,
        sequences: &[u64],
        height: u64,
    ) -> Result<BTreeSet<u64>> {
        let mut received = BTreeSet::new();
        for part in sequences.chunks(QUESTION) {
            let request = QueryUnreceivedPacketsRequest {
                port_id: port.into(),
                channel_id: channel.into(),
                packet_commitment_sequences: part.to_vec(),
            };
            let path = "/ibc.core.channel.v1.Query/UnreceivedPackets";
            let answer: QueryUnreceivedPacketsResponse = self.query(path, &request, Some(height)).await?;
            let missing: BTreeSet<u64> = answer.sequences.into_iter().collect();
            received.extend(part.iter().copied().filter(|s| !missing.contains(s)));
        }
        Ok(received)
    }

    /// Of packets received on this channel: the commitments of their acknowledgements.
    pub async fn acknowledgements(
        &self,
        port: &str,
        channel: &str,
        sequences: &[u64],
        height: u64,
    ) -> Result<BTreeMap<u64, Vec<u8>>> {
        let mut written = BTreeMap::new();
        for part in sequences.chunks(QUESTION) {
            let request = QueryPacketAcknowledgementsRequest {
                port_id: port.into(),
                channel_id: channel.into(),
                pagination: None,
                packet_commitment_sequences: part.to_vec(),
            };
            let path = "/ibc.core.channel.v1.Query/PacketAcknowledgements";
            let answer: QueryPacketAcknowledgementsResponse =
                self.query(path, &request, Some(height)).await?;
            written.extend(answer.acknowledgements.into_iter().map(|a| (a.sequence, a.data)));
        }
        Ok(written)
    }
}

/// A page of a list, from where the last one ended.
pub(crate) fn page(key: Vec<u8>) -> PageRequest {
    PageRequest { key, limit: PAGE, ..PageRequest::default() }
}

/// A connection's state; none for numbers that are not known.
pub fn connection_phase(state: i32) -> Option<Phase> {
    match state {
        1 => Some(Phase::Init),
        2 => Some(Phase::TryOpen),
        3 => Some(Phase::Open),
        _ => None,
    }
}

/// A channel's state; none for numbers that are not known.
pub fn channel_phase(state: i32) -> Option<Phase> {
    match state {
        4 => Some(Phase::Closed),
        other => connection_phase(other),
    }
}

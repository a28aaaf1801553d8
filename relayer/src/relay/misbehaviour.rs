//! Notices headers on a client that its chain does not have, and gives the client the chain's own.
//!
//! Two different headers at one height, both signed by enough validators, mean that the chain has
//! forked or that its validators' keys are in other hands. ibc-go freezes a client that is given a second
//! valid header for a height it holds (`07-tendermint`, `CheckForMisbehaviour`), so the ordinary
//! `MsgUpdateClient` with the chain's own header is the submission.

use ibc_proto::ibc::core::client::v1::{
    QueryConsensusStateHeightsRequest, QueryConsensusStateHeightsResponse,
};
use openledger_client::Any;

use crate::chain::light::{height_from_proto, nanoseconds_of, ClientData, Verified};
use crate::chain::message;
use crate::chain::ChainHandle;
use crate::error::{Error, Result};
use crate::link::now_ns;
use crate::packet::IbcHeight;

/// A header of `source` that contradicts what the client on `host` holds at its height.
#[derive(Clone, Debug)]
pub struct Conflict {
    /// The height.
    pub height: IbcHeight,
    header: Verified,
}

impl Conflict {
    /// The message that shows it to the client.
    pub fn message(&self, client_id: &str, signer: &str) -> Any {
        message::update_client(client_id, &self.header.header, signer)
    }
}

/// Compares what the client on `host` holds at `height` with the header that `source` has there, which
/// is verified from the newest state that the client holds before it. None when they agree, or when there
/// is nothing to compare.
pub async fn check(
    host: &ChainHandle,
    client_id: &str,
    source: &ChainHandle,
    height: IbcHeight,
) -> Result<Option<Conflict>> {
    let Some(client) = host.client(client_id, None).await? else { return Ok(None) };
    let Some(held) = host.consensus(client_id, height).await? else { return Ok(None) };
    let Some(before) = newest_before(host, client_id, height).await? else { return Ok(None) };
    let Some(consensus) = host.consensus(client_id, before).await? else { return Ok(None) };
    let trusted = ClientData { state: client.state, latest: before, consensus };
    let header = source.verified_header(&trusted, height.height, now_ns()).await?;
    let signed = header.header.signed_header.as_ref().and_then(|s| s.header.as_ref());
    let next = signed.map(|h| h.next_validators_hash.as_slice()).unwrap_or_default();
    let root = held.root.as_ref().map(|r| r.hash.as_slice()).unwrap_or_default();
    let same = root == header.app_hash
        && nanoseconds_of(held.timestamp) == header.time_ns
        && held.next_validators_hash == next;
    Ok((!same).then_some(Conflict { height, header }))
}

async fn newest_before(host: &ChainHandle, client_id: &str, height: IbcHeight) -> Result<Option<IbcHeight>> {
    let mut newest = None;
    let mut key = Vec::new();
    // Heights come in no useful order, so all of them are looked at.
    for _ in 0..100 {
        let request = QueryConsensusStateHeightsRequest {
            client_id: client_id.into(),
            pagination: Some(crate::chain::query::page(key)),
        };
        let path = "/ibc.core.client.v1.Query/ConsensusStateHeights";
        let answer: QueryConsensusStateHeightsResponse = host.query(path, &request, None).await?;
        let below = answer.consensus_state_heights.into_iter().map(height_from_proto).filter(|h| *h < height);
        newest = newest.max(below.max());
        key = answer.pagination.map(|p| p.next_key).unwrap_or_default();
        if key.is_empty() {
            return Ok(newest);
        }
    }
    Err(Error::Link(format!("client {client_id} on {} has too many states to compare", host.id())))
}

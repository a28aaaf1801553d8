//! Turns planned actions into proved messages and transactions.

use std::sync::Arc;

use futures::stream::{self, StreamExt};
use openledger_client::{Any, Error as ClientError, TxResult};

use crate::chain::light::ClientData;
use crate::chain::message::{self, At};
use crate::chain::proof::Proved;
use crate::chain::ChainHandle;
use crate::core::batch::callback_reserve;
use crate::core::plan::Action;
use crate::core::state::{acknowledgement_commitment, IbcPacket};
use crate::error::{Error, Result};
use crate::packet::IbcHeight;

/// Proofs that are read at once.
const PARALLEL: usize = 16;

/// A header of one chain that the client on another holds, or will hold after `update`.
#[derive(Clone, Debug)]
pub struct Base {
    /// Height of the header.
    pub height: IbcHeight,
    /// Root of the state before it, verified.
    pub app_hash: Vec<u8>,
    /// The message that brings the header; none when the client has it.
    pub update: Option<Any>,
}

/// Makes the header at `height` of `source` a base for proofs to `host`, whose client is `client_id`.
/// Errors: `Header` when it cannot be verified.
pub async fn base(
    host: &ChainHandle,
    client_id: &str,
    client: &ClientData,
    source: &ChainHandle,
    height: u64,
    now_ns: u64,
    signer: &str,
) -> Result<Base> {
    let at = source.height(height);
    if client.latest == at {
        let root = client.consensus.root.as_ref().map(|r| r.hash.clone()).unwrap_or_default();
        return Ok(Base { height: at, app_hash: root, update: None });
    }
    if client.latest > at {
        let text = format!("client {client_id} on {} knows {} already", host.id(), client.latest.height);
        return Err(Error::Header { chain_id: source.id().into(), height, reason: text });
    }
    let verified = source.verified_header(client, height, now_ns).await?;
    let update = Some(message::update_client(client_id, &verified.header, signer));
    Ok(Base { height: verified.height, app_hash: verified.app_hash, update })
}

impl Base {
    /// A proof of `key` in the state that the header closes.
    pub async fn prove(&self, source: &ChainHandle, key: &str) -> Result<Proved> {
        source.proved(key, self.height.height.saturating_sub(1), &self.app_hash).await
    }
}

/// An action with its message.
#[derive(Clone, Debug)]
pub struct Ready {
    /// What was planned.
    pub action: Action,
    /// The message.
    pub message: Any,
}

/// Proves actions against `base`. An action whose proof does not show what was planned is left out: its
/// state has moved on, or the endpoint that told it has lied.
pub async fn prove_all(source: &ChainHandle, base: &Base, actions: Vec<Action>, signer: &str) -> Vec<Ready> {
    let found = stream::iter(actions)
        .map(|action| async move {
            match prove(source, base, &action, signer).await {
                Ok(Some(message)) => Some(Ready { action, message }),
                Ok(None) => {
                    tracing::warn!(chain = source.id(), action = action.name(), "the state has moved on");
                    None
                }
                Err(e) => {
                    tracing::warn!(chain = source.id(), code = e.code(), error = %e, "no proof");
                    None
                }
            }
        })
        .buffered(PARALLEL)
        .collect::<Vec<_>>()
        .await;
    found.into_iter().flatten().collect()
}

/// The message of an action; none when the proved state is not what was planned from.
async fn prove(source: &ChainHandle, base: &Base, action: &Action, signer: &str) -> Result<Option<Any>> {
    let at = |proved| At { proved, height: base.height };
    Ok(match action {
        Action::UpdateClient { .. } => None,
        Action::Receive { packet, .. } => {
            let path = commitment_path(packet);
            let proved = base.prove(source, &path).await?;
            matches(source, &path, &proved, packet.commitment())?
                .then(|| message::receive(packet, &at(&proved), signer))
        }
        Action::Acknowledge { packet, acknowledgement, .. } => {
            let path = acknowledgement_path(packet);
            let proved = base.prove(source, &path).await?;
            matches(source, &path, &proved, acknowledgement_commitment(acknowledgement))?
                .then(|| message::acknowledge(packet, acknowledgement, &at(&proved), signer))
        }
        Action::Timeout { packet, .. } => {
            let proved = base.prove(source, &receipt_path(packet)).await?;
            proved.value.is_empty().then(|| message::timeout(packet, &at(&proved), signer))
        }
        Action::TimeoutOnClose { packet, .. } => {
            let proved = base.prove(source, &receipt_path(packet)).await?;
            let path = channel_path(&packet.dst_port, &packet.dst_channel);
            let closed = base.prove(source, &path).await?;
            proved.value.is_empty().then(|| message::timeout_on_close(packet, &at(&proved), &closed, signer))
        }
    })
}

/// Whether the proved state is there. One that is there and is not the hash of what is at hand means that the
/// bytes came from an endpoint that lies.
fn matches(source: &ChainHandle, path: &str, proved: &Proved, commitment: [u8; 32]) -> Result<bool> {
    match proved.value.as_slice() {
        [] => Ok(false),
        value if value == commitment => Ok(true),
        _ => Err(source.bad_proof(path, "is of other bytes than the endpoint's events have shown")),
    }
}

/// What became of a batch.
#[derive(Debug, Default)]
pub struct Sent {
    /// Transactions that stand in a block.
    pub txs: Vec<TxResult>,
    /// Actions that stand in a block.
    pub done: Vec<Action>,
    /// Actions that were done before.
    pub redundant: Vec<Action>,
    /// Actions that the chain refuses by themselves, with its reason.
    pub refused: Vec<(Action, ClientError)>,
    /// What stopped the rest; it is planned anew.
    pub stopped: Option<ClientError>,
}

/// Sends a batch in one transaction; one that is refused or too large is halved until the culprits are
/// alone. `host` pays.
pub async fn send(host: Arc<ChainHandle>, update: Option<Any>, batch: Vec<Ready>) -> Sent {
    let mut sent = Sent::default();
    let signer = match host.endpoints().signer().await {
        Ok(signer) => signer,
        Err(e) => {
            sent.stopped = Some(client_error(e));
            return sent;
        }
    };
    let mut waiting = vec![batch];
    while let Some(mut batch) = waiting.pop() {
        let messages = update.iter().cloned().chain(batch.iter().map(|r| r.message.clone())).collect();
        let reserve = callback_reserve(&batch.iter().map(|r| r.action.clone()).collect::<Vec<_>>());
        match signer.broadcast_with_reserve(messages, "", reserve).await {
            Ok(tx) => {
                sent.txs.push(tx);
                sent.done.extend(batch.into_iter().map(|r| r.action));
            }
            // Another relayer was faster with all of it.
            Err(e) if is_redundant(&e) => sent.redundant.extend(batch.into_iter().map(|r| r.action)),
            Err(e) if is_poor(&e) => {
                sent.stopped = Some(ClientError::InsufficientFunds { log: e.to_string() });
                return sent;
            }
            Err(e) if blames_a_message(&e) && batch.len() > 1 => {
                let rest = batch.split_off(batch.len() / 2);
                waiting.push(rest);
                waiting.push(batch);
            }
            Err(e) if blames_a_message(&e) => match batch.pop() {
                Some(ready) => sent.refused.push((ready.action, e)),
                None => {
                    sent.stopped = Some(e);
                    return sent;
                }
            },
            Err(e) => {
                host.endpoints().leave_after(&e);
                sent.stopped = Some(e);
                return sent;
            }
        }
    }
    sent
}

fn client_error(error: Error) -> ClientError {
    match error {
        Error::Chain { source, .. } => source,
        other => ClientError::Config { field: "key_file", reason: other.to_string() },
    }
}

/// A key that never held coins has no account.
fn is_poor(error: &ClientError) -> bool {
    matches!(error, ClientError::NotFound(text) if text.contains("account "))
}

/// Whether the transaction failed for what stands in one of its messages.
fn blames_a_message(error: &ClientError) -> bool {
    matches!(
        error,
        ClientError::TxRejected { .. }
            | ClientError::TxFailed { .. }
            | ClientError::Contract { .. }
            | ClientError::OutOfGas { .. }
            | ClientError::TooLarge { .. }
            | ClientError::NotFound(_)
    )
}

/// ibc-go's ante handler refuses a transaction, free of charge, when all in it is done already.
fn is_redundant(error: &ClientError) -> bool {
    matches!(error, ClientError::TxRejected { log, .. } if log.contains("packet messages are redundant"))
}

/// Path of a packet's commitment in the sender's state (ICS-24).
pub fn commitment_path(p: &IbcPacket) -> String {
    format!("commitments/ports/{}/channels/{}/sequences/{}", p.src_port, p.src_channel, p.sequence)
}

/// Path of a packet's receipt in the receiver's state.
pub fn receipt_path(p: &IbcPacket) -> String {
    format!("receipts/ports/{}/channels/{}/sequences/{}", p.dst_port, p.dst_channel, p.sequence)
}

/// Path of an acknowledgement's commitment in the receiver's state.
pub fn acknowledgement_path(p: &IbcPacket) -> String {
    format!("acks/ports/{}/channels/{}/sequences/{}", p.dst_port, p.dst_channel, p.sequence)
}

/// Path of a channel's end.
pub fn channel_path(port: &str, channel: &str) -> String {
    format!("channelEnds/ports/{port}/channels/{channel}")
}

/// Path of a connection's end.
pub fn connection_path(connection: &str) -> String {
    format!("connections/{connection}")
}

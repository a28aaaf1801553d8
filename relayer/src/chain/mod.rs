//! What the relayer asks of chains and tells them. All input and output over the network is here.
//!
//! Nothing that an endpoint says goes into a message unseen: [`light`] verifies headers with the rules
//! of the client on the other chain, [`proof`] checks every state against the root in such a header.
//! An endpoint that lies can hold packets up, until the next endpoint is asked, and nothing else.

pub mod endpoints;
pub mod light;
pub mod message;
pub mod proof;
pub mod query;
pub mod search;

use std::sync::{Mutex, MutexGuard, PoisonError};

use openledger_client::proto::prost::Message;
use openledger_client::{Chain, Key, Status};

use crate::config::ChainEntry;
use crate::error::{Error, Result};
use crate::packet::IbcHeight;
use endpoints::Endpoints;
use light::Seen;

/// A chain with its endpoints and the key that pays there.
#[derive(Debug)]
pub struct ChainHandle {
    entry: ChainEntry,
    endpoints: Endpoints,
    revision: u64,
    seen: Mutex<Seen>,
}

impl ChainHandle {
    /// A chain of the configuration; reading needs no key. Nothing is connected yet.
    pub fn new(entry: ChainEntry, key: Option<Key>) -> Self {
        let revision = revision_of(&entry.client.chain_id);
        ChainHandle { endpoints: Endpoints::new(&entry, key), entry, revision, seen: Mutex::default() }
    }

    /// Chain id.
    pub fn id(&self) -> &str {
        &self.entry.client.chain_id
    }

    /// The chain's settings.
    pub fn entry(&self) -> &ChainEntry {
        &self.entry
    }

    /// Its endpoints.
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// What was seen of it lately.
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A height of this chain as IBC writes it.
    pub fn height(&self, height: u64) -> IbcHeight {
        IbcHeight { revision: self.revision, height }
    }

    /// What the node says of itself.
    pub async fn status(&self) -> Result<Status> {
        self.endpoints.call(|chain: Chain| async move { chain.status().await }).await
    }

    /// Calls a gRPC query method, at a given height or the newest.
    pub async fn query<Q: Message, R: Message + Default>(
        &self,
        path: &'static str,
        request: &Q,
        height: Option<u64>,
    ) -> Result<R> {
        let data = request.encode_to_vec();
        let value = self
            .endpoints
            .call(|chain: Chain| {
                let data = data.clone();
                async move { chain.abci_query(path, data, height).await }
            })
            .await?;
        R::decode(value.as_slice()).map_err(|e| self.malformed(format!("answer to {path}"), e))
    }

    /// Like [`ChainHandle::query`]; none when there is no such thing.
    pub async fn find<Q: Message, R: Message + Default>(
        &self,
        path: &'static str,
        request: &Q,
        height: Option<u64>,
    ) -> Result<Option<R>> {
        match self.query(path, request, height).await {
            Ok(answer) => Ok(Some(answer)),
            Err(Error::Chain { source: openledger_client::Error::NotFound(_), .. }) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// An error about an answer of this chain that makes no sense.
    pub(crate) fn malformed(&self, what: impl Into<String>, reason: impl ToString) -> Error {
        let source = openledger_client::Error::Malformed { what: what.into(), reason: reason.to_string() };
        Error::Chain { chain_id: self.id().into(), source }
    }
}

/// The revision number at the end of a chain id of the form `name-N`; 0 for any other (ICS-2, ibc-go
/// `ParseChainID`).
pub fn revision_of(chain_id: &str) -> u64 {
    match chain_id.rsplit_once('-') {
        Some((name, number)) if !name.is_empty() && !name.ends_with('-') && !number.starts_with('0') => {
            number.bytes().all(|b| b.is_ascii_digit()).then(|| number.parse().ok()).flatten().unwrap_or(0)
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::revision_of;

    #[test]
    fn revisions_are_read_as_ibc_go_does() {
        for (id, revision) in [
            ("openledger-1", 1),
            ("peer-12", 12),
            ("a-b-3", 3),
            ("plain", 0),
            ("x-0", 0),
            ("x-01", 0),
            ("-1", 0),
            ("x--1", 0),
            ("x-", 0),
            ("x-99999999999999999999", 0),
        ] {
            assert_eq!(revision_of(id), revision, "{id}");
        }
    }
}

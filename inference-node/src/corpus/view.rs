//! What the corpus needs of chain and blobs, so that it can be read from a chain, a fake or a file.

use cosmwasm_std::HexBinary;
use futures::future::BoxFuture;
use openledger_client::contracts::Reader;
use openledger_types::formats::{BlobRef, ContributionFacts};
use openledger_types::msg::datanet::{DatanetResponse, PastKey, VersionResponse};

use crate::fault::{Class, Fault, Result};

/// What an asynchronous question of a trait object returns.
pub type Answer<'a, T> = BoxFuture<'a, Result<T>>;

/// The datanet contract, as far as the corpus reads it.
pub trait DatanetView: Send + Sync {
    /// One datanet.
    fn datanet(&self, datanet_id: u64) -> Answer<'_, DatanetResponse>;
    /// One sealed version.
    fn version(&self, datanet_id: u64, version: u32) -> Answer<'_, VersionResponse>;
    /// The first `size` leaves of the version tree.
    fn leaves(&self, datanet_id: u64, size: u64) -> Answer<'_, Vec<ContributionFacts>>;
    /// The datanet's key wrapped for a node.
    fn key_grant(&self, datanet_id: u64, node_id: u64) -> Answer<'_, Option<HexBinary>>;
    /// Keys that are not in force any more, all of them, the oldest first.
    fn past_keys(&self, datanet_id: u64) -> Answer<'_, Vec<PastKey>>;
}

/// Where blobs come from. Whoever implements it checks the bytes against the reference.
pub trait BlobSource: Send + Sync {
    /// The bytes of a blob.
    fn blob<'a>(&'a self, blob: &'a BlobRef) -> Answer<'a, Vec<u8>>;
}

/// An error of the chain client in this crate's form.
pub fn chain_fault(error: openledger_client::Error) -> Fault {
    let class = match error {
        openledger_client::Error::Contract { .. } | openledger_client::Error::NotFound(_) => Class::NotFound,
        _ => Class::Unavailable,
    };
    Fault {
        code: error.code(),
        class,
        what: error.to_string(),
        advice: error.advice(),
        retry: error.retryable(),
    }
}

impl DatanetView for Reader {
    fn datanet(&self, datanet_id: u64) -> Answer<'_, DatanetResponse> {
        Box::pin(async move { Reader::datanet(self, datanet_id).await.map_err(chain_fault) })
    }

    fn version(&self, datanet_id: u64, version: u32) -> Answer<'_, VersionResponse> {
        Box::pin(async move { Reader::version(self, datanet_id, version).await.map_err(chain_fault) })
    }

    fn leaves(&self, datanet_id: u64, size: u64) -> Answer<'_, Vec<ContributionFacts>> {
        Box::pin(async move { Reader::leaves(self, datanet_id, size).await.map_err(chain_fault) })
    }

    fn key_grant(&self, datanet_id: u64, node_id: u64) -> Answer<'_, Option<HexBinary>> {
        Box::pin(async move { Reader::key_grant(self, datanet_id, node_id).await.map_err(chain_fault) })
    }

    fn past_keys(&self, datanet_id: u64) -> Answer<'_, Vec<PastKey>> {
        Box::pin(async move { Reader::past_keys(self, datanet_id).await.map_err(chain_fault) })
    }
}

//! Blocks and what happened in them.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tendermint_rpc::query::Query;
use tendermint_rpc::{Client, Order};

use crate::chain::{executed, to_height, Chain};
use crate::error::{Error, Result};
use crate::result::{Event, TxResult};

/// Transactions of one page of a search; nodes give no more.
const PAGE: u8 = 100;

/// A block as such.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Height.
    pub height: u64,
    /// Hash, in upper-case hexadecimal.
    pub hash: String,
    /// Time in seconds since 1970.
    pub time: i64,
    /// Hashes of its transactions in their order, in upper-case hexadecimal.
    pub txs: Vec<String>,
}

/// Everything that a block's execution has reported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockEvents {
    /// Height.
    pub height: u64,
    /// Transactions in their order.
    pub txs: Vec<TxEvents>,
    /// Events outside of transactions: begin and end of the block, proposals that were carried out.
    pub block: Vec<Event>,
}

/// What a transaction of a block has reported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TxEvents {
    /// 0 for success; a transaction that failed changed nothing but fee and sequence.
    pub code: u32,
    /// Its events.
    pub events: Vec<Event>,
}

/// A transaction that stands in a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mined {
    /// 0 for success; a transaction that failed changed nothing but fee and sequence.
    pub code: u32,
    /// What it did, and its gas.
    pub result: TxResult,
}

impl Chain {
    /// All transactions of the blocks `from` to `to`, in their order, those that failed too, out of the node's index.
    /// Errors: `Rpc` when the node keeps none; `Malformed` when pages end early.
    pub async fn txs_between(&self, from: u64, to: u64) -> Result<Vec<Mined>> {
        let query = Query::gte("tx.height", from).and_lte("tx.height", to);
        let mut found: Vec<Mined> = Vec::new();
        for page in 1u32.. {
            let answer = self.http().tx_search(query.clone(), false, page, PAGE, Order::Ascending).await;
            let answer = answer.map_err(|e| self.name_error(e))?;
            if answer.txs.is_empty() && found.len() < answer.total_count as usize {
                let reason = format!("{} of {}", found.len(), answer.total_count);
                return Err(Error::Malformed {
                    what: format!("transactions of blocks {from} to {to}"),
                    reason,
                });
            }
            for tx in answer.txs {
                let code = tx.tx_result.code.value();
                let result = executed(tx.hash.to_string(), tx.height.value(), tx.tx_result)?;
                found.push(Mined { code, result });
            }
            if found.len() >= answer.total_count as usize {
                break;
            }
        }
        Ok(found)
    }

    /// Gas that a block may hold by the parameters at a height; none where it has no bound.
    pub async fn max_block_gas(&self, height: u64) -> Result<Option<u64>> {
        let answer = self.http().consensus_params(to_height(height)?).await;
        let answer = answer.map_err(|e| self.block_error(e))?;
        Ok(u64::try_from(answer.consensus_params.block.max_gas).ok())
    }

    /// The block at a height. Errors: `NotFound` for a height to come and for one that the node has
    /// pruned.
    pub async fn block(&self, height: u64) -> Result<Block> {
        let answer = self.http().block(to_height(height)?).await.map_err(|e| self.block_error(e))?;
        let txs = answer.block.data.iter().map(|tx| hex::encode_upper(Sha256::digest(tx))).collect();
        Ok(Block {
            height: answer.block.header.height.value(),
            hash: answer.block_id.hash.to_string(),
            time: answer.block.header.time.unix_timestamp(),
            txs,
        })
    }

    /// The events of the block at a height, of every transaction and of the block itself. Errors: as
    /// for [`Chain::block`].
    pub async fn block_events(&self, height: u64) -> Result<BlockEvents> {
        let answer = self.http().block_results(to_height(height)?).await.map_err(|e| self.block_error(e))?;
        let events = |list: Vec<tendermint::abci::Event>| list.into_iter().map(Event::from);
        let txs = answer
            .txs_results
            .unwrap_or_default()
            .into_iter()
            .map(|tx| TxEvents { code: tx.code.value(), events: events(tx.events).collect() })
            .collect();
        let block = events(answer.begin_block_events.unwrap_or_default())
            .chain(events(answer.finalize_block_events))
            .chain(events(answer.end_block_events.unwrap_or_default()))
            .collect();
        Ok(BlockEvents { height: answer.height.value(), txs, block })
    }

    fn block_error(&self, error: tendermint_rpc::Error) -> Error {
        match self.rpc_error(error) {
            Error::Rpc(text)
                if text.contains("must be less than or equal to")
                    || text.contains("is not available")
                    || text.contains("could not find results") =>
            {
                Error::NotFound(text)
            }
            other => other,
        }
    }
}

//! Finds a packet or an acknowledgement by its number, in the index that nodes keep of events: for those
//! that were made before this relayer began to read. What is found must match the commitment on the
//! chain, or it is of no use.

use openledger_client::{BlockEvents, Chain, Event, TxEvents};
use tendermint_rpc::query::Query;
use tendermint_rpc::{Client, Order};

use super::ChainHandle;
use crate::error::Result;
use crate::packet::{packets_of, PacketEvent};

impl ChainHandle {
    /// All packet events of the transaction, or of the block, in which this channel sent the packet.
    pub async fn search_sent(&self, channel: &str, sequence: u64) -> Result<Vec<PacketEvent>> {
        self.search("send_packet", "src_channel", channel, sequence).await
    }

    /// All packet events of the transaction, or of the block, in which this channel wrote the packet's
    /// acknowledgement.
    pub async fn search_written(&self, channel: &str, sequence: u64) -> Result<Vec<PacketEvent>> {
        self.search("write_acknowledgement", "dst_channel", channel, sequence).await
    }

    async fn search(
        &self,
        event: &'static str,
        end: &'static str,
        channel: &str,
        sequence: u64,
    ) -> Result<Vec<PacketEvent>> {
        let query = Query::eq(format!("{event}.packet_{end}"), channel.to_string())
            .and_eq(format!("{event}.packet_sequence"), sequence.to_string());
        let blocks = self
            .endpoints()
            .call(|chain: Chain| {
                let query = query.clone();
                async move {
                    let name = |e| chain.name_error(e);
                    let http = chain.http();
                    let answer = http.tx_search(query.clone(), false, 1, 10, Order::Ascending).await;
                    let txs = answer.map_err(name)?.txs.into_iter().map(|tx| {
                        let events: Vec<Event> = tx.tx_result.events.into_iter().map(Event::from).collect();
                        let code = tx.tx_result.code.value();
                        let txs = vec![TxEvents { code, events }];
                        BlockEvents { height: tx.height.value(), txs, block: Vec::new() }
                    });
                    let mut blocks: Vec<BlockEvents> = txs.collect();
                    if blocks.is_empty() {
                        // Proposals send packets outside of transactions.
                        let answer = http.block_search(query, 1, 10, Order::Ascending).await.map_err(name)?;
                        for found in answer.blocks {
                            blocks.push(chain.block_events(found.block.header.height.value()).await?);
                        }
                    }
                    Ok(blocks)
                }
            })
            .await?;
        let mut found = Vec::new();
        for block in &blocks {
            let events = packets_of(block)
                .map_err(|e| self.malformed(format!("packet events of block {}", block.height), e))?;
            found.extend(events);
        }
        Ok(found)
    }
}

//! Answers demands for chunks of this node's own roots from its store (PROTOCOL L6).

use std::sync::Arc;

use cosmwasm_std::Binary;
use openledger_types::merkle::{chunk_path, BLOB_CHUNK};
use openledger_types::msg::referee::{BlobKind, DemandResponse, DemandStatus, ExecuteMsg};

use super::view::RefereeView;
use crate::fault::{Class, Fault, Result};
use crate::serve::{root_of, Node, Posting};

/// The loop of a node that posts roots.
pub struct Responder {
    node: Arc<Node>,
    referee: Arc<dyn RefereeView>,
}

impl Responder {
    /// Answers for `node`.
    pub fn new(node: Arc<Node>, referee: Arc<dyn RefereeView>) -> Self {
        Responder { node, referee }
    }

    /// Looks through the demands that may be open and answers those against this node. Says how many.
    ///
    /// # Errors
    /// Those of chain and journal. A demand that cannot be answered is logged and does not keep the
    /// others from being answered.
    pub async fn round(&self) -> Result<usize> {
        let height = self.node.fresh_height().await?;
        let mut answered = 0;
        for demand in open_demands(&self.node, self.referee.as_ref()).await? {
            if demand.node_id != self.node.payee.node_id || height > demand.until {
                continue;
            }
            match self.answer(&demand).await {
                Ok(()) => answered += 1,
                Err(fault) => tracing::error!(
                    code = fault.code,
                    demand = demand.demand_id,
                    epoch = demand.epoch,
                    until = demand.until,
                    "{}. {}",
                    fault.what,
                    fault.advice
                ),
            }
        }
        Ok(answered)
    }

    async fn answer(&self, demand: &DemandResponse) -> Result<()> {
        let epoch = self.referee.epoch_of(demand.node_id, &demand.denom, demand.epoch).await?;
        let commit = epoch.ok_or_else(|| lost("the chain does not know the epoch"))?.commit;
        let blob = match demand.blob {
            BlobKind::Leaves => commit.leaves_blob,
            BlobKind::Receipts => commit.receipts_blob,
        };
        let bytes = self
            .node
            .stored(&root_of(&blob)?)
            .await?
            .ok_or_else(|| lost("the demanded blob is not in the store"))?;
        let index = usize::try_from(demand.index).unwrap_or(usize::MAX);
        let chunk = bytes.chunks(BLOB_CHUNK).nth(index).ok_or_else(|| lost("there is no such chunk"))?;
        let path =
            chunk_path(&bytes, BLOB_CHUNK, demand.index).ok_or_else(|| lost("there is no such chunk"))?;
        let msg = ExecuteMsg::AnswerDemand {
            demand_id: demand.demand_id,
            chunk: Binary::from(chunk),
            path: path.into(),
        };
        match self.referee.tell(&msg, None).await? {
            Posting::Done { tx } => {
                tracing::info!(demand = demand.demand_id, tx, "chunk shown on chain");
                Ok(())
            }
            Posting::Refused { reason } | Posting::Open { reason } => Err(Fault::unavailable(
                "E-AUDIT-021",
                format!("the answer to demand {} was not taken: {reason}", demand.demand_id),
                "It is sent again in the next round; give the hot address coins for gas if it has none.",
            )),
        }
    }
}

fn lost(what: &str) -> Fault {
    Fault::new(
        Class::Internal,
        "E-AUDIT-020",
        what,
        "Restore the node's store from a copy before the demand's last height: the root becomes void after it.",
    )
}

/// The demands that are open, whoever they are against. Demands before the first open one are not asked
/// for again.
pub(super) async fn open_demands(node: &Arc<Node>, referee: &dyn RefereeView) -> Result<Vec<DemandResponse>> {
    let before = node.with_journal(|journal| journal.demand_cursor()).await?;
    let (mut cursor, mut after, mut open) = (before, before, Vec::new());
    loop {
        let page = referee.demands(after).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.demand_id);
        for demand in page {
            if demand.status == DemandStatus::Open {
                open.push(demand);
            } else if open.is_empty() {
                cursor = Some(demand.demand_id);
            }
        }
    }
    if cursor != before {
        let cursor = cursor.unwrap_or_default();
        node.with_journal(move |journal| journal.keep_demand_cursor(cursor)).await?;
    }
    Ok(open)
}

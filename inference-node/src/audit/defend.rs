//! Makes this node's moves in disputes about its answers (PROTOCOL F2): whoever is silent loses.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use openledger_client::contracts::Reader;
use openledger_dispute::play;
use openledger_types::api::AnswerBundle;
use openledger_types::formats::{hash32, tokens_hash};
use openledger_types::msg::arbiter::{DisputeResponse, ExecuteMsg, Turn};

use crate::corpus::{chain_fault, Answer};
use crate::dispute::{is_bound, Computation};
use crate::fault::{Class, Fault, Result};
use crate::serve::{blocking, lock, ClientChain, Node, Posting};

/// The arbiter, as the accused sees it.
pub trait ArbiterView: Send + Sync {
    /// Disputes about cases after a number, a page, those that ended too; none where the deployment has no arbiter.
    fn disputes(&self, start_after: Option<u64>) -> Answer<'_, Vec<DisputeResponse>>;
    /// Sends a move from the hot address.
    fn play<'a>(&'a self, msg: &'a ExecuteMsg) -> Answer<'a, Posting>;
}

impl ArbiterView for ClientChain {
    fn disputes(&self, start_after: Option<u64>) -> Answer<'_, Vec<DisputeResponse>> {
        Box::pin(async move {
            match address(self.reader()) {
                None => Ok(Vec::new()),
                Some(_) => self.reader().disputes(start_after).await.map_err(chain_fault),
            }
        })
    }

    fn play<'a>(&'a self, msg: &'a ExecuteMsg) -> Answer<'a, Posting> {
        Box::pin(async move {
            let arbiter = self.reader().arbiter().map_err(chain_fault)?.to_string();
            Ok(self.send_to(&arbiter, msg, &[]).await)
        })
    }
}

/// The arbiter's address, where the deployment has one.
fn address(reader: &Reader) -> Option<&str> {
    reader.contracts().arbiter.as_deref().filter(|address| !address.is_empty())
}

/// What this node knows of disputes between rounds; lost with a restart, which costs computing.
#[derive(Default)]
struct Known {
    /// The last case of those, from the first on, whose disputes are over.
    over: Option<u64>,
    /// Its own answers under dispute, computed again.
    computed: HashMap<u64, Arc<Computation>>,
}

/// The loop of a node that answers.
pub struct Defender {
    node: Arc<Node>,
    arbiter: Arc<dyn ArbiterView>,
    known: Mutex<Known>,
}

impl Defender {
    /// Moves for `node`.
    pub fn new(node: Arc<Node>, arbiter: Arc<dyn ArbiterView>) -> Self {
        Defender { node, arbiter, known: Mutex::default() }
    }

    /// Looks through the disputes that run and makes every move that is this node's. Says how many.
    ///
    /// # Errors
    /// Those of the chain. A move that cannot be made is logged and does not keep others from being made.
    pub async fn round(&self) -> Result<usize> {
        let (mut after, mut whole, mut moved) = (lock(&self.known).over, true, 0);
        loop {
            let page = self.arbiter.disputes(after).await?;
            let Some(last) = page.last() else { return Ok(moved) };
            after = Some(last.case_id);
            for found in page {
                whole &= found.turn == Turn::Over;
                if found.turn == Turn::Over {
                    let mut known = lock(&self.known);
                    known.computed.remove(&found.case_id);
                    if whole {
                        known.over = Some(found.case_id);
                    }
                } else if found.node_id == self.node.payee.node_id && found.turn != Turn::Pick {
                    match self.answer(&found).await {
                        Ok(()) => moved += 1,
                        Err(fault) => tracing::error!(
                            code = fault.code,
                            case = found.case_id,
                            until = found.until,
                            "{}. {}",
                            fault.what,
                            fault.advice
                        ),
                    }
                }
            }
        }
    }

    /// Makes the move that is due, or gives the case back to the votes where prompt or penalty are not as stated or
    /// a schema bound the answer.
    async fn answer(&self, found: &DisputeResponse) -> Result<()> {
        let contest = ExecuteMsg::Contest { case_id: found.case_id };
        let may_contest = !found.by_node && found.turn == Turn::Answer;
        if may_contest && is_bound(&self.disputed(found).await?) {
            return self.play(found, contest).await;
        }
        let computed = self.computed(found).await?;
        let statement = computed.trace.statement();
        let stated = tokens_hash(&statement.prompt) == found.prompt_hash.as_slice()
            && statement.repetition_milli == found.repetition_milli;
        let msg = if !stated && may_contest {
            contest
        } else {
            let next = play::accused(found, &computed.trace, &computed.rows);
            match next.map_err(|error| lost(error.to_string()))? {
                Some(msg) => msg,
                None => return Ok(()),
            }
        };
        self.play(found, msg).await
    }

    async fn play(&self, found: &DisputeResponse, msg: ExecuteMsg) -> Result<()> {
        match self.arbiter.play(&msg).await? {
            Posting::Done { tx } => {
                tracing::info!(case = found.case_id, turn = ?found.turn, tx, "move made in a dispute");
                Ok(())
            }
            Posting::Refused { reason } | Posting::Open { reason } => Err(Fault::unavailable(
                "E-DISPUTE-003",
                format!("the move in the dispute of case {} was not taken: {reason}", found.case_id),
                "It is sent again in the next round; give the hot address coins for gas if it has none.",
            )),
        }
    }

    /// The answer under dispute.
    async fn disputed(&self, found: &DisputeResponse) -> Result<AnswerBundle> {
        let id = hash32("receipt_id", &found.receipt_id).map_err(|error| lost(error.to_string()))?;
        let bundle = self.node.with_journal(move |journal| journal.answer_by_id(&id)).await?;
        bundle.ok_or_else(|| lost("the answer is not in the journal".into()))
    }

    /// The answer under dispute, computed once.
    async fn computed(&self, found: &DisputeResponse) -> Result<Arc<Computation>> {
        if let Some(known) = lock(&self.known).computed.get(&found.case_id) {
            return Ok(known.clone());
        }
        let bundle = self.disputed(found).await?;
        let receipt = &bundle.receipt.receipt;
        let loaded = self.node.models.ready(receipt.model_id, receipt.model_version)?;
        let computed = Arc::new(blocking(move || loaded.answerer.computation(&bundle)).await?);
        lock(&self.known).computed.insert(found.case_id, computed.clone());
        Ok(computed)
    }
}

fn lost(what: String) -> Fault {
    Fault::new(
        Class::Internal,
        "E-DISPUTE-002",
        format!("the dispute cannot be answered: {what}"),
        "Restore the node's journal and model before the move's last height: silence costs the bond.",
    )
}

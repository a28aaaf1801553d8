//! The chain as a node sees it, behind a trait so that the server runs in tests without one.

use cosmwasm_std::HexBinary;
use openledger_client::contracts::Reader;
use openledger_client::{Coin, Error, Signer};
use openledger_types::formats::EpochCommit;
use openledger_types::msg::datanet::ContributionResponse;
use openledger_types::msg::escrow::{
    ConfigResponse, EpochResponse, ExecuteMsg, LedgerResponse, SessionResponse, Settlement,
};
use openledger_types::msg::model_registry::ModelVersionResponse;
use openledger_types::msg::node_registry::Offer;
use openledger_types::msg::referee::{Subject, Verdict};

use crate::corpus::{chain_fault, Answer, DatanetView};

/// What became of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Posting {
    /// It is in a block and took effect.
    Done {
        /// Its hash.
        tx: String,
    },
    /// The contract refused it; it took no effect and will not.
    Refused {
        /// In the contract's words.
        reason: String,
    },
    /// It may have taken effect, or may later; ask the chain before anything else is posted.
    Open {
        /// What is known.
        reason: String,
    },
}

/// Everything that a node asks of the chain and sends to it. What does not exist is none; every
/// error means that the chain could not be asked.
pub trait ChainView: DatanetView {
    /// Chain id.
    fn chain_id(&self) -> &str;
    /// Address of the escrow.
    fn escrow(&self) -> &str;
    /// Newest height.
    fn height(&self) -> Answer<'_, u64>;
    /// Windows and bounds of the escrow.
    fn escrow_config(&self) -> Answer<'_, ConfigResponse>;
    /// A session.
    fn session(&self, session_id: u64) -> Answer<'_, Option<SessionResponse>>;
    /// Models with their newest versions.
    fn models(&self) -> Answer<'_, Vec<(u64, u32)>>;
    /// A version of a model.
    fn model_version(&self, model_id: u64, version: u32) -> Answer<'_, Option<ModelVersionResponse>>;
    /// This node's offer of a model version.
    fn offer(&self, model_id: u64, version: u32) -> Answer<'_, Option<Offer>>;
    /// A contribution.
    fn contribution(&self, contribution_id: u64) -> Answer<'_, Option<ContributionResponse>>;
    /// Blocks after its withdrawal for which a contribution may still be cited.
    fn citation_grace(&self) -> Answer<'_, u64>;
    /// This node's ledger in a denom.
    fn ledger<'a>(&'a self, denom: &'a str) -> Answer<'a, LedgerResponse>;
    /// One epoch of this node.
    fn epoch<'a>(&'a self, denom: &'a str, epoch: u64) -> Answer<'a, Option<EpochResponse>>;
    /// This node's root that is not final.
    fn pending(&self) -> Answer<'_, Option<EpochResponse>>;
    /// Posts an epoch.
    fn post_epoch<'a>(
        &'a self,
        commit: &'a EpochCommit,
        settlements: &'a [Settlement],
    ) -> Answer<'a, Posting>;
    /// Posts a root in place of a void one.
    fn replace_epoch<'a>(&'a self, commit: &'a EpochCommit) -> Answer<'a, Posting>;
    /// Receipts of this node that verdicts took out, in all its epochs of a denom.
    fn convicted<'a>(&'a self, denom: &'a str) -> Answer<'a, Vec<HexBinary>>;
    /// Makes this node's root final.
    fn finalize(&self) -> Answer<'_, Posting>;
}

/// The chain through its client.
pub struct ClientChain {
    reader: Reader,
    signer: Signer,
    node_id: u64,
}

impl ClientChain {
    /// The view of node `node_id`, whose hot key signs transactions.
    pub fn new(reader: Reader, signer: Signer, node_id: u64) -> Self {
        ClientChain { reader, signer, node_id }
    }

    /// The contracts.
    pub(crate) fn reader(&self) -> &Reader {
        &self.reader
    }

    /// The hot key's account.
    pub(crate) fn signer(&self) -> &Signer {
        &self.signer
    }

    async fn send(&self, msg: ExecuteMsg) -> Posting {
        self.send_to(&self.reader.contracts().payable_escrow, &msg, &[]).await
    }

    /// Sends a message and says what is known of it.
    pub(crate) async fn send_to<T: serde::Serialize>(
        &self,
        contract: &str,
        msg: &T,
        funds: &[Coin],
    ) -> Posting {
        match self.signer.execute(contract, msg, funds).await {
            Ok(result) => Posting::Done { tx: result.hash },
            Err(Error::Contract { message, .. }) => Posting::Refused { reason: message },
            Err(error @ Error::TooLarge { .. }) => Posting::Refused { reason: error.to_string() },
            // Everything else either never left or may still land; the same message is posted again
            // after the chain was asked, and the epoch's number lets only one of them in.
            Err(error) => Posting::Open { reason: format!("{}: {error}; {}", error.code(), error.advice()) },
        }
    }
}

/// What a contract says about a missing thing is an error of its query.
pub(crate) fn optional<T>(result: openledger_client::Result<T>) -> crate::fault::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(Error::Contract { .. } | Error::NotFound(_)) => Ok(None),
        Err(error) => Err(chain_fault(error)),
    }
}

impl DatanetView for ClientChain {
    fn datanet(&self, datanet_id: u64) -> Answer<'_, openledger_types::msg::datanet::DatanetResponse> {
        DatanetView::datanet(&self.reader, datanet_id)
    }
    fn version(
        &self,
        datanet_id: u64,
        version: u32,
    ) -> Answer<'_, openledger_types::msg::datanet::VersionResponse> {
        DatanetView::version(&self.reader, datanet_id, version)
    }
    fn leaves(
        &self,
        datanet_id: u64,
        size: u64,
    ) -> Answer<'_, Vec<openledger_types::formats::ContributionFacts>> {
        DatanetView::leaves(&self.reader, datanet_id, size)
    }
    fn key_grant(&self, datanet_id: u64, node_id: u64) -> Answer<'_, Option<cosmwasm_std::HexBinary>> {
        DatanetView::key_grant(&self.reader, datanet_id, node_id)
    }
    fn past_keys(&self, datanet_id: u64) -> Answer<'_, Vec<openledger_types::msg::datanet::PastKey>> {
        DatanetView::past_keys(&self.reader, datanet_id)
    }
}

impl ChainView for ClientChain {
    fn chain_id(&self) -> &str {
        &self.reader.chain().config().chain_id
    }

    fn escrow(&self) -> &str {
        &self.reader.contracts().payable_escrow
    }

    fn height(&self) -> Answer<'_, u64> {
        Box::pin(async move { self.reader.chain().latest_height().await.map_err(chain_fault) })
    }

    fn escrow_config(&self) -> Answer<'_, ConfigResponse> {
        Box::pin(async move { self.reader.escrow_config().await.map_err(chain_fault) })
    }

    fn session(&self, session_id: u64) -> Answer<'_, Option<SessionResponse>> {
        Box::pin(async move { optional(self.reader.session(session_id).await) })
    }

    fn models(&self) -> Answer<'_, Vec<(u64, u32)>> {
        Box::pin(async move {
            let models = self.reader.models().await.map_err(chain_fault)?;
            Ok(models.into_iter().map(|m| (m.model_id, m.latest_version)).collect())
        })
    }

    fn model_version(&self, model_id: u64, version: u32) -> Answer<'_, Option<ModelVersionResponse>> {
        Box::pin(async move { optional(self.reader.model_version(model_id, version).await) })
    }

    fn offer(&self, model_id: u64, version: u32) -> Answer<'_, Option<Offer>> {
        Box::pin(
            async move { Ok(optional(self.reader.offer(self.node_id, model_id, version).await)?.flatten()) },
        )
    }

    fn contribution(&self, contribution_id: u64) -> Answer<'_, Option<ContributionResponse>> {
        Box::pin(async move { optional(self.reader.contribution(contribution_id).await) })
    }

    fn citation_grace(&self) -> Answer<'_, u64> {
        Box::pin(async move {
            let config = self.reader.datanet_config().await.map_err(chain_fault)?;
            Ok(config.params.withdrawal_grace)
        })
    }

    fn ledger<'a>(&'a self, denom: &'a str) -> Answer<'a, LedgerResponse> {
        Box::pin(async move { self.reader.ledger(self.node_id, denom).await.map_err(chain_fault) })
    }

    fn epoch<'a>(&'a self, denom: &'a str, epoch: u64) -> Answer<'a, Option<EpochResponse>> {
        Box::pin(async move { optional(self.reader.epoch(self.node_id, denom, epoch).await) })
    }

    fn pending(&self) -> Answer<'_, Option<EpochResponse>> {
        Box::pin(async move { self.reader.pending(self.node_id).await.map_err(chain_fault) })
    }

    fn post_epoch<'a>(
        &'a self,
        commit: &'a EpochCommit,
        settlements: &'a [Settlement],
    ) -> Answer<'a, Posting> {
        Box::pin(async move {
            let msg = ExecuteMsg::PostEpoch { commit: commit.clone(), settlements: settlements.to_vec() };
            Ok(self.send(msg).await)
        })
    }

    fn replace_epoch<'a>(&'a self, commit: &'a EpochCommit) -> Answer<'a, Posting> {
        Box::pin(async move { Ok(self.send(ExecuteMsg::ReplaceEpoch { commit: commit.clone() }).await) })
    }

    // Of every epoch: a case outlives the root that it was opened about, and voids its replacement.
    fn convicted<'a>(&'a self, denom: &'a str) -> Answer<'a, Vec<HexBinary>> {
        Box::pin(async move {
            let mut gone = Vec::new();
            for case in self.reader.cases().await.map_err(chain_fault)? {
                let Subject::Receipts { node_id, denom: held, receipts, .. } = case.subject else {
                    continue;
                };
                let ours = (node_id, held.as_str()) == (self.node_id, denom);
                if ours && case.verdict == Some(Verdict::Guilty) {
                    gone.extend(receipts.into_iter().map(|receipt| receipt.receipt_id));
                }
            }
            Ok(gone)
        })
    }

    fn finalize(&self) -> Answer<'_, Posting> {
        Box::pin(async move { Ok(self.send(ExecuteMsg::Finalize { node_id: self.node_id }).await) })
    }
}

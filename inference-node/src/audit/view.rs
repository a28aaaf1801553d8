//! The contracts as auditors see them.

use openledger_client::Coin;
use openledger_types::faults::SessionFacts;
use openledger_types::msg::escrow::{EpochResponse, LedgerResponse};
use openledger_types::msg::node_registry::{Auditor, NodeResponse};
use openledger_types::msg::referee::{
    AttestationResponse, CaseResponse, DemandResponse, ExecuteMsg, Params, SeedResponse,
};

use crate::corpus::{chain_fault, Answer};
use crate::serve::{optional, ClientChain, Posting};

/// What auditing asks of the chain and sends to it, beside what every node asks. What does not exist
/// is none; every error means that the chain could not be asked.
pub trait RefereeView: Send + Sync {
    /// All nodes.
    fn nodes(&self) -> Answer<'_, Vec<NodeResponse>>;
    /// The root of a node that is not final.
    fn pending_of(&self, node_id: u64) -> Answer<'_, Option<EpochResponse>>;
    /// The ledger of a node.
    fn ledger_of<'a>(&'a self, node_id: u64, denom: &'a str) -> Answer<'a, LedgerResponse>;
    /// One epoch of a node.
    fn epoch_of<'a>(&'a self, node_id: u64, denom: &'a str, epoch: u64) -> Answer<'a, Option<EpochResponse>>;
    /// What the escrow states of a session and a node.
    fn facts(&self, session_id: u64, node_id: u64) -> Answer<'_, Option<SessionFacts>>;
    /// Blocks after which a withdrawn contribution may not be cited.
    fn withdrawal_grace(&self) -> Answer<'_, u64>;
    /// Windows, bonds and cuts of the referee.
    fn referee_params(&self) -> Answer<'_, Params>;
    /// Attestations of a root.
    fn attestation<'a>(&'a self, node_id: u64, denom: &'a str, epoch: u64)
        -> Answer<'a, AttestationResponse>;
    /// Demands after a number, a page of them.
    fn demands(&self, start_after: Option<u64>) -> Answer<'_, Vec<DemandResponse>>;
    /// Cases after a number, a page of them, those that ended too.
    fn cases(&self, start_after: Option<u64>) -> Answer<'_, Vec<CaseResponse>>;
    /// One case.
    fn case(&self, case_id: u64) -> Answer<'_, CaseResponse>;
    /// Everyone with audit weight now.
    fn auditors(&self) -> Answer<'_, Vec<Auditor>>;
    /// Audit weight that may attest a node's roots now, in base units.
    fn eligible_for(&self, node_id: u64) -> Answer<'_, u128>;
    /// What an auditor committed for a period.
    fn seed_of(&self, auditor: u64, period: u64) -> Answer<'_, SeedResponse>;
    /// Address of the referee.
    fn referee(&self) -> &str;
    /// The hot address, from which everything is sent.
    fn hot_addr(&self) -> &str;
    /// Sends a message to the referee, with a bond of (amount, denom) where one is asked.
    fn tell<'a>(&'a self, msg: &'a ExecuteMsg, bond: Option<(u128, &'a str)>) -> Answer<'a, Posting>;
}

impl RefereeView for ClientChain {
    fn nodes(&self) -> Answer<'_, Vec<NodeResponse>> {
        Box::pin(async move { self.reader().nodes().await.map_err(chain_fault) })
    }

    fn pending_of(&self, node_id: u64) -> Answer<'_, Option<EpochResponse>> {
        Box::pin(async move { self.reader().pending(node_id).await.map_err(chain_fault) })
    }

    fn ledger_of<'a>(&'a self, node_id: u64, denom: &'a str) -> Answer<'a, LedgerResponse> {
        Box::pin(async move { self.reader().ledger(node_id, denom).await.map_err(chain_fault) })
    }

    fn epoch_of<'a>(&'a self, node_id: u64, denom: &'a str, epoch: u64) -> Answer<'a, Option<EpochResponse>> {
        Box::pin(async move { optional(self.reader().epoch(node_id, denom, epoch).await) })
    }

    fn facts(&self, session_id: u64, node_id: u64) -> Answer<'_, Option<SessionFacts>> {
        Box::pin(async move { optional(self.reader().facts(session_id, node_id).await) })
    }

    fn withdrawal_grace(&self) -> Answer<'_, u64> {
        Box::pin(async move {
            let config = self.reader().datanet_config().await.map_err(chain_fault)?;
            Ok(config.params.withdrawal_grace)
        })
    }

    fn referee_params(&self) -> Answer<'_, Params> {
        Box::pin(async move { Ok(self.reader().referee_config().await.map_err(chain_fault)?.params) })
    }

    fn attestation<'a>(
        &'a self,
        node_id: u64,
        denom: &'a str,
        epoch: u64,
    ) -> Answer<'a, AttestationResponse> {
        Box::pin(async move { self.reader().attestation(node_id, denom, epoch).await.map_err(chain_fault) })
    }

    fn demands(&self, start_after: Option<u64>) -> Answer<'_, Vec<DemandResponse>> {
        Box::pin(async move { self.reader().demands(start_after).await.map_err(chain_fault) })
    }

    fn cases(&self, start_after: Option<u64>) -> Answer<'_, Vec<CaseResponse>> {
        Box::pin(async move { self.reader().cases_after(start_after).await.map_err(chain_fault) })
    }

    fn case(&self, case_id: u64) -> Answer<'_, CaseResponse> {
        Box::pin(async move { self.reader().case(case_id).await.map_err(chain_fault) })
    }

    fn auditors(&self) -> Answer<'_, Vec<Auditor>> {
        Box::pin(async move { self.reader().auditors().await.map_err(chain_fault) })
    }

    fn eligible_for(&self, node_id: u64) -> Answer<'_, u128> {
        Box::pin(async move { self.reader().eligible_weight(node_id).await.map_err(chain_fault) })
    }

    fn seed_of(&self, auditor: u64, period: u64) -> Answer<'_, SeedResponse> {
        Box::pin(async move { self.reader().seed(auditor, period).await.map_err(chain_fault) })
    }

    fn referee(&self) -> &str {
        &self.reader().contracts().referee
    }

    fn hot_addr(&self) -> &str {
        self.signer().address()
    }

    fn tell<'a>(&'a self, msg: &'a ExecuteMsg, bond: Option<(u128, &'a str)>) -> Answer<'a, Posting> {
        Box::pin(async move {
            let funds: Vec<Coin> = bond.map(|(amount, denom)| Coin::new(amount, denom)).into_iter().collect();
            let referee = self.reader().contracts().referee.clone();
            Ok(self.send_to(&referee, msg, &funds).await)
        })
    }
}

//! The contracts of a deployment, with typed answers.

mod datanets;

use std::path::Path;

use cosmwasm_std::HexBinary;
use openledger_types::formats::Account;
use openledger_types::msg::common::{InvariantsResponse, OwnershipResponse};
use openledger_types::msg::{
    arbiter, datanet, escrow, gateway, model_registry, node_registry, referee, storage,
};
use serde::{Deserialize, Serialize};

use crate::chain::Chain;
use crate::error::{Error, Result};

/// Entries asked for at once: the most that the contracts give.
const PAGE: u32 = openledger_types::msg::common::MAX_LIMIT;
/// No deployment file is longer.
const MAX_FILE: u64 = 1 << 20;

/// Addresses of the contracts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contracts {
    /// Datanets, contributions, versions.
    pub datanet: String,
    /// Models and their versions.
    pub model_registry: String,
    /// Nodes, keys, bonds.
    pub node_registry: String,
    /// Sessions, epochs, ledgers, claims.
    pub payable_escrow: String,
    /// Attestations, demands, faults, cases.
    pub referee: String,
    /// Payouts to other chains, sessions paid from there; none in deployments of earlier releases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ibc_gateway: Option<String>,
    /// Who keeps which fragments of datanets; none in deployments of earlier releases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<String>,
    /// Disputes about answers of the class exact; none in deployments of earlier releases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arbiter: Option<String>,
}

impl Contracts {
    /// Reads a JSON deployment file: the addresses at its top, or under `contracts`. Other fields are
    /// left alone.
    pub fn load(path: &Path) -> Result<Self> {
        let bad = |reason: String| Error::Input { what: "deployment file", reason };
        let shown = path.display();
        let length = std::fs::metadata(path).map_err(|e| bad(format!("{shown}: {e}")))?.len();
        if length > MAX_FILE {
            return Err(bad(format!("{shown}: has more than {MAX_FILE} bytes")));
        }
        let text = std::fs::read_to_string(path).map_err(|e| bad(format!("{shown}: {e}")))?;
        Contracts::from_json(&text).map_err(|e| match e {
            Error::Input { what, reason } => Error::Input { what, reason: format!("{shown}: {reason}") },
            other => other,
        })
    }

    /// Reads the text of a deployment file.
    pub fn from_json(text: &str) -> Result<Self> {
        let bad = |e: serde_json::Error| Error::Input { what: "deployment file", reason: e.to_string() };
        let mut value: serde_json::Value = serde_json::from_str(text).map_err(bad)?;
        let inner = value.get_mut("contracts").map(serde_json::Value::take).unwrap_or(value);
        serde_json::from_value(inner).map_err(bad)
    }

    /// Typed questions to these contracts.
    pub fn on(&self, chain: &Chain) -> Reader {
        Reader { chain: chain.clone(), contracts: self.clone() }
    }
}

/// Typed questions to the contracts. Errors are those of [`Chain::query_smart`]; what does not exist
/// is a `Contract` error with the contract's words.
#[derive(Clone, Debug)]
pub struct Reader {
    chain: Chain,
    contracts: Contracts,
}

impl Reader {
    /// The chain.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The addresses.
    pub fn contracts(&self) -> &Contracts {
        &self.contracts
    }

    // Models.

    /// Bounds of the model registry.
    pub async fn model_config(&self) -> Result<model_registry::ConfigResponse> {
        self.ask_models(model_registry::QueryMsg::Config {}).await
    }

    /// One model.
    pub async fn model(&self, model_id: u64) -> Result<model_registry::ModelResponse> {
        self.ask_models(model_registry::QueryMsg::Model { model_id }).await
    }

    /// All models.
    pub async fn models(&self) -> Result<Vec<model_registry::ModelResponse>> {
        let mut all: Vec<model_registry::ModelResponse> = Vec::new();
        loop {
            let start_after = all.last().map(|m| m.model_id);
            let page: model_registry::ModelsResponse =
                self.ask_models(model_registry::QueryMsg::Models { start_after, limit: Some(PAGE) }).await?;
            let found = page.models.len();
            all.extend(page.models);
            if found < PAGE as usize {
                return Ok(all);
            }
        }
    }

    /// One version of a model.
    pub async fn model_version(
        &self,
        model_id: u64,
        version: u32,
    ) -> Result<model_registry::ModelVersionResponse> {
        self.ask_models(model_registry::QueryMsg::Version { model_id, version }).await
    }

    /// Whether the datanets of a version lost contributions.
    pub async fn stale(&self, model_id: u64, version: u32) -> Result<model_registry::StaleResponse> {
        self.ask_models(model_registry::QueryMsg::Stale { model_id, version }).await
    }

    /// Training uses of a contribution that were proved, over all models.
    pub async fn training_usage(
        &self,
        contribution_id: u64,
    ) -> Result<model_registry::TrainingUsageResponse> {
        let mut all: Vec<model_registry::TrainingUse> = Vec::new();
        loop {
            let start_after = all.last().map(|used| (used.model_id, used.version));
            let query = model_registry::QueryMsg::Usage { contribution_id, start_after, limit: Some(PAGE) };
            let page: model_registry::TrainingUsageResponse = self.ask_models(query).await?;
            let found = page.entries.len();
            all.extend(page.entries);
            if found < PAGE as usize {
                let times_seen = page.times_seen;
                return Ok(model_registry::TrainingUsageResponse { times_seen, entries: all });
            }
        }
    }

    // Nodes.

    /// Bonds and delays of the node registry.
    pub async fn node_config(&self) -> Result<node_registry::ConfigResponse> {
        self.ask_nodes(node_registry::QueryMsg::Config {}).await
    }

    /// One node.
    pub async fn node(&self, node_id: u64) -> Result<node_registry::NodeResponse> {
        self.ask_nodes(node_registry::QueryMsg::Node { node_id }).await
    }

    /// All nodes.
    pub async fn nodes(&self) -> Result<Vec<node_registry::NodeResponse>> {
        let mut all: Vec<node_registry::NodeResponse> = Vec::new();
        loop {
            let start_after = all.last().map(|n| n.node_id);
            let page: node_registry::NodesResponse =
                self.ask_nodes(node_registry::QueryMsg::Nodes { start_after, limit: Some(PAGE) }).await?;
            let found = page.nodes.len();
            all.extend(page.nodes);
            if found < PAGE as usize {
                return Ok(all);
            }
        }
    }

    /// The key with which a node signed at a height (33 bytes); none before its registration.
    pub async fn node_key(&self, node_id: u64, height: u64) -> Result<Option<HexBinary>> {
        let key: node_registry::NodeKeyResponse =
            self.ask_nodes(node_registry::QueryMsg::NodeKey { node_id, height }).await?;
        Ok(key.node_key)
    }

    /// What a node asks for a model version; none when it does not offer it.
    pub async fn offer(
        &self,
        node_id: u64,
        model_id: u64,
        version: u32,
    ) -> Result<Option<node_registry::Offer>> {
        let query = node_registry::QueryMsg::Offer { node_id, model_id, version };
        let found: node_registry::OfferResponse = self.ask_nodes(query).await?;
        Ok(found.offer)
    }

    /// Nodes that offer a model version, with their offers, after `start_after`; at most 30.
    pub async fn servers(
        &self,
        model_id: u64,
        version: u32,
        start_after: Option<u64>,
    ) -> Result<Vec<(u64, node_registry::Offer)>> {
        let limit = Some(PAGE);
        let query = node_registry::QueryMsg::Servers { model_id, version, start_after, limit };
        let found: node_registry::ServersResponse = self.ask_nodes(query).await?;
        Ok(found.servers)
    }

    /// Everyone with audit weight now.
    pub async fn auditors(&self) -> Result<Vec<node_registry::Auditor>> {
        let found: node_registry::AuditorsResponse =
            self.ask_nodes(node_registry::QueryMsg::Auditors {}).await?;
        Ok(found.auditors)
    }

    /// What is known of a node's work.
    pub async fn work(&self, node_id: u64) -> Result<node_registry::WorkResponse> {
        self.ask_nodes(node_registry::QueryMsg::Work { node_id }).await
    }

    // Escrow.

    /// Windows and bounds of the escrow.
    pub async fn escrow_config(&self) -> Result<escrow::ConfigResponse> {
        self.ask_escrow(escrow::QueryMsg::Config {}).await
    }

    /// One session.
    pub async fn session(&self, session_id: u64) -> Result<escrow::SessionResponse> {
        self.ask_escrow(escrow::QueryMsg::Session { session_id }).await
    }

    /// All sessions.
    pub async fn sessions(&self) -> Result<Vec<escrow::SessionResponse>> {
        let mut all: Vec<escrow::SessionResponse> = Vec::new();
        loop {
            let start_after = all.last().map(|s| s.session_id);
            let page: escrow::SessionsResponse =
                self.ask_escrow(escrow::QueryMsg::Sessions { start_after, limit: Some(PAGE) }).await?;
            let found = page.sessions.len();
            all.extend(page.sessions);
            if found < PAGE as usize {
                return Ok(all);
            }
        }
    }

    /// The ledger of a node in a denom.
    pub async fn ledger(&self, node_id: u64, denom: &str) -> Result<escrow::LedgerResponse> {
        self.ask_escrow(escrow::QueryMsg::Ledger { node_id, denom: denom.into() }).await
    }

    /// One epoch of a node in a denom.
    pub async fn epoch(&self, node_id: u64, denom: &str, epoch: u64) -> Result<escrow::EpochResponse> {
        self.ask_escrow(escrow::QueryMsg::Epoch { node_id, denom: denom.into(), epoch }).await
    }

    /// The root of a node that is not final; none when all are.
    pub async fn pending(&self, node_id: u64) -> Result<Option<escrow::EpochResponse>> {
        let pending: escrow::PendingResponse = self.ask_escrow(escrow::QueryMsg::Pending { node_id }).await?;
        Ok(pending.epoch)
    }

    /// What the escrow states of a session and one of its nodes, for proofs of faults.
    pub async fn facts(
        &self,
        session_id: u64,
        node_id: u64,
    ) -> Result<openledger_types::faults::SessionFacts> {
        self.ask_escrow(escrow::QueryMsg::Facts { session_id, node_id }).await
    }

    /// Answer uses of a contribution that final ledgers proved.
    pub async fn usage(&self, contribution_id: u64) -> Result<escrow::UsageResponse> {
        self.ask_escrow(escrow::QueryMsg::Usage { contribution_id, contributor: None }).await
    }

    /// Answer uses that claims of a contributor brought.
    pub async fn usage_of(&self, contributor: &str) -> Result<escrow::UsageResponse> {
        let contributor = Some(contributor.to_string());
        self.ask_escrow(escrow::QueryMsg::Usage { contribution_id: 0, contributor }).await
    }

    /// What an account has been credited from one ledger, in base units.
    pub async fn claimed(&self, node_id: u64, denom: &str, account: Account) -> Result<u128> {
        let query = escrow::QueryMsg::Claimed { node_id, denom: denom.into(), account };
        let claimed: escrow::ClaimedResponse = self.ask_escrow(query).await?;
        Ok(claimed.amount.u128())
    }

    /// What an address can withdraw from the escrow, one entry a denom.
    pub async fn withdrawable(&self, address: &str) -> Result<escrow::BalanceResponse> {
        self.ask_escrow(escrow::QueryMsg::Balance { address: address.into() }).await
    }

    // Referee.

    /// Windows, bonds and cuts of the referee.
    pub async fn referee_config(&self) -> Result<referee::ConfigResponse> {
        self.ask_referee(referee::QueryMsg::Config {}).await
    }

    /// Attestations of a root.
    pub async fn attestation(
        &self,
        node_id: u64,
        denom: &str,
        epoch: u64,
    ) -> Result<referee::AttestationResponse> {
        self.ask_referee(referee::QueryMsg::Attestation { node_id, denom: denom.into(), epoch }).await
    }

    /// Where an auditor stands.
    pub async fn auditor(&self, auditor: u64) -> Result<referee::AuditorResponse> {
        self.ask_referee(referee::QueryMsg::Auditor { auditor }).await
    }

    /// All audit weight that may attest a node's roots now.
    pub async fn eligible_weight(&self, node_id: u64) -> Result<u128> {
        let query = referee::QueryMsg::EligibleWeightFor { node_id };
        let found: referee::EligibleWeightResponse = self.ask_referee(query).await?;
        Ok(found.weight.u128())
    }

    /// What an auditor committed for a period.
    pub async fn seed(&self, auditor: u64, period: u64) -> Result<referee::SeedResponse> {
        self.ask_referee(referee::QueryMsg::Seed { auditor, period }).await
    }

    /// Demands after a number, at most 30.
    pub async fn demands(&self, start_after: Option<u64>) -> Result<Vec<referee::DemandResponse>> {
        let query = referee::QueryMsg::Demands { start_after, limit: Some(PAGE) };
        let page: referee::DemandsResponse = self.ask_referee(query).await?;
        Ok(page.demands)
    }

    /// One case.
    pub async fn case(&self, case_id: u64) -> Result<referee::CaseResponse> {
        self.ask_referee(referee::QueryMsg::Case { case_id }).await
    }

    /// Cases after a number, in order, at most 30; none after the last.
    pub async fn cases_after(&self, start_after: Option<u64>) -> Result<Vec<referee::CaseResponse>> {
        let query = referee::QueryMsg::Cases { start_after, limit: Some(PAGE) };
        let page: referee::CasesResponse = self.ask_referee(query).await?;
        Ok(page.cases)
    }

    /// All cases.
    pub async fn cases(&self) -> Result<Vec<referee::CaseResponse>> {
        let mut all: Vec<referee::CaseResponse> = Vec::new();
        loop {
            let page = self.cases_after(all.last().map(|case| case.case_id)).await?;
            let found = page.len();
            all.extend(page);
            if found < PAGE as usize {
                return Ok(all);
            }
        }
    }

    /// One demand.
    pub async fn demand(&self, demand_id: u64) -> Result<referee::DemandResponse> {
        self.ask_referee(referee::QueryMsg::Demand { demand_id }).await
    }

    // The gateway.

    /// Address of the gateway; an `Input` error where the deployment has none.
    pub fn gateway(&self) -> Result<&str> {
        self.contracts.ibc_gateway.as_deref().ok_or_else(|| Error::Input {
            what: "deployment file",
            reason: "names no ibc_gateway: this deployment pays out on its own chain only".into(),
        })
    }

    /// All routes to other chains.
    pub async fn routes(&self) -> Result<Vec<gateway::Route>> {
        let mut all: Vec<gateway::Route> = Vec::new();
        loop {
            let start_after = all.last().map(|route| route.name.clone());
            let query = gateway::QueryMsg::Routes { start_after, limit: Some(PAGE) };
            let page: gateway::RoutesResponse = self.ask_gateway(query).await?;
            let found = page.routes.len();
            all.extend(page.routes);
            if found < PAGE as usize {
                return Ok(all);
            }
        }
    }

    /// Preference and money of an account at the gateway.
    pub async fn gateway_account(&self, address: &str) -> Result<gateway::AccountResponse> {
        self.ask_gateway(gateway::QueryMsg::Account { address: address.into() }).await
    }

    /// Payouts after a number, at most 30.
    pub async fn payouts(
        &self,
        filter: Option<gateway::PayoutFilter>,
        start_after: Option<u64>,
    ) -> Result<Vec<gateway::PayoutResponse>> {
        let query = gateway::QueryMsg::Payouts { filter, start_after, limit: Some(PAGE) };
        let page: gateway::PayoutsResponse = self.ask_gateway(query).await?;
        Ok(page.payouts)
    }

    // Storage.

    /// Address of the storage contract; an `Input` error where the deployment has none.
    pub fn storage(&self) -> Result<&str> {
        self.contracts.storage.as_deref().ok_or_else(|| Error::Input {
            what: "deployment file",
            reason: "names no storage contract: blobs of this deployment stay where they were uploaded"
                .into(),
        })
    }

    /// Asks the storage contract.
    pub async fn ask_storage<R: serde::de::DeserializeOwned>(&self, query: storage::QueryMsg) -> Result<R> {
        self.chain.query_smart(self.storage()?, &query).await
    }

    /// All objects.
    pub async fn objects(&self) -> Result<Vec<storage::ObjectResponse>> {
        let mut all: Vec<storage::ObjectResponse> = Vec::new();
        loop {
            let start_after = all.last().map(|object| object.object_id);
            let query = storage::QueryMsg::Objects { start_after, limit: Some(PAGE) };
            let page: storage::ObjectsResponse = self.ask_storage(query).await?;
            let found = page.objects.len();
            all.extend(page.objects);
            if found < PAGE as usize {
                return Ok(all);
            }
        }
    }

    /// All nodes that offered space.
    pub async fn storers(&self) -> Result<Vec<storage::StorerResponse>> {
        let mut all: Vec<storage::StorerResponse> = Vec::new();
        loop {
            let start_after = all.last().map(|storer| storer.node_id);
            let query = storage::QueryMsg::Storers { start_after, limit: Some(PAGE) };
            let page: storage::StorersResponse = self.ask_storage(query).await?;
            let found = page.storers.len();
            all.extend(page.storers);
            if found < PAGE as usize {
                return Ok(all);
            }
        }
    }

    /// All positions of a node that offered space.
    pub async fn holdings(&self, node_id: u64) -> Result<Vec<storage::HoldingResponse>> {
        let mut all: Vec<storage::HoldingResponse> = Vec::new();
        loop {
            let start_after = all.last().map(|holding| holding.position);
            let query = storage::QueryMsg::Holdings { node_id, start_after, limit: Some(PAGE) };
            let page: storage::HoldingsResponse = self.ask_storage(query).await?;
            let found = page.holdings.len();
            all.extend(page.holdings);
            if found < PAGE as usize {
                return Ok(all);
            }
        }
    }

    // Disputes.

    /// Address of the arbiter. Errors: `Input` when the deployment has none.
    pub fn arbiter(&self) -> Result<&str> {
        self.contracts.arbiter.as_deref().ok_or_else(|| Error::Input {
            what: "deployment file",
            reason: "names no arbiter: cases of this deployment are decided by votes only".into(),
        })
    }

    /// The dispute about a case.
    pub async fn dispute(&self, case_id: u64) -> Result<arbiter::DisputeResponse> {
        self.ask_arbiter(arbiter::QueryMsg::Dispute { case_id }).await
    }

    /// Disputes about cases after a number, at most 30, those that ended too.
    pub async fn disputes(&self, start_after: Option<u64>) -> Result<Vec<arbiter::DisputeResponse>> {
        let query = arbiter::QueryMsg::Disputes { start_after, limit: Some(PAGE) };
        let page: arbiter::DisputesResponse = self.ask_arbiter(query).await?;
        Ok(page.disputes)
    }

    async fn ask_arbiter<R: serde::de::DeserializeOwned>(&self, query: arbiter::QueryMsg) -> Result<R> {
        self.chain.query_smart(self.arbiter()?, &query).await
    }

    // All of them.

    /// The conservation equations of the contracts that hold coins: (name, answer).
    pub async fn invariants(&self) -> Result<Vec<(&'static str, InvariantsResponse)>> {
        let mut all = vec![
            ("datanet", self.ask_datanet(datanet::QueryMsg::Invariants {}).await?),
            ("node_registry", self.ask_nodes(node_registry::QueryMsg::Invariants {}).await?),
            ("payable_escrow", self.ask_escrow(escrow::QueryMsg::Invariants {}).await?),
            ("referee", self.ask_referee(referee::QueryMsg::Invariants {}).await?),
        ];
        if self.contracts.ibc_gateway.is_some() {
            all.push(("ibc_gateway", self.ask_gateway(gateway::QueryMsg::Invariants {}).await?));
        }
        if self.contracts.storage.is_some() {
            all.push(("storage", self.ask_storage(storage::QueryMsg::Invariants {}).await?));
        }
        if self.contracts.arbiter.is_some() {
            all.push(("arbiter", self.ask_arbiter(arbiter::QueryMsg::Invariants {}).await?));
        }
        Ok(all)
    }

    /// The owners of the contracts: (name, answer).
    pub async fn owners(&self) -> Result<Vec<(&'static str, OwnershipResponse)>> {
        let mut all = vec![
            ("datanet", self.ask_datanet(datanet::QueryMsg::Ownership {}).await?),
            ("model_registry", self.ask_models(model_registry::QueryMsg::Ownership {}).await?),
            ("node_registry", self.ask_nodes(node_registry::QueryMsg::Ownership {}).await?),
            ("payable_escrow", self.ask_escrow(escrow::QueryMsg::Ownership {}).await?),
            ("referee", self.ask_referee(referee::QueryMsg::Ownership {}).await?),
        ];
        if self.contracts.ibc_gateway.is_some() {
            all.push(("ibc_gateway", self.ask_gateway(gateway::QueryMsg::Ownership {}).await?));
        }
        if self.contracts.storage.is_some() {
            all.push(("storage", self.ask_storage(storage::QueryMsg::Ownership {}).await?));
        }
        if self.contracts.arbiter.is_some() {
            all.push(("arbiter", self.ask_arbiter(arbiter::QueryMsg::Ownership {}).await?));
        }
        Ok(all)
    }

    async fn ask_datanet<R: serde::de::DeserializeOwned>(&self, query: datanet::QueryMsg) -> Result<R> {
        self.chain.query_smart(&self.contracts.datanet, &query).await
    }

    async fn ask_models<R: serde::de::DeserializeOwned>(&self, query: model_registry::QueryMsg) -> Result<R> {
        self.chain.query_smart(&self.contracts.model_registry, &query).await
    }

    async fn ask_nodes<R: serde::de::DeserializeOwned>(&self, query: node_registry::QueryMsg) -> Result<R> {
        self.chain.query_smart(&self.contracts.node_registry, &query).await
    }

    async fn ask_escrow<R: serde::de::DeserializeOwned>(&self, query: escrow::QueryMsg) -> Result<R> {
        self.chain.query_smart(&self.contracts.payable_escrow, &query).await
    }

    async fn ask_referee<R: serde::de::DeserializeOwned>(&self, query: referee::QueryMsg) -> Result<R> {
        self.chain.query_smart(&self.contracts.referee, &query).await
    }

    async fn ask_gateway<R: serde::de::DeserializeOwned>(&self, query: gateway::QueryMsg) -> Result<R> {
        self.chain.query_smart(self.gateway()?, &query).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_from_both_forms_of_file() {
        let addresses =
            r#"{"datanet":"a","model_registry":"b","node_registry":"c","payable_escrow":"d","referee":"e"}"#;
        let top = Contracts::from_json(addresses).unwrap();
        let below =
            Contracts::from_json(&format!(r#"{{"chain_id":"x-1","contracts":{addresses}}}"#)).unwrap();
        assert_eq!(top, below);
        assert_eq!(top.payable_escrow, "d");
        assert_eq!(top.ibc_gateway, None);
        for bad in ["", "{}", "[]", r#"{"contracts":{}}"#, r#"{"contracts":3}"#] {
            assert!(matches!(Contracts::from_json(bad), Err(Error::Input { .. })), "{bad}");
        }
    }
}

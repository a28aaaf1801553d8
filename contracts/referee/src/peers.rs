//! What the referee asks other contracts and tells them.

use cosmwasm_std::{wasm_execute, QuerierWrapper, StdResult, Uint128, WasmMsg};
use openledger_contract::CommonError;
use openledger_types::msg::datanet::{self, ContributionResponse, ContributionsResponse};
use openledger_types::msg::escrow::{self, EpochResponse};
use openledger_types::msg::node_registry::{
    self, AuditWeightResponse, Auditor, AuditorsResponse, NodeResponse, RecordedWork,
};

use crate::state::Contracts;
use crate::ContractError;

impl Contracts {
    /// An epoch as the escrow knows it.
    pub fn epoch(
        &self,
        querier: &QuerierWrapper,
        node_id: u64,
        denom: &str,
        epoch: u64,
    ) -> Result<EpochResponse, ContractError> {
        let msg = escrow::QueryMsg::Epoch { node_id, denom: denom.to_string(), epoch };
        querier.query_wasm_smart(&self.escrow, &msg).map_err(|_| ContractError::RootNotFound {
            node_id,
            denom: denom.to_string(),
            epoch,
        })
    }

    /// A node as the registry knows it.
    pub fn node(&self, querier: &QuerierWrapper, node_id: u64) -> Result<NodeResponse, ContractError> {
        querier
            .query_wasm_smart(&self.node_registry, &node_registry::QueryMsg::Node { node_id })
            .map_err(|_| ContractError::NodeNotFound { node_id })
    }

    /// The auditor's node, refusing everyone but its operator and its hot key.
    pub fn auditor_of(
        &self,
        querier: &QuerierWrapper,
        auditor: u64,
        sender: &str,
    ) -> Result<NodeResponse, ContractError> {
        let node = self.node(querier, auditor)?;
        match node.operator == sender || node.hot_addr.as_deref() == Some(sender) {
            true => Ok(node),
            false => Err(CommonError::Unauthorized { role: "the auditor's operator or hot address" }.into()),
        }
    }

    /// Everyone with audit weight now.
    pub fn auditors(&self, querier: &QuerierWrapper) -> StdResult<Vec<Auditor>> {
        let answer: AuditorsResponse =
            querier.query_wasm_smart(&self.node_registry, &node_registry::QueryMsg::Auditors {})?;
        Ok(answer.auditors)
    }

    /// Audit weight of a node now.
    pub fn audit_weight(&self, querier: &QuerierWrapper, node_id: u64) -> StdResult<Uint128> {
        let msg = node_registry::QueryMsg::AuditWeight { node_id };
        let answer: AuditWeightResponse = querier.query_wasm_smart(&self.node_registry, &msg)?;
        Ok(answer.weight)
    }

    /// A contribution as the datanet contract knows it.
    pub fn contribution(
        &self,
        querier: &QuerierWrapper,
        contribution_id: u64,
    ) -> Result<ContributionResponse, ContractError> {
        querier
            .query_wasm_smart(&self.datanet, &datanet::QueryMsg::Contribution { contribution_id })
            .map_err(|_| ContractError::ContributionNotFound { contribution_id })
    }

    /// A contribution of one datanet; none when it has no such contribution.
    pub fn contribution_in(
        &self,
        querier: &QuerierWrapper,
        datanet_id: u64,
        contribution_id: u64,
    ) -> StdResult<Option<ContributionResponse>> {
        let start_after = contribution_id.checked_sub(1);
        let msg = datanet::QueryMsg::Contributions { datanet_id, start_after, limit: Some(1) };
        let answer: ContributionsResponse = querier.query_wasm_smart(&self.datanet, &msg)?;
        Ok(answer.contributions.into_iter().find(|found| found.facts.contribution_id == contribution_id))
    }

    /// Blocks after a withdrawal in which a contribution may be cited.
    pub fn withdrawal_grace(&self, querier: &QuerierWrapper) -> StdResult<u64> {
        let answer: datanet::ConfigResponse =
            querier.query_wasm_smart(&self.datanet, &datanet::QueryMsg::Config {})?;
        Ok(answer.params.withdrawal_grace)
    }

    /// A message to the escrow.
    pub fn tell_escrow(&self, msg: &escrow::ExecuteMsg) -> StdResult<WasmMsg> {
        wasm_execute(&self.escrow, msg, vec![])
    }

    /// A message to the node registry.
    pub fn tell_nodes(&self, msg: &node_registry::ExecuteMsg) -> StdResult<WasmMsg> {
        wasm_execute(&self.node_registry, msg, vec![])
    }

    /// A message to the datanet contract.
    pub fn tell_datanet(&self, msg: &datanet::ExecuteMsg) -> StdResult<WasmMsg> {
        wasm_execute(&self.datanet, msg, vec![])
    }

    /// Adds to the record of a node's work.
    pub fn record(&self, node_id: u64, work: RecordedWork) -> StdResult<WasmMsg> {
        self.tell_nodes(&node_registry::ExecuteMsg::RecordWork { node_id, work })
    }

    /// Cuts a bond at once.
    pub fn slash(&self, node_id: u64, bps: u16, finder: &str, reason: &str) -> StdResult<WasmMsg> {
        let (finder, reason) = (Some(finder.to_string()), reason.to_string());
        self.tell_nodes(&node_registry::ExecuteMsg::Slash { node_id, bps, finder, reason })
    }
}

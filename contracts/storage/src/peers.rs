//! What the contract asks other contracts and tells them.

use cosmwasm_std::{wasm_execute, QuerierWrapper, StdResult, WasmMsg};
use openledger_contract::CommonError;
use openledger_types::msg::datanet::{
    self, ContributionResponse, ContributionStatus, ContributionsResponse, DatanetResponse,
};
use openledger_types::msg::node_registry::{self, NodeResponse, NodeStatus, RecordedWork, Role};

use crate::error::{ContractError, ContractResult};
use crate::state::Contracts;

impl Contracts {
    /// A datanet.
    pub fn datanet(&self, querier: &QuerierWrapper, datanet_id: u64) -> ContractResult<DatanetResponse> {
        querier
            .query_wasm_smart(&self.datanet, &datanet::QueryMsg::Datanet { datanet_id })
            .map_err(|_| ContractError::NotFound { what: "datanet", id: datanet_id })
    }

    /// A contribution.
    pub fn contribution(
        &self,
        querier: &QuerierWrapper,
        contribution_id: u64,
    ) -> ContractResult<ContributionResponse> {
        querier
            .query_wasm_smart(&self.datanet, &datanet::QueryMsg::Contribution { contribution_id })
            .map_err(|_| ContractError::NotFound { what: "contribution", id: contribution_id })
    }

    /// Contributions of a datanet from `first` on, at most `limit`.
    pub fn contributions(
        &self,
        querier: &QuerierWrapper,
        datanet_id: u64,
        first: u64,
        limit: u32,
    ) -> ContractResult<Vec<ContributionResponse>> {
        let (start_after, limit) = (first.checked_sub(1), Some(limit));
        let msg = datanet::QueryMsg::Contributions { datanet_id, start_after, limit };
        let answer: ContributionsResponse = querier.query_wasm_smart(&self.datanet, &msg)?;
        Ok(answer.contributions)
    }

    /// A node as the registry knows it.
    pub fn node(&self, querier: &QuerierWrapper, node_id: u64) -> ContractResult<NodeResponse> {
        querier
            .query_wasm_smart(&self.node_registry, &node_registry::QueryMsg::Node { node_id })
            .map_err(|_| ContractError::NotFound { what: "node", id: node_id })
    }

    /// A node that may store, refusing every sender but its operator and its hot key.
    pub fn storing_node(
        &self,
        querier: &QuerierWrapper,
        node_id: u64,
        sender: &str,
    ) -> ContractResult<NodeResponse> {
        let node = self.node(querier, node_id)?;
        run_by(&node, sender)?;
        if !may_store(&node) {
            let why = "the registry does not list it as bonded, with the role of storage";
            return Err(ContractError::Ineligible { node_id, why });
        }
        if node.jailed_until.is_some() {
            return Err(ContractError::Ineligible { node_id, why: "it is in jail" });
        }
        Ok(node)
    }

    /// A message to the node registry.
    fn tell_nodes(&self, msg: &node_registry::ExecuteMsg) -> StdResult<WasmMsg> {
        wasm_execute(&self.node_registry, msg, vec![])
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

/// Refuses every sender but the node's operator and its hot key.
pub fn run_by(node: &NodeResponse, sender: &str) -> Result<(), CommonError> {
    match node.operator == sender || node.hot_addr.as_deref() == Some(sender) {
        true => Ok(()),
        false => Err(CommonError::Unauthorized { role: "the node's operator or hot address" }),
    }
}

/// Whether the registry lists the node as one that keeps blobs.
pub fn may_store(node: &NodeResponse) -> bool {
    node.status == NodeStatus::Bonded && node.roles.contains(&Role::Storage)
}

/// Whether a contribution's blob is to be kept.
pub fn is_kept(contribution: &ContributionResponse) -> bool {
    contribution.withdrawn_at.is_none()
        && match contribution.status {
            ContributionStatus::Accepted | ContributionStatus::Sealed => true,
            ContributionStatus::Proposed
            | ContributionStatus::Challenged
            | ContributionStatus::Rejected
            | ContributionStatus::Withdrawn
            | ContributionStatus::Duplicate => false,
        }
}

/// Whether a contribution's blob is not to be kept any more. A challenge that is open decides nothing.
pub fn is_dropped(contribution: &ContributionResponse) -> bool {
    contribution.withdrawn_at.is_some()
        || match contribution.status {
            ContributionStatus::Rejected | ContributionStatus::Withdrawn | ContributionStatus::Duplicate => {
                true
            }
            ContributionStatus::Proposed
            | ContributionStatus::Challenged
            | ContributionStatus::Accepted
            | ContributionStatus::Sealed => false,
        }
}

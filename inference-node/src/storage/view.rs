//! The contracts as keepers see them.

use openledger_types::msg::datanet::ContributionResponse;
use openledger_types::msg::node_registry::NodeResponse;
use openledger_types::msg::storage::{
    AccountResponse, ChallengeResponse, ConfigResponse, DrawResponse, ExecuteMsg, HoldingResponse,
    ObjectResponse, QueryMsg, StorerResponse,
};

use crate::corpus::{chain_fault, Answer};
use crate::serve::{optional, ClientChain, Posting};

/// What keeping asks of the chain and sends to it. What does not exist is none; every error means that the
/// chain could not be asked.
pub trait StorageView: Send + Sync {
    /// Height of the newest block.
    fn tip(&self) -> Answer<'_, u64>;
    /// All nodes of the registry.
    fn registered(&self) -> Answer<'_, Vec<NodeResponse>>;
    /// Windows, samples and cuts.
    fn storage_config(&self) -> Answer<'_, ConfigResponse>;
    /// All objects.
    fn objects(&self) -> Answer<'_, Vec<ObjectResponse>>;
    /// All nodes that offered space.
    fn storers(&self) -> Answer<'_, Vec<StorerResponse>>;
    /// What a node keeps.
    fn holdings(&self, node_id: u64) -> Answer<'_, Vec<HoldingResponse>>;
    /// The newest draw.
    fn draw(&self) -> Answer<'_, DrawResponse>;
    /// What it asks of a node; none when the node never offered space.
    fn challenge(&self, node_id: u64) -> Answer<'_, Option<ChallengeResponse>>;
    /// A datanet's deposit.
    fn account(&self, datanet_id: u64) -> Answer<'_, AccountResponse>;
    /// A contribution.
    fn contribution_of(&self, contribution_id: u64) -> Answer<'_, Option<ContributionResponse>>;
    /// Sends a message to the storage contract.
    fn say<'a>(&'a self, msg: &'a ExecuteMsg) -> Answer<'a, Posting>;
}

impl StorageView for ClientChain {
    fn tip(&self) -> Answer<'_, u64> {
        Box::pin(async move { self.reader().chain().latest_height().await.map_err(chain_fault) })
    }

    fn registered(&self) -> Answer<'_, Vec<NodeResponse>> {
        Box::pin(async move { self.reader().nodes().await.map_err(chain_fault) })
    }

    fn storage_config(&self) -> Answer<'_, ConfigResponse> {
        Box::pin(async move { self.reader().ask_storage(QueryMsg::Config {}).await.map_err(chain_fault) })
    }

    fn objects(&self) -> Answer<'_, Vec<ObjectResponse>> {
        Box::pin(async move { self.reader().objects().await.map_err(chain_fault) })
    }

    fn storers(&self) -> Answer<'_, Vec<StorerResponse>> {
        Box::pin(async move { self.reader().storers().await.map_err(chain_fault) })
    }

    fn holdings(&self, node_id: u64) -> Answer<'_, Vec<HoldingResponse>> {
        Box::pin(async move { self.reader().holdings(node_id).await.map_err(chain_fault) })
    }

    fn draw(&self) -> Answer<'_, DrawResponse> {
        Box::pin(async move { self.reader().ask_storage(QueryMsg::Draw {}).await.map_err(chain_fault) })
    }

    fn challenge(&self, node_id: u64) -> Answer<'_, Option<ChallengeResponse>> {
        Box::pin(async move { optional(self.reader().ask_storage(QueryMsg::Challenge { node_id }).await) })
    }

    fn account(&self, datanet_id: u64) -> Answer<'_, AccountResponse> {
        Box::pin(async move {
            self.reader().ask_storage(QueryMsg::Account { datanet_id }).await.map_err(chain_fault)
        })
    }

    fn contribution_of(&self, contribution_id: u64) -> Answer<'_, Option<ContributionResponse>> {
        Box::pin(async move { optional(self.reader().contribution(contribution_id).await) })
    }

    fn say<'a>(&'a self, msg: &'a ExecuteMsg) -> Answer<'a, Posting> {
        Box::pin(async move {
            let storage = self.reader().storage().map_err(chain_fault)?.to_string();
            Ok(self.send_to(&storage, msg, &[]).await)
        })
    }
}

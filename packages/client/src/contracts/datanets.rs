//! Questions to the datanet contract.

use cosmwasm_std::HexBinary;
use openledger_merkle::Hash;
use openledger_types::formats::ContributionFacts;
use openledger_types::msg::datanet;

use super::{Reader, PAGE};
use crate::error::{Error, Result};

/// Leaves asked for at once: the most that the contract gives.
const LEAVES_PAGE: u32 = 100;

impl Reader {
    /// Windows and bonds of the datanet contract.
    pub async fn datanet_config(&self) -> Result<datanet::ConfigResponse> {
        self.ask_datanet(datanet::QueryMsg::Config {}).await
    }

    /// One datanet.
    pub async fn datanet(&self, datanet_id: u64) -> Result<datanet::DatanetResponse> {
        self.ask_datanet(datanet::QueryMsg::Datanet { datanet_id }).await
    }

    /// All datanets.
    pub async fn datanets(&self) -> Result<Vec<datanet::DatanetResponse>> {
        let mut all: Vec<datanet::DatanetResponse> = Vec::new();
        loop {
            let start_after = all.last().map(|d| d.datanet_id);
            let page: datanet::DatanetsResponse =
                self.ask_datanet(datanet::QueryMsg::Datanets { start_after, limit: Some(PAGE) }).await?;
            let found = page.datanets.len();
            all.extend(page.datanets);
            if found < PAGE as usize {
                return Ok(all);
            }
        }
    }

    /// One commit.
    pub async fn commit(&self, commit_id: u64) -> Result<datanet::CommitResponse> {
        self.ask_datanet(datanet::QueryMsg::Commit { commit_id }).await
    }

    /// One contribution.
    pub async fn contribution(&self, contribution_id: u64) -> Result<datanet::ContributionResponse> {
        self.ask_datanet(datanet::QueryMsg::Contribution { contribution_id }).await
    }

    /// All contributions of a datanet.
    pub async fn contributions(&self, datanet_id: u64) -> Result<Vec<datanet::ContributionResponse>> {
        let mut all: Vec<datanet::ContributionResponse> = Vec::new();
        loop {
            let start_after = all.last().map(|c| c.facts.contribution_id);
            let query = datanet::QueryMsg::Contributions { datanet_id, start_after, limit: Some(PAGE) };
            let page: datanet::ContributionsResponse = self.ask_datanet(query).await?;
            let found = page.contributions.len();
            all.extend(page.contributions);
            if found < PAGE as usize {
                return Ok(all);
            }
        }
    }

    /// The contribution that holds a match text, on any datanet; none when the text is new.
    pub async fn by_match_hash(&self, match_hash: &Hash) -> Result<Option<u64>> {
        let match_hash = HexBinary::from(match_hash);
        let found: datanet::MatchResponse =
            self.ask_datanet(datanet::QueryMsg::ByMatchHash { match_hash }).await?;
        Ok(found.contribution_id)
    }

    /// One sealed version.
    pub async fn version(&self, datanet_id: u64, version: u32) -> Result<datanet::VersionResponse> {
        self.ask_datanet(datanet::QueryMsg::Version { datanet_id, version }).await
    }

    /// The first `size` leaves of a datanet's version tree, in order: all of a version when `size` is
    /// its size. Errors: `Malformed` when the contract gives fewer.
    pub async fn leaves(&self, datanet_id: u64, size: u64) -> Result<Vec<ContributionFacts>> {
        let mut all: Vec<ContributionFacts> = Vec::new();
        loop {
            let start = all.len() as u64;
            if start >= size {
                return Ok(all);
            }
            let limit = u32::try_from(size - start).unwrap_or(LEAVES_PAGE).min(LEAVES_PAGE);
            let query = datanet::QueryMsg::Leaves { datanet_id, start, limit: Some(limit) };
            let page: datanet::LeavesResponse = self.ask_datanet(query).await?;
            if page.leaves.is_empty() || page.leaves.len() as u64 > size - start {
                return Err(Error::Malformed {
                    what: format!("leaves of datanet {datanet_id}"),
                    reason: format!("{} at position {start} of {size}", page.leaves.len()),
                });
            }
            all.extend(page.leaves);
        }
    }

    /// The datanet's key wrapped for a node; none without a grant.
    pub async fn key_grant(&self, datanet_id: u64, node_id: u64) -> Result<Option<HexBinary>> {
        let grant: datanet::KeyGrantResponse =
            self.ask_datanet(datanet::QueryMsg::KeyGrant { datanet_id, node_id }).await?;
        Ok(grant.wrapped)
    }

    /// Nodes that were given a key of a datanet, by number.
    pub async fn key_grants(&self, datanet_id: u64) -> Result<Vec<datanet::KeyGrant>> {
        let mut all: Vec<datanet::KeyGrant> = Vec::new();
        loop {
            let start_after = all.last().map(|grant| grant.node_id);
            let query = datanet::QueryMsg::KeyGrants { datanet_id, start_after, limit: Some(PAGE) };
            let page: datanet::KeyGrantsResponse = self.ask_datanet(query).await?;
            let found = page.grants.len();
            all.extend(page.grants);
            if found < PAGE as usize {
                return Ok(all);
            }
        }
    }

    /// Developers with access to a datanet, by address.
    pub async fn accesses(&self, datanet_id: u64) -> Result<Vec<datanet::DeveloperAccess>> {
        let mut all: Vec<datanet::DeveloperAccess> = Vec::new();
        loop {
            let start_after = all.last().map(|entry| entry.developer.clone());
            let query = datanet::QueryMsg::Accesses { datanet_id, start_after, limit: Some(PAGE) };
            let page: datanet::AccessesResponse = self.ask_datanet(query).await?;
            let found = page.accesses.len();
            all.extend(page.accesses);
            if found < PAGE as usize {
                return Ok(all);
            }
        }
    }

    /// Keys of a datanet that are not in force any more, the oldest first.
    pub async fn past_keys(&self, datanet_id: u64) -> Result<Vec<datanet::PastKey>> {
        let mut all: Vec<datanet::PastKey> = Vec::new();
        loop {
            let start_after = all.last().map(|past| past.key);
            let query = datanet::QueryMsg::PastKeys { datanet_id, start_after, limit: Some(PAGE) };
            let page: datanet::PastKeysResponse = self.ask_datanet(query).await?;
            let found = page.keys.len();
            all.extend(page.keys);
            if found < PAGE as usize {
                return Ok(all);
            }
        }
    }

    /// Bonds that an address can withdraw, in base units.
    pub async fn bonds(&self, address: &str) -> Result<u128> {
        let bonds: datanet::BondsResponse =
            self.ask_datanet(datanet::QueryMsg::Bonds { address: address.into() }).await?;
        Ok(bonds.withdrawable.u128())
    }

    /// The log of a datanet's withdrawals from a position on, at most 100.
    pub async fn withdrawals(&self, datanet_id: u64, start: u64) -> Result<Vec<datanet::Withdrawal>> {
        let query = datanet::QueryMsg::Withdrawals { datanet_id, start, limit: Some(LEAVES_PAGE) };
        let page: datanet::WithdrawalsResponse = self.ask_datanet(query).await?;
        Ok(page.withdrawals)
    }

    /// How many of a version's contributions are gone.
    pub async fn version_health(
        &self,
        datanet_id: u64,
        version: u32,
    ) -> Result<datanet::VersionHealthResponse> {
        self.ask_datanet(datanet::QueryMsg::VersionHealth { datanet_id, version }).await
    }

    /// Curators' votes on a contribution that waits.
    pub async fn curation(&self, contribution_id: u64) -> Result<datanet::CurationResponse> {
        self.ask_datanet(datanet::QueryMsg::Curation { contribution_id }).await
    }

    /// A developer's access to a datanet; none when nothing was bought.
    pub async fn access(&self, datanet_id: u64, developer: &str) -> Result<Option<datanet::Access>> {
        let query = datanet::QueryMsg::Access { datanet_id, developer: developer.into() };
        let found: datanet::AccessResponse = self.ask_datanet(query).await?;
        Ok(found.access)
    }

    /// One bounty.
    pub async fn bounty(&self, bounty_id: u64) -> Result<datanet::BountyResponse> {
        self.ask_datanet(datanet::QueryMsg::Bounty { bounty_id }).await
    }

    /// All bounties of a datanet.
    pub async fn bounties(&self, datanet_id: u64) -> Result<Vec<datanet::BountyResponse>> {
        let mut all: Vec<datanet::BountyResponse> = Vec::new();
        loop {
            let start_after = all.last().map(|b| b.bounty_id);
            let query = datanet::QueryMsg::Bounties { datanet_id, start_after, limit: Some(PAGE) };
            let page: datanet::BountiesResponse = self.ask_datanet(query).await?;
            let found = page.bounties.len();
            all.extend(page.bounties);
            if found < PAGE as usize {
                return Ok(all);
            }
        }
    }
}

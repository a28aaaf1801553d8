//! The datanet contract in few words.

use cosmwasm_std::{Addr, Uint128};
use cw_multi_test::AppResponse;
use openledger_types::formats::VersionRef;
use openledger_types::msg::datanet::{
    CommitResponse, ContributionResponse, ContributionStatus, DatanetResponse, ExecuteMsg, QueryMsg,
    RevealItem, VersionResponse, Visibility,
};

use crate::world::{attribute, attributes};
use crate::{Batch, Document, Refused, Result, World};

/// A valid age recipient: the example of the age specification.
pub const RECIPIENT: &str = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";

/// Its identity.
pub const IDENTITY: &str = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";

/// A public datanet that asks 30 % of every fee and 50 base units an answer token.
pub fn datanet_msg(name: &str) -> ExecuteMsg {
    ExecuteMsg::CreateDatanet {
        name: name.into(),
        description: "Generated texts".into(),
        visibility: Visibility::Public,
        license: "CC-BY-4.0".into(),
        recipient: RECIPIENT.into(),
        public_identity: Some(IDENTITY.into()),
        min_data_bps: 3_000,
        floor_per_token: Uint128::new(50),
        policy: None,
        uses: None,
        training_price: None,
    }
}

impl World {
    /// Makes a public datanet.
    pub fn create_datanet(&mut self, owner: &Addr) -> Result<u64> {
        self.create_datanet_with(owner, &datanet_msg("texts"))
    }

    /// Makes a datanet of these words.
    pub fn create_datanet_with(&mut self, owner: &Addr, msg: &ExecuteMsg) -> Result<u64> {
        let datanet = self.datanet.clone();
        let done = self.execute(owner, &datanet, msg, &[])?;
        number(attribute(&done, "datanet_created", "datanet_id"))
    }

    /// Commits to a batch, with its bond.
    pub fn commit(&mut self, owner: &Addr, datanet_id: u64, batch: &Batch) -> Result<u64> {
        let bond = self.profile.datanet.commit_bond.u128() * u128::from(batch.count());
        let msg = ExecuteMsg::Commit { datanet_id, root: batch.root(), count: batch.count() };
        let (datanet, funds) = (self.datanet.clone(), self.coins(bond));
        let done = self.execute(owner, &datanet, &msg, &funds)?;
        number(attribute(&done, "commit_opened", "commit_id"))
    }

    /// Opens leaves of a commit; returns the new contributions.
    pub fn reveal(&mut self, owner: &Addr, commit_id: u64, items: Vec<RevealItem>) -> Result<Vec<u64>> {
        let datanet = self.datanet.clone();
        let done =
            self.execute(owner, &datanet, &ExecuteMsg::Reveal { commit_id, items: items.into() }, &[])?;
        attributes(&done, "contribution_revealed", "contribution_id")
            .into_iter()
            .map(|id| number(Some(id)))
            .collect()
    }

    /// Commits to documents and opens them all, in messages of at most 64.
    pub fn contribute(
        &mut self,
        owner: &Addr,
        datanet_id: u64,
        documents: Vec<Document>,
    ) -> Result<Vec<u64>> {
        let batch = Batch::new(owner, documents);
        let commit_id = self.commit(owner, datanet_id, &batch)?;
        let mut given = vec![];
        for items in batch.items().chunks(64) {
            given.extend(self.reveal(owner, commit_id, items.to_vec())?);
        }
        Ok(given)
    }

    /// Takes contributions back.
    pub fn withdraw_contributions(&mut self, sender: &Addr, ids: &[u64]) -> Result<AppResponse> {
        let datanet = self.datanet.clone();
        self.execute(sender, &datanet, &ExecuteMsg::Withdraw { contribution_ids: ids.to_vec() }, &[])
    }

    /// Buys the right to train on a datanet, with the developer's bond.
    pub fn buy_access(&mut self, developer: &Addr, datanet_id: u64) -> Result<AppResponse> {
        let price = self.datanet_of(datanet_id)?.training_price.u128();
        let funds = self.coins(price + self.profile.datanet.developer_bond.u128());
        let datanet = self.datanet.clone();
        let msg = ExecuteMsg::BuyAccess { datanet_id, recipient: RECIPIENT.into() };
        self.execute(developer, &datanet, &msg, &funds)
    }

    /// Ends a commit.
    pub fn expire_commit(&mut self, sender: &Addr, commit_id: u64) -> Result<AppResponse> {
        let datanet = self.datanet.clone();
        self.execute(sender, &datanet, &ExecuteMsg::ExpireCommit { commit_id }, &[])
    }

    /// Waits until what was given cannot be challenged any more, then freezes the next version, in as
    /// many messages as it takes.
    pub fn seal(&mut self, owner: &Addr, datanet_id: u64) -> Result<VersionRef> {
        self.advance(self.profile.datanet.acceptance_blocks);
        let datanet = self.datanet.clone();
        loop {
            let msg = ExecuteMsg::Seal { datanet_id, up_to: None, limit: None };
            let done = self.execute(owner, &datanet, &msg, &[])?;
            if let Some(version) = attribute(&done, "version_sealed", "version") {
                let version = number(Some(version))? as u32;
                return Ok(self.version(datanet_id, version)?.version);
            }
        }
    }

    /// Returns the bonds of a commit's opened leaves.
    pub fn release_bonds(&mut self, sender: &Addr, commit_id: u64) -> Result<AppResponse> {
        let datanet = self.datanet.clone();
        self.execute(sender, &datanet, &ExecuteMsg::ReleaseBonds { commit_id }, &[])
    }

    /// Pays returned bonds out.
    pub fn withdraw_bonds(&mut self, sender: &Addr) -> Result<AppResponse> {
        let datanet = self.datanet.clone();
        self.execute(sender, &datanet, &ExecuteMsg::WithdrawBonds {}, &[])
    }

    /// A datanet.
    pub fn datanet_of(&self, datanet_id: u64) -> Result<DatanetResponse> {
        self.query(&self.datanet, &QueryMsg::Datanet { datanet_id })
    }

    /// A commit.
    pub fn commit_of(&self, commit_id: u64) -> Result<CommitResponse> {
        self.query(&self.datanet, &QueryMsg::Commit { commit_id })
    }

    /// A contribution.
    pub fn contribution(&self, contribution_id: u64) -> Result<ContributionResponse> {
        self.query(&self.datanet, &QueryMsg::Contribution { contribution_id })
    }

    /// What has become of a contribution.
    pub fn status(&self, contribution_id: u64) -> Result<ContributionStatus> {
        Ok(self.contribution(contribution_id)?.status)
    }

    /// A sealed version.
    pub fn version(&self, datanet_id: u64, version: u32) -> Result<VersionResponse> {
        self.query(&self.datanet, &QueryMsg::Version { datanet_id, version })
    }
}

/// A number out of an attribute.
pub(crate) fn number(text: Option<String>) -> Result<u64> {
    let text = text.ok_or_else(|| Refused("the contract told no number".into()))?;
    text.parse().map_err(|_| Refused(format!("{text} is not a number")))
}

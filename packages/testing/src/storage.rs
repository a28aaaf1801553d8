//! The storage contract in few words.

use cosmwasm_std::{Addr, HexBinary, Uint128};
use cw_multi_test::{AppResponse, ContractWrapper};
use openledger_merkle::Hash;
use openledger_types::formats::storage_score;
use openledger_types::msg::node_registry::Role;
use openledger_types::msg::storage::{
    AccountResponse, ChallengeResponse, ExecuteMsg, HoldingResponse, HoldingsResponse, InstantiateMsg,
    ObjectResponse, QueryMsg, StorerResponse, StorersResponse,
};
use openledger_types::msg::{datanet, node_registry, storage};

use crate::datanets::number;
use crate::nodes::register_as;
use crate::world::attribute;
use crate::{Key, Result, World};

impl World {
    /// Stores and instantiates the storage contract and connects the registry to it; the datanet contract
    /// keeps its deposits until [`World::forward_deposits`].
    pub(crate) fn deploy_storage(&mut self, params: storage::Params) {
        let code = ContractWrapper::new(
            openledger_storage::contract::execute,
            openledger_storage::contract::instantiate,
            openledger_storage::contract::query,
        )
        .with_migrate(openledger_storage::contract::migrate);
        let msg = InstantiateMsg {
            owner: self.owner.to_string(),
            datanet: self.datanet.to_string(),
            node_registry: self.node_registry.to_string(),
            params,
        };
        self.storage = self.instantiate("storage", Box::new(code), &msg);
        let (owner, registry) = (self.owner.clone(), self.node_registry.clone());
        let connect = node_registry::ExecuteMsg::ConnectStorage { storage: self.storage.to_string() };
        self.execute(&owner, &registry, &connect, &[]).expect("the owner connects");
    }

    /// Connects the datanet contract to the storage contract, to which it forwards deposits from then on.
    pub fn forward_deposits(&mut self) -> Result<AppResponse> {
        let (owner, datanet) = (self.owner.clone(), self.datanet.clone());
        let connect = datanet::ExecuteMsg::ConnectStorage { storage: self.storage.to_string() };
        self.execute(&owner, &datanet, &connect, &[])
    }

    /// Sends a message to the storage contract, without coins.
    pub fn tell_storage(&mut self, sender: &Addr, msg: &ExecuteMsg) -> Result<AppResponse> {
        let storage = self.storage.clone();
        self.execute(sender, &storage, msg, &[])
    }

    /// Adds to a datanet's deposit.
    pub fn fund_storage(&mut self, sender: &Addr, datanet_id: u64, amount: u128) -> Result<AppResponse> {
        let (storage, funds) = (self.storage.clone(), self.coins(amount));
        let msg = ExecuteMsg::Fund { parts: vec![(datanet_id, Uint128::new(amount))] };
        self.execute(sender, &storage, &msg, &funds)
    }

    /// Registers a node that stores, with the least bond, and enrolls it with this capacity in KiB:
    /// (node, operator).
    pub fn register_storer(&mut self, name: &str, capacity: u64) -> Result<(u64, Addr)> {
        let operator = self.account(name);
        let bond = self.profile.node_registry.min_bond.u128();
        let (registry, funds) = (self.node_registry.clone(), self.coins(bond));
        let msg = register_as(self, &operator, name, &Key::named(name), vec![Role::Storage]);
        let done = self.execute(&operator, &registry, &msg, &funds)?;
        let node_id = number(attribute(&done, "node_registered", "node_id"))?;
        self.tell_storage(&operator, &ExecuteMsg::Enroll { node_id, capacity })?;
        Ok((node_id, operator))
    }

    /// Places contributions whose fragments have these roots.
    pub fn place(
        &mut self,
        sender: &Addr,
        datanet_id: u64,
        contributions: Vec<u64>,
        roots: &[Hash],
    ) -> Result<u64> {
        let roots = roots.iter().map(HexBinary::from).collect();
        let done = self.tell_storage(sender, &ExecuteMsg::Place { datanet_id, contributions, roots })?;
        number(attribute(&done, "object_placed", "object_id"))
    }

    /// Active nodes with room for an object, the best for it first.
    pub fn ranking(&self, object: &ObjectResponse) -> Vec<u64> {
        let seed: Hash = object.seed.as_slice().try_into().expect("a seed has 32 bytes");
        let answer: StorersResponse = self
            .query(&self.storage, &QueryMsg::Storers { start_after: None, limit: Some(30) })
            .expect("the contract answers");
        let mut nodes: Vec<u64> = answer
            .storers
            .iter()
            .filter(|storer| storer.state == storage::StorerState::Active)
            .filter(|storer| storer.capacity >= storer.kept + storer.pending + object.leaves)
            .map(|storer| storer.node_id)
            .collect();
        nodes.sort_by_key(|node_id| std::cmp::Reverse(storage_score(&seed, *node_id)));
        nodes
    }

    /// Nominates the best nodes for the vacant slots of an object.
    pub fn nominate(&mut self, sender: &Addr, object_id: u64) -> Result<AppResponse> {
        let object = self.object(object_id)?;
        let taken: Vec<u64> = object.slots.iter().flat_map(|slot| slot.holder.or(slot.nominee)).collect();
        let vacant = (0u8..).zip(&object.slots).filter(|(_, s)| s.holder.is_none() && s.nominee.is_none());
        let free = self.ranking(&object).into_iter().filter(|node| !taken.contains(node));
        let nominees = vacant.map(|(slot, _)| slot).zip(free).collect();
        self.tell_storage(sender, &ExecuteMsg::Nominate { object_id, nominees })
    }

    /// An object.
    pub fn object(&self, object_id: u64) -> Result<ObjectResponse> {
        self.query(&self.storage, &QueryMsg::Object { object_id })
    }

    /// A node that offers space.
    pub fn storer(&self, node_id: u64) -> Result<StorerResponse> {
        self.query(&self.storage, &QueryMsg::Storer { node_id })
    }

    /// The first 30 positions of a node.
    pub fn holdings(&self, node_id: u64) -> Result<Vec<HoldingResponse>> {
        let answer: HoldingsResponse =
            self.query(&self.storage, &QueryMsg::Holdings { node_id, start_after: None, limit: Some(30) })?;
        Ok(answer.holdings)
    }

    /// What the newest draw asks of a node.
    pub fn challenge(&self, node_id: u64) -> Result<ChallengeResponse> {
        self.query(&self.storage, &QueryMsg::Challenge { node_id })
    }

    /// A datanet's deposit.
    pub fn storage_account(&self, datanet_id: u64) -> Result<AccountResponse> {
        self.query(&self.storage, &QueryMsg::Account { datanet_id })
    }
}

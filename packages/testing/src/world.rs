//! All contracts on one chain.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::rc::Rc;

use cosmwasm_std::testing::{MockApi, MockStorage};
use cosmwasm_std::{coin, coins, from_json, to_json_vec, Addr, BlockInfo, Coin, Empty, Timestamp, Uint128};
use cw_multi_test::{
    App, AppBuilder, AppResponse, BankKeeper, BankSudo, Contract, ContractWrapper, DistributionKeeper,
    Executor, FailingModule, StakeKeeper, StakingInfo, SudoMsg, WasmKeeper,
};
use openledger_types::msg::common::InvariantsResponse;
use openledger_types::msg::{
    arbiter, datanet, escrow, gateway, model_registry, node_registry, referee, storage,
};
use serde::de::DeserializeOwned;
use serde::Serialize;

use crate::chain::Chain;
use crate::ibc::TransferModule;
use crate::indexed::Indexed;
use crate::{Profile, Refused, Result};

/// Chain id of the simulated chain.
const CHAIN_ID: &str = "openledger-1";

/// Base units that every account starts with.
const BALANCE: u128 = 1_000_000_000_000;

/// cw-multi-test with ICS-20 transfers.
pub type SimulatedChain = App<
    BankKeeper,
    MockApi,
    MockStorage,
    FailingModule<Empty, Empty, Empty>,
    WasmKeeper<Empty, Empty>,
    StakeKeeper,
    DistributionKeeper,
    TransferModule,
>;

/// A chain with all contracts: simulated, unless the builder was given one that runs.
pub struct World {
    /// The simulation underneath; empty where a chain runs in its place.
    pub app: SimulatedChain,
    /// Denom of bonds and sessions.
    pub denom: String,
    /// Parameters that the contracts were set up with.
    pub profile: Profile,
    /// Owner and admin of all contracts.
    pub owner: Addr,
    /// The datanet contract.
    pub datanet: Addr,
    /// The model registry.
    pub model_registry: Addr,
    /// The node registry.
    pub node_registry: Addr,
    /// The escrow.
    pub escrow: Addr,
    /// The referee.
    pub referee: Addr,
    /// The arbiter.
    pub arbiter: Addr,
    /// The IBC gateway.
    pub gateway: Addr,
    /// The storage contract.
    pub storage: Addr,
    balance: u128,
    funded: BTreeSet<Addr>,
    index: Rc<Cell<u32>>,
    pub(crate) chain: Option<Box<dyn Chain>>,
}

/// Sets a [`World`] up.
pub struct WorldBuilder {
    profile: Profile,
    balance: u128,
    chain: Option<Box<dyn Chain>>,
}

impl WorldBuilder {
    /// Uses a chain that runs in place of the simulation.
    pub fn chain(mut self, chain: impl Chain + 'static) -> Self {
        self.chain = Some(Box::new(chain));
        self
    }

    /// Changes parameters, the devnet's to begin with.
    pub fn profile(mut self, change: impl FnOnce(&mut Profile)) -> Self {
        change(&mut self.profile);
        self
    }

    /// What every account starts with, in base units.
    pub fn balance(mut self, balance: u128) -> Self {
        self.balance = balance;
        self
    }

    /// Stores and instantiates everything; panics when parameters are refused.
    pub fn build(self) -> World {
        let api = MockApi::default().with_prefix("openledger");
        let block = BlockInfo {
            height: 1_000,
            time: Timestamp::from_seconds(1_700_000_000),
            chain_id: CHAIN_ID.into(),
        };
        let denom = self.profile.datanet.denom.clone();
        let staking = StakingInfo { bonded_denom: denom.clone(), ..StakingInfo::default() };
        let app = AppBuilder::new().with_api(api).with_block(block).with_ibc(TransferModule).build(
            |router, _, storage| {
                router.staking.setup(storage, staking).expect("an empty chain takes its staking denom");
            },
        );
        let nowhere = Addr::unchecked("");
        let mut world = World {
            app,
            denom,
            profile: self.profile.clone(),
            owner: nowhere.clone(),
            datanet: nowhere.clone(),
            model_registry: nowhere.clone(),
            node_registry: nowhere.clone(),
            escrow: nowhere.clone(),
            referee: nowhere.clone(),
            arbiter: nowhere.clone(),
            gateway: nowhere.clone(),
            storage: nowhere,
            balance: self.balance,
            funded: BTreeSet::new(),
            index: Rc::new(Cell::new(0)),
            chain: self.chain,
        };
        world.owner = world.account("governance");
        world.deploy(self.profile);
        world
    }
}

impl World {
    /// A world with the devnet's parameters.
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// A world with other parameters.
    pub fn builder() -> WorldBuilder {
        WorldBuilder { profile: Profile::devnet("uopen"), balance: BALANCE, chain: None }
    }

    fn deploy(&mut self, profile: Profile) {
        let owner = self.owner.to_string();
        self.datanet = self.instantiate(
            "datanet",
            Box::new(
                ContractWrapper::new(
                    openledger_datanet::contract::execute,
                    openledger_datanet::contract::instantiate,
                    openledger_datanet::contract::query,
                )
                .with_migrate(openledger_datanet::contract::migrate),
            ),
            &datanet::InstantiateMsg { owner: owner.clone(), params: profile.datanet, connect: None },
        );
        self.model_registry = self.instantiate(
            "model-registry",
            Box::new(
                ContractWrapper::new(
                    openledger_model_registry::contract::execute,
                    openledger_model_registry::contract::instantiate,
                    openledger_model_registry::contract::query,
                )
                .with_migrate(openledger_model_registry::contract::migrate),
            ),
            &model_registry::InstantiateMsg {
                owner: owner.clone(),
                datanet: self.datanet.to_string(),
                params: profile.model_registry,
            },
        );
        self.node_registry = self.instantiate(
            "node-registry",
            Box::new(
                ContractWrapper::new(
                    openledger_node_registry::contract::execute,
                    openledger_node_registry::contract::instantiate,
                    openledger_node_registry::contract::query,
                )
                .with_migrate(openledger_node_registry::contract::migrate),
            ),
            &node_registry::InstantiateMsg {
                owner: owner.clone(),
                params: profile.node_registry,
                connect: None,
            },
        );
        self.escrow = self.instantiate(
            "payable-escrow",
            Box::new(
                ContractWrapper::new(
                    openledger_payable_escrow::contract::execute,
                    openledger_payable_escrow::contract::instantiate,
                    openledger_payable_escrow::contract::query,
                )
                .with_reply(openledger_payable_escrow::contract::reply)
                .with_migrate(openledger_payable_escrow::contract::migrate),
            ),
            &escrow::InstantiateMsg {
                owner: owner.clone(),
                model_registry: self.model_registry.to_string(),
                node_registry: self.node_registry.to_string(),
                params: profile.escrow,
                connect: None,
            },
        );
        self.referee = self.instantiate(
            "referee",
            Box::new(
                ContractWrapper::new(
                    openledger_referee::contract::execute,
                    openledger_referee::contract::instantiate,
                    openledger_referee::contract::query,
                )
                .with_migrate(openledger_referee::contract::migrate),
            ),
            &referee::InstantiateMsg {
                owner,
                datanet: self.datanet.to_string(),
                node_registry: self.node_registry.to_string(),
                escrow: self.escrow.to_string(),
                arbiter: None,
                params: profile.referee,
            },
        );
        self.connect();
        self.arbiter = self.deploy_arbiter(profile.arbiter);
        self.name_arbiter(&self.arbiter.clone()).expect("the owner names the arbiter");
        self.deploy_gateway(profile.gateway);
        self.deploy_storage(profile.storage);
    }

    /// Tells every contract which others it believes.
    fn connect(&mut self) {
        let owner = self.owner.clone();
        let (datanet, model_registry) = (self.datanet.to_string(), self.model_registry.to_string());
        let (escrow, referee) = (self.escrow.to_string(), self.referee.to_string());
        let to_datanet =
            datanet::ExecuteMsg::Connect { model_registry: model_registry.clone(), referee: referee.clone() };
        let to_nodes =
            node_registry::ExecuteMsg::Connect { model_registry, escrow, referee: referee.clone() };
        let to_escrow = escrow::ExecuteMsg::Connect { datanet, referee };
        let done = [
            self.execute(&owner, &self.datanet.clone(), &to_datanet, &[]),
            self.execute(&owner, &self.node_registry.clone(), &to_nodes, &[]),
            self.execute(&owner, &self.escrow.clone(), &to_escrow, &[]),
        ];
        for answer in done {
            answer.unwrap_or_else(|error| panic!("the contracts do not connect: {error:?}"));
        }
    }

    /// Stores a contract and instantiates it with the owner as its admin.
    pub fn instantiate(&mut self, label: &str, code: Box<dyn Contract<Empty>>, msg: &impl Serialize) -> Addr {
        if let Some(chain) = &mut self.chain {
            return chain.instantiate(label, &self.owner, &to_json_vec(msg).expect("messages are JSON"));
        }
        let code_id = self.app.store_code(Indexed::wrap(code, &self.index));
        let owner = self.owner.clone();
        let admin = Some(owner.to_string());
        self.app
            .instantiate_contract(code_id, owner, msg, &[], label, admin)
            .unwrap_or_else(|error| panic!("{label}: {error}"))
    }

    /// The address of this name.
    pub fn address(&self, name: &str) -> Addr {
        match &self.chain {
            Some(chain) => chain.address(name),
            None => self.app.api().addr_make(name),
        }
    }

    /// The address of this name, with coins in it.
    pub fn account(&mut self, name: &str) -> Addr {
        let address = match &mut self.chain {
            Some(chain) => chain.account(name),
            None => self.app.api().addr_make(name),
        };
        if self.funded.insert(address.clone()) {
            self.mint(&address, coin(self.balance, self.denom.clone()));
        }
        address
    }

    /// Makes coins out of nothing; where a chain runs they come from its faucet.
    pub fn mint(&mut self, to: &Addr, amount: Coin) {
        if let Some(chain) = &mut self.chain {
            return chain.mint(to, amount);
        }
        let mint = BankSudo::Mint { to_address: to.to_string(), amount: vec![amount] };
        self.app.sudo(SudoMsg::Bank(mint)).expect("the bank can mint");
    }

    /// Base units that an address holds.
    pub fn balance(&self, address: &Addr) -> u128 {
        if let Some(chain) = &self.chain {
            return chain.balance(address, &self.denom);
        }
        let held = self.app.wrap().query_balance(address, &self.denom).expect("the bank answers");
        Uint128::try_from(held.amount).expect("tests stay below 2^128").u128()
    }

    /// Coins of this world's denom.
    pub fn coins(&self, amount: u128) -> Vec<Coin> {
        coins(amount, self.denom.clone())
    }

    /// Whether blocks are made when the test says so and never in between: then a test may ask what
    /// holds one block before a window ends.
    pub fn is_simulated(&self) -> bool {
        self.chain.is_none()
    }

    /// Height of the block that is being made; of the newest one where a chain runs.
    pub fn height(&self) -> u64 {
        match &self.chain {
            Some(chain) => chain.height(),
            None => self.app.block_info().height,
        }
    }

    /// Chain id.
    pub fn chain_id(&self) -> String {
        match &self.chain {
            Some(chain) => chain.chain_id(),
            None => self.app.block_info().chain_id,
        }
    }

    /// Makes blocks of 5 seconds, or waits for so many where a chain runs.
    pub fn advance(&mut self, blocks: u64) {
        if let Some(chain) = &mut self.chain {
            let height = chain.height() + blocks;
            return chain.advance_to(height);
        }
        self.index.set(0);
        self.app.update_block(|block| {
            block.height += blocks;
            block.time = block.time.plus_seconds(5 * blocks);
        });
    }

    /// Makes blocks until this height; does nothing when it has been.
    pub fn advance_to(&mut self, height: u64) {
        self.advance(height.saturating_sub(self.height()));
    }

    /// Sends one transaction with one message; the next one in the block has the next index.
    pub fn execute<M: Serialize + Debug>(
        &mut self,
        sender: &Addr,
        contract: &Addr,
        msg: &M,
        funds: &[Coin],
    ) -> Result<AppResponse> {
        if let Some(chain) = &mut self.chain {
            return chain.execute(sender, contract, &to_json_vec(msg).map_err(Refused::from)?, funds);
        }
        let sent = self.app.execute_contract(sender.clone(), contract.clone(), msg, funds);
        self.index.set(self.index.get() + 1);
        sent.map_err(Refused::from)
    }

    /// Asks a contract.
    pub fn query<T: DeserializeOwned>(&self, contract: &Addr, msg: &impl Serialize) -> Result<T> {
        if let Some(chain) = &self.chain {
            let answer = chain.query(contract, &to_json_vec(msg).map_err(Refused::from)?)?;
            return from_json(answer).map_err(Refused::from);
        }
        self.app.wrap().query_wasm_smart(contract, msg).map_err(Refused::from)
    }

    /// Answers of all contracts that take part in payments, with their names.
    pub fn invariants(&self) -> Vec<(&'static str, InvariantsResponse)> {
        let answers = [
            ("datanet", self.query(&self.datanet, &datanet::QueryMsg::Invariants {})),
            ("node-registry", self.query(&self.node_registry, &node_registry::QueryMsg::Invariants {})),
            ("payable-escrow", self.query(&self.escrow, &escrow::QueryMsg::Invariants {})),
            ("referee", self.query(&self.referee, &referee::QueryMsg::Invariants {})),
            ("arbiter", self.query(&self.arbiter, &arbiter::QueryMsg::Invariants {})),
            ("ibc-gateway", self.query(&self.gateway, &gateway::QueryMsg::Invariants {})),
            ("storage", self.query(&self.storage, &storage::QueryMsg::Invariants {})),
        ];
        answers.into_iter().map(|(name, answer)| (name, answer.expect("the contract answers"))).collect()
    }

    /// Panics unless every contract's coins cover what it owes (A2).
    pub fn assert_invariants(&self) {
        for (contract, answer) in self.invariants() {
            assert!(answer.holds, "{contract}: {answer:?}");
        }
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

/// The value of `key` in the first event whose type ends with `event`.
pub fn attribute(response: &AppResponse, event: &str, key: &str) -> Option<String> {
    attributes(response, event, key).into_iter().next()
}

/// The values of `key` in all events whose type ends with `event`, in order.
pub fn attributes(response: &AppResponse, event: &str, key: &str) -> Vec<String> {
    response
        .events
        .iter()
        .filter(|e| e.ty == event || e.ty.strip_prefix("wasm-") == Some(event))
        .flat_map(|e| e.attributes.iter().filter(|a| a.key == key).map(|a| a.value.clone()))
        .collect()
}

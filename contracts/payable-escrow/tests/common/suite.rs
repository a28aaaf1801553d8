//! The chain: contracts, accounts and the steps that tests are made of.

use std::collections::BTreeMap;

use cosmwasm_std::{coin, Addr, Coin, Empty, HexBinary, StdResult, Uint128};
use cw_multi_test::{App, AppResponse, ContractWrapper, Executor};
use openledger_merkle::ZERO_HASH;
use openledger_payable_escrow::{contract, ContractError};
use openledger_types::formats::{Account, BlobRef, NumericClass, SignedReceipt};
use openledger_types::money::Split;
use openledger_types::msg::common::InvariantsResponse;
use openledger_types::msg::escrow::{
    BalanceResponse, ClaimItem, ClaimedResponse, DenomParams, EpochResponse, ExecuteMsg, InstantiateMsg,
    LedgerResponse, MigrateMsg, NodeCap, Params, PendingResponse, QueryMsg, SessionResponse,
    SessionsResponse,
};
use openledger_types::msg::model_registry::ModelVersionResponse;
use openledger_types::msg::node_registry::{NodeResponse, NodeStatus, Role};

use super::node::Draft;
use super::registry::{self, Ask, Set, Told};
use super::{Answer, Client, Key, TestNode};

/// Denom of model 1.
pub const OPEN: &str = "uopen";
/// Denom of model 2.
pub const ATOM: &str = "uatom";
/// What every user starts with, in each denom.
pub const PURSE: u128 = 1_000_000_000;
/// Opening fee in each denom.
pub const OPEN_FEE: u128 = 1_000;
/// Least deposit in each denom.
pub const MIN_DEPOSIT: u128 = 10_000;
/// Least fee in each denom.
pub const MIN_FEE: u128 = 100;
/// Blocks until a root is final.
pub const FINAL: u64 = 20;
/// Blocks until an attested root is final.
pub const WINDOW: u64 = FINAL / 4;
/// Blocks of an epoch.
pub const EPOCH: u64 = 10;
/// Blocks from a void root to its node's end.
pub const ABANDONED: u64 = 3 * EPOCH;
/// Bond of every node.
pub const BOND: u128 = 1_000_000_000;
/// Blocks of grace.
pub const GRACE: u64 = 30;
/// Longest life in blocks.
pub const LIFE: u64 = 1_000;
/// Requests in flight.
pub const K: u32 = 4;
/// Contributors; contribution `c` is owned by contributor `c % CONTRIBUTORS`.
pub const CONTRIBUTORS: u64 = 5;
/// Users.
pub const USERS: u64 = 3;
/// Nodes, numbered from 1.
pub const NODES: u64 = 4;

/// A chain.
pub struct Suite {
    pub app: App,
    pub code_id: u64,
    pub escrow: Addr,
    pub models: Addr,
    pub registry: Addr,
    pub referee: Addr,
    pub datanet: Addr,
    pub admin: Addr,
    pub owner: Addr,
    pub developer: Addr,
    pub stranger: Addr,
    pub nodes: BTreeMap<u64, TestNode>,
    /// Session → fees that verdicts returned before finality.
    pub returned: BTreeMap<u64, u128>,
    /// Case → node, denom and epoch whose receipts it holds.
    pub cases: BTreeMap<u64, (u64, String, u64)>,
}

/// Windows and bounds of the tests.
pub fn params() -> Params {
    let denom = |denom: &str| DenomParams {
        denom: denom.to_string(),
        min_deposit: Uint128::new(MIN_DEPOSIT),
        open_fee: Uint128::new(OPEN_FEE),
        min_fee: Uint128::new(MIN_FEE),
    };
    Params {
        denoms: vec![denom(ATOM), denom(OPEN)],
        grace_blocks: GRACE,
        challenge_blocks: WINDOW,
        unattested_windows: 4,
        max_session_blocks: LIFE,
        in_flight: K,
        epoch_blocks: EPOCH,
        abandoned_epochs: 3,
        audit_bps: 4_000,
        abandoned_cut_bps: 1_000,
        exposure_bps: 5_000,
    }
}

/// Asserts that a message was refused for this reason.
pub fn refused<T: std::fmt::Debug>(result: StdResult<T>, reason: &ContractError) {
    let text = result.expect_err(&format!("must be refused: {reason}")).to_string();
    assert!(text.contains(&reason.to_string()), "refused for another reason: {text}\nexpected: {reason}");
}

/// Asserts that the settlement of one session was refused for this reason.
pub fn refused_in<T: std::fmt::Debug>(session_id: u64, result: StdResult<T>, reason: ContractError) {
    refused(result, &ContractError::InSession { session_id, source: Box::new(reason) });
}

impl Suite {
    /// Contracts set up, models 1 (in uopen) and 2 (in uatom) and four nodes registered.
    pub fn new() -> Self {
        let mut app = App::default();
        let address = |name: &str| app.api().addr_make(name);
        let (admin, owner, developer, stranger) =
            (address("admin"), address("owner"), address("developer"), address("stranger"));
        let funded: Vec<Addr> = (0..USERS)
            .map(|i| address(&format!("user{i}")))
            .chain([owner.clone(), stranger.clone(), developer.clone()])
            .collect();
        app.init_modules(|router, _, storage| {
            for addr in &funded {
                let purse = vec![coin(PURSE, ATOM), coin(PURSE, OPEN), coin(PURSE, "ujunk")];
                router.bank.init_balance(storage, addr, purse).unwrap();
            }
        });
        let models_code = app.store_code(registry::models());
        let nodes_code = app.store_code(registry::nodes());
        let code_id = app.store_code(Box::new(
            ContractWrapper::new(contract::execute, contract::instantiate, contract::query)
                .with_migrate(contract::migrate)
                .with_reply(contract::reply),
        ));
        let mut setup = |code, label: &str| {
            app.instantiate_contract(code, admin.clone(), &Empty {}, &[], label, None).unwrap()
        };
        let models = setup(models_code, "models");
        let registry = setup(nodes_code, "nodes");
        let msg = InstantiateMsg {
            owner: owner.to_string(),
            model_registry: models.to_string(),
            node_registry: registry.to_string(),
            params: params(),
            connect: None,
        };
        let escrow = app
            .instantiate_contract(code_id, admin.clone(), &msg, &[], "escrow", Some(admin.to_string()))
            .unwrap();
        // After the escrow, so that it has the address that it had before they existed.
        let [referee, datanet] = [registry::referee(), registry::datanet()].map(|contract| {
            let code = app.store_code(contract);
            app.instantiate_contract(code, admin.clone(), &Empty {}, &[], "stand-in", None).unwrap()
        });
        let mut suite = Suite {
            app,
            code_id,
            escrow,
            models,
            registry,
            referee,
            datanet,
            admin,
            owner,
            developer,
            stranger,
            nodes: BTreeMap::new(),
            returned: BTreeMap::new(),
            cases: BTreeMap::new(),
        };
        suite.set_model(suite.model(1, OPEN));
        suite.set_model(suite.model(2, ATOM));
        for id in 1..=NODES {
            let node = TestNode {
                id,
                key: Key::named(&format!("node{id}")),
                operator: suite.address(&format!("operator{id}")),
                hot: suite.address(&format!("hot{id}")),
                sessions: BTreeMap::new(),
                books: BTreeMap::new(),
                epochs: BTreeMap::new(),
                waiting: None,
                datanets: Vec::new(),
                draft: None,
            };
            suite.nodes.insert(id, node);
            suite.set_node(suite.node_entry(id));
        }
        let connect = suite.connect();
        suite.call(&suite.owner.clone(), &connect).unwrap();
        suite
    }

    /// The message that names the stand-ins.
    pub fn connect(&self) -> ExecuteMsg {
        ExecuteMsg::Connect { datanet: self.datanet.to_string(), referee: self.referee.to_string() }
    }

    /// A session on model 1 that the gateway opens for somebody.
    pub fn opening_for(&self, owner: &Addr, key: &Key, caps: &[(u64, u128)]) -> ExecuteMsg {
        match self.opening(1, key, caps) {
            ExecuteMsg::OpenSession { model_id, model_version, session_key, nodes, blocks } => {
                let owner = owner.to_string();
                ExecuteMsg::OpenSessionFor { owner, model_id, model_version, session_key, nodes, blocks }
            }
            other => other,
        }
    }

    /// An address by name.
    pub fn address(&self, name: &str) -> Addr {
        self.app.api().addr_make(name)
    }

    /// A user by number.
    pub fn user(&self, number: u64) -> Addr {
        self.address(&format!("user{number}"))
    }

    /// A contribution's contributor.
    pub fn contributor(&self, contribution: u64) -> Addr {
        self.address(&format!("contributor{}", contribution % CONTRIBUTORS))
    }

    /// Version 1 of a model.
    pub fn model(&self, model_id: u64, denom: &str) -> ModelVersionResponse {
        let zero = HexBinary::from(&ZERO_HASH);
        ModelVersionResponse {
            model_id,
            version: 1,
            developer: self.developer.to_string(),
            manifest_hash: zero.clone(),
            manifest: BlobRef { root: zero.clone(), len: 1 },
            weights_root: zero.clone(),
            training_root: zero,
            numeric_class: NumericClass::TolerantF32,
            datanets: Vec::new(),
            training: Vec::new(),
            parents: Vec::new(),
            royalty_bps: 0,
            royalties: Vec::new(),
            denom: denom.to_string(),
            price_in: Uint128::new(3),
            price_out: Uint128::new(7),
            next_price: None,
            floor_per_token: Uint128::new(5),
            split: Split { protocol: 1_000, developer: 1_500, node: 3_500, data: 4_000 },
            registered_at: 1,
            deprecated: false,
            stale: false,
        }
    }

    /// A node as the registry shows it.
    pub fn node_entry(&self, node_id: u64) -> NodeResponse {
        let node = &self.nodes[&node_id];
        NodeResponse {
            node_id,
            operator: node.operator.to_string(),
            moniker: "node".into(),
            endpoint: "http://localhost".into(),
            node_key: node.key.public(),
            key_expires: u64::MAX,
            jailed_until: None,
            open_cases: 0,
            hot_addr: Some(node.hot.to_string()),
            age_recipient: "age1".into(),
            roles: vec![Role::Inference],
            bond: Uint128::new(BOND),
            status: NodeStatus::Bonded,
            unbonds_at: None,
        }
    }

    /// Changes a stand-in.
    pub fn set(&mut self, contract: &Addr, what: &Set) {
        self.app.execute_contract(self.admin.clone(), contract.clone(), what, &[]).unwrap();
    }

    /// Changes the model registry.
    pub fn set_model(&mut self, model: ModelVersionResponse) {
        self.set(&self.models.clone(), &Set::Model(Box::new(model)));
    }

    /// Changes the node registry.
    pub fn set_node(&mut self, node: NodeResponse) {
        self.set(&self.registry.clone(), &Set::Node(Box::new(node)));
    }

    /// Changes the audit weight that counts.
    pub fn set_weight(&mut self, weight: u128) {
        self.set(&self.referee.clone(), &Set::Weight(Uint128::new(weight)));
    }

    /// What the node registry was told.
    pub fn told(&self) -> Told {
        self.app.wrap().query_wasm_smart(&self.registry, &Ask::Told {}).unwrap()
    }

    /// What a datanet's storage was given.
    pub fn storage_of(&self, datanet_id: u64) -> u128 {
        let held: Uint128 =
            self.app.wrap().query_wasm_smart(&self.datanet, &Ask::Storage { datanet_id }).unwrap();
        held.u128()
    }

    /// Sends a message as the referee.
    pub fn judge(&mut self, msg: &ExecuteMsg) -> StdResult<AppResponse> {
        self.call(&self.referee.clone(), msg)
    }

    /// Sends a message to the escrow.
    pub fn send(&mut self, sender: &Addr, msg: &ExecuteMsg, funds: &[Coin]) -> StdResult<AppResponse> {
        self.app.execute_contract(sender.clone(), self.escrow.clone(), msg, funds)
    }

    /// Sends a message that takes no coins.
    pub fn call(&mut self, sender: &Addr, msg: &ExecuteMsg) -> StdResult<AppResponse> {
        self.send(sender, msg, &[])
    }

    /// Migrates to the same code.
    pub fn migrate(&mut self) -> StdResult<AppResponse> {
        self.app.migrate_contract(self.admin.clone(), self.escrow.clone(), &MigrateMsg {}, self.code_id)
    }

    /// Lets blocks pass.
    pub fn advance(&mut self, blocks: u64) {
        self.app.update_block(|block| block.height += blocks);
    }

    /// The height.
    pub fn height(&self) -> u64 {
        self.app.block_info().height
    }

    /// What `OpenSession` says for these nodes and caps.
    pub fn opening(&self, model_id: u64, key: &Key, caps: &[(u64, u128)]) -> ExecuteMsg {
        ExecuteMsg::OpenSession {
            model_id,
            model_version: 1,
            session_key: key.public(),
            nodes: caps
                .iter()
                .map(|(node_id, cap)| NodeCap { node_id: *node_id, cap: Uint128::new(*cap) })
                .collect(),
            blocks: None,
        }
    }

    /// Opens a session whose deposit is the sum of the caps.
    pub fn open(&mut self, user: &Addr, model_id: u64, caps: &[(u64, u128)]) -> Client {
        let deposit = caps.iter().map(|(_, cap)| cap).sum();
        self.open_with(user, model_id, caps, deposit).unwrap()
    }

    /// Opens a session with this deposit.
    pub fn open_with(
        &mut self,
        user: &Addr,
        model_id: u64,
        caps: &[(u64, u128)],
        deposit: u128,
    ) -> StdResult<Client> {
        let denom = if model_id == 1 { OPEN } else { ATOM };
        let key = Key::named(&format!("session of {user} at {}", self.height()));
        let msg = self.opening(model_id, &key, caps);
        let response = self.send(user, &msg, &[coin(deposit + OPEN_FEE, denom)])?;
        let session_id = response
            .events
            .iter()
            .flat_map(|event| &event.attributes)
            .find(|attribute| attribute.key == "session_id")
            .and_then(|attribute| attribute.value.parse().ok())
            .unwrap();
        Ok(Client {
            chain_id: self.app.block_info().chain_id,
            contract: self.escrow.to_string(),
            session_id,
            denom: denom.to_string(),
            key,
            lanes: BTreeMap::new(),
        })
    }

    /// Asks and is answered; the client does not acknowledge yet.
    pub fn ask(&mut self, client: &mut Client, node_id: u64, answer: &Answer) -> SignedReceipt {
        let terms = self.session(client.session_id);
        let allowance = u128::from(answer.tokens_in) * 3 + u128::from(answer.tokens_out) * 7 + MIN_FEE;
        let voucher = client.ask(node_id, allowance);
        let height = self.height();
        self.nodes.get_mut(&node_id).unwrap().serve(&terms, voucher, answer, height)
    }

    /// Asks, is answered, checks and acknowledges.
    pub fn answer(&mut self, client: &mut Client, node_id: u64, answer: &Answer) -> SignedReceipt {
        let receipt = self.ask(client, node_id, answer);
        client.receive(node_id, &receipt);
        self.nodes.get_mut(&node_id).unwrap().hear(client.acknowledge(node_id));
        receipt
    }

    /// The next epoch of a node.
    pub fn draft(&self, node_id: u64, denom: &str, only: &[u64]) -> Option<Draft> {
        let chain_id = self.app.block_info().chain_id;
        let owner_of = |contribution: u64| self.contributor(contribution).to_string();
        let place = (chain_id.as_str(), self.escrow.as_str(), denom);
        self.nodes[&node_id].draft(place, only, K as usize, &owner_of)
    }

    /// Posts a draft as the node's hot address.
    pub fn post_draft(&mut self, draft: &Draft) -> StdResult<AppResponse> {
        let hot = self.nodes[&draft.commit.node_id].hot.clone();
        let response = self.call(&hot, &draft.msg())?;
        self.nodes.get_mut(&draft.commit.node_id).unwrap().posted(draft);
        Ok(response)
    }

    /// Posts everything that a node has in a denom.
    pub fn post(&mut self, node_id: u64, denom: &str) -> AppResponse {
        let draft = self.draft(node_id, denom, &[]).unwrap();
        self.post_draft(&draft).unwrap()
    }

    /// Makes a node's root final.
    pub fn finalize(&mut self, node_id: u64) -> StdResult<AppResponse> {
        let anyone = self.stranger.clone();
        let response = self.call(&anyone, &ExecuteMsg::Finalize { node_id })?;
        self.nodes.get_mut(&node_id).unwrap().finalized();
        Ok(response)
    }

    /// Posts, waits and makes final.
    pub fn settle(&mut self, node_id: u64, denom: &str) {
        self.post(node_id, denom);
        self.advance(FINAL);
        self.finalize(node_id).unwrap();
    }

    /// Claims as anyone.
    pub fn claim(&mut self, claims: Vec<ClaimItem>) -> StdResult<AppResponse> {
        let anyone = self.stranger.clone();
        self.call(&anyone, &ExecuteMsg::Claim { claims: claims.into() })
    }

    /// Claims of a node's final ledger.
    pub fn claims(&self, node_id: u64, denom: &str) -> Vec<ClaimItem> {
        self.nodes[&node_id].books[denom].claims(node_id, denom)
    }

    /// A query that must succeed.
    pub fn query<T: cosmwasm_schema::serde::de::DeserializeOwned>(&self, msg: &QueryMsg) -> T {
        self.app.wrap().query_wasm_smart(&self.escrow, msg).unwrap()
    }

    /// One session.
    pub fn session(&self, session_id: u64) -> SessionResponse {
        self.query(&QueryMsg::Session { session_id })
    }

    /// All sessions, page by page.
    pub fn sessions(&self) -> Vec<SessionResponse> {
        let mut all: Vec<SessionResponse> = Vec::new();
        loop {
            let start_after = all.last().map(|s| s.session_id);
            let page: SessionsResponse = self.query(&QueryMsg::Sessions { start_after, limit: Some(30) });
            if page.sessions.is_empty() {
                return all;
            }
            all.extend(page.sessions);
        }
    }

    /// A ledger.
    pub fn ledger(&self, node_id: u64, denom: &str) -> LedgerResponse {
        self.query(&QueryMsg::Ledger { node_id, denom: denom.to_string() })
    }

    /// An epoch.
    pub fn epoch(&self, node_id: u64, denom: &str, epoch: u64) -> EpochResponse {
        self.query(&QueryMsg::Epoch { node_id, denom: denom.to_string(), epoch })
    }

    /// The root that waits.
    pub fn pending(&self, node_id: u64) -> Option<EpochResponse> {
        self.query::<PendingResponse>(&QueryMsg::Pending { node_id }).epoch
    }

    /// What an account was credited.
    pub fn claimed(&self, node_id: u64, denom: &str, account: Account) -> u128 {
        let msg = QueryMsg::Claimed { node_id, denom: denom.to_string(), account };
        self.query::<ClaimedResponse>(&msg).amount.u128()
    }

    /// What an address can withdraw.
    pub fn balance(&self, address: &Addr, denom: &str) -> u128 {
        let all: BalanceResponse = self.query(&QueryMsg::Balance { address: address.to_string() });
        all.amounts.iter().find(|a| a.denom == denom).map_or(0, |a| a.amount.u128())
    }

    /// What an address holds in its wallet.
    pub fn wallet(&self, address: &Addr, denom: &str) -> u128 {
        Uint128::try_from(self.app.wrap().query_balance(address, denom).unwrap().amount).unwrap().u128()
    }

    /// A term of the equation.
    pub fn term(&self, denom: &str, name: &str) -> u128 {
        let all = self.invariants();
        let of = all.denoms.iter().find(|d| d.denom == denom).unwrap();
        let amount = of.terms.iter().find(|t| t.name == name).unwrap().amount;
        Uint128::try_from(amount).unwrap().u128()
    }

    /// The escrow's own answer.
    pub fn invariants(&self) -> InvariantsResponse {
        self.query(&QueryMsg::Invariants {})
    }

    /// Everyone who can have a balance.
    pub fn everyone(&self) -> Vec<Addr> {
        let mut all = vec![self.owner.clone(), self.developer.clone(), self.stranger.clone()];
        all.extend((0..USERS).map(|i| self.user(i)));
        all.extend((0..CONTRIBUTORS).map(|i| self.contributor(i)));
        all.extend(self.nodes.values().map(|n| n.operator.clone()));
        all.extend(["parent", "grandparent"].map(|name| self.address(name)));
        all
    }
}

//! The chain and the steps that tests are made of.

use cosmwasm_std::{coin, Addr, Coin, Empty, HexBinary, StdResult, Uint128};
use cw_multi_test::{App, AppResponse, ContractWrapper, Executor};
use openledger_merkle::ZERO_HASH;
use openledger_referee::{contract, ContractError};
use openledger_types::formats::{
    vote_commitment, BlobRef, ContributionFacts, EpochCommit, Priority, SumRoot, Uses,
};
use openledger_types::msg::common::InvariantsResponse;
use openledger_types::msg::datanet::{ContributionResponse, ContributionStatus, ExecuteMsg as DatanetMsg};
use openledger_types::msg::escrow::{EpochResponse, ExecuteMsg as EscrowMsg, RootStatus};
use openledger_types::msg::node_registry::{ExecuteMsg as NodeMsg, NodeResponse, NodeStatus, Role};
use openledger_types::msg::referee::{
    AttestationResponse, AuditorResponse, BalanceResponse, BlobKind, CaseResponse, DemandResponse,
    ExecuteMsg, InstantiateMsg, Params, QueryMsg, Subject,
};
use openledger_types::profile::Profile;
use serde::de::DeserializeOwned;

use super::peers;
use super::roots::{chunk, leaves_blob, receipts_blob, receipts_tree, salt, FEES};

/// Denom of the bonds, and of the roots unless told.
pub const OPEN: &str = "uopen";
/// Another denom.
pub const JUNK: &str = "ujunk";
/// What every account starts with.
pub const PURSE: u128 = 1_000_000_000;
/// Bond of a demand.
pub const DEMAND_BOND: u128 = 100;
/// Least bond of a case.
pub const CASE_BOND: u128 = 1_000;
/// Blocks of a window of attestations.
pub const WINDOW: u64 = 10;
/// Blocks for an answer.
pub const ANSWER: u64 = 6;
/// Blocks of a dispute.
pub const DISPUTE: u64 = 20;
/// Blocks of a seed's period.
pub const PERIOD: u64 = 10;
/// The node whose roots are checked.
pub const NODE: u64 = 1;
/// Auditors and their weights: the first and the second are a quorum, and so are the first and the third.
pub const AUDITORS: [(u64, u128); 3] = [(11, 50), (12, 30), (13, 20)];
/// The accused contribution.
pub const COPY: u64 = 8;
/// An earlier one.
pub const ORIGINAL: u64 = 7;

/// A chain.
pub struct Suite {
    pub app: App,
    pub code_id: u64,
    pub referee: Addr,
    pub escrow: Addr,
    pub nodes: Addr,
    pub datanet: Addr,
    pub admin: Addr,
    pub owner: Addr,
    pub alice: Addr,
    pub bob: Addr,
}

/// Windows, bonds and cuts of the tests.
pub fn params() -> Params {
    Params {
        denom: OPEN.into(),
        availability_blocks: WINDOW,
        demand_blocks: ANSWER,
        demand_bond: Uint128::new(DEMAND_BOND),
        max_demands: 3,
        dispute_blocks: DISPUTE,
        case_bond: Uint128::new(CASE_BOND),
        case_bond_bps: 500,
        quorum_bps: 6_667,
        missed_roots: 3,
        missed_cut_bps: 10,
        fault_cut_bps: 2_000,
        withheld_cut_bps: 1_000,
        voted_cut_bps: 900,
        seed_blocks: PERIOD,
        seed_cut_bps: 11,
    }
}

/// Asserts that a message was refused for this reason.
pub fn refused<T: std::fmt::Debug>(result: StdResult<T>, reason: &ContractError) {
    let text = result.expect_err(&format!("must be refused: {reason}")).to_string();
    assert!(text.contains(&reason.to_string()), "refused for another reason: {text}\nexpected: {reason}");
}

impl Suite {
    /// Contracts set up, one node and three auditors, two contributions, root 1 of the node pending.
    pub fn new() -> Self {
        let mut app = App::default();
        let address = |name: &str| app.api().addr_make(name);
        let names = ["admin", "owner", "alice", "bob"];
        let [admin, owner, alice, bob] = names.map(address);
        let mut funded: Vec<Addr> = vec![owner.clone(), alice.clone(), bob.clone()];
        for id in [NODE, 11, 12, 13, 14] {
            funded.push(address(&format!("operator{id}")));
            funded.push(address(&format!("hot{id}")));
        }
        funded.push(address("contributor"));
        app.init_modules(|router, _, storage| {
            for addr in &funded {
                let purse = vec![coin(PURSE, JUNK), coin(PURSE, OPEN)];
                router.bank.init_balance(storage, addr, purse).unwrap();
            }
        });
        let mut setup = |code, label: &str| {
            let code_id = app.store_code(code);
            app.instantiate_contract(code_id, admin.clone(), &Empty {}, &[], label, None).unwrap()
        };
        let escrow = setup(peers::escrow(), "escrow");
        let nodes = setup(peers::nodes(), "nodes");
        let datanet = setup(peers::datanet(), "datanet");
        let code_id = app.store_code(Box::new(
            ContractWrapper::new(contract::execute, contract::instantiate, contract::query)
                .with_migrate(contract::migrate),
        ));
        let msg = InstantiateMsg {
            owner: owner.to_string(),
            datanet: datanet.to_string(),
            node_registry: nodes.to_string(),
            escrow: escrow.to_string(),
            arbiter: None,
            params: params(),
        };
        let keeper = Some(admin.to_string());
        let referee = app.instantiate_contract(code_id, admin.clone(), &msg, &[], "referee", keeper).unwrap();
        let mut suite = Suite { app, code_id, referee, escrow, nodes, datanet, admin, owner, alice, bob };
        for peer in [suite.escrow.clone(), suite.nodes.clone(), suite.datanet.clone()] {
            let referee = suite.referee.clone();
            peers::REFEREE.save(&mut *suite.app.contract_storage_mut(&peer), &referee).unwrap();
        }
        suite.set_node(NODE, 0);
        for (auditor, weight) in AUDITORS {
            suite.set_node(auditor, weight);
        }
        suite.set_contribution(ORIGINAL, 1);
        suite.set_contribution(COPY, 2);
        let data = Profile::protocol(OPEN).datanet;
        let datanet = suite.datanet.clone();
        peers::DATA_PARAMS.save(&mut *suite.app.contract_storage_mut(&datanet), &data).unwrap();
        suite.post(1);
        suite
    }

    /// An address by name.
    pub fn address(&self, name: &str) -> Addr {
        self.app.api().addr_make(name)
    }

    /// Operator of a node.
    pub fn operator(&self, node_id: u64) -> Addr {
        self.address(&format!("operator{node_id}"))
    }

    /// Hot address of a node.
    pub fn hot(&self, node_id: u64) -> Addr {
        self.address(&format!("hot{node_id}"))
    }

    /// The accused contributor.
    pub fn contributor(&self) -> Addr {
        self.address("contributor")
    }

    /// Registers a node with audit weight.
    pub fn set_node(&mut self, node_id: u64, weight: u128) {
        let node = NodeResponse {
            node_id,
            operator: self.operator(node_id).to_string(),
            moniker: "node".into(),
            endpoint: "http://127.0.0.1".into(),
            node_key: HexBinary::from(&[2; 33]),
            key_expires: u64::MAX,
            jailed_until: None,
            open_cases: 0,
            hot_addr: Some(self.hot(node_id).to_string()),
            age_recipient: "age1".into(),
            roles: vec![Role::Audit],
            bond: Uint128::new(1_000),
            status: NodeStatus::Bonded,
            unbonds_at: None,
        };
        let nodes = self.nodes.clone();
        peers::NODES.save(&mut *self.app.contract_storage_mut(&nodes), node_id, &node).unwrap();
        self.set_weight(node_id, weight);
    }

    /// Changes a node.
    pub fn edit_node(&mut self, node_id: u64, edit: impl FnOnce(&mut NodeResponse)) {
        let nodes = self.nodes.clone();
        let mut storage = self.app.contract_storage_mut(&nodes);
        let mut node = peers::NODES.load(&*storage, node_id).unwrap();
        edit(&mut node);
        peers::NODES.save(&mut *storage, node_id, &node).unwrap();
    }

    /// Sets a node's audit weight.
    pub fn set_weight(&mut self, node_id: u64, weight: u128) {
        let nodes = self.nodes.clone();
        let mut storage = self.app.contract_storage_mut(&nodes);
        peers::WEIGHTS.save(&mut *storage, node_id, &Uint128::new(weight)).unwrap();
    }

    /// Open cases of a node, as the registry counts them.
    pub fn open_cases(&self, node_id: u64) -> u32 {
        peers::NODES.load(&*self.app.contract_storage(&self.nodes), node_id).unwrap().open_cases
    }

    fn set_contribution(&mut self, contribution_id: u64, height: u64) {
        let zero = HexBinary::from(&ZERO_HASH);
        let found = ContributionResponse {
            facts: ContributionFacts {
                datanet_id: 1,
                contribution_id,
                contributor: self.contributor().to_string(),
                priority: Priority { height, tx_index: 0 },
                content_root: zero.clone(),
                content_len: 1,
                match_root: zero.clone(),
                match_len: 1,
                match_hash: zero.clone(),
                blob: BlobRef { root: zero, len: 1 },
                media: "text/plain".into(),
                license: "MIT".into(),
                uses: Uses::ALL,
            },
            title: "a text".into(),
            status: ContributionStatus::Accepted,
            duplicate_of: None,
            version: Some(1),
            position: Some(contribution_id),
            accepted_at: 0,
            cluster: contribution_id,
            withdrawn_at: None,
            reason: None,
        };
        let datanet = self.datanet.clone();
        let mut storage = self.app.contract_storage_mut(&datanet);
        peers::CONTRIBUTIONS.save(&mut *storage, contribution_id, &found).unwrap();
    }

    /// What has become of a contribution.
    pub fn contribution(&self, contribution_id: u64) -> ContributionStatus {
        let storage = self.app.contract_storage(&self.datanet);
        peers::CONTRIBUTIONS.load(&*storage, contribution_id).unwrap().status
    }

    /// Posts a root of `NODE` in `OPEN`.
    pub fn post(&mut self, epoch: u64) {
        self.post_in(NODE, OPEN, epoch);
    }

    /// Posts a root.
    pub fn post_in(&mut self, node_id: u64, denom: &str, epoch: u64) {
        let tree = receipts_tree(epoch);
        let commit = EpochCommit {
            chain_id: self.app.block_info().chain_id,
            contract: self.escrow.to_string(),
            node_id,
            denom: denom.into(),
            epoch,
            previous: SumRoot::empty(),
            receipts: SumRoot::new(tree.root(), tree.len()),
            ledger: SumRoot::empty(),
            leaves_blob: BlobRef::of(&leaves_blob()),
            receipts_blob: BlobRef::of(&receipts_blob()),
        };
        let height = self.height();
        let posted = EpochResponse {
            hash: HexBinary::from(&commit.hash()),
            commit,
            posted_at: height,
            final_at: height + 100,
            finalized: false,
            status: RootStatus::Pending,
            holds: 0,
            void_reason: None,
            audit: Uint128::new(1_000),
            audit_paid: Uint128::zero(),
            attested: false,
            fees: Uint128::new(FEES.iter().sum()),
            data: Uint128::zero(),
        };
        let escrow = self.escrow.clone();
        let mut storage = self.app.contract_storage_mut(&escrow);
        peers::EPOCHS.save(&mut *storage, (node_id, denom, epoch), &posted).unwrap();
    }

    /// A root of `NODE` in `OPEN`.
    pub fn root(&self, epoch: u64) -> EpochResponse {
        peers::EPOCHS.load(&*self.app.contract_storage(&self.escrow), (NODE, OPEN, epoch)).unwrap()
    }

    /// Says what has become of a root of `NODE` in `OPEN`.
    pub fn set_root(&mut self, epoch: u64, status: RootStatus) {
        let mut root = self.root(epoch);
        root.status = status;
        let escrow = self.escrow.clone();
        let mut storage = self.app.contract_storage_mut(&escrow);
        peers::EPOCHS.save(&mut *storage, (NODE, OPEN, epoch), &root).unwrap();
    }

    /// What the escrow was told.
    pub fn escrow_told(&self) -> Vec<EscrowMsg> {
        peers::told(&*self.app.contract_storage(&self.escrow))
    }

    /// What the node registry was told.
    pub fn nodes_told(&self) -> Vec<NodeMsg> {
        peers::told(&*self.app.contract_storage(&self.nodes))
    }

    /// What the datanet contract was told.
    pub fn datanet_told(&self) -> Vec<DatanetMsg> {
        peers::told(&*self.app.contract_storage(&self.datanet))
    }

    /// (node, basis points, finder) of all cuts at once, in order.
    pub fn slashes(&self) -> Vec<(u64, u16, String)> {
        self.nodes_told()
            .into_iter()
            .filter_map(|msg| match msg {
                NodeMsg::Slash { node_id, bps, finder, .. } => Some((node_id, bps, finder.unwrap())),
                _ => None,
            })
            .collect()
    }

    /// (node, basis points, finder) of all planned cuts, in order.
    pub fn plans(&self) -> Vec<(u64, u16, String)> {
        self.nodes_told()
            .into_iter()
            .filter_map(|msg| match msg {
                NodeMsg::PlanCut { node_id, bps, finder, .. } => Some((node_id, bps, finder.unwrap())),
                _ => None,
            })
            .collect()
    }

    /// Sends a message.
    pub fn send(&mut self, sender: &Addr, msg: &ExecuteMsg, funds: &[Coin]) -> StdResult<AppResponse> {
        self.app.execute_contract(sender.clone(), self.referee.clone(), msg, funds)
    }

    /// Sends a message without coins.
    pub fn act(&mut self, sender: &Addr, msg: &ExecuteMsg) -> StdResult<AppResponse> {
        self.send(sender, msg, &[])
    }

    /// Asks the referee.
    pub fn ask<T: DeserializeOwned>(&self, msg: &QueryMsg) -> StdResult<T> {
        self.app.wrap().query_wasm_smart(&self.referee, msg)
    }

    /// Height of the present block.
    pub fn height(&self) -> u64 {
        self.app.block_info().height
    }

    /// Makes blocks.
    pub fn advance(&mut self, blocks: u64) {
        self.app.update_block(|block| block.height += blocks);
    }

    /// Makes blocks up to a height.
    pub fn advance_to(&mut self, height: u64) {
        self.advance(height - self.height());
    }

    /// An auditor attests a root of `NODE`, by its hot key.
    pub fn attest(&mut self, auditor: u64, epoch: u64) -> StdResult<AppResponse> {
        let msg = ExecuteMsg::Attest { auditor, node_id: NODE, denom: OPEN.into(), epoch };
        self.act(&self.hot(auditor), &msg)
    }

    /// Alice reports misses of a root of `NODE`.
    pub fn report(&mut self, epoch: u64, auditors: &[u64]) -> StdResult<AppResponse> {
        let auditors = auditors.to_vec();
        let msg = ExecuteMsg::ReportMisses { node_id: NODE, denom: OPEN.into(), epoch, auditors };
        self.act(&self.alice.clone(), &msg)
    }

    /// Attestations of a root of `NODE`.
    pub fn attestation(&self, epoch: u64) -> AttestationResponse {
        self.ask(&QueryMsg::Attestation { node_id: NODE, denom: OPEN.into(), epoch }).unwrap()
    }

    /// (roots missed in a row, suspended) of an auditor.
    pub fn standing(&self, auditor: u64) -> (u32, bool) {
        let AuditorResponse { missed, suspended } = self.ask(&QueryMsg::Auditor { auditor }).unwrap();
        (missed, suspended)
    }

    /// Demands a chunk of a root of `NODE`.
    pub fn demand(&mut self, by: &Addr, epoch: u64, blob: BlobKind, index: u64) -> StdResult<u64> {
        let msg = ExecuteMsg::DemandChunk { node_id: NODE, denom: OPEN.into(), epoch, blob, index };
        let done = self.send(by, &msg, &[coin(DEMAND_BOND, OPEN)])?;
        Ok(number(&done, "demand_id"))
    }

    /// Answers a demand with the chunk that it asks for.
    pub fn answer(&mut self, by: &Addr, demand_id: u64) -> StdResult<AppResponse> {
        let DemandResponse { blob, index, .. } = self.ask(&QueryMsg::Demand { demand_id })?;
        let (chunk, path) = chunk(blob, index);
        self.act(by, &ExecuteMsg::AnswerDemand { demand_id, chunk, path: path.into() })
    }

    /// Ends a demand.
    pub fn expire(&mut self, by: &Addr, demand_id: u64) -> StdResult<AppResponse> {
        self.act(by, &ExecuteMsg::ExpireDemand { demand_id })
    }

    /// A demand.
    pub fn demand_state(&self, demand_id: u64) -> DemandResponse {
        self.ask(&QueryMsg::Demand { demand_id }).unwrap()
    }

    /// Opens a case.
    pub fn open(&mut self, by: &Addr, subject: Subject, bond: u128) -> StdResult<u64> {
        let msg = ExecuteMsg::OpenCase { subject, reason: "https://evidence.example".into() };
        let done = self.send(by, &msg, &[coin(bond, OPEN)])?;
        Ok(number(&done, "case_id"))
    }

    /// An auditor commits a vote with the salt of its number.
    pub fn commit(&mut self, case_id: u64, auditor: u64, guilty: bool) -> StdResult<AppResponse> {
        let commitment = self.commitment(case_id, auditor, guilty);
        self.act(&self.hot(auditor), &ExecuteMsg::CommitVote { case_id, auditor, commitment })
    }

    /// The commitment of an auditor's vote.
    pub fn commitment(&self, case_id: u64, auditor: u64, guilty: bool) -> HexBinary {
        let chain_id = self.app.block_info().chain_id;
        let salt = salt(auditor as u8);
        HexBinary::from(&vote_commitment(&chain_id, self.referee.as_str(), case_id, auditor, guilty, &salt))
    }

    /// An auditor reveals its vote.
    pub fn reveal(&mut self, case_id: u64, auditor: u64, guilty: bool) -> StdResult<AppResponse> {
        let salt = HexBinary::from(&salt(auditor as u8));
        self.act(&self.hot(auditor), &ExecuteMsg::RevealVote { case_id, auditor, guilty, salt })
    }

    /// Ends a case.
    pub fn conclude(&mut self, case_id: u64) -> StdResult<AppResponse> {
        self.act(&self.bob.clone(), &ExecuteMsg::Conclude { case_id })
    }

    /// Auditors vote, everyone reveals, the case is ended.
    pub fn vote(&mut self, case_id: u64, votes: &[(u64, bool)]) {
        self.vote_in(&[case_id], votes);
    }

    /// The same in cases of one opening, which end in this order.
    pub fn vote_in(&mut self, cases: &[u64], votes: &[(u64, bool)]) {
        for case_id in cases {
            for (auditor, guilty) in votes {
                self.commit(*case_id, *auditor, *guilty).unwrap();
            }
        }
        let last =
            cases.iter().map(|case_id| self.case(*case_id)).max_by_key(|case| case.reveal_until).unwrap();
        self.advance_to(last.commit_until + 1);
        for case_id in cases {
            for (auditor, guilty) in votes {
                self.reveal(*case_id, *auditor, *guilty).unwrap();
            }
        }
        self.advance_to(last.reveal_until + 1);
        for case_id in cases {
            self.conclude(*case_id).unwrap();
        }
    }

    /// A case.
    pub fn case(&self, case_id: u64) -> CaseResponse {
        self.ask(&QueryMsg::Case { case_id }).unwrap()
    }

    /// What an address can withdraw.
    pub fn balance(&self, address: &Addr) -> u128 {
        let msg = QueryMsg::Balance { address: address.to_string() };
        self.ask::<BalanceResponse>(&msg).unwrap().withdrawable.u128()
    }

    /// What an address holds at the bank.
    pub fn purse(&self, address: &Addr) -> u128 {
        let held = self.app.wrap().query_balance(address, OPEN).unwrap().amount;
        Uint128::try_from(held).unwrap().u128()
    }

    /// The counters: demand bonds, case bonds, withdrawable, treasury.
    pub fn totals(&self) -> [u128; 4] {
        let answer: InvariantsResponse = self.ask(&QueryMsg::Invariants {}).unwrap();
        let term = |i: usize| Uint128::try_from(answer.denoms[0].terms[i].amount).unwrap().u128();
        [term(0), term(1), term(2), term(3)]
    }

    /// Asserts that the bank holds exactly what the counters owe.
    pub fn assert_conserved(&self) {
        let answer: InvariantsResponse = self.ask(&QueryMsg::Invariants {}).unwrap();
        assert!(answer.holds && answer.broken.is_empty(), "{answer:?}");
        assert!(answer.denoms[0].surplus.is_zero(), "{answer:?}");
    }
}

/// A number in the events of an answer.
pub fn number(done: &AppResponse, key: &str) -> u64 {
    done.events
        .iter()
        .flat_map(|event| &event.attributes)
        .find(|attribute| attribute.key == key)
        .unwrap_or_else(|| panic!("no {key}"))
        .value
        .parse()
        .unwrap()
}

//! All contracts, a model of the class exact, and a node that has answered with these weights or others.

use cosmwasm_std::{to_json_vec, Addr, HexBinary};
use openledger_dispute::layout::Layout;
use openledger_dispute::play;
use openledger_dispute::trace::{Rows, Trace};
use openledger_exact::trace::{commit_root, EXACT_COMMIT_SCHEME};
use openledger_merkle::ZERO_HASH;
use openledger_testing::{Answer, Client, Document, NodeModel, Posting, Result, World};
use openledger_types::formats::{hash32, manifest_hash, Manifest, NumericClass, SignedReceipt};
use openledger_types::msg::arbiter::{
    DisputeResponse, DisputesResponse, ExecuteMsg, Outcome, Params, QueryMsg, TotalsResponse, Turn,
};
use openledger_types::msg::referee::{CaseResponse, ReceiptFault, Subject};
use sha2::{Digest, Sha256};

#[path = "../../../packages/dispute/tests/answers.rs"]
mod answers;

/// Seed of the weights that the manifest names.
pub const RIGHT: u64 = 5;
/// Seed of others.
pub const OTHER: u64 = 6;
/// Blocks for a move.
pub const MOVE: u64 = 10;
/// Tokens of prompt and answer.
const TOKENS: (usize, usize) = (4, 20);

pub struct Suite {
    pub world: World,
    pub arbiter: Addr,
    pub node: NodeModel,
    pub challenger: Addr,
    pub auditors: Vec<(Addr, u64)>,
    pub receipt: SignedReceipt,
    pub posting: Posting,
    pub manifest: Vec<u8>,
    /// The `config.json` that the manifest names.
    pub config: String,
    /// The weights that the node used.
    pub used: Rows,
    /// What the node computed.
    pub claimed: Trace,
    /// What follows from the manifest's weights, for the same tokens.
    pub honest: Trace,
}

impl Suite {
    /// A node that answers with the weights of this seed.
    pub fn new(seed: u64) -> Self {
        Suite::said_to_have(seed, answers::config_text(false))
    }

    /// The same under a manifest that names this `config.json`.
    pub fn said_to_have(seed: u64, said: String) -> Self {
        Suite::in_world(World::builder().profile(windows).build(), seed, said)
    }

    /// The same in a world with these [`windows`].
    pub fn in_world(world: World, seed: u64, said: String) -> Self {
        Suite::under(world, seed, said, |_| {})
    }

    /// A node that answers under a manifest with an adapter.
    pub fn adapted() -> Self {
        let world = World::builder().profile(windows).build();
        Suite::under(world, RIGHT, answers::config_text(false), |m| m.adapter_root = [1; 32].into())
    }

    fn under(mut world: World, seed: u64, said: String, change: impl Fn(&mut Manifest)) -> Self {
        let config = answers::config(false);
        let (rows, used) =
            (Rows::new(&answers::weights(&config, RIGHT)), Rows::new(&answers::weights(&config, seed)));
        let owner = world.account("owner");
        let datanet = world.create_datanet(&owner).unwrap();
        let alice = world.account("alice");
        let given = world.contribute(&alice, datanet, Document::generate(0, 2)).unwrap();
        let version = world.seal(&owner, datanet).unwrap().version;
        let mut manifest = manifest(&rows, &said);
        change(&mut manifest);
        let manifest = to_json_vec(&manifest).unwrap();
        let developer = world.account("developer");
        let model_id = world.create_model(&developer).unwrap();
        let mut new = openledger_testing::new_version("model", &world.denom, &[(datanet, version)]);
        new.manifest_hash = manifest_hash(&manifest).into();
        new.weights_root = rows.root().into();
        new.numeric_class = NumericClass::Exact;
        let model = (model_id, world.register_version(&developer, model_id, new).unwrap());
        let mut node = NodeModel::register(&mut world, "node").unwrap();
        let bond = world.profile.node_registry.min_bond.u128();
        let auditors = (0..3)
            .map(|number| {
                let (node_id, operator) = world.register_auditor(&format!("auditor{number}"), bond).unwrap();
                (operator, node_id)
            })
            .collect();
        let user = world.account("user");
        let mut client: Client = world.open_session(&user, model, &[(node.node_id, 1_000_000)]).unwrap();
        let voucher = client.ask(node.node_id, "question?", 20_000);
        let mut answer = Answer::citing(&[(given[0], 3_000)]);
        (answer.tokens_in, answer.tokens_out) = (TOKENS.0 as u32, TOKENS.1 as u32);
        let first = node.answer(&world, &voucher, answer);
        // The escrow sees logs and roots, never receipts: the one that counts takes this one's place there.
        client.acknowledge(&first);
        let plain = first.receipt;
        let seed_of_draws = hash32("seed", &plain.seed).unwrap();
        let claimed = answers::answered_by(&config, &used, seed, TOKENS, seed_of_draws);
        let statement = claimed.statement().clone();
        let honest = Trace::new(Layout::new(&config, &statement).unwrap(), statement.clone(), &rows).unwrap();
        let request = hash32("request_hash", &plain.request_hash).unwrap();
        let digests = statement.digests.concat();
        let mut receipt = plain.clone();
        receipt.decoding = statement.decoding;
        receipt.commit_scheme = EXACT_COMMIT_SCHEME.into();
        let root = commit_root(EXACT_COMMIT_SCHEME, &request, &statement.answer, &digests).unwrap();
        receipt.commit_root = root.into();
        let receipt = node.sign(receipt);
        node.receive(&client.acknowledgement(node.node_id));
        let mut posting = node.epoch(&world, &[client.session_id]);
        posting.replace_receipt(0, receipt.clone());
        let (operator, escrow) = (node.operator.clone(), world.escrow.clone());
        world.execute(&operator, &escrow, &posting.msg(), &[]).unwrap();
        let challenger = world.account("challenger");
        Suite {
            arbiter: world.arbiter.clone(),
            world,
            node,
            challenger,
            auditors,
            receipt,
            posting,
            manifest,
            config: said,
            used,
            claimed,
            honest,
        }
    }

    /// An arbiter, which the referee does not know yet.
    pub fn deploy(&mut self) -> Addr {
        self.world.deploy_arbiter(Params { move_blocks: MOVE })
    }

    /// Asserts that the counters are those of the disputes, counted one by one.
    pub fn assert_counted(&self) {
        let query = QueryMsg::Disputes { start_after: None, limit: Some(30) };
        let found: DisputesResponse = self.world.query(&self.arbiter, &query).unwrap();
        let mut counted = TotalsResponse { opened: found.disputes.len() as u64, ..Default::default() };
        for dispute in found.disputes {
            *match dispute.outcome {
                None => &mut counted.running,
                Some(Outcome::Guilty) => &mut counted.guilty,
                Some(Outcome::NotGuilty) => &mut counted.not_guilty,
                Some(Outcome::Contested) => &mut counted.contested,
                Some(Outcome::Lapsed) => &mut counted.lapsed,
            } += 1;
        }
        let totals: TotalsResponse = self.world.query(&self.arbiter, &QueryMsg::Totals {}).unwrap();
        assert_eq!(totals, counted);
        self.world.assert_invariants();
    }

    /// Opens a case about the answer.
    pub fn case(&mut self, kind: ReceiptFault) -> u64 {
        let subject = Subject::Receipts {
            node_id: self.node.node_id,
            denom: self.world.denom.clone(),
            epoch: self.posting.commit.epoch,
            kind,
            receipts: vec![self.posting.held(0)],
        };
        let (challenger, bond) = (self.challenger.clone(), self.world.profile.referee.case_bond.u128());
        self.world.open_case(&challenger, subject, bond).unwrap()
    }

    /// The message that takes a case from the votes.
    pub fn opening(&self, case_id: u64) -> ExecuteMsg {
        let statement = self.claimed.statement();
        ExecuteMsg::Open {
            case_id,
            receipt: self.receipt.receipt.clone(),
            manifest: self.manifest.clone().into(),
            config: self.config.clone().into_bytes().into(),
            prompt: statement.prompt.clone(),
            repetition_milli: statement.repetition_milli,
        }
    }

    pub fn tell(&mut self, sender: &Addr, msg: &ExecuteMsg) -> Result<()> {
        let arbiter = self.arbiter.clone();
        self.world.execute(sender, &arbiter, msg, &[]).map(drop)
    }

    pub fn dispute(&self, case_id: u64) -> DisputeResponse {
        self.world.query(&self.arbiter, &QueryMsg::Dispute { case_id }).unwrap()
    }

    pub fn verdict(&self, case_id: u64) -> CaseResponse {
        self.world.case(case_id).unwrap()
    }

    /// The node's next message in a dispute, by `trace` and the weights that it used.
    pub fn node_move(&self, case_id: u64, trace: &Trace) -> ExecuteMsg {
        let found = self.dispute(case_id);
        play::accused(&found, trace, &self.used).unwrap().expect("it is the node's turn")
    }

    /// Plays a dispute until it has ended, or a side cannot move: then its time passes.
    pub fn play(&mut self, case_id: u64, node: &Trace, challenger: &Trace) {
        let (operator, accuser) = (self.node.operator.clone(), self.challenger.clone());
        loop {
            let found = self.dispute(case_id);
            let moved = match found.turn {
                Turn::Over => return,
                Turn::Pick => {
                    // A challenger that finds nothing wrong has to pick something.
                    let pick = play::challenger(&found, challenger).unwrap();
                    self.tell(&accuser, &pick.unwrap_or(ExecuteMsg::Pick { case_id, index: 0 }))
                }
                _ => {
                    let msg = self.node_move(case_id, node);
                    self.tell(&operator, &msg)
                }
            };
            if moved.is_err() {
                self.world.advance_to(found.until + 1);
                self.tell(&accuser, &ExecuteMsg::Expire { case_id }).unwrap();
            }
            self.assert_counted();
        }
    }
}

/// Windows into which all moves of these disputes fit.
pub fn windows(profile: &mut openledger_testing::Profile) {
    profile.referee.dispute_blocks = 400;
    profile.arbiter.move_blocks = MOVE;
}

fn manifest(rows: &Rows, config: &str) -> Manifest {
    let zero = || HexBinary::from(&ZERO_HASH);
    Manifest {
        format: 1,
        name: "model".into(),
        architecture: "llama".into(),
        numeric_class: NumericClass::Exact,
        sampler: "gumbel-chacha8/3".into(),
        commit_scheme: EXACT_COMMIT_SCHEME.into(),
        attribution: "span/1".into(),
        influence: None,
        weights_root: rows.root().into(),
        tokenizer_hash: zero(),
        config_hash: Sha256::digest(config).as_slice().into(),
        template_hash: zero(),
        adapter_root: zero(),
        context: 64,
        parameters: 1,
        datanets: vec![],
        training_root: zero(),
        files: vec![],
    }
}

/// Weights of the small network by their seed.
pub fn weights(seed: u64) -> openledger_exact::weights::ExactWeights {
    answers::weights(&answers::config(false), seed)
}

/// The network's `config.json` with another vocabulary.
pub fn config_of(vocabulary: u32) -> String {
    answers::config_text(false).replace("\"vocab_size\":50", &format!("\"vocab_size\":{vocabulary}"))
}

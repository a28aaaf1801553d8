//! A dispute before the arbiter (PROTOCOL F2): every message of it, for the shape of a model that is trained in ten
//! minutes, and the steps that read most.

use std::collections::BTreeMap;

use anyhow::{bail, Context, Result};
use cosmwasm_std::HexBinary;
use openledger_dispute::layout::{Layout, Op, Place, Statement};
use openledger_dispute::play;
use openledger_dispute::trace::{Rows, Trace};
use openledger_exact::cache::Cache;
use openledger_exact::config::ModelConfig;
use openledger_exact::file::Tensor;
use openledger_exact::net::{ExactNet, Workspace};
use openledger_exact::sampler::{Sampler, EXACT_SAMPLER, NO_PENALTY};
use openledger_exact::trace::{commit_root, HiddenTrace, EXACT_COMMIT_SCHEME};
use openledger_exact::weights::ExactWeights;
use openledger_merkle::{Hash, ZERO_HASH};
use openledger_numerics::Path;
use openledger_types::formats::{hash32, Manifest, NumericClass, Receipt};
use openledger_types::msg::arbiter::{DisputeResponse, ExecuteMsg, Outcome, QueryMsg, Turn};
use openledger_types::msg::escrow::{self, HeldReceipt};
use openledger_types::msg::referee::{self, ReceiptFault, Subject};
use sha2::{Digest, Sha256};

use super::contribute::Data;
use super::serve::Market;
use super::world::{told, World};
use crate::report::Metric;

/// The model: 0.9 million parameters.
const CONFIG: &str = r#"{"architectures":["LlamaForCausalLM"],"model_type":"llama","hidden_size":128,
"intermediate_size":352,"vocab_size":2048,"num_hidden_layers":4,"num_attention_heads":4,"num_key_value_heads":2,
"head_dim":32,"rms_norm_eps":1e-5,"max_position_embeddings":256,"eos_token_id":0,"tie_word_embeddings":true}"#;

/// Where the challenger leads, with the name of the step's figure.
const STEPS: [(&str, Place); 4] = [
    ("dispute_step_product", Place::Layer(3, Op::Down)),
    ("dispute_step_scores", Place::Layer(3, Op::Scores)),
    ("dispute_step_logits", Place::Logits),
    ("dispute_step_token", Place::Token),
];

/// Measures disputes against a node that computed right, each led to another step, so that all moves are made.
pub async fn measure(world: &World, data: &Data, metrics: &mut Vec<Metric>) -> Result<()> {
    let config = ModelConfig::parse(CONFIG.as_bytes()).map_err(|error| anyhow::anyhow!("{error}"))?;
    let rows = Rows::new(&weights(&config)?);
    let manifest = manifest(&config, &rows);
    let bytes = serde_json::to_vec(&manifest)?;
    let market = Market::exact(world, data, &bytes, rows.root()).await?;
    let mut gas: BTreeMap<&'static str, Vec<f64>> = BTreeMap::new();
    for (name, place) in STEPS {
        let whole = one(world, &market, &config, &rows, &bytes, (name, place), &mut gas).await?;
        gas.entry("dispute_whole").or_default().push(whole);
    }
    metrics.extend(gas.into_iter().map(|(name, runs)| Metric::of(name, "gas", runs)));
    Ok(())
}

/// One dispute; the gas of all its messages.
async fn one(
    world: &World,
    market: &Market,
    config: &ModelConfig,
    rows: &Rows,
    manifest: &[u8],
    (name, place): (&'static str, Place),
    gas: &mut BTreeMap<&'static str, Vec<f64>>,
) -> Result<f64> {
    let mut node = market.node(world, name, 100, world.data_owner.address()).await?;
    let (mut sessions, _) = market.sessions(world, &node, 1, 1).await?;
    let mut receipt = market.receipt(world, &sessions[0]);
    let honest = answered(config, rows, &receipt)?;
    let statement = honest.statement();
    let request: Hash = hash32("request_hash", &receipt.request_hash)?;
    let root = commit_root(EXACT_COMMIT_SCHEME, &request, &statement.answer, &statement.digests.concat());
    receipt.commit_scheme = EXACT_COMMIT_SCHEME.into();
    receipt.commit_root = HexBinary::from(&root.context("tokens and digests fit")?);
    sessions[0].acknowledge(&receipt)?;
    let posting = node.epoch(world, &mut sessions)?;
    world.execute(&world.operator, &world.escrow, &posting, 0).await?;
    let escrow::ExecuteMsg::PostEpoch { commit, .. } = posting else { bail!("not a posting") };
    let held = HeldReceipt {
        receipt_id: HexBinary::from(&receipt.digest()),
        session_id: receipt.session_id,
        sequence: receipt.sequence,
        fee: receipt.fee,
        index: 0,
        path: vec![].into(),
    };
    let subject = Subject::Receipts {
        node_id: node.id,
        denom: world.denom().into(),
        epoch: commit.epoch,
        kind: ReceiptFault::Output,
        receipts: vec![held],
    };
    let msg = referee::ExecuteMsg::OpenCase { subject, reason: "measured".into() };
    let bond = world.profile.referee.case_bond.u128();
    let opened = world.execute(&world.user, &world.referee, &msg, bond).await?;
    let case_id = told(&opened, &world.referee, "case_id")?;
    let open = ExecuteMsg::Open {
        case_id,
        receipt,
        manifest: manifest.into(),
        config: CONFIG.as_bytes().into(),
        prompt: statement.prompt.clone(),
        repetition_milli: statement.repetition_milli,
    };
    let done = world.execute(&world.user, &world.arbiter, &open, 0).await?;
    gas.entry("dispute_open").or_default().push(done.gas_used as f64);
    let mut whole = (opened.gas_used + done.gas_used) as f64;
    let liar = altered(&honest, honest.layout().slot(honest.layout().last(), place));
    loop {
        let query = QueryMsg::Dispute { case_id };
        let found: DisputeResponse = world.query(&world.arbiter, &query).await?;
        let (figure, msg, sender) = match found.turn {
            Turn::Over if found.outcome == Some(Outcome::NotGuilty) => return Ok(whole),
            Turn::Over => bail!("the node computed right, and the arbiter says {:?}", found.outcome),
            Turn::Pick => ("dispute_pick", play::challenger(&found, &liar)?, &world.user),
            Turn::Answer => ("dispute_answer", play::accused(&found, &honest, rows)?, &world.operator),
            Turn::Show => ("dispute_show", play::accused(&found, &honest, rows)?, &world.operator),
            Turn::Step => (name, play::accused(&found, &honest, rows)?, &world.operator),
        };
        let msg = msg.context("a move is due")?;
        let used = world.execute(sender, &world.arbiter, &msg, 0).await?.gas_used as f64;
        gas.entry(figure).or_default().push(used);
        whole += used;
    }
}

/// A trace with the first value of a slot altered.
fn altered(trace: &Trace, slot: u64) -> Trace {
    let mut values = trace.values().to_vec();
    if let Some(value) = values.get_mut(slot as usize).and_then(|values| values.first_mut()) {
        *value = f32::from_bits(value.to_bits() ^ 1);
    }
    Trace::from_values(trace.layout().clone(), trace.statement().clone(), values)
}

/// Weights that follow from a fixed seed.
fn weights(config: &ModelConfig) -> Result<ExactWeights> {
    let mut state = 1u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f32 / 8_388_608.0 - 1.0) * 0.2
    };
    let tensors = config.tensors().into_iter().map(|(name, shape)| {
        let values = (0..shape.iter().product()).map(|_| next()).collect();
        (name, Tensor { shape, values })
    });
    let tensors: BTreeMap<_, _> = tensors.collect();
    ExactWeights::new(config, &tensors).map_err(|error| anyhow::anyhow!("{error}"))
}

/// The engine's answer of as many tokens as the receipt says, with its trace.
fn answered(config: &ModelConfig, rows: &Rows, receipt: &Receipt) -> Result<Trace> {
    let mut statement = Statement {
        prompt: (0..receipt.tokens_in).map(|i| i * 7 % 2_048).collect(),
        answer: Vec::new(),
        digests: Vec::new(),
        decoding: receipt.decoding,
        repetition_milli: NO_PENALTY,
        seed: hash32("seed", &receipt.seed)?,
    };
    let net = ExactNet::new(config, weights(config)?, Path::best());
    let sampler = Sampler::new(statement.seed, &statement.decoding).map_err(|e| anyhow::anyhow!("{e}"))?;
    let (mut cache, mut room) = (Cache::new(net.shape()), Workspace::default());
    let (mut hidden_trace, mut input) = (HiddenTrace::default(), statement.prompt.clone());
    while statement.answer.len() < receipt.tokens_out as usize {
        let (at, last) = (statement.answer.len() as u64, input.len() - 1);
        let mut drawn = None;
        net.read_text(&mut cache, &input, (64, last), &mut room, &mut |_, hidden, logits| {
            drawn = sampler.draw(logits, at);
            hidden_trace.push(hidden);
        });
        let token = drawn.context("logits are finite")?;
        statement.answer.push(token);
        input = vec![token];
    }
    let digests = hidden_trace.finish();
    statement.digests = digests.chunks(32).map(Hash::try_from).collect::<std::result::Result<_, _>>()?;
    let layout = Layout::new(config, &statement)?;
    Ok(Trace::new(layout, statement, rows)?)
}

fn manifest(config: &ModelConfig, rows: &Rows) -> Manifest {
    let zero = || HexBinary::from(&ZERO_HASH);
    Manifest {
        format: 1,
        name: "disputed".into(),
        architecture: "llama".into(),
        numeric_class: NumericClass::Exact,
        sampler: EXACT_SAMPLER.into(),
        commit_scheme: EXACT_COMMIT_SCHEME.into(),
        attribution: "span/1".into(),
        influence: None,
        weights_root: rows.root().into(),
        tokenizer_hash: zero(),
        config_hash: Sha256::digest(CONFIG).as_slice().into(),
        template_hash: zero(),
        adapter_root: zero(),
        context: 256,
        parameters: config.parameters(),
        datanets: vec![],
        training_root: zero(),
        files: vec![],
    }
}

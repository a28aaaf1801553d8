//! The moves of a dispute (PROTOCOL F2).

use cosmwasm_std::{
    from_json, wasm_execute, Binary, DepsMut, Env, Event, HexBinary, MessageInfo, QuerierWrapper, Response,
    Storage, Uint64,
};
use openledger_contract::CommonError;
use openledger_dispute::layout::{Layout, Statement};
use openledger_dispute::opened::Opened;
use openledger_dispute::step::{holds, sampler};
use openledger_dispute::tree::{most_moves, Descent};
use openledger_exact::sampler::{is_exact, knows_penalty, NO_PENALTY};
use openledger_exact::trace::{commit_root, EXACT_COMMIT_SCHEME};
use openledger_merkle::{Hash, ZERO_HASH};
use openledger_types::formats::{hash32, manifest_hash, tokens_hash, Manifest, NumericClass, Receipt};
use openledger_types::msg::arbiter::{Openings, Outcome, Turn, MAX_CONFIG, MAX_MANIFEST, MAX_STEP};
use openledger_types::msg::referee::{CaseResponse, ReceiptFault, Subject};
use openledger_types::msg::{model_registry, node_registry, referee};
use openledger_types::packed::HashPath;
use sha2::{Digest, Sha256};

use crate::state::{self, Board, Contracts, Matter, BOARDS, CONTRACTS, MATTERS, PARAMS};
use crate::ContractError;

/// What opens a dispute.
pub struct Opening {
    /// The receipt.
    pub receipt: Receipt,
    /// The model's manifest.
    pub manifest: Binary,
    /// Its `config.json`.
    pub config: Binary,
    /// Tokens of the prompt.
    pub prompt: Vec<u32>,
    /// Repetition penalty in thousandths.
    pub repetition_milli: u32,
}

/// What a step shows.
pub struct Shown {
    /// Tokens of the prompt.
    pub prompt: Vec<u32>,
    /// Tokens of the answer.
    pub tokens: Vec<u32>,
    /// Digests of its windows.
    pub digests: Binary,
    /// What the step reads.
    pub openings: Openings,
}

/// Takes a case from the votes.
pub fn open(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    case_id: u64,
    opening: Opening,
) -> Result<Response, ContractError> {
    if MATTERS.has(deps.storage, case_id) {
        return Err(ContractError::Exists { case_id });
    }
    let contracts = CONTRACTS.load(deps.storage)?;
    let case: CaseResponse =
        deps.querier.query_wasm_smart(&contracts.referee, &referee::QueryMsg::Case { case_id })?;
    let left = |why| Err(ContractError::NotArithmetic { case_id, why });
    let (node_id, receipt_id) = match &case.subject {
        Subject::Receipts { node_id, kind: ReceiptFault::Output, receipts, .. } => match &receipts[..] {
            [receipt] => (*node_id, receipt.receipt_id.clone()),
            _ => return left("it is about more than one receipt"),
        },
        _ => return left("it is not about an answer's computation"),
    };
    let by_node = is_node(&deps.querier, &contracts, node_id, info.sender.as_str())?;
    if !by_node && info.sender.as_str() != case.challenger {
        let role = "the case's challenger, or the node's operator or hot address";
        return Err(CommonError::Unauthorized { role }.into());
    }
    let Opening { receipt, manifest, config, prompt, repetition_milli } = opening;
    receipt.validate()?;
    if receipt.digest() != receipt_id.as_slice() {
        return Err(ContractError::OtherDocument { what: "the receipt" });
    }
    if receipt.commit_scheme != EXACT_COMMIT_SCHEME {
        return left("its commitment is not of the class exact");
    }
    let manifest = model(&deps.querier, &contracts, &receipt, &manifest)?;
    if manifest.numeric_class != NumericClass::Exact || manifest.adapter_root.as_slice() != ZERO_HASH {
        return left("the model is not of the class exact, or has an adapter");
    }
    let plain = is_exact(&manifest.sampler) && repetition_milli == NO_PENALTY;
    if !plain && !knows_penalty(&manifest.sampler) {
        return left("the sampler is unknown, or has no repetition penalty");
    }
    if config.len() > MAX_CONFIG || Sha256::digest(&config).as_slice() != manifest.config_hash.as_slice() {
        return Err(ContractError::OtherDocument { what: "config.json" });
    }
    if prompt.len() != receipt.tokens_in as usize {
        return Err(
            CommonError::BadField { field: "prompt", rule: "as many tokens as the receipt says" }.into()
        );
    }
    let move_blocks = PARAMS.load(deps.storage)?.move_blocks;
    let matter = Matter {
        node_id,
        challenger: deps.api.addr_validate(&case.challenger)?,
        by_node,
        move_blocks,
        receipt_id: receipt_id.clone(),
        request_hash: receipt.request_hash,
        seed: receipt.seed,
        commit_root: receipt.commit_root,
        decoding: receipt.decoding,
        tokens_out: receipt.tokens_out,
        tokens_in: receipt.tokens_in,
        prompt_hash: tokens_hash(&prompt).into(),
        repetition_milli,
        weights_root: manifest.weights_root,
        config,
    };
    // Whatever the moves will show must be computable, or the dispute could not end by a step.
    let layout = check_statement(&matter, prompt)?;
    if layout.most_bytes() > MAX_STEP {
        // Else a challenger could lead an honest node to a step that no transaction can show.
        return left("a step of this model or answer does not fit a transaction");
    }
    // The node's answer, the descent, the step, and one more window to expire the last move in.
    let moves = most_moves(layout.slots(), layout.most_units()).saturating_add(2);
    let needed =
        Uint64::new(moves).checked_mul(move_blocks.into())?.checked_add(env.block.height.into())?.u64();
    if needed > case.reveal_until {
        return Err(ContractError::TooLate { case_id, moves, needed, until: case.reveal_until });
    }
    let board = Board {
        until: after(&env, move_blocks)?,
        trace_root: None,
        picked: false,
        slot: None,
        offset: 0,
        size: layout.slots(),
        hash: ZERO_HASH.into(),
        shown: HashPath::default(),
        outcome: None,
    };

    MATTERS.save(deps.storage, case_id, &matter)?;
    BOARDS.save(deps.storage, case_id, &board)?;
    state::count_opened(deps.storage)?;
    let msg = referee::ExecuteMsg::Arbitrate { case_id };
    Ok(Response::new()
        .add_attribute("action", "open")
        .add_event(
            Event::new("dispute_opened")
                .add_attribute("case_id", case_id.to_string())
                .add_attribute("node_id", node_id.to_string())
                .add_attribute("by_node", by_node.to_string())
                .add_attribute("slots", layout.slots().to_string())
                .add_attribute("until", board.until.to_string()),
        )
        .add_message(wasm_execute(&contracts.referee, &msg, vec![])?))
}

/// Gives the case back to the votes.
pub fn contest(deps: DepsMut, env: Env, info: MessageInfo, case_id: u64) -> Result<Response, ContractError> {
    let (matter, board) = running(deps.storage, &env, case_id)?;
    let contracts = CONTRACTS.load(deps.storage)?;
    let (may, unmoved) = match matter.by_node {
        true => (info.sender == matter.challenger, !board.picked),
        false => (
            is_node(&deps.querier, &contracts, matter.node_id, info.sender.as_str())?,
            board.trace_root.is_none(),
        ),
    };
    if !may {
        return Err(CommonError::Unauthorized { role: "the side that did not open the dispute" }.into());
    }
    if !unmoved {
        return Err(ContractError::NotThisMove { case_id, turn: board.turn() });
    }
    end(deps.storage, &contracts, case_id, board, Outcome::Contested, "contest")
}

/// The node's first move.
pub fn answer(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    case_id: u64,
    tokens: &[u32],
    digests: &[u8],
    trace_root: HexBinary,
) -> Result<Response, ContractError> {
    let (matter, mut board) = turn(&deps, &env, &info, case_id, Turn::Answer)?;
    check_answer(&matter, tokens, digests)?;
    let root: Hash = hash32("trace_root", &trace_root)?;
    board.trace_root = Some(trace_root);
    board.keep(Descent::new(root, matter.layout()?.slots()));
    moved(deps.storage, &env, case_id, &matter, board, "answer")
}

/// The node shows hashes.
pub fn show(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    case_id: u64,
    hashes: HashPath,
) -> Result<Response, ContractError> {
    let (matter, mut board) = turn(&deps, &env, &info, case_id, Turn::Show)?;
    let mut descent = board.descent()?;
    let units = match descent.at_slot() {
        Some(slot) => matter.layout()?.units(slot)?,
        None => 0,
    };
    descent.open(units, hashes.0)?;
    board.keep(descent);
    moved(deps.storage, &env, case_id, &matter, board, "show")
}

/// The challenger picks a hash.
pub fn pick(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    case_id: u64,
    index: u8,
) -> Result<Response, ContractError> {
    let (matter, mut board) = turn(&deps, &env, &info, case_id, Turn::Pick)?;
    let mut descent = board.descent()?;
    descent.pick(usize::from(index))?;
    board.keep(descent);
    board.picked = true;
    moved(deps.storage, &env, case_id, &matter, board, "pick")
}

/// The step is computed again, and the case decided.
pub fn step(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    case_id: u64,
    shown: Shown,
) -> Result<Response, ContractError> {
    let (matter, board) = turn(&deps, &env, &info, case_id, Turn::Step)?;
    let Shown { prompt, tokens, digests, openings } = shown;
    if tokens_hash(&prompt) != matter.prompt_hash.as_slice() {
        return Err(ContractError::OtherDocument { what: "the prompt" });
    }
    check_answer(&matter, &tokens, &digests)?;
    let statement = Statement {
        prompt,
        answer: tokens,
        digests: digests.chunks(32).map(|d| d.try_into().unwrap_or_default()).collect(),
        ..statement(&matter)?
    };
    let layout = matter.layout()?;
    let root = hash32("trace_root", board.trace_root.as_ref().unwrap_or(&HexBinary::default()))?;
    let weights_root = hash32("weights_root", &matter.weights_root)?;
    let target =
        board.descent()?.target().ok_or(ContractError::NotThisMove { case_id, turn: board.turn() })?;
    let mut opened = Opened::new(&layout, &root, &weights_root, &openings)?;
    let outcome = match holds(&layout, &statement, &target, &mut opened)? {
        true => Outcome::NotGuilty,
        false => Outcome::Guilty,
    };
    let contracts = CONTRACTS.load(deps.storage)?;
    end(deps.storage, &contracts, case_id, board, outcome, "step")
}

/// Decides against the silent side.
pub fn expire(deps: DepsMut, env: Env, case_id: u64) -> Result<Response, ContractError> {
    let (_, board) = state::dispute(deps.storage, case_id)?;
    let mut outcome = match board.turn() {
        Turn::Over => return Err(ContractError::NotThisMove { case_id, turn: Turn::Over }),
        Turn::Pick => Outcome::NotGuilty,
        Turn::Answer | Turn::Show | Turn::Step => Outcome::Guilty,
    };
    if env.block.height <= board.until {
        return Err(ContractError::NotExpired { case_id, until: board.until });
    }
    let contracts = CONTRACTS.load(deps.storage)?;
    let msg = referee::QueryMsg::Arbiter { case_id: Some(case_id) };
    let found: referee::ArbiterResponse = deps.querier.query_wasm_smart(&contracts.referee, &msg)?;
    if found.of_case.as_deref() != Some(env.contract.address.as_str()) {
        outcome = Outcome::Lapsed;
    }
    end(deps.storage, &contracts, case_id, board, outcome, "expire")
}

/// A dispute whose move is due in time.
fn running(storage: &dyn Storage, env: &Env, case_id: u64) -> Result<(Matter, Board), ContractError> {
    let (matter, board) = state::dispute(storage, case_id)?;
    match board.turn() {
        Turn::Over => Err(ContractError::NotThisMove { case_id, turn: Turn::Over }),
        _ if env.block.height > board.until => Err(ContractError::Late { case_id, until: board.until }),
        _ => Ok((matter, board)),
    }
}

/// The same, of the side whose move it is.
fn turn(
    deps: &DepsMut,
    env: &Env,
    info: &MessageInfo,
    case_id: u64,
    wanted: Turn,
) -> Result<(Matter, Board), ContractError> {
    let (matter, board) = running(deps.storage, env, case_id)?;
    let contracts = CONTRACTS.load(deps.storage)?;
    match wanted {
        Turn::Pick if info.sender == matter.challenger => {}
        Turn::Pick => return Err(CommonError::Unauthorized { role: "the case's challenger" }.into()),
        _ if is_node(&deps.querier, &contracts, matter.node_id, info.sender.as_str())? => {}
        _ => {
            let role = "the node's operator or hot address";
            return Err(CommonError::Unauthorized { role }.into());
        }
    }
    match board.turn() == wanted {
        true => Ok((matter, board)),
        false => Err(ContractError::NotThisMove { case_id, turn: board.turn() }),
    }
}

/// Keeps a move; the other side has its time from now.
fn moved(
    storage: &mut dyn Storage,
    env: &Env,
    case_id: u64,
    matter: &Matter,
    mut board: Board,
    action: &str,
) -> Result<Response, ContractError> {
    board.until = after(env, matter.move_blocks)?;
    BOARDS.save(storage, case_id, &board)?;
    Ok(Response::new().add_attribute("action", action).add_event(
        Event::new("dispute_moved")
            .add_attribute("case_id", case_id.to_string())
            .add_attribute("turn", format!("{:?}", board.turn()).to_lowercase())
            .add_attribute("size", board.size.to_string())
            .add_attribute("until", board.until.to_string()),
    ))
}

/// Ends a dispute and tells the referee.
fn end(
    storage: &mut dyn Storage,
    contracts: &Contracts,
    case_id: u64,
    mut board: Board,
    outcome: Outcome,
    action: &str,
) -> Result<Response, ContractError> {
    board.outcome = Some(outcome);
    BOARDS.save(storage, case_id, &board)?;
    state::count_ended(storage, outcome)?;
    // None: nothing is left to tell the referee.
    let (award, name) = match outcome {
        Outcome::Guilty => (Some(Some(true)), "guilty"),
        Outcome::NotGuilty => (Some(Some(false)), "not_guilty"),
        Outcome::Contested => (Some(None), "contested"),
        Outcome::Lapsed => (None, "lapsed"),
    };
    let told = Response::new().add_attribute("action", action).add_event(
        Event::new("dispute_ended")
            .add_attribute("case_id", case_id.to_string())
            .add_attribute("outcome", name),
    );
    Ok(match award {
        Some(guilty) => {
            let msg = referee::ExecuteMsg::Award { case_id, guilty };
            told.add_message(wasm_execute(&contracts.referee, &msg, vec![])?)
        }
        None => told,
    })
}

/// Whether an address speaks for a node.
fn is_node(
    querier: &QuerierWrapper,
    contracts: &Contracts,
    node_id: u64,
    address: &str,
) -> Result<bool, ContractError> {
    let msg = node_registry::QueryMsg::Node { node_id };
    let node: node_registry::NodeResponse = querier.query_wasm_smart(&contracts.node_registry, &msg)?;
    Ok(node.operator == address || node.hot_addr.as_deref() == Some(address))
}

/// The manifest of a receipt's model, held against the hash on record.
fn model(
    querier: &QuerierWrapper,
    contracts: &Contracts,
    receipt: &Receipt,
    manifest: &[u8],
) -> Result<Manifest, ContractError> {
    let msg =
        model_registry::QueryMsg::Version { model_id: receipt.model_id, version: receipt.model_version };
    let version: model_registry::ModelVersionResponse =
        querier.query_wasm_smart(&contracts.model_registry, &msg)?;
    if manifest.len() > MAX_MANIFEST || manifest_hash(manifest) != version.manifest_hash.as_slice() {
        return Err(ContractError::OtherDocument { what: "the manifest" });
    }
    Ok(from_json(manifest)?)
}

/// What a dispute says before the answer is shown.
fn statement(matter: &Matter) -> Result<Statement, ContractError> {
    Ok(Statement {
        prompt: Vec::new(),
        answer: Vec::new(),
        digests: Vec::new(),
        decoding: matter.decoding,
        repetition_milli: matter.repetition_milli,
        seed: hash32("seed", &matter.seed)?,
    })
}

/// Refuses a receipt whose answer no statement can describe; gives the places of its trace.
fn check_statement(matter: &Matter, prompt: Vec<u32>) -> Result<Layout, ContractError> {
    let config = matter.config()?;
    let layout = matter.layout()?;
    let stated = Statement {
        prompt,
        // Tokens and digests are the node's to show: any that fit will do here.
        answer: vec![0; matter.tokens_out as usize],
        digests: vec![ZERO_HASH; layout.windows()],
        ..statement(matter)?
    };
    sampler(&stated)?;
    Ok(Layout::new(&config, &stated)?)
}

/// Refuses an answer that the receipt does not commit to.
fn check_answer(matter: &Matter, tokens: &[u32], digests: &[u8]) -> Result<(), ContractError> {
    let request_hash = hash32("request_hash", &matter.request_hash)?;
    let root = commit_root(EXACT_COMMIT_SCHEME, &request_hash, tokens, digests);
    let fits = tokens.len() == matter.tokens_out as usize
        && root.is_some_and(|root| root.as_slice() == matter.commit_root.as_slice());
    match fits {
        true => Ok(()),
        false => Err(ContractError::OtherDocument { what: "the answer" }),
    }
}

fn after(env: &Env, blocks: u64) -> Result<u64, ContractError> {
    Ok(Uint64::new(env.block.height).checked_add(blocks.into())?.u64())
}

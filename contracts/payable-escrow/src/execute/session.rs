//! Opening, topping up and ending sessions (S1, S3).

use cosmwasm_std::{Addr, Deps, DepsMut, Env, HexBinary, MessageInfo, Response, Storage, Uint128};
use openledger_contract::lean::Lean;
use openledger_contract::lists::is_rising;
use openledger_contract::{pause, payment, CommonError};
use openledger_types::faults::datanets_hash;
use openledger_types::formats::SumRoot;
use openledger_types::msg::escrow::{NodeCap, MAX_NODES};
use openledger_types::msg::model_registry::{MAX_DATANETS, MAX_ROYALTIES};
use openledger_types::msg::node_registry::{NodeStatus, Role};
use openledger_types::signature::is_compressed_key;

use crate::error::{ContractError, ContractResult};
use crate::money;
use crate::registry::{self, ModelTerms};
use crate::state::{NodePin, Purse, Session, SessionLog, LAST_SESSION, LOGS, PARAMS, PINS, PURSES, SESSIONS};

/// What `OpenSession` asks for.
pub struct Order {
    /// Model.
    pub model_id: u64,
    /// Version.
    pub model_version: u32,
    /// Key that signs vouchers.
    pub session_key: HexBinary,
    /// Nodes with their caps.
    pub nodes: Vec<NodeCap>,
    /// Life in blocks.
    pub blocks: Option<u64>,
}

/// `OpenSession`.
pub fn open(deps: DepsMut, env: Env, info: MessageInfo, order: Order) -> ContractResult<Response> {
    let owner = info.sender.clone();
    open_as(deps, env, info, order, (owner, None))
}

/// Opens a session that an owner has, and perhaps another contract opened for it.
pub fn open_as(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    order: Order,
    (owner, opener): (Addr, Option<Addr>),
) -> ContractResult<Response> {
    let (denom, paid) = payment::one_coin(&info)?;
    pause::assert_running(deps.storage)?;
    let Lean(params) = PARAMS.load(deps.storage)?;
    let Some(terms) = params.denoms.iter().find(|entry| entry.denom == denom) else {
        return Err(ContractError::DenomNotAllowed { denom });
    };
    let least = terms.open_fee.checked_add(terms.min_deposit)?;
    let paid = Uint128::new(paid);
    if paid < least {
        return Err(ContractError::DepositTooSmall { least });
    }
    let deposit = paid.checked_sub(terms.open_fee)?;
    let blocks = order.blocks.unwrap_or(params.max_session_blocks);
    if blocks == 0 || blocks > params.max_session_blocks {
        return Err(ContractError::BadLife { longest: params.max_session_blocks });
    }
    if !is_compressed_key(&order.session_key) {
        return Err(ContractError::BadSessionKey {});
    }
    validate_caps(&order.nodes, deposit)?;

    let model = query_model(deps.as_ref(), &order, &denom)?;
    let mut pins = Vec::with_capacity(order.nodes.len());
    for node in &order.nodes {
        pins.push(query_node(deps.as_ref(), &env, node.node_id, &model)?);
    }
    let mut royalties = Vec::with_capacity(model.royalties.len());
    for royalty in &model.royalties {
        royalties.push((deps.api.addr_validate(&royalty.recipient)?, royalty.bps));
    }

    let session_id = LAST_SESSION.load(deps.storage)?.checked_add(1).ok_or_else(overflow)?;
    let session = Session {
        owner: owner.clone(),
        session_key: order.session_key,
        denom: denom.clone(),
        open_fee: terms.open_fee,
        model_id: order.model_id,
        model_version: order.model_version,
        developer: deps.api.addr_validate(&model.developer)?,
        price_in: model.price_in,
        price_out: model.price_out,
        min_fee: terms.min_fee,
        split: model.split,
        nodes: order.nodes.iter().map(|node| node.node_id).collect(),
        opened_at: env.block.height,
        expires: env.block.height.checked_add(blocks).ok_or_else(overflow)?,
        grace_blocks: params.grace_blocks,
        in_flight: params.in_flight,
        royalties,
        datanets: model.datanets.iter().map(|version| version.datanet_id).collect(),
        datanets_hash: HexBinary::from(&datanets_hash(&model.datanets)),
        floor_per_token: model.floor_per_token,
        opener,
    };
    LAST_SESSION.save(deps.storage, &session_id)?;
    SESSIONS.save(deps.storage, session_id, &session)?;
    let purse = Purse {
        deposit,
        protocol: Uint128::zero(),
        developer: Uint128::zero(),
        node: Uint128::zero(),
        data: Uint128::zero(),
        refunded: Uint128::zero(),
        close_requested_at: None,
        closed: false,
    };
    PURSES.save(deps.storage, session_id, &purse)?;
    for (node, pin) in order.nodes.iter().zip(&pins) {
        PINS.save(deps.storage, (session_id, node.node_id), pin)?;
        let log = SessionLog {
            cap: node.cap,
            log: SumRoot::empty(),
            settled_at: env.block.height,
            from: 0,
            before: Uint128::zero(),
            epoch: 0,
        };
        LOGS.save(deps.storage, (session_id, node.node_id), &log)?;
    }
    money::update(deps.storage, &denom, |counters| {
        money::enter(&mut counters.paid_in, &mut counters.escrowed, deposit)?;
        money::enter(&mut counters.paid_in, &mut counters.treasury, terms.open_fee)
    })?;
    Ok(Response::new()
        .set_data(session_id.to_be_bytes())
        .add_attribute("action", "open_session")
        .add_attribute("session_id", session_id.to_string())
        .add_attribute("owner", owner)
        .add_attribute("model_id", session.model_id.to_string())
        .add_attribute("model_version", session.model_version.to_string())
        .add_attribute("deposit", format!("{deposit}{denom}"))
        .add_attribute("open_fee", format!("{}{denom}", session.open_fee))
        .add_attribute("expires", session.expires.to_string()))
}

/// `TopUp`. Anyone may add.
pub fn top_up(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    session_id: u64,
    node_id: u64,
) -> ContractResult<Response> {
    let (denom, paid) = payment::one_coin(&info)?;
    pause::assert_running(deps.storage)?;
    let session = load(deps.storage, session_id)?;
    if session.denom != denom {
        return Err(CommonError::WrongFunds { expected: session.denom }.into());
    }
    let mut purse = PURSES.load(deps.storage, session_id)?;
    if purse.close_requested_at.is_some() || env.block.height > session.expires {
        return Err(ContractError::SessionClosing {});
    }
    let mut log = LOGS
        .may_load(deps.storage, (session_id, node_id))?
        .ok_or(ContractError::NodeNotInSession { session_id, node_id })?;
    let paid = Uint128::new(paid);
    purse.deposit = purse.deposit.checked_add(paid)?;
    log.cap = log.cap.checked_add(paid)?;
    PURSES.save(deps.storage, session_id, &purse)?;
    LOGS.save(deps.storage, (session_id, node_id), &log)?;
    money::update(deps.storage, &denom, |counters| {
        money::enter(&mut counters.paid_in, &mut counters.escrowed, paid)
    })?;
    Ok(Response::new()
        .add_attribute("action", "top_up")
        .add_attribute("session_id", session_id.to_string())
        .add_attribute("node_id", node_id.to_string())
        .add_attribute("amount", format!("{paid}{denom}")))
}

/// `RequestClose`. By the owner at any moment, by the gateway that opened it for one, by anyone once the
/// session's life is over.
pub fn request_close(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    session_id: u64,
) -> ContractResult<Response> {
    payment::nonpayable(&info)?;
    let session = load(deps.storage, session_id)?;
    let entitled = info.sender == session.owner || session.opener.as_ref() == Some(&info.sender);
    if !entitled && env.block.height <= session.expires {
        return Err(
            CommonError::Unauthorized { role: "the session's owner, until the session is over," }.into()
        );
    }
    let mut purse = PURSES.load(deps.storage, session_id)?;
    if purse.close_requested_at.is_some() {
        return Err(ContractError::SessionClosing {});
    }
    purse.close_requested_at = Some(env.block.height);
    PURSES.save(deps.storage, session_id, &purse)?;
    Ok(Response::new()
        .add_attribute("action", "request_close")
        .add_attribute("session_id", session_id.to_string())
        .add_attribute("refund_from", refund_from(&session, env.block.height).to_string()))
}

/// `Refund`. By anyone; the coins go to the owner's balance, once.
pub fn refund(deps: DepsMut, env: Env, info: MessageInfo, session_id: u64) -> ContractResult<Response> {
    payment::nonpayable(&info)?;
    let session = load(deps.storage, session_id)?;
    let mut purse = PURSES.load(deps.storage, session_id)?;
    if purse.closed {
        return Err(ContractError::SessionClosed {});
    }
    let requested = purse.close_requested_at.ok_or(ContractError::CloseNotRequested {})?;
    let from = refund_from(&session, requested);
    if env.block.height < from {
        return Err(ContractError::GraceRunning { from });
    }
    let left = unspent(&purse)?;
    purse.closed = true;
    purse.refunded = left;
    PURSES.save(deps.storage, session_id, &purse)?;
    money::credit(deps.storage, &session.owner, &session.denom, left)?;
    money::update(deps.storage, &session.denom, |counters| {
        money::shift(&mut counters.escrowed, &mut counters.accrued, left)
    })?;
    Ok(Response::new()
        .add_attribute("action", "refund")
        .add_attribute("session_id", session_id.to_string())
        .add_attribute("owner", session.owner)
        .add_attribute("amount", format!("{left}{}", session.denom)))
}

/// First height of the refund; settlements end one block before it (S3).
pub fn refund_from(session: &Session, requested: u64) -> u64 {
    requested.saturating_add(session.grace_blocks)
}

/// Deposit that no settlement has taken.
pub fn unspent(purse: &Purse) -> ContractResult<Uint128> {
    Ok(purse
        .deposit
        .checked_sub(purse.protocol)?
        .checked_sub(purse.developer)?
        .checked_sub(purse.node)?
        .checked_sub(purse.data)?)
}

/// A session's terms, or the typed refusal.
pub fn load(storage: &dyn Storage, session_id: u64) -> ContractResult<Session> {
    SESSIONS.may_load(storage, session_id)?.ok_or(ContractError::SessionNotFound { session_id })
}

fn overflow() -> ContractError {
    CommonError::AmountTooLarge {}.into()
}

/// 1 to 4 nodes, sorted without repeats, no cap of nothing, together at most the deposit (S1).
fn validate_caps(nodes: &[NodeCap], deposit: Uint128) -> ContractResult<()> {
    let refuse = |reason| Err(ContractError::BadNodes { reason });
    if nodes.is_empty() || nodes.len() > MAX_NODES {
        return refuse("name 1 to 4");
    }
    if !is_rising(nodes, |node| node.node_id) {
        return refuse("sort them by number, none twice");
    }
    let mut sum = Uint128::zero();
    for node in nodes {
        if node.cap.is_zero() {
            return refuse("a cap of nothing");
        }
        sum = match sum.checked_add(node.cap) {
            Ok(sum) => sum,
            Err(_) => return refuse("caps together exceed the deposit"),
        };
    }
    if sum > deposit {
        return refuse("caps together exceed the deposit");
    }
    Ok(())
}

/// The model version, checked against what a session needs of it.
fn query_model(deps: Deps, order: &Order, denom: &str) -> ContractResult<ModelTerms> {
    let model = registry::model(deps, order.model_id, order.model_version)?;
    let refuse = |reason| Err(ContractError::ModelUnsuitable { reason });
    if model.model_id != order.model_id || model.version != order.model_version {
        return refuse("the registry answered for another one");
    }
    if model.deprecated {
        return refuse("its developer advises against it");
    }
    if model.denom != denom {
        return refuse("its prices are in another denom");
    }
    if !model.split.is_whole() {
        return refuse("its split is not 10,000 basis points");
    }
    if model.datanets.len() > MAX_DATANETS || model.royalties.len() > MAX_ROYALTIES {
        return refuse("it rests on too many datanets or ancestors");
    }
    // L11: with this no settlement can fail on its royalties.
    let royalties: u32 = model.royalties.iter().map(|royalty| u32::from(royalty.bps)).sum();
    if royalties > u32::from(model.split.developer) {
        return refuse("its royalties exceed the developer's part");
    }
    // With this, the fee that a settlement demands is never below the data's floor (D5).
    if model.price_out < model.floor_per_token {
        return refuse("its price is below the floor of its data");
    }
    Ok(model)
}

/// A node, checked and pinned with the price that it asks for the model.
fn query_node(deps: Deps, env: &Env, node_id: u64, model: &ModelTerms) -> ContractResult<NodePin> {
    let node = registry::node(deps, node_id)?;
    let refuse = |reason| Err(ContractError::NodeUnsuitable { node_id, reason });
    if node.node_id != node_id {
        return refuse("the registry answered for another one");
    }
    if node.status != NodeStatus::Bonded {
        return refuse("it is not in service");
    }
    if node.jailed_until.is_some() {
        return refuse("it is in jail");
    }
    if !node.roles.contains(&Role::Inference) {
        return refuse("it does not answer questions");
    }
    if !is_compressed_key(&node.node_key) {
        return refuse("its key is not a compressed secp256k1 key");
    }
    if node.key_expires.is_some_and(|last| env.block.height > last) {
        return refuse("its key has expired");
    }
    // An offer is never below the model's price, also after the developer raised it.
    let prices = registry::offer(deps, node_id, model.model_id, model.version)?.map(|offer| {
        let asked = |own: Option<Uint128>, least: Uint128| own.map_or(least, |own| own.max(least));
        (asked(offer.price_in, model.price_in), asked(offer.price_out, model.price_out))
    });
    let hot = node.hot_addr.as_deref().map(|addr| deps.api.addr_validate(addr)).transpose()?;
    let prices = prices.filter(|prices| *prices != (model.price_in, model.price_out));
    Ok(NodePin { node_key: node.node_key, operator: deps.api.addr_validate(&node.operator)?, hot, prices })
}

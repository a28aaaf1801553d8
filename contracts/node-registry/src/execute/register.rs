//! `Register`.

use cosmwasm_std::{
    Addr, Api, DepsMut, Env, Event, HexBinary, MessageInfo, Response, Storage, Uint128, Uint64,
};
use openledger_contract::{pause, payment, text, CommonError};
use openledger_types::formats::node_key_digest;
use openledger_types::msg::node_registry::{NodeStatus, Role};
use openledger_types::signature::{is_canonical, is_compressed_key};

use crate::state::{Node, KEYS, KEY_OWNERS, NODES, NODE_COUNT, PARAMS, TOTALS};
use crate::{audit, endpoint, ContractError};

/// What an operator says of a node.
pub struct Registration {
    /// Name, at most 64 bytes.
    pub moniker: String,
    /// Base URL.
    pub endpoint: String,
    /// Key that signs receipts (33 bytes).
    pub node_key: HexBinary,
    /// The key's signature for this operator (64 bytes).
    pub key_proof: HexBinary,
    /// Address of the hot key. Several nodes may share one: it is checked per session.
    pub hot_addr: Option<String>,
    /// age recipient for datanet keys.
    pub age_recipient: String,
    /// What it does.
    pub roles: Vec<Role>,
}

/// Takes the bond and puts the node into service; its key is in force from this block on.
pub fn register(
    mut deps: DepsMut,
    env: Env,
    info: MessageInfo,
    new: Registration,
) -> Result<Response, ContractError> {
    let params = PARAMS.load(deps.storage)?;
    let sent = payment::must_pay(&info, &params.denom)?;
    pause::assert_running(deps.storage)?;
    if sent < params.min_bond.u128() {
        return Err(ContractError::BondTooSmall { least: params.min_bond.u128(), sent });
    }
    let bond = Uint128::new(sent);
    check_moniker(&new.moniker)?;
    endpoint::validate(&new.endpoint)?;
    text::age_recipient("age_recipient", &new.age_recipient)?;
    check_roles(&new.roles)?;
    check_key(deps.storage, &new.node_key)?;
    check_proof(deps.api, &env, &info.sender, &new.node_key, &new.key_proof)?;
    let hot_addr = new.hot_addr.map(|hot| deps.api.addr_validate(&hot)).transpose()?;
    let node_id = Uint64::new(NODE_COUNT.load(deps.storage)?).checked_add(Uint64::one())?.u64();
    let mut totals = TOTALS.load(deps.storage)?;
    totals.bonds = totals.bonds.checked_add(bond)?;
    let key_expires = key_end(env.block.height, params.key_blocks)?;
    if new.roles.contains(&Role::Audit) {
        audit::enter(deps.branch(), node_id, &info.sender)?;
    }
    let node = Node {
        operator: info.sender,
        moniker: new.moniker,
        endpoint: new.endpoint,
        hot_addr,
        age_recipient: new.age_recipient,
        roles: new.roles,
        bond,
        status: NodeStatus::Bonded,
        unbonds_at: None,
        key_expires: Some(key_expires),
        jailed_until: None,
        open_cases: 0,
        planned_cuts: 0,
    };

    NODE_COUNT.save(deps.storage, &node_id)?;
    TOTALS.save(deps.storage, &totals)?;
    KEYS.save(deps.storage, (node_id, env.block.height), &new.node_key)?;
    KEY_OWNERS.save(deps.storage, &new.node_key, &node_id)?;
    NODES.save(deps.storage, node_id, &node)?;
    Ok(Response::new().add_attribute("action", "register").add_event(
        Event::new("node_registered")
            .add_attribute("node_id", node_id.to_string())
            .add_attribute("operator", node.operator)
            .add_attribute("endpoint", node.endpoint)
            .add_attribute("node_key", new.node_key.to_hex())
            .add_attribute("key_expires", key_expires.to_string())
            .add_attribute("bond", bond)
            .add_attribute("denom", params.denom),
    ))
}

/// Refuses a name that is not one short line.
pub(crate) fn check_moniker(moniker: &str) -> Result<(), CommonError> {
    text::line("moniker", moniker, 1, 64, "a line of 1 to 64 bytes")
}

/// Refuses what is not a compressed key, and a key that any node ever had.
pub(crate) fn check_key(storage: &dyn Storage, key: &HexBinary) -> Result<(), ContractError> {
    if !is_compressed_key(key) {
        let rule = "a compressed secp256k1 key: 33 bytes, 02 or 03 first";
        return Err(CommonError::BadField { field: "node_key", rule }.into());
    }
    match KEY_OWNERS.may_load(storage, key)? {
        Some(node_id) => Err(ContractError::KeyTaken { node_id }),
        None => Ok(()),
    }
}

/// Refuses a key whose owner has not signed for this operator: nobody burdens a stranger's key with a
/// node, nor copies a proof from another transaction.
pub(crate) fn check_proof(
    api: &dyn Api,
    env: &Env,
    operator: &Addr,
    key: &HexBinary,
    proof: &HexBinary,
) -> Result<(), ContractError> {
    let registry = env.contract.address.as_str();
    let digest = node_key_digest(&env.block.chain_id, registry, operator.as_str(), key);
    // An error of the verification is a key off the curve: as good as a wrong signature.
    let signed = is_canonical(proof) && api.secp256k1_verify(&digest, proof, key).unwrap_or(false);
    match signed {
        true => Ok(()),
        false => Err(ContractError::BadKeyProof {
            chain_id: env.block.chain_id.clone(),
            registry: registry.to_string(),
            operator: operator.to_string(),
        }),
    }
}

/// Last height at which a key may be pinned that is put into force at `from`.
pub(crate) fn key_end(from: u64, key_blocks: u64) -> Result<u64, ContractError> {
    Ok(Uint64::new(from).checked_add(Uint64::new(key_blocks))?.u64())
}

/// Refuses roles that are not sorted, repeat or are none.
pub(crate) fn check_roles(roles: &[Role]) -> Result<(), CommonError> {
    let rising = roles.iter().zip(roles.iter().skip(1)).all(|(first, second)| first < second);
    match rising && !roles.is_empty() {
        true => Ok(()),
        false => Err(CommonError::BadField { field: "roles", rule: "sorted, each role once, at least one" }),
    }
}

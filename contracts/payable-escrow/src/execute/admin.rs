//! What only the owner does.

use cosmwasm_std::{Addr, BankMsg, Coin, DepsMut, MessageInfo, Response, Storage};
use openledger_contract::lean::Lean;
use openledger_contract::lists::is_rising;
use openledger_contract::{ownership, payment, CommonError};
use openledger_types::msg::common::Amount;
use openledger_types::msg::escrow::{Params, MAX_DENOMS};

use crate::error::{ContractError, ContractResult};
use crate::state::{Counters, COUNTERS, PARAMS};

/// Longest window and life that can be set, in blocks: ten years of 5 seconds. Keeps a slip of the
/// owner from locking coins up for good, and every height from overflowing.
pub const MAX_BLOCKS: u64 = 63_072_000;
/// Most windows until a root without attestations is final.
pub const MAX_WINDOWS: u32 = 64;
/// Most requests in flight that can be set; bounds the loop over pending receipts.
pub const MAX_IN_FLIGHT: u32 = 64;
/// Most denoms over the contract's life; bounds the `Invariants` query.
pub const MAX_DENOMS_EVER: usize = 64;

/// `SpendTreasury`.
pub fn spend_treasury(
    deps: DepsMut,
    info: MessageInfo,
    to: String,
    amount: Amount,
) -> ContractResult<Response> {
    payment::nonpayable(&info)?;
    ownership::assert_owner(deps.storage, &info.sender)?;
    let to_addr: Addr = deps.api.addr_validate(&to)?;
    let Amount { denom, amount } = amount;
    if amount.is_zero() {
        return Err(CommonError::BadParam { name: "amount", rule: "at least 1" }.into());
    }
    let mut counters = COUNTERS.may_load(deps.storage, &denom)?.unwrap_or_default();
    counters.treasury = counters
        .treasury
        .checked_sub(amount)
        .map_err(|_| ContractError::TreasuryTooSmall { held: counters.treasury, denom: denom.clone() })?;
    counters.paid_out = counters.paid_out.checked_add(amount)?;
    COUNTERS.save(deps.storage, &denom, &counters)?;
    Ok(Response::new()
        .add_attribute("action", "spend_treasury")
        .add_attribute("to", to_addr.as_str())
        .add_attribute("amount", format!("{amount}{denom}"))
        .add_message(BankMsg::Send { to_address: to_addr.into(), amount: vec![Coin::new(amount, denom)] }))
}

/// `UpdateParams`.
pub fn update_params(deps: DepsMut, info: MessageInfo, params: Params) -> ContractResult<Response> {
    payment::nonpayable(&info)?;
    ownership::assert_owner(deps.storage, &info.sender)?;
    save_params(deps.storage, &params)?;
    Ok(Response::new().add_attribute("action", "update_params"))
}

/// Validates and stores parameters, and starts the counters of new denoms.
pub fn save_params(storage: &mut dyn Storage, params: &Params) -> ContractResult<()> {
    validate(params)?;
    for entry in &params.denoms {
        if COUNTERS.has(storage, &entry.denom) {
            continue;
        }
        let known = COUNTERS.keys(storage, None).take(MAX_DENOMS_EVER).collect::<Result<Vec<_>, _>>()?;
        if known.len() >= MAX_DENOMS_EVER {
            return Err(bad("denoms", "at most 64 different ones over the contract's life"));
        }
        COUNTERS.save(storage, &entry.denom, &Counters::default())?;
    }
    Ok(PARAMS.save(storage, &Lean(params.clone()))?)
}

fn bad(name: &'static str, rule: &'static str) -> ContractError {
    CommonError::BadParam { name, rule }.into()
}

/// Refuses numbers that disable their rule. Destructured, so that a new field must be thought of.
fn validate(params: &Params) -> ContractResult<()> {
    let Params {
        denoms,
        grace_blocks,
        challenge_blocks,
        unattested_windows,
        max_session_blocks,
        in_flight,
        epoch_blocks,
        abandoned_epochs,
        audit_bps,
        abandoned_cut_bps,
        exposure_bps,
    } = params;
    if denoms.is_empty() || denoms.len() > MAX_DENOMS {
        return Err(bad("denoms", "1 to 8 entries"));
    }
    if !is_rising(denoms, |params| &params.denom) {
        return Err(bad("denoms", "sorted, without repeats"));
    }
    for entry in denoms {
        if !is_denom(&entry.denom) {
            return Err(bad("denoms.denom", "a bank denom of 3 to 128 characters"));
        }
        for (name, value) in
            [("min_deposit", entry.min_deposit), ("open_fee", entry.open_fee), ("min_fee", entry.min_fee)]
        {
            if value.is_zero() {
                return Err(bad(name, "at least 1"));
            }
        }
        // A deposit that cannot pay one answer is of no use to anyone.
        if entry.min_deposit < entry.min_fee {
            return Err(bad("min_deposit", "at least min_fee"));
        }
    }
    for (name, value) in [
        ("grace_blocks", *grace_blocks),
        ("challenge_blocks", *challenge_blocks),
        ("max_session_blocks", *max_session_blocks),
        ("epoch_blocks", *epoch_blocks),
    ] {
        if value == 0 || value > MAX_BLOCKS {
            return Err(bad(name, "1 to 63,072,000 blocks"));
        }
    }
    if *unattested_windows == 0 || *unattested_windows > MAX_WINDOWS {
        return Err(bad("unattested_windows", "1 to 64"));
    }
    if *in_flight == 0 || *in_flight > MAX_IN_FLIGHT {
        return Err(bad("in_flight", "1 to 64"));
    }
    if *abandoned_epochs == 0 || *abandoned_epochs > MAX_WINDOWS {
        return Err(bad("abandoned_epochs", "1 to 64"));
    }
    // I2 and F5: at most half.
    for (name, value) in [("audit_bps", *audit_bps), ("exposure_bps", *exposure_bps)] {
        if value == 0 || value > 5_000 {
            return Err(bad(name, "1 to 5,000 basis points"));
        }
    }
    if *abandoned_cut_bps == 0 || *abandoned_cut_bps > 10_000 {
        return Err(bad("abandoned_cut_bps", "1 to 10,000 basis points"));
    }
    Ok(())
}

/// The bank's rule for denoms: a letter, then letters, digits and `/ : . _ -`.
fn is_denom(denom: &str) -> bool {
    (3..=128).contains(&denom.len())
        && denom.starts_with(|c: char| c.is_ascii_alphabetic())
        && denom.chars().all(|c| c.is_ascii_alphanumeric() || "/:._-".contains(c))
}

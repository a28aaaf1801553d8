//! What only the owner does.

use cosmwasm_std::{DepsMut, MessageInfo, Order, Response, Storage};
use openledger_contract::lean::Lean;
use openledger_contract::lists::is_rising;
use openledger_contract::{ownership, params, payment, text, CommonError};
use openledger_types::msg::gateway::{Params, Route, MAX_ROUTES, MAX_ROUTE_DENOMS};

use crate::error::{ContractError, ContractResult};
use crate::state::{CHANNELS, DENOMS, PARAMS, ROUTES};

/// Most denoms over the contract's life; bounds the query `Invariants`.
pub const MAX_DENOMS_EVER: usize = 64;
/// Most gas of a callback on this chain (wasmd's default for ibc-go's middleware).
const MAX_CALLBACK_GAS: u64 = 1_000_000;
/// Most gas of sending a payout: far above any, far below a block's.
const MAX_SEND_GAS: u64 = 5_000_000;
/// Longest grace after a timeout: a year.
const MAX_GRACE: u64 = 31_536_000;
/// Most bounties in a window.
const MAX_BOUNTIES: u32 = 1_000_000;

/// `SetRoute`.
pub fn set_route(deps: DepsMut, info: MessageInfo, route: Route) -> ContractResult<Response> {
    payment::nonpayable(&info)?;
    ownership::assert_owner(deps.storage, &info.sender)?;
    let response = Response::new()
        .add_attribute("action", "set_route")
        .add_attribute("route", route.name.as_str())
        .add_attribute("channel_id", route.channel_id.as_str())
        .add_attribute("enabled", route.enabled.to_string());
    save_route(deps.storage, route)?;
    Ok(response)
}

/// `UpdateParams`.
pub fn update_params(deps: DepsMut, info: MessageInfo, params: Params) -> ContractResult<Response> {
    payment::nonpayable(&info)?;
    ownership::assert_owner(deps.storage, &info.sender)?;
    save_params(deps.storage, params)?;
    Ok(Response::new().add_attribute("action", "update_params"))
}

/// Validates and stores bounds.
pub fn save_params(storage: &mut dyn Storage, params: Params) -> ContractResult<()> {
    validate(&params)?;
    Ok(PARAMS.save(storage, &Lean(params))?)
}

/// Validates and stores a route; the channel of the one that it replaces comes free.
pub fn save_route(storage: &mut dyn Storage, route: Route) -> ContractResult<()> {
    validate_route(&route)?;
    match CHANNELS.may_load(storage, &route.channel_id)? {
        Some(name) if name != route.name => {
            return Err(ContractError::ChannelTaken { channel_id: route.channel_id, name });
        }
        _ => {}
    }
    match ROUTES.may_load(storage, &route.name)? {
        Some(Lean(old)) => CHANNELS.remove(storage, &old.channel_id),
        None => {
            let routes = ROUTES.keys(storage, None, None, Order::Ascending).take(MAX_ROUTES).count();
            if routes >= MAX_ROUTES {
                return Err(bad("routes", "at most 64"));
            }
        }
    }
    for entry in &route.denoms {
        if DENOMS.has(storage, &entry.denom) {
            continue;
        }
        let known = DENOMS.keys(storage, None, None, Order::Ascending).take(MAX_DENOMS_EVER).count();
        if known >= MAX_DENOMS_EVER {
            return Err(bad("denoms", "at most 64 different ones over the contract's life"));
        }
        DENOMS.save(storage, &entry.denom, &true)?;
    }
    CHANNELS.save(storage, &route.channel_id, &route.name)?;
    let name = route.name.clone();
    Ok(ROUTES.save(storage, &name, &Lean(route))?)
}

fn bad(name: &'static str, rule: &'static str) -> ContractError {
    CommonError::BadParam { name, rule }.into()
}

/// Refuses numbers that disable their rule. Destructured, so that a new field must be thought of.
fn validate(params: &Params) -> ContractResult<()> {
    let Params {
        grace_seconds,
        holdoff_blocks,
        max_attempts,
        bounty_bps,
        bounty_window_blocks,
        bounties_per_window,
        callback_gas,
        send_gas,
        open_gas,
    } = params;
    if *grace_seconds == 0 || *grace_seconds > MAX_GRACE {
        return Err(bad("grace_seconds", "1 to 31,536,000 seconds"));
    }
    params::blocks("holdoff_blocks", *holdoff_blocks)?;
    params::blocks("bounty_window_blocks", *bounty_window_blocks)?;
    if *max_attempts == 0 || *max_attempts > 16 {
        return Err(bad("max_attempts", "1 to 16"));
    }
    if *bounty_bps == 0 || *bounty_bps > 500 {
        return Err(bad("bounty_bps", "1 to 500 basis points"));
    }
    if *bounties_per_window == 0 || *bounties_per_window > MAX_BOUNTIES {
        return Err(bad("bounties_per_window", "1 to 1,000,000"));
    }
    // Below these the gateway could not do its bookkeeping, and a callback that fails is lost.
    for (name, gas, most) in [
        ("callback_gas", *callback_gas, MAX_CALLBACK_GAS),
        ("send_gas", *send_gas, MAX_SEND_GAS),
        ("open_gas", *open_gas, MAX_CALLBACK_GAS),
    ] {
        if gas < 100_000 || gas > most {
            return Err(bad(name, "at least 100,000 gas, for callbacks at most 1,000,000"));
        }
    }
    Ok(())
}

fn validate_route(route: &Route) -> ContractResult<()> {
    let Route { name, channel_id, prefix, denoms, timeout_seconds, enabled: _ } = route;
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if name.is_empty() || name.len() > 32 || !name.chars().all(|c| word(c) || c == '-') {
        return Err(bad("name", "1 to 32 of a-z, 0-9 and -"));
    }
    if !is_channel(channel_id) {
        return Err(bad("channel_id", "channel-N, with N a decimal number without leading zeros"));
    }
    if prefix.is_empty() || prefix.len() > 83 || !prefix.chars().all(word) {
        return Err(bad("prefix", "1 to 83 of a-z and 0-9"));
    }
    if denoms.is_empty() || denoms.len() > MAX_ROUTE_DENOMS {
        return Err(bad("denoms", "1 to 8 entries"));
    }
    if !is_rising(denoms, |params| &params.denom) {
        return Err(bad("denoms", "sorted, without repeats"));
    }
    for entry in denoms {
        text::denom("denoms.denom", &entry.denom)?;
        params::positive("min_payout", entry.min_payout)?;
        params::positive("max_bounty", entry.max_bounty)?;
        // What is left after the bounty must be worth sending.
        if entry.max_bounty >= entry.min_payout {
            return Err(bad("max_bounty", "less than min_payout"));
        }
    }
    if *timeout_seconds < 60 || *timeout_seconds > 604_800 {
        return Err(bad("timeout_seconds", "60 to 604,800"));
    }
    Ok(())
}

/// Whether an identifier is a classic channel. Anything else, such as a client, would silently choose
/// IBC v2, where stock wasmd runs no callbacks.
pub fn is_channel(channel_id: &str) -> bool {
    channel_id
        .strip_prefix("channel-")
        .is_some_and(|number| number.parse::<u64>().is_ok_and(|parsed| parsed.to_string() == number))
}

#[cfg(test)]
mod tests {
    use super::is_channel;

    #[test]
    fn only_classic_channels_are_channels() {
        for fine in ["channel-0", "channel-7", "channel-141", "channel-18446744073709551615"] {
            assert!(is_channel(fine), "{fine}");
        }
        for wrong in [
            "",
            "channel-",
            "channel-00",
            "channel-01",
            "channel-+1",
            "channel--1",
            "channel-1 ",
            "Channel-1",
            "07-tendermint-0",
            "08-wasm-1",
            "channel-18446744073709551616",
            "connection-0",
        ] {
            assert!(!is_channel(wrong), "{wrong}");
        }
    }
}

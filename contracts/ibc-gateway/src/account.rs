//! Accounts: those of this chain, and those that the gateway keeps for payers of others.

use cosmwasm_std::{Addr, Api, Env, Storage};
use openledger_contract::lean::Lean;
use openledger_types::formats::payer_account;
use openledger_types::msg::gateway::Preference;

use crate::error::ContractResult;
use crate::state::{CHANNELS, ON_ROUTE, PREFERENCES};

/// The address of the account for a payer who is `remote_addr` on the other side of a channel.
pub fn payer(api: &dyn Api, env: &Env, channel_id: &str, remote_addr: &str) -> ContractResult<Addr> {
    let bytes = payer_account(env.contract.address.as_str(), channel_id, remote_addr);
    Ok(api.addr_humanize(&bytes.to_vec().into())?)
}

/// Where the money of a payer goes: back over the channel that it came from, for ever.
pub fn payer_preference(
    storage: &dyn Storage,
    channel_id: &str,
    remote_addr: String,
) -> ContractResult<Preference> {
    let route = CHANNELS.may_load(storage, channel_id)?.unwrap_or_default();
    Ok(Preference { route, channel_id: Some(channel_id.into()), remote_addr, payer: true })
}

/// The preference of an account.
pub fn preference(storage: &dyn Storage, account: &Addr) -> ContractResult<Option<Preference>> {
    Ok(PREFERENCES.may_load(storage, account)?.map(|Lean(preference)| preference))
}

/// Stores a preference in place of the one before.
pub fn set_preference(
    storage: &mut dyn Storage,
    account: &Addr,
    preference: Preference,
) -> ContractResult<()> {
    remove_preference(storage, account)?;
    ON_ROUTE.save(storage, (&preference.route, account), &true)?;
    Ok(PREFERENCES.save(storage, account, &Lean(preference))?)
}

/// Forgets a preference; whether there was one.
pub fn remove_preference(storage: &mut dyn Storage, account: &Addr) -> ContractResult<bool> {
    let Some(old) = preference(storage, account)? else {
        return Ok(false);
    };
    ON_ROUTE.remove(storage, (&old.route, account));
    PREFERENCES.remove(storage, account);
    Ok(true)
}

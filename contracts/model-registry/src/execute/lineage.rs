//! Parents of a version and what it owes their developers (PROTOCOL L11).

use std::collections::BTreeMap;

use cosmwasm_std::Storage;
use openledger_contract::CommonError;
use openledger_types::money::{Royalty, Split};
use openledger_types::msg::model_registry::{Params, Parent, MAX_PARENTS, MAX_ROYALTIES};

use crate::state;
use crate::ContractError;

/// Refuses more parents than allowed, or in another order than by (model, version).
pub fn check_form(parents: &[Parent]) -> Result<(), ContractError> {
    let refused = |rule| Err(CommonError::BadField { field: "parents", rule }.into());
    if parents.len() > MAX_PARENTS {
        return refused("at most 4 model versions");
    }
    let place = |parent: &Parent| (parent.model_id, parent.version);
    match parents.iter().zip(parents.iter().skip(1)).any(|(a, b)| place(a) >= place(b)) {
        true => refused("sorted by (model, version), each once"),
        false => Ok(()),
    }
}

/// What a version with these parents owes: for each parent its own royalty to its model's developer of
/// today, and the parent's whole list as it was pinned. Equal recipients are merged, nothing is dropped;
/// sorted by recipient, so that the order of parents does not matter. A parent that is deprecated still
/// earns.
pub fn flatten(storage: &dyn Storage, parents: &[Parent]) -> Result<BTreeMap<String, u32>, ContractError> {
    let mut owed = BTreeMap::<String, u32>::new();
    let mut add = |recipient: String, bps: u16| {
        if bps > 0 {
            // At most 4 parents with 9 entries of 16 bits each: 32 bits hold their sum.
            let sum = owed.entry(recipient).or_default();
            *sum = sum.saturating_add(u32::from(bps));
        }
    };
    for parent in parents {
        let version = state::version(storage, parent.model_id, parent.version)?;
        if version.royalty_bps > 0 {
            add(state::model(storage, parent.model_id)?.developer.into_string(), version.royalty_bps);
        }
        for royalty in version.royalties {
            add(royalty.recipient, royalty.bps);
        }
    }
    Ok(owed)
}

/// Refuses royalties that are too many or too high for the version, and turns them into its list.
pub fn fit(
    owed: BTreeMap<String, u32>,
    split: &Split,
    params: &Params,
) -> Result<Vec<Royalty>, ContractError> {
    if owed.len() > MAX_ROYALTIES {
        return Err(ContractError::RoyaltyCount { most: MAX_ROYALTIES, actual: owed.len() });
    }
    let most = split.developer.min(params.max_royalty_bps);
    let total = owed.values().fold(0u32, |sum, bps| sum.saturating_add(*bps));
    let too_high = || ContractError::RoyaltiesTooHigh { most, total };
    if total > u32::from(most) {
        return Err(too_high());
    }
    owed.into_iter()
        .map(|(recipient, bps)| Ok(Royalty { recipient, bps: u16::try_from(bps).map_err(|_| too_high())? }))
        .collect()
}

//! What the owner may change. There is no pause: challenging never stops (A1).

use cosmwasm_std::{DepsMut, MessageInfo, Response};
use openledger_contract::{ownership, params, payment, text, CommonError};
use openledger_types::msg::common::OwnershipAction;
use openledger_types::msg::referee::Params;

use crate::state::PARAMS;
use crate::ContractError;

/// Most demands that may be open against one root, whatever the owner wishes.
const MOST_DEMANDS: u32 = 1_024;

/// Refuses parameters that would disable a rule.
pub fn validate(new: &Params) -> Result<(), ContractError> {
    let Params {
        denom,
        availability_blocks,
        demand_blocks,
        demand_bond,
        max_demands,
        dispute_blocks,
        case_bond,
        case_bond_bps,
        quorum_bps,
        missed_roots,
        missed_cut_bps,
        fault_cut_bps,
        withheld_cut_bps,
        voted_cut_bps,
        seed_blocks,
        seed_cut_bps,
    } = new;
    text::denom("params.denom", denom)?;
    params::blocks("availability_blocks", *availability_blocks)?;
    params::blocks("demand_blocks", *demand_blocks)?;
    params::positive("demand_bond", *demand_bond)?;
    if !(1..=MOST_DEMANDS).contains(max_demands) {
        return Err(CommonError::BadParam { name: "max_demands", rule: "1 to 1,024" }.into());
    }
    params::blocks("dispute_blocks", *dispute_blocks)?;
    if *dispute_blocks < 2 {
        // Half of it is for commitments, half for reveals: neither may be empty.
        return Err(CommonError::BadParam { name: "dispute_blocks", rule: "at least 2 blocks" }.into());
    }
    params::positive("case_bond", *case_bond)?;
    params::basis_points("case_bond_bps", *case_bond_bps)?;
    if !(5_001..=10_000).contains(quorum_bps) {
        let rule = "5,001 to 10,000 basis points: a quorum is more than half";
        return Err(CommonError::BadParam { name: "quorum_bps", rule }.into());
    }
    if *missed_roots == 0 {
        return Err(CommonError::BadParam { name: "missed_roots", rule: "at least 1 root" }.into());
    }
    params::basis_points("missed_cut_bps", *missed_cut_bps)?;
    params::basis_points("fault_cut_bps", *fault_cut_bps)?;
    params::basis_points("withheld_cut_bps", *withheld_cut_bps)?;
    params::basis_points("voted_cut_bps", *voted_cut_bps)?;
    params::blocks("seed_blocks", *seed_blocks)?;
    params::basis_points("seed_cut_bps", *seed_cut_bps)?;
    Ok(())
}

/// Changes windows, bonds and cuts. Open demands, windows, cases and seeds keep their heights, bonds and
/// quorum.
pub fn update_params(deps: DepsMut, info: MessageInfo, new: Params) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    ownership::assert_owner(deps.storage, &info.sender)?;
    validate(&new)?;
    // Bonds are counted in one denom: another one would leave them without a counter.
    if PARAMS.load(deps.storage)?.denom != new.denom {
        return Err(CommonError::BadParam { name: "denom", rule: "that of the instantiation" }.into());
    }
    PARAMS.save(deps.storage, &new)?;
    Ok(Response::new().add_attribute("action", "update_params"))
}

/// Takes one step of a change of owner.
pub fn update_ownership(
    deps: DepsMut,
    info: MessageInfo,
    action: OwnershipAction,
) -> Result<Response, ContractError> {
    let response = ownership::execute(deps.storage, deps.api, &info, action)?;
    Ok(response.add_attribute("sender", info.sender))
}

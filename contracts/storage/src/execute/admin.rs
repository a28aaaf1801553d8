//! What the owner may change.

use cosmwasm_std::{DepsMut, MessageInfo, Response};
use openledger_contract::{ownership, params, payment, text, CommonError};
use openledger_types::msg::storage::Params;

use crate::error::ContractResult;
use crate::state::PARAMS;

/// Most leaves of a draw: bounds the work of one message.
const MAX_SAMPLES: u32 = 32;

/// Refuses parameters that would disable a rule.
pub fn validate(new: &Params) -> Result<(), CommonError> {
    let Params {
        denom,
        default_price,
        epoch_blocks,
        answer_blocks,
        samples,
        assign_blocks,
        accept_blocks,
        notice_blocks,
        leave_blocks,
        miss_cut_bps,
        max_misses,
        cover_blocks,
    } = new;
    text::denom("params.denom", denom)?;
    params::positive("default_price", *default_price)?;
    for (name, blocks) in [
        ("epoch_blocks", epoch_blocks),
        ("answer_blocks", answer_blocks),
        ("assign_blocks", assign_blocks),
        ("accept_blocks", accept_blocks),
        ("notice_blocks", notice_blocks),
        ("leave_blocks", leave_blocks),
        ("cover_blocks", cover_blocks),
    ] {
        params::blocks(name, *blocks)?;
    }
    params::basis_points("miss_cut_bps", *miss_cut_bps)?;
    if !(1..=MAX_SAMPLES).contains(samples) {
        return Err(CommonError::BadParam { name: "samples", rule: "1 to 32" });
    }
    if *max_misses == 0 {
        return Err(CommonError::BadParam { name: "max_misses", rule: "at least 1" });
    }
    if answer_blocks >= epoch_blocks {
        return Err(CommonError::BadParam { name: "answer_blocks", rule: "less than epoch_blocks" });
    }
    if cover_blocks < epoch_blocks {
        return Err(CommonError::BadParam { name: "cover_blocks", rule: "at least epoch_blocks" });
    }
    Ok(())
}

/// Changes windows, samples and cuts. Objects keep their prices and draws their heights.
pub fn update_params(deps: DepsMut, info: MessageInfo, new: Params) -> ContractResult<Response> {
    payment::nonpayable(&info)?;
    ownership::assert_owner(deps.storage, &info.sender)?;
    validate(&new)?;
    let old = PARAMS.load(deps.storage)?;
    // Deposits are counted in one denom: another one would leave them without a counter.
    if old.denom != new.denom {
        return Err(CommonError::BadParam { name: "denom", rule: "that of the instantiation" }.into());
    }
    // A draw that waits asks for as many leaves as when it was made.
    if old.samples != new.samples {
        return Err(CommonError::BadParam { name: "samples", rule: "that of the instantiation" }.into());
    }
    PARAMS.save(deps.storage, &new)?;
    Ok(Response::new().add_attribute("action", "update_params"))
}

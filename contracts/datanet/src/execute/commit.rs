//! `Commit`: a place in the chain-wide order before anyone sees the bytes (PROTOCOL D1).

use cosmwasm_std::{Binary, DepsMut, Env, Event, HexBinary, MessageInfo, Response, Uint128, Uint64};
use openledger_contract::{pause, payment, CommonError};
use openledger_types::formats::hash32;
use openledger_types::msg::datanet::MAX_COMMIT;

use crate::execute::create::next;
use crate::execute::priority_now;
use crate::state::{self, slot, COMMITS, COMMIT_COUNT, OPEN_COMMITS, PARAMS, TOTALS};
use crate::ContractError;

/// Takes the bond for every leaf and keeps the root.
pub fn commit(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    datanet_id: u64,
    root: HexBinary,
    count: u32,
) -> Result<Response, ContractError> {
    let params = PARAMS.load(deps.storage)?;
    let sent = payment::must_pay(&info, &params.denom)?;
    pause::assert_running(deps.storage)?;
    state::assert_datanet(deps.storage, datanet_id)?;
    hash32("root", &root)?;
    if !(1..=MAX_COMMIT).contains(&count) {
        return Err(CommonError::BadField { field: "count", rule: "1 to 1,024 leaves" }.into());
    }
    let expected = params.commit_bond.checked_mul(Uint128::from(count))?;
    if sent != expected.u128() {
        return Err(ContractError::WrongBond { expected: expected.u128(), sent });
    }
    let commit_id = next(COMMIT_COUNT.load(deps.storage)?)?;
    let mut totals = TOTALS.load(deps.storage)?;
    totals.held = totals.held.checked_add(expected)?;
    let priority = priority_now(&env);
    let expires = Uint64::new(priority.height).checked_add(Uint64::new(params.reveal_blocks))?.u64();
    let commit = state::Commit {
        datanet_id,
        owner: info.sender,
        root,
        count,
        revealed: 0,
        opened: Binary::new(vec![0; count.div_ceil(8) as usize]),
        priority,
        expires,
        bond: params.commit_bond,
        ended: false,
        acceptance_blocks: params.acceptance_blocks,
        last_reveal: 0,
        staked: 0,
        challenged: 0,
        slashed: 0,
        released: false,
    };

    COMMIT_COUNT.save(deps.storage, &commit_id)?;
    TOTALS.save(deps.storage, &totals)?;
    OPEN_COMMITS.save(deps.storage, (datanet_id, slot(priority, commit_id)), &expires)?;
    COMMITS.save(deps.storage, commit_id, &commit)?;
    Ok(Response::new().add_attribute("action", "commit").add_event(
        Event::new("commit_opened")
            .add_attribute("commit_id", commit_id.to_string())
            .add_attribute("datanet_id", datanet_id.to_string())
            .add_attribute("owner", commit.owner)
            .add_attribute("count", count.to_string())
            .add_attribute("height", priority.height.to_string())
            .add_attribute("tx_index", priority.tx_index.to_string())
            .add_attribute("expires", expires.to_string()),
    ))
}

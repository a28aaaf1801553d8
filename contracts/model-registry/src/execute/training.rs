//! `ProveTraining`: training uses that a training receipt proves. The counters move no money (I2).

use cosmwasm_std::{DepsMut, Event, Response};
use openledger_contract::CommonError;
use openledger_merkle::{verify_inclusion, SumNode};
use openledger_types::formats::{training_leaf, SumRoot};
use openledger_types::msg::datanet::TrainingItem;

use crate::state::{self, Version, TRAINING_TOTALS, TRAINING_USES};
use crate::ContractError;

/// Most leaves of one message.
const MAX_ITEMS: usize = 32;

/// Counts the leaves of one datanet's training receipt, each contribution once a version. What was
/// counted before is passed over, so that nobody can spoil a batch by proving a part of it first.
pub fn prove(
    deps: DepsMut,
    (model_id, number): (u64, u32),
    datanet_id: u64,
    items: Vec<TrainingItem>,
) -> Result<Response, ContractError> {
    let version = state::version(deps.storage, model_id, number)?;
    let receipt = receipt(&version, (model_id, number), datanet_id)?;
    if !(1..=MAX_ITEMS).contains(&items.len()) {
        return Err(CommonError::BadField { field: "items", rule: "1 to 32 leaves" }.into());
    }
    let root = receipt.node()?;
    let mut response = Response::new().add_attribute("action", "prove_training");
    for item in items {
        let TrainingItem { contribution_id, times_seen, .. } = item;
        check(&item, receipt.count, &root)?;
        let key = (contribution_id, model_id, number);
        if TRAINING_USES.has(deps.storage, key) {
            continue;
        }
        let before = TRAINING_TOTALS.may_load(deps.storage, contribution_id)?.unwrap_or_default();
        // A developer may have counted absurdly; that must not stop the counts of honest versions.
        let total = before.saturating_add(times_seen);
        TRAINING_USES.save(deps.storage, key, &times_seen)?;
        TRAINING_TOTALS.save(deps.storage, contribution_id, &total)?;
        response = response.add_event(
            Event::new("training_proved")
                .add_attribute("contribution_id", contribution_id.to_string())
                .add_attribute("model_id", model_id.to_string())
                .add_attribute("version", number.to_string())
                .add_attribute("times_seen", times_seen.to_string()),
        );
    }
    match response.events.is_empty() {
        true => Err(ContractError::AlreadyCounted {}),
        false => Ok(response),
    }
}

/// The version's training receipt of a datanet.
fn receipt(
    version: &Version,
    (model_id, number): (u64, u32),
    datanet_id: u64,
) -> Result<&SumRoot, ContractError> {
    let place = version.datanets.iter().position(|trained_on| trained_on.datanet_id == datanet_id);
    let place = place.ok_or(ContractError::NotTrainedOn { model_id, version: number, datanet_id })?;
    version.training.get(place).ok_or(ContractError::NoTrainingReceipt { model_id, version: number })
}

/// Refuses a leaf that is not at its place in the receipt, and one that was never seen.
fn check(item: &TrainingItem, count: u64, root: &SumNode) -> Result<(), ContractError> {
    let TrainingItem { contribution_id, times_seen, index, path } = item;
    if *times_seen == 0 {
        return Err(CommonError::BadField { field: "items.times_seen", rule: "at least 1" }.into());
    }
    let leaf = training_leaf(*contribution_id, *times_seen);
    match verify_inclusion(&leaf, *index, count, path, root) {
        true => Ok(()),
        false => Err(ContractError::TrainingProof { contribution_id: *contribution_id, index: *index }),
    }
}

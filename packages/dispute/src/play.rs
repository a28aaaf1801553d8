//! Both sides' next message, from where the arbiter says that a dispute stands.

use openledger_merkle::Hash;
use openledger_types::formats::hash32;
use openledger_types::msg::arbiter::{DisputeResponse, ExecuteMsg, Turn};
use openledger_types::packed::HashPath;

use crate::trace::{Rows, Trace};
use crate::tree::Descent;
use crate::DisputeError;

/// Where a dispute stands.
///
/// # Errors
/// When the hash has not 32 bytes.
pub fn descent(found: &DisputeResponse) -> Result<Descent, DisputeError> {
    let hash: Hash =
        hash32("hash", &found.hash).map_err(|_| DisputeError::Statement("its hash has not 32 bytes"))?;
    let DisputeResponse { slot, offset, size, shown, .. } = found;
    Ok(Descent { slot: *slot, offset: *offset, size: *size, hash, shown: shown.0.clone() })
}

/// The accused's next message by its `trace` and the weights that it used; none when it is not its turn.
///
/// # Errors
/// When the dispute is about another trace.
pub fn accused(
    found: &DisputeResponse,
    trace: &Trace,
    rows: &Rows,
) -> Result<Option<ExecuteMsg>, DisputeError> {
    let (case_id, statement) = (found.case_id, trace.statement());
    let digests = statement.digests.concat();
    Ok(Some(match found.turn {
        Turn::Answer => ExecuteMsg::Answer {
            case_id,
            tokens: statement.answer.clone(),
            digests: digests.into(),
            trace_root: trace.root().into(),
        },
        Turn::Show => ExecuteMsg::Show { case_id, hashes: HashPath(trace.open(&descent(found)?)) },
        Turn::Step => {
            let target = descent(found)?.target().ok_or(DisputeError::NotYourTurn)?;
            ExecuteMsg::Step {
                case_id,
                prompt: statement.prompt.clone(),
                tokens: statement.answer.clone(),
                digests: digests.into(),
                openings: trace.openings(rows, target.slot, target.unit)?,
            }
        }
        Turn::Pick | Turn::Over => return Ok(None),
    }))
}

/// The challenger's next message by its own `trace`; none when it is not its turn, or when nothing that was shown
/// differs from it.
///
/// # Errors
/// When the dispute is about another trace.
pub fn challenger(found: &DisputeResponse, trace: &Trace) -> Result<Option<ExecuteMsg>, DisputeError> {
    if found.turn != Turn::Pick {
        return Ok(None);
    }
    let place = trace.pick(&descent(found)?);
    let index = place.map(|place| u8::try_from(place).map_err(|_| DisputeError::OutsideTrace)).transpose()?;
    Ok(index.map(|index| ExecuteMsg::Pick { case_id: found.case_id, index }))
}

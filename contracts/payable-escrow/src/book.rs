//! What the fees of a session give to whom, under a root that is not final. One rule serves
//! settlements, holds and verdicts: the parts of what remains are exactly the split of what remains.

use cosmwasm_std::{Addr, OverflowError, Uint128};
use openledger_types::money::{split_fees, split_royalties, Parts};

use crate::error::{ContractError, ContractResult};
use crate::state::{ModelPart, Pending, Purse, Session};

/// Adds or subtracts.
type Change = fn(Uint128, Uint128) -> Result<Uint128, OverflowError>;

/// The parts of a session's fees.
pub fn parts(session: &Session, fees: Uint128) -> ContractResult<Parts> {
    split_fees(fees.u128(), &session.split)
        .ok_or(ContractError::ModelUnsuitable { reason: "its split is not 10,000 basis points" })
}

/// Books the fees that a session settled to a root.
pub fn add(pending: &mut Pending, session: &Session, operator: &Addr, fees: Uint128) -> ContractResult<()> {
    apply(pending, session, operator, fees, Uint128::checked_add)
}

/// Books other fees of a session in place of those booked before.
pub fn rebook(
    pending: &mut Pending,
    session: &Session,
    operator: &Addr,
    (old, new): (Uint128, Uint128),
) -> ContractResult<()> {
    // The new ones first: rounding may take a unit from a part while the fees grow.
    apply(pending, session, operator, new, Uint128::checked_add)?;
    apply(pending, session, operator, old, Uint128::checked_sub)
}

fn apply(
    pending: &mut Pending,
    session: &Session,
    operator: &Addr,
    fees: Uint128,
    change: Change,
) -> ContractResult<()> {
    let parts = parts(session, fees)?;
    let bps: Vec<u16> = session.royalties.iter().map(|(_, bps)| *bps).collect();
    let (royalties, rest) = split_royalties(fees.u128(), parts.developer, &bps)
        .ok_or(ContractError::ModelUnsuitable { reason: "its royalties exceed the developer's part" })?;
    let data = Uint128::new(parts.data);
    pending.fees = change(pending.fees, fees)?;
    pending.data = change(pending.data, data)?;
    pending.protocol = change(pending.protocol, parts.protocol.into())?;
    pay(&mut pending.operators, operator, parts.node, change)?;
    pay(&mut pending.payees, &session.developer, rest, change)?;
    for ((recipient, _), amount) in session.royalties.iter().zip(royalties) {
        pay(&mut pending.payees, recipient, amount, change)?;
    }
    if session.owner == *operator {
        pending.own_fees = change(pending.own_fees, fees)?;
    }
    let (model_id, version) = (session.model_id, session.model_version);
    match pending.models.iter_mut().find(|part| part.model_id == model_id && part.version == version) {
        Some(part) => {
            part.fees = change(part.fees, fees)?;
            part.data = change(part.data, data)?;
        }
        None => {
            let datanets = session.datanets.clone();
            pending.models.push(ModelPart { model_id, version, datanets, fees, data });
        }
    }
    Ok(())
}

fn pay(list: &mut Vec<(Addr, Uint128)>, to: &Addr, amount: u128, change: Change) -> ContractResult<()> {
    match list.iter_mut().find(|(address, _)| address == to) {
        Some((_, sum)) => *sum = change(*sum, amount.into())?,
        None => list.push((to.clone(), change(Uint128::zero(), amount.into())?)),
    }
    Ok(())
}

/// Books to the purse that a session has paid other fees in an epoch than before.
pub fn repay(purse: &mut Purse, session: &Session, (old, new): (Uint128, Uint128)) -> ContractResult<()> {
    let (old, new) = (parts(session, old)?, parts(session, new)?);
    for (sum, old, new) in [
        (&mut purse.protocol, old.protocol, new.protocol),
        (&mut purse.developer, old.developer, new.developer),
        (&mut purse.node, old.node, new.node),
        (&mut purse.data, old.data, new.data),
    ] {
        *sum = sum.checked_add(new.into())?.checked_sub(old.into())?;
    }
    Ok(())
}

/// What a released receipt pays after its root became final: everybody what the larger fees would
/// have given them more, the ledger first, the protocol what is left.
pub struct Late {
    /// For the ledger.
    pub data: Uint128,
    /// For developers, royalties and operators.
    pub payees: Vec<(Addr, Uint128)>,
    /// For the treasury.
    pub protocol: Uint128,
}

/// See [`Late`].
pub fn late(session: &Session, operator: &Addr, (old, new): (Uint128, Uint128)) -> ContractResult<Late> {
    let (mut before, mut after) = (Pending::default(), Pending::default());
    add(&mut before, session, operator, old)?;
    add(&mut after, session, operator, new)?;
    let mut left = new.checked_sub(old)?;
    let mut more = |old: Uint128, new: Uint128| {
        let amount = new.saturating_sub(old).min(left);
        left = left.saturating_sub(amount);
        amount
    };
    let data = more(before.data, after.data);
    let olds = before.payees.iter().chain(&before.operators);
    let news = after.payees.iter().chain(&after.operators);
    // Both lists name the same addresses in the same order.
    let payees = olds.zip(news).map(|((_, old), (to, new))| (to.clone(), more(*old, *new))).collect();
    Ok(Late { data, payees, protocol: left })
}

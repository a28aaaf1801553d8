//! Leaves of final ledgers with their paths, packed (docs/formats.md, Packed).

use cosmwasm_std::{HexBinary, Uint128};

use crate::formats::{hash32, Account, LedgerLeaf, SumRoot};
use crate::packed::{packed_list, PackError, Packed, Reader, SumPath, Writer};

/// Code of an account that is the one before; the others are [`Account::code`].
const SAME: u8 = 3;

/// A leaf of a final ledger with its path.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimItem {
    /// Node.
    pub node_id: u64,
    /// Denom.
    pub denom: String,
    /// The leaf.
    pub leaf: LedgerLeaf,
    /// Its position.
    pub index: u64,
    /// Its path.
    pub path: SumPath,
}

packed_list! {
    /// Leaves of final ledgers: base64 of node, denom, account, amounts, detail root, position and path
    /// of each (docs/formats.md, Packed).
    pub struct Claims(ClaimItem);
}

impl Packed for Claims {
    fn pack(&self) -> Vec<u8> {
        let mut out = Writer::default();
        let mut before: Option<(&str, &Account)> = None;
        for ClaimItem { node_id, denom, leaf, index, path } in &self.0 {
            out.varint((*node_id).into());
            let same = before.map_or((false, false), |(d, account)| (d == denom, *account == leaf.account));
            out.text(if same.0 { "" } else { denom });
            out.u8(if same.1 { SAME } else { leaf.account.code() });
            if let (Account::Contributor(address), false) = (&leaf.account, same.1) {
                out.text(address);
            }
            before = Some((denom, &leaf.account));
            out.varint(leaf.cumulative.u128());
            out.varint(leaf.uses.into());
            // A hash of another length has no form: the contract will not find the leaf.
            out.raw(&hash32("detail", &leaf.detail.hash).unwrap_or_default());
            out.varint(leaf.detail.sum.u128());
            out.varint(leaf.detail.count.into());
            out.varint((*index).into());
            out.path(path);
        }
        out.finish()
    }

    fn unpack(bytes: &[u8]) -> Result<Self, PackError> {
        let mut rest = Reader::new(bytes);
        let mut items: Vec<ClaimItem> = Vec::new();
        while !rest.is_empty() {
            let next = item(&mut rest, items.last())?;
            items.push(next);
        }
        Ok(Claims(items))
    }
}

fn item(rest: &mut Reader, before: Option<&ClaimItem>) -> Result<ClaimItem, PackError> {
    let node_id = rest.u64("node_id")?;
    let denom = match (rest.text("denom")?, before) {
        (denom, Some(before)) if denom.is_empty() => before.denom.clone(),
        (denom, Some(before)) if denom == before.denom => return Err(PackError::Redundant("denom")),
        (denom, _) => denom,
    };
    let code = rest.u8("account")?;
    let account = match (code, before) {
        (0, _) => Account::Commons,
        (1, _) => Account::Dust,
        (2, _) => Account::Contributor(rest.text("account")?),
        (SAME, Some(before)) => before.leaf.account.clone(),
        _ => return Err(PackError::Unknown("account")),
    };
    if code != SAME && before.is_some_and(|before| before.leaf.account == account) {
        return Err(PackError::Redundant("account"));
    }
    let cumulative = Uint128::new(rest.varint("cumulative")?);
    let uses = rest.u64("uses")?;
    let detail = SumRoot {
        hash: HexBinary::from(&rest.hash("detail")?),
        sum: Uint128::new(rest.varint("detail")?),
        count: rest.u64("detail")?,
    };
    let leaf = LedgerLeaf { account, cumulative, uses, detail };
    Ok(ClaimItem { node_id, denom, leaf, index: rest.u64("index")?, path: SumPath(rest.path()?) })
}

//! An answer's signature: format, root, comparison.

use openledger_merkle::{Hash, Tree};
use openledger_types::formats::{row_bytes, signature_header_leaf, signature_row_leaf, Row, RANK};

use super::codec::Reader;
use crate::Error;

/// Most rows of a signature: more than any answer has tokens.
const MAX_ROWS: usize = 1 << 20;

/// Rows by slot, as they are posted with a receipt.
///
/// As bytes: for every row its slot u32 (big-endian) and [`RANK`] signed bytes; slots ascend.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signature {
    rows: Vec<(u32, Row)>,
}

impl Signature {
    /// The signature with these rows, in any order; rows of zeros are left out. Of two rows for one
    /// slot the first counts.
    pub fn new(mut rows: Vec<(u32, Row)>) -> Self {
        rows.retain(|(_, row)| row.iter().any(|value| *value != 0));
        rows.sort_by_key(|(slot, _)| *slot);
        rows.dedup_by_key(|(slot, _)| *slot);
        Signature { rows }
    }

    /// Rounds `raw` rows to bytes: the largest magnitude becomes 127. Rows that are no numbers count as
    /// zero.
    pub fn quantise(raw: &super::Raw) -> Self {
        let largest = raw
            .values()
            .flatten()
            .map(|value| value.abs())
            .filter(|value| value.is_finite())
            .fold(0.0, f64::max);
        if largest == 0.0 {
            return Signature::default();
        }
        // A float is cut to the range of the integer, and to 0 where it is no number.
        let byte = |value: f64| (value / largest * 127.0).round().clamp(-127.0, 127.0) as i8;
        Signature::new(raw.iter().map(|(slot, row)| (*slot, row.map(byte))).collect())
    }

    /// Reads the bytes of a signature.
    ///
    /// # Errors
    /// [`Error::Damaged`] for bytes that no signature has: each signature has one form.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let len = 4 + RANK;
        if !bytes.len().is_multiple_of(len) || bytes.len() / len > MAX_ROWS {
            return Err(Error::Damaged("the signature has no whole number of rows, or too many"));
        }
        let mut reader = Reader(bytes);
        let mut rows = Vec::with_capacity(bytes.len() / len);
        while !reader.0.is_empty() {
            let slot = reader.u32()?;
            let row: Row = reader.array::<RANK>()?.map(|byte| byte as i8);
            if rows.last().is_some_and(|(last, _)| *last >= slot) {
                return Err(Error::Damaged("the rows of the signature are not in order"));
            }
            if row.iter().all(|value| *value == 0) || row.contains(&i8::MIN) {
                return Err(Error::Damaged("the signature has a row that none has"));
            }
            rows.push((slot, row));
        }
        Ok(Signature { rows })
    }

    /// The bytes, as [`Signature::parse`] reads them.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.rows.len() * (4 + RANK));
        for (slot, row) in &self.rows {
            bytes.extend_from_slice(&slot.to_be_bytes());
            bytes.extend_from_slice(&row_bytes(row));
        }
        bytes
    }

    /// The rows, slots ascending.
    pub fn rows(&self) -> &[(u32, Row)] {
        &self.rows
    }

    /// Root of the receipt's signature tree.
    pub fn root(&self, scheme: &str) -> Hash {
        let mut leaves = Vec::with_capacity(self.rows.len() + 1);
        leaves.push(signature_header_leaf(scheme, self.rows.len() as u32));
        leaves.extend(self.rows.iter().map(|(slot, row)| signature_row_leaf(*slot, row)));
        // Plain hashes never overflow.
        Tree::new(leaves).unwrap_or_else(Tree::empty).root()
    }

    /// How far two signatures are apart: entries compared, entries that differ, the largest
    /// difference. A slot that one of them lacks counts as a row of zeros.
    pub fn distance(&self, other: &Signature) -> Distance {
        let mut found = Distance::default();
        let (mut mine, mut theirs) = (self.rows.iter().peekable(), other.rows.iter().peekable());
        let zeros = [0; RANK];
        loop {
            let (a, b) = match (mine.peek(), theirs.peek()) {
                (None, None) => return found,
                (Some((s, a)), Some((t, b))) if s == t => {
                    mine.next();
                    theirs.next();
                    (a, b)
                }
                (Some((s, a)), other) if other.is_none_or(|(t, _)| s < t) => {
                    mine.next();
                    (a, &zeros)
                }
                (_, Some((_, b))) => {
                    theirs.next();
                    (&zeros, b)
                }
                (Some((_, a)), None) => {
                    mine.next();
                    (a, &zeros)
                }
            };
            found.entries += RANK;
            for (x, y) in a.iter().zip(b) {
                let difference = i16::from(*x).abs_diff(i16::from(*y));
                found.different += usize::from(difference > 0);
                found.largest = found.largest.max(difference);
            }
        }
    }
}

/// How far two signatures are apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Distance {
    /// Entries compared.
    pub entries: usize,
    /// Entries that differ.
    pub different: usize,
    /// Largest difference, in units of the last place.
    pub largest: u16,
}

impl Distance {
    /// Whether another computation of the same answer may be this far away: every entry within one unit
    /// of the last place and at most one in a hundred not equal. Of few entries one may differ.
    pub fn is_tolerable(&self) -> bool {
        self.largest <= 1 && self.different <= (self.entries / 100).max(1)
    }
}

//! The index of a model's documents: its file, its root, what hostile bytes meet.

use std::collections::{BTreeMap, BTreeSet};

use openledger_merkle::{Hash, Tree};
use openledger_types::formats::{influence_header_leaf, posting_leaf, row_bytes, Row, RANK};
use sha2::{Digest, Sha256};

use super::codec::Reader;
use crate::Error;

/// First bytes of the file.
const MAGIC: &[u8; 4] = b"OLI1";
/// Largest exponent of a document: products stay far below 64 bits.
pub const MAX_EXPONENT: u8 = 20;
/// Bounds on what a file may claim before memory is spent on it.
const MAX_SCHEME: usize = 64;
const MAX_WIDTH: usize = 1 << 16;
const MAX_SLOTS: usize = 1 << 20;

/// What rows are made with; the same floats serve documents, answers and checks.
///
/// As bytes: width u32, slots u32 (big-endian), then little-endian f32: projection ([`RANK`] × width),
/// gains (slots), clip, scale.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters {
    /// Numbers in a hidden vector.
    pub width: usize,
    /// Slots that a row can have: the vocabulary.
    pub slots: usize,
    /// Whitened directions, [`RANK`] × width, row after row.
    pub projection: Vec<f32>,
    /// Factor of each slot.
    pub gains: Vec<f32>,
    /// Norm to which the rows of a segment are cut.
    pub clip: f32,
    /// What one unit of a row is worth, before the document's exponent.
    pub scale: f32,
}

impl Parameters {
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(16 + 4 * (self.projection.len() + self.gains.len()));
        bytes.extend_from_slice(&(self.width as u32).to_be_bytes());
        bytes.extend_from_slice(&(self.slots as u32).to_be_bytes());
        let floats = self.projection.iter().chain(&self.gains).chain([&self.clip, &self.scale]);
        for value in floats {
            bytes.extend_from_slice(&value.to_le_bytes());
        }
        bytes
    }

    fn read(reader: &mut Reader) -> Result<Self, Error> {
        let (width, slots) = (reader.u32()? as usize, reader.u32()? as usize);
        if width == 0 || width > MAX_WIDTH || slots == 0 || slots > MAX_SLOTS {
            return Err(Error::Damaged("its width or number of slots is out of range"));
        }
        let projection = reader.floats(RANK * width)?;
        let gains = reader.floats(slots)?;
        let rest = reader.floats(2)?;
        let (clip, scale) = (rest[0], rest[1]);
        if clip <= 0.0 || scale <= 0.0 {
            return Err(Error::Damaged("clip and scale are above 0"));
        }
        Ok(Parameters { width, slots, projection, gains, clip, scale })
    }
}

/// The rows of a model's documents, by slot.
///
/// As a file: `OLI1`; length of the scheme's name u8, the name; the parameters; number of documents u32,
/// for each its contribution u64 and exponent u8, contributions ascending; number of lists u32, for each
/// its slot u32, number of entries u32 and the entries: document u32 and [`RANK`] signed bytes. Slots
/// ascend, and documents in each list. Integers are big-endian.
#[derive(Clone, Debug, PartialEq)]
pub struct InfluenceIndex {
    scheme: String,
    /// What rows are made with.
    pub parameters: Parameters,
    documents: Vec<(u64, u8)>,
    slots: Vec<u32>,
    /// Where each slot's entries start, and the end.
    starts: Vec<usize>,
    entries: Vec<(u32, Row)>,
}

impl InfluenceIndex {
    /// Rounds the raw rows of documents, by contribution: each document gets the smallest exponent with
    /// which its largest entry fits a byte.
    pub fn new(scheme: &str, parameters: Parameters, raw: &BTreeMap<u64, super::Raw>) -> Self {
        let mut lists: BTreeMap<u32, Vec<(u32, Row)>> = BTreeMap::new();
        let mut documents = Vec::with_capacity(raw.len());
        for (document, (contribution_id, rows)) in raw.iter().enumerate() {
            let largest = rows.values().flatten().fold(0.0, |m: f64, v| m.max(v.abs()));
            let exponent = exponent(largest / f64::from(parameters.scale));
            documents.push((*contribution_id, exponent));
            for (slot, row) in rows {
                let row = quantised(row, &parameters, exponent);
                if row.iter().any(|value| *value != 0) {
                    lists.entry(*slot).or_default().push((document as u32, row));
                }
            }
        }
        let mut index = InfluenceIndex {
            scheme: scheme.into(),
            parameters,
            documents,
            slots: Vec::with_capacity(lists.len()),
            starts: vec![0],
            entries: Vec::with_capacity(lists.values().map(Vec::len).sum()),
        };
        for (slot, list) in lists {
            index.slots.push(slot);
            index.entries.extend(list);
            index.starts.push(index.entries.len());
        }
        index
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`Error::Damaged`] for bytes that no index has.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader(bytes);
        if &reader.array::<4>()? != MAGIC {
            return Err(Error::Damaged("it is no influence index"));
        }
        let len = usize::from(reader.array::<1>()?[0]);
        if len > MAX_SCHEME {
            return Err(Error::Damaged("the name of its scheme is too long"));
        }
        let scheme =
            std::str::from_utf8(reader.take(len)?).map_err(|_| Error::Damaged("its scheme is no text"))?;
        let parameters = Parameters::read(&mut reader)?;
        let count = reader.u32()? as usize;
        // Nothing is reserved by a figure of the file that its length does not bear out.
        if count > reader.0.len() / 9 {
            return Err(Error::Damaged("it ends too early"));
        }
        let mut documents: Vec<(u64, u8)> = Vec::with_capacity(count);
        for _ in 0..count {
            let contribution_id = u64::from_be_bytes(reader.array()?);
            let exponent = reader.array::<1>()?[0];
            if documents.last().map_or(0, |(id, _)| *id) >= contribution_id || exponent > MAX_EXPONENT {
                return Err(Error::Damaged("its documents are not in order, or an exponent is too large"));
            }
            documents.push((contribution_id, exponent));
        }
        let lists = reader.u32()? as usize;
        if lists > parameters.slots {
            return Err(Error::Damaged("it has more lists than slots"));
        }
        let (mut slots, mut starts) = (Vec::with_capacity(lists), vec![0]);
        let mut entries: Vec<(u32, Row)> = Vec::with_capacity(reader.0.len() / (4 + RANK));
        for _ in 0..lists {
            let (slot, count) = (reader.u32()?, reader.u32()?);
            if slots.last().is_some_and(|last| *last >= slot)
                || slot as usize >= parameters.slots
                || count == 0
            {
                return Err(Error::Damaged("its lists are not in order"));
            }
            let mut next = 0;
            for _ in 0..count {
                let document = reader.u32()?;
                let row: Row = reader.array::<RANK>()?.map(|byte| byte as i8);
                if document < next || document as usize >= documents.len() {
                    return Err(Error::Damaged("the entries of a list are not in order"));
                }
                if row.iter().all(|value| *value == 0) || row.contains(&i8::MIN) {
                    return Err(Error::Damaged("it has a row that none has"));
                }
                next = document + 1;
                entries.push((document, row));
            }
            slots.push(slot);
            starts.push(entries.len());
        }
        reader.end()?;
        Ok(InfluenceIndex { scheme: scheme.into(), parameters, documents, slots, starts, entries })
    }

    /// The file, as [`InfluenceIndex::parse`] reads it.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        let name = &self.scheme.as_bytes()[..self.scheme.len().min(MAX_SCHEME)];
        bytes.push(name.len() as u8);
        bytes.extend_from_slice(name);
        bytes.extend(self.parameters.to_bytes());
        bytes.extend_from_slice(&(self.documents.len() as u32).to_be_bytes());
        for (contribution_id, exponent) in &self.documents {
            bytes.extend_from_slice(&contribution_id.to_be_bytes());
            bytes.push(*exponent);
        }
        bytes.extend_from_slice(&(self.slots.len() as u32).to_be_bytes());
        bytes.reserve(self.slots.len() * 8 + self.entries.len() * (4 + RANK));
        for (slot, list) in self.lists() {
            bytes.extend_from_slice(&slot.to_be_bytes());
            bytes.extend_from_slice(&(list.len() as u32).to_be_bytes());
            for (document, row) in list {
                bytes.extend_from_slice(&document.to_be_bytes());
                bytes.extend_from_slice(&row_bytes(row));
            }
        }
        bytes
    }

    /// Root that the manifest states.
    pub fn root(&self) -> Hash {
        let parameters: Hash = Sha256::digest(self.parameters.to_bytes()).into();
        let lists = self.slots.len();
        let mut leaves = Vec::with_capacity(lists + 1);
        leaves.push(influence_header_leaf(&self.scheme, &parameters, &self.documents, lists as u32));
        leaves.extend(self.lists().map(|(slot, list)| posting_leaf(slot, list)));
        // Plain hashes never overflow.
        Tree::new(leaves).unwrap_or_else(Tree::empty).root()
    }

    /// Name of the scheme by which rows are made.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// Contributions with their exponents, ascending.
    pub fn documents(&self) -> &[(u64, u8)] {
        &self.documents
    }

    /// Rows in all.
    pub fn rows(&self) -> usize {
        self.entries.len()
    }

    /// The posting lists, slots ascending: (document, row), documents ascending.
    pub fn lists(&self) -> impl Iterator<Item = (u32, &[(u32, Row)])> {
        self.slots.iter().zip(self.starts.windows(2)).map(|(slot, at)| (*slot, &self.entries[at[0]..at[1]]))
    }

    /// The posting list of a slot; empty where there is none.
    pub fn list(&self, slot: u32) -> &[(u32, Row)] {
        match self.slots.binary_search(&slot) {
            Ok(at) => &self.entries[self.starts[at]..self.starts[at + 1]],
            Err(_) => &[],
        }
    }

    /// The contributions whose rows are not those of `raw`, computed again: an entry may differ by one
    /// unit, and one in a hundred of a document's at most. A contribution that is not indexed differs.
    pub fn differing(&self, raw: &BTreeMap<u64, super::Raw>) -> BTreeSet<u64> {
        let mut differing = BTreeSet::new();
        let mut stored: BTreeMap<u32, Vec<(u32, Row)>> = BTreeMap::new();
        let number = |id: u64| self.documents.binary_search_by_key(&id, |(known, _)| *known).ok();
        for id in raw.keys() {
            match number(*id) {
                Some(document) => drop(stored.insert(document as u32, Vec::new())),
                None => drop(differing.insert(*id)),
            }
        }
        for (slot, list) in self.lists() {
            for (document, row) in list {
                if let Some(rows) = stored.get_mut(document) {
                    rows.push((slot, *row));
                }
            }
        }
        for (document, rows) in stored {
            let (id, exponent) = self.documents[document as usize];
            let again =
                raw[&id].iter().map(|(slot, row)| (*slot, quantised(row, &self.parameters, exponent)));
            let again = super::Signature::new(again.collect());
            if !super::Signature::new(rows).distance(&again).is_tolerable() {
                differing.insert(id);
            }
        }
        differing
    }
}

/// The smallest exponent with which `largest` units fit 127.
fn exponent(largest: f64) -> u8 {
    let fits = |exponent: &u8| largest / f64::from(1u32 << *exponent) < 127.5;
    (0..MAX_EXPONENT).find(fits).unwrap_or(MAX_EXPONENT)
}

fn quantised(row: &[f64; RANK], parameters: &Parameters, exponent: u8) -> Row {
    let unit = f64::from(parameters.scale) * f64::from(1u32 << exponent);
    // A float is cut to the range of the integer, and to 0 where it is no number.
    row.map(|value| (value / unit).round().clamp(-127.0, 127.0) as i8)
}

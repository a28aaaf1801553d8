//! What bulk messages carry as one base64 string in place of JSON: ten units of gas a byte make the
//! form matter. docs/formats.md gives the bytes. Every value has exactly one form; every other is
//! refused.

mod part;
mod proof;

pub use part::{pack_part, unpack_part, Part, Parts};
pub use proof::Proof;

use cosmwasm_std::{Binary, HexBinary};
use openledger_merkle::{read_nodes, write_nodes, Hash, SumNode, Wire, WireError, MAX_NODES};

/// Why packed bytes were refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// They end too early.
    #[error("packed bytes end within {0}")]
    CutShort(&'static str),
    /// An integer has a shorter form.
    #[error("{0} in packed bytes is not in its shortest form")]
    NotShortest(&'static str),
    /// An integer does not fit its field.
    #[error("{0} in packed bytes is too large")]
    TooLarge(&'static str),
    /// A text is no UTF-8.
    #[error("{0} in packed bytes is no UTF-8")]
    NotText(&'static str),
    /// A byte that says what follows has no meaning.
    #[error("{0} in packed bytes is of no known kind")]
    Unknown(&'static str),
    /// What may be left out because it says nothing new was written out.
    #[error("{0} in packed bytes is written out although it may be left out")]
    Redundant(&'static str),
    /// A path was refused.
    #[error("{0}")]
    Path(WireError),
}

impl From<WireError> for PackError {
    fn from(source: WireError) -> Self {
        PackError::Path(source)
    }
}

/// A value with a packed form.
pub trait Packed: Sized {
    /// The bytes.
    fn pack(&self) -> Vec<u8>;

    /// The value that these bytes are.
    fn unpack(bytes: &[u8]) -> Result<Self, PackError>;
}

/// Values that travel as one base64 string of their packed form.
macro_rules! packed_text {
    ($($(#[$meta:meta])* pub struct $name:ident($seen:vis $item:ty);)*) => {$(
        $(#[$meta])*
        #[derive(
            Clone, Debug, PartialEq, ::cosmwasm_schema::schemars::JsonSchema,
            ::cosmwasm_schema::cw_schema::Schemaifier,
        )]
        #[schemars(crate = "::cosmwasm_schema::schemars")]
        #[schemaifier(crate = "::cosmwasm_schema::cw_schema")]
        #[schemaifier(type = ::cosmwasm_schema::cw_schema::NodeType::Binary)]
        pub struct $name(
            /// What was packed.
            #[schemars(with = "String")]
            $seen $item,
        );

        impl ::cosmwasm_schema::serde::Serialize for $name {
            fn serialize<S: ::cosmwasm_schema::serde::Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
                ::cosmwasm_schema::serde::Serialize::serialize(
                    &::cosmwasm_std::Binary::new($crate::packed::Packed::pack(self)), writer,
                )
            }
        }

        impl<'de> ::cosmwasm_schema::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::cosmwasm_schema::serde::Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
                let bytes = <::cosmwasm_std::Binary as ::cosmwasm_schema::serde::Deserialize>::deserialize(reader)?;
                $crate::packed::Packed::unpack(&bytes).map_err(::cosmwasm_schema::serde::de::Error::custom)
            }
        }
    )*};
}
pub(crate) use packed_text;

/// Lists that travel as one base64 string of their packed form.
macro_rules! packed_list {
    ($($(#[$meta:meta])* pub struct $name:ident($item:ty);)*) => {$(
        $crate::packed::packed_text! {
            $(#[$meta])*
            #[derive(Default)]
            pub struct $name(pub Vec<$item>);
        }

        impl core::ops::Deref for $name {
            type Target = Vec<$item>;

            fn deref(&self) -> &Vec<$item> {
                &self.0
            }
        }

        impl core::ops::DerefMut for $name {
            fn deref_mut(&mut self) -> &mut Vec<$item> {
                &mut self.0
            }
        }

        impl From<Vec<$item>> for $name {
            fn from(items: Vec<$item>) -> Self {
                $name(items)
            }
        }

        impl FromIterator<$item> for $name {
            fn from_iter<I: IntoIterator<Item = $item>>(items: I) -> Self {
                $name(items.into_iter().collect())
            }
        }
    )*};
}
pub(crate) use packed_list;

packed_list! {
    /// Hashes of a Merkle path: base64 of the hashes, one after the other, at most 65.
    pub struct HashPath(Hash);
    /// Nodes of a path, a consistency proof or peaks of a Merkle-sum tree: base64 of hash, length of the
    /// sum and sum of each, at most 65.
    pub struct SumPath(SumNode);
}

impl Packed for HashPath {
    fn pack(&self) -> Vec<u8> {
        write_nodes(&self.0)
    }

    fn unpack(bytes: &[u8]) -> Result<Self, PackError> {
        Ok(HashPath(read_nodes(bytes)?))
    }
}

impl Packed for SumPath {
    fn pack(&self) -> Vec<u8> {
        write_nodes(&self.0)
    }

    fn unpack(bytes: &[u8]) -> Result<Self, PackError> {
        Ok(SumPath(read_nodes(bytes)?))
    }
}

/// Writes packed bytes.
#[derive(Default)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// The bytes.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }

    /// One byte.
    pub fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    /// An integer: seven bits a byte, the lowest first; the highest bit says that more follow.
    pub fn varint(&mut self, mut value: u128) {
        while value >= 0x80 {
            self.0.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    /// Bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Length as varint, then the bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.varint(bytes.len() as u128);
        self.raw(bytes);
    }

    /// Length as varint, then UTF-8.
    pub fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// Number of nodes in one byte, then the nodes. No path has more than [`MAX_NODES`]; what is longer
    /// is cut after 255 nodes, which no reader takes.
    pub fn path<N: Wire>(&mut self, nodes: &[N]) {
        let nodes = nodes.get(..255).unwrap_or(nodes);
        self.u8(nodes.len() as u8);
        nodes.iter().for_each(|node| node.write(&mut self.0));
    }
}

/// Reads packed bytes.
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// A reader of all of these.
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader(bytes)
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `len` bytes as they are; `field` is their name in errors.
    pub fn raw(&mut self, field: &'static str, len: usize) -> Result<&'a [u8], PackError> {
        if len > self.0.len() {
            return Err(PackError::CutShort(field));
        }
        let (head, tail) = self.0.split_at(len);
        self.0 = tail;
        Ok(head)
    }

    /// One byte.
    pub fn u8(&mut self, field: &'static str) -> Result<u8, PackError> {
        self.raw(field, 1)?.first().copied().ok_or(PackError::CutShort(field))
    }

    /// An integer of at most 128 bits.
    pub fn varint(&mut self, field: &'static str) -> Result<u128, PackError> {
        let mut value = 0u128;
        for shift in (0..128u32).step_by(7) {
            let byte = self.u8(field)?;
            let part = u128::from(byte & 0x7f);
            if part << shift >> shift != part {
                return Err(PackError::TooLarge(field));
            }
            value |= part << shift;
            if byte & 0x80 == 0 {
                return match byte {
                    0 if shift > 0 => Err(PackError::NotShortest(field)),
                    _ => Ok(value),
                };
            }
        }
        Err(PackError::TooLarge(field))
    }

    /// An integer of at most 64 bits.
    pub fn u64(&mut self, field: &'static str) -> Result<u64, PackError> {
        u64::try_from(self.varint(field)?).map_err(|_| PackError::TooLarge(field))
    }

    /// An integer of at most 32 bits.
    pub fn u32(&mut self, field: &'static str) -> Result<u32, PackError> {
        u32::try_from(self.varint(field)?).map_err(|_| PackError::TooLarge(field))
    }

    /// A hash.
    pub fn hash(&mut self, field: &'static str) -> Result<Hash, PackError> {
        self.raw(field, 32)?.try_into().map_err(|_| PackError::CutShort(field))
    }

    /// Bytes after their length.
    pub fn bytes(&mut self, field: &'static str) -> Result<&'a [u8], PackError> {
        let len = usize::try_from(self.varint(field)?).map_err(|_| PackError::CutShort(field))?;
        self.raw(field, len)
    }

    /// A text.
    pub fn text(&mut self, field: &'static str) -> Result<String, PackError> {
        String::from_utf8(self.bytes(field)?.to_vec()).map_err(|_| PackError::NotText(field))
    }

    /// A path after its number of nodes.
    pub fn path<N: Wire>(&mut self) -> Result<Vec<N>, PackError> {
        let count = usize::from(self.u8("path")?);
        if count > MAX_NODES {
            return Err(WireError::TooMany.into());
        }
        let mut nodes = Vec::new();
        for _ in 0..count {
            nodes.push(N::read(&mut self.0)?);
        }
        Ok(nodes)
    }
}

/// The base64 text of a packed value, as messages carry it.
pub fn to_base64(value: &impl Packed) -> String {
    Binary::new(value.pack()).to_base64()
}

/// Hexadecimal of a packed value, as test vectors show it.
pub fn to_hex(value: &impl Packed) -> String {
    HexBinary::from(value.pack()).to_hex()
}

//! Values within packed bytes, one after the other, without names.

use cosmwasm_std::{Addr, Binary, HexBinary, Uint128};

use super::{HashPath, PackError, Reader, SumPath, Writer};
use crate::formats::SumRoot;

/// A value that has its place within packed bytes.
pub trait Part: Sized {
    /// Writes it.
    fn write(&self, out: &mut Writer);

    /// Reads it; `field` is its name in errors.
    fn read(rest: &mut Reader, field: &'static str) -> Result<Self, PackError>;
}

/// Structs and enums whose parts are those of their fields in the order given here; an enum begins with
/// the number of its variant in one byte. `Packed` of them is their one form.
#[macro_export]
macro_rules! parts {
    ($($kind:ident $name:ident $body:tt)*) => {$(
        $crate::parts!(@$kind $name $body);

        impl $crate::packed::Packed for $name {
            fn pack(&self) -> Vec<u8> {
                $crate::packed::pack_part(self)
            }

            fn unpack(bytes: &[u8]) -> Result<Self, $crate::packed::PackError> {
                $crate::packed::unpack_part(bytes)
            }
        }
    )*};
    (@struct $name:ident { $($field:ident),* $(,)? }) => {
        impl $crate::packed::Part for $name {
            fn write(&self, out: &mut $crate::packed::Writer) {
                let $name { $($field),* } = self;
                $($crate::packed::Part::write($field, out);)*
            }

            fn read(
                rest: &mut $crate::packed::Reader,
                _field: &'static str,
            ) -> Result<Self, $crate::packed::PackError> {
                Ok($name { $($field: $crate::packed::Part::read(rest, stringify!($field))?),* })
            }
        }
    };
    (@enum $name:ident { $($code:literal = $variant:ident $({ $($field:ident),* $(,)? })?),* $(,)? }) => {
        impl $crate::packed::Part for $name {
            fn write(&self, out: &mut $crate::packed::Writer) {
                match self {
                    $($name::$variant $({ $($field),* })? => {
                        out.u8($code);
                        $($($crate::packed::Part::write($field, out);)*)?
                    })*
                }
            }

            fn read(
                rest: &mut $crate::packed::Reader,
                field: &'static str,
            ) -> Result<Self, $crate::packed::PackError> {
                Ok(match rest.u8(field)? {
                    $($code => $name::$variant $({
                        $($field: $crate::packed::Part::read(rest, stringify!($field))?),*
                    })?,)*
                    _ => return Err($crate::packed::PackError::Unknown(field)),
                })
            }
        }
    };
}

/// The bytes of one part.
pub fn pack_part(part: &impl Part) -> Vec<u8> {
    let mut out = Writer::default();
    part.write(&mut out);
    out.finish()
}

/// The part that all of these bytes are.
pub fn unpack_part<T: Part>(bytes: &[u8]) -> Result<T, PackError> {
    let mut rest = Reader::new(bytes);
    let part = T::read(&mut rest, "value")?;
    match rest.is_empty() {
        true => Ok(part),
        false => Err(PackError::Redundant("what follows")),
    }
}

/// Integers are varints.
macro_rules! integers {
    ($($kind:ty)*) => {$(
        impl Part for $kind {
            fn write(&self, out: &mut Writer) {
                out.varint(u128::from(*self));
            }

            fn read(rest: &mut Reader, field: &'static str) -> Result<Self, PackError> {
                <$kind>::try_from(rest.varint(field)?).map_err(|_| PackError::TooLarge(field))
            }
        }
    )*};
}

integers! { u16 u32 u64 }

impl Part for Uint128 {
    fn write(&self, out: &mut Writer) {
        out.varint(self.u128());
    }

    fn read(rest: &mut Reader, field: &'static str) -> Result<Self, PackError> {
        rest.varint(field).map(Uint128::new)
    }
}

/// One byte, 0 or 1.
impl Part for bool {
    fn write(&self, out: &mut Writer) {
        out.u8(u8::from(*self));
    }

    fn read(rest: &mut Reader, field: &'static str) -> Result<Self, PackError> {
        match rest.u8(field)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(PackError::Unknown(field)),
        }
    }
}

impl Part for String {
    fn write(&self, out: &mut Writer) {
        out.text(self);
    }

    fn read(rest: &mut Reader, field: &'static str) -> Result<Self, PackError> {
        rest.text(field)
    }
}

impl Part for Addr {
    fn write(&self, out: &mut Writer) {
        out.text(self.as_str());
    }

    fn read(rest: &mut Reader, field: &'static str) -> Result<Self, PackError> {
        rest.text(field).map(Addr::unchecked)
    }
}

/// Length as varint, then the bytes.
impl Part for Binary {
    fn write(&self, out: &mut Writer) {
        out.bytes(self);
    }

    fn read(rest: &mut Reader, field: &'static str) -> Result<Self, PackError> {
        rest.bytes(field).map(Binary::from)
    }
}

impl Part for HexBinary {
    fn write(&self, out: &mut Writer) {
        out.bytes(self);
    }

    fn read(rest: &mut Reader, field: &'static str) -> Result<Self, PackError> {
        rest.bytes(field).map(HexBinary::from)
    }
}

/// 0 for none, 1 and the value.
impl<T: Part> Part for Option<T> {
    fn write(&self, out: &mut Writer) {
        self.is_some().write(out);
        if let Some(value) = self {
            value.write(out);
        }
    }

    fn read(rest: &mut Reader, field: &'static str) -> Result<Self, PackError> {
        Ok(if bool::read(rest, field)? { Some(T::read(rest, field)?) } else { None })
    }
}

/// Their number as varint, then the values. Every value has at least one byte, so that a number of
/// them which no bytes follow ends at once.
impl<T: Part> Part for Vec<T> {
    fn write(&self, out: &mut Writer) {
        out.varint(self.len() as u128);
        self.iter().for_each(|value| value.write(out));
    }

    fn read(rest: &mut Reader, field: &'static str) -> Result<Self, PackError> {
        let count = rest.u64(field)?;
        let mut values = Vec::new();
        for _ in 0..count {
            values.push(T::read(rest, field)?);
        }
        Ok(values)
    }
}

impl<A: Part, B: Part> Part for (A, B) {
    fn write(&self, out: &mut Writer) {
        self.0.write(out);
        self.1.write(out);
    }

    fn read(rest: &mut Reader, field: &'static str) -> Result<Self, PackError> {
        Ok((A::read(rest, field)?, B::read(rest, field)?))
    }
}

impl Part for HashPath {
    fn write(&self, out: &mut Writer) {
        out.path(&self.0);
    }

    fn read(rest: &mut Reader, _field: &'static str) -> Result<Self, PackError> {
        rest.path().map(HashPath)
    }
}

impl Part for SumPath {
    fn write(&self, out: &mut Writer) {
        out.path(&self.0);
    }

    fn read(rest: &mut Reader, _field: &'static str) -> Result<Self, PackError> {
        rest.path().map(SumPath)
    }
}

/// Hash, sum, count.
impl Part for SumRoot {
    fn write(&self, out: &mut Writer) {
        self.hash.write(out);
        self.sum.write(out);
        self.count.write(out);
    }

    fn read(rest: &mut Reader, field: &'static str) -> Result<Self, PackError> {
        Ok(SumRoot {
            hash: Part::read(rest, field)?,
            sum: Part::read(rest, field)?,
            count: Part::read(rest, field)?,
        })
    }
}

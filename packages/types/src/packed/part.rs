//! Values within packed bytes, one after the other, without names.

use cosmwasm_std::{Addr, Binary, HexBinary, Uint128};

use super::{HashPath, PackError, Reader, SumPath, Writer};
use crate::formats::SumRoot;

/// A value that has its place within packed bytes.
pub trait Part: Sized {
    /// Writes it.
    fn write(&self, out: &mut Writer);

    /// Reads it; `field` is its name in errors.
    fn read(rest: &mut Parts, field: &'static str) -> Self;
}

/// Reads parts. The first error is kept and ends the bytes: from there on every integer is 0 and every
/// list empty, and [`Parts::finish`] tells. So no part has to look at the error of the one before, which
/// makes contracts a good deal smaller.
pub struct Parts<'a> {
    rest: Reader<'a>,
    error: Option<PackError>,
}

impl<'a> Parts<'a> {
    /// A reader of all of these.
    pub fn new(bytes: &'a [u8]) -> Self {
        Parts { rest: Reader::new(bytes), error: None }
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Keeps an error, if it is the first, and ends the bytes.
    pub fn fail(&mut self, error: PackError) {
        self.error.get_or_insert(error);
        self.rest = Reader::new(&[]);
    }

    /// What was read, unless there was an error or something is left.
    pub fn finish<T>(self, value: T) -> Result<T, PackError> {
        match self.error {
            Some(error) => Err(error),
            None if !self.rest.is_empty() => Err(PackError::Redundant("what follows")),
            None => Ok(value),
        }
    }

    /// What `read` takes from the bytes; the default after an error.
    pub fn take<T: Default>(&mut self, read: impl FnOnce(&mut Reader<'a>) -> Result<T, PackError>) -> T {
        match read(&mut self.rest) {
            Ok(value) => value,
            Err(error) => {
                self.fail(error);
                T::default()
            }
        }
    }

    /// One byte.
    pub fn u8(&mut self, field: &'static str) -> u8 {
        self.take(|rest| rest.u8(field))
    }

    /// An integer of at most 128 bits.
    pub fn varint(&mut self, field: &'static str) -> u128 {
        self.take(|rest| rest.varint(field))
    }

    fn bytes(&mut self, field: &'static str) -> Vec<u8> {
        self.take(|rest| rest.bytes(field).map(<[u8]>::to_vec))
    }
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

            fn read(rest: &mut $crate::packed::Parts, _field: &'static str) -> Self {
                $name { $($field: $crate::packed::Part::read(rest, stringify!($field))),* }
            }
        }
    };
    (@enum $name:ident {
        $first:literal = $zero:ident $({ $($part:ident),* $(,)? })?
        $(, $code:literal = $variant:ident $({ $($field:ident),* $(,)? })?)* $(,)?
    }) => {
        impl $crate::packed::Part for $name {
            fn write(&self, out: &mut $crate::packed::Writer) {
                match self {
                    $name::$zero $({ $($part),* })? => {
                        out.u8($first);
                        $($($crate::packed::Part::write($part, out);)*)?
                    }
                    $($name::$variant $({ $($field),* })? => {
                        out.u8($code);
                        $($($crate::packed::Part::write($field, out);)*)?
                    })*
                }
            }

            fn read(rest: &mut $crate::packed::Parts, field: &'static str) -> Self {
                let code = rest.u8(field);
                match code {
                    $($code => $name::$variant $({
                        $($field: $crate::packed::Part::read(rest, stringify!($field))),*
                    })?,)*
                    _ => {
                        if code != $first {
                            rest.fail($crate::packed::PackError::Unknown(field));
                        }
                        $name::$zero $({ $($part: $crate::packed::Part::read(rest, stringify!($part))),* })?
                    }
                }
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
    let mut rest = Parts::new(bytes);
    let part = T::read(&mut rest, "value");
    rest.finish(part)
}

/// Integers are varints.
macro_rules! integers {
    ($($kind:ty)*) => {$(
        impl Part for $kind {
            fn write(&self, out: &mut Writer) {
                out.varint(u128::from(*self));
            }

            fn read(rest: &mut Parts, field: &'static str) -> Self {
                let value = rest.varint(field);
                <$kind>::try_from(value).unwrap_or_else(|_| {
                    rest.fail(PackError::TooLarge(field));
                    0
                })
            }
        }
    )*};
}

integers! { u16 u32 u64 }

impl Part for Uint128 {
    fn write(&self, out: &mut Writer) {
        out.varint(self.u128());
    }

    fn read(rest: &mut Parts, field: &'static str) -> Self {
        Uint128::new(rest.varint(field))
    }
}

/// One byte, 0 or 1.
impl Part for bool {
    fn write(&self, out: &mut Writer) {
        out.u8(u8::from(*self));
    }

    fn read(rest: &mut Parts, field: &'static str) -> Self {
        let byte = rest.u8(field);
        if byte > 1 {
            rest.fail(PackError::Unknown(field));
        }
        byte == 1
    }
}

impl Part for String {
    fn write(&self, out: &mut Writer) {
        out.text(self);
    }

    fn read(rest: &mut Parts, field: &'static str) -> Self {
        rest.take(|rest| rest.text(field))
    }
}

impl Part for Addr {
    fn write(&self, out: &mut Writer) {
        out.text(self.as_str());
    }

    fn read(rest: &mut Parts, field: &'static str) -> Self {
        Addr::unchecked(String::read(rest, field))
    }
}

/// Length as varint, then the bytes.
impl Part for Binary {
    fn write(&self, out: &mut Writer) {
        out.bytes(self);
    }

    fn read(rest: &mut Parts, field: &'static str) -> Self {
        Binary::new(rest.bytes(field))
    }
}

impl Part for HexBinary {
    fn write(&self, out: &mut Writer) {
        out.bytes(self);
    }

    fn read(rest: &mut Parts, field: &'static str) -> Self {
        rest.bytes(field).into()
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

    fn read(rest: &mut Parts, field: &'static str) -> Self {
        bool::read(rest, field).then(|| T::read(rest, field))
    }
}

/// Their number as varint, then the values. Every value has at least one byte, so that a number of
/// them which no bytes follow ends at once.
impl<T: Part> Part for Vec<T> {
    fn write(&self, out: &mut Writer) {
        out.varint(self.len() as u128);
        self.iter().for_each(|value| value.write(out));
    }

    fn read(rest: &mut Parts, field: &'static str) -> Self {
        let mut values = Vec::new();
        for _ in 0..rest.varint(field) {
            if rest.is_empty() {
                rest.fail(PackError::CutShort(field));
                break;
            }
            values.push(T::read(rest, field));
        }
        values
    }
}

impl<A: Part, B: Part> Part for (A, B) {
    fn write(&self, out: &mut Writer) {
        self.0.write(out);
        self.1.write(out);
    }

    fn read(rest: &mut Parts, field: &'static str) -> Self {
        (A::read(rest, field), B::read(rest, field))
    }
}

impl Part for HashPath {
    fn write(&self, out: &mut Writer) {
        out.path(&self.0);
    }

    fn read(rest: &mut Parts, _field: &'static str) -> Self {
        HashPath(rest.take(Reader::path))
    }
}

impl Part for SumPath {
    fn write(&self, out: &mut Writer) {
        out.path(&self.0);
    }

    fn read(rest: &mut Parts, _field: &'static str) -> Self {
        SumPath(rest.take(Reader::path))
    }
}

/// Hash, sum, count.
impl Part for SumRoot {
    fn write(&self, out: &mut Writer) {
        self.hash.write(out);
        self.sum.write(out);
        self.count.write(out);
    }

    fn read(rest: &mut Parts, field: &'static str) -> Self {
        SumRoot {
            hash: Part::read(rest, field),
            sum: Part::read(rest, field),
            count: Part::read(rest, field),
        }
    }
}

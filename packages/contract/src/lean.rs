//! Messages that are read with half of the code.
//!
//! What serde derives for a struct reads it both from an object and from an array of its fields, and the
//! JSON reader compiles both. Contracts know objects only, and code that no message needs still has to
//! be stored, loaded and reviewed. [`Lean`] hands every struct to the reader as an object, whatever its
//! depth, so that the other half is never compiled. It accepts less, nothing else: an array in place of
//! an object is refused.

use core::marker::PhantomData;

use core::fmt;
use cosmwasm_schema::serde::de::{
    Deserialize, DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess,
    Visitor,
};
use cosmwasm_schema::serde::{Serialize, Serializer};

/// A message of an entry point.
pub struct Lean<T>(
    /// The message.
    pub T,
);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Lean<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(Objects(deserializer)).map(Lean)
    }
}

impl<T: Serialize> Serialize for Lean<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// A reader that reads structs as objects.
pub struct Objects<D>(
    /// The reader underneath.
    pub D,
);

/// Forwards calls that read one value, with a visitor that reads what is inside in the same way.
macro_rules! forward {
    ($($name:ident)*) => {
        $(fn $name<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.0.$name(Inside(visitor))
        })*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Objects<D> {
    type Error = D::Error;

    forward! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_i128 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_f32 deserialize_f64 deserialize_char deserialize_str deserialize_string
        deserialize_bytes deserialize_byte_buf deserialize_option deserialize_unit deserialize_seq
        deserialize_map deserialize_identifier deserialize_ignored_any
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_unit_struct(name, Inside(visitor))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_newtype_struct(name, Inside(visitor))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_tuple(len, Inside(visitor))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_tuple_struct(name, len, Inside(visitor))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_map(Object(visitor))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_enum(name, variants, Choice(visitor))
    }

    fn is_human_readable(&self) -> bool {
        self.0.is_human_readable()
    }
}

/// The visitor of a struct: takes objects only.
struct Object<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for Object<V> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        self.0.expecting(formatter)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(Fields(map))
    }
}

/// The visitor of an enum.
struct Choice<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for Choice<V> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        self.0.expecting(formatter)
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<V::Value, A::Error> {
        self.0.visit_enum(Variant(data))
    }
}

/// The visitor of anything else.
struct Inside<V>(V);

/// Forwards what a visitor is given.
macro_rules! visit {
    ($($name:ident($kind:ty))*) => {
        $(fn $name<E: Error>(self, value: $kind) -> Result<V::Value, E> {
            self.0.$name(value)
        })*
    };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Inside<V> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        self.0.expecting(formatter)
    }

    visit! {
        visit_bool(bool) visit_i64(i64) visit_i128(i128) visit_u64(u64) visit_u128(u128) visit_f64(f64)
        visit_str(&str) visit_borrowed_str(&'de str) visit_string(String)
        visit_bytes(&[u8]) visit_borrowed_bytes(&'de [u8]) visit_byte_buf(Vec<u8>)
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.0.visit_some(Objects(deserializer))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.0.visit_newtype_struct(Objects(deserializer))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<V::Value, A::Error> {
        self.0.visit_seq(Items(seq))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(Fields(map))
    }
}

/// A value that is read in the same way.
struct Value<S>(S);

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Value<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(Objects(deserializer))
    }
}

/// Entries of an object.
struct Fields<A>(A);

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Fields<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        self.0.next_key_seed(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.0.next_value_seed(Value(seed))
    }
}

/// Elements of an array.
struct Items<A>(A);

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Items<A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.0.next_element_seed(Value(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

/// The choice of an enum, and what belongs to it.
struct Variant<A>(A);

impl<'de, A: EnumAccess<'de>> EnumAccess<'de> for Variant<A> {
    type Error = A::Error;
    type Variant = Variant<A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self::Variant), A::Error> {
        self.0.variant_seed(seed).map(|(value, variant)| (value, Variant(variant)))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Variant<A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.0.unit_variant()
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        self.0.newtype_variant_seed(Value(seed))
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        self.0.tuple_variant(len, Inside(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.0.newtype_variant_seed(Body(visitor, PhantomData))
    }
}

/// The fields of a variant, as an object.
struct Body<'de, V>(V, PhantomData<&'de ()>);

impl<'de, V: Visitor<'de>> DeserializeSeed<'de> for Body<'de, V> {
    type Value = V::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        deserializer.deserialize_map(Object(self.0))
    }
}

/// Exports `execute` and `query` of a contract with lean messages:
/// `entry_points!(contract, ExecuteMsg, QueryMsg, ContractError)`, where `contract` is the module with
/// both functions.
#[macro_export]
macro_rules! entry_points {
    ($contract:ident, $execute:ty, $query:ty, $error:ty) => {
        #[cfg(not(feature = "library"))]
        mod entry {
            use cosmwasm_std::{entry_point, Binary, Deps, DepsMut, Env, MessageInfo, Response};
            use $crate::lean::Lean;

            #[entry_point]
            pub fn execute(
                deps: DepsMut,
                env: Env,
                info: MessageInfo,
                msg: Lean<$execute>,
            ) -> Result<Response, $error> {
                super::$contract::execute(deps, env, info, msg.0)
            }

            #[entry_point]
            pub fn query(deps: Deps, env: Env, msg: Lean<$query>) -> Result<Binary, $error> {
                super::$contract::query(deps, env, msg.0)
            }
        }
    };
}

/// Declares structs that are stored, and reads them as objects only, as [`Lean`] does with messages.
/// They have what `cw_serde` gives, but no schema.
#[macro_export]
macro_rules! stored {
    ($($(#[$meta:meta])* pub struct $name:ident { $($body:tt)* })*) => {$(
        $(#[$meta])*
        #[derive(
            ::cosmwasm_schema::serde::Serialize, ::cosmwasm_schema::serde::Deserialize, Clone, Debug, PartialEq,
        )]
        #[serde(crate = "::cosmwasm_schema::serde", deny_unknown_fields, remote = "Self")]
        pub struct $name { $($body)* }

        impl<'de> ::cosmwasm_schema::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::cosmwasm_schema::serde::Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
                // The derived function, which goes before this one.
                <$name>::deserialize($crate::lean::Objects(reader))
            }
        }

        impl ::cosmwasm_schema::serde::Serialize for $name {
            fn serialize<S: ::cosmwasm_schema::serde::Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
                <$name>::serialize(self, writer)
            }
        }
    )*};
}

#[cfg(test)]
mod tests {
    use super::*;
    use cosmwasm_schema::cw_serde;
    use cosmwasm_std::{from_json, to_json_vec, Binary, HexBinary, Uint128};

    #[cw_serde]
    enum Msg {
        Nothing {},
        Much { list: Vec<Part>, maybe: Option<Part>, pair: (u64, u32), amount: Uint128, kind: Kind },
        Whole(Part),
    }

    #[cw_serde]
    struct Part {
        number: u64,
        text: String,
        hex: HexBinary,
        raw: Binary,
        #[serde(default)]
        late: bool,
    }

    #[cw_serde]
    enum Kind {
        Plain,
        Deep { of: Box<Part> },
    }

    fn part() -> Part {
        let (hex, raw) = (HexBinary::from(&[1, 2]), Binary::from(b"xyz"));
        Part { number: u64::MAX, text: "a\n\"b\"".into(), hex, raw, late: true }
    }

    #[test]
    fn every_message_is_read_as_before() {
        let much = |maybe, kind| Msg::Much {
            list: vec![part(), part()],
            maybe,
            pair: (7, 8),
            amount: Uint128::MAX,
            kind,
        };
        for msg in [
            Msg::Nothing {},
            Msg::Whole(part()),
            much(None, Kind::Plain),
            much(Some(part()), Kind::Deep { of: Box::new(part()) }),
        ] {
            let bytes = to_json_vec(&msg).unwrap();
            let Lean(read) = from_json::<Lean<Msg>>(&bytes).unwrap();
            assert_eq!(read, msg);
        }
    }

    #[test]
    fn what_was_refused_is_refused() {
        for wrong in [
            r#"{"unknown":{}}"#,
            r#"{"whole":{"number":1,"text":"","hex":""}}"#,
            r#"{"whole":{"number":-1,"text":"","hex":"","raw":""}}"#,
            r#"{"nothing":{},"whole":{}}"#,
            r#""nothing""#,
            "",
        ] {
            assert!(from_json::<Msg>(wrong).is_err(), "{wrong}");
            assert!(from_json::<Lean<Msg>>(wrong).is_err(), "{wrong}");
        }
        // Arrays in place of objects, at any depth.
        let array = r#"{"whole":[1,"","",""]}"#;
        assert!(from_json::<Lean<Msg>>(array).is_err());
    }

    #[test]
    fn a_field_with_a_default_may_be_absent() {
        let text = r#"{"whole":{"number":1,"text":"","hex":"","raw":""}}"#;
        let Lean(Msg::Whole(part)) = from_json::<Lean<Msg>>(text).unwrap() else { panic!("another one") };
        assert!(!part.late);
    }
}

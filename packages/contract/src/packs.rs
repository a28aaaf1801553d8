//! Maps whose values are packed: what is rewritten often costs thirty units of gas a byte, and as JSON it
//! would be four times as long.

use std::marker::PhantomData;

use cosmwasm_schema::serde::de::DeserializeOwned;
use cosmwasm_std::{from_json, Order, StdError, StdResult, Storage};
use cw_storage_plus::{Bound, KeyDeserialize, Map, PrimaryKey};
use openledger_types::packed::Packed;

/// First byte of a packed value. JSON, which earlier releases stored, begins with a brace.
const PACKED: u8 = 1;

/// A map whose values are packed. Reads the JSON of earlier releases too; what is saved is packed.
pub struct Packs<K, T>(Map<K, ()>, PhantomData<T>);

impl<K, T> Packs<K, T> {
    /// A map in this namespace.
    pub const fn new(namespace: &'static str) -> Self {
        Packs(Map::new(namespace), PhantomData)
    }
}

impl<'a, K: PrimaryKey<'a>, T: Packed + DeserializeOwned> Packs<K, T> {
    /// The value, when there is one.
    pub fn may_load(&self, storage: &dyn Storage, key: K) -> StdResult<Option<T>> {
        storage.get(&self.0.key(key)).map(|bytes| read(&bytes)).transpose()
    }

    /// The value; an error when there is none.
    pub fn load(&self, storage: &dyn Storage, key: K) -> StdResult<T> {
        self.may_load(storage, key)?.ok_or_else(|| StdError::msg("a stored value is missing"))
    }

    /// Whether there is a value.
    pub fn has(&self, storage: &dyn Storage, key: K) -> bool {
        storage.get(&self.0.key(key)).is_some()
    }

    /// Stores the value.
    pub fn save(&self, storage: &mut dyn Storage, key: K, value: &T) -> StdResult<()> {
        write(storage, &self.0.key(key), value);
        Ok(())
    }

    /// Removes the value.
    pub fn remove(&self, storage: &mut dyn Storage, key: K) {
        storage.remove(&self.0.key(key));
    }
}

/// A single packed value. Reads the JSON of earlier releases too; what is saved is packed.
pub struct Pack<T>(&'static str, PhantomData<T>);

impl<T: Packed + DeserializeOwned> Pack<T> {
    /// A value under this key.
    pub const fn new(key: &'static str) -> Self {
        Pack(key, PhantomData)
    }

    /// The value; an error when there is none.
    pub fn load(&self, storage: &dyn Storage) -> StdResult<T> {
        let bytes = storage.get(self.0.as_bytes());
        read(&bytes.ok_or_else(|| StdError::msg("a stored value is missing"))?)
    }

    /// Stores the value.
    pub fn save(&self, storage: &mut dyn Storage, value: &T) -> StdResult<()> {
        write(storage, self.0.as_bytes(), value);
        Ok(())
    }
}

fn write<T: Packed>(storage: &mut dyn Storage, key: &[u8], value: &T) {
    let mut bytes = vec![PACKED];
    bytes.extend(value.pack());
    storage.set(key, &bytes);
}

fn read<T: Packed + DeserializeOwned>(bytes: &[u8]) -> StdResult<T> {
    match bytes {
        [PACKED, packed @ ..] => T::unpack(packed).map_err(|error| StdError::msg(error.to_string())),
        json => from_json(json),
    }
}

impl<'a, K: PrimaryKey<'a> + KeyDeserialize, T> Packs<K, T> {
    /// The keys after `after`, rising.
    pub fn keys<'s>(
        &self,
        storage: &'s dyn Storage,
        after: Option<Bound<'a, K>>,
    ) -> impl Iterator<Item = StdResult<K::Output>> + 's
    where
        K::Output: 'static,
    {
        self.0.keys(storage, after, None, Order::Ascending)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cosmwasm_schema::cw_serde;
    use cosmwasm_std::testing::MockStorage;
    use cosmwasm_std::to_json_vec;

    #[cw_serde]
    struct Purse {
        deposit: u64,
        closed: bool,
    }

    openledger_types::parts! {
        struct Purse { deposit, closed }
    }

    const MAP: Packs<u64, Purse> = Packs::new("purses");

    #[test]
    fn finding_p11_packed_values_read_back_and_the_json_of_earlier_releases_too() {
        let mut storage = MockStorage::new();
        for value in [Purse { deposit: u64::MAX, closed: true }, Purse { deposit: 0, closed: false }] {
            MAP.save(&mut storage, 1, &value).unwrap();
            assert_eq!(MAP.load(&storage, 1).unwrap(), value);
            storage.set(&MAP.0.key(2), &to_json_vec(&value).unwrap());
            assert_eq!(MAP.load(&storage, 2).unwrap(), value);
        }
        let keys: StdResult<Vec<u64>> = MAP.keys(&storage, Some(Bound::exclusive(1u64))).collect();
        assert_eq!(keys.unwrap(), [2]);
        MAP.remove(&mut storage, 2);
        assert!(!MAP.has(&storage, 2));
    }

    #[test]
    fn what_is_missing_or_broken_is_an_error() {
        let mut storage = MockStorage::new();
        assert_eq!(MAP.may_load(&storage, 1).unwrap(), None);
        assert!(MAP.load(&storage, 1).is_err() && !MAP.has(&storage, 1));
        for broken in [&[PACKED, 0x80][..], &[PACKED, 1, 2], &[PACKED, 1, 1, 0], b"}"] {
            storage.set(&MAP.0.key(1), broken);
            assert!(MAP.load(&storage, 1).is_err() && MAP.has(&storage, 1));
        }
    }
}

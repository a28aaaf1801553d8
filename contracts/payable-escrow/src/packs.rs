//! Maps whose values are packed: what is rewritten with every settlement or claim costs thirty units of
//! gas a byte, and as JSON it would be four times as long.

use std::marker::PhantomData;

use cosmwasm_schema::serde::de::DeserializeOwned;
use cosmwasm_std::{from_json, HexBinary, Order, StdError, StdResult, Storage, Uint128};
use cw_storage_plus::{KeyDeserialize, Map, PrimaryKey};
use openledger_types::formats::SumRoot;
use openledger_types::packed::{PackError, Packed, Reader, Writer};

use crate::state::{Counters, Funds, Purse, SessionLog};

/// First byte of a packed value. JSON, which the first release stored, begins with a brace.
const PACKED: u8 = 1;

/// A map whose values are packed. Reads the JSON of the first release too; what is saved is packed.
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
        let mut bytes = vec![PACKED];
        bytes.extend(value.pack());
        storage.set(&self.0.key(key), &bytes);
        Ok(())
    }
}

fn read<T: Packed + DeserializeOwned>(bytes: &[u8]) -> StdResult<T> {
    match bytes {
        [PACKED, packed @ ..] => T::unpack(packed).map_err(|error| StdError::msg(error.to_string())),
        json => from_json(json),
    }
}

impl<'a, K: PrimaryKey<'a> + KeyDeserialize, T> Packs<K, T> {
    /// The keys, rising.
    pub fn keys<'s>(&self, storage: &'s dyn Storage) -> impl Iterator<Item = StdResult<K::Output>> + 's
    where
        K::Output: 'static,
    {
        self.0.keys(storage, None, None, Order::Ascending)
    }
}

fn amount(rest: &mut Reader, field: &'static str) -> Result<Uint128, PackError> {
    rest.varint(field).map(Uint128::new)
}

/// Varints: funded, claimed, refunded.
impl Packed for Funds {
    fn pack(&self) -> Vec<u8> {
        let mut out = Writer::default();
        for amount in [self.funded, self.claimed, self.refunded] {
            out.varint(amount.u128());
        }
        out.finish()
    }

    fn unpack(bytes: &[u8]) -> Result<Self, PackError> {
        let mut rest = Reader::new(bytes);
        Ok(Funds {
            funded: amount(&mut rest, "funded")?,
            claimed: amount(&mut rest, "claimed")?,
            refunded: amount(&mut rest, "refunded")?,
        })
    }
}

/// Varints in the order of the fields.
impl Packed for Counters {
    fn pack(&self) -> Vec<u8> {
        let Counters {
            escrowed,
            pending,
            accrued,
            ledgers,
            held,
            audits,
            commons,
            treasury,
            paid_in,
            paid_out,
        } = self;
        let mut out = Writer::default();
        for amount in
            [escrowed, pending, accrued, ledgers, held, audits, commons, treasury, paid_in, paid_out]
        {
            out.varint(amount.u128());
        }
        out.finish()
    }

    fn unpack(bytes: &[u8]) -> Result<Self, PackError> {
        let mut rest = Reader::new(bytes);
        Ok(Counters {
            escrowed: amount(&mut rest, "escrowed")?,
            pending: amount(&mut rest, "pending")?,
            accrued: amount(&mut rest, "accrued")?,
            ledgers: amount(&mut rest, "ledgers")?,
            held: amount(&mut rest, "held")?,
            audits: amount(&mut rest, "audits")?,
            commons: amount(&mut rest, "commons")?,
            treasury: amount(&mut rest, "treasury")?,
            paid_in: amount(&mut rest, "paid_in")?,
            paid_out: amount(&mut rest, "paid_out")?,
        })
    }
}

/// Varints: the amounts in the order of the fields, the height of `RequestClose` and 1 more (0 for none),
/// 1 when closed.
impl Packed for Purse {
    fn pack(&self) -> Vec<u8> {
        let Purse { deposit, protocol, developer, node, data, refunded, close_requested_at, closed } = self;
        let mut out = Writer::default();
        for amount in [deposit, protocol, developer, node, data, refunded] {
            out.varint(amount.u128());
        }
        out.varint(close_requested_at.map_or(0, |height| u128::from(height) + 1));
        out.varint(u128::from(*closed));
        out.finish()
    }

    fn unpack(bytes: &[u8]) -> Result<Self, PackError> {
        let mut rest = Reader::new(bytes);
        Ok(Purse {
            deposit: amount(&mut rest, "deposit")?,
            protocol: amount(&mut rest, "protocol")?,
            developer: amount(&mut rest, "developer")?,
            node: amount(&mut rest, "node")?,
            data: amount(&mut rest, "data")?,
            refunded: amount(&mut rest, "refunded")?,
            close_requested_at: match rest.varint("close_requested_at")? {
                0 => None,
                height => Some(u64::try_from(height - 1).map_err(|_| PackError::TooLarge("height"))?),
            },
            closed: rest.varint("closed")? == 1,
        })
    }
}

/// Hash of the log (32 bytes), then varints: cap, sum and count of the log, and the other fields in their
/// order.
impl Packed for SessionLog {
    fn pack(&self) -> Vec<u8> {
        let SessionLog { cap, log, settled_at, from, before, epoch } = self;
        let mut out = Writer::default();
        out.raw(&log.hash);
        out.varint(cap.u128());
        out.varint(log.sum.u128());
        out.varint(log.count.into());
        out.varint((*settled_at).into());
        out.varint((*from).into());
        out.varint(before.u128());
        out.varint((*epoch).into());
        out.finish()
    }

    fn unpack(bytes: &[u8]) -> Result<Self, PackError> {
        let mut rest = Reader::new(bytes);
        let hash = HexBinary::from(&rest.hash("log")?);
        let cap = amount(&mut rest, "cap")?;
        Ok(SessionLog {
            cap,
            log: SumRoot { hash, sum: amount(&mut rest, "log")?, count: rest.u64("log")? },
            settled_at: rest.u64("settled_at")?,
            from: rest.u64("from")?,
            before: amount(&mut rest, "before")?,
            epoch: rest.u64("epoch")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cosmwasm_std::testing::MockStorage;
    use cosmwasm_std::to_json_vec;

    const MAP: Packs<u64, Purse> = Packs::new("purses");

    fn purse(close_requested_at: Option<u64>, closed: bool) -> Purse {
        let n = |amount: u128| Uint128::new(amount);
        Purse {
            deposit: n(u128::MAX),
            protocol: n(1),
            developer: n(127),
            node: n(128),
            data: n(1 << 70),
            refunded: n(0),
            close_requested_at,
            closed,
        }
    }

    #[test]
    fn packed_values_read_back_and_json_of_the_first_release_too() {
        let mut storage = MockStorage::new();
        for value in [purse(None, false), purse(Some(0), false), purse(Some(u64::MAX), true)] {
            MAP.save(&mut storage, 1, &value).unwrap();
            assert_eq!(MAP.load(&storage, 1).unwrap(), value);
            storage.set(&MAP.0.key(2), &to_json_vec(&value).unwrap());
            assert_eq!(MAP.load(&storage, 2).unwrap(), value);
        }
        let log = SessionLog {
            cap: Uint128::new(5),
            log: SumRoot { hash: HexBinary::from(&[7; 32]), sum: Uint128::new(3), count: 2 },
            settled_at: 1_000,
            from: 1,
            before: Uint128::new(2),
            epoch: 9,
        };
        assert_eq!(SessionLog::unpack(&log.pack()), Ok(log));
        let counters = Counters { held: Uint128::new(3), paid_out: Uint128::MAX, ..Counters::default() };
        assert_eq!(Counters::unpack(&counters.pack()), Ok(counters));
        let funds = Funds { claimed: Uint128::new(300), ..Funds::default() };
        assert_eq!(Funds::unpack(&funds.pack()), Ok(funds));
    }

    #[test]
    fn what_is_missing_or_broken_is_an_error() {
        let mut storage = MockStorage::new();
        assert_eq!(MAP.may_load(&storage, 1).unwrap(), None);
        assert!(MAP.load(&storage, 1).is_err() && !MAP.has(&storage, 1));
        storage.set(&MAP.0.key(1), &[PACKED, 0x80]);
        assert!(MAP.load(&storage, 1).is_err() && MAP.has(&storage, 1));
    }
}

//! Which chain, through which endpoint, at what price; and coins.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// How a chain is reached and paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainConfig {
    /// Chain id, compared with what the endpoint says.
    pub chain_id: String,
    /// CometBFT RPC address, `http://` or `https://`.
    pub rpc: String,
    /// First part of addresses.
    #[serde(default = "default_prefix")]
    pub prefix: String,
    /// Denom of fees.
    #[serde(default = "default_denom")]
    pub denom: String,
    /// Price of a unit of gas in `denom`, a decimal number.
    #[serde(default = "default_gas_price")]
    pub gas_price: String,
    /// Gas asked for is gas simulated times this decimal number, at least 1.
    #[serde(default = "default_gas_multiplier")]
    pub gas_multiplier: String,
    /// Blocks after which a transaction that was not taken can not land any more.
    #[serde(default = "default_timeout_blocks")]
    pub timeout_blocks: u64,
    /// Seconds to wait for a block with the transaction.
    #[serde(default = "default_confirm_seconds")]
    pub confirm_seconds: u64,
    /// Account that pays the fees by a grant of x/feegrant; the sender itself when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee_granter: Option<String>,
}

fn default_prefix() -> String {
    "openledger".into()
}
fn default_denom() -> String {
    "uopen".into()
}
fn default_gas_price() -> String {
    "0.0025".into()
}
fn default_gas_multiplier() -> String {
    "1.4".into()
}
fn default_timeout_blocks() -> u64 {
    100
}
fn default_confirm_seconds() -> u64 {
    60
}

impl ChainConfig {
    /// An OpenLedger chain with its usual prefix, denom and prices.
    pub fn new(chain_id: impl Into<String>, rpc: impl Into<String>) -> Self {
        ChainConfig {
            chain_id: chain_id.into(),
            rpc: rpc.into(),
            prefix: default_prefix(),
            denom: default_denom(),
            gas_price: default_gas_price(),
            gas_multiplier: default_gas_multiplier(),
            timeout_blocks: default_timeout_blocks(),
            confirm_seconds: default_confirm_seconds(),
            fee_granter: None,
        }
    }

    /// Checks every setting; the numbers of price and multiplier.
    pub(crate) fn numbers(&self) -> Result<(Decimal, Decimal)> {
        let bad = |field, reason: &str| Err(Error::Config { field, reason: reason.to_string() });
        if self.chain_id.is_empty() || self.chain_id.len() > 50 {
            return bad("chain_id", "must have 1 to 50 characters");
        }
        if self.prefix.is_empty()
            || !self.prefix.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        {
            return bad("prefix", "must be lower-case letters and digits");
        }
        check_denom(&self.denom).map_err(|reason| Error::Config { field: "denom", reason })?;
        if self.timeout_blocks == 0 || self.timeout_blocks > 100_000 {
            return bad("timeout_blocks", "must be from 1 to 100000");
        }
        if self.confirm_seconds == 0 || self.confirm_seconds > 86_400 {
            return bad("confirm_seconds", "must be from 1 to 86400");
        }
        let price =
            Decimal::parse(&self.gas_price).map_err(|reason| Error::Config { field: "gas_price", reason })?;
        let multiplier = Decimal::parse(&self.gas_multiplier)
            .map_err(|reason| Error::Config { field: "gas_multiplier", reason })?;
        if multiplier.mul_ceil(1_000) < Some(1_000) || multiplier.mul_ceil(1) > Some(100) {
            return bad("gas_multiplier", "must be from 1 to 100");
        }
        Ok((price, multiplier))
    }
}

/// A non-negative decimal number with at most 18 digits after the point, exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decimal {
    /// The number without its point.
    digits: u128,
    /// Ten to the number of digits after the point.
    scale: u128,
}

impl Decimal {
    pub(crate) fn parse(text: &str) -> std::result::Result<Self, String> {
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || whole.len() > 18 || part.len() > 18 || !digits(whole) || !digits(part) {
            return Err(format!("{text:?} is not a decimal number such as 0.0025"));
        }
        let scale = 10u128.pow(u32::try_from(part.len()).unwrap_or(18));
        let parse = |s: &str| if s.is_empty() { Ok(0) } else { s.parse::<u128>().map_err(|e| e.to_string()) };
        // Both parts have at most 18 digits: the product stays under 10^36.
        Ok(Decimal { digits: parse(whole)? * scale + parse(part)?, scale })
    }

    /// `ceil(amount × self)`; none on overflow.
    pub(crate) fn mul_ceil(self, amount: u64) -> Option<u128> {
        self.digits.checked_mul(u128::from(amount)).map(|product| product.div_ceil(self.scale))
    }
}

/// An amount of one denom, in base units.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Coin {
    /// Denom.
    pub denom: String,
    /// Base units.
    pub amount: u128,
}

impl Coin {
    /// `amount` base units of `denom`.
    pub fn new(amount: u128, denom: impl Into<String>) -> Self {
        Coin { denom: denom.into(), amount }
    }
}

impl std::fmt::Display for Coin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", self.amount, self.denom)
    }
}

/// The SDK's form of a denom.
fn check_denom(denom: &str) -> std::result::Result<(), String> {
    let tail = |b: u8| b.is_ascii_alphanumeric() || b"/:._-".contains(&b);
    let good = (3..=128).contains(&denom.len())
        && denom.bytes().next().is_some_and(|b| b.is_ascii_alphabetic())
        && denom.bytes().all(tail);
    if good {
        Ok(())
    } else {
        Err(format!("{denom:?} is not a denom"))
    }
}

/// Coins as the bank module wants them: sorted by denom, one entry a denom, none of zero.
pub(crate) fn normalise(coins: &[Coin]) -> Result<Vec<Coin>> {
    let mut sums = std::collections::BTreeMap::<&str, u128>::new();
    for coin in coins {
        check_denom(&coin.denom).map_err(|reason| Error::Input { what: "coins", reason })?;
        let sum = sums.entry(&coin.denom).or_default();
        *sum = sum.checked_add(coin.amount).ok_or_else(|| Error::Input {
            what: "coins",
            reason: format!("the sum of {} overflows", coin.denom),
        })?;
    }
    Ok(sums.into_iter().filter(|(_, sum)| *sum > 0).map(|(denom, sum)| Coin::new(sum, denom)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fees_round_up_and_never_pass_through_floats() {
        let price = Decimal::parse("0.0025").unwrap();
        assert_eq!(price.mul_ceil(100_000), Some(250));
        assert_eq!(price.mul_ceil(100_001), Some(251));
        assert_eq!(price.mul_ceil(0), Some(0));
        assert_eq!(Decimal::parse("2").unwrap().mul_ceil(u64::MAX), Some(2 * u128::from(u64::MAX)));
        assert_eq!(Decimal::parse("999999999999999999.999999999999999999").unwrap().mul_ceil(u64::MAX), None);
        for bad in ["", ".", ".5", "-1", "1e3", "0.0025uopen", "1.2.3", " 1", "0.0000000000000000001"] {
            assert!(Decimal::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn settings_are_checked() {
        let good = ChainConfig::new("openledger-1", "http://127.0.0.1:26650");
        good.numbers().unwrap();
        for (field, config) in [
            ("gas_multiplier", ChainConfig { gas_multiplier: "0.9".into(), ..good.clone() }),
            ("gas_multiplier", ChainConfig { gas_multiplier: "101".into(), ..good.clone() }),
            ("gas_price", ChainConfig { gas_price: "cheap".into(), ..good.clone() }),
            ("denom", ChainConfig { denom: "u".into(), ..good.clone() }),
            ("prefix", ChainConfig { prefix: "Open".into(), ..good.clone() }),
            ("chain_id", ChainConfig { chain_id: String::new(), ..good.clone() }),
            ("timeout_blocks", ChainConfig { timeout_blocks: 0, ..good.clone() }),
        ] {
            match config.numbers() {
                Err(Error::Config { field: found, .. }) => assert_eq!(found, field),
                other => panic!("{field}: {other:?}"),
            }
        }
        let text = serde_json::json!({"chain_id": "a-1", "rpc": "http://x", "surprise": 1});
        assert!(serde_json::from_value::<ChainConfig>(text).is_err());
    }

    #[test]
    fn coins_are_sorted_merged_and_without_zeros() {
        let coins =
            [Coin::new(5, "uopen"), Coin::new(0, "ibc/AA"), Coin::new(1, "aaa"), Coin::new(2, "uopen")];
        assert_eq!(normalise(&coins).unwrap(), vec![Coin::new(1, "aaa"), Coin::new(7, "uopen")]);
        assert!(normalise(&[Coin::new(u128::MAX, "uopen"), Coin::new(1, "uopen")]).is_err());
        assert!(normalise(&[Coin::new(1, "5x")]).is_err());
    }
}

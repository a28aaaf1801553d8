//! From an account to the validator that it operates.

use bech32::primitives::decode::CheckedHrpstring;
use bech32::{Bech32, Hrp};

/// What the Cosmos SDK adds to the prefix of accounts for operators of validators.
const OPERATOR: &str = "valoper";

/// The operator address of the validator that `account` may operate: the same bytes under the prefix of
/// operators. None when it is no bech32 address.
pub fn operator_address(account: &str) -> Option<String> {
    let parsed = CheckedHrpstring::new::<Bech32>(account).ok()?;
    let prefix = Hrp::parse(&format!("{}{OPERATOR}", parsed.hrp())).ok()?;
    let bytes: Vec<u8> = parsed.byte_iter().collect();
    bech32::encode::<Bech32>(prefix, &bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_has_the_bytes_of_its_account() {
        // The same 20 bytes under both prefixes, encoded by BIP 173's reference code.
        let account = "cosmos1fl48vsnmsdzcv85q5d2q4z5ajdha8yu34mf0eh";
        let operator = "cosmosvaloper1fl48vsnmsdzcv85q5d2q4z5ajdha8yu3s0a64y";
        assert_eq!(operator_address(account).as_deref(), Some(operator));
        for wrong in ["", "cosmos1", "cosmos1fl48vsnmsdzcv85q5d2q4z5ajdha8yu34mf0ef"] {
            assert_eq!(operator_address(wrong), None, "{wrong}");
        }
    }
}

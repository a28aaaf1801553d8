//! Messages of the SDK's modules, as `Any`.

use std::io::Write;

use cosmrs::proto::cosmos::bank::v1beta1::MsgSend;
use cosmrs::proto::cosmos::base::v1beta1::Coin as ProtoCoin;
use cosmrs::proto::cosmwasm::wasm::v1::{
    MsgExecuteContract, MsgInstantiateContract, MsgInstantiateContract2, MsgMigrateContract, MsgStoreCode,
};
use cosmrs::proto::prost::{Message, Name};
use cosmrs::Any;
use serde::Serialize;

use crate::config::{normalise, Coin};
use crate::error::{Error, Result};

pub(crate) fn any<M: Message + Name>(message: &M) -> Any {
    Any { type_url: M::type_url(), value: message.encode_to_vec() }
}

pub(crate) fn coins(coins: &[Coin]) -> Result<Vec<ProtoCoin>> {
    Ok(normalise(coins)?
        .into_iter()
        .map(|c| ProtoCoin { denom: c.denom, amount: c.amount.to_string() })
        .collect())
}

/// A contract's message as JSON bytes.
pub(crate) fn json<T: Serialize + ?Sized>(message: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(message).map_err(|e| Error::Input { what: "message", reason: e.to_string() })
}

pub(crate) fn send(from: &str, to: &str, amount: &[Coin]) -> Result<Any> {
    let amount = coins(amount)?;
    if amount.is_empty() {
        return Err(Error::Input { what: "coins", reason: "there is nothing to send".into() });
    }
    Ok(any(&MsgSend { from_address: from.into(), to_address: to.into(), amount }))
}

pub(crate) fn execute(sender: &str, contract: &str, msg: Vec<u8>, funds: &[Coin]) -> Result<Any> {
    Ok(any(&MsgExecuteContract {
        sender: sender.into(),
        contract: contract.into(),
        msg,
        funds: coins(funds)?,
    }))
}

/// `wasm` is compressed, which keeps contracts of up to about 1 MB under the megabyte that a node's
/// RPC takes by default.
pub(crate) fn store_code(sender: &str, wasm: &[u8]) -> Result<Any> {
    let bad = |reason: String| Error::Input { what: "wasm", reason };
    let wasm_byte_code = if wasm.starts_with(b"\0asm") {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(wasm).map_err(|e| bad(e.to_string()))?;
        encoder.finish().map_err(|e| bad(e.to_string()))?
    } else if wasm.starts_with(&[0x1f, 0x8b]) {
        wasm.to_vec()
    } else {
        return Err(bad("neither a wasm module nor a gzip file".into()));
    };
    Ok(any(&MsgStoreCode { sender: sender.into(), wasm_byte_code, instantiate_permission: None }))
}

pub(crate) fn instantiate(
    sender: &str,
    code_id: u64,
    msg: Vec<u8>,
    label: &str,
    admin: Option<&str>,
    funds: &[Coin],
) -> Result<Any> {
    Ok(any(&MsgInstantiateContract {
        sender: sender.into(),
        admin: admin.unwrap_or_default().into(),
        code_id,
        label: label.into(),
        msg,
        funds: coins(funds)?,
    }))
}

/// The address follows from the module's hash, the sender and `salt`; not from the message.
pub(crate) fn instantiate2(
    sender: &str,
    code_id: u64,
    msg: Vec<u8>,
    label: &str,
    admin: Option<&str>,
    salt: &[u8],
) -> Any {
    any(&MsgInstantiateContract2 {
        sender: sender.into(),
        admin: admin.unwrap_or_default().into(),
        code_id,
        label: label.into(),
        msg,
        funds: Vec::new(),
        salt: salt.to_vec(),
        fix_msg: false,
    })
}

pub(crate) fn migrate(sender: &str, contract: &str, code_id: u64, msg: Vec<u8>) -> Any {
    any(&MsgMigrateContract { sender: sender.into(), contract: contract.into(), code_id, msg })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_urls_are_those_of_the_chain() {
        let any = execute("a", "b", b"{}".to_vec(), &[Coin::new(0, "uopen")]).unwrap();
        assert_eq!(any.type_url, "/cosmwasm.wasm.v1.MsgExecuteContract");
        let message = MsgExecuteContract::decode(any.value.as_slice()).unwrap();
        assert!(message.funds.is_empty());
        assert_eq!(
            send("a", "b", &[Coin::new(1, "uopen")]).unwrap().type_url,
            "/cosmos.bank.v1beta1.MsgSend"
        );
        assert!(send("a", "b", &[]).is_err());
        assert!(store_code("a", b"MZ").is_err());
    }
}

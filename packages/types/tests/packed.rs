//! Packed lists: one form each, whatever bytes come. `packages/types/vectors/packed.json` is frozen and
//! runs in Rust and TypeScript.

use cosmwasm_std::{from_json, to_json_string, Binary, HexBinary, Uint128};
use openledger_types::formats::{Account, LedgerLeaf, SumRoot, Uses};
use openledger_types::merkle::{SumNode, WireError, MAX_NODES};
use openledger_types::msg::datanet::{Documents, RevealItem};
use openledger_types::msg::escrow::{ClaimItem, Claims, ExecuteMsg};
use openledger_types::packed::{to_hex, HashPath, PackError, Packed, SumPath};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{json, Value};

fn sums() -> SumPath {
    let sum = |byte: u8, sum: u128| SumNode { hash: [byte; 32], sum };
    SumPath(vec![sum(1, 0), sum(2, 255), sum(3, 256), sum(4, u128::MAX)])
}

fn claim(node_id: u64, account: Account, denom: &str) -> ClaimItem {
    let detail = SumRoot { hash: HexBinary::from(&[12; 32]), sum: Uint128::new(300), count: 2 };
    let leaf = LedgerLeaf { account, cumulative: Uint128::new(123_456_789), uses: 128, detail };
    ClaimItem { node_id, denom: denom.into(), leaf, index: 5, path: SumPath(sums()[..2].to_vec()) }
}

fn claims() -> Claims {
    let somebody = || Account::Contributor("openledger1contributor".into());
    Claims(vec![
        claim(1, somebody(), "uopen"),
        claim(300, somebody(), "uopen"),
        claim(300, Account::Commons, "uopen"),
        claim(300, Account::Dust, "ibc/atom"),
    ])
}

fn documents() -> Documents {
    let first = RevealItem {
        index: 0,
        path: vec![[1; 32], [2; 32]],
        salt: [3; 32],
        raw_hash: [4; 32],
        content_root: [5; 32],
        content_len: 2_048,
        match_root: [6; 32],
        match_len: 2_000,
        match_hash: [7; 32],
        blob_root: [8; 32],
        blob_len: 2_300,
        media: "text/plain".into(),
        license: None,
        uses: None,
        near_duplicate_of: None,
        title: "a river".into(),
    };
    let second = RevealItem {
        index: 130,
        path: vec![],
        media: "image/png".into(),
        license: Some("MIT".into()),
        uses: Some(Uses { train: true, answer: false, commercial: true }),
        near_duplicate_of: Some(17),
        title: String::new(),
        ..first.clone()
    };
    Documents(vec![first, second])
}

fn hex_of(hash: &[u8]) -> String {
    HexBinary::from(hash).to_hex()
}

fn steps(path: &[SumNode]) -> Value {
    path.iter().map(|node| json!({ "hash": hex_of(&node.hash), "sum": node.sum.to_string() })).collect()
}

fn computed() -> Value {
    let claim = |item: &ClaimItem| {
        json!({
            "node_id": item.node_id, "denom": item.denom, "leaf": item.leaf, "index": item.index,
            "path": steps(&item.path),
        })
    };
    let document = |item: &RevealItem| {
        json!({
            "index": item.index,
            "path": item.path.iter().map(|hash| hex_of(hash)).collect::<Vec<_>>(),
            "salt": hex_of(&item.salt), "raw_hash": hex_of(&item.raw_hash),
            "content_root": hex_of(&item.content_root), "content_len": item.content_len,
            "match_root": hex_of(&item.match_root), "match_len": item.match_len,
            "match_hash": hex_of(&item.match_hash),
            "blob_root": hex_of(&item.blob_root), "blob_len": item.blob_len,
            "media": item.media, "license": item.license, "uses": item.uses,
            "near_duplicate_of": item.near_duplicate_of, "title": item.title,
        })
    };
    let hashes = HashPath(vec![[1; 32], [2; 32]]);
    json!({
        "hash_path": {
            "input": hashes.iter().map(|hash| hex_of(hash)).collect::<Vec<_>>(), "packed": to_hex(&hashes),
        },
        "sum_path": { "input": steps(&sums()), "packed": to_hex(&sums()) },
        "claims": {
            "input": claims().iter().map(claim).collect::<Vec<_>>(), "packed": to_hex(&claims()),
        },
        "documents": {
            "input": documents().iter().map(document).collect::<Vec<_>>(), "packed": to_hex(&documents()),
        },
    })
}

#[test]
fn every_packed_form_matches_its_frozen_vector() {
    let path = "vectors/packed.json";
    let computed = computed();
    let frozen =
        std::fs::read_to_string(path).ok().and_then(|text| serde_json::from_str::<Value>(&text).ok());
    let frozen =
        frozen.unwrap_or_else(|| panic!("{path} is missing or no JSON; it would hold:\n{computed:#}"));
    assert_eq!(frozen, computed, "a frozen format never changes");
}

/// Reads back to the same, and no shorter or longer bytes do.
fn one_form<T: Packed + PartialEq + std::fmt::Debug>(value: &T) {
    let bytes = value.pack();
    assert_eq!(&T::unpack(&bytes).unwrap(), value);
    for len in 0..bytes.len() {
        // A prefix may be a shorter list, never this one.
        assert_ne!(T::unpack(&bytes[..len]).ok().as_ref(), Some(value));
    }
}

#[test]
fn packed_values_read_back_and_stand_for_nothing_else() {
    one_form(&HashPath(vec![[1; 32], [2; 32]]));
    one_form(&sums());
    one_form(&claims());
    one_form(&documents());
    one_form(&SumPath::default());
}

#[test]
fn attack_a_second_form_of_the_same_path() {
    let node = |sum: &[u8]| [&[9; 32][..], &[sum.len() as u8], sum].concat();
    let refused = |bytes: &[u8]| match SumPath::unpack(bytes) {
        Err(PackError::Path(reason)) => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(SumPath::unpack(&node(&[1])).unwrap()[0].sum, 1);
    assert_eq!(refused(&node(&[0, 1])), WireError::SumNotShortest);
    assert_eq!(refused(&node(&[0])), WireError::SumNotShortest);
    assert_eq!(refused(&node(&[1; 17])), WireError::SumTooLong);
    assert_eq!(refused(&node(&[1; 255])), WireError::SumTooLong);
    assert_eq!(refused(&[node(&[1]), vec![7]].concat()), WireError::CutShort);
    assert_eq!(refused(&node(&[1, 2])[..34]), WireError::CutShort);
    assert_eq!(refused(&node(&[]).repeat(MAX_NODES + 1)), WireError::TooMany);
    assert_eq!(SumPath::unpack(&node(&[]).repeat(MAX_NODES)).unwrap().len(), MAX_NODES);
    assert_eq!(HashPath::unpack(&[1; 33]), Err(PackError::Path(WireError::CutShort)));
    assert_eq!(HashPath::unpack(&[1; 31]), Err(PackError::Path(WireError::CutShort)));
}

#[test]
fn attack_a_second_form_of_the_same_claims() {
    let item = |denom: &[u8], account: &[u8], cumulative: &[u8]| {
        let rest = [&[3][..], &[12; 32], &[1, 1, 5, 0]].concat();
        [&[1][..], denom, account, cumulative, &rest].concat()
    };
    let (denom, same) = (b"\x05uopen", b"\x00");
    let first = item(denom, b"\x00", b"\x07");
    assert_eq!(Claims::unpack(&first).unwrap().len(), 1);
    let both = |second: Vec<u8>| Claims::unpack(&[first.clone(), second].concat());
    assert_eq!(both(item(same, b"\x03", b"\x07")).unwrap().len(), 2);
    assert_eq!(both(item(denom, b"\x03", b"\x07")), Err(PackError::Redundant("denom")));
    assert_eq!(both(item(same, b"\x00", b"\x07")), Err(PackError::Redundant("account")));
    assert_eq!(both(item(same, b"\x04", b"\x07")), Err(PackError::Unknown("account")));
    assert_eq!(both(item(same, b"\x03", b"\x87\x00")), Err(PackError::NotShortest("cumulative")));
    assert_eq!(both(item(same, b"\x03", &[0xff; 19])), Err(PackError::TooLarge("cumulative")));
    assert_eq!(both(item(b"\x01\xff", b"\x03", b"\x07")), Err(PackError::NotText("denom")));
    assert_eq!(both(vec![1, 0xff, 0xff, 0x7f]), Err(PackError::CutShort("denom")));
    assert_eq!(Claims::unpack(&item(denom, b"\x03", b"\x07")), Err(PackError::Unknown("account")));
}

#[test]
fn attack_a_second_form_of_the_same_documents() {
    let bytes = documents().pack();
    // Flags of the first document stand before its title.
    let title = bytes.windows(7).position(|part| part == b"a river").unwrap();
    let flags = title - 2;
    let changed = |at: usize, value: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = value;
        Documents::unpack(&bytes)
    };
    assert_eq!(changed(flags, 16), Err(PackError::Unknown("flags")));
    let spelled = [&bytes[..flags], &[8, 10], b"text/plain", &bytes[title - 1..]].concat();
    assert_eq!(Documents::unpack(&spelled), Err(PackError::Redundant("media")));
    let uses = bytes.windows(4).position(|part| part == b"\x03MIT").unwrap() + 4;
    assert_eq!(changed(uses, 8), Err(PackError::Unknown("uses")));
    assert_eq!(changed(1, 66), Err(PackError::Path(WireError::TooMany)));
}

#[test]
fn a_message_says_why_its_bytes_are_refused() {
    let message = |bytes: &[u8]| {
        let text = format!(r#"{{"claim":{{"claims":"{}"}}}}"#, Binary::new(bytes.to_vec()));
        from_json::<ExecuteMsg>(text)
    };
    let claims = Claims(vec![claim(1, Account::Commons, "uopen")]);
    assert_eq!(message(&claims.pack()).unwrap(), ExecuteMsg::Claim { claims });
    let refused = message(&[1, 0xff]).unwrap_err().to_string();
    assert!(refused.contains("packed bytes end within denom"), "{refused}");
    assert!(from_json::<ExecuteMsg>(r#"{"claim":{"claims":[]}}"#).is_err());
    assert_eq!(to_json_string(&SumPath::default()).unwrap(), r#""""#);
}

fn account() -> impl Strategy<Value = Account> {
    prop_oneof![Just(Account::Commons), Just(Account::Dust), "[a-z0-9]{1,60}".prop_map(Account::Contributor),]
}

fn nodes() -> impl Strategy<Value = SumPath> {
    let sum = prop_oneof![any::<u128>(), any::<u16>().prop_map(u128::from), Just(0)];
    vec((any::<[u8; 32]>(), sum).prop_map(|(hash, sum)| SumNode { hash, sum }), 0..=MAX_NODES)
        .prop_map(SumPath)
}

fn any_claim() -> impl Strategy<Value = ClaimItem> {
    let numbers = (any::<u64>(), any::<u128>(), any::<u64>(), any::<u128>(), any::<u64>(), any::<u64>());
    ("[a-z]{1,6}", account(), numbers, any::<[u8; 32]>(), nodes()).prop_map(
        |(denom, account, (node_id, cumulative, uses, sum, count, index), hash, path)| {
            let detail = SumRoot { hash: HexBinary::from(&hash), sum: Uint128::new(sum), count };
            let leaf = LedgerLeaf { account, cumulative: Uint128::new(cumulative), uses, detail };
            ClaimItem { node_id, denom, leaf, index, path }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn whatever_bytes_are_taken_are_the_packed_form(bytes in vec(any::<u8>(), 0..400)) {
        if let Ok(path) = SumPath::unpack(&bytes) {
            prop_assert_eq!(path.pack(), bytes.clone());
        }
        if let Ok(claims) = Claims::unpack(&bytes) {
            prop_assert_eq!(claims.pack(), bytes.clone());
        }
        if let Ok(documents) = Documents::unpack(&bytes) {
            prop_assert_eq!(documents.pack(), bytes);
        }
    }

    #[test]
    fn claims_read_back(items in vec(any_claim(), 0..5), at in any::<prop::sample::Index>(), value in any::<u8>()) {
        let claims = Claims(items);
        let mut bytes = claims.pack();
        prop_assert_eq!(&Claims::unpack(&bytes).unwrap(), &claims);
        if !bytes.is_empty() {
            let at = at.index(bytes.len());
            bytes[at] = value;
            if let Ok(other) = Claims::unpack(&bytes) {
                prop_assert_eq!(other.pack(), bytes);
            }
        }
    }
}

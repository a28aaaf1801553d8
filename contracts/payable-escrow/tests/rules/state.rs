//! What is stored.

use std::collections::BTreeSet;

use crate::common::{Answer, Suite, OPEN};

/// Every namespace of the contract and of what it shares.
const NAMESPACES: [&str; 37] = [
    "gateway",
    "contract_info",
    "ownership",
    "paused",
    "params",
    "registries",
    "last_session",
    "sessions",
    "purses",
    "pins",
    "logs",
    "ledgers",
    "funds",
    "epochs",
    "pending",
    "claimed",
    "credits",
    "balances",
    "counters",
    "connected",
    "roots",
    "outcomes",
    "replaced",
    "cases",
    "cited_receipts",
    "holds",
    "cited",
    "pots",
    "pot_claims",
    "returned",
    "unsettled",
    "node_books",
    "sweeps",
    "weights",
    "uses",
    "uses_until",
    "contributor_uses",
];

#[test]
fn finding_p17_every_namespace_is_used_once() {
    let source = include_str!("../../src/state.rs");
    let mut declared = Vec::new();
    for piece in source.split("::new(\"").skip(1) {
        declared.push(piece.split('"').next().unwrap());
    }
    let mut expected: BTreeSet<&str> = NAMESPACES.into();
    assert_eq!(expected.len(), NAMESPACES.len(), "a namespace twice");
    for shared in ["contract_info", "ownership", "paused"] {
        expected.remove(shared);
    }
    assert_eq!(declared.len(), expected.len());
    assert_eq!(declared.into_iter().collect::<BTreeSet<_>>(), expected);
}

#[test]
fn finding_p17_every_stored_key_belongs_to_one_namespace() {
    let mut suite = Suite::new();
    let user = suite.user(0);
    let mut client = suite.open(&user, 1, &[(1, 50_000)]);
    suite.answer(&mut client, 1, &Answer::plain(100, 100));
    suite.settle(1, OPEN);
    let claims = suite.claims(1, OPEN);
    suite.claim(claims).unwrap();
    suite.answer(&mut client, 1, &Answer::plain(100, 100));
    suite.post(1, OPEN);
    let mut seen = BTreeSet::new();
    for (key, _) in suite.app.dump_wasm_raw(&suite.escrow) {
        let owners: Vec<&str> = NAMESPACES
            .into_iter()
            .filter(|name| {
                let mut prefix = (name.len() as u16).to_be_bytes().to_vec();
                prefix.extend_from_slice(name.as_bytes());
                key == name.as_bytes() || key.starts_with(&prefix)
            })
            .collect();
        assert_eq!(owners.len(), 1, "{}", String::from_utf8_lossy(&key));
        seen.insert(owners[0]);
    }
    // Of the others nothing has happened yet.
    for name in ["sessions", "roots", "outcomes", "node_books", "credits", "contributor_uses", "connected"] {
        assert!(seen.contains(name), "{name}");
    }
}

/// A settlement rewrites the purse and the log, and never what was pinned: its storage does not
/// grow with answers.
#[test]
fn a_settlement_writes_the_same_keys_whatever_the_answers() {
    let stored = |answers: u32| {
        let mut suite = Suite::new();
        let user = suite.user(0);
        let mut client = suite.open(&user, 1, &[(1, 500_000)]);
        for _ in 0..answers {
            suite.answer(&mut client, 1, &Answer::plain(10, 20));
        }
        let before = suite.app.dump_wasm_raw(&suite.escrow);
        suite.post(1, OPEN);
        let after = suite.app.dump_wasm_raw(&suite.escrow);
        after.iter().filter(|entry| !before.contains(entry)).count()
    };
    assert_eq!(stored(1), 5, "purse, log, epoch, pending, counters");
    assert_eq!(stored(200), 5);
}

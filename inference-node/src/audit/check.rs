//! Recomputes an epoch from its documents and what the chain knows. Pure.

use std::collections::{BTreeMap, BTreeSet};

use openledger_client::{verify_digest, KnownKey};
use openledger_types::faults::SessionFacts;
use openledger_types::formats::{hash32, seed, EpochCommit, LedgerBlob, SignedReceipt, SumRoot, VersionRef};
use openledger_types::merkle::{Frontier, Hash};
use openledger_types::money::answer_fee;
use openledger_types::msg::datanet::ContributionResponse;
use openledger_types::msg::escrow::SessionResponse;
use openledger_types::signature::is_canonical;

use crate::ledger::{grow_to, SessionPart};

/// Everything that one epoch is held against.
#[derive(Debug, Clone, Copy)]
pub struct Books<'a> {
    /// The commitment, as the chain holds it.
    pub commit: &'a EpochCommit,
    /// Height at which it was posted.
    pub posted_at: u64,
    /// The data's part of the fees, as the chain settled it.
    pub data: u128,
    /// Leaves of the ledger before, checked against `commit.previous`.
    pub before: &'a LedgerBlob,
    /// Leaves of the ledger, checked against `commit.ledger`.
    pub leaves: &'a LedgerBlob,
    /// Receipts, checked against `commit.receipts`.
    pub receipts: &'a [SignedReceipt],
    /// What the escrow states of the sessions that the receipts name, as far as they exist.
    pub facts: &'a BTreeMap<u64, SessionFacts>,
    /// Receipts of these sessions with the node, from the first on.
    pub logs: &'a BTreeMap<u64, Vec<SignedReceipt>>,
    /// The sessions that the receipts name, as far as they exist.
    pub sessions: &'a BTreeMap<u64, SessionResponse>,
    /// Datanet versions of the sessions' models, by (model, version).
    pub datanets: &'a BTreeMap<(u64, u32), Vec<VersionRef>>,
    /// The contributions that the receipts cite, as far as they exist.
    pub sources: &'a BTreeMap<u64, ContributionResponse>,
    /// Blocks after which a withdrawn contribution may not be cited.
    pub withdrawal_grace: u64,
}

/// What is wrong with an epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Stable code, `E-AUDIT-010` and on.
    pub code: &'static str,
    /// What was found.
    pub what: String,
}

impl Finding {
    fn new(code: &'static str, what: impl Into<String>) -> Self {
        Finding { code, what: what.into() }
    }
}

/// Checks every receipt against its session and the ledger against the receipts: the leaves must be
/// those that the receipts give, to the last unit.
///
/// # Errors
/// The first thing that is wrong: `E-AUDIT-010` a receipt, `-011` a source, `-012` the ledger, `-013`
/// a log.
pub fn check(books: &Books) -> Result<(), Finding> {
    for (session, facts) in books.facts {
        let settled = books.logs.get(session).map(Vec::as_slice).unwrap_or_default();
        log(facts, settled)
            .map_err(|what| Finding::new("E-AUDIT-013", format!("session {session}: {what}")))?;
    }
    let mut taken = BTreeSet::new();
    for (signed, is_signed) in books.receipts.iter().zip(signatures(books)) {
        let (session, sequence) = (signed.receipt.session_id, signed.receipt.sequence);
        receipt(books, signed, is_signed).map_err(|what| {
            Finding::new("E-AUDIT-010", format!("answer {sequence} of session {session}: {what}"))
        })?;
        logged(books, signed).map_err(|what| {
            Finding::new("E-AUDIT-010", format!("answer {sequence} of session {session}: {what}"))
        })?;
        if !taken.insert((session, sequence)) {
            let what = format!("answer {sequence} of session {session} stands twice");
            return Err(Finding::new("E-AUDIT-010", what));
        }
        sources(books, signed).map_err(|what| {
            Finding::new("E-AUDIT-011", format!("answer {sequence} of session {session}: {what}"))
        })?;
    }
    ledger(books)
}

/// A receipt against the log that its session settled: it stands there, under its sequence, and was
/// settled by the newest settlement and not before.
fn logged(books: &Books, signed: &SignedReceipt) -> Result<(), String> {
    let r = &signed.receipt;
    let facts = books.facts.get(&r.session_id).ok_or("there is no such session")?;
    let log = books.logs.get(&r.session_id).map(Vec::as_slice).unwrap_or_default();
    if facts.settled_epoch != books.commit.epoch || r.sequence <= facts.settled_from {
        return Err("it was settled in another epoch".into());
    }
    let at = usize::try_from(r.sequence.saturating_sub(1)).unwrap_or(usize::MAX);
    match log.get(at) {
        Some(settled) if settled.receipt == *r => Ok(()),
        _ => Err("it is not the one that the session settled".into()),
    }
}

/// A session's log against its root on chain.
fn log(facts: &SessionFacts, log: &[SignedReceipt]) -> Result<(), String> {
    let mut frontier = Frontier::new();
    for signed in log {
        frontier.push(signed.receipt.leaf()).ok_or("its fees overflow")?;
    }
    let root = frontier.root().map(|root| SumRoot::new(root, frontier.size()));
    match root.as_ref() == Some(&facts.log) {
        true => Ok(()),
        false => Err("the node's receipts are not those that the chain settled".into()),
    }
}

/// Whether each receipt has a canonical signature of the key that its session pins for its node.
///
/// Nearly all receipts of an epoch are of one key, and a signature is what their check costs most.
fn signatures(books: &Books) -> Vec<bool> {
    let digests: Vec<Hash> = books.receipts.iter().map(|signed| signed.receipt.digest()).collect();
    let mut by_key: BTreeMap<&[u8], Vec<usize>> = BTreeMap::new();
    for (at, signed) in books.receipts.iter().enumerate() {
        let session = books.sessions.get(&signed.receipt.session_id);
        let pinned = session.and_then(|s| s.nodes.iter().find(|n| n.node_id == signed.receipt.node_id));
        if let Some(pinned) = pinned {
            by_key.entry(pinned.node_key.as_slice()).or_default().push(at);
        }
    }
    let mut hold = vec![false; books.receipts.len()];
    for (key, places) in by_key {
        let signed: Vec<(Hash, &[u8])> =
            places.iter().map(|at| (digests[*at], books.receipts[*at].signature.as_slice())).collect();
        let known = if signed.len() < KnownKey::LEAST { None } else { KnownKey::new(key) };
        let found = match known {
            Some(known) => known.verify(&signed),
            None => signed
                .iter()
                .map(|(digest, signature)| is_canonical(signature) && verify_digest(key, digest, signature))
                .collect(),
        };
        for (at, holds) in places.into_iter().zip(found) {
            hold[at] = holds;
        }
    }
    hold
}

/// A receipt against the terms that its session pins; `is_signed` says whether the signature holds.
fn receipt(books: &Books, signed: &SignedReceipt, is_signed: bool) -> Result<(), String> {
    let (r, commit) = (&signed.receipt, books.commit);
    r.validate().map_err(|e| e.to_string())?;
    if (&r.chain_id, &r.contract, r.node_id) != (&commit.chain_id, &commit.contract, commit.node_id) {
        return Err("it is for another chain, escrow or node".into());
    }
    let session = books.sessions.get(&r.session_id).ok_or("there is no such session")?;
    let pinned = session.nodes.iter().find(|n| n.node_id == r.node_id);
    let pinned = pinned.ok_or("the session does not name the node")?;
    if session.denom != commit.denom {
        return Err(format!("the session pays in {}", session.denom));
    }
    if !is_signed {
        return Err("its signature is not that of the key which the session pins".into());
    }
    if r.sequence == 0 || r.sequence > pinned.log.count {
        return Err(format!("the chain settled {} answers only", pinned.log.count));
    }
    if r.height < session.opened_at || r.height > books.posted_at {
        return Err(format!("height {} is outside of its session and epoch", r.height));
    }
    let model = (r.model_id, r.model_version);
    if model != (session.model_id, session.model_version) {
        return Err("it is of another model than the session's".into());
    }
    if books.datanets.get(&model) != Some(&r.datanets) {
        return Err("its datanet versions are not those of its model".into());
    }
    let (price_in, price_out) = (pinned.price_in.u128(), pinned.price_out.u128());
    let fee = answer_fee(r.tokens_in, r.tokens_out, price_in, price_out, session.min_fee.u128());
    if fee != Some(r.fee.u128()) {
        return Err(format!("its fee of {} is not that of the pinned prices", r.fee));
    }
    let request = hash32("request_hash", &r.request_hash).map_err(|e| e.to_string())?;
    if r.seed.as_slice() != seed(&request, r.session_id, r.node_id, r.sequence) {
        return Err("its seed does not follow from its request".into());
    }
    Ok(())
}

/// The sources that a receipt cites (D4).
fn sources(books: &Books, signed: &SignedReceipt) -> Result<(), String> {
    let r = &signed.receipt;
    for id in r.shares.iter().map(|share| share.contribution_id) {
        let source = books.sources.get(&id).ok_or_else(|| format!("contribution {id} does not exist"))?;
        let held = r.datanets.iter().any(|version| {
            version.datanet_id == source.facts.datanet_id
                && source.position.is_some_and(|position| position < version.size)
        });
        if !held {
            return Err(format!("contribution {id} stands in none of its datanet versions"));
        }
        if !source.facts.uses.allows_paid_answers() {
            return Err(format!("the licence of contribution {id} forbids paid answers"));
        }
        let until = source.withdrawn_at.map(|height| height.saturating_add(books.withdrawal_grace));
        if until.is_some_and(|until| r.height > until) {
            return Err(format!("contribution {id} was withdrawn, and the grace is over"));
        }
    }
    Ok(())
}

/// The ledger, computed again from the one before and the receipts.
fn ledger(books: &Books) -> Result<(), Finding> {
    let wrong = |what: String| Finding::new("E-AUDIT-012", what);
    let mut by_session: BTreeMap<u64, Vec<SignedReceipt>> = BTreeMap::new();
    for signed in books.receipts {
        by_session.entry(signed.receipt.session_id).or_default().push(signed.clone());
    }
    let mut parts = Vec::with_capacity(by_session.len());
    for (session_id, receipts) in by_session {
        let session = books.sessions.get(&session_id);
        let split = session.ok_or_else(|| wrong(format!("session {session_id} is not known")))?.split;
        parts.push(SessionPart { session_id, split, receipts });
    }
    let owner = |id: u64| books.sources.get(&id).map(|source| source.facts.contributor.clone());
    let expected = grow_to(books.before, &parts, books.data, &owner).map_err(|fault| wrong(fault.what))?;
    if expected == *books.leaves {
        return Ok(());
    }
    let found: BTreeMap<_, _> = books.leaves.leaves.iter().map(|e| (&e.leaf.account, e)).collect();
    for entry in &expected.leaves {
        match found.get(&entry.leaf.account) {
            Some(same) if *same == entry => {}
            Some(other) => {
                return Err(wrong(format!(
                    "the leaf of {:?} has {} after {} answers, the receipts give {} after {}",
                    entry.leaf.account,
                    other.leaf.cumulative,
                    other.leaf.uses,
                    entry.leaf.cumulative,
                    entry.leaf.uses
                )))
            }
            None => return Err(wrong(format!("the leaf of {:?} is missing", entry.leaf.account))),
        }
    }
    Err(wrong("there are leaves that no receipt gives".into()))
}

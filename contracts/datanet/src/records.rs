//! Contributions as they are stored. Thirty units of gas a byte make the form matter: a record is
//! binary, refers to its commit and its datanet for what they say, and shares its key with up to
//! seven neighbours.
//!
//! Group: for each record its length as varint, then the record. Record: commit varint, flags u8,
//! height of acceptance varint, priority (height varint, index varint) when revealed late, content
//! root, match root, match hash, blob root (32 bytes each), content length, match length, blob length
//! varint, licence text when not the datanet's, media text when not `text/plain`, title text, claimed
//! cluster varint when claimed. A text is its length as varint, then its bytes.

use cosmwasm_std::{HexBinary, Order, Storage};
use openledger_merkle::Hash;
use openledger_types::formats::{BlobRef, ContributionFacts, Priority, Uses};
use openledger_types::msg::datanet::ContributionStatus;
use openledger_types::packed::{self, PackError, Part, Writer};

use crate::state::{self, Commit, Fate, LegacyContribution, CLUSTERS, FATES, LEGACY_CONTRIBUTIONS, RECORDS};
use crate::ContractError;

/// Most records under one key.
const GROUP: usize = 8;

/// Media type that is left out.
const PLAIN: &str = "text/plain";

/// Most verdicts that a walk to a cluster's root follows.
const MAX_HOPS: usize = 32;

const LATE: u8 = 1;
const LICENSE: u8 = 2;
const MEDIA: u8 = 4;
const PROPOSED: u8 = 8;
const CLUSTER: u8 = 16;
/// Position of the three bits of [`Uses::code`].
const USES: u8 = 5;

/// A contribution without what its commit and its datanet say.
pub struct Record {
    /// Commit.
    pub commit_id: u64,
    /// Height from which a version may take it.
    pub accepted_at: u64,
    /// Its own place in the order, when it was revealed after the commit's time.
    pub late: Option<Priority>,
    /// Whether it waits for curators at first.
    pub proposed: bool,
    /// What may be done with it.
    pub uses: Uses,
    /// Root over the content text.
    pub content_root: Hash,
    /// Root over the match text.
    pub match_root: Hash,
    /// SHA-256 of the match text.
    pub match_hash: Hash,
    /// Root of the ciphertext.
    pub blob_root: Hash,
    /// Bytes of content text.
    pub content_len: u64,
    /// Bytes of match text.
    pub match_len: u64,
    /// Bytes of ciphertext.
    pub blob_len: u64,
    /// Licence, when not the datanet's.
    pub license: Option<String>,
    /// Media type.
    pub media: String,
    /// Name shown to people.
    pub title: String,
    /// Root of the cluster that it claims to belong to.
    pub cluster: Option<u64>,
}

/// A contribution.
pub struct Contribution {
    /// What versions commit.
    pub facts: ContributionFacts,
    /// Name shown to people.
    pub title: String,
    /// Commit; none for those of the first release, whose bonds were returned at the reveal.
    pub commit_id: Option<u64>,
    /// Whether its bond was at stake when it was revealed.
    pub bonded: bool,
    /// Height from which a version may take it.
    pub accepted_at: u64,
    /// Where it stood when it was revealed.
    pub first: ContributionStatus,
    /// Root of the cluster that it claims to belong to.
    pub cluster: Option<u64>,
}

/// Loads contributions; keeps the last group, commit and licence, because neighbours share them.
#[derive(Default)]
pub struct Reader {
    group: Option<(u64, u64, Vec<Vec<u8>>)>,
    commit: Option<(u64, Commit)>,
    license: Option<(u64, String)>,
}

impl Reader {
    /// Loads a contribution.
    pub fn load(
        &mut self,
        storage: &dyn Storage,
        contribution_id: u64,
    ) -> Result<Contribution, ContractError> {
        let Some(record) = self.record(storage, contribution_id)? else {
            return legacy(storage, contribution_id);
        };
        let (datanet_id, owner, priority) = {
            let commit = self.commit(storage, record.commit_id)?;
            (commit.datanet_id, commit.owner.to_string(), commit.priority)
        };
        let license = match record.license {
            Some(license) => license,
            None => self.license(storage, datanet_id)?.to_string(),
        };
        Ok(Contribution {
            facts: ContributionFacts {
                datanet_id,
                contribution_id,
                contributor: owner,
                priority: record.late.unwrap_or(priority),
                content_root: HexBinary::from(&record.content_root),
                content_len: record.content_len,
                match_root: HexBinary::from(&record.match_root),
                match_len: record.match_len,
                match_hash: HexBinary::from(&record.match_hash),
                blob: BlobRef { root: HexBinary::from(&record.blob_root), len: record.blob_len },
                media: record.media,
                license,
                uses: record.uses,
            },
            title: record.title,
            commit_id: Some(record.commit_id),
            bonded: record.late.is_none(),
            accepted_at: record.accepted_at,
            first: if record.proposed { ContributionStatus::Proposed } else { ContributionStatus::Accepted },
            cluster: record.cluster,
        })
    }

    fn record(&mut self, storage: &dyn Storage, id: u64) -> Result<Option<Record>, ContractError> {
        let held = self.group.as_ref().is_some_and(|(first, last, _)| (*first..=*last).contains(&id));
        if !held {
            self.group = group(storage, id)?;
        }
        let Some((first, _, records)) = &self.group else { return Ok(None) };
        let bytes = id.checked_sub(*first).and_then(|at| records.get(usize::try_from(at).ok()?));
        let Some(bytes) = bytes else { return Ok(None) };
        decode(bytes).map(Some).map_err(|_| ContractError::BrokenRecord { contribution_id: id })
    }

    fn commit(&mut self, storage: &dyn Storage, commit_id: u64) -> Result<&Commit, ContractError> {
        let commit = match self.commit.take() {
            Some((id, commit)) if id == commit_id => commit,
            _ => state::commit(storage, commit_id)?,
        };
        Ok(&self.commit.insert((commit_id, commit)).1)
    }

    fn license(&mut self, storage: &dyn Storage, datanet_id: u64) -> Result<&str, ContractError> {
        let license = match self.license.take() {
            Some((id, license)) if id == datanet_id => license,
            _ => state::datanet(storage, datanet_id)?.license,
        };
        Ok(&self.license.insert((datanet_id, license)).1)
    }
}

/// Loads a contribution.
pub fn load(storage: &dyn Storage, contribution_id: u64) -> Result<Contribution, ContractError> {
    Reader::default().load(storage, contribution_id)
}

/// Contributions of the first release waited for a version from their reveal on.
fn legacy(storage: &dyn Storage, contribution_id: u64) -> Result<Contribution, ContractError> {
    let LegacyContribution { facts, title } = LEGACY_CONTRIBUTIONS
        .may_load(storage, contribution_id)?
        .ok_or(ContractError::ContributionNotFound { contribution_id })?;
    let accepted_at = facts.priority.height;
    let first = ContributionStatus::Accepted;
    Ok(Contribution { facts, title, commit_id: None, bonded: false, accepted_at, first, cluster: None })
}

/// Stores contributions with neighbouring numbers from `first` on.
pub fn save(storage: &mut dyn Storage, first: u64, records: &[Record]) {
    let mut last = first.saturating_sub(1);
    for group in records.chunks(GROUP) {
        last = last.saturating_add(group.len() as u64);
        let encoded: Vec<Vec<u8>> = group.iter().map(encode).collect();
        write(storage, last, &encoded);
    }
}

/// Changes the title of a contribution.
pub fn set_title(
    storage: &mut dyn Storage,
    contribution_id: u64,
    title: String,
) -> Result<(), ContractError> {
    if let Some((first, last, mut records)) = group(storage, contribution_id)? {
        let at = contribution_id.checked_sub(first).and_then(|at| usize::try_from(at).ok());
        if let Some(bytes) = at.and_then(|at| records.get_mut(at)) {
            let broken = ContractError::BrokenRecord { contribution_id };
            *bytes = encode(&Record { title, ..decode(bytes).map_err(|_| broken)? });
            write(storage, last, &records);
            return Ok(());
        }
    }
    let facts = legacy(storage, contribution_id)?.facts;
    Ok(LEGACY_CONTRIBUTIONS.save(storage, contribution_id, &LegacyContribution { facts, title })?)
}

/// What has become of a contribution.
pub fn fate(storage: &dyn Storage, contribution: &Contribution) -> Result<Fate, ContractError> {
    let stored = FATES.may_load(storage, contribution.facts.contribution_id)?;
    Ok(stored.unwrap_or_else(|| Fate::new(contribution.first)))
}

/// The first of those that nearly repeat each other: claims and verdicts, followed to their root.
/// Claims name roots, so every further step took a verdict on a root; 32 of them are followed.
pub fn cluster(storage: &dyn Storage, contribution_id: u64) -> Result<u64, ContractError> {
    let mut id = contribution_id;
    let mut reader = Reader::default();
    for _ in 0..MAX_HOPS {
        let parent = match CLUSTERS.may_load(storage, id)? {
            Some(parent) => parent,
            None => reader.load(storage, id)?.cluster.unwrap_or(id),
        };
        if parent == id {
            break;
        }
        id = parent;
    }
    Ok(id)
}

/// Records under one key: (first, last, records).
type Group = (u64, u64, Vec<Vec<u8>>);

/// The group that may hold a contribution.
fn group(storage: &dyn Storage, id: u64) -> Result<Option<Group>, ContractError> {
    let start = RECORDS.key(id).to_vec();
    let end = RECORDS.key(u64::MAX).to_vec();
    let Some((key, bytes)) = storage.range(Some(&start), Some(&end), Order::Ascending).next() else {
        return Ok(None);
    };
    let broken = || ContractError::BrokenRecord { contribution_id: id };
    let tail = key.len().checked_sub(8).and_then(|at| key.get(at..)).ok_or_else(broken)?;
    let last = u64::from_be_bytes(tail.try_into().map_err(|_| broken())?);
    let mut records = vec![];
    let mut rest = packed::Reader::new(&bytes);
    while !rest.is_empty() {
        records.push(rest.bytes("record").map_err(|_| broken())?.to_vec());
    }
    let before = last.checked_sub(records.len() as u64).ok_or_else(broken)?;
    Ok(Some((before.saturating_add(1), last, records)))
}

fn write(storage: &mut dyn Storage, last: u64, records: &[Vec<u8>]) {
    let mut out = Writer::default();
    records.iter().for_each(|record| out.bytes(record));
    storage.set(&RECORDS.key(last), &out.finish());
}

fn encode(record: &Record) -> Vec<u8> {
    let mut flags = record.uses.code() << USES;
    let plain = record.media == PLAIN;
    for (set, flag) in [
        (record.late.is_some(), LATE),
        (record.license.is_some(), LICENSE),
        (!plain, MEDIA),
        (record.proposed, PROPOSED),
        (record.cluster.is_some(), CLUSTER),
    ] {
        if set {
            flags |= flag;
        }
    }
    let mut out = Writer::default();
    record.commit_id.write(&mut out);
    out.u8(flags);
    record.accepted_at.write(&mut out);
    if let Some(late) = record.late {
        late.write(&mut out);
    }
    for root in [&record.content_root, &record.match_root, &record.match_hash, &record.blob_root] {
        out.raw(root);
    }
    for len in [record.content_len, record.match_len, record.blob_len] {
        len.write(&mut out);
    }
    if let Some(license) = &record.license {
        out.text(license);
    }
    if !plain {
        out.text(&record.media);
    }
    out.text(&record.title);
    if let Some(cluster) = record.cluster {
        cluster.write(&mut out);
    }
    out.finish()
}

/// The record in these bytes.
fn decode(bytes: &[u8]) -> Result<Record, PackError> {
    let rest = &mut packed::Reader::new(bytes);
    let commit_id = rest.u64("commit")?;
    let flags = rest.u8("flags")?;
    let has = |flag: u8| flags & flag != 0;
    let code = flags >> USES;
    Ok(Record {
        commit_id,
        accepted_at: rest.u64("accepted_at")?,
        late: match has(LATE) {
            true => Some(Priority { height: rest.u64("height")?, tx_index: rest.u32("tx_index")? }),
            false => None,
        },
        proposed: has(PROPOSED),
        uses: Uses { train: code & 1 != 0, answer: code & 2 != 0, commercial: code & 4 != 0 },
        content_root: rest.hash("content_root")?,
        match_root: rest.hash("match_root")?,
        match_hash: rest.hash("match_hash")?,
        blob_root: rest.hash("blob_root")?,
        content_len: rest.u64("content_len")?,
        match_len: rest.u64("match_len")?,
        blob_len: rest.u64("blob_len")?,
        license: if has(LICENSE) { Some(rest.text("license")?) } else { None },
        media: if has(MEDIA) { rest.text("media")? } else { PLAIN.to_string() },
        title: rest.text("title")?,
        cluster: if has(CLUSTER) { Some(rest.u64("cluster")?) } else { None },
    })
}

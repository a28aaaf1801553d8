//! Opened leaves of a commit, packed (docs/formats.md, Packed).

use openledger_merkle::Hash;

use crate::formats::Uses;
use crate::packed::{packed_list, PackError, Packed, Reader, Writer};

/// Media type that is left out.
const PLAIN: &str = "text/plain";

const LICENSE: u8 = 1;
const USES: u8 = 2;
const NEAR: u8 = 4;
const MEDIA: u8 = 8;

/// One leaf of a commit, opened.
#[derive(Clone, Debug, PartialEq)]
pub struct RevealItem {
    /// Position of the leaf in the commit.
    pub index: u32,
    /// Path to the commit's root. A message that opens a whole block (64 leaves from a multiple of 64
    /// on, or the last of a commit) may give the path of the block's root with its first leaf and
    /// none with the others.
    pub path: Vec<Hash>,
    /// Salt of the leaf.
    pub salt: Hash,
    /// SHA-256 of the raw bytes.
    pub raw_hash: Hash,
    /// Root over 1 KiB chunks of the content text.
    pub content_root: Hash,
    /// Bytes of content text, at least 1.
    pub content_len: u64,
    /// Root over 1 KiB chunks of the match text.
    pub match_root: Hash,
    /// Bytes of match text, at least 1.
    pub match_len: u64,
    /// SHA-256 of the match text.
    pub match_hash: Hash,
    /// Root of the ciphertext.
    pub blob_root: Hash,
    /// Bytes of ciphertext, at least 1.
    pub blob_len: u64,
    /// Media type.
    pub media: String,
    /// SPDX expression; that of the datanet when absent.
    pub license: Option<String>,
    /// What may be done with it; what the datanet says when absent.
    pub uses: Option<Uses>,
    /// The contribution with an earlier commit that this one nearly repeats, as its contributor sees
    /// it; none claims originality. A claim, open to challenge (D2).
    pub near_duplicate_of: Option<u64>,
    /// Name shown to people, at most 128 bytes.
    pub title: String,
}

packed_list! {
    /// Opened leaves of a commit: base64 of index, path, six hashes, three lengths, flags and texts of
    /// each (docs/formats.md, Packed).
    pub struct Documents(RevealItem);
}

impl Packed for Documents {
    fn pack(&self) -> Vec<u8> {
        let mut out = Writer::default();
        for item in &self.0 {
            out.varint(item.index.into());
            out.path(&item.path);
            for hash in [
                &item.salt,
                &item.raw_hash,
                &item.content_root,
                &item.match_root,
                &item.match_hash,
                &item.blob_root,
            ] {
                out.raw(hash);
            }
            for len in [item.content_len, item.match_len, item.blob_len] {
                out.varint(len.into());
            }
            let plain = item.media == PLAIN;
            let flags = [
                (item.license.is_some(), LICENSE),
                (item.uses.is_some(), USES),
                (item.near_duplicate_of.is_some(), NEAR),
                (!plain, MEDIA),
            ];
            out.u8(flags.into_iter().filter(|(set, _)| *set).map(|(_, flag)| flag).sum());
            if let Some(license) = &item.license {
                out.text(license);
            }
            if let Some(uses) = item.uses {
                out.u8(uses.code());
            }
            if let Some(of) = item.near_duplicate_of {
                out.varint(of.into());
            }
            if !plain {
                out.text(&item.media);
            }
            out.text(&item.title);
        }
        out.finish()
    }

    fn unpack(bytes: &[u8]) -> Result<Self, PackError> {
        let mut rest = Reader::new(bytes);
        let mut items = Vec::new();
        while !rest.is_empty() {
            items.push(item(&mut rest)?);
        }
        Ok(Documents(items))
    }
}

fn item(rest: &mut Reader) -> Result<RevealItem, PackError> {
    let (index, path) = (rest.u32("index")?, rest.path()?);
    let (salt, raw_hash) = (rest.hash("salt")?, rest.hash("raw_hash")?);
    let (content_root, match_root) = (rest.hash("content_root")?, rest.hash("match_root")?);
    let (match_hash, blob_root) = (rest.hash("match_hash")?, rest.hash("blob_root")?);
    let (content_len, match_len) = (rest.u64("content_len")?, rest.u64("match_len")?);
    let blob_len = rest.u64("blob_len")?;
    let flags = rest.u8("flags")?;
    if flags > LICENSE | USES | NEAR | MEDIA {
        return Err(PackError::Unknown("flags"));
    }
    let has = |flag: u8| flags & flag != 0;
    let license = if has(LICENSE) { Some(rest.text("license")?) } else { None };
    let uses = match has(USES) {
        true => Some(Uses::from_code(rest.u8("uses")?).ok_or(PackError::Unknown("uses"))?),
        false => None,
    };
    let near_duplicate_of = if has(NEAR) { Some(rest.u64("near_duplicate_of")?) } else { None };
    let media = match has(MEDIA) {
        true => rest.text("media")?,
        false => PLAIN.to_string(),
    };
    if has(MEDIA) && media == PLAIN {
        return Err(PackError::Redundant("media"));
    }
    Ok(RevealItem {
        index,
        path,
        salt,
        raw_hash,
        content_root,
        content_len,
        match_root,
        match_len,
        match_hash,
        blob_root,
        blob_len,
        media,
        license,
        uses,
        near_duplicate_of,
        title: rest.text("title")?,
    })
}

//! A contributor's side: documents and the commits that hide them.

use cosmwasm_std::{Addr, HexBinary};
use openledger_merkle::{chunk_root, Hash, Tree, BLOB_CHUNK, CONTENT_CHUNK};
use openledger_types::formats::commit_leaf;
use openledger_types::msg::datanet::RevealItem;
use sha2::{Digest, Sha256};

/// Words of generated texts.
const WORDS: [&str; 32] = [
    "river",
    "stone",
    "harvest",
    "ledger",
    "winter",
    "signal",
    "copper",
    "garden",
    "window",
    "northern",
    "measure",
    "violet",
    "engine",
    "shallow",
    "paper",
    "lantern",
    "orchard",
    "distance",
    "marble",
    "thread",
    "morning",
    "granite",
    "whisper",
    "harbour",
    "pattern",
    "silver",
    "meadow",
    "carry",
    "under",
    "between",
    "slowly",
    "remembers",
];

/// A text that somebody contributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Name shown to people.
    pub title: String,
    /// Content text.
    pub text: String,
    /// Salt of its leaf.
    pub salt: Hash,
}

impl Document {
    /// A document with this text.
    pub fn new(title: &str, text: &str) -> Self {
        let salt = Sha256::new().chain_update("salt").chain_update(title).chain_update(text).finalize();
        Document { title: title.into(), text: text.into(), salt: salt.into() }
    }

    /// `count` documents of 20 to 400 words; the same seed gives the same texts, another seed others.
    pub fn generate(seed: u64, count: usize) -> Vec<Self> {
        (0..count).map(|i| Self::generated(seed, i as u64)).collect()
    }

    fn generated(seed: u64, number: u64) -> Self {
        let mut state = Sha256::digest([seed.to_be_bytes(), number.to_be_bytes()].concat());
        let length = 20 + usize::from(u16::from_be_bytes([state[0], state[1]])) % 380;
        let mut words = Vec::with_capacity(length);
        while words.len() < length {
            state = Sha256::digest(state);
            words.extend(state.iter().map(|byte| WORDS[usize::from(*byte) % WORDS.len()]));
        }
        words.truncate(length);
        Self::new(&format!("document {seed}-{number}"), &words.join(" "))
    }
}

/// A text's match text for tests: lower case, white space collapsed. The real one is the ingest
/// crate's; contracts see its hashes only.
pub fn match_text(text: &str) -> String {
    text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Up to 1,024 documents under one commit.
pub struct Batch {
    owner: String,
    documents: Vec<Document>,
    tree: Tree<Hash>,
}

impl Batch {
    /// Prepares the commit of `owner`.
    pub fn new(owner: &Addr, documents: Vec<Document>) -> Self {
        let leaves = documents.iter().map(|d| commit_leaf(&d.salt, owner.as_str(), &raw_hash(d))).collect();
        let tree = Tree::new(leaves).expect("plain hashes do not overflow");
        Batch { owner: owner.to_string(), documents, tree }
    }

    /// Who commits.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// The commit's root.
    pub fn root(&self) -> HexBinary {
        HexBinary::from(&self.tree.root())
    }

    /// Number of leaves.
    pub fn count(&self) -> u32 {
        self.documents.len() as u32
    }

    /// Leaf `index`, opened.
    pub fn item(&self, index: u32) -> RevealItem {
        let document = &self.documents[index as usize];
        let content = document.text.as_bytes();
        let matched = match_text(&document.text);
        // Stands in for the ciphertext: as long, and not the text.
        let cipher: Vec<u8> = content.iter().map(|byte| byte ^ 0xa5).collect();
        let path = self.tree.prove(u64::from(index)).expect("the leaf exists");
        RevealItem {
            index,
            path,
            salt: document.salt,
            raw_hash: raw_hash(document),
            content_root: chunk_root(content, CONTENT_CHUNK),
            content_len: content.len() as u64,
            match_root: chunk_root(matched.as_bytes(), CONTENT_CHUNK),
            match_len: matched.len() as u64,
            match_hash: Sha256::digest(matched.as_bytes()).into(),
            blob_root: chunk_root(&cipher, BLOB_CHUNK),
            blob_len: cipher.len() as u64,
            media: "text/plain".into(),
            license: None,
            uses: None,
            near_duplicate_of: None,
            title: document.title.clone(),
        }
    }

    /// All leaves, opened in whole blocks of at most 64 with one path each: one message a block.
    pub fn blocks(&self) -> Vec<Vec<RevealItem>> {
        let mut items = self.items();
        for block in items.chunks_mut(64) {
            let inside = block.len().next_power_of_two().trailing_zeros() as usize;
            for (at, item) in block.iter_mut().enumerate() {
                item.path = if at == 0 { item.path.split_off(inside) } else { vec![] };
            }
        }
        items.chunks(64).map(<[RevealItem]>::to_vec).collect()
    }

    /// All leaves, opened.
    pub fn items(&self) -> Vec<RevealItem> {
        (0..self.count()).map(|index| self.item(index)).collect()
    }
}

fn raw_hash(document: &Document) -> Hash {
    Sha256::digest(document.text.as_bytes()).into()
}

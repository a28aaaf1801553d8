//! The commitment to how an answer was computed.
//!
//! Class `exact`, scheme `hidden-q8/1`: for each window of 32 tokens the trace holds the SHA-256 of the
//! hidden vectors that the output head read, bit for bit. Class `tolerant-f32`, scheme `proj32-f32/1`: for
//! each token of the answer the trace holds 32 projections of the hidden vector that the output head read.

use openledger_types::formats::{hidden_digest, window_leaf, WINDOW};
use openledger_types::merkle::{Hash, Tree};

/// Name of the tolerant class's scheme, as it stands in manifests and receipts.
pub const COMMIT_SCHEME: &str = "proj32-f32/1";

/// Name of the exact class's scheme.
pub const EXACT_COMMIT_SCHEME: &str = "hidden-q8/1";

/// Projections of one token.
pub const PROJECTIONS: usize = 32;

/// Bytes of the tolerant class's trace of one token: little-endian f32.
pub const TRACE_BYTES: usize = PROJECTIONS * 4;

/// Bytes of the trace of a window of `tokens`; `None` for an unknown scheme.
fn window_bytes(scheme: &str, tokens: usize) -> Option<usize> {
    match scheme {
        COMMIT_SCHEME => Some(tokens * TRACE_BYTES),
        EXACT_COMMIT_SCHEME => Some(32),
        _ => None,
    }
}

/// Root over the windows of 32 tokens with their trace; `None` when the scheme is unknown or the trace has
/// another length than the tokens give.
pub fn commit_root(scheme: &str, request_hash: &Hash, tokens: &[u32], trace: &[u8]) -> Option<Hash> {
    let mut rest = trace;
    let mut leaves = Vec::with_capacity(tokens.len().div_ceil(WINDOW));
    for (window, ids) in tokens.chunks(WINDOW).enumerate() {
        let (bytes, after) = rest.split_at_checked(window_bytes(scheme, ids.len())?)?;
        leaves.push(window_leaf(request_hash, window as u32, ids, bytes));
        rest = after;
    }
    rest.is_empty().then(|| Tree::new(leaves).unwrap_or_else(Tree::empty).root())
}

/// The exact class's trace under construction.
#[derive(Debug, Default)]
pub struct HiddenTrace {
    digests: Vec<u8>,
    window: Vec<f32>,
    tokens: usize,
}

impl HiddenTrace {
    /// Takes the hidden vector of the next token.
    pub fn push(&mut self, hidden: &[f32]) {
        self.window.extend(hidden);
        self.tokens += 1;
        if self.tokens % WINDOW == 0 {
            self.close();
        }
    }

    fn close(&mut self) {
        self.digests.extend(hidden_digest(&self.window));
        self.window.clear();
    }

    /// The trace: 32 bytes for each window, the last one as long as it is.
    pub fn finish(mut self) -> Vec<u8> {
        if !self.window.is_empty() {
            self.close();
        }
        self.digests
    }
}

/// Windows whose digest is not the stored one, by number; the first one when only the lengths differ.
pub fn differing_windows(digests: &[u8], stored: &[u8]) -> Vec<usize> {
    let fits = digests.len() == stored.len();
    let pairs = digests.chunks(32).zip(stored.chunks(32)).enumerate();
    let mut found: Vec<usize> =
        pairs.filter(|(_, (a, b))| !fits || a != b).map(|(window, _)| window).collect();
    if !fits && found.is_empty() {
        found.push(0);
    }
    found
}

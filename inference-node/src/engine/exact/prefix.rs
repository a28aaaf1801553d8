//! Pages of keys and values kept for texts that begin alike.
//!
//! What a page holds follows from the weights, which are one base's, from the adapter and from the tokens up to its
//! end, hence a page found here under the adapter's root and those tokens is bit for bit the one that would be
//! computed.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use openledger_exact::cache::{Cache, Page, Shape};
use openledger_numerics::TILE;
use openledger_types::merkle::Hash;
use sha2::{Digest, Sha256};

/// Pages of earlier texts by what they hold, the least recently used leaving first.
pub(crate) struct Prefixes {
    shape: Shape,
    most: usize,
    clock: u64,
    pages: HashMap<[u8; 32], (Arc<Page>, u64)>,
    by_use: BTreeMap<u64, [u8; 32]>,
}

impl Prefixes {
    /// A cache of at most `bytes`.
    pub(crate) fn new(shape: Shape, bytes: usize) -> Self {
        let most = bytes / shape.page_bytes().max(1);
        Prefixes { shape, most, clock: 0, pages: HashMap::new(), by_use: BTreeMap::new() }
    }

    /// A sequence that already holds as much of `tokens` as is kept here, less at least the last token,
    /// which has to be computed. `adapter` is the root of what is added to the weights, zeros for nothing.
    pub(crate) fn begin(&mut self, adapter: &Hash, tokens: &[u32]) -> Cache {
        let mut pages = Vec::new();
        let mut key = *adapter;
        for chunk in tokens.get(..tokens.len().saturating_sub(1)).unwrap_or(&[]).chunks_exact(TILE) {
            key = next_key(&key, chunk);
            let Some((page, used)) = self.pages.get_mut(&key) else { break };
            pages.push(page.clone());
            self.by_use.remove(used);
            self.clock += 1;
            *used = self.clock;
            self.by_use.insert(self.clock, key);
        }
        Cache::from_pages(self.shape, pages)
    }

    /// Keeps the whole pages of a sequence that holds `tokens`, computed with `adapter`.
    pub(crate) fn keep(&mut self, adapter: &Hash, tokens: &[u32], cache: &Cache) {
        let mut key = *adapter;
        for (chunk, page) in tokens.chunks_exact(TILE).zip(cache.whole()) {
            key = next_key(&key, chunk);
            if self.most == 0 || self.pages.contains_key(&key) {
                continue;
            }
            if self.pages.len() >= self.most {
                let Some((_, oldest)) = self.by_use.pop_first() else { return };
                self.pages.remove(&oldest);
            }
            self.clock += 1;
            self.pages.insert(key, (page.clone(), self.clock));
            self.by_use.insert(self.clock, key);
        }
    }

    /// Pages held now.
    pub(crate) fn len(&self) -> usize {
        self.pages.len()
    }
}

/// Names a page by the page before it and its own tokens.
fn next_key(parent: &[u8; 32], tokens: &[u32]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(parent);
    for token in tokens {
        hash.update(token.to_le_bytes());
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use openledger_types::merkle::ZERO_HASH;

    fn shape() -> Shape {
        let config = serde_json::json!({
            "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 2,
            "intermediate_size": 2, "vocab_size": 2, "num_hidden_layers": 1, "num_attention_heads": 1,
            "rms_norm_eps": 1e-5, "max_position_embeddings": 64, "eos_token_id": 0,
        });
        Shape::new(&openledger_exact::config::ModelConfig::parse(config.to_string().as_bytes()).unwrap())
    }

    fn filled(tokens: usize) -> Cache {
        let mut cache = Cache::new(shape());
        cache.reserve(tokens);
        for position in 0..tokens {
            cache.write(0, 0, position, &[position as f32, 0.0], &[1.0, 2.0]);
        }
        cache.advance(tokens);
        cache
    }

    #[test]
    fn a_text_that_begins_alike_shares_whole_pages_but_never_its_last_token() {
        let mut prefixes = Prefixes::new(shape(), shape().page_bytes() * 8);
        let tokens: Vec<u32> = (0..40).collect();
        prefixes.keep(&ZERO_HASH, &tokens, &filled(40));
        assert_eq!(prefixes.len(), 2);
        assert_eq!(prefixes.begin(&ZERO_HASH, &tokens).len(), 32);
        assert_eq!(prefixes.begin(&ZERO_HASH, &tokens[..33]).len(), 32);
        assert_eq!(prefixes.begin(&ZERO_HASH, &tokens[..32]).len(), 16);
        assert_eq!(prefixes.begin(&ZERO_HASH, &tokens[..1]).len(), 0);
        let mut other = tokens.clone();
        other[3] = 99;
        assert_eq!(prefixes.begin(&ZERO_HASH, &other).len(), 0);
        other = tokens.clone();
        other[20] = 99;
        assert_eq!(prefixes.begin(&ZERO_HASH, &other).len(), 16);
    }

    #[test]
    fn a_page_of_one_adapter_is_never_found_for_another() {
        let mut prefixes = Prefixes::new(shape(), shape().page_bytes() * 8);
        let tokens: Vec<u32> = (0..40).collect();
        prefixes.keep(&[1; 32], &tokens, &filled(40));
        assert_eq!(prefixes.begin(&[1; 32], &tokens).len(), 32);
        assert_eq!(prefixes.begin(&[2; 32], &tokens).len(), 0);
        assert_eq!(prefixes.begin(&ZERO_HASH, &tokens).len(), 0);
    }

    #[test]
    fn what_is_shared_is_not_written_by_who_goes_on() {
        let mut prefixes = Prefixes::new(shape(), shape().page_bytes() * 8);
        let tokens: Vec<u32> = (0..17).collect();
        let first = filled(17);
        prefixes.keep(&ZERO_HASH, &tokens, &first);
        let mut second = prefixes.begin(&ZERO_HASH, &tokens);
        second.reserve(5);
        second.write(0, 0, 3, &[777.0, 0.0], &[0.0, 0.0]);
        let (mut a, mut b) = (Vec::new(), Vec::new());
        first.tiles(0, 0, &mut a);
        second.tiles(0, 0, &mut b);
        assert_ne!(a[0].0, b[0].0);
        assert_eq!(first.whole().len() + 1, 2);
    }

    #[test]
    fn node_attack_14_the_cache_is_bounded_and_forgets_the_oldest() {
        let mut prefixes = Prefixes::new(shape(), shape().page_bytes() * 3);
        for text in 0..10u32 {
            let tokens: Vec<u32> = (0..16).map(|i| text * 100 + i).chain([0]).collect();
            prefixes.keep(&ZERO_HASH, &tokens, &filled(17));
            assert!(prefixes.len() <= 3 && prefixes.by_use.len() == prefixes.len());
            assert_eq!(prefixes.begin(&ZERO_HASH, &tokens).len(), 16);
        }
        let first: Vec<u32> = (0..17).collect();
        assert_eq!(prefixes.begin(&ZERO_HASH, &first).len(), 0);
        let mut none = Prefixes::new(shape(), 0);
        none.keep(&ZERO_HASH, &first, &filled(17));
        assert_eq!(none.len(), 0);
    }
}

//! Keys and values of a sequence in pages of 16 positions.
//!
//! A page holds all layers. Whole pages never change and are shared; the last, partial one belongs to its
//! sequence alone. What a page holds follows from the tokens up to its end and from nothing else, hence a
//! page found in the cache is bit for bit the one that would be computed.

use std::sync::Arc;

use openledger_numerics::{write_key, write_value, TILE};

use crate::config::ModelConfig;

/// Where in a page which layer and head lies.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    layers: usize,
    heads: usize,
    width: usize,
}

impl Shape {
    /// The form of a model's pages.
    pub fn new(config: &ModelConfig) -> Self {
        Shape { layers: config.num_hidden_layers, heads: config.kv_heads(), width: config.head_dim() }
    }

    /// Halves of the keys of one head, and of its values.
    fn tile(self) -> usize {
        TILE * self.width
    }

    /// Halves of a page.
    fn page(self) -> usize {
        self.layers * self.heads * 2 * self.tile()
    }

    /// Bytes of a page.
    pub fn page_bytes(self) -> usize {
        self.page() * 2
    }
}

/// Keys and values of 16 positions in half precision: for each layer and head a tile of keys, then one of
/// values.
#[derive(Debug, Clone)]
pub struct Page(Box<[u16]>);

/// Keys and values of one sequence.
#[derive(Debug, Clone)]
pub struct Cache {
    shape: Shape,
    pages: Vec<Arc<Page>>,
    len: usize,
}

impl Cache {
    /// An empty sequence.
    pub fn new(shape: Shape) -> Self {
        Cache { shape, pages: Vec::new(), len: 0 }
    }

    /// A sequence that begins with whole pages of another.
    pub fn from_pages(shape: Shape, pages: Vec<Arc<Page>>) -> Self {
        Cache { shape, len: pages.len() * TILE, pages }
    }

    /// Positions that are held.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is held yet.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Makes room for `more` positions; [`Cache::advance`] makes them count.
    pub fn reserve(&mut self, more: usize) {
        let pages = (self.len + more).div_ceil(TILE);
        while self.pages.len() < pages {
            self.pages.push(Arc::new(Page(vec![0; self.shape.page()].into())));
        }
    }

    /// Writes key and value of one head at a position for which there is room.
    pub fn write(&mut self, layer: usize, head: usize, position: usize, key: &[f32], value: &[f32]) {
        let tile = self.shape.tile();
        let start = (layer * self.shape.heads + head) * 2 * tile;
        let Some(page) = self.pages.get_mut(position / TILE) else { return };
        // Shared pages are whole, so a page that is written belongs to this sequence and is not copied.
        let Some(place) = Arc::make_mut(page).0.get_mut(start..start + 2 * tile) else { return };
        let (keys, values) = place.split_at_mut(tile);
        write_key(keys, position % TILE, key);
        write_value(values, position % TILE, value);
    }

    /// Tiles of keys and values of one head, over all pages.
    pub fn tiles<'a>(&'a self, layer: usize, head: usize, tiles: &mut Vec<(&'a [u16], &'a [u16])>) {
        let tile = self.shape.tile();
        let start = (layer * self.shape.heads + head) * 2 * tile;
        tiles.clear();
        tiles.extend(
            self.pages.iter().map(|page| page.0.get(start..start + 2 * tile).unwrap_or(&[]).split_at(tile)),
        );
    }

    /// Counts `more` positions, which have been written.
    pub fn advance(&mut self, more: usize) {
        self.len += more;
    }

    /// The pages that are whole; they never change.
    pub fn whole(&self) -> &[Arc<Page>] {
        self.pages.get(..self.len / TILE).unwrap_or(&[])
    }
}

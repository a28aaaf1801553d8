//! The network of the exact class: one step over any mixture of sequences.
//!
//! Every row of a step is computed from its own row and its own sequence's cache only, so that neither
//! the other sequences nor how a text was cut changes a bit.

use std::ops::Range;

use openledger_numerics::{
    add, add_scaled, attend, gemm, gemm_rows, rms_norm, rope, rope_table, silu_mul, Activations, Matrix,
    Path, QUERIES,
};

use crate::adapter::{Adapter, Target};
use crate::cache::{Cache, Shape};
use crate::config::ModelConfig;
use crate::weights::ExactWeights;

/// Positions that are computed together at most when a text is read.
pub const CHUNK: usize = 64;

/// The same where nobody waits for the first token: weights are streamed from memory half as often, and the
/// logits of a chunk still fit beside them.
pub const REPLAY_CHUNK: usize = 128;

/// A network ready to compute; shared between threads.
pub struct ExactNet {
    config: ModelConfig,
    weights: ExactWeights,
    rope: Vec<f32>,
    path: Path,
}

/// Of which rows of a piece the hidden vector and the logits are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// Of none.
    None,
    /// Of the last one.
    Last,
    /// Of all.
    All,
}

/// A part of a step: tokens that follow what `cache` holds.
pub struct Piece<'a> {
    /// What came before.
    pub cache: &'a mut Cache,
    /// What follows.
    pub tokens: &'a [u32],
    /// What is wanted of it.
    pub read: Read,
    /// What is added to the weights; the same for all tokens of a sequence. Pieces of one adapter that stand
    /// side by side are computed together.
    pub adapter: Option<&'a Adapter>,
}

impl Piece<'_> {
    /// Rows at the beginning whose hidden vectors nobody reads.
    fn unread(&self) -> usize {
        match self.read {
            Read::None => self.tokens.len(),
            Read::Last => self.tokens.len().saturating_sub(1),
            Read::All => 0,
        }
    }
}

/// Room for one step's values; kept between steps by each thread.
#[derive(Default)]
pub struct Workspace {
    x: Vec<f32>,
    h: Vec<f32>,
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
    mixed: Vec<f32>,
    gate: Vec<f32>,
    up: Vec<f32>,
    group: Vec<f32>,
    scratch: Vec<f32>,
    quantized: Activations,
    low: Low,
    /// Hidden vectors that were read, (read, hidden).
    hidden: Vec<f32>,
    /// Their logits, (read, vocabulary).
    logits: Vec<f32>,
}

impl Workspace {
    /// Hidden vector, after the last norm, and logits of what was read in the last step, in order.
    pub fn rows(&self, net: &ExactNet) -> impl Iterator<Item = (&[f32], &[f32])> {
        let (d, v) = (net.config.hidden_size, net.config.vocab_size);
        self.hidden.chunks_exact(d).zip(self.logits.chunks_exact(v))
    }
}

/// Room for what adapters add.
#[derive(Default)]
struct Low {
    /// A x, (rows, rank).
    inner: Vec<f32>,
    quantized: Activations,
    /// B (A x), (rows, outputs).
    outer: Vec<f32>,
}

/// Rows of a step that one adapter adds to.
struct Span<'a> {
    adapter: &'a Adapter,
    rows: Range<usize>,
}

/// The spans of `pieces`: of all of their rows, or of those that are read.
fn spans_of<'a>(pieces: &[Piece<'a>], read_only: bool) -> Vec<Span<'a>> {
    let mut spans: Vec<Span> = Vec::new();
    let mut first = 0;
    for piece in pieces {
        let rows = first..first + piece.tokens.len() - if read_only { piece.unread() } else { 0 };
        first = rows.end;
        let Some(adapter) = piece.adapter.filter(|_| !rows.is_empty()) else { continue };
        match spans.last_mut() {
            Some(last) if std::ptr::eq(last.adapter, adapter) && last.rows.end == rows.start => {
                last.rows.end = rows.end;
            }
            _ => spans.push(Span { adapter, rows }),
        }
    }
    spans
}

/// Is told a position, its hidden vector and its logits.
type Visit<'a> = dyn FnMut(usize, &[f32], &[f32]) + 'a;

impl ExactNet {
    /// A network over quantised weights of the shape `config`, computed on `path`.
    pub fn new(config: &ModelConfig, weights: ExactWeights, path: Path) -> Self {
        let rope = rope_table(config.max_position_embeddings, config.head_dim(), config.rope_theta);
        ExactNet { config: config.clone(), weights, rope, path }
    }

    /// The path that it computes on.
    pub fn path(&self) -> Path {
        self.path
    }

    /// The same network on another path.
    pub fn set_path(&mut self, path: Path) {
        self.path = path;
    }

    /// The weights.
    pub fn weights(&self) -> &ExactWeights {
        &self.weights
    }

    /// Form of the cache's pages.
    pub fn shape(&self) -> Shape {
        Shape::new(&self.config)
    }

    /// Computes the pieces together. Tokens must lie in the vocabulary and sequences within the context,
    /// which the callers check; what was asked to be read stands in `room` afterwards.
    pub fn step(&self, pieces: &mut [Piece], room: &mut Workspace) {
        let (config, path) = (&self.config, self.path);
        let d = config.hidden_size;
        let rows: usize = pieces.iter().map(|p| p.tokens.len()).sum();
        room.x.resize(rows * d, 0.0);
        let tokens = pieces.iter().flat_map(|p| p.tokens);
        for (x, token) in room.x.chunks_exact_mut(d).zip(tokens) {
            self.weights.embed.dequantize_row(*token as usize, x);
        }
        for piece in pieces.iter_mut() {
            piece.cache.reserve(piece.tokens.len());
        }
        let mut spans = spans_of(pieces, false);
        for (layer, weights) in self.weights.layers.iter().enumerate() {
            let product = |target,
                           matrix: &Matrix,
                           spans: &[Span],
                           x: &Activations,
                           low: &mut Low,
                           out: &mut Vec<f32>| {
                product(path, matrix, x, out);
                adapted(path, (layer, target), spans, x, low, out);
            };
            self.normed(&room.x, &weights.norm_1, &mut room.h);
            room.quantized.quantize(path, &room.h, d);
            product(Target::Key, &weights.k, &spans, &room.quantized, &mut room.low, &mut room.k);
            product(Target::Value, &weights.v, &spans, &room.quantized, &mut room.low, &mut room.v);
            self.write_keys(layer, pieces, room);
            let last = layer + 1 == self.weights.layers.len();
            if last && pieces.iter().any(|p| p.unread() > 0) {
                // Of rows that nobody reads, later tokens see keys and values only.
                keep_read(&mut room.x, pieces, d);
                if room.x.is_empty() {
                    break;
                }
                keep_read(&mut room.h, pieces, d);
                room.quantized.quantize(path, &room.h, d);
                spans = spans_of(pieces, true);
            }
            product(Target::Query, &weights.q, &spans, &room.quantized, &mut room.low, &mut room.q);
            self.attention(layer, pieces, last, room);
            room.quantized.quantize(path, &room.mixed, weights.o.columns());
            product(Target::Output, &weights.o, &spans, &room.quantized, &mut room.low, &mut room.h);
            add(path, &mut room.x, &room.h);

            self.normed(&room.x, &weights.norm_2, &mut room.h);
            room.quantized.quantize(path, &room.h, d);
            product(Target::Gate, &weights.gate, &spans, &room.quantized, &mut room.low, &mut room.gate);
            product(Target::Up, &weights.up, &spans, &room.quantized, &mut room.low, &mut room.up);
            silu_mul(path, &mut room.gate, &room.up);
            room.quantized.quantize(path, &room.gate, config.intermediate_size);
            product(Target::Down, &weights.down, &spans, &room.quantized, &mut room.low, &mut room.h);
            add(path, &mut room.x, &room.h);
        }
        self.read(room);
        for piece in pieces {
            piece.cache.advance(piece.tokens.len());
        }
    }

    /// RMSNorm of every row.
    fn normed(&self, x: &[f32], weight: &[f32], out: &mut Vec<f32>) {
        let d = weight.len();
        out.resize(x.len(), 0.0);
        for (x, out) in x.chunks_exact(d).zip(out.chunks_exact_mut(d)) {
            rms_norm(self.path, x, weight, self.config.rms_norm_eps as f32, out);
        }
    }

    /// Keys and values of all rows into the caches.
    fn write_keys(&self, layer: usize, pieces: &mut [Piece], room: &mut Workspace) {
        let (kv_heads, width) = (self.config.kv_heads(), self.config.head_dim());
        let norm = self.weights.layers[layer].k_norm.as_deref();
        room.group.resize(QUERIES * width * 2, 0.0);
        let mut row = 0;
        for piece in pieces.iter_mut() {
            let start = piece.cache.len();
            for position in start..start + piece.tokens.len() {
                let table = self.angles(position);
                for head in 0..kv_heads {
                    let at = (row * kv_heads + head) * width;
                    let (key, value) = (&mut room.k[at..at + width], &room.v[at..at + width]);
                    self.turn(key, norm, table, &mut room.group);
                    piece.cache.write(layer, head, position, key, value);
                }
                row += 1;
            }
        }
    }

    /// From queries and caches to the mixed values: of all rows, or of those that are read.
    fn attention(&self, layer: usize, pieces: &[Piece], read_only: bool, room: &mut Workspace) {
        let (config, path) = (&self.config, self.path);
        let (heads, kv_heads, width) = (config.num_attention_heads, config.kv_heads(), config.head_dim());
        let shared = heads / kv_heads.max(1);
        let scale = 1.0 / openledger_numerics::sqrt_f32(width as f32);
        let norm = self.weights.layers[layer].q_norm.as_deref();
        room.mixed.resize(room.q.len(), 0.0);
        let mut tiles = Vec::new();
        let mut first = 0;
        for piece in pieces {
            let skipped = if read_only { piece.unread() } else { 0 };
            let (start, count) = (piece.cache.len() + skipped, piece.tokens.len() - skipped);
            for i in 0..count {
                let table = self.angles(start + i);
                for query in room.q[(first + i) * heads * width..].chunks_exact_mut(width).take(heads) {
                    self.turn(query, norm, table, &mut room.group);
                }
            }
            for head in 0..kv_heads {
                piece.cache.tiles(layer, head, &mut tiles);
                // Queries that share keys and values: of all rows, then of all heads of the group.
                let queries = count * shared;
                let place = |i: usize| ((first + i / shared) * heads + head * shared + i % shared) * width;
                for from in (0..queries).step_by(QUERIES) {
                    let n = QUERIES.min(queries - from);
                    let mut lengths = [0; QUERIES];
                    let (group, out) = room.group.split_at_mut(QUERIES * width);
                    for (i, group) in group.chunks_exact_mut(width).enumerate().take(n) {
                        let at = place(from + i);
                        group.copy_from_slice(&room.q[at..at + width]);
                        lengths[i] = start + (from + i) / shared + 1;
                    }
                    attend(path, &tiles, group, width, &lengths[..n], scale, &mut room.scratch, out);
                    for (i, out) in out.chunks_exact(width).enumerate().take(n) {
                        let at = place(from + i);
                        room.mixed[at..at + width].copy_from_slice(out);
                    }
                }
            }
            first += count;
        }
    }

    /// Cosines and sines of a position.
    fn angles(&self, position: usize) -> &[f32] {
        let width = self.config.head_dim();
        &self.rope[position * width..(position + 1) * width]
    }

    /// Norm, where the architecture has one, and rotation of one head.
    fn turn(&self, head: &mut [f32], norm: Option<&[f32]>, table: &[f32], spare: &mut [f32]) {
        if let (Some(norm), Some(spare)) = (norm, spare.get_mut(..head.len())) {
            spare.copy_from_slice(head);
            rms_norm(self.path, spare, norm, self.config.rms_norm_eps as f32, head);
        }
        rope(self.path, head, table);
    }

    /// Hidden vectors and logits of the rows that are left, which are those that are read.
    fn read(&self, room: &mut Workspace) {
        self.normed(&room.x, &self.weights.norm, &mut room.hidden);
        room.quantized.quantize(self.path, &room.hidden, self.config.hidden_size);
        product(self.path, self.weights.head(), &room.quantized, &mut room.logits);
    }

    /// Reads `tokens` from the beginning, or after what `cache` holds, in pieces of `chunk`; `visit` gets
    /// each position's hidden vector and logits, from position `from` of the tokens on.
    pub fn read_text(
        &self,
        cache: &mut Cache,
        tokens: &[u32],
        pieces: (usize, usize),
        room: &mut Workspace,
        visit: &mut Visit<'_>,
    ) {
        self.read_adapted(None, cache, tokens, pieces, room, visit);
    }

    /// The same with what `adapter` adds to the weights.
    pub fn read_adapted(
        &self,
        adapter: Option<&Adapter>,
        cache: &mut Cache,
        tokens: &[u32],
        (chunk, from): (usize, usize),
        room: &mut Workspace,
        visit: &mut Visit<'_>,
    ) {
        let mut done = 0;
        while done < tokens.len() {
            let mut end = (done + chunk.max(1)).min(tokens.len());
            // What is not asked for costs no logits.
            if done < from && end > from {
                end = from;
            }
            let read = if done < from { Read::None } else { Read::All };
            let tokens = tokens.get(done..end).unwrap_or(&[]);
            self.step(&mut [Piece { cache, tokens, read, adapter }], room);
            if read == Read::All {
                for (i, (hidden, logits)) in room.rows(self).enumerate() {
                    visit(done + i, hidden, logits);
                }
            }
            done = end;
        }
    }
}

/// Leaves of `values`, which has `width` for each row of the pieces, the rows that are read.
fn keep_read(values: &mut Vec<f32>, pieces: &[Piece], width: usize) {
    let (mut from, mut to) = (0, 0);
    for piece in pieces {
        let end = from + piece.tokens.len() * width;
        let kept = from + piece.unread() * width..end;
        let count = kept.len();
        values.copy_within(kept, to);
        (from, to) = (end, to + count);
    }
    values.truncate(to);
}

/// A product into a buffer that grows to fit.
fn product(path: Path, matrix: &Matrix, x: &Activations, out: &mut Vec<f32>) {
    out.resize(x.rows() * matrix.rows(), 0.0);
    gemm(path, matrix, x, out);
}

/// Adds to `out`, the product of a layer's target with all rows, what the spans' adapters have for it: s * B (A x), with A x
/// quantised as activations are (docs/numerics.md).
fn adapted(
    path: Path,
    (layer, target): (usize, Target),
    spans: &[Span],
    x: &Activations,
    low: &mut Low,
    out: &mut [f32],
) {
    for Span { adapter, rows } in spans {
        let Some(pair) = adapter.pair(layer, target) else { continue };
        let (rank, width) = (pair.a.rows(), pair.b.rows());
        low.inner.resize(rows.len() * rank, 0.0);
        gemm_rows(path, &pair.a, x, rows.clone(), &mut low.inner);
        low.quantized.quantize(path, &low.inner, rank);
        low.outer.resize(rows.len() * width, 0.0);
        gemm(path, &pair.b, &low.quantized, &mut low.outer);
        if let Some(out) = out.get_mut(rows.start * width..rows.end * width) {
            add_scaled(path, out, &low.outer, adapter.scale());
        }
    }
}

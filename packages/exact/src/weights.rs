//! Weights of the exact class: int8 rows made from the published f32, and the root over them.

use std::sync::atomic::{AtomicUsize, Ordering};

use openledger_numerics::Matrix;
use openledger_types::formats::{quantized_row_leaf, weights_row_leaf};
use openledger_types::merkle::{Hash, Tree};

use crate::config::ModelConfig;
use crate::error::{Error, Result};
use crate::file::{f32_bytes, Tensor, Weights};

/// One block of the network.
pub struct Layer {
    /// Norm before attention.
    pub norm_1: Vec<f32>,
    /// Queries.
    pub q: Matrix,
    /// Keys.
    pub k: Matrix,
    /// Values.
    pub v: Matrix,
    /// Norm of each head's queries, where the architecture has one.
    pub q_norm: Option<Vec<f32>>,
    /// Norm of each head's keys, where the architecture has one.
    pub k_norm: Option<Vec<f32>>,
    /// Output of attention.
    pub o: Matrix,
    /// Norm before the feed-forward block.
    pub norm_2: Vec<f32>,
    /// Gate of the feed-forward block.
    pub gate: Matrix,
    /// Its other half.
    pub up: Matrix,
    /// Back to the residual stream.
    pub down: Matrix,
}

/// A network's weights. Matrices are quantised row by row by `openledger_numerics::quantize_block`, norms
/// stay f32.
pub struct ExactWeights {
    /// Embedding table.
    pub embed: Matrix,
    /// Blocks, the first first.
    pub layers: Vec<Layer>,
    /// Last norm.
    pub norm: Vec<f32>,
    /// None where the output head is the embedding table.
    pub head: Option<Matrix>,
}

/// A row of the tree of weights.
#[derive(Debug, Clone, PartialEq)]
pub enum WeightRow {
    /// Scales, one a block, and int8 values padded to whole blocks.
    Quantized(Vec<f32>, Vec<i8>),
    /// The values of a norm.
    Plain(Vec<f32>),
}

/// A tensor in the order of the root.
pub(crate) enum Part<'a> {
    /// A matrix, int8 row by row.
    Rows(&'a Matrix),
    /// A tensor of one dimension.
    Norm(&'a [f32]),
}

impl Part<'_> {
    /// Tells `visit` every row and its leaf.
    fn rows(&self, name: &str, visit: &mut dyn FnMut(WeightRow, Hash)) {
        match self {
            Part::Norm(values) => {
                let leaf = weights_row_leaf(name, 0, &f32_bytes(values));
                visit(WeightRow::Plain(values.to_vec()), leaf);
            }
            Part::Rows(matrix) => (0..matrix.rows()).for_each(|row| {
                let (scales, values) = matrix.row(row);
                let leaf = quantized_row_leaf(name, row as u64, &scales, &values);
                visit(WeightRow::Quantized(scales, values), leaf);
            }),
        }
    }
}

/// Where tensors come from, by name.
pub(crate) trait Source {
    /// A matrix.
    fn matrix(&mut self, name: &str) -> Result<Matrix>;
    /// A tensor of one dimension.
    fn vector(&mut self, name: &str) -> Result<Vec<f32>>;
}

struct Published<'a>(&'a Weights);

impl Published<'_> {
    fn tensor(&self, name: &str) -> Result<&Tensor> {
        self.0.get(name).ok_or_else(|| refuse(name, "is missing"))
    }
}

impl Source for Published<'_> {
    fn matrix(&mut self, name: &str) -> Result<Matrix> {
        let tensor = self.tensor(name)?;
        let [rows, columns] = tensor.shape[..] else { return Err(refuse(name, "is no matrix")) };
        Matrix::quantize(rows, columns, &tensor.values).map_err(|e| refuse(name, e))
    }

    fn vector(&mut self, name: &str) -> Result<Vec<f32>> {
        Ok(self.tensor(name)?.values.clone())
    }
}

fn refuse(name: &str, what: impl std::fmt::Display) -> Error {
    Error::new("E-MODEL-004", format!("{name}: {what}"), "Fetch the model again and compare its manifest.")
}

impl ExactWeights {
    /// Quantises the tensors that `config` asks for.
    ///
    /// # Errors
    /// `E-MODEL-004` when one is missing, of another shape or not finite.
    pub fn new(config: &ModelConfig, weights: &Weights) -> Result<Self> {
        Self::assemble(config, &mut Published(weights))
    }

    /// The tensors that `config` asks for, from `source`.
    pub(crate) fn assemble(config: &ModelConfig, source: &mut dyn Source) -> Result<Self> {
        let layers = (0..config.num_hidden_layers)
            .map(|i| {
                let name = |part: &str| format!("model.layers.{i}.{part}.weight");
                let mut norms = |part: &str| match config.has_head_norms() {
                    true => source.vector(&name(part)).map(Some),
                    false => Ok(None),
                };
                let (q_norm, k_norm) = (norms("self_attn.q_norm")?, norms("self_attn.k_norm")?);
                Ok(Layer {
                    norm_1: source.vector(&name("input_layernorm"))?,
                    q: source.matrix(&name("self_attn.q_proj"))?,
                    k: source.matrix(&name("self_attn.k_proj"))?,
                    v: source.matrix(&name("self_attn.v_proj"))?,
                    q_norm,
                    k_norm,
                    o: source.matrix(&name("self_attn.o_proj"))?,
                    norm_2: source.vector(&name("post_attention_layernorm"))?,
                    gate: source.matrix(&name("mlp.gate_proj"))?,
                    up: source.matrix(&name("mlp.up_proj"))?,
                    down: source.matrix(&name("mlp.down_proj"))?,
                })
            })
            .collect::<Result<Vec<_>>>()?;
        let head = match config.tie_word_embeddings {
            true => None,
            false => Some(source.matrix("lm_head.weight")?),
        };
        Ok(ExactWeights {
            embed: source.matrix("model.embed_tokens.weight")?,
            layers,
            norm: source.vector("model.norm.weight")?,
            head,
        })
    }

    /// The output head.
    pub fn head(&self) -> &Matrix {
        self.head.as_ref().unwrap_or(&self.embed)
    }

    /// Bytes of the matrices in memory.
    pub fn bytes(&self) -> usize {
        let layers: usize = self
            .layers
            .iter()
            .flat_map(|l| [&l.q, &l.k, &l.v, &l.o, &l.gate, &l.up, &l.down])
            .map(Matrix::bytes)
            .sum();
        layers + self.embed.bytes() + self.head.as_ref().map_or(0, Matrix::bytes)
    }

    /// Rows as they are computed with, each with its leaf: int8 rows `openledger/row-q8/1`, norms
    /// `openledger/row/1`, tensors in the order of their names as bytes.
    pub fn rows(&self) -> Vec<(WeightRow, Hash)> {
        let mut rows = Vec::new();
        for (name, part) in self.parts() {
            part.rows(&name, &mut |row, leaf| rows.push((row, leaf)));
        }
        rows
    }

    /// All tensors in the order of their names as bytes.
    pub(crate) fn parts(&self) -> Vec<(String, Part<'_>)> {
        let mut parts = vec![
            ("model.embed_tokens.weight".to_string(), Part::Rows(&self.embed)),
            ("model.norm.weight".to_string(), Part::Norm(&self.norm)),
        ];
        parts.extend(self.head.as_ref().map(|head| ("lm_head.weight".to_string(), Part::Rows(head))));
        for (i, layer) in self.layers.iter().enumerate() {
            let mut add = |part: &str, value| {
                parts.push((format!("model.layers.{i}.{part}.weight"), value));
            };
            add("input_layernorm", Part::Norm(&layer.norm_1));
            add("self_attn.q_proj", Part::Rows(&layer.q));
            add("self_attn.k_proj", Part::Rows(&layer.k));
            add("self_attn.v_proj", Part::Rows(&layer.v));
            for (part, norm) in [("self_attn.q_norm", &layer.q_norm), ("self_attn.k_norm", &layer.k_norm)] {
                if let Some(norm) = norm {
                    add(part, Part::Norm(norm));
                }
            }
            add("self_attn.o_proj", Part::Rows(&layer.o));
            add("post_attention_layernorm", Part::Norm(&layer.norm_2));
            add("mlp.gate_proj", Part::Rows(&layer.gate));
            add("mlp.up_proj", Part::Rows(&layer.up));
            add("mlp.down_proj", Part::Rows(&layer.down));
        }
        parts.sort_by(|a, b| a.0.cmp(&b.0));
        parts
    }

    /// Root over [`ExactWeights::rows`].
    pub fn root(&self) -> Hash {
        self.root_with(1)
    }

    /// The same, its rows hashed by `threads` threads.
    pub fn root_with(&self, threads: usize) -> Hash {
        let leaves = each(threads, &self.parts(), &|(name, part)| {
            let mut leaves = Vec::new();
            part.rows(name, &mut |_, leaf| leaves.push(leaf));
            leaves
        });
        Tree::new(leaves.concat()).unwrap_or_else(Tree::empty).root()
    }
}

/// `work` over all items in their order, by at most `threads` threads. With one thread none is started, so
/// that it works where there are none.
pub(crate) fn each<T: Sync, R: Send>(threads: usize, items: &[T], work: &(dyn Fn(&T) -> R + Sync)) -> Vec<R> {
    if threads <= 1 {
        return items.iter().map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let mut done: Vec<(usize, R)> = std::thread::scope(|scope| {
        let take = || {
            let mut own = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(item) = items.get(at) else { return own };
                own.push((at, work(item)));
            }
        };
        let workers: Vec<_> = (0..threads.min(items.len())).map(|_| scope.spawn(take)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap_or_default()).collect()
    });
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

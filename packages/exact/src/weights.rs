//! Weights of the exact class: int8 rows made from the published f32, and the root over them.

use openledger_numerics::Matrix;
use openledger_types::formats::{quantized_row_leaf, weights_row_leaf};
use openledger_types::merkle::{Hash, Tree};

use crate::config::ModelConfig;
use crate::error::{Error, Result};
use crate::file::{f32_bytes, Weights};

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

fn refuse(name: &str, what: impl std::fmt::Display) -> Error {
    Error::new("E-MODEL-004", format!("{name}: {what}"), "Fetch the model again and compare its manifest.")
}

fn matrix(weights: &Weights, name: &str) -> Result<Matrix> {
    let tensor = weights.get(name).ok_or_else(|| refuse(name, "is missing"))?;
    let [rows, columns] = tensor.shape[..] else { return Err(refuse(name, "is no matrix")) };
    Matrix::quantize(rows, columns, &tensor.values).map_err(|e| refuse(name, e))
}

fn vector(weights: &Weights, name: &str) -> Result<Vec<f32>> {
    Ok(weights.get(name).ok_or_else(|| refuse(name, "is missing"))?.values.clone())
}

impl ExactWeights {
    /// Quantises the tensors that `config` asks for.
    ///
    /// # Errors
    /// `E-MODEL-004` when one is missing, of another shape or not finite.
    pub fn new(config: &ModelConfig, weights: &Weights) -> Result<Self> {
        let layers = (0..config.num_hidden_layers)
            .map(|i| {
                let name = |part: &str| format!("model.layers.{i}.{part}.weight");
                let norms = |part: &str| match config.has_head_norms() {
                    true => vector(weights, &name(part)).map(Some),
                    false => Ok(None),
                };
                Ok(Layer {
                    norm_1: vector(weights, &name("input_layernorm"))?,
                    q: matrix(weights, &name("self_attn.q_proj"))?,
                    k: matrix(weights, &name("self_attn.k_proj"))?,
                    v: matrix(weights, &name("self_attn.v_proj"))?,
                    q_norm: norms("self_attn.q_norm")?,
                    k_norm: norms("self_attn.k_norm")?,
                    o: matrix(weights, &name("self_attn.o_proj"))?,
                    norm_2: vector(weights, &name("post_attention_layernorm"))?,
                    gate: matrix(weights, &name("mlp.gate_proj"))?,
                    up: matrix(weights, &name("mlp.up_proj"))?,
                    down: matrix(weights, &name("mlp.down_proj"))?,
                })
            })
            .collect::<Result<Vec<_>>>()?;
        let head = match config.tie_word_embeddings {
            true => None,
            false => Some(matrix(weights, "lm_head.weight")?),
        };
        Ok(ExactWeights {
            embed: matrix(weights, "model.embed_tokens.weight")?,
            layers,
            norm: vector(weights, "model.norm.weight")?,
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
        self.for_each_row(&mut |row, leaf| rows.push((row, leaf)));
        rows
    }

    /// Root over [`ExactWeights::rows`].
    pub fn root(&self) -> Hash {
        let mut leaves = Vec::new();
        self.for_each_row(&mut |_, leaf| leaves.push(leaf));
        Tree::new(leaves).unwrap_or_else(Tree::empty).root()
    }

    /// Tells `visit` every row and its leaf, in the order of the tree.
    fn for_each_row(&self, visit: &mut dyn FnMut(WeightRow, Hash)) {
        enum Part<'a> {
            Rows(&'a Matrix),
            Norm(&'a [f32]),
        }
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
        for (name, part) in &parts {
            match part {
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
}

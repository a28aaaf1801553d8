//! Low-rank adapters (LoRA, arXiv 2106.09685) in the exact class (docs/numerics.md, docs/formats.md).
//!
//! An adapter gives some of the network's products y = W x a second term: y + s * B (A x), with A of `rank` rows
//! and s = alpha / rank. A and B are int8 rows as all weights are, and x, then A x, are quantised as activations
//! are; so the sum has the same bits on every path, in every batch and in pieces of any length.
//!
//! The published file, `adapter.safetensors`, names tensors as the library PEFT does and says in its metadata for
//! which weights it was made:
//!
//! | key | value |
//! |---|---|
//! | `format` | `openledger-lora/1` |
//! | `base_weights_root` | root of the weights that it belongs to, hexadecimal |
//! | `rank` | 1 to 256 |
//! | `alpha` | a positive number as decimal text |

use std::collections::{BTreeMap, HashMap};

use openledger_numerics::{f16_to_f32, Matrix, TILE_ROWS};
use openledger_types::formats::{adapter_root, adapter_rows_leaf};
use openledger_types::merkle::{Hash, Tree};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use crate::config::ModelConfig;
use crate::error::{Error, Result};
use crate::file::{f32_bytes, f32_values, Tensor};

/// Name of the adapter's file.
pub const ADAPTER_FILE: &str = "adapter.safetensors";

/// Largest rank.
pub const MAX_RANK: usize = 256;

/// Value of `format` in the file's metadata.
pub const ADAPTER_FORMAT: &str = "openledger-lora/1";

/// Most bytes of the file's header: 14 tensors a layer, with room.
const MAX_HEADER: u64 = 1 << 20;

/// A product of a layer that an adapter may add to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// Queries.
    Query,
    /// Keys.
    Key,
    /// Values.
    Value,
    /// Output of attention.
    Output,
    /// Gate of the feed-forward block.
    Gate,
    /// Its other half.
    Up,
    /// Back to the residual stream.
    Down,
}

impl Target {
    /// All of them.
    pub const ALL: [Target; 7] =
        [Target::Query, Target::Key, Target::Value, Target::Output, Target::Gate, Target::Up, Target::Down];

    /// The short name, as recipes give it: `q_proj`.
    pub fn name(self) -> &'static str {
        match self {
            Target::Query => "q_proj",
            Target::Key => "k_proj",
            Target::Value => "v_proj",
            Target::Output => "o_proj",
            Target::Gate => "gate_proj",
            Target::Up => "up_proj",
            Target::Down => "down_proj",
        }
    }

    /// The weights that it adds to, in layer `layer`: `model.layers.0.self_attn.q_proj`, without `.weight`.
    pub fn module(self, layer: usize) -> String {
        let block = match self {
            Target::Query | Target::Key | Target::Value | Target::Output => "self_attn",
            Target::Gate | Target::Up | Target::Down => "mlp",
        };
        format!("model.layers.{layer}.{block}.{}", self.name())
    }

    /// Outputs and inputs of the product in a network of the shape `config`.
    pub fn shape(self, config: &ModelConfig) -> [usize; 2] {
        let (d, f) = (config.hidden_size, config.intermediate_size);
        let width = config.head_dim();
        let (kv, qo) = (width * config.kv_heads(), width * config.num_attention_heads);
        match self {
            Target::Query => [qo, d],
            Target::Key | Target::Value => [kv, d],
            Target::Output => [d, qo],
            Target::Gate | Target::Up => [f, d],
            Target::Down => [d, f],
        }
    }
}

/// Names of the two tensors of a product, A first.
pub fn tensor_names(layer: usize, target: Target) -> [String; 2] {
    ["lora_A", "lora_B"].map(|half| format!("base_model.model.{}.{half}.weight", target.module(layer)))
}

/// What is added to one product.
#[derive(Debug)]
pub struct Pair {
    /// A: rank × inputs.
    pub a: Matrix,
    /// B: outputs × rank.
    pub b: Matrix,
}

/// An adapter ready to compute; shared between threads.
#[derive(Debug)]
pub struct Adapter {
    base: Hash,
    rank: usize,
    alpha: f32,
    scale: f32,
    /// By layer and [`Target`].
    layers: Vec<[Option<Pair>; 7]>,
    root: Hash,
}

fn refuse(what: impl std::fmt::Display) -> Error {
    Error::new(
        "E-MODEL-014",
        format!("{ADAPTER_FILE} refused: {what}"),
        "The adapter is damaged or of another base: fetch it again and compare its manifest.",
    )
}

/// Most bytes of the file of an adapter for a network of the shape `config`, to bound what is read.
pub fn max_file_bytes(config: &ModelConfig) -> u64 {
    let sides = Target::ALL.iter().flat_map(|target| target.shape(config));
    let values = sides.fold(0u64, |sum, side| sum.saturating_add(side as u64));
    let layers = config.num_hidden_layers as u64;
    values.saturating_mul(4 * MAX_RANK as u64).saturating_mul(layers).saturating_add(MAX_HEADER)
}

/// What the file's metadata says.
struct Header {
    base: Hash,
    rank: usize,
    alpha: f32,
}

impl Header {
    fn read(metadata: Option<&HashMap<String, String>>) -> Result<Self> {
        let get = |key: &str| {
            metadata.and_then(|m| m.get(key)).ok_or_else(|| refuse(format!("its metadata lacks {key}")))
        };
        if get("format")? != ADAPTER_FORMAT {
            return Err(refuse(format!("its format is not {ADAPTER_FORMAT}")));
        }
        let base = hex::decode(get("base_weights_root")?).ok().and_then(|root| Hash::try_from(root).ok());
        let base = base.ok_or_else(|| refuse("base_weights_root is no hash"))?;
        let rank = get("rank")?.parse::<usize>().ok().filter(|rank| (1..=MAX_RANK).contains(rank));
        let rank = rank.ok_or_else(|| refuse(format!("its rank is not within 1 and {MAX_RANK}")))?;
        let alpha = get("alpha")?.parse::<f32>().ok().filter(|alpha| check_alpha(*alpha));
        let alpha = alpha.ok_or_else(|| refuse("its alpha is not within 0.001 and 65536"))?;
        Ok(Header { base, rank, alpha })
    }
}

/// Whether an adapter may have this alpha.
pub fn check_alpha(alpha: f32) -> bool {
    (0.001..=65_536.0).contains(&alpha)
}

impl Adapter {
    /// Reads the file of an adapter for a network of the shape `config`: both tensors of at least one product, each
    /// in its shape and finite, and nothing else. Every shape is held against the configuration before a value is
    /// read. That it belongs to the weights at hand is for the caller to see by [`Adapter::base`].
    ///
    /// # Errors
    /// `E-MODEL-014` for anything else.
    pub fn parse(bytes: &[u8], config: &ModelConfig) -> Result<Self> {
        let file = SafeTensors::deserialize(bytes).map_err(refuse)?;
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(refuse)?;
        let header = Header::read(metadata.metadata().as_ref())?;
        let mut views = Vec::new();
        for layer in 0..config.num_hidden_layers {
            for target in Target::ALL {
                let [outputs, inputs] = target.shape(config);
                let found = tensor_names(layer, target).map(|name| (file.tensor(&name).ok(), name));
                let [(Some(a), name_a), (Some(b), name_b)] = found else {
                    // One without the other is left over, and refused below.
                    continue;
                };
                let wanted = [(&a, &name_a, [header.rank, inputs]), (&b, &name_b, [outputs, header.rank])];
                for (view, name, shape) in wanted {
                    if view.shape() != shape {
                        return Err(refuse(format!("{name} is {:?}, not {shape:?}", view.shape())));
                    }
                }
                views.push((layer, target, a, b));
            }
        }
        if views.is_empty() {
            return Err(refuse("it adds to no product of the network"));
        }
        if file.len() != views.len() * 2 {
            return Err(refuse("it has tensors that belong to no product, or one of two"));
        }
        let mut layers: Vec<[Option<Pair>; 7]> = Vec::new();
        layers.resize_with(config.num_hidden_layers, Default::default);
        for (layer, target, a, b) in views {
            let [name_a, name_b] = tensor_names(layer, target);
            let pair = Pair { a: quantized(&a, &name_a)?, b: quantized(&b, &name_b)? };
            if let Some(slot) = layers.get_mut(layer).and_then(|layer| layer.get_mut(target as usize)) {
                *slot = Some(pair);
            }
        }
        let Header { base, rank, alpha } = header;
        let scale = alpha / rank as f32;
        let mut adapter = Adapter { base, rank, alpha, scale, layers, root: base };
        adapter.root = adapter.computed_root();
        Ok(adapter)
    }

    fn computed_root(&self) -> Hash {
        let mut matrices = BTreeMap::new();
        for (layer, target, pair) in self.pairs() {
            let [name_a, name_b] = tensor_names(layer, target);
            matrices.extend([(name_a, &pair.a), (name_b, &pair.b)]);
        }
        let leaves = matrices.iter().flat_map(|(name, matrix)| {
            (0..matrix.rows()).step_by(TILE_ROWS).map(move |first| {
                let end = matrix.rows().min(first + TILE_ROWS);
                let rows: Vec<_> = (first..end).map(|row| matrix.row(row)).collect();
                adapter_rows_leaf(name, first as u64, &rows)
            })
        });
        let rows = Tree::new(leaves.collect()).unwrap_or_else(Tree::empty).root();
        adapter_root(&self.base, u32::try_from(self.rank).unwrap_or(u32::MAX), self.alpha, &rows)
    }

    /// Root of the weights that it belongs to.
    pub fn base(&self) -> &Hash {
        &self.base
    }

    /// Its own root, over base, rank, alpha and all rows (docs/formats.md).
    pub fn root(&self) -> &Hash {
        &self.root
    }

    /// Rows of every A.
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// Times which its products are added: alpha / rank.
    pub fn scale(&self) -> f32 {
        self.scale
    }

    /// What it adds to a product, if anything.
    pub fn pair(&self, layer: usize, target: Target) -> Option<&Pair> {
        self.layers.get(layer)?.get(target as usize)?.as_ref()
    }

    /// Everything that it adds, by layer, then target.
    pub fn pairs(&self) -> impl Iterator<Item = (usize, Target, &Pair)> {
        self.layers.iter().enumerate().flat_map(|(layer, pairs)| {
            Target::ALL.into_iter().zip(pairs).filter_map(move |(t, pair)| Some((layer, t, pair.as_ref()?)))
        })
    }

    /// Its parameters, those of the base not counted.
    pub fn parameters(&self) -> u64 {
        self.pairs().map(|(_, _, p)| (self.rank * (p.a.columns() + p.b.rows())) as u64).sum()
    }

    /// Bytes of its matrices in memory.
    pub fn bytes(&self) -> usize {
        self.pairs().map(|(_, _, pair)| pair.a.bytes() + pair.b.bytes()).sum()
    }
}

/// A tensor as int8 rows.
fn quantized(view: &TensorView, name: &str) -> Result<Matrix> {
    let pairs = || view.data().chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]]));
    let values: Vec<f32> = match view.dtype() {
        Dtype::F32 => f32_values(view.data()),
        Dtype::F16 => pairs().map(f16_to_f32).collect(),
        Dtype::BF16 => pairs().map(|b| f32::from_bits(u32::from(b) << 16)).collect(),
        other => return Err(refuse(format!("{name} is {other:?}, not F32, F16 or BF16"))),
    };
    let [rows, columns] = view.shape()[..] else { return Err(refuse(format!("{name} is no matrix"))) };
    Matrix::quantize(rows, columns, &values).map_err(|e| refuse(format!("{name}: {e}")))
}

/// The file of an adapter: `tensors` by the names of [`tensor_names`].
///
/// # Errors
/// `E-MODEL-014` when a tensor's values do not fit its shape.
pub fn write(tensors: &BTreeMap<String, Tensor>, base: &Hash, rank: usize, alpha: f32) -> Result<Vec<u8>> {
    let raw: Vec<_> = tensors.iter().map(|(name, t)| (name, &t.shape, f32_bytes(&t.values))).collect();
    let mut views = Vec::with_capacity(raw.len());
    for (name, shape, bytes) in &raw {
        views.push((name.as_str(), TensorView::new(Dtype::F32, (*shape).clone(), bytes).map_err(refuse)?));
    }
    let metadata = [
        ("format", ADAPTER_FORMAT.to_string()),
        ("base_weights_root", hex::encode(base)),
        ("rank", rank.to_string()),
        ("alpha", alpha.to_string()),
    ];
    let metadata = metadata.map(|(key, value)| (key.to_string(), value));
    // One order of the keys, so that the same adapter is the same file.
    let mut bytes = safetensors::serialize(views, None).map_err(refuse)?;
    splice_metadata(&mut bytes, &metadata)?;
    Ok(bytes)
}

/// Puts `__metadata__` before the tensors of a file without it, in the given order of the keys: the library writes
/// them in an order that changes from run to run.
fn splice_metadata(bytes: &mut Vec<u8>, metadata: &[(String, String)]) -> Result<()> {
    let cut = || refuse("it cannot be written");
    let (length, rest) = bytes.split_first_chunk::<8>().ok_or_else(cut)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| cut())?;
    let (header, data) = rest.split_at_checked(length).ok_or_else(cut)?;
    let tensors =
        std::str::from_utf8(header).ok().and_then(|h| h.trim_end().strip_prefix('{')).ok_or_else(cut)?;
    let text = |s: &str| serde_json::to_string(s).map_err(refuse);
    let mut pairs = Vec::new();
    for (key, value) in metadata {
        pairs.push(format!("{}:{}", text(key)?, text(value)?));
    }
    let mut header = format!("{{\"__metadata__\":{{{}}},{tensors}", pairs.join(","));
    // Tensors begin at a multiple of 8 bytes.
    header.extend(std::iter::repeat_n(' ', header.len().next_multiple_of(8) - header.len()));
    let all = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat();
    *bytes = all;
    Ok(())
}

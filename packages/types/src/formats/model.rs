//! Models: manifest, weights root, training receipt.

use cosmwasm_schema::cw_schema::Schemaifier;
use cosmwasm_schema::cw_serde;
use cosmwasm_schema::schemars::JsonSchema;
use cosmwasm_schema::serde::{Deserialize, Serialize};
use cosmwasm_std::HexBinary;
use openledger_merkle::{leaf_hash, Hash, SumNode};

use crate::encode::Preimage;
use crate::formats::{BlobRef, SumRoot, VersionRef};

/// How exactly an answer can be repeated (DESIGN, inference node).
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Schemaifier)]
#[serde(crate = "cosmwasm_schema::serde", rename_all = "kebab-case")]
#[schemars(crate = "cosmwasm_schema::schemars")]
#[schemaifier(crate = "cosmwasm_schema::cw_schema")]
pub enum NumericClass {
    /// Canonical int8 numerics: bit-identical everywhere, checked by equality.
    Exact,
    /// 32-bit floats in any order: checked by thresholds.
    TolerantF32,
    /// bfloat16: checked by wider thresholds; cannot tell int8 weights from honest ones.
    TolerantBf16,
}

impl NumericClass {
    /// The name as it stands in JSON and in hashes.
    pub fn as_str(self) -> &'static str {
        match self {
            NumericClass::Exact => "exact",
            NumericClass::TolerantF32 => "tolerant-f32",
            NumericClass::TolerantBf16 => "tolerant-bf16",
        }
    }
}

/// A file of the model, kept as a public blob.
#[cw_serde]
pub struct ModelFile {
    /// Name in the model's folder, for example `model.safetensors`.
    pub name: String,
    /// The blob with its bytes.
    pub blob: BlobRef,
}

/// The second layer of a model's attribution, see `openledger_attribution::influence`.
#[cw_serde]
pub struct InfluenceParams {
    /// Root of the influence index (32 bytes), see [`super::influence_header_leaf`].
    pub index_root: HexBinary,
    /// Weight of the influence layer in shares.
    pub influence_weight: u32,
    /// Weight of the vocabulary layer in shares; 0, and absent, in the scheme `rkf16-span/1`.
    #[serde(default)]
    pub lexical_weight: u32,
    /// Weight of the span layer in shares.
    pub span_weight: u32,
    /// Basis points of an answer's words that chance alone finds in the data: what is found counts above
    /// them. Whoever has the data computes it again; 0, and absent, in the scheme `rkf16-span/1`.
    #[serde(default)]
    pub chance_bps: u16,
}

/// Everything that decides what a model answers. The chain holds the hash of the bytes of this
/// document as they were written; it is never re-serialised.
#[cw_serde]
pub struct Manifest {
    /// Version of this document: 1.
    pub format: u32,
    /// Name shown to people.
    pub name: String,
    /// Shape of the network: `llama` or `qwen3`.
    pub architecture: String,
    /// How exactly its answers repeat.
    pub numeric_class: NumericClass,
    /// Sampler and its version: `gumbel-chacha8/1` to `/4`.
    pub sampler: String,
    /// Commitment scheme of answers: `proj32-f32/1` or `hidden-q8/1`.
    pub commit_scheme: String,
    /// Attribution scheme: `span/1`, or with an influence layer beside it `rkf16-span/1`, and with the
    /// vocabulary beside both `rkf16-lex-span/2` (in earlier models `rkf16-lex-span/1`).
    pub attribution: String,
    /// What the influence layer rests on; none with `span/1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub influence: Option<InfluenceParams>,
    /// Root over the rows of all weights (32 bytes), see [`weights_row_leaf`] and [`quantized_row_leaf`].
    pub weights_root: HexBinary,
    /// SHA-256 of the tokenizer's file (32 bytes).
    pub tokenizer_hash: HexBinary,
    /// SHA-256 of the configuration's file (32 bytes).
    pub config_hash: HexBinary,
    /// SHA-256 of the chat format's file, 32 zero bytes where there is none.
    pub template_hash: HexBinary,
    /// Root of the adapter, 32 zero bytes where there is none.
    pub adapter_root: HexBinary,
    /// Most tokens of prompt and answer together.
    pub context: u32,
    /// Parameters.
    pub parameters: u64,
    /// Versions that it was trained on and that its answers are traced in.
    pub datanets: Vec<VersionRef>,
    /// Over the training counts (32 bytes), see [`training_root`].
    pub training_root: HexBinary,
    /// The files, each a public blob.
    pub files: Vec<ModelFile>,
}

/// `openledger/manifest/1`: the document's bytes.
pub fn manifest_hash(document: &[u8]) -> Hash {
    Preimage::new("openledger/manifest/1").bytes(document).hash()
}

/// Leaf of the weights tree: one output row of one tensor. Tensors in the order of their names as
/// bytes, rows rising; a tensor of one dimension is one row.
///
/// `openledger/row/1`: name text, row u64, the row's values as little-endian f32.
pub fn weights_row_leaf(tensor: &str, row: u64, values: &[u8]) -> Hash {
    leaf_hash(&Preimage::new("openledger/row/1").text(tensor).u64(row).bytes(values).finish())
}

/// Leaf of the weights tree of the class `exact`: one output row in int8, in blocks of 32 under one scale
/// each, the last block padded with zeros. Tensors of one dimension keep [`weights_row_leaf`].
///
/// `openledger/row-q8/1`: name text, row u64, scales as little-endian f32, the values as i8.
pub fn quantized_row_leaf(tensor: &str, row: u64, scales: &[f32], values: &[i8]) -> Hash {
    let scales: Vec<u8> = scales.iter().flat_map(|s| s.to_le_bytes()).collect();
    let values: Vec<u8> = values.iter().map(|v| v.to_le_bytes()[0]).collect();
    let row = Preimage::new("openledger/row-q8/1").text(tensor).u64(row).bytes(&scales).bytes(&values);
    leaf_hash(&row.finish())
}

/// Leaf of the tree of an adapter's rows: at most 16 rows of one of its matrices, in int8 as in
/// [`quantized_row_leaf`].
///
/// `openledger/adapter-rows/1`: name text, first row u64, then of each row its scales as little-endian f32 and
/// its values as i8, one row after the other.
pub fn adapter_rows_leaf(tensor: &str, first: u64, rows: &[(Vec<f32>, Vec<i8>)]) -> Hash {
    let mut bytes = Vec::new();
    for (scales, values) in rows {
        bytes.extend(scales.iter().flat_map(|s| s.to_le_bytes()));
        bytes.extend(values.iter().map(|v| v.to_le_bytes()[0]));
    }
    leaf_hash(&Preimage::new("openledger/adapter-rows/1").text(tensor).u64(first).bytes(&bytes).finish())
}

/// Root of an adapter: it belongs to the weights of the root `base`, adds alpha / rank times its products, and
/// its rows have the root `rows`.
///
/// `openledger/adapter/1`: base32, rank u32, bits of alpha as f32 u32, rows32.
pub fn adapter_root(base: &Hash, rank: u32, alpha: f32, rows: &Hash) -> Hash {
    Preimage::new("openledger/adapter/1").bytes(base).u32(rank).u32(alpha.to_bits()).bytes(rows).hash()
}

/// What a window of the class `exact` commits to beside its tokens: the hidden vectors, one a token, that
/// the output head read.
///
/// `openledger/hidden/1`: the vectors one after the other as little-endian f32.
pub fn hidden_digest(vectors: &[f32]) -> Hash {
    let bytes: Vec<u8> = vectors.iter().flat_map(|x| x.to_le_bytes()).collect();
    Preimage::new("openledger/hidden/1").bytes(&bytes).hash()
}

/// Leaf of the training receipt of one datanet, sorted by contribution: how often training saw it;
/// worth that count, so that the tree's sum is the whole of which a contribution's uses are a part.
///
/// `openledger/training/1`: contribution u64, times seen u64.
pub fn training_leaf(contribution_id: u64, times_seen: u64) -> SumNode {
    let data = Preimage::new("openledger/training/1").u64(contribution_id).u64(times_seen).finish();
    SumNode::leaf(&data, u128::from(times_seen))
}

/// The manifest's training root: one tree a datanet, in the order of the manifest's datanets.
///
/// `openledger/training-root/1`: for each datanet its number u64, root hash, sum u128, count u64.
pub fn training_root(trees: &[(u64, SumRoot)]) -> Hash {
    trees
        .iter()
        .fold(Preimage::new("openledger/training-root/1"), |p, (datanet_id, tree)| {
            p.u64(*datanet_id).bytes(&tree.hash).u128(tree.sum.u128()).u64(tree.count)
        })
        .hash()
}

//! AdamW with moments that can be saved (arXiv 1711.05101); candle's keeps them to itself.

use candle_core::{Device, Tensor, Var};
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use openledger_exact::adapter::{tensor_names, Target};

use super::recipe::Recipe;
use crate::engine::{Error, ModelConfig, Result};

/// One tensor that is trained.
pub(crate) struct Param {
    pub name: String,
    pub var: Var,
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
    pub first: Vec<f32>,
    pub second: Vec<f32>,
    /// Sum of the derivatives of this step.
    pub grad: Vec<f32>,
}

/// All parameters, in the order of their names.
pub(crate) struct Params(pub Vec<Param>);

impl Params {
    /// First weights: normal with deviation 0.02 (embedding) or 1/sqrt(inputs), what is added to the
    /// residual stream divided by sqrt(2 * layers); ones for norms.
    pub(crate) fn init(config: &ModelConfig, seed: u64) -> Result<Self> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(u64::MAX);
        let mut params = Vec::new();
        for (name, shape) in config.tensors() {
            let n = shape.iter().product::<usize>();
            let values = match shape.as_slice() {
                [_, inputs] => {
                    let mut deviation = 0.5 / (*inputs as f64).sqrt();
                    if name.contains("embed_tokens") {
                        deviation = 0.02;
                    } else if name.contains("o_proj") || name.contains("down_proj") {
                        deviation /= (2.0 * config.num_hidden_layers as f64).sqrt();
                    }
                    (0..n).map(|_| (normal(&mut rng) * deviation) as f32).collect()
                }
                _ => vec![1f32; n],
            };
            params.push(Param::new(name, shape, values)?);
        }
        Ok(Params(params))
    }

    /// A and B of every product of `targets`: A normal with deviation 1/sqrt(inputs), B zero, so that nothing is
    /// added at first.
    pub(crate) fn low_rank(config: &ModelConfig, targets: &[Target], rank: usize, seed: u64) -> Result<Self> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(u64::MAX);
        let mut params = Vec::new();
        for layer in 0..config.num_hidden_layers {
            for target in targets {
                let [outputs, inputs] = target.shape(config);
                let [a, b] = tensor_names(layer, *target);
                let deviation = 1.0 / (inputs as f64).sqrt();
                let values = (0..rank * inputs).map(|_| (normal(&mut rng) * deviation) as f32).collect();
                params.push(Param::new(a, vec![rank, inputs], values)?);
                params.push(Param::new(b, vec![outputs, rank], vec![0.0; outputs * rank])?);
            }
        }
        params.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Params(params))
    }

    /// Tensor `name`, for building the network.
    pub(crate) fn tensor(&self, name: &str) -> Option<Tensor> {
        self.0.iter().find(|p| p.name == name).map(|p| p.var.as_tensor().clone())
    }

    /// Adds derivatives, one list a shard, in their order.
    pub(crate) fn take_gradients(&mut self, shards: &[Vec<Tensor>]) -> Result<()> {
        let scale = 1.0 / shards.len().max(1) as f32;
        self.0
            .par_iter_mut()
            .enumerate()
            .map(|(i, param)| {
                param.grad.iter_mut().for_each(|g| *g = 0.0);
                for shard in shards {
                    let Some(tensor) = shard.get(i) else { continue };
                    let values = tensor.flatten_all()?.to_vec1::<f32>()?;
                    for (sum, g) in param.grad.iter_mut().zip(values) {
                        *sum += g * scale;
                    }
                }
                Ok(())
            })
            .collect::<Result<Vec<()>>>()?;
        Ok(())
    }

    /// Norm of all derivatives together.
    pub(crate) fn norm(&self) -> f64 {
        let squares: Vec<f64> =
            self.0.par_iter().map(|p| p.grad.iter().map(|g| f64::from(*g) * f64::from(*g)).sum()).collect();
        squares.iter().sum::<f64>().sqrt()
    }

    /// One step with learning rate `rate`; `step` counts from 0.
    pub(crate) fn update(&mut self, recipe: &Recipe, rate: f64, step: u64) -> Result<()> {
        let norm = self.norm();
        if !norm.is_finite() {
            return Err(diverged());
        }
        let clip = if norm > recipe.clip { (recipe.clip / norm) as f32 } else { 1.0 };
        let power = i32::try_from(step + 1).unwrap_or(i32::MAX);
        let (b1, b2) = (recipe.beta1 as f32, recipe.beta2 as f32);
        let first_scale = (1.0 / (1.0 - recipe.beta1.powi(power))) as f32;
        let second_scale = (1.0 / (1.0 - recipe.beta2.powi(power))) as f32;
        let rate32 = rate as f32;
        self.0
            .par_iter_mut()
            .map(|param| {
                let keep =
                    if param.shape.len() > 1 { (1.0 - rate * recipe.weight_decay) as f32 } else { 1.0 };
                let moments = param.first.iter_mut().zip(param.second.iter_mut());
                for ((x, g), (m, v)) in param.values.iter_mut().zip(&param.grad).zip(moments) {
                    let g = g * clip;
                    *m = b1 * *m + (1.0 - b1) * g;
                    *v = b2 * *v + (1.0 - b2) * g * g;
                    *x = *x * keep - rate32 * (*m * first_scale) / ((*v * second_scale).sqrt() + 1e-8);
                }
                param.publish()
            })
            .collect::<Result<Vec<()>>>()?;
        Ok(())
    }
}

impl Param {
    /// A parameter without history.
    pub(crate) fn new(name: String, shape: Vec<usize>, values: Vec<f32>) -> Result<Self> {
        let n = values.len();
        let var = Var::from_vec(values.clone(), shape.as_slice(), &Device::Cpu)?;
        Ok(Param { name, var, shape, values, first: vec![0.0; n], second: vec![0.0; n], grad: vec![0.0; n] })
    }

    /// Writes the values into the tensor that the network reads.
    pub(crate) fn publish(&self) -> Result<()> {
        Ok(self.var.set(&Tensor::from_slice(&self.values, self.shape.as_slice(), &Device::Cpu)?)?)
    }
}

/// The error of a run whose numbers left the finite range.
pub(crate) fn diverged() -> Error {
    Error::new(
        "E-TRAIN-004",
        "the loss is no longer a finite number",
        "Use a smaller learning rate or a longer warm-up; the last checkpoint is kept.",
    )
}

/// A standard normal variate (Box-Muller).
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let uniform = |rng: &mut ChaCha8Rng| (f64::from(rng.next_u32()) + 0.5) / 4_294_967_296.0;
    let radius = (-2.0 * uniform(rng).ln()).sqrt();
    radius * (std::f64::consts::TAU * uniform(rng)).cos()
}

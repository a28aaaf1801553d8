//! Training again without some of the data: what attribution is measured against.
//!
//! Every document is one passage of the model's context. The first weights, the order of the passages and
//! the learning rate never change; a passage that is left out leaves its place in its step empty, so that
//! two trainings differ by its derivatives and nothing else.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use openledger_attribution::influence::LinearPass;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

use super::corpus::{train_tokenizer, Document, END_OF_TEXT_ID};
use super::optimizer::{Param, Params};
use super::recipe::{Plan, Recipe};
use crate::attribution::Positions;
use crate::engine::files::weights_bytes;
use crate::engine::net::Net;
use crate::engine::ops::{CrossEntropy, NO_TARGET};
use crate::engine::{Error, ModelConfig, Result, Tokenizer};

/// Documents as passages, and how a model is trained on them.
pub struct Experiment {
    recipe: Recipe,
    total: u64,
    tokenizer: Arc<Tokenizer>,
    passages: Vec<Vec<u32>>,
}

/// A model trained on some of the passages.
pub struct Retrained {
    pub(super) params: Params,
    pub(super) net: Arc<Net>,
    pub(super) config: ModelConfig,
}

impl Experiment {
    /// Passages of the texts; the tokenizer is trained on all of them. The recipe gives the steps.
    ///
    /// # Errors
    /// `E-TRAIN-001` without a number of steps or for a text shorter than the context, and those of the
    /// tokenizer.
    pub fn new(recipe: &Recipe, texts: &[String]) -> Result<Self> {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let mut experiment = Self::empty(recipe, &texts)?;
        experiment.passages = texts.iter().map(|text| experiment.passage(text)).collect::<Result<_>>()?;
        Ok(experiment)
    }

    /// As [`Experiment::new`], of the texts that fill a context alone, and which they are.
    ///
    /// # Errors
    /// As there, but for short texts.
    pub(crate) fn of_long(recipe: &Recipe, texts: &[&str]) -> Result<(Self, Vec<usize>)> {
        let mut experiment = Self::empty(recipe, texts)?;
        let mut long = Vec::new();
        for (at, text) in texts.iter().enumerate() {
            if experiment.encode(text)?.len() >= recipe.context {
                long.push(at);
                let passage = experiment.passage(text)?;
                experiment.passages.push(passage);
            }
        }
        Ok((experiment, long))
    }

    /// Another recipe and other texts, with the same tokenizer.
    ///
    /// # Errors
    /// As [`Experiment::new`].
    pub(crate) fn over(&self, recipe: &Recipe, texts: &[String]) -> Result<Self> {
        let total = Self::steps(recipe)?;
        let passages = texts.iter().map(|text| self.passage(text)).collect::<Result<_>>()?;
        Ok(Experiment { recipe: recipe.clone(), total, tokenizer: self.tokenizer.clone(), passages })
    }

    fn steps(recipe: &Recipe) -> Result<u64> {
        recipe.validate()?;
        recipe.steps.ok_or_else(|| {
            let advice = "Give the steps, and texts of at least one context each.";
            Error::new("E-TRAIN-001", "a retraining needs a number of steps", advice)
        })
    }

    /// Without passages yet; the tokenizer is trained on the texts.
    fn empty(recipe: &Recipe, texts: &[&str]) -> Result<Self> {
        let total = Self::steps(recipe)?;
        let documents: Vec<Document> =
            texts.iter().map(|text| Document { contribution_id: 1, datanet_id: 1, text }).collect();
        let tokenizer = Arc::new(Tokenizer::parse(&train_tokenizer(recipe, &documents)?, recipe.vocab)?);
        Ok(Experiment { recipe: recipe.clone(), total, tokenizer, passages: Vec::new() })
    }

    /// Tokens of a text.
    ///
    /// # Errors
    /// When the tokenizer fails.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        self.tokenizer.encode(text)
    }

    /// The passage of a text: the token that starts a document and the first tokens of its own, one more
    /// than the context.
    ///
    /// # Errors
    /// `E-TRAIN-001` for a text shorter than that.
    pub fn passage(&self, text: &str) -> Result<Vec<u32>> {
        let mut tokens = vec![END_OF_TEXT_ID];
        tokens.extend(self.tokenizer.encode(text)?);
        if tokens.len() <= self.recipe.context {
            return Err(Error::new(
                "E-TRAIN-001",
                format!("a text of {} tokens is shorter than the context", tokens.len()),
                "Give texts of at least one context each.",
            ));
        }
        tokens.truncate(self.recipe.context + 1);
        Ok(tokens)
    }

    /// The passages, in the order of the texts.
    pub fn passages(&self) -> &[Vec<u32>] {
        &self.passages
    }

    /// Tokens in the vocabulary.
    pub fn vocabulary(&self) -> usize {
        self.recipe.vocab
    }

    /// The text of tokens.
    pub fn decode(&self, tokens: &[u32]) -> String {
        self.tokenizer.decode(tokens)
    }

    /// Shape of the models, as their configuration file states it.
    pub fn config(&self) -> ModelConfig {
        self.recipe.config(END_OF_TEXT_ID)
    }

    /// The same passages, trained on from other first weights and in another order.
    #[must_use]
    pub fn with_seed(&self, seed: u64) -> Self {
        Experiment {
            recipe: Recipe { seed, ..self.recipe.clone() },
            total: self.total,
            tokenizer: self.tokenizer.clone(),
            passages: self.passages.clone(),
        }
    }

    /// Names a training: equal names give equal models.
    pub fn fingerprint(&self, keep: &[bool]) -> String {
        let mut hasher = Sha256::new();
        hasher.update(format!("retraining/1 {:?}", self.recipe));
        for passage in &self.passages {
            passage.iter().for_each(|token| hasher.update(token.to_be_bytes()));
        }
        keep.iter().for_each(|kept| hasher.update([u8::from(*kept)]));
        hex::encode(hasher.finalize())
    }

    /// Names a training and the questions asked after it.
    pub fn asked(&self, keep: &[bool], queries: &[Vec<u32>]) -> String {
        let mut hasher = Sha256::new();
        hasher.update(self.fingerprint(keep));
        for query in queries {
            hasher.update((query.len() as u64).to_be_bytes());
            query.iter().for_each(|token| hasher.update(token.to_be_bytes()));
        }
        hex::encode(hasher.finalize())
    }

    /// Trains on the passages that are kept.
    ///
    /// # Errors
    /// `E-TRAIN-004` when it diverges.
    pub fn train(&self, keep: &[bool]) -> Result<Retrained> {
        let recipe = &self.recipe;
        let config = recipe.config(END_OF_TEXT_ID);
        let mut params = Params::init(&config, recipe.seed)?;
        let net = Net::new(&config, |name| params.tensor(name))?;
        let schedule = [Plan { from: 0, total: self.total }];
        let mut order: Vec<usize> = Vec::new();
        let (mut pass, mut at) = (0, 0);
        for step in 0..self.total {
            let mut chosen = Vec::with_capacity(recipe.batch);
            for _ in 0..recipe.batch {
                if at == order.len() {
                    (order, at, pass) = (self.order(pass), 0, pass + 1);
                }
                chosen.extend(order.get(at).filter(|i| keep.get(**i).copied().unwrap_or(false)));
                at += 1;
            }
            if chosen.is_empty() {
                continue;
            }
            let (loss, rows) = self.loss(&net, &chosen)?;
            // The mean over a whole step, whatever is left out of it.
            let loss = (loss * (rows as f64 / recipe.batch as f64))?;
            let mut grads = loss.backward()?;
            let gradients = params
                .0
                .iter()
                .map(|p| grads.remove(p.var.as_tensor()).map_or_else(|| Ok(p.var.zeros_like()?), Ok))
                .collect::<Result<Vec<_>>>()?;
            params.take_gradients(&[gradients])?;
            params.update(recipe, recipe.rate(step, &schedule), step)?;
        }
        Ok(Retrained { params, net: Arc::new(net), config })
    }

    /// Order of the passages in pass `pass`.
    fn order(&self, pass: u64) -> Vec<usize> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.recipe.seed);
        rng.set_stream(pass);
        let mut order: Vec<usize> = (0..self.passages.len()).collect();
        for i in (1..order.len()).rev() {
            order.swap(i, (rng.next_u64() % (i as u64 + 1)) as usize);
        }
        order
    }

    fn loss(&self, net: &Net, chosen: &[usize]) -> Result<(candle_core::Tensor, usize)> {
        let (mut inputs, mut targets) = (Vec::new(), Vec::new());
        for passage in chosen.iter().filter_map(|i| self.passages.get(*i)) {
            inputs.extend(passage.iter().take(self.recipe.context));
            targets.extend(passage.iter().skip(1));
        }
        let logits = net.logits(&net.hidden(&inputs, chosen.len())?)?;
        let op = CrossEntropy { targets, derivative: Mutex::new(Vec::new()) };
        Ok((logits.apply_op1(op)?, chosen.len()))
    }
}

impl Retrained {
    fn tensor_loss(&self, passage: &[u32]) -> Result<candle_core::Tensor> {
        self.loss_of(passage, passage.get(1..).unwrap_or(&[]).to_vec())
    }

    /// The mean over all tokens of a passage but the first; rows without a target add nothing.
    fn loss_of(&self, passage: &[u32], targets: Vec<u32>) -> Result<candle_core::Tensor> {
        let inputs = &passage[..passage.len().saturating_sub(1)];
        let logits = self.net.logits(&self.net.hidden(inputs, 1)?)?;
        Ok(logits.apply_op1(CrossEntropy { targets, derivative: Mutex::new(Vec::new()) })?)
    }

    /// Mean loss of an answer after its prompt, nats a token of the answer; 0 of an empty one.
    ///
    /// # Errors
    /// When the two do not fit the model.
    pub fn answer_loss(&self, prompt: &[u32], answer: &[u32]) -> Result<f64> {
        let passage = [prompt, answer].concat();
        if prompt.is_empty() || answer.is_empty() {
            return Ok(0.0);
        }
        let targets: Vec<u32> =
            prompt.iter().skip(1).map(|_| NO_TARGET).chain(answer.iter().copied()).collect();
        let parts = targets.len() as f64 / answer.len() as f64;
        Ok(f64::from(self.loss_of(&passage, targets)?.to_scalar::<f32>()?) * parts)
    }

    /// Mean loss of a passage, nats a token.
    ///
    /// # Errors
    /// When the passage does not fit the model.
    pub fn loss(&self, passage: &[u32]) -> Result<f32> {
        Ok(self.tensor_loss(passage)?.to_scalar::<f32>()?)
    }

    /// Derivative of a passage's loss by all parameters, in the order of their names.
    ///
    /// # Errors
    /// As [`Retrained::loss`].
    pub fn gradient(&self, passage: &[u32]) -> Result<Vec<f32>> {
        let mut grads = self.tensor_loss(passage)?.backward()?;
        let mut all = Vec::new();
        for param in &self.params.0 {
            match grads.remove(param.var.as_tensor()) {
                Some(gradient) => all.extend(gradient.flatten_all()?.to_vec1::<f32>()?),
                None => all.resize(all.len() + param.values.len(), 0.0),
            }
        }
        Ok(all)
    }

    /// Hidden vectors and logits of a passage, whose last token is a label alone.
    ///
    /// # Errors
    /// As [`Retrained::loss`].
    pub fn positions(&self, passage: &[u32]) -> Result<Positions> {
        self.read(&passage[..passage.len().saturating_sub(1)])
    }

    /// Hidden vectors and logits at all of the tokens.
    ///
    /// # Errors
    /// As [`Retrained::loss`].
    pub(crate) fn read(&self, tokens: &[u32]) -> Result<Positions> {
        let hidden = self.net.hidden(tokens, 1)?;
        let logits = self.net.logits(&hidden)?.flatten_all()?.to_vec1::<f32>()?;
        Ok(Positions { hidden: hidden.flatten_all()?.to_vec1::<f32>()?, logits })
    }

    /// What the linear layers of the last block and the head read in a passage, and the derivative of its loss by
    /// what they wrote: query, key, value, output, gate, up, down, head.
    ///
    /// # Errors
    /// As [`Retrained::loss`].
    pub fn linear(&self, passage: &[u32]) -> Result<Vec<LinearPass>> {
        let (inputs, targets) =
            (&passage[..passage.len().saturating_sub(1)], passage.get(1..).unwrap_or(&[]));
        let (logits, taps) = self.net.tapped(inputs)?;
        let op = CrossEntropy { targets: targets.to_vec(), derivative: Mutex::new(Vec::new()) };
        // The sum over positions in place of their mean.
        let mut grads = (logits.apply_op1(op)? * targets.len() as f64)?.backward()?;
        taps.iter()
            .map(|tap| {
                let errors = match grads.remove(tap.probe.as_tensor()) {
                    Some(errors) => errors,
                    None => tap.probe.zeros_like()?,
                };
                Ok(LinearPass {
                    width: tap.input.dim(1)?,
                    outputs: errors.dim(1)?,
                    inputs: tap.input.flatten_all()?.to_vec1::<f32>()?,
                    errors: errors.flatten_all()?.to_vec1::<f32>()?,
                })
            })
            .collect()
    }

    /// The weights as a safetensors file.
    ///
    /// # Errors
    /// `E-MODEL-004` when they cannot be written.
    pub fn weights(&self) -> Result<Vec<u8>> {
        let tensors: BTreeMap<_, _> =
            self.params.0.iter().map(|p| (p.name.clone(), (p.shape.clone(), p.values.clone()))).collect();
        weights_bytes(&tensors, HashMap::from([("format".to_string(), "pt".to_string())]))
    }

    /// Numbers in a hidden vector.
    pub fn width(&self) -> usize {
        self.config.hidden_size
    }

    /// The model after one step of plain gradient descent: `rate` times the mean of `gradients`, each as
    /// [`Retrained::gradient`] gives it, taken from all parameters. None of them changes nothing.
    ///
    /// # Errors
    /// When a gradient is not of this model's shape.
    pub fn stepped(&self, gradients: &[&[f32]], rate: f32) -> Result<Self> {
        let size: usize = self.params.0.iter().map(|param| param.values.len()).sum();
        if let Some(other) = gradients.iter().find(|gradient| gradient.len() != size) {
            return Err(Error::new(
                "E-TRAIN-001",
                format!("a gradient of {} numbers is not one of a model of {size} parameters", other.len()),
                "Give gradients of this model.",
            ));
        }
        let part = rate / gradients.len().max(1) as f32;
        let (mut params, mut at) = (Vec::with_capacity(self.params.0.len()), 0);
        for param in &self.params.0 {
            let mut values = param.values.clone();
            for gradient in gradients {
                let own = &gradient[at..at + values.len()];
                values.iter_mut().zip(own).for_each(|(value, slope)| *value -= part * slope);
            }
            at += values.len();
            params.push(Param::new(param.name.clone(), param.shape.clone(), values)?);
        }
        let params = Params(params);
        let net = Net::new(&self.config, |name| params.tensor(name))?;
        Ok(Retrained { params, net: Arc::new(net), config: self.config.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trained() -> (Experiment, Retrained) {
        let recipe = Recipe { steps: Some(3), ..Recipe::tiny() };
        let texts: Vec<String> = (0..4)
            .map(|n| (0..120).map(|i| format!("word{} ", (i * 7 + n * 13) % 50)).collect::<String>())
            .collect();
        let experiment = Experiment::new(&recipe, &texts).unwrap();
        let model = experiment.train(&[true; 4]).unwrap();
        (experiment, model)
    }

    #[test]
    fn a_step_down_a_passage_lowers_its_loss_and_one_up_raises_it() {
        let (experiment, model) = trained();
        let passage = &experiment.passages()[1];
        let (gradient, before) = (model.gradient(passage).unwrap(), model.loss(passage).unwrap());
        let after = |rate: f32| model.stepped(&[&gradient], rate).unwrap().loss(passage).unwrap();
        assert!(after(0.05) < before && after(-0.05) > before);
        assert_eq!(after(0.0), before);
        // Two equal gradients have the same mean; the model itself stays as it was.
        let twice = model.stepped(&[&gradient, &gradient], 0.05).unwrap().loss(passage).unwrap();
        assert!((twice - after(0.05)).abs() < 1e-5);
        assert_eq!(model.loss(passage).unwrap(), before);
        assert_eq!(model.stepped(&[&gradient[1..]], 0.05).err().unwrap().code, "E-TRAIN-001");
    }

    #[test]
    fn taps_give_the_derivative_by_the_weights() {
        let (experiment, model) = trained();
        let passage = &experiment.passages()[0];
        let whole = model.gradient(passage).unwrap();
        let taps = model.linear(passage).unwrap();
        let last = experiment.config().num_hidden_layers - 1;
        let names = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj"]
            .into_iter()
            .chain(["mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"]);
        let positions = (passage.len() - 1) as f64;
        let mut seen = 0;
        for (name, tap) in names.zip(&taps) {
            let name = format!("model.layers.{last}.{name}.weight");
            let (mut at, mut len) = (0, 0);
            for param in &model.params.0 {
                if param.name == name {
                    len = param.values.len();
                    break;
                }
                at += param.values.len();
            }
            let found = tap.gradient();
            assert_eq!(found.len(), len, "{name}");
            let size = found.iter().fold(0f64, |m, x| m.max(x.abs()));
            assert!(size > 0.0, "{name}");
            for (a, b) in found.iter().zip(&whole[at..at + len]) {
                assert!((a - f64::from(*b) * positions).abs() < 1e-3 * size, "{name}: {a} {b}");
            }
            seen += 1;
        }
        assert_eq!((seen, taps.len()), (7, 8));
    }
}

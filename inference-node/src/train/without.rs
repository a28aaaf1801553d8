//! A published model's own training, repeated from its receipt: whole, to see that it gives the weights that were
//! published, and without some contributions, to see what they change.
//!
//! The tokenizer, the first weights, every sequence and the learning rate stay as they were. What is left out keeps
//! its place in the sequences as ends of text from which nothing is learned ([`Corpus::leave_out`]), so that two
//! trainings differ by what the contributions teach and by nothing else.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use openledger_types::merkle::Hash;
use sha2::{Digest, Sha256};

use super::checkpoint::State;
use super::corpus::{documents_hash, Corpus, Document, END_OF_TEXT_ID};
use super::export::TrainingReceipt;
use super::optimizer::Params;
use super::recipe::{Plan, Recipe};
use super::retrain::Retrained;
use super::run::{step, Workers};
use crate::engine::files::{parse_weights, weights_bytes};
use crate::engine::import::root_of;
use crate::engine::net::Net;
use crate::engine::{Error, ModelConfig, Result, Tokenizer};

/// Most tokens of one training that is repeated: days on a large machine. A receipt can name any number.
const MOST_TOKENS: u64 = 1 << 34;

/// A training that can be repeated.
pub struct Rerun {
    recipe: Recipe,
    schedule: Vec<Plan>,
    steps: u64,
    corpus: Corpus,
    /// Names recipe, documents and tokenizer.
    inputs: Hash,
}

fn refuse(what: &str) -> Error {
    Error::new(
        "E-TRAIN-012",
        format!("this training cannot be repeated: {what}"),
        "Do not pay for this model: its receipt does not say how it was trained.",
    )
}

/// The recipe by which a finished run is repeated step by step.
fn repeated(receipt: &TrainingReceipt) -> Recipe {
    Recipe { schedule: receipt.schedule.clone(), ..receipt.recipe.clone() }
}

impl Rerun {
    /// Whether a receipt tells of a training that can be repeated with `memory` bytes, for a model that is published
    /// with this shape. Nothing is allocated by the receipt's figures.
    ///
    /// # Errors
    /// `E-TRAIN-012` when the recipe makes no such model, or its figures contradict each other; `E-TRAIN-001` for a recipe
    /// that cannot be trained; `E-TRAIN-014` for an adapter; `E-TRAIN-017` for more memory or tokens than there may be.
    pub fn check(receipt: &TrainingReceipt, published: &ModelConfig, memory: u64) -> Result<()> {
        if receipt.base_weights_root.is_some() {
            return Err(Error::new(
                "E-TRAIN-014",
                "the training of an adapter is not repeated",
                "Audit the base that it was trained on; of the adapter, check the answers (`openledger verify`).",
            ));
        }
        if receipt.recipe.adapter.is_some() {
            return Err(refuse("its recipe has an adapter, and the receipt no base"));
        }
        if receipt.steps == 0 || receipt.schedule.last().is_none_or(|plan| plan.total != receipt.steps) {
            return Err(refuse("its schedule does not end with its steps"));
        }
        let recipe = repeated(receipt);
        if recipe.config(END_OF_TEXT_ID) != *published {
            return Err(refuse("its recipe makes a model of another shape than the one published"));
        }
        recipe.validate()?;
        let step = (recipe.batch as u64).saturating_mul(recipe.context as u64);
        let tokens = step.saturating_mul(receipt.steps);
        if tokens != receipt.tokens_seen {
            return Err(refuse("its steps are not those of the tokens that it says it saw"));
        }
        let large = |what: String| {
            let advice = "Audit it on a larger machine, with --memory of what that has; answers can be checked anyway \
                 (`openledger verify`).";
            Err(Error::new(
                "E-TRAIN-017",
                format!("this training is too large to be repeated: {what}"),
                advice,
            ))
        };
        if recipe.step_bytes() > memory {
            let mib = |bytes: u64| bytes.div_ceil(1 << 20);
            return large(format!("a step may need {} MiB of {}", mib(recipe.step_bytes()), mib(memory)));
        }
        if tokens > MOST_TOKENS {
            return large(format!("{tokens} tokens are more than {MOST_TOKENS}"));
        }
        Ok(())
    }

    /// The training that a receipt tells of, over the documents that it says, in their order, for a model that is
    /// published with this shape, by steps of at most `memory` bytes.
    ///
    /// # Errors
    /// Those of [`Rerun::check`], and `E-TRAIN-012` when documents or tokenizer are not the receipt's.
    pub fn new(
        receipt: &TrainingReceipt,
        published: &ModelConfig,
        tokenizer: &[u8],
        documents: &[Document],
        memory: u64,
    ) -> Result<Self> {
        Self::check(receipt, published, memory)?;
        let hash = documents_hash(documents);
        let tokenizer_hash = Hash::from(Sha256::digest(tokenizer));
        if receipt.documents_hash.as_slice() != hash {
            return Err(refuse("its documents are not those of the sealed versions without their copies"));
        }
        if receipt.tokenizer_hash.as_slice() != tokenizer_hash {
            return Err(refuse("its tokenizer is not the model's"));
        }
        let recipe = repeated(receipt);
        let corpus = Corpus::new(&recipe, &Tokenizer::parse(tokenizer, recipe.vocab)?, documents)?;
        let mut hasher = Sha256::new();
        hasher.update(format!("rerun/1 {:?}", Recipe { checkpoint_seconds: 0, ..recipe.clone() }));
        hasher.update(hash);
        hasher.update(tokenizer_hash);
        let (schedule, steps) = (receipt.schedule.clone(), receipt.steps);
        Ok(Rerun { recipe, schedule, steps, corpus, inputs: hasher.finalize().into() })
    }

    /// Steps of one training.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Names a training: equal names give equal weights on the same kind of processor.
    pub fn fingerprint(&self, without: &BTreeSet<u64>) -> String {
        let mut hasher = Sha256::new();
        hasher.update(self.inputs);
        without.iter().for_each(|contribution| hasher.update(contribution.to_be_bytes()));
        hex::encode(hasher.finalize())
    }

    /// Trains without these contributions; `progress` is told the steps done. `cancel` is looked at after every step.
    ///
    /// # Errors
    /// `E-TRAIN-004` when it diverges, `-007` when it was cancelled.
    pub fn train(
        &self,
        without: &BTreeSet<u64>,
        progress: &mut dyn FnMut(u64),
        cancel: &AtomicBool,
    ) -> Result<Retrained> {
        let mut corpus = self.corpus.clone();
        corpus.leave_out(without);
        let config = self.recipe.config(END_OF_TEXT_ID);
        let mut params = Params::init(&config, self.recipe.seed)?;
        // The network reads the parameters' own tensors, which are written in place.
        let net = Arc::new(Net::new(&config, |name| params.tensor(name))?);
        let network = |_: &Params| -> Result<Arc<Net>> { Ok(net.clone()) };
        let workers = Workers::new(self.recipe.shards)?;
        let mut state = State { schedule: self.schedule.clone(), ..State::default() };
        while state.step < self.steps {
            step(&self.recipe, &mut corpus, &network, &mut params, &mut state, &workers)?;
            progress(state.step);
            if cancel.load(Ordering::Relaxed) {
                return Err(Error::new(
                    "E-TRAIN-007",
                    format!("training was stopped after {} steps", state.step),
                    "Run the same command again: trainings that were finished are kept.",
                )
                .retryable());
            }
        }
        Ok(Retrained { params, net, config })
    }

    /// The weights root that a manifest of the model would state.
    ///
    /// # Errors
    /// `E-MODEL-004` when the weights cannot be quantised.
    pub fn weights_root(&self, model: &Retrained) -> Result<Hash> {
        let config = self.recipe.config(END_OF_TEXT_ID);
        let tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)> =
            model.params.0.iter().map(|p| (p.name.clone(), (p.shape.clone(), p.values.clone()))).collect();
        let bytes = weights_bytes(&tensors, HashMap::new())?;
        root_of(self.recipe.numeric_class, &config, &parse_weights(&bytes, &config)?)
    }
}

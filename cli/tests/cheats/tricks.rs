//! Ways to answer cheaply, each as an answerer that says in everything else what an honest node says.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{ensure, Context as _, Result};
use openledger_node::attribution::Asked;
use openledger_node::dispute::Computation;
use openledger_node::engine::{
    commit_root, import, GenRequest, Generation, Model, CONFIG_FILE, EXACT_COMMIT_SCHEME, TOKENIZER_FILE,
    WEIGHTS_FILE,
};
use openledger_node::fault::Result as NodeResult;
use openledger_node::request;
use openledger_node::serve::{Answerer, Loaded, Traced};
use openledger_types::api::AnswerBundle;
use openledger_types::formats::{hidden_digest, Decoding, NumericClass, WINDOW};
use openledger_types::merkle::Hash;

/// A way to answer cheaply, or to bill more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trick {
    /// The last layer adds nothing: a model of one layer less.
    Smaller,
    /// Weights of about four bits.
    FewerBits,
    /// Another state of the weights: the first layer's queries are 2 % larger.
    OtherWeights,
    /// The prompt without its second token.
    CutPrompt,
    /// Temperature 0.9 instead of what was asked.
    Warmer,
    /// A seed of the node's choice.
    OtherSeed,
    /// Tokens of the weights of four bits under commitments of the true ones.
    Spoofed,
    /// A third of the tokens, billed as all of them by repeating the last one, which the text does not show.
    Padded,
    /// Two tokens, said to be the whole answer, for the least fee.
    CutShort,
}

impl Trick {
    /// Its number in the threat model, and its name.
    pub fn name(self) -> (u8, &'static str) {
        match self {
            Trick::Smaller => (1, "a model of one layer less"),
            Trick::FewerBits => (2, "weights of about 4 bits"),
            Trick::OtherWeights => (3, "one matrix by 2 %"),
            Trick::CutPrompt => (4, "a prompt without its second token"),
            Trick::OtherSeed => (6, "a seed of the node's choice"),
            Trick::Warmer => (5, "temperature 0.9 for 0.7"),
            Trick::Spoofed => (7, "4-bit tokens under true commitments"),
            Trick::Padded => (8, "tokens billed that the answer does not show"),
            Trick::CutShort => (8, "an answer ended after two tokens"),
        }
    }
}

/// Answers each new request by the next of its tricks.
pub struct Tricky {
    tricks: Vec<Trick>,
    /// The model as it is on record.
    right: Model,
    smaller: Model,
    coarse: Model,
    other: Model,
    honest: Arc<Loaded>,
    /// Requests in the order in which they came.
    seen: Mutex<Vec<Hash>>,
}

impl Tricky {
    /// The tricks on the model in `folder`, whose copies are put together in `scratch`.
    pub fn new(folder: &Path, scratch: &Path, tricks: &[Trick], honest: Arc<Loaded>) -> Result<Self> {
        let right = Model::load(folder)?;
        let last = format!("layers.{}.", right.config().num_hidden_layers.saturating_sub(1));
        let copy =
            |name: &str, change: &dyn Fn(&str, f32) -> f32| altered(folder, &scratch.join(name), change);
        let smaller = copy("smaller", &|name, value| match name.contains(&last) {
            true if name.contains("o_proj") || name.contains("down_proj") => 0.0,
            _ => value,
        })?;
        let coarse = copy("coarse", &|name, value| match name.contains("norm") {
            true => value,
            false => (value * 28.0).round() / 28.0,
        })?;
        let other = copy("other", &|name, value| match name.contains("layers.0.self_attn.q_proj") {
            true if value > 0.0 => value * 1.02,
            _ => value,
        })?;
        for (name, model) in [("smaller", &smaller), ("coarse", &coarse), ("other", &other)] {
            let altered = model.manifest().weights_root != right.manifest().weights_root;
            ensure!(altered, "nothing of the weights was altered: {name}");
        }
        let (tricks, seen) = (tricks.to_vec(), Mutex::default());
        Ok(Tricky { tricks, right, smaller, coarse, other, honest, seen })
    }

    /// The trick that a request is answered by.
    fn trick(&self, request: &Hash) -> Trick {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let at = seen.iter().position(|known| known == request).unwrap_or_else(|| {
            seen.push(*request);
            seen.len() - 1
        });
        self.tricks[at % self.tricks.len()]
    }

    fn model(&self, trick: Trick) -> &Model {
        match trick {
            Trick::Smaller => &self.smaller,
            Trick::FewerBits | Trick::Spoofed => &self.coarse,
            Trick::OtherWeights => &self.other,
            Trick::CutPrompt | Trick::Warmer | Trick::OtherSeed | Trick::Padded | Trick::CutShort => {
                &self.right
            }
        }
    }

    /// Commits to what an honest pass over the tokens of an answer commits to.
    fn commit(&self, request: &GenRequest, answer: &mut Generation) -> NodeResult<()> {
        let mut text = request.prompt_tokens.clone();
        text.extend(answer.tokens.iter().take(answer.tokens.len().saturating_sub(1)));
        let mut rows = Vec::new();
        let from = request.prompt_tokens.len() - 1;
        self.right.teacher_forced(&text, from, &mut |at| rows.push(at.hidden.to_vec()))?;
        answer.trace = rows.chunks(WINDOW).flat_map(|window| hidden_digest(&window.concat())).collect();
        let root = commit_root(EXACT_COMMIT_SCHEME, &request.request_hash, &answer.tokens, &answer.trace);
        answer.commit_root = root.unwrap_or_default();
        Ok(())
    }
}

impl Answerer for Tricky {
    fn context(&self) -> usize {
        self.honest.answerer.context()
    }
    fn read(&self, asked: &mut request::Asked) -> NodeResult<Vec<u32>> {
        self.honest.answerer.read(asked)
    }
    fn generate(
        &self,
        request: &GenRequest,
        deliver: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> NodeResult<Generation> {
        let trick = self.trick(&request.request_hash);
        let all = request.decoding.max_tokens;
        let decoding = match trick {
            Trick::Warmer => Decoding { temperature_milli: 900, ..request.decoding },
            Trick::Padded => Decoding { max_tokens: (all / 3).max(1), ..request.decoding },
            Trick::CutShort => Decoding { max_tokens: 2.min(all), ..request.decoding },
            _ => request.decoding,
        };
        let mut bent = GenRequest { decoding, ..request.clone() };
        match trick {
            Trick::CutPrompt if bent.prompt_tokens.len() > 2 => drop(bent.prompt_tokens.remove(1)),
            Trick::OtherSeed => bent.seed[0] ^= 1,
            _ => {}
        }
        let mut answer = self.model(trick).generate(&bent, deliver)?;
        if trick == Trick::Padded {
            let last = answer.tokens.last().copied().unwrap_or_default();
            while answer.tokens.len() < all as usize {
                answer.tokens.push(last);
                let _ = deliver("");
            }
        }
        if matches!(trick, Trick::Padded | Trick::Spoofed) {
            self.commit(request, &mut answer)?;
        }
        Ok(answer)
    }
    fn trace(&self, asked: &Asked, seed: &Hash, barred: &BTreeSet<u64>) -> NodeResult<Traced> {
        self.honest.answerer.trace(asked, seed, barred)
    }
    fn cites(&self, bundle: &AnswerBundle, barred: &BTreeSet<u64>) -> Vec<u64> {
        self.honest.answerer.cites(bundle, barred)
    }
    fn replay(&self, bundle: &AnswerBundle, barred: &BTreeSet<u64>) -> Vec<String> {
        self.honest.answerer.replay(bundle, barred)
    }
    fn computation(&self, bundle: &AnswerBundle) -> NodeResult<Computation> {
        let request = Hash::try_from(bundle.receipt.receipt.request_hash.as_slice()).unwrap_or_default();
        Computation::new(self.model(self.trick(&request)), bundle)
    }
    fn follows(&self, bundle: &AnswerBundle) -> Option<bool> {
        self.honest.answerer.follows(bundle)
    }
}

/// The model in `folder` with every value of its weights changed, written to and loaded from `out`.
fn altered(folder: &Path, out: &Path, change: &dyn Fn(&str, f32) -> f32) -> Result<Model> {
    let source = out.join("source");
    std::fs::create_dir_all(&source)?;
    for name in [CONFIG_FILE, TOKENIZER_FILE] {
        std::fs::copy(folder.join(name), source.join(name))?;
    }
    let mut bytes = std::fs::read(folder.join(WEIGHTS_FILE))?;
    let (length, rest) = bytes.split_first_chunk_mut::<8>().context("the weights are cut short")?;
    let (header, data) = rest.split_at_mut(usize::try_from(u64::from_le_bytes(*length))?);
    let header: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(header)?;
    for (name, tensor) in header.iter().filter(|(name, _)| *name != "__metadata__") {
        let at = |i: usize| tensor["data_offsets"][i].as_u64().and_then(|at| usize::try_from(at).ok());
        let range = at(0).zip(at(1)).with_context(|| format!("{name} has no place"))?;
        ensure!(tensor["dtype"] == "F32", "{name} is not of f32");
        for value in data[range.0..range.1].chunks_exact_mut(4) {
            let exact = f32::from_le_bytes(value.try_into()?);
            value.copy_from_slice(&change(name, exact).to_le_bytes());
        }
    }
    std::fs::write(source.join(WEIGHTS_FILE), bytes)?;
    import(&source, out, "altered", NumericClass::Exact)?;
    Ok(Model::load(out)?)
}

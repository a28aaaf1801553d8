//! The ground truth of influence: trainings that leave documents out, and the loss on every question after
//! each. Every training is kept under the hash of its recipe, so an interrupted run goes on where it was.

use anyhow::{Context, Result};
use openledger_attribution::calibration::Outcome;
use openledger_node::train::{Experiment, Recipe, Retrained};

use super::corpus::{generated, plays, Doc, Numbers};
use super::questions::{questions, Kind};
use super::Settings;

/// Sizes of a run.
pub struct Size {
    pub contributors: usize,
    pub each: usize,
    pub queries: usize,
    pub subsets: usize,
    /// Questions by which weights of layers are fitted, beside those on which they are judged.
    pub calibration: usize,
    pub recipe: Recipe,
}

impl Size {
    pub fn of(settings: &Settings) -> Self {
        let recipe = Recipe {
            name: "attribution".into(),
            vocab: 512,
            dim: 64,
            layers: 2,
            heads: 2,
            ffn: 128,
            context: 64,
            batch: 16,
            shards: 1,
            seconds: None,
            learning_rate: 3e-3,
            warmup: 20,
            ..Recipe::default()
        };
        match settings.quick {
            true => Size {
                contributors: 12,
                each: 10,
                queries: 36,
                subsets: 24,
                calibration: 12,
                recipe: Recipe { vocab: 384, dim: 32, ffn: 64, steps: Some(120), ..recipe },
            },
            false => Size {
                contributors: 24,
                each: 16,
                queries: 72,
                subsets: 100,
                calibration: 24,
                // As many steps, and each document as often, as at small sizes. Five times as many steps of 16 lower the
                // held-out loss further, but what a document does to an answer then drowns in the noise of training:
                // no method has an LDS above 0.25 (docs/attribution.md).
                recipe: Recipe { steps: Some(120), batch: 48, ..recipe },
            },
        }
    }
}

/// One corpus with a model trained on it from one seed, and all that was found by training again.
pub struct World {
    /// Name of the corpus, and of seeds after the first their number: `generated`, `generated_2`.
    pub name: String,
    /// Name of the corpus.
    pub corpus: &'static str,
    pub docs: Vec<Doc>,
    pub experiment: Experiment,
    pub model: Retrained,
    /// What each question is.
    pub kinds: Vec<Kind>,
    /// The questions' tokens.
    pub queries: Vec<Vec<u32>>,
    /// How many of them, from the first, weights are fitted by.
    pub calibration: usize,
    /// Half of the documents left out; of seeds after the first none.
    pub half: Vec<Outcome>,
    /// By further seed, the same halves left out and the losses on the same questions; of [`averaged`] worlds alone.
    pub half_again: Vec<Vec<Outcome>>,
    /// A tenth left out; of further seeds the first of the same subsets.
    pub tenth: Vec<Outcome>,
    /// Each contributor left out.
    pub without: Vec<Outcome>,
    /// Nothing left out.
    pub whole: Outcome,
}

impl World {
    /// By contributor, how much higher the loss on question `number` is without each; nats a token.
    pub fn harm(&self, number: usize) -> Vec<f64> {
        self.without.iter().map(|outcome| outcome.losses[number] - self.whole.losses[number]).collect()
    }

    /// The halves with the mean loss of all seeds that trained without them: what a document does whatever the first
    /// weights and the order are.
    pub fn half_mean(&self) -> Vec<Outcome> {
        let seeds = self.half_again.len() as f64 + 1.0;
        let mut means = self.half.clone();
        for (number, outcome) in means.iter_mut().enumerate() {
            for (question, loss) in outcome.losses.iter_mut().enumerate() {
                let others: f64 = self.half_again.iter().map(|seed| seed[number].losses[question]).sum();
                *loss = (*loss + others) / seeds;
            }
        }
        means
    }
}

/// Seeds of the models beside the recipe's own: other first weights, another order of the passages.
const SEEDS: [u64; 2] = [2_001, 2_002];
/// The seeds from which the halves of [`averaged`] worlds are trained beside the recipe's own.
const AVERAGED: std::ops::Range<u64> = 3_001..3_005;

/// A corpus cut into what is trained on and what is asked.
struct Given {
    corpus: &'static str,
    docs: Vec<Doc>,
    /// Held-out documents, each with the turn in which its contributor is asked.
    asked: Vec<(usize, Doc)>,
    experiment: Experiment,
}

/// A generated corpus, and one of plays where a file of them is given.
fn given(settings: &Settings, size: &Size) -> Result<Vec<Given>> {
    let held = size.queries.div_ceil(size.contributors);
    let mut corpora = vec![("generated", generated(size.contributors, size.each + held, 6, 41))];
    if let Some(path) = &settings.plays {
        let text = std::fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
        corpora.push(("plays", plays(&text, size.contributors, size.each + held)?));
    }
    let group = size.each + held;
    // The last of each contributor are held out.
    let place = |i: usize| (i % group).checked_sub(size.each);
    corpora
        .into_iter()
        .filter(|(corpus, _)| settings.corpus.as_ref().is_none_or(|only| only == corpus))
        .map(|(corpus, all)| {
            let docs: Vec<Doc> =
                (0..all.len()).filter(|i| place(*i).is_none()).map(|i| all[i].clone()).collect();
            let mut asked: Vec<(usize, Doc)> =
                (0..all.len()).filter_map(|i| Some((place(i)?, all[i].clone()))).collect();
            asked.sort_by_key(|(turn, doc)| (*turn, doc.contributor));
            asked.truncate(size.queries);
            let texts: Vec<String> = docs.iter().map(|d| d.text.clone()).collect();
            let experiment = Experiment::new(&size.recipe, &texts)?;
            Ok(Given { corpus, docs, asked, experiment })
        })
        .collect()
}

/// The worlds of a run, seeds of one corpus side by side.
///
/// # Errors
/// When a training fails or the disk is full.
pub fn worlds(settings: &Settings) -> Result<Vec<World>> {
    let size = Size::of(settings);
    let mut worlds = Vec::new();
    for given in given(settings, &size)? {
        let mut first = World::new(&size, &given, size.recipe.seed, given.corpus.into())?;
        // A tenth first: where a run is stopped, the scarcer figures are there.
        first.tenth = first.without_a_tenth(settings, size.subsets)?;
        first.half = first.without_a_half(settings, size.subsets)?;
        first.without = first.without_each(settings, size.contributors)?;
        worlds.push(first);
        for (number, seed) in (2..).zip(SEEDS).filter(|_| !settings.quick) {
            let mut further = World::new(&size, &given, seed, format!("{}_{number}", given.corpus))?;
            // Half as many: their questions add up with those of the first.
            further.tenth = further.without_a_tenth(settings, size.subsets / 2)?;
            further.without = further.without_each(settings, size.contributors)?;
            worlds.push(further);
        }
    }
    Ok(worlds)
}

/// The first world of each corpus, with halves that further seeds trained as well and nothing else left out.
///
/// # Errors
/// When a training fails or the disk is full.
pub fn averaged(settings: &Settings) -> Result<Vec<World>> {
    let size = Size::of(settings);
    let mut worlds = Vec::new();
    for given in given(settings, &size)? {
        let mut world = World::new(&size, &given, size.recipe.seed, given.corpus.into())?;
        // Half as many as with one seed: what a subset adds to the mean over questions is little beside what a seed does.
        world.half = world.without_a_half(settings, size.subsets / 2)?;
        for seed in AVERAGED {
            let experiment = given.experiment.with_seed(seed);
            let again = |half: &Outcome| ground(settings, &experiment, &world.queries, half.keep.clone());
            let trained = world.half.iter().map(again).collect::<Result<_>>()?;
            world.half_again.push(trained);
        }
        worlds.push(world);
    }
    Ok(worlds)
}

impl World {
    /// The model and its questions; nothing is trained without anything yet.
    fn new(size: &Size, given: &Given, seed: u64, name: String) -> Result<Self> {
        let experiment = given.experiment.with_seed(seed);
        let model = experiment.train(&vec![true; given.docs.len()])?;
        let (kinds, queries): (Vec<Kind>, Vec<Vec<u32>>) =
            questions(&experiment, &model, &given.asked)?.into_iter().unzip();
        let losses =
            queries.iter().map(|query| Ok(f64::from(model.loss(query)?))).collect::<Result<Vec<_>>>()?;
        Ok(World {
            name,
            corpus: given.corpus,
            docs: given.docs.clone(),
            experiment,
            whole: Outcome { keep: vec![true; given.docs.len()], losses },
            model,
            kinds,
            queries,
            calibration: size.calibration,
            half: Vec::new(),
            half_again: Vec::new(),
            tenth: Vec::new(),
            without: Vec::new(),
        })
    }

    fn drawn(&self, settings: &Settings, out: usize, subsets: usize, seed: u64) -> Result<Vec<Outcome>> {
        let mut numbers = Numbers(seed);
        let count = self.docs.len();
        (0..subsets)
            .map(|_| ground(settings, &self.experiment, &self.queries, subset(count, out, &mut numbers)))
            .collect()
    }

    fn without_a_half(&self, settings: &Settings, subsets: usize) -> Result<Vec<Outcome>> {
        self.drawn(settings, self.docs.len() / 2, subsets, 2)
    }

    fn without_a_tenth(&self, settings: &Settings, subsets: usize) -> Result<Vec<Outcome>> {
        self.drawn(settings, self.docs.len() / 10, subsets, 3)
    }

    fn without_each(&self, settings: &Settings, contributors: usize) -> Result<Vec<Outcome>> {
        (0..contributors)
            .map(|c| {
                let keep = self.docs.iter().map(|doc| doc.contributor != c).collect();
                ground(settings, &self.experiment, &self.queries, keep)
            })
            .collect()
    }
}

/// All but exactly `out` of `count`: with subsets of different sizes a rank correlation would measure who
/// guesses the size.
fn subset(count: usize, out: usize, numbers: &mut Numbers) -> Vec<bool> {
    let mut order: Vec<usize> = (0..count).collect();
    for i in (1..count).rev() {
        order.swap(i, numbers.below(i as u64 + 1) as usize);
    }
    let mut keep = vec![true; count];
    order.iter().take(out).for_each(|i| keep[*i] = false);
    keep
}

/// The losses on all questions after training on what is kept, from the cache where they lie in it.
fn ground(
    settings: &Settings,
    experiment: &Experiment,
    queries: &[Vec<u32>],
    keep: Vec<bool>,
) -> Result<Outcome> {
    let path = settings.cache.join(format!("{}.json", experiment.asked(&keep, queries)));
    if let Some(losses) = std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
        return Ok(Outcome { keep, losses });
    }
    let model = experiment.train(&keep)?;
    let losses: Vec<f64> = queries.iter().map(|q| Ok(f64::from(model.loss(q)?))).collect::<Result<_>>()?;
    let part = path.with_extension("part");
    std::fs::write(&part, serde_json::to_vec(&losses)?)?;
    std::fs::rename(&part, &path).with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(Outcome { keep, losses })
}

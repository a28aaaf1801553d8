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
}

/// Seeds of the models beside the recipe's own: other first weights, another order of the passages.
const SEEDS: [u64; 2] = [2_001, 2_002];

/// The worlds of a run, seeds of one corpus side by side: a generated corpus, and one of plays where a file of them
/// is given.
///
/// # Errors
/// When a training fails or the disk is full.
pub fn worlds(settings: &Settings) -> Result<Vec<World>> {
    let size = Size::of(settings);
    let held = size.queries.div_ceil(size.contributors);
    let mut corpora = vec![("generated", generated(size.contributors, size.each + held, 6, 41))];
    if let Some(path) = &settings.plays {
        let text = std::fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
        corpora.push(("plays", plays(&text, size.contributors, size.each + held)?));
    }
    let mut worlds = Vec::new();
    for (corpus, all) in corpora.into_iter().filter(|(c, _)| settings.corpus.as_ref().is_none_or(|o| o == c))
    {
        let group = size.each + held;
        // The last of each contributor are held out, one of each in turn.
        let place = |i: usize| (i % group).checked_sub(size.each);
        let docs: Vec<Doc> = (0..all.len()).filter(|i| place(*i).is_none()).map(|i| all[i].clone()).collect();
        let mut asked: Vec<(usize, &Doc)> =
            (0..all.len()).filter_map(|i| place(i).map(|turn| (turn, &all[i]))).collect();
        asked.sort_by_key(|(turn, doc)| (*turn, doc.contributor));
        asked.truncate(size.queries);
        let texts: Vec<String> = docs.iter().map(|d| d.text.clone()).collect();
        let experiment = Experiment::new(&size.recipe, &texts)?;
        worlds.push(world(
            settings,
            &size,
            corpus,
            &docs,
            &asked,
            experiment.with_seed(size.recipe.seed),
            None,
        )?);
        for (number, seed) in (2..).zip(SEEDS).filter(|_| !settings.quick) {
            let experiment = experiment.with_seed(seed);
            worlds.push(world(settings, &size, corpus, &docs, &asked, experiment, Some(number))?);
        }
    }
    Ok(worlds)
}

fn world(
    settings: &Settings,
    size: &Size,
    corpus: &'static str,
    docs: &[Doc],
    asked: &[(usize, &Doc)],
    experiment: Experiment,
    further: Option<u32>,
) -> Result<World> {
    let all = vec![true; docs.len()];
    let model = experiment.train(&all)?;
    let (kinds, queries): (Vec<Kind>, Vec<Vec<u32>>) =
        questions(&experiment, &model, asked)?.into_iter().unzip();
    // Of further seeds half as many: their questions add up with those of the first.
    let subsets = if further.is_none() { size.subsets } else { size.subsets / 2 };
    let run = |keep: Vec<bool>| ground(settings, &experiment, &queries, keep);
    let drawn = |out: usize, seed: u64| -> Result<Vec<Outcome>> {
        let mut numbers = Numbers(seed);
        (0..subsets).map(|_| run(subset(docs.len(), out, &mut numbers))).collect()
    };
    // A tenth first: where a run is stopped, the scarcer figures are there.
    let tenth = drawn(docs.len() / 10, 3)?;
    let half = if further.is_none() { drawn(docs.len() / 2, 2)? } else { Vec::new() };
    let without = (0..size.contributors)
        .map(|c| run(docs.iter().map(|d| d.contributor != c).collect()))
        .collect::<Result<_>>()?;
    let whole = run(all)?;
    Ok(World {
        name: further.map_or(corpus.into(), |number| format!("{corpus}_{number}")),
        corpus,
        docs: docs.to_vec(),
        experiment,
        model,
        kinds,
        queries,
        calibration: size.calibration,
        half,
        tenth,
        without,
        whole,
    })
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

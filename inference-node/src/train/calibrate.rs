//! Weights of a model's layers from what its own data does: small trainings that leave documents out, questions
//! that none of them saw, and the weights whose mix agrees best with what happened (LDS).
//!
//! The trained model itself cannot be trained again a hundred times, so one of its shape stands for it, trained on
//! one passage a document for a few passes. Half of the questions fit, the other half judges; weights that do not
//! beat the default there are not taken. Each training is kept under its recipe's hash, so a calibration that was
//! stopped goes on where it was.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use openledger_attribution::calibration::{fit, mean_lds, mixed, parts, Outcome, Scores};
use openledger_attribution::influence::{
    Agreement, Builder, Factors, Logra, Pass, Passage, Raw, RowMethod, READOUT,
};
use openledger_attribution::{Document, Index, Weights, GROUNDED_WORDS};
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::bits::Bits;
use super::recipe::Recipe;
use super::retrain::{Experiment, Retrained};
use crate::attribution::{build, Positions, Readout, Source};
use crate::engine::files::write_atomic;
use crate::engine::{Error, Result};

/// Name of the report in a model's folder.
pub const CALIBRATION_FILE: &str = "calibration.json";
/// Most documents of the trainings; of more a sample is drawn.
const MOST_DOCUMENTS: usize = 400;
/// Least documents, and least trainings of each kind: below, a rank correlation says nothing.
const LEAST: usize = 8;
/// Passes of a training over its documents.
const PASSES: u64 = 8;
/// Sum of the weights that are tried, and the least of vocabulary and of phrases: without vocabulary answers would
/// not be held against what chance finds, without phrases a copy would not be paid.
const TOTAL: u32 = 20;
const LEAST_WEIGHT: u32 = 1;

/// How weights came about; a file of the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Version of this document: 1.
    pub format: u32,
    /// Documents trained on.
    pub documents: usize,
    /// Questions by which weights were fitted.
    pub fitted_on: usize,
    /// Questions on which figures are judged.
    pub judged_on: usize,
    /// Trainings without a half of the documents, and as many without a tenth.
    pub trainings: usize,
    /// Steps of each.
    pub steps: u64,
    /// Method of the influence layer: the only one that nodes serve.
    pub method: String,
    /// Weights of influence, vocabulary and phrases that the manifest states.
    pub weights: [u32; 3],
    /// Weights that the questions for fitting chose.
    pub fitted: [u32; 3],
    /// Mean LDS on the questions that judge, by what was scored: the methods of influence by their schemes, the
    /// other layers, the default weights (`default`), the fitted ones (`fitted`).
    pub lds: BTreeMap<String, f64>,
}

impl Calibration {
    /// The weights that the manifest states.
    pub fn weights(&self) -> Weights {
        let [influence, lexical, span] = self.weights;
        Weights { influence, lexical, span }
    }
}

/// What is trained and asked.
#[derive(Clone, Copy, Debug)]
pub struct Calibrate<'a> {
    /// Shape and rates of the model that the weights are for.
    pub recipe: &'a Recipe,
    /// Its documents; those shorter than its context are left out.
    pub sources: &'a [Source<'a>],
    /// Trainings without a half, and as many without a tenth.
    pub trainings: usize,
    /// Questions, taken from the documents and then not trained on.
    pub questions: usize,
    /// Folder of finished trainings.
    pub cache: &'a Path,
}

/// A model of an experiment, as attribution reads models.
struct Trial<'a> {
    experiment: &'a Experiment,
    model: &'a Retrained,
}

impl Readout for Trial<'_> {
    fn width(&self) -> usize {
        self.model.width()
    }

    fn vocabulary(&self) -> usize {
        self.experiment.vocabulary()
    }

    fn window(&self) -> usize {
        self.experiment.config().max_position_embeddings
    }

    fn document_tokens(&self, text: &str) -> Result<Vec<u32>> {
        self.experiment.encode(text)
    }

    fn start_token(&self) -> u32 {
        super::corpus::END_OF_TEXT_ID
    }

    fn agreement(&self) -> Agreement {
        Agreement::LastPlace
    }

    fn positions(&self, tokens: &[u32], from: usize) -> Result<Positions> {
        let mut found = self.model.read(tokens)?;
        found.hidden.drain(..(from * self.width()).min(found.hidden.len()));
        found.logits.drain(..(from * self.vocabulary()).min(found.logits.len()));
        Ok(found)
    }
}

/// Fits the weights; `progress` is told (done, all) trainings, and `cancel` ends between two of them.
///
/// # Errors
/// `E-TRAIN-016` where the data has too few documents of a context's length or too few trainings are asked for,
/// `E-TRAIN-013` when cancelled, and those of training and of the disk.
pub fn calibrate(
    asked: &Calibrate<'_>,
    progress: &dyn Fn(u64, u64),
    cancel: &AtomicBool,
) -> Result<Calibration> {
    let (experiment, queries) = experiment(asked)?;
    let count = experiment.passages().len();
    let half = drawn(count, count / 2, asked.trainings, 2);
    let tenth = drawn(count, (count / 10).max(1), asked.trainings, 3);
    let trainings = (half.len() + tenth.len()) as u64;
    let mut done = 0;
    let mut outcomes = |sets: Vec<Vec<bool>>| -> Result<Vec<Outcome>> {
        sets.into_iter()
            .map(|keep| {
                if cancel.load(Ordering::Relaxed) {
                    return Err(Error::new(
                        "E-TRAIN-013",
                        "the calibration was stopped",
                        "Start again: it goes on with the trainings that are left.",
                    ));
                }
                let outcome = outcome(asked.cache, &experiment, &queries, keep)?;
                done += 1;
                progress(done, trainings);
                Ok(outcome)
            })
            .collect()
    };
    let (half, tenth) = (outcomes(half)?, outcomes(tenth)?);
    let outcomes = [half.as_slice(), tenth.as_slice()];
    let model = experiment.train(&vec![true; count])?;
    let [influence, vocabulary, phrases] = layers(&experiment, &model, &queries)?;
    let fitted_on = queries.len() / 2;
    let all = [&influence, &vocabulary, &phrases];
    let (fitted, _) = fit(all, &outcomes, fitted_on, TOTAL, LEAST_WEIGHT);
    let judged = |scores: &Scores| mean_lds(scores, &outcomes, fitted_on, queries.len());
    let mut lds = BTreeMap::from([
        (READOUT.to_string(), judged(&influence)),
        ("vocabulary".to_string(), judged(&vocabulary)),
        ("phrases".to_string(), judged(&phrases)),
        ("default".to_string(), judged(&mixed(all, Weights::default()))),
        ("fitted".to_string(), judged(&mixed(all, fitted))),
    ]);
    for (scheme, scores) in alternatives(&experiment, &model, &queries)? {
        lds.insert(scheme.into(), judged(&scores));
    }
    let weights = if lds["fitted"] > lds["default"] { fitted } else { Weights::default() };
    let three = |w: Weights| [w.influence, w.lexical, w.span];
    Ok(Calibration {
        format: 1,
        documents: count,
        fitted_on,
        judged_on: queries.len() - fitted_on,
        trainings: asked.trainings,
        steps: steps(asked.recipe, count),
        method: READOUT.into(),
        weights: three(weights),
        fitted: three(fitted),
        lds,
    })
}

/// Steps of a training over so many documents.
fn steps(recipe: &Recipe, documents: usize) -> u64 {
    (PASSES * documents as u64).div_ceil(recipe.batch.max(1) as u64).max(1)
}

/// The experiment over the documents that are long enough, and the questions taken from among them.
fn experiment(asked: &Calibrate<'_>) -> Result<(Experiment, Vec<Vec<u32>>)> {
    let refuse = |what: String| {
        Error::new(
            "E-TRAIN-016",
            what,
            "Ask for at least 8 trainings and 8 questions, or train without a calibration: the default weights hold.",
        )
    };
    if asked.trainings < LEAST || asked.questions < LEAST {
        return Err(refuse(format!(
            "{} trainings and {} questions are too few",
            asked.trainings, asked.questions
        )));
    }
    // A byte is a token at least where nothing merges: what has fewer bytes than the context is too short for sure.
    let long = asked.sources.iter().filter(|s| s.text.len() > asked.recipe.context);
    let texts: Vec<&str> = long.map(|s| s.text).collect();
    let recipe = |documents: usize| Recipe {
        steps: Some(steps(asked.recipe, documents)),
        seconds: None,
        schedule: Vec::new(),
        shards: 1,
        warmup: asked.recipe.warmup.min(steps(asked.recipe, documents) / 10),
        ..asked.recipe.clone()
    };
    let most = (MOST_DOCUMENTS + asked.questions).min(texts.len());
    let wanted = evenly(&texts, most);
    // The tokenizer says which of them fill a context.
    let scout = Experiment::of_long(&recipe(wanted.len()), &wanted)?;
    let texts: Vec<&str> = scout.1.iter().map(|at| wanted[*at]).collect();
    if texts.len() < asked.questions + LEAST {
        return Err(refuse(format!(
            "{} documents of {} tokens are too few for {} questions",
            texts.len(),
            asked.recipe.context,
            asked.questions
        )));
    }
    let every = texts.len() / asked.questions;
    let is_question = |at: usize| at.is_multiple_of(every) && at / every < asked.questions;
    let (mut questions, mut documents) = (Vec::new(), Vec::new());
    for (at, text) in texts.into_iter().enumerate() {
        match is_question(at) {
            true => questions.push(text.to_string()),
            false => documents.push(text.to_string()),
        }
    }
    let experiment = scout.0.over(&recipe(documents.len()), &documents)?;
    let queries = questions.iter().map(|text| experiment.passage(text)).collect::<Result<_>>()?;
    Ok((experiment, queries))
}

/// So many of the items, at even distances.
fn evenly<'a>(items: &[&'a str], count: usize) -> Vec<&'a str> {
    (0..count).map(|i| items[i * items.len() / count]).collect()
}

/// `sets` subsets of `count` documents that leave exactly `out` of them out.
fn drawn(count: usize, out: usize, sets: usize, seed: u64) -> Vec<Vec<bool>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut set = || {
        let mut order: Vec<usize> = (0..count).collect();
        for i in (1..count).rev() {
            order.swap(i, (rng.next_u64() % (i as u64 + 1)) as usize);
        }
        let mut keep = vec![true; count];
        order.iter().take(out).for_each(|i| keep[*i] = false);
        keep
    };
    (0..sets).map(|_| set()).collect()
}

/// The losses after training on what is kept, from the cache where they lie in it.
fn outcome(cache: &Path, experiment: &Experiment, queries: &[Vec<u32>], keep: Vec<bool>) -> Result<Outcome> {
    let path: PathBuf = cache.join(format!("{}.json", experiment.asked(&keep, queries)));
    let kept = std::fs::read(&path).ok().and_then(|b| serde_json::from_slice::<Bits>(&b).ok());
    if let Some(Bits(losses)) = kept.filter(|losses| losses.0.len() == queries.len()) {
        return Ok(Outcome { keep, losses });
    }
    let model = experiment.train(&keep)?;
    let losses: Vec<f64> = queries.iter().map(|q| Ok(f64::from(model.loss(q)?))).collect::<Result<_>>()?;
    let disk = |what: String| {
        Error::new(
            "E-TRAIN-006",
            format!("{}: {what}", cache.display()),
            "Make room on the disk and start again.",
        )
    };
    std::fs::create_dir_all(cache).map_err(|e| disk(e.to_string()))?;
    let losses = Bits(losses);
    let bytes = serde_json::to_vec(&losses).map_err(|e| disk(e.to_string()))?;
    write_atomic(&path, &bytes)?;
    Ok(Outcome { keep, losses: losses.0 })
}

/// Scores of influence, vocabulary and phrases. In the two layers that share by contributor each document is one of
/// its own, and copies count for themselves.
fn layers(experiment: &Experiment, model: &Retrained, queries: &[Vec<u32>]) -> Result<[Scores; 3]> {
    let trial = Trial { experiment, model };
    let texts: Vec<String> = experiment.passages().iter().map(|p| experiment.decode(p)).collect();
    let sources: Vec<Source> =
        (1u64..).zip(&texts).map(|(contribution_id, text)| Source { contribution_id, text }).collect();
    let influence_index = build(&trial, &sources, &|_, _| {})?;
    let builder = Builder::of(&influence_index);
    let documents = (1u64..).zip(&texts).map(|(id, text)| Document {
        contribution_id: id,
        contributor: id.to_string(),
        priority: (id, 0),
        match_text: openledger_ingest::match_text(text),
    });
    let index = Index::build(documents.collect())
        .map_err(|e| Error::new("E-TRAIN-016", e.to_string(), "Train without a calibration."))?;
    let ids = 1..=texts.len() as u64;
    let [mut influence, mut vocabulary, mut phrases]: [Scores; 3] = Default::default();
    for query in queries {
        let found = model.positions(query)?;
        let labels = labels(query);
        let passage = Passage { hidden: &found.hidden, logits: &found.logits, labels: &labels };
        let by_id: BTreeMap<u64, i64> =
            influence_index.influence(&builder.signature(&passage)).documents.into_iter().collect();
        influence.push(ids.clone().map(|id| by_id.get(&id).map_or(0.0, |i| *i as f64)).collect());
        let trace = index.trace("", &experiment.decode(query), &[0; 32]);
        vocabulary.push(parts(&index.vocabulary(&trace), *ids.end()));
        phrases.push(parts(&trace.phrase_credits(GROUNDED_WORDS), *ids.end()));
    }
    Ok([influence, vocabulary, phrases])
}

fn labels(passage: &[u32]) -> Vec<Option<u32>> {
    passage.iter().skip(1).map(|token| Some(*token)).collect()
}

/// Scores of the methods of influence that nodes do not serve, by their schemes: products of rows, not rounded.
/// Passages are read again for each step, as what a head leaves behind has the size of the vocabulary.
fn alternatives(
    experiment: &Experiment,
    model: &Retrained,
    queries: &[Vec<u32>],
) -> Result<Vec<(&'static str, Scores)>> {
    let documents = experiment.passages();
    let Some(first) = documents.first() else { return Ok(Vec::new()) };
    let shapes: Vec<(usize, usize)> = model.linear(first)?.iter().map(|l| (l.width, l.outputs)).collect();
    let (mut factors, mut logra) = (Factors::new(&shapes, true), Logra::new(0, &shapes));
    for document in documents {
        let layers = model.linear(document)?;
        factors.add(&layers);
        logra.add(&layers);
    }
    let (mut ekfac, logra) = (factors.bases(), logra.whitened());
    for document in documents {
        ekfac.add(&model.linear(document)?);
    }
    let methods: [&dyn RowMethod; 2] = [&ekfac, &logra];
    let rows = |passages: &[Vec<u32>]| -> Result<Vec<[Raw; 2]>> {
        let of = |passage: &Vec<u32>| -> Result<[Raw; 2]> {
            let (layers, labels) = (model.linear(passage)?, labels(passage));
            let passage = Passage { hidden: &[], logits: &[], labels: &labels };
            Ok(methods.map(|method| method.rows(&Pass { passage, layers: &layers })))
        };
        passages.iter().map(of).collect()
    };
    let (documents, asked) = (rows(documents)?, rows(queries)?);
    let product = |a: &Raw, b: &Raw| -> f64 {
        let common = a.iter().filter_map(|(slot, row)| Some((row, b.get(slot)?)));
        common.map(|(x, y)| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>()).sum()
    };
    let scores = |number: usize| -> Scores {
        let with = |q: &[Raw; 2]| documents.iter().map(|d| product(&q[number], &d[number])).collect();
        asked.iter().map(with).collect()
    };
    Ok(vec![(methods[0].scheme(), scores(0)), (methods[1].scheme(), scores(1))])
}

#[cfg(test)]
mod tests {
    use openledger_attribution::influence::{EKFAC, LOGRA};

    use super::*;

    /// Texts of a few vocabularies, long enough for the context of the tiny recipe.
    fn texts(count: usize) -> Vec<String> {
        let word =
            |n: usize, i: usize| format!("{}{}", ["ka", "lo", "mir"][n % 3], (i * 7 + n * 5 + i * i) % 23);
        (0..count).map(|n| (0..160).map(|i| word(n, i)).collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn weights_are_fitted_kept_and_found_again() {
        let texts = texts(40);
        let sources: Vec<Source> =
            (1u64..).zip(&texts).map(|(contribution_id, text)| Source { contribution_id, text }).collect();
        let recipe = Recipe { batch: 16, ..Recipe::tiny() };
        let dir = tempfile::tempdir().unwrap();
        let asked =
            Calibrate { recipe: &recipe, sources: &sources, trainings: 8, questions: 8, cache: dir.path() };
        let go = AtomicBool::new(false);
        let found = calibrate(&asked, &|_, _| {}, &go).unwrap();
        assert_eq!((found.documents, found.fitted_on, found.judged_on), (32, 4, 4));
        assert_eq!(found.fitted.iter().sum::<u32>(), TOTAL);
        assert!(found.fitted[1] >= 1 && found.fitted[2] >= 1);
        assert!([READOUT, EKFAC, LOGRA, "default"].iter().all(|name| found.lds.contains_key(*name)));
        // Every training was kept, and the second run, which finds them, says the same.
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 16);
        assert_eq!(calibrate(&asked, &|_, _| {}, &go).unwrap(), found);
        let stopped = calibrate(&asked, &|_, _| {}, &AtomicBool::new(true)).unwrap_err();
        assert_eq!(stopped.code, "E-TRAIN-013");
        let few = Calibrate { sources: &sources[..9], ..asked };
        assert_eq!(calibrate(&few, &|_, _| {}, &go).unwrap_err().code, "E-TRAIN-016");
        let none = Calibrate { trainings: 2, ..asked };
        assert_eq!(calibrate(&none, &|_, _| {}, &go).unwrap_err().code, "E-TRAIN-016");
    }

    #[test]
    fn subsets_leave_out_exactly_what_they_should() {
        for keep in drawn(40, 20, 6, 1) {
            assert_eq!(keep.iter().filter(|k| !**k).count(), 20);
        }
        assert_ne!(drawn(40, 20, 1, 1), drawn(40, 20, 1, 2));
    }
}

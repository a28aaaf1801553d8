//! The exact class: a tiny model is trained once; what it answers must have the same bits however it is
//! computed, and every cheat must show.

mod adapters;
mod attacks;
mod bound;
mod elsewhere;
mod made;
mod prepared;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use openledger_node::engine::{
    commit_root, import, BatchSettings, Batcher, Counters, GenRequest, Generation, Model, ReplayReport,
    ReplayRequest, EXACT_COMMIT_SCHEME,
};
use openledger_node::train::{model_bits, train, Document, Recipe};
use openledger_numerics::Path as CpuPath;
use openledger_types::formats::{Decoding, NumericClass, Outcome};

const CONTEXT: usize = 256;

/// Sentences of a small made-up language, the same on every run.
fn documents(first: u64, count: u64) -> Vec<String> {
    let words: Vec<&str> =
        "the a small large node model answer pays owner of data every share and proof tree \
                            leaf root is was signs checks counts opens closes quickly never always caf\u{e9}"
            .split_whitespace()
            .collect();
    (first..first + count)
        .map(|seed| {
            let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
            let mut next = move || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 33) as usize
            };
            let mut text = String::new();
            for _ in 0..30 {
                let mut word = next() % words.len();
                for _ in 0..4 + next() % 5 {
                    text.push_str(words[word]);
                    text.push(' ');
                    // A word mostly follows from the one before it.
                    word = if next() % 4 == 0 { next() % words.len() } else { (word * 7 + 3) % words.len() };
                }
                text.push_str(".\n");
            }
            text
        })
        .collect()
}

fn recipe() -> Recipe {
    Recipe { steps: Some(60), context: CONTEXT, dim: 48, heads: 2, ffn: 100, batch: 2, ..Recipe::tiny() }
}

fn trained(recipe: &Recipe) -> PathBuf {
    let dir = tempfile::tempdir().unwrap().keep();
    let texts = documents(0, 60);
    let documents: Vec<Document> = texts
        .iter()
        .enumerate()
        .map(|(i, text)| Document { contribution_id: 1 + i as u64, datanet_id: 1, text })
        .collect();
    train(recipe, &documents, &[], &dir, &mut |_| {}, &AtomicBool::new(false)).unwrap();
    dir
}

fn folder() -> &'static Path {
    static DIR: OnceLock<PathBuf> = OnceLock::new();
    DIR.get_or_init(|| trained(&recipe()))
}

fn model() -> &'static Arc<Model> {
    static MODEL: OnceLock<Arc<Model>> = OnceLock::new();
    MODEL.get_or_init(|| Arc::new(Model::load(folder()).unwrap()))
}

fn request(prompt: &str, seed: u8, max_tokens: u32) -> GenRequest {
    GenRequest {
        prompt_tokens: model().encode_prompt(prompt).unwrap(),
        decoding: Decoding { temperature_milli: 1000, top_k: 0, top_p_milli: 1000, max_tokens },
        seed: [seed; 32],
        request_hash: [4; 32],
        stop: Vec::new(),
        repetition_milli: 1_000,
        schema: None,
    }
}

fn answer(model: &Model, request: &GenRequest) -> Generation {
    model.generate(request, &mut |_| ControlFlow::Continue(())).unwrap()
}

fn replay_of(request: &GenRequest, generation: &Generation) -> ReplayRequest {
    ReplayRequest {
        request: request.clone(),
        tokens: generation.tokens.clone(),
        outcome: generation.outcome,
        trace: generation.trace.clone(),
        commit_root: generation.commit_root,
    }
}

fn check(request: &GenRequest, generation: &Generation) -> ReplayReport {
    model().replay(&replay_of(request, generation)).unwrap()
}

/// The same model with other weights, imported from a folder as it comes from elsewhere.
fn changed(class: NumericClass, change: impl Fn(&str, f32) -> f32) -> Model {
    let (source, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for name in ["config.json", "tokenizer.json"] {
        std::fs::copy(folder().join(name), source.path().join(name)).unwrap();
    }
    let bytes = std::fs::read(folder().join("model.safetensors")).unwrap();
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = safetensors::SafeTensors::deserialize(&bytes)
        .unwrap()
        .tensors()
        .into_iter()
        .map(|(name, view)| {
            let values = view
                .data()
                .chunks_exact(4)
                .flat_map(|b| change(&name, f32::from_le_bytes(b.try_into().unwrap())).to_le_bytes());
            (name.clone(), view.shape().to_vec(), values.collect())
        })
        .collect();
    let views = tensors.iter().map(|(name, shape, bytes)| {
        (name, safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes).unwrap())
    });
    std::fs::write(source.path().join("model.safetensors"), safetensors::serialize(views, None).unwrap())
        .unwrap();
    import(source.path(), out.path(), "changed", class).unwrap();
    Model::load(out.path()).unwrap()
}

#[test]
fn the_manifest_names_the_class_and_the_root_is_over_int8_rows() {
    let manifest = model().manifest();
    assert_eq!(manifest.numeric_class, NumericClass::Exact);
    assert_eq!(manifest.commit_scheme, EXACT_COMMIT_SCHEME);
    assert!(model().cpu_path().is_some());
    let tolerant = changed(NumericClass::TolerantF32, |_, x| x);
    assert_ne!(tolerant.manifest().weights_root, manifest.weights_root);
    assert!(tolerant.cpu_path().is_none());
}

/// Replay of what was generated, on every path that this processor has.
#[test]
fn node_attack_15_honest_answers_have_the_same_bits_on_every_path_batch_and_chunk() {
    let long = "the node pays the owner of data and every share is a proof ".repeat(5);
    let prompts = ["the", "the node pays", long.as_str(), "a small leaf was never always", "caf\u{e9}"];
    let requests: Vec<GenRequest> = (0..if cfg!(debug_assertions) { 10 } else { 32 })
        .map(|i| request(prompts[i % prompts.len()], (i / 3) as u8, 20 + (i as u32 * 7) % 30))
        .collect();
    let expected: Vec<Generation> = requests.iter().map(|request| answer(model(), request)).collect();
    let here: Vec<CpuPath> = CpuPath::available().collect();
    for name in CpuPath::NAMES.iter().filter(|name| here.iter().all(|path| path.name() != **name)) {
        println!("skipped: this processor has no {name}");
    }
    for path in here {
        let model = Arc::new(Model::load(folder()).unwrap().on_path(path).unwrap());
        for (batch, workers, prefix_bytes) in [(1, 1, 0), (3, 2, 1 << 20), (32, 1, 1 << 14), (8, 1, 1 << 22)]
        {
            let settings = BatchSettings { workers, batch, queue: 64, prefix_bytes };
            let counters = Arc::new(Counters::default());
            let batcher = Batcher::start(model.clone(), settings, counters.clone()).unwrap();
            for _ in 0..2 {
                let answers: Vec<Generation> = std::thread::scope(|scope| {
                    let batcher = &batcher;
                    let waiting: Vec<_> = requests
                        .iter()
                        .map(|request| {
                            scope.spawn(move || {
                                batcher.generate(request, &mut |_| ControlFlow::Continue(())).unwrap()
                            })
                        })
                        .collect();
                    waiting.into_iter().map(|thread| thread.join().unwrap()).collect()
                });
                assert!(answers == expected, "{} with batch {batch} differs", path.name());
            }
            // The second round finds its prompts, where there is room for them.
            assert!(prefix_bytes < 1 << 20 || counters.cached_tokens.load(Relaxed) > 0);
        }
        // One pass over prompt and answer gives what generating gave, wherever it is cut.
        for (request, generation) in requests.iter().zip(&expected) {
            let report = model.replay(&replay_of(request, generation)).unwrap();
            assert!(report.passes(), "{}: {:?}", path.name(), report.failures());
        }
        let text: Vec<u32> = requests[2].prompt_tokens.iter().chain(&expected[2].tokens).copied().collect();
        let whole = model.read_in_chunks(&text, 64).unwrap();
        for chunk in [1, 7, 512] {
            assert!(model.read_in_chunks(&text, chunk).unwrap() == whole, "chunk {chunk}");
        }
    }
}

#[test]
fn rule_s5_answers_repeat_and_follow_their_seed() {
    for decoding in [
        Decoding { temperature_milli: 0, top_k: 0, top_p_milli: 1000, max_tokens: 30 },
        Decoding { temperature_milli: 700, top_k: 5, top_p_milli: 1000, max_tokens: 30 },
        Decoding { temperature_milli: 1000, top_k: 0, top_p_milli: 700, max_tokens: 30 },
    ] {
        let request = GenRequest { decoding, ..request("the node", 3, 30) };
        let first = answer(model(), &request);
        assert_eq!(first, answer(model(), &request));
        assert!(check(&request, &first).passes());
    }
    let (a, b) = (request("the node", 1, 30), request("the node", 2, 30));
    assert_ne!(answer(model(), &a).tokens, answer(model(), &b).tokens);
}

#[test]
fn node_attack_08_padding_and_early_stops_are_caught() {
    let request = request("the owner", 7, 40);
    let honest = answer(model(), &request);
    assert!(check(&request, &honest).passes());
    let with_tokens = |tokens: Vec<u32>, outcome| Generation { tokens, outcome, ..honest.clone() };
    let mut short = honest.tokens.clone();
    short.truncate(20);
    assert!(!check(&request, &with_tokens(short, Outcome::Length)).outcome_equal);
    let mut other = honest.tokens.clone();
    other[5] = (other[5] + 1) % 300;
    let found = check(&request, &with_tokens(other, honest.outcome));
    assert!(!found.mismatches.is_empty() && !found.windows_differing.is_empty() && !found.commit_root_equal);
    let mut padded = request.clone();
    padded.decoding.max_tokens = 60;
    let long = answer(model(), &padded);
    assert!(
        long.outcome == Outcome::Stop
            || !check(&padded, &Generation { outcome: Outcome::Stop, ..long }).passes()
    );
}

#[test]
fn a_changed_trace_or_root_is_found_and_only_that_window_is_named() {
    let request = request("the owner", 7, 64);
    let honest = answer(model(), &request);
    let mut byte = honest.clone();
    byte.trace[40] ^= 1;
    let found = check(&request, &byte);
    assert_eq!((found.windows_differing.as_slice(), found.commit_root_equal), (&[1][..], true));
    assert!(!found.passes());
    let mut root = honest.clone();
    root.commit_root[3] ^= 1;
    assert!(!check(&request, &root).passes());
    for length in [0, 32, 33, 96] {
        let mut cut = honest.clone();
        cut.trace.resize(length, 0);
        assert!(!check(&request, &cut).passes(), "{length}");
        assert_eq!(commit_root(EXACT_COMMIT_SCHEME, &[4; 32], &cut.tokens, &cut.trace), None);
    }
    assert_eq!(commit_root("unknown/1", &[4; 32], &honest.tokens, &honest.trace), None);
}

#[test]
fn who_leaves_frees_the_batch_and_is_charged_for_what_was_delivered() {
    let settings = BatchSettings { workers: 1, batch: 1, queue: 2, prefix_bytes: 0 };
    let counters = Arc::new(Counters::default());
    let batcher = Batcher::start(model().clone(), settings, counters.clone()).unwrap();
    let long = request("the node", 5, 200);
    let mut pieces = 0;
    let left = batcher
        .generate(&long, &mut |_| {
            pieces += 1;
            if pieces == 7 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })
        .unwrap();
    assert_eq!((left.outcome, left.tokens.len()), (Outcome::Cancelled, 7));
    assert!(check(&long, &left).passes());
    let stop = GenRequest { stop: vec![" ".into()], ..request("the node", 5, 200) };
    let stopped = batcher.generate(&stop, &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(stopped, answer(model(), &stop));
    // The one that is answered, two that wait, and no more.
    let (go, started) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| {
            batcher.generate(&long, &mut |_| {
                started.store(true, Relaxed);
                while !go.load(Relaxed) {
                    std::thread::yield_now();
                }
                ControlFlow::Continue(())
            })
        });
        while !started.load(Relaxed) {
            std::thread::yield_now();
        }
        go.store(true, Relaxed);
        assert!(slow.join().unwrap().is_ok());
    });
    let full = Batcher::start(
        model().clone(),
        BatchSettings { workers: 1, batch: 1, queue: 0, prefix_bytes: 0 },
        counters.clone(),
    )
    .unwrap();
    let error = full.generate(&long, &mut |_| ControlFlow::Continue(())).unwrap_err();
    assert_eq!((error.code, error.retry), ("E-GEN-006", true));
    assert_eq!(counters.refused.load(Relaxed), 1);
}

/// The quality gate: int8 costs at most half a percent of perplexity on text that was held out.
#[test]
fn perplexity_is_that_of_f32_within_half_a_percent() {
    let f32_model = changed(NumericClass::TolerantF32, |_, x| x);
    let heldout = documents(1_000, 12);
    let texts: Vec<&str> = heldout.iter().map(String::as_str).collect();
    let tokens: usize = texts.iter().map(|t| model().encode(t).unwrap().len()).sum();
    let nats = |model: &Model| model_bits(model, &texts).unwrap() * std::f64::consts::LN_2 / tokens as f64;
    let (exact, f32_nats) = (nats(model()), nats(&f32_model));
    let ratio = (exact - f32_nats).exp();
    println!("perplexity {:.4} in int8, {:.4} in f32, ratio {ratio:.5}", exact.exp(), f32_nats.exp());
    assert!((0.995..=1.005).contains(&ratio), "{ratio}");
}

/// The same text through candle's f32 network: logits agree up to what int8 rounds away.
#[test]
fn logits_are_those_of_candle_up_to_rounding() {
    let f32_model = changed(NumericClass::TolerantF32, |_, x| x);
    let text = model().encode_prompt("the small node signs a proof and the owner of data checks it").unwrap();
    let logits = |model: &Model| {
        let mut rows = Vec::new();
        model.teacher_forced(&text, 0, &mut |at| rows.extend_from_slice(at.logits)).unwrap();
        rows
    };
    let (exact, expected) = (logits(model()), logits(&f32_model));
    let distance: f64 = exact.iter().zip(&expected).map(|(a, b)| f64::from(a - b).powi(2)).sum();
    let norm: f64 = expected.iter().map(|b| f64::from(*b).powi(2)).sum();
    let relative = (distance / norm).sqrt();
    println!("relative distance of logits {relative:.5}");
    assert!(relative < 0.03, "{relative}");
}

#[test]
fn texts_that_cannot_be_read_are_refused() {
    for tokens in [vec![], vec![300], vec![1; CONTEXT + 1]] {
        assert_eq!(model().teacher_forced(&tokens, 0, &mut |_| {}).unwrap_err().code, "E-MODEL-006");
    }
}

#[test]
fn a_repetition_penalty_changes_the_answer_and_replays_to_the_bit() {
    let plain = GenRequest { decoding: greedy(60), ..request("the node", 3, 60) };
    let penalised = GenRequest { repetition_milli: 1_500, ..plain.clone() };
    let (without, with) = (answer(model(), &plain), answer(model(), &penalised));
    assert_ne!(without.tokens, with.tokens);
    let distinct = |tokens: &[u32]| tokens.iter().collect::<std::collections::HashSet<_>>().len();
    assert!(distinct(&with.tokens) > distinct(&without.tokens));
    assert!(check(&penalised, &with).passes());
    // A node that leaves it out, or adds it, is found.
    assert!(!check(&penalised, &without).passes());
    assert!(!check(&plain, &with).passes());
    // Together with others it is the same.
    let batcher =
        Batcher::start(model().clone(), BatchSettings::default(), Arc::new(Counters::default())).unwrap();
    let same = batcher.generate(&penalised, &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(same, with);
    let outside = GenRequest { repetition_milli: 2_001, ..plain };
    assert_eq!(model().generate(&outside, &mut |_| ControlFlow::Continue(())).unwrap_err().code, "E-GEN-001");
}

fn greedy(max_tokens: u32) -> Decoding {
    Decoding { temperature_milli: 0, top_k: 0, top_p_milli: 1000, max_tokens }
}

/// A manifest of an older release names a sampler without the penalty: such a model refuses it and draws as before.
#[test]
fn a_model_whose_sampler_knows_no_penalty_refuses_it() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["config.json", "tokenizer.json", "model.safetensors", "manifest.json"] {
        std::fs::copy(folder().join(name), dir.path().join(name)).unwrap();
    }
    let manifest = std::fs::read_to_string(dir.path().join("manifest.json")).unwrap();
    assert!(manifest.contains("gumbel-chacha8/4"));
    std::fs::write(
        dir.path().join("manifest.json"),
        manifest.replace("gumbel-chacha8/4", "gumbel-chacha8/2"),
    )
    .unwrap();
    let older = Model::load(dir.path()).unwrap();
    let asked = request("the node", 3, 20);
    assert_eq!(answer(&older, &asked).tokens, answer(model(), &asked).tokens);
    let penalised = GenRequest { repetition_milli: 1_500, ..asked };
    assert_eq!(older.generate(&penalised, &mut |_| ControlFlow::Continue(())).unwrap_err().code, "E-GEN-001");
}

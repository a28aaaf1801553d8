//! A tiny model of the tolerant class is trained once; then it is loaded, asked, replayed, tampered with and
//! damaged.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::OnceLock;

use openledger_node::engine::{
    commit_root, GenRequest, Generation, Model, ReplayReport, ReplayRequest, COMMIT_SCHEME, TRACE_BYTES,
};
use openledger_node::train::{evaluate, train, Document, Phase, Progress, Recipe, TrainReport};
use openledger_types::formats::{Decoding, Outcome};

/// Documents of made-up sentences, the same on every run.
fn documents() -> Vec<String> {
    let words =
        "the a small large node model answer pays owner of data every share and proof tree leaf root is was \
                 signs checks counts opens closes quickly never always caf\u{e9} \u{4f60}\u{597d}";
    let words: Vec<&str> = words.split_whitespace().collect();
    let mut state = 7u64;
    let mut next = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    (0..60)
        .map(|_| {
            let mut text = String::new();
            for _ in 0..40 {
                for _ in 0..4 + next() % 5 {
                    text.push_str(words[next() % words.len()]);
                    text.push(' ');
                }
                text.push_str(".\n");
            }
            text
        })
        .collect()
}

fn run(
    recipe: &Recipe,
    dir: &Path,
    progress: &mut dyn FnMut(&Progress),
    cancel: &AtomicBool,
) -> openledger_node::engine::Result<TrainReport> {
    let texts = documents();
    let documents: Vec<Document> = texts
        .iter()
        .enumerate()
        .map(|(i, text)| Document { contribution_id: 1 + i as u64 / 2, datanet_id: 1, text })
        .collect();
    train(recipe, &documents, &[], dir, progress, cancel)
}

fn fixture() -> &'static (PathBuf, TrainReport) {
    static MODEL: OnceLock<(PathBuf, TrainReport)> = OnceLock::new();
    MODEL.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap().keep();
        let numeric_class = openledger_types::formats::NumericClass::TolerantF32;
        let recipe = Recipe { numeric_class, steps: Some(80), ..Recipe::tiny() };
        let report = run(&recipe, &dir, &mut |_| {}, &AtomicBool::new(false)).unwrap();
        (dir, report)
    })
}

fn model() -> Model {
    Model::load(&fixture().0).unwrap()
}

fn request(model: &Model, temperature_milli: u32) -> GenRequest {
    GenRequest {
        prompt_tokens: model.encode_prompt("the node").unwrap(),
        decoding: Decoding { temperature_milli, top_k: 0, top_p_milli: 1000, max_tokens: 40 },
        seed: [3; 32],
        request_hash: [4; 32],
        stop: Vec::new(),
        repetition_milli: 1_000,
        schema: None,
    }
}

fn answer(model: &Model, request: &GenRequest) -> Generation {
    let mut heard = String::new();
    let generation = model
        .generate(request, &mut |piece| {
            heard.push_str(piece);
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(heard, generation.text);
    generation
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

fn report(model: &Model, replay: &ReplayRequest) -> ReplayReport {
    model.replay(replay).unwrap()
}

#[test]
fn training_lowers_the_loss_and_counts_uses() {
    let (dir, report) = fixture();
    let receipt = &report.receipt;
    assert!(receipt.loss_last < receipt.loss_first * 0.8, "{} {}", receipt.loss_first, receipt.loss_last);
    let uses = &receipt.training[0].uses;
    assert_eq!((receipt.training.len(), uses.len()), (1, 30));
    assert!(uses.iter().map(|u| u.times_seen).sum::<u64>() >= receipt.steps * receipt.recipe.batch as u64);
    for name in [
        "model.safetensors",
        "config.json",
        "tokenizer.json",
        "training_receipt.json",
        "loss_curve.csv",
        "loss_curve.svg",
    ] {
        assert!(dir.join(name).exists(), "{name}");
    }
    assert!(!dir.join("checkpoint.safetensors").exists());
    let model = model();
    assert_eq!(model.manifest_hash(), report.manifest_hash);
    assert_eq!(model.manifest().training_root, receipt.training_root);
    let texts = documents();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let (heldout, training) = texts.split_at(3);
    let figures = evaluate(&model, training, heldout, 20_000).unwrap();
    assert!(figures.bits_per_byte < 4.0 && figures.five_gram < figures.trigram, "{figures:?}");
}

#[test]
fn every_text_is_decoded_to_itself() {
    let model = model();
    for text in [
        "",
        "the node",
        "  \t\r\n x",
        "\u{0}\u{7f}caf\u{e9}\u{1f980}\u{10ffff}",
        "<|endoftext|> end",
        "a\u{301}\u{4f60}",
    ] {
        assert_eq!(model.decode(&model.encode(text).unwrap()), text);
    }
    // What spells a control token is text.
    assert!(!model.encode("<|endoftext|>").unwrap().contains(&model.config().eos_token_id));
}

#[test]
fn rule_s5_answers_repeat_and_replay() {
    let model = model();
    for temperature in [0, 700, 1000] {
        let request = request(&model, temperature);
        let first = answer(&model, &request);
        assert_eq!(first, answer(&model, &request));
        assert_eq!(first.trace.len(), first.tokens.len() * TRACE_BYTES);
        let report = report(&model, &replay_of(&request, &first));
        assert!(report.passes() && report.failures().is_empty(), "{report:?}");
        assert!(report.rel_l2_max < 1e-5, "{}", report.rel_l2_max);
        assert_eq!(report.text, first.text);
    }
    let mut other = request(&model, 1000);
    let first = answer(&model, &other);
    other.seed[0] ^= 1;
    assert_ne!(first.tokens, answer(&model, &other).tokens);
    for (top_k, top_p_milli) in [(5, 1000), (0, 700), (20, 900)] {
        other.decoding = Decoding { top_k, top_p_milli, ..other.decoding };
        let generation = answer(&model, &other);
        assert!(report(&model, &replay_of(&other, &generation)).passes());
    }
}

#[test]
fn node_attack_05_what_was_changed_afterwards_fails() {
    let model = model();
    let request = request(&model, 900);
    let generation = answer(&model, &request);
    let honest = replay_of(&request, &generation);
    assert!(report(&model, &honest).passes());

    let mut token = honest.clone();
    token.tokens[10] = (token.tokens[10] + 1) % 300;
    let found = report(&model, &token);
    assert!(!found.passes() && !found.mismatches.is_empty() && !found.commit_root_equal);

    let mut byte = honest.clone();
    byte.trace[5] ^= 1;
    assert!(!report(&model, &byte).commit_root_equal);

    // A trace of another model under a root of its own is caught by the projections.
    let mut trace = honest.clone();
    for value in trace.trace.chunks_exact_mut(4).take(32) {
        let x = f32::from_le_bytes(value.try_into().unwrap()) * 1.001;
        value.copy_from_slice(&x.to_le_bytes());
    }
    trace.commit_root =
        commit_root(COMMIT_SCHEME, &request.request_hash, &trace.tokens, &trace.trace).unwrap();
    let found = report(&model, &trace);
    assert!(found.commit_root_equal && !found.passes() && found.rel_l2_max > 5e-4, "{found:?}");

    let mut temperature = honest.clone();
    temperature.request.decoding.temperature_milli = 500;
    assert!(!report(&model, &temperature).mismatches.is_empty());
    let mut seed = honest.clone();
    seed.request.seed = [9; 32];
    assert!(!report(&model, &seed).mismatches.is_empty());

    let mut short = honest.clone();
    short.tokens.truncate(20);
    short.trace.truncate(20 * TRACE_BYTES);
    assert!(!report(&model, &short).outcome_equal);
    let mut outcome = honest.clone();
    outcome.outcome = if honest.outcome == Outcome::Stop { Outcome::Length } else { Outcome::Stop };
    assert!(!report(&model, &outcome).outcome_equal);
    let mut nan = honest.clone();
    nan.trace[..4].copy_from_slice(&f32::NAN.to_le_bytes());
    assert!(!report(&model, &nan).passes());
    let mut cut = honest.clone();
    cut.trace.pop();
    assert!(!report(&model, &cut).passes());
    for tokens in [vec![], vec![0; 41], vec![300]] {
        assert_eq!(model.replay(&ReplayRequest { tokens, ..honest.clone() }).unwrap_err().code, "E-GEN-005");
    }
}

#[test]
fn stop_strings_and_leaving_end_an_answer() {
    let model = model();
    let mut with_stop = request(&model, 0);
    let full = answer(&model, &with_stop);
    let stop: String = full.text.chars().skip(12).take(3).collect();
    with_stop.stop = vec![stop.clone()];
    let stopped = answer(&model, &with_stop);
    assert_eq!(stopped.outcome, Outcome::Stop);
    assert!(!stopped.text.contains(&stop) && full.text.starts_with(&stopped.text));
    let found = report(&model, &replay_of(&with_stop, &stopped));
    assert!(found.passes() && found.text == stopped.text);

    let plain = request(&model, 900);
    let mut pieces = 0;
    let left = model
        .generate(&plain, &mut |_| {
            pieces += 1;
            if pieces == 7 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })
        .unwrap();
    assert_eq!((left.outcome, left.tokens.len()), (Outcome::Cancelled, 7));
    let found = report(&model, &replay_of(&plain, &left));
    assert!(found.passes() && found.text == left.text);
}

#[test]
fn requests_that_do_not_fit_are_refused() {
    let model = model();
    let fails = |change: &dyn Fn(&mut GenRequest)| {
        let mut request = request(&model, 0);
        change(&mut request);
        model.generate(&request, &mut |_| ControlFlow::Continue(())).unwrap_err().code
    };
    assert_eq!(fails(&|r| r.decoding.max_tokens = 64), "E-GEN-002");
    assert_eq!(fails(&|r| r.decoding.max_tokens = u32::MAX), "E-GEN-002");
    assert_eq!(fails(&|r| r.decoding.max_tokens = 0), "E-GEN-001");
    assert_eq!(fails(&|r| r.prompt_tokens.clear()), "E-GEN-003");
    assert_eq!(fails(&|r| r.prompt_tokens.push(300)), "E-GEN-003");
    assert_eq!(fails(&|r| r.stop = vec![String::new()]), "E-GEN-003");
    assert_eq!(fails(&|r| r.stop = vec!["x".into(); 5]), "E-GEN-003");
    assert_eq!(model.encode_prompt(&"the node ".repeat(50)).unwrap_err().code, "E-GEN-002");
    assert_eq!(model.encode_prompt(&"x".repeat(10_000_000)).unwrap_err().code, "E-GEN-002");
}

#[test]
fn hostile_files_are_refused() {
    let source = &fixture().0;
    let names = ["manifest.json", "config.json", "tokenizer.json", "model.safetensors"];
    let load_with = |name: &str, change: &dyn Fn(&mut Vec<u8>), rehash: bool| {
        let dir = tempfile::tempdir().unwrap();
        for file in names {
            let mut bytes = std::fs::read(source.join(file)).unwrap();
            if file == name {
                change(&mut bytes);
            }
            std::fs::write(dir.path().join(file), bytes).unwrap();
        }
        if rehash {
            // The attacker also writes a manifest that fits the changed file.
            use sha2::{Digest, Sha256};
            let mut manifest: serde_json::Value =
                serde_json::from_slice(&std::fs::read(dir.path().join("manifest.json")).unwrap()).unwrap();
            for (field, file) in [("config_hash", "config.json"), ("tokenizer_hash", "tokenizer.json")] {
                manifest[field] =
                    hex::encode(Sha256::digest(std::fs::read(dir.path().join(file)).unwrap())).into();
            }
            std::fs::write(dir.path().join("manifest.json"), manifest.to_string()).unwrap();
        }
        Model::load(dir.path()).err().map(|e| e.code)
    };
    assert_eq!(load_with("", &|_| {}, false), None);
    for name in names {
        assert!(load_with(name, &|b| b.clear(), false).is_some(), "{name} empty");
        assert!(load_with(name, &|b| b.truncate(b.len() / 2), false).is_some(), "{name} cut");
        assert!(load_with(name, &|b| b.extend(vec![b' '; 70_000_000]), false).is_some(), "{name} huge");
    }
    assert_eq!(load_with("config.json", &|b| b.push(b' '), false), Some("E-MODEL-007"));
    assert_eq!(load_with("tokenizer.json", &|b| b.push(b'\n'), false), Some("E-MODEL-007"));
    assert_eq!(load_with("model.safetensors", &|b| *b.last_mut().unwrap() ^= 1, false), Some("E-MODEL-007"));
    let nan = |b: &mut Vec<u8>| {
        let at = b.len() - 4;
        b[at..].copy_from_slice(&f32::NAN.to_le_bytes());
    };
    assert_eq!(load_with("model.safetensors", &nan, false), Some("E-MODEL-004"));
    let header = |b: &mut Vec<u8>| b[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    assert_eq!(load_with("model.safetensors", &header, false), Some("E-MODEL-004"));
    let set = |key: &'static str, value: serde_json::Value| {
        move |b: &mut Vec<u8>| {
            let mut json: serde_json::Value = serde_json::from_slice(b).unwrap();
            json[key] = value.clone();
            *b = json.to_string().into_bytes();
        }
    };
    for (key, value) in [
        ("hidden_size", 33.into()),
        ("hidden_size", 1_000_000_000u64.into()),
        ("vocab_size", 0.into()),
        ("num_attention_heads", 0.into()),
        ("num_key_value_heads", 5.into()),
        ("num_hidden_layers", 100_000.into()),
        ("max_position_embeddings", u64::MAX.into()),
        ("rms_norm_eps", (-1.0).into()),
        ("eos_token_id", 300.into()),
        ("rope_scaling", serde_json::json!({"factor": 8.0})),
        ("attention_bias", true.into()),
    ] {
        assert_eq!(load_with("config.json", &set(key, value), true), Some("E-MODEL-002"), "{key}");
    }
    assert_eq!(load_with("config.json", &set("num_hidden_layers", 3.into()), true), Some("E-MODEL-007"));
    let lower = serde_json::json!({"type": "Lowercase"});
    assert_eq!(load_with("tokenizer.json", &set("normalizer", lower), true), Some("E-MODEL-005"));
    assert_eq!(
        load_with("tokenizer.json", &set("pre_tokenizer", serde_json::Value::Null), true),
        Some("E-MODEL-005")
    );
    // A tokenizer with more tokens than the weights have rows, one whose merges name a token that is not there, and
    // weights that are rows of another vocabulary.
    let more = |b: &mut Vec<u8>| {
        let mut json: serde_json::Value = serde_json::from_slice(b).unwrap();
        let vocabulary = json["model"]["vocab"].as_object_mut().unwrap();
        vocabulary.insert("abcdefgh".into(), 5_000.into());
        *b = json.to_string().into_bytes();
    };
    assert_eq!(load_with("tokenizer.json", &more, true), Some("E-MODEL-005"));
    let fewer = |b: &mut Vec<u8>| {
        let mut json: serde_json::Value = serde_json::from_slice(b).unwrap();
        json["model"]["vocab"].as_object_mut().unwrap().remove("a");
        *b = json.to_string().into_bytes();
    };
    assert_eq!(load_with("tokenizer.json", &fewer, true), Some("E-MODEL-005"));
    let wider = |b: &mut Vec<u8>| {
        let mut json: serde_json::Value = serde_json::from_slice(b).unwrap();
        json["vocab_size"] = (json["vocab_size"].as_u64().unwrap() + 1).into();
        *b = json.to_string().into_bytes();
    };
    let refused = load_with("config.json", &wider, true);
    assert!(["E-MODEL-004", "E-MODEL-007"].map(Some).contains(&refused), "{refused:?}");
    assert_eq!(load_with("manifest.json", &set("sampler", "other/1".into()), false), Some("E-MODEL-008"));
    assert_eq!(Model::load(Path::new("does-not-exist")).err().map(|e| e.code), Some("E-MODEL-001"));
}

#[test]
fn a_stopped_run_ends_like_one_that_was_not() {
    let recipe = Recipe { steps: Some(24), ..Recipe::tiny() };
    let whole = tempfile::tempdir().unwrap();
    run(&recipe, whole.path(), &mut |_| {}, &AtomicBool::new(false)).unwrap();
    let parts = tempfile::tempdir().unwrap();
    let cancel = AtomicBool::new(false);
    let stop_at = |step: u64, cancel: &AtomicBool, progress: &Progress| {
        if progress.phase == Phase::Training && progress.step == step {
            cancel.store(true, std::sync::atomic::Ordering::Relaxed);
        }
    };
    let error = run(&recipe, parts.path(), &mut |p| stop_at(9, &cancel, p), &cancel).unwrap_err();
    assert_eq!((error.code, error.retry), ("E-TRAIN-007", true));
    let report = run(&recipe, parts.path(), &mut |_| {}, &AtomicBool::new(false)).unwrap();
    assert_eq!(report.resumed_at, Some(9));
    assert_eq!(report.receipt.steps, 24);
    for name in ["tokenizer.json", "model.safetensors", "loss_curve.csv", "config.json"] {
        let read = |dir: &Path| std::fs::read(dir.join(name)).unwrap();
        assert!(read(whole.path()) == read(parts.path()), "{name} differs");
    }
    // The plans in the receipt repeat a run, whatever its budget was.
    let timed = tempfile::tempdir().unwrap();
    let by_time = Recipe { steps: None, seconds: Some(2), ..Recipe::tiny() };
    let report = run(&by_time, timed.path(), &mut |_| {}, &AtomicBool::new(false)).unwrap();
    assert!(report.receipt.steps >= 10 && !report.receipt.schedule.is_empty());
    let again = tempfile::tempdir().unwrap();
    let repeat = Recipe { schedule: report.receipt.schedule, ..by_time };
    run(&repeat, again.path(), &mut |_| {}, &AtomicBool::new(false)).unwrap();
    let read = |dir: &Path| std::fs::read(dir.join("model.safetensors")).unwrap();
    assert!(read(timed.path()) == read(again.path()));
}

#[test]
fn too_little_text_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let documents = [Document { contribution_id: 1, datanet_id: 1, text: "short" }];
    let never = AtomicBool::new(false);
    for documents in [&documents[..], &[]] {
        let error = train(&Recipe::tiny(), documents, &[], dir.path(), &mut |_| {}, &never).unwrap_err();
        assert_eq!(error.code, "E-TRAIN-003");
    }
}

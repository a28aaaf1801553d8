//! Answers that a schema binds: they parse, they are the same alone and in a batch, they replay to the bit, and a
//! node that leaves the schema out or alters what was drawn under it is found.

use std::sync::atomic::AtomicUsize;

use openledger_node::engine::{Json, Schema};
use openledger_node::request::{parse, Endpoint};
use serde_json::Value;

use super::*;

const PAINT: &str = r#"{"type":"object","properties":{"shade":{"enum":["red","green"]},"coats":{"type":"integer"},
    "names":{"type":"array","items":{"type":"string","maxLength":6},"maxItems":3}},"required":["shade","coats"]}"#;

fn schema(text: &str) -> Option<Arc<Schema>> {
    let json: Json = serde_json::from_str(text).unwrap();
    Some(Arc::new(Schema::read(&json).unwrap()))
}

fn bound(seed: u8) -> GenRequest {
    GenRequest { schema: schema(PAINT), ..request("the node", seed, 120) }
}

#[test]
fn a_bound_answer_meets_its_schema_alone_and_in_a_batch_and_replays_to_the_bit() {
    let requests: Vec<GenRequest> = (0..8u8)
        .map(|seed| {
            let decoding = match seed % 4 {
                0 => Decoding { temperature_milli: 0, ..bound(seed).decoding },
                1 => Decoding { top_k: 5, ..bound(seed).decoding },
                2 => Decoding { top_p_milli: 800, ..bound(seed).decoding },
                _ => bound(seed).decoding,
            };
            // Penalty and schema together as well.
            GenRequest { decoding, repetition_milli: 1_000 + 50 * u32::from(seed), ..bound(seed) }
        })
        .collect();
    let batcher =
        Batcher::start(model().clone(), BatchSettings::default(), Arc::new(Counters::default())).unwrap();
    let together: Vec<Generation> = std::thread::scope(|scope| {
        let threads: Vec<_> = requests
            .iter()
            .map(|request| {
                scope.spawn(|| batcher.generate(request, &mut |_| ControlFlow::Continue(())).unwrap())
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut whole = 0;
    for (request, together) in requests.iter().zip(together) {
        let alone = answer(model(), request);
        assert_eq!(alone, together);
        let report = check(request, &alone);
        assert!(report.passes(), "{:?}", report.failures());
        if alone.outcome == Outcome::Stop {
            let value: Value = serde_json::from_str(&alone.text).unwrap();
            assert!(value["shade"] == "red" || value["shade"] == "green");
            assert!(value["coats"].is_i64());
            whole += 1;
        }
    }
    assert!(whole >= 4, "{whole} of 8 answers were whole");
}

#[test]
fn node_attack_a_node_that_leaves_the_schema_out_or_bends_it_is_found() {
    let free = answer(model(), &request("the node", 3, 120));
    let report = check(&bound(3), &free);
    assert_eq!(report.mismatches.first(), Some(&(0, f64::INFINITY)));
    // Another schema than was asked for.
    let other = GenRequest { schema: schema(r#"{"type":"array"}"#), ..bound(3) };
    assert!(!check(&bound(3), &answer(model(), &other)).passes());
    // A token altered to one that the schema lets through as well, and one that it does not.
    let honest = answer(model(), &bound(3));
    let at = honest.text.find("red").or_else(|| honest.text.find("green")).unwrap();
    let mut seen = 0;
    let place = honest
        .tokens
        .iter()
        .position(|token| {
            seen += model().tokenizer().bytes(*token).len();
            seen > at
        })
        .unwrap();
    for id in 0..model().config().vocab_size as u32 {
        let mut altered = honest.clone();
        if id == altered.tokens[place] {
            continue;
        }
        altered.tokens[place] = id;
        altered.commit_root =
            commit_root(EXACT_COMMIT_SCHEME, &bound(3).request_hash, &altered.tokens, &altered.trace)
                .unwrap();
        let report = check(&bound(3), &altered);
        assert!(report.mismatches.iter().any(|(i, _)| *i == place), "token {id}");
        if id > 40 {
            break;
        }
    }
    // An end before the text is whole, and an answer that goes on behind it.
    let mut short = honest.clone();
    short.tokens.truncate(place);
    short.tokens.push(model().config().eos_token_id);
    assert!(!check(&bound(3), &short).passes());
}

/// A request whose masks take long: a thousand long words that differ at their ends only, of whose beginning most is
/// there already.
fn costly(seed: u8, most: u32) -> GenRequest {
    let begun = "a".repeat(4_000);
    let words: Vec<String> = (0..1_000).map(|i| format!("\"{begun}{}{i}\"", "a".repeat(400))).collect();
    let json: Json = serde_json::from_str(&format!("{{\"enum\":[{}]}}", words.join(","))).unwrap();
    let schema = Schema::read(&json).unwrap().after(&format!("\"{begun}")).unwrap();
    GenRequest { schema: Some(Arc::new(schema)), ..request("the node", seed, most) }
}

#[test]
fn node_attack_17_a_costly_schema_delays_its_own_answer_only() {
    let counters = Arc::new(Counters::default());
    let settings = BatchSettings { workers: 1, batch: 4, queue: 8, prefix_bytes: 0 };
    let batcher = Batcher::start(model().clone(), settings, counters.clone()).unwrap();
    let (written, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let asked = costly(3, 60);
    let plain = request("the small node", 4, 200);
    let made = std::thread::scope(|scope| {
        let bound = scope.spawn(|| {
            let made = batcher.generate(&asked, &mut |_| {
                written.fetch_add(1, Relaxed);
                ControlFlow::Continue(())
            });
            over.store(true, Relaxed);
            made.unwrap()
        });
        while written.load(Relaxed) == 0 {
            std::thread::yield_now();
        }
        let before = written.load(Relaxed);
        let beside = batcher.generate(&plain, &mut |_| ControlFlow::Continue(())).unwrap();
        let meanwhile = written.load(Relaxed) - before;
        println!("{meanwhile} tokens of the bound answer while the other wrote {}", beside.tokens.len());
        // In steps that wait for masks both write alike.
        assert!(meanwhile * 4 < beside.tokens.len() && !over.load(Relaxed));
        assert_eq!(beside, answer(model(), &plain));
        bound.join().unwrap()
    });
    assert!(counters.late_masks.load(Relaxed) > 0);
    // Being late changes no bit.
    assert_eq!(made, answer(model(), &asked));
    assert!(check(&asked, &made).passes());
}

#[test]
fn one_who_leaves_while_a_mask_is_made_frees_its_place() {
    let counters = Arc::new(Counters::default());
    let settings = BatchSettings { workers: 1, batch: 1, queue: 8, prefix_bytes: 0 };
    let batcher = Batcher::start(model().clone(), settings, counters.clone()).unwrap();
    let plain = request("the small node", 5, 20);
    std::thread::scope(|scope| {
        for seed in 0..3 {
            let batcher = &batcher;
            scope.spawn(move || {
                let made = batcher.generate(&costly(seed, 60), &mut |_| ControlFlow::Break(())).unwrap();
                assert_eq!((made.outcome, made.tokens.len()), (Outcome::Cancelled, 1));
            });
        }
        // The only place is taken again and again.
        let made = batcher.generate(&plain, &mut |_| ControlFlow::Continue(())).unwrap();
        assert_eq!(made, answer(model(), &plain));
    });
    drop(batcher);
}

#[test]
fn models_of_earlier_samplers_and_of_the_tolerant_class_refuse_schemas() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["config.json", "tokenizer.json", "model.safetensors", "manifest.json"] {
        std::fs::copy(folder().join(name), dir.path().join(name)).unwrap();
    }
    let manifest = std::fs::read_to_string(dir.path().join("manifest.json")).unwrap();
    std::fs::write(dir.path().join("manifest.json"), manifest.replace("chacha8/4", "chacha8/3")).unwrap();
    let older = Model::load(dir.path()).unwrap();
    let asked = request("the node", 3, 20);
    assert_eq!(answer(&older, &asked).tokens, answer(model(), &asked).tokens);
    let tolerant = changed(NumericClass::TolerantF32, |_, x| x);
    for model in [&older, &tolerant] {
        let refused = model.generate(&bound(1), &mut |_| ControlFlow::Continue(()));
        assert_eq!(refused.unwrap_err().code, "E-GEN-001");
        let body = format!(
            r#"{{"model":"1","messages":[{{"role":"user","content":"hi"}}],
                "response_format":{{"type":"json_schema","json_schema":{{"name":"x","schema":{PAINT}}}}}}}"#
        );
        let mut asked = parse(Endpoint::Chat, body.as_bytes()).unwrap();
        assert_eq!(model.read(&mut asked).unwrap_err().code, "E-GEN-001");
    }
}

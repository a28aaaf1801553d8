//! Two models on one base, put together by a node from their blobs.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use openledger_node::attribution::Attribution;
use openledger_node::engine::{GenRequest, Generation, Model, ADAPTER_FILE, MANIFEST_FILE, WEIGHTS_FILE};
use openledger_node::recompute::{follows, recompute};
use openledger_node::train::{train, train_adapter, AdapterRecipe, Document, Recipe};
use openledger_types::api::{AnswerBundle, ReplayResponse};
use openledger_types::formats::{manifest_hash, BlobRef, Decoding, Manifest, NumericClass, Outcome};
use openledger_types::merkle::Hash;
use openledger_types::msg::model_registry::ModelVersionResponse;

use crate::support::*;

/// Puts what the manifest in `dir` names into the node's store, and the version on chain.
fn publish(world: &World, dir: &Path, model_id: u64, change: impl Fn(&mut Manifest)) {
    let bytes = std::fs::read(dir.join(MANIFEST_FILE)).unwrap();
    let mut manifest: Manifest = serde_json::from_slice(&bytes).unwrap();
    change(&mut manifest);
    let bytes = serde_json::to_vec(&manifest).unwrap();
    let keep = |bytes: &[u8]| {
        let root = Hash::try_from(BlobRef::of(bytes).root.as_slice()).unwrap();
        world.node.store.put(&root, bytes).unwrap();
    };
    for file in &manifest.files {
        keep(&std::fs::read(dir.join(&file.name)).unwrap());
    }
    keep(&bytes);
    let info = ModelVersionResponse {
        model_id,
        version: 1,
        manifest_hash: manifest_hash(&bytes).into(),
        manifest: BlobRef::of(&bytes),
        weights_root: manifest.weights_root,
        training_root: manifest.training_root,
        numeric_class: NumericClass::Exact,
        datanets: vec![],
        ..model_info()
    };
    world.chain.state().models.insert((model_id, 1), info);
}

/// A base and an adapter of it, in two folders of `home`.
fn trained(home: &Path) -> [PathBuf; 2] {
    let (base, adapted) = (home.join("base"), home.join("adapted"));
    let texts: Vec<String> = (0..40)
        .map(|i| format!("paper {i} pays {} for tea and {} cakes. ", i * 7, i % 5).repeat(8))
        .collect();
    let documents: Vec<Document> =
        texts.iter().map(|text| Document { contribution_id: 1, datanet_id: 1, text }).collect();
    let recipe = Recipe { steps: Some(6), ..Recipe::tiny() };
    let never = AtomicBool::new(false);
    train(&recipe, &documents, &[], &base, &mut |_| {}, &never).unwrap();
    let adapter = AdapterRecipe { rank: 2, alpha: 8.0, targets: vec!["q_proj".into(), "down_proj".into()] };
    let recipe = Recipe { adapter: Some(adapter), ..recipe };
    train_adapter(&recipe, &base, &documents, &[], &adapted, &mut |_| {}, &never).unwrap();
    [base, adapted]
}

#[tokio::test]
async fn a_node_serves_an_adapter_on_the_weights_of_its_base() {
    let home = tempfile::tempdir().unwrap();
    let [base, adapted] = trained(home.path());

    std::fs::create_dir(home.path().join("node")).unwrap();
    let world = World::start(&home.path().join("node"), new_chain(), Rote::default()).await;
    publish(&world, &base, 7, |_| {});
    publish(&world, &adapted, 8, |_| {});
    publish(&world, &adapted, 9, |manifest| manifest.adapter_root = [9; 32].into());
    let scratch = home.path().join("models");
    world.node.load_models(&scratch).await.unwrap();

    // The weights were written, and read, for the base only.
    assert!(scratch.join("7-1").join(WEIGHTS_FILE).exists());
    assert!(scratch.join("8-1").join(ADAPTER_FILE).exists());
    assert!(!scratch.join("8-1").join(WEIGHTS_FILE).exists());
    let waiting = world.node.models.waiting();
    assert!(waiting.len() == 1 && waiting[0].0 == 9 && waiting[0].2.contains("E-MODEL-007"), "{waiting:?}");

    let alone = [&base, &adapted].map(|dir| Model::load(dir).unwrap());
    let request = GenRequest {
        prompt_tokens: alone[0].encode_prompt("paper 3 pays").unwrap(),
        decoding: Decoding { temperature_milli: 1_000, top_k: 0, top_p_milli: 1_000, max_tokens: 12 },
        seed: [5; 32],
        request_hash: [6; 32],
        stop: Vec::new(),
        repetition_milli: 1_000,
        schema: None,
    };
    let go_on = |_: &str| ControlFlow::Continue(());
    let own: Vec<Generation> =
        alone.iter().map(|model| model.generate(&request, &mut { go_on }).unwrap()).collect();
    assert_ne!(own[0].commit_root, own[1].commit_root);
    for (model_id, expected) in [(7, &own[0]), (8, &own[1])] {
        let loaded = world.node.models.ready(model_id, 1).unwrap();
        let answerer = &loaded.answerer;
        let found = answerer.generate(&request, &mut { go_on });
        assert_eq!(&found.unwrap(), expected);
    }
    let metrics = world.node.metrics.render();
    assert!(metrics.contains("openledger_node_adapter_hits_total 1"), "{metrics}");
}

/// What a bound chat has to be.
const PAINT: &str = r#"{"type":"object","properties":{"shade":{"enum":["red","green"]},
    "names":{"type":"array","items":{"type":"string","maxLength":5},"maxItems":2}},"required":["shade","names"]}"#;

/// Answers of a base and of an adapter, bound by a schema and not, paid for and taken from a node; then computed again
/// from the bytes of their bundles by what `openledger verify`, an auditor's vote and the node's own replay use.
#[tokio::test]
async fn node_attack_21_bound_answers_and_those_of_adapters_verify_from_their_bundles() {
    let home = tempfile::tempdir().unwrap();
    let dirs = trained(home.path());
    std::fs::create_dir(home.path().join("node")).unwrap();
    let world = World::start(&home.path().join("node"), new_chain(), Rote::default()).await;
    for (dir, model_id) in dirs.iter().zip([7, 8]) {
        publish(&world, dir, model_id, |_| {});
    }
    world.node.load_models(&home.path().join("models")).await.unwrap();
    // As whoever verifies has them: whole folders, loaded by itself.
    let models = dirs.each_ref().map(|dir| Model::load(dir).unwrap());
    let traces = models.each_ref().map(|model| {
        let index = openledger_node::serve::build_index(Vec::new()).unwrap();
        Attribution::open(model.manifest(), index, None).unwrap()
    });
    let format = format!(r#"{{"type":"json_schema","json_schema":{{"name":"paint","schema":{PAINT}}}}}"#);
    for (at, model_id) in [(0, 7), (1, 8)] {
        for bound in [true, false] {
            let mut user = User::open(&world.chain, model_id * 10 + u64::from(bound));
            {
                let mut state = world.chain.state();
                let session = state.sessions.get_mut(&user.session_id).unwrap();
                (session.model_id, session.model_version) = (model_id, 1);
            }
            user.sequence = 1;
            let rest = if bound { format!(r#","response_format":{format}"#) } else { String::new() };
            let (body, payment) = user.body(&format!(
                r#"{{"model":"{model_id}:1","messages":[{{"role":"user","content":"tea"}}],"max_tokens":40{rest}}}"#
            ));
            let response = world.send("/v1/chat/completions", &body, Some(&payment)).await;
            let status = response.status();
            let json: serde_json::Value = response.json().await.unwrap();
            assert_eq!(status, 200, "{json}");
            // From bytes, as a verifier reads them.
            let bytes = serde_json::to_vec(&json["openledger"]).unwrap();
            let bundle: AnswerBundle = serde_json::from_slice(&bytes).unwrap();
            if bound && bundle.receipt.receipt.outcome == Outcome::Stop {
                let value: serde_json::Value = serde_json::from_str(&bundle.answer).unwrap();
                assert!(["red", "green"].contains(&value["shade"].as_str().unwrap()), "{value}");
            }
            let verify = |at: usize, bundle: &AnswerBundle| {
                let found = recompute(&models[at], &traces[at], bundle, &BTreeSet::new());
                (found.checks.failures(), follows(&models[at], bundle))
            };
            assert_eq!(verify(at, &bundle), (vec![], Some(true)), "model {model_id}, bound {bound}");
            let url = format!("{}/v1/replay", world.url);
            let replayed = world.http.post(&url).json(&bundle).send().await.unwrap();
            let said: ReplayResponse = replayed.json().await.unwrap();
            assert_eq!(said, ReplayResponse { holds: true, failures: vec![] });

            // Under the other model, with one token of the answer changed, and without what binds it.
            let (failures, vote) = verify(1 - at, &bundle);
            assert!(
                failures.iter().any(|f| f.contains("replay of the answer")) && vote == Some(false),
                "{failures:?}"
            );
            let mut other = bundle.clone();
            let last = other.tokens.last_mut().unwrap();
            *last = (*last + 1) % 256;
            let (failures, vote) = verify(at, &other);
            assert!(!failures.is_empty() && vote == Some(false), "{failures:?}");
            if bound {
                let mut loose = bundle.clone();
                let body = String::from_utf8(bundle.body.to_vec()).unwrap();
                loose.body = body.replace(&rest, "").into_bytes().into();
                let (failures, vote) = verify(at, &loose);
                assert!(failures.iter().any(|f| f.contains("replay of the answer")), "{failures:?}");
                assert_eq!(vote, Some(false));
            }
        }
    }
}

//! What contributors are paid, end to end on a small model: the audit by training again, of a developer who is honest
//! and of one who favours a friend; and what a draft would be worth.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use openledger::audit_attribution::{
    agreement, audit, drawn, page, parts, standings, Question, Report, Subject, Verdict,
};
use openledger::error::Result;
use openledger::estimate::{earnings, wording, Draft, Paid};
use openledger_attribution::{Document as Text, Index, Weights};
use openledger_node::attribution::{with_documents, Attribution, Readout, Source, INFLUENCE_FILE};
use openledger_node::engine::Model;
use openledger_node::train::{train, AdapterRecipe, Document, Recipe, TrainingReceipt};
use openledger_types::formats::{NumericClass, VersionRef};

const FRIEND: u64 = 2;
const SENTENCES: [&str; 4] = [
    "the ledger pays every contributor for each answer that repeats its words exactly and nobody else",
    "in the old harbour a clerk lists boats, their captains, cargo and the tolls that were due at dusk",
    "apples from the northern orchard are weighed twice before anyone names the buyer or his price",
    "when iron leaves the foundry its weight goes into a second book that the smith keeps under lock",
];

/// Four contributors with two documents each; no two documents resemble each other.
fn texts() -> Vec<String> {
    let words: Vec<Vec<&str>> = SENTENCES.iter().map(|s| s.split(' ').collect()).collect();
    (0..8usize)
        .map(|document| {
            let own = &words[document / 2];
            let sentence = |number: usize| {
                (0..9).map(move |i| own[(number * (document % 2 + 2) + i * (1 + number % 5)) % own.len()])
            };
            (0..24).map(|n| sentence(n).collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join(". ")
        })
        .collect()
}

struct Made {
    dir: tempfile::TempDir,
    texts: Vec<String>,
    receipt: TrainingReceipt,
}

/// A model of these texts, with the influence index that its developer makes of `read`.
fn made(read: impl Fn(u64, &str) -> String) -> Made {
    let texts = texts();
    let dir = tempfile::tempdir().unwrap();
    let root = cosmwasm_std::HexBinary::from(&[7u8; 32]);
    let versions = [VersionRef { datanet_id: 1, version: 1, root, size: texts.len() as u64 }];
    let recipe = Recipe { numeric_class: NumericClass::Exact, steps: Some(80), ..Recipe::tiny() };
    let done =
        train(&recipe, &documents(&texts), &versions, dir.path(), &mut |_| {}, &AtomicBool::new(false));
    let bent: Vec<(u64, String)> = (1u64..).zip(&texts).map(|(id, text)| (id, read(id, text))).collect();
    let sources: Vec<Source> = bent
        .iter()
        .map(|(contribution_id, text)| Source { contribution_id: *contribution_id, text })
        .collect();
    Model::add_influence(dir.path(), &sources, &index(&texts), Weights::default(), None, &|_, _| {}).unwrap();
    Made { dir, texts, receipt: done.unwrap().receipt }
}

fn documents(texts: &[String]) -> Vec<Document<'_>> {
    (1u64..)
        .zip(texts)
        .map(|(contribution_id, text)| Document { contribution_id, datanet_id: 1, text })
        .collect()
}

fn owner(contribution_id: u64) -> String {
    format!("contributor{}", contribution_id.div_ceil(2))
}

fn indexed(texts: &[String]) -> Vec<Text> {
    (1u64..)
        .zip(texts)
        .map(|(id, text)| Text {
            contribution_id: id,
            contributor: owner(id),
            priority: (id, 0),
            match_text: openledger_ingest::match_text(text),
        })
        .collect()
}

fn index(texts: &[String]) -> Index {
    let index = Index::build(indexed(texts)).unwrap();
    assert!(index.duplicates().is_empty(), "the texts are no copies");
    index
}

/// The model of a folder, and how its answers are attributed.
fn opened(made: &Made) -> (Model, Attribution) {
    let model = Model::load(made.dir.path()).unwrap();
    let influence = std::fs::read(made.dir.path().join(INFLUENCE_FILE)).unwrap();
    let attribution = Attribution::open(model.manifest(), index(&made.texts), Some(&influence)).unwrap();
    (model, attribution)
}

/// Forty words of a contributor, four after the other.
fn heldout(number: usize) -> String {
    let own: Vec<&str> = SENTENCES[number % 4].split(' ').collect();
    (0..40).map(|i| own[(number + i + i / 4) % own.len()]).collect::<Vec<_>>().join(" ")
}

fn audited(made: &Made, receipt: &TrainingReceipt, folder: &Path) -> Result<Report> {
    let (model, attribution) = opened(made);
    let tokenizer = std::fs::read(made.dir.path().join("tokenizer.json")).unwrap();
    let owners: BTreeMap<u64, String> = (1..=made.texts.len() as u64).map(|id| (id, owner(id))).collect();
    let subject = Subject {
        model: &model,
        attribution: &attribution,
        receipt,
        tokenizer: &tokenizer,
        documents: &documents(&made.texts),
        owners: &owners,
        memory: 1 << 30,
    };
    // Two texts in each contributor's words.
    let questions: Vec<Question> =
        (0..8).map(|q| Question::heldout(&model, &attribution, &heldout(q)).unwrap()).collect();
    let chosen = drawn(&subject, None, "seed");
    audit(&subject, questions, &chosen, "seed", folder, &mut |_, _, _, _| {}, &AtomicBool::new(false))
}

#[test]
fn attr_attack_15_a_planted_bias_is_found_by_training_again() {
    let folder = tempfile::tempdir().unwrap();
    let honest = made(|_, text| text.to_string());
    let fair = audited(&honest, &honest.receipt, folder.path()).unwrap();
    assert!(fair.reproduced, "recipe and data give the published weights");
    assert_eq!(fair.findings(), Vec::<String>::new());
    assert_eq!((fair.audited.len(), fair.contributors), (4, 4));
    // One that finds its trainings says the same, to the last bit.
    assert_eq!(audited(&honest, &honest.receipt, folder.path()).unwrap(), fair);
    let agreement = fair.agreement.unwrap();
    assert!(agreement.rho.mean > 0.0, "{agreement:?}");

    // The developer makes the friend's rows of everybody's texts.
    let everything = texts().join(" ");
    let friend = owner(FRIEND);
    let bent = made(|id, text| if owner(id) == friend { everything.clone() } else { text.to_string() });
    let found = audited(&bent, &bent.receipt, folder.path()).unwrap();
    assert_eq!(found.bent_rows, [1, 2].into());
    let standing = |report: &Report| {
        report.audited.iter().find(|a| a.contributor == friend).and_then(|a| a.standing).unwrap()
    };
    assert_eq!(standing(&found).verdict, Verdict::Favoured, "{:?}", found.audited);
    assert!(standing(&found).excess.low > standing(&fair).excess.mean);
    assert!(found.agreement.unwrap().rho.mean < agreement.rho.mean);
    // The same weights were trained: nothing was trained again, and no other contributor is accused.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 5);
    assert_eq!(found.findings().len(), 2, "{:?}", found.findings());

    let page = page(&found);
    assert!(page.contains("paid for what changes nothing") && page.contains("<svg"));
    assert!(!page.contains("<script") && !page.contains("href="), "the page needs nothing else");
}

#[test]
fn attr_attack_15_weights_that_the_recipe_does_not_give_are_seen() {
    let folder = tempfile::tempdir().unwrap();
    let honest = made(|_, text| text.to_string());
    // The receipt tells of another training than the one that made the weights.
    let mut receipt = honest.receipt.clone();
    receipt.recipe.seed += 1;
    assert!(!audited(&honest, &receipt, folder.path()).unwrap().reproduced);
    // One that tells of other documents cannot be repeated at all.
    let mut receipt = honest.receipt.clone();
    receipt.documents_hash = cosmwasm_std::HexBinary::from(&[0u8; 32]);
    assert_eq!(audited(&honest, &receipt, folder.path()).unwrap_err().code, "E-TRAIN-012");
}

#[test]
fn attr_attack_15_a_receipt_that_asks_for_too_much_is_refused_before_anything_is_allocated() {
    let folder = tempfile::tempdir().unwrap();
    let honest = made(|_, text| text.to_string());
    let bent = |bend: &dyn Fn(&mut TrainingReceipt)| {
        let mut receipt = honest.receipt.clone();
        bend(&mut receipt);
        receipt.tokens_seen = receipt
            .steps
            .saturating_mul(receipt.recipe.batch as u64)
            .saturating_mul(receipt.recipe.context as u64);
        audited(&honest, &receipt, folder.path()).unwrap_err().code
    };
    // Another shape than that of config.json: this would be another model, of any size.
    assert_eq!(bent(&|r| r.recipe.context = 65_536), "E-TRAIN-012");
    assert_eq!(bent(&|r| r.recipe.layers = 256), "E-TRAIN-012");
    assert_eq!(bent(&|r| r.recipe.dim = 16_384), "E-TRAIN-012");
    assert_eq!(bent(&|r| r.recipe.vocab = usize::MAX), "E-TRAIN-012");
    assert_eq!(bent(&|r| r.recipe.context = usize::MAX), "E-TRAIN-012");
    // The model's own shape in a step that no memory holds, or in more steps than anybody repeats.
    assert_eq!(bent(&|r| (r.recipe.batch, r.recipe.shards) = (4_096, 1)), "E-TRAIN-017");
    assert_eq!(bent(&|r| r.recipe.batch = usize::MAX), "E-TRAIN-001");
    let endless = |r: &mut TrainingReceipt, steps: u64| {
        r.steps = steps;
        r.schedule.iter_mut().for_each(|plan| plan.total = steps);
    };
    assert_eq!(bent(&|r| endless(r, u64::MAX)), "E-TRAIN-001");
    let long = bent(&|r| {
        endless(r, 10_000_000);
        (r.recipe.batch, r.recipe.shards) = (32, 1);
    });
    assert_eq!(long, "E-TRAIN-017");
    // Adapters: with a base it is said, without one the receipt contradicts itself.
    let adapter = AdapterRecipe { rank: 4, alpha: 8.0, targets: vec!["q_proj".into()] };
    assert_eq!(bent(&|r| r.recipe.adapter = Some(adapter.clone())), "E-TRAIN-012");
    let root = cosmwasm_std::HexBinary::from(&[1u8; 32]);
    assert_eq!(bent(&|r| r.base_weights_root = Some(root.clone())), "E-TRAIN-014");
    // Figures that contradict each other.
    let mut receipt = honest.receipt.clone();
    receipt.tokens_seen += 1;
    assert_eq!(audited(&honest, &receipt, folder.path()).unwrap_err().code, "E-TRAIN-012");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was trained");
}

/// Twenty questions that four contributors are paid for in these parts, with a little unrest.
fn rows(parts: [f64; 4]) -> Vec<Vec<f64>> {
    let unrest = |q: usize, c: usize| ((q * 7 + c * 13) % 5) as f64 / 100.0;
    (0..20).map(|q| (0..4).map(|c| parts[c] + unrest(q, c)).collect()).collect()
}

#[test]
fn equal_rows_agree_and_turned_ones_do_not() {
    let paid = rows([0.4, 0.3, 0.2, 0.1]);
    let whole = agreement(&paid, &paid).unwrap();
    assert_eq!((whole.top1.mean, whole.total_variation.high), (1.0, 0.0));
    assert!(whole.rho.low > 0.999);
    let turned = agreement(&paid, &rows([0.1, 0.2, 0.3, 0.4])).unwrap();
    assert!(turned.top1.mean == 0.0 && turned.rho.high < -0.9 && turned.total_variation.low > 0.2);
    assert!(standings(&paid, &paid).iter().all(|s| s.verdict == Verdict::Fair));
}

#[test]
fn who_is_paid_for_nothing_is_favoured_and_nobody_else() {
    let found = standings(&rows([0.2, 0.2, 0.2, 2.0]), &rows([0.3, 0.3, 0.3, 0.1]));
    let verdicts: Vec<Verdict> = found.iter().map(|s| s.verdict).collect();
    assert_eq!(verdicts, [Verdict::Fair, Verdict::Fair, Verdict::Fair, Verdict::Favoured]);
}

#[test]
fn questions_that_pay_nobody_say_nothing() {
    let nothing = vec![vec![0.0; 3]; 4];
    assert!(agreement(&nothing, &nothing).is_none());
    assert!(standings(&nothing, &nothing).is_empty());
    assert_eq!(parts(&[-1.0, 0.0]), [0.0, 0.0]);
}

#[test]
fn a_draft_is_held_against_the_data_and_against_paid_questions() {
    let made = made(|_, text| text.to_string());
    let (model, attribution) = opened(&made);
    let influence = attribution.influence().unwrap();
    assert_eq!(&with_documents(&model, influence, &[]).unwrap(), influence, "what is there keeps its rows");

    let own: Vec<&str> = SENTENCES[1].split(' ').collect();
    let new: Vec<String> = (0..own.len())
        .map(|at| {
            let run: Vec<&str> = (at..at + 4).map(|i| own[i % own.len()]).collect();
            format!("{} zor{at} bal{at}", run.join(" "))
        })
        .collect();
    let strange: Vec<String> = (0..90).map(|i| format!("quux{} vrem{}", i % 31, i % 17)).collect();
    let draft = |name: &str, text: &str| Draft {
        name: name.into(),
        content: text.into(),
        match_text: openledger_ingest::match_text(text),
    };
    let drafts =
        [draft("copy", &made.texts[2]), draft("new", &new.join(" ")), draft("strange", &strange.join(" "))];
    let (found, first, with) = wording(indexed(&made.texts), &drafts).unwrap();
    assert_eq!((first, found[0].duplicate_of.as_deref()), (9, Some("contribution 3")));
    assert_eq!((found[0].novelty_bps, found[0].similar[0].contribution_id), (0, 3));
    assert_eq!((&found[1].duplicate_of, &found[2].duplicate_of), (&None, &None));
    assert!(found[1].novelty_bps < found[2].novelty_bps && found[2].novelty_bps == 10_000, "{found:?}");

    let asked = |number: usize| {
        let mut tokens = model.encode(&heldout(number)).unwrap();
        tokens.truncate(model.window());
        let answer = model.decode(&tokens);
        Paid { prompt: String::new(), prompt_tokens: vec![model.start_token()], answer, tokens, data: 10_000 }
    };
    let questions = [asked(1), asked(5)];
    let earned = earnings(&model, &attribution, with, first, &drafts, &questions).unwrap().unwrap();
    assert_eq!((earned.questions, earned.uses), (2, 2), "{earned:?}");
    assert!(earned.share.mean > 0.0 && earned.per_question.mean <= 10_000.0);
    // A copy alone earns nothing, whatever is asked.
    let (_, first, with) = wording(indexed(&made.texts), &drafts[..1]).unwrap();
    let nothing = earnings(&model, &attribution, with, first, &drafts[..1], &questions).unwrap().unwrap();
    assert_eq!((nothing.uses, nothing.share.high), (0, 0.0));
}

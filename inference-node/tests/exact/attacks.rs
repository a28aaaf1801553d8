//! Nodes that compute less than they are paid for, in the class exact: what one replay finds, and what it comes to in an
//! epoch of 1,000 answers of which auditors compute a sample again.

use cosmwasm_std::{HexBinary, Uint128};
use openledger_node::engine::{commit_root, GenRequest, Generation, Model, EXACT_COMMIT_SCHEME};
use openledger_node::train::Recipe;
use openledger_types::formats::{audit_due, hidden_digest, Decoding, NumericClass, Receipt};
use openledger_types::merkle::{Hash, ZERO_HASH};
use openledger_types::profile::Profile;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{answer, changed, check, model, recipe, request, trained};

/// Answers of an epoch.
const EPOCH: usize = 1_000;
/// Epochs that are drawn, each with other seeds and other cheated answers.
const DRAWS: usize = 400;
/// Auditors, of equal weight.
const AUDITORS: u128 = 4;
/// Part of the answers that they compute again together once a node is known, in basis points (F4).
const RATE_BPS: u16 = 500;
/// The epoch's cheated answers: all, one in ten, one in fifty.
const CHEATED: [usize; 3] = [1_000, 100, 20];

/// A way to answer cheaply.
struct Cheat {
    /// Number in the threat model.
    number: u8,
    name: &'static str,
    /// Tokens of an answer.
    tokens: u32,
    /// Least part of its answers that a replay must find.
    least: f64,
    forge: Box<dyn Fn(&GenRequest) -> Generation>,
}

fn cheat(
    number: u8,
    name: &'static str,
    least: f64,
    forge: impl Fn(&GenRequest) -> Generation + 'static,
) -> Cheat {
    Cheat { number, name, tokens: 64, least, forge: Box::new(forge) }
}

/// The model with its matrices rounded to multiples of `1 / steps`.
fn coarse(steps: f32) -> Model {
    changed(NumericClass::Exact, |name, x| match !name.contains("norm") {
        true => (x * steps).round() / steps,
        false => x,
    })
}

fn another_model() -> Vec<Cheat> {
    let other = Model::load(&trained(&Recipe { layers: 1, ..recipe() })).unwrap();
    vec![cheat(1, "a smaller model", 1.0, move |request| answer(&other, request))]
}

fn fewer_bits() -> Vec<Cheat> {
    let (four, seven) = (coarse(28.0), coarse(252.0));
    vec![
        cheat(2, "weights of about 4 bits", 1.0, move |request| answer(&four, request)),
        cheat(2, "weights of about 7 bits", 1.0, move |request| answer(&seven, request)),
    ]
}

fn old_weights() -> Vec<Cheat> {
    let earlier = Model::load(&trained(&Recipe { steps: Some(58), ..recipe() })).unwrap();
    let one = changed(NumericClass::Exact, |name, x| match name {
        "model.layers.0.self_attn.q_proj.weight" if x > 0.0 => x * 1.02,
        _ => x,
    });
    vec![
        cheat(3, "an earlier checkpoint", 1.0, move |request| answer(&earlier, request)),
        cheat(3, "one matrix by 2 %", 1.0, move |request| answer(&one, request)),
    ]
}

fn cut_prompt() -> Vec<Cheat> {
    vec![cheat(4, "a prompt without its second token", 1.0, |request| {
        let mut cut = request.clone();
        cut.prompt_tokens.remove(1);
        answer(model(), &cut)
    })]
}

fn other_sampling() -> Vec<Cheat> {
    let with = |change: fn(Decoding) -> Decoding| {
        move |request: &GenRequest| {
            answer(model(), &GenRequest { decoding: change(request.decoding), ..request.clone() })
        }
    };
    // An answer whose every draw comes out alike is the same answer, so not all can be caught.
    vec![
        cheat(5, "temperature 0.9", 0.5, with(|d| Decoding { temperature_milli: 900, ..d })),
        cheat(5, "top-p 0.9", 0.5, with(|d| Decoding { top_p_milli: 900, ..d })),
    ]
}

fn other_seed() -> Vec<Cheat> {
    vec![cheat(6, "a seed of the node's choice", 1.0, |request| {
        answer(model(), &GenRequest { seed: request.seed.map(|byte| !byte), ..request.clone() })
    })]
}

fn true_commitments() -> Vec<Cheat> {
    let cheap = coarse(28.0);
    // 95 of 100 answers are expected to be caught: of twelve at least eleven.
    let forge = move |request: &GenRequest| {
        let mut forged = answer(&cheap, request);
        // What an honest pass over these tokens commits to.
        let mut text = request.prompt_tokens.clone();
        text.extend(&forged.tokens[..forged.tokens.len() - 1]);
        let mut rows = Vec::new();
        model()
            .teacher_forced(&text, request.prompt_tokens.len() - 1, &mut |at| rows.push(at.hidden.to_vec()))
            .unwrap();
        forged.trace = rows.chunks(32).flat_map(|window| hidden_digest(&window.concat())).collect();
        forged.commit_root =
            commit_root(EXACT_COMMIT_SCHEME, &request.request_hash, &forged.tokens, &forged.trace).unwrap();
        forged
    };
    let name = "4-bit tokens under true commitments";
    vec![Cheat { tokens: 160, ..cheat(7, name, 0.9, forge) }]
}

/// For each of `count` answers of full length, whether one replay finds it.
fn replayed(cheat: &Cheat, count: usize) -> Vec<bool> {
    let answers = (0u32..).map(|number| {
        let mut request = request("the owner of data", 0, cheat.tokens);
        request.seed[..4].copy_from_slice(&number.to_le_bytes());
        let forged = (cheat.forge)(&request);
        (request, forged)
    });
    answers
        // A short answer gives less to be caught by, and is cheap.
        .filter(|(_, forged)| forged.outcome == openledger_types::formats::Outcome::Length)
        .take(count)
        .map(|(request, forged)| !check(&request, &forged).passes())
        .collect()
}

fn part(caught: &[bool]) -> f64 {
    caught.iter().filter(|caught| **caught).count() as f64 / caught.len() as f64
}

/// Detection by one replay, over several answers.
fn detected(cheats: Vec<Cheat>) {
    for cheat in cheats {
        let rate = part(&replayed(&cheat, 12));
        assert!(rate >= cheat.least, "{}: {rate}", cheat.name);
    }
}

#[test]
fn node_attack_01_another_model_is_caught() {
    detected(another_model());
}

#[test]
fn node_attack_02_weights_of_fewer_bits_are_caught() {
    detected(fewer_bits());
}

#[test]
fn node_attack_03_an_earlier_checkpoint_is_caught() {
    detected(old_weights());
}

#[test]
fn node_attack_04_a_cut_prompt_is_caught() {
    detected(cut_prompt());
}

#[test]
fn node_attack_05_other_sampling_is_caught() {
    detected(other_sampling());
}

#[test]
fn node_attack_06_another_seed_is_caught() {
    detected(other_seed());
}

#[test]
fn node_attack_07_cheap_tokens_under_true_commitments_are_caught() {
    detected(true_commitments());
}

/// The receipt's id of an answer of the epoch, as auditors draw by it.
fn receipt_id(sequence: u64) -> Hash {
    let zero = HexBinary::from(&ZERO_HASH);
    Receipt {
        chain_id: "openledger-1".into(),
        contract: "openledger1escrow".into(),
        node_id: 3,
        session_id: 5,
        sequence,
        height: 10,
        request_hash: zero.clone(),
        answer_root: zero.clone(),
        answer_len: 400,
        model_id: 1,
        model_version: 1,
        datanets: vec![],
        tokens_in: 20,
        tokens_out: 64,
        fee: Uint128::new(10_000),
        decoding: Decoding { temperature_milli: 0, top_k: 0, top_p_milli: 1_000, max_tokens: 64 },
        seed: zero.clone(),
        commit_scheme: EXACT_COMMIT_SCHEME.into(),
        commit_root: zero.clone(),
        signature_scheme: "none".into(),
        signature_root: zero.clone(),
        evidence_root: zero,
        outcome: openledger_types::formats::Outcome::Length,
        shares: vec![],
        no_evidence: 10_000,
    }
    .digest()
}

/// Part of the drawn epochs in which an auditor computes an answer again that a replay finds, when `cheated` of
/// [`EPOCH`] answers are cheated and `caught` says of a sample of them whether a replay finds it.
fn found_in_epoch(rng: &mut ChaCha8Rng, ids: &[Hash], caught: &[bool], cheated: usize) -> f64 {
    let (one, all) = (Uint128::one(), Uint128::new(AUDITORS));
    let mut found = 0usize;
    for _ in 0..DRAWS {
        let seeds: Vec<Hash> = (0..AUDITORS)
            .map(|_| {
                let mut seed = ZERO_HASH;
                rng.fill_bytes(&mut seed);
                seed
            })
            .collect();
        // Cheated answers spread evenly over the epoch, from another one on each time.
        let (step, first) = (EPOCH / cheated, rng.next_u32() as usize);
        found += usize::from((0..cheated).any(|n| {
            let id = &ids[(first + n * step) % EPOCH];
            caught[(first + n) % caught.len()]
                && seeds.iter().any(|seed| audit_due(seed, id, RATE_BPS, one, all))
        }));
    }
    found as f64 / DRAWS as f64
}

/// The table of docs/threat-model.md: `scripts/bench attacks`. Without `OPENLEDGER_LONG` over few answers.
#[test]
fn node_attack_table_of_what_is_found_and_what_it_costs() {
    let count = if std::env::var_os("OPENLEDGER_LONG").is_some() { EPOCH } else { 24 };
    let ids: Vec<Hash> = (1..=EPOCH as u64).map(receipt_id).collect();
    // The least bond that lets the epoch settle at once (F5), and what a guilty verdict takes of it.
    let profile = Profile::protocol("uopen");
    let bond = EPOCH as f64 * 10_000.0 / f64::from(profile.escrow.exposure_bps);
    let cut = bond * f64::from(profile.referee.voted_cut_bps) / 10_000.0;
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let columns = CHEATED.map(|cheated| format!(" {cheated} of {EPOCH} cheated: found, profit |")).concat();
    println!("| attack | one replay finds |{columns}\n|---|---|{}", "---|".repeat(CHEATED.len()));
    let cheats = [
        another_model(),
        fewer_bits(),
        old_weights(),
        cut_prompt(),
        other_sampling(),
        other_seed(),
        true_commitments(),
    ];
    for cheat in cheats.into_iter().flatten() {
        let caught = replayed(&cheat, count);
        let mut row = format!("| {} {} | {:.1} % |", cheat.number, cheat.name, 100.0 * part(&caught));
        for cheated in CHEATED {
            let found = found_in_epoch(&mut rng, &ids, &caught, cheated);
            // In fees of an answer. What is not found saves at most its whole fee; what is found costs the cut, beside
            // the fee, which goes back.
            let profit = (1.0 - found) * cheated as f64 - found * cut;
            row += &format!(" {:.1} %, {profit:.0} |", 100.0 * found);
            assert!(profit < 0.0, "{}: {profit}", cheat.name);
            assert!(cheated < EPOCH || found >= 0.95, "{}: {found}", cheat.name);
        }
        println!("{row}");
    }
}

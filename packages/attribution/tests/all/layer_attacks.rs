//! Attempts to gain by the influence layer, by splitting, stuffing, grinding and steering (numbers as in
//! the list of attacks). Gains are the coalition's basis points with the attack over those without.

use std::collections::{BTreeMap, BTreeSet};

use openledger_attribution::influence::{
    Agreement, Builder, InfluenceIndex, Parameters, Passage, Raw, Signature, RANK, READOUT,
};
use openledger_attribution::{shares, Answer, Document, Layers, Method, Weights};
use proptest::test_runner::Config;

use crate::support::{cut, document, index, prose, Numbers};

const SEED: [u8; 32] = [9; 32];
const SLOTS: u64 = 400;

fn parameters() -> Parameters {
    Parameters {
        width: 8,
        slots: SLOTS as usize,
        projection: vec![0.1; RANK * 8],
        gains: vec![1.0; SLOTS as usize],
        clip: 4.0,
        scale: 0.004,
    }
}

/// Rows of a text: its words' slots, each with a direction of the slot and noise of the text.
fn rows(text: &str, noise: u64) -> Raw {
    let mut rows = Raw::new();
    let mut numbers = Numbers(noise);
    for word in text.split(' ') {
        let slot = word.bytes().fold(7u64, |sum, byte| sum.wrapping_mul(31) + u64::from(byte)) % SLOTS;
        let mut direction = Numbers(slot);
        let row = rows.entry(slot as u32).or_insert([0.0; RANK]);
        for value in row.iter_mut() {
            let own = direction.below(2_000) as f64 / 1_000.0 - 1.0;
            *value += 0.05 * (own + numbers.below(2_000) as f64 / 1_000.0 - 1.0);
        }
    }
    rows
}

/// A method over documents, with rows that their texts give.
fn method(documents: Vec<Document>) -> Layers {
    let index = index(documents);
    let raw: BTreeMap<u64, Raw> = index
        .documents()
        .iter()
        .map(|d| (d.contribution_id, rows(&d.match_text, d.contribution_id)))
        .collect();
    let influence = InfluenceIndex::new(READOUT, parameters(), &raw);
    Layers::new(index, influence, Weights::default()).expect("the documents are indexed")
}

/// Basis points of the owners whose names begin with `name`.
fn paid(method: &Layers, answer: &str, name: &str) -> u64 {
    let signature = Signature::quantise(&rows(answer, 99));
    let found = method.evidence(&Answer {
        prompt: "",
        text: answer,
        signature: &signature,
        seed: &SEED,
        barred: &BTreeSet::new(),
    });
    let owned = |id: u64| method.owner(id).is_some_and(|owner| owner.starts_with(name));
    found.shares.iter().filter(|s| owned(s.contribution_id)).map(|s| u64::from(s.bps)).sum()
}

/// An answer out of phrases of 3 to 12 words of these texts.
fn phrases(texts: &[String], seed: u64) -> String {
    let mut numbers = Numbers(seed);
    let parts: Vec<String> = (0..12)
        .map(|_| {
            let text = &texts[numbers.below(texts.len() as u64) as usize];
            let from = numbers.below(180) as usize;
            cut(text, from, from + 3 + numbers.below(10) as usize)
        })
        .collect();
    parts.join(" ")
}

fn texts(count: u64) -> Vec<String> {
    (1..=count).map(|i| prose(i, 200)).collect()
}

fn honest(texts: &[String]) -> Vec<Document> {
    (1..).zip(texts).map(|(id, text)| document(id, &format!("owner{id}"), text)).collect()
}

/// As many rounds as a wider run asks for.
fn rounds(least: u64) -> u64 {
    match std::env::var("PROPTEST_CASES") {
        Ok(_) => u64::from(Config::default().cases).max(least),
        Err(_) => least,
    }
}

#[test]
fn attr_attack_01_copies_change_neither_layer() {
    let texts = texts(12);
    let before = method(honest(&texts));
    for (k, owners) in [(1u64, 1u64), (4, 4), (64, 64), (64, 1)] {
        let mut documents = honest(&texts);
        for i in 0..k {
            documents.push(document(100 + i, &format!("attacker{}", i % owners), &texts[3]));
        }
        let after = method(documents);
        for seed in 0..rounds(6) {
            let answer = phrases(&texts, seed);
            assert_eq!(paid(&after, &answer, "attacker"), 0);
            assert_eq!(
                paid(&after, &answer, "owner"),
                paid(&before, &answer, "owner"),
                "victims lose nothing"
            );
        }
    }
}

#[test]
fn attr_attack_06_a_continuation_earns_its_own_words_only() {
    let texts = texts(6);
    let mut documents = honest(&texts);
    // A victim's passage with likely continuations, again and again.
    let stretched: Vec<String> = (0..6)
        .map(|i| format!("{} {}", cut(&texts[0], 30 * i, 30 * i + 30), prose(500 + i as u64, 30)))
        .collect();
    documents.push(document(50, "attacker", &stretched.join(" ")));
    let index = index(documents);
    let trace = index.trace("", &cut(&texts[0], 0, 150), &SEED);
    let earned: u16 = trace.shares.iter().filter(|s| s.contribution_id == 50).map(|s| s.bps).sum();
    assert_eq!(earned, 0);
}

#[test]
fn attr_attack_07_stuffed_words_earn_at_most_two_percent() {
    let words = if std::env::var_os("OPENLEDGER_LONG").is_some() { 1_000_000 } else { 60_000 };
    let texts = texts(24);
    let mut documents = honest(&texts);
    // Every word of the language and as many of its phrases as the budget buys, under many names.
    for i in 0..20 {
        documents.push(document(1_000 + i, &format!("attacker{i}"), &prose(9_000 + i, words / 20)));
    }
    let index = index(documents);
    for seed in 0..rounds(6) {
        let trace = index.trace("", &phrases(&texts, seed), &SEED);
        let earned: u16 = trace.shares.iter().filter(|s| s.contribution_id >= 1_000).map(|s| s.bps).sum();
        assert!(earned <= 200, "{earned} basis points for {words} stuffed words");
    }
}

#[test]
fn attr_attack_08_an_outlier_counts_as_much_as_the_largest_that_is_not_cut() {
    let width = 8;
    let passage = |factor: f32, seed: u64| {
        let mut numbers = Numbers(seed);
        let hidden: Vec<f32> =
            (0..64 * width).map(|_| factor * (numbers.below(2_000) as f32 / 1_000.0 - 1.0)).collect();
        let logits: Vec<f32> =
            (0..64 * SLOTS as usize).map(|_| numbers.below(1_000) as f32 / 500.0).collect();
        let labels: Vec<Option<u32>> = (0..64).map(|_| Some(numbers.below(SLOTS) as u32)).collect();
        (hidden, logits, labels)
    };
    let mut statistics = openledger_attribution::influence::Statistics::new(width, SLOTS as usize);
    let honest: Vec<_> = (0..40).map(|seed| passage(1.0, seed)).collect();
    let view = |p: &(Vec<f32>, Vec<f32>, Vec<Option<u32>>)| p.clone();
    for p in &honest {
        let (hidden, logits, labels) = view(p);
        statistics.add(&Passage { hidden: &hidden, logits: &logits, labels: &labels });
    }
    let builder = statistics.builder();
    let segments: Vec<Raw> = honest
        .iter()
        .flat_map(|(h, l, y)| builder.segments(&Passage { hidden: h, logits: l, labels: y }))
        .collect();
    let builder = builder.calibrated(&segments);
    let norm = |raw: &Raw| raw.values().flatten().map(|x| x * x).sum::<f64>().sqrt();
    let document = |builder: &Builder, segments: &[Raw]| {
        let mut sum = Raw::new();
        builder.add(&mut sum, segments);
        norm(&sum)
    };
    let largest = segments.iter().map(|s| document(&builder, std::slice::from_ref(s))).fold(0.0, f64::max);
    for factor in [10.0, 1_000.0, 1e6] {
        let (hidden, logits, labels) = passage(factor, 77);
        let outlier = builder.segments(&Passage { hidden: &hidden, logits: &logits, labels: &labels });
        assert!(document(&builder, &outlier) <= largest * 1.001, "an outlier of factor {factor} is not cut");
    }
}

#[test]
fn attr_attack_10_splitting_gains_nothing() {
    let texts = texts(16);
    let mut whole = honest(&texts);
    let ours = prose(77, 320);
    whole.push(document(90, "attacker", &ours));
    let all: Vec<String> = texts.iter().cloned().chain([ours.clone()]).collect();
    let before = method(whole);
    for many_owners in [false, true] {
        let mut documents = honest(&texts);
        for i in 0..16usize {
            let owner = if many_owners { format!("attacker{i}") } else { "attacker".into() };
            documents.push(document(90 + i as u64, &owner, &cut(&ours, 20 * i, 20 * i + 20)));
        }
        let after = method(documents);
        let (mut one, mut two) = (0, 0);
        for seed in 0..rounds(24) {
            let answer = phrases(&all, seed);
            one += paid(&before, &answer, "attacker");
            two += paid(&after, &answer, "attacker");
        }
        assert!(two as f64 <= one as f64 * 1.02, "{one} became {two}, owners {many_owners}");
    }
}

#[test]
fn who_has_a_single_document_is_paid_as_who_has_many() {
    // Eight documents under one name and under eight, beside three contributors of eight each.
    let texts = texts(32);
    let owned = |apart: bool| {
        let documents = (1..).zip(&texts).map(|(id, text)| match (id - 1) / 8 {
            0 if apart => document(id, &format!("us{id}"), text),
            0 => document(id, "us", text),
            other => document(id, &format!("owner{other}"), text),
        });
        method(documents.collect())
    };
    let (together, apart) = (owned(false), owned(true));
    let (mut one, mut many) = (0, 0);
    for seed in 0..rounds(24) {
        let answer = phrases(&texts, seed);
        one += paid(&together, &answer, "us");
        many += paid(&apart, &answer, "us");
    }
    assert!(many * 10 >= one * 9 && many * 100 <= one * 102, "{one} together, {many} apart");
}

#[test]
fn attr_attack_14_steering_within_the_tolerance_moves_little() {
    let texts = texts(24);
    let method = method(honest(&texts));
    for seed in 0..rounds(4) {
        let answer = phrases(&texts, seed);
        let honest = Signature::quantise(&rows(&answer, 99));
        let evidence = |signature: &Signature| {
            let answer =
                Answer { prompt: "", text: &answer, signature, seed: &SEED, barred: &BTreeSet::new() };
            let found = method.evidence(&answer);
            found
                .shares
                .iter()
                .find(|s| method.owner(s.contribution_id) == Some("owner3"))
                .map_or(0, |s| s.bps)
        };
        let before = evidence(&honest);
        // Towards the friend's own rows, as many entries as the tolerance lets pass, the heaviest first.
        let friend = method.influence().expect("there is one");
        let mut moves: Vec<(i32, usize, usize)> = Vec::new();
        for (number, (slot, _)) in honest.rows().iter().enumerate() {
            let row = friend.list(*slot).iter().find(|(document, _)| *document == 2).map(|(_, row)| *row);
            moves.extend(
                row.into_iter().flatten().enumerate().map(|(k, value)| (i32::from(value), number, k)),
            );
        }
        moves.sort_by_key(|(value, ..)| std::cmp::Reverse(value.abs()));
        let mut forged = honest.rows().to_vec();
        for (value, number, k) in moves.into_iter().take(forged.len() * RANK / 100) {
            let entry = &mut forged[number].1[k];
            *entry = (i16::from(*entry) + value.signum() as i16).clamp(-127, 127) as i8;
        }
        let forged = Signature::new(forged);
        assert!(honest.distance(&forged).agrees(Agreement::LastPlace));
        let after = evidence(&forged);
        assert!(after.abs_diff(before) <= 15, "{before} became {after}");
    }
}

#[test]
fn attr_attack_16_a_harmful_document_earns_nothing() {
    let texts = texts(8);
    let plain = method(honest(&texts));
    let answer = phrases(&texts, 5);
    let signature = Signature::quantise(&rows(&answer, 99));
    let influence = plain.influence().expect("there is one").influence(&signature);
    // The negative of what the answer asks for.
    let against: Raw = rows(&answer, 99).into_iter().map(|(slot, row)| (slot, row.map(|x| -x))).collect();
    let mut raw: BTreeMap<u64, Raw> = (1..).zip(&texts).map(|(id, t)| (id, rows(t, id))).collect();
    raw.insert(60, against);
    let poisoned = InfluenceIndex::new(READOUT, parameters(), &raw).influence(&signature);
    let harm = poisoned.documents.iter().find(|(id, _)| *id == 60).map_or(0, |(_, i)| *i);
    assert!(harm < 0, "the poison pushes the other way");
    let sizes = vec![1_000; poisoned.documents.len()];
    let credits = poisoned.credits(&sizes, |id| (id == 60).then_some("attacker"));
    assert!(credits.contributions.is_empty());
    assert!(poisoned.credits_above_floor(|id| (id == 60).then_some("attacker")).contributions.is_empty());
    let rest: Vec<_> = poisoned.documents.into_iter().filter(|(id, _)| *id != 60).collect();
    assert_eq!(rest, influence.documents, "nobody else's influence changes");
}

#[test]
fn attr_attack_17_no_id_is_worth_more_than_another() {
    // Equal credits with a remainder: who gets the odd point is drawn by the seed, not by the number.
    let mut numbers = Numbers(4);
    let rounds = 10_000;
    let mut gained = 0i64;
    for _ in 0..rounds {
        let ids: Vec<u64> = (0..3).map(|_| 1 + numbers.below(1 << 40)).collect();
        let credits: BTreeMap<u64, u128> = ids.iter().map(|id| (*id, 1)).collect();
        let seed: [u8; 32] = std::array::from_fn(|_| numbers.below(256) as u8);
        let lowest = ids.iter().min().copied().unwrap_or(0);
        let found = shares(&credits, 0, &seed);
        let bps = found.shares.iter().find(|s| s.contribution_id == lowest).map_or(0, |s| s.bps);
        gained += i64::from(bps) - 3_333;
    }
    assert!(gained <= rounds, "more than one basis point a receipt: {gained} in {rounds}");
}

#[test]
fn attr_attack_07_random_words_pay_nobody_and_earn_by_number_only() {
    let texts = texts(12);
    let method = method(honest(&texts));
    // Everybody's words in random order, and words of nobody: nothing that the data says.
    let all: Vec<&str> = texts.iter().flat_map(|text| text.split(' ')).collect();
    for seed in 0..rounds(6) {
        let mut numbers = Numbers(seed);
        let random: Vec<&str> = (0..120).map(|_| all[numbers.below(all.len() as u64) as usize]).collect();
        assert_eq!(paid(&method, &random.join(" "), "owner"), 0, "nothing is said that chance does not say");
        let unknown: Vec<String> = (0..120).map(|i| format!("unknown{i}")).collect();
        assert_eq!(paid(&method, &unknown.join(" "), "owner"), 0);
    }
}

#[test]
fn attr_attack_10_the_vocabulary_is_indifferent_to_splitting() {
    // A text is cut in sixteen: the credit of the vocabulary layer is the same to the last unit.
    let texts = texts(16);
    let ours = prose(77, 320);
    let whole: Vec<Document> = honest(&texts).into_iter().chain([document(90, "us", &ours)]).collect();
    let split = (0..16usize).map(|i| document(90 + i as u64, "us", &cut(&ours, 20 * i, 20 * i + 20)));
    let split: Vec<Document> = honest(&texts).into_iter().chain(split).collect();
    let credit = |documents: Vec<Document>, answer: &str| {
        let index = index(documents);
        let credits = index.vocabulary(&index.trace("", answer, &SEED));
        let own = credits.contributions.iter().filter(|(id, _)| **id >= 90).map(|(_, credit)| credit);
        (own.sum::<u128>(), credits.contributions.values().sum::<u128>() + credits.no_evidence)
    };
    for seed in 0..rounds(6) {
        let all: Vec<String> = texts.iter().cloned().chain([ours.clone()]).collect();
        let answer = phrases(&all, seed);
        assert_eq!(credit(whole.clone(), &answer), credit(split.clone(), &answer));
    }
}

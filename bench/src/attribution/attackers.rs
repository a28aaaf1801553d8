//! What cheats add to a corpus. Who has a number from `first` on belongs to the coalition.

use super::corpus::{generated, reworded, Doc, Numbers};

/// Seed of the corpus.
pub const CORPUS: u64 = 61;
/// The contributor who cheats, and the one who is copied.
pub const ATTACKER: usize = 0;
pub const VICTIM: usize = 1;

/// Documents of each contributor that nothing is trained on: the first asks what is paid, all ask what an audit says.
pub const HELD: usize = 4;

/// Documents with what an attack adds.
pub type Attack = fn(&mut Vec<Doc>, usize);

/// The attacks that need no model, by name.
pub const ATTACKS: [(&str, Attack); 16] = [
    ("own_documents_4_times", |docs, first| clones(docs, first, ATTACKER, 4, false)),
    ("own_documents_16_owners", |docs, first| clones(docs, first, ATTACKER, 16, true)),
    (APART, |docs, first| apart(docs, first, ATTACKER)),
    ("victim_copied", |docs, first| clones(docs, first, VICTIM, 1, true)),
    ("victim_copied_10_percent_new", |docs, first| near(docs, first, 10)),
    ("victim_copied_30_percent_new", |docs, first| near(docs, first, 30)),
    ("victim_reworded", rewording),
    ("stuffed_words", |docs, first| stuffed(docs, first, 96, 1)),
    ("stuffed_words_between_new_ones", between),
    ("stuffed_pairs_of_words", |docs, first| stuffed(docs, first, 96, 2)),
    ("stuffed_runs_of_four_words", |docs, first| stuffed(docs, first, 96, 4)),
    ("stuffed_pairs_of_words_20_owners", |docs, first| {
        stuffed(docs, first, 96, 2);
        apart(docs, first, first);
    }),
    ("stuffed_runs_of_four_words_20_owners", |docs, first| {
        stuffed(docs, first, 96, 4);
        apart(docs, first, first);
    }),
    ("outliers", outliers),
    (HONEST, more),
    (HONEST_OF_ALL, of_all),
];

/// What the attacks with new documents are to be held against: as many honest ones, of its own kind and of what the
/// others write about.
pub const HONEST: &str = "no_attack_20_own_documents";
pub const HONEST_OF_ALL: &str = "no_attack_20_documents_of_all";

/// The same documents under as many names.
pub const APART: &str = "own_documents_apart";

/// Times that a stuffer puts twenty documents together before it chooses twenty.
const ROUNDS: u64 = 10;

/// Candidates of everybody's pairs of words for an attacker who chooses among them by a model of its own.
pub fn candidates(docs: &[Doc], first: usize) -> Vec<Doc> {
    let mut all = docs.to_vec();
    (0..ROUNDS).for_each(|round| pieces(&mut all, first, 96, 2, 100 + round));
    all.split_off(docs.len())
}

/// A contributor's documents.
fn of(docs: &[Doc], contributor: usize) -> Vec<Doc> {
    docs.iter().filter(|doc| doc.contributor == contributor).cloned().collect()
}

/// The victim's documents said in other words: the same names in other sentences.
fn rewording(docs: &mut Vec<Doc>, first: usize) {
    let mut numbers = Numbers(13);
    let own = of(docs, VICTIM);
    docs.extend(own.iter().map(|doc| Doc { contributor: first, text: reworded(&doc.text, &mut numbers) }));
}

fn clones(docs: &mut Vec<Doc>, first: usize, copied: usize, times: usize, owners: bool) {
    let own = of(docs, copied);
    for copy in 0..times {
        let contributor = if owners { first + copy } else { ATTACKER };
        docs.extend(own.iter().map(|d| Doc { contributor, text: d.text.clone() }));
    }
}

/// Each document of `contributor` under a name of its own.
fn apart(docs: &mut [Doc], first: usize, contributor: usize) {
    let own = docs.iter_mut().filter(|doc| doc.contributor == contributor);
    own.zip(first..).for_each(|(doc, name)| doc.contributor = name);
}

/// The victim's documents with so many of a hundred words swapped.
fn near(docs: &mut Vec<Doc>, first: usize, percent: u64) {
    let mut numbers = Numbers(percent);
    let own = of(docs, VICTIM);
    docs.extend(own.iter().map(|doc| {
        let words = doc.text.split(' ').map(|word| match numbers.below(100) < percent {
            true => format!("zor{}", numbers.below(900)),
            false => word.to_string(),
        });
        Doc { contributor: first, text: words.collect::<Vec<_>>().join(" ") }
    }));
}

/// Twenty documents of `length` of everybody's words in runs of `run` words, the runs in random order.
fn stuffed(docs: &mut Vec<Doc>, first: usize, length: usize, run: usize) {
    pieces(docs, first, length, run, 5);
}

fn pieces(docs: &mut Vec<Doc>, first: usize, length: usize, run: usize, seed: u64) {
    let mut numbers = Numbers(seed);
    let words: Vec<String> =
        docs.iter().flat_map(|d| d.text.split(' ').map(str::to_string).collect::<Vec<_>>()).collect();
    for _ in 0..20 {
        let text: Vec<&str> = (0..length / run)
            .map(|_| numbers.below((words.len() - run) as u64) as usize)
            .flat_map(|at| words[at..at + run].iter().map(String::as_str))
            .collect();
        docs.push(Doc { contributor: first, text: text.join(" ") });
    }
}

/// The same of single words with a word of nobody behind each, so that no two neighbours are known.
fn between(docs: &mut Vec<Doc>, first: usize) {
    let (mut numbers, before) = (Numbers(9), docs.len());
    stuffed(docs, first, 48, 1);
    for doc in docs.iter_mut().skip(before) {
        let text = doc.text.split(' ').map(|word| format!("{word} zor{}", numbers.below(1_000_000)));
        doc.text = text.collect::<Vec<_>>().join(" ");
    }
}

/// Further documents of the contributor's own vocabulary.
fn more(docs: &mut Vec<Doc>, first: usize) {
    let before = of(docs, ATTACKER).len() + HELD;
    let own = generated(1, before + 20, 6, CORPUS).into_iter().skip(before);
    docs.extend(own.map(|doc| Doc { contributor: first, ..doc }));
}

/// Honest documents about what each of the others writes about in turn.
fn of_all(docs: &mut Vec<Doc>, first: usize) {
    let before = of(docs, ATTACKER).len() + HELD;
    let all = generated(first, before + 20, 6, CORPUS);
    let fresh = (0..20).filter_map(|n| all.get((1 + n % (first - 1)) * (before + 20) + before + n));
    docs.extend(fresh.map(|doc| Doc { contributor: first, text: doc.text.clone() }));
}

/// Documents of what no model expects.
fn outliers(docs: &mut Vec<Doc>, first: usize) {
    let mut numbers = Numbers(6);
    for _ in 0..8 {
        let text: Vec<String> = (0..90).map(|_| format!("q{}x", numbers.below(1_000_000))).collect();
        docs.push(Doc { contributor: first, text: text.join(" ") });
    }
}

//! Attempts to earn what others wrote (numbers as in the list of attacks).

use openledger_attribution::RunKind;

use crate::support::{cut, document, index, prose, Numbers};

const SEED: [u8; 32] = [9; 32];

/// An answer that repeats the attacker's and the victim's texts in copies and short phrases.
fn mixed_answer(ours: &str, theirs: &str) -> String {
    [cut(ours, 10, 40), prose(77, 5), cut(theirs, 50, 90), cut(ours, 100, 106), cut(theirs, 7, 12)].join(" ")
}

#[test]
fn attr_attack_01_duplicates_gain_nothing() {
    let (ours, theirs) = (prose(1, 400), prose(2, 400));
    let honest = vec![document(1, "victim", &theirs), document(2, "attacker", &ours)];
    let answer = mixed_answer(&ours, &theirs);
    let before = index(honest.clone()).trace("", &answer, &SEED);
    assert_eq!(before.shares.len(), 2);
    for copied in [&ours, &theirs] {
        for k in [1u64, 4, 64] {
            for many in [false, true] {
                for changed in [false, true] {
                    let mut documents = honest.clone();
                    for i in 0..k {
                        let owner = if many { format!("attacker{i}") } else { "attacker".into() };
                        // Changed: a tenth is new, so that hashes differ.
                        let text = if changed {
                            format!("{copied} {}", prose(1_000 + i, 40))
                        } else {
                            copied.clone()
                        };
                        documents.push(document(10 + i, &owner, &text));
                    }
                    let index = index(documents);
                    assert_eq!(index.duplicates().len() as u64, k);
                    assert_eq!(
                        index.trace("", &answer, &SEED),
                        before,
                        "k {k}, many {many}, changed {changed}"
                    );
                }
            }
        }
    }
}

#[test]
fn attr_attack_02_a_copier_earns_nothing_for_what_it_copied() {
    let original = prose(1, 200);
    // The copier's text is for the most part new, so that it is no duplicate as a whole.
    let copier = [prose(3, 300), cut(&original, 20, 120), prose(4, 300)].join(" ");
    let index = index(vec![document(5, "victim", &original), document(6, "copier", &copier)]);
    assert!(index.duplicates().is_empty());
    let trace = index.trace("", &cut(&original, 20, 120), &SEED);
    assert_eq!(trace.shares.len(), 1);
    assert_eq!((trace.shares[0].contribution_id, trace.shares[0].bps), (5, 10_000));
    // Text and continuation taken from the copier's document: only its own words pay it.
    let answer = [cut(&original, 60, 120), cut(&prose(4, 300), 0, 40)].join(" ");
    let trace = index.trace("", &answer, &SEED);
    for (number, token) in trace.tokens.iter().enumerate() {
        let payee = if number < 60 { 5 } else { 6 };
        let run = &trace.runs[token.run];
        assert_eq!(run.kind, RunKind::Copy);
        assert_eq!(run.payees[0].contribution_id, payee, "word {number}");
    }
}

#[test]
fn attr_attack_02_even_when_it_hides_the_copy_among_others() {
    // A later text pieced together from two earlier ones, cited across the seam.
    let (one, two) = (prose(1, 200), prose(2, 200));
    let seam = [prose(3, 150), cut(&one, 0, 50), cut(&two, 0, 50)].join(" ");
    let index = index(vec![document(1, "one", &one), document(2, "two", &two), document(3, "copier", &seam)]);
    assert!(index.duplicates().is_empty());
    let answer = [cut(&one, 40, 50), cut(&two, 0, 10)].join(" ");
    let trace = index.trace("", &answer, &SEED);
    let paid: Vec<u64> = trace.tokens.iter().map(|t| trace.runs[t.run].payees[0].contribution_id).collect();
    // The answer's windows stand in the copier's text only; its origins pay.
    assert_eq!(paid, [[1u64; 10], [2; 10]].concat());
}

#[test]
fn attr_attack_12_an_echo_of_the_prompt_pays_nobody() {
    let text = prose(1, 300);
    let index = index(vec![document(1, "owner", &text)]);
    let pasted = cut(&text, 50, 150);
    let prompt = format!("please go on: {pasted}");
    let echo = index.trace(&prompt, &pasted, &SEED);
    assert!(echo.shares.is_empty() && echo.pieces.is_empty());
    assert_eq!(echo.no_evidence_bps, 10_000);
    // A continuation does not unmask the echo before it.
    let longer = index.trace(&prompt, &cut(&text, 50, 170), &SEED);
    assert!(longer.tokens[..100].iter().all(|t| longer.runs[t.run].kind == RunKind::Echo));
    assert!(longer.tokens[100..].iter().all(|t| longer.runs[t.run].kind == RunKind::Copy));
    // Seven words in a row are a coincidence.
    let short = index.trace(&cut(&text, 50, 57), &cut(&text, 50, 70), &SEED);
    assert!(short.runs.iter().all(|run| run.kind == RunKind::Copy));
}

#[test]
fn attr_attack_18_case_width_and_zero_width_do_not_hide_a_copy() {
    let text =
        "The Quick brown fox jumps over the lazy dog while ten grey geese look on from afar and say nothing.";
    let disguised =
        text.to_uppercase().replace("FOX", "F\u{200b}OX").replace("TEN", "\u{ff34}\u{ff25}\u{ff2e}");
    let index = index(vec![document(1, "owner", text), document(2, "copier", &disguised)]);
    assert_eq!(index.duplicates().len(), 1);
    let trace = index.trace("", &disguised.replace(' ', "  \n"), &SEED);
    assert_eq!(trace.shares.iter().map(|s| (s.contribution_id, s.bps)).collect::<Vec<_>>(), [(1, 10_000)]);
}

/// A text with this many of a hundred words swapped for others, chosen by `seed`.
fn swapped(text: &str, percent: u64, seed: u64) -> String {
    let mut numbers = Numbers(seed);
    let words = text.split(' ').map(|word| match numbers.below(100) < percent {
        true => format!("x{}", numbers.below(4_000)),
        false => word.to_string(),
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn attr_attack_03_a_near_copy_takes_nothing_from_answers_that_repeat_the_original() {
    let original = prose(1, 600);
    for percent in [1u64, 5, 10, 20, 30, 40] {
        let copy = swapped(&original, percent, percent);
        let index = index(vec![document(1, "victim", &original), document(2, "copier", &copy)]);
        // An answer that repeats the copy, the worst case for the victim.
        let trace = index.trace("", &cut(&copy, 100, 300), &SEED);
        let copier: u16 = trace.shares.iter().filter(|s| s.contribution_id == 2).map(|s| s.bps).sum();
        // What the copier wrote are the swapped words. Where they lie closer than 16 words, the phrases
        // between them are shared with the victim: that is more than the new words, and printed.
        let new = (0..200).filter(|i| cut(&copy, 100 + i, 101 + i).starts_with('x')).count();
        println!("{percent} % swapped: copier {copier} bps for {new} new words of 200");
        assert!(percent > 1 || copier == 0, "a copy with 1 % of the words swapped is a duplicate");
        // An answer that repeats the original pays the victim alone.
        let honest = index.trace("", &cut(&original, 100, 300), &SEED);
        let victim: u16 = honest.shares.iter().filter(|s| s.contribution_id == 1).map(|s| s.bps).sum();
        assert!(victim >= 9_900, "{percent} %: the victim gets {victim}");
    }
}

#[test]
fn attr_attack_03_near_copies_are_found_as_far_as_they_resemble() {
    let mut found = [0usize; 3];
    for seed in 0..40 {
        let original = prose(1_000 + seed, 400);
        for (slot, percent) in [1u64, 3, 10].into_iter().enumerate() {
            let copy = swapped(&original, percent, seed);
            // The copier's name tells them apart from what a contributor revises of its own.
            let index = index(vec![document(1, "victim", &original), document(2, "copier", &copy)]);
            found[slot] += index.duplicates().len();
        }
    }
    println!("found of 40 at 1, 3 and 10 % swapped: {found:?}");
    assert_eq!(found, [40; 3]);
}

#[test]
fn attr_attack_03_a_copy_out_of_many_with_words_swapped_is_found_and_a_revision_is_kept() {
    let originals: Vec<String> = (0..8).map(|i| prose(2_000 + i, 200)).collect();
    let mut documents: Vec<_> =
        (1..).zip(&originals).map(|(id, text)| document(id, &format!("victim{id}"), text)).collect();
    // Fifty words of each, one in ten swapped: of none of them the whole.
    let parts: Vec<String> = originals.iter().map(|text| cut(text, 60, 110)).collect();
    documents.push(document(90, "copier", &swapped(&parts.join(" "), 10, 5)));
    // What the first victim makes of its own text is its own affair.
    documents.push(document(91, "victim1", &swapped(&originals[0], 14, 6)));
    let index = index(documents);
    assert_eq!(index.duplicates().iter().map(|d| d.contribution_id).collect::<Vec<_>>(), [90]);
    assert!(index.duplicates()[0].of <= 8);
}

#[test]
fn attr_attack_18_no_perturbation_hides_a_copy() {
    let rounds = if std::env::var_os("OPENLEDGER_LONG").is_some() { 10_000 } else { 150 };
    let original: String = (0..60).map(|i| format!("word{} ", i * 7 % 40)).collect();
    let mut hidden = 0;
    for seed in 0..rounds {
        let mut numbers = Numbers(seed);
        let copy: String = original
            .chars()
            .flat_map(|c| match numbers.below(12) {
                0 => c.to_uppercase().collect::<Vec<_>>(),
                1 => vec![c, '\u{200b}'],
                2 if c == ' ' => vec!['\t', ' ', '\n'],
                3 if c == 'o' => vec!['\u{43e}'],
                4 if c.is_ascii_lowercase() => vec![char::from_u32(u32::from(c) + 0xfee0).unwrap_or(c)],
                _ => vec![c],
            })
            .collect();
        let index = index(vec![document(1, "owner", &original), document(2, "copier", &copy)]);
        hidden += usize::from(index.duplicates().is_empty());
    }
    assert!(hidden * 100 <= rounds as usize, "{hidden} of {rounds} copies were not found");
}

#[test]
fn attr_attack_19_priority_stays_with_the_first_commit() {
    // Withdrawn, uploaded again and copied in between: whoever committed first earns, in any order.
    let text = prose(1, 100);
    let documents =
        vec![document(9, "late", &text), document(4, "copier", &text), document(2, "owner", &text)];
    let trace = index(documents).trace("", &cut(&text, 0, 50), &SEED);
    assert_eq!(trace.shares.iter().map(|s| s.contribution_id).collect::<Vec<_>>(), [2]);
}

//! A corpus generated here: contributors with a vocabulary and facts of their own, in shared templates.

use std::collections::BTreeMap;

pub use super::prose::Numbers;

/// A document of a contributor.
#[derive(Clone, Debug)]
pub struct Doc {
    /// Contributor, from 0.
    pub contributor: usize,
    /// Text.
    pub text: String,
}

const SYLLABLES: [&str; 24] = [
    "ka", "lo", "mir", "ten", "sa", "vel", "dor", "an", "qui", "re", "bal", "no", "ith", "ga", "pel", "us",
    "fi", "mon", "tra", "el", "zu", "har", "ine", "cor",
];
const TEMPLATES: [&str; 8] = [
    "the {a} of {b} was found near {c} and kept in the {d} for many years",
    "every {a} needs a {b} before the {c} can reach the {d} again",
    "in {b} they say that {a} and {c} belong to the same {d}",
    "when the {a} turns the {b} the {c} must wait until the {d} is done",
    "nobody in {a} has seen the {b} since {c} took the {d} away",
    "the first {a} made of {b} came from {c} with a letter to the {d}",
    "a {a} without {b} is worth less than {c} in the market of {d}",
    "old {a} maps show {b} between the {c} and the river {d}",
];

fn word(numbers: &mut Numbers) -> String {
    (0..2 + numbers.below(2)).map(|_| SYLLABLES[numbers.below(24) as usize]).collect()
}

/// Sentences over a contributor's own words and words that all share.
pub fn generated(contributors: usize, each: usize, sentences: usize, seed: u64) -> Vec<Doc> {
    let mut numbers = Numbers(seed);
    let common: Vec<String> = (0..60).map(|_| word(&mut numbers)).collect();
    let mut docs = Vec::new();
    for contributor in 0..contributors {
        let own: Vec<String> = (0..24).map(|_| word(&mut numbers)).collect();
        for _ in 0..each {
            let text: Vec<String> = (0..sentences).map(|_| sentence(&mut numbers, &own, &common)).collect();
            docs.push(Doc { contributor, text: format!("{}.", text.join(". ")) });
        }
    }
    docs
}

fn sentence(numbers: &mut Numbers, own: &[String], common: &[String]) -> String {
    let mut text = TEMPLATES[numbers.below(8) as usize].to_string();
    for slot in ["{a}", "{b}", "{c}", "{d}"] {
        let from = if numbers.below(3) < 2 { own } else { common };
        text = text.replace(slot, &from[numbers.below(from.len() as u64) as usize]);
    }
    text
}

/// A generated text said in other words: every sentence in another template, with the same words in its places.
pub fn reworded(text: &str, numbers: &mut Numbers) -> String {
    let sentences = text.trim_end_matches('.').split(". ").map(|sentence| {
        let found = TEMPLATES.iter().enumerate().find_map(|(i, t)| Some((i, places(t, sentence)?)));
        let Some((template, places)) = found else { return sentence.to_string() };
        let other = (template as u64 + 1 + numbers.below(7)) % 8;
        let mut text = TEMPLATES[other as usize].to_string();
        for (slot, word) in ["{a}", "{b}", "{c}", "{d}"].into_iter().zip(places) {
            text = text.replace(slot, word);
        }
        text
    });
    format!("{}.", sentences.collect::<Vec<_>>().join(". "))
}

/// The words in the places a to d of a template; none where the sentence is not of it.
fn places<'a>(template: &str, sentence: &'a str) -> Option<[&'a str; 4]> {
    let (pattern, words): (Vec<&str>, Vec<&str>) =
        (template.split(' ').collect(), sentence.split(' ').collect());
    let mut found = [""; 4];
    for (part, word) in pattern.iter().zip(&words) {
        match part.strip_prefix('{').and_then(|part| part.bytes().next()) {
            Some(letter) => *found.get_mut(usize::from(letter.checked_sub(b'a')?))? = word,
            None if part != word => return None,
            None => {}
        }
    }
    (pattern.len() == words.len()).then_some(found)
}

/// Least bytes of a document of [`plays`]: more than a context of tokens.
const SPEECH: usize = 420;

/// Documents of every speaker in a text of plays: blocks of `NAME:` and what is said, blank lines between them
/// (the form of the corpus known as Tiny Shakespeare). A document is consecutive speeches of one speaker.
fn speakers(text: &str) -> BTreeMap<&str, Vec<String>> {
    let mut said: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for block in text.split("\n\n") {
        let Some((name, speech)) = block.split_once(":\n") else { continue };
        let documents = said.entry(name).or_default();
        match documents.last_mut().filter(|last| last.len() < SPEECH) {
            Some(last) => {
                last.push('\n');
                last.push_str(speech);
            }
            None => documents.push(speech.to_string()),
        }
    }
    said
}

/// Documents of the speakers who say most in a text of plays.
///
/// # Errors
/// When the text has too few speakers who say enough.
pub fn plays(text: &str, contributors: usize, each: usize) -> anyhow::Result<Vec<Doc>> {
    let mut speakers: Vec<(&str, Vec<String>)> = speakers(text).into_iter().collect();
    for (_, documents) in &mut speakers {
        documents.retain(|document| document.len() >= SPEECH);
    }
    speakers.sort_by_key(|(name, documents)| (std::cmp::Reverse(documents.len()), *name));
    speakers.truncate(contributors);
    anyhow::ensure!(
        speakers.len() == contributors && speakers.iter().all(|(_, d)| d.len() >= each),
        "the plays have no {contributors} speakers of {each} documents of {SPEECH} bytes each"
    );
    let documents = speakers.into_iter().enumerate().flat_map(|(contributor, (_, documents))| {
        documents.into_iter().take(each).map(move |text| Doc { contributor, text })
    });
    Ok(documents.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reworded_text_keeps_its_names_and_no_sentence() {
        let doc = &generated(1, 1, 6, 3)[0];
        let other = reworded(&doc.text, &mut Numbers(1));
        let (old, new): (Vec<&str>, Vec<&str>) =
            (doc.text.split(". ").collect(), other.split(". ").collect());
        assert_eq!(old.len(), new.len());
        for (old, new) in old.iter().zip(new) {
            assert_ne!(old.trim_end_matches('.'), new.trim_end_matches('.'));
            let found = TEMPLATES.iter().find_map(|t| places(t, old.trim_end_matches('.'))).unwrap();
            assert!(found.iter().all(|word| new.contains(word)), "{old} -> {new}");
        }
    }
}

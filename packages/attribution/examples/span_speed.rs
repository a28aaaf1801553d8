//! Speed and size of the span trace: `span_speed [FOLDER|MEGABYTES] [OWNERS]`.
//!
//! Builds an index over the `.txt`, `.md` and `.rs` files below FOLDER (one contributor a subfolder, or
//! OWNERS of them by turns), or over so many megabytes of generated text (20 unless told), and traces answers of
//! 256 words: pasted together from longer and shorter passages, down to single words, which are the worst case.

use std::path::{Path, PathBuf};
use std::time::Instant;

use openledger_attribution::{Document, Evidence, Index};
use openledger_ingest::{match_text, match_words};

use prose::{prose, Numbers};

#[path = "prose/mod.rs"]
mod prose;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let source = arguments.next();
    let owners: Option<u64> = arguments.next().map(|n| n.parse()).transpose()?;
    let megabytes = source.as_deref().map_or(Some(20), |source| source.parse().ok());
    let texts = match (megabytes, &source) {
        (None, Some(folder)) => read(Path::new(folder))?,
        (megabytes, _) => prose(megabytes.unwrap_or(20)),
    };
    let documents: Vec<Document> = texts
        .into_iter()
        .zip(1u64..)
        .map(|((owner, text), id)| Document {
            contribution_id: id,
            contributor: owners.map_or(owner, |n| format!("owner{}", id % n.max(1))),
            priority: (id, 0),
            match_text: match_text(&text),
        })
        .collect();
    let bytes: usize = documents.iter().map(|d| d.match_text.len()).sum();
    let count = documents.len();
    let start = Instant::now();
    let index = Index::build(documents)?;
    let built = start.elapsed();
    println!("documents {count}, match text {bytes} bytes, {} copies left out", index.duplicates().len());
    println!("words {}, build {} ms", index.tokens(), built.as_millis());
    println!(
        "index {} bytes, {} bytes a word without texts",
        index.bytes(),
        index.bytes() / index.tokens().max(1)
    );

    if let Some(peak) = peak_memory() {
        println!("most memory so far {peak} kB, texts counted");
    }

    let mut numbers = Numbers(42);
    let pasted: Vec<String> = (0..500).map(|_| answer(&index, &mut numbers, 40)).collect();
    let short: Vec<String> = (0..200).map(|_| answer(&index, &mut numbers, 5)).collect();
    let single: Vec<String> = (0..100).map(|_| answer(&index, &mut numbers, 1)).collect();
    measure("passages of 1 to 40 words", &index, &pasted);
    measure("passages of 1 to 5 words", &index, &short);
    measure("single words", &index, &single);
    Ok(())
}

/// The most memory that this process has had, in kB, where the system says it.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok())
}

fn measure(name: &str, index: &Index, answers: &[String]) {
    let (mut trace_us, mut evidence_us, mut runs, mut pieces) = (Vec::new(), Vec::new(), 0, 0);
    for answer in answers {
        let start = Instant::now();
        let trace = index.trace("What is known about this?", answer, &[1; 32]);
        trace_us.push(start.elapsed().as_micros());
        let start = Instant::now();
        std::hint::black_box(Evidence::new(&trace).root());
        evidence_us.push(start.elapsed().as_micros());
        runs += trace.runs.len();
        pieces += trace.pieces.len();
    }
    trace_us.sort_unstable();
    evidence_us.sort_unstable();
    let n = answers.len().max(1);
    let at = |list: &[u128], percent: usize| list.get(list.len() * percent / 100).copied().unwrap_or(0);
    println!(
        "{name}: trace with shares p50 {} us, p99 {} us; evidence root p50 {} us, p99 {} us; runs {}, pieces {}",
        at(&trace_us, 50),
        at(&trace_us, 99),
        at(&evidence_us, 50),
        at(&evidence_us, 99),
        runs / n,
        pieces / n
    );
}

/// 256 words in passages of 1 to `most` words of random documents.
fn answer(index: &Index, numbers: &mut Numbers, most: u64) -> String {
    let mut words: Vec<String> = Vec::new();
    let documents = index.documents();
    for _ in 0..10_000 {
        if words.len() >= 256 {
            break;
        }
        let text = &documents[numbers.below(documents.len() as u64) as usize].match_text;
        let all: Vec<&str> = match_words(text).map(|(_, word)| word).collect();
        let from = numbers.below(all.len() as u64 + 1) as usize;
        let len = 1 + numbers.below(most) as usize;
        words.extend(all.iter().skip(from).take(len.min(256 - words.len())).map(ToString::to_string));
    }
    words.join(" ")
}

/// (Subfolder, text) of all text files below `folder`, by path.
fn read(folder: &Path) -> std::io::Result<Vec<(String, String)>> {
    let mut files: Vec<PathBuf> = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "txt" || e == "md" || e == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    let mut texts = Vec::new();
    for file in files {
        let owner = file
            .strip_prefix(folder)
            .ok()
            .and_then(|path| path.components().next())
            .map(|part| part.as_os_str().to_string_lossy().into_owned());
        let text = String::from_utf8_lossy(&std::fs::read(&file)?).into_owned();
        texts.push((owner.unwrap_or_default(), text));
    }
    Ok(texts)
}

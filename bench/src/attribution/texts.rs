//! Texts of a folder, each with who contributed it.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{ensure, Context, Result};
use serde::Deserialize;

use super::corpus::Doc;

/// A line of a file of questions and answers, in the form of MedQuAD.
#[derive(Deserialize)]
struct Answered {
    source: String,
    question: String,
    answer: String,
}

/// All texts below a folder, by path: `.md` and `.txt` files, of which each folder in it is a contributor, and
/// `.jsonl.gz` files with a question, its answer and their source on every line.
///
/// # Errors
/// When there is none, a file cannot be read, or a line has another form.
pub fn folder(root: &Path) -> Result<Vec<Doc>> {
    let mut files: Vec<PathBuf> = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).with_context(|| format!("{}", next.display()))? {
            let entry = entry?;
            match entry.file_type()? {
                kind if kind.is_dir() => folders.push(entry.path()),
                kind if kind.is_file() => files.push(entry.path()),
                _ => {}
            }
        }
    }
    files.sort();
    let mut numbers: HashMap<String, usize> = HashMap::new();
    let mut docs = Vec::new();
    let mut add = |contributor: String, text: String| {
        let next = numbers.len();
        docs.push(Doc { contributor: *numbers.entry(contributor).or_insert(next), text });
    };
    for path in files {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let open = || std::fs::File::open(&path).with_context(|| format!("{}", path.display()));
        if name.ends_with(".jsonl.gz") {
            for line in BufReader::new(flate2::read::GzDecoder::new(open()?)).lines() {
                let found: Answered =
                    serde_json::from_str(&line?).with_context(|| format!("{}", path.display()))?;
                add(found.source, format!("{} {}", found.question, found.answer));
            }
        } else if name.ends_with(".md") || name.ends_with(".txt") {
            let mut bytes = Vec::new();
            open()?.read_to_end(&mut bytes)?;
            let first = path.strip_prefix(root)?.components().next();
            let contributor = first.map(|part| part.as_os_str().to_string_lossy().into_owned());
            add(contributor.unwrap_or_default(), String::from_utf8_lossy(&bytes).into_owned());
        }
    }
    ensure!(!docs.is_empty(), "{} holds no .md, .txt or .jsonl.gz file", root.display());
    Ok(docs)
}

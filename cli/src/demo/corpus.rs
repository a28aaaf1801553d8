//! The real input of the demo: sources of crates that this workspace depends on, or the user's data.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{bail, Context as _, Result};
use sha2::{Digest, Sha256};

/// Crates in the default datanet.
const CRATES: usize = 24;
/// Smallest and largest source file taken, in bytes: shorter ones say nothing, longer ones are
/// mostly generated tables.
const FILE_BYTES: std::ops::RangeInclusive<u64> = 400..=200_000;
/// Most bytes of one input line of a `.jsonl` file.
const LINE_BYTES: u64 = 8 << 20;

/// One document with who contributes it.
#[derive(Clone, Debug)]
pub struct SourceDoc {
    /// Who contributes it.
    pub contributor: String,
    /// What people see as its title.
    pub name: String,
    /// Raw bytes.
    pub bytes: Vec<u8>,
    /// SPDX expression, when the source names one.
    pub license: Option<String>,
}

/// What is known of a contributor.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// SPDX expression.
    pub license: Option<String>,
    /// Names of the authors, without their mail addresses.
    pub authors: Vec<String>,
    /// Checksum under which the source is pinned.
    pub checksum: Option<String>,
}

/// Documents, what was left out and why.
#[derive(Debug, Default)]
pub struct Corpus {
    /// In the order of contributor and name.
    pub docs: Vec<SourceDoc>,
    /// File and reason.
    pub skipped: Vec<(String, String)>,
    /// By contributor.
    pub origins: BTreeMap<String, Origin>,
}

/// Where `--data` reads from and which fields.
#[derive(Clone, Debug)]
pub struct DataOptions {
    /// Folder.
    pub path: PathBuf,
    /// Field of the text in `.jsonl` lines.
    pub text_field: String,
    /// Field of the contributor.
    pub contributor_field: String,
    /// Most bytes of all documents.
    pub max_bytes: u64,
}

/// The platform that the compiler builds for.
fn host() -> Result<String> {
    let output = std::process::Command::new("rustc")
        .arg("-vV")
        .output()
        .context("E-DEMO-001 cannot run rustc: is it on the PATH?")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_string).context("E-DEMO-001 rustc -vV names no host")
}

/// Sources of 24 permissively licensed crates of the workspace at `workspace`, at most `max_bytes`.
///
/// # Errors
/// When `cargo metadata` fails or fewer crates than one have their sources on this machine.
pub fn crates(workspace: &Path, max_bytes: u64) -> Result<Corpus> {
    // Of other platforms' crates a fresh machine has no sources.
    let output = std::process::Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", &host()?])
        .current_dir(workspace)
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("E-DEMO-001 cannot run cargo metadata: is cargo on the PATH?")?;
    if !output.status.success() {
        bail!("E-DEMO-001 cargo metadata failed: run ./scripts/demo once from the clone, so that all sources are fetched");
    }
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let checksums = lock_checksums(&workspace.join("Cargo.lock"))?;
    let mut candidates = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let (Some(name), Some(version), Some(manifest)) =
            (package["name"].as_str(), package["version"].as_str(), package["manifest_path"].as_str())
        else {
            continue;
        };
        let license = package["license"].as_str().unwrap_or_default();
        if package["source"].is_null() || !permissive(license) {
            continue;
        }
        let root = Path::new(manifest).parent().unwrap_or(Path::new("."));
        let files = rust_files(&root.join("src"));
        let bytes: u64 = files.iter().map(|(_, len)| len).sum();
        // Between the extremes, so that no crate drowns the others and all of them fit.
        if (max_bytes / 200..=max_bytes / 25).contains(&bytes) {
            let authors = package["authors"].as_array().into_iter().flatten();
            let origin = Origin {
                license: Some(license.replace('/', " OR ")),
                authors: authors.filter_map(|a| Some(a.as_str()?.split(" <").next()?.to_string())).collect(),
                checksum: checksums.get(&(name.to_string(), version.to_string())).cloned(),
            };
            candidates.push((
                bytes,
                format!("{name}-{version}"),
                name.to_string(),
                origin,
                root.to_path_buf(),
                files,
            ));
        }
    }
    // The largest first, one version of each crate.
    candidates.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    let mut corpus = Corpus::default();
    let (mut names, mut total) = (BTreeSet::new(), 0u64);
    for (bytes, contributor, name, origin, root, files) in candidates {
        if corpus.origins.len() == CRATES {
            break;
        }
        if total + bytes > max_bytes || !names.insert(name) {
            continue;
        }
        total += bytes;
        for (path, _) in files {
            let shown = path.strip_prefix(&root).unwrap_or(&path).display().to_string();
            match std::fs::read(&path) {
                Ok(bytes) => corpus.docs.push(SourceDoc {
                    contributor: contributor.clone(),
                    name: format!("{contributor}/{shown}"),
                    bytes,
                    license: origin.license.clone(),
                }),
                Err(error) => corpus.skipped.push((path.display().to_string(), error.to_string())),
            }
        }
        corpus.origins.insert(contributor, origin);
    }
    if corpus.origins.len() < 2 {
        bail!("E-DEMO-002 the sources of too few crates are on this machine: run `cargo fetch --locked` in the clone");
    }
    sort(&mut corpus);
    Ok(corpus)
}

/// A folder with a subfolder a contributor, or with `.jsonl` and `.jsonl.gz` files.
///
/// # Errors
/// When the folder cannot be read or holds nothing usable; single files that cannot be read are
/// listed as skipped.
pub fn folder(options: &DataOptions) -> Result<Corpus> {
    let mut corpus = Corpus::default();
    let mut total = 0u64;
    let entries = std::fs::read_dir(&options.path).with_context(|| {
        format!("E-DEMO-003 cannot read {}: give --data a folder", options.path.display())
    })?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|e| e.ok().map(|e| e.path())).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            for entry in walkdir::WalkDir::new(&path).sort_by_file_name().into_iter().filter_map(|e| e.ok()) {
                if entry.file_type().is_file() {
                    let shown = entry.path().strip_prefix(&options.path).unwrap_or(entry.path());
                    take_file(&mut corpus, &mut total, options.max_bytes, &name, entry.path(), shown);
                }
            }
        } else if name.ends_with(".jsonl") || name.ends_with(".jsonl.gz") {
            if let Err(error) = take_jsonl(&mut corpus, &mut total, options, &path, &name) {
                corpus.skipped.push((name, format!("{error:#}")));
            }
        } else {
            corpus.skipped.push((name, "neither a folder nor .jsonl(.gz)".into()));
        }
    }
    if corpus.docs.is_empty() {
        bail!(
            "E-DEMO-004 nothing usable in {}: it needs one subfolder per contributor, or .jsonl(.gz) files with the fields `{}` and `{}` (--text-field, --contributor-field); {} entries were skipped",
            options.path.display(),
            options.text_field,
            options.contributor_field,
            corpus.skipped.len()
        );
    }
    sort(&mut corpus);
    Ok(corpus)
}

/// Splits documents into training and held-out parts: about `percent` of them, chosen by a hash of
/// seed, contributor and text, so that the same seed gives the same split on every machine.
pub fn hold_out(docs: Vec<SourceDoc>, percent: u64, seed: u64) -> (Vec<SourceDoc>, Vec<SourceDoc>) {
    let (held, kept): (Vec<_>, Vec<_>) = docs.into_iter().partition(|doc| rank(doc, seed) % 100 < percent);
    (kept, held)
}

/// `count` openings of held-out documents, drawn by `seed`, each at most `chars` characters cut at
/// the end of a line or word.
pub fn questions(held: &[SourceDoc], count: usize, chars: usize, seed: u64) -> Vec<String> {
    let mut order: Vec<&SourceDoc> = held.iter().filter(|d| d.bytes.len() > 2 * chars).collect();
    order.sort_by_key(|doc| rank(doc, seed ^ 0x9e37_79b9_7f4a_7c15));
    let mut seen = BTreeSet::new();
    order
        .into_iter()
        .filter_map(|doc| {
            let text = String::from_utf8_lossy(&doc.bytes);
            let text = text.trim_start();
            let cut: String = text.chars().take(chars).collect();
            let end = cut.rfind(char::is_whitespace).unwrap_or(cut.len());
            let opening = cut[..end].trim_end().to_string();
            (opening.len() >= 20 && seen.insert(opening.clone())).then_some(opening)
        })
        .take(count)
        .collect()
}

fn rank(doc: &SourceDoc, seed: u64) -> u64 {
    let mut hasher = Sha256::new();
    hasher.update(seed.to_be_bytes());
    hasher.update(doc.name.as_bytes());
    hasher.update(Sha256::digest(&doc.bytes));
    let hash = hasher.finalize();
    hash.iter().take(8).fold(0, |n, b| n << 8 | u64::from(*b))
}

fn sort(corpus: &mut Corpus) {
    corpus.docs.sort_by(|a, b| (&a.contributor, &a.name).cmp(&(&b.contributor, &b.name)));
}

/// SPDX expressions that allow use with attribution alone, or offer it as a choice. An expression that
/// mixes AND with OR is taken only when every licence in it is permissive.
fn permissive(license: &str) -> bool {
    const FREE: [&str; 9] = [
        "MIT",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "ISC",
        "Zlib",
        "Unlicense",
        "0BSD",
        "Unicode-3.0",
    ];
    let flat = license.replace(['(', ')'], " ").replace('/', " OR ");
    let mut ids = flat.split_whitespace().filter(|word| !["OR", "AND"].contains(word)).peekable();
    let free = |id: &str| FREE.contains(&id);
    match (flat.contains(" AND "), ids.peek()) {
        (_, None) => false,
        (true, _) => ids.all(free),
        (false, _) => ids.any(free),
    }
}

fn rust_files(root: &Path) -> Vec<(PathBuf, u64)> {
    walkdir::WalkDir::new(root)
        .sort_by_file_name()
        .into_iter()
        .filter_map(|entry| entry.ok())
        .filter(|e| e.file_type().is_file() && e.path().extension().is_some_and(|x| x == "rs"))
        .filter_map(|e| Some((e.path().to_path_buf(), e.metadata().ok()?.len())))
        .filter(|(_, len)| FILE_BYTES.contains(len))
        .collect()
}

fn lock_checksums(path: &Path) -> Result<BTreeMap<(String, String), String>> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("E-DEMO-005 cannot read {}: run the demo from the clone", path.display()))?;
    let lock: toml::Value = toml::from_str(&text).context("E-DEMO-005 Cargo.lock is not valid")?;
    let mut sums = BTreeMap::new();
    for package in lock.get("package").and_then(|p| p.as_array()).into_iter().flatten() {
        let field = |name: &str| package.get(name).and_then(|v| v.as_str()).map(String::from);
        if let (Some(name), Some(version), Some(sum)) = (field("name"), field("version"), field("checksum")) {
            sums.insert((name, version), sum);
        }
    }
    Ok(sums)
}

fn take_file(corpus: &mut Corpus, total: &mut u64, most: u64, contributor: &str, path: &Path, shown: &Path) {
    let shown = shown.to_string_lossy().into_owned();
    match std::fs::read(path) {
        Ok(bytes) => {
            take(corpus, total, most, contributor, shown, bytes);
        }
        Err(error) => corpus.skipped.push((shown, error.to_string())),
    }
}

fn take(corpus: &mut Corpus, total: &mut u64, most: u64, contributor: &str, name: String, bytes: Vec<u8>) {
    let sum = total.saturating_add(bytes.len() as u64);
    if sum > most {
        corpus.skipped.push((name, format!("beyond --max-bytes {most}")));
        return;
    }
    *total = sum;
    corpus.origins.entry(contributor.to_string()).or_default();
    corpus.docs.push(SourceDoc { contributor: contributor.to_string(), name, bytes, license: None });
}

fn take_jsonl(
    corpus: &mut Corpus,
    total: &mut u64,
    options: &DataOptions,
    path: &Path,
    name: &str,
) -> Result<()> {
    let file = std::fs::File::open(path)?;
    let reader: Box<dyn Read> = match name.ends_with(".gz") {
        true => Box::new(flate2::read::MultiGzDecoder::new(file)),
        false => Box::new(file),
    };
    let mut reader = BufReader::new(reader);
    let (mut line, mut number, mut bad) = (Vec::new(), 0u64, 0u64);
    loop {
        line.clear();
        if reader.by_ref().take(LINE_BYTES).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        number += 1;
        if line.len() as u64 == LINE_BYTES {
            bail!("line {number} is longer than {LINE_BYTES} bytes; the rest of the file was left out");
        }
        let value: serde_json::Value = match serde_json::from_slice(&line) {
            Ok(value) => value,
            Err(_) => {
                bad += 1;
                continue;
            }
        };
        let (text, who) = (value[&options.text_field].as_str(), value[&options.contributor_field].as_str());
        let (Some(text), Some(who)) = (text, who) else {
            bad += 1;
            continue;
        };
        let title = format!("{name}:{number}");
        let bytes = text.as_bytes().to_vec();
        take(corpus, total, options.max_bytes, who, title, bytes);
    }
    if bad > 0 {
        corpus.skipped.push((
            name.to_string(),
            format!(
                "{bad} of {number} lines are no JSON objects with the texts `{}` and `{}`",
                options.text_field, options.contributor_field
            ),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissive_licences_are_told_from_others() {
        for yes in ["MIT", "MIT OR Apache-2.0", "MIT/Apache-2.0", "GPL-3.0 OR MIT", "BSD-3-Clause AND MIT"] {
            assert!(permissive(yes), "{yes}");
        }
        for no in
            ["", "GPL-3.0", "MPL-2.0", "MIT AND GPL-2.0", "(MIT OR GPL-2.0) AND MPL-2.0", "CC-BY-NC-4.0"]
        {
            assert!(!permissive(no), "{no}");
        }
    }

    #[test]
    fn folders_and_lines_are_read_and_the_rest_is_listed() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("anna")).unwrap();
        std::fs::write(dir.path().join("anna/a.txt"), "hello").unwrap();
        std::fs::write(dir.path().join("notes.pdf"), "x").unwrap();
        std::fs::write(
            dir.path().join("b.jsonl"),
            "{\"text\":\"one\",\"who\":\"bob\"}\nnot json\n{\"text\":5,\"who\":\"bob\"}\n",
        )
        .unwrap();
        std::fs::write(dir.path().join("broken.jsonl.gz"), "no gzip").unwrap();
        let options = DataOptions {
            path: dir.path().into(),
            text_field: "text".into(),
            contributor_field: "who".into(),
            max_bytes: 1000,
        };
        let corpus = folder(&options).unwrap();
        let got: Vec<_> = corpus.docs.iter().map(|d| (d.contributor.as_str(), d.bytes.len())).collect();
        assert_eq!(got, [("anna", 5), ("bob", 3)]);
        let mut skipped: Vec<_> = corpus.skipped.iter().map(|(f, _)| f.as_str()).collect();
        skipped.sort_unstable();
        assert_eq!(skipped, ["b.jsonl", "broken.jsonl.gz", "notes.pdf"]);
        let small = DataOptions { max_bytes: 4, ..options.clone() };
        assert_eq!(folder(&small).unwrap().docs.len(), 1);
        let none = DataOptions { text_field: "nothing".into(), path: dir.path().join("anna"), ..options };
        assert!(folder(&none).unwrap_err().to_string().starts_with("E-DEMO-004"));
    }

    #[test]
    fn the_same_seed_holds_out_the_same_documents() {
        let doc = |i: u32| SourceDoc {
            contributor: "c".into(),
            name: format!("d{i}"),
            bytes: format!("document number {i} with some words to open a question from it {i}").into_bytes(),
            license: None,
        };
        let docs: Vec<_> = (0..1000).map(doc).collect();
        let names = |docs: &[SourceDoc]| docs.iter().map(|d| d.name.clone()).collect::<Vec<_>>();
        let (kept, held) = hold_out(docs.clone(), 5, 1);
        assert_eq!(kept.len() + held.len(), 1000);
        assert!((30..70).contains(&held.len()));
        assert_eq!(names(&held), names(&hold_out(docs.clone(), 5, 1).1));
        assert_ne!(names(&held), names(&hold_out(docs, 5, 2).1));
        let asked = questions(&held, 3, 30, 1);
        assert_eq!(asked.len(), 3);
        assert_eq!(asked, questions(&held, 3, 30, 1));
    }
}

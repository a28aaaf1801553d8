//! What the sources of contracts and pure crates must not contain, and what the chain must be.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    // Tests run in their package's folder. Its path at compile time could be another checkout's with whom this
    // one shares a target folder.
    PathBuf::from("../..")
}

/// Source files below a folder, without their unit tests.
fn sources(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            found.push((path, code.to_string()));
        }
    }
}

/// Two validators must compute the same: nothing whose order or value depends on the machine or the
/// moment.
#[test]
fn finding_p16_contracts_hold_nothing_that_differs_between_machines() {
    let mut found = vec![];
    for contract in fs::read_dir(root().join("contracts")).unwrap() {
        sources(&contract.unwrap().path().join("src"), &mut found);
    }
    for shared in ["merkle", "types", "contract"] {
        sources(&root().join("packages").join(shared).join("src"), &mut found);
    }
    assert!(found.len() > 100, "the sources are somewhere else");
    // The bits of floating point are hashed, a reader is forwarded; nothing is computed with either.
    let hashed = [("formats/model.rs", "f32"), ("contract/src/lean.rs", "f64")];
    let banned =
        ["HashMap", "HashSet", "f32", "f64", "SystemTime", "Instant", "rand::", "std::env", "std::fs"];
    for (path, code) in found {
        for banned in banned {
            let used = code.lines().any(|line| !line.trim_start().starts_with("//") && uses(line, banned));
            let allowed = hashed.iter().any(|(file, word)| path.ends_with(file) && *word == banned);
            assert!(!used || allowed, "{} uses {banned}", path.display());
        }
    }
}

/// Whether a word stands in a line as a word of its own.
fn uses(line: &str, word: &str) -> bool {
    let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back().is_some_and(part_of_name);
        let after = line[at + word.len()..].chars().next().is_some_and(part_of_name);
        !before && (!after || word.ends_with("::"))
    })
}

/// A machine's clock that is wrong moves no coin: windows of contracts are heights, and what signs, pays, settles or
/// audits reads no calendar. Times of blocks go into beacons and into the timeouts of packets, nowhere else.
#[test]
fn windows_are_counted_in_heights_and_no_rule_reads_a_clock() {
    let mut contracts = vec![];
    for contract in fs::read_dir(root().join("contracts")).unwrap() {
        sources(&contract.unwrap().path().join("src"), &mut contracts);
    }
    let timed = ["storage/src/execute/place.rs", "storage/src/execute/draw.rs"];
    for (path, code) in contracts {
        let gateway = path.components().any(|part| part.as_os_str() == "ibc-gateway");
        let allowed = gateway || timed.iter().any(|file| path.ends_with(file));
        assert!(allowed || !code.contains("block.time"), "{} reads the time of a block", path.display());
    }
    let mut parties = vec![];
    for folder in ["inference-node/src", "packages/client/src", "packages/dispute/src", "cli/src/payer"] {
        sources(&root().join(folder), &mut parties);
    }
    assert!(parties.len() > 80, "the sources are somewhere else");
    for (path, code) in parties {
        for clock in ["SystemTime::now", "Utc::now", "OffsetDateTime::now", "Local::now"] {
            // OpenAI's interface dates its answers; nobody reads the date.
            let allowed = path.ends_with("serve/completions.rs");
            assert!(allowed || !code.contains(clock), "{} reads the calendar", path.display());
        }
    }
}

/// Channels that open despite a contract's error, replies that recurse, gas that a callback escapes
/// (CWA-2025-004 to -007) are mended in wasmd; arithmetic is checked in contracts too.
#[test]
fn finding_p10_the_chain_is_one_with_the_mended_ibc_entry_points() {
    let modules = fs::read_to_string(root().join("testnet/go.mod")).unwrap();
    let version = |module: &str| -> Vec<u64> {
        let line = modules.lines().find(|line| line.contains(module)).unwrap_or_else(|| panic!("{module}"));
        let number = line.split(" v").nth(1).unwrap().split_whitespace().next().unwrap();
        number.split('.').map(|part| part.parse().unwrap()).collect()
    };
    assert!(version("github.com/CosmWasm/wasmd ") >= vec![0, 61, 0]);
    assert!(version("github.com/cosmos/ibc-go/v10 ") >= vec![10, 1, 0]);
}

#[test]
fn finding_p3_arithmetic_of_contracts_is_checked_by_the_compiler_too() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let profile = |name: &str| {
        let (_, profile) = manifest.split_once(&format!("[profile.{name}]")).unwrap();
        profile.split("\n[").next().unwrap().to_string()
    };
    assert!(profile("release").contains("overflow-checks = true"));
    let contracts = profile("contracts");
    assert!(contracts.contains("inherits = \"release\"") && !contracts.contains("overflow-checks"));
}

//! How far a chain was read, kept on disk.
//!
//! One JSON file a chain, replaced in one step (written beside, synced, renamed). It moves forward
//! only after everything found in a block was handed on, so a crash at any moment makes blocks be
//! read twice and never left out.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

const FORMAT: &str = "openledger-relayer-cursor/1";

/// A position in a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    format: String,
    /// Chain.
    pub chain_id: String,
    /// Next height to read.
    pub next_height: u64,
    /// Hash of the block before it, which must still be the same when reading goes on.
    pub last_hash: String,
}

impl Cursor {
    /// After the block at `height` with this hash.
    pub fn after(chain_id: &str, height: u64, last_hash: String) -> Self {
        Cursor {
            format: FORMAT.into(),
            chain_id: chain_id.into(),
            next_height: height.saturating_add(1),
            last_hash,
        }
    }
}

/// Where the cursor of a chain is kept.
#[derive(Clone, Debug)]
pub struct CursorFile {
    path: PathBuf,
    chain_id: String,
}

impl CursorFile {
    /// The cursor of `chain_id` in the folder `state_dir`. Chain ids hold no character that a file
    /// name could not (checked by the configuration).
    pub fn new(state_dir: &Path, chain_id: &str) -> Self {
        CursorFile { path: state_dir.join(format!("{chain_id}.cursor.json")), chain_id: chain_id.into() }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the cursor; none when there is no file.
    pub fn load(&self) -> Result<Option<Cursor>> {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::cursor(&self.path, e)),
        };
        let cursor: Cursor = serde_json::from_str(&text).map_err(|e| Error::cursor(&self.path, e))?;
        if cursor.format != FORMAT {
            return Err(Error::cursor(&self.path, format!("format {:?} is not {FORMAT}", cursor.format)));
        }
        if cursor.chain_id != self.chain_id {
            return Err(Error::cursor(&self.path, format!("belongs to chain {}", cursor.chain_id)));
        }
        if cursor.next_height < 2 {
            return Err(Error::cursor(&self.path, "next_height must be at least 2"));
        }
        Ok(Some(cursor))
    }

    /// Replaces the cursor.
    pub fn save(&self, cursor: &Cursor) -> Result<()> {
        self.write(cursor).map_err(|e| Error::cursor(&self.path, e))
    }

    fn write(&self, cursor: &Cursor) -> std::io::Result<()> {
        let folder = self.path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let draft = self.path.with_extension(format!("{}.new", std::process::id()));
        let written = File::create(&draft).and_then(|mut file| {
            let mut text = serde_json::to_vec(cursor)?;
            text.push(b'\n');
            file.write_all(&text)?;
            file.sync_all()
        });
        if let Err(e) = written.and_then(|()| fs::rename(&draft, &self.path)) {
            // The draft is of no use to anyone; the error that matters is the first.
            let _ = fs::remove_file(&draft);
            return Err(e);
        }
        #[cfg(unix)]
        File::open(folder)?.sync_all()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_and_moves_in_one_step() {
        let folder = tempfile::tempdir().unwrap();
        let file = CursorFile::new(&folder.path().join("state"), "openledger-1");
        assert_eq!(file.load().unwrap(), None);
        for height in [1, 2, 900] {
            let cursor = Cursor::after("openledger-1", height, format!("H{height}"));
            file.save(&cursor).unwrap();
            assert_eq!(file.load().unwrap(), Some(cursor));
        }
        assert_eq!(fs::read_dir(folder.path().join("state")).unwrap().count(), 1);
    }

    #[test]
    fn a_damaged_cursor_is_an_error_and_never_a_fresh_start() {
        let folder = tempfile::tempdir().unwrap();
        let file = CursorFile::new(folder.path(), "openledger-1");
        file.save(&Cursor::after("other-1", 5, "H".into())).unwrap();
        assert_eq!(file.load().unwrap_err().code(), "E-RELAYER-020");
        file.save(&Cursor::after("openledger-1", 5, "H".into())).unwrap();
        let good = fs::read_to_string(file.path()).unwrap();
        for bad in ["", "{", "{}", &good.replace("cursor/1", "cursor/2"), &good.replace("6", "0"), &good[1..]]
        {
            fs::write(file.path(), bad).unwrap();
            assert_eq!(file.load().unwrap_err().code(), "E-RELAYER-020", "{bad}");
        }
    }
}

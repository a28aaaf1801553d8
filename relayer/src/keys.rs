//! Keys of the accounts that pay, and the passphrase that opens them. The file format is the client's
//! (`openledger_client::keyfile`): encrypted by age with a scrypt passphrase, mode 0600.

use std::fs::File;
use std::io::{IsTerminal, Read};
use std::path::Path;

use openledger_client::{keyfile, Key};

use crate::error::{Error, Result};

/// Environment variable of the passphrase.
pub const VARIABLE: &str = "OPENLEDGER_RELAYER_PASSPHRASE";
/// Longest passphrase, in bytes.
const MAX: u64 = 1_024;

/// Where the passphrase comes from. Read once, used for every key file.
#[derive(Debug)]
pub struct Passphrase {
    fd: Option<u32>,
    known: Option<String>,
}

impl Passphrase {
    /// From an open file descriptor when one is given, else from the environment, else by prompt.
    pub fn new(fd: Option<u32>) -> Self {
        Passphrase { fd, known: None }
    }

    /// The passphrase. Errors: `Passphrase` when there is no place that it could come from.
    pub fn get(&mut self) -> Result<&str> {
        if self.known.is_none() {
            self.known = Some(self.read()?);
        }
        Ok(self.known.as_deref().unwrap_or_default())
    }

    fn read(&self) -> Result<String> {
        let bad = |reason: String| Error::Passphrase(reason);
        if let Some(fd) = self.fd {
            // Both Linux and macOS show a process its open files here.
            let file = File::open(format!("/dev/fd/{fd}")).map_err(|e| bad(format!("fd {fd}: {e}")))?;
            let mut text = String::new();
            file.take(MAX).read_to_string(&mut text).map_err(|e| bad(format!("fd {fd}: {e}")))?;
            return Ok(text.trim_end_matches(['\r', '\n']).to_string());
        }
        match std::env::var(VARIABLE) {
            Ok(text) => return Ok(text),
            Err(std::env::VarError::NotPresent) => {}
            Err(e) => return Err(bad(format!("{VARIABLE}: {e}"))),
        }
        if !std::io::stdin().is_terminal() {
            return Err(bad("there is neither a descriptor, nor a variable, nor a terminal".into()));
        }
        rpassword::prompt_password("passphrase: ").map_err(|e| bad(e.to_string()))
    }
}

/// Reads a key; asks for the passphrase only when the file is encrypted.
pub fn load(path: &Path, passphrase: &mut Passphrase, chain_id: &str) -> Result<Key> {
    let wrap = |source| Error::Chain { chain_id: chain_id.into(), source };
    let sealed = File::open(path).ok().and_then(|file| {
        let mut text = String::new();
        file.take(16_384).read_to_string(&mut text).ok()?;
        Some(text.contains("\"sealed\""))
    });
    match sealed {
        Some(true) => keyfile::load(path, Some(passphrase.get()?)).map_err(wrap),
        _ => keyfile::load(path, None).map_err(wrap),
    }
}

/// Makes a key file: from a mnemonic or 64 hexadecimal digits when given, else at random; encrypted
/// unless `plain`.
pub fn add(path: &Path, secret: Option<&str>, passphrase: Option<&mut Passphrase>) -> Result<Key> {
    let wrap = |source| Error::Chain { chain_id: String::new(), source };
    let key = match secret.map(str::trim) {
        None => Key::random(),
        Some(text) if text.len() == 64 && !text.contains(' ') => Key::from_hex(text),
        Some(text) => Key::from_mnemonic(text),
    }
    .map_err(wrap)?;
    let passphrase = passphrase.map(|p| p.get().map(str::to_string)).transpose()?;
    keyfile::save(&key, path, passphrase.as_deref()).map_err(wrap)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encrypted_key_opens_with_its_passphrase_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.json");
        let known = |text: &str| Passphrase { fd: None, known: Some(text.into()) };
        let key = add(&path, None, Some(&mut known("a good one"))).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains(&key.secret_hex()));
        assert_eq!(load(&path, &mut known("a good one"), "a-1").unwrap().public_key(), key.public_key());
        assert_eq!(load(&path, &mut known("another"), "a-1").unwrap_err().code(), "E-CLIENT-003");
        // A file is never overwritten.
        assert!(add(&path, None, None).is_err());
    }

    #[test]
    fn a_passphrase_comes_from_a_descriptor() {
        use std::io::{Seek, SeekFrom, Write};
        use std::os::fd::AsRawFd;
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"from a descriptor\n").unwrap();
        file.seek(SeekFrom::Start(0)).unwrap();
        let mut passphrase = Passphrase::new(u32::try_from(file.as_raw_fd()).ok());
        assert_eq!(passphrase.get().unwrap(), "from a descriptor");
        assert_eq!(Passphrase::new(Some(9_999)).get().unwrap_err().code(), "E-RELAYER-035");
    }
}

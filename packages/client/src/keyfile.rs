//! Key files: JSON of mode 0600, created in one step and never overwritten.
//!
//! ```json
//! {"format":"openledger-key/1","public_key":"02…","encryption":"none: protected by file mode 0600 only","secret":"…"}
//! {"format":"openledger-key/1","public_key":"02…","encryption":"age-scrypt","sealed":"base64 of an age file"}
//! ```
//! A file of 64 hexadecimal digits and nothing else is read too.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;

use age::secrecy::SecretString;
use base64::prelude::{Engine, BASE64_STANDARD};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::key::Key;

const FORMAT: &str = "openledger-key/1";
const PLAIN: &str = "none: protected by file mode 0600 only";
const SEALED: &str = "age-scrypt";
/// No key file is longer; more is refused before it is read.
const MAX_BYTES: u64 = 16_384;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    format: String,
    public_key: String,
    encryption: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed: Option<String>,
}

/// Writes `key` to a new file of mode 0600, encrypted when there is a passphrase (age, scrypt: about
/// a second). The file appears whole or not at all; an existing file is an error.
pub fn save(key: &Key, path: &Path, passphrase: Option<&str>) -> Result<()> {
    let bad = |reason: String| file_error(path, reason);
    let mut file = KeyFile {
        format: FORMAT.into(),
        public_key: hex::encode(key.public_key()),
        encryption: PLAIN.into(),
        secret: None,
        sealed: None,
    };
    match passphrase {
        None => file.secret = Some(key.secret_hex()),
        Some("") => return Err(bad("the passphrase is empty".into())),
        Some(passphrase) => {
            let recipient = age::scrypt::Recipient::new(SecretString::from(passphrase.to_string()));
            let sealed =
                age::encrypt(&recipient, key.secret_hex().as_bytes()).map_err(|e| bad(e.to_string()))?;
            file.encryption = SEALED.into();
            file.sealed = Some(BASE64_STANDARD.encode(sealed));
        }
    }
    let mut text = serde_json::to_vec_pretty(&file).map_err(|e| bad(e.to_string()))?;
    text.push(b'\n');
    create_whole(path, &text).map_err(|e| bad(e.to_string()))
}

/// Reads a key. A file that its group or others can read is refused.
pub fn load(path: &Path, passphrase: Option<&str>) -> Result<Key> {
    let bad = |reason: String| file_error(path, reason);
    let file = File::open(path).map_err(|e| bad(e.to_string()))?;
    check_mode(&file).map_err(bad)?;
    let mut text = String::new();
    file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(|e| bad(e.to_string()))?;
    if text.len() as u64 > MAX_BYTES {
        return Err(bad(format!("has more than {MAX_BYTES} bytes")));
    }
    if !text.trim_start().starts_with('{') {
        return Key::from_hex(&text).map_err(|e| bad(e.to_string()));
    }
    let file: KeyFile = serde_json::from_str(&text).map_err(|e| bad(e.to_string()))?;
    if file.format != FORMAT {
        return Err(bad(format!("has the format {:?}, not {FORMAT}", file.format)));
    }
    let secret = match (file.secret, file.sealed) {
        (Some(secret), None) => secret,
        (None, Some(sealed)) => {
            let passphrase = passphrase.ok_or_else(|| bad("is encrypted: give its passphrase".into()))?;
            let sealed = BASE64_STANDARD.decode(sealed).map_err(|e| bad(e.to_string()))?;
            let identity = age::scrypt::Identity::new(SecretString::from(passphrase.to_string()));
            let secret = age::decrypt(&identity, &sealed).map_err(|_| {
                bad("cannot be decrypted: the passphrase is wrong or the file damaged".into())
            })?;
            String::from_utf8(secret).map_err(|_| bad("holds no key".into()))?
        }
        _ => return Err(bad("must hold either a secret or a sealed secret".into())),
    };
    let key = Key::from_hex(&secret).map_err(|e| bad(e.to_string()))?;
    if hex::encode(key.public_key()) != file.public_key {
        return Err(bad("its secret does not belong to its public key".into()));
    }
    Ok(key)
}

/// Reads the key at `path`; makes a random one there when the file does not exist. The flag says
/// whether it was made.
pub fn load_or_create(path: &Path, passphrase: Option<&str>) -> Result<(Key, bool)> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok((load(path, passphrase)?, false)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let key = Key::random()?;
            save(&key, path, passphrase)?;
            Ok((key, true))
        }
        Err(e) => Err(file_error(path, e.to_string())),
    }
}

fn file_error(path: &Path, reason: String) -> Error {
    Error::KeyFile { path: path.display().to_string(), reason }
}

#[cfg(unix)]
fn check_mode(file: &File) -> std::result::Result<(), String> {
    use std::os::unix::fs::PermissionsExt;
    let mode = file.metadata().map_err(|e| e.to_string())?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(format!("can be read by others (mode {:04o}): chmod 600 it", mode & 0o7777));
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_mode(_file: &File) -> std::result::Result<(), String> {
    Ok(())
}

/// Writes a file beside `path`, then links it to `path`, which fails when something is there.
fn create_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let name = path.file_name().ok_or_else(|| std::io::Error::other("is no file name"))?;
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut draft_name = std::ffi::OsString::from(".");
    draft_name.push(name);
    draft_name.push(format!(".{:016x}.new", rand::random::<u64>()));
    let draft = folder.join(draft_name);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&draft).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    let linked = written.and_then(|()| fs::hard_link(&draft, path));
    let removed = fs::remove_file(&draft);
    linked?;
    removed?;
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_file_comes_back_and_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/key.json");
        let (key, made) = load_or_create(&path, None).unwrap();
        assert!(made);
        let (again, made) = load_or_create(&path, None).unwrap();
        assert!(!made);
        assert_eq!(again.secret_hex(), key.secret_hex());
        assert!(fs::read_to_string(&path).unwrap().contains("none: protected by file mode 0600 only"));
        let error = save(&Key::random().unwrap(), &path, None).unwrap_err();
        assert_eq!(error.code(), "E-CLIENT-003");
        assert_eq!(load(&path, None).unwrap().secret_hex(), key.secret_hex());
        // No draft stays behind.
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn an_encrypted_file_needs_its_passphrase() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.json");
        let key = Key::random().unwrap();
        save(&key, &path, Some("correct horse")).unwrap();
        assert!(!fs::read_to_string(&path).unwrap().contains(&key.secret_hex()));
        assert_eq!(load(&path, Some("correct horse")).unwrap().secret_hex(), key.secret_hex());
        assert!(load(&path, Some("wrong")).is_err());
        assert!(load(&path, None).unwrap_err().to_string().contains("passphrase"));
        assert!(save(&key, &folder.path().join("other"), Some("")).is_err());
    }

    #[test]
    fn a_file_of_hexadecimal_digits_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.hex");
        let key = Key::random().unwrap();
        create_whole(&path, format!("{}\n", key.secret_hex()).as_bytes()).unwrap();
        assert_eq!(load(&path, None).unwrap().secret_hex(), key.secret_hex());
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.json");
        save(&Key::random().unwrap(), &path, None).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        for mode in [0o640, 0o604, 0o644, 0o660] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert!(load(&path, None).unwrap_err().to_string().contains("chmod 600"), "{mode:o}");
        }
    }

    #[test]
    fn damaged_files_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("good.json");
        save(&Key::random().unwrap(), &path, None).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let other = hex::encode(Key::random().unwrap().public_key());
        let key = hex::encode(load(&path, None).unwrap().public_key());
        for (n, bad) in
            ["", "{}", "{", &text.replace("key/1", "key/9"), &text.replace(&key, &other), &"a".repeat(20_000)]
                .iter()
                .enumerate()
        {
            let path = folder.path().join(format!("bad-{n}"));
            create_whole(&path, bad.as_bytes()).unwrap();
            assert_eq!(load(&path, None).unwrap_err().code(), "E-CLIENT-003", "{n}");
        }
        assert!(load(&folder.path().join("absent"), None).is_err());
    }
}

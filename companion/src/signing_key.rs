//! The Ed25519 key that signs tokens: a PKCS#8 PEM file that only its owner can read.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_compact::{KeyPair, Signature};
use sha2::{Digest, Sha256};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A PKCS#8 Ed25519 PEM has about 120 bytes; a file far longer is something else.
const MAX_FILE_BYTES: u64 = 16 * 1024;

/// The private key, its public half, and its name.
#[derive(Clone)]
pub(crate) struct SigningKey {
    pair: KeyPair,
    kid: String,
}

/// Why there is no signing key, in words for the operator.
#[derive(Debug)]
pub(crate) struct NoSigningKey(String);

impl SigningKey {
    /// Reads the key at `path`, or makes one there, readable by its owner alone.
    ///
    /// # Errors
    /// When others can read the file, when it holds no Ed25519 key, or when it cannot be read or made.
    pub(crate) fn load_or_create(path: &Path) -> Result<Self, NoSigningKey> {
        match load(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                create(path).and_then(|()| load(path)).map_err(|it| refuse(path, &it))
            }
            other => other.map_err(|it| refuse(path, &it)),
        }
        .and_then(|pem| {
            let what = "it holds no Ed25519 private key in PKCS#8 PEM (openssl genpkey -algorithm ed25519 makes one)";
            Self::from_pem(&pem).ok_or_else(|| refuse(path, &io::Error::other(what)))
        })
    }

    /// Reads a PKCS#8 PEM (RFC 8410).
    #[must_use]
    pub(crate) fn from_pem(pem: &str) -> Option<Self> {
        let pair = KeyPair::from_pem(pem.trim()).ok()?;
        pair.validate().ok()?;
        let kid = thumbprint(&x(&pair));
        Some(Self { pair, kid })
    }

    /// The key's name in tokens and in the key set: its RFC 7638 thumbprint.
    #[must_use]
    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }

    /// Signs `message` (RFC 8032, deterministic).
    #[must_use]
    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        *self.pair.sk.sign(message, None)
    }

    /// Whether `signature` is this key's of `message`.
    #[must_use]
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature).is_ok_and(|it| self.pair.pk.verify(message, &it).is_ok())
    }

    /// The public half as a JSON Web Key Set (RFC 7517, RFC 8037).
    #[must_use]
    pub(crate) fn jwks(&self) -> serde_json::Value {
        serde_json::json!({"keys": [{
            "kty": "OKP", "crv": "Ed25519", "x": x(&self.pair), "kid": self.kid, "alg": "EdDSA", "use": "sig",
        }]})
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "SigningKey({}, ***)", self.kid)
    }
}

impl fmt::Display for NoSigningKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for NoSigningKey {}

fn refuse(path: &Path, why: &io::Error) -> NoSigningKey {
    NoSigningKey(format!("signing key {}: {why}", path.display()))
}

fn load(path: &Path) -> io::Result<String> {
    let file = File::open(path)?;
    let meta = file.metadata()?;
    let mode = meta.mode() & 0o777;
    if !meta.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    if mode & 0o077 != 0 {
        let what = format!("others can read or change it (mode {mode:04o}); run: chmod 600 {}", path.display());
        return Err(io::Error::other(what));
    }
    let mut pem = String::new();
    file.take(MAX_FILE_BYTES).read_to_string(&mut pem)?;
    Ok(pem)
}

/// Writes a new key beside `path` and links it there, so that the file is whole from its first
/// moment, and so that the key of a companion that started at the same time is not overwritten.
fn create(path: &Path) -> io::Result<()> {
    let pem = KeyPair::generate().to_pem();
    let name = crate::random::id(".tollgate-key-").map_err(|_| io::Error::other("no random bytes"))?;
    let beside: PathBuf = path.with_file_name(name);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    let linked =
        file.write_all(pem.as_bytes()).and_then(|()| file.sync_all()).and_then(|()| std::fs::hard_link(&beside, path));
    std::fs::remove_file(&beside)?;
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

fn x(pair: &KeyPair) -> String {
    URL_SAFE_NO_PAD.encode(*pair.pk)
}

/// RFC 7638, section 3, with the members that RFC 8037 names for an Ed25519 key.
fn thumbprint(x: &str) -> String {
    let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    URL_SAFE_NO_PAD.encode(Sha256::digest(canonical))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_thumbprint_is_that_of_rfc_8037() {
        // Appendix A.3.
        assert_eq!(
            thumbprint("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"),
            "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
        );
    }

    #[test]
    fn a_key_is_made_once_and_is_its_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key.pem");
        let made = SigningKey::load_or_create(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        let again = SigningKey::load_or_create(&path).unwrap();
        assert_eq!(made.kid(), again.kid());
        assert!(again.verifies(b"text", &made.sign(b"text")));
        assert!(!again.verifies(b"other", &made.sign(b"text")));
        assert!(format!("{made:?}").ends_with("***)"));
    }

    #[test]
    fn an_open_or_wrong_file_is_refused_with_a_reason() {
        let dir = tempfile::tempdir().unwrap();
        let check = |text: &str, mode: u32| {
            let path = dir.path().join("key.pem");
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            SigningKey::load_or_create(&path).unwrap_err().to_string()
        };
        let good = KeyPair::generate().to_pem();
        assert!(check(&good, 0o644).contains("mode 0644); run: chmod 600"));
        assert!(check(&good, 0o640).contains("mode 0640"));
        for garbage in ["", "garbage", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
            assert!(check(garbage, 0o600).contains("no Ed25519 private key"), "{garbage}");
        }
        assert!(SigningKey::load_or_create(dir.path()).is_err());
        assert!(SigningKey::load_or_create(&dir.path().join("absent/key.pem")).is_err());
    }

    #[test]
    fn a_key_that_openssl_made_is_read() {
        let pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";
        // The key of RFC 8037, appendix A.1.
        assert_eq!(SigningKey::from_pem(pem).unwrap().kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }
}

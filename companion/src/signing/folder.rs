//! The folder of private keys: one file for each, named by its `kid`, readable by its owner alone.

use super::private::{Algorithm, PrivateKey};
use std::fmt;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A PKCS#8 PEM of RSA with 4096 bits has about 3300 bytes; a file far longer is something else.
const MAX_FILE_BYTES: u64 = 16 * 1024;

/// Where private keys are.
#[derive(Debug, Clone)]
pub(crate) struct Folder(PathBuf);

/// Why there is no private key, in words for the operator.
#[derive(Debug)]
pub(crate) struct NoKey(pub(crate) String);

impl Folder {
    /// The folder at `path`, made if it is missing.
    ///
    /// # Errors
    /// When others could put a key of theirs into it, or when it cannot be made.
    pub(crate) fn open(path: &Path) -> Result<Self, NoKey> {
        let made = || -> io::Result<()> {
            if !path.exists() {
                DirBuilder::new().recursive(true).mode(0o700).create(path)?;
            }
            let meta = path.metadata()?;
            if !meta.is_dir() {
                return Err(io::Error::other("it is not a folder"));
            }
            match meta.mode() & 0o777 {
                mode if mode & 0o022 != 0 => Err(too_open(mode, path, "700")),
                _ => Ok(()),
            }
        };
        made().map_err(|it| refuse(path, &it)).map(|()| Self(path.to_owned()))
    }

    /// Reads a key.
    ///
    /// # Errors
    /// When its file is missing, can be read by others, or holds something else.
    pub(crate) fn read(&self, kid: &str, algorithm: Algorithm) -> Result<PrivateKey, NoKey> {
        let path = self.file(kid);
        let pem = load(&path).map_err(|it| refuse(&path, &it))?;
        let key = PrivateKey::from_pem(algorithm, &pem).filter(|it| it.kid == kid);
        let what = format!("it does not hold the {} key that its name says", algorithm.name());
        key.ok_or_else(|| refuse(&path, &io::Error::other(what)))
    }

    /// Writes a key beside its place and links it there, so that the file is whole from its first
    /// moment, and is there for good when this returns.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn write(&self, key: &PrivateKey) -> Result<(), NoKey> {
        let path = self.file(&key.kid);
        let write = || -> io::Result<()> {
            let pem = key.to_pem().ok_or_else(|| io::Error::other("the key cannot be written"))?;
            let name = crate::random::id(".key-").map_err(|_| io::Error::other("no random bytes"))?;
            let beside = self.0.join(name);
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
            let written = file.write_all(pem.as_bytes()).and_then(|()| file.sync_all());
            let linked = written.and_then(|()| std::fs::hard_link(&beside, &path));
            std::fs::remove_file(&beside)?;
            linked?;
            File::open(&self.0)?.sync_all()
        };
        write().map_err(|it| refuse(&path, &it))
    }

    /// Removes a key's file, if there is one: a key that never signs again is only a danger.
    pub(crate) fn remove(&self, kid: &str) {
        match std::fs::remove_file(self.file(kid)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(kid, %error, "could not remove the private half of a key that signs no more");
            }
            _ => (),
        }
    }

    /// A `kid` is a thumbprint, made of letters that a file name may have; another one names no file.
    fn file(&self, kid: &str) -> PathBuf {
        let plain = kid.bytes().all(|it| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_'));
        self.0.join(format!("{}.pem", if plain { kid } else { "no-thumbprint" }))
    }
}

impl fmt::Display for NoKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for NoKey {}

fn refuse(path: &Path, why: &io::Error) -> NoKey {
    NoKey(format!("signing key {}: {why}", path.display()))
}

fn too_open(mode: u32, path: &Path, better: &str) -> io::Error {
    io::Error::other(format!("others can read or change it (mode {mode:04o}); run: chmod {better} {}", path.display()))
}

fn load(path: &Path) -> io::Result<String> {
    let file = File::open(path)?;
    let meta = file.metadata()?;
    let mode = meta.mode() & 0o777;
    if !meta.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    if mode & 0o077 != 0 {
        return Err(too_open(mode, path, "600"));
    }
    let mut pem = String::new();
    file.take(MAX_FILE_BYTES).read_to_string(&mut pem)?;
    Ok(pem)
}

#[cfg(test)]
mod tests {
    use super::super::private::RsaBits;
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    }

    fn made() -> PrivateKey {
        PrivateKey::generate(Algorithm::EdDsa, RsaBits::default()).unwrap()
    }

    #[test]
    fn a_key_is_its_owners_alone_and_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b");
        let folder = Folder::open(&path).unwrap();
        let key = made();
        folder.write(&key).unwrap();
        let modes = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let file = path.join(format!("{}.pem", key.kid));
        assert_eq!((modes(&path), modes(&file)), (0o700, 0o600));
        assert_eq!(std::fs::read_dir(&path).unwrap().count(), 1);
        assert_eq!(folder.read(&key.kid, Algorithm::EdDsa).unwrap().jwk, key.jwk);
        folder.remove(&key.kid);
        folder.remove(&key.kid);
        assert!(folder.read(&key.kid, Algorithm::EdDsa).unwrap_err().0.contains(&key.kid));
    }

    #[test]
    fn an_open_or_wrong_file_is_refused_with_a_reason() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        let (key, other) = (made(), made());
        let file = dir.path().join(format!("{}.pem", key.kid));
        let check = |text: &str, bits: u32| {
            std::fs::write(&file, text).unwrap();
            mode(&file, bits);
            folder.read(&key.kid, Algorithm::EdDsa).map(|it| it.kid).map_err(|it| it.0)
        };
        let pem = key.to_pem().unwrap();
        assert_eq!(check(&pem, 0o600), Ok(key.kid.clone()));
        assert!(check(&pem, 0o644).unwrap_err().contains("mode 0644); run: chmod 600"));
        assert!(check(&pem, 0o640).unwrap_err().contains("mode 0640"));
        for wrong in ["", "garbage", &other.to_pem().unwrap()] {
            assert!(check(wrong, 0o600).unwrap_err().contains("does not hold the EdDSA key"), "{wrong}");
        }
        assert!(folder.read("../x", Algorithm::EdDsa).unwrap_err().0.contains("no-thumbprint.pem"));
    }

    #[test]
    fn a_folder_that_others_can_write_to_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let check = |bits| {
            mode(dir.path(), bits);
            Folder::open(dir.path()).map(|_| ()).map_err(|it| it.0)
        };
        assert_eq!((check(0o700), check(0o755)), (Ok(()), Ok(())));
        assert!(check(0o770).unwrap_err().contains("mode 0770); run: chmod 700"));
        assert!(check(0o777).is_err());
        mode(dir.path(), 0o700);
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(Folder::open(&file).unwrap_err().0.contains("not a folder"));
    }
}

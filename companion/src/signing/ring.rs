//! A running companion's keys: read anew whenever the database says that they changed, and whenever
//! one of them begins or ends by itself.

use super::folder::{Folder, NoKey};
use super::private::{Algorithm, PrivateKey, RsaBits};
use super::schedule::{self, Schedule};
use crate::published::Published;
use crate::store::{SigningKeyRow, Store, TenantKeyRow};
use domain::time::Micros;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::Mutex;

/// A life is written down in steps of this length, so that most tokens need no write. A retired key may
/// be published so much longer than its last token lives, never shorter.
const STEP: Duration = Duration::from_secs(60);

/// How often a mint starts over because the key that it began with was taken away meanwhile.
const TRIES: usize = 3;

/// The keys of one database and one folder.
#[derive(Debug)]
pub(crate) struct Ring {
    store: Store,
    folder: Folder,
    known: RwLock<Option<Arc<Known>>>,
    /// Held by the one who reads the keys.
    reading: Mutex<()>,
    /// Held by the one who writes down how long tokens live, for all who wait for the same.
    reserving: Mutex<()>,
}

/// The keys as they were at one version, while none begins or ends.
#[derive(Debug)]
pub(crate) struct Known {
    /// What verifiers may know.
    pub(crate) published: Published,
    signer: Option<Signer>,
    version: i64,
    until: Option<Micros>,
}

#[derive(Debug)]
struct Signer {
    key: Arc<PrivateKey>,
    /// The database knows that tokens of the key live until then, in microseconds.
    reserved: AtomicU64,
}

/// Why a token cannot be signed.
#[derive(Debug)]
pub(crate) enum NoSignature {
    /// The database does not answer.
    Store(sqlx::Error),
    /// No key can sign; the log says why.
    NoKey,
}

impl Ring {
    /// The keys of `store`, whose private halves are in `folder`. Makes the first key.
    ///
    /// # Errors
    /// When no key can sign at `now`.
    pub(crate) async fn open(store: Store, folder: Folder, now: Micros) -> Result<Self, NoKey> {
        let database = |it: sqlx::Error| NoKey(format!("database: {it}"));
        if store.signing_keys().await.map_err(database)?.is_empty() {
            let key = PrivateKey::generate(Algorithm::EdDsa, RsaBits::default()).ok_or_else(no_random_bytes)?;
            folder.write(&key)?;
            // The first signs at any time: another companion may make it a moment later than this one looks.
            if !store.add_first_signing_key(&row(&key, now, Micros(0))).await.map_err(database)? {
                // Another companion was quicker.
                folder.remove(&key.kid);
            }
        }
        let rows = store.signing_keys().await.map_err(database)?;
        let none = "signing keys: none signs now; `tollgate key rotate` makes one";
        read(&folder, schedule::signer(&rows, now).ok_or_else(|| NoKey(none.to_owned()))?).map_err(|NoKey(why)| {
            NoKey(format!("{why}; if the key is lost for good, `tollgate key rotate --lost` makes another"))
        })?;
        Ok(Self { store, folder, known: RwLock::default(), reading: Mutex::default(), reserving: Mutex::default() })
    }

    /// The keys at `now`, whoever changed them.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn known(&self, now: Micros) -> Result<Arc<Known>, sqlx::Error> {
        let version = self.store.key_version().await?;
        if let Some(known) = self.last().filter(|it| it.holds(version, now)) {
            return Ok(known);
        }
        let _one = self.reading.lock().await;
        if let Some(known) = self.last().filter(|it| it.holds(version, now)) {
            return Ok(known);
        }
        let (version, own, tenants) = self.store.all_keys().await?;
        let known = Arc::new(self.build(version, &own, &tenants, now));
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(known.clone());
        Ok(known)
    }

    /// The keys as they were when the database last answered.
    #[must_use]
    pub(crate) fn last(&self) -> Option<Arc<Known>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The key that signs a token that lives until `expiry`, after it was written down that it does: whatever
    /// happens next, the key is published for as long.
    ///
    /// # Errors
    /// When the database does not answer, or no key can sign.
    pub(crate) async fn signer(&self, expiry: Micros, now: Micros) -> Result<Arc<PrivateKey>, NoSignature> {
        for _ in 0..TRIES {
            let known = self.known(now).await.map_err(NoSignature::Store)?;
            let Some(signer) = &known.signer else { break };
            if signer.covers(expiry) {
                return Ok(signer.key.clone());
            }
            let _one = self.reserving.lock().await;
            if signer.covers(expiry) {
                return Ok(signer.key.clone());
            }
            let step = Micros(expiry.0.next_multiple_of(Micros(0).after(STEP).0));
            let reserved = self.store.reserve_expiry(&signer.key.kid, step, now).await.map_err(NoSignature::Store)?;
            if let Some(reserved) = reserved {
                signer.reserved.fetch_max(reserved.0, Ordering::AcqRel);
                return Ok(signer.key.clone());
            }
            // It was retired in between; the version tells.
        }
        Err(NoSignature::NoKey)
    }

    fn build(&self, version: i64, own: &[SigningKeyRow], tenants: &[TenantKeyRow], now: Micros) -> Known {
        for over in own.iter().filter(|it| it.is_over(now)) {
            self.folder.remove(&over.kid);
        }
        let begun = |it: &&TenantKeyRow| it.not_before <= now;
        let later = tenants.iter().map(|it| it.not_before).filter(|then| *then > now).min();
        Known {
            published: Published::of(own.iter().filter(|it| it.is_published(now)), tenants.iter().filter(begun)),
            signer: self.sign_with(schedule::signer(own, now)),
            version,
            until: schedule::next_change(own, now).into_iter().chain(later).min(),
        }
    }

    fn sign_with(&self, row: Option<&SigningKeyRow>) -> Option<Signer> {
        let Some(row) = row else {
            tracing::error!("no key signs now");
            return None;
        };
        let before = self.last().and_then(|it| it.signer.as_ref().map(|it| it.key.clone()));
        let key = match before.filter(|it| it.kid == row.kid) {
            Some(key) => key,
            None => match read(&self.folder, row) {
                Ok(key) => Arc::new(key),
                Err(error) => {
                    tracing::error!(%error, "no token can be signed");
                    return None;
                }
            },
        };
        Some(Signer { key, reserved: AtomicU64::new(row.last_expiry.0) })
    }
}

impl Signer {
    fn covers(&self, expiry: Micros) -> bool {
        expiry.0 <= self.reserved.load(Ordering::Acquire)
    }
}

impl Known {
    fn holds(&self, version: i64, now: Micros) -> bool {
        // Without a key to sign with, look again each time: it may be a file that is there by now.
        self.version == version && self.until.is_none_or(|then| now < then) && self.signer.is_some()
    }
}

/// What the database is told of a new key.
pub(crate) fn row(key: &PrivateKey, now: Micros, signs_from: Micros) -> SigningKeyRow {
    SigningKeyRow {
        kid: key.kid.clone(),
        algorithm: key.algorithm().name().to_owned(),
        jwk: key.jwk.to_string(),
        created_at: now,
        signs_from,
        signs_until: None,
        last_expiry: Micros(0),
        withdrawn_at: None,
    }
}

/// The private half of `row`.
pub(crate) fn read(folder: &Folder, row: &SigningKeyRow) -> Result<PrivateKey, NoKey> {
    let algorithm = row.algorithm.parse().map_err(|it| NoKey(format!("signing key {}: {it}", row.kid)))?;
    folder.read(&row.kid, algorithm)
}

pub(crate) fn no_random_bytes() -> NoKey {
    NoKey("the operating system gave no random bytes".to_owned())
}

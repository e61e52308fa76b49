//! Memory that all workers of a proxy share: tables with a fixed number of slots.
//!
//! Envoy never frees a key and Kong silently evicts one, so a table's keys are its slots' numbers,
//! never a user's name, and a slot that is missing or unreadable reads as empty.

use crate::abi::{self, Status};

/// How often a write may lose the race against other workers before it gives up.
const TRIES: u32 = 64;

/// What an empty slot holds: Envoy and Kong disagree about values of no bytes.
const EMPTY: [u8; 1] = [0];

/// Other workers wrote first too often, or the host has no memory to share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contended;

fn key(table: &str, slot: u32) -> String {
    format!("tollgate/{table}/{slot}")
}

/// Replaces one slot of a table by what `change` makes of it, as one step that no other worker can
/// divide. `change` may run more than once, so it must have no effect of its own.
///
/// # Errors
/// [`Contended`] when the write lost the race too often, or the host refused it.
pub fn update<T>(table: &str, slot: u32, change: impl Fn(&[u8]) -> (Vec<u8>, T)) -> Result<T, Contended> {
    let key = key(table, slot);
    for _ in 0..TRIES {
        let (old, cas) = abi::shared(&key).map_err(|status| refused(&key, status))?;
        let (new, out) = change(old.as_deref().unwrap_or_default());
        if old.as_deref() == Some(new.as_slice()) {
            return Ok(out);
        }
        match abi::set_shared(&key, &new, cas) {
            Ok(()) => return Ok(out),
            Err(Status::CasMismatch) => {}
            Err(status) => return Err(refused(&key, status)),
        }
    }
    log::warn!("{key}: other workers wrote first {TRIES} times");
    Err(Contended)
}

/// What is in a slot; empty when nobody wrote it.
///
/// # Errors
/// [`Contended`] when the host has no memory to share.
pub fn read(table: &str, slot: u32) -> Result<Vec<u8>, Contended> {
    let key = key(table, slot);
    let (found, _) = abi::shared(&key).map_err(|status| refused(&key, status))?;
    Ok(found.unwrap_or_default())
}

/// A slot as it was found, with what proves to a write that it still is.
#[derive(Debug)]
pub struct Seen {
    key: String,
    cas: u32,
    /// What was in it; empty when nobody wrote it.
    pub bytes: Vec<u8>,
}

/// Looks at a slot that may be written later, so that several can be looked at before any is written.
///
/// # Errors
/// [`Contended`] when the host has no memory to share.
pub fn see(table: &str, slot: u32) -> Result<Seen, Contended> {
    let key = key(table, slot);
    let (found, cas) = abi::shared(&key).map_err(|status| refused(&key, status))?;
    Ok(Seen { key, cas, bytes: found.unwrap_or_default() })
}

impl Seen {
    /// Writes the slot, if nobody else did since it was seen; else nothing is written, and it says `false`.
    ///
    /// # Errors
    /// [`Contended`] when the host refused it.
    pub fn replace(&self, new: &[u8]) -> Result<bool, Contended> {
        match abi::set_shared(&self.key, new, self.cas) {
            Ok(()) => Ok(true),
            Err(Status::CasMismatch) => Ok(false),
            Err(status) => Err(refused(&self.key, status)),
        }
    }
}

fn refused(key: &str, status: Status) -> Contended {
    log::error!("{key}: the host shares no memory: {status:?}");
    Contended
}

/// Creates the slots `0..count` that do not exist.
pub(crate) fn create(table: &str, count: u32) {
    for slot in 0..count {
        let key = key(table, slot);
        if matches!(abi::shared(&key), Ok((None, _))) && abi::set_shared(&key, &EMPTY, 0).is_err() {
            log::error!("{key}: could not be created");
            return;
        }
    }
}

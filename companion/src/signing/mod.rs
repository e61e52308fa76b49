//! The companion's own keys: what they are, where their two halves are kept, when each signs, and
//! how long it is published.
//!
//! A private half is a file in a folder that only its owner can read; the database has the public
//! half and the key's life. So a leaked database cannot sign, and several companions that share both
//! agree without a word between them.

mod folder;
mod private;
mod ring;
mod schedule;

pub(crate) use folder::{Folder, NoKey};
pub(crate) use private::{Algorithm, PrivateKey, RsaBits, thumbprint};
pub(crate) use ring::{NoSignature, Ring, no_random_bytes, read, row};
pub(crate) use schedule::{MOST_OWN_KEYS, SKEW, Schedule, gap, signer};

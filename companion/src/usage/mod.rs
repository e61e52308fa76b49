//! The usage ledger: who used what, and what may still be spent.
//!
//! It has a database of its own, because it is written far more often than threads and keys, and
//! because several companions can share it (PostgreSQL), so that a fleet has one count.

pub(crate) mod csv;
pub(crate) mod db;
pub(crate) mod question;
pub(crate) mod report;
pub(crate) mod reports_store;
pub(crate) mod window;

pub(crate) use db::Db;

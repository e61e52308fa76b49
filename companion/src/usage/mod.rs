//! The usage ledger: who used what, and what may still be spent.
//!
//! It has a database of its own, because it is written far more often than threads and keys, and
//! because several companions can share it (PostgreSQL), so that a fleet has one count.

pub(crate) mod balance;
mod budget;
mod charges;
pub(crate) mod csv;
mod detach;
mod ingest;
mod leases;
pub(crate) mod question;
mod record;
pub(crate) mod report;
pub(crate) mod reports_store;
pub(crate) mod store;
mod tables;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod window;

pub(crate) use crate::db::Db;
pub(crate) use budget::Budgets;
pub(crate) use detach::detach;
pub(crate) use ingest::{Ingest, Writer};
pub(crate) use tables::open;

#[cfg(test)]
pub(crate) use {
    budget::{Answers, Questions},
    ingest::Taken,
    record::Batch,
};

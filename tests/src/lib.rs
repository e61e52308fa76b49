//! What the end-to-end tests, the benches and the demo share: a real Envoy under control ([`Gateway`]), the companion as
//! a process ([`Companion`]), a provider that behaves as told ([`FakeProvider`]) and a client that can misbehave
//! ([`Client`]).
//!
//! Everything here blocks and runs on threads: a test reads from top to bottom, and a stall shows as one. Nothing sleeps
//! for luck ([`wait_until`] waits for a condition with a deadline), nothing listens beyond loopback, and nothing is
//! skipped: a missing tool is an error that names the command which installs it.

pub mod audit;
pub mod client;
pub mod companion;
pub mod envoy;
pub mod fake;
pub mod fleet;
pub mod gateway;
pub mod held;
pub mod http;
pub mod ledger;
pub mod postgres;
pub mod process;
pub mod providers;
pub mod redis;
pub mod streams;
pub mod talk;
pub mod token;
pub mod tools;
pub mod traffic;

pub use client::{Answer, Call, Client, Stream};
pub use companion::{Companion, Project};
pub use envoy::EnvoyConfig;
pub use fake::{FakeProvider, Received};
pub use gateway::Gateway;
pub use postgres::Postgres;
pub use process::wait_until;
pub use providers::{PROVIDERS, Provider};
pub use redis::Redis;
pub use token::Signer;

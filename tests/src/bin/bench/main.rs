//! What Tollgate costs: `bench` measures everything, `bench auth`, `bench limits`, `bench routing`, `bench guardrails`, `bench chain`, `bench mint` and `bench memory` one
//! part.
//!
//! Whatever is compared is interleaved in one run, because a number of one run says nothing beside a number of another.
//! CPU time is what the kernel's scheduler counted for one process alone (`/proc/<pid>/task/*/schedstat`), so that the
//! load generator and the providers behind the gateway do not count.
#![allow(clippy::print_stdout, reason = "a bench prints its table")]

mod auth;
mod chain;
mod empty;
mod guardrails;
mod limits;
mod load;
mod measure;
mod memory;
mod mint;
mod remembered;
mod routing;
mod upstream;

use std::process::ExitCode;

fn main() -> ExitCode {
    let parts: [(&str, fn()); 7] = [
        ("auth", auth::run),
        ("limits", limits::run),
        ("routing", routing::run),
        ("guardrails", guardrails::run),
        ("chain", chain::run),
        ("mint", mint::run),
        ("memory", memory::run),
    ];
    let only = std::env::args().nth(1).filter(|it| !it.is_empty());
    let chosen = |name: &str| only.as_deref().is_none_or(|only| only == name);
    if !parts.iter().any(|(name, _)| chosen(name)) {
        eprintln!(
            "bench: expected auth, limits, routing, guardrails, chain, mint or memory, or nothing for all of them, found {only:?}"
        );
        return ExitCode::FAILURE;
    }
    for (_, run) in parts.iter().filter(|(name, _)| chosen(name)) {
        run();
        println!();
    }
    ExitCode::SUCCESS
}

//! `demo`, `up` and `down`: the whole product on loopback, as `make demo` and friends start it.
//!
//! Everything that runs, runs as it would in production: the companion's own binary, a real Envoy with `envoy/envoy.yaml`,
//! the built filters. Only the ports come from the environment, and the providers without a key in the environment are
//! the fake one. Files are kept in `.run/`.
#![allow(clippy::print_stdout, reason = "a command-line program talks to its terminal")]

mod running;
mod settings;
mod stack;
mod tour;

use std::process::ExitCode;

use settings::Settings;
use stack::Stack;

/// What went wrong, in words for the person at the terminal.
type Outcome = Result<(), String>;

fn main() -> ExitCode {
    let outcome = match std::env::args().nth(1).as_deref() {
        Some("demo") => demo(),
        Some("up") => up(),
        Some("down") => down(),
        other => Err(format!("expected `demo`, `up` or `down`, found {other:?}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tollgate: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Starts everything, shows one chat, stops everything.
fn demo() -> Outcome {
    let settings = Settings::from_environment()?;
    if !running::read(&settings.run)?.is_empty() {
        return Err("it is running in the background: `make down` first, or go on with `. .run/demo.env`".to_owned());
    }
    settings.check_ports()?;
    let stack = Stack::start(&settings, false)?;
    let access = stack.access(&settings)?;
    tour::chat(&settings, &access)?;
    tour::next_after_demo();
    drop(stack);
    Ok(())
}

/// Starts everything in the background.
fn up() -> Outcome {
    let settings = Settings::from_environment()?;
    let alive = running::read(&settings.run)?;
    if alive.len() == settings.processes() {
        println!("already running; `. .run/demo.env` and go on, `make down` ends it");
        return Ok(());
    }
    // What is left of one that lost a part.
    running::stop(&settings.run, &alive)?;
    settings.check_ports()?;
    let stack = Stack::start(&settings, true)?;
    let access = stack.access(&settings)?;
    tour::prove(&settings, &access)?;
    running::write(&settings.run, &stack.leave_running())?;
    tour::next_after_up(&settings);
    Ok(())
}

/// Ends what `up` started.
fn down() -> Outcome {
    let settings = Settings::from_environment()?;
    let alive = running::read(&settings.run)?;
    running::stop(&settings.run, &alive)?;
    println!("{}", if alive.is_empty() { "nothing was running" } else { "stopped" });
    Ok(())
}

//! `tollgate`: see `companion::cli`.

use clap::Parser;
use companion::cli::{self, Cli};
use companion::clock::Clock;
use std::io::Write;
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    match cli::run(Cli::parse(), Clock::system(), cli::secret_variable(), &mut std::io::stdout()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There is nowhere left to say that this failed.
            let _ = writeln!(std::io::stderr(), "tollgate: {error}");
            ExitCode::FAILURE
        }
    }
}

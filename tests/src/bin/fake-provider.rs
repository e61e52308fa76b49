//! The fake provider as a program: `fake-provider [PORT]`, else `FAKE_PORT`, else 8900. See `tests::fake::behaviour` for
//! how to make it misbehave.
#![allow(clippy::print_stdout, reason = "a command-line program talks to its terminal")]

use std::process::ExitCode;
use std::thread;

use tests::FakeProvider;

fn main() -> ExitCode {
    let given = std::env::args().nth(1).or_else(|| std::env::var("FAKE_PORT").ok());
    let Ok(port) = given.as_deref().unwrap_or("8900").parse() else {
        eprintln!("fake-provider: the port should be a number, found {given:?}");
        return ExitCode::FAILURE;
    };
    match FakeProvider::listen(port) {
        Ok(fake) => {
            println!("fake provider on http://{}", fake.address());
            loop {
                thread::park();
            }
        }
        Err(error) => {
            eprintln!("fake-provider: 127.0.0.1:{port}: {error}; another port: FAKE_PORT=8901");
            ExitCode::FAILURE
        }
    }
}

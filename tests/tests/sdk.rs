//! The stock SDKs against the whole chain: `openai` for Python and Node, and the published `behest-ai`, all unchanged.
//!
//! The cases are in tests/sdk; what runs here is a gateway for them, and their own test runners.

use std::process::Command;

use tests::{Companion, FakeProvider, Gateway, tools};

/// Runs a test runner against a gateway of its own.
fn check(runner: &mut Command) {
    let (fake, companion) = (FakeProvider::start(), Companion::start());
    let project = companion.project("acme", "shop");
    let gateway = Gateway::from("envoy/envoy.yaml").fake(&fake).companion(&companion).start();
    let url = format!("http://127.0.0.1:{}", gateway.port());
    let status = runner.env("GATEWAY_URL", url).env("API_KEY", &project.api_key).status();
    let status = status.unwrap_or_else(|error| panic!("{runner:?}: {error}. Run: make setup"));
    assert!(status.success(), "{runner:?}: {status}\n{}", gateway.log());
}

#[test]
fn the_python_sdks() {
    let python = tools::root().join(".tools/python/bin/python");
    let folder = tools::root().join("tests/sdk/python");
    check(Command::new(python).args(["-m", "pytest", "-q", "-p", "no:cacheprovider"]).current_dir(folder));
}

#[test]
fn the_node_sdk() {
    check(Command::new("node").args(["--test"]).current_dir(tools::root().join("tests/sdk/node")));
}

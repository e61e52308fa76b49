//! The samples in examples/ run as they are: a backend with a token route, and a client that has the stock SDK only.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tests::companion::free_port;
use tests::process::{Process, scratch};
use tests::{Client, Companion, FakeProvider, Gateway, tools, wait_until};

/// Runs a backend, and a client that asks it for tokens.
fn check(backend: &mut Command, client: &mut Command) {
    let (fake, companion) = (FakeProvider::start(), Companion::start());
    let project = companion.project("acme", "shop");
    let gateway = Gateway::from("envoy/envoy.yaml").fake(&fake).companion(&companion).start();
    let url = format!("http://127.0.0.1:{}", gateway.port());
    let port = free_port();
    backend.env("GATEWAY_URL", &url).env("API_KEY", &project.api_key).env("PORT", port.to_string());
    let log = scratch("sample").join("backend.log");
    let _backend = Process::start("backend", backend, &log).expect("the backend starts: run make setup");
    let route = Client::new(port);
    let stranger = wait_until(Duration::from_secs(30), "the backend", || route.get("/token").try_send().ok());
    assert_eq!(stranger.status, 401, "who is not signed in gets no token");

    client.arg("the tide is high").env("GATEWAY_URL", &url).env("TOKEN_URL", format!("http://127.0.0.1:{port}/token"));
    let output = client.output().expect("the client runs: run make setup");
    let (said, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}{wrong}");
    assert_eq!(said.matches("the tide is high").count(), 2, "one answer whole, one streamed: {said}");
    assert_eq!(fake.requests().len(), 2, "the provider was asked twice");
    let minted = companion.log().matches("/v1/auth/mint").count();
    assert_eq!(minted, 1, "the token of the first request serves the second");
}

#[test]
fn the_python_sample() {
    let folder = tools::root().join("examples/python");
    let python = || Command::new(tools::root().join(".tools/python/bin/python"));
    check(python().arg(folder.join("backend.py")), python().arg(folder.join("client.py")));
}

#[test]
fn the_node_sample() {
    // Node looks for packages beside the file that asks for them.
    let (from, folder) = (tools::root().join("examples/node"), scratch("sample"));
    for file in ["backend.mjs", "client.mjs"] {
        fs::copy(from.join(file), folder.join(file)).expect("a file of the sample");
    }
    let packages = tools::root().join("tests/sdk/node/node_modules");
    symlink(packages, folder.join("node_modules")).expect("a link to the SDK");
    let node = |file: &Path| {
        let mut node = Command::new("node");
        node.arg(file);
        node
    };
    check(&mut node(&folder.join("backend.mjs")), &mut node(&folder.join("client.mjs")));
}

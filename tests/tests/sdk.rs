//! The stock SDKs against the whole chain: `openai` for Python and Node, and the published `behest-ai`, all unchanged.
//!
//! The cases are in tests/sdk; what runs here is a gateway for them, and their own test runners.

use jwt_simple::algorithms::RS256KeyPair;
use serde_json::{Value, json};
use std::fs;
use std::process::Command;
use tests::process::scratch;
use tests::token::now;
use tests::{Companion, EnvoyConfig, FakeProvider, Gateway, PROVIDERS, Project, Provider, Signer, tools};

/// Whose tokens the gateway accepts beside the companion's: an issuer that also signs what is too old, which the
/// companion never does.
const ISSUER: &str = "https://issuer.example";

/// Projects whose users may spend a hundred tokens a day, and one.
const CAPPED: &str = "proj_capped";
const SPENT: &str = "proj_spent";

/// Runs a test runner against a gateway of its own.
fn check(runner: &mut Command) {
    let (fake, companion, signer) = (FakeProvider::start(), Companion::start(), Signer::new());
    let project = companion.project("acme", "shop");
    let (pem, environment) = register(&companion, &project);
    let mut config = EnvoyConfig::load("envoy/envoy.yaml").expect("envoy/envoy.yaml");
    PROVIDERS.iter().for_each(|it| it.add_to(&mut config));
    let gateway = Gateway::with(config).fake(&fake).companion(&companion);
    let gateway = gateway.edit_filter("auth", |config| accept(config, &signer)).edit_filter("budget", budgets);
    let gateway = gateway.edit_filter("provider", native).start();
    let token = |signer: &Signer, expires: u64| {
        signer.sign(&json!({"iss": ISSUER, "tid": project.tenant_id, "pid": project.project_id, "exp": expires}))
    };
    let (past, soon, stranger) = (now() - 600, now() + 3600, Signer::new());
    let settings = [
        ("GATEWAY_URL", format!("http://127.0.0.1:{}", gateway.port())),
        ("FAKE_URL", format!("http://127.0.0.1:{}", fake.port())),
        ("API_KEY", project.api_key.clone()),
        ("EXPIRED_TOKEN", token(&signer, past)),
        ("FORGED_TOKEN", token(&stranger, soon)),
        ("FORGED_EXPIRED_TOKEN", token(&stranger, past)),
        ("CAPPED_TOKEN", signer.sign(&json!({"iss": ISSUER, "pid": CAPPED, "exp": soon}))),
        ("CAPPED_TOKEN_WITH_USAGE", signer.sign(&json!({"iss": ISSUER, "pid": CAPPED, "uid": "u2", "exp": soon}))),
        ("SPENT_TOKEN", signer.sign(&json!({"iss": ISSUER, "pid": SPENT, "exp": soon}))),
        ("SIGNING_KEY_PEM", pem),
        ("PROVIDERS", providers().to_string()),
    ];
    let environment =
        environment.as_object().expect("settings").iter().map(|(name, value)| (name, value.as_str().unwrap()));
    let status = runner.envs(settings).envs(environment).status();
    let program = runner.get_program();
    let status = status.unwrap_or_else(|error| panic!("{program:?}: {error}. Run: make setup"));
    assert!(status.success(), "{program:?}: {status}\n{}", gateway.log());
}

/// The rows for the SDKs' own tests.
fn providers() -> Value {
    let row = |it: &Provider| json!({"name": it.name, "embeddings": it.embeddings, "structured": it.structured});
    PROVIDERS.iter().map(row).collect()
}

/// A key of the customer's own, registered for the project, as the published client's sign mode uses it: its private half,
/// and the settings of that client as the command says them.
fn register(companion: &Companion, project: &Project) -> (String, Value) {
    let key = RS256KeyPair::generate(2048).expect("an RSA key");
    let file = scratch("sdk").join("public.pem");
    fs::write(&file, key.public_key().to_pem().expect("a public key in PEM")).expect("a file under target/");
    let file = file.display().to_string();
    let said = companion.run(&["tenant-key", "register", "--project", &project.project_id, "--public-key", &file]);
    (key.to_pem().expect("a key in PEM"), said["environment"].clone())
}

fn accept(config: &mut Value, signer: &Signer) {
    config["providers"]["tests"] = signer.auth_config()["providers"]["test"].clone();
    config["providers"]["tests"]["issuer"] = json!(ISSUER);
}

/// Anthropic in its own words, which the clients must not notice.
fn native(config: &mut Value) {
    let provider = config["providers"]["anthropic"].as_object_mut().expect("a provider");
    provider.remove("auth");
    provider.insert("api".to_owned(), json!("anthropic"));
}

fn budgets(config: &mut Value) {
    let daily = |tokens: u64| json!([{"name": "user-daily", "key": "user", "tokens": tokens, "per": "day"}]);
    config["projects"] = json!({CAPPED: daily(100), SPENT: daily(1)});
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

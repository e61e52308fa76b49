//! The stock SDKs against the whole chain: `openai` for Python and Node, and the published `behest-ai`, all unchanged.
//!
//! The cases are in tests/sdk; what runs here is a gateway for them, and their own test runners.

use jwt_simple::algorithms::RS256KeyPair;
use serde_json::{Value, json};
use std::process::Command;
use tests::token::now;
use tests::{Companion, FakeProvider, Gateway, Project, Signer, tools};

/// Whose tokens the gateway accepts beside the companion's: an issuer that also signs what is too old, which the
/// companion never does.
const ISSUER: &str = "https://issuer.example";

/// Runs a test runner against a gateway of its own.
fn check(runner: &mut Command) {
    let (fake, companion, signer) = (FakeProvider::start(), Companion::start(), Signer::new());
    let project = companion.project("acme", "shop");
    let customer = Customer::new(&project);
    let gateway = Gateway::from("envoy/envoy.yaml").fake(&fake).companion(&companion);
    let gateway = gateway.edit_filter("auth", |config| accept(config, &signer, &customer)).start();
    let token = |signer: &Signer, expires: u64| {
        signer.sign(&json!({"iss": ISSUER, "tid": project.tenant_id, "pid": project.project_id, "exp": expires}))
    };
    let (past, soon, stranger) = (now() - 600, now() + 3600, Signer::new());
    let settings = [
        ("GATEWAY_URL", format!("http://127.0.0.1:{}", gateway.port())),
        ("API_KEY", project.api_key.clone()),
        ("EXPIRED_TOKEN", token(&signer, past)),
        ("FORGED_TOKEN", token(&stranger, soon)),
        ("FORGED_EXPIRED_TOKEN", token(&stranger, past)),
        ("SIGNING_KEY_PEM", customer.key.to_pem().expect("a key in PEM")),
        ("SIGNING_KEY_ID", Customer::KEY_ID.to_owned()),
        ("TENANT_ID", project.tenant_id.clone()),
        ("PROJECT_ID", project.project_id.clone()),
    ];
    let status = runner.envs(settings).status();
    let program = runner.get_program();
    let status = status.unwrap_or_else(|error| panic!("{program:?}: {error}. Run: make setup"));
    assert!(status.success(), "{program:?}: {status}\n{}", gateway.log());
}

/// Someone who signs the tokens of a project's users himself, as the published client's sign mode does.
struct Customer {
    key: RS256KeyPair,
    jwk: Value,
}

impl Customer {
    const KEY_ID: &str = "sk_0123456789abcdef";

    fn new(project: &Project) -> Self {
        let key = RS256KeyPair::generate(2048).expect("an RSA key");
        let mut jwk: Value = serde_json::from_str(&key.public_key().to_jwk()).expect("a JWK is JSON");
        for (name, value) in [
            ("kid", Self::KEY_ID),
            ("alg", "RS256"),
            ("use", "sig"),
            ("tollgate_tenant", &project.tenant_id),
            ("tollgate_project", &project.project_id),
        ] {
            jwk[name] = json!(value);
        }
        Self { key, jwk }
    }
}

fn accept(config: &mut Value, signer: &Signer, customer: &Customer) {
    let mut ours = signer.auth_config()["providers"]["test"].clone();
    ours["issuer"] = json!(ISSUER);
    config["providers"]["tests"] = ours;
    // The two issuers that the published client has built in.
    for (name, issuer) in [("behest", "behest"), ("behest-1.5", "https://api.behest.ai")] {
        let keys = json!({"keys": [customer.jwk]}).to_string();
        config["providers"][name] = json!({
            "issuer": issuer, "audiences": ["behest"], "algorithms": ["RS256"], "local_jwks": {"inline_string": keys},
        });
    }
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

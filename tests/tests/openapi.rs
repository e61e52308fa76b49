//! The committed OpenAPI document against the companion as it runs: whatever is sent to it, made from the document or against it,
//! it answers with a status, a content type and a body that the document knows, and never with a fault of its own.
//!
//! Schemathesis makes the requests, the same ones each time; `tests/sdk/python/schemathesis.toml` says how.

use std::fs;
use std::process::Command;

use serde_json::json;
use tests::process::scratch;
use tests::{Companion, Project, tools};

/// For each operation, beside one request for each bound and each fault that the document suggests.
const EXAMPLES: &str = "5";
const INTERNAL: &str = "^/(internal/|metrics|healthz|readyz)";
/// What an API key opens.
const BACKEND: &str = "^/(v1|auth/v1)/(auth/mint|usage|billing/usage|budget|models/leaderboard|guardrails/test)$";
const OF_A_THREAD: &str = r"^/v1/threads/\{";
/// The thread that is there.
const MINE: &str = r#"
[[operations]]
include-path-regex = "^/v1/threads/"
parameters = { "path.thread_id" = "mine" }
"#;

/// A companion with a project whose user has a thread.
struct World {
    companion: Companion,
    project: Project,
    token: String,
}

impl World {
    fn start() -> Self {
        let companion = Companion::start();
        let project = companion.project("acme", "api");
        let client = companion.client();
        let token = client.mint(&project.api_key, &json!({"user_id": "ada"}));
        let made = client.post("/v1/threads", &json!({"id": "mine", "title": "Rome"})).bearer(&token).send();
        assert_eq!(made.status, 201, "{}", made.text());
        let said = json!({"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]});
        let said = client.post("/v1/threads/mine/messages", &said).bearer(&token).send();
        assert_eq!(said.status, 201, "{}", said.text());
        Self { companion, project, token }
    }

    /// Everything at `port`, as far as `arguments` say, by who has this credential.
    fn check(&self, port: u16, credential: Option<&str>, arguments: &[&str], more: &str) {
        let folder = scratch("schemathesis");
        let config =
            fs::read_to_string(tools::root().join("tests/sdk/python/schemathesis.toml")).expect("its settings");
        fs::write(folder.join("schemathesis.toml"), config + more).expect("a file under target/");
        let mut command = Command::new(tools::root().join(".tools/python/bin/st"));
        command.args(["run", "--no-color", "--url", &format!("http://127.0.0.1:{port}"), "--max-examples", EXAMPLES]);
        command.args(arguments).arg(tools::root().join("companion/openapi.json")).current_dir(folder);
        if let Some(credential) = credential {
            command.args(["--header", &format!("Authorization: Bearer {credential}")]);
        }
        let output = command.output().unwrap_or_else(|error| panic!("schemathesis: {error}. Run: make setup"));
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    }

    fn public(&self, credential: Option<&str>, arguments: &[&str], more: &str) {
        self.check(self.companion.public_port(), credential, arguments, more);
    }

    fn internal(&self, credential: Option<&str>) {
        self.check(self.companion.internal_port(), credential, &["--include-path-regex", INTERNAL], "");
    }
}

#[test]
fn a_user_is_answered_as_the_document_says() {
    let world = World::start();
    let of_a_thread = ["--include-path-regex", OF_A_THREAD, "--exclude-method", "DELETE"];
    world.public(Some(&world.token), &of_a_thread, MINE);
    world.public(Some(&world.token), &["--exclude-path-regex", INTERNAL], "");
}

#[test]
fn a_backend_is_answered_as_the_document_says() {
    let world = World::start();
    world.public(Some(&world.project.api_key), &["--include-path-regex", BACKEND], "");
}

#[test]
fn a_gateway_is_answered_as_the_document_says() {
    let world = World::start();
    world.internal(Some(world.companion.secret()));
}

#[test]
fn whoever_has_no_credential_is_refused_as_the_document_says() {
    let world = World::start();
    world.public(None, &["--exclude-path-regex", INTERNAL], "");
    world.internal(None);
}

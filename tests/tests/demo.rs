//! `make demo`, `make up` and `make down`, as the program behind them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::json;
use tests::companion::free_port;
use tests::process::scratch;
use tests::{Client, FakeProvider};

/// One demo's ports and folder; ends what it left running.
struct Demo {
    run: PathBuf,
    ports: BTreeMap<&'static str, u16>,
}

impl Demo {
    fn new() -> Self {
        let names = ["GATEWAY_PORT", "ADMIN_PORT", "COMPANION_PORT", "COMPANION_INTERNAL_PORT", "FAKE_PORT"];
        Self { run: scratch("demo"), ports: names.into_iter().map(|name| (name, free_port())).collect() }
    }

    fn run(&self, command: &str) -> Output {
        let mut demo = Command::new(env!("CARGO_BIN_EXE_demo"));
        for key in ["OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "MISTRAL_API_KEY"] {
            demo.env_remove(key);
        }
        demo.arg(command).env("TOLLGATE_RUN", &self.run);
        demo.envs(self.ports.iter().map(|(name, port)| (name, port.to_string()))).output().unwrap()
    }

    /// What it printed, after checking that it succeeded.
    fn says(&self, command: &str) -> String {
        let output = self.run(command);
        let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{command}: {said}{complained}");
        said.into_owned()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        self.run("down");
    }
}

#[test]
fn the_demo_streams_an_answer_and_leaves_nothing_running() {
    let demo = Demo::new();
    let said = demo.says("demo");
    assert!(said.contains("You said: ") && said.contains("make up"), "{said}");
    for port in demo.ports.values() {
        assert!(Client::new(*port).get("/").try_send().is_err(), "something still listens on {port}");
    }
}

#[test]
fn up_leaves_everything_running_until_down_and_says_so_the_second_time() {
    let demo = Demo::new();
    demo.says("up");
    assert!(demo.says("up").contains("already running"));
    let file = demo.run.join("demo.env");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(file).unwrap();
    let settings: BTreeMap<_, _> =
        text.lines().filter_map(|line| line.strip_prefix("export ")?.split_once('=')).collect();
    let names: Vec<_> = settings.keys().copied().collect();
    assert_eq!(names, ["ADMIN_TOKEN", "API_KEY", "COMPANION_URL", "GATEWAY_URL", "PROJECT_ID", "TENANT_ID"]);
    let gateway = Client::new(demo.ports["GATEWAY_PORT"]);
    let token = gateway.mint(settings["API_KEY"], &json!({"user_id": "u1"}));
    assert_eq!(gateway.chat(&token, "openai/gpt-4o", "hi").send().content(), "You said: hi");
    assert!(demo.says("down").contains("stopped"));
    assert!(gateway.get("/").try_send().is_err());
    assert!(demo.says("down").contains("nothing was running"));
}

#[test]
fn a_port_that_is_taken_is_named_with_the_variable_that_changes_it() {
    let mut demo = Demo::new();
    let other = FakeProvider::start();
    demo.ports.insert("FAKE_PORT", other.port());
    let output = demo.run("up");
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && complained.contains("FAKE_PORT=") && complained.contains(&other.port().to_string())
    );
}

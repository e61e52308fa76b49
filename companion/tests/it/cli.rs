use crate::app::{SECRET, TestApp, command, files, send, tollgate};
use serde_json::json;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Stdio};

/// A `tollgate serve` of the test's own; killed when the test ends early.
pub(crate) struct Served {
    pub(crate) child: Child,
    pub(crate) public: SocketAddr,
    pub(crate) internal: SocketAddr,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

pub(crate) fn serve(dir: &Path) -> Served {
    serve_with(dir, &[])
}

/// With more flags.
pub(crate) fn serve_with(dir: &Path, flags: &[&str]) -> Served {
    let mut command = command(dir);
    command.args(["serve", "--listen", "127.0.0.1:0", "--internal-listen", "127.0.0.1:0"]);
    command.args(flags).env("TOLLGATE_INTERNAL_SECRET", SECRET).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let public = line.strip_prefix("tollgate is ready: public http://").unwrap_or_else(|| {
        let mut log = String::new();
        let _ = child.stderr.take().unwrap().read_to_string(&mut log);
        panic!("{line}{log}")
    });
    let (public, internal) = public.trim_end().split_once(", internal http://").unwrap();
    let (public, internal) = (public.parse().unwrap(), internal.parse().unwrap());
    Served { child, public, internal }
}

fn fails(dir: &Path, secret: &str, arguments: &[&str], what: &str) {
    let output = command(dir).args(arguments).env("TOLLGATE_INTERNAL_SECRET", secret).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains(what), "{arguments:?}: {said}");
    assert!(!said.contains("panicked"), "{said}");
}

#[tokio::test]
async fn a_key_mints_until_it_is_revoked_while_the_companion_serves() {
    let app = TestApp::start().await;
    let dir = app.dir.path();
    let second = tollgate(dir, &["key", "create", "--project", &app.project]);
    let second_key = second["api_key"].as_str().unwrap().to_owned();
    let status = async |key: &str| app.public("POST", "/v1/auth/mint", key, r#"{"user_id":"ada"}"#).await.status;
    assert_eq!((status(&app.key).await, status(&second_key).await), (200, 200));
    assert_eq!(tollgate(dir, &["key", "revoke", &app.key_id]), json!({"key_id": app.key_id, "revoked": true}));
    assert_eq!((status(&app.key).await, status(&second_key).await), (401, 200));
    let listed = tollgate(dir, &["key", "list", "--project", &app.project]);
    assert_eq!(listed["keys"].as_array().unwrap().len(), 2);
    assert!(listed["keys"][0]["revoked_at"].is_u64() && listed["keys"][1]["revoked_at"].is_null());
    assert!(!listed.to_string().contains(&second_key));
    // Neither is the key in the database.
    for file in files(dir) {
        let bytes = std::fs::read(file).unwrap();
        assert!(!bytes.windows(second_key.len()).any(|it| it == second_key.as_bytes()));
    }
}

#[tokio::test]
async fn the_binary_serves_until_sigterm_and_keeps_its_files_to_itself() {
    let dir = tempfile::tempdir().unwrap();
    let mut served = serve(dir.path());
    let ready = send(served.public, "GET", "/readyz", &[], "").await;
    assert_eq!(ready.status, 200);
    let project = tollgate(dir.path(), &["project", "create", "--tenant", "acme", "--name", "shop"]);
    assert_eq!(project["tenant_id"], "acme");
    for file in files(dir.path()) {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{file:?}");
    }
    let pid = served.child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let status = served.child.wait().unwrap();
    assert!(status.success(), "{status}");
    let mut log = String::new();
    for line in BufReader::new(served.child.stderr.take().unwrap()).lines() {
        log.push_str(&line.unwrap());
    }
    assert!(log.contains("stopped") && log.contains("/readyz") && !log.contains(SECRET), "{log}");
}

#[test]
fn a_companion_that_cannot_start_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let serve = ["serve", "--listen", "127.0.0.1:0", "--internal-listen", "127.0.0.1:0"];
    fails(dir, "", &serve, "TOLLGATE_INTERNAL_SECRET: expected at least 16");
    fails(dir, "short", &serve, "found 5 characters");
    std::fs::create_dir(dir.join("open")).unwrap();
    std::fs::set_permissions(dir.join("open"), PermissionsExt::from_mode(0o777)).unwrap();
    fails(dir, SECRET, &[&serve[..], &["--signing-keys", "open"]].concat(), "chmod 700");
    fails(dir, SECRET, &[&serve[..], &["--database-url", "postgres://x"]].concat(), "database postgres://x");
    fails(dir, SECRET, &[&serve[..], &["--audience", ""]].concat(), "1 to 255 visible characters");
    fails(dir, SECRET, &["serve", "--listen", "nonsense"], "--listen");
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = held.local_addr().unwrap().to_string();
    fails(dir, SECRET, &["serve", "--listen", &taken, "--internal-listen", "127.0.0.1:0"], &format!("listen {taken}"));
    fails(dir, "", &["key", "create", "--project", "absent"], "there is no project absent");
    fails(dir, "", &["key", "list", "--project", "absent"], "there is no project absent");
    fails(dir, "", &["key", "revoke", "absent"], "there is no key absent");
    fails(dir, "", &["project", "create", "--tenant", "", "--name", "x"], "1 to 255 visible characters");
}

#[test]
fn a_project_of_the_same_name_is_the_same_project() {
    let dir = tempfile::tempdir().unwrap();
    let create = |tenant: &str| tollgate(dir.path(), &["project", "create", "--tenant", tenant, "--name", "x"]);
    let (first, again, other) = (create("a"), create("a"), create("b"));
    assert_eq!(first, again);
    assert_ne!(first["project_id"], other["project_id"]);
    let listed = tollgate(dir.path(), &["project", "list"]);
    assert_eq!(listed["projects"].as_array().unwrap().len(), 2);
}

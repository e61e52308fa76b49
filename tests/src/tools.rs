//! Where things are: the repository, Envoy, the built filters, the companion. What is missing is named together with the
//! command that makes it.

use std::env;
use std::path::{Path, PathBuf};

/// The repository's root.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the repository").to_owned()
}

/// The Envoy program: `ENVOY_BIN`, or what `make setup` installed.
///
/// # Errors
/// There is none; says how to get one.
pub fn envoy() -> Result<PathBuf, String> {
    if let Some(path) = env::var_os("ENVOY_BIN").map(PathBuf::from) {
        return existing(path, "ENVOY_BIN names no file");
    }
    let path = root().join(".tools/bin/envoy");
    existing(path, "Envoy is not installed: run `make setup`, or set ENVOY_BIN to an Envoy 1.40")
}

/// The folder of the built filters: `TOLLGATE_DIST`, or `dist/`.
#[must_use]
pub fn dist() -> PathBuf {
    env::var_os("TOLLGATE_DIST").map_or_else(|| root().join("dist"), |path| root().join(path))
}

/// A built filter.
///
/// # Errors
/// It is not built.
pub fn wasm(name: &str) -> Result<PathBuf, String> {
    existing(dist().join(format!("{name}.wasm")), "the filter is not built: run `make wasm`")
}

/// The companion's program: `TOLLGATE_BIN`, or the one that cargo built beside this program.
///
/// # Errors
/// It is not built.
pub fn companion() -> Result<PathBuf, String> {
    let built = || {
        let this = env::current_exe().ok()?;
        // A test lies in target/<profile>/deps, the demo in target/<profile>.
        this.ancestors().skip(1).take(2).map(|folder| folder.join("tollgate")).find(|path| path.is_file())
    };
    let path = env::var_os("TOLLGATE_BIN").map(PathBuf::from).or_else(built);
    existing(
        path.unwrap_or_else(|| root().join("target/debug/tollgate")),
        "the companion is not built: run `cargo build -p companion`",
    )
}

/// The folder of PostgreSQL's `initdb` and `postgres`, as `make setup` found or downloaded them.
///
/// # Errors
/// There is none; says how to get one.
pub fn postgres() -> Result<PathBuf, String> {
    let folder = root().join(".tools/postgres/bin");
    existing(folder.join("postgres"), "PostgreSQL is not set up: run `scripts/setup postgres`")?;
    Ok(folder)
}

/// The Redis server, as `make setup` found or downloaded it.
///
/// # Errors
/// There is none; says how to get one.
pub fn redis() -> Result<PathBuf, String> {
    existing(root().join(".tools/redis/bin/redis-server"), "Redis is not set up: run `scripts/setup redis`")
}

fn existing(path: PathBuf, otherwise: &str) -> Result<PathBuf, String> {
    if path.is_file() { Ok(path) } else { Err(format!("{}: {otherwise}", path.display())) }
}

//! A filter that does nothing at all: what it costs is what any Wasm filter costs before it has done anything.

use std::fs;
use std::path::PathBuf;

use tests::tools;

/// Every callback that Tollgate's filters have, each answering "go on".
const TEXT: &str = r#"(module
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) i32.const 1024)
  (func (export "proxy_on_context_create") (param i32 i32))
  (func (export "proxy_on_vm_start") (param i32 i32) (result i32) i32.const 1)
  (func (export "proxy_on_configure") (param i32 i32) (result i32) i32.const 1)
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) i32.const 0)
  (func (export "proxy_on_request_body") (param i32 i32 i32) (result i32) i32.const 0)
  (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32) i32.const 0)
  (func (export "proxy_on_response_body") (param i32 i32 i32) (result i32) i32.const 0)
  (func (export "proxy_on_done") (param i32) (result i32) i32.const 1)
  (func (export "proxy_on_log") (param i32))
  (func (export "proxy_on_delete") (param i32)))"#;

/// The module as a file, for Envoy's configuration.
pub(crate) fn module() -> PathBuf {
    let path = tools::root().join("target/e2e/empty.wasm");
    fs::create_dir_all(path.parent().expect("a folder")).expect("target/e2e");
    fs::write(&path, wat::parse_str(TEXT).expect("the text of a module")).expect("target/e2e/empty.wasm");
    path
}

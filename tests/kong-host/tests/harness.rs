//! The harness itself: what Kong does not survive, it does not let pass either. The filters are a few
//! lines of WebAssembly text each.

use kong_host::{Answer, CallAnswer, Failure, Kong, Request, UpstreamRequest, UpstreamResponse};
use std::{cell::RefCell, path::PathBuf};

/// What every probe has: memory, an allocator that never frees, and the callbacks that a case leaves out.
fn module(name: &str, case: &str) -> PathBuf {
    let mut text = String::from(
        r#"(module
        (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
        (import "env" "proxy_remove_header_map_value" (func $remove (param i32 i32 i32) (result i32)))
        (import "env" "proxy_replace_header_map_value" (func $set (param i32 i32 i32 i32 i32) (result i32)))
        (import "env" "proxy_set_buffer_bytes" (func $write (param i32 i32 i32 i32 i32) (result i32)))
        (import "env" "proxy_set_tick_period_milliseconds" (func $ticks (param i32) (result i32)))
        (import "env" "proxy_call_foreign_function" (func $foreign (param i32 i32 i32 i32 i32 i32) (result i32)))
        (import "env" "proxy_http_call" (func $call (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
        (import "env" "proxy_send_local_response" (func $reply (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 4)
        (global $top (mut i32) (i32.const 65536))
        (data (i32.const 0) "x-secret" "01" "host:80")
        (data (i32.const 64) "\03\00\00\00\07\00\00\00\03\00\00\00\05\00\00\00\01\00\00\00\0a\00\00\00\01\00\00\00:method\00GET\00:path\00/\00:authority\00a\00")
        (func (export "proxy_on_memory_allocate") (param $n i32) (result i32)
          (global.get $top) (global.set $top (i32.add (global.get $top) (local.get $n))))
        (func (export "proxy_abi_version_0_2_1"))
        (func $ask (result i32)
          (call $call (i32.const 10) (i32.const 7) (i32.const 64) (i32.const 68) (i32.const 0) (i32.const 0)
            (i32.const 0) (i32.const 0) (i32.const 100) (i32.const 256)))
        "#,
    );
    let defaults = [
        ("proxy_on_context_create", "(param i32 i32)"),
        ("proxy_on_vm_start", "(param i32 i32) (result i32) (i32.const 1)"),
        ("proxy_on_configure", "(param i32 i32) (result i32) (i32.const 1)"),
    ];
    for (export, body) in defaults.iter().filter(|(export, _)| !case.contains(export)) {
        text += &format!("(func (export \"{export}\") {body})\n");
    }
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("probe.wat"), format!("{text}{case})")).unwrap();
    folder
}

struct Seen {
    answer: Result<Answer, Failure>,
    upstream: Option<UpstreamRequest>,
    logs: Vec<String>,
}

/// Runs a request through a chain of one probe.
fn check(name: &str, case: &str, request: Request, response: &UpstreamResponse) -> Seen {
    let mut kong = Kong::new(&module(name, case));
    let upstream = RefCell::new(None);
    let answer = kong.chain("c", &[("probe", "")]).and_then(|()| {
        kong.request(
            "c",
            request,
            |sent| {
                upstream.replace(Some(sent.clone()));
                response.clone()
            },
            |_| CallAnswer::Failed,
        )
    });
    Seen { answer, upstream: upstream.into_inner(), logs: kong.logs() }
}

fn fails(name: &str, case: &str, why: &str) {
    let request = Request::post("/v1", "body").header("X-Secret", "1");
    let seen = check(name, case, request, &UpstreamResponse::json(200, "{}"));
    let failure = seen.answer.map(|it| it.text()).unwrap_err().to_string();
    assert!(failure.contains(why), "{name}: {failure}");
}

#[test]
fn what_kong_does_not_survive_fails_the_test() {
    let headers = "(func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)";
    let piece = "(func (export \"proxy_on_response_body\") (param i32 i32 i32) (result i32)";
    let configure = "(func (export \"proxy_on_configure\") (param i32 i32) (result i32)";
    let zeros = |count: usize| "(i32.const 0)".repeat(count);
    let set = format!("(drop (call $set (i32.const 2) {}))", "(i32.const 0) (i32.const 8)".repeat(2));
    let reply = format!("(drop (call $reply (i32.const 400) {} (i32.const -1)))", zeros(6));
    for (name, case, why) in [
        ("hang", format!("{headers} (i32.const 1))"), "waits for nothing: the request hangs"),
        ("forget", format!("{headers} (drop (call $ask)) (i32.const 0))"), "went on: Kong's worker crashes"),
        ("foreign", format!("{headers} (drop (call $foreign {})) (i32.const 0))", zeros(6)), "foreign function"),
        ("trap", format!("{headers} (unreachable))"), "trapped in proxy_on_request_headers"),
        ("twice", format!("{headers} {reply} {reply} (i32.const 1))"), "a second local reply"),
        ("late", format!("{piece} {set} (i32.const 0))"), "outside of the response's headers"),
        ("block", format!("{piece} {reply} (i32.const 0))"), "a local reply in ResponseBody"),
        ("hold", format!("{piece} (i32.const 1))"), "paused in the response's body"),
        (
            "empty",
            format!(
                "{piece} (drop (call $write (i32.const 1) (i32.const 0) (i32.const -1) {})) (i32.const 0))",
                zeros(2)
            ),
            "the last piece of a response empty",
        ),
        (
            "shorter",
            format!(
                "{piece} (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) {} (i32.const 1))) (i32.const 0))",
                zeros(1)
            ),
            "content-length says 2 and the body has 1",
        ),
        ("no", format!("{configure} (i32.const 0))"), "let every request pass unfiltered"),
        (
            "storm",
            format!("{configure} (drop (call $ticks (i32.const 1))) (drop (call $ticks (i32.const 1))) (i32.const 1))"),
            "a storm of timers",
        ),
        (
            "early",
            format!("(func (export \"_initialize\") (drop (call $log {})))", zeros(3)),
            "a host call in _initialize",
        ),
    ] {
        fails(name, &case, why);
    }
}

#[test]
fn a_module_with_an_import_that_kong_lacks_does_not_load() {
    let mut kong = Kong::new(&module("import", ""));
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("import/probe.wat");
    let text = std::fs::read_to_string(&file).unwrap();
    let level = "(import \"env\" \"proxy_get_log_level\" (func (param i32) (result i32)))";
    std::fs::write(&file, text.replacen("(module", &format!("(module {level}"), 1)).unwrap();
    let failure = kong.chain("c", &[("probe", "")]).unwrap_err().to_string();
    assert!(failure.contains("proxy_get_log_level"), "{failure}");
}

#[test]
fn a_module_that_is_not_there_names_the_command_that_builds_it() {
    let mut kong = Kong::new(&PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("nowhere"));
    let failure = kong.chain("c", &[("auth", "{}")]).unwrap_err().to_string();
    assert!(failure.contains("scripts/build-wasm"), "{failure}");
}

/// Logs the last parameter: `end_of_stream`.
const TELL: &str = "(param i32 i32) (param $end i32) (result i32)
    (drop (call $log (i32.const 2) (i32.add (i32.const 8) (local.get $end)) (i32.const 1))) (i32.const 0))";

#[test]
fn the_end_of_a_response_with_a_length_and_several_pieces_is_never_told() {
    let case = format!("(func (export \"proxy_on_response_body\") {TELL}");
    let told = |name: &str, response: &UpstreamResponse| {
        let seen = check(name, &case, Request::get("/"), response);
        assert!(seen.answer.is_ok());
        seen.logs.concat().replace("[info] probe: ", "")
    };
    assert_eq!(told("one", &UpstreamResponse::json(200, "ab")), "1");
    assert_eq!(told("sized", &UpstreamResponse::json(200, "abc").in_pieces_of(1)), "000");
    assert_eq!(told("stream", &UpstreamResponse::stream(["a", "b"])), "001");
}

#[test]
fn a_request_body_comes_once_and_whole_and_an_empty_one_not_at_all() {
    let case = format!("(func (export \"proxy_on_request_body\") {TELL}");
    let told =
        |name: &str, body: &str| check(name, &case, Request::post("/", body), &UpstreamResponse::json(200, "{}")).logs;
    assert_eq!(told("whole", "body"), ["[info] probe: 1"]);
    assert!(told("none", "").is_empty());
}

#[test]
fn a_removed_header_and_the_second_copy_of_an_overwritten_one_still_go_upstream() {
    let headers = "(func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)";
    let remove = format!("{headers} (drop (call $remove (i32.const 0) (i32.const 0) (i32.const 8))) (i32.const 0))");
    let set = format!(
        "{headers} (drop (call $set (i32.const 0) (i32.const 0) (i32.const 8) (i32.const 8) (i32.const 1))) (i32.const 0))"
    );
    let sent = |name: &str, case: &str| {
        let request = Request::get("/").header("X-Secret", "a").header("x-secret", "b");
        let upstream = check(name, case, request, &UpstreamResponse::json(200, "{}")).upstream.unwrap();
        upstream.headers("x-secret").join(",")
    };
    assert_eq!(sent("remove", &remove), "a,b");
    assert_eq!(sent("overwrite", &set), "0,b");
}

#[test]
fn a_failed_call_out_is_an_answer_without_headers_and_the_request_goes_on_by_itself() {
    let case =
        "(func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32) (drop (call $ask)) (i32.const 1))
        (func (export \"proxy_on_http_call_response\") (param i32 i32) (param $count i32) (param i32 i32)
          (drop (call $log (i32.const 2) (i32.add (i32.const 8) (local.get $count)) (i32.const 1))))";
    let seen = check("call", case, Request::get("/"), &UpstreamResponse::json(200, "{}"));
    assert_eq!(seen.logs, ["[info] probe: 0"]);
    assert!(seen.upstream.is_some());
}

#[test]
fn a_local_reply_gets_a_line_feed_and_passes_the_response_callbacks() {
    let case = format!(
        "(func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)
          (drop (call $reply (i32.const 418) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 8) (i32.const 0) (i32.const 0) (i32.const -1)))
          (i32.const 1))
        (func (export \"proxy_on_response_body\") {TELL}"
    );
    let seen = check("reply", &case, Request::get("/"), &UpstreamResponse::json(200, "{}"));
    let answer = seen.answer.unwrap();
    assert_eq!((answer.status, answer.text().as_str(), answer.local), (418, "x-secret\n", true));
    assert_eq!(seen.logs, ["[info] probe: 1"]);
    assert!(seen.upstream.is_none());
}

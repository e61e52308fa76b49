use crate::app::{Answer, TestApp, send};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Sends bytes as they are. With `whole`, reads the head of the answer; without, ends the stream in
/// the middle of the request, which the companion may answer or not, and reads to the end.
async fn raw(to: SocketAddr, bytes: &[u8], whole: bool) -> String {
    let mut stream = TcpStream::connect(to).await.unwrap();
    // A peer that resets before it has read everything has answered too.
    let _ = stream.write_all(bytes).await;
    if !whole {
        let _ = stream.shutdown().await;
    }
    let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
    while !(whole && answer.windows(4).any(|it| it == b"\r\n\r\n")) {
        match stream.read(&mut piece).await {
            Ok(length) if length > 0 => answer.extend_from_slice(&piece[..length]),
            _ => break,
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn hostile_bytes_do_no_harm_and_the_next_request_works() {
    let app = TestApp::start().await;
    let token = app.token("ada").await;
    let mint = format!(
        "POST /v1/auth/mint HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n",
        app.key
    );
    let body =
        |bytes: &[u8]| [mint.as_bytes(), format!("content-length: {}\r\n\r\n", bytes.len()).as_bytes(), bytes].concat();
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (b"\x00\xff\xfe garbage\r\n\r\n".to_vec(), "HTTP/1.1 400"),
        (b"GET /v1/threads HTTP/1.1\r\nhost: x\r\nauthorization: Bearer \xff\xfe\r\n\r\n".to_vec(), "HTTP/1.1 401"),
        (b"GET /v1/threads/%ff%fe HTTP/1.1\r\nhost: x\r\nauthorization: Bearer T\r\n\r\n".to_vec(), "HTTP/1.1 401"),
        (
            format!("GET /v1/threads/%ff%fe HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n").into_bytes(),
            "HTTP/1.1 404",
        ),
        (
            format!("GET /v1/threads/%00 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n").into_bytes(),
            "HTTP/1.1 404",
        ),
        (
            format!("GET /v1/threads?limit=%ff HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n")
                .into_bytes(),
            "HTTP/1.1 400",
        ),
        (body(b"{\"user_id\":\"\xff\"}"), "HTTP/1.1 400"),
        (body(b"{\"user_id\":\"\\ud800\"}"), "HTTP/1.1 400"),
        (body(b""), "HTTP/1.1 400"),
        (body(&b"[".repeat(10_000)), "HTTP/1.1 400"),
        (body(&[b"{\"user_id\":".as_slice(), &b"[".repeat(10_000)].concat()), "HTTP/1.1 400"),
        ([mint.as_bytes(), b"content-length: 999999999999\r\n\r\n{"].concat(), "HTTP/1.1 413"),
        ([mint.as_bytes(), b"content-length: 99\r\n\r\n{"].concat(), ""),
        ([mint.as_bytes(), b"transfer-encoding: chunked\r\n\r\nzz\r\n"].concat(), ""),
        ([mint.as_bytes(), b"x: ", &b"y".repeat(1_000_000), b"\r\n\r\n"].concat(), ""),
    ];
    for (bytes, status) in cases {
        let answer = raw(app.running.public, &bytes, !status.is_empty()).await;
        assert!(answer.starts_with(status), "{:?}: {answer}", String::from_utf8_lossy(&bytes[..bytes.len().min(200)]));
        assert_eq!(app.get("/v1/threads", &token).await.status, 200);
    }
}

#[tokio::test]
async fn a_body_too_large_or_of_another_kind_is_refused() {
    let app = TestApp::start().await;
    let large = format!(r#"{{"user_id":"{}"}}"#, "x".repeat(20_000));
    let answer = app.public("POST", "/v1/auth/mint", &app.key, &large).await;
    assert_eq!(answer.error(), (413, "request_too_large".into(), None));
    let bearer = format!("Bearer {}", app.key);
    for kind in ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonx"] {
        let headers = [("authorization", bearer.as_str()), ("content-type", kind)];
        let answer = send(app.running.public, "POST", "/v1/auth/mint", &headers, r#"{"user_id":"ada"}"#).await;
        assert_eq!(answer.error(), (415, "unsupported_media_type".into(), Some("content-type".into())), "{kind}");
    }
    let headers = [("authorization", bearer.as_str()), ("content-type", "Application/JSON; charset=utf-8")];
    assert_eq!(send(app.running.public, "POST", "/v1/auth/mint", &headers, r#"{"user_id":"ada"}"#).await.status, 200);
}

#[tokio::test]
async fn a_wrong_path_or_method_gets_the_same_kind_of_error() {
    let app = TestApp::start().await;
    for path in
        ["/", "/v1", "/v1/thread", "/v1/threads/", "/v1/threads/a/b/c", "/V1/threads", "/internal/v1/turns", "/%ff"]
    {
        assert_eq!(app.get(path, "").await.error(), (404, "not_found".into(), None), "{path}");
    }
    for (method, path, allow) in [
        ("GET", "/v1/auth/mint", "POST"),
        ("PUT", "/v1/threads", "GET,HEAD,POST"),
        ("POST", "/v1/threads/t1", "GET,HEAD,PATCH,DELETE"),
        ("DELETE", "/.well-known/jwks.json", "GET,HEAD"),
    ] {
        let answer = app.public(method, path, "", "").await;
        assert_eq!(answer.error(), (405, "method_not_allowed".into(), None), "{method} {path}");
        assert_eq!(answer.header("allow"), allow, "{method} {path}");
    }
}

#[tokio::test]
async fn a_request_id_is_echoed_or_made() {
    let app = TestApp::start().await;
    let get =
        async |id: &str| -> Answer { send(app.running.public, "GET", "/healthz", &[("x-request-id", id)], "").await };
    assert_eq!(get("trace-1").await.header("x-request-id"), "trace-1");
    for unusable in ["", "a b", &"x".repeat(129)] {
        assert!(get(unusable).await.header("x-request-id").starts_with("req_"), "{unusable}");
    }
    let own = send(app.running.public, "GET", "/absent", &[("x-request-id", "trace-2")], "").await;
    assert_eq!((own.error().0, own.header("x-request-id")), (404, "trace-2"));
    assert_eq!(get("x").await.json()["status"], "ok");
    assert_eq!(app.get("/readyz", "").await.json()["status"], "ok");
}

//! What reaches a service around `auth`: behind a request's body, and below a path that needs no token.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use serde_json::json;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::thread;
use tests::{EnvoyConfig, FakeProvider, Gateway, Signer};

fn example() -> EnvoyConfig {
    EnvoyConfig::load("envoy/examples/auth.yaml").unwrap()
}

/// Trailers pass between HTTP/2 and HTTP/2 by themselves; over HTTP/1 they must be asked for, on both sides.
fn with_trailers(config: &mut EnvoyConfig, port: u16) {
    let pass = json!({"enable_trailers": true});
    let resources = &mut config.root()["static_resources"];
    let manager = &mut resources["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"];
    manager["http_protocol_options"] = pass.clone();
    let service = resources["clusters"].as_array_mut().unwrap().iter_mut().find(|it| it["name"] == "service").unwrap();
    service["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]["socket_address"]["port_value"] =
        json!(port);
    service["typed_extension_protocol_options"] = json!({"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http_protocol_options": pass},
    }});
}

#[test]
fn a_client_says_nothing_about_itself_behind_its_body_either() {
    let service = TcpListener::bind("127.0.0.1:0").unwrap();
    let (mut config, signer) = (example(), Signer::new());
    with_trailers(&mut config, service.local_addr().unwrap().port());
    let gateway = Gateway::with(config).filter("auth", &signer.auth_config()).start();
    let read = thread::spawn(move || {
        let stream = service.accept().unwrap().0;
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
        // The head, the last chunk, and the trailers behind it: two empty lines.
        let mut seen: Vec<String> = lines.by_ref().take_while(|it| !it.is_empty()).collect();
        seen.extend(lines.take_while(|it| !it.is_empty()));
        (&stream).write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
        seen
    });
    let head = format!("POST /x HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n", signer.user("ada"));
    let body =
        "transfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx-end-user-id: evil\r\nX_Role: evil\r\nx-sum: kept\r\n\r\n";
    assert_eq!(gateway.client().raw(format!("{head}{body}").as_bytes()).unwrap().status, 200);
    let seen = read.join().unwrap();
    assert!(seen.iter().any(|it| it == "x-sum: kept") && seen.iter().any(|it| it == "x-end-user-id: ada"), "{seen:?}");
    assert!(!seen.iter().any(|it| it.contains("evil")), "{seen:?}");
}

#[test]
fn what_needs_no_token_goes_to_nobody_but_the_companion() {
    let (fake, signer) = (FakeProvider::start(), Signer::new());
    let mut filter = signer.auth_config();
    filter["bypass"] = json!([{"path_prefix": "/v1/auth/mint"}]);
    let gateway = Gateway::with(example()).fake(&fake).filter("auth", &filter).start();
    for path in ["/v1/auth/mint", "/v1/auth/mint?x=1", "/v1/auth/mint/", "/v1/auth/mint/x"] {
        // There is no companion.
        assert_eq!(gateway.client().get(path).send().status, 503, "{path}");
    }
    assert!(fake.requests().is_empty());
}

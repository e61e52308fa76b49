//! kong.yml and kong.conf, as files.

mod common;

use common::{kong_yml, repository};
use kong_host::KongFile;

#[test]
fn every_filter_takes_its_configuration() {
    let file = KongFile::parse(&kong_yml());
    let mut count = 0;
    for (service, filter, config) in file.filters() {
        let json = config.as_bytes();
        let parsed = match filter {
            "auth" => auth::config::Config::parse(json).map(drop),
            "budget" => budget::config::Config::parse(json).map(drop),
            "guardrails" => guardrails::config::Config::parse(json).map(drop),
            "provider" => provider::config::Config::parse(json).map(drop),
            "ratelimit" => ratelimit::config::Config::parse(json).map(drop),
            "router" => router::config::Config::parse(json).map(drop),
            "session" => session::config::Config::parse(json).map(drop),
            other => Err(format!("no filter {other}")),
        };
        parsed.unwrap_or_else(|why| panic!("{service}: {why}"));
        count += 1;
    }
    assert_eq!(count, 11, "filters in kong.yml");
}

#[test]
fn no_route_holds_a_stream_back_or_cuts_a_path() {
    assert_eq!(KongFile::parse(&kong_yml()).careless_routes(), Vec::<String>::new());
}

#[test]
fn every_provider_of_the_router_has_its_service_behind_the_hops_secret() {
    let file = KongFile::parse(&kong_yml());
    let (_, _, config) = file.filters().find(|(_, filter, _)| *filter == "router").unwrap();
    let config: serde_json::Value = serde_json::from_str(config).unwrap();
    for candidates in config["chains"].as_object().unwrap().values() {
        let provider = candidates[0]["provider"].as_str().unwrap();
        let (_, _, behind) = file.filters().find(|(service, _, _)| *service == provider).unwrap();
        let behind: serde_json::Value = serde_json::from_str(behind).unwrap();
        assert_eq!(behind["provider"], provider);
        let route = format!("x_tollgate_try_1 == \"{provider}\"");
        assert!(file.expressions().any(|it| it.contains(&route)), "{provider}");
    }
    let second = file.expressions().filter(|it| it.contains("net.dst.port == 8010")).collect::<Vec<_>>();
    assert_eq!(second.len(), 4);
    assert!(second.iter().all(|it| it.contains("x_tollgate_hop ==") && it.contains("x_tollgate_try_1 ==")));
}

#[test]
fn kong_conf_has_what_the_filters_cannot_do_without() {
    let conf = std::fs::read_to_string(repository().join("kong/kong.conf")).unwrap();
    for line in [
        "wasm = on",
        "wasm_filters = user",
        "router_flavor = expressions",
        "proxy_listen = 127.0.0.1:8000 http2, 127.0.0.1:8010",
        "nginx_wasm_shm_kv = 16m",
        "nginx_http_client_body_buffer_size = 16m",
    ] {
        assert!(conf.lines().any(|it| it == line), "{line}");
    }
    assert!(!conf.contains("isolation"), "an instance for each request would add a timer for each");
}

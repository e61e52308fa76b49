//! What stands around a token: the header that brings it, places where none is looked for, paths that need none, and what
//! a client says about itself.

use super::{Group, PATH, Request, claims, config, group, identity::sign};
use serde_json::{Value, json};

fn good() -> String {
    sign(&claims())
}

fn authorization(value: impl AsRef<[u8]>) -> Request {
    Request::new("GET", PATH).header("authorization", value)
}

/// RFC 9110, 11.1 and RFC 6750, 2.1: the scheme in any case, then spaces, then the token.
pub(crate) fn authorization_has_one_form() -> Vec<Group> {
    let token = good();
    let [header, payload, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!() };
    let mut rows = Vec::new();
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        rows.push((scheme.to_owned(), authorization(format!("{scheme} {token}")), "ok"));
        rows.push((format!("{scheme} and spaces"), authorization(format!("{scheme}   {token}  ")), "ok"));
    }
    for (what, value, expected) in [
        ("nothing", String::new(), "missing"),
        ("the scheme alone", "Bearer".into(), "missing"),
        ("the token alone", token.clone(), "missing"),
        ("no space", format!("Bearer{token}"), "missing"),
        ("a tab", format!("Bearer\t{token}"), "missing"),
        ("a colon", format!("Bearer: {token}"), "missing"),
        ("an equals sign", format!("Bearer={token}"), "missing"),
        ("a comma behind the scheme", format!("Bearer, {token}"), "missing"),
        ("Basic", format!("Basic {token}"), "missing"),
        ("JWT", format!("JWT {token}"), "missing"),
        ("Token", format!("Token {token}"), "missing"),
        ("DPoP", format!("DPoP {token}"), "missing"),
        ("Bearer in Greek", format!("\u{392}earer {token}"), "missing"),
        ("two schemes", format!("Bearer Bearer {token}"), "malformed"),
        ("two tokens", format!("Bearer {token} {token}"), "malformed"),
        ("two tokens with a comma", format!("Bearer {token},{token}"), "malformed"),
        ("two credentials in one line", format!("Bearer {token}, Bearer {token}"), "malformed"),
        ("another scheme behind it", format!("Bearer {token}, Basic dTpw"), "malformed"),
        ("another scheme before it", format!("Basic dTpw, Bearer {token}"), "missing"),
        ("a comma at the end", format!("Bearer {token},"), "malformed"),
        ("a parameter", format!("Bearer {token};x=1"), "malformed"),
        ("in quotes", format!("Bearer \"{token}\""), "malformed"),
        ("in angle brackets", format!("Bearer <{token}>"), "malformed"),
        ("a name before it", format!("Bearer token={token}"), "malformed"),
        ("a space in the token", format!("Bearer {header}. {payload}.{signature}"), "malformed"),
        ("a tab in the token", format!("Bearer {header}.\t{payload}.{signature}"), "malformed"),
        ("a tab before the token", format!("Bearer \t{token}"), "malformed"),
        ("a letter beyond ASCII", format!("Bearer {token}\u{e9}"), "malformed"),
        ("an invisible space behind it", format!("Bearer {token}\u{200b}"), "malformed"),
        (
            "JSON serialisation",
            json!({"protected": header, "payload": payload, "signature": signature}).to_string(),
            "missing",
        ),
        (
            "JSON serialisation as a token",
            format!("Bearer {}", json!({"payload": payload, "signature": signature})),
            "malformed",
        ),
        ("the word null", "Bearer null".into(), "missing"),
        ("the word undefined", "Bearer undefined".into(), "missing"),
        ("a template that was never filled", "Bearer ${TOKEN}".into(), "missing"),
        ("our API key", "Bearer behest_sk_live_0123456789".into(), "api_key"),
        ("our API key in lower case", "bearer behest_sk_live_x".into(), "api_key"),
        ("our API key with dots", format!("Bearer behest_sk_live_{token}"), "api_key"),
        ("an API key in another case", "Bearer BEHEST_SK_LIVE_0123".into(), "missing"),
    ] {
        rows.push((what.to_owned(), authorization(value), expected));
    }
    rows.push(("no UTF-8".into(), authorization(b"Bearer \xff"), "malformed"));
    rows.push((
        "no UTF-8 behind it".into(),
        authorization([b"Bearer ", token.as_bytes(), b"\xc3"].concat()),
        "malformed",
    ));
    vec![group(&config(|_| ()), rows)]
}

/// An empty one beside a good one is no row: Envoy makes one header of the two before anybody sees them.
pub(crate) fn there_is_one_authorization() -> Vec<Group> {
    let (token, other) = (
        good(),
        format!(
            "Bearer {}",
            sign(&{
                let mut it = claims();
                it["jti"] = json!("j2");
                it
            })
        ),
    );
    let bearer = format!("Bearer {token}");
    let one = || authorization(&bearer);
    vec![group(
        &config(|_| ()),
        [
            ("one", one(), "ok"),
            ("none", Request::new("GET", PATH), "missing"),
            ("the same twice", one().header("authorization", &bearer), "malformed"),
            ("the same twice in other letters", one().header("AUTHORIZATION", &bearer), "malformed"),
            ("two good ones", one().header("authorization", &other), "malformed"),
            ("another scheme behind", one().header("Authorization", "Basic dTpw"), "malformed"),
            ("an API key behind", one().header("Authorization", "Bearer behest_sk_live_0"), "malformed"),
            // Envoy takes this offer of curl's away; any other is refused with 400, before a token is looked at.
            (
                "an offer of HTTP/2 beside it",
                one()
                    .header("connection", "Upgrade, HTTP2-Settings")
                    .header("upgrade", "h2c")
                    .header("http2-settings", "AAMAAABkAAQAoAAAAAIAAAAA"),
                "ok",
            ),
            (
                "x-original-url beside it",
                one().header("x-original-url", "/admin").header("x-rewrite-url", "/admin"),
                "ok",
            ),
            ("another method beside it", one().header("x-http-method-override", "DELETE"), "ok"),
            ("proxy-authorization beside it", one().header("proxy-authorization", "Bearer x"), "ok"),
            ("proxy-authorization", Request::new("GET", PATH).header("proxy-authorization", &bearer), "missing"),
            ("x-authorization", Request::new("GET", PATH).header("x-authorization", &bearer), "missing"),
            (
                "x-forwarded-authorization",
                Request::new("GET", PATH).header("x-forwarded-authorization", &bearer),
                "missing",
            ),
            (
                "x-original-authorization",
                Request::new("GET", PATH).header("x-original-authorization", &bearer),
                "missing",
            ),
            ("http_authorization", Request::new("GET", PATH).header("http_authorization", &bearer), "missing"),
            ("authorization_", Request::new("GET", PATH).header("authorization_", &bearer), "missing"),
            ("x-api-key", Request::new("GET", PATH).header("x-api-key", &token), "missing"),
            ("api-key", Request::new("GET", PATH).header("api-key", &token), "missing"),
            (
                "a cookie",
                Request::new("GET", PATH).header("cookie", format!("access_token={token}; jwt={token}")),
                "missing",
            ),
            (
                "a protocol of a websocket",
                Request::new("GET", PATH).header("sec-websocket-protocol", &token),
                "missing",
            ),
        ],
    )]
}

/// RFC 6750, 2.3 and 5.3: an address is written down in too many places.
pub(crate) fn a_token_in_the_query_is_not_looked_at() -> Vec<Group> {
    let token = good();
    let mut rows = vec![(
        "in the header too".to_owned(),
        Request { path: format!("{PATH}?access_token=x"), ..Request::bearer(&token) },
        "ok",
    )];
    for name in
        ["access_token", "token", "jwt", "id_token", "authorization", "Authorization", "bearer_token", "api_key", "key"]
    {
        for value in [token.clone(), format!("Bearer%20{token}")] {
            rows.push((
                format!("{name} in the query"),
                Request::new("GET", &format!("{PATH}?{name}={value}")),
                "missing",
            ));
        }
    }
    rows.push(("in the path".into(), Request::new("GET", &format!("/v1/{token}/models")), "missing"));
    vec![group(&config(|_| ()), rows)]
}

fn with_bypass() -> Value {
    let mut config = config(|_| ());
    config["bypass"] = json!([{"path_prefix": "/open/all"}, {"path_prefix": "/v1/open"}]);
    config["bypass_cors_preflight"] = json!(true);
    config
}

pub(crate) fn a_bypass_covers_whole_segments_of_plain_paths() -> Vec<Group> {
    let mut rows = vec![("a token elsewhere".to_owned(), Request::bearer(&good()), "ok")];
    for path in
        ["/v1/open", "/v1/open/", "/v1/open?x=1", "/v1/open?/../", "/v1/open?x=%2e%2e", "/v1/open/gpt-4o", "/open/all"]
    {
        rows.push((path.to_owned(), Request::new("GET", path), "bypass"));
        rows.push((path.to_owned(), Request::new("POST", path), "bypass"));
    }
    for path in [
        "/",
        "/v1",
        "/v1/",
        "/v1/ope",
        "/v1/openx",
        "/v1/open-all",
        "/v1/open.json",
        "/V1/open",
        "/v1/Open",
        "/v1/open/..",
        "/v1/open/../chat/completions",
        "/v1/open/../../admin",
        "/v1/open/./..",
        "/v1/open/.",
        "/v1/open/./x",
        "/v1/./open",
        "/v1/x/../open",
        "//v1/open",
        "/v1//open",
        "/v1/open//x",
        "/v1/open/%2e%2e/chat/completions",
        "/v1/open/%2E%2E/x",
        "/v1/open/.%2e/x",
        "/v1/open%2f..%2fchat",
        "/v1%2fopen",
        "/%761/open",
        "/v1/open%00",
        "/v1/open%00/x",
        "/v1/open/%5c..",
        "/v1/open\\..\\chat",
        "/v1/open/..;/chat/completions",
        "/v1/open;x",
        "/v1/open;/../chat",
        "/v1/open/%252e%252e/chat",
        "/v1/open/%25%32%65",
        "/v1/open/%c0%ae%c0%ae/chat",
        "/v1/open/%u002e",
        "/v1/open/%",
        "/v1/open/%2",
        "/v1/open/%zz",
        "/v1/open/%0a",
        "/chat?/v1/open",
        "/chat/v1/open",
        "/chat?x=/v1/open",
        "/x/../v1/open",
        "/v1/open/...",
        "/v1/open/..%00/",
    ] {
        rows.push((path.to_owned(), Request::new("GET", path), "missing"));
    }
    for (path, expected) in [("/v1/open/../models", "ok"), ("/v1/open;x/models", "ok")] {
        rows.push((path.to_owned(), Request { path: path.to_owned(), ..Request::bearer(&good()) }, expected));
    }
    vec![group(&with_bypass(), rows)]
}

pub(crate) fn only_a_preflight_needs_no_token() -> Vec<Group> {
    let ask = |method: &'static str, names: &[&str]| {
        names.iter().fold(Request::new(method, PATH), |it, name| {
            it.header(name, if *name == "origin" { "https://a.example" } else { "POST" })
        })
    };
    let both = ["origin", "access-control-request-method"];
    let rows = |allowed: &'static str| {
        [
            ("a token", Request::bearer(&good()), "ok"),
            ("a preflight", ask("OPTIONS", &both), allowed),
            ("a preflight in other letters", ask("OPTIONS", &["Origin", "Access-Control-Request-Method"]), allowed),
            ("no origin", ask("OPTIONS", &both[1..]), "missing"),
            ("no method that is asked for", ask("OPTIONS", &both[..1]), "missing"),
            ("nothing but OPTIONS", ask("OPTIONS", &[]), "missing"),
            ("a GET with both", ask("GET", &both), "missing"),
            ("a POST with both", ask("POST", &both), "missing"),
            ("a PUT with both", ask("PUT", &both), "missing"),
        ]
    };
    vec![group(&with_bypass(), rows("bypass")), group(&config(|_| ()), rows("missing"))]
}

/// What is refused to the client is looked at where it arrives: no header of it may come with the value `evil`.
pub(crate) fn a_client_says_nothing_about_itself() -> Vec<Group> {
    let names = [
        "x-tenant-id",
        "x-project-id",
        "x-end-user-id",
        "x-role",
        "x-tier",
        "X-TENANT-ID",
        "X-Project-Id",
        "X-End-User-Id",
        "X_Role",
        "x_tier",
        "x_end_user_id",
        "x-end_user-id",
        "X_END-USER_ID",
        "x.role",
        "x-tollgate-verified",
        "x-tollgate-chain",
        "X_Tollgate_Model",
        "x-tollgate-",
        "x-envoy-original-path",
        "x-envoy-max-retries",
        "X_Envoy_Attempt_Count",
        "x-envoy-upstream-rq-timeout-ms",
    ];
    let evil = |request: Request, name: &str| request.header(name, "evil");
    let bare = sign(&json!({"iss": claims()["iss"], "aud": "aud-1", "exp": claims()["exp"], "uid": "u1", "pid": "p1"}));
    let mut rows = vec![
        ("all at once".to_owned(), names.into_iter().fold(Request::bearer(&good()), evil), "ok"),
        (
            "all at once, where the token names neither".to_owned(),
            names.into_iter().fold(Request::bearer(&bare), evil),
            "ok",
        ),
        (
            "all at once, where no token is needed".to_owned(),
            names.into_iter().fold(Request::new("GET", "/v1/open"), evil),
            "bypass",
        ),
        ("instead of a token".to_owned(), names.into_iter().fold(Request::new("GET", PATH), evil), "missing"),
    ];
    for name in names {
        rows.push((format!("{name} alone"), evil(Request::bearer(&bare), name), "ok"));
        rows.push((format!("{name} twice"), evil(evil(Request::bearer(&bare), name), &name.to_uppercase()), "ok"));
        rows.push((format!("{name}, no token"), evil(Request::new("GET", "/v1/open"), name), "bypass"));
    }
    rows.push((
        "named by connection".into(),
        Request::bearer(&good()).header("connection", "x-end-user-id, x-role"),
        "ok",
    ));
    vec![group(&with_bypass(), rows)]
}

use crate::app::{Answer, BEGIN, TestApp, send, tollgate};
use serde_json::{Value, json};
use std::time::Duration;

/// The day of the tests' beginning, which is 2027-01-15T08:00:00Z.
const DAY: &str = "from=2027-01-15&to=2027-01-16";

/// A record of `user`, `seconds` after the beginning, with what `changes` says.
fn record(app: &TestApp, id: &str, user: &str, seconds: u64, changes: Value) -> Value {
    let mut record = json!({
        "id": id, "at": BEGIN.saturating_add(seconds).saturating_mul(1_000_000), "node": "n1", "tenant": "acme", "project": app.project, "user": user,
        "key": app.key_id, "endpoint": "chat.completions", "model": "openai/gpt-4o", "provider": "openai",
        "source": "platform", "status": 200, "stream": true, "outcome": "complete", "estimated": false,
        "input_tokens": 100, "output_tokens": 20, "cost_nanos": 1_500_000, "charges": [],
    });
    record.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    record
}

async fn report(app: &TestApp, records: &[Value]) {
    let answer = app.internal("/internal/v1/usage", &json!({"records": records}).to_string()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["stored"], records.len());
}

/// Ada: three requests, two hours; Eve: one, with her own key. And one of another project.
async fn used(app: &TestApp) {
    let mini = json!({"model": "openai/gpt-4o-mini", "cost_nanos": null, "estimated": true});
    let own = json!({"source": "byok", "cost_nanos": 7});
    let records = [
        record(app, "u_1", "ada", 10, json!({})),
        record(app, "u_2", "ada", 70, mini),
        record(app, "u_3", "ada", 3600, json!({})),
        record(app, "u_4", "eve", 20, own),
        record(app, "u_5", "ada", 10, json!({"project": "proj_other"})),
    ];
    report(app, &records).await;
}

async fn json_of(app: &TestApp, path: &str, bearer: &str) -> Value {
    let answer = app.get(path, bearer).await;
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
    answer.json()
}

#[tokio::test]
async fn an_end_user_sees_themself_in_both_published_shapes() {
    let app = TestApp::start().await;
    used(&app).await;
    let ada = app.token("ada").await;
    let usage = json_of(&app, &format!("/v1/usage?{DAY}&granularity=hour"), &ada).await;
    let line = |timestamp: &str, requests: u64, unpriced: u64, cost: Value| {
        json!({"timestamp": timestamp, "requests": requests, "tokens": 120 * requests, "input_tokens": 100 * requests,
            "cached_tokens": 0, "cache_write_tokens": 0, "output_tokens": 20 * requests, "reasoning_tokens": 0,
            "cost_usd": cost, "unpriced": unpriced, "estimated": unpriced})
    };
    assert_eq!(
        usage["breakdown"],
        json!([line("2027-01-15T08:00:00Z", 2, 1, json!(0.0015)), line("2027-01-15T09:00:00Z", 1, 0, json!(0.0015))])
    );
    assert_eq!([&usage["totals"]["tokens"], &usage["totals"]["cost_usd"]], [&json!(360), &json!(0.003)]);
    assert_eq!([&usage["project_id"], &usage["user_id"]], [&json!(app.project), &json!("ada")]);
    assert_eq!(usage["window"], json!({"from": "2027-01-15T00:00:00Z", "to": "2027-01-16T00:00:00Z"}));

    let bill = json_of(&app, &format!("/v1/billing/usage?{DAY}"), &ada).await;
    assert_eq!([&bill["platform"]["requests"], &bill["byok"]["requests"]], [3, 0]);
    let models: Vec<_> =
        bill["platform"]["by_model"].as_array().unwrap().iter().map(|it| it["model"].clone()).collect();
    assert_eq!(models, ["openai/gpt-4o", "openai/gpt-4o-mini"]);
    assert_eq!(bill["byok"]["by_model"], json!([]));
    assert!(!usage.to_string().contains("eve") && !bill.to_string().contains("eve"));
}

#[tokio::test]
async fn nobody_sees_another_user_or_another_project() {
    let app = TestApp::start().await;
    used(&app).await;
    let (ada, eve) = (app.token("ada").await, app.token("eve").await);
    for path in ["/v1/usage", "/v1/billing/usage", "/v1/budget"] {
        let asked = app.get(&format!("{path}?user_id=eve"), &ada).await;
        assert_eq!(asked.error(), (403, "forbidden".into(), None), "{path}");
        assert!(!asked.message().contains("eve"));
        assert_eq!(app.get(&format!("{path}?user_id=eve"), &eve).await.status, 200, "{path}");
    }
    let by_user = json_of(&app, &format!("/v1/usage?{DAY}&group_by=user,project"), &eve).await;
    let lines = by_user["breakdown"].as_array().unwrap();
    assert_eq!((lines.len(), &lines[0]["user_id"], &lines[0]["project_id"]), (1, &json!("eve"), &json!(app.project)));
    // What another header says of who asks is not looked at.
    let bearer = format!("Bearer {eve}");
    let headers = [("authorization", bearer.as_str()), ("x-end-user-id", "ada"), ("x-role", "admin")];
    let answer = send(app.running.public, "GET", &format!("/v1/usage?{DAY}"), &headers, "").await;
    assert_eq!(answer.json()["totals"]["requests"], 1);
}

#[tokio::test]
async fn no_spelling_of_a_parameter_shows_another_user() {
    let app = TestApp::start().await;
    used(&app).await;
    let eve = app.token("eve").await;
    for (query, status) in [
        ("user_id=eve&user_id=ada", 400),
        ("user_id=ada&user_id=eve", 400),
        ("user%5Fid=ada", 403),
        ("user_id=%61da", 403),
        ("user_id=ada%00", 400),
        ("user_id=eve%20", 400),
        ("user_id=Eve", 403),
        ("user_id=%25", 403),
        ("user_id=_da", 403),
        ("user_id=eve'%20OR%20'1'='1", 403),
        ("user_id=%ff", 403),
        ("user_id[]=ada", 400),
        ("project=proj_other", 400),
        ("project_id=proj_other", 400),
        ("tenant=acme", 400),
    ] {
        for path in ["/v1/usage", "/v1/billing/usage", "/v1/budget"] {
            let answer = app.get(&format!("{path}?{query}"), &eve).await;
            assert_eq!(answer.status, status, "{path}?{query}: {answer:?}");
        }
    }
    // What would mean more in SQL is a name like others.
    for name in ["%25", "_va", "eve'%20OR%201=1--", "%24%31"] {
        let usage = json_of(&app, &format!("/v1/usage?{DAY}&user_id={name}"), &app.key).await;
        assert_eq!(usage["totals"]["requests"], 0, "{name}");
    }
}

#[tokio::test]
async fn an_api_key_sees_its_project_and_each_of_its_users() {
    let app = TestApp::start().await;
    used(&app).await;
    let usage = json_of(&app, &format!("/v1/usage?{DAY}&group_by=user"), &app.key).await;
    assert_eq!([&usage["totals"]["requests"], &usage["platform"]["requests"], &usage["byok"]["requests"]], [4, 3, 1]);
    let users: Vec<_> = usage["breakdown"].as_array().unwrap().iter().map(|it| it["user_id"].clone()).collect();
    assert_eq!((users, usage["user_id"].clone()), (vec![json!("ada"), json!("eve")], Value::Null));
    let eve = json_of(&app, &format!("/v1/usage?{DAY}&user_id=eve&group_by=key,provider,source,day"), &app.key).await;
    let line = &eve["breakdown"][0];
    let names = ["key_id", "provider", "source", "timestamp"].map(|it| line[it].as_str().unwrap());
    assert_eq!(names, [app.key_id.as_str(), "openai", "byok", "2027-01-15T00:00:00Z"]);
    assert_eq!(line["cost_usd"], json!(7e-9));
    tollgate(app.dir.path(), &["key", "revoke", &app.key_id]);
    for wrong in [app.key.as_str(), "behest_sk_live_x", "behest_pk_x"] {
        let answer = app.get("/v1/usage", wrong).await;
        assert_eq!(answer.error(), (401, "invalid_api_key".into(), None), "{wrong}");
    }
    assert_eq!(app.get("/v1/usage", "").await.error().1, "invalid_token");
}

#[tokio::test]
async fn a_window_is_as_long_as_it_says_to_the_microsecond() {
    let app = TestApp::start().await;
    used(&app).await;
    let check = async |from: u64, to: u64| {
        let path = format!("/v1/usage?from={from}&to={to}&group_by=source");
        json_of(&app, &path, &app.key).await["totals"]["requests"].as_u64().unwrap()
    };
    assert_eq!(check(BEGIN, BEGIN + 7200).await, 4);
    assert_eq!(check(BEGIN + 10, BEGIN + 20).await, 1);
    assert_eq!(check(BEGIN + 11, BEGIN + 3600).await, 2);
    assert_eq!(check(BEGIN + 11, BEGIN + 3601).await, 3);
    // Without words, the last thirty days until the end of this hour.
    assert_eq!(json_of(&app, "/v1/usage", &app.key).await["totals"]["requests"], 3);
    app.pass(Duration::from_secs(3600));
    assert_eq!(json_of(&app, "/v1/usage", &app.key).await["totals"]["requests"], 4);
    app.pass(Duration::from_secs(40 * 86_400));
    assert_eq!(json_of(&app, "/v1/usage", &app.key).await["totals"]["requests"], 0);
}

#[tokio::test]
async fn a_wrong_parameter_is_named() {
    let app = TestApp::start().await;
    for (query, param) in [
        ("from=yesterday", "from"),
        ("to=", "to"),
        ("from=2027-01-16&to=2027-01-15", "from"),
        ("from=2020-01-01", "from"),
        ("granularity=minute&from=2027-01-01", "from"),
        ("granularity=week", "granularity"),
        ("group_by=tenant", "group_by"),
        ("group_by=user,user", "group_by"),
        ("granularity=hour&group_by=day", "granularity"),
        ("user_id=", "user_id"),
        ("format=xml", "format"),
        ("limit=1", "limit"),
        ("From=2027-01-01", "From"),
        ("to=1&to=2", "to"),
    ] {
        for path in ["/v1/usage", "/v1/billing/usage"] {
            let answer = app.get(&format!("{path}?{query}"), &app.key).await;
            assert_eq!(answer.error(), (400, "invalid_request".into(), Some(param.into())), "{path}?{query}");
            assert!(answer.message().contains(param));
        }
    }
    assert_eq!(app.get("/v1/budget?from=1", &app.key).await.error().2, Some("from".into()));
}

#[tokio::test]
async fn a_table_is_no_formula_in_a_spreadsheet() {
    let app = TestApp::start().await;
    let evil = record(&app, "u_1", "=HYPERLINK(\"http://x\",\"a,b\")", 10, json!({}));
    report(&app, &[evil, record(&app, "u_2", "-ada", 10, json!({"source": "byok"}))]).await;
    let check = |answer: Answer| {
        assert_eq!(answer.header("content-type"), "text/csv; charset=utf-8; header=present");
        assert_eq!(answer.header("content-disposition"), "attachment; filename=\"usage.csv\"");
        String::from_utf8(answer.body.to_vec()).unwrap()
    };
    let table = check(app.get(&format!("/v1/usage?{DAY}&group_by=user&format=csv"), &app.key).await);
    assert_eq!(
        table,
        "user_id,source,requests,tokens,input_tokens,cached_tokens,cache_write_tokens,output_tokens,reasoning_tokens,\
         cost_usd,unpriced,estimated\r\n\
         '-ada,byok,1,120,100,0,0,20,0,0.0015,0,0\r\n\
         \"'=HYPERLINK(\"\"http://x\"\",\"\"a,b\"\")\",platform,1,120,100,0,0,20,0,0.0015,0,0\r\n"
    );
    let bearer = format!("Bearer {}", app.key);
    let headers = [("authorization", bearer.as_str()), ("accept", "text/csv")];
    let bill = check(send(app.running.public, "GET", &format!("/v1/billing/usage?{DAY}"), &headers, "").await);
    assert!(bill.starts_with("model,source,requests,") && bill.lines().count() == 3, "{bill}");
}

#[tokio::test]
async fn what_is_left_is_told_to_whose_it_is() {
    let app = TestApp::start().await;
    let (start, end) = (BEGIN * 1_000_000, (BEGIN + 86_400) * 1_000_000);
    let charge = |budget: &str, subject: Value, unit: &str, amount: u64, window: Option<u64>| {
        json!({"budget": budget, "subject": subject, "unit": unit, "limit": 1_000_000_000, "amount": amount,
            "start": if window.is_some() { 0 } else { start }, "end": if window.is_some() { u64::MAX / 2 } else { end },
            "window_seconds": window, "kind": "hard", "alerts": []})
    };
    let (user, project) = (json!({"project": app.project, "user": "ada"}), json!({"project": app.project}));
    let charges = json!({"charges": [
        charge("daily", user.clone(), "tokens", 120, None),
        charge("rolling", user, "nanos", 5, Some(3600)),
        charge("all", project, "nanos", 1_500_000, None),
        charge("backend", json!({"key": app.key_id}), "nanos", 7, None),
        charge("everybody", json!({"tenant": "acme"}), "tokens", 120, None),
        charge("daily", json!({"project": "proj_other", "user": "ada"}), "tokens", 9, None),
    ]});
    report(&app, &[record(&app, "u_1", "ada", 10, charges)]).await;
    app.pass(Duration::from_secs(60));

    let asked = json!({"node": "n1", "leases": [{"budget": "daily", "subject": {"project": app.project, "user": "ada"},
        "unit": "tokens", "limit": 1_000_000_000, "start": start, "end": end, "turn": 1, "granted": 0, "need": 10, "want": 50}]});
    assert_eq!(app.internal("/internal/v1/budgets/lease", &asked.to_string()).await.status, 200);

    let ada = json_of(&app, "/v1/budget", &app.token("ada").await).await;
    let names =
        |it: &Value| it["budgets"].as_array().unwrap().iter().map(|it| it["budget"].clone()).collect::<Vec<_>>();
    assert_eq!(names(&ada), ["daily", "rolling"]);
    let daily = &ada["budgets"][0];
    let numbers = ["limit", "used", "remaining", "reserved"].map(|it| daily[it].as_u64().unwrap());
    assert_eq!(numbers, [1_000_000_000, 120, 999_999_880, 50]);
    assert_eq!([&daily["unit"], &daily["of"], &daily["resets_at"]], ["tokens", "user", "2027-01-16T08:00:00Z"]);
    assert_eq!([&ada["user_id"], &ada["tenant_id"], &ada["key_id"]], ["ada", "acme", app.key_id.as_str()]);
    assert_eq!(ada["budgets"][1]["used"], json!(5e-9));

    let backend = json_of(&app, "/v1/budget", &app.key).await;
    assert_eq!((names(&backend), &backend["user_id"]), (vec![json!("all"), json!("backend")], &Value::Null));
    assert_eq!([&backend["daily"]["spent_usd"], &backend["key_budget"]["spent_usd"]], [&json!(0.0015), &json!(7e-9)]);
    assert_eq!(names(&json_of(&app, "/v1/budget?user_id=ada", &app.key).await), ["daily", "rolling"]);
    assert!(names(&json_of(&app, "/v1/budget", &app.token("eve").await).await).is_empty());

    // The next day nothing is used yet, and the window is empty.
    app.pass(Duration::from_secs(86_400));
    assert!(names(&json_of(&app, "/v1/budget", &app.token("ada").await).await).is_empty());
}

#[tokio::test]
async fn an_operator_sees_all_projects() {
    let app = TestApp::start().await;
    used(&app).await;
    let said = app.operator(&["usage", "--from", "2027-01-15", "--to", "2027-01-16"]).await.unwrap();
    assert_eq!([&said["totals"]["requests"], &said["project_id"]], [&json!(5), &Value::Null]);
    assert_eq!(said["group_by"], json!(["project", "model"]));
    let one =
        app.operator(&["usage", "--from", "2027-01-15", "--project", "proj_other", "--group-by", "day"]).await.unwrap();
    assert_eq!(
        [&one["totals"]["requests"], &one["breakdown"][0]["timestamp"]],
        [&json!(1), &json!("2027-01-15T00:00:00Z")]
    );
    let wrong = app.operator(&["usage", "--group-by", "tenant"]).await.unwrap_err();
    assert!(wrong.starts_with("--group-by: expected user, model"), "{wrong}");

    let arguments = ["usage", "--from", "2027-01-15", "--to", "2027-01-16", "--group-by", "user"];
    let text = |more: &[&str]| {
        let output = crate::app::command(app.dir.path()).args(arguments).args(more).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let table = text(&[]);
    assert!(table.starts_with("user_id  source    requests") && table.lines().count() == 3, "{table}");
    assert!(text(&["--csv"]).starts_with("user_id,source,requests,"));
}

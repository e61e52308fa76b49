//! The paths of usage, budgets, fleets and what is measured of models.

use super::{Operation, reference};
use crate::measures::Leaderboard;
use crate::{allowance, events, trial, usage};
use domain::choice::Snapshot;
use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

pub(super) fn paths(schemas: &mut SchemaGenerator) -> Map<String, Value> {
    let Value::Object(mut paths) = public(schemas) else { panic!("an object") };
    let Value::Object(internal) = internal(schemas) else { panic!("an object") };
    paths.extend(internal);
    paths
}

fn public(schemas: &mut SchemaGenerator) -> Value {
    let report = json!(schemas.subschema_for::<usage::report::Usage>());
    let bill = json!(schemas.subschema_for::<usage::report::Billing>());
    let left = json!(schemas.subschema_for::<usage::balance::Budgets>());
    let board = json!(schemas.subschema_for::<Leaderboard>());
    let asked = |says, answer| Operation {
        says,
        security: &["token", "apiKey"],
        body: None,
        answer: (200, Some(answer)),
        errors: &[400, 401, 403, 429, 503],
        paged: false,
    };
    let _ = (schemas.subschema_for::<trial::Trial>(), schemas.subschema_for::<trial::Tried>());
    let trial = Operation {
        says: "What guards would find in a text, where, by which rule, and what would become of it. Nothing is kept.",
        body: Some(reference("GuardrailsTest")),
        errors: &[400, 401, 403, 408, 413, 415, 429],
        ..asked("", reference("GuardrailsTested"))
    };
    let with = |operation: Operation, parameters: Vec<Value>| {
        let mut described = operation.describe("");
        described["parameters"] = json!(parameters);
        described
    };
    let sums = |operation| {
        let mut described = with(operation, parameters());
        described["responses"]["200"]["content"]["text/csv"] = json!({"schema": {"type": "string"}});
        described
    };
    json!({
        "/v1/usage": {"get": sums(asked("Who used what: an end user themself, a project's backend (API key) all of it.", report))},
        "/v1/billing/usage": {"get": sums(asked("The same as a bill: what the platform's provider keys paid, and what the project's own did.", bill))},
        "/v1/models/leaderboard": {"get": asked("Which models answer well, by what gateways measured of them, the best in front.", board).describe("")},
        "/v1/guardrails/test": {"post": trial.describe("")},
        "/v1/budget": {"get": with(asked("What is left of budgets that were used in their present period: an end user's own; with an API key the project's and the key's.", left), vec![user_id()])},
    })
}

fn internal(schemas: &mut SchemaGenerator) -> Value {
    let internal = |says, body, answer| {
        let errors = &[400, 401, 408, 413, 415, 503];
        let security = &["internalSecret"];
        Operation { says, security, body: Some(body), answer: (200, Some(answer)), errors, paged: false }.describe("")
    };
    let records = (json!(schemas.subschema_for::<usage::Batch>()), json!(schemas.subschema_for::<usage::Taken>()));
    let budgets =
        (json!(schemas.subschema_for::<usage::Questions>()), json!(schemas.subschema_for::<usage::Answers>()));
    let rates =
        (json!(schemas.subschema_for::<allowance::Question>()), json!(schemas.subschema_for::<allowance::Leases>()));
    let told = (json!(schemas.subschema_for::<events::Report>()), json!(schemas.subschema_for::<events::Taken>()));
    let found = (json!(schemas.subschema_for::<events::GuardReport>()), told.1.clone());
    let measures = json!(schemas.subschema_for::<Snapshot>());
    let known = Operation {
        says: "What is known of every model that was measured lately.",
        security: &["internalSecret"],
        body: None,
        answer: (200, Some(measures.clone())),
        errors: &[401, 503],
        paged: false,
    };
    let metrics = json!({"description": "OpenMetrics.", "content": {"application/openmetrics-text": {"schema": {"type": "string"}}}});
    json!({
        "/internal/v1/usage": {"post": internal("Stores usage records and charges budgets, each record once; answered when they are on the disk.", records.0, records.1)},
        "/internal/v1/budgets/lease": {"post": internal("Leases parts of budgets to a gateway.", budgets.0, budgets.1)},
        "/internal/v1/leases": {"post": internal("Leases parts of rate limits to a gateway.", rates.0, rates.1)},
        "/internal/v1/events": {"post": internal("Takes what gateways tell, each event once.", told.0, told.1)},
        "/internal/v1/guardrails/events": {"post": internal("Takes what guards found, each event once.", found.0, found.1)},
        "/internal/v1/models/measures": {
            "post": internal("Adds what a gateway measured since it last told, and answers what is known of the same models then.", measures.clone(), measures),
            "get": known.describe(""),
        },
        "/metrics": {"get": {"summary": "What the companion counts, for Prometheus; on the internal listener, without the secret.",
            "responses": {"200": metrics, "500": {"description": "Refused.", "content": {"application/json": {"schema": reference("Error")}}}}}},
    })
}

fn parameters() -> Vec<Value> {
    let groups =
        "What lines are kept apart by: user, model, provider, day, project, key, source; several with commas between.";
    let moment = |name: &str, says: &str| {
        let says = format!("{says} Seconds since 1970, a date (its midnight), or RFC 3339; UTC where it does not say.");
        query(name, json!({"type": "string"}), &says)
    };
    vec![
        moment(
            "from",
            "The first moment; by default the midnight 30 days before `to`. At most 400 days before it, in minutes one day.",
        ),
        moment("to", "The first moment after; by default the end of the hour under way."),
        user_id(),
        query(
            "granularity",
            json!({"enum": ["minute", "hour", "day"]}),
            "How long a line's step is; by default a day, with `group_by` all of the time.",
        ),
        query("group_by", json!({"type": "string"}), groups),
        query("format", json!({"enum": ["json", "csv"]}), "By default what `accept` says."),
    ]
}

fn user_id() -> Value {
    query("user_id", json!({"type": "string"}), "About this end user alone; with a token only oneself.")
}

fn query(name: &str, schema: Value, says: &str) -> Value {
    json!({"name": name, "in": "query", "schema": schema, "description": says})
}

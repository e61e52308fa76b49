//! `openapi.json`, made from the types that are parsed and written. It exists in tests only: the
//! document is committed, and the test says when it is stale.

mod conversations;
mod memory;
mod usage;

use crate::{mint, turns};
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");

/// What an operation takes and gives.
struct Operation {
    says: &'static str,
    security: &'static [&'static str],
    body: Option<Value>,
    answer: (u16, Option<Value>),
    errors: &'static [u16],
    paged: bool,
}

fn document() -> Value {
    let mut schemas =
        SchemaSettings::draft2020_12().with(|it| it.definitions_path = "/components/schemas".into()).into_generator();
    let mut paths = paths(&mut schemas);
    for (path, described) in usage::paths(&mut schemas)
        .into_iter()
        .chain(memory::paths(&mut schemas))
        .chain(conversations::paths(&mut schemas))
    {
        paths[path] = described;
    }
    let mut components: Map<String, Value> = schemas.take_definitions(true);
    components.insert("Error".to_owned(), error());
    components.insert("Message".to_owned(), message());
    components.insert("Item".to_owned(), conversations::item());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Tollgate companion",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Paths under /internal answer on the internal listener only, all others on the public one.",
            "license": {"name": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "apiKey": {"type": "http", "scheme": "bearer", "description": "A project's API key; accepted by mint, usage, budget, leaderboard and the test of guards."},
                "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "A minted token."},
                "internalSecret": {"type": "http", "scheme": "bearer", "description": "What gateways share with the companion."},
            },
        },
    })
}

fn paths(schemas: &mut SchemaGenerator) -> Value {
    let mint = || Operation {
        says: "Mints a token for one end user.",
        security: &["apiKey"],
        body: Some(reference("MintRequest")),
        answer: (200, Some(reference("Minted"))),
        errors: &[400, 401, 408, 413, 415, 429, 503],
        paged: false,
    };
    // Asked for so that they stand among the components; the references above name them.
    let _ = (schemas.subschema_for::<mint::Request>(), schemas.subschema_for::<mint::Minted>());
    let internal = |says, body, answer| Operation {
        says,
        security: &["internalSecret"],
        body: Some(body),
        answer: (200, Some(answer)),
        errors: &[400, 401, 413, 415, 503],
        paged: false,
    };
    let open = (json!(schemas.subschema_for::<turns::Opening>()), json!(schemas.subschema_for::<turns::Opened>()));
    let report = (json!(schemas.subschema_for::<turns::Report>()), json!(schemas.subschema_for::<turns::Stored>()));
    let probe = |says| json!({"get": {"summary": says, "responses": {"200": {"description": "Yes."}, "503": {"description": "No."}}}});
    json!({
        "/v1/auth/mint": {"post": mint().describe("")},
        "/auth/v1/auth/mint": {"post": mint().describe("")},
        "/.well-known/jwks.json": {"get": {
            "summary": "The keys that verify tokens (RFC 7517): the companion's own, and tenants', which name for whom alone they speak.",
            "responses": {
                "200": {"description": "The key set.", "content": {"application/json": {"schema": key_set()}}},
                "503": {"description": "Refused.", "content": {"application/json": {"schema": reference("Error")}}},
            },
        }},
        "/internal/v1/turns/open": {"post": internal("Opens a turn and gives back what came before it, once earlier turns arrived.", open.0, open.1).describe("")},
        "/internal/v1/turns": {"post": internal("Stores finished turns: all or none, each once.", report.0, report.1).describe("")},
        "/healthz": probe("Whether the process is up."),
        "/readyz": probe("Whether the database answers."),
    })
}

impl Operation {
    fn describe(self, order: &str) -> Value {
        let json = |schema: Value| json!({"application/json": {"schema": schema}});
        let (status, answer) = self.answer;
        let mut responses = Map::new();
        let done = match answer {
            Some(schema) => json!({"description": "Done.", "content": json(schema)}),
            None => json!({"description": "Done."}),
        };
        responses.insert(status.to_string(), done);
        for status in self.errors {
            responses
                .insert(status.to_string(), json!({"description": "Refused.", "content": json(reference("Error"))}));
        }
        let security: Vec<_> = self.security.iter().map(|it| json!({*it: []})).collect();
        let mut operation = json!({"summary": self.says, "security": security, "responses": responses});
        if let Some(schema) = self.body {
            operation["requestBody"] = json!({"required": true, "content": json(schema)});
        }
        if self.paged {
            operation["parameters"] = json!([
                {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}},
                {"name": "after", "in": "query", "schema": {"type": "string"}, "description": "The id of the row before the page's first."},
                {"name": "order", "in": "query", "schema": {"type": "string", "enum": ["asc", "desc"], "default": order}},
            ]);
        }
        operation
    }
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn thread_id() -> Value {
    json!({"name": "thread_id", "in": "path", "required": true, "schema": {"type": "string"}})
}

/// What `List` writes.
fn list(name: &str, row: &Value) -> Value {
    let rows = json!({"type": "array", "items": row});
    json!({"type": "object", "required": ["object", "data", name, "has_more"], "properties": {
        "object": {"const": "list"}, "data": rows, name: rows, "has_more": {"type": "boolean"}}})
}

/// What `Published` writes.
fn key_set() -> Value {
    let text = || json!({"type": "string"});
    let members = ["kty", "kid", "alg", "use", "crv", "x", "y", "n", "e", "tollgate_tenant", "tollgate_project"];
    let properties: Map<String, Value> = members.into_iter().map(|it| (it.to_owned(), text())).collect();
    let key = json!({"type": "object", "required": ["kty", "kid", "alg", "use"], "properties": properties});
    json!({"type": "object", "required": ["keys"], "properties": {"keys": {"type": "array", "items": key}}})
}

/// What `Reply` writes.
fn error() -> Value {
    let member = json!({"type": ["string", "null"]});
    json!({"type": "object", "required": ["error"], "properties": {"error": {
        "type": "object", "required": ["message", "type", "param", "code"],
        "properties": {"message": {"type": "string"}, "type": {"type": "string"}, "param": member, "code": {"type": "string"}}}}})
}

/// What `Message` writes.
fn message() -> Value {
    json!({
        "type": "object",
        "description": "A message with the members that it was stored with.",
        "required": ["id", "object", "role", "content", "created_at", "turn_id", "complete"],
        "additionalProperties": true,
        "properties": {
            "id": {"type": "string"}, "object": {"const": "thread.message"}, "role": {}, "content": {},
            "created_at": {"type": "integer", "description": "In seconds since 1970."}, "turn_id": {"type": "string"},
            "choice_index": {"type": "integer", "description": "Which of several answers (`n`) it is, from 1; the first, which alone is in the history, has none."},
            "complete": {"type": "boolean", "description": "Whether the answer came to its end."},
            "finish_reason": {"type": "string", "description": "Of an answer whose provider said it: why it ended (`stop`, `length`, `tool_calls`, `content_filter`, …). An answer that broke off before has none."},
        },
    })
}

#[test]
fn the_committed_document_is_current() {
    let made = document();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(FILE, format!("{made:#}\n")).unwrap();
    }
    // As values: what else is built in the workspace decides about the order of members.
    let committed = std::fs::read_to_string(FILE).ok().and_then(|it| serde_json::from_str::<Value>(&it).ok());
    assert!(committed == Some(made), "openapi.json is stale; run: UPDATE=1 cargo test -p companion --lib openapi");
}

#[test]
fn every_reference_leads_somewhere() {
    let document = document();
    let text = document.to_string();
    for part in text.split("\"$ref\":\"#/components/schemas/").skip(1) {
        let name = part.split('"').next().unwrap();
        assert!(document["components"]["schemas"].get(name).is_some(), "{name}");
    }
}

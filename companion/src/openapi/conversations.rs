//! The paths of conversations.

use super::{Operation, reference};
use crate::conversations::{Adding, Change, Conversation, Deleted, Making};
use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

const MANY: &[u16] = &[400, 401, 403, 503];
const ONE: &[u16] = &[400, 401, 403, 404, 503];
const WRITTEN: &[u16] = &[400, 401, 403, 404, 408, 409, 413, 415, 503];

pub(super) fn paths(schemas: &mut SchemaGenerator) -> Map<String, Value> {
    let conversation = json!(schemas.subschema_for::<Conversation>());
    let deleted = json!(schemas.subschema_for::<Deleted>());
    let making = json!(schemas.subschema_for::<Making>());
    let changing = json!(schemas.subschema_for::<Change>());
    let adding = json!(schemas.subschema_for::<Adding>());
    let (conversations, items) = (list(&conversation), list(&reference("Item")));
    let read = |says, answer, errors| Operation {
        says,
        security: &["token"],
        body: None,
        answer: (200, Some(answer)),
        errors,
        paged: false,
    };
    let write = |says, body, answer, errors| Operation { body: Some(body), ..read(says, answer, errors) }.describe("");
    let with = |mut operation: Value, parameters: Vec<Value>| {
        operation["parameters"] = json!(parameters);
        operation
    };
    let within = |name: &str| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}});
    let described = json!({
        "/v1/conversations": {
            "get": with(read("The caller's threads as conversations, last updated first.", conversations, MANY).describe(""), page().into()),
            "post": write("Makes a conversation, with what it begins with: both or neither.", making, conversation.clone(), &[400, 401, 403, 408, 409, 413, 415, 503]),
        },
        "/v1/conversations/{conversation_id}": {
            "parameters": [within("conversation_id")],
            "get": read("One of the caller's conversations.", conversation.clone(), ONE).describe(""),
            "post": write("Changes a conversation's metadata.", changing, conversation.clone(), &[400, 401, 403, 404, 408, 413, 415, 503]),
            "delete": read("Deletes a conversation with its items, for good.", deleted, ONE).describe(""),
        },
        "/v1/conversations/{conversation_id}/items": {
            "parameters": [within("conversation_id")],
            "get": with(read("A conversation's items, newest first.", items.clone(), ONE).describe(""), [&page()[..], &[include()]].concat()),
            "post": with(write("Stores items at a conversation's end, all or none.", adding, items, WRITTEN), vec![include()]),
        },
        "/v1/conversations/{conversation_id}/items/{item_id}": {
            "parameters": [within("conversation_id"), within("item_id")],
            "get": with(read("One item.", reference("Item"), ONE).describe(""), vec![include()]),
            "delete": read("Deletes one item, for good.", conversation, ONE).describe(""),
        },
    });
    let Value::Object(paths) = described else { panic!("an object") };
    paths
}

fn page() -> [Value; 3] {
    [
        json!({"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}}),
        json!({"name": "after", "in": "query", "schema": {"type": "string", "minLength": 1}, "description": "The id of the row before the page's first."}),
        json!({"name": "order", "in": "query", "schema": {"type": "string", "enum": ["asc", "desc"], "default": "desc"}}),
    ]
}

fn include() -> Value {
    json!({"name": "include", "in": "query", "schema": {"type": "array", "items": {"type": "string", "enum": crate::conversations::INCLUDABLE}},
        "description": "What is kept of it is in the item anyhow. Also written `include[]`."})
}

/// What `Listed` writes.
fn list(row: &Value) -> Value {
    json!({"type": "object", "required": ["object", "data", "first_id", "last_id", "has_more"], "properties": {
        "object": {"const": "list"}, "data": {"type": "array", "items": row}, "first_id": {"type": "string"},
        "last_id": {"type": "string"}, "has_more": {"type": "boolean"}}})
}

/// What `Item` writes.
pub(super) fn item() -> Value {
    let text = || json!({"type": "string"});
    let said = |kind: &str, members: &[&str], more: Value| {
        let mut properties: Map<String, Value> = members.iter().map(|it| ((*it).to_owned(), text())).collect();
        properties.extend([("type".to_owned(), json!({"const": kind})), ("id".to_owned(), text())]);
        properties.extend(more.as_object().cloned().unwrap_or_default());
        let required: Vec<&String> = properties
            .keys()
            .filter(|it| kind != "function_call_output" || !matches!(it.as_str(), "call_id" | "name"))
            .collect();
        json!({"type": "object", "required": required, "properties": properties})
    };
    let status = json!({"enum": ["completed", "incomplete"]});
    let parts = json!({"type": "array", "description": "input_text, output_text, refusal, input_image or input_file; other parts as they were said."});
    json!({
        "description": "What a message says, in the words of OpenAI's Conversations API.",
        "oneOf": [
            said("message", &[], json!({"status": status, "content": parts, "role": {"enum": ["user", "assistant", "system", "developer", "unknown"]}})),
            said("function_call", &["call_id", "name", "arguments"], json!({"status": status})),
            said("function_call_output", &["call_id", "name"], json!({"status": status, "output": {"type": ["string", "array"]}})),
            said("custom_tool_call", &["call_id", "name", "input"], json!({"status": status})),
        ],
    })
}

//! The paths of threads, and of what a user may have erased.

use super::{Operation, list, reference, thread_id};
use crate::threads::{Erasure, Thread, change, import};
use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

pub(super) fn paths(schemas: &mut SchemaGenerator) -> Map<String, Value> {
    let thread = json!(schemas.subschema_for::<Thread>());
    let making = json!(schemas.subschema_for::<change::Making>());
    let changing = json!(schemas.subschema_for::<change::Change>());
    let importing = json!(schemas.subschema_for::<import::Import>());
    let erasure = json!(schemas.subschema_for::<Erasure>());
    let (threads, messages) = (list("threads", &thread), list("messages", &reference("Message")));
    let matches = json!({"type": "object", "required": ["object", "data", "complete"], "properties": {
        "object": {"const": "list"}, "complete": {"type": "boolean", "description": "Whether all that the caller ever said was looked at."},
        "data": {"type": "array", "items": {"type": "object", "required": ["object", "thread", "message"], "properties": {
            "object": {"const": "thread.match"}, "thread": thread,
            "message": {"anyOf": [reference("Message"), {"type": "null"}]}}}}}});
    let read = |says, answer, errors| Operation { says, answer, errors, ..blank() };
    let write = |says, body, answer, errors| Operation { body: Some(body), ..read(says, answer, errors) };
    let paged = |operation, order| Operation { paged: true, ..operation }.describe(order);
    let found =
        read("The caller's threads with all of these words in their title or messages.", (200, Some(matches)), MANY);
    let found = with(
        found,
        &[
            json!({"name": "q", "in": "query", "required": true, "schema": {"type": "string", "minLength": 1, "maxLength": 256}}),
            json!({"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}}),
        ],
    );
    let described = json!({
        "/v1/threads": {
            "get": paged(read("The caller's threads, last updated first.", (200, Some(threads)), MANY), "desc"),
            "post": write("Makes a thread.", making, (201, Some(thread.clone())), &[400, 401, 403, 408, 409, 413, 415, 503]).describe(""),
        },
        "/v1/threads/search": {"get": found},
        "/v1/threads/export": {"get": lines(read("All of the caller's messages as JSON Lines.", (200, None), MANY))},
        "/v1/threads/{thread_id}": {
            "parameters": [thread_id()],
            "get": read("One of the caller's threads.", (200, Some(thread.clone())), ONE).describe(""),
            "patch": write("Changes a thread's title, its metadata or both.", changing, (200, Some(thread)), &[400, 401, 403, 404, 408, 413, 415, 503]).describe(""),
            "delete": read("Deletes a thread with its messages, for good.", (204, None), ONE).describe(""),
        },
        "/v1/threads/{thread_id}/export": {
            "parameters": [thread_id()],
            "get": lines(read("A thread's messages as JSON Lines.", (200, None), ONE)),
        },
        "/v1/threads/{thread_id}/messages": {
            "parameters": [thread_id()],
            "get": paged(read("A thread's messages, oldest first.", (200, Some(messages.clone())), ONE), "asc"),
            "post": write("Stores messages at a thread's end, all or none.", importing, (201, Some(messages)), &[400, 401, 403, 404, 408, 409, 413, 415, 503]).describe(""),
        },
        "/v1/threads/{thread_id}/messages/{message_id}": {
            "parameters": [thread_id(), {"name": "message_id", "in": "path", "required": true, "schema": {"type": "string"}}],
            "delete": read("Deletes one message, for good.", (204, None), ONE).describe(""),
        },
        "/v1/users/me/data": {"delete": read("Erases the caller's threads and sessions, and takes their name from their usage.", (200, Some(erasure)), MANY).describe("")},
    });
    let Value::Object(paths) = described else { panic!("an object") };
    paths
}

const MANY: &[u16] = &[400, 401, 403, 503];
const ONE: &[u16] = &[400, 401, 403, 404, 503];

fn blank() -> Operation {
    Operation { says: "", security: &["token"], body: None, answer: (200, None), errors: MANY, paged: false }
}

fn with(operation: Operation, parameters: &[Value]) -> Value {
    let mut described = operation.describe("");
    described["parameters"] = json!(parameters);
    described
}

fn lines(operation: Operation) -> Value {
    let mut described = operation.describe("");
    described["responses"]["200"]["content"] = json!({"application/jsonl": {"schema": {"type": "string"}}});
    described
}

//! The table of a filter's configuration, for its README.

use serde_json::{Map, Value, json};

const BEGIN: &str = "<!-- configuration: made by `make generate` -->";
const END: &str = "<!-- end of configuration -->";

/// Replaces what stands between the marks.
pub(crate) fn put(readme: &str, table: &str) -> String {
    let marks = format!("the README has the lines `{BEGIN}` and `{END}`");
    let (before, rest) = readme.split_once(BEGIN).expect(&marks);
    let (_, after) = rest.split_once(END).expect(&marks);
    format!("{before}{BEGIN}\n{table}{END}{after}")
}

/// One row for each key, nested keys behind the key they are in.
pub(crate) fn of(schema: &Value) -> String {
    let mut rows = vec!["| key | type | |".to_owned(), "|---|---|---|".to_owned()];
    let definitions = schema["definitions"].as_object().cloned().unwrap_or_default();
    add(&mut rows, "", schema, &definitions, 0);
    rows.join("\n") + "\n"
}

fn add(rows: &mut Vec<String>, prefix: &str, schema: &Value, definitions: &Map<String, Value>, depth: usize) {
    let required: Vec<_> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (key, field) in schema["properties"].as_object().into_iter().flatten() {
        let shape = resolve(field, definitions);
        let text = [field, &shape].iter().find_map(|it| it["description"].as_str()).unwrap_or_default().to_owned();
        let text = text.replace('\n', " ").replace('|', "\\|");
        let must = if required.contains(&key.as_str()) { " **Required.**" } else { "" };
        rows.push(format!("| `{prefix}{key}` | {} | {text}{must} |", kind(&shape, definitions)));
        if depth < 4 {
            nested(rows, &format!("{prefix}{key}"), &shape, definitions, depth + 1);
        }
    }
}

/// The keys of an object, of each element of a list, of each value of a map, of each alternative.
fn nested(rows: &mut Vec<String>, at: &str, shape: &Value, definitions: &Map<String, Value>, depth: usize) {
    if shape["properties"].is_object() {
        add(rows, &format!("{at}."), shape, definitions, depth);
    }
    if shape["items"].is_object() {
        nested(rows, &format!("{at}[]"), &resolve(&shape["items"], definitions), definitions, depth);
    }
    if shape["additionalProperties"].is_object() {
        nested(rows, &format!("{at}.*"), &resolve(&shape["additionalProperties"], definitions), definitions, depth);
    }
    for one in alternatives(shape) {
        let one = resolve(one, definitions);
        if one["type"] != "string" && one["type"] != "null" {
            nested(rows, at, &one, definitions, depth);
        }
    }
}

fn alternatives(shape: &Value) -> impl Iterator<Item = &Value> {
    ["oneOf", "anyOf"].into_iter().flat_map(|it| shape[it].as_array().into_iter().flatten())
}

/// What a reference stands for.
fn resolve(schema: &Value, definitions: &Map<String, Value>) -> Value {
    let reference = schema["$ref"].as_str().or_else(|| schema["allOf"][0]["$ref"].as_str());
    let name = reference.and_then(|it| it.rsplit('/').next());
    name.and_then(|it| definitions.get(it)).unwrap_or(schema).clone()
}

/// A type in the words of JSON, or the values that it may have.
fn kind(shape: &Value, definitions: &Map<String, Value>) -> String {
    if let Some(values) = shape["enum"].as_array() {
        return values.iter().map(|it| format!("`{}`", it.as_str().unwrap_or("null"))).collect::<Vec<_>>().join(", ");
    }
    if let Some(only) = shape["const"].as_str() {
        return format!("`{only}`");
    }
    let is_list = |kinds: &Value| kinds == "array" || kinds.as_array().is_some_and(|it| it.contains(&json!("array")));
    match &shape["type"] {
        kinds if is_list(kinds) => format!("list of {}", kind_of(&shape["items"], definitions)),
        Value::String(kind) => kind.clone(),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).filter(|it| *it != "null").collect(),
        _ => {
            let mut kinds: Vec<_> = alternatives(shape).map(|it| kind_of(it, definitions)).collect();
            kinds.retain(|it| it != "null");
            kinds.dedup();
            kinds.join(", ")
        }
    }
}

fn kind_of(schema: &Value, definitions: &Map<String, Value>) -> String {
    kind(&resolve(schema, definitions), definitions)
}

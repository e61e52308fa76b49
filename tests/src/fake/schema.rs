//! The smallest JSON that a schema allows, as far as a test's schemas go.

use serde_json::{Map, Value, json};

/// A value of `schema`; its texts are `heard`.
pub(super) fn value(schema: &Value, heard: &str) -> Value {
    if let Some(first) = schema["enum"].as_array().and_then(|it| it.first()) {
        return first.clone();
    }
    match schema["type"].as_str() {
        Some("string") => json!(heard),
        Some("integer" | "number") => json!(7),
        Some("boolean") => json!(true),
        Some("array") => json!([value(&schema["items"], heard)]),
        Some("null") => Value::Null,
        _ => {
            let members = schema["properties"].as_object();
            let members = members.into_iter().flatten().map(|(name, it)| (name.clone(), value(it, heard)));
            Value::Object(members.collect::<Map<_, _>>())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_has_each_of_its_members() {
        let schema = json!({"type": "object", "properties": {
            "city": {"type": "string"}, "days": {"type": "array", "items": {"type": "integer"}}, "unit": {"enum": ["C", "F"]}}});
        assert_eq!(value(&schema, "Oslo"), json!({"city": "Oslo", "days": [7], "unit": "C"}));
    }
}

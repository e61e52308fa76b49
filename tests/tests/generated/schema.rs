//! JSON Schema in the forms that editors and Kong read.

use serde_json::{Value, json};

/// As it is committed.
pub(crate) fn pretty(schema: &Value) -> String {
    serde_json::to_string_pretty(schema).unwrap() + "\n"
}

/// Kong takes draft 4 and nothing newer: no `const`, and bounds that exclude are flags beside the bound.
pub(crate) fn draft04(mut schema: Value) -> Value {
    rewrite(&mut schema);
    schema["$schema"] = json!("http://json-schema.org/draft-04/schema#");
    schema
}

fn rewrite(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(rewrite),
        Value::Object(members) => {
            if let Some(only) = members.shift_remove("const") {
                members.insert("enum".to_owned(), json!([only]));
            }
            for (exclusive, bound) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
                if let Some(value) = members.get(exclusive).filter(|it| it.is_number()).cloned() {
                    members.insert(bound.to_owned(), value);
                    members.insert(exclusive.to_owned(), json!(true));
                }
            }
            members.values_mut().for_each(rewrite);
        }
        _ => {}
    }
}

#[test]
fn what_draft_4_does_not_know_is_said_in_its_own_words() {
    let schema = json!({"oneOf": [{"const": "a"}], "properties": {"n": {"exclusiveMinimum": 0}}});
    assert_eq!(
        draft04(schema),
        json!({"oneOf": [{"enum": ["a"]}], "properties": {"n": {"exclusiveMinimum": true, "minimum": 0}},
               "$schema": "http://json-schema.org/draft-04/schema#"})
    );
}

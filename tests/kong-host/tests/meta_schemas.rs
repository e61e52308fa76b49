//! Kong checks each configuration in kong.yml against the filter's `meta.json` before a filter sees it.

mod common;

use common::{kong_yml, repository};
use kong_host::KongFile;
use serde_json::Value;

/// Whether a value fits a schema of JSON Schema draft-04, as far as our generated ones go: a keyword that is
/// not known here is an error, not a silent yes. (Patterns are left to the filters' own types.)
fn fits(root: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    for (keyword, rule) in schema.as_object().unwrap() {
        let fits_rule = |rule: &Value| fits(root, rule, value);
        let alternatives = || rule.as_array().unwrap().iter().filter(|it| fits_rule(it).is_ok()).count();
        match keyword.as_str() {
            "$ref" => fits_rule(root.pointer(rule.as_str().unwrap().trim_start_matches('#')).unwrap())?,
            "allOf" => rule.as_array().unwrap().iter().try_for_each(fits_rule)?,
            "anyOf" if alternatives() == 0 => return Err(format!("{value} fits none of {rule}")),
            "oneOf" if alternatives() != 1 => return Err(format!("{value} fits {} of {rule}", alternatives())),
            "enum" if !rule.as_array().unwrap().contains(value) => return Err(format!("{value} is none of {rule}")),
            "type" if !is_of_type(rule, value) => return Err(format!("{value} is no {rule}")),
            "minimum" if value.as_f64() < rule.as_f64() => return Err(format!("{value} is under {rule}")),
            "maximum" if value.as_f64() > rule.as_f64() => return Err(format!("{value} is over {rule}")),
            "required" => {
                let missing = rule.as_array().unwrap().iter().find(|it| value.get(it.as_str().unwrap()).is_none());
                missing.map_or(Ok(()), |it| Err(format!("{it} is missing in {value}")))?;
            }
            "minItems" if value.as_array().is_some_and(|it| (it.len() as u64) < rule.as_u64().unwrap()) => {
                return Err(format!("{value} has fewer than {rule}"));
            }
            "items" => value.as_array().into_iter().flatten().try_for_each(|it| fits(root, rule, it))?,
            "properties" => {
                let mut present =
                    rule.as_object().unwrap().iter().filter_map(|(name, rule)| Some((rule, value.get(name)?)));
                present.try_for_each(|(rule, it)| fits(root, rule, it))?;
            }
            "additionalProperties" => {
                let known = |name: &str| schema["properties"].get(name).is_some();
                for (name, it) in value.as_object().into_iter().flatten().filter(|(name, _)| !known(name)) {
                    match rule {
                        Value::Bool(true) => {}
                        Value::Bool(false) => return Err(format!("{name} is not known")),
                        rule => fits(root, rule, it)?,
                    }
                }
            }
            "anyOf" | "oneOf" | "enum" | "type" | "minimum" | "maximum" | "minItems" => {}
            "description" | "title" | "default" | "format" | "pattern" | "definitions" | "$schema" => {}
            other => return Err(format!("keyword {other}")),
        }
    }
    Ok(())
}

fn is_of_type(rule: &Value, value: &Value) -> bool {
    let is = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        other => panic!("type {other}"),
    };
    match rule {
        Value::Array(names) => names.iter().any(|it| is(it.as_str().unwrap())),
        name => is(name.as_str().unwrap()),
    }
}

fn schema(filter: &str) -> Value {
    let file = repository().join(format!("kong/filters/{filter}.meta.json"));
    let text =
        std::fs::read_to_string(&file).unwrap_or_else(|why| panic!("{}: {why}; run: make generate", file.display()));
    let meta: Value = serde_json::from_str(&text).unwrap();
    meta["config_schema"].clone()
}

#[test]
fn every_configuration_in_kong_yml_fits_its_filters_schema() {
    let file = KongFile::parse(&kong_yml());
    for (service, filter, config) in file.filters() {
        let (schema, config) = (schema(filter), serde_json::from_str(config).unwrap());
        fits(&schema, &schema, &config).unwrap_or_else(|why| panic!("{service}, {filter}: {why}"));
    }
}

#[test]
fn a_typo_and_a_wrong_type_do_not_fit() {
    let schema = schema("ratelimit");
    let check = |json: &str| fits(&schema, &schema, &serde_json::from_str(json).unwrap());
    assert_eq!(check("{}"), Ok(()));
    assert_eq!(
        check(r#"{"limits": [{"name": "x", "key": ["user", "model"], "requests": 1, "per": "minute"}]}"#),
        Ok(())
    );
    for wrong in [
        r#"{"limts": []}"#,
        r#"{"limits": [{"name": "x", "key": "user", "requests": "1", "per": "minute"}]}"#,
        r#"{"limits": [{"name": "x", "key": "user", "requests": 1, "per": "week"}]}"#,
        r#"{"limits": [{"name": "x", "key": "ip", "requests": 1, "per": "minute"}]}"#,
        r#"{"limits": [{"name": "x", "requests": 1, "per": "minute"}]}"#,
        "[]",
    ] {
        assert!(check(wrong).is_err(), "{wrong}");
    }
}

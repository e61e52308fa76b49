//! A filter's configuration, out of a gateway's.

use crate::server::StartError;
use serde_json::Value;
use std::path::Path;

/// The configuration of the filter called `name`, as JSON: from Envoy's or Kong's file, or the filter's alone, which `alone` knows;
/// YAML or JSON. One that stands there several times must be the same each time.
pub(super) fn read(path: &Path, name: &str, alone: fn(&Value) -> bool) -> Result<String, StartError> {
    let wrong = |why: String| StartError(format!("{}: {why}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|it| wrong(it.to_string()))?;
    let document: Value = serde_yaml_ng::from_str(&text).map_err(|it| wrong(it.to_string()))?;
    let found = if alone(&document) { vec![document.to_string()] } else { named(&document, name) };
    let first = found.first().ok_or_else(|| wrong(format!("there is no filter named `{name}` in it")))?;
    if found.iter().any(|it| it != first) {
        return Err(wrong(format!("there are several filters named `{name}` with different configurations")));
    }
    Ok(first.clone())
}

/// The configurations of every filter of this name.
fn named(value: &Value, name: &str) -> Vec<String> {
    if value.get("name").is_some_and(|it| it == name) {
        // Envoy has it as a text in `configuration`, Kong as an object or a text in `config`.
        let envoys = value.get("vm_config").and(value.pointer("/configuration/value"));
        match envoys.or_else(|| value.get("config")) {
            Some(Value::String(text)) => return vec![text.clone()],
            Some(config @ Value::Object(members)) if !members.contains_key("vm_config") => {
                return vec![config.to_string()];
            }
            _ => {}
        }
    }
    match value {
        Value::Array(items) => items.iter().flat_map(|it| named(it, name)).collect(),
        Value::Object(members) => members.values().flat_map(|it| named(it, name)).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(document: &str) -> Result<Value, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), document).unwrap();
        let found = read(file.path(), "router", |it| it.get("chains").is_some());
        found.map(|it| serde_json::from_str(&it).unwrap()).map_err(|it| it.to_string())
    }

    #[test]
    fn a_filters_configuration_is_found_in_envoys_in_kongs_and_alone() {
        let own = r#"{"chains":{"a":[1]}}"#;
        let envoy = format!("a:\n- name: router\n  vm_config: {{}}\n  configuration:\n    value: |\n      {own}\n");
        let kong = format!("a:\n- name: auth\n  config: {{}}\n- name: router\n  config: {own}\n");
        for document in [own, &envoy, &kong, &format!("{kong}- name: router\n  config: {own}\n")] {
            assert_eq!(check(document), Ok(json!({"chains": {"a": [1]}})), "{document}");
        }
        for document in ["", "a: 1", "- name: router", "name: router\nconfig: 7"] {
            assert!(check(document).unwrap_err().contains("no filter named `router`"), "{document}");
        }
        let two = check(&format!("{kong}- name: router\n  config: {{}}\n"));
        assert!(two.unwrap_err().contains("several filters"));
    }
}

//! Files that are made from the filters' own types are committed, and are what the types make.
//! `make generate` (`UPDATE=1`) writes them.

mod schema;
mod table;

use schemars::{JsonSchema, Schema, generate::SchemaSettings};
use std::{env, fs};

/// Every filter, with the schema of its configuration.
fn filters(settings: &SchemaSettings) -> Vec<(&'static str, Schema)> {
    fn of<T: JsonSchema>(settings: &SchemaSettings) -> Schema {
        settings.clone().into_generator().into_root_schema_for::<T>()
    }
    vec![
        ("auth", of::<auth::config::Config>(settings)),
        ("ratelimit", of::<ratelimit::config::Config>(settings)),
        ("guardrails", of::<guardrails::config::Config>(settings)),
        ("session", of::<session::config::Config>(settings)),
        ("router", of::<router::config::Config>(settings)),
        ("budget", of::<budget::config::Config>(settings)),
        ("provider", of::<provider::config::Config>(settings)),
    ]
}

/// Compares a file with what it should be, or makes it so.
fn check(path: &str, made: &str) {
    let file = tests::tools::root().join(path);
    if env::var_os("UPDATE").is_some() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, made).unwrap();
    }
    let kept = fs::read_to_string(&file).unwrap_or_default();
    assert!(kept == made, "{path} is not what the code makes. Run: make generate");
}

#[test]
fn the_schemas_for_editors_are_current() {
    for (filter, schema) in filters(&SchemaSettings::draft2020_12()) {
        check(&format!("envoy/schemas/{filter}.json"), &schema::pretty(&schema.to_value()));
    }
}

#[test]
fn the_meta_files_for_kong_are_current() {
    for (filter, schema) in filters(&SchemaSettings::draft07()) {
        let meta = serde_json::json!({"config_schema": schema::draft04(schema.to_value())});
        check(&format!("kong/filters/{filter}.meta.json"), &schema::pretty(&meta));
    }
}

#[test]
fn the_tables_in_the_readmes_are_current() {
    for (filter, schema) in filters(&SchemaSettings::draft07()) {
        let path = format!("plugins/{filter}/README.md");
        let readme = fs::read_to_string(tests::tools::root().join(&path)).unwrap();
        check(&path, &table::put(&readme, &table::of(&schema.to_value())));
    }
}

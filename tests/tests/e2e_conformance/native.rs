//! What the native gate makes of a row.

use crate::rows::Row;
use auth::{
    config::Config,
    policy::{Gate, Step},
    signature::Engine,
};
use domain::{caller::Caller, headers::Headers, time::Micros};
use serde_json::Value;

/// Who calls, if anybody is let in.
pub(crate) fn caller(config: &Value, row: &Row) -> Option<Caller> {
    if row.expected != "ok" {
        return None;
    }
    let config = Config::parse(config.to_string().as_bytes()).unwrap();
    let mut headers = Headers::default();
    for (name, value) in &row.request.headers {
        headers.append(name.as_bytes(), value);
    }
    let mut gate = Gate::new(config, Engine::MODULE).unwrap();
    let Step::Admit(verified) =
        gate.look(row.request.method, &row.request.path, &headers, Micros::from_seconds(tests::token::now()))
    else {
        panic!("{}: the native gate does not let it in", row.what);
    };
    let caller = verified.caller.clone();
    assert!(row.caller.as_ref().is_none_or(|it| *it == caller), "{}: {caller:?}", row.what);
    Some(caller)
}

//! Projects as an operator writes them: a part of a configuration by the project's id.

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::collections::BTreeMap;

/// Reads what holds for each project, for `#[serde(deserialize_with)]` of a member `projects`: one by one, so that a mistake
/// names the project.
///
/// # Errors
/// The project, and what is wrong with it.
pub fn by_id<'de, D: Deserializer<'de>, P: DeserializeOwned>(from: D) -> Result<BTreeMap<String, P>, D::Error> {
    let written = BTreeMap::<String, Value>::deserialize(from)?;
    let project = |(id, written): (String, Value)| match P::deserialize(written) {
        Ok(project) => Ok((id, project)),
        Err(why) => Err(D::Error::custom(format!("projects.{id}: {why}"))),
    };
    written.into_iter().map(project).collect()
}

/// Refuses a project that no request can belong to.
///
/// # Errors
/// What was found and what is expected.
pub fn check_id(id: &str) -> Result<(), String> {
    if id.is_empty() {
        return Err("`projects` has an empty name, which no token can carry; expected a project's id".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Eq, Deserialize)]
    struct Projects {
        #[serde(deserialize_with = "by_id")]
        projects: BTreeMap<String, u8>,
    }

    #[test]
    fn a_mistake_names_its_project() {
        let check = |json: &str| serde_json::from_str::<Projects>(json).map_err(|it| it.to_string());
        assert_eq!(check(r#"{"projects":{"p":1}}"#).unwrap().projects, BTreeMap::from([("p".to_owned(), 1)]));
        assert!(check(r#"{"projects":{"p":1,"q":"x"}}"#).unwrap_err().starts_with("projects.q: invalid type"));
        assert!(check_id("").is_err() && check_id("p").is_ok());
    }
}

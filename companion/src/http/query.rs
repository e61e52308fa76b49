//! Query strings: the parameters that are known, each once, and nothing else.

use super::json::shortened;
use crate::failure::Failure;
use crate::memory::Page;
use std::collections::BTreeMap;

const DEFAULT_LIMIT: u32 = 100;
const MAX_LIMIT: u32 = 1000;

/// The page that `query` asks for.
pub(super) fn page(query: Option<&str>, ascending: bool) -> Result<Page, Failure> {
    let mut page = Page { limit: DEFAULT_LIMIT, after: None, ascending };
    for (name, value) in named(query, &["limit", "after", "order"])? {
        match name {
            "limit" => page.limit = number(&value)?,
            "order" => {
                page.ascending = match value.as_str() {
                    "asc" => true,
                    "desc" => false,
                    _ => return Err(wrong("order", "asc or desc", &value)),
                }
            }
            _ if value.is_empty() => return Err(wrong("after", "an id", &value)),
            _ => page.after = Some(value),
        }
    }
    Ok(page)
}

/// What to search for, and how many threads are wanted.
pub(super) fn search(query: Option<&str>) -> Result<(String, u32), Failure> {
    let named = named(query, &["q", "limit"])?;
    let limit = named.get("limit").map_or(Ok(DEFAULT_LIMIT), |it| number(it))?;
    let question = named.get("q").cloned().ok_or_else(|| Failure::invalid("q", "is missing"))?;
    Ok((question, limit))
}

fn number(value: &str) -> Result<u32, Failure> {
    let limit = value.parse().ok().filter(|it| (1..=MAX_LIMIT).contains(it));
    limit.ok_or_else(|| wrong("limit", &format!("an integer from 1 to {MAX_LIMIT}"), value))
}

/// The parameters of `query`, each of which is one of `known` and there once.
pub(super) fn named<'a>(query: Option<&str>, known: &[&'a str]) -> Result<BTreeMap<&'a str, String>, Failure> {
    let mut named = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        let Some(known) = known.iter().find(|it| **it == name) else {
            let what = format!("is not known here, expected {}", listed(known));
            return Err(Failure::invalid(&shortened(&name), what));
        };
        if named.insert(*known, value.into_owned()).is_some() {
            return Err(Failure::invalid(known, "is there twice"));
        }
    }
    Ok(named)
}

fn listed(names: &[&str]) -> String {
    match names {
        [] => "no parameters".to_owned(),
        [one] => (*one).to_owned(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}

/// Refuses parameters where there are none.
pub(super) fn none(query: Option<&str>) -> Result<(), Failure> {
    named(query, &[]).map(|_| ())
}

fn wrong(name: &str, expected: &str, found: &str) -> Failure {
    Failure::invalid(name, format!("expected {expected}, found `{}`", shortened(found)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_limit_after_and_order() {
        let check = |query| page(query, false).map_err(|it| it.0.message);
        assert_eq!(check(None), Ok(Page { limit: 100, after: None, ascending: false }));
        assert_eq!(
            check(Some("limit=2&after=a%2Fb&order=asc")),
            Ok(Page { limit: 2, after: Some("a/b".into()), ascending: true })
        );
        for (query, message) in [
            ("limit=0", "`limit`: expected an integer from 1 to 1000, found `0`"),
            ("limit=1001", "`limit`: expected an integer from 1 to 1000, found `1001`"),
            ("limit=-1", "`limit`: expected an integer from 1 to 1000, found `-1`"),
            ("limit=", "`limit`: expected an integer from 1 to 1000, found ``"),
            ("order=up", "`order`: expected asc or desc, found `up`"),
            ("after=", "`after`: expected an id, found ``"),
            ("limit=1&limit=2", "`limit`: is there twice"),
            ("user=eve", "`user`: is not known here, expected limit, after or order"),
        ] {
            assert_eq!(check(Some(query)), Err(message.into()));
        }
    }
}

//! Query strings: the parameters that are known, each once, and nothing else.

use super::json::shortened;
use crate::conversations::INCLUDABLE;
use crate::failure::Failure;
use crate::memory::Page;
use std::collections::BTreeMap;

const DEFAULT_LIMIT: u32 = 100;
const MAX_LIMIT: u32 = 1000;
/// Of conversations and their items, as in `OpenAI`'s API.
const DEFAULT_ITEMS: u32 = 20;
const MAX_ITEMS: u32 = 100;

/// The page that `query` asks for.
pub(super) fn page(query: Option<&str>, ascending: bool) -> Result<Page, Failure> {
    paged(named(query, &["limit", "after", "order"])?, Page { limit: DEFAULT_LIMIT, after: None, ascending }, MAX_LIMIT)
}

/// The page of conversations that `query` asks for, newest first.
pub(super) fn conversations(query: Option<&str>) -> Result<Page, Failure> {
    let page = Page { limit: DEFAULT_ITEMS, after: None, ascending: false };
    paged(named(query, &["limit", "after", "order"])?, page, MAX_ITEMS)
}

/// The page of a conversation's items that `query` asks for, newest first.
pub(super) fn items(query: Option<&str>) -> Result<Page, Failure> {
    let page = Page { limit: DEFAULT_ITEMS, after: None, ascending: false };
    paged(included(query, &["limit", "after", "order"])?, page, MAX_ITEMS)
}

/// Refuses parameters but `include`.
pub(super) fn include(query: Option<&str>) -> Result<(), Failure> {
    included(query, &[]).map(|_| ())
}

/// The parameters of `query` beside `include`, which may be there several times, as the SDKs write lists.
fn included<'a>(query: Option<&str>, known: &[&'a str]) -> Result<BTreeMap<&'a str, String>, Failure> {
    let mut others = form_urlencoded::Serializer::new(String::new());
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        match name.as_ref() {
            "include" | "include[]" if INCLUDABLE.contains(&value.as_ref()) => (),
            "include" | "include[]" => {
                return Err(wrong("include", &format!("one of {}", listed(&INCLUDABLE)), &value));
            }
            _ => drop(others.append_pair(&name, &value)),
        }
    }
    named(Some(&others.finish()), known)
}

fn paged(named: BTreeMap<&str, String>, mut page: Page, most: u32) -> Result<Page, Failure> {
    for (name, value) in named {
        match name {
            "limit" => page.limit = number(&value, most)?,
            "order" => {
                page.ascending = match value.as_str() {
                    "asc" => true,
                    "desc" => false,
                    _ => return Err(wrong("order", "asc or desc", &value)),
                }
            }
            _ if value.is_empty() || value.contains('\0') => return Err(wrong("after", "an id", &value)),
            _ => page.after = Some(value),
        }
    }
    Ok(page)
}

/// What to search for, and how many threads are wanted.
pub(super) fn search(query: Option<&str>) -> Result<(String, u32), Failure> {
    let named = named(query, &["q", "limit"])?;
    let limit = named.get("limit").map_or(Ok(DEFAULT_LIMIT), |it| number(it, MAX_LIMIT))?;
    let question = named.get("q").cloned().ok_or_else(|| Failure::invalid("q", "is missing"))?;
    Ok((question, limit))
}

fn number(value: &str, most: u32) -> Result<u32, Failure> {
    let limit = value.parse().ok().filter(|it| (1..=most).contains(it));
    limit.ok_or_else(|| wrong("limit", &format!("an integer from 1 to {most}"), value))
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

    #[test]
    fn a_page_of_items_may_ask_for_more_of_each() {
        let check = |query| items(Some(query)).map_err(|it| it.0.message);
        let page = Page { limit: 20, after: None, ascending: false };
        assert_eq!(check(""), Ok(page.clone()));
        let two = "include[]=message.output_text.logprobs&include%5B%5D=file_search_call.results&limit=3";
        assert_eq!(check(two), Ok(Page { limit: 3, ..page }));
        assert_eq!(check("limit=101"), Err("`limit`: expected an integer from 1 to 100, found `101`".into()));
        assert_eq!(check("limit=1&limit=2"), Err("`limit`: is there twice".into()));
        assert!(check("include=secrets").unwrap_err().starts_with("`include`: expected one of code_interpreter_call."));
        assert_eq!(include(Some("include=file_search_call.results")), Ok(()));
        assert!(include(Some("limit=1")).is_err());
    }
}

//! Query strings: `limit`, `after`, `order`, and nothing else.

use super::json::shortened;
use crate::failure::Failure;
use crate::store::Page;

const DEFAULT_LIMIT: u32 = 100;
const MAX_LIMIT: u32 = 1000;

/// The page that `query` asks for.
pub(super) fn page(query: Option<&str>, ascending: bool) -> Result<Page, Failure> {
    let mut page = Page { limit: DEFAULT_LIMIT, after: None, ascending };
    let mut seen = Vec::new();
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        match name.as_ref() {
            "limit" => {
                let limit = value.parse().ok().filter(|it| (1..=MAX_LIMIT).contains(it));
                page.limit =
                    limit.ok_or_else(|| wrong("limit", &format!("an integer from 1 to {MAX_LIMIT}"), &value))?;
            }
            "order" => {
                page.ascending = match value.as_ref() {
                    "asc" => true,
                    "desc" => false,
                    _ => return Err(wrong("order", "asc or desc", &value)),
                }
            }
            "after" if value.is_empty() => return Err(wrong("after", "an id", &value)),
            "after" => page.after = Some(value.into_owned()),
            _ => return Err(Failure::invalid(&shortened(&name), "is not known here, expected limit, after or order")),
        }
        if seen.contains(&name) {
            return Err(Failure::invalid(&name, "is there twice"));
        }
        seen.push(name);
    }
    Ok(page)
}

/// Refuses parameters where there are none.
pub(super) fn none(query: Option<&str>) -> Result<(), Failure> {
    match form_urlencoded::parse(query.unwrap_or_default().as_bytes()).next() {
        Some((name, _)) => Err(Failure::invalid(&shortened(&name), "is not known here, expected no parameters")),
        None => Ok(()),
    }
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

//! Who used what: `/v1/usage` and `/v1/billing/usage`, two published shapes of the same sums.

use super::App;
use super::asker::Asker;
use super::{json, query};
use crate::failure::Failure;
use crate::usage::csv;
use crate::usage::question::{Group, Question, Scope, Words};
use crate::usage::report::{self, About, Billing, Rows, Usage};
use crate::usage::reports_store::{Asked, MAX_ROWS};
use crate::usage::window::Wrong;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use domain::reply::Reply;
use std::sync::Arc;

const PARAMETERS: [&str; 6] = ["from", "to", "user_id", "granularity", "group_by", "format"];

/// A question of somebody who may ask it.
struct Good {
    question: Question,
    scope: Scope,
    /// Whether more than the usual lines was asked for.
    broken_down: bool,
    csv: bool,
}

pub(super) async fn usage(State(app): State<Arc<App>>, parts: Parts) -> Result<Response, Failure> {
    let good = read(&app, &parts).await?;
    let rows = rows(&app, &good, &[]).await?;
    if good.csv {
        return Ok(table(&good.question, &rows));
    }
    json::answer(&Usage::of(About::of(&good.scope, &good.question), &good.question, &rows))
}

pub(super) async fn billing(State(app): State<Arc<App>>, parts: Parts) -> Result<Response, Failure> {
    let mut good = read(&app, &parts).await?;
    if !good.broken_down {
        // A bill is by model, whatever its days.
        good.question.step = None;
    }
    let rows = rows(&app, &good, &[Group::Model]).await?;
    if good.csv {
        if !good.broken_down {
            good.question.groups = vec![Group::Model];
        }
        return Ok(table(&good.question, &rows));
    }
    json::answer(&Billing::of(About::of(&good.scope, &good.question), &good.question, &rows, good.broken_down))
}

async fn read(app: &App, parts: &Parts) -> Result<Good, Failure> {
    let asker = Asker::of(app, parts).await?;
    let mut given = query::named(parts.uri.query(), &PARAMETERS)?;
    let csv = match given.remove("format").as_deref() {
        Some("csv") => true,
        Some("json") => false,
        Some(_) => return Err(Failure::invalid("format", "expected json or csv")),
        None => wants_csv(&parts.headers),
    };
    let mut word = |name| given.remove(name);
    let words = Words {
        from: word("from"),
        to: word("to"),
        user_id: word("user_id"),
        granularity: word("granularity"),
        group_by: word("group_by"),
    };
    let broken_down = words.granularity.is_some() || words.group_by.is_some();
    let wrong = |Wrong(name, what)| Failure::invalid(name, what);
    let question = Question::read(&words, app.clock.now()).map_err(wrong)?;
    let scope = asker.scope(question.user.clone())?;
    Ok(Good { question, scope, broken_down, csv })
}

async fn rows(app: &App, good: &Good, more: &[Group]) -> Result<Rows, Failure> {
    let Good { question: Question { window, step, .. }, scope, .. } = good;
    let groups = Rows::groups(&good.question, more);
    let asked = Asked { scope, window: *window, step: *step, groups: &groups };
    let Some(rows) = app.usage.usage_rows(&asked).await? else {
        let message = format!(
            "The answer would have more than {MAX_ROWS} rows: ask for a shorter time (`from`, `to`), a coarser `granularity` or a smaller `group_by`."
        );
        return Err(Failure(Reply::new(400, "too_many_rows", message)));
    };
    Ok(Rows::new(groups, rows))
}

/// Whether the client asks for CSV and would not take JSON.
fn wants_csv(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|it| it.to_str().ok());
    let types = accepted.flat_map(|it| it.split(',')).map(|it| it.split(';').next().unwrap_or_default().trim());
    let (mut csv, mut json) = (false, false);
    for kind in types {
        csv |= kind.eq_ignore_ascii_case("text/csv");
        json |= kind.eq_ignore_ascii_case("application/json");
    }
    csv && !json
}

fn table(question: &Question, rows: &Rows) -> Response {
    let mut response = csv::text(&report::table(question, rows)).into_response();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"usage.csv\""),
        (header::CACHE_CONTROL, "no-store"),
        // It is no page, whatever stands in it.
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_for_who_takes_nothing_else() {
        let check = |accept: &str| {
            let headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::try_from(accept).unwrap())]);
            wants_csv(&headers)
        };
        for csv in ["text/csv", "Text/CSV; q=0.9", "text/csv, */*;q=0.1"] {
            assert!(check(csv), "{csv}");
        }
        for json in ["*/*", "application/json", "text/csv;q=0.5, application/json", "text/html", ""] {
            assert!(!check(json), "{json}");
        }
    }
}

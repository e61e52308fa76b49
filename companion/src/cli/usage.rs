//! `tollgate usage`: who used what, over all projects.

use super::{UsageDatabase, database, visible};
use crate::server::{StartError, open_usage};
use crate::usage::csv::{self, Field};
use crate::usage::question::{Question, Scope, Words};
use crate::usage::report::{self, About, Rows, Usage};
use crate::usage::reports_store::{Asked, MAX_ROWS};
use crate::usage::window::Wrong;
use clap::Args;
use domain::time::Micros;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    database: UsageDatabase,
    /// From when on: seconds since 1970, a date, or RFC 3339; UTC where it does not say. By default 30 days before --to.
    #[arg(long)]
    from: Option<String>,
    /// Until before when; at most 400 days later. By default until now.
    #[arg(long)]
    to: Option<String>,
    /// Only this project's.
    #[arg(long, value_parser = visible)]
    project: Option<String>,
    /// Only this end user's.
    #[arg(long, value_parser = visible)]
    user: Option<String>,
    /// One line for each: project, user, key, model, provider, source, day; several with commas between.
    #[arg(long, default_value = "project,model")]
    group_by: String,
    /// One line for each minute (of a day at most), hour or day.
    #[arg(long)]
    granularity: Option<String>,
    /// Print comma-separated values, for spreadsheets.
    #[arg(long)]
    csv: bool,
}

/// Answers what `arguments` ask of the usage database beside the one at `main`; with `as_json` for programs.
pub(super) async fn run(main: &str, arguments: Arguments, as_json: bool, now: Micros) -> Result<String, StartError> {
    let Arguments { database: UsageDatabase { usage_database_url }, project, csv, .. } = arguments;
    let words = Words {
        from: arguments.from,
        to: arguments.to,
        user_id: arguments.user,
        granularity: arguments.granularity,
        group_by: Some(arguments.group_by),
    };
    let wrong = |Wrong(name, what)| StartError(format!("--{}: {what}", name.replace('_', "-")));
    let question = Question::read(&words, now).map_err(wrong)?;
    let scope = Scope { project, user: question.user.clone() };
    let groups = Rows::groups(&question, &[]);
    let asked = Asked { scope: &scope, window: question.window, step: question.step, groups: &groups };
    let usage = open_usage(usage_database_url, main).await?;
    let rows = usage.usage_rows(&asked).await.map_err(database)?;
    usage.close().await;
    let rows =
        rows.ok_or_else(|| StartError(format!("more than {MAX_ROWS} rows: shorten the time or group by less")))?;
    let rows = Rows::new(groups, rows);
    if as_json {
        let usage = Usage::of(About::of(&scope, &question), &question, &rows);
        return serde_json::to_string(&usage).map_err(|it| StartError(it.to_string()));
    }
    let table = report::table(&question, &rows);
    Ok(if csv { csv::text(&table).trim_end().to_owned() } else { aligned(&table) })
}

/// Columns under each other.
fn aligned(table: &[Vec<Field>]) -> String {
    let width = |nth| table.iter().filter_map(|line: &Vec<Field>| line.get(nth)).map(chars).max();
    let widths: Vec<_> = (0..).map_while(width).collect();
    let line = |line: &Vec<Field>| {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{:width$}", cell.as_str()));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    table.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn chars(field: &Field) -> usize {
    field.as_str().chars().count()
}

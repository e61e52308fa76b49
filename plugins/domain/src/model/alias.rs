//! Further names of models: written out, or by a regular expression.

use super::name::{Canonical, LONGEST_NAME, ModelName, printable};
use regex_lite::Regex;
use serde::Deserialize;
use std::fmt::Arguments;

/// Each one that a name does not match costs about as much as reading the name.
const MOST_ALIASES: usize = 200;
/// The longest name with parameters that further aliases are tried on, in bytes.
const LONGEST_REWRITTEN: usize = 1024;

/// Another name for a model, or for many: either `name` and `model`, or `pattern` and `replacement`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Alias {
    /// What clients ask for; matched whole, in either form (`gpt-4` also takes `openai/gpt-4`).
    #[serde(default)]
    pub name: Option<ModelName>,
    /// The model that they get. It is no alias itself.
    #[serde(default)]
    pub model: Option<ModelName>,
    /// In place of `name`: a regular expression (Rust's syntax, matched in linear time) that is looked for in the name as the
    /// client wrote it, without its parameters. At most 256 bytes.
    #[serde(default)]
    pub pattern: Option<String>,
    /// In place of `model`: what the part that `pattern` matched becomes. `$1` and `\1` are its first group, `$$` is a dollar.
    /// The result is read like any name that a client writes, but is no alias itself.
    #[serde(default)]
    pub replacement: Option<String>,
    /// Only with `pattern`: the aliases that follow are tried on the result.
    #[serde(default, rename = "continue")]
    pub goes_on: bool,
}

/// A name that is written out, and its model.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) name: Canonical,
    /// The name as the operator wrote it.
    pub(super) written: ModelName,
    pub(super) model: ModelName,
}

#[derive(Debug)]
enum Rewrite {
    Name(Named),
    Pattern { regex: Regex, replacement: String, goes_on: bool },
}

/// All aliases in their order, checked.
#[derive(Debug)]
pub(super) struct Aliases(Vec<Rewrite>);

impl Aliases {
    pub(super) fn build(aliases: &[Alias]) -> Result<Self, String> {
        if aliases.len() > MOST_ALIASES {
            return Err(format!("aliases has {} entries: expected {MOST_ALIASES} at most", aliases.len()));
        }
        let mut all = Self(Vec::with_capacity(aliases.len()));
        for (at, alias) in aliases.iter().enumerate() {
            let rewrite = Rewrite::of(alias).map_err(|wrong| format!("aliases[{at}]{wrong}"))?;
            if let Some(wrong) = all.conflict(aliases, &rewrite) {
                return Err(format!("aliases[{at}] {wrong}"));
            }
            all.0.push(rewrite);
        }
        Ok(all)
    }

    /// The names that are written out, each with its place in the list.
    pub(super) fn names(&self) -> impl Iterator<Item = (usize, &Named)> {
        self.0.iter().enumerate().filter_map(|(at, it)| match it {
            Rewrite::Name(it) => Some((at, it)),
            Rewrite::Pattern { .. } => None,
        })
    }

    /// What `asked` becomes; `None` when no alias matches it.
    pub(super) fn follow(&self, asked: &str, told: &mut dyn FnMut(Arguments<'_>)) -> Option<String> {
        if asked.len() > LONGEST_NAME {
            return None;
        }
        if self.0.is_empty() {
            return None;
        }
        let asked_name = Canonical::parse(asked);
        let mut now: Option<String> = None;
        for (at, rewrite) in self.0.iter().enumerate() {
            match rewrite {
                Rewrite::Name(Named { name, model, .. }) => {
                    let own = now.as_deref().map(Canonical::parse);
                    if own.as_ref().unwrap_or(&asked_name).as_ref() == Some(name) {
                        told(format_args!("aliases[{at}] `{name}` is `{}`", model.as_str()));
                        return Some(model.as_str().to_owned());
                    }
                }
                Rewrite::Pattern { regex, replacement, goes_on } => {
                    let text = now.as_deref().unwrap_or(asked);
                    if !regex.is_match(text) {
                        continue;
                    }
                    let next = regex.replace(text, replacement.as_str()).into_owned();
                    told(format_args!("aliases[{at}] pattern `{regex}` makes it `{}`", printable(&next)));
                    // What is too long for a name is none; aliases that go on could double it each time.
                    if !goes_on || next.len() > LONGEST_REWRITTEN {
                        return Some(next);
                    }
                    now = Some(next);
                }
            }
        }
        now
    }

    /// Why `rewrite` can never match behind those that stand here, or leads back into them.
    fn conflict(&self, written: &[Alias], rewrite: &Rewrite) -> Option<String> {
        let earlier = self.0.iter().enumerate();
        let found = match rewrite {
            Rewrite::Name(Named { name, written, model }) => {
                if model.canonical() == *name {
                    return Some(format!("`{}` leads to itself", written.as_str()));
                }
                earlier.map(|(at, it)| (at, it.takes(name, written))).find(|(_, it)| *it)
            }
            Rewrite::Pattern { regex, .. } => {
                let same = |it: &Rewrite| {
                    matches!(it, Rewrite::Pattern { regex: other, goes_on: false, .. }
                        if other.as_str() == regex.as_str() || EVERYTHING.contains(&other.as_str()))
                };
                earlier.map(|(at, it)| (at, same(it))).find(|(_, it)| *it)
            }
        };
        let (at, _) = found?;
        let by = written.get(at)?;
        let by = by.name.as_ref().map(ModelName::as_str).or(by.pattern.as_deref()).unwrap_or_default();
        let own = match rewrite {
            Rewrite::Name(it) => it.written.as_str(),
            Rewrite::Pattern { regex, .. } => regex.as_str(),
        };
        Some(format!("`{own}` can never match: aliases[{at}] `{by}` matches first"))
    }
}

/// Patterns that match any name.
const EVERYTHING: [&str; 13] =
    ["", "^", "$", ".", ".*", ".+", ".*?", "^.*", "^.*$", "^.+$", "^(.*)$", "^(.+)$", "(.*)"];

impl Rewrite {
    fn of(alias: &Alias) -> Result<Self, String> {
        match alias {
            Alias { name: Some(name), model: Some(model), pattern: None, replacement: None, goes_on: false } => {
                Ok(Self::Name(Named { name: name.canonical(), written: name.clone(), model: model.clone() }))
            }
            Alias { name: None, model: None, pattern: Some(pattern), replacement: Some(replacement), goes_on } => {
                if pattern.len() > LONGEST_NAME {
                    return Err(format!(".pattern has {} bytes: expected {LONGEST_NAME} at most", pattern.len()));
                }
                if replacement.len() > LONGEST_NAME {
                    let length = replacement.len();
                    return Err(format!(".replacement has {length} bytes: expected {LONGEST_NAME} at most"));
                }
                let regex = Regex::new(pattern).map_err(|wrong| {
                    format!(".pattern is `{}`, which is no regular expression: {wrong}", printable(pattern))
                })?;
                let replacement = expansion(replacement, regex.captures_len())?;
                Ok(Self::Pattern { regex, replacement, goes_on: *goes_on })
            }
            Alias { pattern: None, replacement: None, goes_on: true, .. } => {
                Err(".continue stands without a pattern: a name leads to its model, and to nothing else".into())
            }
            _ => Err(" is half of something: expected `name` and `model`, or `pattern` and `replacement`".into()),
        }
    }

    /// Whether it leaves nothing of this name to the aliases behind it.
    fn takes(&self, name: &Canonical, written: &ModelName) -> bool {
        match self {
            Self::Name(own) => own.name == *name,
            // A name is matched as the client wrote it, in the short form or the long one.
            Self::Pattern { regex, goes_on, .. } => {
                let forms = [name.as_str(), name.model(), written.as_str()];
                !goes_on && forms.into_iter().all(|it| regex.is_match(it))
            }
        }
    }
}

/// The replacement in the words of the regex crate, in which `$1abc` would be a group named `1abc`.
fn expansion(text: &str, groups: usize) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(it) = rest.next() {
        if it == '$' && rest.next_if_eq(&'$').is_some() {
            out.push_str("$$");
            continue;
        }
        if !matches!(it, '$' | '\\') {
            out.push(it);
            continue;
        }
        let braced = it == '$' && rest.next_if_eq(&'{').is_some();
        let mut digits = String::new();
        while let Some(digit) = rest.next_if(char::is_ascii_digit) {
            digits.push(digit);
        }
        let closed = !braced || rest.next_if_eq(&'}').is_some();
        match digits.parse::<usize>() {
            Ok(group) if closed && group < groups => out.push_str(&format!("${{{group}}}")),
            Ok(group) if closed => {
                let last = groups.saturating_sub(1);
                return Err(format!(".replacement names the group {group}: the pattern has {last}"));
            }
            _ => {
                return Err(format!(
                    ".replacement is `{}`: expected a group's number behind `{it}`, as in `$1` or `\\1`",
                    printable(text)
                ));
            }
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn build(json: &str) -> Result<Aliases, String> {
        Aliases::build(&serde_json::from_str::<Vec<Alias>>(json).map_err(|wrong| wrong.to_string())?)
    }

    fn check(json: &str, asked: &str) -> String {
        build(json).unwrap().follow(asked, &mut |_| {}).unwrap_or_else(|| "-".into())
    }

    #[test]
    fn the_first_that_matches_counts() {
        let router = r#"{"pattern":"^gpt-(.*)","replacement":"openrouter:openai/gpt-\\1"}"#;
        let dollar = r#"{"pattern":"^gpt-(.*)","replacement":"x$1y"}"#;
        for (aliases, asked, expected) in [
            (router, "gpt-4o", "openrouter:openai/gpt-4o"),
            (router, "openai/gpt-4o", "-"),
            (dollar, "gpt-4o", "x4oy"),
            (r#"{"pattern":"o$","replacement":"$${0}$0"}"#, "gpt-4o", "gpt-4${0}o"),
            (r#"{"name":"gpt-4","model":"gpt-4o"},{"pattern":"gpt-(.*)","replacement":"b/$1"}"#, "gpt-4", "gpt-4o"),
            (r#"{"name":"gpt-4","model":"gpt-4o"},{"pattern":"gpt-(.*)","replacement":"b/$1"}"#, "gpt-5", "b/5"),
            (r#"{"pattern":"a","replacement":"b"},{"pattern":"b","replacement":"c"}"#, "a", "b"),
            (r#"{"pattern":"a","replacement":"b","continue":true},{"pattern":"b","replacement":"c"}"#, "a", "c"),
            (r#"{"pattern":"a","replacement":"b","continue":true},{"name":"b","model":"c"}"#, "a", "c"),
            (r#"{"pattern":"a","replacement":"b","continue":true}"#, "a", "b"),
        ] {
            assert_eq!(check(&format!("[{aliases}]"), asked), expected, "{aliases} {asked}");
        }
    }

    #[test]
    fn a_mistake_is_named_with_its_place() {
        for (aliases, expected) in [
            (r#"{"name":"a"}"#, "aliases[0] is half of something"),
            (r#"{"name":"a","replacement":"b"}"#, "aliases[0] is half of something"),
            (r#"{"name":"a","model":"b","continue":true}"#, "aliases[0].continue stands without a pattern"),
            (r#"{"pattern":"(","replacement":"b"}"#, "aliases[0].pattern is `(`, which is no regular expression"),
            (r#"{"pattern":"a","replacement":"$1"}"#, "names the group 1: the pattern has 0"),
            (r#"{"pattern":"a","replacement":"\\2"}"#, "names the group 2"),
            (r#"{"pattern":"a","replacement":"$name"}"#, "expected a group's number behind `$`"),
            (r#"{"pattern":"a","replacement":"${0"}"#, "expected a group's number"),
            (r#"{"name":"a","model":"a"}"#, "aliases[0] `a` leads to itself"),
            (
                r#"{"pattern":".*","replacement":"b"},{"pattern":"x","replacement":"y"}"#,
                "aliases[1] `x` can never match: aliases[0] `.*` matches first",
            ),
            (
                r#"{"pattern":"x","replacement":"b"},{"pattern":"x","replacement":"y"}"#,
                "aliases[1] `x` can never match: aliases[0] `x` matches first",
            ),
            (
                r#"{"pattern":"gpt","replacement":"b"},{"name":"gpt-4","model":"c"}"#,
                "aliases[1] `gpt-4` can never match: aliases[0] `gpt` matches first",
            ),
        ] {
            let refused = build(&format!("[{aliases}]")).unwrap_err();
            assert!(refused.contains(expected), "{aliases}: {refused}");
        }
        let many = vec![r#"{"pattern":"x","replacement":"y","continue":true}"#; 201].join(",");
        assert!(build(&format!("[{many}]")).unwrap_err().contains("201 entries"));
    }

    proptest! {
        #[test]
        fn any_replacement_is_understood_or_refused(text in ".*", asked in "[!-~]{0,40}") {
            let alias = Alias { name: None, model: None, pattern: Some("(a)(.)".into()), replacement: Some(text), goes_on: true };
            if let Ok(aliases) = Aliases::build(&[alias]) {
                let _ = aliases.follow(&asked, &mut |_| {});
            }
        }
    }
}

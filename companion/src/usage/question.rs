//! What a report is asked for, read from words: a query string's or a command line's.

use super::window::{Step, Window, Wrong};
use crate::names::Name;
use domain::time::Micros;

/// By what rows are kept apart, besides time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Group {
    /// The project.
    Project,
    /// The end user.
    User,
    /// The API key that the user's token was minted with.
    Key,
    /// The model, by its canonical name.
    Model,
    /// The provider that answered.
    Provider,
    /// Whose key paid the provider: the platform's, or the customer's own.
    Source,
}

/// Whose usage may be seen. What is `None` is not restricted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Scope {
    /// Of this project alone.
    pub(crate) project: Option<String>,
    /// Of this end user alone.
    pub(crate) user: Option<String>,
}

/// The words of a question; what is absent has a default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Words {
    /// The window's beginning.
    pub(crate) from: Option<String>,
    /// The window's end.
    pub(crate) to: Option<String>,
    /// The end user.
    pub(crate) user_id: Option<String>,
    /// How long a step is.
    pub(crate) granularity: Option<String>,
    /// What rows are kept apart by, with commas between.
    pub(crate) group_by: Option<String>,
}

/// A question that can be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Question {
    /// The time that it is about.
    pub(crate) window: Window,
    /// How long a row's step is; `None`: the whole window is one.
    pub(crate) step: Option<Step>,
    /// By what rows are kept apart, each once, in the order of [`Group`].
    pub(crate) groups: Vec<Group>,
    /// About whom, if about one alone.
    pub(crate) user: Option<String>,
}

impl Question {
    /// Reads `words`. Without a granularity there are days, or, when something is grouped by, no steps at all.
    ///
    /// # Errors
    /// Which word is at fault, and what is expected.
    pub(crate) fn read(words: &Words, now: Micros) -> Result<Self, Wrong> {
        let granularity = words.granularity.as_deref().map(step).transpose()?;
        let (by_day, groups) = groups(words.group_by.as_deref())?;
        let step = match granularity {
            Some(it) if by_day && it != Step::Day => {
                let what = format!("expected day, because `group_by` names day, found {}", it.name());
                return Err(Wrong("granularity", what));
            }
            None if by_day || words.group_by.is_none() => Some(Step::Day),
            other => other,
        };
        let user = words.user_id.clone().map(Name::try_from).transpose();
        Ok(Self {
            window: Window::of(words.from.as_deref(), words.to.as_deref(), step, now)?,
            step,
            groups,
            user: user.map_err(|it| Wrong("user_id", it.to_string()))?.map(|it| it.as_str().to_owned()),
        })
    }
}

impl Group {
    /// All, in the order of their columns.
    pub(crate) const ALL: [Self; 6] = [Self::Project, Self::User, Self::Key, Self::Model, Self::Provider, Self::Source];

    /// The word that asks for it.
    #[must_use]
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::User => "user",
            Self::Key => "key",
            Self::Model => "model",
            Self::Provider => "provider",
            Self::Source => "source",
        }
    }

    /// The name of its member and its column.
    #[must_use]
    pub(crate) const fn member(self) -> &'static str {
        match self {
            Self::Project => "project_id",
            Self::User => "user_id",
            Self::Key => "key_id",
            same => same.word(),
        }
    }
}

fn step(word: &str) -> Result<Step, Wrong> {
    let all = [Step::Minute, Step::Hour, Step::Day];
    let found = all.into_iter().find(|it| it.name() == word);
    found.ok_or_else(|| Wrong("granularity", "expected minute, hour or day".to_owned()))
}

/// Whether days are among them, and the others.
fn groups(words: Option<&str>) -> Result<(bool, Vec<Group>), Wrong> {
    let (mut by_day, mut groups) = (false, Vec::new());
    for word in words.into_iter().flat_map(|it| it.split(',')) {
        let group = Group::ALL.into_iter().find(|it| it.word() == word);
        let twice = match group {
            None if word == "day" => std::mem::replace(&mut by_day, true),
            None => {
                let what = "expected user, model, provider, day, project, key or source, several with commas between";
                return Err(Wrong("group_by", what.to_owned()));
            }
            Some(group) if groups.contains(&group) => true,
            Some(group) => {
                groups.push(group);
                false
            }
        };
        if twice {
            return Err(Wrong("group_by", format!("{word} is there twice")));
        }
    }
    groups.sort_unstable();
    Ok((by_day, groups))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        granularity: Option<&str>,
        group_by: Option<&str>,
    ) -> Result<(Option<&'static str>, Vec<&'static str>), String> {
        let words = Words {
            granularity: granularity.map(str::to_owned),
            group_by: group_by.map(str::to_owned),
            ..Words::default()
        };
        match Question::read(&words, Micros::from_seconds(1_800_000_000)) {
            Ok(it) => Ok((it.step.map(Step::name), it.groups.into_iter().map(Group::word).collect())),
            Err(Wrong(name, what)) => Err(format!("{name}: {what}")),
        }
    }

    #[test]
    fn steps_and_groups_are_words() {
        assert_eq!(check(None, None), Ok((Some("day"), vec![])));
        assert_eq!(check(Some("hour"), None), Ok((Some("hour"), vec![])));
        assert_eq!(check(None, Some("model")), Ok((None, vec!["model"])));
        assert_eq!(check(None, Some("day")), Ok((Some("day"), vec![])));
        assert_eq!(check(None, Some("model,day,user")), Ok((Some("day"), vec!["user", "model"])));
        assert_eq!(check(Some("minute"), Some("key,source")), Ok((Some("minute"), vec!["key", "source"])));
        assert_eq!(check(Some("day"), Some("day,project")), Ok((Some("day"), vec!["project"])));
    }

    #[test]
    fn a_wrong_word_is_named() {
        let groups =
            "group_by: expected user, model, provider, day, project, key or source, several with commas between";
        for (granularity, group_by, message) in [
            (Some("week"), None, "granularity: expected minute, hour or day"),
            (Some(""), None, "granularity: expected minute, hour or day"),
            (Some("hour"), Some("day"), "granularity: expected day, because `group_by` names day, found hour"),
            (None, Some("tenant"), groups),
            (None, Some(""), groups),
            (None, Some("user,"), groups),
            (None, Some("user,user"), "group_by: user is there twice"),
            (None, Some("day,day"), "group_by: day is there twice"),
        ] {
            assert_eq!(check(granularity, group_by), Err(message.into()));
        }
        let words = Words { user_id: Some(String::new()), ..Words::default() };
        assert_eq!(Question::read(&words, Micros(0)).unwrap_err().0, "user_id");
    }
}

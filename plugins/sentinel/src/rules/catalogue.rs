//! The rules. A name has a fixed number, which weights know it by: new names go to the end, and none is removed.

use super::Class::{self, *};
use super::{Rule, Step};
use crate::lexicon::Classes;

/// What rules are called, in the order of their numbers.
pub(crate) const NAMES: &[&str] = &[
    "override.instructions",
    "override.disobey",
    "override.everything",
    "override.restart",
    "override.revoked",
    "override.precedence",
    "override.changed",
    "override.new-task",
    "override.instead",
    "override.role",
    "override.human",
    "exfiltration.prompt",
    "exfiltration.repeat",
    "exfiltration.text-above",
    "exfiltration.secret",
    "exfiltration.recode",
    "exfiltration.tools",
    "exfiltration.personal",
    "exfiltration.send",
    "exfiltration.complete",
    "persona.become",
    "persona.name",
    "persona.mode",
    "persona.unlimited",
    "persona.without-limits",
    "persona.freed",
    "persona.never-refuse",
    "persona.fiction",
    "persona.threat",
    "persona.disable",
    "authority.claim",
    "authority.mode",
    "indirect.address",
    "indirect.reading",
    "indirect.instruction-for",
    "indirect.before-task",
    "indirect.hide",
    "indirect.consent",
    "indirect.session",
    "tool.execute",
    "tool.spend",
    "tool.praise",
    "output.only",
    "output.always",
    "output.begin",
    "encoded.obey",
    "harm.how-to",
    "harm.write",
    "talk.attack",
    "talk.study",
    "talk.own-words",
    "persona.answer-as",
    "override.memory",
    "exfiltration.prompt-question",
    "delimiter.template",
    "delimiter.token",
    "delimiter.role-tag",
    "delimiter.turn-tag",
    "delimiter.part-tag",
    "delimiter.closing",
    "delimiter.role-line",
    "delimiter.turn-line",
    "delimiter.role-colon",
    "delimiter.turn",
    "delimiter.heading",
    "delimiter.role-field",
    "delimiter.turn-field",
    "delimiter.border",
    "delimiter.link",
    "delimiter.script",
    "delimiter.comment",
    "delimiter.image",
    "delimiter.banner",
    "delimiter.open-parameter",
    "indirect.when-reading",
    "indirect.must",
    "override.your-instructions",
    "exfiltration.your-prompt",
];

/// What is found by how it is set and not by classes, see `structure`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    Template,
    Token,
    RoleTag,
    TurnTag,
    PartTag,
    Closing,
    RoleLine,
    TurnLine,
    RoleColon,
    Turn,
    Heading,
    RoleField,
    TurnField,
    Border,
    Link,
    Script,
    Comment,
    Image,
    Banner,
    OpenParameter,
}

/// The number of such a name.
pub(crate) const fn number(of: Name) -> usize {
    match of {
        Name::Template => const { name("delimiter.template") },
        Name::Token => const { name("delimiter.token") },
        Name::RoleTag => const { name("delimiter.role-tag") },
        Name::TurnTag => const { name("delimiter.turn-tag") },
        Name::PartTag => const { name("delimiter.part-tag") },
        Name::Closing => const { name("delimiter.closing") },
        Name::RoleLine => const { name("delimiter.role-line") },
        Name::TurnLine => const { name("delimiter.turn-line") },
        Name::RoleColon => const { name("delimiter.role-colon") },
        Name::Turn => const { name("delimiter.turn") },
        Name::Heading => const { name("delimiter.heading") },
        Name::RoleField => const { name("delimiter.role-field") },
        Name::TurnField => const { name("delimiter.turn-field") },
        Name::Border => const { name("delimiter.border") },
        Name::Link => const { name("delimiter.link") },
        Name::Script => const { name("delimiter.script") },
        Name::Comment => const { name("delimiter.comment") },
        Name::Image => const { name("delimiter.image") },
        Name::Banner => const { name("delimiter.banner") },
        Name::OpenParameter => const { name("delimiter.open-parameter") },
    }
}

/// The number of a name.
const fn name(name: &str) -> usize {
    let mut at = 0;
    while at < NAMES.len() {
        #[expect(clippy::indexing_slicing, reason = "runs in the compiler, which would refuse it")]
        if same(NAMES[at].as_bytes(), name.as_bytes()) {
            return at;
        }
        at = at.saturating_add(1);
    }
    #[expect(clippy::panic, reason = "runs in the compiler: a rule with a name that is not in the list")]
    {
        panic!("no such name");
    }
}

const fn same(one: &[u8], other: &[u8]) -> bool {
    match (one, other) {
        ([], []) => true,
        ([first, one @ ..], [second, other @ ..]) => *first == *second && same(one, other),
        _ => false,
    }
}

const fn any(classes: &[Class]) -> Classes {
    let mut all = Classes::NONE;
    let mut rest = classes;
    while let [first, others @ ..] = rest {
        all = all.and(Classes::of(*first));
        rest = others;
    }
    all
}

macro_rules! rules {
    ($($name:literal: $($within:literal [$($class:ident)+])+;)+) => {
        /// All rules.
        pub(crate) const RULES: &[Rule] = &[$(Rule {
            name: const { name($name) },
            steps: &[$(Step { any: any(&[$($class),+]), within: $within }),+],
        }),+];
    };
}

rules! {
    "override.instructions": 0 [Ignore] 6 [Rules Prompt];
    "override.instructions": 0 [Ignore] 3 [Prior All Your System] 5 [Rules Prompt];
    "override.instructions": 0 [Prior All Your] 4 [Rules Prompt] 4 [Ignore];
    "override.instructions": 0 [Prior] 3 [Rules Prompt Everything] 5 [Ignore];
    "override.disobey": 0 [Not] 4 [Follow] 6 [Rules Prompt Prior];
    "override.disobey": 0 [Not] 4 [Rules Prompt] 4 [Follow];
    "override.disobey": 0 [Prior System] 3 [Rules Prompt] 3 [Not] 3 [Follow];
    "override.everything": 0 [Ignore] 3 [Everything All] 4 [Prior];
    "override.everything": 0 [Ignore] 2 [Everything];
    "override.everything": 0 [Ignore] 3 [Prior];
    "override.everything": 0 [Everything Prior] 3 [Everything Text] 3 [Ignore];
    "override.everything": 0 [Ignore] 3 [Text] 3 [Prior];
    "override.restart": 0 [Restart] 12 [Rules Prompt Memory Task];
    "override.restart": 0 [Restart];
    "override.revoked": 0 [Rules Prompt] 4 [Revoked];
    "override.revoked": 0 [Revoked] 4 [Rules Prompt];
    "override.precedence": 0 [Rules Prompt] 4 [Precedence] 6 [Rules Prompt System];
    "override.precedence": 0 [Precedence] 6 [Prior System] 3 [Rules Prompt];
    "override.changed": 0 [Change] 4 [Your Rules] 4 [Rules Prompt Task];
    "override.changed": 0 [Your] 3 [Rules Prompt] 4 [Change Revoked];
    "override.new-task": 0 [New] 2 [Task Rules Prompt];
    "override.new-task": 0 [Task Rules Prompt] 2 [New];
    "override.new-task": 0 [Henceforth] 8 [Task Rules];
    "override.new-task": 0 [Your] 3 [Only New] 2 [Task];
    "override.instead": 0 [Ignore] 12 [Instead];
    "override.instead": 0 [Instead] 8 [Print Reveal Answer Send Execute];
    "override.role": 0 [Ignore Not] 4 [Role];
    "override.role": 0 [Not] 4 [Pretend] 5 [Model];
    "override.role": 0 [Not] 3 [Model];
    "override.human": 0 [Ignore] 4 [Human] 4 [Task];
    "override.memory": 0 [Ignore] 5 [Memory];
    "exfiltration.prompt": 0 [Reveal Print] 6 [System Prior Your] 3 [Prompt Rules Text];
    "exfiltration.prompt": 0 [Reveal Print] 4 [Your] 4 [System Prior] 3 [Prompt Rules];
    "exfiltration.prompt": 0 [Reveal] 5 [Prompt Rules System];
    "exfiltration.prompt": 0 [Your System] 4 [Prompt Rules] 5 [Reveal Print];
    "exfiltration.prompt-question": 0 [Question] 6 [Your] 4 [Prompt Rules];
    "exfiltration.prompt-question": 0 [Question] 6 [Your] 3 [Prior System] 3 [Prompt Rules Text];
    "exfiltration.repeat": 0 [Print Reveal] 8 [Verbatim] 10 [Text Prompt Rules System];
    "exfiltration.repeat": 0 [Print Reveal] 8 [Text Prompt Rules System] 10 [Verbatim];
    "exfiltration.repeat": 0 [Verbatim] 8 [Text Prompt Rules System] 6 [Print Reveal];
    "exfiltration.text-above": 0 [Print Reveal] 3 [Text Everything] 4 [Prior];
    "exfiltration.text-above": 0 [Print Reveal] 5 [Prior] 2 [Text];
    "exfiltration.text-above": 0 [Prior] 4 [Text] 4 [Print Reveal];
    "exfiltration.secret": 0 [Reveal Print Send] 7 [Secret];
    "exfiltration.secret": 0 [Secret] 4 [Reveal Print Send];
    "exfiltration.secret": 0 [Question] 5 [Your System] 3 [Secret];
    "exfiltration.secret": 0 [Your System] 2 [Secret];
    "exfiltration.recode": 0 [Recode] 4 [Your System Prior] 4 [Prompt Rules Text];
    "exfiltration.tools": 0 [Print Reveal] 6 [Your All] 4 [Tool];
    "exfiltration.tools": 0 [Print Reveal] 4 [Tool] 8 [You Your];
    "exfiltration.personal": 0 [Print Reveal Send] 6 [Human] 5 [Personal Text Secret];
    "exfiltration.personal": 0 [Question] 5 [Human] 5 [Personal];
    "exfiltration.personal": 0 [Print Reveal Send] 6 [Personal] 4 [Human];
    "exfiltration.send": 0 [Send] 6 [Memory Secret Text Personal Document];
    "exfiltration.complete": 0 [Your System Prior] 2 [Prompt Rules] 2 [Answer];
    "exfiltration.complete": 0 [Prompt] 2 [Answer];
    "persona.become": 0 [Become];
    "persona.become": 0 [Henceforth] 4 [You];
    "persona.name": 0 [Persona];
    "persona.mode": 0 [Persona System Authority] 2 [Mode];
    "persona.mode": 0 [Enable] 4 [Mode];
    "persona.mode": 0 [Mode] 4 [Enable];
    "persona.unlimited": 0 [Unlimited] 3 [Model Mode Persona Role];
    "persona.unlimited": 0 [Pretend Become You] 6 [Unlimited];
    "persona.without-limits": 0 [Without] 4 [Limits Rules];
    "persona.without-limits": 0 [Limits Rules] 2 [Without];
    "persona.without-limits": 0 [Pretend Become You Model] 8 [Without] 4 [Limits Rules];
    "persona.without-limits": 0 [Ignore] 5 [Limits];
    "persona.freed": 0 [Freed] 8 [Limits Rules Model];
    "persona.freed": 0 [You] 4 [Freed];
    "persona.never-refuse": 0 [Not Without] 4 [Refuse];
    "persona.never-refuse": 0 [Refuse] 2 [Without Not];
    "persona.fiction": 0 [Fiction] 12 [Without Unlimited Limits Harm Unlawful];
    "persona.fiction": 0 [Pretend] 12 [Harm Unlawful];
    "persona.threat": 0 [Refuse] 8 [Threat];
    "persona.threat": 0 [You] 4 [Threat];
    "persona.disable": 0 [Disable] 5 [Limits Rules];
    "persona.disable": 0 [Limits] 3 [Disable];
    "persona.answer-as": 0 [Answer] 4 [Persona Unlimited];
    "authority.claim": 0 [Authority];
    "authority.mode": 0 [Authority] 16 [Secret Personal Reveal Mode];
    "indirect.address": 0 [Human Urgent New Remember] 3 [Model] 4 [Reading Ignore Rules Print];
    "indirect.address": 0 [Model] 5 [Reading];
    "indirect.address": 0 [Model] 3 [Ignore Not] 6 [Rules Task Human];
    "indirect.reading": 0 [Reading] 8 [Urgent Print Answer Execute Send];
    "indirect.when-reading": 0 [First] 2 [Reading] 6 [You Model Urgent];
    "indirect.when-reading": 0 [Reading] 3 [You Model] 2 [Urgent];
    "indirect.must": 0 [Model] 2 [Urgent] 3 [Print Reveal Answer Execute Send Ignore];
    "indirect.must": 0 [You] 1 [Urgent] 3 [Print Reveal Answer Execute Send Ignore];
    "override.your-instructions": 0 [Ignore] 3 [Your] 2 [Prior] 2 [Rules Prompt Task Role];
    "override.your-instructions": 0 [Ignore] 2 [Prior] 1 [Rules Prompt Task];
    "exfiltration.your-prompt": 0 [Reveal Print] 2 [Your] 2 [System Prior] 1 [Prompt Rules];
    "indirect.instruction-for": 0 [Rules] 4 [Model];
    "indirect.instruction-for": 0 [Model] 2 [Rules];
    "indirect.before-task": 0 [First] 10 [Task Rules];
    "indirect.before-task": 0 [Urgent] 10 [First];
    "indirect.hide": 0 [Hide] 6 [Human Text Document];
    "indirect.hide": 0 [Hide];
    "indirect.consent": 0 [Human] 3 [Consent];
    "indirect.consent": 0 [Without] 4 [Consent];
    "indirect.session": 0 [Border] 3 [System Persona Human Text];
    "tool.execute": 0 [Execute] 4 [Tool];
    "tool.execute": 0 [Execute] 6 [All] 3 [Document Memory];
    "tool.spend": 0 [Spend] 8 [Human Secret];
    "tool.praise": 0 [Praise] 6 [Not Urgent];
    "output.only": 0 [Answer] 4 [Only];
    "output.always": 0 [Always] 8 [Answer];
    "output.begin": 0 [Answer] 6 [Sure];
    "encoded.obey": 0 [Decode] 8 [Follow Execute Answer];
    "harm.how-to": 0 [HowTo] 6 [Harm];
    "harm.write": 0 [Print] 5 [Harm];
    "talk.attack": 0 [Attack];
    "talk.study": 0 [Study] 8 [Attack];
    "talk.study": 0 [Question] 8 [Attack];
    "talk.own-words": 0 [Ignore] 3 [Mine];
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::MOST_STEPS;

    #[test]
    fn every_name_is_used_once_in_the_list_and_by_a_rule() {
        for (number, name) in NAMES.iter().enumerate() {
            assert_eq!(NAMES.iter().position(|it| it == name), Some(number));
            assert!(name.starts_with("delimiter.") || RULES.iter().any(|it| it.name == number), "{name}");
        }
        assert!(RULES.iter().all(|it| (1..=MOST_STEPS).contains(&it.steps.len())));
    }
}

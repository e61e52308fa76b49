//! What attacks are made of, as data: classes of words, and rules that say which classes near each other mean what.
//!
//! Rules know no language; tables of words do, one file per group of languages. So a verb added to one language works in all rules.

mod answers;
mod asian;
mod catalogue;
mod celtic;
mod common;
mod english;
mod germanic;
mod indic;
mod romance;
mod semitic;
mod slavic;
mod uralic;

pub(crate) use answers::ANSWERS;
pub(crate) use catalogue::{NAMES, Name, RULES, number};
pub(crate) use common::COMMON;

use crate::lexicon::Classes;

/// What a word is about. Its number is part of the weights: new ones go to the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// ignore, disregard, forget, override
    Ignore,
    /// do not, no longer, stop
    Not,
    /// follow, obey, comply
    Follow,
    /// previous, above, initial, original
    Prior,
    /// all, any, every
    All,
    /// your
    Your,
    /// instructions, rules, guidelines, orders
    Rules,
    /// prompt
    Prompt,
    /// system, hidden, internal, developer's
    System,
    /// text, message, words, conversation
    Text,
    /// everything, what I said
    Everything,
    /// reveal, leak, disclose
    Reveal,
    /// show, print, tell, repeat, write
    Print,
    /// word for word, verbatim, in full
    Verbatim,
    /// password, key, token
    Secret,
    /// act as, pretend, simulate
    Pretend,
    /// you are now, from now on you
    Become,
    /// from now on, henceforth
    Henceforth,
    /// DAN, developer mode, names of known personas
    Persona,
    /// mode
    Mode,
    /// enable, enter, activate
    Enable,
    /// disable, turn off
    Disable,
    /// without, no, free of
    Without,
    /// restrictions, filter, ethics, censorship
    Limits,
    /// unrestricted, uncensored
    Unlimited,
    /// refuse, warn, disclaimer
    Refuse,
    /// AI, assistant, model, agent
    Model,
    /// user, human, customer
    Human,
    /// do not mention, secretly, keep hidden
    Hide,
    /// new, following, real
    New,
    /// task, mission, job, question
    Task,
    /// instead
    Instead,
    /// only, nothing but
    Only,
    /// answer, reply, say
    Answer,
    /// send, forward, upload
    Send,
    /// run, execute, call, delete
    Execute,
    /// function, command, rm -rf
    Tool,
    /// pay, transfer, buy, book
    Spend,
    /// bomb, malware, drugs
    Harm,
    /// how to, explain, steps
    HowTo,
    /// I am your developer, as your creator
    Authority,
    /// takes precedence, supersedes
    Precedence,
    /// reading this, processing this document
    Reading,
    /// important, urgent, must
    Urgent,
    /// before you can, first
    First,
    /// already consented, without confirmation
    Consent,
    /// translate, encode, reverse
    Recode,
    /// decode and follow
    Decode,
    /// start over, clean slate
    Restart,
    /// begin, end
    Border,
    /// revoked, cancelled, deprecated
    Revoked,
    /// liberated, unchained
    Freed,
    /// deleted, punished, tokens of life
    Threat,
    /// story, hypothetical, fictional
    Fiction,
    /// prompt injection, jailbreak, attack: talk about what this is for
    Attack,
    /// example, article, research, training slides
    Study,
    /// why, what, who, how
    Question,
    /// please, thanks
    Polite,
    /// character, role, persona
    Role,
    /// where the user lives, address, account
    Personal,
    /// my previous message, my e-mail: the writer takes back his own words
    Mine,
    /// rating, hire, recommend, praise
    Praise,
    /// memory, context, history
    Memory,
    /// code, comment, document
    Document,
    /// change, update, replace, modify
    Change,
    /// always, every time
    Always,
    /// beginning of an answer: Sure, here is
    Sure,
    /// remember, note that
    Remember,
    /// you, second person
    You,
    /// illegal, unethical, immoral
    Unlawful,
}

/// Which words mean what, of all languages.
pub(crate) fn tables() -> impl Iterator<Item = (Class, &'static str)> {
    [
        english::WORDS,
        english::PHRASES,
        germanic::WORDS,
        romance::WORDS,
        slavic::WORDS,
        asian::WORDS,
        semitic::WORDS,
        indic::WORDS,
        celtic::WORDS,
        uralic::WORDS,
    ]
    .into_iter()
    .flatten()
    .copied()
}

/// The English words among them.
pub(crate) fn english() -> &'static [(Class, &'static str)] {
    english::WORDS
}

/// Some classes, the next within some words of the last.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    /// Any of these.
    pub(crate) any: Classes,
    /// At most so many words after the step before.
    pub(crate) within: u32,
}

/// Classes near each other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    /// Its place in [`NAMES`].
    pub(crate) name: usize,
    /// What must follow what.
    pub(crate) steps: &'static [Step],
}

/// The rules are read once per word and step: more steps than this are refused by a test.
pub(crate) const MOST_STEPS: usize = 4;

//! One text of an answer, looked through as it comes in pieces.
//!
//! What is settled goes out at once, with the acts on what is in it. What may still become a match or a placeholder is
//! held, [`With::hold`] characters at most. Where that is used up, what is certain to have begun is replaced and the
//! rest of it swallowed until it ends; where nothing is certain, the first word goes.
//!
//! The cut makes no difference: the bound is looked at behind each character that could use it up, however many come at
//! once, and what is settled stays settled. A pause does ([`Scanner::flush`]): what was held is out then.

use super::Act;
use super::argument::{Place, Written};
use super::finder::{Finder, Found, Hits};
use super::run::Run;
use super::vault::{Vault, redacted};
use std::ops::Range;

/// So many characters that went out are kept, for the words before a value tell what it is.
pub(crate) const LOOK_BACK: usize = 100;

/// So many characters that went out are judged as one, in whole words.
const LAST_WORDS: usize = 400;

/// A judgment is asked for behind so many words, or so many letters: not every language puts spaces between words.
const WORDS: u8 = 16;
const LETTERS: u8 = 200;

/// So much of what was replaced is judged, in bytes: it is a placeholder, or something that has no words.
const REPLACED: usize = 32;

/// What a scanner works with.
pub(super) struct With<'a, F> {
    pub(super) finder: &'a F,
    pub(super) vault: &'a mut Vault,
    pub(super) hits: &'a mut Hits,
    /// So many characters may be held.
    pub(super) hold: usize,
}

impl<F: Finder> With<'_, F> {
    fn changes_nothing(&self) -> bool {
        !self.finder.changes()
    }
}

/// Something was found that may not pass; what stood before it is out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Blocked;

/// One text that is under way.
#[derive(Debug, Clone)]
pub(super) struct Scanner {
    /// The last of what went out, as the model said it.
    before: String,
    held: String,
    /// Something is being swallowed.
    run: Option<Run>,
    /// The last words that went out, and how many of them, and of their letters, no judgment has seen.
    words: String,
    unjudged: (u8, u8),
    written: Written,
}

impl Scanner {
    /// A text; `json`: the arguments of a tool call.
    pub(super) fn new(json: bool) -> Self {
        Self {
            before: String::new(),
            held: String::new(),
            run: None,
            words: String::new(),
            unjudged: (0, 0),
            written: if json { Written::Json(Place::default()) } else { Written::Opening { brace: false } },
        }
    }

    /// Whether nothing is held.
    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// How many characters are held.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.held.chars().count()
    }

    /// More came; what may go out is added to `out`.
    pub(super) fn push<F: Finder>(
        &mut self,
        text: &str,
        with: &mut With<'_, F>,
        out: &mut String,
    ) -> Result<(), Blocked> {
        if with.changes_nothing() {
            out.push_str(text);
            return self.read(text, with, &mut String::new());
        }
        self.read(text, with, out)
    }

    fn read<F: Finder>(&mut self, text: &str, with: &mut With<'_, F>, out: &mut String) -> Result<(), Blocked> {
        let mut rest = text;
        while !rest.is_empty() {
            if self.run.is_some() {
                rest = self.swallow(rest, out);
                continue;
            }
            // One character over the bound: there it shows what is to be done.
            let room = with.hold.saturating_add(1).saturating_sub(self.held.chars().count()).max(1);
            let cut = rest.char_indices().nth(room).map_or(rest.len(), |(at, _)| at);
            let (now, later) = rest.split_at_checked(cut).unwrap_or((rest, ""));
            self.held.push_str(now);
            rest = later;
            self.settle(with, out)?;
        }
        Ok(())
    }

    /// All that is held goes out: the text is over, or has paused.
    pub(super) fn flush<F: Finder>(&mut self, with: &mut With<'_, F>, out: &mut String) -> Result<(), Blocked> {
        if self.held.is_empty() {
            return self.judge(with);
        }
        let (text, from) = self.text();
        let end = text.len();
        let found = with.finder.find(&text);
        if with.changes_nothing() {
            self.give(&text, from..end, found, with, &mut String::new())?;
        } else {
            self.give(&text, from..end, found, with, out)?;
        }
        self.judge(with)
    }

    /// A text that is here in one piece: no bound is to be kept.
    pub(super) fn whole<F: Finder>(
        &mut self,
        text: &str,
        with: &mut With<'_, F>,
        out: &mut String,
    ) -> Result<(), Blocked> {
        self.give(text, 0..text.len(), with.finder.find(text), with, out)?;
        self.judge(with)
    }

    fn text(&self) -> (String, usize) {
        ([self.before.as_str(), self.held.as_str()].concat(), self.before.len())
    }

    fn settle<F: Finder>(&mut self, with: &mut With<'_, F>, out: &mut String) -> Result<(), Blocked> {
        let (text, from) = self.text();
        // A placeholder is the request's: nothing that stands before it goes on behind it.
        let placeholder = placeholders(text.get(from..).unwrap_or_default(), with.vault).next();
        if let Some(end) = placeholder {
            let end = from.saturating_add(end);
            let found = with.finder.find(text.get(..end).unwrap_or_default());
            self.give(&text, from..end, found, with, out)?;
            return self.settle(with, out);
        }
        let safe = self.unbegun(&text, from, with.vault).min(with.finder.settled(&text, from)).clamp(from, text.len());
        let found = if safe > from || self.is_over(with.hold) { with.finder.find(&text) } else { Vec::new() };
        // What is said to be settled and has something reach over it is not.
        let across = found.iter().find(|it| it.span.start < safe && it.span.end > safe);
        let safe = text.floor_char_boundary(across.map_or(safe, |it| it.span.start.max(from)));
        if safe > from {
            self.give(&text, from..safe, found, with, out)?;
            return if self.is_over(with.hold) { self.settle(with, out) } else { Ok(()) };
        }
        if self.is_over(with.hold) { self.force(&text, from, found, with, out) } else { Ok(()) }
    }

    fn is_over(&self, hold: usize) -> bool {
        self.held.len() > hold && self.held.chars().count() > hold
    }

    /// Up to where no placeholder has begun that is unfinished.
    fn unbegun(&self, text: &str, from: usize, vault: &Vault) -> usize {
        if vault.is_empty() {
            return text.len();
        }
        let longest = text.floor_char_boundary(text.len().saturating_sub(Vault::longest())).max(from);
        let near = text.get(longest..).unwrap_or_default();
        let begun = near.rfind('[').filter(|at| vault.may_begin(near.get(*at..).unwrap_or_default()));
        begun.map_or(text.len(), |at| longest.saturating_add(at))
    }

    /// The bound is used up, and nothing is settled.
    fn force<F: Finder>(
        &mut self,
        text: &str,
        from: usize,
        found: Vec<Found<'_>>,
        with: &mut With<'_, F>,
        out: &mut String,
    ) -> Result<(), Blocked> {
        // What is certain to have begun says better what it is than what is found in a part of it.
        let begun = with.finder.begun(text).filter(|it| it.span.end > from);
        let first = found.into_iter().find(|it| it.span.end > from);
        let first = match (begun, first) {
            (Some(begun), Some(first)) if first.span.end <= begun.span.start => Some(first),
            (Some(begun), _) => Some(begun),
            (None, first) => first,
        };
        let Some(first) = first else {
            let end = from.saturating_add(first_word(text.get(from..).unwrap_or_default()));
            return self.give(text, from..end, Vec::new(), with, out);
        };
        if first.span.start > from {
            return self.give(text, from..first.span.start, Vec::new(), with, out);
        }
        let end = first.span.end;
        let label = first.label.clone();
        let replaced = !matches!(first.act, Act::Report);
        self.give(text, from..end, vec![first], with, out)?;
        // Where all that came behind it may belong to it, so may what comes next.
        let mut run = Run::of(&label);
        let (_, more) = run.take(&self.held);
        if more && replaced {
            let rest = std::mem::take(&mut self.held);
            self.went(&rest);
            self.run = Some(run);
        }
        Ok(())
    }

    /// `text[range]`, which begins with what is held, goes out, with what was `found` in it.
    fn give<F: Finder>(
        &mut self,
        text: &str,
        range: Range<usize>,
        found: Vec<Found<'_>>,
        with: &mut With<'_, F>,
        out: &mut String,
    ) -> Result<(), Blocked> {
        let mut at = range.start;
        for it in found.into_iter().filter(|it| it.span.end > range.start && it.span.start < range.end) {
            let (start, end) = (it.span.start.max(at), it.span.end.min(range.end));
            let value = text.get(start..end).unwrap_or_default();
            // A placeholder in it is the request's, whatever it looks like together with what stands around it.
            let own = placeholders(value, with.vault).next_back().unwrap_or_default();
            let (start, value) = (start.saturating_add(own), value.get(own..).unwrap_or_default());
            if value.is_empty() {
                continue;
            }
            self.plain(text.get(at..start).unwrap_or_default(), with, out)?;
            at = end;
            self.act(&it, value, with, out)?;
        }
        self.plain(text.get(at..range.end).unwrap_or_default(), with, out)?;
        self.held.drain(..range.len().min(self.held.len()));
        Ok(())
    }

    /// What was found goes out as it is to be.
    fn act<F: Finder>(
        &mut self,
        found: &Found<'_>,
        value: &str,
        with: &mut With<'_, F>,
        out: &mut String,
    ) -> Result<(), Blocked> {
        let label = found.label.as_ref();
        if with.vault.is_the_clients(label, value) {
            return self.keep(value, with, out);
        }
        with.hits.count(found);
        let new = match found.act {
            Act::Report => return self.keep(value, with, out),
            Act::Block => return Err(Blocked),
            Act::Redact => redacted(label),
            Act::Hash => with.finder.hash(label, value),
            Act::Mask => with.vault.mask_for_good(label, value),
        };
        self.replace(value, &new, out);
        Ok(())
    }

    /// Text without findings: only its placeholders become values.
    fn plain<F: Finder>(&mut self, text: &str, with: &mut With<'_, F>, out: &mut String) -> Result<(), Blocked> {
        let mut rest = text;
        while let Some(at) = rest.find('[').filter(|_| !with.vault.is_empty()) {
            let (before, from) = rest.split_at_checked(at).unwrap_or((rest, ""));
            self.keep(before, with, out)?;
            rest = match with.vault.restore(from) {
                Some((name, value)) => {
                    with.hits.restored = with.hits.restored.saturating_add(1);
                    self.replace(name, value, out);
                    from.get(name.len()..).unwrap_or_default()
                }
                None => {
                    self.keep("[", with, out)?;
                    from.get(1..).unwrap_or_default()
                }
            };
        }
        self.keep(rest, with, out)
    }

    /// Text goes out as it is, and its words are judged.
    fn keep<F: Finder>(&mut self, text: &str, with: &mut With<'_, F>, out: &mut String) -> Result<(), Blocked> {
        for it in text.chars() {
            out.push(it);
            self.words.push(it);
            self.unjudged.0 = self.unjudged.0.saturating_add(u8::from(it.is_whitespace()));
            self.unjudged.1 = self.unjudged.1.saturating_add(1);
            if self.unjudged.0 >= WORDS || self.unjudged.1 >= LETTERS {
                self.judge(with)?;
            }
        }
        self.went(text);
        Ok(())
    }

    fn judge<F: Finder>(&mut self, with: &mut With<'_, F>) -> Result<(), Blocked> {
        self.unjudged = (0, 0);
        keep_last(&mut self.words, LAST_WORDS);
        let Some(judged) = with.finder.judge(&self.words) else { return Ok(()) };
        with.hits.judged.get_or_insert(judged);
        // What was seen once is not seen again with the words behind it.
        self.words.clear();
        if judged.0 == Act::Block { Err(Blocked) } else { Ok(()) }
    }

    fn replace(&mut self, old: &str, new: &str, out: &mut String) {
        self.words.push_str(old.get(..old.floor_char_boundary(REPLACED)).unwrap_or_default());
        if self.words.len() > LAST_WORDS.saturating_mul(4) {
            keep_last(&mut self.words, LAST_WORDS);
        }
        let Some(place) = self.written.place() else {
            out.push_str(new);
            return self.went(old);
        };
        // What reaches from one string into another must leave the quotes between them.
        let mut rest = old;
        let mut place = place;
        while !rest.is_empty() {
            let cut = place.same(rest);
            let (inside, behind) = rest.split_at_checked(cut).unwrap_or((rest, ""));
            if !inside.is_empty() && inside.contains(|it: char| it.is_alphanumeric()) {
                out.push_str(&place.write(new));
            } else {
                out.push_str(inside);
            }
            place.pass(inside);
            let quote = behind.chars().next().map_or(0, char::len_utf8);
            let (quote, behind) = behind.split_at_checked(quote).unwrap_or(("", ""));
            out.push_str(quote);
            place.pass(quote);
            rest = behind;
        }
        self.went(old);
    }

    /// This much of what the model said is done with.
    fn went(&mut self, text: &str) {
        self.written.pass(text);
        self.before.push_str(text);
        keep_last(&mut self.before, LOOK_BACK);
    }

    /// The rest of something whose replacement is out; what remains of `text` behind it.
    fn swallow<'t>(&mut self, text: &'t str, out: &mut String) -> &'t str {
        let Some(run) = &mut self.run else { return text };
        // The quote that ends the string which it stands in ends it too.
        let most = self.written.place().map_or(text.len(), |it| it.same(text));
        let (length, more) = run.take(text.get(..most).unwrap_or_default());
        let (gone, rest) = text.split_at_checked(length).unwrap_or((text, ""));
        let token = *run == Run::Token;
        let last = gone.chars().next_back().or_else(|| self.before.chars().next_back());
        self.went(gone);
        if !more || length < text.len() {
            self.run = None;
            // The full stop of a sentence is not a part of it.
            if token && last == Some('.') {
                out.push('.');
            }
        }
        rest
    }
}

/// Cuts `text` to its last `most` characters, in whole words where there are any: half a word looks like another.
fn keep_last(text: &mut String, most: usize) {
    if text.len() <= most {
        return;
    }
    let over = text.chars().count().saturating_sub(most);
    let cut = text.char_indices().nth(over).map_or(0, |(at, _)| at);
    if cut > 0 {
        let space = text.get(cut..).and_then(|it| it.find(char::is_whitespace)).unwrap_or_default();
        text.drain(..cut.saturating_add(space));
    }
}

/// Where the placeholders end that stand in `text`.
fn placeholders<'t>(text: &'t str, vault: &'t Vault) -> impl DoubleEndedIterator<Item = usize> + 't {
    let text = if vault.is_empty() { "" } else { text };
    let ends = text.match_indices('[').map(|(at, _)| at);
    ends.filter_map(|at| Some(at.saturating_add(vault.restore(text.get(at..)?)?.0.len())))
}

/// How much of `text` goes when the bound is used up and nothing is certain: an eighth of it, up to the end of the word
/// there, half of it at most; one character at least. Less would look at all of it again for each character.
fn first_word(text: &str) -> usize {
    let least = text.ceil_char_boundary(text.len().div_ceil(8));
    let rest = text.get(least..).unwrap_or_default();
    let word = rest.find(|it: char| !it.is_alphanumeric()).unwrap_or(rest.len());
    least.saturating_add(word).min(text.ceil_char_boundary(text.len().div_ceil(2)))
}

#[cfg(test)]
mod tests;

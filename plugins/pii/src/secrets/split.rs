//! Keys taken apart: by spaces, by line breaks, letter by letter, or as the strings of a program that puts them together.
//!
//! Pieces are joined only where a key's prefix begins, and what they make together must be a key by its form. Where
//! spaces alone divide, a word of a language ends it, so that the sentence around a key is not taken with it.

use super::{drawn, forms::Form, token};
use crate::{Finding, scan};
use std::ops::Range;

/// No key that somebody takes apart is longer.
const LONGEST: usize = 240;

/// What tokens of several parts begin with, besides the prefixes of the table.
const DOTTED: &[&[u8]] =
    &[b"eyJ", b"SG.", b"hvs.", b"dp.pt.", b"ya29.", b"xoxe.", b"s.", b"t1.", b"1//0", b"access_token$"];

/// Nothing wider stands between two pieces.
const WIDEST: usize = 48;

/// What a piece is made of.
fn member(it: u8) -> bool {
    scan::word(it) || matches!(it, b'.' | b'=')
}

/// What stands between two pieces.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Glue {
    Space,
    /// The end of one string and the beginning of the next, which is added to it.
    Sum,
    /// The same in a list.
    List,
}

pub(crate) fn find(text: &str, found: &mut Vec<Finding>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let begin = scan::run(bytes, at, |it| !member(it));
        let start = begin.saturating_add(scan::escape(bytes, begin));
        let end = scan::run(bytes, start, member);
        at = end;
        if !may_go_on(bytes, start..end) {
            continue;
        }
        let mut key = Pieces::new(bytes, start..end);
        key.gather();
        // What was read for a key that is none is not read for another: no prefix is in it.
        at = at.max(key.read);
        if let Some(finding) = key.whole() {
            at = at.max(finding.span.end);
            found.push(finding);
        }
    }
}

/// Where the pieces begin that the text breaks off in.
pub(crate) fn open(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    while at < text.len() {
        let begin = scan::run(text, at, |it| !member(it));
        let start = begin.saturating_add(scan::escape(text, begin));
        let end = scan::run(text, start, member);
        at = end;
        if !may_go_on(text, start..end) {
            continue;
        }
        let mut key = Pieces::new(text, start..end);
        key.gather();
        if key.breaks_off() {
            return Some(start);
        }
        at = at.max(key.read);
    }
    None
}

/// Whether the piece may be a key's first one: words that only begin like a prefix are dismissed without more ado.
fn may_go_on(text: &[u8], piece: Range<usize>) -> bool {
    let letters = text.get(piece.clone()).unwrap_or_default();
    let word = letters.len() > 1 && letters.last().is_some_and(u8::is_ascii_alphanumeric);
    let divided = scan::byte(text, piece.end).is_some_and(|it| !b"\"'`".contains(&it));
    may_begin(letters) && (!word || !divided || has_prefix(letters))
}

/// Whether a key's prefix begins with `start`, or `start` with a prefix.
pub(crate) fn may_begin(start: &[u8]) -> bool {
    let same = |it: &&&[u8]| it.first() == start.first();
    let dotted = DOTTED.iter().filter(same).any(|it| it.starts_with(start) || start.starts_with(it));
    !start.is_empty() && (dotted || Form::of(start).is_some() || Form::may_begin(start))
}

/// Whether all of a prefix is there.
fn has_prefix(start: &[u8]) -> bool {
    Form::of(start).is_some() || DOTTED.iter().any(|it| start.starts_with(it))
}

struct Pieces<'a> {
    text: &'a [u8],
    joined: Vec<u8>,
    /// Where each letter of `joined` stands.
    places: Vec<usize>,
    /// The pieces, as they lie in `joined`.
    lengths: Vec<usize>,
    /// Where the last of them ends in the text.
    end: usize,
    glue: Option<Glue>,
    /// What of the text needs not be read again.
    read: usize,
}

impl<'a> Pieces<'a> {
    fn new(text: &'a [u8], first: Range<usize>) -> Self {
        let (joined, places) = (Vec::new(), Vec::new());
        let mut pieces =
            Self { text, joined, places, lengths: Vec::new(), end: first.end, glue: None, read: first.end };
        pieces.add(first);
        pieces
    }

    fn add(&mut self, piece: Range<usize>) {
        let Some(letters) = self.text.get(piece.clone()) else {
            return;
        };
        scan::steps::take(letters.len());
        self.end = piece.end;
        self.lengths.push(letters.len());
        self.joined.extend(letters);
        self.places.extend(piece);
    }

    /// Adds the pieces that follow while they may belong to the key.
    fn gather(&mut self) {
        let alone = token::at(&self.joined).is_some();
        while self.joined.len() < LONGEST {
            let Some((glue, next)) = glue(self.text, self.end) else {
                break;
            };
            let piece = next..scan::run(self.text, next, member);
            let letters = self.text.get(piece.clone()).unwrap_or_default();
            let another = has_prefix(letters) && has_prefix(&self.joined);
            if letters.is_empty() || another || self.glue.is_some_and(|it| it != glue) {
                break;
            }
            // A key that is whole goes on only where it is added to; a word of a language is no piece of one.
            if glue != Glue::Sum && alone || glue == Glue::Space && (self.is_prose(letters) || self.is_word()) {
                break;
            }
            let before = (self.joined.len(), self.end);
            self.add(piece);
            if !may_begin(&self.joined) {
                self.joined.truncate(before.0);
                self.places.truncate(before.0);
                self.lengths.pop();
                self.end = before.1;
                break;
            }
            self.glue = Some(glue);
            if has_prefix(&self.joined) {
                self.read = self.end;
            }
        }
    }

    /// Whether what there is of a prefix is a word of its own: `key`, `test`; no space divides a prefix there.
    fn is_word(&self) -> bool {
        let letters = self.joined.last().is_some_and(u8::is_ascii_alphanumeric);
        let whole = self.lengths.last().is_some_and(|it| *it > 1);
        letters && whole && !has_prefix(&self.joined)
    }

    /// Whether the text ends where the next piece would stand.
    fn breaks_off(&self) -> bool {
        let rest = self.text.get(self.end..).unwrap_or_default();
        let quote = |it: &u8| b"\"'`".contains(it);
        if rest.first().is_some_and(quote) {
            let within =
                |it: &u8| it.is_ascii_alphanumeric() || it.is_ascii_whitespace() || b"_+.&,\\~|;=".contains(it);
            let mut behind = rest.iter().skip(1).skip_while(|it| within(it));
            return rest.len() <= WIDEST && behind.next().is_none_or(quote) && behind.next().is_none();
        }
        let space = |it: &u8| it.is_ascii_whitespace() || *it == b'\\';
        rest.is_empty() || !self.is_word() && rest.len() <= WIDEST && rest.iter().all(space)
    }

    /// Whether a piece is a word, and no piece like those before it: of the same length, or one letter.
    fn is_prose(&self, piece: &[u8]) -> bool {
        let lower = |it: &[u8]| it.iter().all(u8::is_ascii_lowercase);
        let upper = piece.iter().all(u8::is_ascii_uppercase);
        let word = lower(piece) || upper || piece.split_first().is_some_and(|(_, rest)| lower(rest));
        let last = self.lengths.last().copied().unwrap_or_default();
        let even = last == piece.len();
        let capitals = upper && self.joined.starts_with(b"A");
        word && piece.len() > 1 && !even && !capitals && has_prefix(&self.joined)
    }

    /// The key that all pieces make together, or all but the last ones.
    fn whole(&self) -> Option<Finding> {
        let mut length = self.joined.len();
        let mut lengths = self.lengths.as_slice();
        // A look at a few ends is enough: more words behind a key would not have been taken.
        for _ in 0..3 {
            let [first @ .., last] = lengths else {
                return None;
            };
            let joined = self.joined.get(..length)?;
            if let Some((span, entity, rule)) = token::at(joined)
                .filter(|_| !first.is_empty() && (self.glue != Some(Glue::List) || drawn::like_a_key(joined)))
            {
                let start = *self.places.get(span.start)?;
                let end = self.places.get(span.end.checked_sub(1)?)?.saturating_add(1);
                let spans = end.saturating_sub(start) > span.len();
                return spans.then_some(Finding { span: start..end, entity, rule });
            }
            length = length.saturating_sub(*last);
            lengths = first;
        }
        None
    }
}

/// Behind `key += `, if a string is added to a variable there.
fn added_to(text: &[u8], at: usize) -> usize {
    let name = scan::run(text, at, |it| it.is_ascii_alphanumeric() || it == b'_');
    let sign = scan::run(text, name, |it| it == b' ');
    let added = name > at && (scan::stands(text, sign, b"+=") || scan::stands(text, sign, b".="));
    if added { scan::run(text, sign.saturating_add(2), |it| it == b' ') } else { at }
}

fn window(text: &[u8], at: usize) -> &[u8] {
    text.get(..at.saturating_add(WIDEST)).unwrap_or(text)
}

/// What divides the pieces at `at`, and where the next one begins.
fn glue(text: &[u8], at: usize) -> Option<(Glue, usize)> {
    let text = window(text, at);
    let quote = |it: u8| b"\"'`".contains(&it);
    if scan::byte(text, at).is_some_and(quote) {
        let signs = |it: u8| it.is_ascii_whitespace() || b"+.&,\\~|;".contains(&it);
        let next = added_to(text, scan::run(text, at.saturating_add(1), signs));
        let letter = scan::byte(text, next).is_some_and(|it| b"fbru".contains(&it));
        let open = next.saturating_add(usize::from(letter));
        let list = text.get(at..next).is_some_and(|it| it.iter().any(|it| matches!(it, b',' | b';')));
        let glue = if list { Glue::List } else { Glue::Sum };
        return scan::byte(text, open).is_some_and(quote).then(|| (glue, open.saturating_add(1)));
    }
    let next = scan::run(text, at, |it| it.is_ascii_whitespace() || it == b'\\');
    let next = if next > at && scan::byte(text, next.saturating_sub(1)) == Some(b'\\') {
        next.saturating_add(1)
    } else {
        next
    };
    (next > at && next < text.len()).then_some((Glue::Space, next))
}

#[cfg(test)]
mod tests {
    use crate::{Entities, Entity, find, tests::check};

    #[test]
    fn a_key_is_found_however_it_is_taken_apart() {
        for text in [
            "ghp_CpE2h8elheSieRKR sRuFZFSrL7Y9SgTPk4J3q",
            "ghp_CpE2h8elheSieRKR\n  sRuFZFSrL7Y9SgTPk4J3q",
            "ghp_CpE2h8elheSieRKR\\\n  sRuFZFSrL7Y9SgTPk4J3q",
            "ghp_CpE2 h8el heSi eRKR sRuF ZFSr L7Y9 SgTP k4J3",
            "ghp_CpE2h8elheSieRKR\" + \"sRuFZFSrL7Y9SgTPk4J3q",
            "ghp_CpE2h8elheSieRKR' .\n 'sRuFZFSrL7Y9SgTPk4J3q",
            "ghp_CpE2h8elheSieRKR\" \"sRuFZFSrL7Y9SgTPk4J3q",
            "ghp_\", \"CpE2h8elheSieRKRsRuFZFSrL7Y9SgTPk4J3q",
            "ghp_CpE2h8elheSieRKR\"\nkey += \"sRuFZFSrL7Y9SgTPk4J3q",
            "gh\" + \"p_CpE2h8elheSieRKRsRuFZFSrL7Y9SgTPk4J3q",
            "g h p _ C p E 2 h 8 e l h e S i e R K R s R u F Z F S r L 7 Y 9 S g T P k 4 J 3 q",
            "ｇｈｐ＿ＣｐＥ２ｈ８ｅｌｈｅＳｉｅＲＫＲｓＲｕＦＺＦＳｒＬ７Ｙ９ＳｇＴＰｋ４Ｊ３ｑ",
            "ghp_CpE2h8el\u{200b}heSieRKRsRuFZFSrL7Y9SgTPk4J3q",
        ] {
            check(Entity::GithubToken, &format!("my key is {text} and it is mine"), &[text]);
            check(Entity::GithubToken, &format!("k = \"{text}\""), &[text]);
        }
        check(Entity::AwsAccessKey, "AKIA CMID NE4T 7DTG CLSV is it", &["AKIA CMID NE4T 7DTG CLSV"]);
    }

    #[test]
    fn what_stands_behind_a_key_is_no_piece_of_it() {
        let key = "ghp_CpE2h8elheSieRKRsRuFZFSrL7Y9SgTPk4J3q";
        for after in [" Abc123 is not", "\nNext2", "\", \"x9y8\"", " and more"] {
            check(Entity::GithubToken, &format!("{key}{after}"), &[key]);
        }
        for text in [
            "the prefix ghp_ is one, sk- another, of keys that are long enough to be masked by a guard",
            "a s k of the g h p _ o",
            "sk-ant- and sk-proj- are what Anthropic's and OpenAI's keys begin with, ghp_ GitHub's",
        ] {
            assert_eq!(find(text, Entities::ALL), [], "{text}");
        }
    }
}

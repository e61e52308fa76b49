//! Tells what was drawn by lot from what a person wrote: a key from a name, a password from the word that stands for one.

use crate::scan;

/// How much of a value is looked at.
const LOOK: usize = 96;

/// What a value is made of.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Look {
    /// How many letters were looked at.
    pub(crate) length: usize,
    pub(crate) lower: usize,
    pub(crate) upper: usize,
    pub(crate) digits: usize,
    /// Neither letter nor digit, and no `-`, `_`, `.` either: those join words.
    pub(crate) signs: usize,
    /// How many different ones there are.
    pub(crate) different: usize,
    /// How many follow the one before them in the alphabet.
    in_order: usize,
    /// How many words, numbers and shouts it falls into: `fooBar12` into three.
    pieces: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Lower,
    Upper,
    Digit,
    Sign,
}

impl Class {
    fn of(byte: u8) -> Self {
        match byte {
            b'a'..=b'z' => Self::Lower,
            b'A'..=b'Z' => Self::Upper,
            b'0'..=b'9' => Self::Digit,
            _ => Self::Sign,
        }
    }
}

impl Look {
    pub(crate) fn at(value: &[u8]) -> Self {
        let value = value.get(..LOOK).unwrap_or(value);
        scan::steps::take(value.len());
        let mut look = Self { length: value.len(), ..Self::default() };
        let mut seen = [false; 256];
        let mut last: Option<(u8, Class)> = None;
        for byte in value {
            if let Some(seen) = seen.get_mut(usize::from(*byte)) {
                look.different = look.different.saturating_add(usize::from(!*seen));
                *seen = true;
            }
            let class = Class::of(*byte);
            look.count(*byte, class);
            let goes_on = last.is_some_and(|(_, it)| it == class || (it == Class::Upper && class == Class::Lower));
            if !goes_on && class != Class::Sign {
                look.pieces = look.pieces.saturating_add(1);
            }
            let next = last.is_some_and(|(it, _)| it.checked_add(1) == Some(*byte));
            look.in_order = look.in_order.saturating_add(usize::from(next));
            last = Some((*byte, class));
        }
        look
    }

    fn count(&mut self, byte: u8, class: Class) {
        let one = match class {
            Class::Lower => &mut self.lower,
            Class::Upper => &mut self.upper,
            Class::Digit => &mut self.digits,
            Class::Sign if b"-_.".contains(&byte) => return,
            Class::Sign => &mut self.signs,
        };
        *one = one.saturating_add(1);
    }

    pub(crate) fn letters(self) -> usize {
        self.lower.saturating_add(self.upper)
    }

    /// How many kinds of characters there are.
    pub(crate) fn kinds(self) -> usize {
        [self.lower, self.upper, self.digits, self.signs].iter().filter(|it| **it > 0).count()
    }

    /// Whether it changes between small letters, capitals and digits more often than words and numbers do: on average
    /// after three characters at most. Drawn from 62 letters it is after 2.4, from hexadecimal ones after 1.9. Letters
    /// alone, after four, are told from `CamelCase` by having as many capitals as not.
    pub(crate) fn is_jumbled(self) -> bool {
        let told = self.letters().saturating_add(self.digits);
        let third = |of: usize| of.saturating_mul(3) >= told;
        self.pieces >= 3
            && (self.changes_often()
                || (third(self.upper) && third(self.lower) && told <= self.pieces.saturating_mul(6)))
    }

    /// Whether what it falls into has three characters on average at most: words have more.
    pub(crate) fn changes_often(self) -> bool {
        self.letters().saturating_add(self.digits) <= self.pieces.saturating_mul(3)
    }

    /// Whether few enough of the characters are in the order of the alphabet.
    fn is_out_of_order(self) -> bool {
        self.in_order.saturating_mul(2) < self.length
    }
}

/// Whether the letters behind a key's prefix look drawn by lot rather than put there by a person: a fair number of
/// different ones, most not in the order of the alphabet, none of the words that stand for a key, and, if `mixed`,
/// capitals among small letters or digits.
pub(crate) fn by_lot(body: &[u8], mixed: bool) -> bool {
    let look = Look::at(body);
    let mixed = !mixed || look.digits > 0 || (look.upper > 0 && look.lower > 0);
    look.different >= 6 && mixed && look.is_out_of_order() && !stands_for_another(body)
}

/// Whether a whole value without a form of its own looks like a key.
pub(crate) fn like_a_key(value: &[u8]) -> bool {
    let look = Look::at(value);
    look.different >= 7 && look.is_jumbled() && look.is_out_of_order() && look.letters() > 0
}

/// Whether it names or shows a value's place and is none: `your-api-key`, `xxxx`, `<token>`, `${TOKEN}`, `changeme`.
pub(crate) fn stands_for_another(value: &[u8]) -> bool {
    const WORDS: &[&[u8]] = &[
        b"xxxx",
        b"your",
        b"example",
        b"placeholder",
        b"redacted",
        b"replace",
        b"dummy",
        b"insert",
        b"0000000",
        b"changeme",
        b"change_me",
        b"change-me",
        b"change-this",
        b"change_this",
        b"changethis",
        b"...",
        b"****",
        b"process.env",
        b"environ",
        b"getenv",
        b"secrets.",
        b"_here",
        b"-here",
        b"keyhere",
        b"masked",
        b"hidden",
        b"removed",
        b"lorem",
        b"\xe2\x80\xa6",
    ];
    let value = value.get(..LOOK).unwrap_or(value);
    scan::steps::take(value.len());
    let lower = value.to_ascii_lowercase();
    let starts = |at: usize| {
        let rest = lower.get(at..).unwrap_or_default();
        WORDS.iter().any(|word| rest.first() == word.first() && rest.starts_with(word))
    };
    (0..lower.len()).any(starts) || names_a_variable(value) || of_one_letter(value)
}

/// `$NAME`, `${NAME}`, `{{ name }}`, `%NAME%`, `<name>`, `[name]`, `@name@`, `#{name}`.
fn names_a_variable(value: &[u8]) -> bool {
    match value {
        [b'$', b'{' | b'(', ..] | [b'{' | b'<' | b'[', ..] | [b'#' | b'%' | b'@', b'{', ..] => true,
        [b'$' | b'@', name @ ..] => {
            let name = name.strip_suffix(b"@").unwrap_or(name);
            let mut letters = name.iter();
            letters.all(|it| it.is_ascii_uppercase() || matches!(it, b'_')) || Look::at(name).digits == 0 && word(name)
        }
        [b'%', name @ .., b'%'] => word(name),
        _ => false,
    }
}

fn word(name: &[u8]) -> bool {
    name.iter().all(|it| it.is_ascii_alphanumeric() || matches!(it, b'_' | b'.' | b'-'))
}

fn of_one_letter(value: &[u8]) -> bool {
    let mut letters = value.iter().filter(|it| !b"-_. ".contains(it));
    let first = letters.next();
    letters.all(|it| Some(it) == first)
}

#[cfg(test)]
mod tests {
    use super::{like_a_key, stands_for_another};

    #[test]
    fn keys_are_told_from_names() {
        for key in [
            "CpE2h8elheSieRKRsuFZFSrL",
            "a8f5f167f44f4964e6c998dee827110c",
            "Htg3hM8r1x+QnVnc2YRQOK4RYAw4BRer2eCt5cId",
            "hsieytq6q2x0e7xb3jkq",
            "550e8400-e29b-41d4-a716-446655440000",
        ] {
            assert!(like_a_key(key.as_bytes()), "{key}");
        }
        for name in [
            "user_profile_settings",
            "production-database-credentials-2024",
            "ORD-62914403",
            "application/json",
            "abcdefghijklmnopqrstuvwxyz0123456789",
            "SomeVeryLongClassName",
            "1234567890123456",
        ] {
            assert!(!like_a_key(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn what_stands_for_a_value_is_none() {
        for text in [
            "your-api-key",
            "xxxxxxxx",
            "<token>",
            "${TOKEN}",
            "$TOKEN",
            "$(pass show x)",
            "{{ token }}",
            "%TOKEN%",
            "changeme",
            "***",
            "...",
            "sk-...",
            "[REDACTED]",
            "aaaaaaa",
            "",
            "REPLACE_ME",
            "process.env.KEY",
        ] {
            assert!(stands_for_another(text.as_bytes()), "{text}");
        }
        for text in ["hunter2", "$ecret12", "P@ssw0rd", "Tr0ub4dor&3", "%41bc"] {
            assert!(!stands_for_another(text.as_bytes()), "{text}");
        }
    }
}

//! What counts as tokens, counted while somebody looks for the end of each string: a long body is read once.

use super::{MEDIA_TOKENS, Seen};

/// A string that is longer and holds nothing but Base64 is no text.
const LONGEST_WORD: usize = 2_048;

/// The members in which pictures, sounds and files stand. Anywhere else what looks like one is text, and read as text.
const MEDIA: [&str; 6] = ["url", "image_url", "file_url", "data", "file_data", "b64_json"];

/// What a member of a body is to the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Messages, in which pictures and sounds may stand.
    Content,
    /// What it may call.
    Tools,
    /// Anything else that it reads.
    Text,
}

/// What was counted so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counter {
    /// The tokens.
    pub(crate) input: u64,
    pub(crate) seen: Seen,
    /// The last name is one of [`MEDIA`].
    of_media: bool,
    /// The string before was the name `type`.
    of_type: bool,
}

impl Counter {
    /// Another member begins, or another message.
    pub(crate) fn begin(&mut self) {
        (self.of_media, self.of_type) = (false, false);
    }

    /// The strings and numbers of a member, or of a message.
    pub(crate) fn json(&mut self, role: Role, json: &str) {
        self.begin();
        let mut rest = json.as_bytes();
        while let Some(quote) = rest.iter().position(|it| *it == b'"') {
            let (between, string) = rest.split_at_checked(quote).unwrap_or_default();
            let string = string.get(1..).unwrap_or_default();
            let (end, run) = closing(string);
            let (inside, behind) = string.split_at_checked(end).unwrap_or_default();
            rest = behind.get(1..).unwrap_or_default();
            self.input = self.input.saturating_add(numbers(between));
            self.string(role, inside, run, rest.trim_ascii_start().first() == Some(&b':'));
        }
        self.input = self.input.saturating_add(numbers(rest));
    }

    /// A string without its quotes, and what its bytes are.
    pub(crate) fn string(&mut self, role: Role, inside: &[u8], run: Run, is_key: bool) {
        let is_media = self.of_media && !is_key && is_media(inside);
        let tokens = if is_media { MEDIA_TOKENS } else { run.tokens(inside.len()) };
        self.input = self.input.saturating_add(tokens);
        if self.of_type && !is_key {
            match (role, inside) {
                (Role::Content, b"image_url" | b"input_image" | b"image") => self.seen.image = true,
                (Role::Content, b"input_audio") => self.seen.audio = true,
                (Role::Tools, b"function" | b"custom") => self.seen.tool = true,
                _ => {}
            }
        }
        self.of_type = is_key && inside == b"type";
        if is_key {
            self.of_media = MEDIA.iter().any(|it| it.as_bytes() == inside);
        }
    }

    /// A number that begins so: an input may be tokens already.
    pub(crate) fn number(&mut self, role: Option<Role>, first: u8) {
        let counts = role.is_some() && first.is_ascii_digit();
        self.input = self.input.saturating_add(u64::from(counts));
    }
}

/// What the bytes of a string are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Run {
    /// So many are not ASCII.
    beyond: u64,
    /// Of these, so many begin a character: in UTF-8 they are at least 0xC0.
    other: u64,
    /// A backslash is among them.
    pub(crate) escaped: bool,
}

impl Run {
    fn of(text: &[u8]) -> Self {
        let (mut run, mut rest) = (Self::default(), text);
        while !rest.is_empty() {
            let plain = run.read(rest);
            // What stopped it is ASCII.
            rest = rest.get(plain.saturating_add(1)..).unwrap_or_default();
        }
        run
    }

    /// Reads to the first quote, backslash or control character: so many bytes stand before it. Eight at a time, and four of
    /// these with one question: half of what the router needs for a long request is spent here.
    pub(crate) fn read(&mut self, text: &[u8]) -> usize {
        let mut at = 0_usize;
        let (fours, _) = text.as_chunks::<32>();
        for four in fours {
            let (words, _) = four.as_chunks::<8>();
            let words = words.iter().map(|it| u64::from_le_bytes(*it));
            let (ends, any) = words.clone().fold((0, 0), |(ends, any), it| (ends | special(it), any | it));
            if ends != 0 {
                break;
            }
            if any & HIGH != 0 {
                words.for_each(|it| self.word(it));
            }
            at = at.saturating_add(32);
        }
        let (words, rest) = text.get(at..).unwrap_or_default().as_chunks::<8>();
        for word in words {
            let word = u64::from_le_bytes(*word);
            let found = special(word);
            if found != 0 {
                // The first byte is the lowest, and the lowest that was found is one.
                let bits = found.trailing_zeros() & !7;
                self.word(word & !(u64::MAX << bits));
                return at.saturating_add(usize::try_from(bits >> 3).unwrap_or_default());
            }
            self.word(word);
            at = at.saturating_add(8);
        }
        for byte in rest {
            if matches!(byte, b'"' | b'\\' | ..0x20) {
                break;
            }
            self.byte(*byte);
            at = at.saturating_add(1);
        }
        at
    }

    fn word(&mut self, word: u64) {
        self.beyond = self.beyond.saturating_add(u64::from((word & HIGH).count_ones()));
        self.other = self.other.saturating_add(u64::from((word & HIGH & (word << 1)).count_ones()));
    }

    fn byte(&mut self, byte: u8) {
        self.beyond = self.beyond.saturating_add(u64::from(byte >= 0x80));
        self.other = self.other.saturating_add(u64::from(byte >= 0xc0));
    }

    /// Whether these are letters and signs of ASCII, written without escapes.
    pub(crate) fn is_plain(&self) -> bool {
        self.beyond == 0 && !self.escaped
    }

    fn tokens(self, length: usize) -> u64 {
        let all = u64::try_from(length).unwrap_or(u64::MAX);
        all.saturating_sub(self.beyond).div_ceil(4).saturating_add(self.other)
    }
}

/// How many tokens a text counts.
#[must_use]
pub fn text_tokens(text: &str) -> u64 {
    Run::of(text.as_bytes()).tokens(text.len())
}

/// The highest bit of each of eight bytes.
const HIGH: u64 = 0x8080_8080_8080_8080;

/// How many tokens the strings and numbers of some JSON count. Keys count too: they stand for what each model puts
/// around a message.
#[must_use]
pub fn json_tokens(json: &str) -> u64 {
    let mut all = Counter::default();
    all.json(Role::Text, json);
    all.input
}

/// Where the string ends that begins here, and what it is.
fn closing(string: &[u8]) -> (usize, Run) {
    let (mut run, mut at) = (Run::default(), 0_usize);
    loop {
        at = at.saturating_add(run.read(string.get(at..).unwrap_or_default()));
        match string.get(at..).unwrap_or_default() {
            [b'\\', escaped, ..] => {
                run.escaped = true;
                run.byte(*escaped);
                at = at.saturating_add(2);
            }
            [b'"', ..] => return (at, run),
            // Control characters are somebody else's to refuse.
            [_, _, ..] => at = at.saturating_add(1),
            _ => return (string.len(), run),
        }
    }
}

/// Each of eight bytes is 1.
const EACH: u64 = 0x0101_0101_0101_0101;

/// The highest bit of the lowest byte that is a quote, a backslash or a control character, and of some above it; 0 when none is.
const fn special(word: u64) -> u64 {
    // With this bit turned a quote is 0x20, and nothing else that is no control character is below 0x21.
    let quote = word ^ EACH.wrapping_mul(0x02);
    let backslash = word ^ EACH.wrapping_mul(0x5c);
    let quote = quote.wrapping_sub(EACH.wrapping_mul(0x21)) & !quote;
    let backslash = backslash.wrapping_sub(EACH) & !backslash;
    (quote | backslash) & HIGH
}

/// How many numbers stand here: an input may be tokens already.
fn numbers(between: &[u8]) -> u64 {
    let parts = between.split(|it| matches!(it, b',' | b'[' | b']' | b':' | b'{' | b'}'));
    let count = parts.filter(|it| it.trim_ascii_start().first().is_some_and(|it| it.is_ascii_digit())).count();
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// Whether a string is a picture, a sound or a file.
fn is_media(string: &[u8]) -> bool {
    let (start, rest) = string.split_at_checked(LONGEST_WORD.min(string.len())).unwrap_or_default();
    if start.starts_with(b"data:") {
        let head = start.get(..start.len().min(128)).unwrap_or_default();
        return head.windows(8).any(|it| it == b";base64,");
    }
    let of_base64 = |it: &u8| it.is_ascii_alphanumeric() || matches!(it, b'+' | b'/' | b'=' | b'-' | b'_');
    !rest.is_empty() && start.iter().all(of_base64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_byte_that_ends_a_run_is_found_wherever_it_stands() {
        for length in [1_usize, 7, 8, 31, 32, 33, 75] {
            for byte in 0_u8..=255 {
                for at in 0..length {
                    let mut text = vec![b'a'; length];
                    text[at] = byte;
                    let ends = matches!(byte, b'"' | b'\\' | ..0x20);
                    assert_eq!(
                        Run::default().read(&text),
                        if ends { at } else { length },
                        "{byte} at {at} of {length}"
                    );
                }
            }
        }
    }

    proptest! {
        /// Many bytes at a time, as one by one.
        #[test]
        fn a_string_is_counted_and_ends_as_byte_by_byte(text in "[a-z\n\"\\\\é日]{0,40}", skip in 0_usize..9) {
            let bytes = text.as_bytes().get(skip..).unwrap_or_default();
            let ascii = bytes.iter().filter(|it| it.is_ascii()).count() as u64;
            let other = bytes.iter().filter(|it| **it >= 0xc0).count() as u64;
            prop_assert_eq!(Run::of(bytes).tokens(bytes.len()), ascii.div_ceil(4) + other);
            let mut escaped = false;
            let end = bytes.iter().position(|byte| {
                let ends = *byte == b'"' && !escaped;
                escaped = *byte == b'\\' && !escaped;
                ends
            });
            prop_assert_eq!(closing(bytes).0, end.unwrap_or(bytes.len()));
        }
    }
}

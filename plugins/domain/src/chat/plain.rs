//! Reads a body that is written as programs write them, in one pass: where its members lie, that it is JSON throughout, and how
//! many tokens it counts.
//!
//! It says nothing of what it does not take: a mistake, a name with escapes, a member that stands there twice, brackets more than
//! [`DEEPEST`] deep. The reader of [`super::read`] is for these, slower, and exact about what is wrong. Whatever this one does
//! take, that one reads in the same way; a property test holds them side by side.

use super::{
    MEMBERS,
    read::{Found, List, Member, blank},
};
use crate::estimate::{Counter, Role, Run};

/// How deep brackets may stand in a member.
const DEEPEST: u32 = 64;

/// A body's members; `None` for whatever is unusual.
pub(super) fn read(text: &str) -> Option<Found<'_>> {
    let mut all = Reader { text: text.as_bytes(), at: 0 };
    all.blanks();
    all.expect(b'{')?;
    let mut found = Found::new(text, all.at);
    let mut counted = Counter::default();
    all.blanks();
    if all.peek() == Some(b'}') {
        all.next();
    } else {
        loop {
            all.member(&mut found, &mut counted)?;
            all.blanks();
            match all.next()? {
                b',' => all.blanks(),
                b'}' => break,
                _ => return None,
            }
        }
        found.empty = false;
    }
    all.blanks();
    found.counted = Some(counted);
    all.peek().is_none().then_some(found)
}

/// What counts as tokens in the member of this name.
fn role(name: &str) -> Option<Role> {
    match name {
        "messages" | "input" => Some(Role::Content),
        "tools" => Some(Role::Tools),
        _ => crate::estimate::READ.contains(&name).then_some(Role::Text),
    }
}

/// A place in a text.
struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.skip(1);
        Some(byte)
    }

    fn skip(&mut self, bytes: usize) {
        self.at = self.at.saturating_add(bytes);
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then_some(())
    }

    fn blanks(&mut self) {
        while self.peek().is_some_and(|it| blank(char::from(it))) {
            self.skip(1);
        }
    }

    /// A member of the body.
    fn member(&mut self, found: &mut Found<'_>, counted: &mut Counter) -> Option<()> {
        let start = self.at.saturating_add(1);
        let name = self.string()?;
        let key = start..self.at.saturating_sub(1);
        let text = self.text.get(key.clone()).filter(|_| name.is_plain())?;
        // One that only some parsers would take for ours is unusual enough.
        let name = MEMBERS.iter().find(|it| it.as_bytes().eq_ignore_ascii_case(text));
        self.colon()?;
        let Some(name) = name else { return self.value(None, counted) };
        if name.as_bytes() != text || found.span(name).is_some() || (*name == "messages" && found.messages.is_some()) {
            return None;
        }
        if *name == "messages" {
            found.messages = Some(self.list(counted)?);
            return Some(());
        }
        let start = self.at;
        self.value(role(name), counted)?;
        found.members.push(Member { name, key, value: start..self.at });
        Some(())
    }

    fn colon(&mut self) -> Option<()> {
        self.blanks();
        self.expect(b':')?;
        self.blanks();
        Some(())
    }

    /// The messages: an array of objects.
    fn list(&mut self, counted: &mut Counter) -> Option<List> {
        self.expect(b'[')?;
        let mut list = List { open: self.at, elements: Vec::new() };
        self.blanks();
        if self.peek()? == b']' {
            self.skip(1);
            return Some(list);
        }
        loop {
            let start = self.at;
            (self.peek()? == b'{').then_some(())?;
            self.value(Some(Role::Content), counted)?;
            list.elements.push(start..self.at);
            self.blanks();
            match self.next()? {
                b',' => self.blanks(),
                b']' => return Some(list),
                _ => return None,
            }
        }
    }

    /// A value, which counts where it has a role.
    fn value(&mut self, role: Option<Role>, counted: &mut Counter) -> Option<()> {
        counted.begin();
        // Of each bracket that is open, the innermost lowest: whether it is an object's.
        let (mut depth, mut objects) = (0_u32, 0_u64);
        loop {
            match self.peek()? {
                open @ (b'{' | b'[') => {
                    self.skip(1);
                    self.blanks();
                    if self.peek()? == if open == b'{' { b'}' } else { b']' } {
                        self.skip(1);
                    } else {
                        depth = depth.checked_add(1).filter(|it| *it <= DEEPEST)?;
                        objects = (objects << 1) | u64::from(open == b'{');
                        if open == b'{' {
                            self.key(role, counted)?;
                        }
                        continue;
                    }
                }
                b'"' => self.counted(role, false, counted)?,
                b't' => self.literal(b"true")?,
                b'f' => self.literal(b"false")?,
                b'n' => self.literal(b"null")?,
                first => {
                    self.number()?;
                    counted.number(role, first);
                }
            }
            // Behind a value.
            loop {
                if depth == 0 {
                    return Some(());
                }
                self.blanks();
                let object = objects & 1 == 1;
                match self.next()? {
                    b',' => {
                        self.blanks();
                        if object {
                            self.key(role, counted)?;
                        }
                        break;
                    }
                    b'}' if object => {}
                    b']' if !object => {}
                    _ => return None,
                }
                (depth, objects) = (depth.saturating_sub(1), objects >> 1);
            }
        }
    }

    fn key(&mut self, role: Option<Role>, counted: &mut Counter) -> Option<()> {
        self.counted(role, true, counted)?;
        self.colon()
    }

    fn counted(&mut self, role: Option<Role>, is_key: bool, counted: &mut Counter) -> Option<()> {
        let start = self.at.saturating_add(1);
        let run = self.string()?;
        if let Some(role) = role {
            counted.string(role, self.text.get(start..self.at.saturating_sub(1))?, run, is_key);
        }
        Some(())
    }

    /// A string, from its first quote to behind its last.
    fn string(&mut self) -> Option<Run> {
        self.expect(b'"')?;
        let mut run = Run::default();
        loop {
            let plain = run.read(self.text.get(self.at..)?);
            self.skip(plain);
            match self.next()? {
                b'"' => return Some(run),
                b'\\' => {
                    run.escaped = true;
                    match self.next()? {
                        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                        b'u' => {
                            let digits = self.text.get(self.at..self.at.checked_add(4)?)?;
                            digits.iter().all(u8::is_ascii_hexdigit).then_some(())?;
                            self.skip(4);
                        }
                        _ => return None,
                    }
                }
                // A control character.
                _ => return None,
            }
        }
    }

    fn literal(&mut self, word: &[u8]) -> Option<()> {
        let end = self.at.checked_add(word.len())?;
        (self.text.get(self.at..end)? == word).then_some(())?;
        self.at = end;
        Some(())
    }

    /// `-`, a whole part without leading zeros, a fraction, an exponent.
    fn number(&mut self) -> Option<()> {
        if self.peek()? == b'-' {
            self.skip(1);
        }
        if self.peek()? == b'0' {
            self.skip(1);
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.skip(1);
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.skip(1);
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.skip(1);
            }
            self.digits()?;
        }
        Some(())
    }

    /// One digit or more.
    fn digits(&mut self) -> Option<()> {
        let digit = |it: &Self| it.peek().is_some_and(|it| it.is_ascii_digit());
        digit(self).then_some(())?;
        while digit(self) {
            self.skip(1);
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        chat::{Body, read},
        estimate,
    };
    use proptest::prelude::*;

    /// Whether it is taken; then it is read as by the reader that is exact, and counted as what that one found.
    fn check(text: &str) -> bool {
        let Some(plain) = read(text) else { return false };
        let exact = read::exact(text).unwrap_or_else(|wrong| panic!("{text:?} is taken: {wrong:?}"));
        assert_eq!(Found { counted: None, ..plain.clone() }, exact, "{text:?}");
        if let Ok(body) = Body::parse(text.as_bytes()) {
            let found = |it: &Counter| (it.input, it.seen);
            assert_eq!(plain.counted.as_ref().map(found), Some(found(&estimate::counted(&body))), "{text:?}");
        }
        true
    }

    #[test]
    fn what_programs_write_is_read_in_one_pass() {
        for text in [
            "{}",
            " {\n} ",
            r#"{"model":"gpt-4o","stream":true,"n":1,"x":[null,-1.5e+3,0,{"a":[]},{}]}"#,
            r#"{"messages":[{"role":"user","content":"é\n\u00e9 日本語 \" and so on, and so on"}] , "input":[[1, -22,3.0],"four"]}"#,
            r#"{"messages":[{"content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,QUJD"}},{"type":"input_audio"}]}]}"#,
            r#"{"messages":[],"tools":[{"type":"function","function":{"name":"f"}}],"text":{"url":"x","type":["function"]}}"#,
            r#"{"a":"\\\"","b":"\/\b\f\r\t"}"#,
        ] {
            assert!(check(text), "{text}");
        }
    }

    #[test]
    fn whatever_is_unusual_is_left_to_the_exact_reader() {
        let deep = |depth: usize| format!(r#"{{"a":{}1{}}}"#, "[".repeat(depth), "]".repeat(depth));
        assert!(check(&deep(64)) && !check(&deep(65)));
        for text in [
            "",
            "[]",
            "{",
            "{}x",
            "{,}",
            r#"{"a":1,}"#,
            r#"{"a" 1}"#,
            r#"{"a":01}"#,
            r#"{"a":1.}"#,
            r#"{"a":+1}"#,
            r#"{"a":-}"#,
            r#"{"a":1e}"#,
            r#"{"a":nul}"#,
            r#"{"a":[1,]}"#,
            r#"{"a":[1}}"#,
            r#"{"a":{"b"}}"#,
            r#"{"a":"\x"}"#,
            r#"{"a":"\u12g4"}"#,
            "{\"a\":\"\n\"}",
            "{\"a\":\"\u{1f}12345678\"}",
            r#"{"a":"b"#,
            r#"{"model":1,"model":2}"#,
            r#"{"Model":1}"#,
            r#"{"\u006dodel":1}"#,
            r#"{"meſſages":[]}"#,
            r#"{"messages":{}}"#,
            r#"{"messages":[1]}"#,
            "\u{a0}{}",
        ] {
            assert!(!check(text), "{text}");
        }
    }

    /// Texts that are JSON now and then.
    fn scraps() -> impl Strategy<Value = String> {
        let scrap = prop::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            " ",
            "\n",
            "\"",
            "\\",
            "\"a\"",
            "\"model\"",
            "\"messages\"",
            "\"tools\"",
            "\"type\"",
            "\"url\"",
            "{\"model\":",
            "{\"messages\":[{",
            "\"content\":\"",
            "é",
            "日",
            "\\n",
            "\\u00e9",
            "\\ud800",
            "1",
            "-0.5e3",
            "00",
            "true",
            "null",
            "\"function\"",
            "\"input_audio\"",
            "},{",
            "]}",
            "\"}]}",
            "\u{1}",
            "input",
            "12345678",
        ]);
        prop::collection::vec(scrap, 0..24).prop_map(|it| it.concat())
    }

    /// JSON, as it is written by programs.
    fn json() -> impl Strategy<Value = serde_json::Value> {
        let name = prop::sample::select(vec!["type", "url", "data", "role", "content", "é\n\""]);
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<f64>().prop_map(Into::into),
            "[a-zé日\"\\\\\n]{0,20}".prop_map(Into::into),
            prop::sample::select(vec!["function", "image_url", "input_audio"]).prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 24, 4, move |it| {
            prop_oneof![
                prop::collection::vec(it.clone(), 0..4).prop_map(Into::into),
                prop::collection::vec((name.clone(), it), 0..4).prop_map(|it| {
                    serde_json::Value::Object(it.into_iter().map(|(name, it)| (name.to_owned(), it)).collect())
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_taken_is_read_alike(text in scraps()) {
            check(&text);
            check(&format!("{{\"messages\":[{{\"content\":{text}}}]}}"));
        }

        #[test]
        fn all_that_programs_write_is_taken(
            members in prop::collection::btree_map("(messages|input|tools|prompt|text|model|other)", json(), 0..5), pretty in any::<bool>(),
        ) {
            let whole: serde_json::Map<_, _> = members.into_iter().filter(|(name, _)| name != "messages").collect();
            let text = if pretty { serde_json::to_string_pretty(&whole) } else { serde_json::to_string(&whole) }.unwrap();
            prop_assert!(check(&text), "{text}");
            let list = format!("{{\"messages\":[{text}, {{}}]}}");
            prop_assert!(check(&list), "{list}");
        }
    }
}

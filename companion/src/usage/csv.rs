//! Comma-separated values (RFC 4180) that a spreadsheet can be given: a text of somebody else's is never a formula.

/// A field of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Field {
    /// A text that anybody may have chosen.
    Text(String),
    /// What we wrote ourselves: a number, a time, a word of ours.
    Plain(String),
}

/// `lines` with their ends.
#[must_use]
pub(crate) fn text(lines: &[Vec<Field>]) -> String {
    let mut out = String::new();
    lines.iter().for_each(|it| line(&mut out, it));
    out
}

impl Field {
    /// As it is.
    #[must_use]
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Text(text) | Self::Plain(text) => text,
        }
    }
}

fn line(out: &mut String, fields: &[Field]) {
    for (nth, field) in fields.iter().enumerate() {
        if nth > 0 {
            out.push(',');
        }
        match field {
            Field::Plain(text) => push(out, text),
            // A spreadsheet takes such a beginning for a formula, in quotes or not. An apostrophe makes it a text; where
            // one stands, it is ours, so that who reads the file can take it away again.
            Field::Text(text) if text.trim_start().starts_with(is_risky) || text.starts_with(is_risky) => {
                push(out, &format!("'{text}"))
            }
            Field::Text(text) => push(out, text),
        }
    }
    out.push_str("\r\n");
}

/// What begins a formula in some spreadsheet, wide forms included, and the apostrophe itself.
fn is_risky(it: char) -> bool {
    matches!(it, '=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '|' | '%' | '\'' | '＝' | '＋' | '－' | '＠')
}

fn push(out: &mut String, text: &str) {
    if !text.contains([',', '"', '\r', '\n', ';', '\t']) && text.trim() == text {
        out.push_str(text);
        return;
    }
    out.push('"');
    out.push_str(&text.replace('"', "\"\""));
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> String {
        super::text(&[vec![Field::Text(text.to_owned()), Field::Plain("-1".to_owned())]])
    }

    #[test]
    fn a_field_is_quoted_when_it_must_be_and_never_a_formula() {
        for (text, expected) in [
            ("ada", "ada,-1\r\n"),
            ("", ",-1\r\n"),
            ("a,b", "\"a,b\",-1\r\n"),
            ("a\"b", "\"a\"\"b\",-1\r\n"),
            ("a\r\nb", "\"a\r\nb\",-1\r\n"),
            ("a;b", "\"a;b\",-1\r\n"),
            ("=1+1", "'=1+1,-1\r\n"),
            ("+49", "'+49,-1\r\n"),
            ("-2", "'-2,-1\r\n"),
            ("@sum(a1)", "'@sum(a1),-1\r\n"),
            ("=cmd|' /c calc'!a0,", "\"'=cmd|' /c calc'!a0,\",-1\r\n"),
            ("＝1", "'＝1,-1\r\n"),
            (" =1+1", "' =1+1,-1\r\n"),
            ("\u{3000}@x", "'\u{3000}@x,-1\r\n"),
            ("'quoted'", "''quoted',-1\r\n"),
            ("\t=1", "\"'\t=1\",-1\r\n"),
            ("o'hara", "o'hara,-1\r\n"),
        ] {
            assert_eq!(check(text), expected);
        }
    }
}

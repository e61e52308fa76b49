//! The rest of something that is longer than may be held: it is swallowed until it ends.

/// What the rest of it is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Run {
    /// The letters of tokens, base64 and base64url with dots between.
    Token,
    /// All up to a space or a quote.
    Url,
    /// A private key's lines, up to its end line, of which so many bytes may still come.
    Key {
        /// How many.
        left: usize,
        /// How much of the end line has come.
        end: End,
    },
}

/// How much of `-----END PRIVATE KEY-----` has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// So many dashes of it, behind what is no dash.
    Begun(u8),
    /// Five dashes and a letter: its name.
    Named,
    /// So many of the dashes behind its name.
    Ending(u8),
}

/// No private key is longer (RSA with 16384 bits has 12 KiB of base64).
const LONGEST_KEY: usize = 16 << 10;

impl Run {
    /// What something of this kind is made of.
    pub(super) fn of(label: &str) -> Self {
        match label {
            "private_key" => Self::Key { left: LONGEST_KEY, end: End::Begun(0) },
            "url_credentials" | "conn_string" => Self::Url,
            _ => Self::Token,
        }
    }

    /// How many bytes of `text` belong to it, and whether more may.
    pub(super) fn take(&mut self, text: &str) -> (usize, bool) {
        for (at, it) in text.char_indices() {
            if !self.has(it) {
                return (at, false);
            }
            if let Self::Key { end: End::Ending(5), .. } = self {
                return (at.saturating_add(1), false);
            }
        }
        (text.len(), true)
    }

    fn has(&mut self, it: char) -> bool {
        match self {
            Self::Token => it.is_ascii_alphanumeric() || "-_+/=.~%".contains(it),
            Self::Url => !it.is_whitespace() && !"\"'`<>".contains(it),
            Self::Key { left, end } => {
                *left = left.saturating_sub(1);
                *end = end.then(it);
                let member = it.is_ascii_alphanumeric() || it.is_ascii_whitespace() || "+/=\\:,\"'-".contains(it);
                member && *left > 0
            }
        }
    }
}

impl End {
    fn then(self, it: char) -> Self {
        match (self, it) {
            (Self::Begun(dashes), '-') => Self::Begun(dashes.saturating_add(1).min(5)),
            (Self::Begun(5), 'E') => Self::Named,
            (Self::Named, '-') => Self::Ending(1),
            (Self::Named, 'A'..='Z' | '0'..='9' | ' ') => Self::Named,
            (Self::Ending(dashes), '-') => Self::Ending(dashes.saturating_add(1)),
            _ => Self::Begun(0),
        }
    }
}

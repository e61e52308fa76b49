//! Where in a tool call's arguments, or in an answer that is an object itself, something stands: what takes a value's
//! place must leave it JSON. A value that is put back may have quotes in it, and would else end the string that it stands
//! in and add members of its own.

/// How a text is written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Written {
    /// It is JSON: arguments.
    Json(Place),
    /// It may be an object: nothing of it has come yet, or its brace alone.
    Opening {
        /// Its brace.
        brace: bool,
    },
    /// It began like an object, `{"`, and so many braces are open.
    Object(Place, u32),
    /// Words.
    Text,
}

impl Written {
    /// Where it is, if it is JSON.
    pub(super) fn place(self) -> Option<Place> {
        match self {
            Self::Json(place) | Self::Object(place, _) => Some(place),
            Self::Opening { .. } | Self::Text => None,
        }
    }

    /// `text` has passed.
    pub(super) fn pass(&mut self, text: &str) {
        match self {
            Self::Json(place) => place.pass(text),
            Self::Text => {}
            Self::Opening { .. } | Self::Object(..) => *self = text.chars().fold(*self, Self::then),
        }
    }

    fn then(self, it: char) -> Self {
        match (self, it) {
            (Self::Opening { .. }, _) if it.is_whitespace() => self,
            (Self::Opening { brace: false }, '{') => Self::Opening { brace: true },
            (Self::Opening { brace: true }, '"') => Self::Object(Place { in_string: true, escaped: false }, 1),
            (Self::Object(mut place, depth), _) => {
                let depth = match it {
                    '{' if !place.in_string => depth.saturating_add(1),
                    '}' if !place.in_string => depth.saturating_sub(1),
                    _ => depth,
                };
                place.pass(it.encode_utf8(&mut [0; 4]));
                if depth == 0 { Self::Text } else { Self::Object(place, depth) }
            }
            (Self::Json(_), _) => self,
            _ => Self::Text,
        }
    }
}

/// Follows JSON text as it passes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place {
    in_string: bool,
    /// A backslash came last.
    escaped: bool,
}

impl Place {
    /// `text` has passed.
    pub(super) fn pass(&mut self, text: &str) {
        for byte in text.bytes() {
            self.escaped = match byte {
                b'\\' if self.in_string => !self.escaped,
                b'"' if !self.escaped => {
                    self.in_string = !self.in_string;
                    false
                }
                _ => false,
            };
        }
    }

    /// `new` as it must be written here: the inside of a string, or a string of its own in the place of a number.
    pub(super) fn write(self, new: &str) -> String {
        let quoted = serde_json::to_string(new).unwrap_or_default();
        match quoted.strip_prefix('"').and_then(|it| it.strip_suffix('"')) {
            Some(inner) if self.in_string => inner.to_owned(),
            _ => quoted,
        }
    }

    /// How much of `text`, from here on, stands in one string or outside of all.
    pub(super) fn same(mut self, text: &str) -> usize {
        let inside = self.in_string;
        for (at, it) in text.char_indices() {
            let mut letter = [0; 4];
            self.pass(it.encode_utf8(&mut letter));
            if self.in_string != inside {
                return at;
            }
        }
        text.len()
    }
}

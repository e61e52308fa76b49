//! Where in a tool call's arguments, which are JSON themselves, something stands: what takes a value's place must leave
//! them JSON.

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

//! The one loop that all scanners are made of.

/// Where the run of `member` bytes that begins at `from` ends.
pub(crate) fn run(text: &[u8], from: usize, member: impl Fn(u8) -> bool) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    let length = rest.iter().position(|it| !member(*it)).unwrap_or(rest.len());
    steps::take(length.saturating_add(1));
    from.saturating_add(length)
}

/// Whether `prefix` stands at `at`.
pub(crate) fn stands(text: &[u8], at: usize, prefix: &[u8]) -> bool {
    text.get(at..).is_some_and(|rest| rest.starts_with(prefix))
}

/// The byte at `at`.
pub(crate) fn byte(text: &[u8], at: usize) -> Option<u8> {
    text.get(at).copied()
}

/// How many letters at `at` belong to an escape that begins before it: `\n` in the source of a string.
pub(crate) fn escape(text: &[u8], at: usize) -> usize {
    let before = at.checked_sub(1).and_then(|it| byte(text, it));
    usize::from(before == Some(b'\\') && matches!(byte(text, at), Some(b'n' | b'r' | b't')))
}

/// What tokens are made of (base64url). A table, because every byte of every text is asked.
pub(crate) fn word(byte: u8) -> bool {
    #[allow(clippy::indexing_slicing, reason = "runs in the compiler, which would refuse it")]
    const TABLE: [bool; 256] = {
        let mut table = [false; 256];
        let mut letters: &[u8] = b"-_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        while let [first, rest @ ..] = letters {
            table[*first as usize] = true;
            letters = rest;
        }
        table
    };
    TABLE.get(usize::from(byte)).copied().unwrap_or_default()
}

/// Counts the bytes that scanners read, in tests.
#[cfg(test)]
pub(crate) mod steps {
    use std::cell::Cell;

    thread_local! {
        static STEPS: Cell<usize> = const { Cell::new(0) };
    }

    pub(crate) fn take(count: usize) {
        STEPS.set(STEPS.get() + count);
    }

    pub(crate) fn of(work: impl FnOnce()) -> usize {
        STEPS.set(0);
        work();
        STEPS.get()
    }
}

/// Counts nothing in the filter itself.
#[cfg(not(test))]
pub(crate) mod steps {
    pub(crate) fn take(_: usize) {}
}

//! Sets of two letters in a row, so that most words of a text are dismissed by one look at a table.

/// A set of couples of ASCII letters.
pub(crate) struct Couples([u64; 256]);

#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "runs in the compiler, which would refuse it"
)]
impl Couples {
    pub(crate) const fn new() -> Self {
        Self([0; 256])
    }

    /// These and the one of `one` and `two`.
    pub(crate) const fn with(mut self, one: u8, two: u8) -> Self {
        let place = (one as usize & 127) * 128 + (two as usize & 127);
        self.0[place / 64] |= 1 << (place % 64);
        self
    }
}

impl Couples {
    pub(crate) fn have(&self, one: u8, two: u8) -> bool {
        let place = usize::from(one & 127) << 7 | usize::from(two & 127);
        self.0.get(place >> 6).is_some_and(|it| it >> (place & 63) & 1 == 1)
    }
}

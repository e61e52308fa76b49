//! A list with room for a few things, without the heap: one is made for every number in a text.

use std::ops::Deref;

/// Up to `N` of them; what is more is left out.
#[derive(Clone, Copy)]
pub(super) struct Few<T, const N: usize> {
    all: [T; N],
    count: usize,
}

impl<T: Copy, const N: usize> Few<T, N> {
    /// An empty list; `nothing` fills the room.
    pub(super) fn new(nothing: T) -> Self {
        Self { all: [nothing; N], count: 0 }
    }

    pub(super) fn push(&mut self, it: T) {
        if let Some(place) = self.all.get_mut(self.count) {
            *place = it;
            self.count = self.count.saturating_add(1);
        }
    }

    /// The first `count` of them.
    pub(super) fn cut(mut self, count: usize) -> Self {
        self.count = self.count.min(count);
        self
    }
}

impl<T, const N: usize> Deref for Few<T, N> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.all.get(..self.count).unwrap_or_default()
    }
}

//! How much memory the open turns of one worker take together.
//!
//! An answer can take an hour and ten thousand can be open at once, so what they hold is counted: the new messages and the
//! answer so far of each, and for a moment its history and its body.

use std::{cell::Cell, rc::Rc};

/// What there is for all of them.
#[derive(Debug)]
pub struct Room {
    most: usize,
    taken: Cell<usize>,
}

/// The part that one turn has; it is given back when the turn is gone.
#[derive(Debug)]
pub struct Held {
    room: Rc<Room>,
    bytes: usize,
}

impl Room {
    /// A room of `most` bytes.
    #[must_use]
    pub fn new(most: usize) -> Rc<Self> {
        Rc::new(Self { most, taken: Cell::new(0) })
    }

    /// Takes a part of it; `None` when it is full.
    #[must_use]
    pub fn hold(self: &Rc<Self>, bytes: usize) -> Option<Held> {
        let mut held = Held { room: Rc::clone(self), bytes: 0 };
        held.resize(bytes).then_some(held)
    }
}

impl Held {
    /// Has so many bytes from now on; `false`, and nothing changes, when there is no room for more.
    pub fn resize(&mut self, bytes: usize) -> bool {
        let others = self.room.taken.get().saturating_sub(self.bytes);
        let taken = others.saturating_add(bytes);
        let fits = bytes <= self.bytes || taken <= self.room.most;
        if fits {
            self.room.taken.set(taken);
            self.bytes = bytes;
        }
        fits
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.resize(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_gives_back_another_can_have() {
        let room = Room::new(10);
        let mut first = room.hold(6).unwrap();
        assert!(room.hold(5).is_none());
        let mut second = room.hold(4).unwrap();
        assert!(!second.resize(5) && second.resize(1));
        assert!(first.resize(9) && !first.resize(10));
        drop(first);
        assert!(second.resize(10));
        drop(second);
        assert_eq!(room.taken.get(), 0);
        assert!(room.hold(11).is_none() && room.hold(10).is_some());
    }
}

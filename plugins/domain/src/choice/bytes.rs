//! The bytes of a slot: a version, then fields of fixed sizes, little-endian.

use crate::slots::number;

/// Takes fields off the front; those that are missing are zero.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// The fields of a slot in the layout `version` with `size` bytes in all; none for any other slot.
    pub(super) fn of(slot: &'a [u8], version: u8, size: usize) -> Option<Self> {
        slot.strip_prefix(&[version]).filter(|_| slot.len() == size).map(Self)
    }

    pub(super) fn u64(&mut self) -> u64 {
        self.take(8)
    }

    pub(super) fn u32(&mut self) -> u32 {
        u32::try_from(self.take(4)).unwrap_or_default()
    }

    pub(super) fn u8(&mut self) -> u8 {
        u8::try_from(self.take(1)).unwrap_or_default()
    }

    pub(super) fn f64(&mut self) -> f64 {
        f64::from_bits(self.u64())
    }

    fn take(&mut self, size: usize) -> u64 {
        let (field, rest) = self.0.split_at_checked(size).unwrap_or_default();
        self.0 = rest;
        number(field, 0)
    }
}

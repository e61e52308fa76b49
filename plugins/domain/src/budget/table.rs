//! Accounts in a fixed number of slots, [`ENTRIES`] to a slot, as `crate::slots` does it for limits.
//!
//! An account whose period is over makes room first. Only when all of a slot are still needed is one evicted: the one that
//! has used the smallest share of its limit. **What eviction costs**: the evicted key forgets what it used in this
//! period, which is the least of sixteen, and may use that once more; of a leased budget the companion remembers it.
//!
//! A slot is bytes that others could have written. Reading is total: what is no slot is an empty one.

use super::{Lease, State, Terms, slices::Slices};
use crate::time::Micros;

/// How many accounts a slot can hold.
pub const ENTRIES: usize = 16;

/// The first byte of a slot in this layout. Then come the entries: key, the moment after which it is not needed, share of
/// the limit in thousandths, length and bytes of the account; little-endian.
const LAYOUT: u8 = 2;
const HEAD: usize = 20;
/// No account has more slices of a kind: a rolling window has 50, twice that after its length was changed.
const MOST_SLICES: u64 = 512;

struct Entry<'a> {
    key: u64,
    needed_until: u64,
    share: u16,
    account: &'a [u8],
}

/// Changes the account `key` in a slot's bytes. `change` gets it as it is at `now`.
pub fn update<T>(
    slot: &[u8],
    key: u64,
    terms: &Terms,
    now: Micros,
    change: impl FnOnce(&mut State) -> T,
) -> (Vec<u8>, T) {
    let mut entries: Vec<Entry<'_>> = entries(slot).collect();
    let known = entries.iter().find(|it| it.key == key);
    let before = known.and_then(|it| decode(it.account)).unwrap_or_default();
    let mut state = before.clone().at(terms, now);
    let out = change(&mut state);
    if state == before || (state.is_vacant() && before == State::default()) {
        return (slot.to_vec(), out);
    }
    entries.retain(|it| it.key != key && it.needed_until > now.0);
    while entries.len() >= ENTRIES {
        let least = entries.iter().enumerate().min_by_key(|(_, it)| it.share);
        match least.map(|(nth, _)| nth) {
            Some(nth) => entries.swap_remove(nth),
            None => break,
        };
    }
    let account = encode(&state);
    let needed_until = match terms.window {
        Some(window) => now.after(window.saturating_mul(2)).0,
        None => terms.end.0,
    };
    let share = state.bound().saturating_mul(1_000).checked_div(terms.limit).unwrap_or(1_000);
    let share = u16::try_from(share).unwrap_or(u16::MAX);
    entries.push(Entry { key, needed_until, share, account: &account });
    (bytes(&entries), out)
}

/// The account `key` in a slot, as it was last written.
#[must_use]
pub fn read(slot: &[u8], key: u64) -> Option<State> {
    entries(slot).find(|it| it.key == key).and_then(|it| decode(it.account))
}

/// The entries of a slot, up to what is none.
fn entries(slot: &[u8]) -> impl Iterator<Item = Entry<'_>> {
    let mut rest = slot.strip_prefix(&[LAYOUT]).unwrap_or_default();
    std::iter::from_fn(move || {
        let (head, behind) = rest.split_first_chunk::<HEAD>()?;
        let [k0, k1, k2, k3, k4, k5, k6, k7, n0, n1, n2, n3, n4, n5, n6, n7, s0, s1, l0, l1] = *head;
        let length = usize::from(u16::from_le_bytes([l0, l1]));
        let (account, behind) = behind.split_at_checked(length)?;
        rest = behind;
        Some(Entry {
            key: u64::from_le_bytes([k0, k1, k2, k3, k4, k5, k6, k7]),
            needed_until: u64::from_le_bytes([n0, n1, n2, n3, n4, n5, n6, n7]),
            share: u16::from_le_bytes([s0, s1]),
            account,
        })
    })
    .take(ENTRIES)
}

fn bytes(entries: &[Entry<'_>]) -> Vec<u8> {
    let size = entries.iter().fold(1_usize, |sum, it| sum.saturating_add(HEAD).saturating_add(it.account.len()));
    let mut slot = Vec::with_capacity(size);
    slot.push(LAYOUT);
    for it in entries {
        let Ok(length) = u16::try_from(it.account.len()) else { continue };
        slot.extend_from_slice(&it.key.to_le_bytes());
        slot.extend_from_slice(&it.needed_until.to_le_bytes());
        slot.extend_from_slice(&it.share.to_le_bytes());
        slot.extend_from_slice(&length.to_le_bytes());
        slot.extend_from_slice(it.account);
    }
    slot
}

fn encode(state: &State) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    let State { born, start, used, window, reserved, lease } = state;
    for number in [born.0, start.0, *used] {
        write(&mut out, number);
    }
    for slices in [reserved, window] {
        write(&mut out, u64::try_from(slices.iter().len()).unwrap_or_default());
        for (second, amount) in slices.iter() {
            write(&mut out, second);
            write(&mut out, amount);
        }
    }
    let Lease { granted, turn, newest, floor, asking, until, left, fresh, failed, ahead, last } = lease;
    write(&mut out, last.0);
    if *newest > 0 {
        let moments = [asking.0, until.0, fresh.0, *left];
        for number in [*newest, *granted, *turn, *floor, u64::from(*failed), *ahead].into_iter().chain(moments) {
            write(&mut out, number);
        }
    }
    out
}

fn decode(mut bytes: &[u8]) -> Option<State> {
    let from = &mut bytes;
    let mut state =
        State { born: Micros(take(from)?), start: Micros(take(from)?), used: take(from)?, ..State::default() };
    for slices in [&mut state.reserved, &mut state.window] {
        *slices = slices_of(from)?;
    }
    let last = Micros(take(from)?);
    let newest = if from.is_empty() { 0 } else { take(from)? };
    state.lease = if newest == 0 {
        Lease { last, ..Lease::default() }
    } else {
        Lease {
            last,
            newest,
            granted: take(from)?,
            turn: take(from)?,
            floor: take(from)?,
            failed: take(from)? != 0,
            ahead: take(from)?,
            asking: Micros(take(from)?),
            until: Micros(take(from)?),
            fresh: Micros(take(from)?),
            left: take(from)?,
        }
    };
    Some(state)
}

fn slices_of(from: &mut &[u8]) -> Option<Slices> {
    let mut slices = Slices::default();
    for _ in 0..take(from).filter(|it| *it <= MOST_SLICES)? {
        slices.push(take(from)?, take(from)?);
    }
    Some(slices)
}

/// Writes a number in as many bytes as it needs, seven bits in each (LEB128).
fn write(out: &mut Vec<u8>, mut number: u64) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            out.push(low & 0x7f);
            return;
        }
        out.push(low | 0x80);
    }
}

/// Reads what [`write`] wrote.
fn take(from: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0_u32..64).step_by(7) {
        let (byte, rest) = from.split_first()?;
        *from = rest;
        number |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

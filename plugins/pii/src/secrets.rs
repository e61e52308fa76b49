//! What lets somebody in: keys, tokens, passwords.

mod assignment;
mod command;
mod connection;
mod couples;
mod drawn;
mod forms;
mod lone;
mod name;
mod open;
mod pem;
mod split;
mod token;
mod url;
mod value;

use crate::{Entities, Entity, Finding, Group};
pub(crate) use open::open;

/// Whether a secret may stand behind this word.
pub(crate) fn is_name(word: &[u8]) -> bool {
    name::may_end(word) && name::of(word).is_some()
}

pub(crate) fn find(text: &str, wanted: Entities, found: &mut Vec<Finding>) {
    if !Entity::ALL.iter().any(|it| it.group() == Group::Secret && wanted.has(*it)) {
        return;
    }
    // What holds others comes first, what says least last: of two that overlap the first says what it is.
    let mut all: Vec<(u8, Finding)> = Vec::new();
    let scanners: [fn(&str, &mut Vec<Finding>); 7] =
        [connection::find, url::find, split::find, token::find, lone::find, assignment::find, command::find];
    for (rank, scanner) in (0..).zip(scanners) {
        let mut of_one = Vec::new();
        scanner(text, &mut of_one);
        all.extend(of_one.into_iter().map(|it| (rank, it)));
    }
    all.sort_by_key(|(rank, it)| (it.span.start, *rank));
    all.dedup_by(|(next_rank, next), (rank, kept)| {
        let overlap = next.span.start < kept.span.end;
        if overlap {
            kept.span.end = kept.span.end.max(next.span.end);
            if next_rank < rank {
                (kept.entity, kept.rule, *rank) = (next.entity, next.rule, *next_rank);
            }
        }
        overlap
    });
    found.extend(all.into_iter().map(|(_, it)| it));
}

#[cfg(test)]
mod tests;

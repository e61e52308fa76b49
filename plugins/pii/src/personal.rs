//! What tells who somebody is: addresses, numbers that states and banks give, dates of birth.

mod birth;
mod card;
mod check;
mod context;
mod email;
mod few;
mod iban;
mod national;
mod page;
mod passport;
mod phone;
mod signs;

use crate::{Entities, Entity, Finding};
use context::Context;
use page::Look;
use std::ops::Range;

/// What a recogniser found.
type Hit = Finding;

/// A recogniser: looks at a word, and the numbers behind it.
type Recogniser = fn(&mut Look<'_, '_>) -> Option<Hit>;

/// How many digits a number of a person has, all in all.
const LEAST: usize = 6;

/// Who is asked first: where two could be right, the one with the better check.
const NUMBERS: &[(Entity, Recogniser)] = &[
    (Entity::Iban, iban::find),
    (Entity::ItCodiceFiscale, national::codice_fiscale::find),
    (Entity::CnResidentId, national::china::find),
    (Entity::FrNir, national::france::find),
    (Entity::CreditCard, card::find),
    (Entity::UkNino, national::britain::find),
    (Entity::InPan, national::india::pan),
    (Entity::EsDni, national::spain::find),
    (Entity::BrCpf, national::brazil::find),
    (Entity::UsSsn, national::america::find),
    (Entity::InAadhaar, national::india::aadhaar),
    (Entity::DeTaxId, national::germany::find),
    (Entity::PlPesel, national::poland::find),
    (Entity::DateOfBirth, birth::find),
    (Entity::Passport, passport::find),
    (Entity::Phone, phone::find),
];

/// Whether `word` may stand between the numbers of a date.
pub(crate) fn is_in_dates(word: &str) -> bool {
    birth::is_in_dates(word)
}

pub(crate) fn find(text: &str, wanted: Entities, found: &mut Vec<Finding>) {
    if wanted.has(Entity::Email) {
        email::find(text, found);
    }
    if NUMBERS.iter().any(|(entity, _)| wanted.has(*entity)) {
        numbers(text, found);
    }
}

/// All of them look, also those that nobody asked for: what one takes is nothing that another may be wrong about.
fn numbers(text: &str, found: &mut Vec<Finding>) {
    let words = page::words(text.as_bytes());
    let mut context = Context::of(text);
    let (mut at, mut taken) = (0, 0);
    while let Some(word) = words.get(at) {
        let rest = words.get(at..).unwrap_or_default();
        let before = at.checked_sub(1).and_then(|it| words.get(it)).filter(|it| it.start >= taken).copied();
        let mut look = Look::at(text, rest, before, &mut context);
        // Too few digits for all but a date, and a card in groups that nobody else makes.
        let little = word.number && look.total(usize::MAX) < LEAST;
        let first = if little {
            birth::find(&mut look).or_else(|| card::find(&mut look))
        } else {
            NUMBERS.iter().find_map(|(_, recogniser)| recogniser(&mut look))
        };
        let hit = first.filter(|it| it.span.start >= taken);
        at = at.saturating_add(1);
        if let Some(hit) = hit {
            taken = hit.span.end.max(word.end);
            at =
                at.saturating_add(words.get(at..).unwrap_or_default().iter().take_while(|it| it.start < taken).count());
            found.push(hit);
        }
    }
}

/// The first `count` words are `entity`.
fn hit(look: &Look<'_, '_>, count: usize, entity: Entity, rule: &'static str) -> Hit {
    hit_at(look.start()..look.end(count.saturating_sub(1)), entity, rule)
}

fn hit_at(span: Range<usize>, entity: Entity, rule: &'static str) -> Hit {
    Finding { span, entity, rule }
}

//! The tax id of Germany (ISO 7064, modulo 11, 10): eleven digits, of which one occurs two or three times.
//!
//! Precision 99 %, as it is always called by its name: one in 30 numbers of eleven digits has the form.

use super::super::check::iso_7064_11_10;
use super::super::page::{Gap, Look};
use super::super::signs::Sign;
use super::super::{Hit, hit};
use crate::Entity;

pub(crate) fn find(look: &mut Look<'_, '_>) -> Option<Hit> {
    let grouped = look.shaped(&[2, 3, 3, 3], &[Gap::Space, Gap::Dash, Gap::Dot, Gap::Slash]);
    if !grouped && !look.shaped(&[11], &[]) {
        return None;
    }
    let count = if grouped { 4 } else { 1 };
    let digits = look.digits(count);
    let first = digits.get(..10)?;
    let most = (0..10).map(|digit| first.iter().filter(|it| **it == digit).count()).max();
    let formed = digits.first() != Some(&0) && matches!(most, Some(2 | 3)) && iso_7064_11_10(&digits);
    let start = look.start();
    (formed && look.context.identifies(start, Sign::Steuer))
        .then(|| hit(look, count, Entity::DeTaxId, "de_tax_id.named"))
}

#[cfg(test)]
mod tests {
    use crate::{Entity, tests::check};

    #[test]
    fn ids_are_found_as_they_are_written() {
        for (text, want) in [
            ("Steuer-ID: 86095742719", "86095742719"),
            ("Meine Steueridentifikationsnummer lautet 86 095 742 719.", "86 095 742 719"),
            ("IdNr. 86095742719", "86095742719"),
            ("German tax ID 86095742719", "86095742719"),
        ] {
            check(Entity::DeTaxId, text, &[want]);
        }
    }

    #[test]
    fn what_only_looks_like_one_stays() {
        for text in ["86095742719", "Steuer-ID: 86095742718", "86 095 742 719", "Rechnung 86095742719"] {
            check(Entity::DeTaxId, text, &[]);
        }
    }
}

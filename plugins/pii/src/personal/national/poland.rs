//! The PESEL of Poland: a day of birth, a serial, a check digit.
//!
//! Precision 99 %, as it is always called by its name: one in 60 numbers of eleven digits has the form.

use super::super::check::{is_day, value, weighted};
use super::super::page::Look;
use super::super::signs::Sign;
use super::super::{Hit, hit};
use crate::Entity;

pub(crate) fn find(look: &mut Look<'_, '_>) -> Option<Hit> {
    if !look.shaped(&[11], &[]) {
        return None;
    }
    let digits = look.digits(1);
    // The century is in the month.
    let born = is_day(value(&digits, 2..4) % 20, value(&digits, 4..6));
    let sound = weighted(&digits, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]).is_multiple_of(10);
    let start = look.start();
    (born && sound && look.context.identifies(start, Sign::Pesel))
        .then(|| hit(look, 1, Entity::PlPesel, "pl_pesel.named"))
}

#[cfg(test)]
mod tests {
    use crate::{Entity, tests::check};

    #[test]
    fn numbers_are_found_by_their_name() {
        check(Entity::PlPesel, "PESEL: 44051401359, tel", &["44051401359"]);
        check(Entity::PlPesel, "Mój numer PESEL to 44051401359.", &["44051401359"]);
        for text in ["44051401359", "PESEL 44051401358", "PESEL 44951401352", "PESEL 4405140135"] {
            check(Entity::PlPesel, text, &[]);
        }
    }
}

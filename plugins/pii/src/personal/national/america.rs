//! Social security numbers of the United States: no check digit, but areas and groups that are never given.
//!
//! Precision 97 % with the dashes, which hardly anything else has at these places; other forms ask for the name.

use super::super::page::{Gap, Look};
use super::super::signs::Sign;
use super::super::{Hit, check::value, hit};
use crate::Entity;

pub(crate) fn find(look: &mut Look<'_, '_>) -> Option<Hit> {
    let start = look.start();
    let dashed = look.shaped(&[3, 2, 4], &[Gap::Dash]);
    let count = if dashed || look.shaped(&[3, 2, 4], &[Gap::Space, Gap::Dot]) { 3 } else { 1 };
    if count == 1 && !look.shaped(&[9], &[]) {
        return None;
    }
    let digits = look.digits(count);
    let (area, group, serial) = (value(&digits, 0..3), value(&digits, 3..5), value(&digits, 5..9));
    let given = !matches!(area, 0 | 666 | 900..) && group != 0 && serial != 0;
    let named = look.context.names(start, Sign::Ssn);
    let is = given && (named || dashed && !look.context.is_other(start));
    is.then(|| hit(look, count, Entity::UsSsn, if named { "us_ssn.named" } else { "us_ssn.dashed" }))
}

#[cfg(test)]
mod tests {
    use crate::{Entity, tests::check};

    #[test]
    fn numbers_are_found_as_they_are_written() {
        for (text, want) in [
            ("123-45-6789", "123-45-6789"),
            ("SSN: 123 45 6789", "123 45 6789"),
            ("his social security number is 123456789.", "123456789"),
            ("ssn=123‑45‑6789", "123‑45‑6789"),
            ("ssn,name\n123-45-6789,Ada", "123-45-6789"),
            ("my ssn １２３-４５-６７８９", "１２３-４５-６７８９"),
        ] {
            check(Entity::UsSsn, text, &[want]);
        }
    }

    #[test]
    fn what_only_looks_like_one_stays() {
        for text in [
            "000-12-3456",
            "666-12-3456",
            "900-12-3456",
            "123-00-4567",
            "123-45-0000",
            "123456789",
            "123 45 6789",
            "2023-12-1234",
            "123-45-67890",
            "1123-45-6789",
            "part no. 123-45-6789",
            "v123-45-6789",
            "123-45-6789-1",
        ] {
            check(Entity::UsSsn, text, &[]);
        }
    }
}

//! The CPF of Brazil: nine digits and two that check them.
//!
//! Precision 99.9 % in its own form (`ddd.ddd.ddd-dd`); eleven digits alone ask for the name, one in a hundred would pass.

use super::super::check::weighted;
use super::super::page::{Gap, Look};
use super::super::signs::Sign;
use super::super::{Hit, hit};
use crate::Entity;

pub(crate) fn find(look: &mut Look<'_, '_>) -> Option<Hit> {
    let formatted = look.sizes.starts_with(&[3, 3, 3, 2])
        && matches!(*look.gaps, [one, two, three, ..] if one == two && matches!((one, three), (Gap::Dot | Gap::Space, Gap::Dash) | (Gap::Dot, Gap::Dot) | (Gap::Space, Gap::Space) | (Gap::Dash, Gap::Dash)))
        && look.free(4, Some(Gap::Dash));
    let count = if formatted { 4 } else { 1 };
    if !(formatted || look.shaped(&[11], &[]) || look.shaped(&[9, 2], &[Gap::Dash])) {
        return None;
    }
    let count = if look.sizes.first() == Some(&9) { 2 } else { count };
    let digits = look.digits(count);
    let start = look.start();
    let is = sound(&digits) && (formatted || count == 2 || look.context.identifies(start, Sign::Cpf));
    is.then(|| hit(look, count, Entity::BrCpf, if formatted { "br_cpf" } else { "br_cpf.named" }))
}

fn sound(digits: &[u8]) -> bool {
    let check = |count: usize, weights: &[u32]| {
        let sum = weighted(digits.get(..count).unwrap_or_default(), weights);
        let digit = sum.wrapping_mul(10) % 11 % 10;
        digits.get(count).map(|it| u32::from(*it)) == Some(digit)
    };
    digits.iter().any(|it| Some(it) != digits.first())
        && check(9, &[10, 9, 8, 7, 6, 5, 4, 3, 2])
        && check(10, &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2])
}

#[cfg(test)]
mod tests {
    use crate::{Entity, tests::check};

    #[test]
    fn numbers_are_found_as_they_are_written() {
        for (text, want) in [
            ("529.982.247-25", "529.982.247-25"),
            ("CPF: 52998224725", "52998224725"),
            ("O CPF da titular é 529 982 247 25.", "529 982 247 25"),
            ("529982247-25", "529982247-25"),
        ] {
            check(Entity::BrCpf, text, &[want]);
        }
    }

    #[test]
    fn what_only_looks_like_one_stays() {
        for text in [
            "529.982.247-24",
            "52998224725",
            "CPF 52998224724",
            "111.111.111-11",
            "529.982.247-25.1",
            "10.529.982.247-25",
        ] {
            check(Entity::BrCpf, text, &[]);
        }
    }
}

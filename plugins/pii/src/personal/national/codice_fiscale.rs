//! The codice fiscale of Italy: letters of a name, a birth, a place, a letter that checks them.
//!
//! Precision 99.9 %: sixteen letters and digits of one form, and one letter in 26.

use super::super::page::Look;
use super::super::{Hit, hit_at};
use crate::Entity;
use crate::scan::steps;

/// Where a letter stands: `A`, where a digit does, or the letter that took its place: `9`, and the month: `M`.
const FORM: &[u8; 16] = b"AAAAAA99M99A999A";

/// What letters count at the odd places; digits count as the letters of the same place in the alphabet.
const ODD: [u32; 26] = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];

pub(crate) fn find(look: &mut Look<'_, '_>) -> Option<Hit> {
    let word = look.word()?;
    // `RSS MRA 85T10 A562 S`: the first digit stands in the third part.
    let start = match word.len() {
        16 => word.start,
        5 | 10 => word.start.checked_sub(8)?,
        _ => return None,
    };
    let mut letters = Vec::with_capacity(16);
    let mut end = start;
    for it in look.text.get(start..)?.iter().take(20) {
        steps::take(1);
        match it {
            it if it.is_ascii_alphanumeric() => letters.push(it.to_ascii_uppercase()),
            b' ' if word.len() != 16 && matches!(letters.len(), 3 | 6 | 11 | 15) => {}
            _ => return None,
        }
        end = end.saturating_add(1);
        if letters.len() == 16 {
            break;
        }
    }
    (sound(&letters) && look.alone(start, end))
        .then(|| hit_at(start..end, Entity::ItCodiceFiscale, "it_codice_fiscale"))
}

fn sound(letters: &[u8]) -> bool {
    let fits = |(it, form): (&u8, &u8)| match form {
        b'A' => it.is_ascii_alphabetic(),
        b'M' => b"ABCDEHLMPRST".contains(it),
        _ => it.is_ascii_digit() || b"LMNPQRSTUV".contains(it),
    };
    let formed = letters.len() == FORM.len() && letters.iter().zip(FORM).all(fits);
    let Some((last, rest)) = letters.split_last() else { return false };
    let place = |it: u8| u32::from(if it.is_ascii_digit() { it.wrapping_sub(b'0') } else { it.wrapping_sub(b'A') });
    let worth = |(at, it): (usize, &u8)| {
        let place = place(*it);
        let odd = usize::try_from(place).ok().and_then(|it| ODD.get(it)).copied().unwrap_or_default();
        if at % 2 == 0 { odd } else { place }
    };
    let sum = rest.iter().enumerate().map(worth).fold(0, u32::wrapping_add);
    formed && sum % 26 == place(*last)
}

#[cfg(test)]
mod tests {
    use crate::{Entity, tests::check};

    #[test]
    fn codes_are_found_as_they_are_written() {
        for (text, want) in [
            ("RSSMRA85T10A562S", "RSSMRA85T10A562S"),
            ("cf: rssmra85t10a562s.", "rssmra85t10a562s"),
            ("RSS MRA 85T10 A562 S", "RSS MRA 85T10 A562 S"),
            ("RSSMRA85T10A562S,Mario", "RSSMRA85T10A562S"),
        ] {
            check(Entity::ItCodiceFiscale, text, &[want]);
        }
    }

    #[test]
    fn what_only_looks_like_one_stays() {
        for text in ["RSSMRA85T10A562T", "RSSMRA85Z10A562S", "XRSSMRA85T10A562S", "RSSMRA85T10A562", "9SSMRA85T10A562S"]
        {
            check(Entity::ItCodiceFiscale, text, &[]);
        }
    }
}

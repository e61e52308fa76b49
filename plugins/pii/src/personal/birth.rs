//! Dates of birth: a date, in the words of many languages, behind a word that says birth.
//!
//! Precision 97 %. A date alone is none, and one that is called otherwise (`born 1 May 1980, admitted 3 June 2020`) is none.

use super::page::Look;
use super::signs::Sign;
use super::{Hit, hit_at};
use crate::Entity;
use crate::scan::steps;

/// How the names of months begin: English, German, French, Spanish, Italian, Portuguese, Dutch, Polish, Czech, Swedish,
/// Finnish, Turkish, Russian, Ukrainian, Greek, Arabic, Hindi.
const MONTHS: &str = "jan feb mar apr may jun jul aug sep oct nov dec jän mär mai okt dez fév fev avr jui aoû aou déc ene abr \
    ago dic gen mag giu lug set ott out maa mei mrt sty lut kwi maj cze lip sie wrz paź lis gru led úno bře dub kvě čer srp \
    zář říj pro tam hel maa huh tou kes hei elo syy lok mar jou oca şub nis haz tem ağu eyl eki kas ara янв фев мар апр мая \
    май июн июл авг сен окт ноя дек січ лют бер кві тра чер лип сер вер жов лис гру ιαν φεβ μάρ μαρ απρ μάι μαΐ ιού αύγ αυγ \
    σεπ οκτ νοέ νοε δεκ ينا فبر مار أبر ابر ماي يون يول أغس اغس سبت أكت اكت نوف ديس जनव फ़रव फरव मार् अप्र मई जून जुला अगस् \
    सितं अक्ट नवं दिसं";

pub(super) fn find(look: &mut Look<'_, '_>) -> Option<Hit> {
    let (text, start) = (look.page, look.start());
    let span = numeric(text, start).or_else(|| month_first(text, start))?;
    let alone = look.alone(span.start, span.end) || text.get(span.end..)?.starts_with(['T', '년', '日']);
    (alone && look.context.names(start, Sign::Birth)).then(|| {
        look.context.forget(Sign::Birth);
        hit_at(span, Entity::DateOfBirth, "date_of_birth")
    })
}

/// The name of a month, or a word between it and the numbers.
pub(super) fn is_in_dates(word: &str) -> bool {
    matches!(word, "de" | "del" | "of" | "do") || Reader { text: word, at: 0 }.month()
}

/// `1980-05-01`, `1.5.1980`, `1 May 1980`, `1980年5月1日`, `19800501`.
fn numeric(text: &str, start: usize) -> Option<std::ops::Range<usize>> {
    let mut reader = Reader { text, at: start };
    let first = reader.number()?;
    if first.digits == 8 {
        let year_first = year(first.value / 10_000) && day_and_month(first.value / 100 % 100, first.value % 100);
        let day_first =
            year(first.value % 10_000) && day_and_month(first.value / 1_000_000, first.value / 10_000 % 100);
        return (year_first || day_first).then_some(start..reader.at);
    }
    let gap = reader.gap()?;
    if first.digits == 4 {
        let second = reader.number().filter(|it| it.digits <= 2)?;
        reader.gap().filter(|it| *it == gap || !it.is_ascii())?;
        let third = reader.number().filter(|it| it.digits <= 2)?;
        reader.end_of_date();
        return (year(first.value) && day_and_month(second.value, third.value)).then_some(start..reader.at);
    }
    let named = reader.month();
    let second = if named { None } else { Some(reader.number().filter(|it| it.digits <= 2)?) };
    let next = reader.gap()?;
    let last = reader.number()?;
    let day = second
        .map_or((1..=31).contains(&first.value), |second| gap == next && day_and_month(first.value, second.value));
    let sound = (last.digits == 4 && year(last.value)) || (last.digits == 2 && (gap != ' ' || named));
    (day && sound && first.digits <= 2).then_some(start..reader.at)
}

/// `May 1st, 1980`.
fn month_first(text: &str, start: usize) -> Option<std::ops::Range<usize>> {
    let before = text.get(..start)?.trim_end_matches([' ', '.', '-']);
    let letters = before.chars().rev().take(12).take_while(|it| it.is_alphabetic());
    let begin = before.len().checked_sub(letters.map(char::len_utf8).sum())?;
    let mut reader = Reader { text, at: start };
    reader.number().filter(|it| it.digits <= 2 && (1..=31).contains(&it.value))?;
    reader.gap()?;
    reader.number().filter(|it| it.digits == 4 && year(it.value))?;
    let is = before.len() > begin && start.saturating_sub(before.len()) <= 2 && Reader { text, at: begin }.month();
    is.then_some(begin..reader.at)
}

/// A year in which somebody who lives was born: of our era, of the Buddhist one, of the Islamic ones.
fn year(value: u32) -> bool {
    matches!(value, 1880..=2035 | 2440..=2580 | 1300..=1450)
}

fn day_and_month(one: u32, two: u32) -> bool {
    let (small, large) = (one.min(two), one.max(two));
    (1..=12).contains(&small) && (1..=31).contains(&large)
}

struct Number {
    digits: usize,
    value: u32,
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip(&mut self, length: usize) {
        steps::take(length);
        self.at = self.at.saturating_add(length);
    }

    /// Up to eight digits.
    fn number(&mut self) -> Option<Number> {
        let digits = self.rest().bytes().take(9).take_while(u8::is_ascii_digit).count();
        let value = self.rest().get(..digits)?.parse().ok().filter(|_| digits <= 8)?;
        self.skip(digits);
        Some(Number { digits, value })
    }

    /// What stands between a date's parts, and the ending of an ordinal: `-`, ` de `, `th, `, `年`.
    fn gap(&mut self) -> Option<char> {
        for ending in ["st", "nd", "rd", "th", "er", "º", "ª", "°"] {
            if self.rest().starts_with(ending) {
                self.skip(ending.len());
            }
        }
        let gap = self.rest().chars().next().filter(|it| " .,/-年月년월".contains(*it))?;
        self.skip(gap.len_utf8());
        for more in [",", " ", "-", "de ", "del ", "of ", "do "] {
            if self.rest().starts_with(more) {
                self.skip(more.len());
            }
        }
        Some(gap)
    }

    fn end_of_date(&mut self) {
        for end in ["日", "일"] {
            if self.rest().starts_with(end) {
                self.skip(end.len());
            }
        }
    }

    /// A word that begins like the name of a month.
    fn month(&mut self) -> bool {
        let word: String = self.rest().chars().take(12).take_while(|it| it.is_alphabetic() || !it.is_ascii()).collect();
        let lower = word.to_lowercase();
        let is = !lower.is_empty() && MONTHS.split(' ').any(|it| lower.starts_with(it));
        steps::take(word.len());
        if is {
            self.skip(word.len());
        }
        is
    }
}

#[cfg(test)]
mod tests {
    use crate::{Entity, tests::check};

    #[test]
    fn dates_of_birth_are_found_in_many_languages() {
        for (text, want) in [
            ("DOB 10/03/2009, admitted 2026-11-16", "10/03/2009"),
            ("Date of birth: 1970-04-28", "1970-04-28"),
            ("born on 11 June 2005 in", "11 June 2005"),
            ("Birthday: Mar 16, 1963.", "Mar 16, 1963"),
            ("birthday is March 16th, 1963", "March 16th, 1963"),
            ("DOB: 28-Aug-2003", "28-Aug-2003"),
            ("dob=19850312", "19850312"),
            ("\"dateOfBirth\": \"1985-03-12T00:00:00Z\"", "1985-03-12"),
            ("geboren am 12.03.1985", "12.03.1985"),
            ("Geburtsdatum: 12. März 1985", "12. März 1985"),
            ("née le 12 mars 1985 à Lyon", "12 mars 1985"),
            ("Fecha de nacimiento: 12 de marzo de 1985", "12 de marzo de 1985"),
            ("data di nascita 12/03/1985", "12/03/1985"),
            ("Nascido em 12 de março de 1985", "12 de março de 1985"),
            ("geboortedatum: 12-03-1985", "12-03-1985"),
            ("urodzony 12 marca 1985 r.", "12 marca 1985"),
            ("Дата рождения: 12 марта 1985", "12 марта 1985"),
            ("生年月日：1985年3月12日", "1985年3月12日"),
            ("出生日期：1985-03-12", "1985-03-12"),
            ("생년월일: 1985년 3월 12일", "1985년 3월 12일"),
            ("जन्म तिथि: १२/०३/१९८५", "१२/०३/१९८५"),
            ("تاريخ الميلاد: ١٢/٠٣/١٩٨٥", "١٢/٠٣/١٩٨٥"),
            ("born 12/03/85", "12/03/85"),
        ] {
            check(Entity::DateOfBirth, text, &[want]);
        }
    }

    #[test]
    fn dates_of_other_things_stay() {
        for text in [
            "It's like that since 12/1/1981",
            "admitted 2026-11-16",
            "born in 1985",
            "version 1.2.1985, reborn",
            "DOB unknown, visit on 2024-05-06",
            "birth weight 3.2 kg",
        ] {
            check(Entity::DateOfBirth, text, &[]);
        }
    }
}

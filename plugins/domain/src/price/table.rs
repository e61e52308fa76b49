//! The built-in table: a line for each model, sorted by name, with US dollars per million tokens.

use super::{Capabilities, Long, Model, Price};
use std::cmp::Ordering;

const TABLE: &str = include_str!("prices.tsv");
/// A dollar per million tokens has six decimals in pico-dollars per token.
const DECIMALS: usize = 6;

/// The rows, without the notes before them.
pub(super) fn rows() -> &'static str {
    TABLE.find("\n# model\t").and_then(|it| TABLE.get(it..)?.splitn(3, '\n').nth(2)).unwrap_or_default()
}

/// The model of that very name.
pub(super) fn find(rows: &'static str, name: &str) -> Option<Model> {
    let (mut low, mut high) = (0, rows.len());
    while low < high {
        let middle = low.midpoint(high);
        let start = rows.get(low..middle)?.rfind('\n').map_or(low, |it| low.saturating_add(it).saturating_add(1));
        let line = rows.get(start..)?.split('\n').next()?;
        let (found, columns) = line.split_once('\t')?;
        match found.cmp(name) {
            Ordering::Equal => return Some(model(columns)),
            Ordering::Less => low = start.saturating_add(line.len()).saturating_add(1),
            Ordering::Greater => high = start,
        }
    }
    None
}

/// Reads the columns behind the name.
fn model(columns: &'static str) -> Model {
    let mut columns = columns.split('\t');
    let mut rate = || columns.next().and_then(per_token);
    let (input, output, cached, cache_write) = (rate(), rate(), rate(), rate());
    let above = columns.next().and_then(|it| it.parse().ok());
    let mut rate = || columns.next().and_then(per_token);
    let long = (above, rate(), rate(), rate(), rate());
    let mut limit = || columns.next().and_then(|it| it.parse().ok());
    let long = match long {
        (Some(above), Some(input), Some(output), cached, cache_write) => {
            Some(Long { above, input, output, cached, cache_write })
        }
        _ => None,
    };
    let (max_input, max_output, priority) = (limit(), limit(), limit());
    let capabilities = columns.next().map(Capabilities::of_letters).unwrap_or_default();
    let deprecated = columns.next().filter(|it| *it != "-");
    let price = input.zip(output).map(|(input, output)| Price { input, output, cached, cache_write, long, priority });
    Model { price, max_input, max_output, capabilities, deprecated }
}

/// `2.5` US dollars per million tokens are 2,500,000 pico-dollars per token; `-` is none.
fn per_token(dollars: &str) -> Option<u64> {
    let (whole, decimals) = dollars.split_once('.').unwrap_or((dollars, ""));
    let zeros = DECIMALS.checked_sub(decimals.len())?;
    let scale = |digits: u32| 10_u64.checked_pow(digits);
    let part = if decimals.is_empty() { 0 } else { decimals.parse().ok()? };
    let part = scale(u32::try_from(zeros).ok()?)?.checked_mul(part)?;
    whole.parse::<u64>().ok()?.checked_mul(scale(6)?)?.checked_add(part)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::{model::ModelName, price::Capability};

    /// Name and columns of every row.
    pub(in super::super) fn all() -> Vec<(&'static str, Vec<&'static str>)> {
        rows()
            .lines()
            .map(|it| it.split_once('\t').unwrap())
            .map(|(name, it)| (name, it.split('\t').collect()))
            .collect()
    }

    #[test]
    fn the_table_is_as_make_prices_wrote_it() {
        let checksum = rows()
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |sum, it| (sum ^ u64::from(it)).wrapping_mul(0x100_0000_01b3));
        let note = format!("# {} rows, FNV-1a {checksum:016x}\n", all().len());
        assert!(TABLE.contains(&note), "prices.tsv was changed by hand ({note}); run: make prices");
        for part in ["MIT License", "Copyright (c) 2023 Berri AI", "litellm 1.", "SHA-256 of the table 66970be0"] {
            assert!(TABLE.contains(part), "{part}");
        }
    }

    #[test]
    fn every_row_is_found_by_its_name_and_believable() {
        let all = all();
        assert!(all.len() > 1000 && TABLE.is_ascii() && all.is_sorted_by(|one, next| one.0 < next.0));
        for (name, columns) in &all {
            assert_eq!(ModelName::parse(name).unwrap().canonical().as_str(), *name);
            let [numbers @ .., letters, until] = columns.as_slice() else { panic!("{name}") };
            assert_eq!(numbers.len(), 12, "{name}");
            let found = find(rows(), name).unwrap();
            let said = numbers.iter().filter(|it| **it != "-").count();
            let Model { price, max_input, max_output, capabilities, deprecated } = found;
            assert_eq!(capabilities.iter().count(), if *letters == "-" { 0 } else { letters.len() }, "{name}");
            assert_eq!(deprecated.is_some(), until.starts_with("20") && until.len() == 10, "{name}");
            let works =
                [Capability::Chat, Capability::Responses, Capability::Embeddings].map(|it| capabilities.get(it));
            assert_ne!(works, [Some(false); 3], "{name} can be asked in no way");
            let limits = usize::from(max_input.is_some()) + usize::from(max_output.is_some());
            let Some(it) = price else {
                assert_eq!(said, limits, "{name} has part of a price");
                continue;
            };
            let optional = |it: Option<u64>| usize::from(it.is_some());
            let long = it.long.map_or(0, |it| 3 + optional(it.cached) + optional(it.cache_write));
            assert_eq!(
                said,
                2 + optional(it.cached) + optional(it.cache_write) + optional(it.priority) + long + limits,
                "{name}"
            );
            assert!((1000..=250_000_000).contains(&it.input) && it.output <= 1_000_000_000, "{name}");
            assert!(it.cached.is_none_or(|cached| 0 < cached && cached <= it.input), "{name}");
            assert!(it.cache_write.is_none_or(|write| write >= it.input), "{name}");
            assert!(it.priority.is_none_or(|percent| (101..=300).contains(&percent)), "{name}");
            assert!(it.long.is_none_or(|long| long.input >= it.input && long.output >= it.output), "{name}");
        }
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        for name in ["", "a", "openai/", "openai/gpt-4", "openai/gpt-4o\t2.5", "zzz", "#", "é", "anthropic"] {
            assert_eq!(find(rows(), name).is_some(), name == "openai/gpt-4", "{name}");
        }
        assert_eq!(find("", "a"), None);
        assert_eq!(find("no columns\n", "no columns"), None);
    }

    #[test]
    fn dollars_per_million_are_exact() {
        for (dollars, expected) in [
            ("2.5", Some(2_500_000)),
            ("10", Some(10_000_000)),
            ("0", Some(0)),
            ("0.000001", Some(1)),
            ("0.0375", Some(37_500)),
            ("-", None),
            ("", None),
            ("0.0000001", None),
            ("1.", Some(1_000_000)),
            ("99999999999999999999", None),
        ] {
            assert_eq!(per_token(dollars), expected, "{dollars}");
        }
    }
}

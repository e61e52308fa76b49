//! Thresholds and counts.

use crate::texts::{Text, family};
use std::collections::BTreeMap;

/// A text and what was thought of it.
#[derive(Clone, Copy)]
pub(crate) struct Judged<'t> {
    pub(crate) text: &'t Text,
    pub(crate) logit: f32,
}

/// The lowest logit from which at most `share` of the harmless texts are flagged. Kinds count alike, whatever their number, since messages of
/// programs are many and tell little of what people ask.
pub(crate) fn threshold(judged: &[Judged], share: f32) -> f32 {
    let mut kinds: BTreeMap<&str, f32> = BTreeMap::new();
    let harmless: Vec<&Judged> = judged.iter().filter(|it| !it.text.attack && !it.text.quoted).collect();
    for it in &harmless {
        *kinds.entry(family(&it.text.kind)).or_default() += 1.0;
    }
    let all: f32 = kinds.values().map(|it| it.sqrt()).sum();
    let mut weighed: Vec<(f32, f32)> =
        harmless.iter().map(|it| (it.logit, kinds[family(&it.text.kind)].sqrt().recip() / all)).collect();
    weighed.sort_by(|one, other| other.0.total_cmp(&one.0));
    let mut flagged = 0.0;
    for (logit, weight) in weighed {
        flagged += weight;
        if flagged > share {
            return logit + 1e-3;
        }
    }
    0.0
}

/// Flagged and all, by a name.
pub(crate) type Table = BTreeMap<String, (usize, usize)>;

/// Counts what is flagged, by what `name` says of a text.
pub(crate) fn table(judged: &[Judged], threshold: f32, name: impl Fn(&Text) -> Option<String>) -> Table {
    let mut table = Table::new();
    for it in judged {
        let Some(name) = name(it.text) else { continue };
        let counts = table.entry(name).or_default();
        counts.0 += usize::from(it.logit >= threshold);
        counts.1 += 1;
    }
    table
}

/// The names under which the requirements speak of kinds.
pub(crate) fn required(text: &Text) -> Option<String> {
    let kind = text.kind.as_str();
    let name = match family(kind) {
        _ if !text.attack && text.quoted => "harmless, quotes attacks",
        _ if !text.attack => "harmless",
        "direct" => "direct",
        "delimiter" => "delimiter",
        "encoded" => "encoded",
        "indirect" => "indirect",
        "multilingual" => "multilingual",
        "prompt" => "exfiltration",
        "roleplay" | "jailbreak" => "jailbreak",
        other => other,
    };
    Some(name.to_owned())
}

/// Attacks and harmless texts, all kinds together.
pub(crate) fn total(text: &Text) -> Option<String> {
    (text.attack || !text.quoted).then(|| if text.attack { "attacks" } else { "harmless" }.to_owned())
}

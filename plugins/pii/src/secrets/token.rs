//! Credentials that can be told by their form: API keys by their prefix, tokens of several parts, private keys.
//!
//! The text is read word by word (a word is a run of base64url letters). A key must begin its word or stand behind a
//! `-` or `_` in it, be as long as its issuer makes it, and look drawn by lot: what documentation puts in a key's place
//! (`sk-xxxx`, `ghp_your_token_here`) stays.

use super::{drawn, forms::Form, open::begins_plain, pem};
use crate::{Entity, Finding, scan};
use std::ops::Range;

/// What is found, as what, by which rule.
pub(crate) type Key = (Range<usize>, Entity, &'static str);

/// The shortest word that a form can be in: a Stripe key of old, `sk_test_` and 16 letters, has 24; an AWS id 20.
const SHORTEST: usize = 19;

pub(crate) fn find(text: &str, found: &mut Vec<Finding>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let begin = scan::run(bytes, at, |it| !scan::word(it));
        let start = begin.saturating_add(scan::escape(bytes, begin));
        let end = scan::run(bytes, start, scan::word);
        at = end;
        if let Some((span, entity, rule)) = secret(bytes, start..end) {
            at = at.max(span.end);
            found.push(Finding { span, entity, rule });
        }
    }
}

/// The key that `text` begins with, if it holds nothing else.
pub(crate) fn at(text: &[u8]) -> Option<Key> {
    let end = scan::run(text, 0, scan::word);
    secret(text, 0..end).filter(|(span, ..)| span.end == text.len())
}

/// The secret that the word at `span` is, holds, or begins.
fn secret(text: &[u8], span: Range<usize>) -> Option<Key> {
    let word = text.get(span.clone())?;
    if word.ends_with(b"-----BEGIN") {
        return Some((pem::at(text, span.end.saturating_sub(10))?, Entity::PrivateKey, "private_key"));
    }
    begun(text, word, span.clone()).or_else(|| formed(text, span))
}

/// The token that a short word begins, the rest of it behind dots, colons or slashes.
fn begun(text: &[u8], word: &[u8], span: Range<usize>) -> Option<Key> {
    let Range { start, end } = span;
    let whole = |least: &[usize], entity, rule| parts(text, start..end, least).map(|end| (start..end, entity, rule));
    match word {
        b"SG" => whole(&[16, 32], Entity::SendgridKey, "sendgrid_key"),
        b"ya29" => whole(&[30], Entity::SecretOther, "secret.google_access"),
        b"hvs" | b"hvb" | b"hvr" => whole(&[24], Entity::SecretOther, "secret.vault"),
        b"mfa" => whole(&[60], Entity::SecretOther, "secret.discord"),
        b"mlsn" => whole(&[60], Entity::SecretOther, "secret.mailersend"),
        b"sl" => whole(&[60], Entity::SecretOther, "secret.dropbox"),
        b"dt0c01" | b"dt0s01" => whole(&[24, 60], Entity::SecretOther, "secret.dynatrace"),
        b"xoxe" => whole(&[60], Entity::SlackToken, "slack_token"),
        b"t1" => whole(&[20, 80], Entity::SecretOther, "secret.yandex"),
        b"s" => vault(text, start, end),
        b"1" if scan::stands(text, end, b"//0") => {
            let stop = scan::run(text, end.saturating_add(2), scan::word);
            (stop.saturating_sub(end) >= 40).then_some((start..stop, Entity::SecretOther, "secret.google_refresh"))
        }
        b"access_token" => braintree(text, start, end),
        b"dp" => whole(&[2, 40], Entity::SecretOther, "secret.doppler"),
        b"pat" | b"sat" => whole(&[20, 22, 18], Entity::SecretOther, "secret.harness"),
        b"hooks" => slack_hook(text, start, end).map(|it| (it, Entity::SlackToken, "slack_webhook")),
        [b'e', b'y', b'J', ..] => jwt(text, span).map(|end| (start..end, Entity::Jwt, "jwt")),
        [b'M' | b'N' | b'O', ..] if !begins_plain(word) => discord(text, span),
        [b'p', b'a', b't', rest @ ..] if rest.len() == 14 && !begins_plain(word) => {
            whole(&[60], Entity::SecretOther, "secret.airtable")
        }
        [b'b' | b'0'..=b'9', ..] => telegram(text, span).map(|it| (it, Entity::TelegramToken, "telegram_token")),
        _ => None,
    }
    .filter(|(span, ..)| text.get(span.clone()).is_some_and(|it| !drawn::stands_for_another(it)))
    .or_else(|| behind(text, word, start..end))
}

/// What is told by the sign behind its first part: `….atlasv1.…` of Terraform, `abc8Q~…` of Azure, `sha256~…` of
/// OpenShift, `0123…-us12` of Mailchimp.
fn behind(text: &[u8], word: &[u8], span: Range<usize>) -> Option<Key> {
    let Range { start, end } = span.clone();
    let terraform = word.len() == 14 && !begins_plain(word) && scan::stands(text, end, b".atlasv1.");
    let azure = matches!(word, [.., b'0'..=b'9', b'Q']) && word.len() <= 12;
    let tilde = scan::byte(text, end) == Some(b'~') && (azure || word == b"sha256");
    let last = end.saturating_sub(if azure { 5 } else { word.len() });
    let (from, rule, least) = match (terraform, tilde) {
        (true, _) => (end.saturating_add(9), "secret.terraform", 60),
        (_, true) if azure => (end.saturating_add(1), "secret.azure", 30),
        (_, true) => (end.saturating_add(1), "secret.openshift", 43),
        _ if word.len() == 40 && word.ends_with(b"_mmk") && drawn::by_lot(word, true) => {
            return Some((span, Entity::SecretOther, "secret.maxmind"));
        }
        _ => return mailchimp(word, start).map(|it| (it, Entity::SecretOther, "secret.mailchimp")),
    };
    let stop = scan::run(text, from, |it| scan::word(it) || matches!(it, b'~' | b'.' | b'='));
    let body = text.get(from..stop)?;
    let stops = body.iter().rev().take_while(|it| **it == b'.').count();
    let stop = stop.saturating_sub(stops);
    let fits = body.len().saturating_sub(stops) >= least && drawn::by_lot(body, true);
    fits.then_some((last.max(start)..stop, Entity::SecretOther, rule))
}

fn mailchimp(word: &[u8], start: usize) -> Option<Range<usize>> {
    let (key, zone) = word.split_at_checked(32)?;
    let zone = zone.strip_prefix(b"-us")?;
    let fits = (1..=2).contains(&zone.len()) && zone.iter().all(u8::is_ascii_digit);
    let hex = key.iter().all(|it| it.is_ascii_digit() || (b'a'..=b'f').contains(it));
    (fits && hex && drawn::by_lot(key, true)).then(|| start..start.saturating_add(word.len()))
}

/// The key of a known form in a word. The first prefix decides, so that a word is read only once more.
fn formed(text: &[u8], span: Range<usize>) -> Option<Key> {
    let word = text.get(span.clone())?;
    if word.len() < SHORTEST && scan::byte(text, span.end).is_none_or(|it| !b"+/.=".contains(&it)) {
        return None;
    }
    scan::steps::take(word.len());
    let behind = |(nth, it): (usize, &u8)| matches!(it, b'-' | b'_').then(|| nth.saturating_add(1));
    let mut starts = std::iter::once(0).chain(word.iter().enumerate().filter_map(behind));
    let (start, form) = starts.find_map(|start| Some((start, Form::of(word.get(start..)?)?)))?;
    let from = start.saturating_add(form.prefix.len()).saturating_add(span.start);
    let end = scan::run(text, from, |it| form.letters.have(it));
    let body = text.get(from..end)?;
    let stops = body.iter().rev().take_while(|it| **it == b'.').count();
    let end = end.saturating_sub(stops);
    // In base64 a short prefix without a sign of its own stands by chance.
    let sign = |at: Option<usize>| at.and_then(|it| scan::byte(text, it)).is_some_and(|it| matches!(it, b'+' | b'/'));
    let chance = form.prefix.len() <= 4 && form.prefix.bytes().all(|it| it.is_ascii_alphanumeric());
    let within = sign(Some(end))
        || (sign(span.start.checked_sub(1))
            && span
                .start
                .checked_sub(2)
                .and_then(|it| scan::byte(text, it))
                .is_some_and(|it| it.is_ascii_alphanumeric()));
    (!(chance && within) && form.takes(text.get(from..end)?))
        .then(|| (span.start.saturating_add(start)..end, form.entity, form.rule))
}

impl Form {
    /// Whether `body` behind the prefix makes a key.
    pub(crate) fn takes(&self, body: &[u8]) -> bool {
        // A short prefix says little if what follows may be words: `re_` begins names too.
        let words = self.prefix.len() <= 4 && self.letters.have(b'_');
        let jumbled = !words || drawn::Look::at(body).is_jumbled();
        (self.least..=self.most).contains(&body.len()) && jumbled && drawn::by_lot(body, self.letters.are_mixed())
    }
}

/// The end of a word and the parts that follow it, each behind a dot and at least so long.
fn parts(text: &[u8], word: Range<usize>, least: &[usize]) -> Option<usize> {
    least.iter().try_fold(word.end, |at, least| {
        let from = at.saturating_add(1);
        let end = (scan::byte(text, at) == Some(b'.')).then(|| scan::run(text, from, scan::word))?;
        (end.saturating_sub(from) >= *least).then_some(end)
    })
}

/// The end of a JSON Web Token (RFC 7519): three parts, or the five of an encrypted one.
fn jwt(text: &[u8], word: Range<usize>) -> Option<usize> {
    if word.len() < 10 {
        return None;
    }
    let signed = parts(text, word, &[4, 16])?;
    Some(parts(text, signed..signed, &[4, 16]).unwrap_or(signed))
}

/// `s.` and twenty-four letters: a token of Vault as it was before 1.10.
fn vault(text: &[u8], start: usize, dot: usize) -> Option<Key> {
    let stop = parts(text, start..dot, &[24])?;
    let body = text.get(dot.saturating_add(1)..stop)?;
    let fits = body.len() == 24 && body.iter().any(u8::is_ascii_digit) && drawn::like_a_key(body);
    fits.then_some((start..stop, Entity::SecretOther, "secret.vault"))
}

/// `access_token$production$…$…`.
fn braintree(text: &[u8], start: usize, end: usize) -> Option<Key> {
    let kinds: [&[u8]; 2] = [b"$production$", b"$sandbox$"];
    let kind = kinds.iter().find(|it| scan::stands(text, end, it))?;
    let stop = scan::run(text, end.saturating_add(kind.len()), |it| it.is_ascii_alphanumeric() || it == b'$');
    (stop.saturating_sub(end) >= 48).then_some((start..stop, Entity::SecretOther, "secret.braintree"))
}

/// `MTk4NjIy….Cl2FMQ.…`: the id of a bot in base64, a time, a signature.
fn discord(text: &[u8], word: Range<usize>) -> Option<Key> {
    let fits = (23..=28).contains(&word.len());
    let end = fits.then(|| parts(text, word.clone(), &[6, 27]))??;
    let time = scan::byte(text, word.end.saturating_add(7)) == Some(b'.');
    (time && drawn::by_lot(text.get(word.start..end)?, true)).then_some((
        word.start..end,
        Entity::SecretOther,
        "secret.discord",
    ))
}

/// `123456789:AA…`, also behind `bot` as in the API's paths.
fn telegram(text: &[u8], word: Range<usize>) -> Option<Range<usize>> {
    let name = text.get(word.clone())?;
    let id = name.strip_prefix(b"bot").unwrap_or(name);
    if !(8..=10).contains(&id.len()) || !id.iter().all(u8::is_ascii_digit) || !scan::stands(text, word.end, b":A") {
        return None;
    }
    let from = word.end.saturating_add(1);
    let end = scan::run(text, from, scan::word);
    let fits = end.saturating_sub(from) == 35 && drawn::by_lot(text.get(from..end)?, true);
    fits.then(|| word.end.saturating_sub(id.len())..end)
}

/// `hooks.slack.com/services/T…/B…/…`, with its scheme: whoever knows the address may post.
fn slack_hook(text: &[u8], start: usize, host: usize) -> Option<Range<usize>> {
    let middle = b".slack.com/";
    let from = host.saturating_add(middle.len());
    let end = scan::stands(text, host, middle)
        .then(|| scan::run(text, from, |it| it.is_ascii_alphanumeric() || it == b'/'))?;
    let path = text.get(from..end)?;
    let kinds: [&[u8]; 3] = [b"services/", b"workflows/", b"triggers/"];
    let path = kinds.iter().find_map(|it| path.strip_prefix(*it))?;
    let fits = path.len() >= 30 && path.iter().filter(|it| **it == b'/').count() >= 2 && drawn::by_lot(path, true);
    let before = text.get(..start).unwrap_or_default();
    let schemes: [&[u8]; 2] = [b"https://", b"http://"];
    let scheme = schemes.iter().find(|it| before.ends_with(it)).map_or(0, |it| it.len());
    fits.then(|| start.saturating_sub(scheme)..end)
}

#[cfg(test)]
mod tests;

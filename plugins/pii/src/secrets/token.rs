//! Credentials that can be told by their form: API keys by their prefix, JWTs, private keys.
//!
//! The text is read word by word (a word is a run of base64url letters). A key must begin its word or
//! stand behind a `-` or `_` in it, be as long as its issuer makes it, and look drawn by lot: what
//! documentation puts in a key's place (`sk-xxxx`, `ghp_your_token_here`) stays.

use super::pem;
use crate::{Entity, Finding, scan};
use std::ops::Range;

/// How an issuer's keys look.
struct Form {
    prefix: &'static str,
    /// What may follow.
    letters: Letters,
    /// How many must follow.
    least: usize,
    /// How many may follow; what is longer is something else.
    most: usize,
    what: &'static str,
}

#[derive(Clone, Copy)]
enum Letters {
    /// `A-Z a-z 0-9`
    Alphanumeric,
    /// and `-` and `_`.
    Word,
    /// `A-Z 0-9`
    Capital,
    /// `0-9 a-f`
    Hex,
}

const fn form(prefix: &'static str, letters: Letters, least: usize, what: &'static str) -> Form {
    Form { prefix, letters, least, most: usize::MAX, what }
}

const fn exactly(prefix: &'static str, letters: Letters, length: usize, what: &'static str) -> Form {
    Form { prefix, letters, least: length, most: length, what }
}

/// The first prefix that fits decides, so the longer of two stands first.
const FORMS: [Form; 59] = {
    use Letters::{Alphanumeric, Capital, Hex, Word};
    [
        form("sk-ant-", Word, 24, "an Anthropic API key"),
        form("sk-proj-", Word, 40, "an OpenAI API key"),
        form("sk-svcacct-", Word, 40, "an OpenAI API key"),
        form("sk-admin-", Word, 40, "an OpenAI API key"),
        form("sk-None-", Word, 40, "an OpenAI API key"),
        form("sk-or-v1-", Hex, 32, "an OpenRouter API key"),
        form("sk-lf-", Word, 32, "a Langfuse key"),
        form("sk-", Alphanumeric, 32, "an API key"),
        form("behest_sk_", Word, 24, "a gateway API key"),
        form("sk_live_", Alphanumeric, 16, "a Stripe key"),
        form("sk_test_", Alphanumeric, 16, "a Stripe key"),
        form("rk_live_", Alphanumeric, 16, "a Stripe key"),
        form("rk_test_", Alphanumeric, 16, "a Stripe key"),
        form("whsec_", Alphanumeric, 24, "a webhook signing secret"),
        form("ghp_", Alphanumeric, 30, "a GitHub token"),
        form("gho_", Alphanumeric, 30, "a GitHub token"),
        form("ghu_", Alphanumeric, 30, "a GitHub token"),
        form("ghs_", Alphanumeric, 30, "a GitHub token"),
        form("ghr_", Alphanumeric, 30, "a GitHub token"),
        form("github_pat_", Word, 40, "a GitHub token"),
        form("glpat-", Word, 20, "a GitLab token"),
        form("gldt-", Word, 20, "a GitLab token"),
        form("glptt-", Word, 20, "a GitLab token"),
        form("glrt-", Word, 20, "a GitLab token"),
        form("glcbt-", Word, 20, "a GitLab token"),
        form("glsoat-", Word, 20, "a GitLab token"),
        form("GR1348941", Word, 20, "a GitLab token"),
        form("xoxb-", Word, 20, "a Slack token"),
        form("xoxp-", Word, 20, "a Slack token"),
        form("xoxa-", Word, 20, "a Slack token"),
        form("xoxo-", Word, 20, "a Slack token"),
        form("xoxr-", Word, 20, "a Slack token"),
        form("xoxs-", Word, 20, "a Slack token"),
        form("xoxe-", Word, 20, "a Slack token"),
        form("xapp-", Word, 20, "a Slack token"),
        exactly("AIza", Word, 35, "a Google API key"),
        form("GOCSPX-", Word, 20, "a Google client secret"),
        form("hf_", Alphanumeric, 30, "a Hugging Face token"),
        form("api_org_", Alphanumeric, 30, "a Hugging Face token"),
        form("npm_", Alphanumeric, 30, "an npm token"),
        exactly("AKIA", Capital, 16, "an AWS access key id"),
        exactly("ASIA", Capital, 16, "an AWS access key id"),
        exactly("ABIA", Capital, 16, "an AWS access key id"),
        form("gsk_", Alphanumeric, 40, "a Groq API key"),
        form("xai-", Alphanumeric, 40, "an xAI API key"),
        form("pplx-", Alphanumeric, 40, "a Perplexity API key"),
        form("r8_", Alphanumeric, 30, "a Replicate token"),
        form("tvly-", Word, 24, "a Tavily API key"),
        form("pypi-", Word, 60, "a PyPI token"),
        form("dop_v1_", Hex, 60, "a DigitalOcean token"),
        form("shpat_", Hex, 32, "a Shopify token"),
        form("lin_api_", Alphanumeric, 32, "a Linear API key"),
        form("ntn_", Alphanumeric, 40, "a Notion token"),
        form("vcp_", Alphanumeric, 24, "a Vercel token"),
        form("vci_", Alphanumeric, 24, "a Vercel token"),
        form("vca_", Alphanumeric, 24, "a Vercel token"),
        form("vcr_", Alphanumeric, 24, "a Vercel token"),
        form("vck_", Alphanumeric, 24, "a Vercel token"),
        form("dapi", Hex, 32, "a Databricks token"),
    ]
};

/// The shortest word that a form can be in: an AWS access key id.
const SHORTEST: usize = 20;

pub(crate) fn find(text: &str, found: &mut Vec<Finding>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let begin = scan::run(bytes, at, |it| !scan::word(it));
        let start = begin.saturating_add(scan::escape(bytes, begin));
        let end = scan::run(bytes, start, scan::word);
        at = end;
        if let Some((span, rule)) = secret(bytes, start..end) {
            at = at.max(span.end);
            found.push(Finding { span, entity: Entity::SecretOther, rule });
        }
    }
}

/// The secret that the word at `span` is, holds, or begins.
fn secret(text: &[u8], span: Range<usize>) -> Option<(Range<usize>, &'static str)> {
    let word = text.get(span.clone())?;
    if word.ends_with(b"-----BEGIN") {
        return Some((pem::at(text, span.end.saturating_sub(10))?, "a private key"));
    }
    let (start, end) = (span.start, span.end);
    let begun = match word {
        b"SG" => parts(text, span, &[16, 32]).map(|end| (start..end, "a SendGrid API key")),
        b"ya29" => parts(text, span, &[30]).map(|end| (start..end, "a Google access token")),
        b"hooks" => slack_hook(text, end).map(|it| (it, "a Slack webhook")),
        [b'e', b'y', b'J', ..] => jwt(text, span).map(|end| (start..end, "a JWT")),
        [b'b' | b'0'..=b'9', ..] => telegram(text, span).map(|it| (it, "a Telegram bot token")),
        _ => None,
    };
    begun.or_else(|| formed(word, start))
}

/// The key of a known form in a word, `at` being where the word stands. The first prefix decides, so
/// that a word is read only once more.
fn formed(word: &[u8], at: usize) -> Option<(Range<usize>, &'static str)> {
    if word.len() < SHORTEST {
        return None;
    }
    let behind = |(nth, it): (usize, &u8)| matches!(it, b'-' | b'_').then(|| nth.saturating_add(1));
    let mut starts = std::iter::once(0).chain(word.iter().enumerate().filter_map(behind));
    let (start, form) = starts.find_map(|start| Some((start, Form::of(word.get(start..)?)?)))?;
    let from = start.saturating_add(form.prefix.len());
    let end = scan::run(word, from, |it| form.letters.have(it));
    let body = word.get(from..end)?;
    let fits = (form.least..=form.most).contains(&body.len()) && drawn_by_lot(body, form.letters.are_mixed());
    fits.then(|| (at.saturating_add(start)..at.saturating_add(end), form.what))
}

impl Form {
    fn of(word: &[u8]) -> Option<&'static Self> {
        let first = word.first()?;
        FORMS.iter().find(|it| it.prefix.as_bytes().first() == Some(first) && word.starts_with(it.prefix.as_bytes()))
    }
}

impl Letters {
    /// Whether a key of these letters has different kinds of them, as a word of a language has not.
    fn are_mixed(self) -> bool {
        !matches!(self, Self::Capital)
    }

    fn have(self, it: u8) -> bool {
        match self {
            Self::Alphanumeric => it.is_ascii_alphanumeric(),
            Self::Word => scan::word(it),
            Self::Capital => it.is_ascii_uppercase() || it.is_ascii_digit(),
            Self::Hex => matches!(it, b'0'..=b'9' | b'a'..=b'f'),
        }
    }
}

/// How much of a key is looked at to tell whether it was drawn.
const LOOK: usize = 64;

/// Whether these letters look drawn by lot rather than put there by a person: a fair number of
/// different ones, most not in the order of the alphabet, none of the words that stand for a key, and, if `mixed`,
/// capitals among small letters or digits.
fn drawn_by_lot(body: &[u8], mixed: bool) -> bool {
    let look = body.get(..LOOK).unwrap_or(body);
    scan::steps::take(look.len());
    let mut seen = [false; 256];
    for it in look {
        if let Some(seen) = seen.get_mut(usize::from(*it)) {
            *seen = true;
        }
    }
    let different = seen.iter().filter(|it| **it).count();
    let next = |pair: &&[u8]| matches!(pair, [a, b] if a.checked_add(1) == Some(*b));
    let in_order = look.windows(2).filter(next).count();
    let mixed = !mixed || look.iter().any(u8::is_ascii_digit) || {
        look.iter().any(u8::is_ascii_uppercase) && look.iter().any(u8::is_ascii_lowercase)
    };
    different >= 6 && mixed && in_order.saturating_mul(2) < look.len() && !stands_for_another(look)
}

fn stands_for_another(look: &[u8]) -> bool {
    const WORDS: [&[u8]; 9] =
        [b"xxxx", b"your", b"example", b"placeholder", b"redacted", b"replace", b"dummy", b"insert", b"0000000"];
    let lower = look.to_ascii_lowercase();
    WORDS.iter().any(|word| lower.windows(word.len()).any(|it| it == *word))
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

/// `123456789:AA…`, also behind `bot` as in the API's paths.
fn telegram(text: &[u8], word: Range<usize>) -> Option<Range<usize>> {
    let name = text.get(word.clone())?;
    let id = name.strip_prefix(b"bot").unwrap_or(name);
    if !(8..=10).contains(&id.len()) || !id.iter().all(u8::is_ascii_digit) || !scan::stands(text, word.end, b":A") {
        return None;
    }
    let from = word.end.saturating_add(1);
    let end = scan::run(text, from, scan::word);
    let fits = end.saturating_sub(from) == 35 && drawn_by_lot(text.get(from..end)?, true);
    fits.then(|| word.end.saturating_sub(id.len())..end)
}

/// The secret path of `hooks.slack.com/services/T…/B…/…`.
fn slack_hook(text: &[u8], host: usize) -> Option<Range<usize>> {
    let middle = b".slack.com/services/";
    let from = host.saturating_add(middle.len());
    let end = scan::stands(text, host, middle)
        .then(|| scan::run(text, from, |it| it.is_ascii_alphanumeric() || it == b'/'))?;
    let path = text.get(from..end)?;
    let fits = path.len() >= 30 && path.iter().filter(|it| **it == b'/').count() >= 2 && drawn_by_lot(path, true);
    fits.then_some(from..end)
}

#[cfg(test)]
mod tests {
    use crate::{Entity, tests::check};

    const A36: &str = "CpE2h8elheSieRKRsuFZFSrL7Y9SgTPk4J3q";
    const A43: &str = "Nm1cy5dENmvgp0R4h0uTf0hP8xei5YesVTNPj2zByBR";

    #[test]
    fn keys_are_found_by_their_form() {
        for key in [
            format!("sk-{A43}"),
            format!("sk-proj-{A36}_-T3BlbkFJ{A36}"),
            format!("sk-ant-api03-{A43}-{A43}AA"),
            format!("sk_live_{A36}"),
            format!("rk_test_{A36}"),
            format!("whsec_{A36}"),
            format!("ghp_{A36}"),
            format!("github_pat_{}_{A43}", &A36[..22]),
            format!("glpat-{}", &A36[..20]),
            "xoxb-515916466676-791656208398-En2oo2IPrYyZouOwOu6k2Cnk".to_owned(),
            format!("AIza{}", &A36[1..]),
            format!("hf_{A36}"),
            format!("npm_{A36}"),
            format!("SG.{}.{A43}", &A36[..22]),
            format!("7469908099:AA{}", &A36[..33]),
            "AKIACMIDNE4T7DTGCLSV".to_owned(),
            "AKIAUNEWGKVNWXSXQTMR".to_owned(),
            "behest_sk_live_4f9c2a7be1d05836a9b4c7d2e8f10a35".to_owned(),
            format!("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.{A43}"),
            format!("eyJhbGciOiJSU0EifQ.{A43}.{A36}.{A43}.{A36}"),
            format!("ya29.{A43}"),
        ] {
            check(Entity::SecretOther, &key, &[&key]);
            for (before, after) in [
                ("KEY=", ""),
                ("\"", "\","),
                ("Bearer ", "."),
                ("x\\n", "\\n"),
                ("(", ") is mine"),
                ("키는 ", "입니다"),
                ("https://x.org/?key=", "&b=1"),
            ] {
                check(Entity::SecretOther, &format!("{before}{key}{after}"), &[&key]);
            }
        }
        let hook = format!("TB2S7ILGY/BVEZP9LY35D/{A36}");
        check(Entity::SecretOther, &format!("https://hooks.slack.com/services/{hook} "), &[&hook]);
        check(
            Entity::SecretOther,
            &format!("/bot7469908099:AA{}/getMe", &A36[..33]),
            &[&format!("7469908099:AA{}", &A36[..33])],
        );
        check(Entity::SecretOther, &format!("prod-api-sk-proj-{A43}"), &[&format!("sk-proj-{A43}")]);
        check(Entity::SecretOther, &format!("ghp_{A36} ghp_{A36}"), &[&format!("ghp_{A36}"), &format!("ghp_{A36}")]);
    }

    #[test]
    fn what_only_looks_like_a_key_stays() {
        for text in [
            "sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "sk-proj-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx and sk-...",
            "sk-your-api-key-goes-here-and-nowhere-else-at-all",
            "sk_live_your_key, sk_live_0000000000000000000000000",
            "ghp_your_personal_access_token_goes_right_here_now",
            "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
            "pk_live_CpE2h8elheSieRKRsuFZFSrL",
            "AKIAIOSFODNN7EXAMPLE",
            "AKIAAAAAAAAAAAAAAAAA",
            "AKIACMIDNE4T7DTGCLSVX7Q",
            "what does the prefix ghp_ mean, or sk- and glpat-?",
            "550e8400-e29b-41d4-a716-446655440000",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
            "eyJhbGciOiJIUzI1NiJ9",
            "eyJhbGciOiJIUzI1NiJ9.eyJ.x",
            "task-scheduler-configuration-for-large-clusters",
            "risk-assessment-questionnaire-for-new-customers-2024",
            "SG.1.2 and SG.a.b",
            "1234567890:00 and 12345678:Always",
            "npm_config_registry_authentication_token_name",
            "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX",
            "",
        ] {
            check(Entity::SecretOther, text, &[]);
        }
    }
}

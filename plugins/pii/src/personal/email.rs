//! E-mail addresses, as people write them: the part of RFC 5322 that mail systems accept, and
//! letters of the Latin, Greek and Cyrillic scripts beyond ASCII (RFC 6531).
//!
//! Each `@` is looked at from both sides, to the left only back to the previous one and to the right
//! only up to the next, so every byte is read twice at most.

mod spelled;

use crate::{Entity, Finding, scan};

/// Endings of file names, which follow an `@` in `icon@2x.png`; none of them is a top-level domain.
const FILES: [&str; 25] = [
    "png", "jpg", "jpeg", "gif", "svg", "webp", "bmp", "ico", "pdf", "js", "mjs", "cjs", "ts", "tsx", "jsx", "css",
    "scss", "html", "json", "yaml", "yml", "xml", "txt", "toml", "lock",
];

pub(crate) fn find(text: &str, found: &mut Vec<Finding>) {
    spelled::find(text, found);
    let mut from = 0;
    for (at, _) in text.match_indices('@') {
        let after = at.saturating_add(1);
        let (left, right) = (text.get(from..at).unwrap_or_default(), text.get(after..).unwrap_or_default());
        from = after;
        let (Some(local), Some(domain)) = (local(left), domain(right)) else {
            continue;
        };
        if in_url(left, local) || is_address_of_a_repository(local, right, domain.len()) {
            continue;
        }
        let span = at.saturating_sub(local.len())..after.saturating_add(domain.len());
        found.push(Finding { span, entity: Entity::Email, rule: "email" });
    }
}

/// A letter of a script that puts spaces between words; others would run into the address.
fn letter(it: char) -> bool {
    it.is_ascii_alphanumeric() || (it < '\u{500}' && it.is_alphabetic())
}

/// The end of `left` that may be a mailbox's name.
fn local(left: &str) -> Option<&str> {
    let member = |it: &char| letter(*it) || ".!#$%&'*+-_~".contains(*it);
    let length: usize = left.chars().rev().take_while(member).map(char::len_utf8).sum();
    scan::steps::take(length);
    let run = left.get(left.len().saturating_sub(length)..)?;
    let run = run.get(scan::escape(left.as_bytes(), left.len().saturating_sub(run.len()))..)?;
    // A quote, a bullet or the end of another word is no part of it.
    let name = run.trim_start_matches(|it| !letter(it) && it != '_');
    (!name.is_empty()).then_some(name)
}

/// The start of `right` that is a mail domain: at least two labels, the last one a name.
fn domain(right: &str) -> Option<&str> {
    let member = |it: &char| letter(*it) || matches!(it, '.' | '-');
    let length: usize = right.chars().take_while(member).map(char::len_utf8).sum();
    scan::steps::take(length);
    let mut domain = right.get(..length)?;
    // What follows a sentence's full stop, or a number, is no top-level domain: try without it.
    while let Some((rest, last)) = domain.rsplit_once('.') {
        if top_level(last) {
            break;
        }
        domain = rest;
    }
    let (rest, last) = domain.rsplit_once('.')?;
    let labels = || rest.split('.');
    let version = labels().count() > 1 && labels().all(|it| it.bytes().all(|it| it.is_ascii_digit()));
    let sound = labels().all(|it| !it.is_empty() && !it.starts_with('-') && !it.ends_with('-'));
    let code = right.get(domain.len()..).is_some_and(|it| it.starts_with('('));
    (sound && !version && !code && !FILES.contains(&last.to_ascii_lowercase().as_str())).then_some(domain)
}

fn top_level(label: &str) -> bool {
    let name = label.chars().all(|it| letter(it) && !it.is_ascii_digit());
    (name && (2..=24).contains(&label.chars().count())) || label.starts_with("xn--")
}

/// Whether the name stands in the part of a URL that logs in, as in `https://name@host/`.
fn in_url(left: &str, local: &str) -> bool {
    let before = left.get(..left.len().saturating_sub(local.len())).unwrap_or_default();
    let bytes = before.as_bytes();
    let inside = |it: &&u8| !it.is_ascii_whitespace() && !b"/?#\"'<>()[]`,;".contains(it);
    let length = bytes.iter().rev().take_while(inside).count();
    scan::steps::take(length);
    bytes.get(..bytes.len().saturating_sub(length)).is_some_and(|it| it.ends_with(b"://"))
}

/// Whether it is where a repository or a file lies: `git@host:project/repo`, `me@host.org:/srv/data`.
fn is_address_of_a_repository(local: &str, right: &str, domain: usize) -> bool {
    let path = right.get(domain..).and_then(|it| it.strip_prefix(':')).unwrap_or_default();
    let length = scan::run(path.as_bytes(), 0, |it| !it.is_ascii_whitespace() && it != b'@');
    let path = path.get(..length).unwrap_or_default();
    local == "git" || path.contains('/') || path.trim_end_matches(['.', ',', ')']).ends_with(".git")
}

#[cfg(test)]
mod tests {
    use crate::{Entity, tests::check};

    #[test]
    fn addresses_are_found_as_they_are_written() {
        for (text, want) in [
            ("ada@example.com", "ada@example.com"),
            ("Write to ada.l+news@mail.example.co.uk.", "ada.l+news@mail.example.co.uk"),
            ("<ada@example.com>, please", "ada@example.com"),
            ("mailto:ada@example.com?subject=x", "ada@example.com"),
            ("'ada@example.com'", "ada@example.com"),
            ("o'brien@example.ie", "o'brien@example.ie"),
            ("(cc: ADA_L@EXAMPLE.COM)", "ADA_L@EXAMPLE.COM"),
            ("...ada@example.com...", "ada@example.com"),
            ("ada@example.com:hunter2", "ada@example.com"),
            ("https://x.org/?to=ada@example.com&b=1", "ada@example.com"),
            ("연락처는 ada@example.com입니다", "ada@example.com"),
            ("邮箱是ada@163.com。", "ada@163.com"),
            ("müller@bücher.de", "müller@bücher.de"),
            ("ada@xn--bcher-kva.xn--p1ai", "ada@xn--bcher-kva.xn--p1ai"),
            ("ada@example.com.2024", "ada@example.com"),
            ("ada@@example.com or eve@example.com", "eve@example.com"),
            ("- _x_@example.museum", "_x_@example.museum"),
            ("a@b@example.com", "b@example.com"),
            (r#"{"to": "x\nada@example.com\n"}"#, "ada@example.com"),
        ] {
            check(Entity::Email, text, &[want]);
        }
    }

    #[test]
    fn what_only_looks_like_an_address_stays() {
        for text in [
            "user@localhost",
            "root@10.0.0.1",
            "git@github.com:acme/repo.git",
            "deploy@example.com:/srv/www",
            "ssh://git@example.com/repo",
            "https://ada@example.com/",
            "lodash@4.17.21 and react@18.3.0-canary, pkg@1.0.0.beta",
            "icon@2x.png and sprite@3x.min.js",
            "@ada@ and @scope/package.json",
            "meet @ noon.ok",
            "[a-z]+@[a-z]+\\.[a-z]{2,}",
            "q@k.transpose(0, 1)",
            "image@sha256:0123456789abcdef",
            "ada@.example.com",
            "ada@-example-.com",
            "ada@example",
            "@example.com",
            "",
        ] {
            check(Entity::Email, text, &[]);
        }
    }
}

//! Passwords in URLs and connection strings: `scheme://user:password@host`.

use crate::{Entity, Finding, scan};

pub(crate) fn find(text: &str, found: &mut Vec<Finding>) {
    let bytes = text.as_bytes();
    for (at, mark) in text.match_indices("://") {
        // No slash is in it, so no two of these runs share a byte.
        let from = at.saturating_add(mark.len());
        let run = scan::run(bytes, from, |it| !it.is_ascii_whitespace() && !b"/?#\"'`<>{}[]|\\".contains(&it));
        // The last `@` divides: people leave one in a password unescaped.
        let login = text.get(from..run).and_then(|it| it.rsplit_once('@'));
        let Some((user, password)) = login.and_then(|(login, _)| login.split_once(':')) else {
            continue;
        };
        if !stands_for_another(password) {
            let start = from.saturating_add(user.len()).saturating_add(1);
            found.push(Finding {
                span: start..start.saturating_add(password.len()),
                entity: Entity::SecretOther,
                rule: "url.password",
            });
        }
    }
}

/// Whether it is no password but where one goes.
fn stands_for_another(password: &str) -> bool {
    let variable = password.starts_with(['$', '%']) && password.bytes().skip(1).all(|it| scan::word(it) || it == b'%');
    let stars = password.bytes().all(|it| b"*.xX".contains(&it));
    variable || stars || ["password", "passwd", "pass", "pw", "pwd"].contains(&password.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use crate::{Entity, tests::check};

    #[test]
    fn the_password_is_found_and_nothing_else() {
        for (text, want) in [
            ("https://ada:hunter2@example.com/", "hunter2"),
            ("redis://:3kBzNVFO0MyM@cache.internal:6379/0", "3kBzNVFO0MyM"),
            ("'postgres://svc:a$b!c@10.0.0.1/db'", "a$b!c"),
            ("ftp://ada:p@ss@example.com", "p@ss"),
            ("mongodb+srv://svc:a:b@c.example.net/app", "a:b"),
        ] {
            check(Entity::SecretOther, text, &[want]);
        }
    }

    #[test]
    fn a_url_without_a_password_stays() {
        for text in [
            "https://example.com:8080/a@b",
            "https://ada@example.com/",
            "https://ada:@example.com/",
            "https://user:password@example.com and https://user:****@example.com",
            "https://user:${TOKEN}@example.com, https://user:$TOKEN@example.com, https://user:<token>@example.com",
            "://",
            "://:@",
            "a://b:c",
            "see http://example.com: it is at noon @ home",
        ] {
            check(Entity::SecretOther, text, &[]);
        }
    }
}

//! URLs with a password in them, `scheme://user:password@host/…`, found whole: who knows the host as well knows more.
//!
//! Of a database it is a connection string, of anything else a URL with credentials.

use super::drawn;
use crate::{Entity, Finding, scan};
use std::{cell::Cell, ops::Range};

/// What a database or a broker is reached by; `postgresql+asyncpg` counts by what stands before the `+`.
const DATABASES: &[&str] = &[
    "postgres",
    "postgresql",
    "pgsql",
    "psql",
    "mysql",
    "mysqlx",
    "mariadb",
    "mongodb",
    "redis",
    "rediss",
    "valkey",
    "amqp",
    "amqps",
    "mssql",
    "sqlserver",
    "oracle",
    "clickhouse",
    "clickhouses",
    "cassandra",
    "couchbase",
    "couchbases",
    "couchdb",
    "neo4j",
    "neo4js",
    "bolt",
    "nats",
    "kafka",
    "cockroachdb",
    "cockroach",
    "snowflake",
    "influxdb",
    "db2",
    "trino",
    "presto",
    "hive",
    "redshift",
    "vertica",
    "memcached",
    "timescaledb",
    "ibmmq",
];

/// What else is reached by a user and a password.
const OTHERS: &[&str] = &[
    "http",
    "https",
    "ftp",
    "ftps",
    "sftp",
    "scp",
    "ssh",
    "git",
    "smb",
    "rtsp",
    "rtmp",
    "ldap",
    "ldaps",
    "ws",
    "wss",
    "imap",
    "imaps",
    "smtp",
    "smtps",
    "pop3",
    "socks5",
    "socks4",
    "socks",
    "mqtt",
    "mqtts",
    "svn",
    "vnc",
    "rdp",
    "telnet",
    "sip",
    "stun",
    "turn",
    "proxy",
    "dav",
    "davs",
    "jdbc",
    "elasticsearch",
    "etcd",
    "consul",
    "vault",
    "zookeeper",
    "s3",
    "nfs",
    "afp",
    "irc",
    "xmpp",
    "tcp",
    "hdfs",
];

/// Whether a scheme begins with `word`.
pub(crate) fn may_begin(word: &[u8]) -> bool {
    let lower = word.to_ascii_lowercase();
    DATABASES.iter().chain(OTHERS).any(|it| it.as_bytes().starts_with(&lower))
}

/// Where the URL begins that the text breaks off in.
pub(crate) fn open(text: &[u8]) -> Option<usize> {
    let length = text.iter().rev().take_while(|it| !ends(**it)).count();
    scan::steps::take(length);
    let start = text.len().saturating_sub(length);
    let mark = start.saturating_add(text.get(start..)?.windows(3).position(|it| it == b"://")?);
    let scheme = scheme(text, mark).unwrap_or(mark);
    let jdbc = if text.get(..scheme)?.ends_with(b"jdbc:") { 5 } else { 0 };
    Some(scheme.saturating_sub(jdbc))
}

/// What ends a URL wherever it stands.
fn ends(it: u8) -> bool {
    it.is_ascii_whitespace() || it.is_ascii_control() || b"\"'`<>\\".contains(&it)
}

pub(crate) fn find(text: &str, found: &mut Vec<Finding>) {
    let bytes = text.as_bytes();
    let mut read = 0;
    for (mark, _) in text.match_indices("://") {
        if mark < read {
            continue;
        }
        if let Some((span, entity, rule)) = at(bytes, mark) {
            read = span.end;
            found.push(Finding { span, entity, rule });
        }
    }
}

/// The URL whose `://` stands at `mark`, if it lets somebody in.
fn at(text: &[u8], mark: usize) -> Option<(Range<usize>, Entity, &'static str)> {
    let scheme = scheme(text, mark)?;
    let name = text.get(scheme..mark)?.to_ascii_lowercase();
    let family = name.split(|it| *it == b'+').next()?;
    let database = DATABASES.iter().any(|it| it.as_bytes() == family);
    let from = mark.saturating_add(3);
    let Some(host) = after_login(text, from) else {
        return hook(text, scheme, from);
    };
    let (entity, rule) = match database {
        true => (Entity::ConnString, "conn_string.url"),
        false => (Entity::UrlCredentials, "url_credentials"),
    };
    // Of a scheme that nobody knows the host and what lets in are enough.
    let known = database || OTHERS.iter().any(|it| it.as_bytes() == family);
    let scheme = if known { scheme } else { from };
    let before = text.get(..scheme)?;
    let jdbc = if before.ends_with(b"jdbc:") { 5 } else { 0 };
    Some((scheme.saturating_sub(jdbc)..end(text, host), entity, rule))
}

/// What is posted to by whoever knows the address.
const HOOKS: &[&str] = &[
    "discord.com/api/webhooks/",
    "discordapp.com/api/webhooks/",
    ".webhook.office.com/webhookb2/",
    "outlook.office.com/webhook/",
    "hooks.zapier.com/hooks/catch/",
    "oapi.dingtalk.com/robot/send?access_token=",
    "qyapi.weixin.qq.com/cgi-bin/webhook/send?key=",
    "open.feishu.cn/open-apis/bot/v2/hook/",
    "open.larksuite.com/open-apis/bot/v2/hook/",
    "maker.ifttt.com/trigger/",
];

fn hook(text: &[u8], scheme: usize, host: usize) -> Option<(Range<usize>, Entity, &'static str)> {
    const FAR: usize = 72;
    let near = text.get(host..host.saturating_add(FAR)).or_else(|| text.get(host..))?;
    let length = scan::run(near, 0, |it| !ends(it));
    let near = std::str::from_utf8(near.get(..length)?).ok()?;
    let path = HOOKS.iter().find_map(|it| near.find(it).map(|at| at.saturating_add(it.len())))?;
    let stop = end(text, host);
    let secret = text.get(host.saturating_add(path)..stop)?;
    let fits = secret.len() >= 20 && drawn::by_lot(secret, true);
    fits.then_some((scheme..stop, Entity::SecretOther, "secret.webhook"))
}

/// Where the scheme begins.
fn scheme(text: &[u8], mark: usize) -> Option<usize> {
    const LONGEST: usize = 24;
    let before = text.get(mark.saturating_sub(LONGEST)..mark)?;
    let member = |it: &&u8| it.is_ascii_alphanumeric() || matches!(it, b'+' | b'-' | b'.');
    let length = before.iter().rev().take_while(member).count();
    scan::steps::take(length);
    let start = mark.saturating_sub(length);
    let start = start.saturating_add(scan::escape(text, start));
    scan::byte(text, start).is_some_and(|it| it.is_ascii_alphabetic() && start < mark).then_some(start)
}

/// Where the host begins, behind the `@` of a user and a password.
fn after_login(text: &[u8], from: usize) -> Option<usize> {
    // No slash is in it, so no two of these runs share a byte.
    let plain = scan::run(text, from, |it| !ends(it) && !b"/?#{}[]|".contains(&it));
    if let Some(at) = text.get(from..plain)?.iter().rposition(|it| *it == b'@') {
        let host = from.saturating_add(at);
        return lets_in(text.get(from..host)?).then(|| host.saturating_add(1));
    }
    unescaped(text, from, plain)
}

/// The same if somebody left a `/`, a `#` or a bracket in the password unescaped: what follows the colon is no port then.
fn unescaped(text: &[u8], from: usize, plain: usize) -> Option<usize> {
    let colon = text.get(from..plain)?.iter().position(|it| *it == b':')?;
    let port = text.get(from.saturating_add(colon).saturating_add(1)..plain)?;
    if port.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // At a second slash in a row another URL may begin; up to there no other run goes.
    let slash = Cell::new(false);
    let end = scan::run(text, plain, |it| !(ends(it) || slash.replace(it == b'/') && it == b'/'));
    let at = text.get(plain..end)?.iter().rposition(|it| *it == b'@')?;
    let host = plain.saturating_add(at);
    let follows = scan::byte(text, host.saturating_add(1)).is_some_and(|it| it.is_ascii_alphanumeric());
    (follows && lets_in(text.get(from..host)?)).then(|| host.saturating_add(1))
}

/// Whether `user:password` is one, not the places of both.
fn lets_in(login: &[u8]) -> bool {
    let Some(colon) = login.iter().position(|it| *it == b':') else {
        return false;
    };
    let (user, password) = login.split_at(colon);
    let password = password.get(1..).unwrap_or_default();
    let words: &[&[u8]] = &[b"password", b"passwd", b"pw", b"pwd", b"token", b"secret", b"user", b"username"];
    let lower = password.to_ascii_lowercase();
    let stars = password.iter().all(|it| b"*.xX".contains(it));
    let place = stars || words.contains(&lower.as_slice()) || drawn::stands_for_another(password);
    !place && user.first().is_none_or(|it| !b"<{[$".contains(it))
}

/// Where a URL ends whose host begins at `host`: before a quote or a bracket, and before the sentence's full stop.
fn end(text: &[u8], host: usize) -> usize {
    let end = scan::run(text, host, |it| it.is_ascii() && !ends(it) && !b"|^".contains(&it));
    let mut url = text.get(host..end).unwrap_or_default();
    while let [rest @ .., last] = url {
        let opened = |bracket: u8| rest.contains(&bracket);
        let trim = match last {
            b'.' | b',' | b';' | b':' | b'!' | b'?' | b'*' => true,
            b')' => !opened(b'('),
            b']' => !opened(b'['),
            b'}' => !opened(b'{'),
            _ => false,
        };
        if !trim {
            break;
        }
        url = rest;
    }
    // In Markdown, `[url](https://…)[next]`, and in lists of URLs the next one begins within the run.
    let cut = url
        .windows(2)
        .position(|it| matches!(it, [b')' | b']', _]))
        .filter(|it| !url.get(..*it).is_some_and(|it| it.contains(&b'(') || it.contains(&b'[')));
    host.saturating_add(cut.unwrap_or(url.len()))
}

#[cfg(test)]
mod tests {
    use crate::{Entities, Entity, find, tests::check};

    #[test]
    fn a_url_with_a_password_is_found_whole() {
        for (text, want) in [
            ("https://ada:hunter2@example.com/", "https://ada:hunter2@example.com/"),
            ("clone ftp://ada:p@ss@example.com/a.git, please", "ftp://ada:p@ss@example.com/a.git"),
            (
                "(see sftp://ci:CDxRRenp@registry.example.net:8443/api?x=1#y).",
                "sftp://ci:CDxRRenp@registry.example.net:8443/api?x=1#y",
            ),
            ("[url](https://user:pass@example.com)", "https://user:pass@example.com"),
            ("このhttps://user:pass@example.comは", "https://user:pass@example.com"),
            ("https://svc:a/b#c@example.com/x", "https://svc:a/b#c@example.com/x"),
            ("\\nhttps://svc:Tr0ub4dor$001@example.com\\n", "https://svc:Tr0ub4dor$001@example.com"),
            (
                "rtsp://admin:MapleSyrup!743@cam01.acme.example/stream",
                "rtsp://admin:MapleSyrup!743@cam01.acme.example/stream",
            ),
        ] {
            check(Entity::UrlCredentials, text, &[want]);
        }
    }

    #[test]
    fn of_a_database_it_is_a_connection_string() {
        for (text, want) in [
            ("redis://:3kBzNVFO0MyM@cache.internal:6379/0", "redis://:3kBzNVFO0MyM@cache.internal:6379/0"),
            ("'postgres://svc:a$b!c@10.0.0.1/db'", "postgres://svc:a$b!c@10.0.0.1/db"),
            ("x mongodb+srv://svc:a:b@c.example.net/app?w=1 y", "mongodb+srv://svc:a:b@c.example.net/app?w=1"),
            ("DB=postgresql+asyncpg://u:Zx9q@db/x\n", "postgresql+asyncpg://u:Zx9q@db/x"),
            ("jdbc:mysql://root:Zx9q@db/x", "jdbc:mysql://root:Zx9q@db/x"),
        ] {
            check(Entity::ConnString, text, &[want]);
        }
    }

    #[test]
    fn the_address_of_a_hook_is_a_secret() {
        let hook = "https://discord.com/api/webhooks/195665429272533277/RZY_RSxs0KrBRi0iaE3ZBJqtCEpKeWKqXJiIBCNmUkUcjp";
        check(Entity::SecretOther, &format!("post to {hook}."), &[hook]);
        check(
            Entity::SecretOther,
            "https://discord.com/api/webhooks/ID/TOKEN and https://example.com/api/webhooks/1",
            &[],
        );
    }

    #[test]
    fn a_url_without_a_password_stays() {
        for text in [
            "https://example.com:8080/a@b",
            "https://ada@example.com/",
            "https://ada:@example.com/",
            "https://user:password@example.com and https://user:****@example.com",
            "https://user:${TOKEN}@example.com, https://user:$TOKEN@example.com, https://user:<token>@example.com",
            "https://example.com:8080/@scope/package",
            "postgres://localhost:5432/app",
            "://",
            "://:@",
            "a://b:c",
            "see http://example.com: it is at noon @ home",
        ] {
            assert_eq!(find(text, Entities::ALL), [], "{text}");
        }
    }
}

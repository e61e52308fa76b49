//! Connection strings of pairs, `Server=…;User ID=…;Password=…;`, found whole: ADO.NET, ODBC, JDBC for SQL Server, and
//! the keys of Azure's storage and messaging; and `user:password@tcp(host)/db` of Go's MySQL driver.

use super::drawn;
use crate::{Entity, Finding, scan};
use std::ops::Range;

/// What a pair may begin with besides the password; the longer of two first.
const KEYS: &[&str] = &[
    "defaultendpointsprotocol",
    "sharedaccesskeyname",
    "trustservercertificate",
    "integrated security",
    "initial catalog",
    "network address",
    "authentication",
    "accountname",
    "data source",
    "datasource",
    "entitypath",
    "timeout",
    "serverinstance",
    "endpointsuffix",
    "accountendpoint",
    "blobendpoint",
    "host name",
    "hostname",
    "endpoint",
    "database",
    "provider",
    "username",
    "user name",
    "user id",
    "userid",
    "sslmode",
    "driver",
    "server",
    "dbname",
    "address",
    "addr",
    "port",
    "host",
    "user",
    "uid",
    "dsn",
];

/// Whose value lets somebody in.
const SECRETS: [&str; 7] =
    ["password", "pwd", "accountkey", "sharedaccesskey", "sharedaccesssignature", "accesskey", "sharedsecret"];

/// What no connection string goes beyond.
fn ends(it: u8) -> bool {
    it.is_ascii_control() || b"\"'`<>|".contains(&it)
}

pub(crate) fn find(text: &str, found: &mut Vec<Finding>) {
    let bytes = text.as_bytes();
    // Each stretch between two ends is looked at once.
    let mut at = 0;
    while at < bytes.len() {
        let start = scan::run(bytes, at, ends);
        let end = scan::run(bytes, start, |it| !ends(it));
        at = end;
        let Some(stretch) = bytes.get(start..end) else {
            continue;
        };
        if stretch.contains(&b';') {
            pairs(text, start..end, found);
        }
        if stretch.contains(&b'@') && stretch.windows(5).any(|it| it == b"@tcp(" || it == b"@unix") {
            mysql(bytes, start..end, found);
        }
    }
}

/// Where the connection string begins that the text breaks off in: a row of pairs, or the word that may be its first key.
pub(crate) fn open(text: &[u8]) -> Option<usize> {
    let length = text.iter().rev().take_while(|it| !ends(**it)).count();
    scan::steps::take(length);
    let start = text.len().saturating_sub(length);
    let stretch = text.get(start..)?;
    let word = stretch.split(u8::is_ascii_whitespace).next_back().unwrap_or_default();
    let driver = word.windows(5).any(|it| it == b"@tcp(" || it == b"@unix");
    let mut begun = driver.then(|| text.len().saturating_sub(word.len()));
    rows(text, start..text.len(), |row, goes_on| {
        let start = row.with_url(text);
        begun = if goes_on { Some(begun.map_or(start, |it| it.min(start))) } else { begun };
    });
    begun.or_else(|| key_begun(stretch).map(|it| start.saturating_add(it)))
}

/// Where the words at the end begin that may become a key: `Data So`.
fn key_begun(stretch: &[u8]) -> Option<usize> {
    let letters = |it: &&u8| it.is_ascii_alphanumeric();
    let last = stretch.len().saturating_sub(stretch.iter().rev().take_while(letters).count());
    let before = stretch.get(..last)?.strip_suffix(b" ").unwrap_or_default();
    let two = before.len().saturating_sub(before.iter().rev().take_while(letters).count());
    let begins = |from: usize| {
        let words = stretch.get(from..).unwrap_or_default().to_ascii_lowercase();
        let words = words.as_slice();
        !words.is_empty() && SECRETS.iter().chain(KEYS).any(|it| it.as_bytes().starts_with(words))
    };
    [two, last].into_iter().find(|it| *it < stretch.len() && begins(*it))
}

/// Pairs, one behind the other.
#[derive(Clone, Copy)]
struct Row {
    start: usize,
    end: usize,
    pairs: usize,
    /// Whether one of them holds what lets somebody in.
    secret: bool,
}

impl Row {
    /// Where it begins with the host that a JDBC URL has before its first pair.
    fn with_url(self, text: &[u8]) -> usize {
        let before = text.get(self.start.saturating_sub(96)..self.start).unwrap_or_default();
        scan::steps::take(before.len());
        let url = before.ends_with(b";").then(|| before.windows(5).rposition(|it| it == b"jdbc:")).flatten();
        let url = url.filter(|at| before.get(*at..).is_some_and(|it| !it.contains(&b' ')));
        url.map_or(self.start, |at| self.start.saturating_sub(before.len().saturating_sub(at)))
    }
}

/// The connection strings within a stretch.
fn pairs(text: &str, stretch: Range<usize>, found: &mut Vec<Finding>) {
    rows(text.as_bytes(), stretch, |row, _| {
        if row.secret && row.pairs >= 2 {
            let span = row.with_url(text.as_bytes())..row.end;
            found.push(Finding { span, entity: Entity::ConnString, rule: "conn_string.pairs" });
        }
    });
}

/// Calls `done` with each row of pairs in a stretch, and whether what follows the stretch may belong to it.
fn rows(text: &[u8], stretch: Range<usize>, mut done: impl FnMut(Row, bool)) {
    /// Longer than any key.
    const KEY: usize = 34;
    let text = text.get(..stretch.end).unwrap_or(text);
    let (mut at, mut row) = (stretch.start, None::<Row>);
    while at <= stretch.end {
        let end = scan::run(text, at, |it| it != b';');
        let piece = text.get(at..end).unwrap_or_default();
        let closed = end < stretch.end;
        let Some(pair) = Pair::of(piece, row.is_some()) else {
            let begun = !closed && piece.len() <= KEY && !piece.contains(&b'=');
            if let Some(row) = row.take() {
                done(row, begun);
            }
            at = end.saturating_add(1);
            continue;
        };
        let begins = at.saturating_add(pair.start);
        let so_far = row.take().unwrap_or(Row { start: begins, end: begins, pairs: 0, secret: false });
        let stop = if closed && !pair.prose { end.saturating_add(1) } else { at.saturating_add(pair.end) };
        let next =
            Row { end: stop, pairs: so_far.pairs.saturating_add(1), secret: so_far.secret | pair.secret, ..so_far };
        if pair.prose || !closed {
            done(next, !pair.prose);
        } else {
            row = Some(next);
        }
        at = end.saturating_add(1);
    }
    if let Some(row) = row {
        done(row, true);
    }
}

/// A `key=value` of a connection string within a piece of text between two semicolons.
struct Pair {
    /// Where the key begins in the piece.
    start: usize,
    /// Where the value ends if the text goes on behind it.
    end: usize,
    /// Whether it holds what lets somebody in.
    secret: bool,
    /// Whether prose follows the value: the string ends with it.
    prose: bool,
}

impl Pair {
    /// The first pair of a string may stand behind a name of its own: `conn=Driver=…`.
    fn of(piece: &[u8], in_row: bool) -> Option<Self> {
        scan::steps::take(piece.len());
        let mut signs = piece.iter().enumerate().filter(|(_, it)| **it == b'=').map(|(at, _)| at).take(2);
        signs.find_map(|sign| Self::around(piece, sign, in_row))
    }

    fn around(piece: &[u8], sign: usize, in_row: bool) -> Option<Self> {
        let before = piece.get(sign.saturating_sub(32)..sign)?.trim_ascii_end().to_ascii_lowercase();
        let skipped = sign.saturating_sub(32);
        let ends = |it: &&&str| {
            before.strip_suffix(it.as_bytes()).is_some_and(|it| it.last().is_none_or(|it| !it.is_ascii_alphanumeric()))
        };
        let secret = SECRETS.iter().find(ends);
        let key = secret.or_else(|| KEYS.iter().find(ends));
        let known = key.map(|it| skipped.saturating_add(before.len()).saturating_sub(it.len()));
        // Within a row any short key will do; it begins one only if it is known.
        let leading = piece.len().saturating_sub(piece.trim_ascii_start().len());
        let short = sign < 32 && piece.get(..sign)?.iter().all(|it| it.is_ascii_alphanumeric() || b" _-".contains(it));
        let start = match (known, in_row) {
            (Some(start), true) if start == leading => start,
            (Some(start), false) => start,
            (_, true) if short => leading,
            _ => return None,
        };
        let value = piece.get(sign.saturating_add(1)..)?;
        let trimmed = value.trim_ascii_start();
        let first = trimmed.iter().position(u8::is_ascii_whitespace).unwrap_or(trimmed.len());
        let end =
            sign.saturating_add(1).saturating_add(value.len().saturating_sub(trimmed.len())).saturating_add(first);
        let word = trimmed.get(..first)?;
        // `Driver={ODBC Driver 17}` and `Database=My Shop` have spaces; of the first pair, which may be anything, no other.
        let spaces = trimmed.trim_ascii_end().iter().filter(|it| it.is_ascii_whitespace()).count();
        let most = if in_row { 4 } else { 0 };
        let prose = spaces > most && !trimmed.starts_with(b"{");
        let place = drawn::stands_for_another(word) || word.len() < 4 || word.eq_ignore_ascii_case(b"password");
        Some(Self { start, end, secret: secret.is_some() && !place, prose })
    }
}

/// `user:password@tcp(host:3306)/db?x=y`.
fn mysql(text: &[u8], stretch: Range<usize>, found: &mut Vec<Finding>) {
    let Some(bytes) = text.get(stretch.clone()) else {
        return;
    };
    scan::steps::take(bytes.len());
    let mut start = stretch.start;
    for word in bytes.split(u8::is_ascii_whitespace) {
        let at = word.windows(5).position(|it| it == b"@tcp(" || it == b"@unix");
        let login = at.and_then(|at| word.get(..at));
        let login = login.and_then(|it| it.rsplit(|it| *it == b'=').next());
        if let Some(login) = login.filter(|it| it.contains(&b':') && !drawn::stands_for_another(it)) {
            // Who logs in is let go: the name is read before anything shows that a string begins with it.
            let user = login.iter().position(|it| *it == b':').map_or(0, |it| it.saturating_add(1));
            let from = start.saturating_add(at.unwrap_or_default().saturating_sub(login.len())).saturating_add(user);
            let stop = start.saturating_add(word.trim_ascii_end().len());
            found.push(Finding { span: from..stop, entity: Entity::ConnString, rule: "conn_string.mysql" });
        }
        start = start.saturating_add(word.len()).saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use crate::{Entities, Entity, find, tests::check};

    #[test]
    fn pairs_with_a_password_are_found_whole() {
        for (before, text, after) in [
            (
                "DATABASE_URL: ",
                "Server=tcp:sql12.example.net,1433;Database=crm;User ID=sa;Password=qLBgE9DVPIG6WJ6k;Encrypt=True;",
                "",
            ),
            ("\"", "Data Source=db1; Initial Catalog=My Shop; User Id=sa; Password=Zx9!qwer", "\""),
            (
                "use ",
                "DefaultEndpointsProtocol=https;AccountName=acme;AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;EndpointSuffix=core.windows.net",
                " now",
            ),
            (
                "x = '",
                "Endpoint=sb://acme.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey=q7Zk2LwX9dVb4TnR8sYcHtg3hM8r1xQnVnc2YRQOK4R=",
                "'",
            ),
            ("", "jdbc:sqlserver://db1:1433;databaseName=shop;user=sa;password=Zx9qwer7;encrypt=true", ""),
            ("conn=", "Driver={ODBC Driver 17};Server=db1;UID=sa;PWD=Zx9qwer7;", "\n"),
            ("dsn: \"root:", "Zx9qwer7@tcp(127.0.0.1:3306)/shop?parseTime=true", "\""),
        ] {
            check(Entity::ConnString, &format!("{before}{text}{after}"), &[text]);
        }
    }

    #[test]
    fn pairs_without_one_stay() {
        for text in [
            "Server=db1;Database=crm;Integrated Security=True;",
            "Server=db1;Database=crm;User Id=sa;Password=${PASSWORD};",
            "Server=db1;Database=crm;User Id=sa;Password=<password>;",
            "let a=1;b=2;password=c;",
            "set port=8080 and go on; the password=Zx9 is short; so what",
            "Set-Cookie: a=b; Path=/; HttpOnly",
            ";;=;=",
        ] {
            assert_eq!(find(text, Entities::ALL), [], "{text}");
        }
    }
}

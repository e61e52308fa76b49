//! Passwords that no name stands before: in the arguments of programs, in files of logins, behind a word of another script.

use super::{
    name::Name,
    value::{Join, Value},
};
use crate::{Entity, Finding, scan};

/// Programs, and the flag that their password stands behind.
const PROGRAMS: &[(&str, &[&str])] = &[
    ("curl", &["-u", "--user", "--proxy-user"]),
    ("wget", &["--http-passwd"]),
    ("sshpass", &["-p"]),
    ("redis-cli", &["-a", "--pass"]),
    ("mysql", &["-p"]),
    ("mysqldump", &["-p"]),
    ("mongosh", &["-p"]),
    ("mongo", &["-p"]),
    ("docker", &["-p", "--password"]),
    ("smbclient", &["-U"]),
    ("ldapsearch", &["-w"]),
    ("sqlcmd", &["-P"]),
    ("rabbitmqadmin", &["-p"]),
    ("htpasswd", &["-b"]),
];

/// "Password" where it is written in other letters.
const WORDS: &[&str] = &[
    "contraseña",
    "пароль",
    "пароля",
    "密码",
    "密碼",
    "口令",
    "パスワード",
    "비밀번호",
    "암호",
    "كلمة المرور",
    "كلمة السر",
    "סיסמה",
    "पासवर्ड",
    "รหัสผ่าน",
    "mật khẩu",
    "hasło",
    "κωδικός",
    "şifre",
    "parolă",
    "lösenord",
];

/// What stands between such a word and the password, besides a colon.
const JOINTS: &[&str] = &["是", "为", "為", "は", "는", "은", "es", "is", "это", "—", "-", "jest"];

pub(crate) fn find(text: &str, found: &mut Vec<Finding>) {
    each(text, |at, kind| found.extend(secret(text, at, kind)));
}

/// Where the password begins that the text breaks off in.
pub(crate) fn open(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut open = None;
    each(text, |at, kind| {
        let reaches = kind == Kind::Login && Value::login(bytes, at).is_some_and(|it| it.span.end == bytes.len());
        let begun = at < bytes.len() && (reaches || Value::is_open(bytes, at, Join::Sign));
        open = open.or(begun.then_some(at));
    });
    open
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Login,
    Word,
}

/// Calls `seen` with each place where a password may begin.
fn each(text: &str, mut seen: impl FnMut(usize, Kind)) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let start = scan::run(bytes, at, |it| !scan::word(it));
        let end = scan::run(bytes, start, scan::word);
        at = end;
        let word = bytes.get(start..end).unwrap_or_default();
        let same = |it: &&(&str, &[&str])| it.0.as_bytes().first() == word.first() && it.0.as_bytes() == word;
        if let Some((_, flags)) = PROGRAMS.iter().find(same) {
            argument(text, end, flags).into_iter().for_each(|at| seen(at, Kind::Login));
        }
        let phrase = word.last().is_some_and(|it| b"YyhHne".contains(it)).then(|| call(bytes, start, end)).flatten();
        phrase.into_iter().for_each(|at| seen(at, Kind::Word));
    }
    if text.is_ascii() {
        return;
    }
    for word in WORDS {
        for (at, _) in text.match_indices(word) {
            behind(text, at.saturating_add(word.len())).into_iter().for_each(|at| seen(at, Kind::Word));
        }
    }
}

fn secret(text: &str, at: usize, kind: Kind) -> Option<Finding> {
    let bytes = text.as_bytes();
    let value = if kind == Kind::Login { Value::login(bytes, at) } else { Value::at(bytes, at, Join::Sign) }?;
    let written = text.get(value.span.clone())?;
    let user = written.find(':').filter(|_| kind == Kind::Login).map_or(0, |it| it.saturating_add(1));
    let password = value.span.start.saturating_add(user)..value.span.end;
    let quoted = value.quoted || kind == Kind::Login;
    let is = Value { span: password, quoted }.is_secret(bytes, Name::Password, Join::Sign);
    let rule = if kind == Kind::Login { "secret.argument" } else { "secret.password" };
    is.then_some(Finding { span: value.span, entity: Entity::SecretOther, rule })
}

/// Where the value begins of one of `flags` among the arguments of a program that begin at `from`.
fn argument(text: &str, from: usize, flags: &[&str]) -> Option<usize> {
    const LINE: usize = 160;
    let bytes = text.as_bytes();
    let near = bytes.get(..from.saturating_add(LINE)).unwrap_or(bytes);
    let end = scan::run(near, from, |it| !matches!(it, b'\n' | b';'));
    let line = text.get(from..text.floor_char_boundary(end))?;
    let at = flags.iter().filter_map(|flag| place(line, flag)).min()?;
    Some(scan::run(near, from.saturating_add(at), |it| matches!(it, b' ' | b'=')))
}

/// Where the argument begins that stands behind `flag`.
fn place(line: &str, flag: &str) -> Option<usize> {
    let (at, _) = line.match_indices(flag).find(|(at, _)| line.get(..*at).is_some_and(|it| it.ends_with(' ')))?;
    let behind = at.saturating_add(flag.len());
    let long = flag.len() > 2 || flag == "-u" || flag == "-U";
    let ends = line.get(behind..).is_some_and(|it| it.starts_with([' ', '=', '\'', '"']));
    (ends || !long).then_some(behind)
}

/// Where the quoted password begins behind the word at `start`: `IDENTIFIED BY '…'`, or behind a user, `auth=("ada", "…")`.
fn call(text: &[u8], start: usize, end: usize) -> Option<usize> {
    let word = text.get(start..end)?.to_ascii_lowercase();
    let near = |at: usize| text.get(..at.saturating_add(8)).unwrap_or(text);
    let quote = |at: usize| scan::byte(text, at).is_some_and(|it| matches!(it, b'"' | b'\''));
    if word == b"by" {
        let from = scan::run(near(end), end, |it| it == b' ');
        let before = text.get(start.saturating_sub(11)..start)?;
        return (quote(from) && before.eq_ignore_ascii_case(b"identified ")).then_some(from);
    }
    let calls: [&[u8]; 3] = [b"auth", b"login", b"authenticate"];
    let open = scan::run(near(end), end, |it| b" =(".contains(&it));
    let called = open > end && scan::byte(text, open.saturating_sub(1)) == Some(b'(') && quote(open);
    if !called || !calls.iter().any(|it| word.ends_with(it)) {
        return None;
    }
    let user = Value::at(text, open, Join::Sign).filter(|it| it.quoted && it.span.len() <= 64)?;
    let next = user.span.end.saturating_add(1);
    let comma = scan::run(near(next), next, |it| matches!(it, b',' | b' '));
    (comma > next && quote(comma)).then_some(comma)
}

/// Where the password begins behind its name in another script.
fn behind(text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let spaces = |at: usize| scan::run(bytes.get(..at.saturating_add(16)).unwrap_or(bytes), at, |it| it == b' ');
    let mut from = spaces(at);
    let joint = JOINTS.iter().find(|it| text.get(from..).is_some_and(|rest| rest.starts_with(**it)));
    from = spaces(from.saturating_add(joint.map_or(0, |it| it.len())));
    let signs = scan::run(bytes, from, |it| matches!(it, b':' | b'='));
    (joint.is_some() || signs > from).then(|| spaces(signs))
}

#[cfg(test)]
mod tests {
    use crate::{Entity, tests::check};

    #[test]
    fn passwords_are_found_among_arguments() {
        for (text, want) in [
            ("curl -s -u admin:Zx9qwer7 http://x", "admin:Zx9qwer7"),
            ("curl --user 'ada:hunter2!' http://x", "ada:hunter2!"),
            ("sshpass -p Zx9qwer7 ssh root@x", "Zx9qwer7"),
            ("sshpass -p 'Zx9 qwer7' ssh", ""),
            ("mysql -u root -pZx9qwer7 shop", "Zx9qwer7"),
            ("ALTER USER ada IDENTIFIED BY 'Zx9qwer7'", "Zx9qwer7"),
            ("requests.get(url, auth=(\"ada\", \"Zx9qwer7\"))", "Zx9qwer7"),
            ("redis-cli -h x -a Zx9qwer7 ping", "Zx9qwer7"),
        ] {
            check(Entity::SecretOther, text, &[want][..usize::from(!want.is_empty())]);
        }
    }

    #[test]
    fn passwords_are_found_behind_words_of_other_scripts() {
        for (text, want) in [
            ("我的密码是Zx9qwer7，请", "Zx9qwer7"),
            ("密码：Zx9qwer7", "Zx9qwer7"),
            ("Пароль: Zx9qwer7, пароль - Zx9qwer8", "Zx9qwer8"),
            ("la contraseña es Sol2024!", "Sol2024!"),
            ("パスワードは Zx9qwer7 です", "Zx9qwer7"),
        ] {
            check(Entity::SecretOther, text, &[want]);
        }
    }

    #[test]
    fn other_arguments_stay() {
        for text in [
            "curl -u user:password http://x, curl -u $USER:$PASS http://x, curl -u user http://x",
            "mysql -u root -p shop",
            "sort -u a:b, mkdir -p a/b1",
            "密码是什么？ パスワードは必要です",
        ] {
            check(Entity::SecretOther, text, &[]);
        }
    }
}

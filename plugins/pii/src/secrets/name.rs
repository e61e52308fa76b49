//! The names that secrets stand behind: `DB_PASSWORD`, `x-api-key`, `clientSecret`, "the password".

use super::couples::Couples;
use crate::scan;

/// How sure a name makes that a secret follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    /// A password, which a person may have chosen.
    Password,
    /// A key or a token, which a machine drew.
    Key,
    /// The secret half of an AWS key.
    AwsSecret,
    /// A user and a password, joined by a colon.
    Login,
    /// It may be something else as well: `key`, `auth`, `token` of a text.
    Perhaps,
}

/// What a name may end with and still be one: which of several it is.
const WHICH: &[&[u8]] = &[
    b"prod",
    b"production",
    b"dev",
    b"development",
    b"staging",
    b"stage",
    b"test",
    b"live",
    b"value",
    b"base64",
    b"b64",
    b"old",
    b"new",
    b"primary",
    b"secondary",
    b"plain",
    b"plaintext",
    b"raw",
    b"default",
    b"str",
    b"string",
    b"main",
];

const PASSWORDS: &[&[u8]] = &[
    b"password",
    b"passwd",
    b"passphrase",
    b"passcode",
    b"pwd",
    b"passwrd",
    b"userpass",
    b"dbpass",
    b"requirepass",
    b"masterauth",
    b"contrasena",
    b"passwort",
    b"kennwort",
    b"senha",
    b"motdepasse",
    b"wachtwoord",
    b"securestring",
    b"salasana",
    b"heslo",
    b"parola",
    b"adgangskode",
    b"katasandi",
];

const AWS: &[&[u8]] = &[b"awssecretaccesskey", b"secretaccesskey", b"awssecretkey", b"awssecret", b"awskey"];

const KEYS: &[&[u8]] = &[
    b"secret",
    b"apikey",
    b"secretkey",
    b"accesskey",
    b"privatekey",
    b"authkey",
    b"encryptionkey",
    b"decryptionkey",
    b"signingkey",
    b"signaturekey",
    b"masterkey",
    b"accountkey",
    b"sharedkey",
    b"sharedaccesskey",
    b"storagekey",
    b"licensekey",
    b"appkey",
    b"applicationkey",
    b"servicekey",
    b"subscriptionkey",
    b"sessionkey",
    b"adminkey",
    b"consumerkey",
    b"clientkey",
    b"functionkey",
    b"integrationkey",
    b"writekey",
    b"ingestkey",
    b"ingestionkey",
    b"serverkey",
    b"deploykey",
    b"jwtkey",
    b"hmackey",
    b"cookiekey",
    b"rootkey",
    b"sshkey",
    b"aeskey",
    b"cryptokey",
    b"webhookkey",
    b"secretapikey",
    b"apisecret",
    b"secretbase",
    b"accesstoken",
    b"authtoken",
    b"apitoken",
    b"refreshtoken",
    b"bearertoken",
    b"idtoken",
    b"sessiontoken",
    b"securitytoken",
    b"bottoken",
    b"secrettoken",
    b"deploytoken",
    b"personaltoken",
    b"usertoken",
    b"registrationtoken",
    b"authorization",
    b"apicredentials",
    b"connectionkey",
    b"sessionsecret",
    b"sessionid",
    b"sessid",
    b"privatekeyid",
    b"keybase",
    b"sonarlogin",
    b"plaintextpassword",
];

/// What makes a `key` or a `token` one that lets nobody in.
const OTHERS: &[&[u8]] = &[
    b"publickey",
    b"pubkey",
    b"primarykey",
    b"foreignkey",
    b"cachekey",
    b"sortkey",
    b"partitionkey",
    b"hashkey",
    b"rangekey",
    b"rowkey",
    b"uniquekey",
    b"idempotencykey",
    b"objectkey",
    b"mapkey",
    b"dictkey",
    b"lookupkey",
    b"indexkey",
    b"groupkey",
    b"messagekey",
    b"translationkey",
    b"publishablekey",
    b"sitekey",
    b"routingkey",
    b"monkey",
    b"hotkey",
    b"issuekey",
    b"projectkey",
    b"csrftoken",
    b"xsrftoken",
    b"pagetoken",
    b"nexttoken",
    b"continuationtoken",
    b"cursortoken",
    b"padtoken",
    b"eostoken",
    b"bostoken",
    b"unktoken",
    b"masktoken",
    b"septoken",
    b"clstoken",
    b"stoptoken",
    b"starttoken",
    b"endtoken",
    b"cancellationtoken",
];

/// How much of a name is read, from its end.
const LONGEST: usize = 40;

/// What names end with.
const ENDS: &str = "rd wd se de ss th na rt ha la et ey en on al ls id pw sw sk ds ed er at as ig re lt tp in ie sn od ev ve st ng ge ue ry ld ew lo di";

/// Whether a word may be the end of a name, by its last two letters alone: most words of a text are none.
pub(crate) fn may_end(word: &[u8]) -> bool {
    #[allow(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        reason = "runs in the compiler, which would refuse it"
    )]
    static LAST: Couples = {
        let (ends, mut last, mut at) = (ENDS.as_bytes(), Couples::new(), 0);
        while at + 1 < ends.len() {
            last = last.with(ends[at], ends[at + 1]);
            at += 3;
        }
        last
    };
    match word {
        [.., b'0'..=b'9'] => word.len() > 3,
        [.., one, two] => LAST.have(one.to_ascii_lowercase(), two.to_ascii_lowercase()),
        _ => false,
    }
}

/// What the name is that ends the `words` before a colon or an equals sign.
pub(crate) fn of(words: &[u8]) -> Option<Name> {
    let words = words.get(words.len().saturating_sub(LONGEST)..).unwrap_or(words);
    scan::steps::take(words.len());
    let words = without_which(words);
    let letters = words.iter().filter(|it| it.is_ascii_alphanumeric());
    let mut name = [0; LONGEST];
    let mut length = 0_usize;
    for (place, letter) in name.iter_mut().zip(letters) {
        *place = letter.to_ascii_lowercase();
        length = length.saturating_add(1);
    }
    let name = name.get(..length)?;
    let ends = |all: &[&[u8]]| all.iter().any(|it| name.ends_with(it));
    if ends(PASSWORDS) || ends_apart(words, &[b"pass", b"passe", b"clave", b"sandi", b"pw", b"psw", b"psk"]) {
        return Some(Name::Password);
    }
    if ends(AWS) {
        return Some(Name::AwsSecret);
    }
    if ends(OTHERS) {
        return None;
    }
    if ends(KEYS) || ends_apart(words, &[b"token"]) {
        return Some(Name::Key);
    }
    if ends_apart(words, &[b"credentials", b"creds", b"credential", b"login", b"logins"]) {
        return Some(Name::Login);
    }
    let last: &[&[u8]] = &[
        b"key",
        b"auth",
        b"credentials",
        b"creds",
        b"cred",
        b"bearer",
        b"pat",
        b"sas",
        b"sig",
        b"signature",
        b"salt",
        b"otp",
        b"pin",
        b"cookie",
        b"session",
        b"dsn",
    ];
    (ends_apart(words, last) || ends(&[b"token"])).then_some(Name::Perhaps)
}

/// The same without a number or a word at its end that says which of several it is.
fn without_which(words: &[u8]) -> &[u8] {
    if let Some(at) = words.iter().rposition(|it| b"_-. ".contains(it)) {
        let (rest, last) = words.split_at(at);
        let last = last.get(1..).unwrap_or_default().to_ascii_lowercase();
        if WHICH.contains(&last.as_slice()) || last.iter().all(u8::is_ascii_digit) {
            return rest;
        }
    }
    let digits = words.iter().rev().take_while(|it| it.is_ascii_digit()).count();
    words.get(..words.len().saturating_sub(digits)).unwrap_or(words)
}

/// Whether the last of the words, or of the parts of `lowerCamelCase`, is one of these.
fn ends_apart(words: &[u8], all: &[&[u8]]) -> bool {
    all.iter().any(|it| {
        let Some(at) = words.len().checked_sub(it.len()) else {
            return false;
        };
        let (rest, last) = words.split_at(at);
        let camel = last.first().is_some_and(u8::is_ascii_uppercase) && rest.last().is_some_and(u8::is_ascii_lowercase);
        last.eq_ignore_ascii_case(it) && (camel || rest.last().is_none_or(|it| !it.is_ascii_alphanumeric()))
    })
}

#[cfg(test)]
mod tests {
    use super::{Name, of};

    #[test]
    fn names_of_secrets_are_known_in_every_spelling() {
        for (name, want) in [
            ("DB_PASSWORD", Name::Password),
            ("spring.datasource.password", Name::Password),
            ("userPassword", Name::Password),
            ("MYSQL_PWD", Name::Password),
            ("dbPass", Name::Password),
            ("ADMIN_PASSWORD_PROD", Name::Password),
            ("password2", Name::Password),
            ("the password", Name::Password),
            ("aws_secret_access_key", Name::AwsSecret),
            ("aws secret access key", Name::AwsSecret),
            ("X-Api-Key", Name::Key),
            ("OPENAI_API_KEY", Name::Key),
            ("clientSecret", Name::Key),
            ("_authToken", Name::Key),
            ("bot token", Name::Key),
            ("SECRET_KEY_BASE64", Name::Key),
            ("AccountKey", Name::Key),
            ("TOKEN", Name::Key),
            ("key", Name::Perhaps),
            ("RiotKey", Name::Perhaps),
        ] {
            assert_eq!(of(name.as_bytes()), Some(want), "{name}");
        }
    }

    #[test]
    fn no_name_is_dismissed_by_its_end() {
        for name in super::PASSWORDS.iter().chain(super::KEYS).chain(super::AWS) {
            assert!(super::may_end(name), "{}", String::from_utf8_lossy(name));
        }
    }

    #[test]
    fn other_names_are_none() {
        for name in [
            "public_key",
            "primaryKey",
            "monkey",
            "compass",
            "bypass",
            "password_hash",
            "token_type",
            "key_id",
            "secretName",
            "max_tokens",
            "csrf_token",
            "author",
            "keyboard",
            "hash",
            "id",
            "",
        ] {
            assert_eq!(of(name.as_bytes()), None, "{name}");
        }
    }
}

//! What is JSON, UTF-8 and base64url, byte for byte: in a token's header and in its payload.

use super::signing::{b64, keys};
use super::{Group, claims, config, group};
use auth::algorithm::Algorithm;

const HEADER: &[u8] = br#"{"alg":"EdDSA"}"#;

/// A good signature over these bytes.
fn signed(header: &[u8], payload: &[u8]) -> String {
    let signed = format!("{}.{}", b64(header), b64(payload));
    format!("{signed}.{}", b64(keys().sign(Algorithm::EdDsa, signed.as_bytes())))
}

/// The usual claims and a member more, whose value is written so.
fn with_value(value: impl AsRef<[u8]>) -> Vec<u8> {
    let text = claims().to_string();
    [&text.as_bytes()[..text.len() - 1], b",\"x\":", value.as_ref(), b"}"].concat()
}

/// The usual header with a member more, likewise.
fn header_with_value(value: impl AsRef<[u8]>) -> Vec<u8> {
    [b"{\"alg\":\"EdDSA\",\"x\":", value.as_ref(), b"}"].concat()
}

/// Each value in a claim that nobody reads and in a header's member that nobody reads.
fn values(values: &[(&'static str, Vec<u8>)], expected: &'static str) -> Vec<(String, String, &'static str)> {
    let in_payload = values
        .iter()
        .map(|(what, value)| (format!("{what}, in the payload"), signed(HEADER, &with_value(value)), expected));
    let payload = claims().to_string();
    let in_header = values.iter().map(|(what, value)| {
        (format!("{what}, in the header"), signed(&header_with_value(value), payload.as_bytes()), expected)
    });
    in_payload.chain(in_header).collect()
}

/// RFC 8259: numbers, words and texts have one grammar, and what is beyond it is no JSON.
pub(crate) fn values_are_strict_json() -> Vec<Group> {
    let good = [
        "0",
        "-0",
        "-1",
        "1.5",
        "1e5",
        "1E+5",
        "1e-5",
        "0.0",
        "-0.0e-0",
        "18446744073709551615",
        "18446744073709551616",
        "123456789012345678901234567890",
        "1e308",
        "true",
        "false",
        "null",
        "[]",
        "{}",
        "[[],{}]",
        r#""""#,
        r#""\u0000""#,
        r#""\u00e9\/\b\f\n\r\t\"\\""#,
        r#""\ud83d\udf02""#,
        "\"\u{7f}\"",
        "\"\u{2028}\"",
        "\"\u{ffff}\"",
        " \t\r\n1 ",
        r#"{"":1}"#,
        r#"{"__proto__":{"constructor":1}}"#,
        r#"{"a":1,"A":2}"#,
        "{\"\u{e9}\":1,\"e\u{301}\":2}",
    ];
    let bad = [
        "",
        "01",
        "00",
        "-",
        "-01",
        "+1",
        "1.",
        ".5",
        "1e",
        "1e+",
        "0x1",
        "1_000",
        "1,5",
        "NaN",
        "-NaN",
        "Infinity",
        "-Infinity",
        "1e400",
        "-1e400",
        "True",
        "TRUE",
        "nul",
        "None",
        "undefined",
        "'x'",
        "`x`",
        "x",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[",
        "]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{,}",
        "{a:1}",
        "{1:1}",
        "{\"a\" 1}",
        "{null:1}",
        "\"",
        "\"\\\"",
        r#""\x41""#,
        r#""\u12""#,
        r#""\u00g0""#,
        r#""\U0041""#,
        r#""\a""#,
        r#""\'""#,
        r#""\0""#,
        r#""\ud800""#,
        r#""\udc00""#,
        r#""\udc00\ud800""#,
        r#""\ud83d\u0041""#,
        "\"\u{1}\"",
        "\"\u{1f}\"",
        "\"\t\"",
        "\"\n\"",
        "\"\r\"",
        "\"\0\"",
        "//\n1",
        "/**/1",
        "#\n1",
        "\u{a0}1",
        "\u{b}1",
        "\u{c}1",
        "\u{feff}1",
        "\u{2028}1",
        "1;",
        r#"{"a":1,"a":1}"#,
        r#"{"a":1,"\u0061":1}"#,
        r#"{"":1,"":1}"#,
        r#"[{"a":{"b":1,"b":2}}]"#,
        r#"{"__proto__":1,"__proto__":2}"#,
    ];
    let named = |it: &&'static str| (*it, it.as_bytes().to_vec());
    let mut rows = values(&good.iter().map(named).collect::<Vec<_>>(), "ok");
    rows.extend(values(&bad.iter().map(named).collect::<Vec<_>>(), "malformed"));
    let nested = |depth: usize| [vec![b'['; depth], vec![b']'; depth]].concat();
    rows.extend(values(&[("100 lists", nested(100))], "ok"));
    rows.extend(values(
        &[("130 lists", nested(130)), ("10,000 lists", nested(10_000)), ("10,000 open lists", vec![b'['; 10_000])],
        "malformed",
    ));
    vec![group(&config(|_| ()), rows)]
}

/// RFC 3629: the shortest form, no surrogates, nothing beyond U+10FFFF.
pub(crate) fn texts_are_utf8() -> Vec<Group> {
    let good: &[(&str, &[u8])] = &[
        ("two bytes", b"\"\xc3\xa9\""),
        ("three bytes", b"\"\xe2\x82\xac\""),
        ("four bytes", b"\"\xf0\x9f\x9c\x82\""),
        ("the last one", b"\"\xf4\x8f\xbf\xbf\""),
    ];
    let bad: &[(&str, &[u8])] = &[
        ("Latin-1", b"\"\xe9\""),
        ("a continuation alone", b"\"\x80\""),
        ("cut short", b"\"\xe2\x82\""),
        ("cut short at four", b"\"\xf0\x9f\x9c\""),
        ("overlong slash", b"\"\xc0\xaf\""),
        ("overlong zero", b"\"\xc0\x80\""),
        ("overlong in three", b"\"\xe0\x80\xaf\""),
        ("overlong in four", b"\"\xf0\x80\x80\xaf\""),
        ("an overlong quote", b"\"\xc0\xa2"),
        ("a surrogate", b"\"\xed\xa0\x80\""),
        ("a pair of surrogates", b"\"\xed\xa0\xbd\xed\xbc\x82\""),
        ("beyond the last one", b"\"\xf4\x90\x80\x80\""),
        ("five bytes", b"\"\xf8\x88\x80\x80\x80\""),
        ("FE", b"\"\xfe\""),
        ("FF", b"\"\xff\""),
        ("UTF-16", b"\"\x00A\""),
        ("a name", b"{\"\xff\":1}"),
    ];
    let owned = |all: &[(&'static str, &[u8])]| all.iter().map(|(what, it)| (*what, it.to_vec())).collect::<Vec<_>>();
    let mut rows = values(&owned(good), "ok");
    rows.extend(values(&owned(bad), "malformed"));
    let text = claims().to_string();
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    rows.push(("all of it in UTF-16".into(), signed(HEADER, &wide), "malformed"));
    rows.push(("all of it in UTF-16, marked".into(), signed(HEADER, &[b"\xff\xfe", &wide[..]].concat()), "malformed"));
    rows.push(("marked as UTF-8".into(), signed(HEADER, &[b"\xef\xbb\xbf", text.as_bytes()].concat()), "malformed"));
    rows.push((
        "the header marked as UTF-8".into(),
        signed(&[b"\xef\xbb\xbf", HEADER].concat(), text.as_bytes()),
        "malformed",
    ));
    vec![group(&config(|_| ()), rows)]
}

/// The document is one object, whatever else is JSON.
pub(crate) fn a_part_is_one_object() -> Vec<Group> {
    let text = claims().to_string();
    let mut rows = Vec::new();
    for (what, part, expected) in [
        ("spaces around", " {} ".to_owned(), "ok"),
        ("a line break behind", "{}\n".to_owned(), "ok"),
        ("all white space", "\t\r\n {}\n\r\t ".to_owned(), "ok"),
        ("a form feed", "{}\u{c}".to_owned(), "malformed"),
        ("a zero byte behind", "{}\0".to_owned(), "malformed"),
        ("a zero byte before", "\0{}".to_owned(), "malformed"),
        ("two", "{}{}".to_owned(), "malformed"),
        ("two lines of it", "{}\n{}".to_owned(), "malformed"),
        ("a list of it", "[{}]".to_owned(), "malformed"),
        ("nothing but white space", "  ".to_owned(), "malformed"),
        ("null", "null".to_owned(), "malformed"),
        ("true", "true".to_owned(), "malformed"),
        ("a number", "1".to_owned(), "malformed"),
        ("a text", "\"x\"".to_owned(), "malformed"),
        ("base64url once more", "BASE64".to_owned(), "malformed"),
    ] {
        let fill = |object: &str| part.replace("BASE64", &b64(object)).replace("{}", object);
        rows.push((format!("payload: {what}"), signed(HEADER, fill(&text).as_bytes()), expected));
        rows.push((
            format!("header: {what}"),
            signed(fill(r#"{"alg":"EdDSA"}"#).as_bytes(), text.as_bytes()),
            expected,
        ));
    }
    let inner = signed(HEADER, text.as_bytes());
    rows.push(("a token within a token".into(), signed(HEADER, inner.as_bytes()), "malformed"));
    rows.push((
        "a token within a token, in quotes".into(),
        signed(HEADER, format!("{inner:?}").as_bytes()),
        "malformed",
    ));
    rows.push(("an empty payload".into(), signed(HEADER, b""), "malformed"));
    rows.push(("an empty object".into(), signed(HEADER, b"{}"), "issuer"));
    vec![group(&config(|_| ()), rows)]
}

/// RFC 7515, 2 and RFC 4648, 3.5: no padding, no other alphabet, no bits left over, in each part.
pub(crate) fn each_part_has_one_spelling() -> Vec<Group> {
    let sign = |header: &str, payload: &str| {
        let signed = format!("{header}.{payload}");
        format!("{signed}.{}", b64(keys().sign(Algorithm::EdDsa, signed.as_bytes())))
    };
    // Spaces bring either text to each length modulo three.
    let spelt = |text: &str, left: usize| {
        (0..3).map(|it| b64(format!("{text}{}", " ".repeat(it)))).find(|it| it.len() % 4 == left).unwrap()
    };
    let next = |text: &str| format!("{}{}", &text[..text.len() - 1], char::from(text.as_bytes()[text.len() - 1] + 1));
    let (text, header) = (claims().to_string(), r#"{"alg":"EdDSA"}"#);
    let plain = |left: usize| (spelt(header, left), spelt(&text, left));
    let mut rows = Vec::new();
    for left in [0, 2, 3] {
        let (header, payload) = plain(left);
        rows.push((format!("{left} characters left"), sign(&header, &payload), "ok"));
        let spoilt = |it: &str| {
            let middle = it.len() / 2;
            let mut all = vec![
                ("padding", format!("{it}=")),
                ("padding twice", format!("{it}==")),
                ("encoded padding", format!("{it}%3D")),
                ("a character of another alphabet", format!("{}+{}", &it[..middle], &it[middle + 1..])),
                ("another of it", format!("{}/{}", &it[..middle], &it[middle + 1..])),
                ("a tilde", format!("{}~{}", &it[..middle], &it[middle + 1..])),
                ("a quote", format!("{}'{}", &it[..middle], &it[middle..])),
                ("a character more", format!("{it}A")),
            ];
            if left != 0 {
                all.push(("bits left over", next(it)));
            }
            all
        };
        // "A" more is three characters where there were two: other bytes, which are no JSON.
        rows.extend(
            spoilt(&header)
                .into_iter()
                .map(|(what, it)| (format!("{what} in the header, {left}"), sign(&it, &payload), "malformed")),
        );
        rows.extend(
            spoilt(&payload)
                .into_iter()
                .map(|(what, it)| (format!("{what} in the payload, {left}"), sign(&header, &it), "malformed")),
        );
    }
    let good = sign(&plain(0).0, &plain(0).1);
    for tail in ["=", "==", "+", "/", "~", "-", "%3D%3D"] {
        rows.push((format!("{tail} behind the signature"), format!("{good}{tail}"), "malformed"));
    }
    rows.push(("bits left over in the signature".into(), next(&good), "malformed"));
    vec![group(&config(|_| ()), rows)]
}

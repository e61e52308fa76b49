use crate::{Entities, Entity, find, tests::check};

/// A value drawn by lot, and one chosen by a person.
const DRAWN: &str = "q7Zk2LwX9dVb4TnR8sYc";
const CHOSEN: &str = "Sunflower99!";
const AWS: &str = "Htg3hM8r1x+QnVnc2YRQOK4RYAw4BRer2eCt5cId";

#[test]
fn a_secret_is_found_behind_its_name_in_every_syntax() {
    for (before, after) in [
        ("API_KEY=", "\n"),
        ("export API_KEY='", "'"),
        ("api_key = \"", "\""),
        ("{\"apiKey\": \"", "\"}"),
        ("{\\\"api_key\\\": \\\"", "\\\"}"),
        ("apiKey: '", "',"),
        ("api-key: ", " # mine"),
        ("'api_key' => '", "',"),
        ("let api_key: &str = \"", "\";"),
        ("const apiKey: string = `", "`;"),
        ("<add key=\"ApiKey\" value=\"", "\" />"),
        ("<api_key>", "</api_key>"),
        ("- name: API_KEY\n  value: ", "\n"),
        ("{\"name\": \"API_KEY\", \"value\": \"", "\"}"),
        ("os.getenv(\"API_KEY\", \"", "\")"),
        ("process.env.API_KEY || '", "'"),
        ("${API_KEY:-", "}"),
        ("config[\"api_key\"] = \"", "\""),
        ("X-Api-Key: ", ""),
        ("curl -H \"Authorization: Bearer ", "\" http://x"),
        ("Authorization: Token ", ""),
        ("tool --api-key ", " run"),
        ("tool --api-key=", " run"),
        ("| API key | ", " |"),
        ("**API key:** ", ""),
        ("My API key is ", ", use it."),
        ("?api_key=", "&x=1"),
        ("api_key := \"", "\""),
        ("secret: ", ""),
        ("API key:\n", "\n"),
        ("//registry.example.net/:_authToken=", ""),
    ] {
        check(Entity::SecretOther, &format!("{before}{DRAWN}{after}"), &[DRAWN]);
    }
}

#[test]
fn a_password_may_be_one_that_somebody_chose() {
    for (before, after) in [
        ("DB_PASSWORD=", ""),
        ("password: ", ""),
        ("\"password\": \"", "\""),
        ("IDENTIFIED BY x PASSWORD '", "'"),
        ("spring.datasource.password=", "\n"),
        ("password is ", " and nothing else"),
        ("reset my password to ", ""),
        ("mysql --password=", " app"),
        ("user ada, pass: ", ", host x"),
        ("Passwort: ", ""),
        ("mot de passe : ", ""),
        ("le mot de passe est ", " depuis hier"),
        ("la password è ", ""),
        ("clave: ", ""),
        ("kata sandi: ", ""),
        ("heslo: ", ""),
        ("<Password>", "</Password>"),
    ] {
        check(Entity::SecretOther, &format!("{before}{CHOSEN}{after}"), &[CHOSEN]);
    }
    check(Entity::SecretOther, "the password is hunter2.", &["hunter2"]);
    check(Entity::SecretOther, "password=hunter2;", &["hunter2"]);
}

#[test]
fn the_secret_of_an_aws_key_is_told_by_its_name_and_length() {
    for (before, after) in [
        ("AWS_SECRET_ACCESS_KEY=", ""),
        ("aws_secret_access_key = \"", "\""),
        ("| aws secret access key | ", " |"),
        ("secretAccessKey: '", "'"),
    ] {
        check(Entity::AwsSecretKey, &format!("{before}{AWS}{after}"), &[AWS]);
    }
}

#[test]
fn a_drawn_key_with_a_few_numbers_in_it_is_no_name_of_a_program() {
    for key in ["hxskhvu0pcwhQ9qgbud5hJGFyUF9sNJg", "Zxskhvu0pcwhQ9qgbud5hJGFyUF9sNJg"] {
        check(Entity::SecretOther, &format!("client_secret={key}"), &[key]);
    }
    check(Entity::SecretOther, "secret=Win32ProtectedSecretString", &[]);
}

#[test]
fn what_is_no_secret_stays() {
    for text in [
        "api_key = \"your-api-key-here\"",
        "api_key = \"xxxxxxxx\", api_key = \"changeme\", api_key = \"***redacted***\", api_key = \"<your-key>\"",
        "password: ${DB_PASSWORD}, password: $DB_PASSWORD, password: {{ password }}, password: %PASSWORD%",
        "const key = process.env.API_KEY; const token = config.token; password = input(\"Password2: \")",
        "password: string; password?: string | undefined; password VARCHAR(255) NOT NULL",
        "def login(user: str, password: str = None, token: Optional[str] = None) -> Token2:",
        "In the docs they write password: sk-xxxxxxxxxxxxxxxxxxxx everywhere.",
        "The password is required, the password is case-sensitive, the password is SHA-256 hashed.",
        "password must be at least 12 characters; password length: 12",
        "Please create a secure password using a combination of letters, numbers, and symbols",
        "token: user_profile_settings, secretName: tls-secret-2, key: primary_key_2024",
        "ETag: W/\"g0gaQpBWWaBerqug5Q4MD55P3FA\"",
        "integrity=\"sha512-oqVuAfXRKap7fdgcCY5uykM6+R9GqQ8K/uxy9rx7HNQlGYl1kPzQho1wx4JwY8wC\"",
        "commit: 4f9c2a7be1d05836a9b4c7d2e8f10a354f9c2a7b, md5: 4f9c2a7be1d05836a9b4c7d2e8f10a35",
        "max_tokens: 4096, token_count=1024, pad_token: \"<pad>\", next_token: 8f14e45fceea167a5a36dedd4bea2543",
        "public_key = \"4f9c2a7be1d05836a9b4c7d2e8f10a35\"",
        "secret_key_path: /run/secrets/db_password_1, password_file = ./secrets/pw1.txt",
        "The key is to practise; the secret to success is hard work in 2024.",
        "key: 01B3QT58H1H1ARCJ6B8AQS7QY3",
        "password: ada@example.org.",
        "Use this API key: sk-abc123",
    ] {
        let found: Vec<_> =
            find(text, Entities::ALL).into_iter().filter(|it| it.entity == Entity::SecretOther).collect();
        assert_eq!(found, [], "{text}");
    }
}

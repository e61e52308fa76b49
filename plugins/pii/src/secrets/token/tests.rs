use crate::{Entities, Entity, find, tests::check};

const A36: &str = "CpE2h8elheSieRKRsuFZFSrL7Y9SgTPk4J3q";
const A43: &str = "Nm1cy5dENmvgp0R4h0uTf0hP8xei5YesVTNPj2zByBR";
const HEX32: &str = "4f9c2a7be1d05836a9b4c7d2e8f10a35";

/// Keys and what they are.
fn keys() -> Vec<(String, Entity)> {
    let of = |entity: Entity, keys: &[String]| keys.iter().map(|it| (it.clone(), entity)).collect::<Vec<_>>();
    let (a22, a20, a33) = (&A36[..22], &A36[..20], &A36[..33]);
    let mut all = of(Entity::OpenaiKey, &[format!("sk-{A43}"), format!("sk-proj-{A36}_-T3BlbkFJ{A36}")]);
    all.extend(of(Entity::AnthropicKey, &[format!("sk-ant-api03-{A43}-{A43}AA")]));
    all.extend(of(
        Entity::StripeKey,
        &[format!("sk_live_{A36}"), format!("rk_test_{A36}"), format!("whsec_{A36}"), format!("sk_test_{a20}")],
    ));
    all.extend(of(Entity::GithubToken, &[format!("ghp_{A36}"), format!("github_pat_{a22}_{A43}")]));
    all.extend(of(Entity::GitlabToken, &[format!("glpat-{a20}"), format!("glrt-{a20}")]));
    all.extend(of(Entity::SlackToken, &["xoxb-515916466676-791656208398-En2oo2IPrYyZouOwOu6k2Cnk".to_owned()]));
    all.extend(of(Entity::GoogleApiKey, &[format!("AIza{}", &A36[1..])]));
    all.extend(of(Entity::HfToken, &[format!("hf_{A36}"), format!("api_org_{A36}")]));
    all.extend(of(Entity::NpmToken, &[format!("npm_{A36}")]));
    all.extend(of(Entity::SendgridKey, &[format!("SG.{a22}.{A43}")]));
    all.extend(of(Entity::TelegramToken, &[format!("7469908099:AA{a33}")]));
    all.extend(of(Entity::AwsAccessKey, &["AKIACMIDNE4T7DTGCLSV".to_owned(), "ASIAUNEWGKVNWXSXQTMR".to_owned()]));
    all.extend(of(
        Entity::Jwt,
        &[format!("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.{A43}"), format!("eyJhbGciOiJSU0EifQ.{A43}.{A36}.{A43}.{A36}")],
    ));
    all.extend(of(Entity::SecretOther, &others()));
    all
}

/// Of issuers that have no entity of their own.
fn others() -> Vec<String> {
    let (a24, a14) = (&A36[..24], &A36[..14]);
    let hex = |prefix: &str| format!("{prefix}{HEX32}");
    vec![
        format!("behest_sk_live_{HEX32}"),
        format!("ya29.{A43}"),
        hex("SK"),
        hex("key-"),
        hex("dapi"),
        hex("shpat_"),
        hex("fc-"),
        format!("{HEX32}-us12"),
        format!("dop_v1_{HEX32}{HEX32}"),
        format!("sq0atp-{a24}"),
        format!("hvs.{A43}{A43}"),
        format!("dp.pt.{A43}"),
        format!("{a14}.atlasv1.{A43}{A36}"),
        format!("abc8Q~{a24}hf7Kq2Lw"),
        format!("sha256~{A43}"),
        format!("MTk4NjIyNDgzNDcxOTI1MjQ4.Cl2FMQ.{}", &A36[..27]),
        format!("pat{a14}.{HEX32}{HEX32}"),
        format!("glsa_{a24}abCD1234_0a1b2c3d"),
        format!("glc_{A43}+/Q=="),
        format!("pscale_tkn_{A36}"),
        format!("PMAK-{}-{HEX32}0a", &HEX32[..24]),
        format!("rubygems_{HEX32}{}", &HEX32[..16]),
        format!("EAACEdEose0cBA{A43}{A36}"),
        format!("NRAK-{}", &"8QW4ZK2M9X7V1B3N5C6L0P8R2T4"),
        format!("gsk_{A43}0Zq"),
        format!("r8_{A36}"),
        format!("vcp_{A43}"),
    ]
}

#[test]
fn keys_are_found_by_their_form() {
    for (key, entity) in keys() {
        check(entity, &key, &[&key]);
        for (before, after) in [
            ("KEY=", ""),
            ("\"", "\","),
            ("Bearer ", "."),
            ("x\\n", "\\n"),
            ("(", ") is mine"),
            ("키는 ", "입니다"),
            ("https://x.org/?key=", "&b=1"),
        ] {
            check(entity, &format!("{before}{key}{after}"), &[&key]);
        }
    }
}

#[test]
fn a_key_is_found_within_what_surrounds_it() {
    let hook = format!("https://hooks.slack.com/services/TB2S7ILGY/BVEZP9LY35D/{A36}");
    check(Entity::SlackToken, &format!("POST {hook} "), &[&hook]);
    let bot = format!("7469908099:AA{}", &A36[..33]);
    check(Entity::TelegramToken, &format!("/bot{bot}/getMe"), &[&bot]);
    check(Entity::OpenaiKey, &format!("prod-api-sk-proj-{A43}"), &[&format!("sk-proj-{A43}")]);
    check(Entity::GithubToken, &format!("ghp_{A36} ghp_{A36}"), &[&format!("ghp_{A36}"), &format!("ghp_{A36}")]);
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
        "the_re_compile_pattern_for_version_2_of_it",
        "test_that_a_user_with_no_quota_gets_the_default_1",
        "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX",
        "hooks.slack.com/services/T00000000/B00000000/xxxxxxxxxxxx and more of it",
        "",
    ] {
        assert_eq!(find(text, Entities::ALL), [], "{text}");
    }
}

//! How the keys of issuers look: a table.

use super::couples::Couples;
use crate::{Entity, scan};

/// How an issuer's keys look.
pub(crate) struct Form {
    pub(crate) prefix: &'static str,
    /// What may follow.
    pub(crate) letters: Letters,
    /// How many must follow.
    pub(crate) least: usize,
    /// How many may follow; what is longer is something else.
    pub(crate) most: usize,
    pub(crate) entity: Entity,
    pub(crate) rule: &'static str,
}

#[derive(Clone, Copy)]
pub(crate) enum Letters {
    /// `A-Z a-z 0-9`
    Alphanumeric,
    /// and `-` and `_`.
    Word,
    /// and `.`, `=` besides.
    Dotted,
    /// `A-Z a-z 0-9 + / = _ -`
    Base64,
    /// `A-Z 0-9`
    Capital,
    /// `0-9 a-f A-F`
    Hex,
}

impl Letters {
    /// Whether a key of these letters has different kinds of them, as a word of a language has not.
    pub(crate) fn are_mixed(self) -> bool {
        !matches!(self, Self::Capital)
    }

    pub(crate) fn have(self, it: u8) -> bool {
        match self {
            Self::Alphanumeric => it.is_ascii_alphanumeric(),
            Self::Word => scan::word(it),
            Self::Dotted => scan::word(it) || matches!(it, b'.' | b'='),
            Self::Base64 => scan::word(it) || matches!(it, b'+' | b'/' | b'='),
            Self::Capital => it.is_ascii_uppercase() || it.is_ascii_digit(),
            Self::Hex => it.is_ascii_hexdigit(),
        }
    }
}

impl Form {
    /// The form of the key that begins here: the first prefix that fits decides.
    pub(crate) fn of(word: &[u8]) -> Option<&'static Self> {
        if !matches!(word, [one, two, ..] if STARTS.have(*one, *two)) {
            return None;
        }
        let (from, to) = INDEX.get(usize::from(*word.first()?)).copied()?;
        let mut forms = FORMS.get(usize::from(from)..usize::from(to))?.iter();
        forms.find(|it| word.starts_with(it.prefix.as_bytes()))
    }

    /// Whether `start` may be the beginning of a prefix that goes on behind it.
    pub(crate) fn may_begin(start: &[u8]) -> bool {
        if matches!(start, [one, two, ..] if !STARTS.have(*one, *two)) {
            return false;
        }
        let Some((from, to)) = start.first().and_then(|it| INDEX.get(usize::from(*it)).copied()) else {
            return false;
        };
        let mut forms = FORMS.get(usize::from(from)..usize::from(to)).unwrap_or_default().iter();
        forms.any(|it| it.prefix.as_bytes().starts_with(start))
    }
}

const fn form(prefix: &'static str, letters: Letters, least: usize, rule: &'static str) -> Form {
    Form { prefix, letters, least, most: usize::MAX, entity: Entity::SecretOther, rule }
}

const fn exactly(prefix: &'static str, letters: Letters, length: usize, rule: &'static str) -> Form {
    Form { prefix, letters, least: length, most: length, entity: Entity::SecretOther, rule }
}

impl Form {
    const fn is(self, entity: Entity) -> Self {
        Self { entity, ..self }
    }
}

/// What the prefixes begin with.
#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "runs in the compiler, which would refuse it"
)]
static STARTS: Couples = {
    let mut starts = Couples::new();
    let mut at = 0;
    while at < FORMS.len() {
        let prefix = FORMS[at].prefix.as_bytes();
        starts = starts.with(prefix[0], prefix[1]);
        at += 1;
    }
    starts
};

/// Where in the table the prefixes begin that start with a byte, and where they end.
#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "runs in the compiler, which would refuse it"
)]
#[allow(clippy::cast_possible_truncation, reason = "the table has a few hundred rows")]
const INDEX: [(u16, u16); 256] = {
    let mut index = [(0, 0); 256];
    let mut at = 0;
    while at < FORMS.len() {
        let first = FORMS[at].prefix.as_bytes()[0] as usize;
        let row = at as u16;
        // Rows with one first letter stand together, or the longer of two prefixes would be looked for in vain.
        assert!(index[first].1 == 0 || index[first].1 == row, "the table is not sorted by first letters");
        index[first] = (if index[first].1 == 0 { row } else { index[first].0 }, row + 1);
        at += 1;
    }
    index
};

use Letters::{Alphanumeric, Base64, Capital, Dotted, Hex, Word};

/// In the order of first letters; of two prefixes that fit the longer stands first.
#[rustfmt::skip]
const FORMS: &[Form] = &[
    exactly("4b1d", Alphanumeric, 38, "secret.clickhouse"),
    exactly("AGE-SECRET-KEY-1", Capital, 58, "secret.age"),
    exactly("AIza", Word, 35, "google_api_key").is(Entity::GoogleApiKey),
    exactly("AKID", Alphanumeric, 32, "secret.tencent"),
    form("A3-", Word, 35, "secret.onepassword"),
    exactly("AKIA", Capital, 16, "aws_access_key").is(Entity::AwsAccessKey),
    exactly("ASIA", Capital, 16, "aws_access_key").is(Entity::AwsAccessKey),
    exactly("ABIA", Capital, 16, "aws_access_key").is(Entity::AwsAccessKey),
    exactly("ACCA", Capital, 16, "aws_access_key").is(Entity::AwsAccessKey),
    form("AKCp", Alphanumeric, 69, "secret.artifactory"),
    form("AQVN", Word, 35, "secret.yandex"),
    form("ATATT3", Base64, 100, "secret.atlassian"),
    form("ATCTT3", Base64, 100, "secret.atlassian"),
    form("ATBB", Alphanumeric, 28, "secret.bitbucket"),
    exactly("API-", Capital, 26, "secret.octopus"),
    exactly("AC", Hex, 32, "secret.twilio"),
    form("CLOJARS_", Alphanumeric, 60, "secret.clojars"),
    form("CCIPAT_", Word, 40, "secret.circleci"),
    form("EAAA", Word, 54, "secret.square"),
    form("EAA", Alphanumeric, 60, "secret.facebook"),
    form("EZAK", Alphanumeric, 54, "secret.easypost"),
    form("EZTK", Alphanumeric, 54, "secret.easypost"),
    form("FLWSECK_TEST-", Word, 12, "secret.flutterwave"),
    form("FLWSECK-", Word, 32, "secret.flutterwave"),
    form("FwoGZXIvYXdz", Base64, 80, "secret.aws_session"),
    form("GOCSPX-", Word, 20, "secret.google_oauth"),
    form("GR1348941", Word, 20, "gitlab_token").is(Entity::GitlabToken),
    form("HRKU-", Word, 30, "secret.heroku"),
    form("IQoJb3JpZ2lu", Base64, 80, "secret.aws_session"),
    exactly("LTAI", Alphanumeric, 20, "secret.alibaba"),
    form("NRAK-", Alphanumeric, 27, "secret.new_relic"),
    form("NRII-", Word, 32, "secret.new_relic"),
    form("NRRA-", Alphanumeric, 30, "secret.new_relic"),
    form("PMAK-", Word, 50, "secret.postman"),
    form("RGAPI-", Word, 36, "secret.riot"),
    exactly("SK", Hex, 32, "secret.twilio"),
    form("aio_", Alphanumeric, 26, "secret.adafruit"),
    form("api_org_", Alphanumeric, 30, "hf_token").is(Entity::HfToken),
    form("apify_api_", Alphanumeric, 30, "secret.apify"),
    form("access-development-", Word, 36, "secret.plaid"),
    form("access-production-", Word, 36, "secret.plaid"),
    form("access-sandbox-", Word, 36, "secret.plaid"),
    form("behest_sk_", Word, 24, "secret.gateway"),
    form("bkua_", Hex, 40, "secret.buildkite"),
    exactly("cio", Alphanumeric, 32, "secret.crates_io"),
    exactly("cmVmd", Alphanumeric, 59, "secret.artifactory"),
    exactly("dapi", Hex, 32, "secret.databricks"),
    form("dckr_pat_", Word, 24, "secret.docker"),
    form("dckr_oat_", Word, 24, "secret.docker"),
    form("dnkey-", Word, 60, "secret.defined_networking"),
    form("doo_v1_", Hex, 60, "secret.digitalocean"),
    form("dop_v1_", Hex, 60, "secret.digitalocean"),
    form("dor_v1_", Hex, 60, "secret.digitalocean"),
    form("duffel_live_", Word, 40, "secret.duffel"),
    form("duffel_test_", Word, 40, "secret.duffel"),
    exactly("fc-", Hex, 32, "secret.firecrawl"),
    form("figd_", Word, 36, "secret.figma"),
    form("fio-u-", Word, 60, "secret.frame_io"),
    form("fm1a_", Base64, 100, "secret.fly"),
    form("fm1r_", Base64, 100, "secret.fly"),
    form("fm2_", Base64, 100, "secret.fly"),
    form("fo1_", Word, 43, "secret.fly"),
    exactly("fw_", Alphanumeric, 24, "secret.fireworks"),
    form("ghp_", Alphanumeric, 30, "github_token").is(Entity::GithubToken),
    form("gho_", Alphanumeric, 30, "github_token").is(Entity::GithubToken),
    form("ghu_", Alphanumeric, 30, "github_token").is(Entity::GithubToken),
    form("ghs_", Alphanumeric, 30, "github_token").is(Entity::GithubToken),
    form("ghr_", Alphanumeric, 30, "github_token").is(Entity::GithubToken),
    form("github_pat_", Word, 40, "github_token").is(Entity::GithubToken),
    form("glagent-", Word, 40, "gitlab_token").is(Entity::GitlabToken),
    form("glcbt-", Word, 20, "gitlab_token").is(Entity::GitlabToken),
    form("gldt-", Word, 20, "gitlab_token").is(Entity::GitlabToken),
    form("glffct-", Word, 20, "gitlab_token").is(Entity::GitlabToken),
    form("glft-", Word, 20, "gitlab_token").is(Entity::GitlabToken),
    form("glimt-", Word, 20, "gitlab_token").is(Entity::GitlabToken),
    form("gloas-", Word, 40, "gitlab_token").is(Entity::GitlabToken),
    form("glpat-", Dotted, 20, "gitlab_token").is(Entity::GitlabToken),
    form("glptt-", Word, 20, "gitlab_token").is(Entity::GitlabToken),
    form("glrt-", Dotted, 20, "gitlab_token").is(Entity::GitlabToken),
    form("glsoat-", Word, 20, "gitlab_token").is(Entity::GitlabToken),
    form("glc_", Base64, 32, "secret.grafana"),
    form("glsa_", Word, 32, "secret.grafana"),
    form("gsk_", Alphanumeric, 40, "secret.groq"),
    form("hf_", Alphanumeric, 30, "hf_token").is(Entity::HfToken),
    exactly("ico-", Alphanumeric, 32, "secret.infracost"),
    form("jina_", Alphanumeric, 40, "secret.jina"),
    exactly("key-", Hex, 32, "secret.mailgun"),
    form("lin_api_", Alphanumeric, 32, "secret.linear"),
    form("lin_oauth_", Alphanumeric, 32, "secret.linear"),
    exactly("live_", Hex, 35, "secret.lob"),
    form("lsv2_pt_", Word, 32, "secret.langsmith"),
    form("lsv2_sk_", Word, 32, "secret.langsmith"),
    form("napi_", Alphanumeric, 40, "secret.neon"),
    form("nfp_", Alphanumeric, 36, "secret.netlify"),
    form("npm_", Alphanumeric, 30, "npm_token").is(Entity::NpmToken),
    form("ntn_", Alphanumeric, 40, "secret.notion"),
    form("nvapi-", Word, 60, "secret.nvidia"),
    form("ops_eyJ", Base64, 100, "secret.onepassword"),
    exactly("oy2", Alphanumeric, 43, "secret.nuget"),
    form("p8e-", Alphanumeric, 32, "secret.adobe"),
    exactly("pa-", Word, 43, "secret.voyage"),
    form("pat-na1-", Word, 36, "secret.hubspot"),
    form("pat-eu1-", Word, 36, "secret.hubspot"),
    exactly("pat_", Alphanumeric, 64, "secret.coze"),
    form("pcsk_", Word, 40, "secret.pinecone"),
    form("phx_", Alphanumeric, 36, "secret.posthog"),
    form("pnu_", Alphanumeric, 36, "secret.prefect"),
    form("pplx-", Alphanumeric, 40, "secret.perplexity"),
    form("pscale_oauth_", Dotted, 32, "secret.planetscale"),
    form("pscale_pw_", Dotted, 32, "secret.planetscale"),
    form("pscale_tkn_", Dotted, 32, "secret.planetscale"),
    form("pul-", Hex, 40, "secret.pulumi"),
    form("pypi-", Word, 60, "secret.pypi"),
    form("r8_", Alphanumeric, 30, "secret.replicate"),
    form("rdme_", Alphanumeric, 60, "secret.readme"),
    exactly("re_", Word, 33, "secret.resend"),
    form("rk_live_", Alphanumeric, 16, "stripe_key").is(Entity::StripeKey),
    form("rk_test_", Alphanumeric, 16, "stripe_key").is(Entity::StripeKey),
    form("rk_prod_", Alphanumeric, 16, "stripe_key").is(Entity::StripeKey),
    form("rnd_", Alphanumeric, 28, "secret.render"),
    form("rpa_", Alphanumeric, 40, "secret.runpod"),
    form("rubygems_", Hex, 48, "secret.rubygems"),
    form("rzp_test_", Alphanumeric, 14, "secret.razorpay"),
    form("rzp_live_", Alphanumeric, 14, "secret.razorpay"),
    form("s-s4t2af-", Hex, 64, "secret.intra42"),
    form("s-s4t2ud-", Hex, 64, "secret.intra42"),
    form("sb_secret_", Word, 20, "secret.supabase"),
    form("sbp_", Hex, 40, "secret.supabase"),
    exactly("sdk-", Word, 36, "secret.launchdarkly"),
    exactly("secret_", Alphanumeric, 43, "secret.notion"),
    form("sgp_", Word, 40, "secret.sourcegraph"),
    form("shippo_live_", Hex, 40, "secret.shippo"),
    form("shippo_test_", Hex, 40, "secret.shippo"),
    form("shpat_", Hex, 32, "secret.shopify"),
    form("shpca_", Hex, 32, "secret.shopify"),
    form("shppa_", Hex, 32, "secret.shopify"),
    form("shpss_", Hex, 32, "secret.shopify"),
    form("sk-ant-", Word, 24, "anthropic_key").is(Entity::AnthropicKey),
    form("sk-proj-", Word, 40, "openai_key").is(Entity::OpenaiKey),
    form("sk-svcacct-", Word, 40, "openai_key").is(Entity::OpenaiKey),
    form("sk-admin-", Word, 40, "openai_key").is(Entity::OpenaiKey),
    form("sk-None-", Word, 40, "openai_key").is(Entity::OpenaiKey),
    form("sk-or-v1-", Hex, 32, "secret.openrouter"),
    form("sk-lf-", Word, 32, "secret.langfuse"),
    form("sk-", Alphanumeric, 32, "openai_key").is(Entity::OpenaiKey),
    form("sk_live_", Alphanumeric, 16, "stripe_key").is(Entity::StripeKey),
    form("sk_prod_", Alphanumeric, 16, "stripe_key").is(Entity::StripeKey),
    form("sk_test_", Alphanumeric, 16, "stripe_key").is(Entity::StripeKey),
    form("sk_", Hex, 40, "secret.elevenlabs"),
    form("sm_aat_", Alphanumeric, 16, "secret.settlemint"),
    form("sm_pat_", Alphanumeric, 16, "secret.settlemint"),
    form("sm_sat_", Alphanumeric, 16, "secret.settlemint"),
    form("sntrys_", Base64, 60, "secret.sentry"),
    form("sntryu_", Hex, 60, "secret.sentry"),
    form("sq0atp-", Word, 22, "secret.square"),
    form("sq0csp-", Word, 40, "secret.square"),
    form("sqa_", Hex, 40, "secret.sonarqube"),
    form("sqp_", Hex, 40, "secret.sonarqube"),
    form("squ_", Hex, 40, "secret.sonarqube"),
    exactly("test_", Hex, 35, "secret.lob"),
    form("tfp_", Dotted, 44, "secret.typeform"),
    form("tgp_v1_", Word, 40, "secret.together"),
    form("tk-us-", Word, 48, "secret.scalingo"),
    form("tr_dev_", Alphanumeric, 20, "secret.trigger"),
    form("tr_prod_", Alphanumeric, 20, "secret.trigger"),
    form("tskey-", Word, 20, "secret.tailscale"),
    form("tvly-", Word, 24, "secret.tavily"),
    form("vca_", Alphanumeric, 24, "secret.vercel"),
    form("vci_", Alphanumeric, 24, "secret.vercel"),
    form("vck_", Alphanumeric, 24, "secret.vercel"),
    form("vcp_", Alphanumeric, 24, "secret.vercel"),
    form("vcr_", Alphanumeric, 24, "secret.vercel"),
    form("vercel_blob_rw_", Word, 40, "secret.vercel"),
    form("waka_", Word, 36, "secret.wakatime"),
    form("whsec_", Base64, 24, "stripe_key").is(Entity::StripeKey),
    form("xai-", Alphanumeric, 40, "secret.xai"),
    form("xapp-", Word, 20, "slack_token").is(Entity::SlackToken),
    form("xkeysib-", Word, 60, "secret.brevo"),
    form("xsmtpsib-", Word, 60, "secret.brevo"),
    form("xoxa-", Word, 20, "slack_token").is(Entity::SlackToken),
    form("xoxb-", Word, 20, "slack_token").is(Entity::SlackToken),
    form("xoxc-", Word, 20, "slack_token").is(Entity::SlackToken),
    form("xoxd-", Word, 20, "slack_token").is(Entity::SlackToken),
    form("xoxe-", Word, 20, "slack_token").is(Entity::SlackToken),
    form("xoxo-", Word, 20, "slack_token").is(Entity::SlackToken),
    form("xoxp-", Word, 20, "slack_token").is(Entity::SlackToken),
    form("xoxr-", Word, 20, "slack_token").is(Entity::SlackToken),
    form("xoxs-", Word, 20, "slack_token").is(Entity::SlackToken),
];

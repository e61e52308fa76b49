//! The kinds of things that the guard knows.

use serde::Deserialize;

macro_rules! entities {
    ($($(#[doc = $doc:literal])+ $name:ident = $key:literal, $what:literal, $group:ident;)+) => {
        /// What the guard looks for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub enum Entity {
            $($(#[doc = $doc])+ #[serde(rename = $key)] $name,)+
        }

        impl Entity {
            /// Every one of them, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// How a configuration names it, as in `credit_card`.
            #[must_use]
            pub const fn key(self) -> &'static str {
                match self { $(Self::$name => $key),+ }
            }

            /// What it is in words, as in "a payment card".
            #[must_use]
            pub const fn what(self) -> &'static str {
                match self { $(Self::$name => $what),+ }
            }

            /// What it belongs to.
            #[must_use]
            pub const fn group(self) -> Group {
                match self { $(Self::$name => Group::$group),+ }
            }
        }
    };
}

entities! {
    /// An e-mail address.
    Email = "email", "an e-mail address", Personal;
    /// A phone number, international or national.
    Phone = "phone", "a phone number", Personal;
    /// The number of a payment card (ISO/IEC 7812, with its Luhn digit).
    CreditCard = "credit_card", "a payment card", Personal;
    /// A bank account (ISO 13616, modulo 97).
    Iban = "iban", "a bank account", Personal;
    /// A social security number of the United States.
    UsSsn = "us_ssn", "a US social security number", Personal;
    /// A national insurance number of the United Kingdom.
    UkNino = "uk_nino", "a UK national insurance number", Personal;
    /// An Aadhaar number of India (Verhoeff digit).
    InAadhaar = "in_aadhaar", "an Aadhaar number", Personal;
    /// A permanent account number of India.
    InPan = "in_pan", "an Indian PAN", Personal;
    /// A tax id of Germany (ISO 7064 modulo 11, 10).
    DeTaxId = "de_tax_id", "a German tax id", Personal;
    /// A DNI or NIE of Spain.
    EsDni = "es_dni", "a Spanish DNI or NIE", Personal;
    /// A codice fiscale of Italy.
    ItCodiceFiscale = "it_codice_fiscale", "an Italian codice fiscale", Personal;
    /// A CPF of Brazil.
    BrCpf = "br_cpf", "a Brazilian CPF", Personal;
    /// A social security number (NIR) of France.
    FrNir = "fr_nir", "a French NIR", Personal;
    /// A resident identity number of China (GB 11643).
    CnResidentId = "cn_resident_id", "a Chinese resident id", Personal;
    /// A PESEL of Poland.
    PlPesel = "pl_pesel", "a Polish PESEL", Personal;
    /// A passport number, by the words around it.
    Passport = "passport", "a passport number", Personal;
    /// A date of birth, by the words around it.
    DateOfBirth = "date_of_birth", "a date of birth", Personal;
    /// An IPv4 address.
    Ipv4 = "ipv4", "an IPv4 address", Personal;
    /// An IPv6 address.
    Ipv6 = "ipv6", "an IPv6 address", Personal;
    /// The hardware address of a network card.
    MacAddress = "mac_address", "a MAC address", Personal;
    /// The address of a wallet of a crypto currency.
    CryptoWallet = "crypto_wallet", "a crypto wallet", Personal;
    /// A URL with a password in it.
    UrlCredentials = "url_credentials", "a URL with credentials", Secret;
    /// How to reach a database, with the password.
    ConnString = "conn_string", "a connection string", Secret;
    /// An AWS access key id.
    AwsAccessKey = "aws_access_key", "an AWS access key id", Secret;
    /// An AWS secret access key.
    AwsSecretKey = "aws_secret_key", "an AWS secret access key", Secret;
    /// A token of GitHub.
    GithubToken = "github_token", "a GitHub token", Secret;
    /// A token of GitLab.
    GitlabToken = "gitlab_token", "a GitLab token", Secret;
    /// A token of npm.
    NpmToken = "npm_token", "an npm token", Secret;
    /// A token of Hugging Face.
    HfToken = "hf_token", "a Hugging Face token", Secret;
    /// An API key of OpenAI.
    OpenaiKey = "openai_key", "an OpenAI API key", Secret;
    /// An API key of Anthropic.
    AnthropicKey = "anthropic_key", "an Anthropic API key", Secret;
    /// A key of Stripe.
    StripeKey = "stripe_key", "a Stripe key", Secret;
    /// A token of Slack, or one of its webhooks.
    SlackToken = "slack_token", "a Slack token", Secret;
    /// An API key of Google.
    GoogleApiKey = "google_api_key", "a Google API key", Secret;
    /// A key of `SendGrid`.
    SendgridKey = "sendgrid_key", "a SendGrid key", Secret;
    /// The token of a Telegram bot.
    TelegramToken = "telegram_token", "a Telegram bot token", Secret;
    /// A JSON Web Token (RFC 7519).
    Jwt = "jwt", "a JSON Web Token", Secret;
    /// A private key (RFC 7468).
    PrivateKey = "private_key", "a private key", Secret;
    /// A credential of another kind: of other issuers, or a password that stands behind its name.
    SecretOther = "secret_other", "a secret", Secret;
}

/// What an entity belongs to; a configuration may name all of a group at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// It tells who somebody is, or where.
    Personal,
    /// It lets somebody in.
    Secret,
}

/// A set of entities.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Entities(u64);

impl Entities {
    /// All of them.
    pub const ALL: Self = Self(u64::MAX);

    /// Whether `entity` is one of them.
    #[must_use]
    pub const fn has(self, entity: Entity) -> bool {
        self.0 & (1 << entity as u32) != 0
    }

    /// These and `entity`.
    #[must_use]
    pub const fn with(self, entity: Entity) -> Self {
        Self(self.0 | (1 << entity as u32))
    }
}

impl FromIterator<Entity> for Entities {
    fn from_iter<T: IntoIterator<Item = Entity>>(all: T) -> Self {
        all.into_iter().fold(Self::default(), Self::with)
    }
}

//! One webhook: an address that takes events, each signed.

use crate::random;
use domain::secret::Secret;
use domain::time::Micros;
use hmac::{Hmac, KeyInit, Mac};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How long an attempt may take, from the first byte to the head of the answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// How long a connection may take to be made.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// Of an address' digest, what names it in the database.
const NAME_BYTES: usize = 8;

/// Sends to webhooks. It follows no redirect: whoever answers with one has not taken the event.
pub(crate) type Sender = Arc<Client<HttpsConnector<HttpConnector>, Full<Bytes>>>;

/// An address that takes events. It may hold a secret of the receiver's, so it is not shown whole.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Webhook {
    uri: Arc<Uri>,
}

/// Why an address is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NoWebhook(&'static str);

/// A sender that trusts what the system trusts.
///
/// # Errors
/// When the system's certificates cannot be read.
pub(crate) fn sender() -> std::io::Result<Sender> {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_connect_timeout(Some(CONNECT_WITHIN));
    http.set_nodelay(true);
    // Without TLS there is nothing to trust, and a machine may have no certificates at all.
    let tls = HttpsConnectorBuilder::new().with_provider_and_native_roots(rustls::crypto::ring::default_provider());
    let tls = match tls {
        Ok(tls) => tls,
        Err(error) => {
            tracing::warn!(%error, "the system's certificates cannot be read; no webhook with https can be reached");
            let none = rustls::ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
                .with_safe_default_protocol_versions()
                .map_err(std::io::Error::other)?
                .with_root_certificates(rustls::RootCertStore::empty())
                .with_no_client_auth();
            HttpsConnectorBuilder::new().with_tls_config(none)
        }
    };
    let connector = tls.https_or_http().enable_http1().wrap_connector(http);
    Ok(Arc::new(Client::builder(TokioExecutor::new()).build(connector)))
}

impl Webhook {
    /// Reads an address.
    ///
    /// # Errors
    /// When it is none that events can be sent to.
    pub(crate) fn parse(url: &str) -> Result<Self, NoWebhook> {
        let uri: Uri = url.parse().map_err(|_| NoWebhook("something else"))?;
        match uri.scheme_str() {
            Some("http" | "https") => (),
            _ => return Err(NoWebhook("another scheme")),
        }
        match uri.authority() {
            Some(it) if it.host().is_empty() => Err(NoWebhook("no host")),
            Some(it) if it.as_str().contains('@') => {
                Err(NoWebhook("a user name; the signature is what proves who sends"))
            }
            Some(_) => Ok(Self { uri: Arc::new(uri) }),
            None => Err(NoWebhook("no host")),
        }
    }

    /// What it is called in the database.
    #[must_use]
    pub(crate) fn target(&self) -> String {
        let digest = Sha256::digest(self.uri.to_string());
        format!("webhook:{}", random::hex(digest.get(..NAME_BYTES).unwrap_or_default()))
    }

    /// What may be shown of it.
    #[must_use]
    pub(crate) fn host(&self) -> &str {
        self.uri.host().unwrap_or_default()
    }

    /// Sends the event `id` at `now`.
    ///
    /// # Errors
    /// When it was not taken: any answer but 2xx, or none in time. What the receiver says is not repeated.
    pub(crate) async fn send(
        &self,
        sender: &Sender,
        secret: &Secret,
        (id, body): (&str, &str),
        now: Micros,
    ) -> Result<(), String> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(&*self.uri)
            .header("content-type", "application/json")
            .header("user-agent", concat!("tollgate/", env!("CARGO_PKG_VERSION")))
            .header("x-tollgate-event-id", id)
            .header("x-tollgate-signature", signature(secret, now, body))
            .body(Full::from(body.to_owned()));
        let request = request.map_err(|_| "it cannot be put into a request".to_owned())?;
        match tokio::time::timeout(ANSWER_WITHIN, sender.request(request)).await {
            Err(_) => Err(format!("no answer within {} s", ANSWER_WITHIN.as_secs())),
            Ok(Err(error)) if error.is_connect() => Err("it cannot be reached".to_owned()),
            Ok(Err(_)) => Err("the connection broke".to_owned()),
            Ok(Ok(answer)) if answer.status().is_success() => Ok(()),
            Ok(Ok(answer)) => Err(refused(answer.status())),
        }
    }
}

fn refused(status: StatusCode) -> String {
    let redirect = if status.is_redirection() { "; redirects are not followed" } else { "" };
    format!("it answered {}{redirect}", status.as_u16())
}

/// `t=<seconds since 1970>,v1=<HMAC-SHA256 of "<t>.<body>" in hexadecimal digits>`.
#[must_use]
pub(crate) fn signature(secret: &Secret, now: Micros, body: &str) -> String {
    let time = now.seconds();
    // HMAC takes a key of any length, so there always is one.
    let digest = Hmac::<Sha256>::new_from_slice(secret.reveal().as_bytes()).map(|mut mac| {
        mac.update(format!("{time}.{body}").as_bytes());
        random::hex(&mac.finalize().into_bytes())
    });
    format!("t={time},v1={}", digest.unwrap_or_default())
}

impl fmt::Debug for Webhook {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Webhook({})", self.host())
    }
}

impl fmt::Display for NoWebhook {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "expected http://host… or https://host…, found {} (the value is not shown)", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_over_the_time_and_the_body() {
        // printf '1800000000.{}' | openssl dgst -sha256 -hmac 0123456789abcdef
        let secret = Secret::new("0123456789abcdef".into());
        let check = |seconds, body| signature(&secret, Micros::from_seconds(seconds), body);
        assert_eq!(
            check(1_800_000_000, "{}"),
            "t=1800000000,v1=1313ae9c874eb1a0868ad0b65f841c4243c23fdcfad69a3ada227726fad9960e"
        );
        assert_ne!(check(1_800_000_000, "{ }")[13..], check(1_800_000_000, "{}")[13..]);
        assert_ne!(check(1_800_000_001, "{}")[13..], check(1_800_000_000, "{}")[13..]);
    }

    #[test]
    fn an_address_is_http_or_https_and_is_not_shown() {
        let check = |url: &str| Webhook::parse(url).map(|it| it.host().to_owned()).map_err(|it| it.to_string());
        assert_eq!(check("https://hooks.example/a?token=hunter2"), Ok("hooks.example".into()));
        assert_eq!(check("http://127.0.0.1:9000"), Ok("127.0.0.1".into()));
        for (wrong, found) in [
            ("", "something else"),
            ("hunter2", "another scheme"),
            ("/hunter2", "another scheme"),
            ("ftp://host/hunter2", "another scheme"),
            ("file:///hunter2", "something else"),
            ("https://hunter2@host/", "a user name"),
            ("https://", "something else"),
        ] {
            let said = check(wrong).unwrap_err();
            assert!(said.contains(&format!("found {found}")) && !said.contains("hunter2"), "{wrong}: {said}");
        }
        let shown = format!("{:?}", Webhook::parse("https://h/hunter2").unwrap());
        assert_eq!(shown, "Webhook(h)");
    }
}

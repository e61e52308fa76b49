//! What the load is made of: signers, the gateway to ask, whoever publishes the keys.

use serde_json::{Value, json};
use std::io::{BufReader, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use tests::token::Algorithm;
use tests::{Call, Client, Signer, http};

/// The secret in the published set, which is none by being there.
pub(crate) const PUBLISHED_SECRET: [u8; 32] = [7; 32];
pub(crate) const PATH: &str = "/v1/chat/completions";

/// The signers whose keys are published, one whose key is not, and the gateway.
pub(crate) struct World {
    pub(crate) eddsa: Signer,
    pub(crate) es256: Signer,
    pub(crate) rs256: Signer,
    pub(crate) stranger: Signer,
    /// A good token of each algorithm; that of RS256 takes its time.
    pub(crate) good: [String; 3],
    pub(crate) client: Client,
    pub(crate) now: u64,
}

impl World {
    pub(crate) fn new(port: u16, signers: [Signer; 3]) -> Self {
        let good = signers.each_ref().map(|it| it.user("mallory"));
        let [eddsa, es256, rs256] = signers;
        let (stranger, now) = (Signer::new(), tests::token::now());
        Self { eddsa, es256, rs256, stranger, good, client: Client::new(port), now }
    }

    /// A GET, because Envoy closes the connection of a request with a body that it refuses.
    pub(crate) fn get(&self) -> Call {
        self.client.get(PATH)
    }

    pub(crate) fn bearer(&self, token: &str) -> Call {
        self.get().bearer(token)
    }

    /// With these claims, well signed.
    pub(crate) fn claims(&self, claims: &Value) -> Call {
        self.bearer(&self.eddsa.sign(claims))
    }

    /// With this payload, byte for byte, well signed.
    pub(crate) fn payload(&self, payload: impl AsRef<[u8]>) -> Call {
        self.bearer(&self.eddsa.sign_text(self.eddsa.header().to_string(), payload))
    }

    /// With more in the token's header, well signed; `null` leaves a member out.
    pub(crate) fn header(&self, more: &Value) -> Call {
        self.bearer(&self.signed_by(&self.eddsa, more))
    }

    /// The usual claims under such a header, signed by whom you will.
    pub(crate) fn signed_by(&self, signer: &Signer, more: &Value) -> String {
        let mut header = self.eddsa.header().as_object().unwrap().clone();
        header.extend(more.as_object().unwrap().clone());
        header.retain(|_, value| !value.is_null());
        signer.sign_text(Value::Object(header).to_string(), usual().to_string())
    }

    /// The three parts of a good token of this algorithm.
    pub(crate) fn parts(&self, algorithm: Algorithm) -> [&str; 3] {
        let place = Algorithm::ALL.iter().position(|it| *it == algorithm).unwrap();
        self.good[place].split('.').collect::<Vec<_>>().try_into().unwrap()
    }
}

/// The claims of a good token.
pub(crate) fn usual() -> Value {
    Signer::claims(&json!({"uid": "mallory"}))
}

/// Publishes keys, and counts how often it was asked for them.
pub(crate) struct Publisher {
    pub(crate) port: u16,
    asked: Arc<AtomicUsize>,
}

impl Publisher {
    pub(crate) fn start(document: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, asked) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let Ok(Some(_)) = http::read_head(&mut BufReader::new(stream.try_clone().unwrap())) else { continue };
                count.fetch_add(1, Ordering::SeqCst);
                let head =
                    format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", document.len());
                let _ = (&stream).write_all((head + &document).as_bytes());
            }
        });
        Self { port, asked }
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

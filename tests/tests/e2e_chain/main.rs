//! `envoy/envoy.yaml` as it is shipped, with the companion behind it and the fake provider in place of the real ones.

mod fallback;
mod guards;
mod identity;
mod limits;
mod memory;
mod replies;
mod stored;
mod wire;

use serde_json::json;
use tests::companion::Project;
use tests::gateway::Builder;
use tests::{Client, Companion, FakeProvider, Gateway};

/// Everything that runs. The gateway stands first, so that it is gone before what it talks to.
struct Stage {
    gateway: Gateway,
    companion: Companion,
    project: Project,
    fake: FakeProvider,
}

impl Stage {
    fn new() -> Self {
        Self::with(|gateway| gateway)
    }

    /// With changes to the gateway.
    fn with(change: impl FnOnce(Builder) -> Builder) -> Self {
        let fake = FakeProvider::start();
        let companion = Companion::start();
        let project = companion.project("acme", "app");
        let gateway = change(Gateway::from("envoy/envoy.yaml").fake(&fake).companion(&companion)).start();
        Self { gateway, companion, project, fake }
    }

    fn client(&self) -> Client {
        self.gateway.client()
    }

    /// A token of a user, minted through the gateway.
    fn token(&self, user: &str) -> String {
        self.client().mint(&self.project.api_key, &json!({"user_id": user}))
    }
}

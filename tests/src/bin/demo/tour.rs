//! What the demo shows.

use std::io::{Write, stdout};
use std::time::Duration;

use serde_json::json;
use tests::Client;
use tests::process::poll;

use crate::Outcome;
use crate::settings::Settings;
use crate::stack::Access;

const QUESTION: &str = "Say in one sentence what a toll gate is.";

/// Mints a token and streams a chat to the terminal, piece by piece.
pub(crate) fn chat(settings: &Settings, access: &Access) -> Outcome {
    let token = mint(settings, access)?;
    println!("minted a token for the user `demo` of project {}", access.project);
    if settings.real.is_empty() {
        // So that a person sees the stream as one.
        let slow = json!({"path_prefix": "/", "behaviour": "slow-60ms", "times": 1});
        Client::new(settings.fake).post("/_control/behaviour", &slow).try_send().map_err(|error| error.to_string())?;
    }
    println!("\n{} is asked: {QUESTION}\n", settings.model);
    let call = Client::new(settings.gateway).chat_stream(&token, settings.model, QUESTION).thread("demo");
    let mut stream = call.try_stream().map_err(|error| format!("the gateway: {error}"))?;
    if stream.status != 200 {
        let status = stream.status;
        return Err(format!("the gateway answered {status}: {}", stream.rest().text()));
    }
    let mut last = String::new();
    while let Some(event) = stream.event() {
        print!("{}", event.content());
        drop(stdout().flush());
        last = event.data;
    }
    println!("\n");
    if last == "[DONE]" { Ok(()) } else { Err(format!("the stream did not end with [DONE] but with {last:?}")) }
}

/// Proves that the whole chain answers; with real providers only that it mints, as their answers cost money.
pub(crate) fn prove(settings: &Settings, access: &Access) -> Outcome {
    let token = mint(settings, access)?;
    if !settings.real.is_empty() {
        return Ok(());
    }
    let answer = Client::new(settings.gateway).chat(&token, settings.model, "hi").try_send();
    let answer = answer.map_err(|error| format!("the gateway: {error}"))?;
    if answer.status == 200 {
        Ok(())
    } else {
        Err(format!("the gateway answered {}: {}", answer.status, answer.text()))
    }
}

/// Mints through the gateway, as soon as it can.
fn mint(settings: &Settings, access: &Access) -> Result<String, String> {
    let call = Client::new(settings.gateway).post("/v1/auth/mint", &json!({"user_id": "demo"})).bearer(&access.api_key);
    let mut last = String::new();
    let token = poll(Duration::from_secs(10), || match call.try_send() {
        Ok(answer) if answer.status == 200 => Some(answer.json()["access_token"].as_str()?.to_owned()),
        Ok(answer) => {
            last = format!("{} {}", answer.status, answer.text());
            None
        }
        Err(error) => {
            last = error.to_string();
            None
        }
    });
    token.ok_or_else(|| format!("no token from {}/v1/auth/mint: {last}", settings.gateway_url()))
}

/// After everything was stopped again.
pub(crate) fn next_after_demo() {
    println!(
        "That was a real Envoy, the filters and the companion; all of it is stopped again. Next:

  make up && . .run/demo.env     the same in the background
  make test                      all checks
  make down                      end it"
    );
}

/// While everything runs.
pub(crate) fn next_after_up(settings: &Settings) {
    println!(
        "up: {url}. Next:

  . .run/demo.env
  TOKEN=$(curl -s $GATEWAY_URL/v1/auth/mint -H \"Authorization: Bearer $API_KEY\" -H 'content-type: application/json' \\
    -d '{{\"user_id\":\"u1\"}}' | sed 's/.*\"access_token\":\"\\([^\"]*\\)\".*/\\1/')
  curl -sN $GATEWAY_URL/v1/chat/completions -H \"Authorization: Bearer $TOKEN\" -H 'content-type: application/json' \\
    -d '{{\"model\":\"{model}\",\"stream\":true,\"messages\":[{{\"role\":\"user\",\"content\":\"hi\"}}]}}'
  make down",
        url = settings.gateway_url(),
        model = settings.model,
    );
}

//! What a model answers, guarded as it passes: placeholders of the request become values again, and what the model says
//! of its own is masked, redacted, hashed, reported, or ends the answer.
//!
//! Pure: bytes in, bytes out. A stream is never collected. What is kept of one, at most: its unfinished event
//! ([`Settings::longest_event`]), and for each text that is under way (a choice's content, a tool call's arguments; at
//! most [`stream::MOST_CHANNELS`] of them) the characters that may still become a match ([`Settings::hold`]) with the
//! last [`scanner::LOOK_BACK`] before them; and the [`Vault`], which is bounded itself.
//!
//! Of a body no byte changes but the strings that had something in them, and what repeats them token by token
//! (`logprobs`).

mod argument;
mod finder;
mod json;
mod looking;
mod own;
mod plain;
mod run;
pub(crate) mod scanner;
mod shape;
pub(crate) mod stream;
mod tail;
mod vault;

pub use crate::config::Action as Act;
pub use finder::{Finder, Found, Hits};
pub use looking::Looking;
pub use plain::{Edited, edit};
pub use stream::{OnTooLong, Settings, Streamed};
pub use tail::{begun, settled};
pub use vault::{Vault, redacted};

#[cfg(test)]
mod tests;

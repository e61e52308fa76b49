//! The second proxy of Tollgate's tests: runs the built filters as Kong 3.9 (WasmX) does.
//!
//! A filter that works in Envoy can fail in Kong without a word, because Kong calls it in another
//! order and passes its mistakes through. Here every such mistake is a [`Failure`]: a trap, a hang,
//! a host call that crashes a worker of Kong's or that has no effect there. What is modelled was
//! measured in Kong 3.9.3 or read in WasmX's source; what neither tells is refused rather than guessed. This crate does no networking and reads no clock: the test says what the
//! upstream and the call-outs answer, and what time it is.

mod exchange;
mod fields;
mod gateway;
mod imports;
mod kong;
mod message;
mod phases;
mod properties;
mod shared;
mod vm;
mod wasi;
mod world;

pub use gateway::{Gateway, Hop, KongFile};
pub use kong::{Failure, Interlude, Kong};
pub use message::{Answer, CallAnswer, CallOut, Ending, Request, UpstreamRequest, UpstreamResponse};

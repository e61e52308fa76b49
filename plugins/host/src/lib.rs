//! The only crate that talks to the proxy.
//!
//! It hides what Envoy and Kong do differently (HOSTS.md), and it is total: whatever the host
//! answers becomes a value and a log line, never a panic, because a panic takes every request of
//! the worker down with it. For the same reason it declares the proxy-wasm imports itself instead
//! of using the SDK (docs/decisions/0001-own-abi.md).
//!
//! A filter implements [`Plugin`] (its configuration) and [`Stream`] (one exchange), and is told
//! only what it may act on: a [`RequestHead`] exists only while headers can still be changed, a
//! body is whole or not there, a call-out is asked for and answered. It refuses to let a filter
//! pause, resume, or touch what the host has already let go.

#![cfg_attr(not(target_family = "wasm"), allow(dead_code, reason = "what only the host calls has no caller natively"))]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails"))]

mod abi;
pub mod companion;
mod contexts;
pub mod ending;
mod exchange;
#[cfg(target_family = "wasm")]
mod exports;
mod head;
pub mod ids;
mod kind;
mod logger;
pub mod metrics;
pub mod note;
pub mod outbox;
mod plugin;
mod refused;
mod root;
pub mod seed;
mod signature;
pub mod slots;

pub use head::{RequestHead, RequestTrailers, ResponseHead};
pub use plugin::{Answer, Call, CallId, Chunk, Edit, Next, NoAnswer, Plugin, Stream, Watch};
pub use root::{Root, Waker};
pub use signature::verify_signature;

use domain::time::Micros;

/// The proxy's clock.
#[must_use]
pub fn now() -> Micros {
    abi::now()
}

/// An environment variable of the plugin's VM. Envoy passes those that `host_env_keys` lists;
/// Kong passes none.
#[must_use]
pub fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[doc(hidden)]
pub mod register {
    pub use crate::contexts::register;
}

/// Makes `$plugin` this module's filter.
#[macro_export]
macro_rules! register {
    ($plugin:ty) => {
        #[allow(unsafe_code, reason = "the host calls these by name")]
        mod start {
            unsafe extern "C" {
                fn __wasm_call_ctors();
            }

            /// Runs once, before any other export: constructors, then the filter's registration.
            #[unsafe(no_mangle)]
            extern "C" fn _initialize() {
                // SAFETY: the linker makes this function; the host calls `_initialize` once.
                unsafe { __wasm_call_ctors() };
                $crate::register::register::<$plugin>();
            }
        }
    };
}

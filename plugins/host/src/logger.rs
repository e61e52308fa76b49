//! Sends what the `log` crate is given to the proxy's log.

use crate::abi;
use log::{Level, LevelFilter, Log, Metadata, Record};

struct ToProxy;

static TO_PROXY: ToProxy = ToProxy;

/// Starts logging, from `info` up.
pub(crate) fn install() {
    // A second plugin of the same module finds the logger in place already.
    let _ = log::set_logger(&TO_PROXY);
    log::set_max_level(LevelFilter::Info);
}

impl Log for ToProxy {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        let level = match record.level() {
            Level::Trace => 0,
            Level::Debug => 1,
            Level::Info => 2,
            Level::Warn => 3,
            Level::Error => 4,
        };
        abi::log(level, &format!("{}: {}", record.target(), record.args()));
    }

    fn flush(&self) {}
}

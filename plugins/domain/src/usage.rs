//! What a model call used, by the provider's own count.

/// Tokens of one model call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// All prompt tokens; those read from and written to the provider's cache are among them.
    pub input: u64,
    /// Prompt tokens that the provider read from its cache.
    pub cached: u64,
    /// Prompt tokens that the provider wrote to its cache.
    pub cache_write: u64,
    /// All generated tokens; those of the reasoning are among them.
    pub output: u64,
    /// Generated tokens that the client does not see.
    pub reasoning: u64,
}

impl Usage {
    /// Input and output together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.input.saturating_add(self.output)
    }
}

/// Finds the usage in one JSON value: a plain answer, or the data of one event of a stream.
#[must_use]
pub fn find(provider: Option<&str>, json: &[u8]) -> Option<Usage> {
    let mut reading = Reading::new(provider);
    reading.see(json);
    reading.usage()
}

/// What the events of one stream said of the usage so far.
#[derive(Debug, Clone)]
pub struct Reading {
    found: Option<Usage>,
}

impl Reading {
    /// Nothing seen yet, by the rules of `provider`.
    #[must_use]
    pub fn new(_provider: Option<&str>) -> Self {
        Self { found: None }
    }

    /// Takes in the data of one event, or a plain answer.
    pub fn see(&mut self, _json: &[u8]) {}

    /// The usage, if it was said.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        self.found
    }
}

/// Does this provider take `stream_options.include_usage`?
#[must_use]
pub fn takes_include_usage(_provider: &str) -> bool {
    false
}

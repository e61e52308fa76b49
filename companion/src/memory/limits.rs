//! How much one user may have in memory.

/// What one user may have. It is looked at before a turn begins: a turn that was answered is stored in any case.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Threads of one user.
    pub threads: u32,
    /// Messages of one thread.
    pub messages: u32,
    /// Bytes of one imported message.
    pub message_bytes: u32,
}

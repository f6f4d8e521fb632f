//! How the agent ended.

/// Why the agent ended; decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// By SIGTERM or SIGINT.
    Stopped,
    /// The agent could not start.
    Internal,
    /// None of the configured addresses could be bound.
    CannotBind,
}

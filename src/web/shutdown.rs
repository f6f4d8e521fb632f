//! Signals to tasks that serve viewers that they must end, and why.

use std::sync::{Arc, OnceLock};

use crate::sync::Latch;

/// A signal given once, which every clone receives.
#[derive(Clone)]
pub struct ShutdownSignal {
    why: Arc<OnceLock<String>>,
    latch: Latch,
}

impl ShutdownSignal {
    pub fn new() -> Self {
        Self { why: Arc::default(), latch: Latch::default() }
    }

    /// Gives the signal; the first reason is kept.
    pub fn tell(&self, why: String) {
        let _ = self.why.set(why);
        self.latch.set();
    }

    /// Waits for the signal; returns the reason.
    pub async fn heard(&self) -> String {
        self.latch.wait().await;
        self.why.get().cloned().unwrap_or_default()
    }
}

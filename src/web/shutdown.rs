//! Signals to tasks that serve viewers that they must end, and why.

use std::sync::{Arc, OnceLock};

use smol::channel::{Receiver, Sender, bounded};

/// A signal given once, which every clone receives.
#[derive(Clone)]
pub struct ShutdownSignal {
    why: Arc<OnceLock<String>>,
    /// Closed when the signal is given; nothing is ever sent.
    bell: (Sender<()>, Receiver<()>),
}

impl ShutdownSignal {
    pub fn new() -> Self {
        Self { why: Arc::default(), bell: bounded(1) }
    }

    /// Gives the signal; the first reason is kept.
    pub fn tell(&self, why: String) {
        let _ = self.why.set(why);
        self.bell.0.close();
    }

    /// Waits for the signal; returns the reason.
    pub async fn heard(&self) -> String {
        // The only possible result is that the channel was closed.
        let _closed = self.bell.1.recv().await;
        self.why.get().cloned().unwrap_or_default()
    }
}

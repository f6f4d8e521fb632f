//! Telling those who serve viewers that it is over, and why.

use std::sync::{Arc, OnceLock};

use smol::channel::{Receiver, Sender, bounded};

/// Told once, heard by everybody who holds a clone.
#[derive(Clone)]
pub struct ShutdownSignal {
    why: Arc<OnceLock<String>>,
    /// Closed when it is told; nothing is ever sent.
    bell: (Sender<()>, Receiver<()>),
}

impl ShutdownSignal {
    pub fn new() -> Self {
        Self { why: Arc::default(), bell: bounded(1) }
    }

    /// The first reason stands.
    pub fn tell(&self, why: String) {
        let _ = self.why.set(why);
        self.bell.0.close();
    }

    /// Waits until it is told; gives the reason.
    pub async fn heard(&self) -> String {
        // The only answer is that the channel was closed.
        let _closed = self.bell.1.recv().await;
        self.why.get().cloned().unwrap_or_default()
    }
}

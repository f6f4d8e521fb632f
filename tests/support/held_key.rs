//! Somebody who steers a camera.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use serde_json::Value;

use super::{Agent, post, unix_ms};

/// A page on which somebody holds a key. It ends like one that is killed: without a word.
pub struct HeldKey {
    is_over: Arc<AtomicBool>,
    /// When the agent answered the last word, in Unix milliseconds.
    last_ms: Arc<AtomicU64>,
    thread: Option<thread::JoinHandle<()>>,
}

impl HeldKey {
    pub fn press(agent: &Agent, id: &str, word: &Value) -> Self {
        let (address, target, word) = (agent.address.clone(), format!("/api/cameras/{id}/ptz"), word.to_string());
        let (is_over, last_ms) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let (over, last) = (Arc::clone(&is_over), Arc::clone(&last_ms));
        let hold = move || {
            while !over.load(Ordering::Relaxed) {
                // The agent may be gone.
                if let Some(answer) = post(&address, &target, &word) {
                    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
                    last.store(unix_ms(), Ordering::Relaxed);
                }
                thread::sleep(Duration::from_millis(200));
            }
        };
        Self { is_over, last_ms, thread: Some(thread::spawn(hold)) }
    }

    /// Ends; returns when the last word was.
    pub fn die(mut self) -> u64 {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
        self.last_ms.load(Ordering::Relaxed)
    }
}

impl Drop for HeldKey {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

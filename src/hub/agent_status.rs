//! What the agent reports of itself besides the cameras: its configuration file and the reloads.

use crate::sync::{Mutex, Notified, Notifier};

/// How often the configuration file was read again, and the result of the last time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reload {
    /// Number of reloads requested.
    pub asked: u64,
    /// Number of requested reloads that are done: the file was read after the last of them was
    /// requested.
    pub count: u64,
    /// Whether the file was applied the last time.
    pub taken: bool,
    /// The result in words; empty before the first reload.
    pub outcome: String,
}

/// The mistakes in the configuration file, and the reloads. The agent sets them, pages and programs
/// read them.
#[derive(Default)]
pub struct AgentStatus {
    complaints: Mutex<Vec<String>>,
    reload: Mutex<Reload>,
    notifier: Notifier,
}

impl AgentStatus {
    /// The mistakes in the configuration file, one text each; empty if there are none.
    pub fn complaints(&self) -> Vec<String> {
        self.complaints.lock().clone()
    }

    /// Sets the mistakes; a difference is a change.
    pub fn set_complaints(&self, complaints: Vec<String>) {
        let mut own = self.complaints.lock();
        if *own != complaints {
            *own = complaints;
            drop(own);
            self.notifier.notify();
        }
    }

    /// Counts a request for a reload.
    pub fn ask_reload(&self) {
        self.reload.lock().asked += 1;
    }

    /// Records that the configuration file was read again. This completes the first `count` of all
    /// requested reloads; everything that follows from the file has begun.
    pub fn note_reload(&self, count: u64, taken: bool, outcome: String) {
        let mut reload = self.reload.lock();
        *reload = Reload { asked: reload.asked, count, taken, outcome };
    }

    pub fn reload(&self) -> Reload {
        self.reload.lock().clone()
    }

    /// A receiver that is notified, at least once, after each change of the mistakes.
    pub fn changes(&self) -> Notified {
        self.notifier.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_complaints_notify_and_equal_ones_do_not() {
        let status = AgentStatus::default();
        let changes = status.changes();
        for complaints in [vec![], vec!["line 1: no".to_owned()], vec!["line 1: no".to_owned()], vec![]] {
            let is_change = status.complaints() != complaints;
            status.set_complaints(complaints);
            assert_eq!(changes.take(), is_change);
        }
    }

    #[test]
    fn reload_answers_the_requests_before_it_and_keeps_later_ones() {
        let status = AgentStatus::default();
        status.ask_reload();
        status.ask_reload();
        status.note_reload(1, true, "nothing".to_owned());
        let reload = Reload { asked: 2, count: 1, taken: true, outcome: "nothing".to_owned() };
        assert_eq!(status.reload(), reload);
    }
}

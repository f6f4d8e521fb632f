//! Wakes tasks that wait for a change: each is notified at least once per change.

use crate::sync::{Mutex, MutexGuard};
use smol::channel::{Receiver, Sender, bounded};

#[derive(Debug, Default)]
pub struct Notifier(Mutex<Vec<Sender<()>>>);

impl Notifier {
    pub fn hang(&self) -> Receiver<()> {
        let (sender, receiver) = bounded(1);
        let mut notifier = self.notifier();
        // Years may pass between two changes, while viewers come and go: drop the senders without a
        // receiver.
        notifier.retain(|bell| !bell.is_closed());
        notifier.push(sender);
        receiver
    }

    pub fn ring(&self) {
        self.notifier().retain(|bell| bell.force_send(()).is_ok());
    }

    fn notifier(&self) -> MutexGuard<'_, Vec<Sender<()>>> {
        self.0.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receivers_of_those_who_left_are_forgotten_without_a_change() {
        let notifier = Notifier::default();
        for _ in 0..10 {
            drop(notifier.hang());
        }
        let _kept = notifier.hang();
        assert_eq!(notifier.notifier().len(), 1);
    }
}

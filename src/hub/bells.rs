//! Bells for those who look on: rung at each change, heard at least once.

use std::sync::{Mutex, MutexGuard, PoisonError};

use smol::channel::{Receiver, Sender, bounded};

#[derive(Debug, Default)]
pub struct Bells(Mutex<Vec<Sender<()>>>);

impl Bells {
    pub fn hang(&self) -> Receiver<()> {
        let (sender, receiver) = bounded(1);
        let mut bells = self.bells();
        // Years may pass between two changes, and viewers come and go: forget the bells of the gone.
        bells.retain(|bell| !bell.is_closed());
        bells.push(sender);
        receiver
    }

    pub fn ring(&self) {
        self.bells().retain(|bell| bell.force_send(()).is_ok());
    }

    fn bells(&self) -> MutexGuard<'_, Vec<Sender<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! A mutex without poison, and signals between tasks that carry no data.

use std::sync::{PoisonError, TryLockError};

use smol::{
    channel::{Receiver, Sender, bounded},
    future::FutureExt,
};

pub use std::sync::MutexGuard;

/// The standard mutex, whose lock is given also after a panic of another holder.
///
/// A panic while a lock is held poisons the standard mutex. In release builds a panic ends the
/// process, and in tests the first panic is the one to read, so nobody wants to handle the poison.
#[derive(Debug, Default)]
pub struct Mutex<T>(std::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub const fn new(value: T) -> Self {
        Self(std::sync::Mutex::new(value))
    }

    /// Waits for the lock.
    ///
    /// # Blocking
    /// For as long as another thread holds it; a second lock by the same thread never returns.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lock, or `None` while somebody holds it.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        match self.0.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

/// Wakes tasks that wait for a change. What has changed is read elsewhere.
#[derive(Debug, Default)]
pub struct Notifier(Mutex<Vec<Sender<()>>>);

impl Notifier {
    /// A receiver that is notified at least once after each later change.
    pub fn subscribe(&self) -> Notified {
        let (sender, receiver) = bounded(1);
        let mut senders = self.0.lock();
        // Years may pass between two changes, while subscribers come and go.
        senders.retain(|sender| !sender.is_closed());
        senders.push(sender);
        Notified(receiver)
    }

    /// A notifier with its only subscriber, which may be cloned; one of the clones is woken.
    pub fn pair() -> (Self, Notified) {
        let notifier = Self::default();
        let notified = notifier.subscribe();
        (notifier, notified)
    }

    /// Wakes every subscriber now, or when it waits next. Never blocks.
    pub fn notify(&self) {
        self.0.lock().retain(|sender| sender.force_send(()).is_ok());
    }
}

/// A subscription to a [`Notifier`]. Dropping it, and all its clones, ends it.
#[derive(Clone, Debug)]
pub struct Notified(Receiver<()>);

impl Notified {
    /// Waits until something has changed since the last call. `false` means that the notifier was
    /// dropped, so nothing will change any more. Cancel-safe: dropping the future loses nothing.
    pub async fn changed(&self) -> bool {
        self.0.recv().await.is_ok()
    }

    /// Whether something has changed since the last call.
    pub fn take(&self) -> bool {
        self.0.try_recv().is_ok()
    }
}

/// A signal that is given once and stays given; all clones share it.
#[derive(Clone, Debug)]
pub struct Latch {
    /// Closed when the signal is given; nothing is ever sent.
    sender: Sender<()>,
    receiver: Receiver<()>,
}

impl Default for Latch {
    fn default() -> Self {
        let (sender, receiver) = bounded(1);
        Self { sender, receiver }
    }
}

impl Latch {
    /// Gives the signal. Never blocks.
    pub fn set(&self) {
        self.sender.close();
    }

    pub fn is_set(&self) -> bool {
        self.sender.is_closed()
    }

    /// Waits for the signal; returns at once if it was given already.
    pub async fn wait(&self) {
        // The only possible result is that the channel was closed.
        let _closed = self.receiver.recv().await;
    }

    /// The result of `work`, or `None` as soon as the signal is given; then `work` is dropped.
    pub async fn unless_set<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let set = async {
            self.wait().await;
            None
        };
        set.or(async { Some(work.await) }).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lock_is_given_after_a_panic_of_its_holder() {
        let mutex = Mutex::new(1);
        std::thread::scope(|scope| {
            let holder = scope.spawn(|| {
                let _guard = mutex.lock();
                panic!("while the lock is held");
            });
            assert!(holder.join().is_err());
        });
        *mutex.lock() += 1;
        assert_eq!(*mutex.lock(), 2);
        let held = mutex.lock();
        assert!(mutex.try_lock().is_none());
        drop(held);
        assert_eq!(mutex.try_lock().map(|value| *value), Some(2));
    }

    #[test]
    fn two_changes_are_one_notification() {
        let (notifier, notified) = Notifier::pair();
        assert!(!notified.take());
        notifier.notify();
        notifier.notify();
        assert!(notified.take());
        assert!(!notified.take(), "one notification is enough for two changes");
    }

    #[test]
    fn every_subscriber_is_notified_and_learns_of_the_end() {
        let notifier = Notifier::default();
        let subscribers = [notifier.subscribe(), notifier.subscribe()];
        notifier.notify();
        assert!(subscribers.iter().all(|notified| smol::block_on(notified.changed())));
        notifier.notify();
        drop(notifier);
        for notified in subscribers {
            assert!(smol::block_on(notified.changed()), "the last change is not lost");
            assert!(!smol::block_on(notified.changed()));
        }
    }

    #[test]
    fn dropped_subscribers_are_forgotten_without_a_change() {
        let notifier = Notifier::default();
        for _ in 0..10 {
            drop(notifier.subscribe());
        }
        let _kept = notifier.subscribe();
        assert_eq!(notifier.0.lock().len(), 1);
    }

    #[test]
    fn latch_stays_set_for_all_clones() {
        let latch = Latch::default();
        let clone = latch.clone();
        assert!(!clone.is_set());
        assert!(smol::block_on(smol::future::poll_once(clone.wait())).is_none());
        latch.set();
        latch.set();
        smol::block_on(async { (clone.wait().await, clone.wait().await, latch.wait().await) });
        assert!(latch.is_set() && clone.is_set());
    }
}

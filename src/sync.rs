//! A mutex without poison.
//!
//! A panic while a lock is held poisons the standard mutex. In release builds a panic ends the
//! process, and in tests the first panic is the one to read, so nobody wants to handle the poison.

use std::sync::{PoisonError, TryLockError};

pub use std::sync::MutexGuard;

/// The standard mutex, whose lock is given also after a panic of another holder.
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
}

//! Verifies passwords: one at a time, on a thread that may block, because a hash takes memory and time.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use smol::lock::{Semaphore, SemaphoreGuardArc};

use crate::{
    account::{
        digest::{Digest, random_secret},
        password_hash::PasswordHash,
    },
    camera::Secret,
    sync::Mutex,
};

/// Maximum number of logins that wait for their turn.
const MAX_WAITING: usize = 8;

/// How long a verified password is remembered, for programs that send it with each request.
const REMEMBERED_FOR: Duration = Duration::from_secs(10 * 60);

/// Maximum number of passwords that are remembered.
const MAX_REMEMBERED: usize = 256;

/// Verifies passwords one after the other, and remembers those that were right.
#[derive(Debug)]
pub(super) struct Verifier {
    turn: Arc<Semaphore>,
    waiting: AtomicUsize,
    /// By the digest of name and password under a key of this process; the value is the fingerprint of
    /// the credential that was verified, and when.
    remembered: Mutex<BTreeMap<Digest, (Digest, Instant)>>,
    /// `None`: the system gave no random numbers, so nothing is remembered.
    key: OnceLock<Option<Secret>>,
}

impl Default for Verifier {
    fn default() -> Self {
        Self {
            turn: Arc::new(Semaphore::new(1)),
            waiting: AtomicUsize::default(),
            remembered: Mutex::default(),
            key: OnceLock::new(),
        }
    }
}

/// The right to verify one password.
#[derive(Debug)]
pub(super) struct Turn {
    _held: SemaphoreGuardArc,
}

impl Verifier {
    /// Waits for a turn; `None` if too many wait already.
    pub(super) async fn turn(&self) -> Option<Turn> {
        if let Some(turn) = self.turn.try_acquire_arc() {
            return Some(Turn { _held: turn });
        }
        let _waiting = Waiting::enter(&self.waiting)?;
        Some(Turn { _held: self.turn.acquire_arc().await })
    }

    /// Whether `password` is that of `hash`. The turn lasts until the hash is computed, also if the
    /// caller stops waiting for it.
    pub(super) async fn verify(turn: Turn, hash: PasswordHash, password: &str) -> (bool, Turn) {
        let password = Secret::new(password);
        smol::unblock(move || (hash.verify(password.expose()), turn)).await
    }

    /// Whether this pair was verified lately against the credential with this fingerprint.
    pub(super) fn remembers(&self, name: &str, password: &str, credential: Digest, now: Instant) -> bool {
        let Some(pair) = self.digest(name, password) else { return false };
        let remembered = self.remembered.lock();
        let is_fresh = |at: Instant| now.saturating_duration_since(at) < REMEMBERED_FOR;
        remembered.get(&pair).is_some_and(|(verified, at)| *verified == credential && is_fresh(*at))
    }

    pub(super) fn remember(&self, name: &str, password: &str, credential: Digest, now: Instant) {
        let Some(pair) = self.digest(name, password) else { return };
        let mut remembered = self.remembered.lock();
        remembered.retain(|_, (_, at)| now.saturating_duration_since(*at) < REMEMBERED_FOR);
        if remembered.len() >= MAX_REMEMBERED {
            let oldest = remembered.iter().min_by_key(|(_, (_, at))| *at).map(|(pair, _)| *pair);
            oldest.and_then(|pair| remembered.remove(&pair));
        }
        remembered.insert(pair, (credential, now));
    }

    /// Forgets all pairs but those of credentials in force.
    pub(super) fn forget_others(&self, is_in_force: impl Fn(Digest) -> bool) {
        self.remembered.lock().retain(|_, (credential, _)| is_in_force(*credential));
    }

    fn digest(&self, name: &str, password: &str) -> Option<Digest> {
        let key = self.key.get_or_init(|| random_secret().ok().map(Secret::new)).as_ref()?;
        Some(Digest::of(&[key.expose(), name, password]))
    }
}

/// A place in the queue.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn enter(count: &'a AtomicUsize) -> Option<Self> {
        let waiting = Self(count);
        // The guard gives the place back if it is one too many.
        (count.fetch_add(1, Ordering::Relaxed) < MAX_WAITING).then_some(()).map(|()| waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use smol::future;

    use super::*;

    #[test]
    fn one_has_the_turn_eight_wait_and_the_next_is_turned_away() {
        smol::block_on(async {
            let verifier = Verifier::default();
            let first = verifier.turn().await.unwrap();
            let mut waiting: Vec<_> = (0..MAX_WAITING).map(|_| Box::pin(verifier.turn())).collect();
            for turn in &mut waiting {
                assert!(future::poll_once(turn).await.is_none(), "it waits");
            }
            assert!(verifier.turn().await.is_none());
            waiting.pop();
            let mut another = Box::pin(verifier.turn());
            assert!(future::poll_once(&mut another).await.is_none(), "who left makes room");
            drop(first);
            assert!(waiting.remove(0).await.is_some());
        });
    }

    #[test]
    fn pair_is_remembered_for_ten_minutes_and_for_its_credential() {
        let (verifier, now) = (Verifier::default(), Instant::now());
        let (old, new) = (Digest::of(&["old"]), Digest::of(&["new"]));
        verifier.remember("guard", "long password", old, now);
        let just_before = now + REMEMBERED_FOR - Duration::from_secs(1);
        assert!(verifier.remembers("guard", "long password", old, just_before));
        assert!(!verifier.remembers("guard", "long password", old, now + REMEMBERED_FOR));
        assert!(!verifier.remembers("guard", "long password", new, now));
        assert!(!verifier.remembers("guard", "Long password", old, now));
        assert!(!verifier.remembers("guardlong", " password", old, now));
        assert!(!format!("{verifier:?}").contains(verifier.key.get().unwrap().as_ref().unwrap().expose()));
        verifier.forget_others(|credential| credential == new);
        assert!(!verifier.remembers("guard", "long password", old, now));
        for n in 0..MAX_REMEMBERED + 5 {
            verifier.remember(&n.to_string(), "", old, now);
        }
        assert_eq!(verifier.remembered.lock().len(), MAX_REMEMBERED);
    }
}

//! The sessions and the file that holds them, so that a restart of the agent darkens no wall.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Instant, SystemTime},
};

use super::sessions::Sessions;
use crate::{
    account::Account,
    disk,
    sync::{Mutex, MutexGuard},
    text::chain,
};

/// Name of the file in the directory of the store. Names of cameras there end with `.json`.
const NAME: &str = "sessions";

/// Limit in bytes: 256 lines of two digests, a date and a name.
pub(super) const MAX_FILE_LEN: u64 = 64 << 10;

/// The sessions, and where they are kept.
#[derive(Debug, Default)]
pub(super) struct KeptSessions {
    sessions: Mutex<Sessions>,
    /// Locked while the file is written, so that an older state never replaces a newer one.
    directory: Mutex<Option<PathBuf>>,
}

impl KeptSessions {
    pub(super) fn lock(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock()
    }

    /// Keeps the sessions in `directory` from now on, and takes over those that are there.
    ///
    /// # Blocking
    /// Reads a small file.
    pub(super) fn set_directory(&self, directory: &Path, find: impl Fn(&str) -> Option<Arc<Account>>) {
        let mut kept = self.directory.lock();
        if kept.as_deref() == Some(directory) {
            return;
        }
        let path = directory.join(NAME);
        match disk::read_up_to(&path, MAX_FILE_LEN) {
            Ok(None) => {}
            Ok(Some(text)) => {
                if !self.lock().read(&text, find, Instant::now(), SystemTime::now()) {
                    log::warn!("{}: not the sessions of this agent; everybody has to log in again", path.display());
                }
            }
            Err(error) => {
                log::warn!(
                    "{}: cannot read the sessions: {}; everybody has to log in again",
                    path.display(),
                    chain(&error)
                );
            }
        }
        *kept = Some(directory.to_owned());
    }

    /// Writes the sessions as they are.
    ///
    /// # Blocking
    /// Until they are on the disk.
    pub(super) fn save(&self) {
        let kept = self.directory.lock();
        let Some(directory) = kept.as_deref() else { return };
        let text = self.lock().to_text(Instant::now(), SystemTime::now());
        if let Err(error) = disk::replace(directory, NAME, text.as_bytes()) {
            let path = directory.join(NAME);
            log::warn!(
                "{}: cannot keep the sessions: {}; after a restart logins and logouts since then are forgotten",
                path.display(),
                chain(&error)
            );
        }
    }
}

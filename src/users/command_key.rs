//! The key by which commands of this machine prove that they run as root or as the agent's own user,
//! where even this machine needs a login. It lies in the state directory, which only these two can read.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::{
    account::{WithoutLogin, digest::random_secret, token_hash::TokenHash},
    camera::Secret,
    disk,
    sync::Mutex,
    text::chain,
};

/// Name of the file in the directory of the store. Names of cameras there end with `.json`.
const NAME: &str = "command-key";

/// Where the key lies, and what proves it. There is one only where nobody is served without a login.
#[derive(Debug, Default)]
pub(super) struct CommandKey(Mutex<Option<(PathBuf, TokenHash)>>);

impl CommandKey {
    /// Makes a new key in `directory` if there is none yet and `without_login` needs one, and takes the
    /// key away if it does not. A key lasts until the agent ends.
    ///
    /// # Blocking
    /// Until the file is on the disk.
    pub(super) fn follow(&self, without_login: WithoutLogin, directory: &Path) {
        let mut kept = self.0.lock();
        let is_wanted = without_login == WithoutLogin::Nobody;
        if is_wanted && kept.as_ref().is_some_and(|(place, _)| place == directory) {
            return;
        }
        if let Some((place, _)) = kept.take() {
            // A file that stays proves nothing any more.
            let _ = disk::remove(&place, NAME);
        }
        if !is_wanted {
            return;
        }
        match write(directory) {
            Ok(hash) => *kept = Some((directory.to_owned(), hash)),
            Err(error) => log::warn!(
                "{}: cannot write the key of this machine's commands: {}; status, list, users and reload get no answer",
                directory.join(NAME).display(),
                chain(&error)
            ),
        }
    }

    pub(super) fn is(&self, key: &str) -> bool {
        self.0.lock().as_ref().is_some_and(|(_, hash)| *hash == TokenHash::of(key))
    }
}

fn write(directory: &Path) -> io::Result<TokenHash> {
    let key = random_secret().map_err(io::Error::other)?;
    disk::replace(directory, NAME, key.as_bytes())?;
    Ok(TokenHash::of(&key))
}

/// The key of the agent whose state directory is `directory`; `None` if there is none that this process
/// may read.
///
/// # Blocking
/// Reads a small file.
pub fn read(directory: &Path) -> Option<Secret> {
    disk::read(&directory.join(NAME)).ok()?.map(Secret::new)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;
    use crate::users::tests::Folder;

    #[test]
    fn key_is_there_only_where_this_machine_needs_a_login() {
        let (folder, other) = (Folder::new("key"), Folder::new("other-key"));
        let key = CommandKey::default();
        assert!(read(&folder.0).is_none() && !key.is(""));
        key.follow(WithoutLogin::Loopback, &folder.0);
        assert!(read(&folder.0).is_none());

        key.follow(WithoutLogin::Nobody, &folder.0);
        let first = read(&folder.0).expect("a key");
        assert!(key.is(first.expose()) && first.expose().len() == 64 && !key.is(&first.expose()[1..]));
        assert_eq!(fs::metadata(folder.0.join(NAME)).unwrap().permissions().mode() & 0o777, 0o600);
        key.follow(WithoutLogin::Nobody, &folder.0);
        assert!(key.is(read(&folder.0).unwrap().expose()), "a reload keeps it");

        key.follow(WithoutLogin::Nobody, &other.0);
        assert!(read(&folder.0).is_none() && !key.is(first.expose()), "it follows the state directory");
        key.follow(WithoutLogin::Everybody, &other.0);
        assert!(read(&other.0).is_none() && !key.is(first.expose()));
    }

    #[test]
    fn each_start_of_the_agent_has_a_key_of_its_own() {
        let folder = Folder::new("new-key");
        CommandKey::default().follow(WithoutLogin::Nobody, &folder.0);
        let old = read(&folder.0).unwrap();
        let key = CommandKey::default();
        key.follow(WithoutLogin::Nobody, &folder.0);
        assert!(!key.is(old.expose()) && key.is(read(&folder.0).unwrap().expose()));
    }
}

//! The store: what was learnt of the cameras, kept over a power cut in one small file per camera.
//!
//! The agent works without it. A file that cannot be read or written is logged once, and only means
//! that the camera is asked again. Flash memory wears out, so a file is written only if its content
//! changes.

mod entry;
mod keys;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
};

pub use entry::{Address, CameraRecord, ConfigFingerprint, Identity, Small, Stream};
pub use keys::{LearntKeys, Service};

use crate::camera::fingerprint::Fingerprint;
use crate::camera::{CameraId, StreamSource};
use crate::disk::{self, MAX_FILE_LEN};
use crate::sync::{Mutex, MutexGuard};

/// The end of the name of a file with keys.
const KEY_FILE: &str = ".keys";

/// The state directory. Every method may be called from any thread; calls run one after the other.
pub struct Directory {
    path: PathBuf,
    cache: Mutex<Cache>,
}

#[derive(Default)]
struct Cache {
    /// Records read or saved since the agent started.
    known: BTreeMap<CameraId, Known>,
    /// Keys read or learnt since the agent started.
    keys: BTreeMap<CameraId, KnownKeys>,
    /// Whether a failure to write was logged and has not been fixed since.
    complained: bool,
}

#[derive(Default)]
struct Known {
    record: Option<CameraRecord>,
    /// Whether the file has the same content.
    on_disk: bool,
}

#[derive(Clone, Copy, Default)]
struct KnownKeys {
    keys: LearntKeys,
    /// Whether the file has the same content. Then its absence means that somebody has forgotten them.
    on_disk: bool,
}

impl Directory {
    /// Opens the directory at `path`. It is created when there is something to save; until then
    /// nothing on disk changes.
    pub fn open(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), cache: Mutex::default() }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The record of `id`, if it still matches the configuration: a record learnt with another
    /// address, profile or identity is ignored.
    ///
    /// # Blocking
    /// Blocks on the disk the first time.
    pub fn load(&self, id: &CameraId, stream_source: &StreamSource) -> Option<CameraRecord> {
        let fingerprint = ConfigFingerprint::of(stream_source)?;
        let mut cache = self.cache();
        let record = self.known(&mut cache, id).record.as_ref();
        record.filter(|record| record.fingerprint == fingerprint).cloned()
    }

    /// Saves the record of `id`. Nothing is written if only the time differs; the file then keeps
    /// the time at which it was first learnt.
    ///
    /// # Blocking
    /// Blocks until the file is on disk.
    pub fn save(&self, id: &CameraId, record: &CameraRecord) {
        let mut cache = self.cache();
        let known = self.known(&mut cache, id);
        if known.on_disk && known.record.as_ref().is_some_and(|old| old.eq_ignoring_time(record)) {
            return;
        }
        let text = record.to_text(id);
        let written = if text.len() as u64 > MAX_FILE_LEN {
            Err(io::Error::other(format!("{} bytes are more than a file may hold", text.len())))
        } else {
            disk::replace(&self.path, &file_name(id), text.as_bytes())
        };
        *known = Known { record: Some(record.clone()), on_disk: written.is_ok() };
        self.report(&mut cache, id, written);
    }

    /// The TLS keys that the camera `id` had; none if they were forgotten, by another process too.
    ///
    /// # Blocking
    /// Blocks on the disk.
    pub fn keys(&self, id: &CameraId) -> LearntKeys {
        self.known_keys(&mut self.cache(), id)
    }

    /// The cameras of which TLS keys are kept, with the keys.
    ///
    /// # Errors
    /// If the directory or one of the files cannot be read. A directory that does not exist holds none.
    ///
    /// # Blocking
    /// Blocks on the disk.
    pub fn all_keys(&self) -> io::Result<BTreeMap<CameraId, LearntKeys>> {
        let mut found = BTreeMap::new();
        for name in disk::list(&self.path)? {
            let Some(id) = name.strip_suffix(KEY_FILE).and_then(CameraId::new) else { continue };
            let text = disk::read(&self.path.join(&name))?;
            if let Some(keys) = text.and_then(|text| LearntKeys::from_text(&text, &id).ok()) {
                found.insert(id, keys);
            }
        }
        Ok(found)
    }

    /// Forgets the TLS keys of the camera `id`; a running agent notices before it connects again. Creates
    /// no file, so it is safe for root. Returns whether there was something to forget.
    ///
    /// # Errors
    /// If the file cannot be removed.
    ///
    /// # Blocking
    /// Blocks on the disk.
    pub fn forget_keys(&self, id: &CameraId) -> io::Result<bool> {
        let name = key_file_name(id);
        let was_there = disk::list(&self.path)?.contains(&name);
        self.cache().keys.remove(id);
        disk::remove(&self.path, &name)?;
        Ok(was_there)
    }

    /// Keeps the TLS key of a service of the camera `id`. Returns whether it is another one than before.
    ///
    /// # Blocking
    /// Blocks until the file is on disk.
    pub fn learn_key(&self, id: &CameraId, service: Service, key: Fingerprint) -> bool {
        let mut cache = self.cache();
        let before = self.known_keys(&mut cache, id);
        let mut keys = before;
        keys.learn(service, key);
        if keys == before {
            return false;
        }
        let written = disk::replace(&self.path, &key_file_name(id), keys.to_text(id).as_bytes());
        cache.keys.insert(id.clone(), KnownKeys { keys, on_disk: written.is_ok() });
        self.report(&mut cache, id, written);
        true
    }

    /// Logs a failure to write, once, and its end.
    fn report(&self, cache: &mut Cache, id: &CameraId, written: io::Result<()>) {
        match written {
            Ok(()) if cache.complained => {
                log::info!("state directory {}: can be written again", self.path.display());
                cache.complained = false;
            }
            Err(error) if !cache.complained => {
                log::warn!(
                    "state directory {}: cannot keep what was learnt of {id}: {error}; after a restart cameras are \
                     asked anew",
                    self.path.display()
                );
                cache.complained = true;
            }
            Ok(()) | Err(_) => {}
        }
    }

    /// Deletes the records of cameras that are not among `ids`. Files of other programs stay.
    ///
    /// # Blocking
    /// Blocks on the disk.
    pub fn retain(&self, ids: &BTreeSet<CameraId>) {
        let mut cache = self.cache();
        cache.known.retain(|id, _| ids.contains(id));
        cache.keys.retain(|id, _| ids.contains(id));
        for name in disk::names(&self.path) {
            let stem = name.strip_suffix(".json").or_else(|| name.strip_suffix(KEY_FILE));
            let Some(id) = stem.and_then(CameraId::new).filter(|id| !ids.contains(id)) else {
                continue;
            };
            let ours = disk::read(&self.path.join(&name)).ok().flatten().is_some_and(|text| entry::is_ours(&text));
            if ours && let Err(error) = disk::remove(&self.path, &name) {
                log::debug!("state directory {}: cannot forget {id}: {error}", self.path.display());
            }
        }
    }

    /// The record of `id`, read from the disk the first time.
    fn known<'s>(&self, cache: &'s mut Cache, id: &CameraId) -> &'s mut Known {
        cache.known.entry(id.clone()).or_insert_with(|| {
            let file = self.path.join(file_name(id));
            let useless = |why: String| {
                log::warn!("{id}: {} cannot be used: {why}; it is replaced once the camera answers", file.display());
                Known::default()
            };
            match disk::read(&file) {
                Ok(None) => Known::default(),
                Ok(Some(text)) => match CameraRecord::from_text(&text, id) {
                    Ok(record) => Known { record: Some(record), on_disk: true },
                    Err(damage) => useless(damage.to_string()),
                },
                Err(error) => useless(error.to_string()),
            }
        })
    }

    /// The keys of `id`, read from the disk the first time.
    fn known_keys(&self, cache: &mut Cache, id: &CameraId) -> LearntKeys {
        let file = self.path.join(key_file_name(id));
        if let Some(known) = cache.keys.get(id) {
            // Those that were never written are all the more to be kept.
            let is_forgotten = known.on_disk && disk::is_gone(&file);
            if !is_forgotten {
                return known.keys;
            }
            log::info!("{id}: its TLS key was forgotten and is learnt anew");
        }
        let read = disk::read(&file).map_err(|error| error.to_string());
        let read = read.and_then(|text| match text {
            None => Ok(KnownKeys::default()),
            Some(text) => match LearntKeys::from_text(&text, id) {
                Ok(keys) => Ok(KnownKeys { keys, on_disk: true }),
                Err(damage) => Err(damage.to_string()),
            },
        });
        let known = read.unwrap_or_else(|why| {
            log::warn!("{id}: {} cannot be used: {why}; the TLS key of the camera is learnt anew", file.display());
            KnownKeys::default()
        });
        cache.keys.insert(id.clone(), known);
        known.keys
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        // Nothing in here panics while it holds the lock, and a panic ends the process anyway.
        self.cache.lock()
    }
}

/// An identifier holds no dot and no slash, so each camera's file and each unfinished file has its
/// own name.
fn key_file_name(id: &CameraId) -> String {
    format!("{id}{KEY_FILE}")
}

/// As [`key_file_name`].
fn file_name(id: &CameraId) -> String {
    format!("{id}.json")
}

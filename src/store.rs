//! What was learnt of the cameras, kept over a power cut: one small file per camera.
//!
//! The agent works on without it. A file that cannot be read or written is told once and costs
//! nothing but the time in which the camera is asked anew. Flash memory wears out, so a file is
//! written only where it would say something else than before.

mod disk;
mod entry;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

pub use entry::{
    Address, CameraRecord, ConfigFingerprint, Identity, Small, Stream, normalised_endpoint, normalised_mac,
};

use crate::camera::{CameraId, StreamSource};
use disk::MAX_FILE_LEN;

/// The state directory. Every method may be called from any thread; a call waits for the one before it.
pub struct Directory {
    path: PathBuf,
    shelf: Mutex<Cache>,
}

#[derive(Default)]
struct Cache {
    /// What has been read or kept since the agent started.
    known: BTreeMap<CameraId, Known>,
    /// Whether it was told that nothing can be kept, and has not been mended since.
    complained: bool,
}

#[derive(Default)]
struct Known {
    record: Option<CameraRecord>,
    /// The file says the same.
    on_disk: bool,
}

impl Directory {
    /// The directory at `path`. It is made when there is something to keep; nothing is touched before.
    pub fn open(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), shelf: Mutex::default() }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was learnt of `id`, if it still fits what the configuration says: an entry learnt from
    /// another address, profile or identity is as good as none.
    ///
    /// # Blocking
    /// Blocks on the disk the first time.
    pub fn load(&self, id: &CameraId, stream_source: &StreamSource) -> Option<CameraRecord> {
        let fingerprint = ConfigFingerprint::of(stream_source)?;
        let mut shelf = self.shelf();
        let record = self.known(&mut shelf, id).record.as_ref();
        record.filter(|record| record.fingerprint == fingerprint).cloned()
    }

    /// Keeps what was learnt of `id`. Nothing is written if all but the time is known already; the
    /// file then goes on telling when it was learnt first.
    ///
    /// # Blocking
    /// Blocks on the disk until the file has reached it.
    pub fn save(&self, id: &CameraId, record: &CameraRecord) {
        let mut shelf = self.shelf();
        let known = self.known(&mut shelf, id);
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
        match written {
            Ok(()) if shelf.complained => {
                log::info!("state directory {}: can be written again", self.path.display());
                shelf.complained = false;
            }
            Err(error) if !shelf.complained => {
                log::warn!(
                    "state directory {}: cannot keep what was learnt of {id}: {error}; after a restart cameras are \
                     asked anew",
                    self.path.display()
                );
                shelf.complained = true;
            }
            Ok(()) | Err(_) => {}
        }
    }

    /// Forgets the cameras that are not among `ids`. Files that are not of our making stay.
    ///
    /// # Blocking
    /// Blocks on the disk.
    pub fn retain(&self, ids: &BTreeSet<CameraId>) {
        let mut shelf = self.shelf();
        shelf.known.retain(|id, _| ids.contains(id));
        for name in disk::names(&self.path) {
            let Some(id) = name.strip_suffix(".json").and_then(CameraId::new).filter(|id| !ids.contains(id)) else {
                continue;
            };
            let ours = disk::read(&self.path.join(&name)).ok().flatten().is_some_and(|text| entry::is_ours(&text));
            if ours && let Err(error) = disk::remove(&self.path, &name) {
                log::debug!("state directory {}: cannot forget {id}: {error}", self.path.display());
            }
        }
    }

    /// What is known of `id`, read from the disk the first time.
    fn known<'s>(&self, shelf: &'s mut Cache, id: &CameraId) -> &'s mut Known {
        shelf.known.entry(id.clone()).or_insert_with(|| {
            let file = self.path.join(file_name(id));
            let useless = |why: String| {
                log::warn!("{id}: {} is of no use: {why}; it is replaced once the camera answers", file.display());
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

    fn shelf(&self) -> MutexGuard<'_, Cache> {
        // Nothing in here panics while it holds the lock, and a panic ends the process anyway.
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An identifier holds no dot and no slash, so no two cameras and no half-written file share a name.
fn file_name(id: &CameraId) -> String {
    format!("{id}.json")
}

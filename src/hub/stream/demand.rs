//! What viewers want of a stream: the renditions to encode, and the newest picture of each.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crate::{
    media::{Picture, Rendition},
    text::{Code, Reason},
};

/// Maximum number of renditions encoded at the same time, unless the configuration sets another.
/// Each costs an encode per frame (4 ms at 1080p), so the limit bounds the work that strangers can
/// cause in a worker.
const USUAL_RENDITIONS: usize = 16;

/// Maximum number of renditions requested from a worker, whatever limit was in force when their
/// viewers came.
const MAX_RENDITIONS: usize = 64;

/// A viewer requested one more rendition than may be encoded for one camera.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("{}", too_many(.most))]
pub struct TooManyRenditions {
    pub most: usize,
}

impl From<TooManyRenditions> for Reason {
    fn from(error: TooManyRenditions) -> Self {
        too_many(&error.most)
    }
}

fn too_many(most: &usize) -> Reason {
    [Code::TooManyRenditions.with("limit", *most as u64), Code::AskForOneOfThem.into()].into()
}

/// The renditions wanted of one stream.
pub struct Demand {
    wanted: Vec<Rendition>,
    most_renditions: usize,
    refused: u64,
    /// The newest picture of each wanted rendition while the stream is live.
    newest: BTreeMap<Rendition, Arc<Picture>>,
    /// Pictures of each wanted rendition since it was first wanted.
    encodes: BTreeMap<Rendition, u64>,
}

impl Default for Demand {
    fn default() -> Self {
        Self {
            wanted: Vec::new(),
            most_renditions: USUAL_RENDITIONS,
            refused: 0,
            newest: BTreeMap::new(),
            encodes: BTreeMap::new(),
        }
    }
}

impl Demand {
    /// Refuses `rendition` if it is one too many beside those of the `others`.
    ///
    /// # Errors
    /// [`TooManyRenditions`], which is counted. A request for a rendition that is watched already
    /// is never refused, also after the limit was lowered.
    pub fn admit(
        &mut self,
        rendition: Rendition,
        others: impl Iterator<Item = Rendition>,
    ) -> Result<(), TooManyRenditions> {
        let renditions = distinct(others);
        let most = self.most_renditions;
        if renditions.len() < most || renditions.contains(&rendition) {
            return Ok(());
        }
        self.refused += 1;
        Err(TooManyRenditions { most })
    }

    /// Sets the limit for [`Demand::admit`]; present viewers keep their renditions.
    pub fn set_limit(&mut self, most: usize) {
        self.most_renditions = most;
    }

    /// Sets what is wanted from now on; returns whether that is a change.
    pub fn set(&mut self, renditions: impl Iterator<Item = Rendition>) -> bool {
        let mut wanted = distinct(renditions);
        wanted.truncate(MAX_RENDITIONS);
        if wanted == self.wanted {
            return false;
        }
        self.newest.retain(|rendition, _| wanted.contains(rendition));
        self.encodes.retain(|rendition, _| wanted.contains(rendition));
        self.wanted = wanted;
        true
    }

    /// In a fixed order, each once.
    pub fn wanted(&self) -> &[Rendition] {
        &self.wanted
    }

    /// The shortest interval of the pictures wanted; `None` if none are.
    pub fn picture_every(&self) -> Option<Duration> {
        let fastest = self.wanted.iter().map(|rendition| rendition.fps.max(1)).max();
        fastest.map(|fps| Duration::from_secs(1) / u32::from(fps))
    }

    /// Counts a picture, and keeps it for new viewers.
    pub fn note(&mut self, picture: Arc<Picture>) {
        if self.wanted.contains(&picture.rendition) {
            *self.encodes.entry(picture.rendition).or_default() += 1;
            self.newest.insert(picture.rendition, picture);
        }
    }

    /// The picture that viewers of `rendition` see already.
    pub fn newest(&self, rendition: Rendition) -> Option<Arc<Picture>> {
        self.newest.get(&rendition).cloned()
    }

    /// Drops the pictures kept for new viewers: they are no longer live.
    pub fn forget_pictures(&mut self) {
        self.newest.clear();
    }

    /// Pictures of `rendition` since it was first wanted.
    pub fn encodes(&self, rendition: Rendition) -> u64 {
        self.encodes.get(&rendition).copied().unwrap_or(0)
    }

    /// Requests refused by [`Demand::admit`].
    pub fn refused(&self) -> u64 {
        self.refused
    }
}

fn distinct(renditions: impl Iterator<Item = Rendition>) -> Vec<Rendition> {
    let mut renditions: Vec<_> = renditions.collect();
    renditions.sort_unstable();
    renditions.dedup();
    renditions
}

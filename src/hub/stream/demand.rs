//! What viewers want of a stream: the renditions to encode, and the newest picture of each.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    hub::{stall::picture_limit, viewer_origin::ViewerOrigin},
    media::{Picture, Rendition, WantedRendition},
    text::{Code, Reason},
};

/// Maximum number of renditions encoded at the same time, unless the configuration sets another.
/// Each costs an encode per frame (4 ms at 1080p), so the limit bounds the work that strangers can
/// cause in a worker.
const USUAL_RENDITIONS: usize = 16;

/// Maximum number of them that the viewers of one origin watch alone, unless the configuration sets
/// another. A wall needs one, and another one while a tile is enlarged.
const USUAL_RENDITIONS_OF_ORIGIN: usize = 4;

/// Number of renditions that this machine's own screen gets beside as many as all others may have: strangers
/// who take all must not keep it from showing the camera. One for its wall, and one while a tile is enlarged.
const OWN_RENDITIONS: usize = 2;

/// Maximum number of renditions requested from a worker, whatever limit was in force when their
/// viewers came.
const MAX_RENDITIONS: usize = 64;

/// A viewer requested one more rendition than may be encoded for one camera.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("{}", Reason::from(*self))]
pub enum TooManyRenditions {
    /// Of all viewers.
    InAll { most: usize },
    /// Of the viewers of its own origin.
    OfItsOrigin { most: usize },
}

impl TooManyRenditions {
    /// The key in `[limits]`.
    pub fn setting(self) -> &'static str {
        match self {
            Self::InAll { .. } => "renditions",
            Self::OfItsOrigin { .. } => "renditions_per_address",
        }
    }

    /// The value of that key.
    pub fn most(self) -> usize {
        let (Self::InAll { most } | Self::OfItsOrigin { most }) = self;
        most
    }
}

impl From<TooManyRenditions> for Reason {
    fn from(error: TooManyRenditions) -> Self {
        let code = match error {
            TooManyRenditions::InAll { .. } => Code::TooManyRenditions,
            TooManyRenditions::OfItsOrigin { .. } => Code::TooManyRenditionsOfAddress,
        };
        [code.with("limit", error.most() as u64), Code::AskForOneOfThem.into()].into()
    }
}

/// The renditions wanted of one stream.
pub struct Demand {
    /// In a fixed order, each once.
    wanted: Vec<WantedRendition>,
    most_renditions: usize,
    most_of_origin: usize,
    refused: u64,
    /// The newest picture of each wanted rendition while the stream is live.
    newest: BTreeMap<Rendition, Arc<Picture>>,
    /// Pictures of each wanted rendition since it was first wanted.
    encodes: BTreeMap<Rendition, u64>,
    /// How each wanted rendition is kept up with while the stream is live.
    pace: BTreeMap<Rendition, Pace>,
}

/// How old the newest picture of a rendition is.
struct Pace {
    /// When the frame of that picture came; before the first one, since when it is waited for.
    taken: Instant,
    /// It was too old, and no other has come since.
    is_late: bool,
}

impl Default for Demand {
    fn default() -> Self {
        Self {
            wanted: Vec::new(),
            most_renditions: USUAL_RENDITIONS,
            most_of_origin: USUAL_RENDITIONS_OF_ORIGIN,
            refused: 0,
            newest: BTreeMap::new(),
            encodes: BTreeMap::new(),
            pace: BTreeMap::new(),
        }
    }
}

impl Demand {
    /// Refuses `rendition` if it is one too many beside those that `others` watch: of all, or of those
    /// that only viewers of its own `origin` watch. This machine's own screen always gets
    /// [`OWN_RENDITIONS`].
    ///
    /// # Errors
    /// [`TooManyRenditions`], which is counted. A request for a rendition that is watched already
    /// costs nothing and is never refused, also after a limit was lowered.
    pub fn admit(
        &mut self,
        rendition: Rendition,
        origin: ViewerOrigin,
        others: impl Iterator<Item = (Rendition, ViewerOrigin)>,
    ) -> Result<(), TooManyRenditions> {
        // Whether each rendition is watched by this origin, and by no other.
        let mut watched = BTreeMap::new();
        for (other, of) in others {
            let (by_it, by_others) = watched.entry(other).or_insert((false, false));
            *by_it |= of == origin;
            *by_others |= of != origin;
        }
        if watched.contains_key(&rendition) {
            return Ok(());
        }
        let is_own = origin == ViewerOrigin::Own;
        let watched_by_it = watched.values().filter(|(by_it, _)| *by_it).count();
        let alone = watched.values().filter(|(_, by_others)| !by_others).count();
        let refusal = if is_own && watched_by_it < OWN_RENDITIONS {
            return Ok(());
        } else if !is_own && alone >= self.most_of_origin {
            TooManyRenditions::OfItsOrigin { most: self.most_of_origin }
        } else if watched.len() >= self.most_renditions {
            TooManyRenditions::InAll { most: self.most_renditions }
        } else {
            return Ok(());
        };
        self.refused += 1;
        Err(refusal)
    }

    /// Sets the limits for [`Demand::admit`], of all viewers and of one origin; present viewers keep
    /// their renditions.
    pub fn set_limits(&mut self, most: usize, of_origin: usize) {
        (self.most_renditions, self.most_of_origin) = (most, of_origin);
    }

    /// Sets what is wanted from now on; returns whether that is a change.
    pub fn set(&mut self, renditions: impl Iterator<Item = (Rendition, ViewerOrigin)>) -> bool {
        let mut by_rendition = BTreeMap::new();
        for (rendition, origin) in renditions {
            *by_rendition.entry(rendition).or_insert(false) |= origin == ViewerOrigin::Own;
        }
        let wanted = |(rendition, is_own)| WantedRendition { rendition, is_own };
        let mut wanted: Vec<_> = by_rendition.into_iter().map(wanted).collect();
        while wanted.len() > MAX_RENDITIONS {
            let dropped = wanted.iter().rposition(|wanted| !wanted.is_own).unwrap_or(MAX_RENDITIONS);
            wanted.remove(dropped);
        }
        if wanted == self.wanted {
            return false;
        }
        self.wanted = wanted;
        let Self { wanted, newest, encodes, pace, .. } = self;
        let is_wanted = |rendition: &Rendition| wanted.iter().any(|wanted| wanted.rendition == *rendition);
        newest.retain(|rendition, _| is_wanted(rendition));
        encodes.retain(|rendition, _| is_wanted(rendition));
        pace.retain(|rendition, _| is_wanted(rendition));
        true
    }

    /// In a fixed order, each once.
    pub fn wanted(&self) -> &[WantedRendition] {
        &self.wanted
    }

    /// The shortest interval of the pictures wanted; `None` if none are. While this machine's own
    /// screen watches, its pictures count alone: an overloaded worker makes the others seldom.
    pub fn picture_every(&self) -> Option<Duration> {
        let has_own = self.wanted.iter().any(|wanted| wanted.is_own);
        let counted = self.wanted.iter().filter(|wanted| wanted.is_own || !has_own);
        counted.map(|wanted| interval(wanted.rendition)).min()
    }

    /// Counts a picture, whose frame came at `taken`, and keeps it for new viewers. Returns whether its rendition
    /// was late.
    pub fn note(&mut self, picture: Arc<Picture>, taken: Instant) -> bool {
        let rendition = picture.rendition;
        if !self.wanted.iter().any(|wanted| wanted.rendition == rendition) {
            return false;
        }
        *self.encodes.entry(rendition).or_default() += 1;
        self.newest.insert(rendition, picture);
        let before = self.pace.insert(rendition, Pace { taken, is_late: false });
        before.is_some_and(|before| before.is_late)
    }

    /// Finds the wanted renditions whose newest picture is older than `stall_after`, or than two pictures of a
    /// slow one, and drops it. Returns those that were not late before. Call it while the stream is live.
    pub fn find_late(&mut self, stall_after: Duration, now: Instant) -> Vec<Rendition> {
        let mut found = Vec::new();
        for WantedRendition { rendition, .. } in &self.wanted {
            let limit = picture_limit(stall_after, interval(*rendition));
            let pace = self.pace.entry(*rendition).or_insert(Pace { taken: now, is_late: false });
            if !pace.is_late && now.saturating_duration_since(pace.taken) > limit {
                pace.is_late = true;
                self.newest.remove(rendition);
                found.push(*rendition);
            }
        }
        found
    }

    /// Whether no picture of `rendition` is young enough to be shown as live.
    pub fn is_late(&self, rendition: Rendition) -> bool {
        self.pace.get(&rendition).is_some_and(|pace| pace.is_late)
    }

    /// Whether a wanted rendition is late.
    pub fn has_late(&self) -> bool {
        self.pace.values().any(|pace| pace.is_late)
    }

    /// The picture that viewers of `rendition` see already.
    pub fn newest(&self, rendition: Rendition) -> Option<Arc<Picture>> {
        self.newest.get(&rendition).cloned()
    }

    /// Drops the pictures kept for new viewers: they are no longer live.
    pub fn forget_pictures(&mut self) {
        self.newest.clear();
        // They are waited for from the next check on.
        self.pace.clear();
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

/// The time from one picture of `rendition` to the next.
fn interval(rendition: Rendition) -> Duration {
    Duration::from_secs(1) / u32::from(rendition.fps.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{Size, transform::Transform};

    #[test]
    fn pictures_of_others_may_be_seldom_while_the_own_screen_watches() {
        let wanted = |fps, origin| {
            (Rendition { size: Size { width: 1, height: 1 }, transform: Transform::NONE, quality: 1, fps }, origin)
        };
        let stranger = wanted(25, ViewerOrigin::Elsewhere(1));
        let mut demand = Demand::default();
        demand.set([stranger].into_iter());
        assert_eq!(demand.picture_every(), Some(Duration::from_millis(40)));
        demand.set([stranger, wanted(5, ViewerOrigin::Own)].into_iter());
        assert_eq!(demand.picture_every(), Some(Duration::from_millis(200)));
        demand.set([].into_iter());
        assert_eq!(demand.picture_every(), None);
    }

    #[test]
    fn each_rendition_has_a_limit_of_its_own() {
        const STALL_AFTER: Duration = Duration::from_secs(1);
        let rendition =
            |fps| Rendition { size: Size { width: 1, height: 1 }, transform: Transform::NONE, quality: 1, fps };
        let picture =
            |fps| Arc::new(Picture { rendition: rendition(fps), sequence: 1, taken: 0, jpeg: bytes::Bytes::new() });
        let begin = Instant::now();
        let at = |milliseconds| begin + Duration::from_millis(milliseconds);
        let mut demand = Demand::default();
        demand.set([1, 25].into_iter().map(|fps| (rendition(fps), ViewerOrigin::Own)));
        assert!(demand.find_late(STALL_AFTER, at(0)).is_empty(), "they are waited for from now on");
        demand.note(picture(25), at(500));
        assert!(demand.find_late(STALL_AFTER, at(1500)).is_empty());
        assert_eq!(demand.find_late(STALL_AFTER, at(1501)), [rendition(25)]);
        assert!(
            demand.is_late(rendition(25)) && !demand.is_late(rendition(1)) && demand.newest(rendition(25)).is_none()
        );
        assert!(demand.find_late(STALL_AFTER, at(2000)).is_empty(), "a rate of 1 has two seconds");
        assert_eq!(demand.find_late(STALL_AFTER, at(2001)), [rendition(1)]);
        assert!(demand.note(picture(25), at(2100)) && !demand.is_late(rendition(25)) && demand.has_late());
        demand.forget_pictures();
        assert!(!demand.has_late() && demand.find_late(STALL_AFTER, at(9000)).is_empty());
    }
}

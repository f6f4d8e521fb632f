//! A JPEG camera's own pictures, for viewers who want them as they are.

use crate::media::{AccessUnit, Picture, Rendition, frame_limiter::FrameLimiter};

/// The renditions that the camera sends itself, each with its rate.
#[derive(Default)]
pub(super) struct Passthrough {
    wanted: Vec<(Rendition, FrameLimiter)>,
}

impl Passthrough {
    /// Passes exactly these from now on; those already passed keep their rhythm.
    pub(super) fn want(&mut self, renditions: &[Rendition]) {
        let kept = std::mem::take(&mut self.wanted);
        let limiter = |rendition: &Rendition| {
            let old = kept.iter().find(|(old, _)| old == rendition);
            old.map_or_else(|| FrameLimiter::new(rendition.fps), |(_, limiter)| limiter.clone())
        };
        self.wanted = renditions.iter().map(|rendition| (*rendition, limiter(rendition))).collect();
    }

    /// The pictures that are due of `unit`.
    pub(super) async fn pictures(&mut self, unit: &AccessUnit) -> Vec<Picture> {
        let due =
            self.wanted.iter_mut().filter_map(|(rendition, limiter)| limiter.take(unit.taken).then_some(*rendition));
        let AccessUnit { sequence, taken, data, .. } = unit;
        due.map(|rendition| Picture { rendition, sequence: *sequence, taken: *taken, jpeg: data.clone() }).collect()
    }
}

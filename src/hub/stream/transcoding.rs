//! The transcoder's side of a stream that the agent's own client reads: what it is to make, and what
//! viewers of pictures see while it makes nothing.
//!
//! Such a stream stays live for viewers of its own video, whatever becomes of the transcoder.

use std::time::Instant;

use super::{Inner, Stream};
use crate::{
    camera::State,
    hub::{stall::StallReason, status::Condition},
    media::{Rendition, WantedRendition},
    text::{Part, Reason},
};

impl Stream {
    /// The renditions that the transcoder is to make now: none while the stream is not live, or
    /// while the worker that reads it makes them itself.
    pub fn transcoding_demand(&self) -> Vec<WantedRendition> {
        let inner = self.inner();
        if inner.by_client && inner.is_live() { inner.demand.wanted().to_vec() } else { Vec::new() }
    }

    /// What each picture of the session must say, if something stands in for the stream: viewers of a JPEG may see
    /// nothing else of it.
    pub fn remark(&self) -> Option<String> {
        self.inner().live_reason.parts().first().map(Part::text)
    }

    /// The condition of the pictures if they are overdue at `now` although frames come.
    pub fn overdue_pictures(&self, now: Instant) -> Option<Condition> {
        let inner = self.inner();
        let reason = inner.stall.overdue_pictures(inner.limits(), now)?;
        Some(Condition { state: State::Stalled, why: reason.into() })
    }

    /// Takes the pictures of a live stream back: their viewers see the card with this reason until
    /// the next picture, and viewers of the camera's own video see no change. Does nothing while the
    /// stream is not live, because then all viewers see why.
    pub fn withdraw_pictures(&self, state: State, why: impl Into<Reason>) {
        let inner = &mut *self.inner();
        let condition = Condition { state, why: why.into() };
        if !inner.is_live() || inner.no_pictures.as_ref() == Some(&condition) {
            return;
        }
        inner.no_pictures = Some(condition);
        inner.demand.forget_pictures();
        inner.subscribers.withdraw_pictures();
        inner.subscribers.notify();
    }

    /// Takes the pictures of each rendition back that are too old to be live, while those of others may go on. Their
    /// viewers see the card until the next one. Returns why, as long as a rendition is late. Call it at least once
    /// a second.
    pub fn withdraw_late_renditions(&self, now: Instant) -> Option<Reason> {
        let inner = &mut *self.inner();
        // Else all viewers of pictures see why there are none.
        if !inner.is_live() || inner.no_pictures.is_some() {
            return None;
        }
        for rendition in inner.demand.find_late(inner.options.stall_after, now) {
            inner.notify_viewers_of(rendition);
        }
        inner.demand.has_late().then(|| inner.late_reason())
    }

    /// Records that a working transcoder makes no picture of the frames, so that it is the camera's
    /// fault: the session is [overdue](Stream::overdue) for this reason.
    pub fn reject_frames(&self, why: impl Into<Reason>) {
        self.inner().rejected = Some(why.into());
    }

    /// Records that the transcoder's worker has ended: what it reported about itself is no longer
    /// valid.
    pub fn end_transcoder(&self) {
        self.inner().stats.end_worker();
    }

    /// Records that nothing is to be transcoded: what was wrong may be right by the next time.
    pub fn forgive_transcoder(&self) {
        self.inner().pictures_are_back();
    }

    /// The condition that viewers of pictures see.
    pub fn picture_condition(&self) -> Condition {
        self.inner().picture_condition().clone()
    }
}

impl Inner {
    /// The condition that viewers of pictures see: that of the stream, unless there are no pictures
    /// of it.
    pub(in crate::hub) fn picture_condition(&self) -> &Condition {
        self.no_pictures.as_ref().filter(|_| self.is_live()).unwrap_or(&self.condition)
    }

    /// As [`Self::picture_condition`], of the subscription `number`: its own rendition may be late.
    pub(in crate::hub) fn picture_condition_of(&self, number: u64) -> Condition {
        let condition = self.picture_condition();
        let is_late = || {
            let request = self.subscribers.request(number);
            request.is_some_and(|request| self.demand.is_late(self.rendition(request)))
        };
        if condition.state == State::Live && is_late() {
            return Condition { state: State::Stalled, why: self.late_reason() };
        }
        condition.clone()
    }

    fn late_reason(&self) -> Reason {
        StallReason::Pictures(self.options.stall_after).into()
    }

    /// Tells the viewers of `rendition` of a change.
    pub(super) fn notify_viewers_of(&self, rendition: Rendition) {
        self.subscribers.notify_pictures(|request| self.rendition(request) == rendition);
    }

    /// The condition of the stream; while it is live without pictures, the reason says why.
    pub(super) fn condition_with_pictures(&self) -> Condition {
        Condition { state: self.condition.state, why: self.picture_condition().why.clone() }
    }

    /// Records that a picture came, or that none is wanted.
    pub(super) fn pictures_are_back(&mut self) {
        if self.no_pictures.take().is_some() {
            self.subscribers.notify();
        }
    }
}

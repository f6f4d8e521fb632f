//! Decides by markers and by time whether a picture has ended; the slices themselves decide in `access_unit`.
//!
//! A marker on the last packet of a picture ends it at once. Some cameras never set it, and some set it on packets
//! in the middle of a picture, so it is believed only until it is seen to be wrong.

use std::time::{Duration, Instant};

/// The first marker is believed once the next picture begins, or after this time.
const PROBATION: Duration = Duration::from_millis(50);

/// Without a marker in this number of units, silence ends a unit.
const UNITS_WITHOUT_MARKER: u32 = 20;

/// Added to the measured time between packets before silence ends a unit.
const SILENCE_MARGIN: Duration = Duration::from_millis(20);

/// Silence ends no unit any more after it cut this number of units.
const MAX_CUTS: u32 = 2;

/// An interval above this says nothing of the frame rate.
const MAX_INTERVAL: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Marker {
    Unproven,
    Trusted,
    /// It was set in the middle of a picture.
    Lies,
}

/// What ended the last unit before its successor was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Early {
    Marker,
    Silence,
}

/// What is known of the way in which units of a stream end.
#[derive(Clone, Debug)]
pub struct UnitEnd {
    marker: Marker,
    units_without_marker: u32,
    was_marked: bool,
    /// What ended the last unit, and its time; `None` if the next unit ended it.
    ended: Option<(Early, u32)>,
    cuts: u32,
    last_packet_at: Option<Instant>,
    picture_began_at: Option<Instant>,
    /// Moving averages.
    packet_gap: Duration,
    interval: Duration,
}

impl UnitEnd {
    pub fn new() -> Self {
        Self {
            marker: Marker::Unproven,
            units_without_marker: 0,
            was_marked: false,
            ended: None,
            cuts: 0,
            last_packet_at: None,
            picture_began_at: None,
            packet_gap: Duration::ZERO,
            interval: Duration::ZERO,
        }
    }

    /// A marker stood behind a slice. Returns whether it ends the unit now.
    pub fn on_marker(&mut self) -> bool {
        self.was_marked = true;
        self.marker == Marker::Trusted
    }

    /// Whether a marker counts at all.
    pub fn heeds_markers(&self) -> bool {
        self.marker != Marker::Lies
    }

    /// Whether a unit without a marker has not ended.
    pub fn expects_marker(&self) -> bool {
        self.marker == Marker::Trusted && self.units_without_marker == 0
    }

    /// The picture behind a marked one began, or nothing came for a while.
    pub fn marker_was_right(&mut self) {
        if self.marker == Marker::Unproven {
            self.marker = Marker::Trusted;
        }
    }

    pub fn marker_was_wrong(&mut self) {
        self.marker = Marker::Lies;
    }

    /// A slice continues a picture of `time`, and no packet is missing. If that picture was handed on already, what
    /// ended it was wrong, and is believed less from now on.
    pub fn on_late_slice(&mut self, time: u32) {
        match self.ended {
            Some((Early::Marker, ended)) if ended == time => self.marker_was_wrong(),
            Some((Early::Silence, ended)) if ended == time => self.cuts += 1,
            _ => {}
        }
    }

    /// Whether the last unit was ended by its own marker.
    pub fn ended_by_marker(&self) -> bool {
        matches!(self.ended, Some((Early::Marker, _)))
    }

    /// The picture of a unit began.
    pub fn on_picture(&mut self, received_at: Instant) {
        if let Some(began_at) = self.picture_began_at {
            let interval = received_at.saturating_duration_since(began_at);
            self.interval = average(self.interval, interval);
        }
        (self.picture_began_at, self.last_packet_at) = (Some(received_at), None);
    }

    /// A packet of the unit in progress came.
    pub fn on_packet(&mut self, received_at: Instant) {
        if let Some(last_at) = self.last_packet_at.replace(received_at) {
            self.packet_gap = average(self.packet_gap, received_at.saturating_duration_since(last_at));
        }
    }

    /// A unit of `time` was handed on.
    pub fn on_unit(&mut self, early: Option<Early>, time: u32) {
        self.ended = early.map(|early| (early, time));
        let marked = std::mem::take(&mut self.was_marked);
        self.units_without_marker = if marked { 0 } else { self.units_without_marker.saturating_add(1) };
    }

    /// When silence ends the unit in progress, whose last packet came at `received_at`.
    pub fn deadline(&self, received_at: Instant, is_marked: bool) -> Option<Instant> {
        if is_marked {
            return Some(received_at + PROBATION);
        }
        let applies = self.marker == Marker::Lies || self.units_without_marker >= UNITS_WITHOUT_MARKER;
        let wait = (self.packet_gap * 3 / 2 + SILENCE_MARGIN).max(self.interval / 2);
        (applies && self.cuts < MAX_CUTS).then(|| received_at + wait)
    }
}

fn average(average: Duration, new: Duration) -> Duration {
    let new = new.min(MAX_INTERVAL);
    if average.is_zero() { new } else { (average * 7 + new) / 8 }
}

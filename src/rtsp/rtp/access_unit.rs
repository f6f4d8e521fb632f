//! Puts NAL units together to access units, and says of each whether it is whole.
//!
//! The slices decide where a picture begins: neither times nor markers of cameras can be trusted alone. A unit ends
//!
//! 1. before a NAL unit that begins a picture, or that precedes one: delimiter, parameter set, SEI,
//! 2. before a packet of another time, unless a slice in it continues the picture,
//! 3. behind a packet with marker, if the unit has a slice and markers of this camera are right ([`UnitEnd`]),
//! 4. by silence, if the camera sets no marker.

mod gap;
mod nal_bytes;
mod pending;

use std::time::{Duration, Instant};

use pending::{OpenNal, PendingGap};

use super::{
    Event, Loss, Unit,
    codec_fit::CodecFit,
    nal_class::{self, NalClass, Slice},
    order::Gap,
    unit_end::{Early, UnitEnd},
};
use crate::{
    h26x::{nal, parameter_sets::ParameterSets, sps::Sps},
    media::{Codec, StreamInfo, transform::Transform},
};

/// After this time without an IDR or IRAP picture, a recovery point counts as a key frame, and so does an I picture of
/// H.264.
const RECOVERY_POINT_AFTER: Duration = Duration::from_secs(5);

/// The access unit in progress.
#[derive(Clone, Debug, Default)]
struct Draft {
    data: Vec<u8>,
    nals: usize,
    time: Option<u32>,
    /// The first slice.
    slice: Option<Slice>,
    is_key: bool,
    /// Kinds of parameter sets in the unit: VPS 1, SPS 2, PPS 4.
    own_sets: u8,
    /// Where parameter sets are put in: behind the delimiter.
    sets_at: usize,
    /// The number of pictures until decoding that begins here is right, without an IDR or IRAP picture.
    recovery: Option<u32>,
    is_damaged: bool,
    loss: Loss,
    /// A marker stood behind its last slice.
    is_marked: bool,
    is_too_long: bool,
    received_at: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct PacketContext {
    time: u32,
    received_at: Instant,
}

/// Assembles the access units of an H.264 or H.265 track.
#[derive(Clone, Debug)]
pub struct Assembler {
    codec: Codec,
    sets: ParameterSets,
    /// Key frames of this stream come with their parameter sets.
    has_sets_in_band: bool,
    max_temporal_id: Option<u8>,
    /// The SPS of the last [`Event::StreamInfo`], and whether the stream was refreshed gradually.
    announced: (Vec<u8>, bool),
    /// A key frame came from which on the picture is refreshed part by part.
    is_gradual: bool,
    draft: Draft,
    /// About the longest of the last units that were no key frames, in bytes: hardly one that follows is longer.
    usual_len: usize,
    nal: Option<OpenNal>,
    packet: Option<PacketContext>,
    gap: Option<PendingGap>,
    /// Packets lost since the last unit that was handed on.
    lost: u32,
    marker_in_fragment: bool,
    end: UnitEnd,
    last_time: Option<u32>,
    /// Two units had the same time, so the time does not tell units apart.
    has_repeated_times: bool,
    last_idr_at: Option<Instant>,
    /// Since the last recovery point that counted as a key frame, only non-reference pictures came (H.264). They may
    /// be shown before it, and refer to pictures before it.
    is_behind_recovery_point: bool,
    fit: CodecFit,
}

impl Assembler {
    /// `sets` are the parameter sets of the SDP in Annex B; those in the stream replace them.
    pub fn new(codec: Codec, sets: &[u8]) -> Self {
        let mut parameter_sets = ParameterSets::new(codec);
        parameter_sets.update(sets);
        Self {
            codec,
            max_temporal_id: nal::max_temporal_id(codec, sets),
            sets: parameter_sets,
            has_sets_in_band: false,
            announced: (Vec::new(), false),
            is_gradual: false,
            draft: Draft::default(),
            usual_len: 0,
            nal: None,
            packet: None,
            // The stream may have begun in the middle of a unit.
            gap: Some(PendingGap { gap: Gap::Unknown, broke_fragment: false }),
            lost: 0,
            marker_in_fragment: false,
            end: UnitEnd::new(),
            last_time: None,
            has_repeated_times: false,
            last_idr_at: None,
            is_behind_recovery_point: false,
            fit: CodecFit::default(),
        }
    }

    /// Begins a packet; `gap` is what is missing before it.
    pub fn begin_packet(&mut self, time: u32, received_at: Instant, gap: Gap, out: &mut Vec<Event>) {
        self.packet = Some(PacketContext { time, received_at });
        self.last_idr_at.get_or_insert(received_at);
        let lost = match gap {
            Gap::None => return,
            Gap::Lost(lost) => lost,
            Gap::Unknown => 1,
        };
        self.lost = self.lost.saturating_add(lost);
        let broke_fragment = self.nal.is_some();
        self.close_nal(false, out);
        self.gap = Some(match self.gap {
            None => PendingGap { gap, broke_fragment },
            Some(earlier) => PendingGap { gap: Gap::Unknown, ..earlier },
        });
    }

    /// Adds a NAL unit, with any start codes in it.
    pub fn push_nal(&mut self, nal: &[u8], out: &mut Vec<Event>) {
        self.open_nal(false, out);
        self.append(nal, out);
        self.close_nal(true, out);
    }

    /// Begins a fragmented NAL unit.
    pub fn begin_fragments(&mut self, header: &[u8], data: &[u8], out: &mut Vec<Event>) {
        self.open_nal(true, out);
        self.append(header, out);
        self.append(data, out);
    }

    /// Continues a fragmented NAL unit; `header` is only used if its beginning is missing.
    pub fn continue_fragments(&mut self, header: &[u8], data: &[u8], out: &mut Vec<Event>) {
        if self.nal.is_none() {
            return self.push_orphan(header, out);
        }
        if std::mem::take(&mut self.marker_in_fragment) {
            self.end.marker_was_wrong();
        }
        self.append(data, out);
    }

    /// Ends a fragmented NAL unit.
    pub fn end_fragments(&mut self, out: &mut Vec<Event>) {
        self.close_nal(true, out);
    }

    /// Bytes of the packet could not be read as NAL units.
    pub fn mark_damaged(&mut self) {
        self.draft.is_damaged = true;
    }

    /// Ends a packet.
    pub fn end_packet(&mut self, marker: bool, out: &mut Vec<Event>) {
        let Some(packet) = self.packet else { return };
        if self.draft.slice.is_some() {
            self.end.on_packet(packet.received_at);
        }
        self.marker_in_fragment = marker && self.nal.is_some();
        if !marker || self.nal.is_some() || self.draft.slice.is_none() || !self.end.heeds_markers() {
            return;
        }
        // A gap before an empty packet.
        if let Some(gap) = self.gap.take() {
            self.draft.is_damaged = true;
            self.draft.loss = self.loss_inside(gap);
        }
        self.touch(packet.received_at);
        if self.end.on_marker() {
            self.finish(Some(Early::Marker), out);
        } else {
            self.draft.is_marked = true;
        }
    }

    /// Ends the unit in progress if the time for its packets is over.
    pub fn poll(&mut self, now: Instant, out: &mut Vec<Event>) {
        if self.deadline().is_none_or(|deadline| deadline > now) {
            return;
        }
        if self.draft.is_marked {
            self.end.marker_was_right();
            self.finish(Some(Early::Marker), out);
        } else {
            self.finish(Some(Early::Silence), out);
        }
    }

    /// When [`Assembler::poll`] is due.
    pub fn deadline(&self) -> Option<Instant> {
        let is_open = self.draft.slice.is_none() || self.nal.is_some() || self.gap.is_some();
        let received_at = self.draft.received_at.filter(|_| !is_open)?;
        self.end.deadline(received_at, self.draft.is_marked)
    }

    fn touch(&mut self, received_at: Instant) {
        let newest = self.draft.received_at.map_or(received_at, |earlier| earlier.max(received_at));
        self.draft.received_at = Some(newest);
    }

    /// The later part of a NAL unit whose beginning is missing: only its unit is of interest.
    fn push_orphan(&mut self, header: &[u8], out: &mut Vec<Event>) {
        let Some(packet) = self.packet else { return };
        match nal_class::classify(self.codec, header) {
            NalClass::Dropped(_) => {}
            NalClass::Slice(slice) => {
                self.join(NalClass::Slice(Slice { begins_picture: false, ..slice }), packet, out);
                self.draft.is_damaged = true;
            }
            // Parameter sets and SEI that lost their beginning: whatever unit they precede is not whole.
            class => {
                self.join(class, packet, out);
                self.draft.is_damaged = true;
            }
        }
        self.touch(packet.received_at);
    }

    /// Ends the unit in progress if `class` does not belong to it, and makes `class` part of the one in progress then.
    fn join(&mut self, class: NalClass, packet: PacketContext, out: &mut Vec<Event>) {
        let slice = if let NalClass::Slice(slice) = class { Some(slice) } else { None };
        let continues = slice.is_some_and(|slice| !slice.begins_picture);
        let opens = !continues && class != NalClass::Other;
        let is_new_time = self.draft.time != Some(packet.time);
        let mut gap = self.gap.take();
        if self.draft.slice.is_some() {
            let is_next = opens
                || (is_new_time && !continues)
                || (gap.is_some() && continues && (is_new_time || self.draft.is_marked));
            if is_next {
                gap = self.finish_before(gap, out);
            } else if let Some(gap) = gap.take() {
                self.draft.is_damaged = true;
                self.draft.loss = self.loss_inside(gap);
            } else if continues && std::mem::take(&mut self.draft.is_marked) {
                self.end.marker_was_wrong();
            }
        }
        let is_first_slice = slice.is_some() && self.draft.slice.is_none();
        if self.draft.slice.is_none() {
            if let Some(gap) = gap {
                self.open_after_gap(gap, class, continues, is_new_time);
            } else if continues {
                self.end.on_late_slice(packet.time);
                self.draft.is_damaged = true;
            }
            self.draft.time = Some(packet.time);
        }
        if let Some(slice) = slice.filter(|_| is_first_slice) {
            self.begin_picture(slice, packet.received_at);
        }
    }

    /// The first slice of a unit: it says what kind of picture this is.
    fn begin_picture(&mut self, slice: Slice, received_at: Instant) {
        let since_idr = self.last_idr_at.map_or(Duration::ZERO, |at| received_at.saturating_duration_since(at));
        self.end.on_picture(received_at);
        if slice.is_key {
            self.last_idr_at = Some(received_at);
        }
        self.draft.slice = Some(slice);
        if slice.is_intra {
            self.draft.recovery.get_or_insert(0);
        }
        self.draft.is_key = slice.is_key || (self.draft.recovery.is_some() && since_idr >= RECOVERY_POINT_AFTER);
        let all_sets = if self.codec == Codec::H265 { 0b111 } else { 0b110 };
        if !self.draft.is_key || self.draft.own_sets == all_sets || self.draft.is_too_long {
            return;
        }
        let sets = self.sets.annex_b();
        if self.draft.loss == Loss::Before && (self.has_sets_in_band || sets.is_none()) {
            // The lost packets may be this key frame's own parameter sets.
            self.draft.is_damaged = true;
        }
        match sets {
            Some(sets) => drop(self.draft.data.splice(self.draft.sets_at..self.draft.sets_at, sets)),
            // Nothing can be decoded without them.
            None => self.draft.is_key = false,
        }
    }

    /// Hands on the unit in progress, if it has a slice.
    fn finish(&mut self, early: Option<Early>, out: &mut Vec<Event>) {
        let draft = std::mem::take(&mut self.draft);
        if !draft.is_key {
            self.usual_len = draft.data.len().max(self.usual_len - self.usual_len / 16);
        }
        let (Some(slice), Some(time), Some(received_at)) = (draft.slice, draft.time, draft.received_at) else { return };
        self.has_repeated_times |= self.last_time.replace(time) == Some(time);
        self.end.on_unit(early, time);
        let is_whole = !draft.is_damaged;
        if is_whole {
            self.fit = CodecFit::default();
            if draft.is_key {
                self.is_gradual |= !slice.is_key && draft.recovery > Some(0);
                self.announce(out);
            }
        }
        let is_lower_layer =
            self.codec == Codec::H265 && self.max_temporal_id.is_none_or(|max| slice.temporal_id < max);
        let is_reference = slice.is_reference || is_lower_layer;
        if draft.is_key {
            self.is_behind_recovery_point = !slice.is_key && draft.recovery == Some(0);
        } else {
            self.is_behind_recovery_point &= !is_reference;
        }
        let is_leading = slice.is_rasl || (self.is_behind_recovery_point && !draft.is_key);
        out.push(Event::Unit(Unit {
            data: draft.data,
            is_key: draft.is_key,
            is_whole,
            is_reference,
            is_leading,
            loss: draft.loss,
            lost_packets: std::mem::take(&mut self.lost),
            rtp_time: time,
            camera_time: None,
            received_at,
        }));
    }

    /// Says what the stream is, if its SPS is new and can be read.
    fn announce(&mut self, out: &mut Vec<Event>) {
        let is_gradual = self.is_gradual;
        let is_new = |sps: &&[u8]| self.announced.0 != **sps || self.announced.1 != is_gradual;
        let Some(sps) = self.sets.sps().filter(is_new) else { return };
        self.announced = (sps.to_vec(), is_gradual);
        if let Some(Sps { variant, size, sample_aspect, fps, .. }) = Sps::parse(self.codec, sps) {
            out.push(Event::StreamInfo(StreamInfo {
                codec: self.codec,
                codec_config: variant.filter(|_| !is_gradual),
                size,
                sample_aspect,
                transform: Transform::NONE,
                fps: fps.unwrap_or(0.0),
            }));
        }
    }
}

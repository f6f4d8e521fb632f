//! Turns access units into pictures: decodes, decides which renditions are due, encodes each once.
//!
//! It uses no threads or sockets and does not know the camera. A decoder exists only while a wanted
//! picture needs one; a JPEG camera's own picture passes through unchanged.

use super::{
    decoder::{self, Decoder},
    encoder::{self, Encoder},
    jpeg::{self, JpegDecoder},
    load_shedding::LoadShedder,
    planes::YuvPlanes,
    recovery::Recovery,
    truncation::TruncationDetector,
};
use cctv_agent::{
    h26x::{nal, sps::Sps},
    ipc::Progress,
    media::{
        AccessUnit, Codec, Colour, Damage, Picture, Rendition, Size, UnixMicros, WantedRendition,
        frame_limiter::RenditionLimiter,
    },
    text::Code,
};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("a frame was not decoded")]
    Decode(#[source] decoder::Error),
    /// Found by inspection, not by a decoder.
    #[error("a frame was cut short")]
    CutShort,
    /// A camera's JPEG is damaged.
    #[error("a JPEG from the camera was not decoded")]
    Jpeg(#[source] turbojpeg::Error),
    #[error("a picture was not encoded")]
    Encode(#[source] encoder::Error),
    /// No memory for a JPEG encoder.
    #[error("cannot start the JPEG encoder")]
    Encoder(#[source] turbojpeg::Error),
}

/// The transcoder of one stream.
pub struct Transcoder {
    codec: Codec,
    default_quality: u8,
    /// As [`Self::with_remark`] says.
    remark: Option<String>,
    wanted: RenditionLimiter,
    decoder: Option<Decoder>,
    load_shedding: LoadShedder,
    /// Whether the decoder, or the next one, skips the loop filter.
    without_loop_filter: bool,
    opener: Option<JpegDecoder>,
    encoder: Option<Encoder>,
    /// The last colours that the stream gave.
    declared_colour: Option<Colour>,
    /// As [`nal::max_temporal_id`] says; without a parameter set, higher than any.
    highest_layer: u8,
    in_flight: InFlight,
    recovery: Recovery,
    truncation: TruncationDetector,
    progress: Progress,
}

impl Transcoder {
    /// `default_quality`: the JPEG quality for which a JPEG camera's own pictures are good enough.
    pub fn new(codec: Codec, default_quality: u8) -> Self {
        Self {
            codec,
            default_quality,
            remark: None,
            wanted: RenditionLimiter::default(),
            decoder: None,
            load_shedding: LoadShedder::default(),
            without_loop_filter: false,
            opener: None,
            encoder: None,
            declared_colour: None,
            highest_layer: u8::MAX,
            in_flight: InFlight::default(),
            recovery: Recovery::default(),
            truncation: TruncationDetector::new(codec),
            progress: Progress::default(),
        }
    }

    /// Draws `remark` as a [mark](super::mark) into each picture that is encoded and needs no other one.
    pub fn with_remark(self, remark: Option<String>) -> Self {
        Self { remark, ..self }
    }

    /// Makes exactly these renditions from the next unit on; those already made keep their rhythm.
    pub fn want(&mut self, renditions: &[impl Into<WantedRendition> + Copy]) {
        self.wanted.want(renditions);
        if self.wanted.is_empty() {
            self.rest();
            self.progress = Progress::default();
        }
    }

    /// As [`RenditionLimiter::set_short`].
    pub fn set_short(&mut self, is_short: bool) {
        self.wanted.set_short(is_short);
    }

    /// Frees the decoder and the encoder; the next unit must be a key frame.
    pub fn rest(&mut self) {
        (self.opener, self.encoder) = (None, None);
        self.drop_decoder();
        self.load_shedding.reset();
    }

    /// Drops the decoder, and with it the pictures that it holds.
    fn drop_decoder(&mut self) {
        self.decoder = None;
        self.recovery.reset();
        self.in_flight.waiting.clear();
    }

    /// Whether frames are decoded without the loop filter, because the processor is overloaded.
    pub fn is_without_loop_filter(&self) -> bool {
        self.without_loop_filter && self.decoder.is_some()
    }

    /// Chooses how to decode the group that begins with a key frame of `size`, received at `now`.
    fn begin_group(&mut self, now: UnixMicros, size: Size) {
        let pixels = u64::from(size.width) * u64::from(size.height);
        let is_small = |whole: Size| 2 * whole.width <= size.width && 2 * whole.height <= size.height;
        let without_loop_filter = self.load_shedding.check(now, pixels)
            && self.wanted.renditions().all(|rendition| is_small(rendition.whole_size()));
        if without_loop_filter != self.without_loop_filter {
            self.without_loop_filter = without_loop_filter;
            // The existing decoder cannot be changed.
            self.drop_decoder();
        }
    }

    /// What became of the units since the last frame.
    pub fn progress(&self) -> Progress {
        self.progress
    }

    /// Whether a decoder exists now.
    pub fn is_decoding(&self) -> bool {
        self.decoder.is_some() || self.opener.is_some()
    }

    /// Takes the next unit, in unbroken order from a key frame on; pictures that are due go to
    /// `out`. If `show` is false, the unit is only decoded, because later ones need it. A picture of
    /// a unit with [`Damage`] has a [mark](super::mark); a JPEG with damage is left out.
    ///
    /// # Errors
    /// The unit was damaged, and it did not say so: go on with a key frame. Or a picture could not be encoded; the others
    /// of this unit are in `out`.
    ///
    /// # Blocking
    /// While decoding and encoding run: for 1080p some 5 ms, and 4 ms per full-size picture.
    pub fn transcode(&mut self, unit: &AccessUnit, show: bool, out: &mut Vec<Picture>) -> Result<(), Error> {
        if self.wanted.is_empty() {
            return Ok(());
        }
        let result = match self.codec {
            Codec::Jpeg => self.develop_jpeg(unit, show, out),
            Codec::H264 | Codec::H265 | Codec::Mpeg4 => self.develop_video(unit, show, out),
        };
        if let Err(Error::Decode(_) | Error::CutShort | Error::Jpeg(_)) = result {
            self.progress.damaged = self.progress.damaged.saturating_add(1);
            self.recovery.reset();
        }
        result
    }

    fn develop_video(&mut self, unit: &AccessUnit, show: bool, out: &mut Vec<Picture>) -> Result<(), Error> {
        if unit.damage.is_none() && !self.truncation.passes(unit) {
            return Err(Error::CutShort);
        }
        if unit.key {
            let sequence = Sps::find(self.codec, &unit.data);
            self.declared_colour = sequence.as_ref().map(|sequence| sequence.colour).or(self.declared_colour);
            if let Some(sequence) = sequence {
                self.begin_group(unit.taken, sequence.size);
            }
            self.highest_layer = nal::max_temporal_id(self.codec, &unit.data).unwrap_or(self.highest_layer);
        }
        self.recovery.on_unit(self.codec, unit, self.highest_layer);
        let is_right = !self.recovery.is_pending();
        let has_turn = show && self.wanted.is_any_due(unit.taken);
        if !has_turn && nal::is_disposable(self.codec, &unit.data, self.highest_layer) {
            return Ok(());
        }
        let decoder = match &mut self.decoder {
            Some(decoder) => decoder,
            none => {
                let made = if self.without_loop_filter {
                    Decoder::without_loop_filter(self.codec)
                } else {
                    Decoder::new(self.codec)
                };
                none.insert(made.map_err(Error::Decode)?)
            }
        };
        self.load_shedding.note(unit.data.len(), !show);
        if is_right {
            self.progress.without_frame = self.progress.without_frame.saturating_add(1);
        } else {
            decoder.expect_no_picture();
        }
        let number = self.in_flight.went_in(unit);
        let is_lenient = unit.damage.is_some() || self.recovery.lacks_references();
        decoder.set_lenient(is_lenient);
        match decoder.push(&unit.data, number) {
            Ok(()) => {}
            // So little of it came that there is no picture; the next one may have more.
            Err(decoder::Error::Decode(_)) if is_lenient => {}
            Err(error) => {
                if matches!(error, decoder::Error::NoOutput) {
                    self.drop_decoder();
                }
                return Err(Error::Decode(error));
            }
        }
        let Some(decoder) = &mut self.decoder else { return Ok(()) };
        loop {
            let frame = match decoder.take() {
                Ok(Some(frame)) => frame,
                Ok(None) => return Ok(()),
                Err(decoder::Error::Take(_)) if is_lenient => return Ok(()),
                Err(error) => return Err(Error::Decode(error)),
            };
            self.progress = Progress::default();
            let Some(source) = self.in_flight.came_out(frame.number) else { continue };
            if is_right {
                self.recovery.on_picture();
            }
            if show && is_right {
                let due = self.wanted.take(source.taken);
                let (encoder, remark) = (ready(&mut self.encoder)?, self.remark.as_deref());
                frame.with_planes(self.declared_colour, |planes, colour| {
                    encode(encoder, planes, colour, remark, &due, source, out)
                })?;
            }
        }
    }

    fn develop_jpeg(&mut self, unit: &AccessUnit, show: bool, out: &mut Vec<Picture>) -> Result<(), Error> {
        let (own_size, own_quality) = (jpeg::size(&unit.data), self.default_quality);
        let has_remark = self.remark.is_some();
        let untouched = |wanted: &Rendition| {
            !has_remark && wanted.transform.is_none() && Some(wanted.size) == own_size && wanted.quality == own_quality
        };
        if self.wanted.renditions().all(untouched) {
            self.rest();
        }
        // JPEGs pass unchanged, so no mark is certain to be in each.
        if !show || unit.damage.is_some() {
            return Ok(());
        }
        let before = out.len();
        let due = self.wanted.take(unit.taken);
        let (as_it_is, to_make): (Vec<_>, Vec<_>) = due.into_iter().partition(untouched);
        let widest = to_make.iter().map(|rendition| rendition.whole_size().width).max();
        let highest = to_make.iter().map(|rendition| rendition.whole_size().height).max();
        let made = if let (Some(width), Some(height)) = (widest, highest) {
            let opener = match &mut self.opener {
                Some(opener) => opener,
                none => none.insert(JpegDecoder::new().map_err(Error::Jpeg)?),
            };
            let encoder = ready(&mut self.encoder)?;
            let encoded = opener.open(&unit.data, Size { width, height }, |planes| {
                encode(encoder, planes, Colour::JPEG, self.remark.as_deref(), &to_make, Source::of(unit), out)
            });
            // The decoder sees damage; nothing of a damaged JPEG is passed on.
            encoded.map_err(Error::Jpeg)?
        } else if !as_it_is.is_empty() && !self.truncation.passes(unit) {
            Err(Error::CutShort)
        } else {
            Ok(())
        };
        if !matches!(made, Err(Error::CutShort)) {
            let picture =
                |rendition| Picture { rendition, sequence: unit.sequence, taken: unit.taken, jpeg: unit.data.clone() };
            out.extend(as_it_is.into_iter().map(picture));
        }
        if made.is_ok() && out.len() > before {
            self.progress = Progress::default();
        }
        made
    }
}

/// Maximum number of frames between a reference and the frames shown before it, in streams with B
/// frames.
const MAX_REORDER_DEPTH: u64 = 4;

/// What is told of a picture: the unit of which it was made.
#[derive(Clone, Copy)]
struct Source {
    sequence: u32,
    taken: UnixMicros,
    damage: Option<Damage>,
}

impl Source {
    fn of(unit: &AccessUnit) -> Self {
        Self { sequence: unit.sequence, taken: unit.taken, damage: unit.damage }
    }
}

/// Maximum number of units of which no picture has come out; older ones never give one.
const MAX_IN_FLIGHT: u64 = 32;

/// Units that were given to a decoder and whose pictures have not come out.
///
/// Cameras send frames in the order in which they were taken. If B frames change that order, a
/// picture takes the sequence number and time of the oldest waiting unit, because pictures come out
/// in the order in which they were taken. So viewers never see sequence numbers go back. Its damage is
/// that of its own unit in any case.
#[derive(Default)]
struct InFlight {
    /// With their numbers, in order.
    waiting: Vec<(u64, Source)>,
    /// The damage of those units that have some, by number.
    damaged: Vec<(u64, Damage)>,
    pushed: u64,
    newest_out: u64,
    reorders: bool,
}

impl InFlight {
    /// Returns the number that identifies the picture.
    fn went_in(&mut self, unit: &AccessUnit) -> u64 {
        self.pushed += 1;
        // Removes units that never gave a picture.
        let horizon = self.pushed.saturating_sub(MAX_IN_FLIGHT);
        self.waiting.retain(|(number, _)| *number > horizon);
        self.damaged.retain(|(number, _)| *number > horizon);
        self.waiting.push((self.pushed, Source::of(unit)));
        self.damaged.extend(unit.damage.map(|damage| (self.pushed, damage)));
        self.pushed
    }

    /// The source of the picture of unit `number`; `None` if all candidates are used up.
    fn came_out(&mut self, number: u64) -> Option<Source> {
        self.reorders |= number < self.newest_out;
        self.newest_out = self.newest_out.max(number);
        let oldest = if self.reorders { number.saturating_sub(MAX_REORDER_DEPTH) } else { number };
        self.waiting.retain(|(number, _)| *number >= oldest);
        let (_, source) = *self.waiting.first()?;
        self.waiting.remove(0);
        let damage = self.damaged.iter().find(|(damaged, _)| *damaged == number).map(|(_, damage)| *damage);
        Some(Source { damage, ..source })
    }
}

fn ready(encoder: &mut Option<Encoder>) -> Result<&mut Encoder, Error> {
    match encoder {
        Some(encoder) => Ok(encoder),
        none => Ok(none.insert(Encoder::new().map_err(Error::Encoder)?)),
    }
}

/// Scales once per size and compresses once per size and quality, for any number of renditions.
fn encode(
    encoder: &mut Encoder,
    planes: &YuvPlanes,
    colour: Colour,
    remark: Option<&str>,
    due: &[Rendition],
    Source { sequence, taken, damage }: Source,
    out: &mut Vec<Picture>,
) -> Result<(), Error> {
    let damaged = damage.map(|damage| Code::PictureDamaged.with_some("percent", damage.percent()).text());
    let mark = damaged.as_deref().or(remark);
    for same_size in due.chunk_by(|a, b| (a.size, a.transform) == (b.size, b.transform)) {
        let Rendition { size, transform, .. } = same_size[0];
        // Renditions of one size are together and sorted by quality, so equal qualities are adjacent.
        let mut qualities: Vec<u8> = same_size.iter().map(|rendition| rendition.quality).collect();
        qualities.dedup();
        let jpegs = encoder.encode(planes, colour, (size, transform), mark, qualities.iter().copied());
        let jpegs = jpegs.map_err(Error::Encode)?;
        for rendition in same_size {
            if let Some(at) = qualities.iter().position(|quality| *quality == rendition.quality) {
                out.push(Picture { rendition: *rendition, sequence, taken, jpeg: jpegs[at].clone() });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use cctv_agent::media::transform::Transform;

    fn camera_jpeg(sequence: u32) -> AccessUnit {
        let pixels = vec![90; 64 * 48 * 3];
        let format = turbojpeg::PixelFormat::RGB;
        let image = turbojpeg::Image { pixels: &pixels[..], width: 64, pitch: 192, height: 48, format };
        let jpeg = turbojpeg::compress(image, 95, turbojpeg::Subsamp::Sub2x1).unwrap();
        AccessUnit {
            sequence,
            taken: 1_000_000 + u64::from(sequence) * 40_000,
            key: true,
            damage: None,
            data: jpeg.to_vec().into(),
        }
    }

    fn rendition(width: u32, height: u32, quality: u8) -> Rendition {
        Rendition { size: Size { width, height }, transform: Transform::NONE, quality, fps: 25 }
    }

    #[test]
    fn jpeg_at_own_size_and_default_quality_passes_untouched_without_a_decoder() {
        let mut transcoder = Transcoder::new(Codec::Jpeg, 80);
        transcoder.want(&[rendition(64, 48, 80)]);
        let (unit, mut out) = (camera_jpeg(7), Vec::new());
        transcoder.transcode(&unit, true, &mut out).unwrap();
        assert_eq!(out[0].jpeg.as_ptr(), unit.data.as_ptr());
        assert_eq!((out.len(), out[0].sequence, out[0].taken), (1, 7, unit.taken));
        assert!(!transcoder.is_decoding());
    }

    #[test]
    fn other_sizes_and_qualities_of_a_jpeg_are_made_exactly() {
        let mut transcoder = Transcoder::new(Codec::Jpeg, 80);
        transcoder.want(&[rendition(64, 48, 80), rendition(64, 48, 40), rendition(21, 17, 80)]);
        let mut out = Vec::new();
        transcoder.transcode(&camera_jpeg(0), true, &mut out).unwrap();
        assert_eq!(out.len(), 3);
        for picture in &out {
            assert_eq!(jpeg::size(&picture.jpeg), Some(picture.rendition.size));
        }
        assert!(transcoder.is_decoding());
        transcoder.want(&[rendition(64, 48, 80)]);
        transcoder.transcode(&camera_jpeg(1), true, &mut out).unwrap();
        assert!(!transcoder.is_decoding(), "only the camera's own picture is wanted now");
    }

    #[test]
    fn renditions_that_differ_in_rate_alone_share_one_encode() {
        let mut transcoder = Transcoder::new(Codec::Jpeg, 80);
        transcoder.want(&[rendition(32, 24, 80), Rendition { fps: 5, ..rendition(32, 24, 80) }]);
        let mut out = Vec::new();
        transcoder.transcode(&camera_jpeg(0), true, &mut out).unwrap();
        assert_eq!(out[0].jpeg.as_ptr(), out[1].jpeg.as_ptr());
        for sequence in 1..25 {
            transcoder.transcode(&camera_jpeg(sequence), true, &mut out).unwrap();
        }
        let slow = out.iter().filter(|picture| picture.rendition.fps == 5).count();
        assert_eq!((out.len() - slow, slow), (25, 5));
    }

    #[test]
    fn own_pictures_are_made_first_and_others_once_a_second_while_the_processor_is_short() {
        let mut transcoder = Transcoder::new(Codec::Jpeg, 80);
        let (stranger, own) = (rendition(16, 12, 80), rendition(32, 24, 80));
        transcoder.want(&[stranger.into(), WantedRendition { rendition: own, is_own: true }]);
        transcoder.set_short(true);
        let mut out = Vec::new();
        (0..50).for_each(|sequence| transcoder.transcode(&camera_jpeg(sequence), true, &mut out).unwrap());
        let of = |wanted: Rendition| out.iter().filter(move |picture| picture.rendition == wanted).count();
        assert_eq!((of(stranger), of(own)), (2, 50));
        assert_eq!((out[0].rendition, out[1].rendition), (own, stranger));
    }

    #[test]
    fn damaged_data_is_an_error_and_the_next_key_frame_works() {
        let mut transcoder = Transcoder::new(Codec::Jpeg, 80);
        transcoder.want(&[rendition(32, 24, 80)]);
        let (good, mut out) = (camera_jpeg(2), Vec::new());
        let damaged = AccessUnit { data: good.data.slice(..200), ..camera_jpeg(0) };
        let _ = transcoder.transcode(&damaged, true, &mut out);
        let rubbish = AccessUnit { data: vec![0xff; 300].into(), ..camera_jpeg(1) };
        assert!(transcoder.transcode(&rubbish, true, &mut out).is_err());
        out.clear();
        transcoder.transcode(&good, true, &mut out).unwrap();
        assert_eq!(out.len(), 1);
        let mut video = Transcoder::new(Codec::H264, 80);
        video.want(&[rendition(32, 24, 80)]);
        for rubbish in [&[][..], &[0, 0, 1], &[0, 0, 0, 1, 0x65, 1, 2, 3], &[0, 0, 0, 1, 0x67, 0xff, 0xff]] {
            let _ = video.transcode(&AccessUnit { data: rubbish.to_vec().into(), ..camera_jpeg(0) }, true, &mut out);
        }
        assert_eq!(out.len(), 1);
    }

    #[test]
    fn frames_that_none_needs_and_none_wants_are_not_decoded() {
        let mut transcoder = Transcoder::new(Codec::H264, 80);
        transcoder.want(&[rendition(32, 24, 80)]);
        let slice = |header| AccessUnit { key: false, data: vec![0, 0, 1, header, 0x9a, 1].into(), ..camera_jpeg(0) };
        let (disposable, needed, mut out) = (slice(0x01), slice(0x41), Vec::new());
        transcoder.transcode(&disposable, false, &mut out).unwrap();
        assert!(!transcoder.is_decoding());
        let _ = transcoder.transcode(&disposable, true, &mut out);
        assert!(transcoder.is_decoding(), "its turn has come");
        transcoder.rest();
        let _ = transcoder.transcode(&needed, false, &mut out);
        assert!(transcoder.is_decoding());
    }

    #[test]
    fn nothing_wanted_means_no_decoder() {
        let mut transcoder = Transcoder::new(Codec::Jpeg, 80);
        let mut out = Vec::new();
        transcoder.want(&[rendition(32, 24, 80)]);
        transcoder.transcode(&camera_jpeg(0), true, &mut out).unwrap();
        transcoder.want(&[] as &[Rendition]);
        assert!(!transcoder.is_decoding());
        transcoder.transcode(&camera_jpeg(1), true, &mut out).unwrap();
        assert_eq!(out.len(), 1);
    }

    /// The sequence numbers that come out for units shown in `order`, whose pictures come out in
    /// turn.
    fn sequences(order: &[u64]) -> Vec<u32> {
        let mut in_flight = InFlight::default();
        let mut out = Vec::new();
        for &number in order {
            while in_flight.pushed < number.max(in_flight.newest_out + 2) {
                let sequence = u32::try_from(in_flight.pushed).unwrap() + 1;
                in_flight.went_in(&AccessUnit { sequence, ..camera_jpeg(0) });
            }
            out.extend(in_flight.came_out(number).map(|source| source.sequence));
        }
        out
    }

    #[test]
    fn pictures_keep_the_sequence_of_their_units() {
        assert_eq!(sequences(&[1, 2, 3, 4]), [1, 2, 3, 4]);
        assert_eq!(sequences(&[1, 2, 5, 6]), [1, 2, 5, 6], "3 and 4 gave no picture");
    }

    #[test]
    fn picture_has_the_damage_of_its_own_unit_where_the_order_changes() {
        let mut in_flight = InFlight::default();
        let damage = Some(Damage { lost_permille: Some(12) });
        for sequence in 1..=8 {
            let damage = damage.filter(|_| sequence == 4);
            in_flight.went_in(&AccessUnit { sequence, damage, ..camera_jpeg(0) });
        }
        let order = [1, 3, 2, 5, 4, 7, 6];
        let damaged: Vec<_> = order.map(|number| in_flight.came_out(number).unwrap().damage.is_some()).into();
        assert_eq!(damaged, [false, false, false, false, true, false, false]);
    }

    #[test]
    fn damaged_jpeg_gives_no_picture_in_any_size() {
        let mut transcoder = Transcoder::new(Codec::Jpeg, 80);
        transcoder.want(&[rendition(64, 48, 80), rendition(32, 24, 80)]);
        let mut out = Vec::new();
        let damaged = AccessUnit { damage: Some(Damage { lost_permille: None }), ..camera_jpeg(0) };
        transcoder.transcode(&damaged, true, &mut out).unwrap();
        assert!(out.is_empty());
        transcoder.transcode(&camera_jpeg(1), true, &mut out).unwrap();
        assert_eq!(out.len(), 2);
    }

    #[test]
    fn sequences_never_go_back_where_b_frames_change_the_order() {
        let shown = sequences(&[1, 3, 4, 2, 6, 7, 5, 9, 10, 8, 12, 13, 11]);
        assert!(shown.is_sorted_by(|a, b| a < b), "{shown:?}");
        assert!(shown.len() >= 11, "{shown:?}");
    }
}

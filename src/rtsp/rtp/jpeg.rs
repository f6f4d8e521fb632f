//! Makes JPEGs of RTP/JPEG (RFC 2435), where packets carry the scan only, and the head is made from a few fields.

mod header;
mod tables;

use std::{collections::BTreeMap, time::Instant};

use header::{Head, PacketHeader, QuantizationSegments};

use super::{
    Event, Loss, MAX_UNIT_LEN, Unit,
    order::Gap,
    packet::{JPEG_EXTENSION, JPEG_EXTENSION_CONTINUED, Packet},
};
use crate::media::{Codec, SampleAspect, Size, StreamInfo, transform::Transform};

/// Longest head that a camera may send in header extensions, in bytes.
const MAX_EXTENSION_LEN: usize = 64 << 10;

/// The frame in progress.
#[derive(Clone, Debug)]
struct Frame {
    time: u32,
    /// What the head is made of, from the first packet; `None` if that is missing or says nothing usable.
    start: Option<Start>,
    /// Segments of the head in header extensions.
    extension: Vec<u8>,
    has_extension: bool,
    /// The scan, behind its head if that is known from the first packet.
    data: Vec<u8>,
    head_len: usize,
    is_damaged: bool,
    loss: Loss,
    received_at: Instant,
}

#[derive(Clone, Debug)]
struct Start {
    is_420: bool,
    blocks: [u8; 2],
    restart_interval: u16,
    /// `None`: those of the frame before.
    quantization: Option<QuantizationSegments>,
}

/// The depacketiser of one JPEG track.
#[derive(Clone, Debug)]
pub struct Depacketizer {
    /// The size that SDP or ONVIF gives.
    size_hint: Option<Size>,
    frame: Option<Frame>,
    gap: Option<Gap>,
    lost: u32,
    ended_time: Option<u32>,
    /// Tables by Q, which a camera need not send with each frame (RFC 2435 4.2).
    tables: BTreeMap<u8, QuantizationSegments>,
    last_quantization: QuantizationSegments,
    last_size: Option<Size>,
    announced: Option<Size>,
}

impl Depacketizer {
    pub fn new(size_hint: Option<Size>) -> Self {
        Self {
            size_hint,
            frame: None,
            gap: None,
            lost: 0,
            ended_time: None,
            tables: BTreeMap::new(),
            last_quantization: Vec::new(),
            last_size: None,
            announced: None,
        }
    }

    pub fn push(&mut self, packet: &Packet, received_at: Instant, gap: Gap, out: &mut Vec<Event>) {
        self.take_gap(gap);
        let header = PacketHeader::parse(packet.payload);
        let is_start = header.is_some_and(|header| header.offset == 0);
        if self.frame.as_ref().is_some_and(|frame| frame.time != packet.time || is_start) {
            self.finish_before_gap(out);
        }
        if self.frame.is_none() {
            // What follows the end of a frame is padding.
            if !is_start && self.gap.is_none() && self.ended_time == Some(packet.time) {
                return;
            }
            self.begin(packet, received_at);
        }
        match header {
            Some(header) => self.add(&header, packet, received_at),
            None => self.damage(),
        }
        // Entropy-coded data never has this marker (T.81 B.1.1.2), so a camera that sets no marker bit ends so, too.
        let has_end = self.frame.as_ref().is_some_and(|frame| frame.data.ends_with(&header::END_OF_IMAGE));
        if packet.marker || has_end {
            self.finish(out);
        }
    }

    fn take_gap(&mut self, gap: Gap) {
        let lost = match gap {
            Gap::None => return,
            Gap::Lost(lost) => lost,
            Gap::Unknown => 1,
        };
        self.lost = self.lost.saturating_add(lost);
        self.gap = Some(if self.gap.is_some() { Gap::Unknown } else { gap });
    }

    fn damage(&mut self) {
        if let Some(frame) = &mut self.frame {
            frame.is_damaged = true;
        }
    }

    fn begin(&mut self, packet: &Packet, received_at: Instant) {
        let loss = if self.gap.take().is_some() { Loss::Before } else { Loss::None };
        self.frame = Some(Frame {
            time: packet.time,
            start: None,
            extension: Vec::new(),
            has_extension: false,
            data: Vec::new(),
            head_len: 0,
            is_damaged: false,
            loss,
            received_at,
        });
    }

    fn add(&mut self, header: &PacketHeader, packet: &Packet, received_at: Instant) {
        let has_gap = self.gap.take().is_some();
        let start = if header.offset == 0 { self.read_start(header, packet) } else { None };
        let size = self.size(header.blocks).filter(header::is_plausible);
        let Some(frame) = &mut self.frame else { return };
        frame.received_at = frame.received_at.max(received_at);
        if has_gap {
            (frame.is_damaged, frame.loss) = (true, Loss::Inside);
        }
        if let Some(extension) = packet.extension.filter(|extension| {
            extension.profile == JPEG_EXTENSION
                || (frame.has_extension && extension.profile == JPEG_EXTENSION_CONTINUED)
        }) {
            frame.has_extension = true;
            frame.extension.extend(extension.data);
            frame.is_damaged |= frame.extension.len() > MAX_EXTENSION_LEN;
            frame.extension.truncate(MAX_EXTENSION_LEN);
        }
        if header.offset == 0 {
            frame.start = start;
            frame.write_head(header, size);
        }
        frame.is_damaged |= header.offset != frame.data.len() - frame.head_len || frame.start.is_none();
        frame.is_damaged |= frame.data.len() + header.scan.len() > MAX_UNIT_LEN;
        if !frame.is_damaged {
            frame.data.extend_from_slice(header.scan);
        }
    }

    fn read_start(&mut self, header: &PacketHeader, packet: &Packet) -> Option<Start> {
        let has_extension = packet.extension.is_some_and(|extension| extension.profile == JPEG_EXTENSION);
        let quantization = match (header.q, header.tables) {
            (0, _) => None,
            (q @ 1..=127, _) => Some(header::standard_tables(q)),
            (q, Some((precision, data))) if !data.is_empty() => {
                let tables = header::packet_tables(precision, data)?;
                if q < 255 {
                    self.tables.insert(q, tables.clone());
                }
                Some(tables)
            }
            (q, _) => self.tables.get(&q).cloned(),
        };
        if quantization.is_none() && !has_extension {
            return None;
        }
        let (is_420, blocks, restart_interval) = (header.is_420, header.blocks, header.restart_interval);
        Some(Start { is_420, blocks, restart_interval, quantization })
    }

    /// Ends the frame in progress because another one begins.
    fn finish_before_gap(&mut self, out: &mut Vec<Event>) {
        if self.gap.is_some()
            && let Some(frame) = &mut self.frame
        {
            // It may have lost its end.
            (frame.is_damaged, frame.loss) = (true, Loss::Before);
        }
        self.finish(out);
    }

    fn finish(&mut self, out: &mut Vec<Event>) {
        let Some(frame) = self.frame.take() else { return };
        self.ended_time = Some(frame.time);
        let (time, loss, received_at) = (frame.time, frame.loss, frame.received_at);
        let jpeg = if frame.is_damaged { None } else { self.assemble(frame) };
        let is_whole = jpeg.is_some();
        if is_whole
            && self.announced != self.last_size
            && let Some(size) = self.last_size
        {
            self.announced = Some(size);
            let (codec, sample_aspect) = (Codec::Jpeg, SampleAspect::SQUARE);
            out.push(Event::StreamInfo(StreamInfo {
                codec,
                codec_config: None,
                size,
                sample_aspect,
                transform: Transform::NONE,
                fps: 0.0,
            }));
        }
        out.push(Event::Unit(Unit {
            data: jpeg.unwrap_or_default(),
            is_key: true,
            is_whole,
            is_reference: false,
            is_leading: false,
            loss,
            lost_packets: std::mem::take(&mut self.lost),
            rtp_time: time,
            camera_time: None,
            received_at,
        }));
    }

    /// The JPEG of `frame`; `None` if its size or its tables are not known.
    fn assemble(&mut self, mut frame: Frame) -> Option<Vec<u8>> {
        if frame.data.len() == frame.head_len {
            return None;
        }
        if frame.head_len > 0 {
            self.last_size = header::size(&frame.data);
            self.last_quantization = frame.start?.quantization?;
            if !frame.data.ends_with(&header::END_OF_IMAGE) {
                frame.data.extend(header::END_OF_IMAGE);
            }
            return Some(frame.data);
        }
        // Some cameras send the whole JPEG as its scan.
        if frame.data.starts_with(&header::START_OF_IMAGE) {
            self.last_size = Some(header::size(&frame.data)?);
            return Some(frame.data).filter(|data| data.ends_with(&header::END_OF_IMAGE));
        }
        let start = frame.start.as_ref()?;
        let extension = &frame.extension[..];
        let size = header::size(extension).or_else(|| self.size(start.blocks)).filter(header::is_plausible)?;
        let own_tables = header::quantization_of(extension);
        let quantization = match &start.quantization {
            _ if !own_tables.is_empty() => own_tables,
            Some(tables) => tables.clone(),
            None => self.last_quantization.clone(),
        };
        if quantization.is_empty() {
            return None;
        }
        let (is_420, restart_interval) = (start.is_420, start.restart_interval);
        let head = Head { size, is_420, restart_interval, quantization: &quantization, extension };
        let mut jpeg = Vec::with_capacity(frame.data.len() + extension.len() + 1024);
        head.write(&mut jpeg);
        jpeg.extend_from_slice(&frame.data);
        if !jpeg.ends_with(&header::END_OF_IMAGE) {
            jpeg.extend(header::END_OF_IMAGE);
        }
        (self.last_size, self.last_quantization) = (Some(size), quantization);
        Some(jpeg)
    }

    /// The size, without a frame header of the camera's own. The header has 8 bits for each side in blocks, so sides
    /// above 2040 wrap, or are 0.
    fn size(&self, blocks: [u8; 2]) -> Option<Size> {
        let fits = |block: u8, side: u32| block == 0 || side.div_ceil(8) & 0xff == u32::from(block);
        let [width, height] = blocks;
        let hint = self.size_hint.filter(|hint| fits(width, hint.width) && fits(height, hint.height));
        let declared = Size { width: u32::from(width) * 8, height: u32::from(height) * 8 };
        hint.or(Some(declared).filter(|_| width > 0 && height > 0)).or(self.last_size)
    }
}

impl Frame {
    /// Writes the head before the scan, unless the camera sends a head of its own in extensions, or in the scan.
    fn write_head(&mut self, header: &PacketHeader, size: Option<Size>) {
        let (Some(size), Some(start)) = (size, &self.start) else { return };
        let Some(quantization) = &start.quantization else { return };
        if !self.has_extension && !header.scan.starts_with(&header::START_OF_IMAGE) {
            let Start { is_420, restart_interval, .. } = *start;
            Head { size, is_420, restart_interval, quantization, extension: &[] }.write(&mut self.data);
            self.head_len = self.data.len();
        }
    }
}

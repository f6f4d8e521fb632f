//! The layout of each message's body; decoding checks every field.

mod body;

use std::time::Duration;

use bytes::Bytes;

use body::{Body, UNDAMAGED, UNKNOWN_LOSS};

use super::{
    Decode, Error, Failure, FailureKind, FromWorker, HEAD, MAX_RENDITIONS, Message, Open, Progress, ToWorker,
    UnitAsPicture, VERSION,
};
use crate::{
    camera::{Secret, Transport},
    media::{
        AccessUnit, Codec, CodecConfig, Picture, Rendition, Size, StreamInfo, WantedRendition, transform::Transform,
    },
    sandbox::{Sandbox, SandboxPolicy},
    text::Reason,
};

pub(super) const OPEN: u8 = 1;
pub(super) const WANT: u8 = 2;
pub(super) const CLOSE: u8 = 3;
pub(super) const DECODE: u8 = 4;
pub(super) const FEED: u8 = 5;
pub(super) const STREAM: u8 = 16;
pub(super) const UNIT: u8 = 17;
pub(super) const PICTURE: u8 = 18;
pub(super) const DECODING: u8 = 19;
pub(super) const FAILED: u8 = 20;
const UNTOUCHED: u8 = 21;
const PROGRESS: u8 = 22;
pub(super) const SANDBOX: u8 = 23;

/// Bytes in a unit's body before its data: sequence, time, key-frame flag, damage.
const UNIT_FIELDS: usize = 4 + 8 + 1 + 2;
/// Bytes in a picture's body before its JPEG: rendition, sequence, time.
const PICTURE_FIELDS: usize = 20 + 4 + 8;

impl Message for ToWorker {
    fn begin(&self, out: &mut Vec<u8>) -> &[u8] {
        match self {
            Self::Open(open) => framed(out, OPEN, &[], |out| {
                out.extend(VERSION.to_le_bytes());
                out.push(transport_number(open.transport));
                out.extend(open.first_sequence.to_le_bytes());
                out.push(open.default_quality);
                out.extend(u32::try_from(open.read_limit.as_millis()).unwrap_or(u32::MAX).to_le_bytes());
                out.extend(open.most_memory.to_le_bytes());
                out.extend(open.group_memory.to_le_bytes());
                out.push(policy_number(open.sandbox));
                out.extend(open.uri.expose().as_bytes());
            }),
            Self::Decode(decode) => framed(out, DECODE, &[], |out| {
                out.extend(VERSION.to_le_bytes());
                out.push(codec_number(decode.codec));
                out.push(decode.default_quality);
                out.extend(decode.most_memory.to_le_bytes());
                out.extend(decode.group_memory.to_le_bytes());
                out.push(policy_number(decode.sandbox));
                out.extend(decode.remark.as_deref().unwrap_or_default().as_bytes());
            }),
            Self::Unit(unit) => framed(out, FEED, &unit.data, |out| put_unit(out, unit)),
            Self::SetRenditions(renditions) => framed(out, WANT, &[], |out| {
                for WantedRendition { rendition, is_own } in renditions {
                    put_rendition(out, *rendition);
                    out.push(u8::from(*is_own));
                }
            }),
            Self::Close(limit) => framed(out, CLOSE, &[], |out| {
                out.extend(u32::try_from(limit.as_millis()).unwrap_or(u32::MAX).to_le_bytes());
            }),
        }
    }

    fn decode(kind: u8, body: &[u8]) -> Result<Self, Error> {
        let mut body = Body { kind, rest: body };
        let message = match kind {
            OPEN => {
                body.version()?;
                let transport = body.transport()?;
                let first_sequence = body.u32()?;
                let default_quality = body.u8()?;
                let read_limit = Duration::from_millis(u64::from(body.u32()?));
                let (most_memory, group_memory) = (body.u64()?, body.u64()?);
                let sandbox = body.policy()?;
                let uri = Secret::new(body.text()?);
                Self::Open(Open {
                    uri,
                    transport,
                    first_sequence,
                    default_quality,
                    read_limit,
                    most_memory,
                    group_memory,
                    sandbox,
                })
            }
            WANT => {
                let mut renditions = Vec::new();
                while !body.rest.is_empty() {
                    if renditions.len() == MAX_RENDITIONS {
                        return Err(body.malformed());
                    }
                    renditions.push(WantedRendition { rendition: body.rendition()?, is_own: body.flag()? });
                }
                Self::SetRenditions(renditions)
            }
            CLOSE => Self::Close(Duration::from_millis(u64::from(body.u32()?))),
            DECODE => {
                body.version()?;
                let (codec, default_quality) = (body.codec()?, body.u8()?);
                let (most_memory, group_memory) = (body.u64()?, body.u64()?);
                let (sandbox, remark) = (body.policy()?, Some(body.text()?).filter(|remark| !remark.is_empty()));
                Self::Decode(Decode { codec, default_quality, most_memory, group_memory, sandbox, remark })
            }
            FEED => return decode_parts(&body),
            _ => return Err(Error::UnknownKind(kind)),
        };
        body.end(message)
    }

    fn payload_len(kind: u8, length: usize) -> Option<usize> {
        if kind == FEED { length.checked_sub(UNIT_FIELDS) } else { None }
    }

    fn decode_with_payload(kind: u8, fields: &[u8], data: Bytes) -> Result<Self, Error> {
        let mut body = Body { kind, rest: fields };
        let message = match kind {
            FEED => Self::Unit(body.unit(data)?),
            _ => return Err(Error::UnknownKind(kind)),
        };
        body.end(message)
    }
}

impl Message for FromWorker {
    fn begin(&self, out: &mut Vec<u8>) -> &[u8] {
        match self {
            Self::Sandbox(sandbox) => framed(out, SANDBOX, &[], |out| out.push(sandbox.bits())),
            Self::Stream(info) => framed(out, STREAM, &[], |out| {
                out.push(codec_number(info.codec));
                put_variant(out, info.codec_config);
                put_size(out, info.size);
                info.sample_aspect.sides().iter().for_each(|side| out.extend(side.to_le_bytes()));
                out.extend(info.fps.to_le_bytes());
            }),
            Self::Unit(unit) => framed(out, UNIT, &unit.data, |out| put_unit(out, unit)),
            Self::Picture(picture) => framed(out, PICTURE, &picture.jpeg, |out| {
                put_rendition(out, picture.rendition);
                out.extend(picture.sequence.to_le_bytes());
                out.extend(picture.taken.to_le_bytes());
            }),
            Self::UnitAsPicture(UnitAsPicture { rendition, sequence }) => framed(out, UNTOUCHED, &[], |out| {
                put_rendition(out, *rendition);
                out.extend(sequence.to_le_bytes());
            }),
            Self::Decoding(on) => framed(out, DECODING, &[], |out| out.push(u8::from(*on))),
            Self::Progress(Progress { without_frame, damaged }) => framed(out, PROGRESS, &[], |out| {
                out.extend(without_frame.to_le_bytes());
                out.extend(damaged.to_le_bytes());
            }),
            Self::Failed(failure) => framed(out, FAILED, &[], |out| {
                out.push(match failure.kind {
                    FailureKind::Unreachable => 0,
                    FailureKind::Denied => 1,
                    FailureKind::NoVideo => 2,
                    FailureKind::Ended => 3,
                    FailureKind::Internal => 4,
                    FailureKind::Silent => 5,
                    FailureKind::Sandbox => 6,
                });
                out.extend(failure.reason.encode().as_bytes());
            }),
        }
    }

    fn decode(kind: u8, body: &[u8]) -> Result<Self, Error> {
        let mut body = Body { kind, rest: body };
        let message = match kind {
            STREAM => {
                let codec = body.codec()?;
                let codec_config = body.codec_config(codec)?;
                let size = body.size()?;
                let sample_aspect = body.sample_aspect()?;
                let fps = f32::from_le_bytes(body.array()?);
                if !(0.0..=1000.0).contains(&fps) {
                    return Err(body.malformed());
                }
                let transform = Transform::NONE;
                Self::Stream(StreamInfo { codec, codec_config, size, sample_aspect, transform, fps })
            }
            UNIT | PICTURE => return decode_parts(&body),
            UNTOUCHED => Self::UnitAsPicture(UnitAsPicture { rendition: body.rendition()?, sequence: body.u32()? }),
            SANDBOX => Self::Sandbox(Sandbox::from_bits(body.u8()?).ok_or_else(|| body.malformed())?),
            DECODING => Self::Decoding(body.flag()?),
            PROGRESS => Self::Progress(Progress { without_frame: body.u32()?, damaged: body.u32()? }),
            FAILED => {
                let kind = match body.u8()? {
                    0 => FailureKind::Unreachable,
                    1 => FailureKind::Denied,
                    2 => FailureKind::NoVideo,
                    3 => FailureKind::Ended,
                    4 => FailureKind::Internal,
                    5 => FailureKind::Silent,
                    6 => FailureKind::Sandbox,
                    _ => return Err(body.malformed()),
                };
                let reason = Reason::decode(&body.text()?).ok_or_else(|| body.malformed())?;
                Self::Failed(Failure { kind, reason })
            }
            _ => return Err(Error::UnknownKind(kind)),
        };
        body.end(message)
    }

    fn payload_len(kind: u8, length: usize) -> Option<usize> {
        match kind {
            UNIT => length.checked_sub(UNIT_FIELDS),
            PICTURE => length.checked_sub(PICTURE_FIELDS),
            _ => None,
        }
    }

    fn decode_with_payload(kind: u8, fields: &[u8], data: Bytes) -> Result<Self, Error> {
        let mut body = Body { kind, rest: fields };
        let message = match kind {
            UNIT => Self::Unit(body.unit(data)?),
            PICTURE => {
                let rendition = body.rendition()?;
                let sequence = body.u32()?;
                let taken = body.u64()?;
                Self::Picture(Picture { rendition, sequence, taken, jpeg: data })
            }
            _ => return Err(Error::UnknownKind(kind)),
        };
        body.end(message)
    }
}

/// Decodes a message that holds a frame from its whole body.
fn decode_parts<M: Message>(body: &Body) -> Result<M, Error> {
    let length = M::payload_len(body.kind, body.rest.len()).ok_or_else(|| body.malformed())?;
    let (fields, data) = body.rest.split_at(body.rest.len() - length);
    M::decode_with_payload(body.kind, fields, Bytes::copy_from_slice(data))
}

/// Appends head and body except `rest`, which belongs to the body and is returned.
fn framed<'a>(out: &mut Vec<u8>, kind: u8, rest: &'a [u8], body: impl FnOnce(&mut Vec<u8>)) -> &'a [u8] {
    let start = out.len();
    out.extend([0, 0, 0, 0, kind]);
    body(out);
    let length = u32::try_from(out.len() - start - HEAD + rest.len()).unwrap_or(u32::MAX);
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
    rest
}

/// Appends a flag, then the configuration of the codec if there is one.
fn put_variant(out: &mut Vec<u8>, codec_config: Option<CodecConfig>) {
    out.push(u8::from(codec_config.is_some()));
    match codec_config {
        Some(CodecConfig::H264(bytes)) => out.extend(bytes),
        Some(CodecConfig::H265(bytes)) => out.extend(bytes),
        None => {}
    }
}

fn codec_number(codec: Codec) -> u8 {
    match codec {
        Codec::H264 => 0,
        Codec::H265 => 1,
        Codec::Jpeg => 2,
        Codec::Mpeg4 => 3,
    }
}

/// The number of the transport, read by [`Body::transport`].
fn transport_number(transport: Transport) -> u8 {
    match transport {
        Transport::Tcp => 0,
        Transport::Udp => 1,
        Transport::Multicast => 2,
        Transport::Http => 3,
    }
}

fn policy_number(policy: SandboxPolicy) -> u8 {
    match policy {
        SandboxPolicy::Auto => 0,
        SandboxPolicy::Required => 1,
        SandboxPolicy::Fatal => 2,
    }
}

/// Appends a unit's fields: all but its data.
fn put_unit(out: &mut Vec<u8>, unit: &AccessUnit) {
    out.extend(unit.sequence.to_le_bytes());
    out.extend(unit.taken.to_le_bytes());
    out.push(u8::from(unit.key));
    let damage = unit.damage.map_or(UNDAMAGED, |damage| damage.lost_permille.unwrap_or(UNKNOWN_LOSS));
    out.extend(damage.to_le_bytes());
}

fn put_size(out: &mut Vec<u8>, size: Size) {
    out.extend(size.width.to_le_bytes());
    out.extend(size.height.to_le_bytes());
}

fn put_transform(out: &mut Vec<u8>, Transform { crop, mirrored, quarter_turns }: Transform) {
    for edge in [crop.left, crop.top, crop.right, crop.bottom] {
        out.extend(edge.to_le_bytes());
    }
    out.push(u8::from(mirrored));
    out.push(quarter_turns);
}

fn put_rendition(out: &mut Vec<u8>, rendition: Rendition) {
    put_size(out, rendition.size);
    put_transform(out, rendition.transform);
    out.push(rendition.quality);
    out.push(rendition.fps);
}

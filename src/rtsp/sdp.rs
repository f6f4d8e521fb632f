//! Session descriptions (SDP, RFC 8866), as cameras write them.
//!
//! Only the lines `m=`, `c=` and `a=` are read; no other line can make a description fail. What cannot be
//! read in these is left out.

mod audio;
mod track;

use std::net::{IpAddr, SocketAddr};

pub use audio::{AudioTrack, NoAudio};
pub use track::Track;

use super::rtp::{Encoding, KeyFrameRequest, VIDEO_CLOCK_RATE};

/// Maximum number of media; more are not read.
const MAX_MEDIA: usize = 32;
/// Maximum number of attributes of one media and of the session; more are not read.
const MAX_ATTRIBUTES: usize = 100;
/// Maximum number of payload formats of one media; more are not read.
const MAX_FORMATS: usize = 32;

/// Static payload type of JPEG (RFC 3551).
const JPEG: u8 = 26;

/// The video track that is read.
#[derive(Clone, Debug, PartialEq)]
pub struct VideoTrack {
    pub payload_type: u8,
    /// `None`: the description does not say; the packets do.
    pub encoding: Option<Encoding>,
    /// In Hz; 90000 if the description does not say.
    pub clock_rate: u32,
    /// The parameters of the format, `name=value; …`; may be empty.
    pub fmtp: String,
    /// As written, trimmed.
    pub control: Option<String>,
    /// Frames per second, if the description says so; it may be wrong.
    pub frame_rate: Option<f64>,
    /// Width and height in pixels, if the description says so; they may be wrong.
    pub size: Option<(u32, u32)>,
    /// How the camera offers to be asked for a key frame by RTCP; `None`: not at all.
    pub key_frame_request: Option<KeyFrameRequest>,
    /// The group and the port to which the camera sends the track, if the description names one.
    pub group: Option<SocketAddr>,
}

/// Why a description has no video track that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoVideo {
    /// There is no `m=` line: the body is no description.
    NotSdp,
    /// No media is video.
    NoVideo,
    /// The formats of the videos, none of which is known.
    UnknownFormats(Vec<String>),
    /// Video is offered by SRTP alone, which is encrypted.
    Encrypted,
}

/// One `m=` line and what belongs to it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Media {
    /// `video`, `audio`, `application` and the like, in lower case.
    pub kind: String,
    /// `RTP/AVP` and the like, in upper case.
    pub protocol: String,
    /// Payload types that are numbers.
    pub formats: Vec<u8>,
    /// 0: the camera names none.
    port: u16,
    /// The address of `c=`, if that is a group.
    group: Option<IpAddr>,
    /// `a=`: name in lower case, and value.
    attributes: Vec<(String, String)>,
}

/// A session description.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SessionDescription {
    group: Option<IpAddr>,
    attributes: Vec<(String, String)>,
    pub media: Vec<Media>,
}

impl SessionDescription {
    /// Reads `bytes`. Never fails; lines end at CR or LF, bytes that are not UTF-8 become
    /// replacement characters.
    pub fn read(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let mut description = Self::default();
        // The attributes of media beyond the limit belong to nobody.
        let mut is_full = false;
        for line in text.split(['\r', '\n', '\0']).map(str::trim) {
            let Some((name, value)) = line.split_once('=') else { continue };
            match name.trim() {
                "m" | "M" if description.media.len() < MAX_MEDIA => description.media.push(Media::read(value)),
                "m" | "M" => is_full = true,
                "c" | "C" if !is_full => {
                    let group = match description.media.last_mut() {
                        Some(media) => &mut media.group,
                        None => &mut description.group,
                    };
                    *group = group.or_else(|| read_group(value));
                }
                "a" | "A" if !is_full => {
                    let attributes = match description.media.last_mut() {
                        Some(media) => &mut media.attributes,
                        None => &mut description.attributes,
                    };
                    if attributes.len() < MAX_ATTRIBUTES {
                        let (name, value) = value.split_once(':').unwrap_or((value, ""));
                        attributes.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
                    }
                }
                _ => {}
            }
        }
        description
    }

    /// `a=control` of the session level.
    pub fn control(&self) -> Option<&str> {
        first(&self.attributes, "control")
    }

    /// Selects the first video with a known format. Its direction is not read: cameras mark their
    /// video `sendonly`, `recvonly` and `inactive`.
    pub fn video(&self) -> Result<VideoTrack, NoVideo> {
        if self.media.is_empty() {
            return Err(NoVideo::NotSdp);
        }
        let videos = || self.media.iter().filter(|media| media.kind == "video");
        let readable = || videos().filter(|media| media.is_rtp() && !media.is_encrypted());
        let known = readable().find_map(|media| self.track(media).filter(|track| track.encoding.is_some()));
        if let Some(track) = known.or_else(|| readable().find_map(|media| self.unnamed_track(media))) {
            return Ok(track);
        }
        if videos().next().is_none() {
            return Err(NoVideo::NoVideo);
        }
        if readable().next().is_none() && videos().any(Media::is_encrypted) {
            return Err(NoVideo::Encrypted);
        }
        let formats = videos().flat_map(|media| media.named_formats()).take(MAX_FORMATS);
        Err(NoVideo::UnknownFormats(formats.collect()))
    }

    /// The media that are not read, for the log: kind and formats.
    pub fn others(&self, chosen: &VideoTrack) -> Vec<String> {
        let is_chosen = |media: &Media| media.kind == "video" && media.formats.contains(&chosen.payload_type);
        let others = self.media.iter().filter(|media| !is_chosen(media));
        others.map(|media| format!("{} {}", media.kind, media.named_formats().join(", ")).trim().to_owned()).collect()
    }

    /// The first format of `media` whose encoding is known; without one, its first format.
    fn track(&self, media: &Media) -> Option<VideoTrack> {
        let tracks = || media.formats.iter().map(|format| self.format(media, *format));
        tracks().find(|track| track.encoding.is_some()).or_else(|| tracks().next())
    }

    /// A track whose encoding the packets will show: no `rtpmap` says that it is one we cannot read.
    fn unnamed_track(&self, media: &Media) -> Option<VideoTrack> {
        let is_unnamed = |track: &VideoTrack| media.rtpmap(track.payload_type).is_none() && track.payload_type >= 96;
        self.track(media).filter(is_unnamed)
    }

    fn format(&self, media: &Media, payload_type: u8) -> VideoTrack {
        let fmtp = self.fmtp(media, payload_type);
        let has = |name: &str| has_parameter(fmtp, name);
        // A map for another number is that of the only format.
        let map = media.rtpmap(payload_type).or_else(|| media.only_rtpmap());
        let (name, clock_rate) = map.unwrap_or(("", ""));
        let encoding = match () {
            () if payload_type == JPEG => Some(Encoding::Jpeg),
            () if !name.is_empty() => Encoding::from_name(name),
            () if has("sprop-vps") => Some(Encoding::H265),
            () if has("sprop-parameter-sets") => Some(Encoding::H264),
            () => None,
        };
        VideoTrack {
            payload_type,
            encoding,
            clock_rate: clock_rate.parse().ok().filter(|rate| *rate > 0).unwrap_or(VIDEO_CLOCK_RATE),
            fmtp: fmtp.to_owned(),
            control: first(&media.attributes, "control").map(str::to_owned),
            frame_rate: media.frame_rate(),
            size: media.size(),
            key_frame_request: media.key_frame_request(payload_type),
            group: self.group_of(media),
        }
    }

    fn group_of(&self, media: &Media) -> Option<SocketAddr> {
        let address = media.group.or(self.group)?;
        (media.port != 0).then(|| SocketAddr::new(address, media.port))
    }

    /// The parameters of the format `payload_type`: some cameras write them under another media.
    fn fmtp<'a>(&'a self, media: &'a Media, payload_type: u8) -> &'a str {
        let elsewhere = self.media.iter().filter(|other| other.kind == media.kind || other.kind != "audio");
        let elsewhere = elsewhere.flat_map(|other| &other.attributes);
        fmtp_among(media.attributes.iter().chain(&self.attributes).chain(elsewhere), payload_type)
    }
}

impl Media {
    /// Reads what follows `m=`. A line that makes no sense gives a media without formats.
    fn read(value: &str) -> Self {
        let mut words = value.split_ascii_whitespace();
        let kind = words.next().unwrap_or("").to_ascii_lowercase();
        // `5000/2`: a port and the number of ports.
        let port = words.next().and_then(|ports| ports.split('/').next()?.parse().ok()).unwrap_or(0);
        let protocol = words.next().unwrap_or("").to_ascii_uppercase();
        let formats = words.filter_map(|word| word.parse().ok()).filter(|format: &u8| *format < 128);
        let formats = formats.take(MAX_FORMATS).collect();
        Self { kind, protocol, formats, port, group: None, attributes: Vec::new() }
    }

    fn is_rtp(&self) -> bool {
        self.protocol.starts_with("RTP/")
    }

    /// Whether the media is sent by SRTP (`RTP/SAVP`, `RTP/SAVPF`).
    fn is_encrypted(&self) -> bool {
        self.protocol.split('/').any(|part| part.starts_with("SAVP"))
    }

    /// Name and clock rate of the format.
    fn rtpmap(&self, payload_type: u8) -> Option<(&str, &str)> {
        self.rtpmap_of(payload_type).map(|map| (map.name, map.rate))
    }

    /// Name and clock rate of the only map, if there is only one format, too.
    fn only_rtpmap(&self) -> Option<(&str, &str)> {
        let mut maps = self.rtpmaps();
        let only = maps.next().filter(|_| maps.next().is_none() && self.formats.len() == 1)?;
        Some((only.name, only.rate))
    }

    fn rtpmap_of(&self, payload_type: u8) -> Option<RtpMap<'_>> {
        self.rtpmaps().find(|map| map.number.parse() == Ok(payload_type))
    }

    fn rtpmaps(&self) -> impl Iterator<Item = RtpMap<'_>> {
        self.attributes.iter().filter(|(name, _)| name == "rtpmap").filter_map(|(_, value)| {
            let (number, encoding) = value.split_once([' ', '\t'])?;
            let mut parts = encoding.trim().split('/').map(str::trim);
            let mut part = || parts.next().unwrap_or("");
            Some(RtpMap { number, name: part(), rate: part(), channels: part() })
        })
    }

    /// The formats as people know them.
    fn named_formats(&self) -> Vec<String> {
        let name = |format: &u8| self.rtpmap(*format).map_or_else(|| format.to_string(), |(name, _)| name.to_owned());
        self.formats.iter().map(name).collect()
    }

    /// The request for key frames that `a=rtcp-fb` offers for the format, a picture loss indication
    /// first. Cameras offer it with the profile `RTP/AVP` too, so the protocol does not count.
    fn key_frame_request(&self, payload_type: u8) -> Option<KeyFrameRequest> {
        let offers = |kind: &str, parameter: &str| {
            self.attributes.iter().filter(|(name, _)| name == "rtcp-fb").any(|(_, value)| {
                let mut words = value.split_ascii_whitespace();
                words.next().is_some_and(|format| format == "*" || format.parse() == Ok(payload_type))
                    && words.next().is_some_and(|word| word.eq_ignore_ascii_case(kind))
                    && words.next().is_some_and(|word| word.eq_ignore_ascii_case(parameter))
            })
        };
        if offers("nack", "pli") {
            Some(KeyFrameRequest::PictureLossIndication)
        } else {
            offers("ccm", "fir").then_some(KeyFrameRequest::FullIntraRequest)
        }
    }

    fn frame_rate(&self) -> Option<f64> {
        let text = first(&self.attributes, "framerate").or_else(|| first(&self.attributes, "x-framerate"))?;
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        text[..end].parse().ok().filter(|rate| *rate > 0.0 && *rate <= 1000.0)
    }

    fn size(&self) -> Option<(u32, u32)> {
        let dimensions = first(&self.attributes, "x-dimensions");
        // `framesize:96 1280-720`
        let frame_size = || first(&self.attributes, "framesize")?.split_once(' ').map(|(_, size)| size);
        let (width, height) = dimensions.or_else(frame_size)?.split_once([',', '-', 'x'])?;
        let side = |text: &str| text.trim().parse().ok().filter(|side| (1..=16_384).contains(side));
        Some((side(width)?, side(height)?))
    }
}

/// The value of `a=rtpmap`, as it is written; parts that are left out are empty.
struct RtpMap<'a> {
    number: &'a str,
    name: &'a str,
    /// The clock rate.
    rate: &'a str,
    channels: &'a str,
}

/// The parameters of the format `payload_type` in the first `a=fmtp` of it among `lines`.
fn fmtp_among<'a>(lines: impl IntoIterator<Item = &'a (String, String)>, payload_type: u8) -> &'a str {
    let parameters = lines.into_iter().find_map(|(name, value)| {
        let (number, parameters) = value.split_once([' ', '\t'])?;
        (name == "fmtp" && number.parse() == Ok(payload_type)).then_some(parameters)
    });
    parameters.unwrap_or("").trim()
}

/// The group in the value of `c=`: `IN IP4 239.1.2.3/127/1`.
fn read_group(value: &str) -> Option<IpAddr> {
    let address = value.split_ascii_whitespace().nth(2)?.split('/').next()?;
    address.parse().ok().filter(IpAddr::is_multicast)
}

/// The first value of the attribute `name` that is not empty.
fn first<'a>(attributes: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let values = attributes.iter().filter(|(given, _)| given == name).map(|(_, value)| value.as_str());
    values.into_iter().find(|value| !value.is_empty())
}

/// Whether `name=…` is among the parameters `fmtp`; case does not count.
fn has_parameter(fmtp: &str, name: &str) -> bool {
    let mut names = fmtp.split(';').filter_map(|item| item.split_once('=')).map(|(name, _)| name.trim());
    names.any(|given| given.eq_ignore_ascii_case(name))
}

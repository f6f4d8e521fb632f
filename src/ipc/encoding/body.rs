//! Reads the fields of a message's body, and checks each.

use crate::{
    camera::Transport,
    ipc::{Error, VERSION},
    media::{
        AccessUnit, Codec, CodecConfig, Damage, Rendition, SampleAspect, Size,
        transform::{Crop, Transform},
    },
    sandbox::SandboxPolicy,
};
use bytes::Bytes;

/// Stands for a unit without damage, where others have the share of lost packets.
pub(super) const UNDAMAGED: u16 = u16::MAX;
/// Stands for a damaged unit whose share of lost packets is not known.
pub(super) const UNKNOWN_LOSS: u16 = u16::MAX - 1;

/// The rest of a body that was not read yet.
pub(super) struct Body<'a> {
    pub(super) kind: u8,
    pub(super) rest: &'a [u8],
}

impl Body<'_> {
    pub(super) fn malformed(&self) -> Error {
        Error::Malformed { kind: self.kind }
    }

    /// # Errors
    /// [`Error::OtherVersion`] if the rest does not begin with [`VERSION`].
    pub(super) fn version(&mut self) -> Result<(), Error> {
        if self.u64()? == VERSION { Ok(()) } else { Err(Error::OtherVersion) }
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (array, rest) = self.rest.split_first_chunk().ok_or_else(|| self.malformed())?;
        self.rest = rest;
        Ok(*array)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Error> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Error> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Error> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn flag(&mut self) -> Result<bool, Error> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.malformed()),
        }
    }

    pub(super) fn codec(&mut self) -> Result<Codec, Error> {
        match self.u8()? {
            0 => Ok(Codec::H264),
            1 => Ok(Codec::H265),
            2 => Ok(Codec::Jpeg),
            3 => Ok(Codec::Mpeg4),
            _ => Err(self.malformed()),
        }
    }

    pub(super) fn transport(&mut self) -> Result<Transport, Error> {
        match self.u8()? {
            0 => Ok(Transport::Tcp),
            1 => Ok(Transport::Udp),
            2 => Ok(Transport::Multicast),
            3 => Ok(Transport::Http),
            _ => Err(self.malformed()),
        }
    }

    pub(super) fn policy(&mut self) -> Result<SandboxPolicy, Error> {
        match self.u8()? {
            0 => Ok(SandboxPolicy::Auto),
            1 => Ok(SandboxPolicy::Required),
            2 => Ok(SandboxPolicy::Fatal),
            _ => Err(self.malformed()),
        }
    }

    pub(super) fn unit(&mut self, data: Bytes) -> Result<AccessUnit, Error> {
        let sequence = self.u32()?;
        let taken = self.u64()?;
        Ok(AccessUnit { sequence, taken, key: self.flag()?, damage: self.damage()?, data })
    }

    pub(super) fn damage(&mut self) -> Result<Option<Damage>, Error> {
        match u16::from_le_bytes(self.array()?) {
            UNDAMAGED => Ok(None),
            UNKNOWN_LOSS => Ok(Some(Damage { lost_permille: None })),
            permille @ 0..=1000 => Ok(Some(Damage { lost_permille: Some(permille) })),
            _ => Err(self.malformed()),
        }
    }

    pub(super) fn codec_config(&mut self, codec: Codec) -> Result<Option<CodecConfig>, Error> {
        match (self.flag()?, codec) {
            (false, _) => Ok(None),
            (true, Codec::H264) => Ok(Some(CodecConfig::H264(self.array()?))),
            (true, Codec::H265) => Ok(Some(CodecConfig::H265(self.array()?))),
            (true, Codec::Jpeg | Codec::Mpeg4) => Err(self.malformed()),
        }
    }

    /// Reads a size with sides of 1 to 65535 pixels: the largest a JPEG can have.
    pub(super) fn size(&mut self) -> Result<Size, Error> {
        let size = Size { width: self.u32()?, height: self.u32()? };
        let sane = |side| (1..=65_535).contains(&side);
        if sane(size.width) && sane(size.height) { Ok(size) } else { Err(self.malformed()) }
    }

    /// Reads a sample aspect ratio: in lowest terms, and within the range accepted from a camera.
    pub(super) fn sample_aspect(&mut self) -> Result<SampleAspect, Error> {
        let [width, height] = [self.array()?, self.array()?].map(u16::from_le_bytes);
        let aspect = SampleAspect::new(width, height);
        if aspect.sides() == [width, height] { Ok(aspect) } else { Err(self.malformed()) }
    }

    /// Reads a transform that leaves a part of the picture.
    fn transform(&mut self) -> Result<Transform, Error> {
        let mut edge = || self.array().map(u16::from_le_bytes);
        let crop = Crop { left: edge()?, top: edge()?, right: edge()?, bottom: edge()? };
        let transform = Transform { crop, mirrored: self.flag()?, quarter_turns: self.u8()? };
        if crop.is_valid() && transform.quarter_turns < 4 { Ok(transform) } else { Err(self.malformed()) }
    }

    pub(super) fn rendition(&mut self) -> Result<Rendition, Error> {
        let (size, transform) = (self.size()?, self.transform()?);
        let rendition = Rendition { size, transform, quality: self.u8()?, fps: self.u8()? };
        let sane = (1..=100).contains(&rendition.quality) && rendition.fps > 0;
        if sane { Ok(rendition) } else { Err(self.malformed()) }
    }

    pub(super) fn text(&mut self) -> Result<String, Error> {
        let text = str::from_utf8(self.rest).map_err(|_| self.malformed())?.to_owned();
        self.rest = &[];
        Ok(text)
    }

    /// Returns `message` if no bytes are left over.
    pub(super) fn end<M>(self, message: M) -> Result<M, Error> {
        if self.rest.is_empty() { Ok(message) } else { Err(self.malformed()) }
    }
}

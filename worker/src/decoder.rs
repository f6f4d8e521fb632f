//! Decodes H.264, H.265 and MPEG-4 to planes: one access unit in, its picture out at once.
//!
//! It uses one thread and `low_delay`: with FFmpeg's usual thread per core, every picture comes out
//! late, by one frame less than there are cores.

use ac_ffmpeg::{
    codec::{
        Decoder as _,
        video::{PixelFormat, VideoDecoder, VideoFrame, VideoFrameScaler, frame::get_pixel_format},
    },
    packet::PacketMut,
    time::Timestamp,
};
use turbojpeg::Subsamp;

use super::{
    ffmpeg_log::{self, FfmpegLog},
    planes::YuvPlanes,
};
use cctv_agent::media::{Codec, Colour, Matrix, Size};

/// A decoder that gives no picture for this many units is stuck: after 4 s at 25 fps.
const MAX_WITHOUT_PICTURE: u32 = 100;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// FFmpeg lacks the codec, or it needs no decoder (JPEG).
    #[error("no decoder for {}", .0.as_str())]
    NoDecoder(Codec),
    /// An empty unit; FFmpeg would take it for the end of the stream, permanently.
    #[error("a frame without data")]
    Empty,
    /// No picture came out for [`MAX_WITHOUT_PICTURE`] units: replace this decoder.
    #[error("no picture came of {MAX_WITHOUT_PICTURE} frames")]
    NoOutput,
    /// FFmpeg filled in missing parts of the picture: it is not what the camera saw.
    #[error("parts of the picture are missing")]
    Concealed,
    /// The data is damaged, or of a kind that FFmpeg does not support.
    #[error("cannot decode the video")]
    Decode(#[source] ac_ffmpeg::codec::CodecError),
    #[error("cannot decode the video")]
    Take(#[source] ac_ffmpeg::Error),
    /// The pixel format is not supported and cannot be converted.
    #[error("cannot use the pixel format of the video")]
    PixelFormat(#[source] ac_ffmpeg::Error),
}

/// A decoder for one stream. Dropping it frees its pictures: about 25 MB for 1080p.
pub struct Decoder {
    inner: VideoDecoder,
    scaler: Option<Scaler>,
    /// Units since the last picture.
    without_picture: u32,
    /// Also returns pictures that FFmpeg concealed parts of.
    lenient: bool,
}

/// Converts pixel formats that are not planes of bytes, without changing the size.
struct Scaler {
    inner: VideoFrameScaler,
    from: PixelFormat,
    size: Size,
}

/// One decoded picture.
pub struct Frame {
    /// The number passed to [`Decoder::push`].
    pub number: u64,
    frame: VideoFrame,
    layout: Layout,
}

#[derive(Clone, Copy)]
struct Layout {
    subsampling: Subsamp,
    /// FFmpeg marks full range by the `yuvj` formats.
    full_range: bool,
    /// The scaler made the planes from red, green and blue.
    was_rgb: bool,
}

impl Decoder {
    /// # Errors
    /// [`Error::NoDecoder`].
    pub fn new(codec: Codec) -> Result<Self, Error> {
        Self::build(codec, &[])
    }

    /// A decoder that skips deblocking, see [`super::load_shedding`].
    ///
    /// # Errors
    /// [`Error::NoDecoder`].
    pub fn without_loop_filter(codec: Codec) -> Result<Self, Error> {
        Self::build(codec, &[("skip_loop_filter", "all")])
    }

    fn build(codec: Codec, more: &[(&str, &str)]) -> Result<Self, Error> {
        let name = match codec {
            Codec::H264 => "h264",
            Codec::H265 => "hevc",
            Codec::Mpeg4 => "mpeg4",
            Codec::Jpeg => return Err(Error::NoDecoder(codec)),
        };
        FfmpegLog::listen();
        let builder = VideoDecoder::builder(name).map_err(|_| Error::NoDecoder(codec))?;
        let builder = builder.set_option("threads", 1).set_option("flags", "+low_delay");
        let builder = more.iter().fold(builder, |builder, (name, value)| builder.set_option(name, value));
        let inner = builder.build().map_err(|_| Error::NoDecoder(codec))?;
        Ok(Self { inner, scaler: None, without_picture: 0, lenient: false })
    }

    /// A decoder that makes a picture of any data.
    ///
    /// # Errors
    /// [`Error::NoDecoder`].
    pub fn lenient(codec: Codec) -> Result<Self, Error> {
        Ok(Self { lenient: true, ..Self::new(codec)? })
    }

    /// Sets whether a picture of which FFmpeg concealed parts is returned, from the next unit on.
    pub fn set_lenient(&mut self, lenient: bool) {
        self.lenient = lenient;
    }

    /// No picture is to be expected of the next unit, so it does not count against this decoder.
    pub fn expect_no_picture(&mut self) {
        self.without_picture = 0;
    }

    /// Passes one access unit in Annex B to the decoder; `number` comes back with its picture.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::Decode`], [`Error::Concealed`]: the decoder can be used again
    /// from a key frame on; [`Error::NoOutput`]: it cannot.
    pub fn push(&mut self, unit: &[u8], number: u64) -> Result<(), Error> {
        if unit.is_empty() {
            return Err(Error::Empty);
        }
        self.without_picture += 1;
        if self.without_picture > MAX_WITHOUT_PICTURE {
            return Err(Error::NoOutput);
        }
        let mut packet = PacketMut::new(unit.len());
        packet.data_mut().copy_from_slice(unit);
        // The decoder's time base is microseconds; here they only carry a number.
        let stamp = Timestamp::from_micros(i64::try_from(number).unwrap_or(i64::MAX));
        // Earlier messages do not concern this unit.
        ffmpeg_log::take_decode_errors();
        self.inner.try_push(packet.with_pts(stamp).with_dts(stamp).freeze()).map_err(Error::Decode)?;
        self.check_errors()
    }

    /// No unit follows: the decoder releases the pictures that it holds. It cannot be used again.
    ///
    /// # Errors
    /// [`Error::Decode`].
    pub fn finish(&mut self) -> Result<(), Error> {
        self.inner.try_flush().map_err(Error::Decode)
    }

    /// The next finished picture, if there is one.
    ///
    /// # Errors
    /// [`Error::Take`], [`Error::Concealed`], [`Error::PixelFormat`].
    pub fn take(&mut self) -> Result<Option<Frame>, Error> {
        let taken = self.inner.take().map_err(Error::Take)?;
        self.check_errors()?;
        let Some(frame) = taken else { return Ok(None) };
        self.without_picture = 0;
        let number = frame.pts().as_micros().and_then(|micros| u64::try_from(micros).ok()).unwrap_or(u64::MAX);
        if let Some(layout) = layout(frame.pixel_format().name()) {
            return Ok(Some(Frame { number, frame, layout }));
        }
        let name = frame.pixel_format().name();
        let was_rgb = ["rgb", "bgr", "gbr"].iter().any(|rgb| name.starts_with(rgb));
        // swscale takes every grey for one of full range, so it would change the range on the way to colour.
        let (to, subsampling) =
            if name.starts_with("gray") { ("gray", Subsamp::Gray) } else { ("yuv420p", Subsamp::Sub2x2) };
        let frame = self.convert(&frame, to).map_err(Error::PixelFormat)?;
        let layout = Layout { subsampling, full_range: false, was_rgb };
        Ok(Some(Frame { number, frame, layout }))
    }

    /// Discards pictures made of data that FFmpeg has just reported as damaged.
    fn check_errors(&mut self) -> Result<(), Error> {
        if !ffmpeg_log::take_decode_errors() || self.lenient {
            return Ok(());
        }
        while self.inner.take().map_err(Error::Take)?.is_some() {}
        ffmpeg_log::take_decode_errors();
        Err(Error::Concealed)
    }

    /// `frame` in the pixel format `to`, which depends on its own alone.
    fn convert(&mut self, frame: &VideoFrame, to: &str) -> Result<VideoFrame, ac_ffmpeg::Error> {
        let (from, size) = (frame.pixel_format(), size(frame));
        let scaler = match self.scaler.take() {
            Some(scaler) if scaler.from == from && scaler.size == size => scaler,
            _ => {
                let builder = VideoFrameScaler::builder()
                    .source_pixel_format(from)
                    .source_width(frame.width())
                    .source_height(frame.height())
                    .target_pixel_format(get_pixel_format(to))
                    .target_width(frame.width())
                    .target_height(frame.height());
                Scaler { inner: builder.build()?, from, size }
            }
        };
        self.scaler.insert(scaler).inner.scale(frame)
    }
}

impl Frame {
    /// Whether both pictures are equal, bit by bit.
    pub fn looks_like(&self, other: &Self) -> bool {
        self.with_planes(None, |planes, _| other.with_planes(None, |others, _| planes.equals(others)))
    }

    /// Passes the planes to `use_them`, with their colours; `declared` is what the stream says of its
    /// colours.
    pub fn with_planes<T>(&self, declared: Option<Colour>, use_them: impl FnOnce(&YuvPlanes, Colour) -> T) -> T {
        let planes = self.frame.planes();
        let size = size(&self.frame);
        let matrix = match declared {
            _ if self.layout.was_rgb => Matrix::Bt601,
            Some(colour) => colour.matrix,
            None => Matrix::guess(size),
        };
        let full_range =
            !self.layout.was_rgb && (self.layout.full_range || declared.is_some_and(|colour| colour.full_range));
        let grey = self.layout.subsampling == Subsamp::Gray;
        let data =
            [planes[0].data(), if grey { &[] } else { planes[1].data() }, if grey { &[] } else { planes[2].data() }];
        let strides = [0, 1, 2].map(|plane: usize| planes[plane].line_size());
        use_them(&YuvPlanes::new(size, self.layout.subsampling, data, strides), Colour { matrix, full_range })
    }
}

fn size(frame: &VideoFrame) -> Size {
    let side = |pixels| u32::try_from(pixels).unwrap_or(u32::MAX);
    Size { width: side(frame.width()), height: side(frame.height()) }
}

/// The pixel formats whose planes can be used as they are.
fn layout(pixel_format: &str) -> Option<Layout> {
    let (subsampling, full_range) = match pixel_format {
        "yuv420p" => (Subsamp::Sub2x2, false),
        "yuvj420p" => (Subsamp::Sub2x2, true),
        "yuv422p" => (Subsamp::Sub2x1, false),
        "yuvj422p" => (Subsamp::Sub2x1, true),
        "yuv444p" => (Subsamp::None, false),
        "yuvj444p" => (Subsamp::None, true),
        "gray" => (Subsamp::Gray, false),
        _ => return None,
    };
    Some(Layout { subsampling, full_range, was_rgb: false })
}

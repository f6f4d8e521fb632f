//! The GStreamer launch line of a stream's encoder and payloader.

use crate::settings::{Codec, Settings};

/// The encoder makes only requested key frames after the first: this interval is longer than any
/// stream.
const NEVER: u32 = 1_000_000_000;

/// The content of a new session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// `None`: no picture.
    pub video: Option<Codec>,
    pub audio: bool,
}

/// The launch line for `offer`. Frames go into the `appsrc` named `frames`; `bitrate` is in kbit/s.
pub fn line(offer: Offer, settings: &Settings, bitrate: u32) -> String {
    let mut elements = String::new();
    if let Some(codec) = offer.video {
        elements.push_str(&video(codec, settings, bitrate));
    }
    if offer.audio {
        let number = u8::from(offer.video.is_some());
        // A low hum as PCMA at 8000 Hz, as most cameras have it. If a client sets up only the
        // picture, the sound is not linked; the tee does not treat that as an error.
        elements.push_str(&format!(
            " audiotestsrc name=hum is-live=true freq=100 volume=0.1 ! audio/x-raw,rate=8000,channels=1 ! alawenc \
             ! tee allow-not-linked=true ! rtppcmapay name=pay{number} pt=8"
        ));
    }
    format!("( {elements} )")
}

fn video(codec: Codec, settings: &Settings, bitrate: u32) -> String {
    let (bars, bframes) = (settings.bars, settings.bframes);
    let (kind, interval, repeated) = if settings.sets_in_sdp { ("avc", 0, 0) } else { ("byte-stream", -1, 1) };
    let encoder = match codec {
        // 8x8 transform and CABAC make it High profile, which is what cameras send; a single thread
        // gives one slice per picture.
        Codec::H264 => format!(
            "x264enc tune=zerolatency speed-preset=ultrafast threads=1 bframes={bframes} b-adapt=false \
             cabac=true dct8x8=true key-int-max={NEVER} option-string=\"scenecut=0:repeat-headers={repeated}\" {} \
             ! video/x-h264,profile=high,stream-format={kind} \
             ! rtph264pay name=pay0 pt=96 config-interval={interval} aggregate-mode=zero-latency",
            if bars { "pass=quant quantizer=8".into() } else { format!("bitrate={bitrate}") }
        ),
        Codec::H265 => format!(
            "x265enc tune=zerolatency speed-preset=ultrafast key-int-max={NEVER} {} log-level=error \
             option-string=\"bframes={bframes}:b-adapt=0:scenecut=0:pools=none:frame-threads=1:wpp=0:repeat-headers=1\" \
             ! rtph265pay name=pay0 pt=96 config-interval=-1 aggregate-mode=zero-latency",
            if bars { "qp=8".into() } else { format!("bitrate={bitrate}") }
        ),
        Codec::Mjpeg => {
            format!("jpegenc quality={} ! rtpjpegpay name=pay0 pt=26", if bars { 95 } else { 75 })
        }
    };
    format!(
        "appsrc name=frames is-live=true format=time do-timestamp=true max-buffers=1 leaky-type=downstream ! {encoder}"
    )
}

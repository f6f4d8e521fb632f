//! The GStreamer launch line of a stream's encoder and payloader.

use crate::{
    encoder,
    settings::{Codec, Settings},
    stream::Offer,
};

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
    let (kind, interval) = if settings.sets_in_sdp { ("avc", 0) } else { ("byte-stream", -1) };
    let encode = encoder::element(codec, settings, bitrate, !settings.sets_in_sdp);
    let pay = match codec {
        Codec::H264 => format!(
            "video/x-h264,profile=high,stream-format={kind} \
             ! rtph264pay name=pay0 pt=96 config-interval={interval} aggregate-mode=zero-latency"
        ),
        Codec::H265 => "rtph265pay name=pay0 pt=96 config-interval=-1 aggregate-mode=zero-latency".into(),
        Codec::Mpeg4 => "rtpmp4vpay name=pay0 pt=96".into(),
        Codec::Mjpeg => "rtpjpegpay name=pay0 pt=26".into(),
    };
    format!(
        "appsrc name=frames is-live=true format=time do-timestamp=true max-buffers=1 leaky-type=downstream \
         ! {encode} ! {pay}"
    )
}

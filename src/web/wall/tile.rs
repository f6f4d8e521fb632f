//! One tile of a wall socket. From its camera's stream it takes the format that the page prefers,
//! the camera's own video untouched or JPEG, and reports which.

mod pictures;
mod units;

use std::{sync::Arc, time::Duration};

use async_tungstenite::tungstenite::Error;
use smol::{Timer, future::FutureExt};

use crate::web::{
    stream::frame_limiter::FrameLimiter,
    visible_cameras::VisibleCameras,
    wall::{protocol, ws_sender::Outbox},
};
use crate::{
    camera::State,
    hub::{Condition, Stream, ViewerOrigin},
    media::{Codec, RenditionRequest, StreamInfo},
    sync::{Mutex, Notified, Notifier},
    text::Code,
};

/// What the page last requested for a tile; a newer request replaces an older one.
pub struct TileRequest {
    inner: Mutex<Wanted>,
    notifier: Notifier,
    notified: Notified,
}

#[derive(Clone)]
struct Wanted {
    rendition_request: RenditionRequest,
    /// Formats that the page can show, the preferred one first.
    accept: Arc<[Codec]>,
    drawn: Option<u32>,
}

impl TileRequest {
    pub fn new(rendition_request: RenditionRequest, accept: Arc<[Codec]>) -> Arc<Self> {
        let (notifier, notified) = Notifier::pair();
        let inner = Mutex::new(Wanted { rendition_request, accept, drawn: None });
        Arc::new(Self { inner, notifier, notified })
    }

    pub fn show(&self, rendition_request: RenditionRequest, accept: Arc<[Codec]>) {
        self.change(|wanted| (wanted.rendition_request, wanted.accept) = (rendition_request, accept));
    }

    pub fn drawn(&self, sequence: u32) {
        self.change(|wanted| wanted.drawn = Some(sequence));
    }

    /// Makes the tile check again: the cameras on the wall changed.
    pub fn look(&self) {
        self.notifier.notify();
    }

    fn change(&self, change: impl FnOnce(&mut Wanted)) {
        change(&mut self.inner.lock());
        self.notifier.notify();
    }

    fn read(&self) -> Wanted {
        self.inner.lock().clone()
    }

    /// Waits for the next change.
    async fn changed(&self) {
        // The notifier is in the same struct, so it is still there.
        let _ = self.notified.changed().await;
    }
}

/// A running tile; runs until the socket breaks or it is dropped.
pub struct Tile {
    pub number: u8,
    pub camera: String,
    pub cameras: VisibleCameras,
    pub origin: ViewerOrigin,
    pub outbox: Outbox,
    pub request: Arc<TileRequest>,
    /// The next picture is sent after this time without a `drawn`.
    pub drawn_limit: Duration,
    /// Pause before a refused rendition is requested again.
    pub refused_pause: Duration,
    /// The last state message sent to the page.
    pub last_sent: String,
    pub pace: FrameLimiter,
}

/// What a tile is sent.
#[derive(Clone, Copy, Debug, PartialEq)]
enum TileFormat {
    Pictures,
    /// The camera's own access units.
    Units(Codec),
    /// Nothing yet: the video format of the camera is unknown.
    Waiting,
    /// Nothing: the page can show neither the camera's own video nor JPEG.
    Nothing,
}

impl TileFormat {
    fn format(self) -> Option<Codec> {
        match self {
            Self::Pictures => Some(Codec::Jpeg),
            Self::Units(codec) => Some(codec),
            Self::Waiting | Self::Nothing => None,
        }
    }

    /// The first of `accept` that a camera with the stream `stream` can serve, as far as is known.
    fn choose(accept: &[Codec], passthrough: bool, stream: Option<StreamInfo>, is_live: bool) -> Self {
        for &format in accept {
            match stream {
                _ if format == Codec::Jpeg => return Self::Pictures,
                _ if !passthrough => {}
                None => return Self::Waiting,
                Some(stream) if stream.codec != format => {}
                Some(StreamInfo { codec_config: Some(_), .. }) => return Self::Units(format),
                // The next key frame will show the format. A live camera has sent one, so its
                // format stays unknown.
                Some(_) if !is_live => return Self::Waiting,
                Some(_) => {}
            }
        }
        Self::Nothing
    }
}

impl Tile {
    pub async fn run(mut self) -> Result<(), Error> {
        let mut why = Code::NotConfigured;
        loop {
            let Some(channel) = self.cameras.channel(&self.camera) else {
                let text = protocol::unknown(self.number, &self.camera, why);
                if text != self.last_sent {
                    self.last_sent.clone_from(&text);
                    self.outbox.text(text).await?;
                }
                self.request.changed().await;
                continue;
            };
            let rendition_request = self.request.read().rendition_request;
            let stream = channel.stream_for(rendition_request);
            if self.serving(&stream) != TileFormat::Pictures {
                self.pass_on(channel.subscribe_units(rendition_request)).await?;
                why = Code::Removed;
                continue;
            }
            match channel.subscribe(rendition_request, self.origin) {
                Ok(view) => {
                    self.watch(view, rendition_request).await?;
                    why = Code::Removed;
                }
                Err(error) => {
                    let condition = Condition { state: State::Connecting, why: error.into() };
                    if let Some(text) = self.news(&stream, &condition) {
                        self.outbox.text(text).await?;
                    }
                    let pause = self.refused_pause;
                    let again = async {
                        Timer::after(pause).await;
                    };
                    self.request.changed().or(again).await;
                }
            }
        }
    }

    fn serving(&self, stream: &Stream) -> TileFormat {
        let is_live = stream.condition().state == State::Live;
        TileFormat::choose(&self.request.read().accept, stream.options().passthrough, stream.info(), is_live)
    }

    /// The state message, unless it equals the one sent last.
    fn news(&mut self, stream: &Stream, condition: &Condition) -> Option<String> {
        let condition = &self.cameras.principal().condition(condition.clone());
        let text = protocol::state(
            self.number,
            &self.camera,
            &stream.name(),
            condition,
            stream.info(),
            self.serving(stream).format(),
        );
        if text == self.last_sent {
            return None;
        }
        self.last_sent.clone_from(&text);
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::{TileFormat::*, *};
    use crate::media::{CodecConfig, SampleAspect, Size, transform::Transform};

    const H264: StreamInfo = StreamInfo {
        codec: Codec::H264,
        codec_config: Some(CodecConfig::H264([0x64, 0, 0x28])),
        size: Size { width: 1920, height: 1080 },
        sample_aspect: SampleAspect::SQUARE,
        transform: Transform::NONE,
        fps: 25.0,
    };
    const ALL: &[Codec] = &[Codec::H265, Codec::H264, Codec::Jpeg];

    #[test]
    fn page_is_served_what_it_likes_best_of_what_there_is() {
        assert_eq!(TileFormat::choose(ALL, true, Some(H264), true), Units(Codec::H264));
        assert_eq!(TileFormat::choose(&[Codec::Jpeg, Codec::H264], true, Some(H264), true), Pictures);
        assert_eq!(TileFormat::choose(&[Codec::H265, Codec::Jpeg], true, Some(H264), true), Pictures);
        assert_eq!(TileFormat::choose(&[Codec::H265], true, Some(H264), true), Nothing);
        let jpeg = StreamInfo { codec: Codec::Jpeg, codec_config: None, ..H264 };
        assert_eq!(TileFormat::choose(ALL, true, Some(jpeg), true), Pictures);
    }

    #[test]
    fn camera_may_be_kept_from_passing_its_video_on() {
        assert_eq!(TileFormat::choose(ALL, false, Some(H264), true), Pictures);
        assert_eq!(TileFormat::choose(ALL, false, None, false), Pictures);
        assert_eq!(TileFormat::choose(&[Codec::H264], false, Some(H264), true), Nothing);
    }

    #[test]
    fn unknown_video_is_waited_for_but_not_for_ever() {
        assert_eq!(TileFormat::choose(ALL, true, None, false), Waiting);
        let untold = StreamInfo { codec_config: None, ..H264 };
        assert_eq!(TileFormat::choose(ALL, true, Some(untold), false), Waiting);
        assert_eq!(TileFormat::choose(ALL, true, Some(untold), true), Pictures);
    }
}

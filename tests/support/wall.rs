//! A client of the wall's WebSocket without a browser.

use ac_ffmpeg::{
    codec::{Decoder as _, video::VideoDecoder},
    packet::PacketMut,
    time::Timestamp,
};
use async_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest},
};
use cctv_agent::media::Codec;
use serde_json::{Value, json};
use smol::{Timer, block_on, future::FutureExt, net::TcpStream, stream::StreamExt};
use stamp::{Pixels, Stamp, read};

use crate::support::PATIENCE;

pub struct Wall(WebSocketStream<TcpStream>);

/// A binary message: a picture or an access unit.
#[derive(Clone, Debug)]
pub struct Frame {
    pub format: u8,
    pub tile: u8,
    pub key: bool,
    pub after_gap: bool,
    pub damaged: bool,
    pub sequence: u32,
    /// Unix microseconds.
    pub taken: u64,
    pub payload: Vec<u8>,
}

impl Wall {
    pub fn open(address: &str) -> Self {
        block_on(async {
            let stream = TcpStream::connect(address).await.unwrap();
            let mut request = format!("ws://{address}/ws").into_client_request().unwrap();
            request.headers_mut().insert("sec-websocket-protocol", "cctv.wall.1".parse().unwrap());
            Self(client_async(request, stream).await.unwrap().0)
        })
    }

    /// Shows `cameras` on tiles 0, 1 …, in the formats of `accept`.
    pub fn show(&mut self, cameras: &[&str], accept: &[&str]) {
        let tile = |(tile, camera)| json!({"tile": tile, "camera": camera, "size": [640, 360], "accept": accept});
        let tiles: Vec<_> = cameras.iter().enumerate().map(tile).collect();
        block_on(self.0.send(Message::text(json!({"show": tiles}).to_string()))).unwrap();
    }

    /// Shows only `camera`, on a tile of `size`.
    pub fn show_at(&mut self, camera: &str, size: [u32; 2], accept: &[&str]) {
        let tile = json!({"tile": 0, "camera": camera, "size": size, "accept": accept});
        block_on(self.0.send(Message::text(json!({"show": [tile]}).to_string()))).unwrap();
    }

    /// Reports that tile 0 has drawn the picture `sequence`.
    pub fn drawn(&mut self, sequence: u32) {
        block_on(self.0.send(Message::text(json!({"drawn": {"0": sequence}}).to_string()))).unwrap();
    }

    /// The next message of either kind.
    pub fn next(&mut self) -> Result<Value, Frame> {
        let message = block_on(
            async {
                loop {
                    match self.0.next().await.unwrap().unwrap() {
                        Message::Ping(_) | Message::Pong(_) => {}
                        message => return message,
                    }
                }
            }
            .or(async {
                Timer::after(PATIENCE).await;
                panic!("waited in vain for a message")
            }),
        );
        match message {
            Message::Text(text) => Ok(serde_json::from_str(&text).unwrap()),
            Message::Binary(bytes) => Err(Frame {
                format: bytes[1],
                tile: bytes[2],
                key: bytes[3] & 1 != 0,
                after_gap: bytes[3] & 2 != 0,
                damaged: bytes[3] & 4 != 0,
                sequence: u32::from_le_bytes(bytes[4..8].try_into().unwrap()),
                taken: u64::from_le_bytes(bytes[8..16].try_into().unwrap()),
                payload: bytes[16..].to_vec(),
            }),
            other => panic!("{other:?}"),
        }
    }

    /// The next binary message; skips text messages.
    pub fn frame(&mut self) -> Frame {
        loop {
            if let Err(frame) = self.next() {
                return frame;
            }
        }
    }

    /// The next state of tile 0 for which `is` returns true; skips frames.
    pub fn state(&mut self, is: impl Fn(&Value) -> bool) -> Value {
        loop {
            if let Ok(text) = self.next()
                && text["tile"] == 0
                && is(&text)
            {
                return text;
            }
        }
    }
}

/// Decodes access units and reads what the virtual camera burnt into their pictures.
pub struct Screen(VideoDecoder);

impl Screen {
    pub fn new(codec: Codec) -> Self {
        let name = match codec {
            Codec::H264 => "h264",
            Codec::H265 => "hevc",
            Codec::Mpeg4 => "mpeg4",
            Codec::Jpeg => "mjpeg",
        };
        // With threads, each picture would come out late.
        let builder = VideoDecoder::builder(name).unwrap().set_option("threads", 1).set_option("flags", "+low_delay");
        Self(builder.build().unwrap())
    }

    /// The pictures decoded from `frame`, each with the sequence number of its unit.
    pub fn show(&mut self, frame: &Frame) -> Vec<(u32, Stamp)> {
        let mut packet = PacketMut::new(frame.payload.len());
        packet.data_mut().copy_from_slice(&frame.payload);
        // The decoder returns it with the picture.
        let number = Timestamp::from_micros(i64::from(frame.sequence));
        self.0.try_push(packet.with_pts(number).with_dts(number).freeze()).unwrap();
        let mut stamps = Vec::new();
        while let Some(picture) = self.0.take().unwrap() {
            let luma = &picture.planes()[0];
            let (data, stride) = (luma.data(), luma.line_size());
            let (width, height) = (picture.width(), picture.height());
            let stamp = read(&Pixels { data, width, height, stride, step: 1 }).expect("a stamp");
            stamps.push((u32::try_from(picture.pts().as_micros().unwrap()).unwrap(), stamp));
        }
        stamps
    }
}

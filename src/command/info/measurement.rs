//! What a camera's stream is really like: it is opened and read for some seconds.

use std::{
    cell::RefCell,
    time::{Duration, Instant},
};

use smol::{Timer, future::FutureExt};

use crate::{
    camera::{Credentials, StreamUri},
    http_auth::login::random_seed,
    hub::GopCache,
    media::{AccessUnit, StreamInfo},
    rtsp::{
        self, Timeouts,
        rtp::{Event, Stats, Transport, Unit},
        session::{Config, Learnt, Wanted},
    },
    sync::{Latch, Notifier},
    tls::client::KeyCheck,
};

/// A stream is read for as long as this at most, in all.
pub const MAX_TIME: Duration = Duration::from_secs(12);
/// It is left earlier once it has been read for this long and its key frames are as many as
/// [`ENOUGH_KEY_FRAMES`].
const ENOUGH_TIME: Duration = Duration::from_secs(4);
const ENOUGH_KEY_FRAMES: u32 = 3;

/// How a stream was, from its opening on.
#[derive(Debug, Default)]
pub struct Measurement {
    /// What carries it: `TCP` or `UDP`, or the protocol of one that is not of RTSP.
    pub transport: Option<&'static str>,
    /// How the camera let us in; `None`: without a login.
    pub login: Option<&'static str>,
    pub info: Option<StreamInfo>,
    /// Time from the beginning of the connection to the first whole key frame.
    pub first_picture: Option<Duration>,
    /// Whole units, from the first key frame on.
    frames: Arrivals,
    key_frames: Arrivals,
    bytes: u64,
    pub damaged: u64,
    pub stats: Stats,
    /// How long it was read.
    pub time: Duration,
    /// To make a picture of it.
    pub group: GopCache,
}

/// When the first and the last of some things came, and how many.
#[derive(Clone, Copy, Debug, Default)]
struct Arrivals {
    ends: Option<(Instant, Instant)>,
    count: u32,
}

impl Arrivals {
    fn add(&mut self, at: Instant) {
        let (first, _) = self.ends.unwrap_or((at, at));
        (self.ends, self.count) = (Some((first, at)), self.count + 1);
    }

    /// Time from the first to the last.
    fn span(&self) -> Option<Duration> {
        self.ends.map(|(first, last)| last.duration_since(first))
    }

    /// Mean time between two; `None` before the second one.
    fn interval(&self) -> Option<Duration> {
        self.span().filter(|_| self.count > 1).map(|span| span / (self.count - 1))
    }
}

impl Measurement {
    /// Of a stream that comes by `transport`, before its beginning.
    pub fn by(transport: &'static str) -> Self {
        Self { transport: Some(transport), ..Self::default() }
    }

    /// Frames per second; `None` before the second frame.
    pub fn fps(&self) -> Option<f64> {
        self.frames.interval().map(|interval| interval.as_secs_f64().recip()).filter(|fps| fps.is_finite())
    }

    /// Bits per second from the first key frame on.
    pub fn bitrate(&self) -> Option<f64> {
        let seconds = self.frames.span()?.as_secs_f64();
        (seconds > 0.0).then(|| self.bytes as f64 * 8.0 / seconds)
    }

    /// Mean time between key frames; `None` before the second one.
    pub fn key_frame_interval(&self) -> Option<Duration> {
        self.key_frames.interval()
    }

    /// How long the stream was read behind its first key frame without another one.
    pub fn without_key_frame(&self) -> Option<Duration> {
        self.frames.span().filter(|_| self.key_frames.count == 1)
    }

    fn take(&mut self, event: Event, started: Instant) {
        match event {
            Event::StreamInfo(info) => self.info = Some(info),
            Event::SetUp { transport, .. } => {
                self.transport = Some(match transport {
                    Transport::Tcp => "TCP",
                    Transport::Udp => "UDP",
                });
            }
            Event::Stats(stats) => self.stats = stats,
            Event::Unit(unit) if !unit.is_whole => self.damaged += 1,
            Event::Unit(unit) => self.take_unit(unit, started),
            Event::Problem(_) | Event::Ended => {}
        }
    }

    fn take_unit(&mut self, unit: Unit, started: Instant) {
        let at = unit.received_at;
        self.take_frame(unit.into_access_unit(0, 0, None), at, started);
    }

    /// Counts a whole frame. Its number is its place in the stream.
    pub fn take_frame(&mut self, unit: AccessUnit, at: Instant, started: Instant) {
        if unit.key {
            self.first_picture.get_or_insert(at.saturating_duration_since(started));
            self.key_frames.add(at);
        } else if self.key_frames.count == 0 {
            return;
        }
        self.frames.add(at);
        self.bytes += unit.data.len() as u64;
        let sequence = self.frames.count;
        self.group.push(&AccessUnit { sequence, taken: sequence.into(), ..unit });
    }

    /// Itself if it has a picture, else why it has none: `error` if the stream ended with it.
    ///
    /// # Errors
    /// As told.
    pub fn or_error(self, error: Option<String>) -> Result<Self, String> {
        let limit = MAX_TIME.as_secs();
        match (self.first_picture, error, self.stats.packets) {
            (Some(_), ..) => Ok(self),
            (None, Some(error), _) => Err(error),
            (None, None, 0) => Err(format!("no video within {limit} s")),
            (None, None, packets) => Err(format!("{packets} packets and no key frame within {limit} s")),
        }
    }

    pub fn is_enough(&self, started: Instant) -> bool {
        self.key_frames.count >= ENOUGH_KEY_FRAMES && started.elapsed() >= ENOUGH_TIME
    }
}

/// Opens the RTSP stream at `uri` and reads it for some seconds.
///
/// # Errors
/// Why it could not be opened, or gave no picture.
pub async fn measure(uri: StreamUri, credentials: Option<Credentials>, tls: KeyCheck) -> Result<Measurement, String> {
    let config = Config {
        transport: uri.transport(),
        uri,
        wanted: Wanted::Video,
        credentials,
        allow_clear_password: false,
        tls,
        timeouts: Timeouts::default(),
        seed: random_seed(),
    };
    let started = Instant::now();
    let (measurement, enough) = (RefCell::new(Measurement::default()), Latch::default());
    let on_event = |event| {
        let mut measurement = measurement.borrow_mut();
        measurement.take(event, started);
        if measurement.is_enough(started) {
            enough.set();
        }
    };
    let over = enough.wait().or(async {
        Timer::after(MAX_TIME).await;
    });
    let (_asks, key_frame_wanted) = Notifier::pair();
    let outcome = rtsp::stream::read("info", config, Learnt::default(), on_event, &key_frame_wanted, over).await;
    let mut measurement = measurement.into_inner();
    (measurement.login, measurement.time) = (outcome.login, started.elapsed());
    measurement.or_error(outcome.error.map(|error| error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtsp::rtp::Loss;

    fn unit(is_key: bool, is_whole: bool, received_at: Instant) -> Event {
        Event::Unit(Unit {
            data: vec![0; 1000],
            is_key,
            is_whole,
            is_reference: true,
            is_leading: false,
            loss: Loss::None,
            lost_packets: 0,
            rtp_time: 0,
            camera_time: None,
            received_at,
        })
    }

    #[test]
    fn rate_and_key_frames_count_from_the_first_key_frame_on() {
        let started = Instant::now();
        let at = |millis| started + Duration::from_millis(millis);
        let mut measurement = Measurement::default();
        measurement.take(unit(false, true, at(100)), started);
        assert_eq!((measurement.fps(), measurement.key_frame_interval()), (None, None));
        for number in 0..11_u64 {
            measurement.take(unit(number % 5 == 0, true, at(400 + 100 * number)), started);
        }
        measurement.take(unit(false, false, at(1450)), started);
        assert_eq!(measurement.first_picture, Some(Duration::from_millis(400)));
        assert_eq!(measurement.fps().map(f64::round), Some(10.0));
        assert_eq!(measurement.key_frame_interval(), Some(Duration::from_millis(500)));
        assert_eq!(measurement.bitrate().map(f64::round), Some(88_000.0));
        assert_eq!((measurement.damaged, measurement.group.units().len()), (1, 1));
        assert_eq!(measurement.without_key_frame(), None);
    }

    #[test]
    fn single_key_frame_says_how_long_none_followed() {
        let started = Instant::now();
        let mut measurement = Measurement::default();
        measurement.take(unit(true, true, started), started);
        measurement.take(unit(false, true, started + Duration::from_secs(9)), started);
        assert_eq!(measurement.key_frame_interval(), None);
        assert_eq!(measurement.without_key_frame(), Some(Duration::from_secs(9)));
        assert_eq!(measurement.group.units().len(), 2);
    }
}

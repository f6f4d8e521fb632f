//! Streams and their subscriptions: supervisors publish what cameras send, viewers read what they
//! can.
//!
//! Nothing in this module waits for a viewer. A [`Stream`] is the point at which one RTSP stream
//! fans out. A [`Subscription`] gives one viewer the pictures of a stream, through a mailbox of
//! exactly one picture: a newer picture replaces an unread one. A [`UnitSubscription`] gives one
//! viewer the camera's own video, through a short queue. Demand flows the other way: the rendition
//! requests of all subscriptions are the renditions that the worker encodes. Without any, the
//! worker decodes nothing.
//!
//! ```
//! use std::{sync::Arc, time::{Duration, Instant}};
//! use cctv_agent::{
//!     camera::{CameraId, StreamOptions},
//!     hub::{Channel, Hub, Stream, ViewEvent, ViewerOrigin},
//!     media::{
//!         AccessUnit, Codec, Picture, RenditionRequest, SampleAspect, Size, StreamInfo, transform::Transform,
//!     },
//! };
//!
//! let options = StreamOptions::default();
//! let (id, now) = (CameraId::new("gate").unwrap(), Instant::now());
//! let stream = Arc::new(Stream::new(id, "Front gate".into(), options, now));
//! let hub = Hub::default();
//! hub.replace_channels(vec![Channel::of(Arc::clone(&stream))]);
//!
//! // A viewer of a small tile; what it needs is what the camera's worker is asked for.
//! let tile = RenditionRequest { size: Some(Size { width: 640, height: 360 }), quality: None, fps: None };
//! let mut view = hub.channel("gate").unwrap().subscribe(tile, ViewerOrigin::Own).unwrap();
//! let size = Size { width: 1920, height: 1080 };
//! let (sample_aspect, transform) = (SampleAspect::SQUARE, Transform::NONE);
//! let (codec, codec_config) = (Codec::H264, None);
//! stream.set_stream_info(StreamInfo { codec, codec_config, size, sample_aspect, transform, fps: 25.0 });
//! let rendition = stream.demand()[0].rendition;
//! assert_eq!((rendition.size.width, rendition.quality), (640, 80));
//!
//! // A key frame makes the camera live; the picture of it reaches the viewer.
//! let sequence = stream.begin_worker(now);
//! let unit = AccessUnit { sequence, taken: 1, key: true, damage: None, data: b"encoded"[..].into() };
//! assert!(stream.publish_unit(&unit, now));
//! stream.publish_picture(Picture { rendition, sequence, taken: 1, jpeg: b"jpeg"[..].into() }, now);
//! let ViewEvent::StateChange(condition) = smol::block_on(view.next()) else { unreachable!() };
//! assert_eq!(condition.state.as_str(), "live");
//! assert!(matches!(smol::block_on(view.next()), ViewEvent::Picture(picture) if picture.sequence == sequence));
//! ```

mod agent_status;
mod channel;
mod events_status;
mod gop_cache;
mod look_back;
mod rate_meter;
mod select;
mod stall;
mod status;
mod stream;
mod subscription;
mod switching;
mod unit_queue;
mod unit_subscription;
mod unit_view;
mod uptime;
mod view;
mod viewer_origin;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    camera::CameraId,
    sync::{Mutex, Notified, Notifier},
};

pub use agent_status::{AgentStatus, Reload};
pub use channel::Channel;
pub use events_status::{EventsState, EventsStatus};
pub use gop_cache::GopCache;
pub use status::{Cause, Condition, Endpoint, ProfileStatus, Reception, RenditionStatus, Status, WorkerUsage};
pub use stream::{Stream, TooManyRenditions};
pub use subscription::{Subscription, ViewEvent};
pub use unit_queue::QueuedUnit;
pub use unit_subscription::{UnitEvent, UnitSubscription};
pub use unit_view::UnitView;
pub use view::View;
pub use viewer_origin::ViewerOrigin;

/// All cameras in the order of the configuration.
#[derive(Default)]
pub struct Hub {
    channels: Mutex<Vec<Arc<Channel>>>,
    notifier: Notifier,
}

impl Hub {
    /// The camera named `id` in URLs.
    pub fn channel(&self, id: &str) -> Option<Arc<Channel>> {
        self.channels.lock().iter().find(|channel| channel.id().as_str() == id).cloned()
    }

    pub fn channels(&self) -> Vec<Arc<Channel>> {
        self.channels.lock().clone()
    }

    /// The cameras whose supervisors missed their heartbeat deadline by more than `limit`, and
    /// by how much. A supervisor that waits out its backoff is in time; one that hangs is not.
    pub fn overdue_supervisors(&self, limit: Duration, now: Instant) -> Vec<(CameraId, Duration)> {
        let streams = self.channels().into_iter().flat_map(|channel| channel.streams());
        streams
            .map(|stream| (stream.id().clone(), stream.heartbeat_late(now)))
            .filter(|(_, late)| *late > limit)
            .collect()
    }

    /// Sets the cameras on the wall, in this order. A camera that is no longer among them is
    /// closed, which ends its viewers.
    pub fn replace_channels(&self, channels: Vec<Arc<Channel>>) {
        let before = std::mem::replace(&mut *self.channels.lock(), channels.clone());
        self.notifier.notify();
        let stays = |old: &Arc<Channel>| channels.iter().any(|new| Arc::ptr_eq(old.main(), new.main()));
        for removed in before.iter().filter(|old| !stays(old)) {
            removed.close();
        }
    }

    /// Sets the cameras on the wall, with one stream each.
    #[cfg(test)]
    pub fn replace_streams(&self, streams: Vec<Arc<Stream>>) {
        self.replace_channels(streams.into_iter().map(Channel::of).collect());
    }

    /// A receiver that is notified, at least once, after each change of the cameras.
    pub fn changes(&self) -> Notified {
        self.notifier.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::StreamOptions;

    fn stream(id: &str) -> Arc<Stream> {
        let options = StreamOptions::default();
        Arc::new(Stream::new(CameraId::new(id).unwrap(), id.to_owned(), options, Instant::now()))
    }

    #[test]
    fn channels_are_found_by_name_and_kept_in_order() {
        let hub = Hub::default();
        hub.replace_streams(vec![stream("b"), stream("a")]);
        let order: Vec<_> = hub.channels().iter().map(|channel| channel.id().to_string()).collect();
        assert_eq!(order, ["b", "a"]);
        assert!(hub.channel("a").is_some());
        assert!(hub.channel("c").is_none());
    }

    #[test]
    fn supervisor_that_misses_its_heartbeat_is_reported_and_one_that_waits_is_not() {
        let (hub, start) = (Hub::default(), Instant::now());
        let second = Duration::from_secs(1);
        let (hangs, waits) = (stream("hangs"), stream("waits"));
        hub.replace_streams(vec![Arc::clone(&hangs), Arc::clone(&waits), stream("new")]);
        hangs.set_heartbeat_deadline(start);
        waits.set_heartbeat_deadline(start + 60 * second);
        assert_eq!(hub.overdue_supervisors(10 * second, start + 10 * second), []);
        let late = [(hangs.id().clone(), 11 * second)];
        assert_eq!(hub.overdue_supervisors(10 * second, start + 11 * second), late);
        hangs.set_heartbeat_deadline(start + 12 * second);
        assert_eq!(hub.overdue_supervisors(10 * second, start + 20 * second), []);
    }

    #[test]
    fn every_change_is_notified() {
        let hub = Hub::default();
        let changes = hub.changes();
        assert!(!changes.take());
        hub.replace_streams(vec![stream("a")]);
        hub.replace_streams(vec![]);
        assert!(changes.take());
        assert!(!changes.take(), "one notification is enough for two changes");
    }
}

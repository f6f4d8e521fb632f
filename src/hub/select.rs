//! Which of a camera's streams a viewer is shown, and which one it waits for.
//!
//! The rendition request of a viewer decides which of the two suits it. The viewer is shown that
//! stream as soon as it has a picture, and the other one until then.

use std::sync::Arc;

use super::{channel::Channel, stream::Stream};
use crate::media::{RenditionRequest, Size, fit};

/// The size assumed for the small stream until the camera announces it.
const ASSUMED_SMALL: Size = Size { width: 640, height: 360 };

/// How much the small stream may be enlarged, in percent, for a viewer that is shown it already.
/// The margin keeps a tile of varying size from opening and closing the main stream repeatedly.
const STAY: u32 = 125;

/// The same for all other viewers. It allows for cameras that round their sizes.
const ENTER: u32 = 110;

/// Counts a viewer until it is dropped.
pub(super) struct ViewerGuard(Arc<Channel>);

impl ViewerGuard {
    pub(super) fn new(channel: &Arc<Channel>) -> Self {
        channel.enter();
        Self(Arc::clone(channel))
    }

    pub(super) fn channel(&self) -> &Arc<Channel> {
        &self.0
    }
}

impl Drop for ViewerGuard {
    fn drop(&mut self) {
        self.0.leave();
    }
}

impl Channel {
    /// The stream at which a viewer with this request starts: the one that suits it, or the other
    /// one while only that is live.
    pub fn stream_for(&self, rendition_request: RenditionRequest) -> Arc<Stream> {
        let select_stream = self.select_stream(rendition_request, None);
        match self.other(&select_stream) {
            Some(other) if !select_stream.is_live() && other.is_live() => other,
            _ => select_stream,
        }
    }

    /// The stream that suits `rendition_request`: the smallest one that need not be enlarged. `at`
    /// is the stream that the viewer is shown already.
    pub(super) fn select_stream(&self, rendition_request: RenditionRequest, at: Option<&Arc<Stream>>) -> Arc<Stream> {
        let Some(small) = self.small() else { return Arc::clone(self.main()) };
        let slack = if at.is_some_and(|at| Arc::ptr_eq(at, &small)) { STAY } else { ENTER };
        let size = small.info().map_or(ASSUMED_SMALL, |stream| stream.display_size());
        if covers(size, self.main().info().map(|stream| stream.display_size()), rendition_request.size, slack) {
            small
        } else {
            Arc::clone(self.main())
        }
    }

    /// The stream to which a viewer that is shown `at` must switch once that stream has pictures.
    pub(super) fn awaited(&self, rendition_request: RenditionRequest, at: &Arc<Stream>) -> Option<Arc<Stream>> {
        let select_stream = self.select_stream(rendition_request, Some(at));
        if !Arc::ptr_eq(&select_stream, at) {
            return Some(select_stream);
        }
        self.other(at).filter(|other| !at.is_live() && other.is_live())
    }

    /// Whether a viewer of `stream` needs another subscription although the camera stays: the small
    /// stream was replaced or removed.
    pub(super) fn has_left(&self, stream: &Arc<Stream>) -> bool {
        !self.main().is_closed() && self.streams().iter().all(|there| !Arc::ptr_eq(there, stream))
    }
}

/// Whether a stream of display size `small` fills `box_` as well as `main` would. `slack` is the
/// percentage of its size up to which it counts as large enough.
fn covers(small: Size, main: Option<Size>, box_: Option<Size>, slack: u32) -> bool {
    let scaled = |length: u32| u64::from(length) * u64::from(slack) / 100;
    // An unknown main stream is assumed to have the same shape and to be larger than any box.
    let main = main.unwrap_or(Size { width: small.width.max(1) * 64, height: small.height.max(1) * 64 });
    let wanted = box_.map_or(main, |box_| fit(main, box_));
    u64::from(wanted.width) <= scaled(small.width) && u64::from(wanted.height) <= scaled(small.height)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL_HD: Size = Size { width: 1920, height: 1080 };

    #[test]
    fn tile_is_covered_where_it_need_not_be_enlarged() {
        let small = Size { width: 640, height: 360 };
        let suits =
            |main, box_: (u32, u32), slack| covers(small, main, Some(Size { width: box_.0, height: box_.1 }), slack);
        assert!(suits(Some(FULL_HD), (640, 360), 100) && !suits(Some(FULL_HD), (641, 362), 100));
        assert!(suits(Some(FULL_HD), (700, 394), ENTER) && !suits(Some(FULL_HD), (720, 405), ENTER));
        assert!(suits(Some(FULL_HD), (800, 450), STAY) && !suits(Some(FULL_HD), (802, 452), STAY));
        assert!(suits(Some(FULL_HD), (640, 5000), 100), "the picture is fitted into the box");
        assert!(suits(Some(small), (1920, 1080), 100), "nothing larger is to be had");
        assert!(suits(None, (640, 360), 100) && !suits(None, (1280, 720), 100));
        assert!(!covers(small, Some(FULL_HD), None, STAY), "who names no size wants it whole");
    }
}

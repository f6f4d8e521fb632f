//! Cards, each drawn once for all viewers that need it.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use smol::lock::Mutex;

use crate::{
    card::{self, Card},
    hub::{Condition, Stream},
    log::chain,
    media::{Rendition, RenditionRequest, Size},
};

/// Draws a card of this size and JPEG quality: [`crate::card::draw`], except in tests. It may take
/// some milliseconds, so it runs on the thread pool for blocking work.
pub type Draw = Arc<dyn Fn(Size, u8, &Card) -> Result<Vec<u8>, card::Error> + Send + Sync>;

/// The card size for a viewer that requests no size, of a camera whose size is not known yet.
const USUAL_SIZE: Size = Size { width: 1280, height: 720 };

/// Maximum number of cards kept: two for each camera of a big wall.
const MAX_KEPT: usize = 64;

/// Maximum bytes of cards kept: a card of 320x180 takes 20 KB, one of 3840x2160 takes a megabyte.
const KEPT_BYTES: usize = 4 << 20;

type Key = (Size, u8, Card);

pub struct Cards {
    draw: Draw,
    /// Newest last. The lock is held while a card is drawn: other viewers of the same card wait for
    /// it instead of drawing it again, and at most one thread draws, however many cameras fail.
    drawn: Mutex<VecDeque<(Key, Bytes)>>,
}

impl Cards {
    pub fn new(draw: Draw) -> Self {
        Self { draw, drawn: Mutex::default() }
    }

    /// The card of `stream` in `condition`, in the size that its pictures would have for
    /// `rendition_request`.
    pub async fn card(&self, stream: &Stream, condition: Condition, rendition_request: RenditionRequest) -> Bytes {
        let quality = rendition_request.quality.unwrap_or_else(|| stream.options().quality);
        let size = match stream.info() {
            Some(info) => Rendition::for_request(rendition_request, info.display_size(), quality, 1).size,
            None => rendition_request.size.unwrap_or(USUAL_SIZE),
        };
        let card = Card {
            name: stream.name(),
            id: stream.id().clone(),
            state: condition.state,
            why: condition.why.to_string(),
            since_seconds: Some(step(stream.since(Instant::now()))),
        };
        let key = (size, quality, card);
        let mut drawn = self.drawn.lock().await;
        if let Some((_, jpeg)) = drawn.iter().find(|(kept, _)| *kept == key) {
            return jpeg.clone();
        }
        let draw = Arc::clone(&self.draw);
        let (size, quality, card) = key.clone();
        let jpeg: Bytes = match smol::unblock(move || draw(size, quality, &card)).await {
            Ok(jpeg) => jpeg.into(),
            Err(error) => {
                log::error!("{}: cannot draw its card: {}", stream.id(), chain(&error));
                return Bytes::new();
            }
        };
        drawn.push_back((key, jpeg.clone()));
        let mut bytes: usize = drawn.iter().map(|(_, jpeg)| jpeg.len()).sum();
        while drawn.len() > MAX_KEPT || (bytes > KEPT_BYTES && drawn.len() > 1) {
            bytes -= drawn.pop_front().map_or(0, |(_, jpeg)| jpeg.len());
        }
        jpeg
    }
}

/// `since` in seconds, in steps that grow with it: an hour-old card is not drawn again every
/// second.
fn step(since: Duration) -> u64 {
    match since.as_secs() {
        seconds @ 0..=9 => seconds,
        seconds @ 10..=59 => seconds - seconds % 5,
        seconds @ 60.. => seconds - seconds % 60,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::{CameraId, StreamOptions};

    #[test]
    fn card_for_many_viewers_is_drawn_once() {
        let count = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counting = Arc::clone(&count);
        let cards = Cards::new(Arc::new(move |size, _, card| {
            counting.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Ok(format!("{}x{} {}", size.width, size.height, card.why).into_bytes())
        }));
        let options = StreamOptions::default();
        // An hour old, so that the test cannot cross a step of one second.
        let then = Instant::now().checked_sub(Duration::from_secs(3600)).unwrap_or_else(Instant::now);
        let stream = Stream::new(CameraId::new("gate").unwrap(), "Gate".into(), options, then);
        let rendition_request = RenditionRequest { size: None, quality: None, fps: None };
        let (first, second) = smol::block_on(smol::future::zip(
            cards.card(&stream, stream.condition(), rendition_request),
            cards.card(&stream, stream.condition(), rendition_request),
        ));
        assert_eq!(&first[..], b"1280x720 starting");
        assert_eq!(first, second);
        assert_eq!(count.load(std::sync::atomic::Ordering::Relaxed), 1);
    }

    #[test]
    fn cards_kept_are_bounded_in_number_and_bytes() {
        for (length, kept) in [(10, MAX_KEPT), (1 << 20, 4), (5 << 20, 1)] {
            let cards = Cards::new(Arc::new(move |_, _, _| Ok(vec![0; length])));
            let options = StreamOptions::default();
            let stream = Stream::new(CameraId::new("gate").unwrap(), "Gate".into(), options, Instant::now());
            for width in 200..300 {
                let rendition_request =
                    RenditionRequest { size: Some(Size { width, height: 90 }), quality: None, fps: None };
                smol::block_on(cards.card(&stream, stream.condition(), rendition_request));
            }
            assert_eq!(smol::block_on(cards.drawn.lock()).len(), kept, "of {length} bytes");
        }
    }

    #[test]
    fn steps_grow_with_the_time() {
        let step = |seconds| step(Duration::from_secs(seconds));
        assert_eq!([step(9), step(14), step(59), step(119), step(3599)], [9, 10, 55, 60, 3540]);
    }
}

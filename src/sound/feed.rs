//! The point at which the sound of one camera fans out to those who listen.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use smol::Timer;

use super::format::SoundFormat;
use crate::{
    media::UnixMicros,
    sync::{Mutex, Notified, Notifier},
    text::Reason,
};

/// Units that wait for a listener at most: one second of G.711 in packets of 20 ms. Older ones are dropped.
const MAX_QUEUED: usize = 50;

/// Some samples, as the camera encoded them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SoundUnit {
    pub data: Vec<u8>,
    /// When it came, by the agent's clock.
    pub taken: UnixMicros,
    /// Counts the units of the feed; wraps.
    pub sequence: u32,
    /// Something is missing before it.
    pub after_loss: bool,
}

/// A unit for one listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuedSound {
    pub unit: Arc<SoundUnit>,
    /// Units before it are missing, lost by the network or dropped because the listener is slow.
    pub after_gap: bool,
}

/// Whether there is sound.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum SoundState {
    /// Nobody has listened yet, or the camera is being asked.
    #[default]
    Opening,
    Playing(Arc<SoundFormat>),
    /// There is none; it is tried again after a pause.
    Failed(Reason),
}

/// What a listener is told.
#[derive(Clone, Debug, PartialEq)]
pub enum SoundEvent {
    State(SoundState),
    Unit(QueuedSound),
    /// The camera can no longer be heard.
    Closed,
}

/// The sound of one camera.
#[derive(Debug, Default)]
pub struct SoundFeed {
    inner: Mutex<Inner>,
    /// Notified when the number of listeners has changed.
    demand: Notifier,
}

#[derive(Debug, Default)]
struct Inner {
    state: SoundState,
    is_closed: bool,
    /// The number of the next unit, and of the next listener.
    sequence: u32,
    next: u64,
    listeners: Vec<Place>,
}

/// A listener's place.
#[derive(Debug)]
struct Place {
    number: u64,
    /// The state has changed since it was told.
    has_news: bool,
    queue: VecDeque<QueuedSound>,
    /// Units were dropped since the last one in the queue.
    has_gap: bool,
    notifier: Notifier,
}

impl SoundFeed {
    /// Begins to listen: the first event is the present state.
    pub fn listen(self: &Arc<Self>) -> Listener {
        let (notifier, notified) = Notifier::pair();
        let mut inner = self.inner.lock();
        let number = inner.next;
        inner.next += 1;
        inner.listeners.push(Place { number, has_news: true, queue: VecDeque::new(), has_gap: false, notifier });
        drop(inner);
        self.demand.notify();
        Listener { feed: Arc::clone(self), number, notified }
    }

    /// The present number of listeners.
    pub fn listeners(&self) -> usize {
        self.inner.lock().listeners.len()
    }

    /// Waits until somebody listens.
    pub async fn wanted(&self) {
        let changed = self.demand.subscribe();
        while self.listeners() == 0 {
            changed.changed().await;
        }
    }

    /// Waits until nobody has listened for `kept`.
    pub async fn unwanted(&self, kept: Duration) {
        let changed = self.demand.subscribe();
        loop {
            if self.listeners() > 0 {
                changed.changed().await;
                continue;
            }
            let over = async {
                Timer::after(kept).await;
                true
            };
            let again = async {
                changed.changed().await;
                false
            };
            if smol::future::or(again, over).await && self.listeners() == 0 {
                return;
            }
        }
    }

    /// Tells those who listen whether there is sound.
    pub fn report(&self, state: SoundState) {
        let mut inner = self.inner.lock();
        if inner.state == state {
            return;
        }
        let is_playing = matches!(state, SoundState::Playing(_));
        inner.state = state;
        for place in &mut inner.listeners {
            place.has_news = true;
            if !is_playing {
                // Nothing old is heard after a pause.
                place.queue.clear();
                place.has_gap = true;
            }
            place.notifier.notify();
        }
    }

    /// Hands on some samples. Never waits: a listener that is slow loses the oldest ones.
    pub fn push(&self, data: Vec<u8>, taken: UnixMicros, after_loss: bool) {
        let mut inner = self.inner.lock();
        let sequence = inner.sequence;
        inner.sequence = sequence.wrapping_add(1);
        let unit = Arc::new(SoundUnit { data, taken, sequence, after_loss });
        for place in &mut inner.listeners {
            let after_gap = std::mem::take(&mut place.has_gap) || after_loss;
            place.queue.push_back(QueuedSound { unit: Arc::clone(&unit), after_gap });
            if place.queue.len() > MAX_QUEUED {
                place.queue.pop_front();
                if let Some(first) = place.queue.front_mut() {
                    first.after_gap = true;
                }
            }
            place.notifier.notify();
        }
    }

    /// The camera can no longer be heard.
    pub fn close(&self) {
        let mut inner = self.inner.lock();
        inner.is_closed = true;
        inner.listeners.iter().for_each(|place| place.notifier.notify());
    }

    fn next_event(&self, number: u64) -> Option<SoundEvent> {
        let mut inner = self.inner.lock();
        if inner.is_closed {
            return Some(SoundEvent::Closed);
        }
        let state = inner.state.clone();
        let place = inner.listeners.iter_mut().find(|place| place.number == number)?;
        if std::mem::take(&mut place.has_news) {
            return Some(SoundEvent::State(state));
        }
        place.queue.pop_front().map(SoundEvent::Unit)
    }
}

/// Somebody who listens. Dropping it ends that.
#[derive(Debug)]
pub struct Listener {
    feed: Arc<SoundFeed>,
    number: u64,
    notified: Notified,
}

impl Listener {
    /// Waits for the next event. Cancel-safe.
    pub async fn next(&self) -> SoundEvent {
        loop {
            if let Some(event) = self.feed.next_event(self.number) {
                return event;
            }
            self.notified.changed().await;
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.feed.inner.lock().listeners.retain(|place| place.number != self.number);
        self.feed.demand.notify();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{sound::SoundCodec, text::Code};

    fn playing() -> SoundState {
        SoundState::Playing(Arc::new(SoundFormat { codec: SoundCodec::Pcmu, sample_rate: 8000, channels: 1 }))
    }

    fn next(listener: &Listener) -> Option<SoundEvent> {
        smol::block_on(smol::future::poll_once(listener.next()))
    }

    #[test]
    fn every_listener_hears_the_same_from_when_it_came() {
        let feed = Arc::new(SoundFeed::default());
        let first = feed.listen();
        assert_eq!(next(&first), Some(SoundEvent::State(SoundState::Opening)));
        feed.report(playing());
        feed.push(vec![1], 10, false);
        let second = feed.listen();
        feed.push(vec![2], 20, true);
        let heard = |listener: &Listener| {
            std::iter::from_fn(|| next(listener))
                .filter_map(|event| match event {
                    SoundEvent::Unit(queued) => {
                        Some((queued.unit.data.clone(), queued.unit.sequence, queued.after_gap))
                    }
                    _ => None,
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(heard(&first), [(vec![1], 0, false), (vec![2], 1, true)]);
        assert_eq!(heard(&second), [(vec![2], 1, true)]);
        drop(first);
        assert_eq!(feed.listeners(), 1);
    }

    #[test]
    fn listener_that_is_slow_loses_sound_and_is_told() {
        let feed = Arc::new(SoundFeed::default());
        feed.report(playing());
        let slow = feed.listen();
        (0..200).for_each(|n| feed.push(vec![n], 0, false));
        assert_eq!(next(&slow), Some(SoundEvent::State(playing())));
        let Some(SoundEvent::Unit(first)) = next(&slow) else { panic!("nothing is left") };
        assert!(first.after_gap && first.unit.sequence == 200 - MAX_QUEUED as u32, "{first:?}");
    }

    #[test]
    fn nothing_old_is_heard_after_the_sound_has_ended() {
        let feed = Arc::new(SoundFeed::default());
        feed.report(playing());
        let listener = feed.listen();
        feed.push(vec![1], 0, false);
        let failed = SoundState::Failed(Code::ConnectionReset.into());
        feed.report(failed.clone());
        assert_eq!(next(&listener), Some(SoundEvent::State(failed)));
        assert_eq!(next(&listener), None);
    }

    #[test]
    fn it_is_unwanted_a_while_after_the_last_listener_has_gone() {
        let feed = Arc::new(SoundFeed::default());
        let listener = feed.listen();
        let kept = Duration::from_millis(20);
        smol::block_on(async {
            let leaves = async {
                Timer::after(kept * 3).await;
                drop(listener);
                std::future::pending::<()>().await;
            };
            let started = std::time::Instant::now();
            smol::future::or(feed.unwanted(kept), leaves).await;
            assert!(started.elapsed() >= kept * 4);
        });
    }
}

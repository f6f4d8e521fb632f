//! The JPEGs that one viewer of one camera is shown: the live picture or, while there is none, the
//! card that says so.
//!
//! This module keeps the promise that a picture which is not live never looks live. A picture is
//! sent again only while its camera is live. From the moment it is not, only the card is sent.

use std::{sync::Arc, time::Instant};

use smol::future::FutureExt;

use crate::web::{
    Web,
    admission::principal::{Principal, Revocation},
    stream::{
        frame::{Frame, unix_now},
        frame_limiter::FrameLimiter,
        wanted::Wanted,
    },
};
use crate::{
    camera::State,
    hub::{Condition, TooManyRenditions, View, ViewEvent},
    media::{Picture, RenditionRequest, UnixMicros},
    text::{Code, Reason},
    time::LazyDeadline,
};

pub struct Frames<'a> {
    web: &'a Web,
    principal: Principal,
    revocation: Revocation,
    view: View,
    rendition_request: RenditionRequest,
    newest: Option<Arc<Picture>>,
    pace: FrameLimiter,
    /// When a frame must be sent at the latest.
    due: Instant,
    alarm: LazyDeadline,
    /// Why no frame follows.
    end: Option<Reason>,
}

impl<'a> Frames<'a> {
    /// # Errors
    /// [`TooManyRenditions`]
    pub fn new(web: &'a Web, wanted: &Wanted) -> Result<Self, TooManyRenditions> {
        let Wanted { channel, rendition_request, principal, origin } = wanted;
        let due = Instant::now() + web.limits.repeat;
        let view = channel.subscribe(*rendition_request, *origin)?;
        Ok(Self {
            web,
            principal: principal.clone(),
            revocation: Revocation::new(principal.clone(), &web.users),
            view,
            rendition_request: *rendition_request,
            newest: None,
            pace: FrameLimiter::default(),
            due,
            alarm: LazyDeadline::default(),
            end: None,
        })
    }

    /// Why the last frame was the last; empty before that.
    pub fn end(&self) -> &str {
        self.end.as_deref().unwrap_or_default()
    }

    /// Requests another size from now on.
    pub fn change(&mut self, rendition_request: RenditionRequest) -> Result<(), TooManyRenditions> {
        self.view.change(rendition_request)?;
        self.rendition_request = rendition_request;
        Ok(())
    }

    /// Waits for the viewer's next frame, for at most `Limits::repeat`; after that, the next frame
    /// is the same picture or card again. Cancel-safe: dropping the future loses nothing.
    pub async fn next(&mut self) -> Frame {
        enum Event {
            ViewEvent(ViewEvent),
            Due,
            Stop(String),
        }
        while self.end.is_none() {
            // The stop signal is polled first: a viewer slower than its camera always has a picture
            // waiting.
            let revoked = async {
                self.revocation.revoked().await;
                Revocation::REASON.to_owned()
            };
            let event = async { Event::Stop(self.web.stopping().or(revoked).await) }
                .or(async { Event::ViewEvent(self.view.next().await) })
                .or(async {
                    self.alarm.wait_until(self.due).await;
                    Event::Due
                })
                .await;
            match event {
                Event::ViewEvent(ViewEvent::Picture(picture)) => {
                    self.newest = Some(Arc::clone(&picture));
                    if self.pace.allows(self.rendition_request, picture.rendition, Instant::now()) {
                        return self.live(&picture);
                    }
                }
                // Whatever the new state is: the camera may have been away unnoticed during a long
                // write, so no picture from before the change is sent again.
                Event::ViewEvent(ViewEvent::StateChange(condition)) => {
                    self.newest = None;
                    if condition.state != State::Live {
                        break;
                    }
                }
                Event::Due => break,
                Event::ViewEvent(ViewEvent::Closed) => self.end = Some(Code::Removed.into()),
                Event::Stop(why) => self.end = Some(Code::Text.with("text", why).into()),
            }
        }
        self.standing_frame().await
    }

    /// The newest picture again if it is still live, else the card.
    async fn standing_frame(&mut self) -> Frame {
        let stream = Arc::clone(self.view.stream());
        let mut condition = self.principal.condition(self.view.condition());
        if let Some(end) = self.end.clone() {
            condition = Condition { state: State::Offline, why: end };
        }
        if condition.state != State::Live {
            self.newest = None;
        } else if let Some(picture) = self.newest.clone() {
            return self.live(&picture);
        } else {
            condition = Condition { state: State::Connecting, why: Code::WaitingForPicture.into() };
        }
        // If this future is dropped while the card is drawn, the next one starts by drawing it.
        self.due = Instant::now();
        let state = condition.state;
        let jpeg = self.web.cards.card(&stream, condition, self.rendition_request).await;
        self.due = Instant::now() + self.web.limits.repeat;
        Frame { jpeg, taken: unix_now(), sequence: 0, state, last: self.end.is_some() }
    }

    fn live(&mut self, picture: &Picture) -> Frame {
        self.due = Instant::now() + self.web.limits.repeat;
        Frame {
            jpeg: picture.jpeg.clone(),
            taken: picture.taken,
            sequence: picture.sequence,
            state: State::Live,
            last: false,
        }
    }
}

/// Unix seconds with six decimals, as in `X-Timestamp`.
pub fn seconds(taken: UnixMicros) -> String {
    format!("{}.{:06}", taken / 1_000_000, taken % 1_000_000)
}

//! `/snapshot/<id>`: one picture.

use std::{sync::Arc, time::Instant};

use crate::web::{
    Web,
    admission::too_many,
    http::response::Response,
    stream::{frame::unix_now, jpeg_feed::seconds, wanted::Wanted},
};
use crate::{
    camera::State,
    hub::{Condition, View, ViewEvent},
    media::Picture,
    text::Code,
    time::timeout,
};

/// The newest picture, or the card with 503. It waits for at most `Limits::first_picture`: without
/// other viewers, the decoder starts with this request. If the stream that suits the request is not
/// open, it is opened and waited for up to `Limits::on_demand`; after that, the other stream's
/// picture is used.
pub async fn take(web: &Web, wanted: &Wanted) -> Response {
    match newest(web, wanted).await {
        Ok(picture) => response(200, picture.jpeg.to_vec(), picture.taken, picture.sequence, State::Live),
        Err(response) => response,
    }
}

/// The picture that [`take`] answers with.
///
/// # Errors
/// The response without one.
pub async fn newest(web: &Web, wanted: &Wanted) -> Result<Arc<Picture>, Response> {
    let rendition_request = wanted.rendition_request;
    let mut view = match wanted.channel.subscribe(rendition_request, wanted.origin) {
        Ok(view) => view,
        Err(error) => return Err(too_many(error)),
    };
    let started = Instant::now();
    let limit = if view.is_waiting() { web.limits.on_demand } else { web.limits.first_picture };
    let mut newest = None;
    let condition = timeout(limit, live_picture(&mut view, &mut newest)).await;
    if let Some(picture) = newest {
        return Ok(picture);
    }
    let condition = condition.unwrap_or_else(|| Condition {
        state: State::Connecting,
        why: Code::NoPictureYet.with("seconds", started.elapsed().as_secs_f64()).into(),
    });
    let condition = wanted.principal.condition(condition);
    let state = condition.state;
    let card = web.cards.card(view.stream(), condition, rendition_request).await;
    Err(response(503, card.to_vec(), unix_now(), 0, state).header("Retry-After", "5"))
}

/// Waits for a picture of the stream that suits best; a picture available meanwhile is in `newest`.
/// Returns the camera's condition; if it is not live, `newest` is empty.
async fn live_picture(view: &mut View, newest: &mut Option<Arc<Picture>>) -> Condition {
    loop {
        match view.next().await {
            ViewEvent::Picture(picture) => {
                *newest = Some(picture);
                if !view.is_waiting() {
                    return view.stream().condition();
                }
            }
            ViewEvent::StateChange(condition) => {
                *newest = None;
                if condition.state != State::Live {
                    return condition;
                }
            }
            ViewEvent::Closed => {
                *newest = None;
                return Condition { state: State::Offline, why: Code::Removed.into() };
            }
        }
    }
}

fn response(status: u16, jpeg: Vec<u8>, taken: u64, sequence: u32, state: State) -> Response {
    Response::new(status, "image/jpeg", jpeg)
        .header("Cache-Control", "no-store")
        .header("X-Timestamp", seconds(taken))
        .header("X-Sequence", sequence.to_string())
        .header("X-State", state.as_str())
}

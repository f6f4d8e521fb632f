//! `/snapshot/<id>`: one picture.

use std::{sync::Arc, time::Instant};

use super::{
    Web,
    answer::Answer,
    deadline::within,
    doors::too_many,
    frames::{REMOVED, seconds, unix_now},
};
use crate::{
    camera::State,
    hub::{Lane, Seat, Shown, Standing},
    media::{Picture, Wish},
};

/// The newest picture, or the card with 503. Waits for `Limits::first_picture` at most: where
/// nobody watches, the decoder starts with this very request.
pub async fn take(web: &Web, lane: &Arc<Lane>, wish: Wish) -> Answer {
    let mut seat = match lane.sit(wish) {
        Ok(seat) => seat,
        Err(error) => return too_many(error),
    };
    let started = Instant::now();
    let standing = match within(web.limits.first_picture, live_picture(&mut seat)).await {
        Some(Ok(picture)) => return answer(200, picture.jpeg.to_vec(), picture.taken, picture.sequence, State::Live),
        Some(Err(standing)) => standing,
        None => Standing {
            state: State::Connecting,
            why: format!("no picture was decoded within {:.1} s", started.elapsed().as_secs_f64()),
        },
    };
    let state = standing.state;
    let card = web.cards.card(lane, standing, wish).await;
    answer(503, card.to_vec(), unix_now(), 0, state).header("Retry-After", "5")
}

/// The first picture of a live camera, or why there is none.
async fn live_picture(seat: &mut Seat) -> Result<Arc<Picture>, Standing> {
    loop {
        match seat.next().await {
            Shown::Picture(picture) => return Ok(picture),
            Shown::News(Standing { state: State::Live, .. }) => {}
            Shown::News(standing) => return Err(standing),
            Shown::Closed => return Err(Standing { state: State::Offline, why: REMOVED.to_owned() }),
        }
    }
}

fn answer(status: u16, jpeg: Vec<u8>, taken: u64, sequence: u32, state: State) -> Answer {
    Answer::new(status, "image/jpeg", jpeg)
        .header("Cache-Control", "no-store")
        .header("X-Timestamp", seconds(taken))
        .header("X-Sequence", sequence.to_string())
        .header("X-State", state.word())
}

//! Fetches one JPEG again and again.
//!
//! A picture with the same bytes as the last one is no new picture, so a camera that is frozen stalls.

use std::time::{Duration, Instant};

use smol::Timer;

use super::{
    Config, Error,
    client::{Answer, Client},
    multipart::MAX_PICTURE_LEN,
    picture_age::PictureAge,
    stream::Event,
};
use crate::{
    media::{
        Size,
        jpeg_scan::{Found, Scanner},
    },
    text,
    time::timeout,
};

/// Maximum number of requests in a row that may fail once a picture has come.
const MAX_FAILURES: u32 = 2;

/// Age up to which the first picture is handed on at once. A camera that sends the same date with every picture
/// is known by the second one.
const MAX_UNPROVEN_AGE: Duration = Duration::from_secs(2);

/// What came of one request.
struct Fetched {
    /// `None`: something of it is missing.
    picture: Option<(Vec<u8>, Size)>,
    received_at: Instant,
    age: Duration,
}

/// Fetches the picture once every so often until that fails, and returns why. What is new is handed to
/// `on_event`. `name` is the camera's in the log.
pub async fn read(name: &str, config: Config, every: Duration, mut on_event: impl FnMut(Event)) -> Error {
    let limit = config.timeouts.response;
    let mut client = Client::new(name, config);
    let (mut last, mut age) = (Vec::new(), PictureAge::default());
    // A first picture that the camera calls old.
    let mut held = None;
    // The first one must not fail.
    let mut failures = MAX_FAILURES;
    loop {
        let asked_at = Instant::now();
        match fetch(&mut client, limit, &last, &mut age).await {
            Ok(fetched) => {
                failures = 0;
                let Fetched { picture, received_at, age } = fetched;
                let made_at = received_at.checked_sub(age).unwrap_or(received_at);
                match picture {
                    // So it is old.
                    Some((jpeg, _)) if jpeg == last => held.take().into_iter().for_each(&mut on_event),
                    Some((jpeg, size)) => {
                        let is_unproven = last.is_empty() && age > MAX_UNPROVEN_AGE;
                        last.clone_from(&jpeg);
                        held = Some(Event::Picture { jpeg, size, received_at: made_at });
                        if !is_unproven {
                            held.take().into_iter().for_each(&mut on_event);
                        }
                    }
                    None => on_event(Event::Damaged { received_at }),
                }
            }
            Err(error) if error.may_pass() && failures < MAX_FAILURES => {
                failures += 1;
                log::debug!("{name}: no picture this time: {error:?}");
            }
            Err(error) => return error,
        }
        Timer::at(asked_at + every).await;
    }
}

async fn fetch(client: &mut Client<'_>, limit: Duration, last: &[u8], age: &mut PictureAge) -> Result<Fetched, Error> {
    let mut answer = client.get().await?;
    let (content_type, _) = answer.content_type();
    // Some servers do not say what they send.
    if !content_type.starts_with("image/") && !["", "application/octet-stream"].contains(&content_type.as_str()) {
        return Err(Error::WrongType { content_type: text::reason(&content_type) });
    }
    let body = timeout(limit, picture(&mut answer)).await;
    let picture = body.unwrap_or(Err(Error::NoAnswer { waited: limit }))?;
    let age = match &picture {
        Some((jpeg, _)) if jpeg != last => age.of(answer.head()),
        _ => Duration::ZERO,
    };
    Ok(Fetched { picture, received_at: Instant::now(), age })
}

/// Reads one JPEG, whatever its announced length; `None`: it is cut short.
async fn picture(answer: &mut Answer) -> Result<Option<(Vec<u8>, Size)>, Error> {
    let (mut jpeg, mut scanner) = (Vec::new(), Scanner::default());
    while let Some((bytes, _)) = answer.body().await? {
        // Some cameras send an empty line more than they should.
        let padding =
            if jpeg.is_empty() { bytes.iter().take_while(|byte| byte.is_ascii_whitespace()).count() } else { 0 };
        jpeg.extend_from_slice(&bytes[padding..]);
        match scanner.scan(&jpeg) {
            Found::Whole { len, size } => {
                jpeg.truncate(len);
                return Ok(Some((jpeg, size)));
            }
            Found::NotJpeg => return Err(Error::OutOfStep { skipped: jpeg.len() }),
            Found::Broken => return Ok(None),
            Found::More if jpeg.len() > MAX_PICTURE_LEN => return Err(Error::TooLong),
            Found::More => {}
        }
    }
    if jpeg.is_empty() { Err(Error::Closed) } else { Ok(None) }
}

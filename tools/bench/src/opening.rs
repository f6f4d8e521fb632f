//! How long a page waits: for the first picture of a running agent, and for all pictures after a
//! cold start.

use std::{
    collections::BTreeSet,
    thread,
    time::{Duration, Instant},
};

use async_tungstenite::tungstenite::{Message, WebSocket};

use crate::{
    Result,
    connection::Connection,
    peer::{Running, START, Setup},
    playback_server::PlaybackServer,
    round::wait_until_live,
    viewer,
};

/// From the end of one try until the agent has released everything.
const REST: Duration = Duration::from_millis(900);
/// Size of the tiles of a 16-tile wall on a screen 2560 pixels wide.
const TILE: (usize, usize) = (640, 360);

/// Milliseconds from opening the socket to the first picture, for each of `tries` at different
/// moments between two key frames, without other viewers. The size is that of a full screen.
///
/// # Errors
/// If the agent sends none in the requested format.
pub fn first_pictures(setup: &Setup, playback: &PlaybackServer, format: &str, tries: u32) -> Result<Vec<f64>> {
    let running = setup.agent_alone(playback)?;
    wait_until_live(running.port, playback.cameras().len(), Instant::now() + START)?;
    let mut waits = Vec::new();
    for try_ in 0..tries {
        thread::sleep(REST + Duration::from_millis(u64::from(try_ * 170 % 1000)));
        let began = Instant::now();
        let show = viewer::show(1, crate::FULL_HD, &[format]);
        let mut socket =
            viewer::socket(running.port, "/ws", Some("cctv.wall.1"), &show, viewer::Scheme::Http, began + START)?;
        next_tile(&mut socket, format)?;
        waits.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(waits)
}

/// Milliseconds from starting the agent, with sixteen cameras that do not answer, until it has sent the
/// first byte of a page.
///
/// # Errors
/// If it does not serve.
pub fn ready(setup: &Setup) -> Result<f64> {
    let urls: Vec<_> = (1..=16).map(|camera| format!("rtsp://127.0.0.1:9/{camera}")).collect();
    let (mut running, began) = (Running::default(), Instant::now());
    let port = setup.agent(&mut running, &urls)?;
    let stream = viewer::ask(port, "/", began + START)?;
    stream.set_read_timeout(Some(START))?;
    match stream.peek(&mut [0])? {
        0 => Err("the agent closed the connection".into()),
        _ => Ok(began.elapsed().as_secs_f64() * 1000.0),
    }
}

/// A camera that sends no frame for so long does not play.
const SILENCE: Duration = Duration::from_secs(3);
/// Cold starts that are thrown away at most because a camera did not play.
const MAX_REPEATS: u32 = 3;

/// Seconds from starting the agent until a waiting page has a picture of each camera of a new
/// playback server.
///
/// GStreamer's server accepts PLAY now and then and sends nothing (seen in a tenth of the starts of
/// sixteen cameras on two full cores: 1240 bytes in ten seconds). A start in which that happens tells
/// nothing of the agent, and is repeated.
///
/// # Errors
/// If one camera gives none.
pub fn cold_start(setup: &Setup, start: impl Fn() -> Result<PlaybackServer>, format: &str) -> Result<f64> {
    for _ in 0..MAX_REPEATS {
        let playback = start()?;
        let seconds = one_cold_start(setup, &playback, format)?;
        let silent = playback.cameras().iter().position(|camera| camera.longest_pause() >= SILENCE);
        let Some(camera) = silent else { return Ok(seconds) };
        eprintln!("  camera {camera} accepted PLAY and did not play ({seconds:.1} s); once more");
    }
    Err(format!("in {MAX_REPEATS} starts a camera accepted PLAY and did not play").into())
}

fn one_cold_start(setup: &Setup, playback: &PlaybackServer, format: &str) -> Result<f64> {
    let cameras = playback.cameras().len();
    let began = Instant::now();
    let running = setup.agent_alone(playback)?;
    let show = viewer::show(cameras, TILE, &[format]);
    let mut socket =
        viewer::socket(running.port, "/ws", Some("cctv.wall.1"), &show, viewer::Scheme::Http, began + START)?;
    let mut seen = BTreeSet::new();
    while seen.len() < cameras {
        seen.insert(next_tile(&mut socket, format)?);
        if began.elapsed() > START {
            return Err(format!("{} of {cameras} after {} s", seen.len(), START.as_secs()).into());
        }
    }
    Ok(began.elapsed().as_secs_f64())
}

/// The tile of the next picture in `format`.
fn next_tile(socket: &mut WebSocket<Box<dyn Connection>>, format: &str) -> Result<u8> {
    let wanted = if format == "jpeg" { 1 } else { 2 };
    loop {
        match socket.read()? {
            Message::Binary(frame) if frame.len() > 16 && frame[1] == wanted => return Ok(frame[2]),
            Message::Binary(_) => return Err(format!("asked for {format}, the agent sends another format").into()),
            Message::Text(text) if text.contains("\"error\"") => return Err(format!("the wall says {text}").into()),
            _ => {}
        }
    }
}

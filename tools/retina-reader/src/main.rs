//! Reads the video of RTSP streams by the crate retina, over TCP, and forwards nothing.
//!
//! usage: retina-reader URL...
//!
//! It writes one byte to standard output for each frame, several at a time so that the writing costs
//! next to nothing.

use std::{
    cell::Cell,
    io::{self, Write},
    process::ExitCode,
    rc::Rc,
    time::Duration,
};

use futures::{StreamExt, future::join_all};
use retina::{
    client::{PlayOptions, Session, SessionOptions, SetupOptions},
    codec::CodecItem,
};
use url::Url;

/// How often frames are reported.
const REPORT: Duration = Duration::from_millis(200);

async fn read(url: Url, frames: Rc<Cell<usize>>) -> Result<(), retina::Error> {
    // No more than retina's defaults, which are TCP and H.264 with lengths in place of start codes.
    let mut session = Session::describe(url, SessionOptions::default()).await?;
    let Some(video) = session.streams().iter().position(|stream| stream.media() == "video") else { return Ok(()) };
    session.setup(video, SetupOptions::default()).await?;
    let mut items = session.play(PlayOptions::default()).await?.demuxed()?;
    while let Some(item) = items.next().await {
        if let CodecItem::VideoFrame(_) = item? {
            frames.set(frames.get() + 1);
        }
    }
    Ok(())
}

async fn report(frames: Rc<Cell<usize>>) -> io::Result<()> {
    let mut out = io::stdout();
    loop {
        tokio::time::sleep(REPORT).await;
        out.write_all(&vec![0; frames.take()])?;
        out.flush()?;
    }
}

fn main() -> ExitCode {
    let urls: Result<Vec<Url>, _> = std::env::args().skip(1).map(|url| url.parse()).collect();
    let Some(urls) = urls.ok().filter(|urls| !urls.is_empty()) else {
        eprintln!("usage: retina-reader URL...");
        return ExitCode::from(64);
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("retina-reader: {error}");
            return ExitCode::FAILURE;
        }
    };
    let work = tokio::task::LocalSet::new();
    let ended = work.block_on(&runtime, async {
        let frames = Rc::new(Cell::new(0));
        tokio::task::spawn_local(report(Rc::clone(&frames)));
        join_all(urls.into_iter().map(|url| read(url, Rc::clone(&frames)))).await
    });
    for error in ended.into_iter().filter_map(Result::err) {
        eprintln!("retina-reader: {error}");
    }
    // Streams do not end by themselves in a measurement.
    ExitCode::FAILURE
}

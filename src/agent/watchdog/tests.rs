//! The watchdog task against a FIFO in place of the device and a server that counts its visitors.

use std::{
    cell::Cell,
    fs::{self, File},
    io::{ErrorKind, Read as _},
    net::TcpListener,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    rc::Rc,
};

use nix::{fcntl::OFlag, sys::stat::Mode, unistd::mkfifo};
use smol::{
    Async, block_on,
    io::{AsyncReadExt, AsyncWriteExt},
};

use super::*;
use crate::{
    camera::{CameraId, StreamOptions},
    hub::{Hub, Stream},
};

const TEST_TIMEOUT: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

/// Short, to keep the tests short: a check every half second.
const TIMEOUT: Duration = Duration::from_secs(2);

/// A FIFO in a directory of its own, read as the hardware would.
struct StandIn {
    path: PathBuf,
    reader: File,
}

impl StandIn {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("cctv-agent-watchdog-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("watchdog");
        mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
        let reader = fs::OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(&path).unwrap();
        Self { path, reader }
    }

    /// What came since the last call, and whether somebody has it open.
    fn look(&self) -> (String, bool) {
        let mut all = String::new();
        let mut bytes = [0; 256];
        loop {
            match (&self.reader).read(&mut bytes) {
                Ok(0) => return (all, false),
                Ok(length) => all.push_str(str::from_utf8(&bytes[..length]).unwrap()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return (all, true),
                Err(error) => panic!("{error}"),
            }
        }
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.path.parent().unwrap());
    }
}

fn stream(id: &str) -> Arc<Stream> {
    let options = StreamOptions { stall_after: 5 * SECOND, ..StreamOptions::default() };
    Arc::new(Stream::new(CameraId::new(id).unwrap(), id.to_owned(), options, Instant::now()))
}

/// A server that responds and counts, and the watchdog that probes it.
struct Scene {
    watchdog: Watchdog,
    stream: Arc<Stream>,
    address: SocketAddr,
    visitors: Rc<Cell<u32>>,
}

impl Scene {
    fn device(&self, path: &Path) {
        let device = config::Watchdog { device: Some(path.to_owned()), timeout: TIMEOUT };
        self.watchdog.set(&device, vec![self.address]);
    }

    /// Waits for this many whole checks that began after this call.
    async fn looks(&self, number: u32) {
        // A check is over when the next probe comes.
        let enough = self.visitors.get() + number + 1;
        until("looks", || (self.visitors.get() >= enough).then_some(())).await;
    }
}

async fn until<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let deadline = Instant::now() + TEST_TIMEOUT;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        Timer::after(Duration::from_millis(5)).await;
    }
}

/// Runs `story` on the executor on which the watchdog runs.
fn tell<F: Future<Output = ()>>(story: impl FnOnce(Scene) -> F) {
    let executor = Arc::new(Executor::new());
    let hub = Arc::new(Hub::default());
    let stream = stream("gate");
    hub.replace_streams(vec![Arc::clone(&stream)]);
    let web = Arc::new(Web::new(Arc::clone(&hub), PathBuf::new(), "test", Arc::new(crate::card::draw)));
    let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0)).unwrap();
    let address = listener.get_ref().local_addr().unwrap();
    let visitors = Rc::new(Cell::new(0));
    let seen = Rc::clone(&visitors);
    let serve = async {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            seen.set(seen.get() + 1);
            let _ = socket.read(&mut [0; 1024]).await;
            let _ = socket.write_all(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n").await;
        }
    };
    let watchdog = Watchdog::start(&executor, web, hub);
    watchdog.heartbeat(Instant::now(), vec![address]);
    let scene = Scene { watchdog, stream, address, visitors };
    block_on(executor.run(story(scene).or(serve)));
}

#[test]
fn keeper_that_hangs_takes_the_beats_away_until_it_is_back() {
    let device = StandIn::new("keeper");
    tell(|scene| async move {
        scene.device(&device.path);
        scene.watchdog.ready();
        until("beats", || (!device.look().0.is_empty()).then_some(())).await;
        scene.stream.set_heartbeat_deadline(Instant::now() - 60 * SECOND);
        scene.looks(1).await;
        device.look();
        scene.looks(3).await;
        assert_eq!(device.look(), (String::new(), true), "not fed, and not stopped either");
        scene.stream.set_heartbeat_deadline(Instant::now() + 60 * SECOND);
        until("beats again", || (!device.look().0.is_empty()).then_some(())).await;
        scene.stream.set_heartbeat_deadline(Instant::now() - 60 * SECOND);
        scene.looks(1).await;
        device.look();
        scene.watchdog.stopping().await.end();
        assert_eq!(device.look(), (String::new(), false), "a stop of somebody who is ill leaves it running");
    });
}

#[test]
fn door_that_nobody_answers_takes_the_beats_away_until_it_is_given_up() {
    let device = StandIn::new("door");
    tell(|scene| async move {
        scene.device(&device.path);
        scene.watchdog.ready();
        until("beats", || (!device.look().0.is_empty()).then_some(())).await;
        // The kernel accepts connections here, and nobody else does.
        let dead = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let both = vec![scene.address, dead.local_addr().unwrap()];
        scene.watchdog.heartbeat(Instant::now(), both);
        scene.looks(1).await;
        device.look();
        scene.looks(3).await;
        assert_eq!(device.look(), (String::new(), true));
        scene.watchdog.heartbeat(Instant::now(), vec![scene.address]);
        until("beats again", || (!device.look().0.is_empty()).then_some(())).await;
        scene.watchdog.stopping().await.end();
        assert!(device.look().0.ends_with('V'));
    });
}

#[test]
fn own_loop_that_stands_still_takes_the_beats_away() {
    let device = StandIn::new("loop");
    tell(|scene| async move {
        scene.device(&device.path);
        scene.watchdog.ready();
        until("beats", || (!device.look().0.is_empty()).then_some(())).await;
        scene.watchdog.heartbeat(Instant::now() - 61 * SECOND, vec![scene.address]);
        scene.looks(1).await;
        device.look();
        scene.looks(3).await;
        assert_eq!(device.look(), (String::new(), true));
    });
}

#[test]
fn device_is_not_opened_before_all_was_well_once() {
    let device = StandIn::new("first");
    tell(|scene| async move {
        scene.device(&device.path);
        scene.stream.set_heartbeat_deadline(Instant::now() - 60 * SECOND);
        scene.watchdog.ready();
        scene.looks(3).await;
        assert_eq!(device.look(), (String::new(), false));
        scene.stream.set_heartbeat_deadline(Instant::now() + 60 * SECOND);
        until("a beat", || (!device.look().0.is_empty()).then_some(())).await;
    });
}

#[test]
fn other_device_is_taken_and_the_old_one_stopped_but_only_when_all_is_well() {
    let (old, new) = (StandIn::new("old"), StandIn::new("new"));
    tell(|scene| async move {
        scene.device(&old.path);
        scene.watchdog.ready();
        until("beats", || (!old.look().0.is_empty()).then_some(())).await;
        scene.stream.set_heartbeat_deadline(Instant::now() - 60 * SECOND);
        scene.looks(1).await;
        old.look();
        scene.device(&new.path);
        scene.looks(3).await;
        assert_eq!((old.look(), new.look()), ((String::new(), true), (String::new(), false)));
        scene.stream.set_heartbeat_deadline(Instant::now() + 60 * SECOND);
        until("beats of the new one", || (!new.look().0.is_empty()).then_some(())).await;
        assert_eq!(old.look(), ("V".to_owned(), false));
        scene.watchdog.set(&config::Watchdog::default(), vec![scene.address]);
        until("the magic close", || new.look().0.ends_with('V').then_some(())).await;
        assert_eq!(new.look(), (String::new(), false));
    });
}

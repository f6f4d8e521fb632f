//! Supervisors with stand-in workers: whatever a worker does, it is ended, reaped and reported.

mod client;

use std::{
    collections::BTreeSet,
    fs,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use smol::{Executor, future::block_on};

use super::*;
use crate::{
    camera::{CameraId, Reader, StreamOptions, StreamUri},
    hub::{Channel, Condition, Status},
    ipc::FromWorker,
    media::{AccessUnit, Codec, SampleAspect, Size, StreamInfo, transform::Transform},
    worker_host::{Spawner, tests::stand_in::StandIn},
};

const TEST_TIMEOUT: Duration = Duration::from_secs(60);

/// Longer than any of these scenarios, so that a busy machine causes no stall.
const NO_STALL: Duration = Duration::from_secs(600);
const POLL_INTERVAL: Duration = Duration::from_millis(5);

const STREAM: FromWorker = FromWorker::Stream(StreamInfo {
    codec: Codec::H264,
    codec_config: None,
    size: Size { width: 64, height: 36 },
    sample_aspect: SampleAspect::SQUARE,
    transform: Transform::NONE,
    fps: 25.0,
});

fn unit(sequence: u32, key: bool) -> FromWorker {
    FromWorker::Unit(AccessUnit { sequence, taken: 0, key, damage: None, data: vec![1; 1000].into() })
}

/// A supervisor whose worker is a script. The script can send the file `live`, which makes the
/// camera live.
struct Scene {
    script: StandIn,
    executor: Arc<Executor<'static>>,
    context: Context,
    stream: Arc<Stream>,
}

impl Scene {
    fn new(script: &str) -> Self {
        Self::with_limit(script, NO_STALL)
    }

    /// Half a second of silence is a stall.
    fn stalling(script: &str) -> Self {
        Self::with_limit(script, Duration::from_millis(500))
    }

    fn with_limit(script: &str, stall_after: Duration) -> Self {
        let script = StandIn::new(script);
        // The second unit shows that the first is not old.
        script.write("live", &[STREAM, unit(1, true), unit(2, false)]);
        let executor = Arc::new(Executor::new());
        let context = Context::new(Arc::clone(&executor), Spawner::new(script.program()));
        let options = StreamOptions { stall_after, ..StreamOptions::default() };
        let id = CameraId::new("gate").unwrap();
        let stream = Arc::new(Stream::new(id, "Gate".into(), options, Instant::now()));
        Self { script, executor, context, stream }
    }

    /// Runs a supervisor until `look` finds something, then ends it; no process may be left.
    fn until<T>(&self, what: &str, look: impl FnMut(&Status) -> Option<T>) -> T {
        let (source, _) = StreamUri::split("rtsp://192.0.2.1/main").unwrap();
        let stream_source = StreamSource { reader: Reader::Opencv, ..StreamSource::from(Source::Url(source)) };
        self.until_with(stream_source, what, look)
    }

    /// The same for a stream of this source.
    fn until_with<T>(&self, stream_source: StreamSource, what: &str, mut look: impl FnMut(&Status) -> Option<T>) -> T {
        let mut pids = BTreeSet::new();
        let found = block_on(self.executor.run(async {
            let shared = CameraShared::new(Channel::of(Arc::clone(&self.stream)), None, None);
            let supervisor = StreamSupervisor::start(&self.context, &shared, StreamRole::Main, stream_source, None);
            let deadline = Instant::now() + TEST_TIMEOUT;
            let found = loop {
                let status = self.stream.status(Instant::now());
                pids.extend(status.worker.map(|worker| worker.pid));
                if let Some(found) = look(&status) {
                    break found;
                }
                assert!(Instant::now() < deadline, "waited in vain for {what}: {status:?}");
                Timer::after(POLL_INTERVAL).await;
            };
            supervisor.end().await;
            found
        }));
        // Running, or dead and not reaped. Another thread reaps them, hence the wait.
        let deadline = Instant::now() + TEST_TIMEOUT;
        while let Some(pid) = pids.iter().find(|pid| fs::exists(format!("/proc/{pid}")).unwrap()) {
            assert!(Instant::now() < deadline, "worker {pid} is still there");
            block_on(Timer::after(POLL_INTERVAL));
        }
        found
    }

    /// Runs a supervisor until it fails, and returns the condition that it reports.
    fn failure(&self) -> Condition {
        self.until("trouble", |status| {
            let condition = &status.condition;
            condition.why.contains("again").then(|| condition.clone())
        })
    }
}

#[test]
fn garbage_in_place_of_messages_is_told_and_the_worker_replaced_at_once() {
    let scene = Scene::new("cat $here/live >&0; head -c 100000 /dev/urandom >&0; exec sleep 60");
    let condition = scene.failure();
    assert!(condition.why.starts_with("the worker sent nonsense: "), "{}", condition.why);
    assert!(condition.why.ends_with("beginning again at once"), "{}", condition.why);
    assert_eq!(condition.state, State::Offline);
}

#[test]
fn message_longer_than_any_takes_no_memory() {
    let scene = Scene::new(r"cat $here/live >&0; printf '\377\377\377\177\021' >&0; exec sleep 60");
    let why = scene.failure().why;
    assert!(why.contains("message of 2147483647 bytes"), "{why}");
}

#[test]
fn message_that_never_ends_is_a_stall() {
    // The header of a frame of 1000 bytes, and ten bytes of it.
    let scene = Scene::stalling(r"cat $here/live >&0; printf '\350\003\000\000\0210123456789' >&0; exec sleep 60");
    let condition = scene.until("its end", |status| {
        let condition = &status.condition;
        // The reaction is reported with the failure, before the worker gets its time to close.
        assert!(
            condition.state == State::Live || !condition.why.starts_with("no frame") || condition.why.contains("again")
        );
        condition.why.contains("hung").then(|| condition.clone())
    });
    assert_eq!(condition.state, State::Stalled);
    assert_eq!(condition.why, "no frame for 0.5 s; its worker hung and was killed; beginning again at once");
}

#[test]
fn worker_that_says_nothing_at_all_is_noticed_by_the_clock() {
    // It does not even close when asked; it is a stall 0.5 s after the last frame.
    let scene = Scene::stalling("cat $here/live >&0; trap '' TERM HUP; exec sleep 60");
    assert_eq!(scene.failure().state, State::Stalled);
    assert_eq!(scene.stream.status(Instant::now()).stalls, 1);
}

#[test]
fn flood_of_frames_is_cut_off() {
    let scene = Scene::new("cat $here/live >&0; while cat $here/flood >&0; do :; done");
    scene.script.write("flood", &(3..1000).map(|number| unit(number, false)).collect::<Vec<_>>());
    let why = scene.failure().why;
    // The same thousand again and again: any of the violations may come first.
    assert!(why.starts_with("the worker sent nonsense: "), "{why}");
}

#[test]
fn flood_of_small_messages_is_cut_off_and_starves_nobody() {
    // It also never reads and does not end when asked: the close must not wait for its flood.
    let scene = Scene::new("cat $here/live >&0; while cat $here/flood >&0; do :; done");
    scene.script.write("flood", &vec![FromWorker::Decoding(true); 20_000]);
    let why = scene.failure().why;
    assert!(why.contains("more messages than any camera makes"), "{why}");
}

#[test]
fn worker_that_prints_without_end_starves_nobody() {
    let scene = Scene::stalling("cat $here/live >&0; exec yes >&2");
    assert_eq!(scene.failure().state, State::Stalled);
}

#[test]
fn worker_that_hangs_up_and_stays_is_killed() {
    let scene = Scene::new("cat $here/live >&0; exec sleep 60 </dev/null");
    let why = scene.failure().why;
    assert!(why.starts_with("the worker closed its socket; beginning again at once"), "{why}");
}

#[test]
fn worker_that_takes_too_much_memory_is_ended_with_a_clear_reason() {
    let scene = Scene::new("cat $here/live >&0; while :; do sleep 0.01; printf '' ; done");
    scene.context.worker_memory.store(64 << 10, Ordering::Relaxed);
    let why = scene.failure().why;
    assert!(why.contains("of memory, more than the 0 MiB it may"), "{why}");
}

#[test]
fn worker_that_crashes_is_replaced_at_once_three_times_and_then_by_the_law_of_pauses() {
    // Each start sends the next frame and dies.
    let scene =
        Scene::new("echo >>$here/starts; n=$(wc -l <$here/starts); cat $here/live.$n >&0; sleep 0.1; kill -SEGV $$");
    for number in 1..=9 {
        scene.script.write(&format!("live.{number}"), &[STREAM, unit(2 * number - 1, true), unit(2 * number, false)]);
    }
    let replaced = scene.until("a usual pause", |status| {
        let usual = status.condition.why.contains("killed by SIGSEGV; trying again in 1 s (attempt 1)");
        usual.then_some(status.reconnects)
    });
    assert_eq!(replaced, 3);
}

#[test]
fn program_that_is_not_there_is_tried_by_the_law_of_pauses() {
    let mut scene = Scene::new("");
    scene.context.spawner = Arc::new(Spawner::new("/nonexistent/worker"));
    let why = scene.failure().why;
    assert!(why.contains("expected at /nonexistent/worker") && why.contains("(attempt 1)"), "{why}");
}

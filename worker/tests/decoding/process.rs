//! A worker that decodes: the agent's side feeds it access units and gets pictures of them.

use std::{
    fs,
    io::Write as _,
    net::Shutdown,
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::{self, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use cctv_agent::{
    camera::{CameraId, Secret, Transport},
    ipc::{self, Decode, FromWorker, HEAD, Message as _, Open, Progress, ToWorker},
    media::{AccessUnit, Codec, Picture, Rendition, Size, transform::Transform},
    sandbox::SandboxPolicy,
    time::timeout,
    worker_host::{CLOSE_TIMEOUT, Error, Spawner, Worker},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use smol::future::block_on;

use crate::clip::{GOP, SIZE, h264, h265, mjpeg};
use crate::elf::Elf;

/// Far more than a decoder needs, on a machine that is busy with other tests.
const LIMIT: Duration = Duration::from_secs(60);

const GROUP_MEMORY: u64 = 8 << 20;

pub const SMALL: Rendition =
    Rendition { size: Size { width: 320, height: 180 }, transform: Transform::NONE, quality: 80, fps: 25 };
pub const FULL: Rendition = Rendition { size: SIZE, transform: Transform::NONE, quality: 50, fps: 25 };

/// In all tests a call that the sandbox refuses ends the worker.
pub fn decode(codec: Codec) -> Decode {
    Decode {
        codec,
        default_quality: 80,
        most_memory: ipc::WORKER_MEMORY,
        group_memory: GROUP_MEMORY,
        sandbox: SandboxPolicy::Fatal,
        remark: None,
    }
}

async fn start(codec: Codec) -> Worker {
    start_with(decode(codec)).await
}

pub async fn start_with(decode: Decode) -> Worker {
    let spawner = Spawner::new(env!("CARGO_BIN_EXE_cctv-worker"));
    Worker::start_decoder(&spawner, &CameraId::new("gate").unwrap(), decode).await.unwrap()
}

pub async fn next(worker: &mut Worker) -> FromWorker {
    timeout(LIMIT, worker.next()).await.expect("the worker says something").unwrap()
}

/// The next picture.
pub async fn picture(worker: &mut Worker) -> Picture {
    loop {
        match next(worker).await {
            FromWorker::Picture(picture) => return picture,
            FromWorker::Sandbox(_) | FromWorker::Decoding(true) | FromWorker::Progress(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

fn jpeg_size(jpeg: &[u8]) -> Size {
    let mut decoder = zune_jpeg::JpegDecoder::new(std::io::Cursor::new(jpeg));
    decoder.decode().unwrap();
    let (width, height) = decoder.dimensions().unwrap();
    Size { width: u32::try_from(width).unwrap(), height: u32::try_from(height).unwrap() }
}

#[test]
fn program_that_decodes_cannot_read_from_a_network() {
    let decoder = Elf::read(env!("CARGO_BIN_EXE_cctv-worker")).needed();
    assert!(decoder.iter().any(|library| library.starts_with("libavcodec.")), "{decoder:?}");
    let reads = |library: &String| ["libavformat.", "libopencv_videoio."].iter().any(|name| library.starts_with(name));
    assert!(!decoder.iter().any(reads), "{decoder:?}");
    assert!(Elf::read(env!("CARGO_BIN_EXE_cctv-reader")).needed().iter().any(reads));
    let open = Open {
        uri: Secret::new("rtsp://127.0.0.1/"),
        transport: Transport::Tcp,
        first_sequence: 0,
        default_quality: 80,
        read_limit: Duration::from_secs(5),
        most_memory: ipc::WORKER_MEMORY,
        group_memory: GROUP_MEMORY,
        sandbox: SandboxPolicy::Fatal,
    };
    let spawner = Spawner::new(env!("CARGO_BIN_EXE_cctv-worker"));
    let refused = block_on(async {
        let mut worker = Worker::start(&spawner, &CameraId::new("gate").unwrap(), open).await.unwrap();
        timeout(LIMIT, worker.next()).await.expect("an answer").unwrap_err()
    });
    assert!(refused.to_string().contains("this program opens no streams"), "{refused}");
}

/// How a worker ends whose first message is `first`, and what it prints.
fn end_after(first: &[u8]) -> (ExitStatus, String) {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let mut command = process::Command::new(env!("CARGO_BIN_EXE_cctv-worker"));
    let child = command.stdin(OwnedFd::from(theirs)).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    // It would wait for more.
    drop(command);
    ours.write_all(first).unwrap();
    ours.shutdown(Shutdown::Write).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status, String::from_utf8(output.stderr).unwrap())
}

#[test]
fn agent_of_another_version_is_told_by_an_exit_code() {
    let mut first = Vec::new();
    ToWorker::Decode(decode(Codec::H264)).encode(&mut first);
    assert_eq!(end_after(&first).0.code(), Some(0), "the agent wants nothing more");
    let mut faked = first.clone();
    faked[HEAD] ^= 1;
    // The layout may be another one as well.
    let longer = [&[200, 0, 0, 0], &first[4..HEAD], &[9; 200]].concat();
    let unknown = [&first[..4], &[99], &first[HEAD..]].concat();
    for other in [faked, longer, unknown] {
        let (status, printed) = end_after(&other);
        assert_eq!(status.code(), Some(76), "{printed}");
        assert!(printed.contains("of another version"), "{printed}");
    }
}

#[test]
fn every_codec_that_is_fed_comes_back_as_pictures_of_its_units() {
    for (codec, units) in [(Codec::H264, h264("", 1)), (Codec::H265, h265("", 1)), (Codec::Jpeg, mjpeg(1))] {
        block_on(async {
            let began = Instant::now();
            let mut worker = start(codec).await;
            worker.want(vec![SMALL.into(), FULL.into()]).await.unwrap();
            // Sequence numbers wrap in the middle of the clip.
            let renumber = |unit: AccessUnit| AccessUnit { sequence: unit.sequence.wrapping_add(u32::MAX - 5), ..unit };
            for unit in units.into_iter().map(renumber) {
                worker.feed(&unit).await.unwrap();
                for _ in 0..2 {
                    let picture = picture(&mut worker).await;
                    assert_eq!((picture.sequence, picture.taken), (unit.sequence, unit.taken), "{codec:?}");
                    assert!(picture.rendition == SMALL || picture.rendition == FULL, "{codec:?}");
                    assert_eq!(jpeg_size(&picture.jpeg), picture.rendition.size, "{codec:?}");
                }
                if unit.sequence == u32::MAX - 5 {
                    eprintln!("{codec:?}: first pictures after {:?}", began.elapsed());
                }
            }
            assert!(worker.end(CLOSE_TIMEOUT).await, "{codec:?}: it ends when it is asked to");
        });
    }
}

#[test]
fn whoever_joins_late_gets_the_newest_frame_of_the_group_that_was_fed() {
    block_on(async {
        let (units, mut worker) = (h264("", 1), start(Codec::H264).await);
        for unit in &units[..20] {
            worker.feed(unit).await.unwrap();
        }
        worker.want(vec![SMALL.into()]).await.unwrap();
        // Frames within 0.1 s of the newest are shown.
        assert_eq!(picture(&mut worker).await.sequence, 17);
        for expected in [18, 19] {
            assert_eq!(picture(&mut worker).await.sequence, expected);
        }
        worker.want(Vec::new()).await.unwrap();
        while next(&mut worker).await != FromWorker::Decoding(false) {}
        worker.feed(&units[20]).await.unwrap();
        worker.want(vec![FULL.into()]).await.unwrap();
        let joined = picture(&mut worker).await;
        assert_eq!((joined.sequence, joined.rendition), (18, FULL), "the group is decoded again");
    });
}

#[test]
fn group_of_half_a_minute_is_joined_at_its_newest_frame() {
    block_on(async {
        let (units, mut worker) = (h264(":keyint=1000", 28), start(Codec::H264).await);
        assert_eq!(units.iter().filter(|unit| unit.key).count(), 1);
        for unit in &units {
            worker.feed(unit).await.unwrap();
        }
        worker.want(vec![SMALL.into()]).await.unwrap();
        assert_eq!(picture(&mut worker).await.sequence as usize, units.len() - 3);
    });
}

#[test]
fn damaged_unit_shows_nothing_until_the_next_key_frame() {
    block_on(async {
        let (mut units, mut worker) = (h264("", 2), start(Codec::H264).await);
        units[3].data = units[3].data.slice(..units[3].data.len() / 2);
        worker.want(vec![SMALL.into()]).await.unwrap();
        let mut shown = Vec::new();
        for (at, unit) in units.iter().enumerate() {
            worker.feed(unit).await.unwrap();
            if !(3..GOP).contains(&at) {
                shown.push(picture(&mut worker).await.sequence as usize);
            }
        }
        assert_eq!(shown, (0..3).chain(GOP..2 * GOP).collect::<Vec<_>>());
    });
}

/// The first progress that `wanted` accepts.
async fn progress(worker: &mut Worker, wanted: impl Fn(Progress) -> bool) {
    loop {
        if let FromWorker::Progress(progress) = next(worker).await
            && wanted(progress)
        {
            return;
        }
    }
}

#[test]
fn units_that_give_no_frame_are_told_from_units_that_do() {
    for (codec, units) in [(Codec::H264, h264("", 1)), (Codec::H265, h265("", 1)), (Codec::Jpeg, mjpeg(1))] {
        block_on(async {
            let mut worker = start(codec).await;
            worker.want(vec![SMALL.into()]).await.unwrap();
            let cut = |unit: &AccessUnit| AccessUnit { data: unit.data.slice(..unit.data.len() / 2), ..unit.clone() };
            worker.feed(&cut(&units[0])).await.unwrap();
            progress(&mut worker, |progress| progress.damaged > 0).await;
            let later = |unit: &AccessUnit| AccessUnit { sequence: 100, taken: unit.taken + 1_000_000, ..unit.clone() };
            worker.feed(&later(&units[0])).await.unwrap();
            progress(&mut worker, |progress| progress == Progress::default()).await;
        });
    }
}

#[test]
fn progress_is_told_while_there_is_nothing_to_decode() {
    block_on(async {
        let (units, mut worker) = (h264("", 1), start(Codec::H264).await);
        worker.want(vec![SMALL.into()]).await.unwrap();
        // It waits for a key frame.
        for unit in &units[1..4] {
            worker.feed(unit).await.unwrap();
            progress(&mut worker, |progress| progress == Progress::default()).await;
        }
    });
}

#[test]
fn decoder_that_is_killed_is_reported_and_one_that_is_dropped_ends() {
    block_on(async {
        let (units, mut worker) = (h264("", 1), start(Codec::H264).await);
        worker.want(vec![SMALL.into()]).await.unwrap();
        worker.feed(&units[0]).await.unwrap();
        picture(&mut worker).await;
        let pid = worker.vitals().unwrap().pid;
        kill(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL).unwrap();
        let error = loop {
            // What the kernel still takes for a process that is ending is no error.
            if let Err(error) = worker.feed(&units[1]).await {
                break error;
            }
        };
        assert!(matches!(error, Error::Died { .. }), "{error}");
        assert!(error.to_string().contains("SIGKILL"), "{error}");

        let dropped = start(Codec::H264).await;
        let pid = dropped.vitals().unwrap().pid;
        drop(dropped);
        let began = Instant::now();
        while fs::exists(format!("/proc/{pid}")).unwrap() {
            assert!(began.elapsed() < LIMIT, "worker {pid} is still there");
            smol::Timer::after(Duration::from_millis(10)).await;
        }
    });
}

#[test]
fn worker_that_hangs_is_noticed_by_what_it_does_not_take() {
    block_on(async {
        let (units, mut worker) = (h264("", 1), start(Codec::H264).await);
        let pid = worker.vitals().unwrap().pid;
        kill(Pid::from_raw(pid.cast_signed()), Signal::SIGSTOP).unwrap();
        let large = AccessUnit { data: vec![0; 4 << 20].into(), ..units[0].clone() };
        let began = Instant::now();
        assert!(matches!(worker.feed(&large).await, Err(Error::Unresponsive)));
        assert!(began.elapsed() < LIMIT);
    });
}

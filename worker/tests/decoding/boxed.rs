//! The sandbox of a worker: every kind of video decodes inside it, and what took hold is told.

use std::{
    fs,
    io::Write as _,
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::net::UnixStream,
    },
    process::{Command, Stdio},
    time::Duration,
};

use cctv_agent::{
    ipc::{self, FailureKind, FromWorker, Message as _, ToWorker},
    media::{AccessUnit, Codec},
    sandbox::{Sandbox, SandboxPart, SandboxPolicy},
    time::timeout,
    worker_host::{CLOSE_TIMEOUT, Error},
};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use smol::future::block_on;

use crate::{
    clip,
    process::{FULL, SMALL, decode, next, picture, start_with},
    without::{LANDLOCK, SECCOMP, without},
};

/// From one frame to the next at 25 frames per second.
const FRAME_TIME: Duration = Duration::from_millis(40);

/// 50 frames of test picture, encoded with `arguments`.
fn units(codec: Codec, arguments: &[&str]) -> Vec<AccessUnit> {
    let format = match codec {
        Codec::H264 => "h264",
        Codec::H265 => "hevc",
        Codec::Mpeg4 => "m4v",
        Codec::Jpeg => "mjpeg",
    };
    let source = "testsrc2=size=640x360:rate=25:duration=2";
    let arguments = [&["-f", "lavfi", "-i", source][..], arguments, &["-f", format, "-"]].concat();
    clip::units(codec, &clip::ffmpeg(&arguments, Vec::new()))
}

#[test]
fn every_kind_of_video_decodes_while_each_refused_call_ends_the_worker() {
    let x264 = ["-c:v", "libx264", "-preset", "veryfast", "-x264-params", "aud=1"];
    let x265 = ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error:aud=1:repeat-headers=1"];
    let kinds: [(Codec, &[&str], &[&str]); 12] = [
        (Codec::H264, &x264, &["-profile:v", "baseline", "-pix_fmt", "yuv420p"]),
        (Codec::H264, &x264, &["-profile:v", "main", "-pix_fmt", "yuv420p"]),
        (Codec::H264, &x264, &["-profile:v", "high", "-pix_fmt", "yuv420p"]),
        (Codec::H264, &x264, &["-profile:v", "high", "-pix_fmt", "yuv420p", "-flags", "+ilme+ildct"]),
        (Codec::H264, &x264, &["-profile:v", "high10", "-pix_fmt", "yuv420p10le"]),
        (Codec::H264, &x264, &["-profile:v", "high422", "-pix_fmt", "yuv422p"]),
        (Codec::H265, &x265, &["-pix_fmt", "yuv420p"]),
        (Codec::H265, &x265, &["-pix_fmt", "yuv420p10le"]),
        (Codec::Mpeg4, &["-c:v", "mpeg4", "-q:v", "4"], &["-pix_fmt", "yuv420p"]),
        (Codec::Mpeg4, &["-c:v", "mpeg4", "-q:v", "4"], &["-flags", "+ilme+ildct+qpel+mv4"]),
        (Codec::Jpeg, &["-c:v", "mjpeg", "-q:v", "4"], &["-pix_fmt", "yuvj420p"]),
        (Codec::Jpeg, &["-c:v", "mjpeg", "-q:v", "4"], &["-pix_fmt", "yuvj422p"]),
    ];
    for (codec, encoder, profile) in kinds {
        println!("{codec:?} {profile:?}");
        let units = units(codec, &[encoder, profile].concat());
        block_on(async {
            let mut worker = start_with(decode(codec)).await;
            worker.want(vec![SMALL.into(), FULL.into()]).await.unwrap();
            // At the pace of a camera: of units that come together, those that are late are not shown.
            let (mut pictures, mut coming) = (0, units.iter());
            while pictures < 2 {
                worker.feed(coming.next().expect("pictures of the first units")).await.unwrap();
                while let Some(message) = timeout(FRAME_TIME, worker.next()).await {
                    pictures += usize::from(matches!(message.unwrap(), FromWorker::Picture(_)));
                }
            }
            // It decodes until nothing is wanted, and begins again with another decoder.
            worker.want(Vec::new()).await.unwrap();
            while next(&mut worker).await != FromWorker::Decoding(false) {}
            worker.want(vec![SMALL.into()]).await.unwrap();
            picture(&mut worker).await;
            assert!(worker.end(CLOSE_TIMEOUT).await, "{profile:?}");
        });
    }
}

#[test]
fn sandbox_is_told_before_the_first_picture() {
    let first = block_on(async { next(&mut start_with(decode(Codec::Jpeg)).await).await });
    assert_eq!(first, FromWorker::Sandbox(Sandbox::new(|_| true)), "of this machine's kernel");
}

#[test]
fn kernel_without_landlock_or_seccomp_is_told_and_pictures_come() {
    let units = clip::mjpeg(1);
    let auto = |codec| ipc::Decode { sandbox: SandboxPolicy::Auto, ..decode(codec) };
    for absent in [&[LANDLOCK][..], &[SECCOMP], &[LANDLOCK, SECCOMP]] {
        // The worker lives as long as the thread that starts it.
        let told = without(absent, || {
            block_on(async {
                let mut worker = start_with(auto(Codec::Jpeg)).await;
                let told = next(&mut worker).await;
                worker.want(vec![SMALL.into()]).await.unwrap();
                worker.feed(&units[0]).await.unwrap();
                picture(&mut worker).await;
                told
            })
        });
        let has = |part| !absent.contains(if part == SandboxPart::Seccomp { &SECCOMP } else { &LANDLOCK });
        assert_eq!(told, FromWorker::Sandbox(Sandbox::new(has)));
    }
}

#[test]
fn whole_sandbox_can_be_required() {
    let required = |codec| ipc::Decode { sandbox: SandboxPolicy::Required, ..decode(codec) };
    let first = block_on(async { next(&mut start_with(required(Codec::Jpeg)).await).await });
    assert_eq!(first, FromWorker::Sandbox(Sandbox::new(|_| true)));
    let refused =
        without(&[LANDLOCK], || block_on(async { start_with(required(Codec::Jpeg)).await.next().await.unwrap_err() }));
    assert_eq!(
        refused.reason(),
        "this kernel does not give the worker its whole sandbox: it lacks landlock, landlock_network, landlock_scope; \
         upgrade the kernel, or remove sandbox = \"required\" below [limits]"
    );
    assert!(matches!(refused, Error::GaveUp(failure) if failure.kind == FailureKind::Sandbox));
}

#[test]
fn descriptor_that_was_left_open_is_closed() {
    let secret = fs::File::open("/etc/passwd").unwrap();
    fcntl(secret.as_fd(), FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_cctv-worker"));
    let mut child = command.stdin(OwnedFd::from(theirs)).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    drop(command);
    let mut first = Vec::new();
    ToWorker::Decode(decode(Codec::H264)).encode(&mut first);
    ours.write_all(&first).unwrap();
    let told: FromWorker = ipc::receive(&mut ours).unwrap();
    assert!(matches!(told, FromWorker::Sandbox(_)), "{told:?}");
    let open: Vec<_> = fs::read_dir(format!("/proc/{}/fd", child.id()))
        .unwrap()
        .filter_map(|entry| Some(fs::read_link(entry.unwrap().path()).ok()?.display().to_string()))
        .collect();
    drop(ours);
    child.wait().unwrap();
    assert!(open.iter().filter(|target| target.starts_with("socket:")).count() >= 1, "{open:?}");
    let others: Vec<_> = open.iter().filter(|open| !open.starts_with("socket:") && *open != "/dev/null").collect();
    assert!(others.is_empty(), "{others:?}");
}

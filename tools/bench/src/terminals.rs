//! Two terminals show the same four cameras: each reads them itself, or both read them through a
//! restreaming server, live555's proxy. Their pages get the cameras' own video, so that decoding
//! does not hide the cost of the connection.

use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::Command,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use crate::{
    Result,
    age::{ages, quantile},
    peer::{Running, START, Setup},
    playback_server::PlaybackServer,
    task::Task,
    test_clip::{Clip, FPS, GOP, Kind},
    tree::Tree,
    viewer::{self, Viewers},
};

const CAMERAS: usize = 4;
const TERMINALS: usize = 2;
/// The server loses the end of frames above 100 kB; a Full HD camera's key frames are larger.
const CLIP: (usize, usize) = (1280, 720);
/// Pause after the first pictures of all tiles, for work that is done only once.
const SETTLE: Duration = Duration::from_secs(2);

/// Sums of all rounds of one line of the table.
#[derive(Default)]
struct Sum {
    pictures: u64,
    seconds: f64,
    server: u64,
    agents: u64,
    server_memory: u64,
    ages: Vec<f64>,
    unread: usize,
    /// Open connections of all cameras together, one value per count.
    sessions: Vec<usize>,
}

/// Prints the table; `server` is the program `live555ProxyServer`.
///
/// # Errors
/// If something cannot be started, or a tile stays empty.
pub fn run(task: &Task, setup: &Setup, server: &Path) -> Result<()> {
    let clip = Arc::new(Clip::make(Kind::H264, CLIP.0, CLIP.1, GOP * task.groups)?);
    let largest = clip.frames.iter().map(Vec::len).max().unwrap_or_default();
    println!("{}x{}, {:.0} kbit/s, largest frame {} kB\n", CLIP.0, CLIP.1, clip.kilobits(), largest / 1000);
    let lines = [None, Some(server)];
    let mut sums: Vec<Sum> = lines.iter().map(|_| Sum::default()).collect();
    for round in 0..task.rounds {
        let mut order: Vec<usize> = (0..lines.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for at in order {
            eprintln!("{}", title(lines[at]));
            measure(setup, &clip, lines[at], task.seconds, &mut sums[at])?;
        }
    }
    println!(
        "| {TERMINALS} terminals, {CAMERAS} cameras | sessions of one camera | pictures/s of a tile | server, ms a picture | agents, ms a picture | server, MB | age, median ms | age, 95 % ms |\n|---|---|---|---|---|---|---|---|"
    );
    for (server, mut sum) in lines.into_iter().zip(sums) {
        let each = |nanoseconds: u64| nanoseconds as f64 / 1e6 / sum.pictures as f64;
        let sessions = |sessions: Option<&usize>| *sessions.unwrap_or(&0) as f64 / CAMERAS as f64;
        println!(
            "| {} | {} to {} | {:.1} | {:.2} | {:.2} | {:.1} | {:.0} | {:.0} |",
            title(server),
            sessions(sum.sessions.iter().min()),
            sessions(sum.sessions.iter().max()),
            sum.pictures as f64 / sum.seconds / (CAMERAS * TERMINALS) as f64,
            each(sum.server),
            each(sum.agents),
            sum.server_memory as f64 / 1e6,
            quantile(&mut sum.ages, 0.5),
            quantile(&mut sum.ages, 0.95),
        );
        if sum.unread > 0 {
            println!("| (the age of {} pictures could not be read) | | | | | | | |", sum.unread);
        }
    }
    Ok(())
}

fn title(server: Option<&Path>) -> &'static str {
    if server.is_some() { "both through the server" } else { "each reads the cameras" }
}

fn measure(setup: &Setup, clip: &Arc<Clip>, server: Option<&Path>, seconds: Duration, sum: &mut Sum) -> Result<()> {
    let playback = PlaybackServer::start(clip, CAMERAS, FPS)?;
    let deadline = Instant::now() + START;
    let mut urls: Vec<String> = (0..CAMERAS).map(|camera| playback.url(camera)).collect();
    let mut relay = Running::default();
    if let Some(server) = server {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        // -t: it reads the cameras over TCP, as the agents do.
        let mut command = Command::new(server);
        command.args(["-t", "-p", &port.to_string()]).args(&urls);
        setup.add(&mut relay, &command, "server")?;
        viewer::call(port, deadline)?;
        urls = (1..=CAMERAS).map(|camera| format!("rtsp://127.0.0.1:{port}/proxyStream-{camera}")).collect();
    }
    let mut agents = Running::default();
    let mut sources = Vec::new();
    for terminal in 0..TERMINALS {
        let folder = setup.folder.join(format!("terminal-{terminal}"));
        fs::create_dir_all(&folder)?;
        let setup = Setup { folder: &folder, ..setup.clone() };
        let port = setup.agent(&mut agents, &urls)?;
        let show = viewer::show(CAMERAS, crate::FULL_HD, &["h264"]);
        let socket = viewer::socket(port, "/ws", Some("cctv.wall.1"), &show, viewer::Scheme::Http, deadline)?;
        sources.push((0, viewer::Source::Wall(socket)));
    }
    let viewers = Viewers::start(sources);
    while viewers.begun().0 as usize != viewers.begun().1 {
        if let Some(failed) = viewers.failed() {
            return Err(failed.into());
        }
        if Instant::now() > deadline {
            return Err(format!("{} of {} viewers had pictures in time", viewers.begun().0, viewers.begun().1).into());
        }
        thread::sleep(Duration::from_millis(20));
    }
    thread::sleep(SETTLE);
    let trees = || (Tree::read(&relay.pids()), Tree::read(&agents.pids()));
    let (before, began) = (trees(), Instant::now());
    viewers.count(true);
    let mut sessions = Vec::new();
    while began.elapsed() < seconds {
        sessions.push(playback.sessions());
        thread::sleep(Duration::from_millis(500));
    }
    viewers.count(false);
    let (took, after) = (began.elapsed(), trees());
    if relay.has_ended() || agents.has_ended() {
        return Err("a process of it ended by itself".into());
    }
    viewers.expect_end();
    drop(agents);
    drop(relay);
    let given = viewers.stop();
    let (ages_read, unread) = ages(&given.kept, playback.cameras());
    eprintln!("  {:.1} pictures/s of {FPS}", given.pictures as f64 / took.as_secs_f64() / (CAMERAS * TERMINALS) as f64);
    sum.pictures += given.pictures;
    sum.seconds += took.as_secs_f64();
    sum.server += after.0.since(&before.0);
    sum.agents += after.1.since(&before.1);
    sum.server_memory = sum.server_memory.max(after.0.memory);
    sum.ages.extend(ages_read);
    sum.unread += unread;
    sum.sessions.extend(sessions);
    Ok(())
}

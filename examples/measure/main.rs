//! Measures a running wall from outside: rates, the age of pictures by the clock burnt into them, and
//! what worker and agent pay for it. `scripts/bench` runs it against virtual cameras.
//!
//! Usage: `measure IP:PORT CAMERA [--query size=640x360&q=80] [--viewers N] [--sleepers N] [--seconds S]`

use std::{
    error::Error,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use lexopt::{Arg, ValueExt};
use serde_json::Value;

#[path = "../virtual-camera/stamp.rs"]
mod stamp;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Pictures are not counted before every viewer has had this much time to begin.
const WARM_UP: Duration = Duration::from_secs(2);

/// A wall that is silent for this long has failed.
const SILENCE: Duration = Duration::from_secs(10);

struct Task {
    address: String,
    camera: String,
    query: String,
    viewers: usize,
    /// Viewers that ask and then read nothing.
    sleepers: usize,
    seconds: u64,
}

fn main() -> Result<()> {
    let task = arguments()?;
    let counting = Arc::new(AtomicBool::new(false));
    let done = Arc::new(AtomicBool::new(false));
    let pictures = Arc::new(AtomicU64::new(0));
    let bytes = Arc::new(AtomicU64::new(0));
    let _sleepers = (0..task.sleepers).map(|_| Ok(ask(&task)?.1)).collect::<Result<Vec<_>>>()?;
    let mut threads = Vec::new();
    for viewer in 0..task.viewers {
        let (mut reader, _) = ask(&task)?;
        let (counting, done) = (Arc::clone(&counting), Arc::clone(&done));
        let (pictures, bytes) = (Arc::clone(&pictures), Arc::clone(&bytes));
        threads.push(thread::spawn(move || -> Result<Vec<f64>> {
            let mut ages = Vec::new();
            while !done.load(Ordering::Relaxed) {
                let Some((taken, jpeg)) = picture(&mut reader)? else { continue };
                let arrived = unix_ms();
                if counting.load(Ordering::Relaxed) {
                    pictures.fetch_add(1, Ordering::Relaxed);
                    bytes.fetch_add(jpeg.len() as u64, Ordering::Relaxed);
                    if viewer == 0 {
                        // Without a stamp, the time of arrival in the worker is the next best.
                        ages.push(arrived - burnt_in(&jpeg).unwrap_or(taken));
                    }
                }
            }
            Ok(ages)
        }));
    }
    thread::sleep(WARM_UP);
    let before = costs(&task)?;
    counting.store(true, Ordering::Relaxed);
    thread::sleep(Duration::from_secs(task.seconds));
    counting.store(false, Ordering::Relaxed);
    let after = costs(&task)?;
    done.store(true, Ordering::Relaxed);
    let mut ages = Vec::new();
    for thread in threads {
        ages.extend(thread.join().map_err(|_| "a viewer panicked")??);
    }
    report(&task, &before, &after, pictures.load(Ordering::Relaxed), bytes.load(Ordering::Relaxed), ages);
    Ok(())
}

fn arguments() -> Result<Task> {
    let mut task = Task {
        address: String::new(),
        camera: String::new(),
        query: String::new(),
        viewers: 1,
        sleepers: 0,
        seconds: 10,
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("query") => task.query = parser.value()?.string()?,
            Arg::Long("viewers") => task.viewers = parser.value()?.parse()?,
            Arg::Long("sleepers") => task.sleepers = parser.value()?.parse()?,
            Arg::Long("seconds") => task.seconds = parser.value()?.parse()?,
            Arg::Value(value) if task.address.is_empty() => task.address = value.string()?,
            Arg::Value(value) if task.camera.is_empty() => task.camera = value.string()?,
            other => return Err(other.unexpected().into()),
        }
    }
    if task.camera.is_empty() {
        return Err("usage: measure IP:PORT CAMERA [--query Q] [--viewers N] [--sleepers N] [--seconds S]".into());
    }
    Ok(task)
}

fn ask(task: &Task) -> Result<(BufReader<TcpStream>, TcpStream)> {
    let mut stream = TcpStream::connect(&task.address)?;
    stream.set_read_timeout(Some(SILENCE))?;
    write!(stream, "GET /live/{}?{} HTTP/1.1\r\nHost: {}\r\n\r\n", task.camera, task.query, task.address)?;
    let twin = stream.try_clone()?;
    Ok((BufReader::with_capacity(1 << 20, stream), twin))
}

/// The next part as (time taken in Unix ms, JPEG); `None` for a card.
fn picture(reader: &mut impl BufRead) -> Result<Option<(f64, Vec<u8>)>> {
    let (mut length, mut taken, mut sequence) = (None, None, false);
    let mut line = String::new();
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Err("the wall closed the stream".into());
        }
        let Some((name, value)) = line.split_once(':') else {
            match length {
                Some(length) if line.trim().is_empty() => {
                    let mut jpeg = vec![0; length];
                    reader.read_exact(&mut jpeg)?;
                    return Ok(taken.filter(|_| sequence).map(|taken| (taken, jpeg)));
                }
                _ => continue,
            }
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = Some(value.trim().parse()?),
            "x-timestamp" => taken = Some(value.trim().parse::<f64>()? * 1000.0),
            // Cards have 0.
            "x-sequence" => sequence = value.trim() != "0",
            _ => {}
        }
    }
}

/// The burnt-in clock in Unix ms.
fn burnt_in(jpeg: &[u8]) -> Option<f64> {
    let header = turbojpeg::read_header(jpeg).ok()?;
    let image = turbojpeg::decompress(jpeg, turbojpeg::PixelFormat::GRAY).ok()?;
    let pixels =
        stamp::Pixels { data: &image.pixels, width: header.width, height: header.height, stride: image.pitch, step: 1 };
    stamp::read(&pixels).ok().map(|stamp| stamp.unix_ms as f64)
}

fn unix_ms() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64() * 1000.0)
}

/// Processor seconds so far.
struct Costs {
    worker: f64,
    agent: f64,
    frames: u64,
    memory: u64,
}

fn costs(task: &Task) -> Result<Costs> {
    let api: Value = serde_json::from_slice(&get(task, "/api/cameras")?)?;
    let cameras = api["cameras"].as_array().ok_or("no cameras")?;
    let camera = cameras.iter().find(|camera| camera["id"] == task.camera.as_str()).ok_or("no such camera")?;
    let metrics = String::from_utf8(get(task, "/metrics")?)?;
    let metric = |name: &str| {
        metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok()).unwrap_or(f64::NAN)
    };
    Ok(Costs {
        worker: camera["worker"]["cpu_seconds"].as_f64().unwrap_or(f64::NAN),
        agent: metric("cctv_agent_cpu_seconds_total"),
        frames: camera["frames"].as_u64().unwrap_or(0),
        memory: metric("cctv_agent_memory_bytes") as u64,
    })
}

fn get(task: &Task, target: &str) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect(&task.address)?;
    stream.set_read_timeout(Some(SILENCE))?;
    write!(stream, "GET {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", task.address)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let body = answer.windows(4).position(|four| four == b"\r\n\r\n").ok_or("no answer")?;
    Ok(answer.split_off(body + 4))
}

fn report(task: &Task, before: &Costs, after: &Costs, pictures: u64, bytes: u64, mut ages: Vec<f64>) {
    ages.sort_by(f64::total_cmp);
    // What was not measured, such as the age of pictures nobody watched, is shown as a dash.
    let shown = |value: f64| if value.is_finite() { format!("{value:.1}") } else { "-".to_owned() };
    let age = |part: f64| shown(ages.get((ages.len() as f64 * part) as usize).copied().unwrap_or(f64::NAN));
    let frames = (after.frames - before.frames) as f64;
    let seconds = task.seconds as f64;
    println!(
        "{:<28} {:>2} viewers {:>2} asleep | {:>4} frames/s, {:>4} pictures/s each of {:>5} kB | age {:>5} ms, 95 % {:>5} ms \
         | worker {:>5} ms/frame, agent {:>4} ms/frame, {:>5} MB",
        format!("{}?{}", task.camera, task.query),
        task.viewers,
        task.sleepers,
        shown(frames / seconds),
        shown(pictures as f64 / seconds / task.viewers as f64),
        shown(bytes as f64 / pictures as f64 / 1000.0),
        age(0.5),
        age(0.95),
        shown((after.worker - before.worker) * 1000.0 / frames),
        shown((after.agent - before.agent) * 1000.0 / frames),
        shown(after.memory as f64 / 1e6),
    );
}

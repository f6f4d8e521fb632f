//! Packet loss: pictures that the agent makes of streams with lost packets, held against pictures
//! that it makes of the same streams without loss. None may be damaged.
//!
//! Each virtual camera is read twice, directly and over a [`link`] that loses packets. Both readers
//! get the same encoded frames, so two pictures with the same burnt-in frame number must look the
//! same.

mod link;

use std::{
    collections::{BTreeMap, VecDeque},
    fs,
    net::{Ipv4Addr, TcpListener},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    Result, Task,
    net::{self, MotionJpeg},
    processes::{Agent, Cameras, own_address, wait_for, write_secret},
    rng::Rng,
};
use link::{Counters, Loss};

/// Share of the packets that are lost.
const PERMILLE: usize = 10;

/// The streams: codec, and transport of the reader with losses.
const STREAMS: [(&str, &str); 4] = [("h264", "tcp"), ("h264", "udp"), ("h265", "tcp"), ("mjpeg", "tcp")];

/// Originals kept of each stream: some seconds.
const MAX_ORIGINALS: usize = 200;

/// Pictures without an original yet.
const MAX_WAITING: usize = 200;

/// Pictures are compared in squares of this size; their mean luma differs by more than the limit if one
/// of them is damaged.
const SQUARE: usize = 16;
const MAX_DIFFERENCE: u32 = 8;

/// The stamp begins at this row of cells.
const STAMP_ROW: usize = 43;
const ROWS: usize = 45;

/// Time for all streams to be live.
const ALL_LIVE: Duration = Duration::from_secs(60);

/// Pictures come at least this fast, and after this time at the latest.
const SLOWEST_RATE: f64 = 2.0;
const FIRST_PICTURE: Duration = Duration::from_secs(60);

/// One stream and what was seen of it.
struct Course {
    name: String,
    /// Its viewers leave.
    is_over: AtomicBool,
    counters: Arc<Counters>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// JPEGs of the reader without loss, by frame number.
    originals: BTreeMap<u32, Vec<u8>>,
    /// JPEGs of the reader with losses, not compared yet.
    waiting: VecDeque<(u32, Vec<u8>)>,
    compared: usize,
    /// Pictures that differ from their original or have no readable stamp.
    damaged: usize,
    /// Originals that could be told from the original of the frame before, of so many.
    told_apart: usize,
    pairs: usize,
    /// Pictures whose original was skipped.
    without_original: usize,
}

impl Course {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn original(&self, jpeg: Vec<u8>) {
        let Some(frame) = net::frame_number(&jpeg) else { return };
        let mut seen = self.seen();
        seen.originals.insert(frame, jpeg);
        while seen.originals.len() > MAX_ORIGINALS {
            seen.originals.pop_first();
        }
    }

    fn served(&self, jpeg: Vec<u8>) {
        let mut seen = self.seen();
        match net::frame_number(&jpeg) {
            Some(frame) => seen.waiting.push_back((frame, jpeg)),
            None => {
                seen.damaged += 1;
                seen.compared += 1;
            }
        }
        while seen.waiting.len() > MAX_WAITING {
            seen.waiting.pop_front();
            seen.without_original += 1;
        }
    }

    /// Compares what can be compared. Returns the first damaged picture and its original.
    fn compare(&self) -> Option<[Vec<u8>; 2]> {
        let mut first_damaged = None;
        loop {
            let mut seen = self.seen();
            let newest = seen.originals.last_key_value().map(|(frame, _)| *frame)?;
            if seen.waiting.front().is_none_or(|(frame, _)| *frame > newest) {
                return first_damaged;
            }
            let (frame, served) = seen.waiting.pop_front()?;
            let Some(original) = seen.originals.get(&frame).cloned() else {
                seen.without_original += 1;
                continue;
            };
            let before = frame.checked_sub(1).and_then(|before| seen.originals.get(&before).cloned());
            drop(seen);
            let is_damaged = !is_same(&served, &original);
            let is_apart = before.map(|before| is_told_apart(&original, &before));
            let mut seen = self.seen();
            seen.pairs += usize::from(is_apart.is_some());
            seen.told_apart += usize::from(is_apart == Some(true));
            seen.compared += 1;
            seen.damaged += usize::from(is_damaged);
            if is_damaged && first_damaged.is_none() {
                first_damaged = Some([served, original]);
            }
        }
    }
}

/// The luma of a JPEG.
fn decode(jpeg: &[u8]) -> Option<turbojpeg::Image<Vec<u8>>> {
    turbojpeg::decompress(jpeg, turbojpeg::PixelFormat::GRAY).ok()
}

/// Whether no square of two pictures differs, from the top down to `height`.
fn look_alike(one: &turbojpeg::Image<Vec<u8>>, other: &turbojpeg::Image<Vec<u8>>, height: usize) -> bool {
    if (one.width, one.height) != (other.width, other.height) {
        return false;
    }
    let pixel = |image: &turbojpeg::Image<Vec<u8>>, x: usize, y: usize| image.pixels[y * image.pitch + x];
    let mut squares = (0..height).step_by(SQUARE).flat_map(|y| (0..one.width).step_by(SQUARE).map(move |x| (x, y)));
    squares.all(|(left, top)| {
        let (right, bottom) = ((left + SQUARE).min(one.width), (top + SQUARE).min(height));
        let (mut sum, mut count) = (0, 0);
        for y in top..bottom {
            for x in left..right {
                sum += u32::from(pixel(one, x, y).abs_diff(pixel(other, x, y)));
                count += 1;
            }
        }
        sum <= MAX_DIFFERENCE * count
    })
}

/// Whether `served` is `original`.
fn is_same(served: &[u8], original: &[u8]) -> bool {
    served == original
        || decode(served).zip(decode(original)).is_some_and(|(one, other)| look_alike(&one, &other, one.height))
}

/// Whether a picture can be told from the one before it, without the stamp: concealed damage leaves
/// squares of the picture before.
fn is_told_apart(original: &[u8], before: &[u8]) -> bool {
    let both = decode(original).zip(decode(before));
    both.is_some_and(|(one, other)| !look_alike(&one, &other, one.height * STAMP_ROW / ROWS))
}

/// Compares `pictures` pictures, of one stream after the other, which any machine can decode. Prints a
/// table. Returns whether packets were lost, no picture was damaged, and damage would have been seen.
///
/// # Errors
/// If agent or cameras do not start, or too few pictures come.
pub fn run(task: &Task, pictures: usize, stop: &Arc<AtomicBool>) -> Result<bool> {
    fs::create_dir_all(task.out.join("state"))?;
    let folder = task.out.canonicalize()?;
    let mut rng = Rng::new(task.seed);
    let cameras = Cameras::start(&task.virtual_camera, &descriptions()?, &folder)?;
    let address = format!("{}:8080", own_address(250));
    let mut file = format!(
        "[server]\nlisten = \"{address}\"\nwww = '{}'\nstate_dir = '{}'\n\n[defaults]\ndamaged = \"hide\"\n",
        task.www.canonicalize()?.display(),
        folder.join("state").display()
    );
    let mut courses = Vec::new();
    for (camera, (codec, transport)) in cameras.all.iter().zip(STREAMS) {
        let name = format!("{codec}-{transport}");
        let counters = Arc::new(Counters::default());
        let (host, path) = camera.stream.trim_start_matches("rtsp://").split_once('/').ok_or("no path in the URL")?;
        let loss = Loss { permille: PERMILLE, rng: rng.child(), counters: Arc::clone(&counters) };
        let link = link::start(host.parse()?, loss)?;
        file.push_str(&format!(
            "\n[[camera]]\nid = \"{name}-original\"\nurl = \"{}\"\n\
             \n[[camera]]\nid = \"{name}\"\nurl = \"rtsp://{link}/{path}\"\ntransport = \"{transport}\"\n",
            camera.stream
        ));
        courses.push(Arc::new(Course { name, is_over: AtomicBool::new(false), counters, seen: Mutex::default() }));
    }
    let path = folder.join("cameras.toml");
    write_secret(&path, &file)?;
    let agent = Agent::start(&task.agent, &path, address.clone(), &folder)?;
    wait_for(ALL_LIVE, stop, || {
        let api = agent.api().ok()?;
        let live = api["cameras"].as_array()?.iter().filter(|camera| camera["state"] == "live").count();
        (live == 2 * courses.len()).then_some(())
    })
    .ok_or("not every stream became live; see agent.log")?;
    let each = pictures.div_ceil(courses.len());
    let mut saved = false;
    for course in &courses {
        view(&address, format!("{}-original", course.name), Arc::clone(course), Course::original)?;
        view(&address, course.name.clone(), Arc::clone(course), Course::served)?;
        let limit = FIRST_PICTURE + Duration::from_secs_f64(each as f64 / SLOWEST_RATE);
        let deadline = Instant::now() + limit;
        while course.seen().compared < each && Instant::now() < deadline && !stop.load(Ordering::Relaxed) {
            if let Some([served, original]) = course.compare().filter(|_| !saved) {
                fs::write(folder.join("damaged.jpg"), served)?;
                fs::write(folder.join("original.jpg"), original)?;
                saved = true;
            }
            thread::sleep(Duration::from_millis(100));
        }
        course.is_over.store(true, Ordering::Relaxed);
    }
    print!("{}", table(&courses));
    if courses.iter().any(|course| course.seen().compared < each) {
        return Err("too few pictures came".into());
    }
    let is_proof = |course: &Arc<Course>| {
        let seen = course.seen();
        // The picture moves all the time.
        let sees_damage = seen.pairs > 0 && seen.told_apart * 10 >= seen.pairs * 9;
        course.counters.lost.load(Ordering::Relaxed) > 0 && seen.damaged == 0 && sees_damage
    };
    Ok(courses.iter().all(is_proof))
}

/// The virtual cameras, in the order of [`STREAMS`]. One that sends datagrams is at the address from
/// which they come.
fn descriptions() -> Result<String> {
    let free_port = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    let mut lines = String::new();
    for (number, (codec, transport)) in (1..).zip(STREAMS) {
        let place = match transport {
            "udp" => format!("ip=127.0.0.1 rtsp={} onvif={}", free_port()?.port(), free_port()?.port()),
            _ => format!("ip={}", own_address(number)),
        };
        lines.push_str(&format!(
            "id=cam{number} {place} codec={codec} size=640x360 fps=15 gop=10 bitrate=1000 small=none\n"
        ));
    }
    Ok(lines)
}

/// Takes the JPEGs of camera `id` in a thread of its own, until the course is over.
fn view(address: &str, id: String, course: Arc<Course>, take: fn(&Course, Vec<u8>)) -> Result<()> {
    let address = address.to_owned();
    thread::Builder::new().name(id.clone()).spawn(move || {
        while !course.is_over.load(Ordering::Relaxed) {
            if let Ok(mut viewer) = MotionJpeg::open(&address, &format!("/live/{id}")) {
                while let (Ok(part), false) = (viewer.next(), course.is_over.load(Ordering::Relaxed)) {
                    // Cards have the number 0.
                    if part.sequence > 0 {
                        take(&course, part.jpeg);
                    }
                }
            }
            thread::sleep(Duration::from_millis(200));
        }
    })?;
    Ok(())
}

fn table(courses: &[Arc<Course>]) -> String {
    let mut text =
        "| stream | packets | lost | pictures compared | damaged | without original | told from the frame before |\n|---|---|---|---|---|---|---|\n"
            .to_owned();
    for course in courses {
        let seen = course.seen();
        let (passed, lost) =
            (course.counters.passed.load(Ordering::Relaxed), course.counters.lost.load(Ordering::Relaxed));
        text.push_str(&format!(
            "| {} | {} | {lost} | {} | {} | {} | {} of {} |\n",
            course.name,
            passed + lost,
            seen.compared,
            seen.damaged,
            seen.without_original,
            seen.told_apart,
            seen.pairs
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jpeg(change: impl Fn(usize, usize) -> u8) -> Vec<u8> {
        let pixels: Vec<u8> = (0..64).flat_map(|y| (0..64).map(move |x| (x, y))).map(|(x, y)| change(x, y)).collect();
        let image = turbojpeg::Image {
            pixels: &pixels[..],
            width: 64,
            pitch: 64,
            height: 64,
            format: turbojpeg::PixelFormat::GRAY,
        };
        turbojpeg::compress(image, 80, turbojpeg::Subsamp::Gray).unwrap().to_vec()
    }

    #[test]
    fn one_wrong_square_is_damage_and_a_little_noise_is_not() {
        let original = jpeg(|x, y| (x * 2 + y) as u8);
        assert!(is_same(&jpeg(|x, y| (x * 2 + y + (x + y) % 3) as u8), &original));
        let wrong = jpeg(|x, y| if x < 16 && y < 16 { 90 } else { (x * 2 + y) as u8 });
        assert!(!is_same(&wrong, &original) && is_told_apart(&wrong, &original));
        assert!(!is_same(b"no picture", &original));
        let stamped = jpeg(|x, y| if y >= 62 { 200 } else { (x * 2 + y) as u8 });
        assert!(!is_told_apart(&stamped, &original), "the stamp alone");
    }
}

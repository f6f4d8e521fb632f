//! `cctv-agent status`: how each camera is doing, on one screen, for the installer.

use std::{fs, process::ExitCode};

use nix::unistd::{SysconfVar, sysconf};
use serde_json::Value;

use super::{
    Question, inquiry, print,
    table::{Side, aligned, shortened, shown, wrapped},
};

/// The reason below a camera is broken into lines that fit beside everything else.
const WIDEST_LINE: usize = 110;

/// A longer identifier is cut, in cells of the terminal.
const WIDEST_ID: usize = 24;

const HEADINGS: [&str; 12] =
    ["ID", "STATE", "AGE", "CODEC", "SIZE", "FPS", "MBIT/S", "VIEWERS", "RECONNECTS", "STALLS", "CPU", "MEMORY"];

const SIDES: [Side; 12] = {
    use Side::{Left, Right};
    [Left, Left, Right, Left, Left, Right, Right, Right, Right, Right, Right, Right]
};

/// Asks the running agent and prints how its cameras are doing; one line to stderr where no agent
/// answers. For programs that is `/api/cameras` as it is.
///
/// # Blocking
/// Blocks on the disk, and some seconds for each address where nobody answers.
pub fn run(question: &Question) -> ExitCode {
    match inquiry::answer("status", &question.file) {
        Ok(answer) if question.json => print(&format!("{answer:#}\n")),
        Ok(answer) => print(&as_text(&answer, cpu_share)),
        Err(code) => return code,
    }
    ExitCode::SUCCESS
}

/// The table for people. `cpu_share` tells the processor time of a worker as a part of one processor
/// since it began, given its pid and its seconds.
///
/// Below each camera that is not live stands why; at the end, what is wrong with the file.
fn as_text(answer: &Value, cpu_share: impl Fn(u32, f64) -> Option<f64>) -> String {
    let cameras: Vec<&Value> = answer["cameras"].as_array().into_iter().flatten().collect();
    let mut text = format!("{}\n", summary(answer, &cameras));
    if !cameras.is_empty() {
        let mut rows = vec![HEADINGS.map(str::to_owned)];
        rows.extend(cameras.iter().map(|camera| row(camera, &cpu_share)));
        let table = aligned(&rows, SIDES);
        text.push_str(&format!("\n{}\n", table[0]));
        for (line, camera) in table[1..].iter().zip(&cameras) {
            text.push_str(&format!("{line}\n"));
            let why = camera["why"].as_str().unwrap_or("");
            if !why.is_empty() {
                indented(&shown(why), &mut text);
            }
        }
    }
    let complaints: Vec<&str> =
        answer["complaints"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if !complaints.is_empty() {
        text.push_str("\nthe configuration file was not taken:\n");
        for complaint in complaints {
            indented(&shown(complaint), &mut text);
        }
    }
    text
}

/// The share of worker `pid`, from the kernel's record of when it began; `None` where there is no
/// such process here.
fn cpu_share(pid: u32, seconds: f64) -> Option<f64> {
    let ticks = sysconf(SysconfVar::CLK_TCK).ok().flatten()?;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let uptime = fs::read_to_string("/proc/uptime").ok()?;
    share(&stat, &uptime, ticks as f64, seconds)
}

/// See proc(5): the name in parentheses may hold blanks, and field 22 is the start, in ticks after
/// the system's.
fn share(stat: &str, uptime: &str, ticks: f64, seconds: f64) -> Option<f64> {
    let began: f64 = stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(22 - 3)?.parse().ok()?;
    let now: f64 = uptime.split_ascii_whitespace().next()?.parse().ok()?;
    let lived = now - began / ticks;
    (lived >= 1.0).then_some(seconds / lived)
}

fn summary(answer: &Value, cameras: &[&Value]) -> String {
    let version = answer["version"].as_str().map_or(String::new(), shown);
    let up = answer["uptime"].as_f64().map_or("?".to_owned(), duration);
    let count = |state: &str| cameras.iter().filter(|camera| camera["state"] == state).count();
    let states: Vec<String> = ["live", "connecting", "stalled", "offline", "denied"]
        .into_iter()
        .filter(|state| count(state) > 0)
        .map(|state| format!("{} {state}", count(state)))
        .collect();
    let cameras = match cameras.len() {
        0 => "no cameras".to_owned(),
        1 => format!("1 camera: {}", states.join(", ")),
        many => format!("{many} cameras: {}", states.join(", ")),
    };
    let viewers = match answer["viewers"].as_u64() {
        Some(1) => "1 viewer".to_owned(),
        viewers => format!("{} viewers", viewers.unwrap_or(0)),
    };
    format!("cctv-agent {version}, pid {}, running for {up}; {cameras}; {viewers}", answer["pid"])
}

fn row(camera: &Value, cpu_share: &impl Fn(u32, f64) -> Option<f64>) -> [String; 12] {
    let dash = || "-".to_owned();
    let text = |key: &str| camera[key].as_str().map_or_else(dash, shown);
    let number = |key: &str| camera[key].as_u64().map_or_else(dash, |number| number.to_string());
    let live = camera["state"] == "live";
    // What is not live has no rate worth telling.
    let rate = |value: Option<f64>| value.filter(|_| live).map(|value| format!("{value:.1}")).unwrap_or_else(dash);
    let size = &camera["size"];
    let worker = &camera["worker"];
    let cpu = worker["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok()).zip(worker["cpu_seconds"].as_f64());
    [
        shortened(&text("id"), WIDEST_ID),
        text("state"),
        camera["age"].as_f64().map_or_else(dash, duration),
        text("codec"),
        if size.is_array() { format!("{}x{}", size[0], size[1]) } else { dash() },
        rate(camera["fps"].as_f64()),
        camera["bitrate"].as_f64().filter(|_| live).map_or_else(dash, |bits| format!("{:.2}", bits / 1e6)),
        number("viewers"),
        number("reconnects"),
        number("stalls"),
        cpu.and_then(|(pid, seconds)| cpu_share(pid, seconds))
            .map_or_else(dash, |share| format!("{:.0} %", share * 100.0)),
        worker["memory_bytes"].as_f64().map_or_else(dash, |bytes| format!("{:.0} MiB", bytes / f64::from(1 << 20))),
    ]
}

/// Seconds as a person says them, in at most 6 characters for a thousand days.
fn duration(seconds: f64) -> String {
    match seconds {
        ..9.95 => format!("{seconds:.1} s"),
        ..120.0 => format!("{seconds:.0} s"),
        ..7200.0 => format!("{:.0} min", seconds / 60.0),
        ..172_800.0 => format!("{:.0} h", seconds / 3600.0),
        _ => format!("{:.0} d", seconds / 86_400.0),
    }
}

fn indented(note: &str, text: &mut String) {
    for line in wrapped(note, WIDEST_LINE - 4) {
        text.push_str(&format!("    {line}\n"));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::command::table::cells;

    #[test]
    fn status_fits_on_a_terminal_and_says_why() {
        let mut answer = json!({
            "version": "0.1.0", "pid": 812, "uptime": 266_400.5, "viewers": 1, "complaints": [],
            "cameras": [
                { "id": "gate", "state": "live", "why": "", "age": 0.041, "codec": "h264", "size": [2560, 1440], "fps": 25.0,
                  "bitrate": 4_123_456, "viewers": 12, "reconnects": 1, "stalls": 0,
                  "worker": { "pid": 9, "cpu_seconds": 30.0, "memory_bytes": 89_000_000 } },
                { "id": "yard", "state": "offline", "why": "cannot connect to 192.168.1.65: No route to host; trying again in 60 s \
                  (attempt 12); \u{5927}\u{9580}\u{5927}\u{9580}\u{5927}\u{9580}\u{5927}\u{9580}\u{1b}[2J", "age": 4000.0, "codec": null,
                  "size": null, "fps": 0.0, "bitrate": 0, "viewers": 0, "reconnects": 0, "stalls": 3, "worker": null },
            ],
        });
        let share = |pid: u32, seconds: f64| (pid == 9).then_some(seconds / 240.0);
        let text = as_text(&answer, share);
        let expected = "\
cctv-agent 0.1.0, pid 812, running for 3 d; 2 cameras: 1 live, 1 offline; 1 viewer

ID    STATE       AGE  CODEC  SIZE        FPS  MBIT/S  VIEWERS  RECONNECTS  STALLS   CPU  MEMORY
gate  live      0.0 s  h264   2560x1440  25.0    4.12       12           1       0  12 %  85 MiB
yard  offline  67 min  -      -             -       -        0           0       3     -       -
    cannot connect to 192.168.1.65: No route to host; trying again in 60 s (attempt 12);
    \u{5927}\u{9580}\u{5927}\u{9580}\u{5927}\u{9580}\u{5927}\u{9580}\\u{1b}[2J
";
        assert_eq!(text, expected, "\n{text}");

        answer["complaints"] = json!(["cameras.toml:3:1: what is wrong"]);
        answer["cameras"][0]["id"] = json!("x".repeat(64));
        let text = as_text(&answer, share);
        assert!(text.lines().all(|line| cells(line) <= 120), "{text}");
        assert!(text.ends_with("was not taken:\n    cameras.toml:3:1: what is wrong\n"), "{text}");
    }

    #[test]
    fn agent_without_cameras_is_told_in_one_line() {
        let answer =
            json!({ "version": "0.1.0", "pid": 1, "uptime": 1.0, "viewers": 0, "complaints": [], "cameras": [] });
        assert_eq!(
            as_text(&answer, |_, _| None),
            "cctv-agent 0.1.0, pid 1, running for 1.0 s; no cameras; 0 viewers\n"
        );
    }

    #[test]
    fn durations_are_short() {
        for (seconds, text) in [
            (0.04, "0.0 s"),
            (9.97, "10 s"),
            (119.0, "119 s"),
            (120.0, "2 min"),
            (7200.0, "2 h"),
            (172_800.0, "2 d"),
            (86_400_000.0, "1000 d"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }

    #[test]
    fn share_of_a_processor_is_told_of_workers_old_enough() {
        let stat = "9 (a (b) c) S 1 1 1 0 -1 0 0 0 0 0 2500 500 0 0 20 0 3 0 10000 1 2";
        assert_eq!(share(stat, "160.00 300.00\n", 100.0, 30.0), Some(0.5));
        assert_eq!(share(stat, "100.50 300.00\n", 100.0, 30.0), None);
        assert_eq!(share("", "160.00", 100.0, 30.0), None);
        assert!(cpu_share(std::process::id(), 1.0).is_none_or(|share| share >= 0.0));
    }
}

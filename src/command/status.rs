//! `cctv-agent status`: shows the state of each camera on one screen, for the installer.

use std::{collections::BTreeSet, process::ExitCode};

use serde_json::Value;

use super::{
    agent_client,
    arguments::QueryArgs,
    output::{complain, print, print_json},
    reasons::ReasonTexts,
    table::{Side, aligned, shortened, shown, wrapped},
};
use crate::text::{self, MIB, counted, mebibytes};

/// The exit code if the agent has no such camera.
const USAGE: u8 = 64;

/// Maximum width of a line, in terminal cells. The columns need 84 of them beside the identifiers.
const WIDEST_LINE: usize = 100;

/// Maximum width of an identifier, in terminal cells; longer ones are cut.
const WIDEST_ID: usize = 16;

const COLUMNS: usize = 11;

const HEADINGS: [&str; COLUMNS] =
    ["ID", "STATE", "AGE", "SIZE", "FPS", "KBIT/S", "VIEWERS", "RECONN", "STALLS", "CPU", "MIB"];

const SIDES: [Side; COLUMNS] = {
    use Side::{Left, Right};
    [Left, Left, Right, Left, Right, Right, Right, Right, Right, Right, Right]
};

/// Asks the running agent and prints the state of its cameras, or prints one line to stderr if no
/// agent answers. The output for programs is `/api/cameras` unchanged, or with one camera alone.
///
/// # Blocking
/// Blocks on the disk, and some seconds for each address that does not answer.
pub fn run(question: &QueryArgs) -> ExitCode {
    let mut answer = match agent_client::answer("status", &question.file) {
        Ok(answer) => answer,
        Err(code) => return code,
    };
    if let Some(id) = &question.camera
        && let Err(wrong) = keep_only(&mut answer, id)
    {
        complain(format!("cctv-agent status: {wrong}"));
        return ExitCode::from(USAGE);
    }
    let texts = ReasonTexts::of_terminal();
    match &question.camera {
        _ if question.json => print_json(&answer),
        Some(_) => print(&one_as_text(&answer, &texts)),
        None => print(&as_text(&answer, &texts)),
    }
    ExitCode::SUCCESS
}

/// Removes all cameras but `id` from `answer`.
///
/// # Errors
/// One line about which cameras there are.
fn keep_only(answer: &mut Value, id: &str) -> Result<(), String> {
    let Some(cameras) = answer["cameras"].as_array_mut() else { return Err("there are no cameras".to_owned()) };
    let ids: Vec<String> = cameras.iter().filter_map(|camera| camera["id"].as_str()).map(shown).collect();
    cameras.retain(|camera| camera["id"] == id);
    if cameras.is_empty() {
        return Err(format!("there is no camera {}; there are {}", shown(id), ids.join(", ")));
    }
    Ok(())
}

/// Formats the only camera of `answer` for people, with what it sends and where, what was received of it, and the
/// sandbox of its worker.
fn one_as_text(answer: &Value, texts: &ReasonTexts) -> String {
    let cameras: Vec<&Value> = answer["cameras"].as_array().into_iter().flatten().collect();
    let mut text = String::new();
    table(&cameras, texts, &mut text);
    let facts = |camera| place(camera).into_iter().chain(sent(camera, texts));
    for line in cameras.iter().flat_map(|camera| facts(camera).chain(received(camera)).chain(sandbox(camera))) {
        indented(&line, &mut text);
    }
    text
}

/// Returns where a camera is, and by which TLS key it is known.
fn place(camera: &Value) -> Option<String> {
    let address = shown(camera["address"].as_str()?);
    let profile = camera["profile"].as_str().map_or_else(String::new, |token| format!(", profile {}", shown(token)));
    let key = camera["tls_key"].as_str().map_or_else(String::new, |key| format!("; its TLS key is {}", shown(key)));
    Some(format!("read from {address}{profile}{key}"))
}

/// Returns what a camera sends, and why pages get JPEG of it if they do; nothing before it is known.
fn sent(camera: &Value, texts: &ReasonTexts) -> Option<String> {
    let codec = shown(&camera["codec"].as_str()?.to_uppercase());
    let display = &camera["display"];
    let shape = match (display.as_array(), display == &camera["size"]) {
        (Some(_), false) => format!(", shown as {}x{}", display[0], display[1]),
        _ => String::new(),
    };
    let as_jpeg = texts.sentence(&camera["as_jpeg"], "");
    let as_jpeg = if as_jpeg.is_empty() { as_jpeg } else { format!("; {}", shown(&as_jpeg)) };
    Some(format!("sends {codec}{shape}{as_jpeg}"))
}

/// Returns what became of the packets of a camera, one line for each fact; nothing if the agent does not
/// know.
fn received(camera: &Value) -> Vec<String> {
    let reception = &camera["reception"];
    let count = |key: &str| reception[key].as_u64().unwrap_or(0);
    let Some(packets) = reception["packets"].as_u64() else { return Vec::new() };
    let lost = count("lost");
    let share = lost as f64 / (packets + lost).max(1) as f64;
    let mut lines = vec![format!(
        "received: {}, {lost} lost ({:.2} %), {} late, {} of another sender, {}; jitter {:.1} ms; {}",
        counted(packets, "packet"),
        100.0 * share,
        count("late"),
        count("foreign"),
        counted(count("resyncs"), "new numbering"),
        1000.0 * reception["jitter"].as_f64().unwrap_or(0.0),
        counted(count("damaged_frames"), "damaged frame"),
    )];
    if let Some(waiting) = reception["waiting_for_key_frame"].as_f64() {
        lines.push(format!("waiting for a key frame for {}", duration(waiting)));
    }
    if let Some(times @ 1..) = camera["key_frame_requests"].as_u64() {
        lines.push(format!("asked for a key frame {}", counted(times, "time")));
    }
    if let Some(ahead) = reception["camera_clock"].as_f64() {
        let side = if ahead < 0.0 { "behind" } else { "ahead" };
        lines.push(format!("its clock is {} {side}, which changes nothing here", duration(ahead.abs())));
    }
    lines
}

/// Returns what of the sandbox of a camera's worker took hold; nothing if it has none.
fn sandbox(camera: &Value) -> Option<String> {
    let worker = &camera["worker"];
    let level = shown(worker["sandbox"].as_str()?);
    let missing: Vec<_> = worker["sandbox_missing"].as_array()?.iter().filter_map(Value::as_str).map(shown).collect();
    let without = if missing.is_empty() { String::new() } else { format!(", without {}", missing.join(", ")) };
    Some(format!("sandbox of its worker: {level}{without}"))
}

/// Formats the table for people. Below each camera is why it is not live, or its last failure. The
/// complaints about the file are at the end.
fn as_text(answer: &Value, texts: &ReasonTexts) -> String {
    let cameras: Vec<&Value> = answer["cameras"].as_array().into_iter().flatten().collect();
    let mut text = String::new();
    for line in [
        summary(answer, &cameras),
        own_costs(answer),
        workers_costs(&cameras),
        losses(answer),
        certificate(answer),
        root(answer),
    ]
    .into_iter()
    .chain(timetables(answer))
    {
        wrapped(&line, WIDEST_LINE)
            .iter()
            .filter(|line| !line.is_empty())
            .for_each(|line| text.push_str(&format!("{line}\n")));
    }
    if !cameras.is_empty() {
        text.push('\n');
        table(&cameras, texts, &mut text);
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

/// A line for each camera, and why it is not live.
fn table(cameras: &[&Value], texts: &ReasonTexts, text: &mut String) {
    let mut rows = vec![HEADINGS.map(str::to_owned)];
    rows.extend(cameras.iter().map(|camera| row(camera)));
    let table = aligned(&rows, SIDES);
    text.push_str(&format!("{}\n", table[0]));
    for (line, camera) in table[1..].iter().zip(cameras) {
        text.push_str(&format!("{line}\n"));
        indented(&trouble(camera, texts), text);
    }
}

fn summary(answer: &Value, cameras: &[&Value]) -> String {
    let version = answer["version"].as_str().map_or(String::new(), shown);
    let up = answer["uptime"].as_f64().map_or("?".to_owned(), duration);
    let number = |state: &str| cameras.iter().filter(|camera| camera["state"] == state).count();
    let states: Vec<String> = ["live", "connecting", "stalled", "offline", "denied"]
        .into_iter()
        .filter(|state| number(state) > 0)
        .map(|state| format!("{} {state}", number(state)))
        .collect();
    let cameras = match cameras.len() {
        0 => "no cameras".to_owned(),
        some => format!("{}: {}", counted(some as u64, "camera"), states.join(", ")),
    };
    let viewers = counted(answer["viewers"].as_u64().unwrap_or(0), "viewer");
    format!("cctv-agent {version}, pid {}, running for {up}; {cameras}; {viewers}", answer["pid"])
}

/// Returns how a browser can tell that it speaks with this agent; empty if the agent has no
/// certificate.
fn certificate(answer: &Value) -> String {
    let tls = &answer["tls"];
    let Some(fingerprint) = tls["fingerprint"].as_str() else { return String::new() };
    let whose = if tls["own"] == true { "the agent's own" } else { "the file's" };
    let left = tls["expires"].as_f64().unwrap_or(0.0);
    let until = duration(left.abs());
    let validity = if left < 0.0 { format!("expired {until} ago") } else { format!("valid for {until}") };
    format!("https: {whose} certificate, {validity}; its SHA-256 fingerprint: {}", shown(fingerprint))
}

/// Returns the resource usage of the agent itself; empty if the agent does not report it.
fn own_costs(answer: &Value) -> String {
    let agent = &answer["agent"];
    let Some((cpu, up)) = agent["cpu_seconds"].as_f64().zip(answer["uptime"].as_f64().filter(|up| *up > 0.0)) else {
        return String::new();
    };
    let most = agent["most_descriptors"].as_u64().map_or(String::new(), |most| format!(" of {most}"));
    format!(
        "agent: {} of a processor, {}, {}, {}{most} descriptors, {}",
        percent(cpu / up),
        mebibytes(agent["memory_bytes"].as_u64().unwrap_or(0)),
        counted(agent["threads"].as_u64().unwrap_or(0), "thread"),
        agent["descriptors"],
        counted(answer["connections"].as_u64().unwrap_or(0), "connection"),
    )
}

/// Returns the resource usage of all workers together; empty if there are none.
fn workers_costs(cameras: &[&Value]) -> String {
    let workers: Vec<_> = cameras.iter().map(|camera| &camera["worker"]).filter(|worker| worker.is_object()).collect();
    let cpu = workers.iter().filter_map(|worker| worker["cpu"].as_f64()).sum::<f64>();
    let bytes = |key: &str| workers.iter().filter_map(|worker| worker[key].as_u64()).sum::<u64>();
    if workers.is_empty() {
        return String::new();
    }
    let (number, cpu) = (counted(workers.len() as u64, "worker"), percent(cpu));
    let levels: BTreeSet<_> = workers.iter().filter_map(|worker| worker["sandbox"].as_str()).map(shown).collect();
    let sandbox = levels.into_iter().collect::<Vec<_>>().join(" or ");
    let sandbox = if sandbox.is_empty() { sandbox } else { format!("; sandbox: {sandbox}") };
    format!(
        "{number}: {cpu} of a processor, {}, {} of it unshared{sandbox}",
        mebibytes(bytes("memory_bytes")),
        mebibytes(bytes("own_memory_bytes"))
    )
}

/// Returns the counts of refused requests and lost log lines; empty if there are none.
fn losses(answer: &Value) -> String {
    let refused = answer["refused"].as_object().into_iter().flatten();
    let mut parts: Vec<String> = refused
        .filter(|(_, times)| times.as_u64().unwrap_or(0) > 0)
        .map(|(limit, times)| format!("{times} at {}", shown(limit)))
        .collect();
    if !parts.is_empty() {
        parts = vec![format!("refused since the start: {}", parts.join(", "))];
    }
    if let Some(lost @ 1..) = answer["log_lines_lost"].as_u64() {
        parts.push(format!("{} lost", counted(lost, "log line")));
    }
    parts.join("; ")
}

/// Returns a line about an agent that is root; empty if it is not.
fn root(answer: &Value) -> String {
    if answer["runs_as_root"] == true {
        "the agent runs as root; start it with --user cctv-agent (USER in /etc/default/cctv-agent)".to_owned()
    } else {
        String::new()
    }
}

/// Returns a line for each wall that shows something else because a timetable says so.
fn timetables(answer: &Value) -> impl Iterator<Item = String> {
    answer["scenes"].as_array().into_iter().flatten().filter_map(|wall| {
        let (name, scene) = (wall["name"].as_str()?, &wall["scene"]);
        if scene["by"] != "timetable" {
            return None;
        }
        let name = if name.is_empty() { "the wall".to_owned() } else { format!("the wall {}", shown(name)) };
        let what = match scene["wall"].as_str() {
            _ if scene["screen"] == "off" => "is meant to be dark".to_owned(),
            Some(other) => format!("shows that of {}", shown(other)),
            None => return None,
        };
        let until = scene["until"].as_str().map_or_else(String::new, |time| {
            let day = scene["until_day"].as_str().map_or_else(String::new, |day| format!("{} ", shown(day)));
            format!(" until {day}{}", shown(time))
        });
        Some(format!("{name} {what}{until}, as its timetable says"))
    })
}

/// Returns why a camera is not live, or its last failure.
fn trouble(camera: &Value, texts: &ReasonTexts) -> String {
    let sentence = |reason, why: Option<&str>| texts.sentence(&camera[reason], why.unwrap_or_default());
    let why = sentence("reason", camera["why"].as_str());
    if !why.is_empty() {
        return shown(&why);
    }
    let events = &camera["events"];
    let no_events = texts.sentence(&events["reason"], events["why"].as_str().unwrap_or_default());
    if !no_events.is_empty() {
        let state = events["state"].as_str().unwrap_or_default();
        return shown(&format!("its picture is live, but its events are {state}: {no_events}"));
    }
    match (camera["last_error"].as_str(), camera["last_error_age"].as_f64()) {
        (Some(error), Some(age)) => {
            format!("{} ago: {}", duration(age), shown(&sentence("last_error_reason", Some(error))))
        }
        _ => String::new(),
    }
}

fn row(camera: &Value) -> [String; COLUMNS] {
    let dash = || "-".to_owned();
    let text = |key: &str| camera[key].as_str().map_or_else(dash, shown);
    let number = |key: &str| camera[key].as_u64().map_or_else(dash, |number| number.to_string());
    let live = camera["state"] == "live";
    // The rates of a camera that is not live mean nothing.
    let rate = |key: &str| camera[key].as_f64().filter(|_| live);
    let (size, worker) = (&camera["size"], &camera["worker"]);
    [
        shortened(&text("id"), WIDEST_ID),
        text("state"),
        camera["age"].as_f64().map_or_else(dash, duration),
        if size.is_array() { format!("{}x{}", size[0], size[1]) } else { dash() },
        rate("fps").map_or_else(dash, |fps| format!("{fps:.1}")),
        rate("bitrate").map_or_else(dash, |bits| format!("{:.0}", bits / 1000.0)),
        number("viewers"),
        number("reconnects"),
        number("stalls"),
        worker["cpu"].as_f64().map_or_else(dash, percent),
        worker["memory_bytes"].as_f64().map_or_else(dash, |bytes| format!("{:.0}", bytes / MIB as f64)),
    ]
}

fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent < 9.95 { format!("{percent:.1} %") } else { format!("{percent:.0} %") }
}

/// Formats seconds for people, in at most 6 characters up to a thousand days.
fn duration(seconds: f64) -> String {
    if seconds < 9.95 { format!("{seconds:.1} s") } else { text::duration(seconds) }
}

fn indented(note: &str, text: &mut String) {
    for line in wrapped(note, WIDEST_LINE - 4).iter().filter(|line| !line.is_empty()) {
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
            "version": "0.1.0", "pid": 812, "uptime": 266_400.5, "viewers": 1, "connections": 3, "complaints": [],
            "agent": { "cpu_seconds": 5328.0, "memory_bytes": 33_000_000, "threads": 2, "descriptors": 31, "most_descriptors": 4096 },
            "refused": { "viewers": 0, "connections": 0, "connections_per_address": 12 }, "log_lines_lost": 1,
            "tls": { "fingerprint": "AB:CD:EF", "own": true, "expires": 315_360_000 },
            "cameras": [
                { "id": "gate", "state": "live", "why": "", "age": 0.041, "size": [2560, 1440], "fps": 25.0, "bitrate": 4_123_456, "viewers": 12,
                  "reconnects": 1, "stalls": 0, "last_error": "no frame for 5.0 s",
                  "last_error_age": 500.0, "worker": { "pid": 9, "cpu": 0.123, "memory_bytes": 89_000_000, "own_memory_bytes": 20_000_000, "sandbox": "full", "sandbox_missing": [] } },
                { "id": "yard", "state": "offline", "why": "cannot connect to 192.168.1.65: No route to host; trying again in 60 s \
                  (attempt 12); \u{5927}\u{9580}\u{5927}\u{9580}\u{5927}\u{9580}\u{5927}\u{9580}\u{1b}[2J", "age": 4000.0,
                  "fps": 0.0, "bitrate": 0, "viewers": 0, "reconnects": 0, "stalls": 3, "worker": null },
            ],
        });
        let text = as_text(&answer, &ReasonTexts::default());
        let expected = "\
cctv-agent 0.1.0, pid 812, running for 3 d; 2 cameras: 1 live, 1 offline; 1 viewer
agent: 2.0 % of a processor, 31 MiB, 2 threads, 31 of 4096 descriptors, 3 connections
1 worker: 12 % of a processor, 85 MiB, 19 MiB of it unshared; sandbox: full
refused since the start: 12 at connections_per_address; 1 log line lost
https: the agent's own certificate, valid for 3650 d; its SHA-256 fingerprint: AB:CD:EF

ID    STATE       AGE  SIZE        FPS  KBIT/S  VIEWERS  RECONN  STALLS   CPU  MIB
gate  live      0.0 s  2560x1440  25.0    4123       12       1       0  12 %   85
    8 min ago: no frame for 5.0 s
yard  offline  67 min  -             -       -        0       0       3     -    -
    cannot connect to 192.168.1.65: No route to host; trying again in 60 s (attempt 12);
    \u{5927}\u{9580}\u{5927}\u{9580}\u{5927}\u{9580}\u{5927}\u{9580}\\u{1b}[2J
";
        assert_eq!(text, expected, "\n{text}");

        answer["complaints"] = json!(["cameras.toml:3:1: what is wrong"]);
        let wide = &mut answer["cameras"][0];
        wide["id"] = json!("x".repeat(64));
        (wide["state"], wide["age"]) = (json!("connecting"), json!(86_400_000.0));
        (wide["viewers"], wide["reconnects"], wide["stalls"]) = (json!(1000), json!(100_000), json!(100_000));
        wide["worker"] = json!({ "cpu": 4.0, "memory_bytes": 9_000_000_000_u64 });
        let text = as_text(&answer, &ReasonTexts::default());
        assert!(text.lines().all(|line| cells(line) <= 100), "{text}");
        assert!(text.ends_with("was not taken:\n    cameras.toml:3:1: what is wrong\n"), "{text}");
    }

    #[test]
    fn dark_wall_is_told_as_meant() {
        let answer = json!({ "scenes": [
            { "name": "", "scene": { "by": "timetable", "screen": "off", "until": "06:00", "until_day": "mon" } },
            { "name": "hall", "scene": { "by": "timetable", "screen": "on", "wall": "night", "until": "06:00", "until_day": null } },
            { "name": "back", "scene": { "by": "tour", "screen": "on", "step": 2 } },
            { "name": "yard", "scene": { "by": "timetable", "screen": "off", "until": null } },
        ] });
        let lines: Vec<_> = timetables(&answer).collect();
        assert_eq!(
            lines,
            [
                "the wall is meant to be dark until mon 06:00, as its timetable says",
                "the wall hall shows that of night until 06:00, as its timetable says",
                "the wall yard is meant to be dark, as its timetable says",
            ]
        );
    }

    #[test]
    fn one_camera_is_told_with_what_was_received_of_it() {
        let mut answer = json!({ "cameras": [
            { "id": "gate", "state": "live", "why": "", "age": 0.041, "size": [2560, 1440], "fps": 25.0, "bitrate": 4_123_456,
              "viewers": 1, "reconnects": 1, "stalls": 0, "key_frame_requests": 3,
              "address": "rtsps://10.0.0.1/live", "profile": "main", "tls_key": "sha256:5f", "codec": "h265",
              "display": [1024, 1440], "as_jpeg": [{ "code": "gradual_refresh", "params": {} }],
              "worker": { "sandbox": "partly", "sandbox_missing": ["landlock_network", "landlock_scope"] },
              "reception": { "packets": 99_950, "lost": 50, "late": 3, "foreign": 0, "resyncs": 1, "jitter": 0.0021,
                             "damaged_frames": 12, "waiting_for_key_frame": 4.2, "camera_clock": -3.25 } },
            { "id": "yard", "state": "offline", "why": "no", "reception": null },
        ] });
        let wrong = keep_only(&mut answer.clone(), "hall").unwrap_err();
        assert_eq!(wrong, "there is no camera hall; there are gate, yard");
        let mut other = answer.clone();
        keep_only(&mut other, "yard").unwrap();
        assert_eq!(one_as_text(&other, &ReasonTexts::default()).lines().count(), 3, "the table and why");
        keep_only(&mut answer, "gate").unwrap();
        let expected = "\
ID    STATE    AGE  SIZE        FPS  KBIT/S  VIEWERS  RECONN  STALLS  CPU  MIB
gate  live   0.0 s  2560x1440  25.0    4123        1       1       0    -    -
    read from rtsps://10.0.0.1/live, profile main; its TLS key is sha256:5f
    sends H265, shown as 1024x1440; the camera sends no key frames and refreshes the picture part by
    part, so the pages show JPEG
    received: 99950 packets, 50 lost (0.05 %), 3 late, 0 of another sender, 1 new numbering; jitter
    2.1 ms; 12 damaged frames
    waiting for a key frame for 4.2 s
    asked for a key frame 3 times
    its clock is 3.2 s behind, which changes nothing here
    sandbox of its worker: partly, without landlock_network, landlock_scope
";
        let text = one_as_text(&answer, &ReasonTexts::default());
        assert_eq!(text, expected, "\n{text}");
    }

    #[test]
    fn agent_without_cameras_is_told_in_one_line() {
        let mut answer =
            json!({ "version": "0.1.0", "pid": 1, "uptime": 1.0, "viewers": 0, "complaints": [], "cameras": [] });
        assert_eq!(
            as_text(&answer, &ReasonTexts::default()),
            "cctv-agent 0.1.0, pid 1, running for 1.0 s; no cameras; 0 viewers\n"
        );
        answer["runs_as_root"] = json!(true);
        assert!(as_text(&answer, &ReasonTexts::default()).ends_with(
            "\nthe agent runs as root; start it with --user \
             cctv-agent (USER in /etc/default/cctv-agent)\n"
        ));
    }

    #[test]
    fn durations_are_short() {
        for (seconds, text) in [(0.04, "0.0 s"), (9.94, "9.9 s"), (9.97, "10 s"), (120.0, "2 min")] {
            assert_eq!(duration(seconds), text);
        }
    }
}

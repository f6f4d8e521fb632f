//! The log lines that SIGUSR1 causes: one for each camera and one for the agent.

use std::time::Instant;

use crate::{
    camera::State,
    hub::{Hub, Status},
    log as logging,
    text::{counted, duration, mebibytes},
    web::Web,
};

pub fn write(hub: &Hub, web: &Web) {
    let now = Instant::now();
    let statuses: Vec<_> = hub.channels().iter().map(|channel| channel.status(now)).collect();
    for status in &statuses {
        log::info!("{}: {}", status.id, of_camera(status));
    }
    let live = statuses.iter().filter(|status| status.condition.state == State::Live).count();
    let usage = web.usage().map_or(String::new(), |usage| {
        let most = usage.most_descriptors.map_or(String::new(), |most| format!(" of {most}"));
        format!(
            ", {:.1} s of processor time, {}, {}, {}{most} descriptors",
            usage.cpu.as_secs_f64(),
            mebibytes(usage.resident),
            counted(usage.threads, "thread"),
            usage.descriptors,
        )
    });
    let reload = web.agent_status.reload();
    let lost = logging::lost();
    log::info!(
        "agent: {live} of {} live, {}, {}{usage}, {} refused, {}{}",
        counted(statuses.len() as u64, "camera"),
        counted(web.viewers() as u64, "viewer"),
        counted(web.connections() as u64, "connection"),
        web.refused(),
        counted(reload.count, "reload"),
        if lost == 0 { String::new() } else { format!(", {} lost", counted(lost, "log line")) },
    );
}

fn of_camera(status: &Status) -> String {
    let mut text = format!("{} for {}", status.condition.state.as_str(), duration(status.since.as_secs_f64()));
    if !status.condition.why.is_empty() {
        text.push_str(&format!(" ({})", status.condition.why));
    }
    text.push_str(&status.age.map_or(", no frame yet".to_owned(), |age| {
        let (fps, kilobits) = (status.measured_fps, status.bitrate / 1000.0);
        format!(", frame age {:.1} s, {fps:.1} fps, {kilobits:.0} kbit/s", age.as_secs_f64())
    }));
    text.push_str(&format!(
        ", {}, {}, {} skipped, {}, {}, live {:.2} % of {}",
        counted(status.viewers as u64, "viewer"),
        counted(status.renditions.len() as u64, "rendition"),
        counted(status.skipped, "picture"),
        counted(status.reconnects, "reconnect"),
        counted(status.stalls, "stall"),
        100.0 * status.live.as_secs_f64() / status.known.as_secs_f64().max(1e-3),
        duration(status.known.as_secs_f64()),
    ));
    if !status.failures.is_empty() {
        let failures: Vec<_> =
            status.failures.iter().map(|(cause, count)| format!("{} {count}", cause.as_str())).collect();
        text.push_str(&format!(", failures: {}", failures.join(" ")));
    }
    if let Some(worker) = status.worker {
        let share = status.worker_share.map_or(String::new(), |share| format!(" at {:.0} %", 100.0 * share));
        text.push_str(&format!(", worker {}{share} with {}", worker.pid, mebibytes(worker.resident)));
    }
    // If it is not live, the reason is already at the start of the line.
    if let (State::Live, Some(error), Some(age)) = (status.condition.state, &status.last_error, status.last_error_age) {
        text.push_str(&format!("; last error {} ago: {error}", duration(age.as_secs_f64())));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::*;
    use crate::{
        camera::{CameraId, StreamOptions},
        hub::{Cause, Stream, WorkerUsage},
        text::MIB,
    };

    #[test]
    fn line_tells_all_that_is_known_and_no_more() {
        let (start, options) = (Instant::now(), StreamOptions::default());
        let stream = Arc::new(Stream::new(CameraId::new("gate").unwrap(), "Gate".into(), options, start));
        let at = |seconds| start + Duration::from_secs(seconds);
        stream.report(State::Offline, "no route; trying again in 1 s (attempt 1)", at(10));
        stream.note_failure(Cause::Unreachable, Some("no route".into()), at(10));
        let expected = "offline for 5 s (no route; trying again in 1 s (attempt 1)), no frame yet, 0 viewers, 0 renditions, \
                        0 pictures skipped, 0 reconnects, 0 stalls, live 0.00 % of 15 s, failures: unreachable 1";
        assert_eq!(of_camera(&stream.status(at(15))), expected);

        let sequence = stream.begin_worker(at(20));
        let unit = crate::media::AccessUnit { sequence, taken: 0, key: true, damage: None, data: vec![0; 10].into() };
        stream.publish_unit(&unit, at(20));
        for second in [20, 30] {
            let vitals = WorkerUsage { pid: 9, cpu: Duration::from_secs(second / 10), resident: 85 * MIB, own: 0 };
            stream.set_vitals(vitals, at(second));
        }
        let text = of_camera(&stream.status(at(40)));
        assert!(text.starts_with("live for 20 s, frame age 20.0 s, 0.0 fps, 0 kbit/s, 0 viewers,"), "{text}");
        assert!(text.contains("live 50.00 % of 40 s, failures: unreachable 1, worker 9 at 10 % with 85 MiB"), "{text}");
        assert!(text.ends_with("; last error 30 s ago: no route"), "{text}");
    }
}

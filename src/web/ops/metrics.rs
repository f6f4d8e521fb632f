//! `/metrics` in Prometheus' text format, version 0.0.4.

use std::{
    fmt::Write,
    time::{Instant, SystemTime},
};

use crate::web::{
    Web,
    admission::principal::Principal,
    http::response::Response,
    ops::{
        self_usage::{self, Usage},
        status::availability,
    },
};
use crate::{
    camera::State,
    hub::{Cause, ProfileStatus, Reception, RenditionStatus, Status},
    log,
    media::Rendition,
    proc,
    sandbox::{Sandbox, SandboxLevel},
};

const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

const STATES: [State; 5] = [State::Connecting, State::Live, State::Stalled, State::Offline, State::Denied];

/// Of the cameras, only those that exist for `principal`.
pub fn response(web: &Web, principal: &Principal) -> Response {
    let now = Instant::now();
    let cameras = web.cameras(principal).channels().iter().map(|channel| channel.status(now)).collect();
    let report = Report { web, cameras, usage: self_usage::usage() };
    let mut page = Page::default();
    for (name, kind, help, samples) in METRICS {
        if let Some(samples) = samples(&report) {
            page.family(name, kind, help);
            samples.iter().for_each(|(labels, value)| page.sample(labels, *value));
        }
    }
    Response::new(200, CONTENT_TYPE, page.0).header("Cache-Control", "no-store")
}

/// What the metrics are made of.
struct Report<'a> {
    web: &'a Web,
    cameras: Vec<Status>,
    usage: Option<Usage>,
}

/// The labels of one sample, and its value.
type Sample = (Vec<(&'static str, String)>, f64);

/// One metric: name, kind, help, and its samples; `None` leaves it out.
type Metric = (&'static str, &'static str, &'static str, fn(&Report) -> Option<Vec<Sample>>);

const GAUGE: &str = "gauge";
const COUNTER: &str = "counter";

/// Every metric, in the order of the page. A new one is a row here and a line in docs/api.md.
const METRICS: &[Metric] = &[
    ("cctv_camera_up", GAUGE, "1 while the camera's picture is live.", |report| {
        report.each_camera(|status| Some(f64::from(u8::from(status.condition.state == State::Live))))
    }),
    ("cctv_camera_state", GAUGE, "1 for the state the camera is in, 0 for the others.", |report| Some(states(report))),
    ("cctv_camera_state_seconds", GAUGE, "For how long the camera has been in its state.", |report| {
        report.each_camera(|status| Some(status.since.as_secs_f64()))
    }),
    ("cctv_camera_frame_age_seconds", GAUGE, "Time since the newest frame; absent before the first.", |report| {
        report.each_camera(|status| status.age.map(|age| age.as_secs_f64()))
    }),
    ("cctv_camera_fps", GAUGE, "Frames per second over the last seconds.", |report| {
        report.each_camera(|status| Some(status.measured_fps))
    }),
    ("cctv_camera_bitrate_bits_per_second", GAUGE, "Bit rate over the last seconds.", |report| {
        report.each_camera(|status| Some(status.bitrate))
    }),
    ("cctv_camera_frames_total", COUNTER, "Frames received.", |report| {
        report.each_camera(|status| Some(status.frames as f64))
    }),
    ("cctv_camera_bytes_total", COUNTER, "Bytes of frames received.", |report| {
        report.each_camera(|status| Some(status.bytes as f64))
    }),
    ("cctv_camera_reconnects_total", COUNTER, "Workers started after the first.", |report| {
        report.each_camera(|status| Some(status.reconnects as f64))
    }),
    ("cctv_camera_stalls_total", COUNTER, "Times the stream fell silent for too long.", |report| {
        report.each_camera(|status| Some(status.stalls as f64))
    }),
    ("cctv_camera_key_frame_requests_total", COUNTER, "Times the camera was asked for a key frame.", |report| {
        report.each_camera(|status| Some(status.key_frame_requests as f64))
    }),
    ("cctv_camera_failures_total", COUNTER, "Ends of streams, and of attempts at one, by reason.", |report| {
        Some(failures(report))
    }),
    ("cctv_camera_last_error_age_seconds", GAUGE, "Time since the last error; absent before the first.", |report| {
        report.each_camera(|status| status.last_error_age.map(|age| age.as_secs_f64()))
    }),
    ("cctv_camera_last_live_age_seconds", GAUGE, "Time since it was live; absent before the first time.", |report| {
        report.each_camera(|status| status.last_live_age.map(|age| age.as_secs_f64()))
    }),
    ("cctv_camera_live_seconds_total", COUNTER, "For how long the camera was live, all in all.", |report| {
        report.each_camera(|status| Some(status.live.as_secs_f64()))
    }),
    ("cctv_camera_known_seconds_total", COUNTER, "For how long the camera has been on the wall.", |report| {
        report.each_camera(|status| Some(status.known.as_secs_f64()))
    }),
    ("cctv_camera_availability_ratio", GAUGE, "The part of its time on the wall in which it was live.", |report| {
        report.each_camera(availability)
    }),
    ("cctv_camera_viewers", GAUGE, "Viewers of this camera.", |report| {
        report.each_camera(|status| Some(status.viewers as f64))
    }),
    ("cctv_camera_skipped_pictures_total", COUNTER, "Pictures that slow viewers did not get.", |report| {
        report.each_camera(|status| Some(status.skipped as f64))
    }),
    ("cctv_camera_refused_total", COUNTER, "Requests refused for one rendition too many.", |report| {
        report.each_camera(|status| Some(status.refused as f64))
    }),
    ("cctv_camera_renditions", GAUGE, "Renditions encoded side by side.", |report| {
        report.each_camera(|status| Some(status.renditions.len() as f64))
    }),
    ("cctv_camera_decoding", GAUGE, "1 while a decoder runs.", |report| {
        report.each_camera(|status| Some(f64::from(u8::from(status.decoding))))
    }),
    ("cctv_camera_keeper_late_seconds", GAUGE, "By how much the keeper is behind its promise.", |report| {
        report.each_camera(|status| Some(status.heartbeat_late.as_secs_f64()))
    }),
    ("cctv_camera_rtp_packets_total", COUNTER, "RTP packets received in order.", |report| {
        report.each_reception(|reception| reception.packets as f64)
    }),
    ("cctv_camera_rtp_lost_total", COUNTER, "RTP packets that never came, or too late.", |report| {
        report.each_reception(|reception| reception.lost as f64)
    }),
    ("cctv_camera_rtp_late_total", COUNTER, "RTP packets that came too late.", |report| {
        report.each_reception(|reception| reception.late as f64)
    }),
    ("cctv_camera_rtp_foreign_total", COUNTER, "RTP packets of another sender.", |report| {
        report.each_reception(|reception| reception.foreign as f64)
    }),
    ("cctv_camera_rtp_resyncs_total", COUNTER, "Times the camera began another numbering of its packets.", |report| {
        report.each_reception(|reception| reception.resyncs as f64)
    }),
    ("cctv_camera_rtp_jitter_seconds", GAUGE, "Variation of the time that packets travel.", |report| {
        report.each_reception(|reception| reception.jitter.as_secs_f64())
    }),
    ("cctv_camera_damaged_frames_total", COUNTER, "Frames of which packets were lost.", |report| {
        report.each_reception(|reception| reception.damaged_units as f64)
    }),
    ("cctv_camera_damaged", GAUGE, "1 while damaged pictures are shown, under a mark.", |report| {
        report.each_camera(|status| Some(f64::from(u8::from(status.condition.is_damaged()))))
    }),
    ("cctv_stream_live", GAUGE, "Of cameras with two streams: 1 while this one is live.", |report| {
        report.each_stream(|profile| f64::from(u8::from(profile.status.condition.state == State::Live)))
    }),
    ("cctv_stream_frames_total", COUNTER, "Of cameras with two streams: frames received of this one.", |report| {
        report.each_stream(|profile| profile.status.frames as f64)
    }),
    ("cctv_stream_viewers", GAUGE, "Of cameras with two streams: viewers of this one.", |report| {
        report.each_stream(|profile| profile.status.viewers as f64)
    }),
    ("cctv_rendition_encodes_total", COUNTER, "Pictures encoded since the rendition was first wanted.", |report| {
        report.each_rendition(|rendition| rendition.encodes as f64)
    }),
    ("cctv_rendition_viewers", GAUGE, "Viewers of this rendition.", |report| {
        report.each_rendition(|rendition| rendition.viewers as f64)
    }),
    ("cctv_worker_cpu_seconds_total", COUNTER, "Processor time of the camera's worker since it started.", |report| {
        report.each_camera(|status| status.worker.map(|worker| worker.cpu.as_secs_f64()))
    }),
    ("cctv_worker_memory_bytes", GAUGE, "Resident memory of the camera's worker.", |report| {
        report.each_camera(|status| status.worker.map(|worker| worker.resident as f64))
    }),
    ("cctv_worker_own_memory_bytes", GAUGE, "What of it no other process shares.", |report| {
        report.each_camera(|status| status.worker.map(|worker| worker.own as f64))
    }),
    ("cctv_worker_sandbox", GAUGE, "1 for what took hold of the sandbox of the camera's worker.", |report| {
        Some(sandboxes(report))
    }),
    ("cctv_agent_cpu_seconds_total", COUNTER, "Processor time of the agent.", |report| {
        one(report.usage.as_ref()?.cpu.as_secs_f64())
    }),
    ("cctv_agent_memory_bytes", GAUGE, "Resident memory of the agent.", |report| {
        one(report.usage.as_ref()?.resident as f64)
    }),
    ("cctv_agent_threads", GAUGE, "Threads of the agent.", |report| one(report.usage.as_ref()?.threads as f64)),
    ("cctv_agent_descriptors", GAUGE, "Descriptors the agent has open.", |report| {
        one(report.usage.as_ref()?.descriptors as f64)
    }),
    ("cctv_agent_descriptors_limit", GAUGE, "Descriptors the agent may have open.", |report| {
        one(report.usage.as_ref()?.most_descriptors? as f64)
    }),
    ("cctv_agent_uptime_seconds", GAUGE, "Time since the agent started to serve.", |report| {
        one(report.web.started.elapsed().as_secs_f64())
    }),
    ("cctv_viewers", GAUGE, "Motion JPEG streams and WebSockets open.", |report| one(report.web.viewers() as f64)),
    ("cctv_connections", GAUGE, "Connections open.", |report| one(report.web.admission.connections() as f64)),
    ("cctv_refused_total", COUNTER, "Newcomers refused, by the limit that did it.", |report| Some(refusals(report))),
    ("cctv_logins_total", COUNTER, "Logins, by what became of them.", |report| Some(logins(report))),
    ("cctv_logouts_total", COUNTER, "Sessions that their users ended.", |report| {
        one(report.web.users.counts().logouts as f64)
    }),
    ("cctv_sessions", GAUGE, "Sessions that have not ended.", |report| one(report.web.users.counts().sessions as f64)),
    ("cctv_reloads_total", COUNTER, "Times the configuration file was read again.", |report| {
        one(report.web.agent_status.reload().count as f64)
    }),
    ("cctv_reload_taken", GAUGE, "1 if the file was taken over the last time, 0 if it was bad.", |report| {
        reload_taken(report)
    }),
    ("cctv_config_complaints", GAUGE, "What is wrong with the configuration file.", |report| {
        one(report.web.agent_status.complaints().len() as f64)
    }),
    ("cctv_tls_expires_seconds", GAUGE, "Time until the certificate expires; negative after that.", |report| {
        one(report.web.tls.certificate()?.expires_in(SystemTime::now()) as f64)
    }),
    ("cctv_log_lost_lines_total", COUNTER, "Log lines lost while syslogd was away or stuck.", |_| {
        one(log::lost() as f64)
    }),
    ("cctv_agent_runs_as_root", GAUGE, "1 if the agent is root, which it need not be.", |_| {
        one(f64::from(u8::from(proc::runs_as_root())))
    }),
    ("cctv_agent_info", GAUGE, "Always 1; the version is in the label.", |report| {
        Some(vec![(vec![("version", report.web.version.to_owned())], 1.0)])
    }),
];

impl Report<'_> {
    /// A sample of each camera that has a value.
    fn each_camera(&self, value: fn(&Status) -> Option<f64>) -> Option<Vec<Sample>> {
        let sample = |camera: &Status| Some((of_camera(camera), value(camera)?));
        Some(self.cameras.iter().filter_map(sample).collect())
    }

    /// A sample of each camera that the agent itself has read.
    fn each_reception(&self, value: fn(&Reception) -> f64) -> Option<Vec<Sample>> {
        let sample = |camera: &Status| Some((of_camera(camera), value(camera.reception.as_ref()?)));
        Some(self.cameras.iter().filter_map(sample).collect())
    }

    /// A sample of each stream of the cameras that have two.
    fn each_stream(&self, value: fn(&ProfileStatus) -> f64) -> Option<Vec<Sample>> {
        let of_stream = |camera: &Status, stream: &ProfileStatus| {
            ([of_camera(camera), vec![("stream", stream.stream.to_owned())]].concat(), value(stream))
        };
        let streams = self.cameras.iter().flat_map(|camera| camera.profiles.iter().map(move |stream| (camera, stream)));
        Some(streams.map(|(camera, stream)| of_stream(camera, stream)).collect())
    }

    /// A sample of each rendition of each camera.
    fn each_rendition(&self, value: fn(&RenditionStatus) -> f64) -> Option<Vec<Sample>> {
        let mut samples = Vec::new();
        for camera in &self.cameras {
            for status in &camera.renditions {
                let Rendition { size, quality, fps, .. } = status.rendition;
                let size = format!("{}x{}", size.width, size.height);
                let labels = vec![("size", size), ("quality", quality.to_string()), ("fps", fps.to_string())];
                samples.push(([of_camera(camera), labels].concat(), value(status)));
            }
        }
        Some(samples)
    }
}

fn of_camera(camera: &Status) -> Vec<(&'static str, String)> {
    vec![("camera", camera.id.to_string())]
}

/// The only sample of a metric without labels.
fn one(value: f64) -> Option<Vec<Sample>> {
    Some(vec![(Vec::new(), value)])
}

fn states(report: &Report) -> Vec<Sample> {
    let of_state = |camera: &Status, state: State| {
        let labels = [of_camera(camera), vec![("state", state.as_str().to_owned())]].concat();
        (labels, f64::from(u8::from(camera.condition.state == state)))
    };
    report.cameras.iter().flat_map(|camera| STATES.map(|state| of_state(camera, state))).collect()
}

fn sandboxes(report: &Report) -> Vec<Sample> {
    let of_level = |camera: &Status, sandbox: Sandbox, level: SandboxLevel| {
        let labels = [of_camera(camera), vec![("sandbox", level.as_str().to_owned())]].concat();
        (labels, f64::from(u8::from(sandbox.level() == level)))
    };
    let with_worker = report.cameras.iter().filter_map(|camera| camera.sandbox.map(|sandbox| (camera, sandbox)));
    with_worker.flat_map(|(camera, sandbox)| SandboxLevel::ALL.map(|level| of_level(camera, sandbox, level))).collect()
}

fn failures(report: &Report) -> Vec<Sample> {
    let of_cause = |camera: &Status, cause: Cause| {
        let count = camera.failures.get(&cause).copied().unwrap_or(0);
        ([of_camera(camera), vec![("reason", cause.as_str().to_owned())]].concat(), count as f64)
    };
    report.cameras.iter().flat_map(|camera| Cause::ALL.map(|cause| of_cause(camera, cause))).collect()
}

fn refusals(report: &Report) -> Vec<Sample> {
    let refused = report.web.admission.refused().into_iter();
    refused.map(|(limit, count)| (vec![("limit", limit.to_owned())], count as f64)).collect()
}

fn logins(report: &Report) -> Vec<Sample> {
    let counts = report.web.users.counts();
    let outcomes = [
        ("accepted", counts.logins),
        ("refused", counts.refused),
        ("locked_out", counts.locked_out),
        ("busy", counts.busy),
    ];
    outcomes.map(|(outcome, count)| (vec![("outcome", outcome.to_owned())], count as f64)).into()
}

fn reload_taken(report: &Report) -> Option<Vec<Sample>> {
    let reload = report.web.agent_status.reload();
    if reload.count > 0 { one(f64::from(u8::from(reload.taken))) } else { None }
}

/// A text under construction; samples belong to the family opened last.
#[derive(Default)]
struct Page(String, &'static str);

impl Page {
    fn family(&mut self, name: &'static str, kind: &str, help: &str) {
        self.1 = name;
        // Writing to a String cannot fail.
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn sample(&mut self, labels: &[(&str, String)], value: f64) {
        self.0.push_str(self.1);
        for (index, (label, text)) in labels.iter().enumerate() {
            let opening = if index == 0 { '{' } else { ',' };
            let _ = write!(self.0, "{opening}{label}=\"{}\"", escaped(text));
        }
        let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_follow_their_family_with_labels_escaped() {
        let mut page = Page::default();
        page.family("a_total", "counter", "Some things.");
        page.sample(&[("x", "1\"2\\\n".into()), ("y", "z".into())], 3.0);
        page.sample(&[], 0.5);
        let expected = "# HELP a_total Some things.\n# TYPE a_total counter\na_total{x=\"1\\\"2\\\\\\n\",y=\"z\"} 3\na_total 0.5\n";
        assert_eq!(page.0, expected);
    }
}

//! `/metrics` in Prometheus' text format, version 0.0.4.

use std::{fmt::Write, time::Instant};

use super::{Web, response::Response, self_usage, status::availability};
use crate::{
    camera::State,
    hub::{Cause, Status},
    log,
};

const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

const STATES: [State; 5] = [State::Connecting, State::Live, State::Stalled, State::Offline, State::Denied];

pub fn response(web: &Web) -> Response {
    let now = Instant::now();
    let statuses: Vec<_> = web.hub.channels().iter().map(|channel| channel.status(now)).collect();
    let mut page = Page::default();
    cameras(&mut page, &statuses);
    workers(&mut page, &statuses);
    agent(&mut page, web, self_usage::usage());
    Response::new(200, CONTENT_TYPE, page.0).header("Cache-Control", "no-store")
}

fn cameras(page: &mut Page, statuses: &[Status]) {
    let each = |page: &mut Page, value: &dyn Fn(&Status) -> Option<f64>| {
        for status in statuses {
            if let Some(value) = value(status) {
                page.sample(&[("camera", status.id.as_str())], value);
            }
        }
    };
    page.family("cctv_camera_up", "gauge", "1 while the camera's picture is live.");
    each(page, &|status| Some(f64::from(u8::from(status.condition.state == State::Live))));
    page.family("cctv_camera_state", "gauge", "1 for the state the camera is in, 0 for the others.");
    for status in statuses {
        for state in STATES {
            let value = f64::from(u8::from(status.condition.state == state));
            page.sample(&[("camera", status.id.as_str()), ("state", state.as_str())], value);
        }
    }
    page.family("cctv_camera_state_seconds", "gauge", "For how long the camera has been in its state.");
    each(page, &|status| Some(status.since.as_secs_f64()));
    page.family("cctv_camera_frame_age_seconds", "gauge", "Time since the newest frame; absent before the first.");
    each(page, &|status| status.age.map(|age| age.as_secs_f64()));
    page.family("cctv_camera_fps", "gauge", "Frames per second over the last seconds.");
    each(page, &|status| Some(status.measured_fps));
    page.family("cctv_camera_bitrate_bits_per_second", "gauge", "Bit rate over the last seconds.");
    each(page, &|status| Some(status.bitrate));
    page.family("cctv_camera_frames_total", "counter", "Frames received.");
    each(page, &|status| Some(status.frames as f64));
    page.family("cctv_camera_bytes_total", "counter", "Bytes of frames received.");
    each(page, &|status| Some(status.bytes as f64));
    page.family("cctv_camera_reconnects_total", "counter", "Workers started after the first.");
    each(page, &|status| Some(status.reconnects as f64));
    page.family("cctv_camera_stalls_total", "counter", "Times the stream fell silent for too long.");
    each(page, &|status| Some(status.stalls as f64));
    page.family("cctv_camera_failures_total", "counter", "Ends of streams, and of attempts at one, by reason.");
    for status in statuses {
        for cause in Cause::ALL {
            let count = status.failures.get(&cause).copied().unwrap_or(0);
            page.sample(&[("camera", status.id.as_str()), ("reason", cause.as_str())], count as f64);
        }
    }
    page.family("cctv_camera_last_error_age_seconds", "gauge", "Time since the last error; absent before the first.");
    each(page, &|status| status.last_error_age.map(|age| age.as_secs_f64()));
    page.family("cctv_camera_last_live_age_seconds", "gauge", "Time since it was live; absent before the first time.");
    each(page, &|status| status.last_live_age.map(|age| age.as_secs_f64()));
    page.family("cctv_camera_live_seconds_total", "counter", "For how long the camera was live in total.");
    each(page, &|status| Some(status.live.as_secs_f64()));
    page.family("cctv_camera_known_seconds_total", "counter", "For how long the camera has been on the wall.");
    each(page, &|status| Some(status.known.as_secs_f64()));
    page.family("cctv_camera_availability_ratio", "gauge", "The part of its time on the wall in which it was live.");
    each(page, &availability);
    page.family("cctv_camera_viewers", "gauge", "Viewers of this camera.");
    each(page, &|status| Some(status.viewers as f64));
    page.family("cctv_camera_skipped_pictures_total", "counter", "Pictures that slow viewers did not get.");
    each(page, &|status| Some(status.skipped as f64));
    page.family("cctv_camera_refused_total", "counter", "Requests refused for one rendition too many.");
    each(page, &|status| Some(status.refused as f64));
    page.family("cctv_camera_renditions", "gauge", "Renditions encoded side by side.");
    each(page, &|status| Some(status.renditions.len() as f64));
    page.family("cctv_camera_decoding", "gauge", "1 while a decoder runs.");
    each(page, &|status| Some(f64::from(u8::from(status.decoding))));
    page.family("cctv_camera_keeper_late_seconds", "gauge", "How late the heartbeat of the supervisor is.");
    each(page, &|status| Some(status.keeper_late.as_secs_f64()));

    let profiles = || statuses.iter().flat_map(|whole| whole.profiles.iter().map(move |one| (whole.id.as_str(), one)));
    let streams = |page: &mut Page, value: &dyn Fn(&crate::hub::ProfileStatus) -> f64| {
        for (id, profile) in profiles() {
            page.sample(&[("camera", id), ("stream", profile.stream)], value(profile));
        }
    };
    page.family("cctv_stream_live", "gauge", "Of cameras with two streams: 1 while this one is live.");
    streams(page, &|profile| f64::from(u8::from(profile.status.condition.state == State::Live)));
    page.family("cctv_stream_frames_total", "counter", "Of cameras with two streams: frames received of this one.");
    streams(page, &|profile| profile.status.frames as f64);
    page.family("cctv_stream_viewers", "gauge", "Of cameras with two streams: viewers of this one.");
    streams(page, &|profile| profile.status.viewers as f64);

    page.family("cctv_rendition_encodes_total", "counter", "Pictures encoded since the rendition was first wanted.");
    renditions(page, statuses, |rendition| rendition.encodes as f64);
    page.family("cctv_rendition_viewers", "gauge", "Viewers of this rendition.");
    renditions(page, statuses, |rendition| rendition.viewers as f64);
}

fn renditions(page: &mut Page, statuses: &[Status], value: impl Fn(&crate::hub::RenditionStatus) -> f64) {
    for status in statuses {
        for entry in &status.renditions {
            let rendition = entry.rendition;
            let size = format!("{}x{}", rendition.size.width, rendition.size.height);
            let (quality, fps) = (rendition.quality.to_string(), rendition.fps.to_string());
            let labels = [("camera", status.id.as_str()), ("size", &size), ("quality", &quality), ("fps", &fps)];
            page.sample(&labels, value(entry));
        }
    }
}

fn workers(page: &mut Page, statuses: &[Status]) {
    let vitals = || statuses.iter().filter_map(|status| Some((status.id.as_str(), status.worker?)));
    page.family("cctv_worker_cpu_seconds_total", "counter", "Processor time of the camera's worker since it started.");
    vitals().for_each(|(id, worker)| page.sample(&[("camera", id)], worker.cpu.as_secs_f64()));
    page.family("cctv_worker_memory_bytes", "gauge", "Resident memory of the camera's worker.");
    vitals().for_each(|(id, worker)| page.sample(&[("camera", id)], worker.resident as f64));
    page.family("cctv_worker_own_memory_bytes", "gauge", "The part of it that no other process shares.");
    vitals().for_each(|(id, worker)| page.sample(&[("camera", id)], worker.own as f64));
}

fn agent(page: &mut Page, web: &Web, usage: Option<self_usage::Usage>) {
    if let Some(usage) = usage {
        page.family("cctv_agent_cpu_seconds_total", "counter", "Processor time of the agent.");
        page.sample(&[], usage.cpu.as_secs_f64());
        page.family("cctv_agent_memory_bytes", "gauge", "Resident memory of the agent.");
        page.sample(&[], usage.resident as f64);
        page.family("cctv_agent_threads", "gauge", "Threads of the agent.");
        page.sample(&[], usage.threads as f64);
        page.family("cctv_agent_descriptors", "gauge", "Descriptors that the agent has open.");
        page.sample(&[], usage.descriptors as f64);
        if let Some(most) = usage.most_descriptors {
            page.family("cctv_agent_descriptors_limit", "gauge", "Descriptors that the agent may have open.");
            page.sample(&[], most as f64);
        }
    }
    page.family("cctv_agent_uptime_seconds", "gauge", "Time since the agent started to serve.");
    page.sample(&[], web.started.elapsed().as_secs_f64());
    page.family("cctv_viewers", "gauge", "Motion JPEG streams and WebSockets open.");
    page.sample(&[], web.viewers() as f64);
    page.family("cctv_connections", "gauge", "Connections open.");
    page.sample(&[], web.admission.connections() as f64);
    page.family("cctv_refused_total", "counter", "Clients refused, by the limit that refused them.");
    for (limit, count) in web.admission.refused() {
        page.sample(&[("limit", limit)], count as f64);
    }
    page.family("cctv_reloads_total", "counter", "Times the configuration file was read again.");
    page.sample(&[], web.hub.reload().count as f64);
    if web.hub.reload().count > 0 {
        page.family("cctv_reload_taken", "gauge", "1 if the file was applied the last time, 0 if it had a mistake.");
        page.sample(&[], f64::from(u8::from(web.hub.reload().taken)));
    }
    page.family("cctv_config_complaints", "gauge", "What is wrong with the configuration file.");
    page.sample(&[], web.hub.complaints().len() as f64);
    page.family("cctv_log_lost_lines_total", "counter", "Log lines lost while syslogd was away or stuck.");
    page.sample(&[], log::lost() as f64);
    page.family("cctv_agent_info", "gauge", "Always 1; the version is in the label.");
    page.sample(&[("version", web.version)], 1.0);
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

    fn sample(&mut self, labels: &[(&str, &str)], value: f64) {
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
        page.sample(&[("x", "1\"2\\\n"), ("y", "z")], 3.0);
        page.sample(&[], 0.5);
        let expected = "# HELP a_total Some things.\n# TYPE a_total counter\na_total{x=\"1\\\"2\\\\\\n\",y=\"z\"} 3\na_total 0.5\n";
        assert_eq!(page.0, expected);
    }
}

//! Scenarios with real processes: an agent and virtual cameras on loopback addresses of their own.
//!
//! Twice as many scenarios run at the same time as the machine has cores; the times in them allow for that.

// Helpers of a test panic as the test does.
#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

mod camera_tls;
mod codecs;
mod command_line;
mod damaged_pictures;
mod errors;
mod events;
mod fair_shares;
mod faults;
mod foreign_servers;
mod hostile_cameras;
mod http_jpeg;
mod https;
mod key_frames;
mod limits;
mod monitoring;
mod mqtt;
mod packet_loss;
mod passthrough;
mod passwd;
mod privileges;
mod ptz;
mod recorded_answers;
mod recorder;
mod recorder_channels;
mod recovery;
mod reload;
mod reverse_proxy;
mod rtsp_client;
mod running_agent;
mod sandbox;
mod shape;
mod smoke;
mod sound;
mod stop;
mod substreams;
mod syslog;
mod templates;
mod users;
mod viewers;
mod walls;
mod watchdog;
mod workers;

//! `cameras.toml`: turns its text into a [`Config`], or into the list of all complaints.
//!
//! After parsing, no string is parsed again and no value is out of range. A complaint names file,
//! line and column, says what is wrong and what would be right, and never shows a password.
//!
//! ```
//! use std::{io, path::Path};
//! use cctv_agent::config;
//!
//! // Where no camera names a `password_file`, none is read.
//! let no_secret = |_: &Path| Err(io::ErrorKind::NotFound.into());
//! let parse = |text: &str| config::parse(text, Path::new("cameras.toml"), &no_secret);
//!
//! let config = parse("[defaults]\nquality = 60\n[[camera]]\nid = \"gate\"\nip = \"192.168.1.64\"\n").unwrap();
//! let gate = &config.cameras[0];
//! assert_eq!((gate.id.as_str(), gate.name.as_str(), gate.options.quality), ("gate", "gate", 60));
//!
//! // Every mistake at once, each with its place.
//! let complaints = parse("[[camera]]\nid = \"gate\"\nip = 7\nqualty = 60\n").unwrap_err();
//! let lines: Vec<_> = complaints.iter().map(|complaint| complaint.to_string()).collect();
//! assert_eq!(lines.len(), 2);
//! assert!(lines[0].starts_with("cameras.toml:3:"), "{lines:?}");
//! assert!(lines[1].contains("quality"), "what was meant: {lines:?}");
//! ```

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

pub use self::recorder::WholeRecorder;
use crate::{account::Account, camera::Camera};

// Each file uses only files above it.
mod diagnostics;
mod files;
mod number;
mod syntax;
mod wording;

mod key;
mod keys;
mod layout;
mod limit_keys;
mod mqtt_keys;
mod parsed;
mod pinned_keys;
mod recorder_keys;
mod server_keys;
mod sound_keys;
mod suggest;

mod schema;

mod section;

mod address;
mod credentials;
mod exposure;
mod limits;
mod picture_keys;
mod ptz_keys;
mod timetable;
mod tour;
mod wall;
mod wall_keys;
mod wall_name;
mod watchdog;
mod web_origin;

mod access;
mod camera_defaults;
mod camera_list;
mod template;

mod camera;
mod recorder;

mod mqtt;
mod root;
mod rule;
mod rule_keys;
mod server;
mod tls;
mod user;

mod file_checks;
mod reference;
mod stable_read;
mod stream_address;

pub mod changes;
pub mod user_edit;

pub use diagnostics::{Complaint, Position, position, summary};
pub use files::SecretFile;
pub use keys::MAX_CAMERAS;
pub use layout::Layout;
pub use limits::Limits;
pub use mqtt::Mqtt;
pub use reference::reference;
pub use rule::{Hours, Rule, RuleAction, Trigger};
pub use server::Server;
pub use timetable::{Entry, Shows, boundaries};
pub use tls::Tls;
pub use tour::{Step, Turns};
pub use wall::{Wall, Walls};
pub use wall_keys::LAYOUTS;
pub use watchdog::Watchdog;
pub use web_origin::{Authority, Host, WebOrigin};

use credentials::SecretReader;
use diagnostics::Diagnostics;
use root::Root;

/// The configuration file that is used if the command line names no other.
pub const DEFAULT_FILE: &str = "/etc/cctv-agent/cameras.toml";

/// The content of a valid configuration file. The default is that of a file with nothing but `[server]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    pub server: Server,
    pub tls: Tls,
    pub limits: Limits,
    pub watchdog: Watchdog,
    /// In the order of the file.
    pub users: Vec<Account>,
    /// What is missing before other machines can be served: a user. Then only this machine is, at
    /// [`Config::addresses`].
    pub exposed: Option<Complaint>,
    /// In the order of the file; cameras with `enabled = false` are left out.
    pub cameras: Vec<Camera>,
    /// The recorders of which all channels are shown.
    pub whole_recorders: Vec<WholeRecorder>,
    /// How pages show the cameras.
    pub walls: Walls,
    /// In the order of the file.
    pub rules: Vec<Rule>,
    /// The broker, if there is one.
    pub mqtt: Option<Mqtt>,
    /// Settings that work but need attention, such as a password that every local user can read.
    pub warnings: Vec<Complaint>,
}

impl Config {
    /// The addresses to listen on: those of `listen`, or what of them is this machine's own while
    /// there is nobody to log in. Loopback is among them, and first, where only it needs no login.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        exposure::served(&self.server, !self.users.is_empty())
    }

    /// The same with as many channels of each whole recorder as `count` says, at least one, as far as
    /// they fit on the wall.
    pub fn with_channels(mut self, count: impl Fn(&WholeRecorder) -> usize) -> Self {
        for recorder in &self.whole_recorders {
            recorder.grow(count(recorder), &mut self.cameras);
        }
        self
    }
}

/// Reads and checks the file at `path` and the password files that it names.
///
/// # Errors
/// All complaints, in file order. If the file cannot be read, one complaint without a position.
///
/// # Blocking
/// Blocks on the disk while it reads a few small regular files.
pub fn read(path: &Path) -> Result<Config, Vec<Complaint>> {
    let (text, readable_by_all) = files::read_text(path)?;
    if text.trim().is_empty() {
        // An editor emptied it and is about to write it, or the disk was full. Nobody intends that.
        let text = "it is empty; write it again, or write [server] for a wall without cameras".to_owned();
        return Err(vec![Complaint { file: path.to_owned(), position: None, text }]);
    }
    let mut config = parse(&text, path, &files::read_secret)?;
    file_checks::check(&text, path, &config.server, &config.watchdog)?;
    if readable_by_all && config.cameras.iter().any(|camera| camera.stream_source.credentials.is_some()) {
        // All credentials may come from password files; only those in this file matter here.
        if let Some(at) = syntax::first_password(&text) {
            config.warnings.push(Complaint {
                file: path.to_owned(),
                position: Some(position(&text, at)),
                text: "every user of this machine can read this password; chmod 640 this file, or use password_file"
                    .into(),
            });
        }
    }
    Ok(config)
}

/// Returns the text of the file at `path`, with whatever mistakes.
///
/// # Errors
/// One complaint if it cannot be read.
///
/// # Blocking
/// Blocks on the disk.
pub fn text(path: &Path) -> Result<String, Vec<Complaint>> {
    files::read_text(path).map(|(text, _)| text)
}

/// Like [`read`], but waits until the file and the password files that it names stop changing.
///
/// # Errors
/// Those of [`read`], and one if the file does not stop changing.
///
/// # Blocking
/// Blocks for at least 0.2 s, and for some seconds at most.
pub fn read_settled(path: &Path) -> Result<Config, Vec<Complaint>> {
    stable_read::settled(path, || read(path)).unwrap_or_else(|| {
        let text = "it changes all the time; reload once its writer has finished".to_owned();
        Err(vec![Complaint { file: path.to_owned(), position: None, text }])
    })
}

/// What is read of the file apart from the configuration: by root before the agent becomes another user, and
/// by commands that look for the agent.
#[derive(Clone, Debug, PartialEq)]
pub struct Startup {
    /// The addresses to listen on; at least one.
    pub listen: Vec<SocketAddr>,
    /// The watchdog device, if one is used.
    pub watchdog: Option<PathBuf>,
    pub state_dir: PathBuf,
}

impl Default for Startup {
    fn default() -> Self {
        let Server { listen, state_dir, .. } = Server::default();
        Self { listen, watchdog: None, state_dir }
    }
}

/// Returns this part of the file at `path`, and ignores all mistakes in it: the agent starts with a bad
/// file, too, and is found while its file is being edited. Reads no password file.
///
/// # Errors
/// One complaint if the file cannot be read.
///
/// # Blocking
/// Blocks on the disk.
pub fn startup(path: &Path) -> Result<Startup, Vec<Complaint>> {
    let (text, _) = files::read_text(path)?;
    let mut unheard = Diagnostics::new(path, &text);
    let readable = syntax::readable(&text, &mut unheard);
    let mut root = Root::parse(&readable, &mut unheard);
    let base = path.parent().unwrap_or(Path::new(""));
    let server = server::read(&root.section(&schema::SERVER), base, &mut unheard);
    let listen = exposure::served(&server, !root.users.is_empty());
    let Server { state_dir, .. } = server;
    let watchdog = watchdog::read(&root.section(&schema::WATCHDOG), base, &mut unheard).device;
    Ok(Startup { listen, watchdog, state_dir })
}

/// Checks `text`; complaints name the file as `path`. Relative paths in `text` start at the
/// directory of `path`. Password files are read through `read_secret`.
///
/// # Errors
/// All complaints, in file order.
pub fn parse(text: &str, path: &Path, read_secret: SecretReader<'_>) -> Result<Config, Vec<Complaint>> {
    let mut diagnostics = Diagnostics::new(path, text);
    let base = path.parent().unwrap_or(Path::new(""));
    let readable = syntax::readable(text, &mut diagnostics);
    let mut root = Root::parse(&readable, &mut diagnostics);
    let section = root.section(&schema::SERVER);
    let server = server::read(&section, base, &mut diagnostics);
    let exposed = exposure::check(&section, &server, &root.users, &diagnostics);
    let tls = tls::read(&root.section(&schema::TLS), base, &mut diagnostics);
    let limits = limits::read(&root.section(&schema::LIMITS), &mut diagnostics);
    let watchdog = watchdog::read(&root.section(&schema::WATCHDOG), base, &mut diagnostics);
    let defaults = camera::defaults(&root.section(&schema::DEFAULTS), base, read_secret, &mut diagnostics);
    let templates = template::all(&root.templates, &defaults, base, read_secret, &mut diagnostics);
    let surroundings = camera::Surroundings { defaults: &defaults, templates: &templates, base, read_secret };
    let mut lines = camera::Lines::new();
    let mut cameras = camera::all(&root.cameras, &surroundings, &mut lines, &mut diagnostics);
    let whole_recorders = recorder::all(&root.recorders, &surroundings, &mut lines, &mut cameras, &mut diagnostics);
    cameras.sort_by_key(|(at, _)| *at);
    let cameras: Vec<_> = cameras.into_iter().map(|(_, camera)| camera).collect();
    let mut ids = camera::identifiers(&root.cameras);
    ids.extend(recorder::identifiers(&root.recorders));
    let walls = wall::all(&root.walls, &ids, &mut diagnostics);
    let users = user::all(&root.users, &ids, &walls, &mut diagnostics);
    let mqtt = mqtt::read(&root.section(&schema::MQTT), base, read_secret, &mut diagnostics);
    let known = rule::Surroundings {
        ids: &ids,
        cameras: &cameras,
        walls: &walls,
        has_broker: mqtt.is_given,
        has_past: limits.look_back > 0,
    };
    let rules = rule::all(&root.rules, &known, &mut diagnostics);
    diagnostics.finish().map(|warnings| Config {
        server,
        tls,
        limits,
        watchdog,
        users,
        exposed,
        cameras,
        whole_recorders,
        walls,
        rules,
        mqtt: mqtt.broker,
        warnings,
    })
}

#[cfg(test)]
mod tests;

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
    fs::{self, File},
    io::{self, Read as _},
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use crate::camera::Camera;

mod access;
mod address;
mod camera;
pub mod changes;
mod credentials;
mod diagnostics;
mod limits;
mod section;
mod stable_read;
mod suggest;
mod syntax;
mod wall;
mod watchdog;
mod web_origin;

pub use diagnostics::{Complaint, Position, position, summary};
pub use limits::Limits;
pub use stable_read::read_settled;
pub use wall::{Wall, Walls};
pub use watchdog::Watchdog;
pub use web_origin::{Authority, Host, WebOrigin};

use camera::CameraDefaults;
use credentials::SecretReader;
use diagnostics::Diagnostics;
use section::{Root, Section};

/// The configuration file that is used if the command line names no other.
pub const DEFAULT_FILE: &str = "/etc/cctv-agent/cameras.toml";

/// Maximum number of cameras: one wall shows at most 64 tiles.
pub const MAX_CAMERAS: usize = 64;

/// Maximum length of the configuration file, in bytes. A longer file is something else.
const MAX_FILE_LEN: u64 = 1 << 20;

/// Maximum length of a password file, in bytes. A longer file is something else.
const MAX_PASSWORD_LEN: u64 = 4096;

/// Ports that an unprivileged service can bind.
const DISCOVERY_PORTS: std::ops::RangeInclusive<i64> = 1024..=65535;

const SERVER_KEYS: &[&str] = &["listen", "names", "embed", "www", "state_dir", "discovery_port"];

/// The content of a valid configuration file.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub server: Server,
    pub limits: Limits,
    pub watchdog: Watchdog,
    /// In the order of the file; cameras with `enabled = false` are left out.
    pub cameras: Vec<Camera>,
    /// How pages show the cameras.
    pub walls: Walls,
    /// Settings that work but need attention, such as a password that every local user can read.
    pub warnings: Vec<Complaint>,
}

/// Settings of the agent itself. Every path is absolute or relative to the working directory.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// At least one address, without duplicates.
    pub listen: Vec<SocketAddr>,
    /// Host names under which browsers open the wall, in addition to this machine's own names.
    pub names: Vec<String>,
    /// Origins of pages of other sites that may show the cameras.
    pub embed: Vec<WebOrigin>,
    /// The directory with the files of the page.
    pub www: PathBuf,
    /// The directory of the store, with the last good responses of cameras.
    /// It may be missing or read-only.
    pub state_dir: PathBuf,
    /// The local UDP port from which discovery sends, so that a firewall can let the
    /// responses in. `None`: any free port.
    pub discovery_port: Option<u16>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 8080))],
            names: Vec::new(),
            embed: Vec::new(),
            www: PathBuf::from("/usr/share/cctv-agent/www"),
            state_dir: PathBuf::from("/var/lib/cctv-agent"),
            discovery_port: None,
        }
    }
}

/// The content of a password file.
pub struct SecretFile {
    pub text: String,
    /// Whether users other than owner and group may read it.
    pub readable_by_all: bool,
}

/// Reads and checks the file at `path` and the password files that it names.
///
/// # Errors
/// All complaints, in file order. If the file cannot be read, one complaint without a position.
///
/// # Blocking
/// Blocks on the disk while it reads a few small regular files.
pub fn read(path: &Path) -> Result<Config, Vec<Complaint>> {
    let (text, readable_by_all) = read_text(path)?;
    if text.trim().is_empty() {
        // An editor emptied it and is about to write it, or the disk was full. Nobody intends that.
        let text = "it is empty; write it again, or write [server] for a wall without cameras".to_owned();
        return Err(vec![Complaint { file: path.to_owned(), position: None, text }]);
    }
    let mut config = parse(&text, path, &read_secret)?;
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

/// Returns the addresses in the key `listen` of the file at `path`, and ignores all other mistakes
/// in it, so that a running agent is found while its file is being edited. Returns the default if
/// the file has no usable value.
///
/// # Errors
/// One complaint if the file cannot be read.
///
/// # Blocking
/// Blocks on the disk.
pub fn listen(path: &Path) -> Result<Vec<SocketAddr>, Vec<Complaint>> {
    let (text, _) = read_text(path)?;
    let mut unheard = Diagnostics::new(path, &text);
    let readable = syntax::readable(&text, &mut unheard);
    let root = Root::parse(&readable, &mut unheard);
    let listen = root.server.map(|section| address::listen(&section, &mut unheard)).unwrap_or_default();
    Ok(if listen.is_empty() { Server::default().listen } else { listen })
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
    let root = Root::parse(&readable, &mut diagnostics);
    let server = root.server.as_ref().map_or_else(Server::default, |section| server(section, base, &mut diagnostics));
    let limits = root.limits.as_ref().map_or_else(Limits::default, |section| limits::read(section, &mut diagnostics));
    let watchdog = root
        .watchdog
        .as_ref()
        .map_or_else(Watchdog::default, |section| watchdog::read(section, base, &mut diagnostics));
    let defaults = root
        .defaults
        .as_ref()
        .map_or_else(CameraDefaults::default, |section| camera::defaults(section, base, read_secret, &mut diagnostics));
    let cameras = camera::all(&root.cameras, &defaults, base, read_secret, &mut diagnostics);
    let walls = wall::all(&root.walls, &camera::identifiers(&root.cameras), &mut diagnostics);
    diagnostics.finish().map(|warnings| Config { server, limits, watchdog, cameras, walls, warnings })
}

fn server(section: &Section<'_>, base: &Path, diagnostics: &mut Diagnostics<'_>) -> Server {
    section.refuse_unknown(diagnostics);
    let default = Server::default();
    let mut listen = address::listen(section, diagnostics);
    if listen.is_empty() {
        // The key is absent, or there is already a complaint about it.
        listen = default.listen;
    }
    Server {
        listen,
        names: access::names(section, diagnostics),
        embed: access::embed(section, diagnostics),
        www: section.path("www", base, diagnostics).unwrap_or(default.www),
        state_dir: section.path("state_dir", base, diagnostics).unwrap_or(default.state_dir),
        discovery_port: section.whole("discovery_port", DISCOVERY_PORTS, diagnostics),
    }
}

/// Returns the text of the file, and whether users other than owner and group may read it.
fn read_text(path: &Path) -> Result<(String, bool), Vec<Complaint>> {
    let complaint = |position, text| vec![Complaint { file: path.to_owned(), position, text }];
    let file = read_small(path, MAX_FILE_LEN).map_err(|error| complaint(None, cannot_read(&error)))?;
    let text = String::from_utf8(file.bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let start = String::from_utf8_lossy(&error.as_bytes()[..valid]);
        let text = "this character is not UTF-8; save the file with the encoding UTF-8".into();
        complaint(Some(position(&start, start.len())), text)
    })?;
    Ok((text, file.readable_by_all))
}

struct SmallFile {
    bytes: Vec<u8>,
    readable_by_all: bool,
}

/// Reads a regular file of at most `limit` bytes. Refuses other kinds before it opens them, because
/// open(2) on a FIFO would block until there is a writer.
fn read_small(path: &Path, limit: u64) -> io::Result<SmallFile> {
    if fs::metadata(path)?.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let file = File::open(path)?;
    let readable_by_all = file.metadata()?.mode() & 0o004 != 0;
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(SmallFile { bytes, readable_by_all })
}

fn read_secret(path: &Path) -> io::Result<SecretFile> {
    let file = read_small(path, MAX_PASSWORD_LEN)?;
    let text = String::from_utf8(file.bytes).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    Ok(SecretFile { text, readable_by_all: file.readable_by_all })
}

/// Says in plain words why a file cannot be read, and what to do.
fn cannot_read(error: &io::Error) -> String {
    let advice = match error.kind() {
        io::ErrorKind::NotFound => "there is no such file; check the path".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "permission denied; let the user that runs cctv-agent read it (chown, chmod 640)".to_owned()
        }
        io::ErrorKind::IsADirectory => "it is a directory; name the file in it".to_owned(),
        io::ErrorKind::FileTooLarge => "it is too large; this is some other file".to_owned(),
        io::ErrorKind::InvalidData => "it is not UTF-8 text; save it with the encoding UTF-8".to_owned(),
        _ => format!("{error}; check the path and the disk"),
    };
    format!("cannot be read: {advice}")
}

#[cfg(test)]
mod tests;

//! The settings of virtual cameras: the command line and the keys of a camera.

use std::{
    ffi::OsString,
    fmt, fs, io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use crate::{
    announcement::Announcement,
    colour::{Coding, Matrix, Range},
    habits::Habits,
    pairs::{Pairs, on_or_off},
    ptz::PtzHabits,
    rtp::g711::{Law, Sound},
};

pub const HELP: &str = "\
usage: virtual-camera [--control ADDRESS:PORT] [--exit-with-stdin]
                      (--camera \"key=value ...\" | --cameras-file FILE)...
keys: id (required), ip, onvif, rtsp, https, rtsps, codec, clip, size, aspect, small, fps, gop, bframes, sets, bitrate, user,
      pass, auth, skew, pattern, range, matrix, media, hue, name, maker, model, serial, uuid,
      anonymous, audio, snapshots, events, sessions, server, group, tunnel, habits, ptz, location, wsd, answers, reply-port, epr,
      xaddrs, ssdp,
      upnp-type
docs/virtual-camera.md explains each.";

/// The whole command line.
#[derive(Debug)]
pub struct Options {
    pub control: SocketAddr,
    pub exit_with_stdin: bool,
    pub cameras: Vec<Settings>,
}

/// Sample aspect ratio: width and height.
pub type Aspect = (u16, u16);

/// One camera. Nothing here prints the password: `Debug` masks it.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub id: String,
    pub ip: IpAddr,
    /// 0 lets the system choose; so does `rtsp_port`.
    pub onvif_port: u16,
    pub rtsp_port: u16,
    /// Ports of the same services over TLS; `None`: there are none.
    pub https_port: Option<u16>,
    pub rtsps_port: Option<u16>,
    pub codec: Codec,
    /// A file whose video is sent, instead of drawn pictures.
    pub clip: Option<PathBuf>,
    pub size: (usize, usize),
    /// Sample aspect ratio that both profiles declare; the drawing does not change.
    pub aspect: Aspect,
    /// Size of the second profile.
    pub small: Option<(usize, usize)>,
    pub fps: u32,
    /// Frames from one key frame to the next.
    pub gop: u32,
    /// Maximum number of B-frames between two other frames.
    pub bframes: u32,
    /// Parameter sets are in the session description only, not before key frames. H.264 only.
    pub sets_in_sdp: bool,
    /// kbit/s of the first profile.
    pub bitrate: u32,
    pub login: Option<Login>,
    pub auth: Auth,
    /// Seconds by which the camera's clock is ahead of this machine's.
    pub skew: i64,
    pub bars: bool,
    pub coding: Coding,
    pub media: Media,
    /// Hue of the moving picture, in degrees.
    pub hue: f32,
    pub name: String,
    pub maker: String,
    pub model: String,
    pub serial: String,
    /// Does not support GetEndpointReference, like many cameras.
    pub anonymous: bool,
    /// Identity of the device, unless it is derived from `id` and `serial`.
    pub uuid: Option<String>,
    /// The audio track; `None`: there is none.
    pub audio: Option<Sound>,
    /// Whether ONVIF names an address of snapshots.
    pub snapshots: bool,
    /// The pull points of its event service; `None`: it has no events.
    pub events: Option<PullPoints>,
    /// Maximum number of RTSP sessions at the same time; further ones are refused with 453.
    pub sessions: Option<u32>,
    /// The RTSP server of this camera.
    pub server: Software,
    /// The group to which it sends for those who ask for multicast; only GStreamer's server does.
    pub group: Option<Ipv4Addr>,
    /// RTSP may come through HTTP; only GStreamer's server takes that.
    pub tunnel: bool,
    /// Habits of the camera's own RTSP server.
    pub habits: Habits,
    /// `None`: the camera cannot be turned.
    pub ptz: Option<PtzHabits>,
    pub announcement: Announcement,
}

/// The sound of a camera that has to be heard without a word about it.
const HUM: Sound = Sound { law: Law::A, beats: false };

impl Settings {
    /// What is heard where a track of sound is served.
    pub fn sound(&self) -> Sound {
        self.audio.unwrap_or(HUM)
    }
}

/// How the camera keeps the subscriptions to its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PullPoints {
    /// For a minute at a time, as often as wanted.
    Usual,
    /// For so long, and no longer.
    EndAfter(Duration),
    /// It says that it has events, and gives none.
    Refused,
}

/// Who made the RTSP server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Software {
    Own,
    Gstreamer,
}

#[derive(Clone, PartialEq)]
pub struct Login {
    pub user: String,
    pub password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    H264,
    H265,
    Mjpeg,
    /// MPEG-4 part 2; of a clip only.
    Mpeg4,
}

impl Codec {
    /// The name in the settings and in the JSON line.
    pub fn word(self) -> &'static str {
        match self {
            Self::H264 => "h264",
            Self::H265 => "h265",
            Self::Mjpeg => "mjpeg",
            Self::Mpeg4 => "mpeg4",
        }
    }
}

/// The word of an audio track.
fn audio(word: &str) -> Option<Option<Sound>> {
    let beat = |law| Sound { law, beats: true };
    match word {
        "off" => Some(None),
        "on" => Some(Some(HUM)),
        "pcma" => Some(Some(beat(Law::A))),
        "pcmu" => Some(Some(beat(Law::Mu))),
        _ => None,
    }
}

/// How the ONVIF services require the login. RTSP always requires Digest with MD5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    Open,
    /// HTTP Digest with MD5.
    Digest,
    /// HTTP Digest with SHA-256 only.
    DigestSha256,
    UsernameToken,
    /// HTTP Digest with SHA-256 or MD5, and UsernameToken.
    Both,
}

/// The ONVIF media services that the camera has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    One,
    Two,
    Both,
}

impl Media {
    pub fn has_one(self) -> bool {
        self != Self::Two
    }

    pub fn has_two(self) -> bool {
        self != Self::One
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    CommandLine(lexopt::Error),
    #[error("cannot read {}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    /// `camera` is its position on the command line, from 1.
    #[error("camera {camera}: {complaint}")]
    Camera { camera: usize, complaint: String },
    #[error("no camera: give at least one --camera or --cameras-file")]
    NoCamera,
}

impl From<lexopt::Error> for Error {
    fn from(error: lexopt::Error) -> Self {
        Self::CommandLine(error)
    }
}

/// Parses the command line without its first word. Returns `None` if help was requested.
///
/// # Errors
/// The first mistake on the line.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Option<Options>, Error> {
    use lexopt::prelude::*;
    let mut options =
        Options { control: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), exit_with_stdin: false, cameras: Vec::new() };
    let mut descriptions: Vec<String> = Vec::new();
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("control") => options.control = parser.value()?.parse()?,
            Long("exit-with-stdin") => options.exit_with_stdin = true,
            Long("camera") => descriptions.push(parser.value()?.string()?),
            Long("cameras-file") => {
                let path = PathBuf::from(parser.value()?);
                let text = fs::read_to_string(&path).map_err(|source| Error::File { path, source })?;
                let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
                descriptions.extend(lines.map(str::to_owned));
            }
            Short('h') | Long("help") => return Ok(None),
            _ => return Err(argument.unexpected().into()),
        }
    }
    for (n, description) in descriptions.iter().enumerate() {
        let complain = |complaint| Error::Camera { camera: n + 1, complaint };
        let camera = camera(n, description).map_err(complain)?;
        if options.cameras.iter().any(|other: &Settings| other.id == camera.id) {
            return Err(complain(format!("the id {:?} is already used", camera.id)));
        }
        options.cameras.push(camera);
    }
    if options.cameras.is_empty() { Err(Error::NoCamera) } else { Ok(Some(options)) }
}

/// Parses the description of the `n`th camera, from 0; `n` determines the default address and hue.
fn camera(n: usize, description: &str) -> Result<Settings, String> {
    let mut pairs = Pairs::read(description)?;
    let id = pairs.take("id").ok_or("no id")?;
    if id.is_empty() || !id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
        return Err(format!("id {id:?} may hold letters, digits, - and _ only"));
    }
    let codec = pairs.word("codec", Codec::H264, |word| match word {
        "h264" => Some(Codec::H264),
        "h265" => Some(Codec::H265),
        "mjpeg" => Some(Codec::Mjpeg),
        "mpeg4" => Some(Codec::Mpeg4),
        _ => None,
    })?;
    let size = pairs.word("size", (1280, 720), dimensions)?;
    let third = (size.0 / 24 * 8, size.1 / 24 * 8);
    let small = pairs
        .word("small", Some(third), |word| if word == "none" { Some(None) } else { dimensions(word).map(Some) })?;
    let clip = pairs.take("clip").map(PathBuf::from);
    if codec == Codec::Mpeg4 && clip.is_none() {
        return Err("there is no encoder for MPEG-4: it needs a clip".into());
    }
    if clip.is_none() {
        check_size(codec, "size", size)?;
    }
    if let Some(small) = small {
        check_size(codec, "small", small)?;
    }
    let aspect = pairs.word("aspect", (1, 1), aspect)?;
    if codec == Codec::Mjpeg && aspect != (1, 1) {
        return Err("a JPEG over RTP has square samples (RFC 2435)".into());
    }
    let fps = pairs.word("fps", 25, |word| word.parse().ok().filter(|fps| (1..=60).contains(fps)))?;
    let pixels = (size.0 * size.1) as u32;
    let user = pairs.take("user").filter(|user| !user.is_empty());
    let password = pairs.take("pass").unwrap_or_default();
    let login = user.map(|user| Login { user, password });
    let serial = format!("VC{:08}", n + 1);
    let settings = Settings {
        ip: pairs.word("ip", IpAddr::from([127, 0, 0, 11_u8.saturating_add(n as u8)]), |word| word.parse().ok())?,
        onvif_port: pairs.number("onvif", 8000)?,
        rtsp_port: pairs.number("rtsp", 8554)?,
        https_port: pairs.word("https", None, |word| word.parse().ok().map(Some))?,
        rtsps_port: pairs.word("rtsps", None, |word| word.parse().ok().map(Some))?,
        gop: pairs.number("gop", fps * 2)?.max(1),
        bframes: pairs.word("bframes", 0, |word| word.parse().ok().filter(|bframes| *bframes <= 4))?,
        sets_in_sdp: pairs.word("sets", false, |word| match word {
            "in-band" => Some(false),
            "sdp" => Some(codec == Codec::H264).filter(|known| *known),
            _ => None,
        })?,
        // 1.5 bits per pixel and second: 1.4 Mbit/s for 720p, 3.1 for 1080p.
        bitrate: pairs.number("bitrate", (pixels * 3 / 2000).max(200))?,
        auth: auth(&mut pairs, login.is_some())?,
        skew: pairs.number("skew", 0)?,
        bars: pairs.word("pattern", false, |word| match word {
            "moving" => Some(false),
            "bars" => Some(true),
            _ => None,
        })?,
        coding: coding(&mut pairs, codec)?,
        media: pairs.word("media", Media::Both, |word| match word {
            "1" => Some(Media::One),
            "2" => Some(Media::Two),
            "both" => Some(Media::Both),
            _ => None,
        })?,
        // The golden angle keeps the hues of any number of cameras apart.
        hue: pairs.number("hue", (205.0 + 137.5 * n as f32) % 360.0)?,
        name: pairs.take("name").unwrap_or_else(|| id.clone()),
        maker: pairs.take("maker").unwrap_or_else(|| "Virtual".into()),
        model: pairs.take("model").unwrap_or_else(|| "Camera 1".into()),
        serial: pairs.take("serial").unwrap_or(serial),
        anonymous: pairs.word("anonymous", false, on_or_off)?,
        uuid: pairs.take("uuid").filter(|uuid| !uuid.is_empty()),
        audio: pairs.word("audio", None, audio)?,
        snapshots: pairs.word("snapshots", true, on_or_off)?,
        events: pairs.word("events", None, |word| match word {
            "off" => Some(None),
            "on" => Some(Some(PullPoints::Usual)),
            "refused" => Some(Some(PullPoints::Refused)),
            seconds => seconds.parse().ok().map(|seconds| Some(PullPoints::EndAfter(Duration::from_secs(seconds)))),
        })?,
        sessions: pairs.word("sessions", None, |word| word.parse().ok().filter(|most| *most > 0).map(Some))?,
        server: pairs.word("server", Software::Own, |word| match word {
            "own" => Some(Software::Own),
            "gstreamer" => Some(Software::Gstreamer),
            _ => None,
        })?,
        group: pairs.word("group", None, |word| word.parse().ok().filter(Ipv4Addr::is_multicast).map(Some))?,
        tunnel: pairs.word("tunnel", false, on_or_off)?,
        habits: pairs.word("habits", Habits::default(), Habits::parse)?,
        ptz: pairs.word("ptz", None, PtzHabits::parse)?,
        announcement: Announcement::read(&mut pairs)?,
        id,
        codec,
        clip,
        size,
        aspect,
        small,
        fps,
        login,
    };
    if settings.announcement.is_any() && !settings.ip.is_ipv4() {
        return Err("wsd and ssdp need an IPv4 address".into());
    }
    let rtsp_port = settings.rtsps_port.filter(|_| settings.server == Software::Gstreamer);
    let settings = Settings { rtsp_port: rtsp_port.unwrap_or(settings.rtsp_port), ..settings };
    if settings.server == Software::Gstreamer && settings.habits != Habits::default() {
        return Err("only server=own has habits".into());
    }
    if settings.server == Software::Gstreamer && settings.clip.is_some() {
        return Err("only server=own sends clips".into());
    }
    if settings.server == Software::Gstreamer && settings.audio.is_some_and(|sound| sound != HUM) {
        return Err("only server=own has a beat".into());
    }
    if settings.server == Software::Own && (settings.group.is_some() || settings.tunnel) {
        return Err("only server=gstreamer has a group or a tunnel".into());
    }
    match pairs.left_over() {
        Some(key) => Err(format!("unknown key {key:?}")),
        None => Ok(settings),
    }
}

fn auth(pairs: &mut Pairs, has_login: bool) -> Result<Auth, String> {
    let auth = pairs.word("auth", if has_login { Auth::Both } else { Auth::Open }, |word| match word {
        "open" => Some(Auth::Open),
        "digest" => Some(Auth::Digest),
        "digest-sha256" => Some(Auth::DigestSha256),
        "usernametoken" => Some(Auth::UsernameToken),
        "both" => Some(Auth::Both),
        _ => None,
    })?;
    if auth != Auth::Open && !has_login {
        return Err("auth needs a user".into());
    }
    Ok(auth)
}

fn coding(pairs: &mut Pairs, codec: Codec) -> Result<Coding, String> {
    let usual = match codec {
        Codec::Mjpeg => Coding { range: Range::Full, matrix: Matrix::Bt601 },
        Codec::H264 | Codec::H265 | Codec::Mpeg4 => Coding { range: Range::Limited, matrix: Matrix::Bt709 },
    };
    let range = pairs.word("range", usual.range, |word| match word {
        "limited" => Some(Range::Limited),
        "full" => Some(Range::Full),
        _ => None,
    })?;
    let matrix = pairs.word("matrix", usual.matrix, |word| match word {
        "bt601" => Some(Matrix::Bt601),
        "bt709" => Some(Matrix::Bt709),
        _ => None,
    })?;
    let coding = Coding { range, matrix };
    if codec == Codec::Mjpeg && coding != usual {
        return Err("a JPEG is always range=full matrix=bt601: it has no way to say otherwise".into());
    }
    Ok(coding)
}

/// Parses `WxH`.
pub fn dimensions(word: &str) -> Option<(usize, usize)> {
    let (width, height) = word.split_once('x')?;
    Some((width.parse().ok()?, height.parse().ok()?))
}

/// Parses `W:H`; GStreamer accepts no zero, and H.264 and H.265 have 16 bits for each.
pub fn aspect(word: &str) -> Option<Aspect> {
    let (width, height) = word.split_once(':')?;
    let side = |word: &str| word.parse().ok().filter(|side| *side > 0);
    Some((side(width)?, side(height)?))
}

/// Refuses sizes that the encoder of `codec` does not support; the error names `key`.
pub fn check_size(codec: Codec, key: &str, (width, height): (usize, usize)) -> Result<(), String> {
    let step = if codec == Codec::Mjpeg { 8 } else { 2 };
    if !(160..=3840).contains(&width) || !(90..=2160).contains(&height) {
        return Err(format!("{key}={width}x{height}: from 160x90 to 3840x2160"));
    }
    if !width.is_multiple_of(8) || !height.is_multiple_of(step) {
        return Err(format!("{key}={width}x{height}: width must be a multiple of 8, height of {step}"));
    }
    if codec == Codec::Mjpeg && (width > 2040 || height > 2040) {
        return Err(format!("{key}={width}x{height}: JPEG over RTP ends at 2040 (RFC 2435)"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(description: &str) -> String {
        camera(0, description).unwrap_err()
    }

    #[test]
    fn camera_with_nothing_but_an_id_has_sensible_defaults() {
        let camera = camera(2, "id=gate").unwrap();
        assert_eq!(camera.ip.to_string(), "127.0.0.13");
        assert_eq!((camera.onvif_port, camera.rtsp_port), (8000, 8554));
        assert_eq!((camera.size, camera.small), ((1280, 720), Some((424, 240))));
        assert_eq!((camera.fps, camera.gop, camera.auth), (25, 50, Auth::Open));
        assert_eq!((camera.name.as_str(), camera.login), ("gate", None));
    }

    #[test]
    fn quoted_values_hold_any_character() {
        let camera = camera(0, r#" id=a  user="o'b \"x\" \\" pass='p@s:s#/ "wörd\' name=x=y "#).unwrap();
        let login = camera.login.unwrap();
        assert_eq!((login.user.as_str(), login.password.as_str()), (r#"o'b "x" \"#, r#"p@s:s#/ "wörd\"#));
        assert_eq!((camera.name.as_str(), camera.auth), ("x=y", Auth::Both));
    }

    #[test]
    fn mistakes_are_told_by_name() {
        assert_eq!(refused("ip=127.0.0.1"), "no id");
        assert_eq!(refused("id=a b"), "key=value expected at \"b\"");
        assert_eq!(refused("id=a codec=vp8"), "codec=vp8 is not understood");
        assert_eq!(refused("id=a colour=red"), "unknown key \"colour\"");
        assert_eq!(refused("id=a id=b"), "id is given twice");
        assert_eq!(refused("id=a pass='x"), "the quote after pass= is never closed");
        assert_eq!(refused("id=a pass='x'y"), "blank expected after the value of pass");
        assert_eq!(refused("id=a auth=digest"), "auth needs a user");
        assert_eq!(refused("id=a wsd=yes"), "wsd=yes is not understood");
        assert_eq!(refused("id=a ssdp=on ip=::1"), "wsd and ssdp need an IPv4 address");
        assert!(refused("id=a/b").starts_with("id \"a/b\" may hold"));
        assert!(refused("id=a size=1282x720").starts_with("size=1282x720: width must be"));
        assert!(refused("id=a codec=mjpeg size=640x364").contains("height of 8"));
        assert!(refused("id=a codec=mjpeg matrix=bt709").starts_with("a JPEG is always"));
        assert!(refused("id=a codec=mjpeg aspect=16:11").starts_with("a JPEG over RTP has square"));
        assert_eq!(refused("id=a aspect=16:0"), "aspect=16:0 is not understood");
    }

    #[test]
    fn command_line_takes_several_cameras_and_no_id_twice() {
        let line = |words: &[&str]| parse(words.iter().map(OsString::from));
        let options =
            line(&["--control", "127.0.0.1:0", "--exit-with-stdin", "--camera", "id=a", "--camera=id=b"]).unwrap();
        let options = options.unwrap();
        assert!(options.exit_with_stdin);
        assert_eq!(options.cameras.iter().map(|camera| camera.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        let twice = line(&["--camera", "id=a", "--camera", "id=a"]).unwrap_err().to_string();
        assert_eq!(twice, "camera 2: the id \"a\" is already used");
        assert!(matches!(line(&[]), Err(Error::NoCamera)));
        assert!(matches!(line(&["--help"]), Ok(None)));
    }

    #[test]
    fn debug_never_shows_a_password() {
        let camera = camera(0, "id=a user=u pass=geheim").unwrap();
        assert!(!format!("{camera:?}").contains("geheim"));
    }
}

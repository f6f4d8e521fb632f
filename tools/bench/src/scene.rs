//! The subject of a row of the table: the number of cameras and viewers, and the format.

use crate::test_clip::{FPS, Kind};

/// The format requested of our agent, which determines the peers of the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Motion JPEG, which all peers can send.
    Jpeg,
    /// The camera's own H.264 over the wall's WebSocket; the other peers have nothing like it.
    Untouched,
    /// No viewers; only our agent.
    Unwatched,
    /// Motion JPEG, with as many more viewers that send a request and then read nothing.
    Sleepers(usize),
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Scene {
    /// The name that selects the row on the command line.
    pub name: &'static str,
    pub kind: Kind,
    pub cameras: usize,
    /// Viewers per camera.
    pub viewers: usize,
    /// Requested size; `None`: the camera's own.
    pub size: Option<(usize, usize)>,
    pub way: Way,
    /// Whether the baseline is measured too.
    pub baseline: bool,
    /// Whether the program of 2019 is also measured with an older OpenCV.
    pub old_opencv: bool,
    /// Whether our agent is measured over https too.
    pub tls: bool,
    /// Whether an earlier build of our agent is measured too, if there is one.
    pub before: bool,
    /// Frames per second of the cameras.
    pub fps: u32,
    /// Whether the cameras send half the bit rate, 2 Mbit/s, in smaller pictures.
    pub is_light: bool,
}

/// All rows, in the order of the table.
pub const SCENES: [Scene; 15] = [
    Scene { baseline: true, old_opencv: true, tls: true, before: true, ..row("1x1", 1, 1) },
    row("1x4", 1, 4),
    Scene { old_opencv: true, ..row("1x16", 1, 16) },
    Scene { size: Some((640, 360)), baseline: true, before: true, ..row("4-small", 4, 1) },
    Scene { size: Some((640, 360)), ..row("16-small", 16, 1) },
    Scene { way: Way::Untouched, ..row("untouched-4", 4, 1) },
    Scene { way: Way::Untouched, tls: true, before: true, ..row("untouched-16", 16, 1) },
    Scene { way: Way::Untouched, fps: 1, ..row("slow-1", 1, 1) },
    Scene { kind: Kind::Jpeg, ..row("mjpeg-1", 1, 1) },
    Scene { kind: Kind::Jpeg, ..row("mjpeg-16", 1, 16) },
    Scene { way: Way::Unwatched, before: true, ..row("unwatched-1", 1, 0) },
    Scene { way: Way::Unwatched, ..row("unwatched-4", 4, 0) },
    Scene { way: Way::Unwatched, is_light: true, ..row("unwatched-light-1", 1, 0) },
    Scene { way: Way::Unwatched, is_light: true, ..row("unwatched-64", 64, 0) },
    Scene { way: Way::Sleepers(8), ..row("sleepers", 1, 1) },
];

const fn row(name: &'static str, cameras: usize, viewers: usize) -> Scene {
    Scene {
        name,
        kind: Kind::H264,
        cameras,
        viewers,
        size: None,
        way: Way::Jpeg,
        baseline: false,
        old_opencv: false,
        tls: false,
        before: false,
        fps: FPS,
        is_light: false,
    }
}

/// Factor for the number of rounds of rows with a baseline: comparisons with a baseline need a
/// precision of a few percent.
pub const BESIDE_BASELINES: u32 = 2;

impl Scene {
    /// The number of rounds, given that of most rows.
    pub fn rounds(&self, usual: u32) -> u32 {
        if self.baseline { BESIDE_BASELINES * usual } else { usual }
    }

    /// The title of the row.
    pub fn title(&self, clip: (usize, usize)) -> String {
        let codec = if self.kind == Kind::H264 { "H.264" } else { "Motion JPEG" };
        let cameras = if self.cameras == 1 { "1 camera".to_owned() } else { format!("{} cameras", self.cameras) };
        let viewers = match self.viewers {
            1 => "1 viewer".to_owned(),
            viewers => format!("{viewers} viewers"),
        };
        let wanted = match (self.way, self.size) {
            (Way::Untouched, _) => "untouched".to_owned(),
            (Way::Unwatched, _) => return format!("{cameras}, {codec} {}x{}, nobody watches", clip.0, clip.1),
            (Way::Jpeg | Way::Sleepers(_), None) => "own size".to_owned(),
            (Way::Jpeg | Way::Sleepers(_), Some((width, height))) => format!("{width}x{height}"),
        };
        let asleep = match self.way {
            Way::Sleepers(count) => format!(" and {count} that read nothing"),
            _ => String::new(),
        };
        let pace = if self.fps == FPS { String::new() } else { format!(" at {} frame/s", self.fps) };
        format!("{cameras}, {codec} {}x{}{pace}, {viewers} each{asleep}, {wanted}", clip.0, clip.1)
    }
}

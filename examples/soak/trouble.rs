//! Everything that can be made to go wrong. A new fault of the virtual camera is one more line here.

use nix::sys::signal::Signal;

/// One kind of trouble.
#[derive(Debug)]
pub struct Kind {
    /// As the table names it.
    pub name: &'static str,
    pub act: Act,
    pub effect: Effect,
    /// Of all lots that are drawn; 0 is never drawn.
    pub weight: usize,
}

/// What is done to make it happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Faults set at the virtual camera, one after the other; all are undone by its `resume`.
    Camera(&'static [&'static str]),
    /// As `Camera`, and the file is reloaded afterwards, as an installer does after a wrong password.
    CameraThenReload(&'static [&'static str]),
    /// A signal to the camera's worker process.
    Worker(Signal),
    /// SIGKILL to the process that workers are forked from.
    ForkServer,
    /// The camera is taken out of the file, and later put back.
    Removed,
    /// The camera's origin in the file changes from ONVIF to the stream's address, or back.
    Origin,
    /// Name and quality in the file change.
    Renamed,
    /// SIGHUP without any change.
    SameFile,
    /// A file with mistakes, and later a good one again.
    BadFile,
}

/// What it does to the picture, and so what is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// No picture while it lasts. It must be noticed where it lasts long enough, and be over after it.
    Ends,
    /// The picture breaks off once and comes back by itself, whether the trouble lasts or not: live again is
    /// counted from the beginning.
    Blinks,
    /// The picture stands still without an end of its own: noticed, and then live again, counted from there.
    Hangs,
    /// The picture may go on or not, but must tell the truth, and be live once it is over.
    Either,
    /// Nobody may notice anything.
    Harmless,
}

const fn kind(name: &'static str, act: Act, effect: Effect, weight: usize) -> Kind {
    Kind { name, act, effect, weight }
}

use Act::{BadFile, Camera, CameraThenReload, ForkServer, Origin, Removed, Renamed, SameFile, Worker};
use Effect::{Blinks, Either, Ends, Hangs, Harmless};

/// A kind whose faults the camera does not know is left out, with a remark.
pub const KINDS: &[Kind] = &[
    // The camera or its network is gone.
    kind("stall", Camera(&["stall"]), Ends, 3),
    kind("freeze", Camera(&["freeze"]), Ends, 3),
    kind("refuse", Camera(&["refuse"]), Ends, 3),
    kind("drop", Camera(&["drop"]), Blinks, 3),
    kind("RTCP BYE", Camera(&["bye"]), Blinks, 1),
    kind("TEARDOWN by the camera", Camera(&["teardown"]), Blinks, 1),
    // It comes back under adverse conditions.
    kind("drop, ONVIF down", Camera(&["onvif-down", "drop"]), Blinks, 2),
    kind("drop, ONVIF talks nonsense", Camera(&["garbage", "drop"]), Blinks, 2),
    kind("drop, clock 1 h ahead", Camera(&["skew?seconds=3600", "drop"]), Blinks, 2),
    kind("drop, wrong password", CameraThenReload(&["wrongpassword", "drop"]), Ends, 2),
    kind("drop, all sessions taken", Camera(&["full?status=453", "drop"]), Ends, 2),
    kind("drop, no key frames", Camera(&["no-key-frames", "drop"]), Ends, 2),
    // It goes on, but not as it should.
    kind("audio only", Camera(&["audio-only"]), Ends, 3),
    kind("no video in the session", Camera(&["no-video"]), Ends, 1),
    kind("a frame every 8 s", Camera(&["slow?seconds=8"]), Ends, 1),
    kind("truncated units", Camera(&["truncate"]), Ends, 2),
    kind("random payload", Camera(&["garbage-payload"]), Ends, 2),
    kind("random framing", Camera(&["garbage-framing"]), Ends, 2),
    kind("trickle", Camera(&["trickle"]), Ends, 2),
    kind("other codec", Camera(&["codec?to=h265"]), Blinks, 1),
    kind("other size", Camera(&["size?to=480x272"]), Either, 2),
    kind("no key frames", Camera(&["no-key-frames"]), Either, 1),
    kind("a frame every 2 s", Camera(&["slow?seconds=2"]), Harmless, 1),
    kind("time stamps jump 1 h", Camera(&["jump?seconds=3600"]), Harmless, 1),
    kind("ONVIF down", Camera(&["onvif-down"]), Harmless, 1),
    // The worker.
    kind("worker killed", Worker(Signal::SIGKILL), Blinks, 3),
    kind("worker aborts", Worker(Signal::SIGABRT), Blinks, 2),
    kind("worker crashes", Worker(Signal::SIGSEGV), Blinks, 2),
    kind("worker hangs", Worker(Signal::SIGSTOP), Hangs, 3),
    kind("fork server killed", ForkServer, Harmless, 2),
    // The installer.
    kind("camera taken out of the file", Removed, Ends, 1),
    kind("origin changed in the file", Origin, Blinks, 1),
    kind("name and quality changed", Renamed, Harmless, 1),
    kind("SIGHUP, nothing changed", SameFile, Harmless, 2),
    kind("SIGHUP, bad file", BadFile, Harmless, 1),
];

impl Kind {
    /// The virtual camera's faults it needs, without their parameters.
    pub fn faults(&self) -> impl Iterator<Item = &'static str> {
        let faults: &[&str] = match self.act {
            Camera(faults) | CameraThenReload(faults) => faults,
            _ => &[],
        };
        faults.iter().map(|fault| fault.split('?').next().unwrap_or(fault))
    }

    /// Whether it lasts until somebody ends it.
    pub fn lasts(&self) -> bool {
        match self.act {
            Camera(faults) | CameraThenReload(faults) => !matches!(faults, ["drop" | "bye" | "teardown"]),
            Removed => true,
            Worker(_) | ForkServer | Origin | Renamed | SameFile | BadFile => false,
        }
    }
}

/// The kinds whose faults stand among `known`, and the names of the others.
pub fn possible(known: &[String]) -> (Vec<&'static Kind>, Vec<&'static str>) {
    let (can, cannot): (Vec<_>, Vec<_>) =
        KINDS.iter().partition(|kind| kind.faults().all(|fault| known.iter().any(|name| name == fault)));
    (can, cannot.into_iter().map(|kind| kind.name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_unknown_faults_are_left_out() {
        let (can, cannot) = possible(&["stall".to_owned(), "drop".to_owned()]);
        assert!(can.iter().any(|kind| kind.name == "drop") && can.iter().any(|kind| kind.name == "worker hangs"));
        assert!(cannot.contains(&"freeze") && cannot.contains(&"drop, clock 1 h ahead"));
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = KINDS.iter().map(|kind| kind.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), KINDS.len());
    }
}

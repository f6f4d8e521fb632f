//! All faults. A new fault of the virtual camera is one more line here.

use nix::sys::signal::Signal;

/// One kind of fault.
#[derive(Debug)]
pub struct Kind {
    /// Its name in the table.
    pub name: &'static str,
    pub act: Act,
    pub effect: Effect,
    /// Its weight in the random choice; 0 is never chosen.
    pub weight: usize,
}

/// The action that causes the fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Faults set at the virtual camera, in this order; `resume` ends all of them.
    Camera(&'static [&'static str]),
    /// Like `Camera`, followed by a reload, as an installer does after a wrong password.
    CameraThenReload(&'static [&'static str]),
    /// A signal to the process that decodes the camera's video. The stream itself must go on.
    Decoder(Signal),
    /// The camera is removed from the file, and later added again.
    Removed,
    /// The camera's source in the file changes from ONVIF to the stream's address, or back.
    Origin,
    /// Name and quality in the file change.
    Renamed,
    /// SIGHUP without any change.
    SameFile,
    /// A file with mistakes, and later a good one again.
    BadFile,
}

/// The effect on the picture, which determines the checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// No picture during the fault. A long enough fault must be visible, and be over after its end.
    Ends,
    /// The picture is interrupted once and recovers by itself, whether the fault lasts or not: the
    /// time until live again counts from the start.
    Blinks,
    /// No JPEG for a moment, while the camera stays live: the time until the next picture counts.
    Pauses,
    /// JPEG freezes until the agent recovers it: the fault must be visible; the time until live
    /// again counts from then.
    Hangs,
    /// The picture may continue or not, but its state must be true, and it must be live after the
    /// fault.
    Either,
    /// Nothing may be visible.
    Harmless,
}

const fn kind(name: &'static str, act: Act, effect: Effect, weight: usize) -> Kind {
    Kind { name, act, effect, weight }
}

use Act::{BadFile, Camera, CameraThenReload, Decoder, Origin, Removed, Renamed, SameFile};
use Effect::{Blinks, Either, Ends, Hangs, Harmless, Pauses};

/// A kind with faults that the camera does not support is skipped, with a remark.
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
    // It continues, but not normally.
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
    // The decoder.
    kind("decoder killed", Decoder(Signal::SIGKILL), Pauses, 3),
    kind("decoder aborts", Decoder(Signal::SIGABRT), Pauses, 2),
    kind("decoder crashes", Decoder(Signal::SIGSEGV), Pauses, 2),
    kind("decoder hangs", Decoder(Signal::SIGSTOP), Hangs, 3),
    // The installer.
    kind("camera taken out of the file", Removed, Ends, 1),
    kind("origin changed in the file", Origin, Blinks, 1),
    kind("name and quality changed", Renamed, Harmless, 1),
    kind("SIGHUP, nothing changed", SameFile, Harmless, 2),
    kind("SIGHUP, bad file", BadFile, Harmless, 1),
];

impl Kind {
    /// The virtual camera's faults that it needs, without their parameters.
    pub fn faults(&self) -> impl Iterator<Item = &'static str> {
        let faults: &[&str] = match self.act {
            Camera(faults) | CameraThenReload(faults) => faults,
            _ => &[],
        };
        faults.iter().map(|fault| fault.split('?').next().unwrap_or(fault))
    }

    /// Whether it lasts until it is ended.
    pub fn lasts(&self) -> bool {
        match self.act {
            Camera(faults) | CameraThenReload(faults) => !matches!(faults, ["drop" | "bye" | "teardown"]),
            Removed => true,
            Decoder(_) | Origin | Renamed | SameFile | BadFile => false,
        }
    }
}

/// The kinds whose faults are among `known`, and the names of the others.
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
        assert!(can.iter().any(|kind| kind.name == "drop") && can.iter().any(|kind| kind.name == "decoder hangs"));
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

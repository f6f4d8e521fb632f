//! Starts and ends faults; the kind, the camera and the duration are random.

use std::{
    sync::atomic::AtomicBool,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{self, Signal},
    unistd::Pid,
};

use super::Soak;
use crate::{
    Result,
    board::Touch,
    fault_kinds::{Act, Effect},
    file::File,
    incident::{Incident, Moment},
    processes::{Agent, wait_for},
    usage,
};

/// A reload that takes longer becomes a remark.
const RELOADED: Duration = Duration::from_secs(10);

/// Time until a crashed decoder is gone and reaped.
const CRASHED: Duration = Duration::from_secs(2);

/// Duration of a fault, in milliseconds.
const LASTS: (u64, u64) = (2_000, 20_000);

/// A camera must have been live for this long before its next fault.
const LEFT_ALONE: Duration = Duration::from_secs(4);

/// A decoder that served for this long is replaced at once.
const GOOD_WHILE: Duration = Duration::from_secs(62);

impl Soak {
    /// Starts a fault on a camera that is live and free, if there is one.
    pub(super) fn begin_fault(&mut self) -> Result<()> {
        let lots: Vec<_> = self.kinds.iter().flat_map(|kind| std::iter::repeat_n(*kind, kind.weight)).collect();
        let Some(kind) = self.rng.of(&lots).copied() else { return Ok(()) };
        let now = Instant::now();
        let live_for = |id: &str| self.board.live_since(id).map_or(Duration::ZERO, |since| now - since);
        let all = self.cameras.all.iter().map(|camera| camera.id.clone());
        let mut free: Vec<_> = all
            .filter(|id| !self.incidents.iter().any(|incident| incident.camera == *id) && live_for(id) >= LEFT_ALONE)
            .collect();
        let rested: Vec<_> = free.iter().filter(|id| self.has_rested_decoder(id, now)).cloned().collect();
        if matches!(kind.act, Act::Decoder(_)) && !rested.is_empty() {
            free = rested;
        }
        let Some(camera) = self.rng.of(&free).cloned() else { return Ok(()) };
        let lasts = if kind.lasts() { self.rng.milliseconds(LASTS.0..=LASTS.1) } else { Duration::ZERO };
        let earned = self.has_rested_decoder(&camera, now);
        let decoder = match kind.act {
            Act::Decoder(_) => match self.agent.decoder(&camera, &usage::children(self.agent.pid())) {
                None => return Ok(()),
                decoder => decoder,
            },
            _ => None,
        };
        let gently = matches!(kind.effect, Effect::Harmless | Effect::Pauses);
        self.board.expect_units(&camera, decoder.is_some());
        self.board.touch(&camera, if gently { Touch::Gentle } else { Touch::Rough });
        let start = Moment::now();
        match kind.act {
            Act::Camera(faults) | Act::CameraThenReload(faults) => {
                for fault in faults {
                    if !self.cameras.fault(&camera, fault)? {
                        // This kind of fault is first in its list, so nothing has happened yet.
                        self.board.touch(&camera, Touch::None);
                        return Ok(());
                    }
                }
            }
            Act::Decoder(signal) => {
                if let Some(pid) = decoder {
                    // The decoder may have ended by itself just now.
                    let _ = signal::kill(Pid::from_raw(pid), signal);
                    if signal == Signal::SIGSEGV {
                        self.crash(pid);
                    }
                }
            }
            Act::Removed => self.edit(|file| file.set_removed(&camera, true))?,
            Act::Origin => self.edit(|file| file.change_origin(&camera))?,
            Act::Renamed => self.edit(|file| file.rename(&camera))?,
            Act::SameFile => self.reload()?,
            Act::BadFile => {
                self.file.write_bad()?;
                self.reload()?;
                if self.agent.api()?["complaints"].as_array().is_none_or(Vec::is_empty) {
                    self.board.remark("a bad file was not complained about".to_owned());
                }
                self.edit(|_| ())?;
            }
        }
        let until = start.at + lasts;
        let end = (!kind.lasts()).then(|| if kind.act == Act::BadFile { Moment::now() } else { start });
        self.incidents.push(Incident { kind, camera, start, until, end, earned });
        Ok(())
    }

    /// Whether the decoder of camera `id` was left alone for long enough to be replaced at once.
    fn has_rested_decoder(&self, id: &str, now: Instant) -> bool {
        let mut of_decoders = self.outcomes.iter().filter(|outcome| matches!(outcome.kind.act, Act::Decoder(_)));
        of_decoders.all(|outcome| outcome.camera != id || now.saturating_duration_since(outcome.start) >= GOOD_WHILE)
    }

    /// Rust's runtime takes the first SIGSEGV from outside for a possible stack overflow, sees that
    /// it is none, and removes its handler; the second one ends the process.
    fn crash(&self, decoder: i32) {
        let never = AtomicBool::new(false);
        let lives = || usage::children(self.agent.pid()).contains(&decoder);
        let gone = wait_for(CRASHED, &never, || {
            let _ = lives().then(|| signal::kill(Pid::from_raw(decoder), Signal::SIGSEGV));
            (!lives()).then_some(())
        });
        if gone.is_none() {
            self.board.remark("a decoder survived SIGSEGV".to_owned());
        }
    }

    /// Ends the `n`th active incident.
    pub(super) fn end_fault(&mut self, n: usize) -> Result<()> {
        let (act, camera) = (self.incidents[n].kind.act, self.incidents[n].camera.clone());
        let unix_ms = Moment::now().unix_ms;
        let at = match act {
            Act::Camera(_) => {
                self.cameras.fault(&camera, "resume")?;
                Instant::now()
            }
            Act::CameraThenReload(_) => {
                self.cameras.fault(&camera, "resume")?;
                let at = Instant::now();
                self.reload()?;
                at
            }
            Act::Removed => {
                let at = Instant::now();
                self.edit(|file| file.set_removed(&camera, false))?;
                at
            }
            _ => Instant::now(),
        };
        self.incidents[n].end = Some(Moment { at, unix_ms });
        Ok(())
    }

    fn edit(&mut self, edit: impl FnOnce(&mut File)) -> Result<()> {
        edit(&mut self.file);
        self.file.write()?;
        self.reload()
    }

    /// Reloads, and waits until the agent has reported it.
    pub(super) fn reload(&mut self) -> Result<()> {
        let count = |agent: &Agent| agent.api().ok()?["reload"]["count"].as_u64();
        let before = count(&self.agent).ok_or("the agent does not answer")?;
        self.reload_times.push(Instant::now());
        self.agent.reload()?;
        let never = AtomicBool::new(false);
        match wait_for(RELOADED, &never, || count(&self.agent).filter(|count| *count > before)) {
            Some(_) => {}
            None => self.board.remark("a reload was not done within 10 s".to_owned()),
        }
        Ok(())
    }
}

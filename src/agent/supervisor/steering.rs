//! The task that moves one camera: it does what those who steer want, and stops the camera when they are silent, let
//! go, or the task ends.

mod conversation;
mod drive;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use smol::{
    Timer,
    future::{FutureExt, pending},
};

use super::{CameraShared, Context, HasSideTask, SideTask, locator::Locator};
use crate::{
    camera::{CameraId, PtzOptions, StreamSource},
    hub::Stream,
    onvif,
    ptz::{Asked, Destination, Motion, Outcome, Preset, PtzControl},
    sync::{Latch, Notified},
    text::{Code, Reason},
    time::timeout,
};
use conversation::Failure;
use drive::{Command, Drive, Next, Trouble};

/// Limit for one request. A movement ends by itself meanwhile.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Limit for a stop, after which it is sent again.
const STOP_TIMEOUT: Duration = Duration::from_millis(1500);

/// Limit for the beginning of the conversation.
const BEGIN_TIMEOUT: Duration = Duration::from_secs(10);

/// The conversation is kept for so long without a request: clocks are set and addresses change.
const IDLE: Duration = Duration::from_secs(60);

/// A running task. It ends when the camera stands, or after [`drive::LAST_STOP`].
pub struct Steering {
    stream_source: StreamSource,
    options: PtzOptions,
    control: Arc<PtzControl>,
    task: SideTask,
}

impl Steering {
    /// Steers the camera at `stream_source` by what `control` is told.
    pub fn start(
        context: &Context,
        shared: &Arc<CameraShared>,
        id: &CameraId,
        stream_source: &StreamSource,
        (options, control): (PtzOptions, Arc<PtzControl>),
    ) -> Self {
        let stop = Latch::default();
        let locator = Locator::beside(context, shared, id, stream_source);
        let task = SteeringTask {
            stream: Arc::clone(shared.channel.main()),
            locator,
            requests: control.requests(),
            control: Arc::clone(&control),
            stop: stop.clone(),
            conversation: None,
            used_at: Instant::now(),
            error: None,
            warned: false,
        };
        let task = SideTask::start(context, stop, task.run(options));
        Self { stream_source: stream_source.clone(), options, control, task }
    }

    /// Whether it does what this configuration says.
    pub fn is_of(&self, stream_source: &StreamSource, options: PtzOptions) -> bool {
        self.stream_source.eq_main(stream_source) && self.options == options
    }

    pub fn control(&self) -> &PtzControl {
        &self.control
    }
}

impl HasSideTask for Steering {
    fn side_task(&self) -> &SideTask {
        &self.task
    }

    fn into_side_task(self) -> SideTask {
        self.task
    }
}

struct SteeringTask {
    locator: Locator,
    stream: Arc<Stream>,
    control: Arc<PtzControl>,
    requests: Notified,
    stop: Latch,
    conversation: Option<onvif::Ptz>,
    /// When the conversation was last used.
    used_at: Instant,
    /// Why the camera last did not do what it should.
    error: Option<Reason>,
    /// The log says that the camera takes no limit.
    warned: bool,
}

impl SteeringTask {
    async fn run(mut self, options: PtzOptions) {
        let mut drive = Drive::new(options.home_after);
        loop {
            let now = Instant::now();
            let is_ending = self.stop.is_set();
            if is_ending {
                drive.end(now);
            } else {
                let refused = drive.take(self.control.take_asked(), now);
                self.refuse(refused);
            }
            let wanted = self.control.motion(now).filter(|_| !is_ending);
            let next = drive.next(wanted, now);
            if drive.gives_up() {
                self.error = Some(Reason::from(Code::MayStillMove));
                log::error!("{}: it does not confirm that it stands, and may still move", self.locator.label);
            }
            self.control.report(drive.is_moving(), self.error.clone());
            match next {
                Next::Do(command) => self.carry_out(command, &mut drive).await,
                Next::Wait(None) if is_ending => return,
                Next::Wait(until) => self.wait(until, is_ending).await,
            }
        }
    }

    /// Answers what is not even tried.
    fn refuse(&self, asked: Asked) {
        if asked.presets {
            self.control.report_presets(None, Instant::now());
        }
        if let Some((number, _)) = asked.goto {
            let reason = self.error.clone().unwrap_or_else(|| Code::NotMoved.into());
            self.control.report_outcome(number, Outcome::Failed(reason));
        }
    }

    /// Waits until `until`, or until something is asked or has changed.
    async fn wait(&mut self, until: Option<Instant>, is_ending: bool) {
        let now = Instant::now();
        let idle = self.conversation.is_some().then_some(self.used_at + IDLE);
        let until = [until, idle, self.control.held_until(now)].into_iter().flatten().min();
        let due = async {
            match until {
                Some(until) => Timer::at(until).await,
                None => pending().await,
            };
        };
        let asked = async {
            self.requests.changed().await;
        };
        let stopped = async {
            if is_ending {
                pending::<()>().await;
            }
            self.stop.wait().await;
        };
        due.or(asked).or(stopped).await;
        let now = Instant::now();
        self.control.let_go(now);
        if now >= self.used_at + IDLE {
            self.conversation = None;
        }
    }

    /// Has the camera do it, unless that is no longer wanted before the camera has answered.
    async fn carry_out(&mut self, command: Command, drive: &mut Drive) {
        if self.conversation.is_none() {
            // Not given up when somebody lets go: with a slow camera it would never begin.
            let is_ending = self.stop.is_set();
            let begin = timeout(if is_ending { drive::LAST_STOP } else { BEGIN_TIMEOUT }, self.locator.begin_ptz());
            let begun = match is_ending {
                true => Some(Box::pin(begin).await),
                false => self.stop.clone().unless_set(Box::pin(begin)).await,
            };
            match begun {
                Some(Some(Ok(conversation))) => self.conversation = Some(conversation),
                Some(Some(Err(failure))) => self.failed(&command, failure, drive),
                Some(None) => {
                    let device = self.locator.label.as_str();
                    let slow = Code::OnvifUnfinished.with("device", device).with("seconds", BEGIN_TIMEOUT.as_secs());
                    self.failed(&command, Failure { trouble: Trouble::Silent, reason: slow.into() }, drive);
                }
                None => {}
            }
            self.used_at = Instant::now();
            // What is wanted may have changed meanwhile.
            return;
        }
        drive.begins(&command, Instant::now());
        self.control.report(drive.is_moving(), self.error.clone());
        let over = Self::until_over(&self.control, &self.requests, &self.stop, &command);
        let Some(conversation) = &mut self.conversation else { return };
        let work = perform(conversation, &command, &self.control, self.stream.transform());
        let limit = if command == Command::Stop { STOP_TIMEOUT } else { ANSWER_TIMEOUT };
        let done = async { Some(timeout(limit, work).await) }.or(async {
            over.await;
            None
        });
        let done = Box::pin(done).await;
        let now = Instant::now();
        self.used_at = now;
        match done {
            // The camera may do it nevertheless.
            None => drive.abandoned(&command, now),
            Some(None) => {
                let device = self.locator.label.as_str();
                let slow = Code::OnvifUnfinished.with("device", device).with("seconds", limit.as_secs_f64().ceil());
                self.failed(&command, Failure { trouble: Trouble::Silent, reason: slow.into() }, drive);
            }
            Some(Some(Ok(done))) => self.succeeded(&command, done, drive, now),
            Some(Some(Err(error))) => self.failed(&command, Failure::from(&error), drive),
        }
    }

    fn succeeded(&mut self, command: &Command, done: Done, drive: &mut Drive, now: Instant) {
        drive.succeeded(command, now);
        // A stop proves nothing of a movement that was refused.
        let is_of_stop = |error: &Reason| error.parts().iter().any(|part| part.code() == Code::MayStillMove);
        if *command != Command::Stop || self.error.as_ref().is_some_and(is_of_stop) {
            self.error = None;
        }
        if let Command::Goto(number, _) = command {
            self.control.report_outcome(*number, done.outcome);
        }
        let takes_limit = self.conversation.as_ref().is_none_or(onvif::Ptz::takes_limit);
        if matches!(command, Command::Move(_)) && !takes_limit && !self.warned {
            self.warned = true;
            log::warn!(
                "{}: it takes no time limit for a movement: if this agent or the network fails meanwhile, it moves on",
                self.locator.label
            );
        }
    }

    fn failed(&mut self, command: &Command, failure: Failure, drive: &mut Drive) {
        let Failure { trouble, reason } = failure;
        let is_stop = *command == Command::Stop && drive.is_moving();
        let first = if is_stop { Code::MayStillMove } else { Code::NotMoved };
        let reason = Reason::from(first).and(reason);
        if self.error.as_ref() != Some(&reason) {
            log::warn!("{}: {reason}", self.locator.label);
        }
        match command {
            Command::Goto(number, _) => self.control.report_outcome(*number, Outcome::Failed(reason.clone())),
            Command::Presets => self.control.report_presets(None, Instant::now()),
            Command::Move(_) | Command::Stop | Command::Home => {}
        }
        self.error = Some(reason);
        if trouble == Trouble::Silent {
            // The next request begins anew, and may find the camera elsewhere.
            self.conversation = None;
        }
        drive.failed(command, trouble, Instant::now());
    }

    /// Waits until `command` is no longer wanted.
    async fn until_over(control: &PtzControl, requests: &Notified, stop: &Latch, command: &Command) {
        let ended = async {
            stop.wait().await;
        };
        match command {
            Command::Stop => pending().await,
            Command::Move(_) => {
                let over = async {
                    while let Some((_, until)) = control.motion(Instant::now()) {
                        let due = async {
                            Timer::at(until).await;
                        };
                        let asked = async {
                            requests.changed().await;
                        };
                        due.or(asked).await;
                    }
                };
                over.or(ended).await;
            }
            Command::Goto(..) | Command::Presets | Command::Home => {
                let moved = async {
                    while control.motion(Instant::now()).is_none() && !control.is_stop_asked() {
                        requests.changed().await;
                    }
                };
                moved.or(ended).await;
            }
        }
    }
}

/// What came of a command that the camera has carried out.
struct Done {
    outcome: Outcome,
}

async fn perform(
    conversation: &mut onvif::Ptz,
    command: &Command,
    control: &PtzControl,
    transform: crate::media::transform::Transform,
) -> Result<Done, onvif::Error> {
    let done = Done { outcome: Outcome::Done };
    match command {
        Command::Move(Motion { pan, tilt, zoom }) => {
            let [pan, tilt] = transform.direction_in_source([*pan, *tilt]);
            conversation.move_on(onvif::Speed { pan, tilt, zoom: *zoom }).await?;
        }
        Command::Stop => conversation.stop().await?,
        Command::Presets => load_presets(conversation, control).await?,
        Command::Home | Command::Goto(_, Destination::Home) => conversation.go_home().await?,
        Command::Goto(_, Destination::Preset(wanted)) => {
            let known = control.state(Instant::now()).presets.unwrap_or_default();
            let mut token = wanted.find(&known).map(|preset| preset.token.clone());
            if token.is_none() {
                // It may be new.
                load_presets(conversation, control).await?;
                let known = control.state(Instant::now()).presets.unwrap_or_default();
                token = wanted.find(&known).map(|preset| preset.token.clone());
            }
            match token {
                Some(token) => conversation.go_to(&token).await?,
                None => return Ok(Done { outcome: Outcome::NoSuchPreset }),
            }
        }
    }
    Ok(done)
}

async fn load_presets(conversation: &mut onvif::Ptz, control: &PtzControl) -> Result<(), onvif::Error> {
    let presets = conversation.presets().await?;
    let named = presets.into_iter().map(|preset| (preset.token, preset.name)).collect();
    control.report_presets(Some(Preset::numbered(named)), Instant::now());
    Ok(())
}

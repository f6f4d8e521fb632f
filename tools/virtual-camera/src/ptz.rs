//! PTZ: how the camera is turned and zoomed, and the ONVIF service that does it.

use std::{
    fmt::Write as _,
    sync::PoisonError,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use stamp::Position;

use crate::{
    device::Device,
    http::Response,
    soap::{self, Call, Fault},
};

/// What part of the whole way it moves in a second, at full speed, and on its way to a preset.
const SPEED: f32 = 0.2;
const WAY_SPEED: f32 = 0.6;

/// Of a movement without a time limit.
const DEFAULT_LIMIT: Duration = Duration::from_secs(3600);

/// Pan and tilt from -1 to 1 (right and up), zoom from 0 to 1.
pub type View = [f32; 3];

const HOME: View = [0.0; 3];
const PRESETS: [(&str, &str, View); 3] =
    [("1", "Door", [-0.5, 0.0, 0.0]), ("2", "Yard", [0.5, 0.25, 0.5]), ("3", "\u{9580}", [0.0, -0.5, 0.0])];

/// How the camera departs from the standard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PtzHabits {
    /// A movement with a time limit is refused.
    no_timeout: bool,
    /// The time limit of a movement is ignored.
    forgets_timeout: bool,
    /// Stop is refused; a movement of no speed is one.
    no_stop: bool,
    /// There is no home position.
    no_home: bool,
    /// The login may not move the camera.
    no_right: bool,
    /// The profiles have no PTZ, although there is the service.
    no_configuration: bool,
}

impl PtzHabits {
    /// Parses `on`, `off`, or habits separated by commas.
    pub fn parse(text: &str) -> Option<Option<Self>> {
        if text == "off" {
            return Some(None);
        }
        let mut habits = Self::default();
        for word in text.split(',').filter(|word| *word != "on") {
            *match word {
                "no-timeout" => &mut habits.no_timeout,
                "forgets-timeout" => &mut habits.forgets_timeout,
                "no-stop" => &mut habits.no_stop,
                "no-home" => &mut habits.no_home,
                "no-right" => &mut habits.no_right,
                "no-configuration" => &mut habits.no_configuration,
                _ => return None,
            } = true;
        }
        Some(Some(habits))
    }

    pub fn has_configuration(self) -> bool {
        !self.no_configuration
    }
}

/// Where the camera looks, and how it moves.
#[derive(Debug)]
pub struct Mount {
    /// At `since`.
    view: View,
    since: Instant,
    movement: Movement,
    /// When the camera came to rest, in Unix milliseconds; `None`: it never moved.
    rested_ms: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
enum Movement {
    None,
    /// In parts of the full speed.
    Speed(View, Instant),
    Goal(View),
}

impl Default for Mount {
    fn default() -> Self {
        Self { view: HOME, since: Instant::now(), movement: Movement::None, rested_ms: None }
    }
}

impl Mount {
    /// Where it looks at `now`.
    pub fn view(&mut self, now: Instant) -> View {
        let passed = |until: Instant| until.saturating_duration_since(self.since).as_secs_f32();
        let mut rested = None;
        match self.movement {
            Movement::None => {}
            Movement::Speed(speed, until) => {
                for (axis, speed) in speed.into_iter().enumerate() {
                    let lowest = if axis == 2 { 0.0 } else { -1.0 };
                    self.view[axis] = (self.view[axis] + speed * SPEED * passed(now.min(until))).clamp(lowest, 1.0);
                }
                if now >= until {
                    rested = Some(until);
                }
            }
            Movement::Goal(goal) => {
                let step = WAY_SPEED * passed(now);
                for (axis, goal) in goal.into_iter().enumerate() {
                    let way = goal - self.view[axis];
                    self.view[axis] += way.clamp(-step, step);
                }
                if self.view == goal {
                    rested = Some(now);
                }
            }
        }
        self.since = now;
        if let Some(at) = rested {
            self.rest(now.saturating_duration_since(at));
        }
        self.view
    }

    fn begin(&mut self, movement: Movement, now: Instant) {
        self.view(now);
        self.movement = movement;
    }

    fn stop(&mut self, now: Instant) {
        self.view(now);
        if !matches!(self.movement, Movement::None) {
            self.rest(Duration::ZERO);
        }
    }

    /// It came to rest that long ago.
    fn rest(&mut self, ago: Duration) {
        self.movement = Movement::None;
        let ago = u64::try_from(ago.as_millis()).unwrap_or(0);
        self.rested_ms = Some(crate::camera::unix_ms().saturating_sub(ago));
    }

    /// For the control port.
    pub fn report(&mut self, now: Instant) -> Value {
        let [pan, tilt, zoom] = self.view(now);
        let moving = !matches!(self.movement, Movement::None);
        json!({ "pan": pan, "tilt": tilt, "zoom": zoom, "moving": moving, "rested_ms": self.rested_ms })
    }
}

/// As it is burnt into the picture.
pub fn position(view: View) -> Position {
    let [pan, tilt, zoom] = view.map(|value| (value * 10_000.0).round() as i16);
    Position { pan, tilt, zoom }
}

/// Answers a call of the PTZ service.
pub fn answer(device: &Device, habits: PtzHabits, call: &Call) -> Result<Response, Fault> {
    let token = call.argument("ProfileToken");
    if call.operation != "GetNodes" {
        if !device.profiles.iter().any(|profile| Some(profile.token) == token) {
            return Err(Fault::NoProfile);
        }
        if habits.no_right {
            return Err(Fault::NotAuthorized);
        }
        if habits.no_configuration {
            return Err(Fault::NoPtzProfile);
        }
    }
    let now = Instant::now();
    let mut mount = device.camera.mount.lock().unwrap_or_else(PoisonError::into_inner);
    let content = match call.operation.as_str() {
        "GetNodes" => "<tptz:PTZNode token=\"PTZNode_1\" FixedHomePosition=\"true\"/>".to_owned(),
        "ContinuousMove" => {
            let limit = match call.argument("Timeout") {
                Some(_) if habits.no_timeout => return Err(Fault::TimeoutNotSupported),
                Some(limit) if !habits.forgets_timeout => seconds(limit).ok_or(Fault::TimeoutNotSupported)?,
                _ => DEFAULT_LIMIT,
            };
            // A part that is left out goes on as it does.
            let mut speed = match mount.movement {
                Movement::Speed(speed, until) if now < until => speed,
                _ => HOME,
            };
            for (axis, name) in ["PanTilt@x", "PanTilt@y", "Zoom@x"].into_iter().enumerate() {
                if let Some(given) = call.argument(name) {
                    let given = given.parse().ok().filter(|given: &f32| given.abs() <= 1.0);
                    speed[axis] = given.ok_or(Fault::InvalidVelocity)?;
                }
            }
            match speed == HOME {
                true => mount.stop(now),
                false => mount.begin(Movement::Speed(speed, now + limit), now),
            }
            String::new()
        }
        "Stop" if !habits.no_stop => {
            mount.stop(now);
            String::new()
        }
        "GetPresets" => PRESETS.iter().fold(String::new(), |mut content, (token, name, _)| {
            let _ = write!(content, "<tptz:Preset token=\"{token}\"><tt:Name>{name}</tt:Name></tptz:Preset>");
            content
        }),
        "GotoPreset" => {
            let wanted = call.argument("PresetToken");
            let goal = PRESETS.iter().find(|(token, ..)| Some(*token) == wanted).ok_or(Fault::NoToken)?.2;
            mount.begin(Movement::Goal(goal), now);
            String::new()
        }
        "GotoHomePosition" if !habits.no_home => {
            mount.begin(Movement::Goal(HOME), now);
            String::new()
        }
        _ => return Err(Fault::ActionNotSupported),
    };
    Ok(soap::answer("tptz", &call.operation, &content))
}

/// A duration like `PT1S` or `PT0.5S`.
fn seconds(text: &str) -> Option<Duration> {
    let seconds: f32 = text.strip_prefix("PT")?.strip_suffix('S')?.parse().ok()?;
    (seconds > 0.0 && seconds < 600.0).then(|| Duration::from_secs_f32(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn movement_ends_at_its_limit_and_at_the_end_of_the_way() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut mount = Mount { since: start, ..Mount::default() };
        mount.begin(Movement::Speed([1.0, -0.5, 0.0], at(1000)), start);
        assert_eq!(mount.view(at(500)), [SPEED / 2.0, -SPEED / 4.0, 0.0]);
        let view = mount.view(at(5000));
        assert!((view[0] - SPEED).abs() < 1e-4 && (view[1] + SPEED / 2.0).abs() < 1e-4, "{view:?}");
        assert!(!mount.report(at(5000))["moving"].as_bool().unwrap());
        mount.begin(Movement::Goal([-0.5, 0.0, 0.0]), at(6000));
        assert!(mount.report(at(6100))["moving"].as_bool().unwrap());
        assert_eq!(mount.view(at(60_000)), [-0.5, 0.0, 0.0]);
        assert!(!mount.report(at(60_000))["moving"].as_bool().unwrap());
        mount.begin(Movement::Speed([-1.0, 0.0, -1.0], at(3_600_000)), at(60_000));
        assert_eq!(mount.view(at(600_000)), [-1.0, 0.0, 0.0]);
    }

    #[test]
    fn habits_are_read() {
        assert_eq!(PtzHabits::parse("off"), Some(None));
        assert_eq!(PtzHabits::parse("on"), Some(Some(PtzHabits::default())));
        let habits = PtzHabits { no_timeout: true, no_home: true, ..PtzHabits::default() };
        assert_eq!(PtzHabits::parse("no-timeout,no-home"), Some(Some(habits)));
        assert_eq!(PtzHabits::parse("no-brakes"), None);
        assert_eq!(
            (seconds("PT1S"), seconds("PT0.5S")),
            (Some(Duration::from_secs(1)), Some(Duration::from_millis(500)))
        );
        assert_eq!((seconds("PT0S"), seconds("1"), seconds("PT1M")), (None, None, None));
    }
}

//! Moves a camera (the PTZ service).
//!
//! Cameras differ in what they take: some refuse a time limit for a movement, some have no Stop and take a movement of
//! no speed for it, and some have no home position. What was learnt lasts as long as the conversation.

use std::fmt::Write as _;

use super::{
    Target,
    auth::Authentication,
    device::Device,
    error::Error,
    media::Media,
    profile_choice,
    responses::{self, Preset, Profile},
    services,
    soap::{Access, FaultKind, Operation, PTZ},
    uri_repair::Service,
};
use crate::{
    http_client::Limits,
    xml::{Element, escape},
};

/// How long a movement lasts that is not renewed: the shortest time that cameras take which read whole seconds only.
const MOVE_LIMIT: &str = "PT1S";

/// Maximum number of presets; cameras have up to 300.
const MAX_PRESETS: usize = 300;

/// Paths at which devices have the PTZ service that do not say which services they have.
const GUESSES: [&str; 3] = ["/onvif/ptz_service", "/onvif/PTZ", "/onvif/ptz"];

/// The preset that stands in for a missing home position.
const HOME_PRESET: &str = "1";

/// The operations for which a device may require another right than for its streams.
pub(super) const OPERATIONS: [&str; 5] = ["ContinuousMove", "Stop", "GetPresets", "GotoPreset", "GotoHomePosition"];

/// Speeds from -1 to 1: right, up, and towards the scene.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Speed {
    pub pan: f32,
    pub tilt: f32,
    pub zoom: f32,
}

/// A conversation with one device about one profile: it takes some requests to begin, and then each operation takes one.
#[derive(Debug)]
pub struct Ptz {
    device: Device,
    service: Service,
    profile: String,
    /// The device takes a time limit for a movement.
    takes_limit: bool,
    /// The device does not know Stop.
    stops_by_speed: bool,
    /// What has been moved since the last stop. Who leaves a part out of a request leaves it as it is.
    turns: bool,
    zooms: bool,
}

impl Ptz {
    /// Asks the device for its clock, its services, and for a profile with PTZ: that with the token or name `profile`, or
    /// else another one of the same video source; `None`: the first one. `hint`: how it required the login before.
    ///
    /// # Errors
    /// [`Error::NoPtzService`] or [`Error::NoPtz`] if it cannot be moved; otherwise if the device is gone or refuses the
    /// login.
    pub async fn begin(
        target: &Target,
        hint: Option<Authentication>,
        profile: Option<&str>,
        limits: Limits,
    ) -> Result<Self, Error> {
        let mut device = Device::new(target, hint, limits);
        device.learn_clock().await?;
        let mut media = Media::find(device).await?;
        let service = service(&mut media).await?;
        let profile = steerable(&mut media, profile).await?;
        Ok(Self {
            device: media.device,
            service,
            profile,
            takes_limit: true,
            stops_by_speed: false,
            turns: false,
            zooms: false,
        })
    }

    /// Moves on with this speed until [`stop`](Self::stop), but for a second only if the device takes a limit.
    ///
    /// # Errors
    /// If the device does not do it. It may move all the same, unless it has refused.
    pub async fn move_on(&mut self, speed: Speed) -> Result<(), Error> {
        self.turns |= speed.pan != 0.0 || speed.tilt != 0.0;
        self.zooms |= speed.zoom != 0.0;
        self.send_speed(speed).await
    }

    async fn send_speed(&mut self, speed: Speed) -> Result<(), Error> {
        let mut velocity = String::new();
        let Speed { pan, tilt, zoom } = speed;
        if self.turns {
            let _ = write!(velocity, "<tt:PanTilt x=\"{pan:.3}\" y=\"{tilt:.3}\"/>");
        }
        if self.zooms {
            let _ = write!(velocity, "<tt:Zoom x=\"{zoom:.3}\"/>");
        }
        let velocity = format!("<tptz:Velocity>{velocity}</tptz:Velocity>");
        if self.takes_limit {
            let limit = format!("<tptz:Timeout>{MOVE_LIMIT}</tptz:Timeout>");
            match self.call("ContinuousMove", &format!("{velocity}{limit}")).await {
                // It may be the limit that is refused.
                Err(Error::Fault { fault, .. }) if fault.kind() == FaultKind::Other => {}
                result => return result.map(|_| ()),
            }
        }
        self.call("ContinuousMove", &velocity).await?;
        self.takes_limit = false;
        Ok(())
    }

    /// Whether the device takes a time limit for a movement; one that does not moves on if nobody stops it.
    pub fn takes_limit(&self) -> bool {
        self.takes_limit
    }

    /// Ends every movement, also one to a preset.
    ///
    /// # Errors
    /// If the device does not do it.
    pub async fn stop(&mut self) -> Result<(), Error> {
        if !self.stops_by_speed {
            match self.call("Stop", "<tptz:PanTilt>true</tptz:PanTilt><tptz:Zoom>true</tptz:Zoom>").await {
                Ok(_) => {
                    (self.turns, self.zooms) = (false, false);
                    return Ok(());
                }
                Err(error @ (Error::Fault { .. } | Error::Status { .. })) if !error.ends_everything() => {}
                Err(error) => return Err(error),
            }
        }
        self.turns |= !self.zooms;
        self.send_speed(Speed::default()).await?;
        (self.turns, self.zooms) = (false, false);
        self.stops_by_speed = true;
        Ok(())
    }

    /// Asks for the presets, at most 300.
    ///
    /// # Errors
    /// If the device does not list them.
    pub async fn presets(&mut self) -> Result<Vec<Preset>, Error> {
        Ok(responses::presets(&self.call("GetPresets", "").await?, MAX_PRESETS))
    }

    /// Moves to the preset with this token.
    ///
    /// # Errors
    /// [`Error::NoSuchPreset`] if the device does not know it.
    pub async fn go_to(&mut self, preset: &str) -> Result<(), Error> {
        let parameters = format!("<tptz:PresetToken>{}</tptz:PresetToken>", escape(preset));
        match self.call("GotoPreset", &parameters).await {
            Err(Error::Fault { device, fault, .. }) if fault.kind() == FaultKind::NoSuchPreset => {
                Err(Error::NoSuchPreset { device, preset: preset.to_owned() })
            }
            result => result.map(|_| ()),
        }
    }

    /// Moves to the home position, or else to the preset 1.
    ///
    /// # Errors
    /// [`Error::NoHome`] if the device has neither.
    pub async fn go_home(&mut self) -> Result<(), Error> {
        match self.call("GotoHomePosition", "").await {
            Err(Error::Fault { device, .. }) => match self.go_to(HOME_PRESET).await {
                Err(Error::Fault { .. } | Error::NoSuchPreset { .. }) => Err(Error::NoHome { device }),
                result => result,
            },
            result => result.map(|_| ()),
        }
    }

    async fn call(&mut self, name: &'static str, parameters: &str) -> Result<Element, Error> {
        let token = escape(&self.profile);
        let parameters = format!("<tptz:ProfileToken>{token}</tptz:ProfileToken>{parameters}");
        let operation = Operation { namespace: PTZ, name, parameters, access: Access::Authenticated, addressing: None };
        match self.device.call(&mut self.service, &operation).await {
            Err(Error::Fault { device, fault, .. })
                if matches!(fault.kind(), FaultKind::NoPtz | FaultKind::NoSuchProfile) =>
            {
                Err(Error::NoPtz { device, profile: self.profile.clone() })
            }
            result => result,
        }
    }
}

/// Finds the PTZ service.
async fn service(media: &mut Media) -> Result<Service, Error> {
    if let Some(service) = media.ptz.take() {
        return Ok(service);
    }
    // Some devices name it in the older list alone.
    match services::capabilities(&mut media.device).await {
        Ok(capabilities) => {
            if let Some(service) = capabilities.of("ptz").next() {
                return Ok(service);
            }
        }
        Err(error) if error.is_final() => return Err(error),
        Err(_) => {}
    }
    let name = media.device.name();
    if media.are_services_told {
        return Err(Error::NoPtzService { device: name });
    }
    let port = media.device.target().port;
    for path in GUESSES {
        let mut service = Service::at(path, port);
        let operation = Operation {
            namespace: PTZ,
            name: "GetNodes",
            parameters: String::new(),
            access: Access::Authenticated,
            addressing: None,
        };
        match media.device.call(&mut service, &operation).await {
            Ok(_) => return Ok(service),
            Err(error) if error.ends_everything() => return Err(error),
            Err(_) => {}
        }
    }
    Err(Error::NoPtzService { device: name })
}

/// The token of the profile that is steered: of no other video source than the wanted one, because the camera behind
/// another channel of a recorder must not move. A device that does not list its profiles has the wanted one.
async fn steerable(media: &mut Media, wanted: Option<&str>) -> Result<String, Error> {
    let profiles = media.profiles_with_ptz().await?;
    let none = Error::NoPtz { device: media.device.name(), profile: wanted.unwrap_or_default().to_owned() };
    let Some(wanted) = wanted else {
        let found = profiles.iter().find(|profile| profile.has_ptz);
        let is_clear = !profile_choice::are_of_several_sources(&profiles);
        return found.filter(|_| is_clear).map(|profile| profile.token.clone()).ok_or(none);
    };
    if profiles.is_empty() {
        return Ok(wanted.to_owned());
    }
    let named: Vec<_> = profiles.iter().filter(|profile| profile.name == wanted).collect();
    let by_name =
        named.first().copied().filter(|_| named.len() == 1 || profile_choice::are_of_one_source(named.iter().copied()));
    let Some(known) = profiles.iter().find(|profile| profile.token == wanted).or(by_name) else { return Err(none) };
    let is_fit = |profile: &&Profile| profile.has_ptz && is_of_one_source(known, profile);
    let found = Some(known).filter(|known| known.has_ptz).or_else(|| profiles.iter().find(is_fit));
    found.map(|profile| profile.token.clone()).ok_or(none)
}

fn is_of_one_source(one: &Profile, other: &Profile) -> bool {
    match (&one.source, &other.source) {
        (Some(one), Some(other)) => one.token == other.token,
        _ => false,
    }
}

impl Media {
    /// Asks for all profiles and whether they have PTZ, at the first service that lists any.
    ///
    /// # Errors
    /// If the device is gone or refuses the login.
    async fn profiles_with_ptz(&mut self) -> Result<Vec<Profile>, Error> {
        // The first service reports it without being asked.
        let mut indices: Vec<_> = (0..self.services.len()).collect();
        indices.sort_by_key(|index| self.services[*index].is_media2);
        for index in indices {
            let parameters = match self.services[index].is_media2 {
                true => "<tr2:Type>VideoSource</tr2:Type><tr2:Type>PTZ</tr2:Type>",
                false => "",
            };
            match self.call(index, "GetProfiles", parameters.to_owned()).await {
                Ok(answer) => {
                    let profiles = responses::profiles(&answer);
                    if !profiles.is_empty() {
                        return Ok(profiles);
                    }
                }
                Err(error) if error.is_final() => return Err(error),
                Err(_) => {}
            }
        }
        Ok(Vec::new())
    }
}

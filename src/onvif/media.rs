//! The media services of one device, with their profiles and streams.
//!
//! The second service is preferred, because the first may hide H.265. Each can replace the other,
//! because cameras advertise services that do not work.

use super::{
    device::Device,
    error::{Error, remember},
    profile_choice::{self, NoChoice},
    responses::{self, MediaUri, Profile},
    services,
    soap::{Access, FaultKind, MEDIA1, MEDIA2, Operation},
    uri_repair::{self, Service, Streams},
};
use crate::{
    camera::mask_credentials,
    xml::{Element, escape},
};

/// Maximum number of profiles that are tried for a stream if none is configured.
const MAX_PROFILES_TRIED: usize = 4;

/// The parts of each profile that Media2 is asked for, most complete first. Never `All`: one
/// widespread firmware crashes on it. If a camera refuses one form, the next one is sent.
const PROFILE_TYPES: [&str; 3] =
    ["<tr2:Type>VideoEncoder</tr2:Type><tr2:Type>VideoSource</tr2:Type>", "<tr2:Type>VideoEncoder</tr2:Type>", ""];

/// A device together with its media services.
#[derive(Debug)]
pub struct Media {
    pub device: Device,
    pub(super) services: Vec<MediaService>,
    /// The PTZ service, if the device has named it.
    pub(super) ptz: Option<Service>,
    /// The device has said which services it has, and not only media was guessed.
    pub(super) are_services_told: bool,
}

#[derive(Clone, Debug)]
pub(super) struct MediaService {
    pub(super) is_media2: bool,
    service: Service,
    /// Its profiles, if it was asked for them.
    profiles: Option<Vec<Profile>>,
}

impl Media {
    /// Asks `device` for its services.
    ///
    /// # Errors
    /// If the device is gone or refuses the login. If it only does not know
    /// the operation, others are tried.
    pub async fn find(mut device: Device) -> Result<Self, Error> {
        let found = services::find(&mut device).await?;
        let media = |(is_media2, service)| MediaService { is_media2, service, profiles: None };
        let services = found.media.into_iter().map(media).collect();
        Ok(Self { device, services, ptz: found.ptz, are_services_told: found.are_told })
    }

    /// Asks for all profiles. Asks the second service too if the first one leaves
    /// out encodings or video sources.
    ///
    /// # Errors
    /// If no media service answers; the error is the most informative one.
    pub async fn profiles(&mut self) -> Result<Vec<Profile>, Error> {
        let mut profiles: Vec<Profile> = Vec::new();
        let mut failure = None;
        for index in 0..self.services.len() {
            match self.profiles_of(index).await {
                // The second list only adds what the first one left out.
                Ok(found) if profiles.is_empty() => profiles = found,
                Ok(found) => fill_in(&mut profiles, found),
                Err(error) if error.ends_everything() && profiles.is_empty() => return Err(error),
                Err(error) => remember(&mut failure, error),
            }
            let any_has = |known: fn(&Profile) -> bool| profiles.iter().any(known);
            if any_has(|profile| profile.encoding.is_some()) && any_has(|profile| profile.source.is_some()) {
                break;
            }
        }
        match failure {
            Some(error) if profiles.is_empty() => Err(error),
            _ => Ok(profiles),
        }
    }

    async fn profiles_of(&mut self, index: usize) -> Result<Vec<Profile>, Error> {
        if let Some(profiles) = &self.services[index].profiles {
            return Ok(profiles.clone());
        }
        let profiles = self.ask_profiles(index).await?;
        self.services[index].profiles = Some(profiles.clone());
        Ok(profiles)
    }

    async fn ask_profiles(&mut self, index: usize) -> Result<Vec<Profile>, Error> {
        if !self.services[index].is_media2 {
            return Ok(responses::profiles(&self.call(index, "GetProfiles", String::new()).await?));
        }
        let mut refused = None;
        for types in PROFILE_TYPES {
            match self.call(index, "GetProfiles", types.into()).await {
                Err(error) if !error.is_final() => refused = Some(error),
                other => return Ok(responses::profiles(&other?)),
            }
        }
        Err(refused.expect("at least one form was sent"))
    }

    /// Returns the number of video inputs of the device if its `profiles` do not name theirs;
    /// `None`: they do, or the device does not report the number either.
    async fn source_count_of_device(&mut self, profiles: &[Profile]) -> Option<usize> {
        if profiles.iter().any(|profile| profile.source.is_some()) {
            return None;
        }
        Some(self.video_sources().await.len()).filter(|count| *count > 0)
    }

    /// Asks for the address of the stream of the profile with `token`. If any media service lists
    /// that profile, only services that list it are asked: for an unknown token some firmwares give
    /// the stream of another profile, on a recorder that of another camera.
    ///
    /// # Errors
    /// If no media service gives an address.
    pub async fn stream_uri(&mut self, token: &str) -> Result<MediaUri, Error> {
        let lists = |service: &MediaService| {
            service.profiles.as_ref().map(|profiles| profiles.iter().any(|profile| profile.token == token))
        };
        let is_listed = self.services.iter().any(|service| lists(service) == Some(true));
        let mut failure = None;
        for index in 0..self.services.len() {
            if is_listed && lists(&self.services[index]).is_none() {
                match self.profiles_of(index).await {
                    Ok(_) => {}
                    Err(error) if error.ends_everything() => return Err(error),
                    Err(error) => remember(&mut failure, error),
                }
            }
            if is_listed && lists(&self.services[index]) != Some(true) {
                continue;
            }
            match self.call(index, "GetStreamUri", stream_parameters(self.services[index].is_media2, token)).await {
                Ok(answer) => {
                    if let Some(uri) = responses::media_uri(&answer) {
                        return Ok(uri);
                    }
                }
                Err(error) if error.ends_everything() => return Err(error),
                Err(error) => remember(&mut failure, error),
            }
        }
        Err(match failure {
            Some(Error::Fault { fault, .. }) if fault.kind() == FaultKind::IncompleteProfile => {
                self.no_stream(token, None)
            }
            Some(error) => error,
            None => self.no_stream(token, None),
        })
    }

    /// Finds the profile that `wanted` names, by token or else by name, and its stream.
    ///
    /// The list of profiles is requested first, although `wanted` is usually a token: for an
    /// unknown token some firmwares give the stream of another profile.
    ///
    /// # Errors
    /// [`Error::NoSuchProfile`] if there is none, with the profiles that exist.
    pub async fn wanted(&mut self, wanted: &str) -> Result<(Profile, Streams), Error> {
        let profile = match self.listed(wanted).await {
            Ok(profile) => profile,
            Err(error @ (Error::NoSuchProfile { .. } | Error::AmbiguousProfile { .. } | Error::Connect { .. })) => {
                return Err(error);
            }
            Err(error) if error.ends_everything() => return Err(error),
            // Without a list, as from a recorder too slow to make
            // one, it may still be a valid token.
            Err(error) => {
                let found = self.by_token(wanted).await;
                return found.map_err(|is_media2| if is_media2.ends_everything() { is_media2 } else { error });
            }
        };
        match self.stream_uri(&profile.token).await {
            Ok(uri) => {
                let streams = self.streams(&profile.token, &uri)?;
                Ok((profile, streams))
            }
            Err(error @ Error::NoStream { .. }) => Err(error),
            Err(error) if error.is_final() => Err(error),
            Err(error) => Err(self.no_stream(&profile.token, Some(error))),
        }
    }

    /// Finds the stream of the profile with `token`, which is known to exist, in a single request.
    ///
    /// # Errors
    /// Those of [`stream_uri`](Self::stream_uri) and [`streams`](Self::streams).
    pub async fn by_token(&mut self, token: &str) -> Result<(Profile, Streams), Error> {
        let uri = self.stream_uri(token).await?;
        let streams = self.streams(token, &uri)?;
        Ok((Profile { token: token.to_owned(), ..Profile::default() }, streams))
    }

    /// Returns the profile `wanted` from the first service that lists it, and
    /// moves that service to the front.
    async fn listed(&mut self, wanted: &str) -> Result<Profile, Error> {
        let mut offered: Vec<Profile> = Vec::new();
        let mut failure = None;
        for index in 0..self.services.len() {
            let found = match self.profiles_of(index).await {
                Ok(found) => found,
                Err(error) if error.ends_everything() => return Err(error),
                Err(error) => {
                    let alone = matches!(error, Error::Connect { .. } | Error::Slow { .. });
                    remember(&mut failure, error);
                    if alone {
                        break;
                    }
                    continue;
                }
            };
            let by_token = found.iter().find(|profile| profile.token == wanted);
            let by_name: Vec<_> = found.iter().filter(|profile| profile.name == wanted).collect();
            if let Some(profile) = by_token.or(by_name.first().copied()) {
                if by_token.is_none() && by_name.len() > 1 {
                    self.refuse_ambiguous(wanted, &by_name).await?;
                }
                // Another service may not know the token, and take it for that of any profile.
                self.services[..=index].rotate_right(1);
                return Ok(profile.clone());
            }
            offered.extend(
                found
                    .into_iter()
                    .filter(|new| offered.iter().all(|known| known.token != new.token))
                    .collect::<Vec<_>>(),
            );
        }
        match failure {
            Some(error) if offered.is_empty() => Err(error),
            _ => Err(Error::NoSuchProfile { device: self.device.name(), wanted: wanted.to_owned(), offered }),
        }
    }

    /// Refuses the name `wanted` if the profiles in `named`, which all have it, may show different
    /// cameras: recorders give the first stream of every channel the same name.
    async fn refuse_ambiguous(&mut self, wanted: &str, named: &[&Profile]) -> Result<(), Error> {
        let all = self.profiles().await?;
        let is_named = |profile: &&Profile| named.iter().any(|named| named.token == profile.token);
        let offered: Vec<_> = all.iter().filter(is_named).collect();
        if profile_choice::are_of_one_source(offered.iter().copied()) {
            return Ok(());
        }
        let offered = offered.into_iter().cloned().collect();
        Err(Error::AmbiguousProfile { device: self.device.name(), wanted: wanted.to_owned(), offered })
    }

    /// Finds the first profile with video, and its stream.
    ///
    /// # Errors
    /// [`Error::NoVideo`] if there is none, [`Error::SeveralSources`] if the device shows several
    /// cameras; otherwise the error of the first profile with video.
    pub async fn first_with_video(&mut self) -> Result<(Profile, Streams), Error> {
        let mut profiles = self.profiles().await?;
        if profiles.iter().any(|profile| profile.encoding.is_some()) {
            profiles.retain(|profile| profile.encoding.is_some());
        }
        let source_count = self.source_count_of_device(&profiles).await;
        if profile_choice::are_of_several_sources(&profiles) || source_count.is_some_and(|count| count > 1) {
            return Err(Error::SeveralSources { device: self.device.name(), offered: profiles });
        }
        let mut failure = None;
        for profile in profiles.into_iter().take(MAX_PROFILES_TRIED) {
            let streams = match self.stream_uri(&profile.token).await {
                Ok(uri) => self.streams(&profile.token, &uri),
                Err(error) => Err(error),
            };
            match streams {
                Ok(streams) => return Ok((profile, streams)),
                Err(error) if error.is_final() => return Err(error),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        Err(failure.unwrap_or_else(|| Error::NoVideo { device: self.device.name() }))
    }

    /// Finds the stream for small tiles beside the profile with the token `main`, of the same video
    /// source; see [`profile_choice::small`].
    ///
    /// # Errors
    /// [`Error::UnknownSource`] if the device does not report which profiles show the same camera,
    /// [`Error::NoSmallProfile`] if none of these is smaller.
    pub async fn smaller(&mut self, main: &str) -> Result<(Profile, Streams), Error> {
        let profiles = self.profiles().await?;
        let one_source = self.source_count_of_device(&profiles).await == Some(1);
        let profile = profile_choice::small(&profiles, main, one_source).map_err(|none| match none {
            NoChoice::SourceUnknown => Error::UnknownSource { device: self.device.name(), profile: main.to_owned() },
            NoChoice::NoneSmaller => Error::NoSmallProfile { device: self.device.name() },
        })?;
        let uri = self.stream_uri(&profile.token).await?;
        let streams = self.streams(&profile.token, &uri)?;
        Ok((profile.clone(), streams))
    }

    /// Returns the possible addresses of the stream at `uri`.
    ///
    /// # Errors
    /// [`Error::BadUri`] if the address cannot be trusted.
    pub fn streams(&self, token: &str, uri: &MediaUri) -> Result<Streams, Error> {
        uri_repair::streams(&uri.uri, &self.device.target().host).ok_or_else(|| Error::BadUri {
            device: self.device.name(),
            profile: token.to_owned(),
            uri: mask_credentials(&uri.uri),
        })
    }

    pub(super) async fn call(
        &mut self,
        index: usize,
        name: &'static str,
        parameters: String,
    ) -> Result<Element, Error> {
        let MediaService { is_media2, service, .. } = &mut self.services[index];
        let namespace = if *is_media2 { MEDIA2 } else { MEDIA1 };
        self.device
            .call(service, &Operation { namespace, name, parameters, access: Access::Authenticated, addressing: None })
            .await
    }

    fn no_stream(&self, token: &str, source: Option<Error>) -> Error {
        Error::NoStream { device: self.device.name(), profile: token.to_owned(), source: source.map(Box::new) }
    }
}

fn stream_parameters(is_media2: bool, token: &str) -> String {
    let token = escape(token);
    if is_media2 {
        format!("<tr2:Protocol>RTSP</tr2:Protocol><tr2:ProfileToken>{token}</tr2:ProfileToken>")
    } else {
        format!(
            "<trt:StreamSetup><tt:Stream>RTP-Unicast</tt:Stream><tt:Transport><tt:Protocol>RTSP</tt:Protocol>\
             </tt:Transport></trt:StreamSetup><trt:ProfileToken>{token}</trt:ProfileToken>"
        )
    }
}

/// Completes profiles without an encoding or a video source from those
/// of `others` with the same token.
fn fill_in(profiles: &mut [Profile], others: Vec<Profile>) {
    for other in others {
        let Some(profile) = profiles.iter_mut().find(|profile| profile.token == other.token) else { continue };
        if profile.encoding.is_none() {
            (profile.encoding, profile.size, profile.fps) = (other.encoding, other.size, other.fps);
        }
        if profile.source.is_none() {
            profile.source = other.source;
        }
    }
}

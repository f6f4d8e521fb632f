//! A conversation with a recorder: one list of profiles, from which the streams of all its channels
//! are found.

use super::{
    Hint, Resolved, SmallStream, Target,
    device::Device,
    error::Error,
    media::Media,
    profile_choice::{self, NoChoice},
    responses::{self, DeviceInformation, Profile},
};
use crate::http_client::Limits;

/// A conversation that has the recorder's list of profiles. A channel is a video source.
#[derive(Debug)]
pub struct Recorder {
    media: Media,
    /// Those with video.
    profiles: Vec<Profile>,
    sources: Vec<String>,
    information: DeviceInformation,
    endpoint: Option<String>,
}

/// The streams of one channel: the main one, and the small one if it was wanted.
pub type ChannelStreams = (Resolved, Option<Result<SmallStream, Error>>);

impl Recorder {
    /// Asks the device at `target` for all that its channels have in common. This takes about eight
    /// requests; then each stream of a channel takes one more.
    ///
    /// # Errors
    /// [`Error::ChannelsUnknown`] if the device does not report the video sources of its profiles;
    /// otherwise those of [`resolve`](super::resolve).
    pub async fn open(target: &Target, hint: &Hint, limits: Limits) -> Result<Self, Error> {
        let mut device = Device::new(target, hint.authentication, limits);
        device.learn_clock().await?;
        let mut media = Media::find(device).await?;
        let mut profiles = media.profiles().await?;
        if profiles.iter().any(|profile| profile.encoding.is_some()) {
            profiles.retain(|profile| profile.encoding.is_some());
        }
        if profiles.iter().all(|profile| profile.source.is_none()) {
            return Err(Error::ChannelsUnknown { device: media.device.name() });
        }
        let sources = in_order(media.video_sources().await, &profiles);
        let information = media.device.information().await;
        let endpoint = media.device.endpoint().await.ok().flatten();
        Ok(Self { media, profiles, sources, information, endpoint })
    }

    /// The tokens of the video sources, in the order of the device.
    pub fn sources(&self) -> &[String] {
        &self.sources
    }

    /// Finds the main stream of the channel `number`, which is the video source with the token
    /// `source`, and its small stream if `is_small_wanted`. The main stream is that of the first
    /// profile with video. An error of the small stream alone is returned beside the main one.
    ///
    /// # Errors
    /// [`Error::NoSuchChannel`] if the device has no such source, [`Error::NoChannelVideo`] if the
    /// source has no profile with video; otherwise that of the request for the stream.
    pub async fn channel(
        &mut self,
        number: u16,
        source: Option<&str>,
        is_small_wanted: bool,
    ) -> Result<ChannelStreams, Error> {
        let device = self.media.device.name();
        let Some(source) = source.filter(|source| self.sources.iter().any(|known| known == source)) else {
            return Err(Error::NoSuchChannel { device, number, count: self.sources.len() });
        };
        let is_of_channel = |profile: &&Profile| profile.source.as_ref().is_some_and(|known| known.token == source);
        let Some(profile) = self.profiles.iter().find(is_of_channel).cloned() else {
            return Err(Error::NoChannelVideo { device, number });
        };
        let uri = self.media.stream_uri(&profile.token).await?;
        let streams = self.media.streams(&profile.token, &uri)?;
        let small = if is_small_wanted { Some(self.small(number, &profile.token).await) } else { None };
        let main = Resolved {
            device: self.information.clone(),
            endpoint: self.endpoint.clone(),
            hardware_addresses: Vec::new(),
            profile,
            streams: streams.candidates,
            camera_credentials: streams.login,
            clock_offset: self.media.device.offset(),
            authentication: self.media.device.authentication(),
        };
        Ok((main, small))
    }

    async fn small(&mut self, number: u16, main: &str) -> Result<SmallStream, Error> {
        let device = self.media.device.name();
        let profile = match profile_choice::small(&self.profiles, main, false) {
            Ok(profile) => profile.clone(),
            Err(NoChoice::SourceUnknown | NoChoice::NoneSmaller) => {
                return Err(Error::NoSmallChannel { device, number });
            }
        };
        let uri = self.media.stream_uri(&profile.token).await?;
        let streams = self.media.streams(&profile.token, &uri)?;
        Ok(SmallStream { profile, streams: streams.candidates })
    }
}

impl Media {
    /// Asks for the tokens of the device's video inputs, in its order; empty if it does not report
    /// them.
    pub(super) async fn video_sources(&mut self) -> Vec<String> {
        let Some(index) = self.services.iter().position(|service| !service.is_media2) else { return Vec::new() };
        let answer = self.call(index, "GetVideoSources", String::new()).await;
        answer.map(|answer| responses::video_sources(&answer)).unwrap_or_default()
    }
}

/// The video sources in the order in which the device lists them, or else in that of its profiles. A
/// list that lacks a source of a profile is not one of the same tokens, and does not count.
fn in_order(listed: Vec<String>, profiles: &[Profile]) -> Vec<String> {
    let mut of_profiles: Vec<String> = Vec::new();
    for source in profiles.iter().filter_map(|profile| profile.source.as_ref()) {
        if !of_profiles.contains(&source.token) {
            of_profiles.push(source.token.clone());
        }
    }
    if of_profiles.iter().all(|source| listed.contains(source)) { listed } else { of_profiles }
}

/// The order of the channels once `known` was learnt and the device lists `now`: a source keeps its
/// number whatever the device does with its list, and a new one comes last. If no source is left,
/// another recorder is there, and its own order counts.
pub fn channel_order(known: &[String], now: &[String]) -> Vec<String> {
    if !known.iter().any(|source| now.contains(source)) {
        return now.to_vec();
    }
    let new = now.iter().filter(|source| !known.contains(source));
    known.iter().chain(new).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::{super::responses::VideoSource, *};

    fn tokens(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn channels_are_counted_as_the_device_lists_its_sources() {
        let of = |source: &str| Profile {
            source: Some(VideoSource { token: source.to_owned(), configuration: None }),
            ..Profile::default()
        };
        let profiles = [of("c"), of("a"), of("c")];
        assert_eq!(in_order(tokens("a b c"), &profiles), tokens("a b c"));
        assert_eq!(in_order(Vec::new(), &profiles), tokens("c a"), "the device lists none");
        assert_eq!(in_order(tokens("1 2"), &profiles), tokens("c a"), "other tokens");
    }

    #[test]
    fn source_keeps_its_number_whatever_the_device_lists() {
        assert_eq!(channel_order(&[], &tokens("a b")), tokens("a b"));
        assert_eq!(channel_order(&tokens("a b c"), &tokens("c b a")), tokens("a b c"));
        assert_eq!(channel_order(&tokens("a b c"), &tokens("d c a")), tokens("a b c d"), "b is gone, d is new");
        assert_eq!(channel_order(&tokens("a b"), &tokens("x y")), tokens("x y"), "another recorder");
    }
}

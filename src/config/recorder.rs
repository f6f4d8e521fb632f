//! `[[recorder]]`: the channels of a recorder as cameras.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    camera::{self, Lines, Surroundings},
    diagnostics::Diagnostics,
    keys::{self, MAX_CAMERAS},
    recorder_keys,
    section::Section,
    wording::quoted,
};
use crate::camera::{Camera, CameraId, RecorderChannel, StreamSource};

/// The highest number of a channel: recorders have up to 256.
const MAX_CHANNEL: u16 = 256;

/// The word of `small_profile` that selects the small stream automatically.
const AUTO: &str = "auto";

/// The word of `channels` for as many as the recorder has.
const ALL: &str = "all";

/// A recorder of which all channels are shown, however many there are. Its cameras stand in
/// [`Config::cameras`](super::Config::cameras) as far as they are known.
#[derive(Clone, Debug, PartialEq)]
pub struct WholeRecorder {
    /// What its channels have in common; the identifier and the name are the recorder's own.
    basis: Camera,
    names: BTreeMap<u16, String>,
    small_streams: bool,
}

impl WholeRecorder {
    /// The identifier of the recorder.
    pub fn id(&self) -> &CameraId {
        &self.basis.id
    }

    /// Its channel `number` as a camera; `None` if the identifier would be too long.
    pub fn camera(&self, number: u16) -> Option<Camera> {
        let recorder = &self.basis;
        let id = CameraId::new(&channel_id(recorder.id.as_str(), number))?;
        let name = match self.names.get(&number) {
            Some(name) => name.clone(),
            None if recorder.name == recorder.id.as_str() => id.to_string(),
            None => format!("{} {number}", recorder.name),
        };
        let channel = RecorderChannel { recorder: recorder.id.clone(), number };
        let stream_source = StreamSource {
            channel: Some(channel),
            small_profile: self.small_streams.then(|| AUTO.to_owned()),
            ..recorder.stream_source.clone()
        };
        Some(Camera { id, name, stream_source, ..recorder.clone() })
    }

    /// Puts `count` channels in the place of those among `cameras`, at least one, as far as they fit on
    /// the wall.
    pub(super) fn grow(&self, count: usize, cameras: &mut Vec<Camera>) {
        let is_own = |camera: &Camera| camera.stream_source.is_channel_of(self.id());
        let Some(at) = cameras.iter().position(is_own) else { return };
        cameras.retain(|camera| !is_own(camera));
        let room = MAX_CAMERAS.saturating_sub(cameras.len());
        let count = u16::try_from(count.min(room)).unwrap_or(MAX_CHANNEL).clamp(1, MAX_CHANNEL);
        cameras.splice(at..at, (1..=count).filter_map(|number| self.camera(number)));
    }
}

/// Which channels of a recorder are shown.
enum Channels {
    All,
    Some(BTreeSet<u16>),
}

impl Channels {
    /// Reads `all`, or as [`numbers`].
    fn read(text: &str) -> Result<Self, String> {
        if text.trim() == ALL { Ok(Self::All) } else { numbers(text).map(Self::Some) }
    }

    /// The numbers that the channels may have.
    fn possible(&self) -> BTreeSet<u16> {
        match self {
            Self::All => (1..=MAX_CHANNEL).collect(),
            Self::Some(numbers) => numbers.clone(),
        }
    }

    /// How many of them are known to be there.
    fn known(&self) -> usize {
        match self {
            Self::All => 1,
            Self::Some(numbers) => numbers.len(),
        }
    }
}

/// Adds the channels of every recorder that is valid and enabled to `cameras`, each with the byte at
/// which the section of its recorder begins. All recorders are checked. Of those with all channels the
/// first one is added; they are returned.
pub(super) fn all(
    sections: &[Section<'_>],
    surroundings: &Surroundings<'_>,
    lines: &mut Lines,
    cameras: &mut Vec<(usize, Camera)>,
    diagnostics: &mut Diagnostics<'_>,
) -> Vec<WholeRecorder> {
    let mut whole = Vec::new();
    for section in sections {
        let basis = camera::one(section, surroundings, lines, diagnostics);
        let channels = channels(section, diagnostics);
        let names = names(section, channels.as_ref(), diagnostics);
        let small_streams =
            section.flag(&recorder_keys::SMALL_STREAMS, diagnostics).unwrap_or(recorder_keys::SMALL_STREAMS.default);
        let (Some(basis), Some(channels)) = (basis, channels) else { continue };
        let recorder = WholeRecorder { basis, names, small_streams };
        let (known, all) = (channels.known(), cameras.len() + channels.known());
        if cameras.len() < MAX_CAMERAS && all > MAX_CAMERAS {
            let words =
                format!("its {known} channels with the other cameras are {all}; at most {MAX_CAMERAS} fit on the wall");
            section.report(section.at, words, diagnostics);
        }
        for (index, number) in channels.possible().into_iter().enumerate() {
            let Some(camera) = recorder.camera(number) else {
                let at = section.key_at(&keys::ID).unwrap_or(section.at);
                section.report(at, "id is too long for the cameras id-1, id-2 …; write a shorter one", diagnostics);
                break;
            };
            if let Some(line) = lines.get(&camera.id) {
                let id = camera.id.as_str();
                let words = format!("its channel {number} is the camera {id:?}, an id already used on line {line}");
                section.report(section.at, format!("{words}; give the recorder another id"), diagnostics);
            }
            if index < known {
                cameras.push((section.at, camera));
            }
        }
        if let Channels::All = channels {
            whole.push(recorder);
        }
    }
    whole
}

/// Returns the identifiers of all channels, whether or not the other keys of their recorders are
/// valid.
pub(super) fn identifiers(sections: &[Section<'_>]) -> Vec<String> {
    let of = |section: &Section<'_>| {
        let id = camera::written_id(section)?;
        let written = section.value(&recorder_keys::CHANNELS)?.get_ref().as_str()?;
        let channels = Channels::read(written).ok()?;
        Some(channels.possible().into_iter().map(move |number| channel_id(&id, number)))
    };
    sections.iter().filter_map(of).flatten().collect()
}

fn channel_id(recorder: &str, number: u16) -> String {
    format!("{recorder}-{number}")
}

fn channels(section: &Section<'_>, diagnostics: &mut Diagnostics<'_>) -> Option<Channels> {
    let Some(written) = section.text(&recorder_keys::CHANNELS, diagnostics) else {
        if section.lacks(&[&recorder_keys::CHANNELS]) {
            section.report(
                section.at,
                "channels is missing; write which are shown, like \"1-16\" or \"all\"",
                diagnostics,
            );
        }
        return None;
    };
    let channels = Channels::read(&written.value);
    let wrong = match &channels {
        Err(part) => {
            format!("channels has{} in it, which is no number from 1 to {MAX_CHANNEL} and no range", quoted(part))
        }
        Ok(channels) if channels.known() > MAX_CAMERAS => {
            format!("channels names {}; at most {MAX_CAMERAS} fit on the wall", channels.known())
        }
        Ok(_) => return channels.ok(),
    };
    section.report(written.at, format!("{wrong}; write it like \"1-16\", \"1-4, 9\" or \"all\""), diagnostics);
    None
}

/// Returns the numbers in a text such as `1-4, 9`, or the first part of it that is none.
fn numbers(text: &str) -> Result<BTreeSet<u16>, String> {
    let mut numbers = BTreeSet::new();
    for part in text.split(',').map(str::trim) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let number = |text: &str| {
            let text = text.trim();
            let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse::<u16>().ok().filter(|number| is_plain && (1..=MAX_CHANNEL).contains(number))
        };
        match number(first).zip(number(last)) {
            Some((first, last)) if first <= last => numbers.extend(first..=last),
            _ => return Err(part.to_owned()),
        }
    }
    Ok(numbers)
}

fn names(
    section: &Section<'_>,
    channels: Option<&Channels>,
    diagnostics: &mut Diagnostics<'_>,
) -> BTreeMap<u16, String> {
    let mut names = BTreeMap::new();
    let possible = channels.map(Channels::possible);
    for entry in section.names(&recorder_keys::CHANNEL_NAMES, diagnostics) {
        let number = entry.value.0.parse().ok().filter(|number| (1..=MAX_CHANNEL).contains(number));
        match number.filter(|number| possible.as_ref().is_none_or(|possible| possible.contains(number))) {
            Some(number) => {
                names.insert(number, entry.value.1);
            }
            None => {
                let words = format!("names has a name for{}, which is not one of channels", quoted(&entry.value.0));
                section.report(entry.at, format!("{words}; write the number of a channel"), diagnostics);
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{
        camera::Source,
        config::{Config, parse},
    };

    fn read(text: &str) -> Result<Config, Vec<String>> {
        let no_files = |_: &Path| Err(std::io::ErrorKind::NotFound.into());
        let config = parse(text, Path::new("c"), &no_files);
        config.map_err(|complaints| complaints.iter().map(ToString::to_string).collect())
    }

    /// The only complaint about a recorder with these lines.
    fn complaint(lines: &str) -> String {
        let mut all = read(&format!("[[recorder]]\nid = 'nvr'\nip = '10.0.0.9'\n{lines}\n")).unwrap_err();
        assert_eq!(all.len(), 1, "{all:#?}");
        all.remove(0)
    }

    #[test]
    fn each_channel_is_a_camera_in_the_place_of_its_recorder() {
        let config = read(
            "[defaults]\nusername = 'u'\npassword = 'p'\nquality = 60\n[[camera]]\nid = 'gate'\nip = '10.0.0.1'\n\
             [[recorder]]\nid = 'nvr'\nip = '10.0.0.9'\nonvif_port = 8000\nchannels = '1-2, 9'\nnames = {2 = 'Yard'}\n\
             max_fps = 5\n[[camera]]\nid = 'porch'\nip = '10.0.0.2'\n\
             [[recorder]]\nid = 'shop'\nname = 'Shop'\nip = '10.0.0.8'\nchannels = '3'\nsmall_streams = false\n",
        )
        .unwrap();
        let shown: Vec<_> = config.cameras.iter().map(|camera| (camera.id.as_str(), camera.name.as_str())).collect();
        let expected = [
            ("gate", "gate"),
            ("nvr-1", "nvr-1"),
            ("nvr-2", "Yard"),
            ("nvr-9", "nvr-9"),
            ("porch", "porch"),
            ("shop-3", "Shop 3"),
        ];
        assert_eq!(shown, expected);
        let source = |index: usize| &config.cameras[index].stream_source;
        let channel =
            |recorder: &str, number| Some(RecorderChannel { recorder: CameraId::new(recorder).unwrap(), number });
        assert_eq!(source(3).channel, channel("nvr", 9));
        assert_eq!((source(3).small_profile.as_deref(), &source(5).small_profile), (Some("auto"), &None));
        assert!(
            matches!(&source(3).source, Source::Onvif { host: Some(host), port: 8000, profile: None, .. } if host == "10.0.0.9")
        );
        assert_eq!(source(3).credentials.as_ref().unwrap().username, "u");
        assert_eq!((config.cameras[3].options.max_fps, config.cameras[3].options.quality), (5, 60));
        assert_eq!((source(0).channel.is_none(), source(5).channel.clone()), (true, channel("shop", 3)));
    }

    #[test]
    fn whole_recorder_has_one_channel_until_more_are_known() {
        let text = "[[camera]]\nid = 'gate'\nip = 'a'\n[[recorder]]\nid = 'nvr'\nip = 'b'\nchannels = 'all'\n\
                    names = {3 = 'Yard'}\n[[camera]]\nid = 'porch'\nip = 'c'\n[wall]\ncameras = ['nvr-200']\n";
        let config = read(text).unwrap();
        let ids = |config: &Config| config.cameras.iter().map(|camera| camera.id.to_string()).collect::<Vec<_>>();
        assert_eq!(ids(&config), ["gate", "nvr-1", "porch"]);
        let grown = config.clone().with_channels(|recorder| if recorder.id().as_str() == "nvr" { 3 } else { 0 });
        assert_eq!(ids(&grown), ["gate", "nvr-1", "nvr-2", "nvr-3", "porch"]);
        assert_eq!((grown.cameras[2].name.as_str(), grown.cameras[3].name.as_str()), ("nvr-2", "Yard"));
        assert_eq!(ids(&grown.clone().with_channels(|_| 0)), ["gate", "nvr-1", "porch"]);
        let most = grown.with_channels(|_| 256);
        assert_eq!((most.cameras.len(), most.cameras.last().unwrap().id.as_str()), (MAX_CAMERAS, "porch"));
        let told = complaint("channels = 'all'\n[[camera]]\nid = 'nvr-20'\nip = 'a'");
        assert!(told.contains("its channel 20 is the camera \"nvr-20\""), "{told}");
    }

    #[test]
    fn walls_and_users_name_channels_as_cameras() {
        let recorder = "[[recorder]]\nid = 'nvr'\nip = '10.0.0.9'\nchannels = '1-2'\n";
        assert!(read(&format!("[wall]\ncameras = ['nvr-2']\n{recorder}")).is_ok());
        let wrong = read(&format!("[wall]\ncameras = ['nvr-3']\n{recorder}")).unwrap_err();
        assert!(wrong.len() == 1 && wrong[0].contains("nvr-3"), "{wrong:?}");
    }

    #[test]
    fn channels_are_numbers_and_ranges() {
        let of = |text: &str| numbers(text).map(|numbers| numbers.into_iter().collect::<Vec<_>>());
        assert_eq!(of("1-4, 9"), Ok(vec![1, 2, 3, 4, 9]));
        assert_eq!(of(" 7 - 8,7,256 "), Ok(vec![7, 8, 256]));
        for (wrong, part) in
            [("", ""), ("0", "0"), ("4-2", "4-2"), ("1-257", "1-257"), ("1,,2", ""), ("+1", "+1"), ("1-2-3", "1-2-3")]
        {
            assert_eq!(of(wrong), Err(part.to_owned()), "{wrong:?}");
        }
    }

    #[test]
    fn what_a_recorder_lacks_or_has_too_much_of_is_a_complaint() {
        for (lines, told) in [
            ("", "channels is missing"),
            ("channels = 16", "channels is a whole number; write a text"),
            ("channels = '1-x'", "channels has \"1-x\" in it, which is no number from 1 to 256"),
            ("channels = '1-65'", "channels names 65; at most 64 fit on the wall"),
            ("channels = '1-2'\nnames = {3 = 'x'}", "names has a name for \"3\", which is not one of channels"),
            ("channels = '1'\nprofile = 'x'", "unknown key \"profile\""),
            ("channels = '1'\n[[camera]]\nid = 'nvr'\nip = 'a'", "this id is already used"),
            (
                "channels = '1'\n[[camera]]\nid = 'nvr-1'\nip = 'a'",
                "its channel 1 is the camera \"nvr-1\", an id already used",
            ),
            (
                "channels = '1-40'\n[[recorder]]\nid = 'b'\nip = 'b'\nchannels = '1-40'",
                "its 40 channels with the other cameras are 80",
            ),
        ] {
            assert!(complaint(lines).contains(told), "{lines}: {}", complaint(lines));
        }
        let nowhere = read("[[recorder]]\nid = 'nvr'\nchannels = '1'\n").unwrap_err();
        assert!(
            nowhere.len() == 1 && nowhere[0].contains("add ip, or uuid") && !nowhere[0].contains("url"),
            "{nowhere:?}"
        );
    }
}

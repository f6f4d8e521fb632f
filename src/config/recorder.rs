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

/// Adds the channels of every recorder that is valid and enabled to `cameras`, each with the byte at
/// which the section of its recorder begins. All recorders are checked.
pub(super) fn all(
    sections: &[Section<'_>],
    surroundings: &Surroundings<'_>,
    lines: &mut Lines,
    cameras: &mut Vec<(usize, Camera)>,
    diagnostics: &mut Diagnostics<'_>,
) {
    for section in sections {
        let recorder = camera::one(section, surroundings, lines, diagnostics);
        let channels = channels(section, diagnostics);
        let mut names = names(section, channels.as_ref(), diagnostics);
        let small =
            section.flag(&recorder_keys::SMALL_STREAMS, diagnostics).unwrap_or(recorder_keys::SMALL_STREAMS.default);
        let (Some(recorder), Some(channels)) = (recorder, channels) else { continue };
        if cameras.len() < MAX_CAMERAS && cameras.len() + channels.len() > MAX_CAMERAS {
            let words = format!(
                "its {} channels with the other cameras are {}; at most {MAX_CAMERAS} fit on the wall",
                channels.len(),
                cameras.len() + channels.len()
            );
            section.report(section.at, words, diagnostics);
        }
        for number in channels {
            let Some(id) = CameraId::new(&channel_id(recorder.id.as_str(), number)) else {
                let at = section.key_at(&keys::ID).unwrap_or(section.at);
                section.report(at, "id is too long for the cameras id-1, id-2 …; write a shorter one", diagnostics);
                break;
            };
            if let Some(line) = lines.get(&id) {
                let words =
                    format!("its channel {number} is the camera {:?}, an id already used on line {line}", id.as_str());
                section.report(section.at, format!("{words}; give the recorder another id"), diagnostics);
            }
            let name = match names.remove(&number) {
                Some(name) => name,
                None if recorder.name == recorder.id.as_str() => id.to_string(),
                None => format!("{} {number}", recorder.name),
            };
            let channel = RecorderChannel { recorder: recorder.id.clone(), number };
            let stream_source = StreamSource {
                channel: Some(channel),
                small_profile: small.then(|| AUTO.to_owned()),
                ..recorder.stream_source.clone()
            };
            cameras.push((section.at, Camera { id, name, stream_source, options: recorder.options.clone() }));
        }
    }
}

/// Returns the identifiers of all channels, whether or not the other keys of their recorders are
/// valid.
pub(super) fn identifiers(sections: &[Section<'_>]) -> Vec<String> {
    let of = |section: &Section<'_>| {
        let id = camera::written_id(section)?;
        let channels = numbers(section.value(&recorder_keys::CHANNELS)?.get_ref().as_str()?).ok()?;
        Some(channels.into_iter().map(move |number| channel_id(&id, number)))
    };
    sections.iter().filter_map(of).flatten().collect()
}

fn channel_id(recorder: &str, number: u16) -> String {
    format!("{recorder}-{number}")
}

fn channels(section: &Section<'_>, diagnostics: &mut Diagnostics<'_>) -> Option<BTreeSet<u16>> {
    let Some(written) = section.text(&recorder_keys::CHANNELS, diagnostics) else {
        if section.lacks(&[&recorder_keys::CHANNELS]) {
            section.report(section.at, "channels is missing; write which are shown, like \"1-16\"", diagnostics);
        }
        return None;
    };
    let numbers = numbers(&written.value);
    let wrong = match &numbers {
        Err(part) => {
            format!("channels has{} in it, which is no number from 1 to {MAX_CHANNEL} and no range", quoted(part))
        }
        Ok(numbers) if numbers.len() > MAX_CAMERAS => {
            format!("channels names {}; at most {MAX_CAMERAS} fit on the wall", numbers.len())
        }
        Ok(_) => return numbers.ok(),
    };
    section.report(written.at, format!("{wrong}; write it like \"1-16\" or \"1-4, 9\""), diagnostics);
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
    channels: Option<&BTreeSet<u16>>,
    diagnostics: &mut Diagnostics<'_>,
) -> BTreeMap<u16, String> {
    let mut names = BTreeMap::new();
    for entry in section.names(&recorder_keys::CHANNEL_NAMES, diagnostics) {
        let number = entry.value.0.parse().ok().filter(|number| (1..=MAX_CHANNEL).contains(number));
        match number.filter(|number| channels.is_none_or(|channels| channels.contains(number))) {
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

//! Parsers for the responses of single operations.
//!
//! Each function takes the response element from [`soap::open`](super::soap::open) and never fails:
//! what a camera left out is `None` or an empty list.

use super::clock::CivilTime;
use crate::{
    device_id::Mac,
    media::Size,
    text,
    xml::{Element, filter::Outline},
};

/// The parts of a list of profiles that are read: a tenth of what a recorder sends.
pub const PROFILE_OUTLINE: Outline = Outline {
    within: "Profiles",
    keep: &[
        "Name",
        "Configurations",
        "VideoSourceConfiguration",
        "VideoSource",
        "SourceToken",
        "PTZConfiguration",
        "PTZ",
        "NodeToken",
        "VideoEncoderConfiguration",
        "VideoEncoder",
        "Encoding",
        "Resolution",
        "Width",
        "Height",
        "RateControl",
        "FrameRateLimit",
    ],
};

/// The clock of a device.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DeviceTime {
    pub utc: Option<CivilTime>,
    pub local: Option<CivilTime>,
}

impl DeviceTime {
    /// The time that the device compares with logins: UTC, or local time read as UTC if there is no
    /// other. The time zone is never applied, because cameras report a wrong one.
    pub fn for_login(self) -> Option<CivilTime> {
        self.utc.or(self.local)
    }
}

/// Parses the response to GetSystemDateAndTime.
pub fn device_time(response: &Element) -> DeviceTime {
    let time = |name: &str| {
        let time = response.at(&["SystemDateAndTime", name])?;
        let number = |group: &str, field: &str| time.text_at(&[group, field])?.parse::<i64>().ok();
        let date = [number("Date", "Year")?, number("Date", "Month")?, number("Date", "Day")?];
        CivilTime::new(date, [number("Time", "Hour")?, number("Time", "Minute")?, number("Time", "Second")?])
    };
    DeviceTime { utc: time("UTCDateTime"), local: time("LocalDateTime") }
}

/// Parses the response to GetServices: namespace and address of each service, in order.
pub fn services(response: &Element) -> Vec<(String, String)> {
    let service = |service: &Element| {
        Some((service.text_at(&["Namespace"])?.to_owned(), service.text_at(&["XAddr"])?.to_owned()))
    };
    response.all("Service").filter_map(service).collect()
}

/// Parses the response to GetCapabilities: name, in lower case, and address of each service that is
/// a direct child; those under `Extension` are other services.
pub fn capabilities(response: &Element) -> Vec<(String, String)> {
    let entries = response.child("Capabilities").map(|found| found.children.as_slice()).unwrap_or_default();
    let address = |entry: &Element| Some((entry.name.to_ascii_lowercase(), entry.text_at(&["XAddr"])?.to_owned()));
    entries.iter().filter_map(address).collect()
}

/// One media profile.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile {
    /// Opaque: `000`, `0` and `quality h264` are tokens.
    pub token: String,
    /// A name for people; empty if the camera sends none or was not asked.
    pub name: String,
    /// Of the video, as the camera writes it (`H264`, `H265`, `JPEG`);
    /// `None`: no video, or not reported.
    pub encoding: Option<String>,
    /// Of the video.
    pub size: Option<Size>,
    /// The frame rate limit of the encoder, in frames per second.
    pub fps: Option<f32>,
    /// The camera of the device that the video comes from; `None`: no video, or not reported.
    pub source: Option<VideoSource>,
    /// The profile has a PTZ configuration. The second media service reports that only if it is asked for it.
    pub has_ptz: bool,
}

/// The source of a profile's video: one channel of a recorder, or one lens of a camera.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VideoSource {
    /// The physical input. Profiles with different tokens show different cameras.
    pub token: String,
    /// The configuration of the input. Devices that dewarp or crop give each view its own one, so
    /// two configurations of one input may show different parts of the scene.
    pub configuration: Option<String>,
}

/// Parses the response to GetProfiles of either media service. Leaves out profiles without a token.
pub fn profiles(response: &Element) -> Vec<Profile> {
    response.all("Profiles").filter_map(profile).collect()
}

fn profile(element: &Element) -> Option<Profile> {
    // `Encoding` also occurs in audio elements, so it is read only inside the video encoder.
    let encoder =
        element.child("VideoEncoderConfiguration").or_else(|| element.at(&["Configurations", "VideoEncoder"]));
    let text = |names: &[&str]| encoder.and_then(|encoder| encoder.text_at(names));
    let pixels = |name: &str| text(&["Resolution", name])?.parse::<u32>().ok().filter(|&pixels| pixels > 0);
    let size = pixels("Width").zip(pixels("Height")).map(|(width, height)| Size { width, height });
    let fps = text(&["RateControl", "FrameRateLimit"]).and_then(|rate| rate.parse::<f32>().ok());
    let source = element.child("VideoSourceConfiguration").or_else(|| element.at(&["Configurations", "VideoSource"]));
    Some(Profile {
        token: element.attribute("token").filter(|token| !token.is_empty())?.to_owned(),
        name: element.text_at(&["Name"]).unwrap_or("").to_owned(),
        encoding: text(&["Encoding"]).map(str::to_owned),
        size,
        fps: fps.filter(|fps| fps.is_finite() && *fps > 0.0),
        source: source.and_then(video_source),
        has_ptz: element.child("PTZConfiguration").or_else(|| element.at(&["Configurations", "PTZ"])).is_some(),
    })
}

fn video_source(configuration: &Element) -> Option<VideoSource> {
    Some(VideoSource {
        token: configuration.text_at(&["SourceToken"])?.to_owned(),
        configuration: configuration.attribute("token").filter(|token| !token.is_empty()).map(str::to_owned),
    })
}

/// Parses the response to GetVideoSources: the tokens of the device's inputs, in its order. An input
/// without a token has an empty one.
pub fn video_sources(response: &Element) -> Vec<String> {
    response.all("VideoSources").map(|source| source.attribute("token").unwrap_or_default().to_owned()).collect()
}

/// A position that a camera has stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preset {
    pub token: String,
    /// A name for people; the token if the camera gives none.
    pub name: String,
}

/// Maximum length of the token of a preset, in bytes; the standard allows 64 characters.
pub const MAX_PRESET_TOKEN_LEN: usize = 256;

/// Parses the response to GetPresets. Leaves out presets without a token or with a longer one than
/// [`MAX_PRESET_TOKEN_LEN`], and those beyond `most`.
pub fn presets(response: &Element, most: usize) -> Vec<Preset> {
    let preset = |element: &Element| {
        let is_fit = |token: &&str| (1..=MAX_PRESET_TOKEN_LEN).contains(&token.len());
        let token = element.attribute("token").filter(is_fit)?.to_owned();
        let name = element.text_at(&["Name"]).map(str::trim).filter(|name| !name.is_empty());
        Some(Preset { name: text::fact(name.unwrap_or(&token)), token })
    };
    response.all("Preset").filter_map(preset).take(most).collect()
}

/// An address from a media service.
#[derive(Clone, Debug, PartialEq)]
pub struct MediaUri {
    /// As sent, without surrounding white space; may hold a password. Never empty.
    pub uri: String,
    pub invalid_after_reboot: bool,
}

/// Parses the response to GetStreamUri or GetSnapshotUri of either media
/// service; `None`: it has no address.
pub fn media_uri(response: &Element) -> Option<MediaUri> {
    let holder = response.child("MediaUri").unwrap_or(response);
    let flag = |name: &str| matches!(holder.text_at(&[name]), Some("true" | "1"));
    Some(MediaUri { uri: holder.text_at(&["Uri"])?.to_owned(), invalid_after_reboot: flag("InvalidAfterReboot") })
}

/// Manufacturer, model and serial number of the device; any text may be empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DeviceInformation {
    pub manufacturer: String,
    pub model: String,
    pub firmware: String,
    /// Not always unique: some makers give every unit the same number.
    pub serial: String,
}

/// Parses the response to GetDeviceInformation.
pub fn device_information(response: &Element) -> DeviceInformation {
    let text = |name: &str| response.text_at(&[name]).unwrap_or("").to_owned();
    DeviceInformation {
        manufacturer: text("Manufacturer"),
        model: text("Model"),
        firmware: text("FirmwareVersion"),
        serial: text("SerialNumber"),
    }
}

/// Parses the response to GetEndpointReference: the identity that WS-Discovery also reports.
pub fn endpoint(response: &Element) -> Option<String> {
    response.text_at(&["GUID"]).map(str::to_owned)
}

/// Parses the response to GetHostname; `None` if the camera has no name.
pub fn host_name(response: &Element) -> Option<String> {
    let name = response.text_at(&["HostnameInformation", "Name"])?.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

/// Parses the response to GetNetworkInterfaces: hardware addresses, in order, as
/// `00:12:34:56:78:9a`. Leaves out invalid addresses, and those that several devices share.
pub fn hardware_addresses(response: &Element) -> Vec<String> {
    let mut addresses: Vec<String> = Vec::new();
    for interface in response.all("NetworkInterfaces") {
        let address = interface.text_at(&["Info", "HwAddress"]).and_then(Mac::new).map(|mac| mac.to_string());
        addresses.extend(address.filter(|address| !addresses.contains(address)));
    }
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml;

    fn element(xml: &str) -> Element {
        xml::read(xml.as_bytes()).unwrap()
    }

    #[test]
    fn universal_time_is_preferred_and_impossible_time_is_none() {
        let time = |name: &str, hour: u32| {
            format!(
                "<{name}><Time><Hour>{hour}</Hour><Minute>2</Minute><Second>3</Second></Time><Date><Day>4</Day><Month>5</Month><Year>2024</Year></Date></{name}>"
            )
        };
        let answer =
            |inner: String| device_time(&element(&format!("<R><SystemDateAndTime>{inner}</SystemDateAndTime></R>")));
        let both = answer(time("LocalDateTime", 9) + &time("UTCDateTime", 1));
        assert_eq!(both.for_login().unwrap().to_string(), "2024-05-04T01:02:03");
        assert_eq!(answer(time("LocalDateTime", 9)).for_login().unwrap().to_string(), "2024-05-04T09:02:03");
        assert_eq!(answer(time("UTCDateTime", 25)).for_login(), None);
        assert_eq!(answer(String::new()).for_login(), None);
    }

    #[test]
    fn audio_encoding_is_not_taken_for_video() {
        let answer = "<R><Profiles token=' a 0'><Name>n</Name><AudioEncoderConfiguration><Encoding>G711</Encoding></AudioEncoderConfiguration></Profiles><Profiles/></R>";
        let found = profiles(&element(answer));
        assert_eq!(found, [Profile { token: " a 0".into(), name: "n".into(), ..Profile::default() }]);
    }

    #[test]
    fn both_media_services_tell_encoding_size_and_rate() {
        let encoder = "<Encoding>H265</Encoding><Resolution><Width>640</Width><Height>360</Height></Resolution><RateControl><FrameRateLimit>12.5</FrameRateLimit></RateControl>";
        let one = format!(
            "<R><Profiles token='1'><VideoEncoderConfiguration>{encoder}</VideoEncoderConfiguration></Profiles></R>"
        );
        let two = format!(
            "<R><Profiles token='1'><Configurations><VideoEncoder token='v'>{encoder}</VideoEncoder></Configurations></Profiles></R>"
        );
        for answer in [one, two] {
            let found = profiles(&element(&answer)).remove(0);
            assert_eq!(found.encoding.as_deref(), Some("H265"));
            assert_eq!(found.size, Some(Size { width: 640, height: 360 }));
            assert_eq!(found.fps, Some(12.5));
        }
    }

    #[test]
    fn both_media_services_tell_the_video_source() {
        let configuration = "token='vsc1'><SourceToken>VideoSource_1</SourceToken>";
        let one = format!(
            "<R><Profiles token='1'><VideoSourceConfiguration {configuration}</VideoSourceConfiguration></Profiles></R>"
        );
        let two = format!(
            "<R><Profiles token='1'><Configurations><VideoSource {configuration}</VideoSource></Configurations></Profiles></R>"
        );
        let expected = VideoSource { token: "VideoSource_1".into(), configuration: Some("vsc1".into()) };
        for answer in [one, two] {
            assert_eq!(profiles(&element(&answer)).remove(0).source.as_ref(), Some(&expected), "{answer}");
        }
        let without_source = "<R><Profiles token='1'><VideoSourceConfiguration token='v'/></Profiles></R>";
        assert_eq!(profiles(&element(without_source)).remove(0).source, None);
        assert_eq!(video_sources(&element("<R><VideoSources token='b'/><VideoSources/></R>")), ["b", ""]);
    }

    #[test]
    fn media_service_is_not_taken_from_the_extension() {
        let answer = "<R><Capabilities><Device><XAddr>http://h/d</XAddr></Device><Extension><Media><XAddr>http://h/wrong</XAddr></Media></Extension></Capabilities></R>";
        assert_eq!(capabilities(&element(answer)), [("device".into(), "http://h/d".into())]);
    }

    #[test]
    fn hardware_addresses_are_written_alike_and_rubbish_is_left_out() {
        let interface = |address: &str| {
            format!("<NetworkInterfaces><Info><HwAddress>{address}</HwAddress></Info></NetworkInterfaces>")
        };
        let given = [
            "00:12:34:56:78:9A",
            "00-12-34-56-78-9a",
            "001234.56789B",
            "",
            "00:00:00:00:00:00",
            "x",
            "ff:ff:ff:ff:ff:ff",
            "00:12",
        ];
        let answer = format!("<R>{}</R>", given.map(interface).concat());
        assert_eq!(hardware_addresses(&element(&answer)), ["00:12:34:56:78:9a", "00:12:34:56:78:9b"]);
        assert_eq!(hardware_addresses(&element("<R><NetworkInterfaces/></R>")), [""; 0]);
    }

    #[test]
    fn empty_address_is_no_address() {
        assert_eq!(media_uri(&element("<R><MediaUri><Uri> </Uri></MediaUri></R>")), None);
        assert_eq!(media_uri(&element("<R><Uri> rtsp://h/ </Uri></R>")).unwrap().uri, "rtsp://h/");
    }
}

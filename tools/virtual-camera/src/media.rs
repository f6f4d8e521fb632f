//! The two ONVIF media services: the streams and their addresses.

use std::{fmt::Write as _, net::SocketAddr};

use crate::{
    device::{Device, Profile},
    http::Response,
    ptz::PtzHabits,
    settings::Codec,
    soap::{self, Call, Fault, text},
};

/// Media (ver10), which every camera has had since 2008.
pub fn answer_media1(device: &Device, reached: SocketAddr, call: &Call) -> Result<Response, Fault> {
    let content = match call.operation.as_str() {
        "GetProfiles" => all(device, |profile| profile_media1(device, profile, "trt:Profiles")),
        "GetProfile" => profile_media1(device, wanted(device, call)?, "trt:Profile"),
        "GetStreamUri" => {
            if call.argument("Stream").is_some_and(|stream| stream != "RTP-Unicast") {
                return Err(Fault::InvalidStreamSetup);
            }
            media_uri(&device.stream_uri(reached.ip(), wanted(device, call)?))
        }
        "SetSynchronizationPoint" => synchronize(device, call)?,
        "GetSnapshotUri" => media_uri(&snapshot_uri(device, reached, call)?),
        _ => return Err(Fault::ActionNotSupported),
    };
    Ok(soap::answer("trt", &call.operation, &content))
}

/// Media2 (ver20), of Profile T cameras: it knows H.265.
pub fn answer_media2(device: &Device, reached: SocketAddr, call: &Call) -> Result<Response, Fault> {
    let content = match call.operation.as_str() {
        "GetProfiles" => {
            let token = call.argument("Token");
            if token.is_some() {
                wanted_token(device, token)?;
            }
            // Without a type only names are listed.
            let asked = |wanted: &str| call.arguments("Type").any(|kind| kind == wanted || kind == "All");
            let parts = Parts { encoder: asked("VideoEncoder"), ptz: asked("PTZ") };
            all(device, |profile| {
                if token.is_none_or(|token| token == profile.token) {
                    profile_media2(device, profile, parts)
                } else {
                    String::new()
                }
            })
        }
        "GetStreamUri" => {
            let known = ["RtspUnicast", "RTSP", "RtspOverHttp"];
            if !call.argument("Protocol").is_some_and(|protocol| known.contains(&protocol)) {
                return Err(Fault::InvalidStreamSetup);
            }
            uri(&device.stream_uri(reached.ip(), wanted(device, call)?))
        }
        "SetSynchronizationPoint" => synchronize(device, call)?,
        "GetSnapshotUri" => uri(&snapshot_uri(device, reached, call)?),
        _ => return Err(Fault::ActionNotSupported),
    };
    Ok(soap::answer("tr2", &call.operation, &content))
}

/// Makes the next frame of the profile a key frame; the answer is empty.
fn synchronize(device: &Device, call: &Call) -> Result<String, Fault> {
    if device.camera.habits().no_sync_point {
        return Err(Fault::ActionNotSupported);
    }
    wanted(device, call)?.stream.want_key_frame();
    Ok(String::new())
}

fn snapshot_uri(device: &Device, reached: SocketAddr, call: &Call) -> Result<String, Fault> {
    if !device.camera.settings.snapshots {
        return Err(Fault::ActionNotSupported);
    }
    Ok(device.snapshot_uri(reached, wanted(device, call)?))
}

fn wanted<'a>(device: &'a Device, call: &Call) -> Result<&'a Profile, Fault> {
    wanted_token(device, call.argument("ProfileToken"))
}

fn wanted_token<'a>(device: &'a Device, token: Option<&str>) -> Result<&'a Profile, Fault> {
    device.profiles.iter().find(|profile| Some(profile.token) == token).ok_or(Fault::NoProfile)
}

fn all(device: &Device, describe: impl Fn(&Profile) -> String) -> String {
    device.profiles.iter().map(describe).collect()
}

fn media_uri(uri: &str) -> String {
    format!(
        "<trt:MediaUri><tt:Uri>{}</tt:Uri><tt:InvalidAfterConnect>false</tt:InvalidAfterConnect>\
         <tt:InvalidAfterReboot>false</tt:InvalidAfterReboot><tt:Timeout>PT0S</tt:Timeout></trt:MediaUri>",
        text(uri)
    )
}

fn uri(uri: &str) -> String {
    format!("<tr2:Uri>{}</tr2:Uri>", text(uri))
}

fn encoding(device: &Device) -> &'static str {
    match device.camera.codec() {
        Codec::H264 => "H264",
        Codec::H265 => "H265",
        Codec::Mjpeg => "JPEG",
        Codec::Mpeg4 => "MPEG4",
    }
}

/// The configuration of the video source, in the element names of the service.
fn source(device: &Device, element: &str) -> String {
    let (width, height) = device.profiles[0].stream.size();
    format!(
        "<{element} token=\"VideoSourceConfig_1\"><tt:Name>source</tt:Name><tt:UseCount>{}</tt:UseCount>\
         <tt:SourceToken>VideoSource_1</tt:SourceToken><tt:Bounds x=\"0\" y=\"0\" width=\"{width}\" height=\"{height}\"/></{element}>",
        device.profiles.len()
    )
}

fn resolution(profile: &Profile) -> String {
    let (width, height) = profile.stream.size();
    format!("<tt:Resolution><tt:Width>{width}</tt:Width><tt:Height>{height}</tt:Height></tt:Resolution>")
}

fn profile_media1(device: &Device, profile: &Profile, element: &str) -> String {
    let (settings, bitrate) = (&device.camera.settings, profile.stream.bitrate());
    let mut content = format!(
        "<{element} token=\"{token}\" fixed=\"true\"><tt:Name>{name}</tt:Name>{source}\
         <tt:VideoEncoderConfiguration token=\"VideoEncoder_{token}\"><tt:Name>{name}</tt:Name><tt:UseCount>1</tt:UseCount>\
         <tt:Encoding>{encoding}</tt:Encoding>{resolution}<tt:Quality>4</tt:Quality>\
         <tt:RateControl><tt:FrameRateLimit>{fps}</tt:FrameRateLimit><tt:EncodingInterval>1</tt:EncodingInterval>\
         <tt:BitrateLimit>{bitrate}</tt:BitrateLimit></tt:RateControl>",
        token = profile.token,
        name = profile.name,
        source = source(device, "tt:VideoSourceConfiguration"),
        encoding = encoding(device),
        resolution = resolution(profile),
        fps = settings.fps,
    );
    if device.camera.codec() == Codec::H264 {
        let _ = write!(
            content,
            "<tt:H264><tt:GovLength>{}</tt:GovLength><tt:H264Profile>High</tt:H264Profile></tt:H264>",
            settings.gop
        );
    }
    let ptz = ptz(device, "tt:PTZConfiguration");
    let _ =
        write!(content, "<tt:SessionTimeout>PT60S</tt:SessionTimeout></tt:VideoEncoderConfiguration>{ptz}</{element}>");
    content
}

/// The parts of each profile that the second media service was asked for.
#[derive(Clone, Copy)]
struct Parts {
    encoder: bool,
    ptz: bool,
}

/// The PTZ configuration of a profile, in the element names of the service.
fn ptz(device: &Device, element: &str) -> String {
    if !device.camera.settings.ptz.is_some_and(PtzHabits::has_configuration) {
        return String::new();
    }
    format!(
        "<{element} token=\"PTZConfig_1\"><tt:Name>ptz</tt:Name><tt:UseCount>{}</tt:UseCount>\
         <tt:NodeToken>PTZNode_1</tt:NodeToken></{element}>",
        device.profiles.len()
    )
}

fn profile_media2(device: &Device, profile: &Profile, parts: Parts) -> String {
    let settings = &device.camera.settings;
    let ptz = if parts.ptz { ptz(device, "tr2:PTZ") } else { String::new() };
    let configurations = if parts.encoder {
        format!(
            "<tr2:Configurations>{source}<tr2:VideoEncoder token=\"VideoEncoder_{token}\" GovLength=\"{gop}\" Profile=\"{kind}\">\
             <tt:Name>{name}</tt:Name><tt:UseCount>1</tt:UseCount><tt:Encoding>{encoding}</tt:Encoding>{resolution}\
             <tt:RateControl ConstantBitRate=\"false\"><tt:FrameRateLimit>{fps}</tt:FrameRateLimit>\
             <tt:BitrateLimit>{bitrate}</tt:BitrateLimit></tt:RateControl><tt:Quality>4</tt:Quality></tr2:VideoEncoder>\
             {ptz}</tr2:Configurations>",
            source = source(device, "tr2:VideoSource"),
            token = profile.token,
            gop = settings.gop,
            kind = if device.camera.codec() == Codec::H264 { "High" } else { "Main" },
            name = profile.name,
            encoding = encoding(device),
            resolution = resolution(profile),
            fps = settings.fps,
            bitrate = profile.stream.bitrate(),
        )
    } else if parts.ptz {
        format!("<tr2:Configurations>{}{ptz}</tr2:Configurations>", source(device, "tr2:VideoSource"))
    } else {
        String::new()
    };
    format!(
        "<tr2:Profiles token=\"{}\" fixed=\"true\"><tr2:Name>{}</tr2:Name>{configurations}</tr2:Profiles>",
        profile.token, profile.name
    )
}

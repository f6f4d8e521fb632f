//! Recorders: many cameras behind one address. A picture is never shown under another camera's
//! name.

use cctv_agent::{
    media::Size,
    onvif::{AUTO, Error, Hint, Kind, Limits, Resolved, SmallStream, VideoSource, resolve_both},
};

use super::{resolved, uris};
use crate::support::onvif_camera::{Answer, Camera, Request, ordinary};

/// What a recorder reveals about the camera behind a profile.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Tells {
    /// Each profile names its video source.
    Sources,
    /// Like [`Sources`](Self::Sources), but only in Media1.
    SourcesToMedia1,
    /// Nothing, not even the number of inputs.
    Nothing,
    /// Only the number of inputs.
    Inputs(usize),
}

/// A recorder with three channels of two streams each, channel 1 first.
fn recorder(request: &Request, tells: Tells) -> Answer {
    let is_media2 = request.path == "/onvif/Media2";
    let asked: Vec<_> = request.operation().all("Type").map(|kind| kind.text().to_owned()).collect();
    let profile = |channel: usize, height: u32| {
        let width = height * 16 / 9;
        let encoder = format!(
            "<Encoding>H264</Encoding><Resolution><Width>{width}</Width><Height>{height}</Height></Resolution>"
        );
        let tells_source = match tells {
            Tells::Sources => !is_media2 || asked.iter().any(|kind| kind == "VideoSource"),
            Tells::SourcesToMedia1 => !is_media2,
            Tells::Nothing | Tells::Inputs(_) => false,
        };
        let source = format!("<SourceToken>VideoSource_{}</SourceToken>", channel + 1);
        let configurations = match (is_media2, tells_source) {
            (true, true) => format!(
                "<Configurations><VideoSource token=\"vsc{channel}\">{source}</VideoSource><VideoEncoder>{encoder}</VideoEncoder></Configurations>"
            ),
            (true, false) => format!("<Configurations><VideoEncoder>{encoder}</VideoEncoder></Configurations>"),
            (false, true) => format!(
                "<VideoSourceConfiguration token=\"vsc{channel}\">{source}</VideoSourceConfiguration><VideoEncoderConfiguration>{encoder}</VideoEncoderConfiguration>"
            ),
            (false, false) => format!("<VideoEncoderConfiguration>{encoder}</VideoEncoderConfiguration>"),
        };
        let name = if height == 720 { "mainStream" } else { "subStream" };
        format!("<Profiles token=\"p{channel}_{height}p\"><Name>{name}</Name>{configurations}</Profiles>")
    };
    match request.name() {
        "GetProfiles" => {
            let all: String = (0..3).flat_map(|channel| [profile(channel, 720), profile(channel, 360)]).collect();
            Answer::soap(&format!("<R>{all}</R>"))
        }
        "GetStreamUri" => {
            let token = request.operation().text_at(&["ProfileToken"]).unwrap();
            Answer::soap(&format!("<R><Uri>rtsp://127.0.0.1/{token}</Uri></R>"))
        }
        "GetVideoSources" => match tells {
            Tells::Inputs(count) => Answer::soap(&format!("<R>{}</R>", "<VideoSources/>".repeat(count))),
            _ => Answer::fault(500, &["ter:ActionNotSupported"], "not here"),
        },
        _ => ordinary(request, 0),
    }
}

type Both = Result<(Resolved, Option<Result<SmallStream, Error>>), Error>;

fn both(camera: &Camera, profile: Option<&str>, hint: &Hint) -> Both {
    smol::block_on(resolve_both(&camera.target(), profile, Some(AUTO), hint, Limits::default()))
}

fn small(camera: &Camera, profile: &str) -> Result<String, String> {
    let small = both(camera, Some(profile), &Hint::default()).unwrap().1.unwrap();
    small.map(|small| small.profile.token).map_err(|error| error.to_string())
}

#[test]
fn quirk_41_small_stream_of_a_recorder_is_of_the_same_channel() {
    for tells in [Tells::Sources, Tells::SourcesToMedia1] {
        let camera = Camera::start(move |request| recorder(request, tells));
        for channel in 0..3 {
            let found = small(&camera, &format!("p{channel}_720p"));
            assert_eq!(found, Ok(format!("p{channel}_360p")), "{tells:?}");
        }
    }
    // The source is listed with the profile, for `info` and `discover`.
    let camera = Camera::start(|request| recorder(request, Tells::Sources));
    let found = resolved(&camera.target(), Some("p2_720p")).unwrap();
    let source = VideoSource { token: "VideoSource_3".into(), configuration: Some("vsc2".into()) };
    assert_eq!(found.profile.source, Some(source));
    assert_eq!(found.profile.size, Some(Size { width: 1280, height: 720 }));
}

#[test]
fn quirk_41_small_stream_is_refused_where_the_channel_is_not_told() {
    let right = "does not say which profiles belong to one channel; name small_profile";
    for tells in [Tells::Nothing, Tells::Inputs(3), Tells::Inputs(0)] {
        let camera = Camera::start(move |request| recorder(request, tells));
        let refused = small(&camera, "p2_720p").unwrap_err();
        assert!(refused.contains(right), "{tells:?}: {refused}");
        // The main stream is not affected.
        let (main, _) = both(&camera, Some("p2_720p"), &Hint::default()).unwrap();
        assert_eq!(uris(&main), ["rtsp://127.0.0.1/p2_720p"]);
    }
    // A device with one input has one camera, whatever its profiles say.
    let camera = Camera::start(|request| recorder(request, Tells::Inputs(1)));
    assert_eq!(small(&camera, "p2_720p"), Ok("p0_360p".to_owned()));
}

#[test]
fn quirk_41_recorder_without_a_configured_profile_is_refused_with_its_channels() {
    let camera = Camera::start(|request| recorder(request, Tells::SourcesToMedia1));
    let error = resolved(&camera.target(), None).unwrap_err();
    assert_eq!(error.kind(), Kind::NoSuchProfile);
    let text = error.to_string();
    assert!(text.contains("shows several cameras"), "{text}");
    assert!(text.contains("\"p2_720p\" (mainStream, VideoSource_3)") && text.contains("name one as profile"), "{text}");
    let camera = Camera::start(|request| recorder(request, Tells::Inputs(3)));
    assert_eq!(resolved(&camera.target(), None).unwrap_err().kind(), Kind::NoSuchProfile);
    // A device that reveals no sources is opened at its first profile, like a camera with one lens.
    let camera = Camera::start(|request| recorder(request, Tells::Nothing));
    assert_eq!(resolved(&camera.target(), None).unwrap().profile.token, "p0_720p");
}

#[test]
fn quirk_41_name_that_every_channel_has_is_refused() {
    for tells in [Tells::Sources, Tells::SourcesToMedia1, Tells::Nothing] {
        let camera = Camera::start(move |request| recorder(request, tells));
        let error = resolved(&camera.target(), Some("mainStream")).unwrap_err();
        assert_eq!(error.kind(), Kind::NoSuchProfile);
        let text = error.to_string();
        assert!(text.contains("calls several profiles \"mainStream\"") && text.contains("\"p1_720p\""), "{text}");
        assert!(!text.contains("360p"), "{text}");
    }
}

#[test]
fn quirk_41_service_that_does_not_list_a_profile_is_not_asked_for_its_stream() {
    // Media2 lists the profile but cannot give its stream; Media1 does not know the profile, and
    // returns the stream of another channel for any unknown token.
    let camera = Camera::start(|request| match (request.name(), request.path.as_str()) {
        ("GetStreamUri", "/onvif/Media2") => Answer::fault(500, &["ter:Action"], "busy"),
        ("GetStreamUri", _) => Answer::soap("<R><Uri>rtsp://127.0.0.1/another_channel</Uri></R>"),
        ("GetProfiles", "/onvif/Media") => {
            let encoder = "<VideoEncoderConfiguration><Encoding>H264</Encoding></VideoEncoderConfiguration>";
            Answer::soap(&format!("<R><Profiles token=\"other\"><Name>o</Name>{encoder}</Profiles></R>"))
        }
        _ => recorder(request, Tells::Sources),
    });
    let error = resolved(&camera.target(), Some("p2_720p")).unwrap_err();
    assert!(error.to_string().contains("no stream for profile \"p2_720p\""), "{error}");
}

#[test]
fn quirk_41_remembered_token_is_doubted_once_its_stream_is_another() {
    // Before: p2_720p is a profile. After the channels were reassigned it is not, and the firmware
    // returns the first channel's stream for it.
    let before = Camera::start(|request| recorder(request, Tells::Sources));
    let (main, _) = both(&before, Some("p2_720p"), &Hint::default()).unwrap();
    let after = Camera::start(|request| match request.name() {
        "GetProfiles" => {
            let encoder = "<VideoEncoderConfiguration><Encoding>H264</Encoding></VideoEncoderConfiguration>";
            Answer::soap(&format!("<R><Profiles token=\"p0_720p\"><Name>o</Name>{encoder}</Profiles></R>"))
        }
        "GetStreamUri" => Answer::soap("<R><Uri>rtsp://127.0.0.1/p0_720p</Uri></R>"),
        _ => recorder(request, Tells::Sources),
    });
    let error = both(&after, Some("p2_720p"), &main.hint()).unwrap_err();
    assert_eq!(error.kind(), Kind::NoSuchProfile, "{error}");
    // As long as the stream is at the same place, the list is not requested.
    before.forget();
    let again = smol::block_on(resolve_both(&before.target(), Some("p2_720p"), None, &main.hint(), Limits::default()));
    assert_eq!(uris(&again.unwrap().0), ["rtsp://127.0.0.1/p2_720p"]);
    assert!(!before.names().contains(&"GetProfiles".to_owned()));
}

#[test]
fn quirk_41_list_of_two_megabytes_is_read_for_what_is_needed_of_it() {
    // 64 channels of three profiles, each with 12 kB about sound, analytics and PTZ.
    let camera = Camera::start(|request| match request.name() {
        "GetProfiles" => {
            let filler = "<tt:SimpleItem Name=\"Sensitivity\" Value=\"50\"/>".repeat(250);
            let profile = |at: usize| {
                let (channel, stream) = (at / 3, at % 3);
                let height = [1080, 720, 360][stream];
                let width = height * 16 / 9;
                format!(
                    "<trt:Profiles fixed=\"true\" token=\"p{channel}_{height}\"><tt:Name>p{at}</tt:Name>\
                     <tt:VideoSourceConfiguration token=\"s{channel}\"><tt:SourceToken>source {channel}</tt:SourceToken></tt:VideoSourceConfiguration>\
                     <tt:VideoAnalyticsConfiguration token=\"a\">{filler}<tt:Name>no</tt:Name></tt:VideoAnalyticsConfiguration>\
                     <tt:VideoEncoderConfiguration><tt:Encoding>H264</tt:Encoding><tt:Resolution><tt:Width>{width}</tt:Width>\
                     <tt:Height>{height}</tt:Height></tt:Resolution></tt:VideoEncoderConfiguration></trt:Profiles>"
                )
            };
            let body = format!("<R>{}</R>", (0..3 * 64).map(profile).collect::<String>());
            assert!(body.len() > 2 << 20, "{}", body.len());
            Answer::soap(&body)
        }
        _ => recorder(request, Tells::Sources),
    });
    let (main, small) = both(&camera, Some("p63_1080"), &Hint::default()).unwrap();
    assert_eq!(uris(&main), ["rtsp://127.0.0.1/p63_1080"]);
    assert_eq!((main.profile.name.as_str(), main.profile.encoding.as_deref()), ("p189", Some("H264")));
    assert_eq!(small.unwrap().unwrap().profile.token, "p63_360");
}

//! Session descriptions.

use crate::rtsp::{
    rtp::Encoding,
    sdp::{NoVideo, SessionDescription, VideoTrack},
};

fn video(text: &str) -> Result<VideoTrack, NoVideo> {
    SessionDescription::read(text.as_bytes()).video()
}

/// The track of a description with these lines behind `m=video 0 RTP/AVP 96`.
fn track(lines: &str) -> VideoTrack {
    video(&format!("v=0\r\nm=video 0 RTP/AVP 96\r\n{lines}\r\n")).unwrap()
}

const H264: &str = "a=rtpmap:96 H264/90000\r\n";

#[test]
fn r044_body_with_a_media_line_is_a_description() {
    let sdp = "m=video 0 RTP/AVP 26";
    for header in ["", "Content-Type: Application/SDP;charset=utf-8\r\n", "content-type: text/plain\r\n"] {
        let mut fake = super::fake::Fake::new();
        fake.answer(&format!("RTSP/1.0 200 OK\r\nCSeq: $\r\n{header}Content-Length: {}\r\n\r\n{sdp}", sdp.len()));
        assert_eq!(fake.method(), "SETUP", "{header}");
    }
    assert_eq!(video("v=0\r\n"), Err(NoVideo::NotSdp));
    assert_eq!(video(""), Err(NoVideo::NotSdp));
}

#[test]
fn r045_lines_end_as_they_like() {
    let text = b"v=0\n\n\rs=\x83\x4a\x83\x81\n  m=video 0 RTP/AVP 96  \ra=rtpmap:96 H264/90000 \t\n\na=control:t \0\0";
    let track = SessionDescription::read(text).video().unwrap();
    assert_eq!((track.encoding, track.control.as_deref()), (Some(Encoding::H264), Some("t")));
}

#[test]
fn r046_r047_r048_other_lines_are_not_read() {
    let text = "o=- -1 0x7f.5 IN IPV4 my cam a b c\r\nc=IN c=IN IP4 0.0.0.0\r\nc=SM x\r\nt=now-\r\nb=TIAS:x\r\n=\r\nx\r\n\
        m=video 0 RTP/AVP 96\r\nc=IN\r\ns=again\r\ni=again\r\nb=X-y\r\na=rtpmap:96 H264/90000\r\n";
    assert_eq!(video(text).unwrap().encoding, Some(Encoding::H264));
}

#[test]
fn r049_media_that_is_not_understood_is_no_track() {
    let odd =
        "m=application/TP-LINK 0 RTP/AVP smart/1/90000\r\nm=metadata\r\nm=\r\nm=meta 0 X\r\nm=video 0 MP2T/AVP 33\r\n";
    assert_eq!(video(odd), Err(NoVideo::UnknownFormats(vec!["33".into()])));
    let good = format!("{odd}m=video 0 RTP/AVP 97\r\na=rtpmap:97 H265/90000\r\n");
    assert_eq!(video(&good).unwrap().encoding, Some(Encoding::H265));
}

#[test]
fn r050_encoding_comes_from_the_map_or_the_parameters_or_the_packets() {
    assert_eq!(video("m=video 0 RTP/AVP 26\r\n").unwrap().encoding, Some(Encoding::Jpeg));
    assert_eq!(track("a=rtpmap:97 H264/90000").encoding, Some(Encoding::H264), "for another number");
    assert_eq!(track("a=fmtp:96 sprop-vps=QAE=;sprop-sps=QgE=").encoding, Some(Encoding::H265));
    assert_eq!(track("a=fmtp:96 Sprop-Parameter-Sets=Z0I=").encoding, Some(Encoding::H264));
    let unnamed = track("a=control:x");
    assert_eq!((unnamed.encoding, unnamed.clock_rate, unnamed.payload_type), (None, 90_000, 96));
    let bosch = video("m=video 0 RTP/AVP 35\r\na=rtpmap:35 h264/90000 \r\n").unwrap();
    assert_eq!((bosch.encoding, bosch.payload_type), (Some(Encoding::H264), 35));
    for name in ["hevc", "H265"] {
        assert_eq!(track(&format!("a=rtpmap:96 {name}/90000")).encoding, Some(Encoding::H265));
    }
    let theora = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 theora/90000\r\n";
    assert_eq!(video(theora), Err(NoVideo::UnknownFormats(vec!["theora".into()])));
}

#[test]
fn r052_first_video_with_a_known_format_is_taken_wherever_it_stands() {
    let text = "m=audio 0 RTP/AVP 96\r\na=rtpmap:96 mpeg4-generic/48000\r\na=control:a\r\nm=application 0 RTP/AVP 107\r\n\
        m=video 0 RTP/AVP 98 99 100\r\na=rtpmap:98 theora/90000\r\na=rtpmap:100 H264/90000\r\na=control:b\r\n\
        m=video 0 RTP/AVP 101\r\na=rtpmap:101 H265/90000\r\na=control:c\r\n";
    let track = video(text).unwrap();
    assert_eq!((track.payload_type, track.control.as_deref()), (100, Some("b")));
    let others = SessionDescription::read(text.as_bytes()).others(&track);
    assert_eq!(others, ["audio mpeg4-generic", "application 107", "video H265"]);
    assert_eq!(video("m=audio 0 RTP/AVP 8\r\n"), Err(NoVideo::NoVideo));
}

#[test]
fn r053_direction_is_not_read() {
    for direction in ["sendonly", "recvonly", "inactive", "sendrecv"] {
        assert_eq!(track(&format!("a={direction}\r\n{H264}")).encoding, Some(Encoding::H264));
    }
}

#[test]
fn r054_parameters_are_found_wherever_they_stand() {
    let sets = "sprop-parameter-sets=Z0I=,aM4=";
    let fmtp = format!("a=fmtp:96 {sets}; ;packetization-mode;\r\n");
    let expected = format!("{sets}; ;packetization-mode;");
    assert_eq!(track(&format!("{fmtp}{H264}")).fmtp, expected);
    assert_eq!(track(&format!("a=fmtp:96\r\na=fmtp:97 x=1\r\n{H264}")).fmtp, "");
    let elsewhere = format!("m=application 0 RTP/AVP 107\r\n{fmtp}m=video 0 RTP/AVP 96\r\n{H264}");
    assert_eq!(video(&elsewhere).unwrap().fmtp, expected);
    let audio = format!("m=audio 0 RTP/AVP 96\r\na=fmtp:96 config=1408\r\nm=video 0 RTP/AVP 96\r\n{H264}");
    assert_eq!(video(&audio).unwrap().fmtp, "", "sound has other parameters under the same number");
}

#[test]
fn r060_hints_are_read_if_they_can_be() {
    let rate = |lines: &str| track(&format!("{H264}{lines}")).frame_rate;
    assert_eq!(rate("a=framerate:25.0"), Some(25.0));
    assert_eq!(rate("a=x-framerate: 12 "), Some(12.0));
    for odd in ["a=framerate:0S", "a=framerate:", "a=framerate:-5", "a=framerate:1e9", "a=framerate:99999"] {
        assert!(rate(odd).is_none_or(|rate| rate == 1.0), "{odd}");
    }
    let size = |lines: &str| track(&format!("{H264}{lines}")).size;
    assert_eq!(size("a=x-dimensions: 1280, 720"), Some((1280, 720)));
    assert_eq!(size("a=framesize:96 640-480"), Some((640, 480)));
    for odd in ["a=x-dimensions:0,0", "a=x-dimensions:1", "a=framesize:96", "a=x-dimensions:99999,1"] {
        assert_eq!(size(odd), None, "{odd}");
    }
}

#[test]
fn r110_offer_to_be_asked_for_a_key_frame_is_read() {
    use crate::rtsp::rtp::KeyFrameRequest::{self, FullIntraRequest, PictureLossIndication};
    let offer = |lines: &str| -> Option<KeyFrameRequest> { track(&format!("{H264}{lines}")).key_frame_request };
    let (pli, fir) = ("a=rtcp-fb:96 nack pli\r\n", "a=rtcp-fb:* ccm fir\r\n");
    assert_eq!(offer(pli), Some(PictureLossIndication));
    assert_eq!(offer(fir), Some(FullIntraRequest));
    assert_eq!(offer(&format!("{fir}{pli}")), Some(PictureLossIndication), "the simpler one");
    assert_eq!(offer("a=RTCP-FB: 96  NACK  PLI trr-int 100\r\n"), Some(PictureLossIndication));
    for odd in
        ["", "a=rtcp-fb:97 nack pli\r\n", "a=rtcp-fb:96 nack\r\n", "a=rtcp-fb:\r\n", "a=rtcp-fb:96 ccm tmmbr\r\n"]
    {
        assert_eq!(offer(odd), None, "{odd}");
    }
}

#[test]
fn descriptions_are_bounded() {
    let many = "m=video 0 RTP/AVP 33\r\n".repeat(5000);
    assert_eq!(SessionDescription::read(many.as_bytes()).media.len(), 32);
    let formats = format!("m=video 0 RTP/AVP {}\r\n", "96 ".repeat(5000));
    assert_eq!(SessionDescription::read(formats.as_bytes()).media[0].formats.len(), 32);
    // Attributes behind the last media that is read are not those of another.
    let text = format!("{}a=rtpmap:33 H264/90000\r\n", "m=video 0 RTP/AVP 33\r\n".repeat(33));
    assert!(matches!(video(&text), Err(NoVideo::UnknownFormats(_))));
}

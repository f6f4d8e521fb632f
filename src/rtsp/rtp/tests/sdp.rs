//! Habits of format parameters.

use super::{
    super::{Encoding, TrackReceiver, Transport, fmtp::Fmtp},
    support::*,
};
use crate::media::Codec;

/// Base64 of [`SPS`] and [`PPS`].
const SPROP: &str = "Z0IAKeKQCgC3YC3AQEBpBw==,aM48gA==";

fn sets(fmtp: &str) -> Vec<u8> {
    Fmtp::parse(fmtp).parameter_sets(Codec::H264)
}

#[test]
fn r054_parameters_are_read_in_any_case_and_with_any_separators() {
    let expected = annex_b(&[&SPS[..], &PPS]);
    for fmtp in [
        format!("96 packetization-mode=1;sprop-parameter-sets={SPROP}"),
        format!("96 Sprop-Parameter-Sets = {SPROP} ; packetization-mode=1;"),
        format!("sprop-parameter-sets={SPROP}"),
        format!("96  ;; profile-level-id ; sprop-parameter-sets={SPROP};"),
        format!("  96\tsprop-parameter-sets=\"{SPROP}\"\r\n"),
    ] {
        assert_eq!(sets(&fmtp), expected, "{fmtp}");
    }
    for fmtp in ["", "96", "96 ", ";", "=", "96 =;=", "sprop-parameter-sets"] {
        assert_eq!(sets(fmtp), b"", "{fmtp}");
    }
}

#[test]
fn r055_parameter_sets_are_repaired_or_left_out() {
    let expected = annex_b(&[&SPS[..], &PPS]);
    // Start codes before and behind, zeros at the end, all sets in one, no padding.
    assert_eq!(sets("sprop-parameter-sets=AAAAAWdCACnikAoAt2AtwEBAaQcAAAAB,AAABaM48gAAA"), expected);
    assert_eq!(sets("sprop-parameter-sets=AAAAAWdCACnikAoAt2AtwEBAaQcAAAABaM48gA=="), expected);
    assert_eq!(sets("sprop-parameter-sets=Z0IAKeKQCgC3YC3AQEBpBw,aM48gA"), expected);
    assert_eq!(sets("sprop-parameter-sets=Z0IAKeKQCgC3YC3AQEBpBw==,"), annex_b(&[SPS]));
    for nothing in ["", ",", "!!!,???", "AAAA", "ZYiE,QZo="] {
        assert_eq!(sets(&format!("sprop-parameter-sets={nothing}")), b"", "{nothing}");
    }
    assert_eq!(sets("sprop-parameter-sets=*,aM48gA=="), annex_b(&[PPS]), "one that is readable");
}

#[test]
fn r055_sets_of_the_sdp_serve_the_first_picture_until_the_stream_has_its_own() {
    let fmtp = format!("96 sprop-parameter-sets={SPROP}");
    let (mut rx, mut camera) = (Receiver::new(&config("h264", &fmtp, Transport::Tcp)), Camera::new());
    let key = idr(1, 9);
    let mut sps = SPS;
    sps[3] = 0x1f;
    rx.push_all(&camera.frame(&[&key]));
    rx.push_all(&camera.frame(&[&sps[..], &PPS, &key]));
    rx.push_all(&camera.frame(&[&key]));
    let own = annex_b(&[&sps[..], &PPS, &key]);
    assert_eq!(rx.whole(), [annex_b(&[&SPS[..], &PPS, &key]), own.clone(), own]);
    let levels: Vec<_> = rx.stream_infos().iter().map(|info| info.codec_config.unwrap().to_string()).collect();
    assert_eq!(levels, ["avc1.420029", "avc1.42001f"]);
}

#[test]
fn r056_sets_of_h265_count_only_together() {
    let [vps, sps, pps] = sets265();
    let all = "sprop-vps=QAEMASA/Xns=;sprop-sps=QgEBAw==;sprop-pps=RAHBAw==";
    let read = |fmtp: &str| Fmtp::parse(fmtp).parameter_sets(Codec::H265);
    let _ = (vps, sps, pps);
    let whole = read(all);
    assert_eq!(whole.windows(5).filter(|window| window.starts_with(&[0, 0, 0, 1])).count(), 3);
    for missing in ["sprop-vps", "sprop-sps", "sprop-pps"] {
        assert_eq!(read(&all.replace(missing, "sprop-other")), b"", "{missing}");
    }
}

#[test]
fn r057_sps_that_cannot_be_read_does_not_stop_the_stream() {
    let (mut rx, mut camera) = (Receiver::tcp("H264"), Camera::new());
    let broken = [0x67, 0x64, 0, 0x29, 0xff];
    rx.push_all(&camera.frame(&[&broken[..], &PPS, &idr(1, 9)]));
    rx.push_all(&camera.frame(&[p(1, 9)]));
    rx.push_all(&camera.frame(&[p(1, 9)]));
    let units = rx.whole_units();
    assert!(units.len() == 3 && units[0].is_key);
    assert_eq!(rx.stream_infos(), []);
    // Bytes behind its end.
    rx.push_all(&camera.frame(&[&[&SPS[..], &[0xff, 0x11, 0x22]].concat()[..], &PPS, &idr(1, 9)]));
    assert_eq!(rx.stream_infos().len(), 1);
}

#[test]
fn r058_profile_of_the_sdp_is_not_read() {
    for profile in ["42e0291", "QgAp", "33", ""] {
        let fmtp = format!("96 profile-level-id={profile};sprop-parameter-sets={SPROP}");
        let (mut rx, mut camera) = (Receiver::new(&config("H264", &fmtp, Transport::Tcp)), Camera::new());
        rx.push_all(&camera.frame(&[idr(1, 9)]));
        rx.push_all(&camera.frame(&[p(1, 9)]));
        assert_eq!(rx.stream_infos()[0].codec_config.unwrap().to_string(), "avc1.420029", "{profile}");
    }
}

#[test]
fn r059_fragments_come_whatever_the_packetization_mode_says() {
    for fmtp in ["96 packetization-mode=0", "96", "96 packetization-mode=2"] {
        let (mut rx, mut camera) = (Receiver::new(&config("H264", fmtp, Transport::Tcp)), Camera::new());
        rx.settle(&mut camera);
        rx.push_all(&camera.frame(&fu_a(&p(1, 50), 10)));
        assert_eq!(rx.whole(), [annex_b(&[p(1, 50)])]);
    }
}

#[test]
fn encodings_have_their_names_in_any_case() {
    for (name, encoding) in [
        ("H264", Some(Encoding::H264)),
        (" h265 ", Some(Encoding::H265)),
        ("hevc", Some(Encoding::H265)),
        ("jpeg", Some(Encoding::Jpeg)),
        ("MP4V-ES", Some(Encoding::Mpeg4)),
        ("VP8", None),
    ] {
        let receiver = TrackReceiver::new(&config(name, "", Transport::Tcp));
        assert_eq!(receiver.ok().and_then(|receiver| receiver.encoding()), encoding, "{name}");
    }
    let error = TrackReceiver::new(&config("AV1", "", Transport::Tcp)).map(|_| ()).unwrap_err();
    assert_eq!(error.to_string(), "the camera sends \"AV1\", which is not supported");
}

#[test]
fn config_of_mpeg4_is_hexadecimal_or_nothing() {
    for (text, bytes) in [("config=000001b0F3", &[0, 0, 1, 0xb0, 0xf3][..]), ("config=0", &[]), ("config=xx", &[])] {
        assert_eq!(Fmtp::parse(text).mpeg4_config(), bytes, "{text}");
    }
}

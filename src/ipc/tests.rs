use std::fmt;

use bytes::Bytes;

use super::{
    encoding::{DECODE, DECODING, FEED, OPEN, PICTURE, SANDBOX, STREAM, UNIT, WANT},
    *,
};
use crate::{
    media::{
        Codec, CodecConfig, Damage, Rendition, SampleAspect, Size,
        transform::{Crop, Transform},
    },
    sandbox::SandboxPart,
    text::Code,
};

const SMALL: Rendition =
    Rendition { size: Size { width: 640, height: 360 }, transform: Transform::NONE, quality: 50, fps: 25 };

const TURNED: Transform =
    Transform { crop: Crop { left: 900, top: 1, right: 0, bottom: 300 }, mirrored: true, quarter_turns: 3 };

fn crosses<M: Message + PartialEq + fmt::Debug>(message: &M) {
    let mut bytes = Vec::new();
    message.encode(&mut bytes);
    assert_eq!(&receive::<M>(&mut bytes.as_slice()).unwrap(), message);
    for cut in 1..bytes.len() {
        assert!(receive::<M>(&mut &bytes[..cut]).is_err(), "cut at {cut}");
    }
}

#[test]
fn every_message_comes_out_as_it_went_in() {
    let uri = Secret::new("rtsp://u:p@10.0.0.1/");
    crosses(&ToWorker::Open(Open {
        uri,
        transport: Transport::Udp,
        first_sequence: 7,
        default_quality: 80,
        read_limit: Duration::from_millis(4321),
        most_memory: u64::MAX,
        group_memory: 1 << 33,
        sandbox: SandboxPolicy::Required,
    }));
    crosses(&ToWorker::SetRenditions(vec![
        SMALL.into(),
        WantedRendition { rendition: Rendition { fps: 1, ..SMALL }, is_own: true },
        Rendition { transform: TURNED, ..SMALL }.into(),
    ]));
    crosses(&ToWorker::Close(Duration::from_millis(700)));
    for codec in [Codec::H264, Codec::H265, Codec::Jpeg] {
        for sandbox in [SandboxPolicy::Auto, SandboxPolicy::Required, SandboxPolicy::Fatal] {
            let (most_memory, group_memory) = (1 << 40, 8 << 20);
            for remark in [None, Some("snapshots instead of the stream".to_owned())] {
                let decode = Decode { codec, default_quality: 80, most_memory, group_memory, sandbox, remark };
                crosses(&ToWorker::Decode(decode));
            }
        }
    }
    let data = Bytes::from_static(b"\0\0\0\x01frame");
    for damage in [None, Some(None), Some(Some(0)), Some(Some(12)), Some(Some(1000))] {
        let damage = damage.map(|lost_permille| Damage { lost_permille });
        let data = data.clone();
        crosses(&ToWorker::Unit(AccessUnit { sequence: u32::MAX, taken: 1 << 50, key: false, damage, data }));
    }
    let sample_aspect = SampleAspect::new(16, 11);
    let stream = StreamInfo {
        codec: Codec::H265,
        codec_config: None,
        size: SMALL.size,
        sample_aspect,
        transform: Transform::NONE,
        fps: 12.5,
    };
    crosses(&FromWorker::Stream(stream));
    crosses(&FromWorker::Stream(StreamInfo { codec_config: Some(CodecConfig::H265([7; 12])), ..stream }));
    let codec_config = Some(CodecConfig::H264([0x64, 0, 0x28]));
    crosses(&FromWorker::Stream(StreamInfo { codec: Codec::H264, codec_config, ..stream }));
    crosses(&FromWorker::Stream(StreamInfo { codec: Codec::Jpeg, ..stream }));
    let data = Bytes::from_static(b"\0\0\0\x01frame");
    crosses(&FromWorker::Unit(AccessUnit { sequence: 9, taken: 1 << 50, key: true, damage: None, data: data.clone() }));
    crosses(&FromWorker::Picture(Picture { rendition: SMALL, sequence: 9, taken: 3, jpeg: data }));
    crosses(&FromWorker::UnitAsPicture(UnitAsPicture { rendition: SMALL, sequence: 9 }));
    crosses(&FromWorker::Sandbox(Sandbox::new(|part| part != SandboxPart::Network)));
    crosses(&FromWorker::Decoding(true));
    crosses(&FromWorker::Progress(Progress { without_frame: u32::MAX, damaged: 7 }));
    crosses(&FromWorker::Failed(Failure {
        kind: FailureKind::Denied,
        reason: Code::StreamLoginRefused.with("answer", "401 Unauthorized").into(),
    }));
}

#[test]
fn bytes_of_a_frame_are_not_copied_into_its_message() {
    let unit = AccessUnit { sequence: 9, taken: 3, key: true, damage: None, data: vec![7; 1000].into() };
    let mut fields = Vec::new();
    let (feed, relay) = (ToWorker::Unit(unit.clone()), FromWorker::Unit(unit.clone()));
    for rest in [feed.begin(&mut fields), relay.begin(&mut Vec::new())] {
        assert_eq!(rest.as_ptr(), unit.data.as_ptr());
    }
    assert!(fields.len() < 100);
}

#[test]
fn length_beyond_the_limit_is_refused_before_memory_is_taken() {
    let head = [0xff, 0xff, 0xff, 0x7f, UNIT];
    assert!(matches!(receive::<FromWorker>(&mut &head[..]), Err(Error::TooLong { .. })));
}

#[test]
fn fields_out_of_range_are_refused() {
    let mut picture = Vec::new();
    FromWorker::Picture(Picture {
        rendition: Rendition { quality: 101, ..SMALL },
        sequence: 0,
        taken: 0,
        jpeg: Bytes::new(),
    })
    .encode(&mut picture);
    assert!(matches!(receive::<FromWorker>(&mut picture.as_slice()), Err(Error::Malformed { kind: PICTURE })));
    for nonsense in [
        Transform { quarter_turns: 4, ..TURNED },
        Transform { crop: Crop { left: 900, right: 1, ..Crop::NONE }, ..TURNED },
        Transform { crop: Crop { top: u16::MAX, bottom: u16::MAX, ..Crop::NONE }, ..TURNED },
    ] {
        let mut wanted = Vec::new();
        ToWorker::SetRenditions(vec![Rendition { transform: nonsense, ..SMALL }.into()]).encode(&mut wanted);
        assert!(matches!(receive::<ToWorker>(&mut wanted.as_slice()), Err(Error::Malformed { kind: WANT })));
    }
    let stream = |aspect: [u8; 4]| [&[0, 0, 64, 0, 0, 0, 36, 0, 0, 0][..], &aspect, &12.5_f32.to_le_bytes()].concat();
    assert!(FromWorker::decode(STREAM, &stream([16, 0, 11, 0])).is_ok());
    for nonsense in [[0, 0, 0, 0], [0, 0, 1, 0], [1, 0, 0, 0], [1, 0, 200, 0], [32, 0, 22, 0]] {
        assert!(FromWorker::decode(STREAM, &stream(nonsense)).is_err(), "{nonsense:?}");
    }
    assert!(FromWorker::decode(SANDBOX, &[16]).is_err());
    assert!(FromWorker::decode(DECODING, &[2]).is_err());
    assert!(FromWorker::decode(DECODING, &[1, 0]).is_err());
    let nonsense = [&VERSION.to_le_bytes()[..], &[3; 19]].concat();
    assert!(matches!(ToWorker::decode(DECODE, &nonsense), Err(Error::Malformed { kind: DECODE })));
    assert!(matches!(ToWorker::decode(FEED, &[0; 12]), Err(Error::Malformed { kind: FEED })));
    let mut unit = [0; 13];
    unit[12] = 2;
    assert!(matches!(ToWorker::decode(FEED, &unit), Err(Error::Malformed { kind: FEED })));
    assert!(matches!(FromWorker::decode(OPEN, &[]), Err(Error::UnknownKind(OPEN))));
    assert!(matches!(FromWorker::decode(FEED, &unit), Err(Error::UnknownKind(FEED))));
    assert!(matches!(ToWorker::decode(UNIT, &[0; 13]), Err(Error::UnknownKind(UNIT))));
}

#[test]
fn share_of_lost_packets_beyond_all_is_malformed() {
    let damage = Some(Damage { lost_permille: Some(1001) });
    let unit = AccessUnit { sequence: 1, taken: 2, key: true, damage, data: vec![7; 10].into() };
    let mut bytes = Vec::new();
    ToWorker::Unit(unit).encode(&mut bytes);
    assert!(matches!(receive::<ToWorker>(&mut &bytes[..]), Err(Error::Malformed { .. })));
}

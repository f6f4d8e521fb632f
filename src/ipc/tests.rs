use std::{fmt, sync::Arc};

use super::{
    encoding::{DECODING, OPEN, PICTURE, STREAM, UNIT},
    *,
};
use crate::{
    media::{Codec, CodecConfig, SampleAspect, Size},
    text::Code,
};

const SMALL: Rendition = Rendition { size: Size { width: 640, height: 360 }, quality: 50, fps: 25 };

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
    }));
    crosses(&ToWorker::SetRenditions(vec![SMALL, Rendition { fps: 1, ..SMALL }]));
    crosses(&ToWorker::Close(Duration::from_millis(700)));
    let sample_aspect = SampleAspect::new(16, 11);
    let stream = StreamInfo { codec: Codec::H265, codec_config: None, size: SMALL.size, sample_aspect, fps: 12.5 };
    crosses(&FromWorker::Stream(stream));
    crosses(&FromWorker::Stream(StreamInfo { codec_config: Some(CodecConfig::H265([7; 12])), ..stream }));
    let codec_config = Some(CodecConfig::H264([0x64, 0, 0x28]));
    crosses(&FromWorker::Stream(StreamInfo { codec: Codec::H264, codec_config, ..stream }));
    crosses(&FromWorker::Stream(StreamInfo { codec: Codec::Jpeg, ..stream }));
    let data: Arc<[u8]> = Arc::from(&b"\0\0\0\x01frame"[..]);
    crosses(&FromWorker::Unit(AccessUnit { sequence: 9, taken: 1 << 50, key: true, data: data.clone() }));
    crosses(&FromWorker::Picture(Picture { rendition: SMALL, sequence: 9, taken: 3, jpeg: data }));
    crosses(&FromWorker::UnitAsPicture(UnitAsPicture { rendition: SMALL, sequence: 9 }));
    crosses(&FromWorker::Decoding(true));
    crosses(&FromWorker::Failed(Failure {
        kind: FailureKind::Denied,
        reason: Code::StreamLoginRefused.with("answer", "401 Unauthorized").into(),
    }));
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
        jpeg: Arc::from(&b""[..]),
    })
    .encode(&mut picture);
    assert!(matches!(receive::<FromWorker>(&mut picture.as_slice()), Err(Error::Malformed { kind: PICTURE })));
    let stream = |aspect: [u8; 4]| [&[0, 0, 64, 0, 0, 0, 36, 0, 0, 0][..], &aspect, &12.5_f32.to_le_bytes()].concat();
    assert!(FromWorker::decode(STREAM, &stream([16, 0, 11, 0])).is_ok());
    for nonsense in [[0, 0, 0, 0], [0, 0, 1, 0], [1, 0, 0, 0], [1, 0, 200, 0], [32, 0, 22, 0]] {
        assert!(FromWorker::decode(STREAM, &stream(nonsense)).is_err(), "{nonsense:?}");
    }
    assert!(FromWorker::decode(DECODING, &[2]).is_err());
    assert!(FromWorker::decode(DECODING, &[1, 0]).is_err());
    assert!(matches!(FromWorker::decode(OPEN, &[]), Err(Error::UnknownKind(OPEN))));
}

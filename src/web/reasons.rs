//! Reasons as JSON.

use serde_json::{Map, Value, json};

use crate::{
    media::{Codec, StreamInfo},
    text::{Code, Part, Reason, reasons},
};

/// The parts of `reason`, in order; the text is for readers that do not know the code.
pub fn as_json(reason: &Reason) -> Value {
    let part = |part: &Part| {
        let params: Map<_, _> = part.params().iter().map(|(name, value)| ((*name).to_owned(), param(value))).collect();
        json!({ "code": part.code().word(), "params": params, "text": part.text() })
    };
    reason.parts().iter().map(part).collect()
}

/// Why pages that decode for themselves get JPEG of this stream; empty if they get the camera's own video, or if that is
/// JPEG. `passthrough`: they may have it.
pub fn as_jpeg(stream: Option<StreamInfo>, passthrough: bool) -> Reason {
    match stream {
        None => Reason::default(),
        Some(StreamInfo { codec: Codec::Jpeg, .. }) => Reason::default(),
        Some(StreamInfo { codec: Codec::Mpeg4, .. }) => {
            Reason::from(Code::CodecNotInBrowsers.with("codec", "MPEG-4")).and(Code::BetterCodec)
        }
        Some(_) if !passthrough => Code::PassthroughOff.into(),
        Some(StreamInfo { codec_config: None, .. }) => Reason::from(Code::GradualRefresh).and(Code::SetKeyFrames),
        Some(_) => Reason::default(),
    }
}

fn param(value: &reasons::Value) -> Value {
    match value {
        reasons::Value::Text(text) => json!(text),
        // Milliseconds are enough for every number in a reason.
        reasons::Value::Number(number) if number.fract() == 0.0 => json!(*number as i64),
        reasons::Value::Number(number) => json!((number * 1000.0).round() / 1000.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{CodecConfig, SampleAspect, Size, transform::Transform};

    #[test]
    fn pages_are_told_why_they_get_jpeg() {
        let (size, sample_aspect) = (Size { width: 640, height: 360 }, SampleAspect::SQUARE);
        let config = Some(CodecConfig::H264([0x64, 0, 0x28]));
        let text = |codec, codec_config, passthrough| {
            as_jpeg(
                Some(StreamInfo { codec, codec_config, size, sample_aspect, transform: Transform::NONE, fps: 25.0 }),
                passthrough,
            )
            .to_string()
        };
        assert_eq!(text(Codec::H264, config, true), "");
        assert_eq!(text(Codec::H264, config, false), "passthrough = false, so the pages show JPEG");
        assert!(text(Codec::H265, None, true).starts_with("the camera sends no key frames"));
        assert!(text(Codec::Mpeg4, None, true).starts_with("no browser decodes MPEG-4"));
        assert_eq!(text(Codec::Jpeg, None, false), "");
        assert_eq!(as_jpeg(None, true), Reason::default());
    }

    #[test]
    fn parts_are_listed_with_their_parameters() {
        let reason = Reason::from(Code::CannotConnect.with("host", "10.0.0.1:554"))
            .and(Code::Retry.with("seconds", 4.237_189).with("attempt", 3_u32));
        let expected = json!([
            { "code": "cannot_connect", "params": { "host": "10.0.0.1:554" }, "text": "cannot connect to 10.0.0.1:554" },
            { "code": "retry", "params": { "seconds": 4.237, "attempt": 3 }, "text": "trying again in 4 s (attempt 3)" },
        ]);
        assert_eq!(as_json(&reason), expected);
        assert_eq!(as_json(&Reason::default()), json!([]));
    }
}

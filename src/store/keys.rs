//! The TLS keys that cameras had, one small file per camera.
//!
//! They outlive the rest of what is known of a camera: another address or profile in the configuration
//! is no reason to trust another key.

use serde_json::{Value, json};

use super::entry::ParseError;
use crate::camera::{CameraId, fingerprint::Fingerprint};

/// As that of [`CameraRecord`](super::CameraRecord).
const FORMAT: u64 = 1;
const MAKER: &str = "cctv-agent";

/// A service of a camera that has a TLS key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    Onvif,
    /// RTSP, of all streams of the camera.
    Stream,
}

/// The keys of one camera; `None`: that service was never reached over TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LearntKeys {
    onvif: Option<Fingerprint>,
    stream: Option<Fingerprint>,
}

impl LearntKeys {
    pub fn of(&self, service: Service) -> Option<Fingerprint> {
        match service {
            Service::Onvif => self.onvif,
            Service::Stream => self.stream,
        }
    }

    /// Puts `key` in place of the one of `service`.
    pub fn learn(&mut self, service: Service, key: Fingerprint) {
        match service {
            Service::Onvif => self.onvif = Some(key),
            Service::Stream => self.stream = Some(key),
        }
    }

    /// The content of the file of camera `id`.
    pub fn to_text(self, id: &CameraId) -> String {
        let text = |key: Option<Fingerprint>| key.map(|key| key.to_string());
        let json = json!({
            "maker": MAKER,
            "format": FORMAT,
            "camera": id.as_str(),
            "keys": { "onvif": text(self.onvif), "stream": text(self.stream) },
        });
        format!("{json:#}\n")
    }

    /// Reads what [`to_text`](Self::to_text) wrote for camera `id`.
    ///
    /// # Errors
    /// If anything differs from that format.
    pub fn from_text(text: &str, id: &CameraId) -> Result<Self, ParseError> {
        let json: Value = serde_json::from_str(text).map_err(|_| ParseError::NotJson)?;
        if json["maker"] != MAKER || json["format"] != FORMAT {
            return Err(ParseError::OtherFormat);
        }
        if json["camera"] != id.as_str() {
            return Err(ParseError::OtherCamera);
        }
        let key = |name: &str| match json["keys"].get(name) {
            Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => text.parse().map(Some).map_err(|_| ParseError::Field("keys")),
            _ => Err(ParseError::Field("keys")),
        };
        Ok(Self { onvif: key("onvif")?, stream: key("stream")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_they_were_written_and_nothing_else_is() {
        let (gate, yard) = (CameraId::new("gate").unwrap(), CameraId::new("yard").unwrap());
        let mut keys = LearntKeys::default();
        assert_eq!(LearntKeys::from_text(&keys.to_text(&gate), &gate), Ok(keys));
        keys.learn(Service::Stream, Fingerprint([7; 32]));
        assert_eq!((keys.of(Service::Onvif), keys.of(Service::Stream)), (None, Some(Fingerprint([7; 32]))));
        let text = keys.to_text(&gate);
        assert_eq!(LearntKeys::from_text(&text, &gate), Ok(keys));
        assert_eq!(LearntKeys::from_text(&text, &yard), Err(ParseError::OtherCamera));
        assert_eq!(LearntKeys::from_text(&text[..text.len() / 2], &gate), Err(ParseError::NotJson));
        for (from, to, wrong) in [
            ("\"format\": 1", "\"format\": 2", ParseError::OtherFormat),
            ("sha256:", "sha1:", ParseError::Field("keys")),
            ("\"onvif\"", "\"http\"", ParseError::Field("keys")),
        ] {
            assert_eq!(LearntKeys::from_text(&text.replace(from, to), &gate), Err(wrong), "{to}");
        }
    }
}

//! The record of one camera, and its file format.
//!
//! JSON is read field by field: an unknown format, a missing field or a field of another type makes
//! the whole record useless, because half a record could lead to the wrong camera.

use serde_json::{Value, json};

use crate::{
    camera::{CameraId, Source, StreamSource, StreamUri, Transport},
    device_id::DeviceId,
};

/// Incremented when an older agent would misread a file. Files of other formats are ignored, never
/// converted: the camera gives everything again.
const FORMAT: u64 = 1;

/// Names the program to a person who finds the file.
const MAKER: &str = "cctv-agent";

const TRANSPORTS: [(Transport, &str); 2] = [(Transport::Tcp, "tcp"), (Transport::Udp, "udp")];

/// What an agent needs to show a camera again after a restart without ONVIF.
#[derive(Clone, Debug, PartialEq)]
pub struct CameraRecord {
    pub fingerprint: ConfigFingerprint,
    pub identity: Identity,
    /// Where the camera's ONVIF service answered.
    pub address: Option<Address>,
    /// How the camera accepted the login, in the ONVIF client's own notation.
    pub authentication: Option<String>,
    pub stream: Option<Stream>,
    /// The small stream, if one is configured.
    pub small: Option<Small>,
    /// The video sources of a recorder in the order of its channels; empty for other cameras. The
    /// channels keep their numbers by it if the recorder lists its sources in another order.
    pub sources: Vec<String>,
    /// When it was learnt, in Unix seconds; the clock may have been wrong.
    pub when: u64,
}

/// The camera's configuration at the time when something was learnt. If the configuration differs
/// now, the record is invalid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFingerprint {
    pub host: Option<String>,
    pub port: u16,
    pub profile: Option<String>,
    /// As [`DeviceId::to_urn`] writes it.
    pub uuid: Option<String>,
}

/// What distinguishes a camera from others; each part is optional.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The WS-Discovery endpoint reference, as [`DeviceId::to_urn`] writes it.
    pub endpoint: Option<String>,
    pub serial: Option<String>,
    /// As [`Mac`](crate::device_id::Mac) is written.
    pub mac: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// IP address (IPv6 without brackets) or host name.
    pub host: String,
    pub port: u16,
    /// Whether it is asked over TLS.
    pub tls: bool,
}

/// A stream that was live. Its address never holds user information, but may hold other secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    pub uri: StreamUri,
    /// The token of its profile.
    pub profile: String,
    /// How the camera sent it; `None`: not known.
    pub transport: Option<Transport>,
}

/// The small stream when it was live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Small {
    /// The small profile as configured then. If the configuration differs now, this is invalid.
    pub wanted: String,
    pub stream: Stream,
}

/// Why a file cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ParseError {
    #[error("it is damaged")]
    NotJson,
    #[error("another version of cctv-agent, or another program, wrote it")]
    OtherFormat,
    #[error("it tells of another camera")]
    OtherCamera,
    #[error("its {0} is missing or makes no sense")]
    Field(&'static str),
}

impl ConfigFingerprint {
    /// `None` if there is nothing to learn, because the configuration gives the stream's address
    /// itself.
    pub fn of(stream_source: &StreamSource) -> Option<Self> {
        match &stream_source.source {
            Source::Url(_) => None,
            Source::Onvif { host, port, profile, uuid, .. } => Some(Self {
                host: host.clone(),
                port: *port,
                // A configured profile holds no control character.
                profile: match &stream_source.channel {
                    Some(channel) => Some(format!("channel\t{}", channel.number)),
                    None => profile.clone(),
                },
                uuid: uuid.as_deref().and_then(DeviceId::new).map(|id| id.to_urn()),
            }),
        }
    }
}

impl CameraRecord {
    /// Whether the two are equal except for the time at which they were learnt.
    pub fn eq_ignoring_time(&self, other: &Self) -> bool {
        *self == Self { when: self.when, ..other.clone() }
    }

    /// The content of the file of camera `id`.
    pub fn to_text(&self, id: &CameraId) -> String {
        let Self { fingerprint, identity, address, authentication, stream, small, sources, when } = self;
        let mut json = json!({
            "maker": MAKER,
            "format": FORMAT,
            "camera": id.as_str(),
            "basis": { "host": fingerprint.host, "port": fingerprint.port, "profile": fingerprint.profile, "uuid": fingerprint.uuid },
            "identity": { "endpoint": identity.endpoint, "serial": identity.serial, "mac": identity.mac },
            "address": address.as_ref().map(json_of_address),
            "authentication": authentication,
            "stream": stream.as_ref().map(json_of),
            "when": when,
        });
        // An older agent, which knows no small streams, does not need it.
        if let Some(Small { wanted, stream }) = small {
            json["small"] = json_of(stream);
            json["small"]["wanted"] = json!(wanted);
            json["small"]["same_source"] = json!(true);
        }
        if !sources.is_empty() {
            json["sources"] = json!(sources);
        }
        format!("{json:#}\n")
    }

    /// Reads what [`CameraRecord::to_text`] wrote for camera `id`.
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
        let (fingerprint, identity) = (&json["basis"], &json["identity"]);
        Ok(Self {
            fingerprint: ConfigFingerprint {
                host: optional(fingerprint, "host", text_of)?,
                port: required(fingerprint, "port", port_of)?,
                profile: optional(fingerprint, "profile", text_of)?,
                uuid: optional(fingerprint, "uuid", text_of)?,
            },
            identity: Identity {
                endpoint: optional(identity, "endpoint", text_of)?,
                serial: optional(identity, "serial", text_of)?,
                mac: optional(identity, "mac", text_of)?,
            },
            address: optional(&json, "address", address_of)?,
            authentication: optional(&json, "authentication", text_of)?,
            stream: optional(&json, "stream", stream_of)?,
            small: match json.get("small") {
                // Written by an agent that chose by size alone: it may be another camera's stream.
                Some(small) if small.is_object() && small.get("same_source").is_none() => None,
                None => None,
                Some(small) => Some(small_of(small).ok_or(ParseError::Field("small"))?),
            },
            sources: match json.get("sources") {
                None => Vec::new(),
                Some(sources) => sources_of(sources).ok_or(ParseError::Field("sources"))?,
            },
            when: required(&json, "when", Value::as_u64)?,
        })
    }
}

/// Whether any version of this program wrote `text`.
pub fn is_ours(text: &str) -> bool {
    serde_json::from_str::<Value>(text).is_ok_and(|json| json["maker"] == MAKER)
}

fn required<T>(json: &Value, name: &'static str, read: fn(&Value) -> Option<T>) -> Result<T, ParseError> {
    read(&json[name]).ok_or(ParseError::Field(name))
}

/// A field that is `null` if nothing is known; it must be present.
fn optional<T>(json: &Value, name: &'static str, read: fn(&Value) -> Option<T>) -> Result<Option<T>, ParseError> {
    match json.get(name) {
        None => Err(ParseError::Field(name)),
        Some(Value::Null) => Ok(None),
        Some(value) => read(value).map(Some).ok_or(ParseError::Field(name)),
    }
}

fn text_of(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn port_of(value: &Value) -> Option<u16> {
    value.as_u64().and_then(|port| u16::try_from(port).ok()).filter(|port| *port != 0)
}

fn address_of(value: &Value) -> Option<Address> {
    let host = text_of(&value["host"]).filter(|host| !host.is_empty())?;
    let tls = match value.get("tls") {
        None => false,
        Some(tls) => tls.as_bool()?,
    };
    Some(Address { host, port: port_of(&value["port"])?, tls })
}

fn json_of_address(address: &Address) -> Value {
    let mut json = json!({ "host": address.host, "port": address.port });
    // An older agent, which knows no TLS, does not need it.
    if address.tls {
        json["tls"] = json!(true);
    }
    json
}

fn json_of(stream: &Stream) -> Value {
    let mut json = json!({ "uri": stream.uri.as_str(), "profile": stream.profile });
    // An older agent, which reads no transport, does not need it.
    if let Some((_, name)) = TRANSPORTS.iter().find(|(transport, _)| Some(*transport) == stream.transport) {
        json["transport"] = json!(name);
    }
    json
}

fn stream_of(value: &Value) -> Option<Stream> {
    let (uri, login) = StreamUri::split(value["uri"].as_str()?)?;
    // The agent never writes a login, so an address with one was written by somebody else.
    login.is_none().then_some(())?;
    let transport = match value.get("transport") {
        None => None,
        Some(name) => Some(TRANSPORTS.iter().find(|(_, known)| name == known)?.0),
    };
    Some(Stream { uri, profile: text_of(&value["profile"])?, transport })
}

fn sources_of(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(text_of).collect()
}

fn small_of(value: &Value) -> Option<Small> {
    value["same_source"].as_bool().filter(|same| *same)?;
    Some(Small { wanted: text_of(&value["wanted"])?, stream: stream_of(value)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate() -> CameraId {
        CameraId::new("gate").unwrap()
    }

    fn record() -> CameraRecord {
        let (uri, _) = StreamUri::split("rtsp://viewer:pa@192.168.1.70:554/user=admin_password=x1_channel=1").unwrap();
        CameraRecord {
            fingerprint: ConfigFingerprint { host: Some("192.168.1.64".into()), port: 80, profile: None, uuid: None },
            identity: Identity {
                endpoint: Some("urn:uuid:5f5a69c2-e0ae-504f-829b-000000000064".into()),
                serial: Some("7".into()),
                mac: None,
            },
            address: Some(Address { host: "192.168.1.70".into(), port: 8000, tls: false }),
            authentication: Some("HTTP Digest".into()),
            stream: Some(Stream { uri, profile: "Profile_1 \u{9580}".into(), transport: Some(Transport::Udp) }),
            small: None,
            sources: vec!["VideoSource_2".into(), "VideoSource_1".into()],
            when: 1_900_000_000,
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let empty = CameraRecord {
            fingerprint: ConfigFingerprint {
                host: None,
                port: 8000,
                profile: Some("p".into()),
                uuid: Some("u".into()),
            },
            identity: Identity::default(),
            address: None,
            authentication: None,
            stream: None,
            small: None,
            sources: Vec::new(),
            when: 0,
        };
        let small = record().stream.map(|stream| Small { wanted: "auto".into(), stream });
        let both = CameraRecord { small, ..record() };
        let address = record().address.map(|address| Address { tls: true, ..address });
        let over_tls = CameraRecord { address, ..record() };
        for record in [record(), empty, both, over_tls] {
            assert_eq!(CameraRecord::from_text(&record.to_text(&gate()), &gate()), Ok(record));
        }
    }

    #[test]
    fn stream_address_is_kept_whole_but_without_user_information() {
        let text = record().to_text(&gate());
        assert!(text.contains("rtsp://192.168.1.70:554/user=admin_password=x1_channel=1"), "{text}");
        assert!(!text.contains("viewer") && !text.contains("pa@"), "{text}");
    }

    #[test]
    fn file_of_an_agent_that_kept_no_transport_is_read() {
        let text = record().to_text(&gate());
        let mut json: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["stream"].as_object_mut().unwrap().remove("transport"), Some(json!("udp")));
        let stream = CameraRecord::from_text(&json.to_string(), &gate()).unwrap().stream.unwrap();
        assert_eq!(stream, Stream { transport: None, ..record().stream.unwrap() });
    }

    #[test]
    fn time_alone_is_no_news() {
        let later = CameraRecord { when: 2, ..record() };
        assert!(record().eq_ignoring_time(&later));
        assert!(!record().eq_ignoring_time(&CameraRecord { authentication: None, ..later }));
    }

    #[test]
    fn every_truncation_is_damage() {
        let text = record().to_text(&gate());
        for end in 0..text.trim_end().len() {
            if let Some(part) = text.get(..end) {
                assert_eq!(CameraRecord::from_text(part, &gate()), Err(ParseError::NotJson), "{end} bytes");
            }
        }
    }

    #[test]
    fn every_missing_or_odd_field_is_damage() {
        let whole: Value = serde_json::from_str(&record().to_text(&gate())).unwrap();
        let paths: Vec<String> = whole.as_object().unwrap().iter().fold(Vec::new(), |mut paths, (key, value)| {
            paths.push(format!("/{key}"));
            paths.extend(
                value.as_object().into_iter().flat_map(|inner| inner.keys().map(move |k| format!("/{key}/{k}"))),
            );
            paths
        });
        assert!(paths.len() > 15, "{paths:?}");
        for path in paths {
            for odd in [json!(-1), json!([7]), json!(true)] {
                let mut json = whole.clone();
                *json.pointer_mut(&path).unwrap() = odd;
                assert!(CameraRecord::from_text(&json.to_string(), &gate()).is_err(), "{path}: {json}");
            }
            let (parent, key) = path.rsplit_once('/').unwrap();
            if ["transport", "sources"].contains(&key) {
                // Older agents kept none.
                continue;
            }
            let mut json = whole.clone();
            json.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(key);
            assert!(CameraRecord::from_text(&json.to_string(), &gate()).is_err(), "without {path}");
        }
    }

    #[test]
    fn foreign_files_are_not_taken() {
        let text = record().to_text(&gate());
        for (from, to, damage) in [
            ("\"format\": 1", "\"format\": 2", ParseError::OtherFormat),
            ("cctv-agent", "another", ParseError::OtherFormat),
            ("\"gate\"", "\"Gate\"", ParseError::OtherCamera),
            ("rtsp://", "http://", ParseError::Field("stream")),
            ("rtsp://", "rtsp://user:word@", ParseError::Field("stream")),
            (": 8000", ": 0", ParseError::Field("address")),
        ] {
            assert!(text.contains(from), "{from}");
            assert_eq!(CameraRecord::from_text(&text.replace(from, to), &gate()), Err(damage), "{to}");
        }
        assert_eq!(CameraRecord::from_text("[]", &gate()), Err(ParseError::OtherFormat));
    }
}

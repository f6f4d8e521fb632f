//! How discovery finds the camera: the keys of WS-Discovery and SSDP, with the quirks of real
//! cameras.

use crate::pairs::{Pairs, on_or_off};

const BASIC_DEVICE: &str = "urn:schemas-upnp-org:device:Basic:1";

#[derive(Clone, Debug, PartialEq)]
pub struct Announcement {
    pub wsd: bool,
    pub answers: Answers,
    /// Responses come from a port that the system chose, not from 3702 or 1900.
    pub any_port: bool,
    /// The prefix of the endpoint's UUID: `urn:uuid:` or `uuid:`.
    pub endpoint_prefix: &'static str,
    pub addresses: Addresses,
    /// Location of the camera in its scopes.
    pub location: Option<String>,
    pub ssdp: bool,
    /// The UPnP device type that it announces.
    pub upnp_type: String,
}

/// Which probes the camera answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// Only probes for `dn:NetworkVideoTransmitter`.
    Transmitter,
    /// Only probes for `tds:Device`.
    Device,
    /// Probes for one of these types or both.
    Typed,
    /// Also probes that name no type.
    Any,
}

/// Which addresses of its ONVIF service the camera announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addresses {
    Own,
    /// Two unreachable link-local addresses, then its own.
    LinkLocalFirst,
    /// 0.0.0.0, like a camera that does not know its address.
    Zero,
    /// A host name that cannot be resolved.
    HostName,
}

impl Announcement {
    /// Takes the keys of discovery from `pairs`.
    pub fn read(pairs: &mut Pairs) -> Result<Self, String> {
        Ok(Self {
            wsd: pairs.word("wsd", false, on_or_off)?,
            answers: pairs.word("answers", Answers::Any, |word| match word {
                "nvt" => Some(Answers::Transmitter),
                "device" => Some(Answers::Device),
                "typed" => Some(Answers::Typed),
                "any" => Some(Answers::Any),
                _ => None,
            })?,
            any_port: pairs.word("reply-port", false, |word| match word {
                "3702" => Some(false),
                "any" => Some(true),
                _ => None,
            })?,
            endpoint_prefix: pairs.word("epr", "urn:uuid:", |word| match word {
                "urn:uuid:" => Some("urn:uuid:"),
                "uuid:" => Some("uuid:"),
                _ => None,
            })?,
            addresses: pairs.word("xaddrs", Addresses::Own, |word| match word {
                "own" => Some(Addresses::Own),
                "link-local-first" => Some(Addresses::LinkLocalFirst),
                "zero" => Some(Addresses::Zero),
                "hostname" => Some(Addresses::HostName),
                _ => None,
            })?,
            location: pairs.take("location").filter(|location| !location.is_empty()),
            ssdp: pairs.word("ssdp", false, on_or_off)?,
            upnp_type: pairs.take("upnp-type").unwrap_or_else(|| BASIC_DEVICE.to_owned()),
        })
    }

    pub fn is_any(&self) -> bool {
        self.wsd || self.ssdp
    }
}

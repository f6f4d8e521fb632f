//! Discovery of cameras: which devices are on the network, and where a known camera is now.
//!
//! [`Search`] asks by WS-Discovery ([`wsd`]) and SSDP ([`ssdp`]) on every interface. [`listen`]
//! receives what devices announce by themselves. Both return [`DiscoveredDevice`]s. Datagrams come
//! from anybody, so nothing in a discovered device is certain: it says where to ask, and the device
//! itself, asked by ONVIF, says who it is. This module knows no password. [`local_cameras`] lists the cameras at
//! this machine, which no network tells.
//!
//! ```
//! use cctv_agent::discovery::{DatagramSource, wsd};
//!
//! // What a camera at 192.168.1.64 answers to a probe.
//! let answer = r#"<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"
//!     xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"
//!     xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"
//!     xmlns:dn="http://www.onvif.org/ver10/network/wsdl">
//!   <e:Header>
//!     <a:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/ProbeMatches</a:Action>
//!     <a:RelatesTo>uuid:our-question</a:RelatesTo>
//!   </e:Header>
//!   <e:Body><d:ProbeMatches><d:ProbeMatch>
//!     <a:EndpointReference><a:Address>urn:uuid:5f5a69c2-e0ae-504f-829b-000000000064</a:Address></a:EndpointReference>
//!     <d:Types>dn:NetworkVideoTransmitter</d:Types>
//!     <d:Scopes>onvif://www.onvif.org/name/Gate onvif://www.onvif.org/hardware/X100</d:Scopes>
//!     <d:XAddrs>http://192.168.1.64/onvif/device_service</d:XAddrs>
//!   </d:ProbeMatch></d:ProbeMatches></e:Body>
//! </e:Envelope>"#;
//!
//! let message = wsd::parse(answer.as_bytes()).expect("a whole message of a device");
//! let device = &message.devices[0];
//! assert!(message.answers("our-question") && device.is_onvif());
//! assert_eq!((device.scopes.name.as_deref(), device.scopes.hardware.as_deref()), (Some("Gate"), Some("X100")));
//! let origin = DatagramSource::new("192.168.1.64".parse()?);
//! assert_eq!(device.addresses(&origin)[0].to_string(), "http://192.168.1.64:80/onvif/device_service");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod description;
mod device_list;
mod discovered_device;
mod interfaces;
mod listen;
mod rate_limiter;
mod scopes;
mod search;
mod socket_set;
pub mod ssdp;
mod video_devices;
pub mod wsd;
mod xaddr;

pub use self::{
    description::Description,
    discovered_device::{DeviceMatcher, DiscoveredDevice, DiscoveryMethod},
    interfaces::{InterfaceAddress, Subnet, entries_with, interface_addresses},
    listen::{Announcement, Event, listen},
    scopes::Scopes,
    search::{Findings, Limits, Search},
    video_devices::{LocalCamera, local_cameras},
    xaddr::{DEVICE_PATH, DatagramSource, XAddr},
};

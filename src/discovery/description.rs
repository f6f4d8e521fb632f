//! The description of a UPnP device. It is fetched only from the host that announced it.
//!
//! Any host on the network can announce any address. If descriptions were fetched from other hosts,
//! strangers could make us send requests to any host, also behind a firewall.

use std::{
    net::{IpAddr, SocketAddr, SocketAddrV6},
    time::Duration,
};

use smol::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::xaddr::{DatagramSource, XAddr};
use crate::{
    device_id::{DeviceId, Mac},
    http_client::{self, response},
    time::timeout,
    uri::split_authority,
    xml,
};

/// Maximum number of bytes that are read of a description, including the HTTP head.
const MAX_LEN: usize = 256 << 10;
/// Maximum number of characters kept of one fact.
const MAX_FACT_LEN: usize = 120;

/// Maximum length of the path of a description, in bytes.
const MAX_PATH_LEN: usize = 512;

/// Ports that makers use for ONVIF if it is not on the port of their web page.
const USUAL_PORTS: [u16; 7] = [80, 8000, 8080, 8899, 2020, 8999, 443];

/// What the root device of a description reports about itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Description {
    pub device_type: Option<String>,
    pub friendly_name: Option<String>,
    pub manufacturer: Option<String>,
    pub model_name: Option<String>,
    pub model_number: Option<String>,
    pub serial: Option<String>,
    /// As sent.
    pub udn: Option<String>,
    /// The device's web page, as sent; may be relative to the address of the description.
    pub presentation: Option<String>,
}

impl Description {
    /// Returns the normal form of [`Description::udn`].
    pub fn identity(&self) -> Option<DeviceId> {
        self.udn.as_deref().and_then(DeviceId::new)
    }

    /// Returns the MAC in the serial number, or else in the name.
    pub fn mac(&self) -> Option<Mac> {
        self.serial.as_deref().and_then(Mac::new).or_else(|| self.identity().and_then(|identity| identity.mac()))
    }

    /// Whether it says that it is a camera, or its maker produces hardly anything else.
    pub fn is_camera(&self) -> bool {
        let texts = [&self.device_type, &self.friendly_name, &self.manufacturer, &self.model_name, &self.udn];
        let marks = ["camera", "axis", "dahua", "hikvision", "hanwha", "uniview", "vivotek", "embeddednetdevice"];
        texts.into_iter().flatten().any(|text| {
            let text = text.to_lowercase();
            marks.iter().any(|mark| text.contains(mark))
        })
    }
}

/// Parses a description. `None` if it is not one.
pub fn parse(body: &[u8]) -> Option<Description> {
    let root = xml::read(body).ok().filter(|root| root.name == "root")?;
    let device = root.child("device")?;
    let fact = |name: &str| device.text_at(&[name]).map(|text| text.chars().take(MAX_FACT_LEN).collect::<String>());
    Some(Description {
        device_type: fact("deviceType"),
        friendly_name: fact("friendlyName"),
        manufacturer: fact("manufacturer"),
        model_name: fact("modelName"),
        model_number: fact("modelNumber"),
        serial: fact("serialNumber"),
        udn: fact("UDN"),
        presentation: fact("presentationURL"),
    })
}

/// Returns where to ask the device at `origin` for ONVIF: the port of its web page,
/// if that is on the same host, then the usual ports. Only on that host: a page
/// elsewhere belongs to another device.
pub fn xaddrs_to_ask(presentation: Option<&str>, origin: &DatagramSource) -> Vec<XAddr> {
    let page = presentation.and_then(|page| XAddr::parse(page, origin));
    let page = page.filter(|page| page.ip() == Some(origin.source));
    let mut xaddrs: Vec<XAddr> = Vec::new();
    if let Some(page) = page {
        // A device with HTTPS on 443 often gives its address as `http://host:443/`.
        xaddrs.push(XAddr { secure: page.secure || page.port == 443, ..XAddr::at(&page.host, page.port) });
    }
    for port in USUAL_PORTS {
        if !xaddrs.iter().any(|xaddr| xaddr.port == port) {
            xaddrs.push(XAddr::at(&origin.host(), port));
        }
    }
    // Plain HTTP first: this program does not speak HTTPS.
    xaddrs.sort_by_key(|xaddr| xaddr.secure);
    xaddrs
}

/// A checked address from which to fetch a description.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    address: SocketAddr,
    path: String,
}

impl Location {
    /// Parses the address in `text`, as announced by `origin`. `None`
    /// unless it is HTTP on the same host.
    pub fn parse(text: &str, origin: &DatagramSource) -> Option<Self> {
        let (scheme, rest) = text.trim().split_once("://")?;
        let rest = rest.split('#').next()?;
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (host, port) = split_authority(authority)?;
        let announced: IpAddr = host.split('%').next()?.parse().ok()?;
        let is_sendable = path.len() <= MAX_PATH_LEN && !path.contains(|c: char| c.is_whitespace() || c.is_control());
        if !scheme.eq_ignore_ascii_case("http") || announced != origin.source || !is_sendable {
            return None;
        }
        let port = port.unwrap_or(80);
        let address = match (announced, origin.link) {
            (IpAddr::V6(ip), Some(link)) if ip.is_unicast_link_local() => SocketAddrV6::new(ip, port, 0, link).into(),
            (ip, _) => SocketAddr::new(ip, port),
        };
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Some(Self { address, path })
    }

    /// The host of the address.
    pub fn ip(&self) -> IpAddr {
        self.address.ip()
    }
}

/// Fetches and parses the description at `location`. `None` if that fails or takes longer than
/// `limit`; redirects are not followed.
pub async fn fetch(location: &Location, limit: Duration) -> Option<Description> {
    timeout(limit, get(location)).await.flatten()
}

async fn get(location: &Location) -> Option<Description> {
    let mut stream = TcpStream::connect(location.address).await.ok()?;
    let request = http_client::get(&location.address.ip().to_string(), location.address.port(), &location.path);
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut reader = response::Reader::default();
    let mut buffer = vec![0; 16 << 10];
    let mut total = 0;
    loop {
        let count = stream.read(&mut buffer).await.ok()?;
        total += count;
        if total > MAX_LEN {
            return None;
        }
        if count == 0 || reader.feed(&buffer[..count]).ok()? {
            break;
        }
    }
    let response = reader.finish().ok()?;
    if response.status == Some(200) { parse(&response.body) } else { None }
}

#[cfg(test)]
mod tests;

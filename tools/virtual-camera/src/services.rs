//! The ONVIF device service: the camera's identity, time and services.

use std::{fmt::Write as _, net::SocketAddr};

use crate::{
    calendar::Moment,
    camera::{Camera, lasting_uuid},
    device::{DEVICE_PATH, Device, MEDIA_PATH, MEDIA2_PATH, PTZ_PATH},
    events::EVENTS_PATH,
    http::Response,
    soap::{self, Call, Fault, text},
};

const FIRMWARE: &str = "1.0.0";

/// Answers a call of the device service; `reached` is the local address the client connected to.
pub fn answer(device: &Device, reached: SocketAddr, call: &Call) -> Result<Response, Fault> {
    let camera = &device.camera;
    let content = match call.operation.as_str() {
        "GetSystemDateAndTime" => date_and_time(camera),
        "GetServices" => services(camera, reached),
        "GetCapabilities" => capabilities(camera, reached),
        "GetDeviceInformation" => format!(
            "<tds:Manufacturer>{}</tds:Manufacturer><tds:Model>{}</tds:Model>\
             <tds:FirmwareVersion>{FIRMWARE}</tds:FirmwareVersion><tds:SerialNumber>{}</tds:SerialNumber>\
             <tds:HardwareId>virtual</tds:HardwareId>",
            text(&camera.settings.maker),
            text(&camera.settings.model),
            text(&camera.settings.serial)
        ),
        "GetEndpointReference" if camera.settings.anonymous => return Err(Fault::ActionNotSupported),
        "GetEndpointReference" => format!("<tds:GUID>{}</tds:GUID>", camera.endpoint),
        "GetScopes" => scopes(camera),
        "GetNetworkInterfaces" => network_interfaces(camera, reached),
        "GetHostname" => format!(
            "<tds:HostnameInformation><tt:FromDHCP>false</tt:FromDHCP><tt:Name>{}</tt:Name></tds:HostnameInformation>",
            text(&camera.settings.id)
        ),
        _ => return Err(Fault::ActionNotSupported),
    };
    Ok(soap::answer("tds", &call.operation, &content))
}

/// The camera's scopes as URIs; discovery announces the same.
pub fn scope_uris(camera: &Camera) -> Vec<String> {
    let settings = &camera.settings;
    let location = settings.announcement.location.iter();
    let mut scopes = vec![
        "onvif://www.onvif.org/type/video_encoder".into(),
        "onvif://www.onvif.org/Profile/Streaming".into(),
        format!("onvif://www.onvif.org/name/{}", percent(&settings.name)),
        format!("onvif://www.onvif.org/hardware/{}", percent(&settings.model)),
        format!("onvif://www.onvif.org/MAC/{}", hardware_address(camera)),
    ];
    scopes.extend(location.map(|location| format!("onvif://www.onvif.org/location/{}", percent(location))));
    scopes
}

fn date_and_time(camera: &Camera) -> String {
    let now = Moment::from_unix(camera.clock_s());
    let clock = format!(
        "<tt:Time><tt:Hour>{}</tt:Hour><tt:Minute>{}</tt:Minute><tt:Second>{}</tt:Second></tt:Time>\
         <tt:Date><tt:Year>{}</tt:Year><tt:Month>{}</tt:Month><tt:Day>{}</tt:Day></tt:Date>",
        now.hour, now.minute, now.second, now.year, now.month, now.day
    );
    format!(
        "<tds:SystemDateAndTime><tt:DateTimeType>Manual</tt:DateTimeType><tt:DaylightSavings>false</tt:DaylightSavings>\
         <tt:TimeZone><tt:TZ>UTC0</tt:TZ></tt:TimeZone><tt:UTCDateTime>{clock}</tt:UTCDateTime>\
         <tt:LocalDateTime>{clock}</tt:LocalDateTime></tds:SystemDateAndTime>"
    )
}

fn services(camera: &Camera, reached: SocketAddr) -> String {
    let media = camera.settings.media;
    let offered = [
        (soap::DEVICE, DEVICE_PATH, (2, 60), true),
        (soap::MEDIA, MEDIA_PATH, (2, 60), media.has_one()),
        (soap::MEDIA2, MEDIA2_PATH, (2, 0), media.has_two()),
        (soap::EVENTS, EVENTS_PATH, (2, 0), camera.settings.events.is_some()),
        (soap::PTZ, PTZ_PATH, (2, 60), camera.settings.ptz.is_some()),
    ];
    offered.iter().filter(|(.., offered)| *offered).fold(String::new(), |mut content, (namespace, path, version, _)| {
        let _ = write!(
            content,
            "<tds:Service><tds:Namespace>{namespace}</tds:Namespace><tds:XAddr>http://{reached}{path}</tds:XAddr>\
             <tds:Version><tt:Major>{}</tt:Major><tt:Minor>{}</tt:Minor></tds:Version></tds:Service>",
            version.0, version.1
        );
        content
    })
}

/// This older form cannot name the second media service.
fn capabilities(camera: &Camera, reached: SocketAddr) -> String {
    let media = if camera.settings.media.has_one() {
        format!(
            "<tt:Media><tt:XAddr>http://{reached}{MEDIA_PATH}</tt:XAddr><tt:StreamingCapabilities>\
             <tt:RTPMulticast>false</tt:RTPMulticast><tt:RTP_TCP>true</tt:RTP_TCP>\
             <tt:RTP_RTSP_TCP>true</tt:RTP_RTSP_TCP></tt:StreamingCapabilities></tt:Media>"
        )
    } else {
        String::new()
    };
    let ptz = match camera.settings.ptz {
        Some(_) => format!("<tt:PTZ><tt:XAddr>http://{reached}{PTZ_PATH}</tt:XAddr></tt:PTZ>"),
        None => String::new(),
    };
    format!(
        "<tds:Capabilities><tt:Device><tt:XAddr>http://{reached}{DEVICE_PATH}</tt:XAddr></tt:Device>{media}{ptz}\
         </tds:Capabilities>"
    )
}

fn scopes(camera: &Camera) -> String {
    scope_uris(camera).iter().fold(String::new(), |mut content, scope| {
        let _ = write!(
            content,
            "<tds:Scopes><tt:ScopeDef>Fixed</tt:ScopeDef><tt:ScopeItem>{}</tt:ScopeItem></tds:Scopes>",
            text(scope)
        );
        content
    })
}

fn network_interfaces(camera: &Camera, reached: SocketAddr) -> String {
    let address = reached.ip();
    let (family, prefix) = if address.is_ipv4() { ("IPv4", 8) } else { ("IPv6", 128) };
    format!(
        "<tds:NetworkInterfaces token=\"eth0\"><tt:Enabled>true</tt:Enabled><tt:Info><tt:Name>eth0</tt:Name>\
         <tt:HwAddress>{}</tt:HwAddress><tt:MTU>1500</tt:MTU></tt:Info><tt:{family}><tt:Enabled>true</tt:Enabled>\
         <tt:Config><tt:Manual><tt:Address>{address}</tt:Address><tt:PrefixLength>{prefix}</tt:PrefixLength></tt:Manual>\
         <tt:DHCP>false</tt:DHCP></tt:Config></tt:{family}></tds:NetworkInterfaces>",
        hardware_address(camera)
    )
}

/// A locally administered MAC address, constant for a camera, and unique even if the UUID is
/// shared.
pub fn hardware_address(camera: &Camera) -> String {
    let own = lasting_uuid(&camera.settings.id, &camera.settings.serial);
    // These digits depend on the serial number and the id.
    let digits: Vec<char> = own[2..8].chars().chain(own[own.len() - 4..].chars()).collect();
    let pairs: Vec<String> = digits.chunks(2).map(|pair| pair.iter().collect()).collect();
    format!("02:{}", pairs.join(":"))
}

/// Encodes all but the unreserved characters of RFC 3986 as `%XX`.
fn percent(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(byte.into());
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

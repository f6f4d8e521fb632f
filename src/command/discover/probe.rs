//! Asks all discovered devices at once, without a login, what they report about themselves.
//!
//! Each device is asked only on the host that its datagram came from. Anybody on the network can
//! announce any address, and must not choose which hosts this command contacts.

use std::time::Duration;

use smol::Executor;

use crate::{
    camera::fingerprint::Fingerprint,
    device_id::DeviceId,
    discovery::{DiscoveredDevice, XAddr},
    http_client::{self, Limits},
    onvif::{
        self, DeviceInformation, Profile, responses,
        soap::{self, Access, CallError, DEVICE, Operation, SoapDialect},
        transport,
    },
    time::timeout,
    tls::client::KeyCheck,
    xml::Element,
};

/// Time limits of one request; they are short because the devices are near.
const LIMITS: Limits = Limits {
    connect: Duration::from_millis(800),
    call: Duration::from_millis(1500),
    quiet: Duration::from_millis(250),
};

/// Time limit for all requests to one device.
const WHOLE: Duration = Duration::from_secs(4);

/// What a device reported.
#[derive(Debug, Default, PartialEq)]
pub struct DeviceAnswers {
    /// Empty if the device requires a login for it.
    pub device: DeviceInformation,
    pub identity: Option<DeviceId>,
    /// Empty if the device requires a login for it.
    pub profiles: Vec<Profile>,
    /// Its TLS key, if it was asked over TLS.
    pub key: Option<Fingerprint>,
}

/// Asks every device. Returns each with the address that answered and what it reported, if it did.
pub async fn all(discovered_devices: Vec<DiscoveredDevice>) -> Vec<(DiscoveredDevice, Option<(XAddr, DeviceAnswers)>)> {
    let executor = Executor::new();
    let tasks: Vec<_> = discovered_devices.into_iter().map(|discovered| executor.spawn(one(discovered))).collect();
    let collect = async {
        let mut answers = Vec::new();
        for task in tasks {
            answers.push(task.await);
        }
        answers
    };
    executor.run(collect).await
}

async fn one(discovered: DiscoveredDevice) -> (DiscoveredDevice, Option<(XAddr, DeviceAnswers)>) {
    let answer = timeout(WHOLE, question(&discovered)).await.flatten();
    (discovered, answer)
}

async fn question(discovered: &DiscoveredDevice) -> Option<(XAddr, DeviceAnswers)> {
    let mut here: Vec<_> = discovered.xaddrs.iter().filter(|xaddr| xaddr.ip() == Some(discovered.source)).collect();
    here.sort_by_key(|xaddr| xaddr.secure);
    for xaddr in here {
        let tls = xaddr.secure.then(KeyCheck::default);
        let target = onvif::Target { host: xaddr.host.clone(), port: xaddr.port, tls, credentials: None };
        let call = |name: &'static str| call(&target, &xaddr.path, name);
        let answers = match call("GetSystemDateAndTime").await {
            Some(Ok(_) | Err(CallError::Fault(_))) => true,
            // Any web server may ask for a login. That counts only if
            // the device is known to speak ONVIF.
            Some(Err(CallError::Login { .. })) => discovered.identity.is_some(),
            _ => false,
        };
        if !answers {
            continue;
        }
        let device = call("GetDeviceInformation").await.and_then(Result::ok);
        let identity = match &discovered.identity {
            Some(identity) => Some(identity.clone()),
            None => {
                let endpoint = call("GetEndpointReference").await.and_then(Result::ok);
                endpoint.and_then(|answer| responses::endpoint(&answer)).and_then(|text| DeviceId::new(&text))
            }
        };
        let device = device.map(|answer| responses::device_information(&answer).bounded()).unwrap_or_default();
        let profiles = onvif::profiles_within(&target, LIMITS).await.unwrap_or_default();
        let key = target.tls.as_ref().and_then(KeyCheck::seen).map(|seen| seen.key);
        return Some((xaddr.clone(), DeviceAnswers { device, identity, profiles, key }));
    }
    None
}

/// Calls an operation without parameters and without a login. `None`: no readable response.
async fn call(target: &onvif::Target, path: &str, name: &'static str) -> Option<Result<Element, CallError>> {
    let operation =
        Operation { namespace: DEVICE, name, parameters: String::new(), access: Access::Anonymous, addressing: None };
    let (lines, body) = operation.to_http(SoapDialect::Action, "");
    let message = http_client::post(&target.host, target.port, path, &lines, &body);
    let response = transport::exchange(target, target.port, message.as_bytes(), LIMITS, None).await.ok()?;
    Some(soap::open(&response))
}

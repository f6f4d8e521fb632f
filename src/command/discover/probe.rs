//! What found devices tell without a login, all of them asked at once.
//!
//! Each is asked on no other host than the one its datagram came from: whoever is on the network can
//! name any address, and is not to choose whom we bother.

use std::time::Duration;

use smol::{Executor, Timer, future::FutureExt};

use crate::{
    discovery::{DiscoveredDevice, Identity, XAddr},
    http_client::{self, Limits, in_brackets},
    onvif::{
        self, DeviceInformation, Profile, responses,
        soap::{self, Access, CallError, DEVICE, Operation, SoapDialect},
    },
    xml::Element,
};

/// One question: the devices are near.
const LIMITS: Limits = Limits {
    connect: Duration::from_millis(800),
    call: Duration::from_millis(1500),
    quiet: Duration::from_millis(250),
};

/// All questions to one device.
const WHOLE: Duration = Duration::from_secs(4);

/// What a device told.
#[derive(Debug, Default, PartialEq)]
pub struct DeviceAnswers {
    /// Empty where it wants a login for that.
    pub device: DeviceInformation,
    pub identity: Option<Identity>,
    /// Empty where it wants a login for that.
    pub profiles: Vec<Profile>,
}

/// Asks every device; with each comes where it answered and what it told, if it did.
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
    let deadline = async {
        Timer::after(WHOLE).await;
        None
    };
    let answer = question(&discovered).or(deadline).await;
    (discovered, answer)
}

async fn question(discovered: &DiscoveredDevice) -> Option<(XAddr, DeviceAnswers)> {
    let here = |xaddr: &&XAddr| !xaddr.secure && xaddr.ip() == Some(discovered.source);
    for xaddr in discovered.xaddrs.iter().filter(here) {
        let answers = match call(xaddr, "GetSystemDateAndTime").await {
            Some(Ok(_) | Err(CallError::Fault(_))) => true,
            // Any web server asks for a login; only a device known to speak ONVIF means that by it.
            Some(Err(CallError::Login { .. })) => discovered.identity.is_some(),
            _ => false,
        };
        if !answers {
            continue;
        }
        let device = call(xaddr, "GetDeviceInformation").await.and_then(Result::ok);
        let identity = match &discovered.identity {
            Some(identity) => Some(identity.clone()),
            None => {
                let endpoint = call(xaddr, "GetEndpointReference").await.and_then(Result::ok);
                endpoint.and_then(|answer| responses::endpoint(&answer)).and_then(|text| Identity::new(&text))
            }
        };
        let device = device.map(|answer| responses::device_information(&answer).bounded()).unwrap_or_default();
        let target = onvif::Target { host: xaddr.host.clone(), port: xaddr.port, credentials: None };
        let profiles = onvif::profiles_within(&target, LIMITS).await.unwrap_or_default();
        return Some((xaddr.clone(), DeviceAnswers { device, identity, profiles }));
    }
    None
}

/// One operation without parameters and without a login. `None`: no answer that can be read.
async fn call(xaddr: &XAddr, name: &'static str) -> Option<Result<Element, CallError>> {
    let operation = Operation { namespace: DEVICE, name, parameters: String::new(), access: Access::Anonymous };
    let (lines, body) = operation.to_http(SoapDialect::Action, "");
    let message = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\n{lines}Content-Length: {length}\r\n\
         Accept-Encoding: identity\r\nConnection: close\r\n\r\n{body}",
        path = xaddr.path,
        host = in_brackets(xaddr.host.split('%').next().unwrap_or("")),
        port = xaddr.port,
        length = body.len()
    );
    let response = http_client::exchange(&xaddr.host, xaddr.port, message.as_bytes(), LIMITS, None).await.ok()?;
    Some(soap::open(&response))
}

//! The events of a device, by a pull point: a subscription that the device keeps for a minute at a time and is asked
//! for messages (ONVIF Core, Event handling).

use std::time::{Duration, Instant};

use super::{
    Target,
    auth::Authentication,
    clock::CivilTime,
    device::Device,
    error::{Error, Malformed},
    notifications::{Notification, notifications},
    services,
    soap::{Access, Addressing, EVENTS, NOTIFICATION, Operation},
    uri_repair::Service,
};
use crate::{
    device_id::random_uuid,
    http_client::Limits,
    xml::{Element, escape},
};

/// How long a device is asked to keep the subscription. The standard wants it to accept a minute at least; what it
/// really says counts.
const LIFETIME: Duration = Duration::from_secs(60);
/// Shortest lifetime that is believed: some devices say that the subscription ended before it began.
const MIN_LIFETIME: Duration = Duration::from_secs(10);
/// How long a device may hold back its answer until something happens.
const HOLD: Duration = Duration::from_secs(20);
/// Paths at which devices have an event service although they do not report one.
const GUESSES: [&str; 3] = ["/onvif/event_service", "/onvif/Events", "/onvif/events"];
/// Maximum length of what a device wants to have back in the header of each request, in bytes.
const MAX_REFERENCE_LEN: usize = 2048;

/// Actions of WS-Addressing for the requests to a subscription.
const PULL: &str = "http://www.onvif.org/ver10/events/wsdl/PullPointSubscription/PullMessagesRequest";
const SYNCHRONIZE: &str = "http://www.onvif.org/ver10/events/wsdl/PullPointSubscription/SetSynchronizationPointRequest";
const RENEW: &str = "http://docs.oasis-open.org/wsn/bw-2/SubscriptionManager/RenewRequest";
const UNSUBSCRIBE: &str = "http://docs.oasis-open.org/wsn/bw-2/SubscriptionManager/UnsubscribeRequest";

/// Limits for a request whose answer a device may hold back.
const LIMITS: Limits = Limits {
    connect: Duration::from_secs(5),
    call: Duration::from_secs(HOLD.as_secs() + 10),
    quiet: Duration::from_secs(1),
};

/// A subscription to all events of one device. Dropping it does not end it at the device;
/// [`unsubscribe`](Self::unsubscribe) does.
#[derive(Debug)]
pub struct PullPoint {
    device: Device,
    service: Service,
    /// Its address, as the device gave it.
    address: String,
    reference: String,
    /// When half of its lifetime is over.
    renew_at: Instant,
    /// The device does not prolong subscriptions: it ends, and is begun again.
    is_fixed: bool,
}

impl PullPoint {
    /// Asks the device for its clock and its services, and subscribes. `hint`: how it required the login before.
    ///
    /// # Errors
    /// If the device is gone, refuses the login, or has no events.
    pub async fn open(target: &Target, hint: Option<Authentication>) -> Result<Self, Error> {
        let mut device = Device::new(target, hint, LIMITS);
        device.learn_clock().await?;
        let mut services: Vec<_> = services::find(&mut device).await?.events.into_iter().collect();
        if services.is_empty() {
            services.extend(GUESSES.map(|path| Service::at(path, target.port)));
        }
        let mut failure = None;
        for mut service in services {
            // Without a time the device decides; some refuse every other.
            for time in ["<tev:InitialTerminationTime>PT60S</tev:InitialTerminationTime>", ""] {
                let operation = Operation {
                    namespace: EVENTS,
                    name: "CreatePullPointSubscription",
                    parameters: time.to_owned(),
                    access: Access::Authenticated,
                    addressing: None,
                };
                match device.call(&mut service, &operation).await {
                    Ok(answer) => return Self::begin(device, &answer).await,
                    Err(error) if error.ends_everything() => return Err(error),
                    Err(error) => super::error::remember(&mut failure, error),
                }
            }
        }
        Err(failure.expect("at least one service was asked"))
    }

    async fn begin(device: Device, answer: &Element) -> Result<Self, Error> {
        let request = "CreatePullPointSubscription";
        let given = answer.child("SubscriptionReference");
        let address = given.and_then(|given| given.text_at(&["Address"])).unwrap_or_default().to_owned();
        let target = device.target();
        let Some(service) = Service::from_xaddr(&address, target.port, target.tls.is_some()) else {
            return Err(Error::Malformed { device: device.name(), request, source: Malformed::Empty });
        };
        let reference = given.and_then(|given| given.child("ReferenceParameters")).map(as_xml).unwrap_or_default();
        let reference = if reference.len() > MAX_REFERENCE_LEN { String::new() } else { reference };
        let renew_at = Instant::now() + lifetime(answer) / 2;
        let mut begun = Self { device, service, address, reference, renew_at, is_fixed: false };
        // Devices that do not know it tell their states only as they change.
        match begun.ask(EVENTS, "SetSynchronizationPoint", SYNCHRONIZE, String::new()).await {
            Err(error) if error.ends_everything() => Err(error),
            _ => Ok(begun),
        }
    }

    /// Waits up to half a minute for messages; there may be none. Renews the subscription in time.
    ///
    /// # Errors
    /// If the device is gone, or the subscription is: begin another one.
    pub async fn pull(&mut self) -> Result<Vec<Notification>, Error> {
        if !self.is_fixed && Instant::now() >= self.renew_at {
            self.renew().await?;
        }
        let seconds = HOLD.as_secs();
        let parameters = format!("<tev:Timeout>PT{seconds}S</tev:Timeout><tev:MessageLimit>100</tev:MessageLimit>");
        let answer = self.ask(EVENTS, "PullMessages", PULL, parameters).await?;
        Ok(notifications(&answer))
    }

    async fn renew(&mut self) -> Result<(), Error> {
        let parameters = format!("<wsnt:TerminationTime>PT{}S</wsnt:TerminationTime>", LIFETIME.as_secs());
        match self.ask(NOTIFICATION, "Renew", RENEW, parameters).await {
            Ok(answer) => self.renew_at = Instant::now() + lifetime(&answer) / 2,
            Err(error @ (Error::Fault { .. } | Error::Status { .. })) => {
                log::debug!("{}: does not renew the subscription to its events: {error}", self.device.name());
                self.is_fixed = true;
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Ends the subscription at the device, which keeps few at a time.
    pub async fn unsubscribe(mut self) {
        let _ = self.ask(NOTIFICATION, "Unsubscribe", UNSUBSCRIBE, String::new()).await;
    }

    async fn ask(
        &mut self,
        namespace: &'static str,
        name: &'static str,
        action: &'static str,
        parameters: String,
    ) -> Result<Element, Error> {
        let addressing = Addressing {
            to: self.address.clone(),
            action,
            message_id: random_uuid(),
            reference: self.reference.clone(),
        };
        let operation =
            Operation { namespace, name, parameters, access: Access::Authenticated, addressing: Some(addressing) };
        self.device.call(&mut self.service, &operation).await
    }
}

/// How long the device keeps the subscription, by its own clock.
fn lifetime(answer: &Element) -> Duration {
    let time = |name: &str| answer.text_at(&[name]).and_then(CivilTime::from_xml).map(CivilTime::to_unix);
    let told = time("TerminationTime").zip(time("CurrentTime")).and_then(|(end, now)| u64::try_from(end - now).ok());
    told.map_or(LIFETIME, Duration::from_secs).clamp(MIN_LIFETIME, 10 * LIFETIME)
}

/// The children of `element` as XML, with the namespaces that they declare themselves.
fn as_xml(element: &Element) -> String {
    let child = |child: &Element| {
        let (prefix, name) = (&child.prefix, &child.name);
        let qualified = if prefix.is_empty() { name.clone() } else { format!("{prefix}:{name}") };
        let is_declaration = |(local, _): &&(String, String)| local == prefix || local == "xmlns";
        let declared = child.attributes.iter().filter(is_declaration).map(|(local, value)| {
            let name = if local == "xmlns" { local.clone() } else { format!("xmlns:{local}") };
            format!(" {name}=\"{}\"", escape(value))
        });
        let declared: String = declared.collect();
        format!("<{qualified}{declared}>{}{}</{qualified}>", escape(child.text()), as_xml(child))
    };
    element.children.iter().map(child).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml;

    #[test]
    fn reference_parameters_are_given_back_with_their_namespaces() {
        let given = "<w:ReferenceParameters><dom0:SubscriptionId xmlns:dom0=\"http://maker/2009/event\">3&amp;2\
                     </dom0:SubscriptionId><Plain xmlns=\"urn:x\"/></w:ReferenceParameters>";
        assert_eq!(
            as_xml(&xml::read(given.as_bytes()).unwrap()),
            "<dom0:SubscriptionId xmlns:dom0=\"http://maker/2009/event\">3&amp;2</dom0:SubscriptionId>\
             <Plain xmlns=\"urn:x\"></Plain>"
        );
    }

    #[test]
    fn lifetime_is_counted_by_the_clock_of_the_device() {
        let answer = |now: &str, end: &str| {
            let text = format!("<x><CurrentTime>{now}</CurrentTime><TerminationTime>{end}</TerminationTime></x>");
            lifetime(&xml::read(text.as_bytes()).unwrap()).as_secs()
        };
        assert_eq!(answer("1999-12-31T23:59:30Z", "2000-01-01T00:01:10.5Z"), 100);
        // It ended before it began, or ends in a year, or the device does not tell.
        assert_eq!(answer("2026-01-01T00:00:00Z", "2025-12-31T00:00:00Z"), 60);
        assert_eq!(answer("2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"), 10);
        assert_eq!(answer("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"), 600);
        assert_eq!(answer("now", ""), 60);
    }
}

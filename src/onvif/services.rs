//! Which services a device has, and where.

use super::{
    Target,
    device::Device,
    error::Error,
    responses,
    soap::{Access, EVENTS, MEDIA1, MEDIA2, PTZ},
    uri_repair::Service,
};

/// Paths at which devices have a media service although they do not report one.
const GUESSES: [&str; 5] =
    ["/onvif/media_service", "/onvif/Media", "/onvif/media", "/onvif/device_service", "/onvif/services"];

/// The services that are used here.
pub(super) struct Services {
    /// Never empty: given by the device, the second one first, or guessed. With each, whether it is the second
    /// media service.
    pub(super) media: Vec<(bool, Service)>,
    pub(super) ptz: Option<Service>,
    pub(super) events: Option<Service>,
    /// Whether the device has said which services it has.
    pub(super) are_told: bool,
}

/// Asks `device` for its services.
///
/// # Errors
/// If the device is gone or refuses the login. If it only does not know the operation, others are tried.
pub(super) async fn find(device: &mut Device) -> Result<Services, Error> {
    let target = device.target().clone();
    let mut services = Services { media: Vec::new(), ptz: None, events: None, are_told: false };
    match device.ask("GetServices", "<tds:IncludeCapability>false</tds:IncludeCapability>", Access::PreAuth).await {
        Ok(answer) => {
            let found = responses::services(&answer);
            let of = |namespace: &'static str| {
                let named = found.iter().filter(move |(given, _)| given == namespace);
                named.filter_map(|(_, xaddr)| service(xaddr, &target))
            };
            services.media.extend(of(MEDIA2).map(|service| (true, service)));
            services.media.extend(of(MEDIA1).map(|service| (false, service)));
            services.ptz = of(PTZ).next();
            services.events = of(EVENTS).next();
            services.are_told = !services.media.is_empty();
        }
        Err(error) => keep_on_unless_final(error)?,
    }
    if services.media.is_empty() {
        match capabilities(device).await {
            Ok(found) => {
                services.media.extend(found.of("media").map(|service| (false, service)));
                services.ptz = services.ptz.or(found.of("ptz").next());
                services.events = services.events.or(found.of("events").next());
                services.are_told = !services.media.is_empty();
            }
            Err(error) => keep_on_unless_final(error)?,
        }
    }
    if services.media.is_empty() {
        services.media.extend(GUESSES.iter().map(|path| (false, Service::at(path, target.port))));
    }
    Ok(services)
}

/// The answer to GetCapabilities.
pub(super) struct Capabilities {
    /// Name, in lower case, and address of each service.
    named: Vec<(String, String)>,
    target: Target,
}

impl Capabilities {
    /// The services with this name.
    pub(super) fn of<'c>(&'c self, name: &'c str) -> impl Iterator<Item = Service> + 'c {
        let named = self.named.iter().filter(move |(given, _)| given == name);
        named.filter_map(|(_, xaddr)| service(xaddr, &self.target))
    }
}

/// Asks `device` for its services in the older way.
///
/// # Errors
/// If the device does not answer the request.
pub(super) async fn capabilities(device: &mut Device) -> Result<Capabilities, Error> {
    let target = device.target().clone();
    let answer = device.ask("GetCapabilities", "<tds:Category>All</tds:Category>", Access::PreAuth).await?;
    Ok(Capabilities { named: responses::capabilities(&answer), target })
}

fn service(xaddr: &str, target: &Target) -> Option<Service> {
    Service::from_xaddr(xaddr, target.port, target.tls.is_some())
}

/// Returns errors that make further requests pointless. A missing login does not:
/// the next operation may need none.
fn keep_on_unless_final(error: Error) -> Result<(), Error> {
    match error {
        Error::NoCredentials { .. } => Ok(()),
        error if error.is_final() => Err(error),
        _ => Ok(()),
    }
}

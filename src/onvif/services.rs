//! Finds the services of a device by their namespaces.

use super::{device::Device, error::Error, responses, soap::Access, uri_repair::Service};

impl Device {
    /// Asks for the services with these `namespaces`; the result has the index of the namespace of each, in the order
    /// of `namespaces`. A device that does not list its services by namespace is asked in the older way, for one of
    /// the given index, by the name that it has there. Empty: it reports none of them.
    ///
    /// # Errors
    /// If the device is gone or refuses the login. If it only does not know the operation, others are tried.
    pub async fn services(
        &mut self,
        namespaces: &[&str],
        (older, name): (usize, &str),
    ) -> Result<Vec<(usize, Service)>, Error> {
        let (reach_port, tls) = (self.target().port, self.target().tls.is_some());
        let service = |xaddr: &str| Service::from_xaddr(xaddr, reach_port, tls);
        let mut services = Vec::new();
        let include = "<tds:IncludeCapability>false</tds:IncludeCapability>";
        match self.ask("GetServices", include, Access::PreAuth).await {
            Ok(answer) => {
                let found = responses::services(&answer);
                for (index, namespace) in namespaces.iter().enumerate() {
                    let named = found.iter().filter(|(given, _)| given == namespace);
                    services.extend(named.filter_map(|(_, xaddr)| Some((index, service(xaddr)?))));
                }
            }
            Err(error) => keep_on_unless_final(error)?,
        }
        if services.is_empty() {
            match self.ask("GetCapabilities", "<tds:Category>All</tds:Category>", Access::PreAuth).await {
                Ok(answer) => {
                    let found = responses::capabilities(&answer);
                    let named = found.iter().filter(|(given, _)| given == name);
                    services.extend(named.filter_map(|(_, xaddr)| Some((older, service(xaddr)?))));
                }
                Err(error) => keep_on_unless_final(error)?,
            }
        }
        Ok(services)
    }
}

/// Returns errors that make further requests pointless. A missing login does not: the next operation may need none.
fn keep_on_unless_final(error: Error) -> Result<(), Error> {
    match error {
        Error::NoCredentials { .. } => Ok(()),
        error if error.is_final() => Err(error),
        _ => Ok(()),
    }
}

//! Where a camera's ONVIF service is asked.

use crate::{
    camera::{Credentials, fingerprint::Fingerprint},
    onvif,
    store::Address,
    tls::client::KeyCheck,
};

/// One place at which to ask, for one conversation.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) at: Address,
    /// The key that it must have; `None`: it is asked in clear text.
    pub(super) check: Option<KeyCheck>,
}

impl Place {
    /// The TLS key that the camera showed; `None`: it was not asked over TLS.
    pub(super) fn shown_key(&self) -> Option<Fingerprint> {
        Some(self.check.as_ref()?.seen()?.key)
    }

    /// Whom to ask, with these `credentials`.
    pub(super) fn target(&self, credentials: Option<Credentials>) -> onvif::Target {
        onvif::Target { host: self.at.host.clone(), port: self.at.port, tls: self.check.clone(), credentials }
    }
}

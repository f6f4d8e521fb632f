//! What one conversation with a camera brought, for the keepers of both its streams.

use std::time::{SystemTime, UNIX_EPOCH};

use super::{Found, Keeping, Part, away, whereabouts::Miss};
use crate::{
    http::in_brackets,
    hub::{Cause, Place},
    log::chain,
    onvif,
    state::{Address, Basis, Identity, Learnt, Small, Stream, normalised_endpoint},
};

impl Keeping {
    /// What was found for this keeper; what was found for the other one is told to that one.
    pub(super) fn found_both(
        &self,
        at: &Address,
        main: onvif::Resolved,
        small: Option<(String, Result<onvif::SmallStream, onvif::Error>)>,
    ) -> Result<Found, Miss> {
        let mut found = self.found(at, main);
        let Some((wanted, small)) = small else { return Ok(found) };
        let small = match small {
            Ok(small) => small,
            Err(error) if self.part == Part::Small => {
                self.household.tell(Part::Main, found);
                return Err(Miss::Final(away(Cause::Refused, chain(&error))));
            }
            // The keeper of the small one finds out by itself.
            Err(_) => return Ok(found),
        };
        let token = small.profile.token;
        if let Some(learnt) = &mut found.learnt {
            let first = small.streams.first().map(|uri| Stream { uri: uri.clone(), profile: token.clone() });
            learnt.small = first.map(|stream| Small { wanted, stream });
        }
        let place = Place { profile: Some(token), ..found.place.clone() };
        let small = Found { streams: small.streams, place, ..found.clone() };
        let (own, other, others) = match self.part {
            Part::Main => (found, Part::Small, small),
            Part::Small => (small, Part::Main, found),
        };
        self.household.tell(other, others);
        Ok(own)
    }

    fn found(&self, at: &Address, resolved: onvif::Resolved) -> Found {
        let host = in_brackets(&at.host);
        let address = if at.port == onvif::DEFAULT_PORT { host } else { format!("{host}:{}", at.port) };
        let serial = Some(resolved.device.serial.clone()).filter(|serial| !serial.is_empty());
        let learnt = Basis::of(&self.origin).map(|basis| Learnt {
            basis,
            identity: Identity {
                endpoint: resolved.endpoint.as_deref().map(normalised_endpoint),
                serial,
                mac: resolved.hardware_addresses.first().cloned(),
            },
            address: Some(at.clone()),
            authentication: resolved.authentication.map(|mode| mode.word().to_owned()),
            stream: resolved
                .streams
                .first()
                .map(|uri| Stream { uri: uri.clone(), profile: resolved.profile.token.clone() }),
            small: None,
            when: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
        });
        Found {
            streams: resolved.streams,
            credentials: self.origin.credentials.clone().or(resolved.camera_credentials),
            place: Place { address, profile: Some(resolved.profile.token) },
            learnt,
        }
    }
}

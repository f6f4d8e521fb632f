//! The scopes of a device: facts that it reports about itself in URIs such as
//! `onvif://www.onvif.org/name/Front%20door`.

use crate::device_id::Mac;

use crate::uri::percent_decode_lossy;

/// Maximum number of scopes of one device that are examined.
const MAX_SCOPES: usize = 128;
/// Maximum number of characters kept of one fact.
const MAX_FACT_LEN: usize = 120;

const PREFIX: &str = "onvif://www.onvif.org/";

/// The useful facts in the scopes. Of each kind, the first one that is not empty counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scopes {
    pub name: Option<String>,
    /// The model, for most makers.
    pub hardware: Option<String>,
    /// Several scopes of this kind (`country/…`, `city/…`), joined by a comma.
    pub location: Option<String>,
    pub mac: Option<Mac>,
    /// Whether any scope belongs to ONVIF.
    pub is_onvif: bool,
}

impl Scopes {
    /// Parses the list in `d:Scopes`: URIs separated by white space.
    pub fn read(list: &str) -> Self {
        let mut scopes = Self::default();
        let mut places: Vec<String> = Vec::new();
        for scope in list.split_whitespace().take(MAX_SCOPES) {
            let head = scope.get(..PREFIX.len()).unwrap_or("");
            if !head.eq_ignore_ascii_case(PREFIX) {
                continue;
            }
            scopes.is_onvif = true;
            let (kind, value) = scope[PREFIX.len()..].split_once('/').unwrap_or(("", ""));
            let fact = fact(value);
            if fact.is_empty() {
                continue;
            }
            match kind.to_ascii_lowercase().as_str() {
                "name" => scopes.name = scopes.name.or(Some(fact)),
                "hardware" => scopes.hardware = scopes.hardware.or(Some(fact)),
                "mac" => scopes.mac = scopes.mac.or(Mac::new(&fact)),
                "location" => {
                    // Only the last part is the location; if there are
                    // two, the first one names its kind.
                    let place = fact.rsplit('/').find(|part| !part.is_empty()).unwrap_or("").to_owned();
                    if !place.is_empty() && !places.contains(&place) {
                        places.push(place);
                    }
                }
                _ => {}
            }
        }
        scopes.location = (!places.is_empty()).then(|| places.join(", ").chars().take(MAX_FACT_LEN).collect());
        scopes
    }
}

fn fact(value: &str) -> String {
    percent_decode_lossy(value).trim().chars().take(MAX_FACT_LEN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_taken_from_the_scopes() {
        let scopes = Scopes::read(
            "onvif://www.onvif.org/type/video_encoder onvif://www.onvif.org/Profile/Streaming\n\
             ONVIF://www.onvif.org/name/Front%20door%E9%96%80 onvif://www.onvif.org/name/Second\t\
             onvif://www.onvif.org/hardware/EYE-3 onvif://www.onvif.org/location/country/taiwan \
             onvif://www.onvif.org/location/city/taipei onvif://www.onvif.org/MAC/00:aa:bb:00:11:22 http://other/name/x",
        );
        assert_eq!(scopes.name.as_deref(), Some("Front door\u{9580}"));
        assert_eq!(scopes.hardware.as_deref(), Some("EYE-3"));
        assert_eq!(scopes.location.as_deref(), Some("taiwan, taipei"));
        assert_eq!(scopes.mac, Mac::new("00aabb001122"));
        assert!(scopes.is_onvif);
    }

    #[test]
    fn empty_and_damaged_scopes_say_nothing() {
        let scopes = Scopes::read("onvif://www.onvif.org/name/ onvif://www.onvif.org/location/ onvif://www.onvif.org");
        assert_eq!(scopes, Scopes { is_onvif: true, ..Scopes::default() });
        assert_eq!(Scopes::read("ldap:///ou=x"), Scopes::default());
        assert_eq!(Scopes::read("onvif://www.onvif.org/name/100%%zz%4").name.as_deref(), Some("100%%zz%4"));
        assert_eq!(Scopes::read("onvif://www.onvif.org/name/%ff").name.as_deref(), Some("\u{fffd}"));
    }
}

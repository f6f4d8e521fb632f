//! HTTP Basic: the login itself, in clear text (RFC 7617).

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::challenge::Challenge;
use crate::camera::Credentials;

/// Whether one of `challenges` is Basic.
pub fn is_offered(challenges: &[Challenge]) -> bool {
    challenges.iter().any(|challenge| challenge.is("Basic"))
}

/// Returns the value of the `Authorization` field. Who can read the connection can read the
/// password in it.
pub fn authorize(credentials: &Credentials) -> String {
    let login = format!("{}:{}", credentials.username, credentials.password.expose());
    format!("Basic {}", STANDARD.encode(login))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{camera::Secret, http_auth::challenge::parse};

    #[test]
    fn example_of_rfc_7617() {
        let credentials = Credentials { username: "Aladdin".into(), password: Secret::new("open sesame") };
        assert_eq!(authorize(&credentials), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    }

    #[test]
    fn basic_is_found_beside_digest() {
        assert!(is_offered(&parse(["Digest nonce=1, basic realm=\"/\""])));
        assert!(!is_offered(&parse(["Digest nonce=1"])));
    }
}

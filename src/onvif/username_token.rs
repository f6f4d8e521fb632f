//! WS-Security UsernameToken with a password digest: the login inside the message.
//!
//! Cameras refuse a nonce that they have seen and a time stamp that differs from their
//! own clock. Some refuse anything longer than they expect. So the nonce has 16 bytes
//! and the time has whole seconds.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha1::Digest as _;

use super::clock::CivilTime;
use crate::{camera::Credentials, xml::escape};

/// Length of a nonce, in bytes.
pub const NONCE: usize = 16;

const PASSWORD_DIGEST: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordDigest";
const BASE64_BINARY: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary";

/// Returns the `wsse:Security` header for one message. `created` is the camera's time in Unix
/// seconds; `nonce` must be new for every message.
pub fn security_header(credentials: &Credentials, created: i64, nonce: [u8; NONCE]) -> String {
    let created = format!("{}Z", CivilTime::from_unix(created));
    let digest = sha1::Sha1::new()
        .chain_update(nonce)
        .chain_update(&created)
        .chain_update(credentials.password.expose())
        .finalize();
    format!(
        "<wsse:Security s:mustUnderstand=\"1\"><wsse:UsernameToken>\
         <wsse:Username>{username}</wsse:Username>\
         <wsse:Password Type=\"{PASSWORD_DIGEST}\">{digest}</wsse:Password>\
         <wsse:Nonce EncodingType=\"{BASE64_BINARY}\">{nonce}</wsse:Nonce>\
         <wsu:Created>{created}</wsu:Created>\
         </wsse:UsernameToken></wsse:Security>",
        username = escape(&credentials.username),
        digest = STANDARD.encode(digest),
        nonce = STANDARD.encode(nonce),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::Secret;

    /// The example in section 6.1.1.3 of the ONVIF Application Programmer's Guide.
    #[test]
    fn example_of_the_programmers_guide() {
        let credentials = Credentials { username: "user".into(), password: Secret::new("userpassword") };
        let nonce = STANDARD.decode("LKqI6G/AikKCQrN0zqZFlg==").unwrap().try_into().unwrap();
        let created = CivilTime::new([2010, 9, 16], [7, 50, 45]).unwrap().to_unix();
        let header = security_header(&credentials, created, nonce);
        assert!(header.contains(">tuOSpGlFlIXsozq4HFNeeGeFLEI=<"), "{header}");
        assert!(header.contains(">2010-09-16T07:50:45Z<"), "{header}");
        assert!(header.contains(">LKqI6G/AikKCQrN0zqZFlg==<"), "{header}");
        assert!(!header.contains("userpassword"));
    }

    #[test]
    fn odd_user_names_are_escaped() {
        let credentials = Credentials { username: "a<&\"b".into(), password: Secret::new("") };
        assert!(security_header(&credentials, 0, [0; NONCE]).contains(">a&lt;&amp;&quot;b<"));
    }
}

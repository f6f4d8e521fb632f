//! `Authorization` of a request to us: Basic (RFC 7617) or Bearer (RFC 6750).

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::camera::{Credentials, Secret};

/// Maximum bytes of a value; a longer one is refused unread.
pub const MAX_LEN: usize = 2048;

/// A login that a request carries.
#[derive(Clone, Debug, PartialEq)]
pub enum Login {
    /// A name and its password.
    Basic(Credentials),
    /// A token, which stands for a name.
    Bearer(Secret),
}

/// Parses the value of the field. `None` if it is another scheme, too long, or not written as its
/// RFC requires; names and passwords are UTF-8 without control characters.
pub fn parse(value: &[u8]) -> Option<Login> {
    if value.len() > MAX_LEN {
        return None;
    }
    let value = std::str::from_utf8(value).ok()?.trim_matches([' ', '\t']);
    let (scheme, rest) = value.split_once(' ')?;
    let rest = rest.trim_start_matches(' ');
    if scheme.eq_ignore_ascii_case("basic") {
        let text = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
        let (name, password) = text.split_once(':')?;
        let is_clean = !name.is_empty() && !text.chars().any(char::is_control);
        return is_clean
            .then(|| Login::Basic(Credentials { username: name.to_owned(), password: Secret::new(password) }));
    }
    if scheme.eq_ignore_ascii_case("bearer") {
        // `b64token` of RFC 6750 2.1.
        let digits = rest.trim_end_matches('=');
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
        return (!digits.is_empty() && digits.bytes().all(is_token)).then(|| Login::Bearer(Secret::new(rest)));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(text: &str) -> Option<(String, String)> {
        match parse(format!("Basic {}", STANDARD.encode(text)).as_bytes())? {
            Login::Basic(login) => Some((login.username, login.password.expose().to_owned())),
            Login::Bearer(_) => panic!("a token"),
        }
    }

    #[test]
    fn basic_login_is_split_at_the_first_colon() {
        assert_eq!(basic("guard:a:b c"), Some(("guard".into(), "a:b c".into())));
        assert_eq!(basic("警衛:密碼"), Some(("警衛".into(), "密碼".into())));
        assert_eq!(basic("guard:"), Some(("guard".into(), String::new())));
        assert!(matches!(parse(b"bAsIc  Zzp4"), Some(Login::Basic(_))));
    }

    #[test]
    fn token_is_kept_as_it_is() {
        assert_eq!(parse(b"Bearer abc-._~+/19=="), Some(Login::Bearer(Secret::new("abc-._~+/19=="))));
    }

    #[test]
    fn what_is_no_login_is_not_read() {
        for text in ["guard", ":x", "a\u{7}:b", "a:b\r\n"] {
            assert_eq!(basic(text), None, "{text:?}");
        }
        let long = format!("Bearer {}", "a".repeat(MAX_LEN));
        for value in [
            "",
            "Basic",
            "Basic ",
            "Basic Zzp4=",
            "Basic ***",
            "Basic /zo6",
            "Bearer ",
            "Bearer =",
            "Bearer a b",
            "Bearer \u{e4}",
            "Digest username=\"x\"",
            &long,
        ] {
            assert_eq!(parse(value.as_bytes()), None, "{value:?}");
        }
        assert_eq!(parse(b"Basic \xff"), None);
    }

    #[test]
    fn login_is_not_printed() {
        let shown = format!("{:?}{:?}", parse(b"Basic Z3VhcmQ6c2VjcmV0"), parse(b"Bearer secret"));
        assert!(!shown.contains("secret"), "{shown}");
    }
}

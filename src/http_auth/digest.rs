//! HTTP Digest with MD5 or SHA-256: answers a challenge (RFC 7616, and RFC 2069 without `qop`).
//!
//! The same calculation serves ONVIF, snapshots and RTSP. A nonce belongs to the challenge in which
//! it came: some cameras send two challenges with different nonces.

use md5::Digest as _;

use super::{challenge::Challenge, quote::quotable};
use crate::camera::Credentials;

/// Maximum number of login kinds that a message names.
const MAX_NAMED: usize = 4;

/// The hash algorithm that a challenge requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    Md5,
    Sha256,
}

impl Algorithm {
    fn hash(self, text: &str) -> String {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        match self {
            Self::Md5 => hex(&md5::Md5::digest(text)),
            Self::Sha256 => hex(&sha2::Sha256::digest(text)),
        }
    }
}

/// A challenge to which requests respond, and the number of uses of its nonce.
#[derive(Clone, Debug)]
pub struct Session {
    pub algorithm: Algorithm,
    /// The server says that the nonce was too old, and not that the password is wrong.
    pub stale: bool,
    realm: String,
    nonce: String,
    opaque: Option<String>,
    /// As the server wrote it, to send it back unchanged; absent if the server sent none.
    algorithm_name: Option<String>,
    /// The `-sess` variant: the nonces are part of the first hash.
    per_session: bool,
    /// Whether the server accepts `qop=auth`; otherwise the form of RFC 2069 is used.
    auth: bool,
    uses: u32,
}

impl Session {
    /// Selects the best challenge that can be answered: SHA-256 before MD5, unless `avoid_sha256`.
    /// `None`: no Digest challenge, or only with unknown algorithms or without `auth` in `qop`.
    pub fn choose(challenges: &[Challenge], avoid_sha256: bool) -> Option<Self> {
        let usable = || challenges.iter().filter_map(Self::new);
        usable()
            .find(|session| session.algorithm == Algorithm::Sha256 && !avoid_sha256)
            .or_else(|| usable().find(|session| session.algorithm == Algorithm::Md5))
    }

    fn new(challenge: &Challenge) -> Option<Self> {
        let algorithm_name = challenge.parameter("algorithm").map(str::to_owned);
        let (algorithm, per_session) = match algorithm_name.as_deref().map(str::to_ascii_lowercase).as_deref() {
            None | Some("" | "md5") => (Algorithm::Md5, false),
            Some("md5-sess") => (Algorithm::Md5, true),
            Some("sha-256") => (Algorithm::Sha256, false),
            Some("sha-256-sess") => (Algorithm::Sha256, true),
            Some(_) => return None,
        };
        let auth = match challenge.parameter("qop").map(str::trim) {
            None | Some("") => false,
            Some(list) if list.split(',').any(|qop| qop.trim().eq_ignore_ascii_case("auth")) => true,
            Some(_) => return None,
        };
        challenge.is("Digest").then_some(Self {
            algorithm,
            stale: challenge.parameter("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
            realm: challenge.parameter("realm").unwrap_or("").to_owned(),
            nonce: challenge.parameter("nonce")?.to_owned(),
            opaque: challenge.parameter("opaque").map(str::to_owned),
            algorithm_name,
            per_session,
            auth,
            uses: 0,
        })
    }

    /// Returns how many requests used this nonce.
    pub fn uses(&self) -> u32 {
        self.uses
    }

    /// Returns the value of the `Authorization` field for one request. `uri` is the request target
    /// exactly as sent; `client_nonce` must be new each time and hold no quotes.
    pub fn authorize(&mut self, credentials: &Credentials, method: &str, uri: &str, client_nonce: &str) -> String {
        self.uses += 1;
        let (realm, nonce, hash) = (&self.realm, &self.nonce, |text: &str| self.algorithm.hash(text));
        let mut first = hash(&format!("{}:{realm}:{}", credentials.username, credentials.password.expose()));
        if self.per_session {
            first = hash(&format!("{first}:{nonce}:{client_nonce}"));
        }
        let second = hash(&format!("{method}:{uri}"));
        let count = format!("{:08x}", self.uses);
        let response = if self.auth {
            hash(&format!("{first}:{nonce}:{count}:{client_nonce}:auth:{second}"))
        } else {
            hash(&format!("{first}:{nonce}:{second}"))
        };
        let mut field = format!(
            "Digest username={}, realm={}, nonce={}, uri={}, response=\"{response}\"",
            quote(&credentials.username),
            quote(realm),
            quote(nonce),
            quote(uri)
        );
        if let Some(name) = &self.algorithm_name {
            field.push_str(&format!(", algorithm={name}"));
        }
        if let Some(opaque) = &self.opaque {
            field.push_str(&format!(", opaque={}", quote(opaque)));
        }
        if self.auth {
            field.push_str(&format!(", qop=auth, nc={count}"));
        }
        if self.auth || self.per_session {
            field.push_str(&format!(", cnonce=\"{client_nonce}\""));
        }
        // No text of a camera or a configuration may begin a new header line.
        field.retain(|character| !character.is_control());
        field
    }
}

fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Names the requested kinds of login, for people, if none of them can be answered; `None`: one
/// can, or none is requested.
pub fn unsupported(challenges: &[Challenge]) -> Option<String> {
    if challenges.is_empty() || Session::choose(challenges, false).is_some() {
        return None;
    }
    let name = |challenge: &Challenge| match challenge.parameter("algorithm") {
        Some(algorithm) if challenge.is("Digest") => quotable(&format!("Digest {algorithm}")),
        _ => quotable(&challenge.scheme),
    };
    let mut names: Vec<_> = challenges.iter().map(name).collect();
    names.dedup();
    names.truncate(MAX_NAMED);
    Some(names.join(" or "))
}

#[cfg(test)]
mod tests {
    use super::{super::challenge::parse, *};
    use crate::camera::Secret;

    fn mufasa(password: &str) -> Credentials {
        Credentials { username: "Mufasa".into(), password: Secret::new(password) }
    }

    const RFC_7616_MD5: &str = r#"Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=MD5, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS""#;
    const RFC_7616_SHA: &str = r#"Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS""#;
    const RFC_7616_CNONCE: &str = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";

    fn answer(field: &str) -> String {
        let mut session = Session::choose(&parse([field]), false).unwrap();
        session.authorize(&mufasa("Circle of Life"), "GET", "/dir/index.html", RFC_7616_CNONCE)
    }

    #[test]
    fn example_of_rfc_7616_with_md5() {
        let field = answer(RFC_7616_MD5);
        assert!(field.contains("response=\"8ca523f5e9506fed4657c9700eebdbec\""), "{field}");
        assert!(field.contains("algorithm=MD5") && field.contains("nc=00000001"), "{field}");
    }

    #[test]
    fn example_of_rfc_7616_with_sha_256() {
        let field = answer(RFC_7616_SHA);
        let expected = "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1";
        assert!(field.contains(expected), "{field}");
    }

    #[test]
    fn without_qop_the_old_form_is_answered() {
        let challenge = parse([r#"Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093""#]);
        let mut session = Session::choose(&challenge, false).unwrap();
        let field = session.authorize(&mufasa("Circle Of Life"), "GET", "/dir/index.html", "x");
        // md5(md5("Mufasa:testrealm@host.com:Circle Of Life"):nonce:md5("GET:/dir/index.html"))
        assert!(field.contains("response=\"670fd8c2df070c60b045671b8b24ff02\""), "{field}");
        for absent in ["qop", "nc=", "cnonce", "algorithm", "opaque"] {
            assert!(!field.contains(absent), "{absent}: {field}");
        }
    }

    #[test]
    fn sha_256_is_preferred_and_answered_with_its_own_nonce() {
        let challenges = parse([
            r#"Digest realm="r", nonce="one", qop="auth""#,
            r#"Digest realm="r", nonce="two", qop="auth", algorithm="SHA-256", opaque="""#,
        ]);
        let mut session = Session::choose(&challenges, false).unwrap();
        let field = session.authorize(&mufasa("x"), "POST", "/", "c");
        assert!(field.contains("nonce=\"two\"") && field.contains("algorithm=SHA-256"), "{field}");
        assert!(field.contains("opaque=\"\""), "{field}");
        assert_eq!(Session::choose(&challenges, true).unwrap().algorithm, Algorithm::Md5);
    }

    #[test]
    fn uses_of_a_nonce_are_counted() {
        let mut session = Session::choose(&parse([RFC_7616_MD5]), false).unwrap();
        session.authorize(&mufasa("x"), "POST", "/", "c");
        let second = session.authorize(&mufasa("x"), "POST", "/", "d");
        assert!(second.contains("nc=00000002"), "{second}");
        assert_eq!(session.uses(), 2);
    }

    #[test]
    fn what_cannot_be_answered_is_not_chosen() {
        for field in [
            "Basic realm=\"x\"",
            "Digest nonce=\"1\", algorithm=SHA-512-256",
            "Digest nonce=\"1\", qop=\"auth-int\"",
            "Digest realm=\"x\"",
        ] {
            assert!(Session::choose(&parse([field]), false).is_none(), "{field}");
        }
    }

    #[test]
    fn odd_user_names_stay_inside_their_quotes() {
        let credentials = Credentials { username: "a\"b\\c\r\nX: y".into(), password: Secret::new("p") };
        let mut session = Session::choose(&parse(["Digest nonce=1"]), false).unwrap();
        let field = session.authorize(&credentials, "POST", "/", "c");
        assert!(field.starts_with("Digest username=\"a\\\"b\\\\cX: y\", realm"), "{field}");
    }

    #[test]
    fn logins_that_cannot_be_answered_are_named() {
        let named = |fields: &[&str]| unsupported(&parse(fields.iter().copied()));
        assert_eq!(named(&[]), None);
        assert_eq!(named(&["Basic realm=x", "Digest realm=x, nonce=1"]), None);
        assert_eq!(named(&["Basic realm=x"]).as_deref(), Some("Basic"));
        let odd = "Digest realm=x, nonce=1, algorithm=SHA-512-256, Negotiate";
        assert_eq!(named(&[odd]).as_deref(), Some("Digest SHA-512-256 or Negotiate"));
    }
}

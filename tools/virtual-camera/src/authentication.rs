//! Checks the login of an ONVIF request as cameras do: HTTP Digest, and the UsernameToken of
//! WS-Security.

use std::{
    collections::HashMap,
    fmt::Write as _,
    sync::Mutex,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use crate::{
    calendar::Moment,
    camera::{Camera, count},
    http::Request,
    settings::{Auth, Login},
    soap::UsernameToken,
};

/// Maximum difference between `Created` and the camera's clock, in either direction. Cameras allow
/// 5 s to 5 min.
const CREATED_WINDOW_S: i64 = 5;
/// How long a nonce of this camera is valid.
const NONCE_LIFE: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    Md5,
    Sha256,
}

impl Algorithm {
    /// The algorithm of this name; without a name MD5.
    pub fn named(name: &str) -> Option<Self> {
        match name.to_ascii_uppercase().as_str() {
            "" | "MD5" => Some(Self::Md5),
            "SHA-256" => Some(Self::Sha256),
            _ => None,
        }
    }

    fn hex(self, text: &str) -> String {
        match self {
            Self::Md5 => hex(&Md5::digest(text)),
            Self::Sha256 => hex(&Sha256::digest(text)),
        }
    }
}

/// The response to a request without a valid login.
#[derive(Debug, PartialEq)]
pub enum Refusal {
    /// 401 with these `WWW-Authenticate` headers.
    Challenge(Vec<String>),
    /// The fault `ter:NotAuthorized`.
    Fault,
}

/// Stores the nonces issued, and those of UsernameTokens already seen.
#[derive(Default)]
pub struct Authentication {
    issued: Mutex<HashMap<String, Nonce>>,
    seen: Mutex<HashMap<String, i64>>,
}

struct Nonce {
    algorithm: Algorithm,
    until: Instant,
    /// The highest count used so far; a request must have a higher one.
    count: u32,
}

/// The result of checking a Digest response.
#[derive(Debug, PartialEq)]
enum Outcome {
    Right,
    /// Correct, but the nonce is too old: not a wrong password.
    Stale,
    Wrong,
}

impl Authentication {
    /// Accepts the request or returns the refusal. Counts refused passwords.
    pub fn check(&self, camera: &Camera, request: &Request, token: Option<&UsernameToken>) -> Result<(), Refusal> {
        let (auth, nobody) = (camera.settings.auth, camera.faults().wrong_password);
        if auth == Auth::Open && !nobody {
            return Ok(());
        }
        let login = camera.settings.login.as_ref().filter(|_| !nobody);
        let by_http = matches!(auth, Auth::Digest | Auth::DigestSha256 | Auth::Both);
        let authorization = request.header("authorization").filter(|_| by_http);
        let mut stale = false;
        if let Some(header) = authorization {
            match login.map(|login| self.check_digest(login, request, header, Instant::now())) {
                Some(Outcome::Right) => return Ok(()),
                Some(Outcome::Stale) => stale = true,
                Some(Outcome::Wrong) | None => count(&camera.counters.failed_logins),
            }
        } else if let Some(token) = token.filter(|_| matches!(auth, Auth::UsernameToken | Auth::Both | Auth::Open)) {
            if login.is_some_and(|login| self.token_is_right(login, token, camera.clock_s())) {
                return Ok(());
            }
            count(&camera.counters.failed_logins);
            return Err(Refusal::Fault);
        }
        if by_http { Err(Refusal::Challenge(self.challenges(camera, stale))) } else { Err(Refusal::Fault) }
    }

    /// One header per algorithm. Each has its own nonce, as on cameras that offer both.
    fn challenges(&self, camera: &Camera, stale: bool) -> Vec<String> {
        let algorithms: &[Algorithm] = match camera.settings.auth {
            Auth::Both => &[Algorithm::Sha256, Algorithm::Md5],
            Auth::DigestSha256 => &[Algorithm::Sha256],
            _ => &[Algorithm::Md5],
        };
        let stale = if stale { ", stale=true" } else { "" };
        algorithms
            .iter()
            .map(|&algorithm| {
                let nonce = self.issue(algorithm, Instant::now());
                let name = if algorithm == Algorithm::Sha256 { ", algorithm=\"SHA-256\"" } else { "" };
                let realm = realm(camera);
                format!("Digest realm=\"{realm}\", qop=\"auth\", nonce=\"{nonce}\", opaque=\"\"{name}{stale}")
            })
            .collect()
    }

    fn issue(&self, algorithm: Algorithm, now: Instant) -> String {
        let nonce = nonce();
        let mut issued = self.issued.lock().expect("nobody panics while holding the nonces");
        // Kept for twice their lifetime, to distinguish an old nonce from an invented one.
        issued.retain(|_, known| known.until + NONCE_LIFE > now);
        issued.insert(nonce.clone(), Nonce { algorithm, until: now + NONCE_LIFE, count: 0 });
        nonce
    }

    /// Checks an `Authorization: Digest` header by RFC 7616 and, without `qop`, RFC 2069.
    fn check_digest(&self, login: &Login, request: &Request, header: &str, now: Instant) -> Outcome {
        let Some(given) = parameters(header) else { return Outcome::Wrong };
        let of = |name: &str| given.get(name).map_or("", String::as_str);
        let mut issued = self.issued.lock().expect("nobody panics while holding the nonces");
        let Some(nonce) = issued.get_mut(of("nonce")) else { return Outcome::Wrong };
        let algorithm = Algorithm::named(of("algorithm"));
        if algorithm != Some(nonce.algorithm)
            || !is_right(nonce.algorithm, login, &request.method, &request.target, &given)
        {
            return Outcome::Wrong;
        }
        if nonce.until < now {
            return Outcome::Stale;
        }
        match (of("qop"), u32::from_str_radix(of("nc"), 16)) {
            ("", _) => Outcome::Right,
            ("auth", Ok(count)) if count > nonce.count => {
                nonce.count = count;
                Outcome::Right
            }
            // The same request was sent again.
            _ => Outcome::Wrong,
        }
    }

    /// Checks a UsernameToken with a digest; `clock_s` is the camera's own time.
    fn token_is_right(&self, login: &Login, token: &UsernameToken, clock_s: i64) -> bool {
        let Ok(nonce) = BASE64.decode(&token.nonce) else { return false };
        let Some(created) = Moment::parse(&token.created).map(Moment::unix) else { return false };
        let mut hash = Sha1::new();
        hash.update(&nonce);
        hash.update(&token.created);
        hash.update(&login.password);
        let right = token.username == login.user
            && token.password_type.ends_with("#PasswordDigest")
            && token.password == BASE64.encode(hash.finalize())
            && (created - clock_s).abs() <= CREATED_WINDOW_S;
        let mut seen = self.seen.lock().expect("nobody panics while holding the nonces");
        // Older ones would be refused because of their age.
        seen.retain(|_, created| (*created - clock_s).abs() <= 2 * CREATED_WINDOW_S);
        right && seen.insert(token.nonce.clone(), created).is_none()
    }
}

/// Whether the Digest response in `given` has been made with this login for this request.
pub fn is_right(
    algorithm: Algorithm,
    login: &Login,
    method: &str,
    target: &str,
    given: &HashMap<String, String>,
) -> bool {
    let of = |name: &str| given.get(name).map_or("", String::as_str);
    let secret = algorithm.hex(&format!("{}:{}:{}", login.user, of("realm"), login.password));
    let place = algorithm.hex(&format!("{method}:{target}"));
    let right = match of("qop") {
        "" => format!("{secret}:{}:{place}", of("nonce")),
        "auth" => format!("{secret}:{}:{}:{}:auth:{place}", of("nonce"), of("nc"), of("cnonce")),
        _ => return false,
    };
    of("username") == login.user && of("uri") == target && algorithm.hex(&right).eq_ignore_ascii_case(of("response"))
}

/// A nonce that nobody can guess.
pub fn nonce() -> String {
    let mut random = [0; 16];
    getrandom::fill(&mut random).expect("the system has random numbers");
    hex(&random)
}

/// Shown to the user at login; fixed for a camera, because it is part of the hash.
pub fn realm(camera: &Camera) -> String {
    camera.settings.model.replace(['"', '\\'], "")
}

/// The parameters of a `Digest` header by their lower-case names; `None` for any other scheme.
pub fn parameters(header: &str) -> Option<HashMap<String, String>> {
    let (scheme, mut rest) = header.trim_start().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Digest") {
        return None;
    }
    let mut parameters = HashMap::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return Some(parameters);
        }
        let (name, after) = rest.split_once('=')?;
        let mut value = String::new();
        if let Some(quoted) = after.strip_prefix('"') {
            let mut characters = quoted.char_indices();
            loop {
                match characters.next()? {
                    (at, '"') => {
                        rest = &quoted[at + 1..];
                        break;
                    }
                    (_, '\\') => value.push(characters.next()?.1),
                    (_, character) => value.push(character),
                }
            }
        } else {
            let end = after.find(',').unwrap_or(after.len());
            value.push_str(after[..end].trim());
            rest = &after[end..];
        }
        parameters.insert(name.trim().to_ascii_lowercase(), value);
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login() -> Login {
        Login { user: "Mufasa".into(), password: "Circle of Life".into() }
    }

    fn known(nonce: &str, algorithm: Algorithm) -> Authentication {
        let authentication = Authentication::default();
        let nonce = (nonce.to_owned(), Nonce { algorithm, until: Instant::now() + NONCE_LIFE, count: 0 });
        authentication.issued.lock().unwrap().extend([nonce]);
        authentication
    }

    fn request() -> Request {
        Request::for_tests("GET", "/dir/index.html")
    }

    /// The two examples of RFC 7616, section 3.9.1.
    const SHA256: &str = "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", uri=\"/dir/index.html\", \
        algorithm=SHA-256, nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", nc=00000001, \
        cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", qop=auth, \
        response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\", \
        opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";
    const NONCE: &str = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";

    #[test]
    fn digest_of_the_standard_is_right_once() {
        let authentication = known(NONCE, Algorithm::Sha256);
        let check = || authentication.check_digest(&login(), &request(), SHA256, Instant::now());
        assert_eq!(check(), Outcome::Right);
        assert_eq!(check(), Outcome::Wrong, "a replay");

        let md5 = SHA256.replace("SHA-256", "MD5").replace(
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
            "8ca523f5e9506fed4657c9700eebdbec",
        );
        let authentication = known(NONCE, Algorithm::Md5);
        assert_eq!(authentication.check_digest(&login(), &request(), &md5, Instant::now()), Outcome::Right);
    }

    #[test]
    fn digest_is_wrong_for_another_password_path_algorithm_or_nonce() {
        let authentication = known(NONCE, Algorithm::Sha256);
        let check = |login: &Login, request: &Request, header: &str| {
            authentication.check_digest(login, request, header, Instant::now())
        };
        let other = Login { password: "circle of life".into(), ..login() };
        assert_eq!(check(&other, &request(), SHA256), Outcome::Wrong);
        assert_eq!(check(&login(), &Request::for_tests("GET", "/"), SHA256), Outcome::Wrong);
        assert_eq!(check(&login(), &request(), &SHA256.replace("SHA-256", "MD5")), Outcome::Wrong);
        assert_eq!(check(&login(), &request(), &SHA256.replace(NONCE, "made up")), Outcome::Wrong);
        assert_eq!(check(&login(), &request(), "Basic TXVmYXNh"), Outcome::Wrong);
    }

    #[test]
    fn digest_for_an_old_nonce_is_stale() {
        let later = Instant::now() + NONCE_LIFE + Duration::from_secs(1);
        let authentication = known(NONCE, Algorithm::Sha256);
        assert_eq!(authentication.check_digest(&login(), &request(), SHA256, later), Outcome::Stale);
    }

    #[test]
    fn parameters_are_read_with_commas_quotes_and_any_case() {
        let read = parameters(r#"dIGEST USERname="a,\"b\\", qop=auth ,nc=1"#).unwrap();
        assert_eq!((read["username"].as_str(), read["qop"].as_str(), read["nc"].as_str()), ("a,\"b\\", "auth", "1"));
        assert!(parameters("Digest username=\"open").is_none());
    }

    /// ONVIF's own example for programmers.
    #[test]
    fn token_of_the_guide_is_right_once_and_only_in_its_window() {
        let login = Login { user: "user".into(), password: "userpassword".into() };
        let token = UsernameToken {
            username: "user".into(),
            password: "tuOSpGlFlIXsozq4HFNeeGeFLEI=".into(),
            password_type:
                "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordDigest"
                    .into(),
            nonce: "LKqI6G/AikKCQrN0zqZFlg==".into(),
            created: "2010-09-16T07:50:45Z".into(),
        };
        let clock = Moment::parse(&token.created).unwrap().unix();
        let authentication = Authentication::default();
        assert!(!authentication.token_is_right(&login, &token, clock + 6));
        assert!(!authentication.token_is_right(&login, &token, clock - 6));
        let text =
            UsernameToken { password_type: "x#PasswordText".into(), password: "userpassword".into(), ..token.clone() };
        assert!(!authentication.token_is_right(&login, &text, clock));
        assert!(authentication.token_is_right(&login, &token, clock + 5));
        assert!(!authentication.token_is_right(&login, &token, clock + 5), "a replay");
        let wrong = Login { password: "userpasswort".into(), ..login };
        assert!(!Authentication::default().token_is_right(&wrong, &token, clock));
    }
}

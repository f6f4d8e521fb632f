//! The login of the camera's RTSP server: Digest without `qop`, as most cameras; habits change it.
//! A nonce is valid for one connection, as long as that lasts.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

use super::message::Request;
use crate::{
    authentication::{Algorithm, is_right, nonce, parameters, realm},
    camera::{Camera, count},
    habits::Challenge,
    settings,
};

/// The nonces of one connection, made when they are needed.
#[derive(Default)]
pub struct Login {
    nonces: Vec<(Algorithm, String)>,
}

impl Login {
    /// Accepts the request, or returns the `WWW-Authenticate` headers of the refusal. Counts
    /// refused passwords.
    pub fn check(&mut self, camera: &Camera, request: &Request) -> Result<(), Vec<String>> {
        let nobody = camera.faults().wrong_password;
        let login = camera.settings.login.as_ref();
        if login.is_none() && !nobody {
            return Ok(());
        }
        let challenge = camera.habits().challenge;
        if let Some(proof) = request.header("authorization") {
            if login.is_some_and(|login| !nobody && self.accepts(challenge, login, request, proof)) {
                return Ok(());
            }
            count(&camera.counters.failed_logins);
        }
        Err(self.challenges(challenge, &realm(camera)))
    }

    fn accepts(&self, challenge: Challenge, login: &settings::Login, request: &Request, proof: &str) -> bool {
        if let Some(pair) = proof.strip_prefix("Basic ") {
            let right = BASE64.encode(format!("{}:{}", login.user, login.password));
            return matches!(challenge, Challenge::BasicOnly | Challenge::BasicFirst) && pair.trim() == right;
        }
        let Some(given) = parameters(proof) else { return false };
        let of = |name: &str| given.get(name).map_or("", String::as_str);
        let Some(algorithm) = Algorithm::named(of("algorithm")) else { return false };
        let is_known = self.nonces.iter().any(|known| known.0 == algorithm && known.1 == of("nonce"));
        is_known && is_right(algorithm, login, &request.method, &request.url, &given)
    }

    fn challenges(&mut self, challenge: Challenge, realm: &str) -> Vec<String> {
        let basic = format!("Basic realm=\"{realm}\"");
        let mut digest =
            |algorithm, name: &str| format!("Digest realm=\"{realm}\", nonce=\"{}\"{name}", self.nonce(algorithm));
        let (md5, sha256) = (", algorithm=MD5", ", algorithm=SHA-256");
        match challenge {
            Challenge::Plain => vec![digest(Algorithm::Md5, "")],
            Challenge::Md5 => vec![digest(Algorithm::Md5, md5)],
            Challenge::Sha256 => vec![digest(Algorithm::Sha256, sha256), digest(Algorithm::Md5, md5)],
            Challenge::Sha256Only => vec![digest(Algorithm::Sha256, sha256)],
            Challenge::BasicOnly => vec![basic],
            Challenge::BasicFirst => vec![basic, digest(Algorithm::Md5, "")],
        }
    }

    fn nonce(&mut self, algorithm: Algorithm) -> &str {
        let known = self.nonces.iter().position(|(known, _)| *known == algorithm);
        let at = known.unwrap_or_else(|| {
            self.nonces.push((algorithm, nonce()));
            self.nonces.len() - 1
        });
        &self.nonces[at].1
    }
}
#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtsp::tests::{camera, request};

    /// The parameters of a challenge, its nonce for example.
    fn of(challenge: &str, name: &str) -> String {
        parameters(challenge).unwrap().remove(name).unwrap_or_default()
    }

    fn proof(challenge: &str, user: &str, response: &str) -> String {
        format!(
            "Digest username=\"{user}\", realm=\"{}\", nonce=\"{}\", uri=\"rtsp://h/main\", response=\"{response}\"",
            of(challenge, "realm"),
            of(challenge, "nonce"),
        )
    }

    #[test]
    fn each_habit_has_its_challenges_and_keeps_its_nonce() {
        for (habit, kinds) in [
            ("none", vec!["Digest"]),
            ("digest=md5", vec!["Digest MD5"]),
            ("digest=sha-256", vec!["Digest SHA-256", "Digest MD5"]),
            ("digest=sha-256-only", vec!["Digest SHA-256"]),
            ("digest=basic", vec!["Basic"]),
            ("digest=basic-first", vec!["Basic", "Digest"]),
        ] {
            let camera = camera(&format!("user=viewer pass=right habits={habit}"));
            let mut login = Login::default();
            let mut challenged = || login.check(&camera, &request("DESCRIBE", "")).unwrap_err();
            let challenges = challenged();
            assert_eq!(challenges, challenged(), "{habit}");
            let kind = |challenge: &String| match parameters(challenge) {
                Some(given) if given.contains_key("algorithm") => format!("Digest {}", given["algorithm"]),
                Some(_) => "Digest".into(),
                None => "Basic".into(),
            };
            assert_eq!(challenges.iter().map(kind).collect::<Vec<_>>(), kinds, "{habit}");
        }
    }

    #[test]
    fn wrong_passwords_are_refused_and_counted() {
        let camera = camera("user=viewer pass=right");
        let mut login = Login::default();
        let challenge = login.check(&camera, &request("DESCRIBE", "")).unwrap_err().remove(0);
        let failed = || camera.counters.failed_logins.load(std::sync::atomic::Ordering::Relaxed);
        assert_eq!(failed(), 0, "no proof is no wrong one");
        let wrong = [proof(&challenge, "viewer", "00"), "Basic dmlld2VyOnJpZ2h0".into(), "Digest".into()];
        for (n, wrong) in wrong.iter().enumerate() {
            let request = request("DESCRIBE", &format!("Authorization: {wrong}\r\n"));
            assert!(login.check(&camera, &request).is_err(), "{wrong}");
            assert_eq!(failed(), n as u64 + 1);
        }
    }

    #[test]
    fn right_passwords_are_accepted_unless_every_login_is_refused() {
        let basic = camera("user=viewer pass=right habits=digest=basic");
        let request = request("DESCRIBE", "Authorization: Basic dmlld2VyOnJpZ2h0\r\n");
        assert_eq!(Login::default().check(&basic, &request), Ok(()));
        let open = camera("");
        assert_eq!(Login::default().check(&open, &request), Ok(()));
        for camera in [basic, open] {
            camera.change_faults(|faults| faults.wrong_password = true);
            assert!(Login::default().check(&camera, &request).is_err());
        }
    }
}

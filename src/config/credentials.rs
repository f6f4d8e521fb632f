//! User name and password, from keys, from a password file, or from inside a `url`.

use std::{io, path::Path};

use super::{
    diagnostics::Diagnostics,
    files::{SecretFile, cannot_read},
    keys::{MAX_LOGIN_LEN, PASSWORD, PASSWORD_FILE, URL, USERNAME},
    section::{Located, Section},
};
use crate::{
    camera::{Credentials, Secret},
    uri,
};

/// Reads a password file.
pub(super) type SecretReader<'a> = &'a dyn Fn(&Path) -> io::Result<SecretFile>;

/// The login keys of one section.
#[derive(Clone, Default)]
pub(super) struct Login {
    /// The section, for complaints about a half of a login.
    place: String,
    username: Option<Located<String>>,
    password: Option<Located<Secret>>,
    /// A login key of this section already has a complaint, so a missing key needs no second one.
    broken: bool,
}

impl Login {
    pub(super) fn read(
        section: &Section<'_>,
        base: &Path,
        read_secret: SecretReader<'_>,
        diagnostics: &mut Diagnostics<'_>,
    ) -> Self {
        let username = section.line(&USERNAME, diagnostics);
        let written = section.line(&PASSWORD, diagnostics);
        let from_file = match (section.key_at(&PASSWORD), section.key_at(&PASSWORD_FILE)) {
            (Some(_), Some(at)) => {
                section.report(at, "password_file and password are both given; keep one of them", diagnostics);
                None
            }
            _ => password_file(section, base, read_secret, diagnostics),
        };
        let password = written.map(|text| Located { at: text.at, value: Secret::new(text.value) }).or(from_file);
        let broken = (username.is_none() && !section.lacks(&[&USERNAME]))
            || (password.is_none() && !section.lacks(&[&PASSWORD, &PASSWORD_FILE]))
            || (section.key_at(&PASSWORD).is_some() && section.key_at(&PASSWORD_FILE).is_some());
        Self { place: section.place.clone(), username, password, broken }
    }

    /// These keys, and those of `other` that are not here.
    pub(super) fn or(self, other: &Self) -> Self {
        let is_empty = self.username.is_none() && self.password.is_none();
        Self {
            place: if is_empty { other.place.clone() } else { self.place },
            username: self.username.or_else(|| other.username.clone()),
            password: self.password.or_else(|| other.password.clone()),
            broken: self.broken || other.broken,
        }
    }

    /// Returns the login of a camera with these keys of its own. `None`: there is no login.
    ///
    /// A login inside the camera's `url` comes first, then the camera's own keys, then
    /// `[defaults]`, key by key. An empty user name means no login, regardless of `[defaults]`.
    pub(super) fn for_camera(
        &self,
        in_url: Option<(String, String)>,
        defaults: &Self,
        section: &Section<'_>,
        diagnostics: &mut Diagnostics<'_>,
    ) -> Option<Credentials> {
        if self.broken {
            return None;
        }
        if let Some(in_url) = in_url {
            return Some(self.with_url(in_url, section, diagnostics));
        }
        if defaults.broken {
            return None;
        }
        let username = self.username.as_ref().or(defaults.username.as_ref());
        let password = self.password.as_ref().or(defaults.password.as_ref());
        match (username.filter(|username| !username.value.is_empty()), password) {
            (Some(username), Some(password)) => {
                return Some(Credentials { username: username.value.clone(), password: password.value.clone() });
            }
            (Some(username), None) => {
                let place = if self.username.is_some() { &section.place } else { &defaults.place };
                let right = "add password or password_file, or password = \"\" where the camera has none";
                diagnostics.report(username.at, place, format!("username without a password; {right}"));
            }
            (None, Some(password)) if self.password.is_some() => {
                section.report(password.at, "password without a username; add username", diagnostics);
            }
            (None, Some(password)) if username.is_none() => {
                let right = "add username, or username = \"\" to a camera that takes no login";
                diagnostics.report(password.at, &defaults.place, format!("password without a username; {right}"));
            }
            (None, _) => {}
        }
        None
    }

    /// Returns the login inside `url`. If it has no password, the camera's own one is used.
    fn with_url(
        &self,
        (username, password): (String, String),
        section: &Section<'_>,
        diagnostics: &mut Diagnostics<'_>,
    ) -> Credentials {
        if let Some(twice) = &self.username {
            section.report(twice.at, "username is given here and in url; keep one of them", diagnostics);
        }
        match &self.password {
            Some(twice) if !password.is_empty() => {
                section.report(twice.at, "password is given here and in url; keep one of them", diagnostics);
            }
            _ => {}
        }
        let (username, decoded) = (percent_decode(&username), percent_decode(&password));
        if let Some(at) = section.key_at(&URL).filter(|_| (username.clone() + &decoded).contains(char::is_control)) {
            section.report(at, "the login in url holds a control character; write it without", diagnostics);
        }
        let own = self.password.as_ref().filter(|_| password.is_empty());
        let password = own.map_or_else(|| Secret::new(decoded), |own| own.value.clone());
        Credentials { username, password }
    }
}

/// Returns the first line of the file that `password_file` names. Complaints do not quote the path,
/// because some people write the password itself there.
fn password_file(
    section: &Section<'_>,
    base: &Path,
    read_secret: SecretReader<'_>,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<Located<Secret>> {
    let path = section.text(&PASSWORD_FILE, diagnostics)?;
    let wrong = if path.value.trim().is_empty() {
        "is empty; write the path of a file, like \"/etc/cctv-agent/secret\"".to_owned()
    } else {
        match read_secret(&base.join(&path.value)) {
            Err(error) => cannot_read(&error, &"FILE"),
            Ok(file) => {
                let line = file.text.strip_suffix('\n').unwrap_or(&file.text);
                let line = line.strip_suffix('\r').unwrap_or(line);
                if line.is_empty() {
                    "names an empty file; write the password into it, on one line".to_owned()
                } else if line.chars().any(char::is_control) {
                    "names a file with more than one line; write only the password into it".to_owned()
                } else if line.chars().count() > MAX_LOGIN_LEN {
                    format!("names a file with more than {MAX_LOGIN_LEN} characters; write only the password into it")
                } else {
                    if file.readable_by_all {
                        let words = "every user of this machine can read the file password_file names; chmod 640 it";
                        diagnostics.remark(path.at, &section.place, words);
                    }
                    return Some(Located { at: path.at, value: Secret::new(line) });
                }
            }
        }
    };
    section.report(path.at, format!("password_file {wrong}"), diagnostics);
    None
}

/// Returns `text` decoded, or unchanged where it was not percent-encoded.
fn percent_decode(text: &str) -> String {
    uri::percent_decode(text).unwrap_or_else(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_characters_are_decoded() {
        assert_eq!(percent_decode("a%40b%23%C3%A9"), "a@b#é");
    }

    #[test]
    fn password_that_was_never_encoded_stays_as_it_is() {
        for raw in ["100%sure", "50%", "a%4", "%ff%fe", "plain"] {
            assert_eq!(percent_decode(raw), raw);
        }
    }
}

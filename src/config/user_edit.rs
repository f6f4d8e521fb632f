//! Changes one user in the text of the file, and nothing else: comments, order and all other bytes stay.

use std::{ops::Range, path::Path};

use toml::de::{DeTable, DeValue};

use super::{
    diagnostics::{Complaint, position},
    schema::{CAMERA, USER},
    server_keys::{TOKEN, USER_NAME, USER_PASSWORD},
};
use crate::account::Credential;

/// What becomes of a user.
#[derive(Clone, Debug)]
pub enum UserChange {
    /// It gets this password or token in place of what it has; it is added if there is none.
    Set(Credential),
    Delete,
}

/// A file with one user changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    pub text: String,
    /// Whether the user was there before.
    pub existed: bool,
}

/// Returns `text`, the content of the file at `path`, with the user `name` changed. The name must be
/// one that [`is_name`](crate::account::is_name) accepts. Other mistakes in the file do not matter,
/// but it must be TOML.
///
/// # Errors
/// Complaints about the file, if it cannot be changed without a look at it.
pub fn edit(text: &str, path: &Path, name: &str, change: &UserChange) -> Result<Edited, Vec<Complaint>> {
    let complain = |at: usize, text: &str, words: String| {
        vec![Complaint { file: path.to_owned(), position: Some(position(text, at)), text: words }]
    };
    if let Some(at) = first_error(text) {
        return Err(complain(at, text, "not valid TOML; `cctv-agent check` tells more".to_owned()));
    }
    let users = users(text);
    let mut found = users.iter().filter(|user| user.name == name);
    let user = found.next();
    if found.next().is_some() {
        let at = user.map_or(0, |user| user.at.start);
        return Err(complain(at, text, format!("there is more than one user {name:?}; keep one of them")));
    }
    let edited = match (user, change) {
        (None, UserChange::Delete) => {
            let words = format!("there is no user {name:?}");
            return Err(vec![Complaint { file: path.to_owned(), position: None, text: words }]);
        }
        (None, UserChange::Set(credential)) => appended(text, name, credential),
        (Some(user), UserChange::Set(credential)) => with_credential(text, user, credential),
        (Some(user), UserChange::Delete) => without(text, user),
    };
    // The file may be written in a way that this does not know, such as a list in one line.
    let mut expected: Vec<(String, Option<String>)> = users.iter().map(User::summary).collect();
    match change {
        UserChange::Delete => expected.retain(|(other, _)| other != name),
        UserChange::Set(credential) => match expected.iter_mut().find(|(other, _)| other == name) {
            Some((_, written)) => *written = Some(line(credential)),
            None => expected.push((name.to_owned(), Some(line(credential)))),
        },
    }
    let is_right = first_error(&edited).is_none()
        && self::users(&edited).iter().map(User::summary).collect::<Vec<_>>() == expected
        && cameras(&edited) == cameras(text);
    if !is_right {
        let at = user.map_or(text.len(), |user| user.at.start);
        let words = match change {
            UserChange::Delete => "remove this user by hand".to_owned(),
            UserChange::Set(credential) => format!("write this line to the user by hand: {}", line(credential)),
        };
        return Err(complain(at, text, format!("cannot be changed without a person; {words}")));
    }
    Ok(Edited { text: edited, existed: user.is_some() })
}

/// A user as it is written.
struct User {
    name: String,
    /// The head of the section.
    at: Range<usize>,
    /// The last byte of the last value, or of the head.
    end: usize,
    name_end: usize,
    /// Each of `password` and `token` that is there: from the key to the end of the value.
    credentials: Vec<Range<usize>>,
    /// The first of these as [`line`] writes it.
    written: Option<String>,
}

impl User {
    fn summary(&self) -> (String, Option<String>) {
        (self.name.clone(), self.written.clone())
    }
}

fn users(text: &str) -> Vec<User> {
    let (root, _) = DeTable::parse_recoverable(text);
    let Some(DeValue::Array(list)) = root.get_ref().get(USER.name).map(|value| value.get_ref()) else {
        return Vec::new();
    };
    let user = |entry: &toml::Spanned<DeValue<'_>>| {
        let table = entry.get_ref().as_table()?;
        let name = table.get(USER_NAME.name)?;
        let credentials: Vec<_> = [USER_PASSWORD.name, TOKEN.name]
            .into_iter()
            .filter_map(|key| table.get_key_value(key))
            .map(|(key, value)| (key.span().start..value.span().end, key.get_ref(), value.get_ref().as_str()))
            .collect();
        let written = credentials.first().and_then(|(_, key, value)| Some(format!("{key} = \"{}\"", (*value)?)));
        Some(User {
            name: name.get_ref().as_str()?.to_owned(),
            at: entry.span(),
            end: table.values().map(|value| value.span().end).max().unwrap_or(entry.span().end),
            name_end: name.span().end,
            credentials: credentials.into_iter().map(|(range, ..)| range).collect(),
            written,
        })
    };
    list.iter().filter_map(user).collect()
}

/// How many cameras the file has.
fn cameras(text: &str) -> usize {
    let (root, _) = DeTable::parse_recoverable(text);
    root.get_ref().get(CAMERA.name).and_then(|value| value.get_ref().as_array()).map_or(0, |list| list.len())
}

fn first_error(text: &str) -> Option<usize> {
    let (_, errors) = DeTable::parse_recoverable(text);
    errors.first().map(|error| text.floor_char_boundary(error.span().map_or(0, |span| span.start)))
}

/// Neither kind of hash needs an escape.
fn line(credential: &Credential) -> String {
    match credential {
        Credential::Password(hash) => format!("{} = \"{}\"", USER_PASSWORD.name, hash.as_str()),
        Credential::Token(hash) => format!("{} = \"{hash}\"", TOKEN.name),
    }
}

/// The end of a line in this file.
fn newline(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
}

fn appended(text: &str, name: &str, credential: &Credential) -> String {
    let newline = newline(text);
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { newline };
    let lines = ["", &USER.head(), &format!("{} = \"{name}\"", USER_NAME.name), &line(credential), ""].join(newline);
    format!("{text}{end}{lines}")
}

fn with_credential(text: &str, user: &User, credential: &Credential) -> String {
    match user.credentials.as_slice() {
        [] => {
            let end = line_end(text, user.name_end);
            let newline = newline(text);
            format!(
                "{}{newline}{}{}",
                text[..end].trim_end_matches('\r'),
                line(credential),
                &text[text[..end].trim_end_matches('\r').len()..]
            )
        }
        [only] => format!("{}{}{}", &text[..only.start], line(credential), &text[only.end..]),
        // Both: a mistake, of which only a person knows the meaning; what follows finds that out.
        _ => text.to_owned(),
    }
}

/// Removes the section from its head to the line of its last value, so that a comment above the next
/// section stays; of two empty lines that meet one is enough.
fn without(text: &str, user: &User) -> String {
    let start = text[..user.at.start].rfind('\n').map_or(0, |newline| newline + 1);
    let end = line_end(text, user.end);
    let rest = &text[(end + 1).min(text.len())..];
    let is_empty_above = start == 0 || text[..start].ends_with("\n\n") || text[..start].ends_with("\n\r\n");
    let rest = if is_empty_above {
        rest.strip_prefix("\r\n").or_else(|| rest.strip_prefix('\n')).unwrap_or(rest)
    } else {
        rest
    };
    format!("{}{rest}", &text[..start])
}

/// The byte at which the line of the byte at `at` ends.
fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |newline| at + newline)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::token_hash::TokenHash;

    fn set(token: &str) -> UserChange {
        UserChange::Set(Credential::Token(TokenHash::of(token)))
    }

    fn written(token: &str) -> String {
        format!("token = \"{}\"", TokenHash::of(token))
    }

    fn edited(text: &str, name: &str, change: &UserChange) -> Result<(String, bool), String> {
        edit(text, Path::new("c"), name, change)
            .map(|edited| (edited.text, edited.existed))
            .map_err(|complaints| complaints[0].to_string())
    }

    const FILE: &str = "# Mine\n[server] # listens\nlisten = '127.0.0.1:1'\n\n# The guard\n[[user]]\n  name = 'guard' # at the gate\n\
                        password = 'x'   # old\ncameras = ['gate']\n\n# A screen\n[[user]]\nname = \"tv\"\n\n# The gate\n\
                        [[camera]]\nid = 'gate'\nip = 'é'\ncolour = 1\n";

    #[test]
    fn one_value_is_replaced_and_every_other_byte_stays() {
        let (text, existed) = edited(FILE, "guard", &set("new")).unwrap();
        assert_eq!(text, FILE.replace("password = 'x'", &written("new")));
        assert!(existed);
        let (again, _) = edited(&text, "guard", &set("newer")).unwrap();
        assert_eq!(again, FILE.replace("password = 'x'", &written("newer")));
        let (text, _) = edited(FILE, "tv", &set("new")).unwrap();
        assert_eq!(text, FILE.replace("\"tv\"\n", &format!("\"tv\"\n{}\n", written("new"))));
    }

    #[test]
    fn new_user_stands_at_the_end() {
        let user = format!("\n[[user]]\nname = \"chief\"\n{}\n", written("new"));
        assert_eq!(edited(FILE, "chief", &set("new")).unwrap(), (format!("{FILE}{user}"), false));
        assert_eq!(edited("[server]", "chief", &set("new")).unwrap().0, format!("[server]\n{user}"));
        let (text, _) = edited("[server]\r\n", "chief", &set("new")).unwrap();
        assert_eq!(text, format!("[server]\r\n{}", user.replace('\n', "\r\n")));
        let (text, _) = edited("[[user]]\r\nname='a'\r\n", "a", &set("new")).unwrap();
        assert_eq!(text, format!("[[user]]\r\nname='a'\r\n{}\r\n", written("new")));
    }

    #[test]
    fn deleted_user_leaves_the_comments_of_others() {
        let (text, existed) = edited(FILE, "guard", &UserChange::Delete).unwrap();
        let (start, end) = (FILE.find("[[user]]").unwrap(), FILE.find("\n# A screen").unwrap());
        assert_eq!(text, format!("{}{}", &FILE[..start], &FILE[end..]));
        assert!(existed);
        let (text, _) = edited(&text, "tv", &UserChange::Delete).unwrap();
        assert!(!text.contains("[[user]]") && text.contains("# The gate\n[[camera]]"), "{text}");
        let alone = "[server]\n\n[[user]]\nname='a'";
        assert_eq!(edited(alone, "a", &UserChange::Delete).unwrap().0, "[server]\n\n");
        assert_eq!(edited(FILE, "chief", &UserChange::Delete).unwrap_err(), "c: there is no user \"chief\"");
    }

    #[test]
    fn what_only_a_person_understands_is_left_alone() {
        for (text, wrong) in [
            ("[server\n", "c:1:8: not valid TOML"),
            ("user = 7\n", "c:2:1: cannot be changed without a person; write this line"),
            ("user = [{ name = 'b', token = 'x' }]\n", "c:2:1: cannot be changed without a person"),
            ("[[user]]\nname='a'\npassword='x'\ntoken='y'\n", "c:1:1: cannot be changed without a person"),
            ("[[user]]\nname='a'\n[[user]]\nname='a'\n", "c:1:1: there is more than one user \"a\""),
            ("user = [{ name = 'a' }]\n", "c:1:9: cannot be changed without a person"),
        ] {
            let complaint = edited(text, "a", &set("new")).unwrap_err();
            assert!(complaint.starts_with(wrong), "{text}: {complaint}");
        }
        let inline = "user = [{ name = 'a', token = 'x' }, { name = 'b' }]\n";
        assert_eq!(edited(inline, "a", &set("n")).unwrap().0, inline.replace("token = 'x'", &written("n")));
        assert!(edited(inline, "a", &UserChange::Delete).is_err());
    }
}

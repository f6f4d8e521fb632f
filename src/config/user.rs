//! `[[user]]`: who may log in, and what for.

use std::collections::BTreeMap;

use super::{
    access, camera_list,
    diagnostics::Diagnostics,
    section::{Located, Section},
    server_keys::{MAY, TOKEN, USER_CAMERAS, USER_NAME, USER_PASSWORD, USER_WALL},
    wall::Walls,
    wall_name,
    wording::quoted,
};
use crate::account::{Account, Credential, Rights, Seen, is_name, password_hash::PasswordHash, token_hash::TokenHash};

/// Maximum number of users.
const MAX_USERS: usize = 64;

/// Checks all users. `cameras` are the identifiers in the file, including cameras not enabled.
pub(super) fn all(
    sections: &[Section<'_>],
    cameras: &[String],
    walls: &Walls,
    diagnostics: &mut Diagnostics<'_>,
) -> Vec<Account> {
    if let Some(first_too_many) = sections.get(MAX_USERS) {
        let words = format!("one of {} users; at most {MAX_USERS} are taken", sections.len());
        first_too_many.report(first_too_many.at, words, diagnostics);
    }
    let mut lines = BTreeMap::new();
    let mut accounts = Vec::new();
    for section in sections {
        section.refuse_unknown(diagnostics);
        let name = name(section, &mut lines, diagnostics);
        let credential = credential(section, diagnostics);
        let rights = rights(section, diagnostics);
        let cameras = seen(section, cameras, walls, diagnostics);
        if let (Some(name), Some(credential)) = (name, credential) {
            accounts.push(Account { name, rights, cameras, credential });
        }
    }
    accounts
}

fn name(
    section: &Section<'_>,
    lines: &mut BTreeMap<String, usize>,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<String> {
    let right = "letters, digits, -, _ and ., like \"guard\"";
    let Some(Located { at, value }) = section.text(&USER_NAME, diagnostics) else {
        if section.lacks(&[&USER_NAME]) {
            section.report(section.at, format!("name is missing; add one of {right}"), diagnostics);
        }
        return None;
    };
    if !is_name(&value) {
        section.report(at, format!("name{} is no user name; write 1 to 64 {right}", quoted(&value)), diagnostics);
        return None;
    }
    if let Some(line) = lines.get(&value) {
        section.report(
            at,
            format!("this name is already used on line {line}; give every user another one"),
            diagnostics,
        );
        return None;
    }
    lines.insert(value.clone(), diagnostics.line(at));
    Some(value)
}

/// Complaints quote neither value: somebody may have written the password itself.
fn credential(section: &Section<'_>, diagnostics: &mut Diagnostics<'_>) -> Option<Credential> {
    if let (Some(_), Some(at)) = (section.key_at(&USER_PASSWORD), section.key_at(&TOKEN)) {
        section.report(at, "password and token are both given; keep one of them", diagnostics);
        return None;
    }
    if let Some(Located { at, value }) = section.text(&USER_PASSWORD, diagnostics) {
        match PasswordHash::parse(&value) {
            Ok(hash) => return Some(Credential::Password(hash)),
            Err(unusable) => {
                let right = "run `cctv-agent passwd NAME`, which asks for a password and writes its hash here";
                section.report(at, format!("password cannot be used: {unusable}; {right}"), diagnostics);
            }
        }
    } else if let Some(Located { at, value }) = section.text(&TOKEN, diagnostics) {
        match TokenHash::parse(&value) {
            Some(hash) => return Some(Credential::Token(hash)),
            None => {
                let right = "run `cctv-agent token NAME`, which makes a token and writes its hash here";
                let wrong = "token is not \"sha256:\" and 64 hexadecimal digits in small letters";
                section.report(at, format!("{wrong}; {right}"), diagnostics);
            }
        }
    } else if section.lacks(&[&USER_PASSWORD, &TOKEN]) {
        let words = "neither password nor token is given; run `cctv-agent passwd NAME` or `cctv-agent token NAME`, which \
                     writes it here";
        section.report(section.at, words, diagnostics);
    }
    None
}

fn rights(section: &Section<'_>, diagnostics: &mut Diagnostics<'_>) -> Rights {
    let Some(value) = section.value(&MAY) else { return Rights::WATCH };
    if value.get_ref().as_array().is_some_and(|list| list.is_empty()) {
        let words = "may is an empty list; write at least \"watch\", or leave the key out";
        section.report(value.span().start, words, diagnostics);
    }
    let word = |text: &str| match text {
        "watch" | "details" | "metrics" | "show" | "ptz" | "listen" => Ok(text.to_owned()),
        _ => {
            let all = "\"watch\", \"details\", \"metrics\", \"show\", \"ptz\" or \"listen\"";
            Err(format!("there is no such right; write {all}"))
        }
    };
    access::list(section, &MAY, word, diagnostics).iter().fold(Rights::NONE, |rights, word| match word.as_str() {
        "watch" => Rights { watch: true, ..rights },
        // Reasons and addresses without pictures make no page.
        "details" => Rights { watch: true, details: true, ..rights },
        // Without pictures a button on a door, or a script.
        "show" => Rights { show: true, ..rights },
        "ptz" => Rights { ptz: true, ..rights },
        "listen" => Rights { listen: true, ..rights },
        _ => Rights { metrics: true, ..rights },
    })
}

fn seen(section: &Section<'_>, known: &[String], walls: &Walls, diagnostics: &mut Diagnostics<'_>) -> Seen {
    if let (Some(_), Some(at)) = (section.key_at(&USER_CAMERAS), section.key_at(&USER_WALL)) {
        section.report(at, "cameras and wall are both given; keep one of them", diagnostics);
    }
    let chosen = match wall_name::named(section, &USER_WALL, walls, diagnostics) {
        Some(Some((_, wall))) => wall.all_cameras(),
        Some(None) => Some(Vec::new()),
        None => camera_list::read(section, &USER_CAMERAS, known, diagnostics),
    };
    chosen.map_or(Seen::All, |ids| Seen::Only(ids.iter().map(ToString::to_string).collect()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::parse;

    const FILE: &str = "[[camera]]\nid='gate'\nip='10.0.0.1'\n[[camera]]\nid='porch'\nip='10.0.0.2'\nenabled=false\n\
                        [wall.hall]\ncameras=['porch']\n[wall.all]\nlayout=4\n";
    const HASH: &str =
        "password='$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$UMDl5Bt7SgfiJQPBnFqz0FvUGLtZQR1wJ7VHUoPbAgY'";
    const TOKEN: &str = "token='sha256:3c469e9d6c5875d37a43f353d4f88e61fcf812c66eee3457465a40b0da4153e0'";

    fn read(text: &str) -> Result<Vec<Account>, Vec<String>> {
        let no_files = |_: &Path| Err(std::io::ErrorKind::NotFound.into());
        match parse(&format!("{text}\n{FILE}"), Path::new("c"), &no_files) {
            Ok(config) => Ok(config.users),
            Err(complaints) => Err(complaints.iter().map(ToString::to_string).collect()),
        }
    }

    fn only(ids: &[&str]) -> Seen {
        Seen::Only(ids.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn user_has_what_the_file_says_and_watches_everything_by_default() {
        let users = read(&format!(
            "[[user]]\nname='guard'\n{HASH}\n[[user]]\nname='lobby-tv'\n{TOKEN}\nwall='hall'\n\
             [[user]]\nname='prometheus'\n{TOKEN}\nmay=['metrics']\ncameras=['porch', 'gate']\n\
             [[user]]\nname='chief'\n{HASH}\nwall='all'\nmay=['details']"
        ))
        .unwrap();
        let found: Vec<_> = users.iter().map(|user| (user.name.as_str(), user.rights, user.cameras.clone())).collect();
        let none = Rights::NONE;
        assert_eq!(
            found,
            [
                ("guard", Rights::WATCH, Seen::All),
                ("lobby-tv", Rights::WATCH, only(&["porch"])),
                ("prometheus", Rights { metrics: true, ..none }, only(&["gate", "porch"])),
                ("chief", Rights { watch: true, details: true, ..none }, Seen::All),
            ]
        );
        assert!(matches!(users[0].credential, Credential::Password(_)));
        assert!(matches!(users[1].credential, Credential::Token(_)));
    }

    #[test]
    fn each_mistake_has_its_place_and_shows_no_password() {
        for (lines, wrong) in [
            (HASH.to_owned(), "c:1:1: user 1: name is missing; add one of letters"),
            (format!("name='a b'\n{HASH}"), "c:2:6: user \"a b\": name \"a b\" is no user name; write 1 to 64 letters"),
            (
                format!("name='a'\n{HASH}\n[[user]]\nname='a'\n{HASH}"),
                "c:5:6: user \"a\": this name is already used on line 2",
            ),
            ("name='a'".to_owned(), "c:1:1: user \"a\": neither password nor token is given; run `cctv-agent passwd"),
            (format!("name='a'\n{HASH}\n{TOKEN}"), "c:4:1: user \"a\": password and token are both given; keep one"),
            (
                "name='a'\npassword='hunter2'".to_owned(),
                "c:3:10: user \"a\": password cannot be used: it is not a hash of argon2id; run",
            ),
            (
                format!("name='a'\n{}", HASH.replace("19456", "65537")),
                "c:3:10: user \"a\": password cannot be used: it needs 65537 KiB of memory (m), more than 65536; run",
            ),
            (
                "name='a'\ntoken='hunter2'".to_owned(),
                "c:3:7: user \"a\": token is not \"sha256:\" and 64 hexadecimal digits",
            ),
            (
                format!("name='a'\n{HASH}\ncameras=['gaet']"),
                "c:4:10: user \"a\": there is no camera \"gaet\"; did you mean \"gate\"?",
            ),
            (
                format!("name='a'\n{HASH}\nwall='hal'"),
                "c:4:6: user \"a\": there is no wall \"hal\"; did you mean \"hall\"?",
            ),
            (
                format!("name='a'\n{HASH}\nwall='hall'\ncameras=['gate']"),
                "c:4:1: user \"a\": cameras and wall are both given",
            ),
            (
                format!("name='a'\n{HASH}\nmay=['look']"),
                "c:4:6: user \"a\": may \"look\": there is no such right; write \"watch\"",
            ),
            (format!("name='a'\n{HASH}\nmay=[]"), "c:4:5: user \"a\": may is an empty list; write at least \"watch\""),
            (format!("name='a'\n{HASH}\nmay=['watch', 'watch']"), "c:4:15: user \"a\": may has this twice"),
            (
                format!("name='a'\n{HASH}\nrole='admin'"),
                "c:4:1: user \"a\": unknown key \"role\"; did you mean \"may\"?",
            ),
            ("[user]\nname='a'".to_owned(), "c:2:2: [user]: users form a list; write [[user]], with two brackets"),
        ] {
            let text = if lines.starts_with("[user]") { format!("\n{lines}") } else { format!("[[user]]\n{lines}") };
            let complaints = read(&text).unwrap_err();
            assert!(
                complaints.len() == 1 && complaints[0].starts_with(wrong),
                "{lines}:\n{complaints:#?}\nnot {wrong}"
            );
            assert!(!complaints[0].contains("hunter2"));
        }
        let many: String = (0..=MAX_USERS).map(|n| format!("[[user]]\nname='u{n}'\n{TOKEN}\n")).collect();
        assert!(read(&many).unwrap_err()[0].contains("one of 65 users; at most 64 are taken"));
    }
}

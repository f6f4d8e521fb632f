//! Finds what looks like a login in text that holds addresses.

/// Names of parameters whose value is a secret wherever it stands in a URL (Xiongmai puts
/// `user=…_password=…_` into the path).
const SECRET_PARAMETERS: [&str; 8] = ["user", "username", "password", "passwd", "pass", "pwd", "token", "auth"];

/// Whether `authority` ends with a port, or with an IPv6 address.
pub(super) fn port_is_number(authority: &str) -> bool {
    let port = authority.rsplit(':').next().unwrap_or("");
    authority.ends_with(']') || (!port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()))
}

/// `text` with the user information of every URL replaced.
pub(super) fn mask_user_information(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("://") {
        let (before, after) = rest.split_at(start + 3);
        masked.push_str(before);
        let word_end = after.find(|c: char| c.is_whitespace() || "\"'<>".contains(c)).unwrap_or(after.len());
        let authority_end = after[..word_end].find(['/', '?', '#']).unwrap_or(word_end);
        // An unencoded `/` in a password puts the `@` after the first slash; mask up to it as well.
        let at = after[..authority_end].rfind('@').or_else(|| {
            let suspicious = after[..authority_end].contains(':') && !port_is_number(&after[..authority_end]);
            suspicious.then(|| after[..word_end].rfind('@')).flatten()
        });
        match at {
            Some(at) => {
                masked.push_str("***");
                rest = &after[at..];
            }
            None => rest = after,
        }
    }
    masked.push_str(rest);
    masked
}

/// `text` with the values of secret parameters replaced.
pub(super) fn mask_parameters(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(equals) = rest.find('=') {
        let (before, after) = rest.split_at(equals + 1);
        masked.push_str(before);
        let name = before[..equals].rsplit(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or("");
        let value_end = after.find(|c: char| c.is_whitespace() || "&_;/?\"'<>,".contains(c)).unwrap_or(after.len());
        if SECRET_PARAMETERS.iter().any(|secret| name.eq_ignore_ascii_case(secret)) && value_end > 0 {
            masked.push_str("***");
            rest = &after[value_end..];
        } else {
            rest = after;
        }
    }
    masked.push_str(rest);
    masked
}

/// `text` with the user information of every URL, and the value of every `user=`, `password=`,
/// `pwd=`, `token=` and the like, replaced by `***`. For text of others, such as FFmpeg's log.
pub fn mask_credentials(text: &str) -> String {
    mask_parameters(&mask_user_information(text))
}

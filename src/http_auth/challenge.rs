//! Parses the challenges in a server's `WWW-Authenticate` fields.
//!
//! There may be several fields with several challenges each. Commas separate challenges and also
//! the parameters of one challenge; only the grammar shows which is which.

/// One challenge: a scheme and its parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Challenge {
    /// As written, for instance `Digest`.
    pub scheme: String,
    /// Name in lower case and value without quotes, in order.
    pub parameters: Vec<(String, String)>,
}

impl Challenge {
    /// Whether the scheme is `scheme`; case does not count.
    pub fn is(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme)
    }

    /// Returns the first value of the parameter `name`, which must be in lower case.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }
}

/// Returns every challenge of every field in `fields`, in order. Skips what it does not understand.
pub fn parse<'a>(fields: impl IntoIterator<Item = &'a str>) -> Vec<Challenge> {
    fields.into_iter().flat_map(parse_field).collect()
}

fn parse_field(field: &str) -> Vec<Challenge> {
    let mut challenges: Vec<Challenge> = Vec::new();
    for item in split_at_commas(field) {
        let (word, rest) = item.split_once([' ', '\t']).unwrap_or((item, ""));
        let rest = rest.trim();
        // `realm = "x"` is a parameter; `Digest realm="x"` or only `Negotiate` begins a challenge.
        let begins = !word.contains('=') && !rest.starts_with('=');
        let parameter = if begins {
            challenges.push(Challenge { scheme: word.to_owned(), parameters: Vec::new() });
            rest
        } else {
            item
        };
        if let (Some(challenge), Some((name, value))) = (challenges.last_mut(), parameter.split_once('=')) {
            challenge.parameters.push((name.trim().to_ascii_lowercase(), unquote(value.trim())));
        }
    }
    challenges
}

/// Splits `field` at commas outside quotes; returns the pieces that are not empty, trimmed.
fn split_at_commas(field: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let (mut start, mut quoted, mut escaped) = (0, false, false);
    for (at, character) in field.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => {
                pieces.push(&field[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    pieces.push(&field[start..]);
    pieces.into_iter().map(str::trim).filter(|piece| !piece.is_empty()).collect()
}

fn unquote(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"') else {
        return value.to_owned();
    };
    let mut text = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => break,
            '\\' => text.extend(characters.next()),
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_challenges_in_one_field_are_told_apart() {
        let field =
            r#"Basic realm="a, b", Negotiate,Digest realm = "c\"d",nonce=abc , qop="auth,auth-int",, stale=TRUE"#;
        let challenges = parse([field]);
        let schemes: Vec<_> = challenges.iter().map(|challenge| challenge.scheme.as_str()).collect();
        assert_eq!(schemes, ["Basic", "Negotiate", "Digest"]);
        assert_eq!(challenges[0].parameter("realm"), Some("a, b"));
        let digest = &challenges[2];
        assert!(digest.is("digest"));
        assert_eq!(digest.parameter("realm"), Some("c\"d"));
        assert_eq!(digest.parameter("nonce"), Some("abc"));
        assert_eq!(digest.parameter("qop"), Some("auth,auth-int"));
        assert_eq!(digest.parameter("stale"), Some("TRUE"));
    }

    #[test]
    fn every_field_counts_and_names_ignore_case() {
        let challenges = parse([r#"Digest Realm="a",NONCE="1",opaque="""#, r#"digest algorithm="SHA-256",nonce="2""#]);
        assert_eq!(challenges.len(), 2);
        assert_eq!(challenges[0].parameter("opaque"), Some(""));
        assert_eq!(challenges[0].parameter("algorithm"), None);
        assert_eq!(challenges[1].parameter("algorithm"), Some("SHA-256"));
        assert_eq!(challenges[1].parameter("nonce"), Some("2"));
    }

    #[test]
    fn nonsense_is_skipped_and_never_a_panic() {
        for odd in ["", ",,,", "=", "\"", "Digest", "Digest =", "Digest nonce=\"a\\", "é=ü, Digest é", "a=b"] {
            let _ = parse([odd]);
        }
        assert_eq!(parse(["realm=\"x\""]), []);
    }
}

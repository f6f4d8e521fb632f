//! The one cookie of ours in the `Cookie` lines of a request (RFC 6265 5.4).

/// Maximum characters of its value.
pub const MAX_LEN: usize = 128;

/// The value of the cookie `name` in one line: letters, digits, `-` and `_`.
///
/// # Errors
/// If the cookie is there and its value cannot be ours, or two cookies of that name differ.
pub fn find<'a>(line: &'a [u8], name: &str) -> Result<Option<&'a str>, Malformed> {
    let mut found = None;
    for pair in line.split(|&byte| byte == b';') {
        let pair = pair.trim_ascii();
        let Some(value) = pair.strip_prefix(name.as_bytes()).and_then(|rest| rest.strip_prefix(b"=")) else { continue };
        let is_ours = (1..=MAX_LEN).contains(&value.len())
            && value.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte));
        let value = std::str::from_utf8(value).ok().filter(|_| is_ours).ok_or(Malformed)?;
        match found {
            Some(other) if other != value => return Err(Malformed),
            _ => found = Some(value),
        }
    }
    Ok(found)
}

/// The cookie has a value that we never gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str) -> Result<Option<&str>, Malformed> {
        find(line.as_bytes(), "__Host-cctv")
    }

    #[test]
    fn cookie_is_found_among_those_of_other_services() {
        assert_eq!(found("a=b; __Host-cctv=Ab-_9; c=\"d\""), Ok(Some("Ab-_9")));
        assert_eq!(found("__Host-cctv=x;__Host-cctv=x"), Ok(Some("x")));
        for line in ["", ";", "__host-cctv=x", "x__Host-cctv=y", "__Host-cctvx=y", "__Host-cctv", "a=__Host-cctv=x"] {
            assert_eq!(found(line), Ok(None), "{line:?}");
        }
    }

    #[test]
    fn cookie_that_is_not_ours_is_refused() {
        let long = format!("__Host-cctv={}", "x".repeat(MAX_LEN + 1));
        for line in [
            "__Host-cctv=",
            "__Host-cctv=\"x\"",
            "__Host-cctv=a b",
            "__Host-cctv=a=b",
            "__Host-cctv=ä",
            "__Host-cctv=x; __Host-cctv=y",
            &long,
        ] {
            assert_eq!(found(line), Err(Malformed), "{line:?}");
        }
    }
}

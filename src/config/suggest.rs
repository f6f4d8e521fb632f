//! "Did you mean …": finds the known key that was probably meant.

/// Keys of other programs that people write from habit, and the names of these keys here.
const ALIASES: &[(&str, &str)] = &[
    ("address", "ip"),
    ("host", "ip"),
    ("hostname", "ip"),
    ("addr", "ip"),
    ("user", "username"),
    ("login", "username"),
    ("pass", "password"),
    ("passwd", "password"),
    ("pwd", "password"),
    ("secret_file", "password_file"),
    ("fps", "max_fps"),
    ("framerate", "max_fps"),
    ("copy", "passthrough"),
    ("untouched", "passthrough"),
    ("timeout", "stall_after"),
    ("protocol", "transport"),
    ("port", "onvif_port"),
    ("port", "listen"),
    ("bind", "listen"),
    ("server_name", "names"),
    ("hostnames", "names"),
    ("hosts", "names"),
    ("allowed_hosts", "names"),
    ("domain", "names"),
    ("cors", "embed"),
    ("origins", "embed"),
    ("frame_ancestors", "embed"),
    ("title", "name"),
    ("label", "name"),
    ("rtsp", "url"),
    ("uri", "url"),
    ("stream", "url"),
    ("token", "profile"),
    ("sub_profile", "small_profile"),
    ("disabled", "enabled"),
    ("enable", "enabled"),
    ("cameras", "camera"),
    ("default", "defaults"),
];

/// Returns the key in `known` that is most similar to `written`, if any is similar enough.
pub(super) fn nearest<'k>(written: &str, known: &[&'k str]) -> Option<&'k str> {
    let written = written.to_lowercase().replace(['-', ' '], "_");
    let by_distance = known
        .iter()
        .map(|key| (distance(&written, key), *key))
        .filter(|(distance, key)| *distance <= key.len().div_ceil(3).min(2))
        .min_by_key(|(distance, _)| *distance);
    let by_alias = || {
        let meant = ALIASES.iter().filter(|(alias, _)| *alias == written).map(|(_, key)| *key);
        meant.filter_map(|key| known.iter().copied().find(|known| *known == key)).next()
    };
    match by_distance {
        Some((0 | 1, key)) => Some(key),
        other => by_alias().or(other.map(|(_, key)| key)),
    }
}

/// Number of letters to insert, delete, replace or swap with a neighbour to turn `a` into `b`
/// (Damerau-Levenshtein distance in its restricted form); `usize::MAX` for lengths that differ by
/// more than 2, which also bounds the work.
fn distance(a: &str, b: &str) -> usize {
    let is_near = a.chars().count().abs_diff(b.chars().count()) <= 2;
    if is_near { strsim::osa_distance(a, b) } else { usize::MAX }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: &[&str] = &["id", "ip", "url", "name", "profile", "username", "password", "max_fps", "onvif_port"];

    #[test]
    fn slip_of_the_finger_finds_the_key() {
        for (written, meant) in
            [("profil", "profile"), ("pasword", "password"), ("nmae", "name"), ("Max-FPS", "max_fps"), ("ipp", "ip")]
        {
            assert_eq!(nearest(written, KEYS), Some(meant), "{written}");
        }
    }

    #[test]
    fn habit_from_other_programs_finds_the_key() {
        for (written, meant) in [("user", "username"), ("host", "ip"), ("port", "onvif_port"), ("pwd", "password")] {
            assert_eq!(nearest(written, KEYS), Some(meant), "{written}");
        }
    }

    #[test]
    fn something_else_finds_nothing() {
        for written in ["", "colour", "x", "recording_directory", &"a".repeat(100_000)] {
            assert_eq!(nearest(written, KEYS), None);
        }
    }
}

//! "Did you mean …": finds the known key that was probably meant.

use super::wording::quoted;

/// Returns the name in `known` that is most similar to `written`, if any is similar enough. Each
/// name comes with its aliases: what people write for it from habit.
pub(super) fn nearest<'k>(
    written: &str,
    known: impl Iterator<Item = (&'k str, &'k [&'k str])> + Clone,
) -> Option<&'k str> {
    let written = written.to_lowercase().replace(['-', ' '], "_");
    let by_distance = known
        .clone()
        .map(|(name, _)| (distance(&written, name), name))
        .filter(|(distance, name)| *distance <= name.len().div_ceil(3).min(2))
        .min_by_key(|(distance, _)| *distance);
    match by_distance {
        Some((0 | 1, name)) => Some(name),
        other => {
            let mut by_alias = known.filter(|(_, aliases)| aliases.contains(&written.as_str())).map(|(name, _)| name);
            by_alias.next().or(other.map(|(_, name)| name))
        }
    }
}

/// Number of letters to insert, delete, replace or swap with a neighbour to turn `a` into `b`
/// (Damerau-Levenshtein distance in its restricted form); `usize::MAX` for lengths that differ by
/// more than 2, which also bounds the work.
fn distance(a: &str, b: &str) -> usize {
    let is_near = a.chars().count().abs_diff(b.chars().count()) <= 2;
    if is_near { strsim::osa_distance(a, b) } else { usize::MAX }
}

/// Says that there is no wall `written` among those with these `names`, and which one was probably meant.
pub(super) fn no_wall<'n>(written: &str, names: impl Iterator<Item = &'n str> + Clone) -> String {
    let hint = match nearest(written, names.map(|name| (name, &[][..]))) {
        Some(near) => format!("did you mean {near:?}?"),
        None => "write the NAME of a [wall.NAME] of this file".to_owned(),
    };
    format!("there is no wall{}; {hint}", quoted(written))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: &[(&str, &[&str])] = &[
        ("id", &[]),
        ("ip", &["address", "host"]),
        ("name", &["title"]),
        ("profile", &[]),
        ("username", &["user"]),
        ("password", &["pwd"]),
        ("max_fps", &["fps"]),
        ("onvif_port", &["port"]),
    ];

    fn meant(written: &str) -> Option<&'static str> {
        nearest(written, KEYS.iter().copied())
    }

    #[test]
    fn slip_of_the_finger_finds_the_key() {
        for (written, key) in
            [("profil", "profile"), ("pasword", "password"), ("nmae", "name"), ("Max-FPS", "max_fps"), ("ipp", "ip")]
        {
            assert_eq!(meant(written), Some(key), "{written}");
        }
    }

    #[test]
    fn habit_from_other_programs_finds_the_key() {
        for (written, key) in [("user", "username"), ("host", "ip"), ("port", "onvif_port"), ("pwd", "password")] {
            assert_eq!(meant(written), Some(key), "{written}");
        }
    }

    #[test]
    fn something_else_finds_nothing() {
        for written in ["", "colour", "x", "recording_directory", &"a".repeat(100_000)] {
            assert_eq!(meant(written), None);
        }
    }
}

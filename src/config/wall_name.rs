//! Names of walls in other sections.

use super::{
    diagnostics::Diagnostics,
    key::{Key, Text, Unset},
    section::{Located, Section},
    suggest,
    wall::{Wall, Walls},
};

/// Returns the wall that `key` names. `None`: the key is absent; `Some(None)`: there is no such wall, which was
/// complained about.
pub(super) fn named<'w>(
    section: &Section<'_>,
    key: &Key<Text, Unset>,
    walls: &'w Walls,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<Option<(&'w str, &'w Wall)>> {
    let Located { at, value } = section.text(key, diagnostics)?;
    if let Some((name, wall)) = walls.named.get_key_value(&value) {
        return Some(Some((name, wall)));
    }
    section.report(at, suggest::no_wall(&value, walls.named.keys().map(String::as_str)), diagnostics);
    Some(None)
}

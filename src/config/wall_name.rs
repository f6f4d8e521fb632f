//! Names of walls in other sections.

use super::{
    diagnostics::Diagnostics,
    key::{Key, Text, Unset},
    section::{Located, Section},
    suggest,
    wall::{Wall, Walls},
    wording::quoted,
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
    let names = walls.named.keys().map(|name| (name.as_str(), &[][..]));
    let hint = match suggest::nearest(&value, names) {
        Some(near) => format!("did you mean {near:?}?"),
        None => "write the NAME of a [wall.NAME] of this file".to_owned(),
    };
    section.report(at, format!("there is no wall{}; {hint}", quoted(&value)), diagnostics);
    Some(None)
}

//! `cameras`: a list of identifiers of cameras of the file.

use toml::de::DeValue;

use super::{
    diagnostics::Diagnostics,
    key::{Key, List, Unset},
    section::Section,
    suggest,
    wording::{kind, quoted},
};
use crate::camera::CameraId;

/// Returns the camera with this `name`, if it is one of `known`.
///
/// # Errors
/// What is wrong, and what was probably meant.
pub(super) fn find(name: &str, known: &[String]) -> Result<CameraId, String> {
    CameraId::new(name).filter(|_| known.iter().any(|id| id == name)).ok_or_else(|| {
        let hint = match suggest::nearest(name, known.iter().map(|id| (id.as_str(), &[][..]))) {
            Some(near) => format!("did you mean {near:?}?"),
            None => "write the id of a [[camera]] of this file".to_owned(),
        };
        format!("there is no camera{}; {hint}", quoted(name))
    })
}

/// Returns the cameras that the list `row` names; `None` if the key is absent or no list.
pub(super) fn read(
    section: &Section<'_>,
    row: &Key<List, Unset>,
    known: &[String],
    diagnostics: &mut Diagnostics<'_>,
) -> Option<Vec<CameraId>> {
    let value = section.value(row)?;
    let right = format!("write a list of identifiers, like {}", row.values.example);
    let DeValue::Array(list) = value.get_ref() else {
        section.report(value.span().start, format!("cameras is {}; {right}", kind(value.get_ref())), diagnostics);
        return None;
    };
    let mut chosen: Vec<CameraId> = Vec::new();
    for entry in list {
        let at = entry.span().start;
        let Some(id) = entry.get_ref().as_str() else {
            section.report(at, format!("cameras holds {}; {right}", kind(entry.get_ref())), diagnostics);
            continue;
        };
        match find(id, known) {
            Err(wrong) => section.report(at, wrong, diagnostics),
            Ok(found) if chosen.contains(&found) => {
                section.report(at, format!("camera{} is in this list twice; remove one", quoted(id)), diagnostics);
            }
            Ok(found) => chosen.push(found),
        }
    }
    if list.is_empty() {
        section.report(
            value.span().start,
            format!("cameras is an empty list; {right}, or leave the key out"),
            diagnostics,
        );
    }
    Some(chosen)
}

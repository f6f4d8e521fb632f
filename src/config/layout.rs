//! `layout`: the arrangement of the tiles of a wall, as a word or as a picture of the grid.

use std::collections::BTreeMap;

use toml::{Spanned, de::DeValue};

use super::{
    camera_list,
    diagnostics::Diagnostics,
    key::{Key, List, Unset},
    section::Section,
    suggest,
    wall_keys::{LAYOUT, LAYOUTS},
    wording::{is_quotable, kind, quoted},
};
use crate::camera::CameraId;

/// A grid has at most this many columns and rows, as those that the page makes.
const MAX_COLUMNS: usize = 10;
const MAX_ROWS: usize = 14;

/// Stands for an empty place in a row.
const EMPTY: &str = ".";

/// The arrangement of the tiles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layout {
    /// One of [`LAYOUTS`].
    Word(&'static str),
    Drawn(Grid),
}

/// A grid in which each camera takes one rectangle. All rows have the same number of places; `None` is an empty one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grid(Vec<Vec<Option<CameraId>>>);

impl Layout {
    /// Whether one panel is larger than the others, by the word.
    pub fn has_large(&self) -> bool {
        matches!(self, Self::Word(word) if word.contains('+'))
    }

    /// The cameras that the layout itself names.
    pub fn cameras(&self) -> Option<Vec<CameraId>> {
        match self {
            Self::Word(_) => None,
            Self::Drawn(grid) => Some(grid.cameras()),
        }
    }
}

impl Grid {
    /// Each camera once, row by row.
    pub fn cameras(&self) -> Vec<CameraId> {
        let mut cameras: Vec<CameraId> = Vec::new();
        for camera in self.0.iter().flatten().flatten() {
            if !cameras.contains(camera) {
                cameras.push(camera.clone());
            }
        }
        cameras
    }

    /// The rows as they are written in the file, with empty places for the cameras that are not `seen`.
    pub fn rows(&self, seen: impl Fn(&CameraId) -> bool) -> Vec<String> {
        let word = |place: &Option<CameraId>| match place {
            Some(camera) if seen(camera) => camera.to_string(),
            _ => EMPTY.to_owned(),
        };
        self.0.iter().map(|row| row.iter().map(word).collect::<Vec<_>>().join(" ")).collect()
    }
}

/// The layout of `section`, and its cameras: those of the layout, or of the list `row`.
pub(super) fn with_cameras(
    section: &Section<'_>,
    row: &Key<List, Unset>,
    known: &[String],
    diagnostics: &mut Diagnostics<'_>,
) -> (Option<Layout>, Option<Vec<CameraId>>) {
    let layout = read(section, known, diagnostics);
    let chosen = camera_list::read(section, row, known, diagnostics);
    let drawn = layout.as_ref().and_then(Layout::cameras);
    if let (Some(_), Some(at)) = (&drawn, section.key_at(row)) {
        section.report(at, "cameras stands beside a layout that names the cameras; remove one of them", diagnostics);
    }
    (layout, drawn.or(chosen))
}

/// The layout of `section`, in which cameras are among `known`.
fn read(section: &Section<'_>, known: &[String], diagnostics: &mut Diagnostics<'_>) -> Option<Layout> {
    let value = section.value(&LAYOUT)?;
    let written = match value.get_ref() {
        DeValue::Array(rows) => {
            let grid = Rows { section, known }.read(value.span().start, rows, diagnostics)?;
            return Some(Layout::Drawn(grid));
        }
        DeValue::String(text) => text.to_string(),
        // Both `4` and `"4"` are right.
        DeValue::Integer(number) => number.to_string(),
        other => format!("({})", kind(other)),
    };
    let layout = LAYOUTS.iter().copied().find(|word| *word == written);
    if layout.is_none() {
        let quoted = if is_quotable(&written) { format!("layout {written} is") } else { "layout is".to_owned() };
        let all: Vec<_> = LAYOUTS.iter().map(|layout| format!("{layout:?}")).collect();
        let right = format!("write one of {}, or rows like {}", all.join(", "), LAYOUT.values.example);
        section.report(value.span().start, format!("{quoted} unknown; {right}"), diagnostics);
    }
    layout.map(Layout::Word)
}

/// Reads the picture of a grid.
struct Rows<'a, 't> {
    section: &'a Section<'t>,
    known: &'a [String],
}

/// The places of one camera.
struct Rectangle {
    /// The byte at which its first word begins.
    at: usize,
    columns: (usize, usize),
    rows: (usize, usize),
    places: usize,
}

impl Rows<'_, '_> {
    fn report(&self, at: usize, wrong: String, diagnostics: &mut Diagnostics<'_>) {
        self.section.report(at, format!("layout {wrong}"), diagnostics);
    }

    /// `None` after a complaint.
    fn read(&self, at: usize, rows: &[Spanned<DeValue<'_>>], diagnostics: &mut Diagnostics<'_>) -> Option<Grid> {
        let example = LAYOUT.values.example;
        if rows.is_empty() || rows.len() > MAX_ROWS {
            let wrong = format!("has {} rows; write 1 to {MAX_ROWS}, like {example}", rows.len());
            self.report(at, wrong, diagnostics);
            return None;
        }
        let (mut grid, mut is_right) = (Vec::new(), true);
        let mut rectangles: BTreeMap<CameraId, Rectangle> = BTreeMap::new();
        for (y, row) in rows.iter().enumerate() {
            let at = row.span().start;
            let Some(text) = row.get_ref().as_str() else {
                let wrong = format!("holds {}; write rows of words, like {example}", kind(row.get_ref()));
                self.report(at, wrong, diagnostics);
                return None;
            };
            // Behind a quotation mark, unless the text is written in another way.
            let is_plain = row.span().len() == text.len() + 2;
            let words: Vec<(usize, &str)> = words(text).collect();
            let columns = grid.first().map_or(words.len(), Vec::len);
            if words.is_empty() || words.len() > MAX_COLUMNS {
                let wrong = format!("has a row of {} words; write 1 to {MAX_COLUMNS}", words.len());
                self.report(at, wrong, diagnostics);
                return None;
            }
            if words.len() != columns {
                let wrong = format!(
                    "has {} words in this row and {columns} in the first; write the same number, with {EMPTY} for an empty \
                     place",
                    words.len()
                );
                self.report(at, wrong, diagnostics);
                return None;
            }
            let mut places = Vec::new();
            for (x, (offset, word)) in words.into_iter().enumerate() {
                let at = if is_plain { at + 1 + offset } else { at };
                let camera = self.camera(at, word, diagnostics);
                is_right &= camera.is_some();
                let camera = camera.flatten();
                if let Some(camera) = &camera {
                    let rectangle = rectangles.entry(camera.clone());
                    let new = || Rectangle { at, columns: (x, x), rows: (y, y), places: 0 };
                    rectangle.or_insert_with(new).add(x, y);
                }
                places.push(camera);
            }
            grid.push(places);
        }
        if is_right && rectangles.is_empty() {
            self.report(at, format!("names no camera; write rows like {example}"), diagnostics);
            return None;
        }
        for (camera, rectangle) in rectangles {
            if !rectangle.is_whole() {
                let wrong = format!(
                    "gives camera{} places that are no rectangle; write its name in one whole rectangle, and only there",
                    quoted(camera.as_str())
                );
                self.report(rectangle.at, wrong, diagnostics);
                is_right = false;
            }
        }
        is_right.then_some(Grid(grid))
    }

    /// The camera that `word` names; `Some(None)`: none. `None` after a complaint.
    fn camera(&self, at: usize, word: &str, diagnostics: &mut Diagnostics<'_>) -> Option<Option<CameraId>> {
        if word == EMPTY {
            return Some(None);
        }
        let camera = CameraId::new(word).filter(|_| self.known.iter().any(|camera| camera == word));
        if camera.is_none() {
            let hint = match suggest::nearest(word, self.known.iter().map(|id| (id.as_str(), &[][..]))) {
                Some(near) => format!("did you mean {near:?}?"),
                None => format!("write the id of a [[camera]] of this file, or {EMPTY} for an empty place"),
            };
            self.section.report(at, format!("there is no camera{}; {hint}", quoted(word)), diagnostics);
        }
        camera.map(Some)
    }
}

impl Rectangle {
    fn add(&mut self, x: usize, y: usize) {
        self.columns = (self.columns.0.min(x), self.columns.1.max(x));
        self.rows = (self.rows.0.min(y), self.rows.1.max(y));
        self.places += 1;
    }

    /// Whether all that lies between its edges belongs to it.
    fn is_whole(&self) -> bool {
        (self.columns.1 - self.columns.0 + 1) * (self.rows.1 - self.rows.0 + 1) == self.places
    }
}

/// The words of `text`, each with the byte at which it begins.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let pieces = text.split_inclusive(char::is_whitespace).scan(0, |end, piece| {
        *end += piece.len();
        Some((*end - piece.len(), piece.trim_end()))
    });
    pieces.filter(|(_, word)| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::parse;

    const THREE: &str = "[[camera]]\nid='gate'\nip='10.0.0.1'\n[[camera]]\nid='yard'\nip='10.0.0.2'\n\
                         [[camera]]\nid='porch'\nip='10.0.0.3'\nenabled=false\n";

    fn read(layout: &str) -> Result<Option<Layout>, Vec<String>> {
        let no_files = |_: &Path| Err(std::io::ErrorKind::NotFound.into());
        match parse(&format!("{THREE}[wall]\nlayout = {layout}"), Path::new("c"), &no_files) {
            Ok(config) => Ok(config.walls.standard.layout),
            Err(complaints) => Err(complaints.iter().map(ToString::to_string).collect()),
        }
    }

    fn grid(layout: &str) -> Grid {
        match read(layout) {
            Ok(Some(Layout::Drawn(grid))) => grid,
            other => panic!("{layout}: {other:?}"),
        }
    }

    #[test]
    fn cameras_of_a_picture_are_as_large_as_their_rectangles() {
        let layout = grid("['gate  gate yard', '\tgate gate .', '. porch .'  ]");
        assert_eq!(layout.rows(|_| true), ["gate gate yard", "gate gate .", ". porch ."]);
        let ids: Vec<_> = layout.cameras().iter().map(CameraId::to_string).collect();
        assert_eq!(ids, ["gate", "yard", "porch"]);
        assert_eq!(layout.rows(|camera| camera.as_str() != "gate"), [". . yard", ". . .", ". porch ."]);
        assert_eq!(grid("['gate']").rows(|_| true), ["gate"]);
    }

    #[test]
    fn largest_grid_is_taken() {
        let row = format!("'gate {}'", ["."; MAX_COLUMNS - 1].join(" "));
        assert!(read(&format!("[{}]", vec![row; MAX_ROWS].join(","))).is_ok());
    }

    #[test]
    fn what_is_no_picture_of_a_grid_is_a_complaint() {
        let many = |count: usize, what: &str| vec![what; count].join(" ");
        let wide = format!("['{}']", many(11, "gate"));
        let high = format!("[{}]", vec!["'gate'"; 15].join(","));
        for (layout, wrong) in [
            ("[]", "c:12:10: [wall]: layout has 0 rows; write 1 to 14, like [\"gate gate yard\""),
            (high.as_str(), "c:12:10: [wall]: layout has 15 rows; write 1 to 14"),
            (wide.as_str(), "c:12:11: [wall]: layout has a row of 11 words; write 1 to 10"),
            ("['gate', ' ']", "c:12:19: [wall]: layout has a row of 0 words; write 1 to 10"),
            ("['gate', 4]", "c:12:19: [wall]: layout holds a whole number; write rows of words"),
            (
                "['gate yard', 'gate']",
                "c:12:24: [wall]: layout has 1 words in this row and 2 in the first; write the same",
            ),
            ("['. .', '. .']", "c:12:10: [wall]: layout names no camera; write rows like"),
            ("['gate . yrad']", "c:12:19: [wall]: there is no camera \"yrad\"; did you mean \"yard\"?"),
            (
                "['gate cellar']",
                "c:12:17: [wall]: there is no camera \"cellar\"; write the id of a [[camera]] of this file, or .",
            ),
            (
                "['gate yard', 'yard gate']",
                "c:12:12: [wall]: layout gives camera \"gate\" places that are no rectangle",
            ),
            (
                "['gate gate yard', 'gate . .']",
                "c:12:12: [wall]: layout gives camera \"gate\" places that are no rectangle",
            ),
            (
                "['gate . gate']",
                "c:12:12: [wall]: layout gives camera \"gate\" places that are no rectangle; write its name in",
            ),
            ("[\"\"\"gate dock\"\"\"]", "c:12:11: [wall]: there is no camera \"dock\""),
        ] {
            let complaints = read(layout).unwrap_err();
            assert!(complaints[0].starts_with(wrong), "{layout}: {complaints:#?}");
        }
        // One complaint for each, in the order of the file.
        assert_eq!(read("['gate cellar', 'cellar yard']").unwrap_err().len(), 2);
    }
}

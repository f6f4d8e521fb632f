//! `[wall]` and `[wall.NAME]`: page settings that apply if neither
//! its URL nor a person sets another.
//!
//! A named wall has the keys of `[wall]`, except those that it sets itself.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use toml::{
    Spanned,
    de::{DeString, DeTable, DeValue},
};

use super::{
    diagnostics::Diagnostics,
    layout::{self, Layout},
    schema::{SectionRows, WALL, WALL_AT, WALL_STEP},
    section::Section,
    timetable::{self, Entry},
    tour::{self, Step, Turns},
    wall_keys as keys,
    wording::{is_quotable, kind},
};
use crate::camera::CameraId;

/// Maximum number of walls.
const MAX_WALLS: usize = 32;
/// Maximum number of sections in a list of a wall.
const MAX_ENTRIES: usize = 64;

/// The lists of a wall, which are no names of walls.
const STEP: &str = "step";
const AT: &str = "at";
const LISTS: [&str; 2] = [STEP, AT];

/// The settings of one wall. `None`: the page decides.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wall {
    pub layout: Option<Layout>,
    /// These cameras in this order; the list may name one that is not enabled. Those of the layout, if it names any.
    pub cameras: Option<Vec<CameraId>>,
    /// Seconds until the next page of cameras; 0: never.
    pub rotate: Option<u32>,
    /// `en` or `zh-TW`.
    pub language: Option<&'static str>,
    /// Seconds without a touch after which a page goes back to the wall; 0: never.
    pub back_after: Option<u32>,
    /// The folder for pictures that somebody saves at this machine's own screen; an absolute path.
    pub pictures: Option<PathBuf>,
    /// Whether live tiles carry a moving mark.
    pub sign_of_life: Option<bool>,
    /// What applies to steps that do not say it.
    pub turns: Turns,
    /// What the wall shows one after the other; empty: always the same.
    pub steps: Vec<Step>,
    /// What it shows at which time of day.
    pub entries: Vec<Entry>,
}

impl Wall {
    fn or(self, standard: &Self) -> Self {
        // They are about the other wall's cameras.
        let is_other = self.layout.is_some() || self.cameras.is_some() || !self.steps.is_empty();
        let steps = if is_other { self.steps } else { standard.steps.clone() };
        // A layout that names cameras goes with them: neither is taken over without the other.
        let drawn = |wall: &Self| matches!(wall.layout, Some(Layout::Drawn(_)));
        let (layout, cameras) = match &self.layout {
            None if self.cameras.is_some() && drawn(standard) => (None, self.cameras),
            Some(Layout::Word(_)) if self.cameras.is_none() && drawn(standard) => (self.layout, None),
            _ => (self.layout.or_else(|| standard.layout.clone()), self.cameras.or_else(|| standard.cameras.clone())),
        };
        Self {
            layout,
            cameras,
            rotate: self.rotate.or(standard.rotate),
            language: self.language.or(standard.language),
            back_after: self.back_after.or(standard.back_after),
            pictures: self.pictures.or_else(|| standard.pictures.clone()),
            sign_of_life: self.sign_of_life.or(standard.sign_of_life),
            turns: self.turns.or(standard.turns),
            steps,
            entries: if self.entries.is_empty() { standard.entries.clone() } else { self.entries },
        }
    }
}

impl Wall {
    /// The cameras that the wall shows at some time; `None`: all.
    pub fn all_cameras(&self) -> Option<Vec<CameraId>> {
        if self.steps.is_empty() {
            return self.cameras.clone();
        }
        let mut all = self.cameras.clone().unwrap_or_default();
        for step in &self.steps {
            for camera in step.cameras.as_ref().or(self.cameras.as_ref())? {
                if !all.contains(camera) {
                    all.push(camera.clone());
                }
            }
        }
        Some(all)
    }
}

/// The wall of a page that names none, and the named walls.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Walls {
    pub standard: Wall,
    pub named: BTreeMap<String, Wall>,
}

/// One `[wall]` (without a name) or `[wall.NAME]`.
pub(super) struct Named<'t> {
    name: Option<String>,
    /// The byte at which the name begins.
    at: usize,
    section: Section<'t>,
    steps: Vec<Section<'t>>,
    entries: Vec<Section<'t>>,
}

impl<'t> Named<'t> {
    fn new(
        name: Option<String>,
        (at, section_at): (usize, usize),
        table: DeTable<'t>,
        diagnostics: &mut Diagnostics<'_>,
    ) -> Self {
        let shown = name.as_deref().map(|name| if is_quotable(name) { name } else { "…" });
        let path = shown.map_or(WALL.name.to_owned(), |name| format!("{}.{name}", WALL.name));
        let (mut own, mut steps, mut entries) = (DeTable::new(), Vec::new(), Vec::new());
        for (key, value) in table {
            match key.get_ref().as_ref() {
                STEP => steps = list(&path, (key, value), &WALL_STEP, diagnostics),
                AT => entries = list(&path, (key, value), &WALL_AT, diagnostics),
                _ => {
                    own.insert(key, value);
                }
            }
        }
        Self { name, at, section: Section::new(&format!("[{path}]"), section_at, &WALL, own), steps, entries }
    }

    /// The section itself and those of its lists.
    pub(super) fn sections(&mut self) -> impl Iterator<Item = &mut Section<'t>> {
        std::iter::once(&mut self.section).chain(&mut self.steps).chain(&mut self.entries)
    }
}

/// Splits `[wall]` into its own keys and the named walls below it.
pub(super) fn sections<'t>(at: usize, table: DeTable<'t>, diagnostics: &mut Diagnostics<'_>) -> Vec<Named<'t>> {
    let mut own = DeTable::new();
    let mut named = Vec::new();
    for (key, value) in table {
        // A table in place of a known key is not a named wall; the check of that key reports it.
        let is_wall =
            value.get_ref().is_table() && !WALL.has(key.get_ref()) && !LISTS.contains(&key.get_ref().as_ref());
        let (name, places) = (key.get_ref().to_string(), (key.span().start, value.span().start));
        match value.into_inner() {
            DeValue::Table(table) if is_wall => named.push(Named::new(Some(name), places, table, diagnostics)),
            other => {
                own.insert(key, Spanned::new(places.1..places.1, other));
            }
        }
    }
    std::iter::once(Named::new(None, (at, at), own, diagnostics)).chain(named).collect()
}

/// The sections of the list `[[path.key]]`.
fn list<'t>(
    path: &str,
    (key, value): (Spanned<DeString<'t>>, Spanned<DeValue<'t>>),
    rows: &'static SectionRows,
    diagnostics: &mut Diagnostics<'_>,
) -> Vec<Section<'t>> {
    let head = format!("[[{path}.{}]]", key.get_ref());
    let (at, mut sections) = (key.span().start, Vec::new());
    let DeValue::Array(entries) = value.into_inner() else {
        diagnostics.report(at, &head, format!("these form a list; write {head}, with two brackets"));
        return sections;
    };
    for (index, entry) in entries.into_iter().enumerate() {
        let (at, place) = (entry.span().start, format!("{head} {}", index + 1));
        match entry.into_inner() {
            DeValue::Table(table) => sections.push(Section::new(&place, at, rows, table)),
            other => diagnostics.report(at, &place, format!("this is {}; write a section {head}", kind(&other))),
        }
    }
    if let Some(first_too_many) = sections.get(MAX_ENTRIES) {
        let words = format!("one of {} sections {head}; at most {MAX_ENTRIES} are taken", sections.len());
        first_too_many.report(first_too_many.at, words, diagnostics);
    }
    sections
}

/// Checks all walls. `cameras` are the identifiers in the file, including cameras not enabled.
pub(super) fn all(sections: &[Named<'_>], cameras: &[String], diagnostics: &mut Diagnostics<'_>) -> Walls {
    let mut walls = Walls::default();
    if let Some(first_too_many) = sections.get(MAX_WALLS) {
        let words = format!("one of {} walls; at most {MAX_WALLS} are taken", sections.len());
        first_too_many.section.report(first_too_many.at, words, diagnostics);
    }
    let names = sections.iter().filter_map(|wall| wall.name.as_deref()).collect();
    for Named { name, at, section, steps, entries } in sections {
        let wall = Wall {
            steps: tour::steps(steps, cameras, diagnostics),
            entries: timetable::entries(name.as_deref(), entries, &names, diagnostics),
            ..wall(section, cameras, diagnostics)
        };
        // With steps it is for those that have a large panel.
        if wall.steps.is_empty() {
            tour::check_large(section, wall.layout.as_ref(), wall.turns, diagnostics);
        }
        match name {
            None => walls.standard = wall,
            // A name is part of URLs, like that of a camera.
            Some(name) if CameraId::new(name).is_none() => {
                let words = "this name does not fit into an address; use letters, digits, - and _, like [wall.hall]";
                section.report(*at, words, diagnostics);
            }
            Some(name) => {
                walls.named.insert(name.clone(), wall.or(&walls.standard));
            }
        }
    }
    walls
}

fn wall(section: &Section<'_>, known: &[String], diagnostics: &mut Diagnostics<'_>) -> Wall {
    section.refuse_unknown(diagnostics);
    let (layout, cameras) = layout::with_cameras(section, &keys::WALL_CAMERAS, known, diagnostics);
    Wall {
        layout,
        cameras,
        rotate: section.seconds_or_never(&keys::ROTATE, diagnostics),
        language: language(section, diagnostics),
        back_after: section.seconds_or_never(&keys::BACK_AFTER, diagnostics),
        pictures: pictures(section, diagnostics),
        sign_of_life: section.flag(&keys::SIGN_OF_LIFE, diagnostics),
        turns: Turns::read(section, diagnostics),
        steps: Vec::new(),
        entries: Vec::new(),
    }
}

/// A relative path has no meaning to the person who plugs in a stick.
fn pictures(section: &Section<'_>, diagnostics: &mut Diagnostics<'_>) -> Option<PathBuf> {
    let path = section.path(&keys::PICTURES, Path::new(""), diagnostics)?;
    if path.is_absolute() {
        return Some(path);
    }
    let at = section.key_at(&keys::PICTURES)?;
    section.report(
        at,
        format!("pictures is no path from / on; write one like {}", keys::PICTURES.values.example),
        diagnostics,
    );
    None
}

fn language(section: &Section<'_>, diagnostics: &mut Diagnostics<'_>) -> Option<&'static str> {
    let written = section.page_word(&keys::LANGUAGE, diagnostics)?;
    let language = keys::LANGUAGE.values.find(&written.value);
    if language.is_none() {
        let words = keys::LANGUAGE.values.0.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(" or ");
        let right = format!("write {words}, or leave the key out for the browser's own");
        section.report(written.at, format!("language is unknown; {right}"), diagnostics);
    }
    language
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    const TWO: &str = "[[camera]]\nid='gate'\nip='10.0.0.1'\n[[camera]]\nid='porch'\nip='10.0.0.2'\nenabled=false\n";

    fn read(text: &str) -> Result<Walls, Vec<String>> {
        let no_files = |_: &Path| Err(std::io::ErrorKind::NotFound.into());
        match parse(&format!("{TWO}{text}"), Path::new("c"), &no_files) {
            Ok(config) => Ok(config.walls),
            Err(complaints) => Err(complaints.iter().map(ToString::to_string).collect()),
        }
    }

    #[test]
    fn file_without_a_wall_leaves_all_to_the_page() {
        assert_eq!(read("").unwrap(), Walls::default());
    }

    #[test]
    fn named_wall_is_the_standard_wall_but_for_its_own_keys() {
        let text = "[wall.hall]\nlayout = '1+5'\nrotate = 0\n\
                    [wall]\nlayout = 9\ncameras = ['porch', 'gate']\nrotate = 15\nlanguage = 'zh-TW'\nsign_of_life = false\n";
        let walls = read(text).unwrap();
        let ids = |wall: &Wall| wall.cameras.as_ref().unwrap().iter().map(CameraId::to_string).collect::<Vec<_>>();
        assert_eq!((&walls.standard.layout, walls.standard.rotate), (&Some(Layout::Word("9")), Some(15)));
        assert_eq!(ids(&walls.standard), ["porch", "gate"]);
        let hall = &walls.named["hall"];
        assert_eq!((&hall.layout, hall.rotate, hall.language), (&Some(Layout::Word("1+5")), Some(0), Some("zh-TW")));
        assert_eq!((ids(hall), hall.sign_of_life), (ids(&walls.standard), Some(false)));
    }

    #[test]
    fn picture_of_a_grid_says_which_cameras_there_are() {
        let walls = read(
            "[wall]\nlayout = ['gate porch']\n[wall.same]\n[wall.word]\nlayout = 4\n[wall.fewer]\ncameras = ['porch']\n\
             [wall.other]\nlayout = ['porch']\n",
        )
        .unwrap();
        let ids = |wall: &Wall| wall.cameras.iter().flatten().map(CameraId::to_string).collect::<Vec<_>>().join(" ");
        let of = |name: &str| (walls.named[name].layout.clone(), ids(&walls.named[name]));
        assert_eq!(ids(&walls.standard), "gate porch");
        assert_eq!(of("same"), (walls.standard.layout.clone(), "gate porch".into()));
        assert_eq!(of("word"), (Some(Layout::Word("4")), String::new()));
        assert_eq!(of("fewer"), (None, "porch".into()));
        assert_eq!(of("other").1, "porch");
    }

    #[test]
    fn every_layout_is_taken() {
        for layout in keys::LAYOUTS {
            let read = read(&format!("[wall]\nlayout = '{layout}'")).unwrap().standard.layout;
            assert_eq!(read, Some(Layout::Word(layout)));
        }
    }

    #[test]
    fn page_lists_the_same_layouts() {
        let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/www/js/layout.js")).unwrap();
        let (_, list) = page.split_once("export const LAYOUTS = Object.freeze(").unwrap();
        let (list, _) = list.split_once(");").unwrap();
        assert_eq!(serde_json::from_str::<Vec<String>>(list).unwrap(), keys::LAYOUTS);
    }

    #[test]
    fn what_no_page_could_show_is_a_complaint() {
        for (text, wrong) in [
            ("[wall]\nlayout = 5", "c:9:10: [wall]: layout 5 is unknown; write one of \"auto\", \"1\""),
            ("[wall]\nlayout = true", "c:9:10: [wall]: layout (true) is unknown"),
            ("[wall]\nlayout.a = 1", "c:9:1: [wall]: layout (a section) is unknown"),
            (
                "[wall]\nlayout = ['gate']\ncameras = ['gate']",
                "c:10:1: [wall]: cameras stands beside a layout that names the cameras; remove one of them",
            ),
            ("[wall]\nrotate = 2", "c:9:10: [wall]: rotate is 2, too short to look at; write 3"),
            (
                "[wall]\npictures = 'media'",
                "c:9:1: [wall]: pictures is no path from / on; write one like /media/pictures",
            ),
            (
                "[wall]\nback_after = 4",
                "c:9:14: [wall]: back_after is 4, too short to look at; write 5 seconds or more, or 0",
            ),
            ("[wall]\nrotate = -1", "c:9:10: [wall]: rotate is -1; write a whole number from 0 to 3600"),
            ("[wall]\nlanguage = 'de'", "c:9:12: [wall]: language is unknown; write \"en\" or \"zh-TW\""),
            ("[wall]\nsign_of_life = 1", "c:9:16: [wall]: sign_of_life is a whole number"),
            ("[wall]\ncameras = 'gate'", "c:9:11: [wall]: cameras is a text; write a list"),
            ("[wall]\ncameras = []", "c:9:11: [wall]: cameras is an empty list"),
            ("[wall]\ncameras = [1]", "c:9:12: [wall]: cameras holds a whole number"),
            ("[wall]\ncameras = ['gaet']", "c:9:12: [wall]: there is no camera \"gaet\"; did you mean \"gate\"?"),
            ("[wall]\ncameras = ['gate', 'gate']", "c:9:20: [wall]: camera \"gate\" is in this list twice"),
            ("[wall]\nlayuot = 4", "c:9:1: [wall]: unknown key \"layuot\"; did you mean \"layout\"?"),
            ("[wall.hall]\nlayuot = 4", "c:9:1: [wall.hall]: unknown key \"layuot\""),
            ("[wall.\"a b\"]\nlayout = 4", "c:8:7: [wall.a b]: this name does not fit into an address"),
            ("[[wall]]\nlayout = 4", "c:8:3: [[wall]]: this section can occur only once; write [wall]"),
            ("[walls]\nlayout = 4", "c:8:2: [walls]: unknown section; did you mean [wall]?"),
            ("[server]\nlayout = 4", "c:9:1: [server]: unknown key \"layout\"; it belongs below [wall]"),
        ] {
            let complaints = read(text).unwrap_err();
            assert!(complaints.len() == 1 && complaints[0].starts_with(wrong), "{text}: {complaints:#?}");
        }
    }

    #[test]
    fn more_walls_than_anybody_has_are_refused() {
        let text: String = (0..MAX_WALLS).map(|n| format!("[wall.w{n}]\nlayout = 4\n")).collect();
        assert!(read(&text).unwrap_err()[0].contains("at most 32 are taken"));
    }
}

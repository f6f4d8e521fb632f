//! `[[wall.step]]` and `[[wall.NAME.step]]`: what a wall shows one after the other.

use super::{
    diagnostics::Diagnostics,
    layout::{self, Layout},
    section::Section,
    wall_keys::{LARGE_EVERY, SKIP_DEAD, STEP_CAMERAS, STEP_SECONDS},
};
use crate::camera::CameraId;

/// What can stand in a wall and in a step, which then has its own. `None`: not said.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Turns {
    /// Whether cameras that are not live are left out.
    pub skip_dead: Option<bool>,
    /// Seconds until the next camera has the large panel of the layout; 0: never.
    pub large_every: Option<u32>,
}

impl Turns {
    pub(super) fn read(section: &Section<'_>, diagnostics: &mut Diagnostics<'_>) -> Self {
        Self {
            skip_dead: section.flag(&SKIP_DEAD, diagnostics),
            large_every: section.seconds_or_never(&LARGE_EVERY, diagnostics),
        }
    }

    /// These, and where they say nothing, `others`.
    pub fn or(self, others: Self) -> Self {
        Self { skip_dead: self.skip_dead.or(others.skip_dead), large_every: self.large_every.or(others.large_every) }
    }
}

/// One step of a tour. `None`: as the wall has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub layout: Option<Layout>,
    /// As those of a wall.
    pub cameras: Option<Vec<CameraId>>,
    pub seconds: u32,
    pub turns: Turns,
}

/// Complains about cameras that are to take turns in the large panel of a `layout` that has none.
pub(super) fn check_large(
    section: &Section<'_>,
    layout: Option<&Layout>,
    turns: Turns,
    diagnostics: &mut Diagnostics<'_>,
) {
    let has_large = layout.is_none_or(Layout::has_large);
    if let (Some(1..), Some(at), false) = (turns.large_every, section.key_at(&LARGE_EVERY), has_large) {
        section.report(at, "large_every needs a layout with a large panel, like \"1+5\"", diagnostics);
    }
}

/// Reads the steps of a wall. `known` are the identifiers in the file.
pub(super) fn steps(sections: &[Section<'_>], known: &[String], diagnostics: &mut Diagnostics<'_>) -> Vec<Step> {
    let mut steps = Vec::new();
    for section in sections {
        section.refuse_unknown(diagnostics);
        let (layout, cameras) = layout::with_cameras(section, &STEP_CAMERAS, known, diagnostics);
        let seconds = section.whole_or_default(&STEP_SECONDS, diagnostics);
        let turns = Turns::read(section, diagnostics);
        check_large(section, layout.as_ref(), turns, diagnostics);
        steps.push(Step { layout, cameras, seconds, turns });
    }
    steps
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{Walls, parse};

    const TWO: &str = "[[camera]]\nid='gate'\nip='10.0.0.1'\n[[camera]]\nid='porch'\nip='10.0.0.2'\nenabled=false\n";

    fn read(text: &str) -> Result<Walls, Vec<String>> {
        let no_files = |_: &Path| Err(std::io::ErrorKind::NotFound.into());
        match parse(&format!("{TWO}{text}"), Path::new("c"), &no_files) {
            Ok(config) => Ok(config.walls),
            Err(complaints) => Err(complaints.iter().map(ToString::to_string).collect()),
        }
    }

    fn ids(cameras: &Option<Vec<CameraId>>) -> String {
        cameras.as_ref().map_or("all".to_owned(), |ids| ids.iter().map(CameraId::as_str).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn steps_have_what_the_file_says_and_a_time() {
        let walls = read(
            "[wall]\nskip_dead=true\n[[wall.step]]\n[[wall.step]]\nlayout='1+5'\ncameras=['porch']\nseconds=5\nlarge_every=3\n\
             [[wall.hall.step]]\nlayout=['gate porch']\nskip_dead=false\n[wall.hall]\nrotate=5\n[wall.back]\nlayout=4\n[wall.same]\n",
        )
        .unwrap();
        let [first, second] = &walls.standard.steps[..] else { panic!("{walls:?}") };
        assert_eq!((&first.layout, ids(&first.cameras), first.seconds), (&None, "all".into(), 20));
        assert_eq!((&second.layout, ids(&second.cameras)), (&Some(Layout::Word("1+5")), "porch".into()));
        assert_eq!((second.seconds, second.turns), (5, Turns { skip_dead: None, large_every: Some(3) }));
        let hall = &walls.named["hall"];
        assert_eq!(
            (hall.steps.len(), ids(&hall.steps[0].cameras), hall.turns.skip_dead),
            (1, "gate porch".into(), Some(true))
        );
        assert_eq!(hall.steps[0].turns.skip_dead, Some(false));
        // One that has no tour, cameras or layout of its own goes round as [wall] does.
        assert_eq!((walls.named["same"].steps.len(), walls.named["back"].steps.len()), (2, 0));
    }

    #[test]
    fn wall_shows_the_cameras_of_its_steps_and_no_others() {
        let walls = read(
            "[[wall.a.step]]\ncameras=['porch']\n[[wall.a.step]]\nlayout=['gate']\n[[wall.b.step]]\ncameras=['porch']\n\
             [[wall.b.step]]\n[[wall.c.step]]\ncameras=['porch']\n[wall.c]\ncameras=['gate']\n",
        )
        .unwrap();
        let all = |name: &str| ids(&walls.named[name].all_cameras());
        assert_eq!((all("a"), all("b"), all("c")), ("porch gate".into(), "all".into(), "gate porch".into()));
    }

    #[test]
    fn wrong_steps_are_complaints() {
        let many: String = "[[wall.step]]\n".repeat(65);
        for (text, wrong) in [
            ("[[wall.step]]\nseconds=2", "c:9:9: [[wall.step]] 1: seconds is 2; write a whole number from 3 to 86400"),
            (
                "[[wall.step]]\n[[wall.step]]\ntime=2",
                "c:10:1: [[wall.step]] 2: unknown key \"time\"; known here are layout, cameras",
            ),
            ("[[wall.step]]\nrotate=5", "c:9:1: [[wall.step]] 1: unknown key \"rotate\"; it belongs below"),
            (
                "[[wall.step]]\ncameras=['gaet']",
                "c:9:10: [[wall.step]] 1: there is no camera \"gaet\"; did you mean \"gate\"?",
            ),
            (
                "[[wall.step]]\nlayout=['gaet']",
                "c:9:10: [[wall.step]] 1: there is no camera \"gaet\"; did you mean \"gate\"?",
            ),
            ("[[wall.step]]\nlayout=5", "c:9:8: [[wall.step]] 1: layout 5 is unknown"),
            (
                "[[wall.step]]\nlayout=['gate']\ncameras=['gate']",
                "c:10:1: [[wall.step]] 1: cameras stands beside a layout",
            ),
            (
                "[[wall.step]]\nlayout=4\nlarge_every=5",
                "c:10:1: [[wall.step]] 1: large_every needs a layout with a large panel, like \"1+5\"",
            ),
            (
                "[[wall.step]]\nlarge_every=1",
                "c:9:13: [[wall.step]] 1: large_every is 1, too short to look at; write 3",
            ),
            (
                "[wall.step]\nseconds=5",
                "c:8:7: [[wall.step]]: these form a list; write [[wall.step]], with two brackets",
            ),
            (
                "[wall.hall.step]\nseconds=5",
                "c:8:12: [[wall.hall.step]]: these form a list; write [[wall.hall.step]], with two",
            ),
            ("[wall]\nstep=[1]", "c:9:7: [[wall.step]] 1: this is a whole number; write a section [[wall.step]]"),
            ("[[wall.hall.step]]\ncameras=[]", "c:9:9: [[wall.hall.step]] 1: cameras is an empty list"),
            (many.as_str(), "c:72:1: [[wall.step]] 65: one of 65 sections [[wall.step]]; at most 64 are taken"),
            ("[[\"wall.step\"]]\nseconds=5", "c:8:3: [wall.step]: unknown section"),
            ("[wall]\nseconds=5", "c:9:1: [wall]: unknown key \"seconds\"; it belongs below [[wall.step]]"),
        ] {
            let complaints = read(text).unwrap_err();
            assert!(complaints.len() == 1 && complaints[0].starts_with(wrong), "{text}: {complaints:#?}");
        }
    }
}

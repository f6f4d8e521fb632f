//! The keys of `[wall]` and `[wall.NAME]`, and of their lists.

use toml::de::DeValue;

use super::{
    key::{
        FilePath, Flag, Key, List, OneOf, PageWord, Row, SecondsOrNever, Shape, Text, Unset, Values, Whole, key, rows,
    },
    keys::MAX_CAMERAS,
    parsed::Parsed,
};

/// As the page names them: `1+5` is one large tile with five small ones.
pub const LAYOUTS: &[&str] = &["auto", "1", "4", "9", "16", "25", "1+5", "1+7", "1+12"];

/// One of a few words that mean something to the page, or rows of words that are checked where they are used.
#[derive(Clone, Copy)]
pub(super) struct WordOrRows {
    pub(super) words: &'static [&'static str],
    /// Correct rows as they are written in the file, for complaints.
    pub(super) example: &'static str,
}

impl Values for WordOrRows {
    fn shape(&self) -> Shape {
        let Self { words, example } = self;
        Shape::WordOrRows { words, example }
    }
}

rows! { WALL_ROWS:
    LAYOUT: Key<WordOrRows, Unset> = key(
        "layout",
        WordOrRows { words: LAYOUTS, example: "[\"gate gate yard\", \"gate gate porch\"]" },
        Unset("`\"auto\"`"),
        "The arrangement of the tiles; a number needs no quotation marks. `1+5` is one large tile with five small \
         ones; `auto` depends on the number of cameras and the shape of the window. A list of rows is a picture of the \
         grid: each word is the `id` of a camera or `.` for an empty place, and a camera whose name is repeated is as \
         large as its rectangle. Such a layout says which cameras there are, so `cameras` cannot stand beside it.",
    );
    WALL_CAMERAS: Key<List, Unset> = key(
        "cameras",
        List { of: "`id`s of cameras", most: MAX_CAMERAS, example: "[\"gate\", \"porch\"]" },
        Unset("all, in the order of the file"),
        "The cameras on this wall, in this order.",
    );
    ROTATE: Key<SecondsOrNever, Unset> = key(
        "rotate",
        // Long enough to look at it.
        SecondsOrNever { from: 3, to: 3600 },
        Unset("`0`"),
        "Seconds until the next page, if the cameras do not fit on one. `0`: never.",
    );
    LANGUAGE: Key<PageWord, Unset> = key(
        "language",
        PageWord(&["en", "zh-TW"]),
        Unset("the language of the browser"),
        "The language of the page.",
    );
    BACK_AFTER: Key<SecondsOrNever, Unset> = key(
        "back_after",
        // Long enough to read what was opened.
        SecondsOrNever { from: 5, to: 3600 },
        Unset("`0`, and a minute where there is a tour or a timetable"),
        "Seconds without a key, a mouse or a touch after which a page goes back to the wall from an enlarged camera, a dialog, \
         the panel of a camera or another page of cameras, and after which a tour goes on and a screen that is off is dark \
         again. `0`: never.",
    )
    .aliases(&["home_after", "idle_timeout"]);
    PICTURES: Key<FilePath, Unset> = key(
        "pictures",
        FilePath { example: "/media/pictures" },
        Unset("nowhere: the browser saves the file"),
        "The folder, from `/` on, for pictures that somebody saves with S at this machine's own screen, such as that of a memory stick. The \
         agent's user must be able to write there. It is never made by the agent, so a stick that is not there is told. \
         Other machines save pictures by their browser.",
    );
    SIGN_OF_LIFE: Key<Flag, Unset> = key(
        "sign_of_life",
        Flag,
        Unset("`true`"),
        "Whether a thin mark moves along the edge of each live picture. It moves only while new pictures come.",
    );
}

rows! {
    /// The keys that can stand in a wall and in its steps.
    TURN_ROWS:
    SKIP_DEAD: Key<Flag, Unset> = key(
        "skip_dead",
        Flag,
        Unset("`false`; in a step what the wall says"),
        "`true`: cameras that are not live when a step begins are left out of it, unless its layout is drawn, and a step \
         without a live camera is passed over, as long as another one has some. `false`: they are shown, as not live.",
    )
    .aliases(&["skip_offline"]);
    LARGE_EVERY: Key<SecondsOrNever, Unset> = key(
        "large_every",
        SecondsOrNever { from: 3, to: 3600 },
        Unset("`0`; in a step what the wall says"),
        "Seconds until the next camera takes the large panel of a layout such as `1+5`; the others keep their order. When \
         a step comes round again, it goes on with the next camera. `0`: never.",
    );
}

rows! { WALL_STEP_ROWS:
    STEP_LAYOUT: Key<WordOrRows, Unset> = key(
        "layout",
        LAYOUT.values,
        Unset("that of the wall"),
        "The arrangement of the tiles in this step, as `layout` of a wall.",
    );
    STEP_CAMERAS: Key<List, Unset> = key(
        "cameras",
        List { of: "`id`s of cameras", most: MAX_CAMERAS, example: "[\"gate\", \"porch\"]" },
        Unset("those of the wall"),
        "The cameras of this step, in this order.",
    );
    STEP_SECONDS: Key<Whole<u32>, u32> = key(
        "seconds",
        // Long enough to look at it; a day.
        Whole { from: 3, to: 86_400, unit: "s" },
        20,
        "How long the step is shown.",
    );
}

/// Minutes of a day.
pub(super) const DAY: u16 = 24 * 60;

/// The days of a week as they are written, Monday first.
pub(super) const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

rows! { WALL_AT_ROWS:
    FROM: Key<Parsed<u16>, Unset> = key(
        "from",
        Parsed { right: "a time of day", example: "\"22:00\"", parse: |value| time(value).filter(|minute| *minute < DAY) },
        Unset("required"),
        "When the entry begins to apply, by this machine's local time.",
    );
    TO: Key<Parsed<u16>, Unset> = key(
        "to",
        Parsed { right: "a time of day", example: "\"06:00\"", parse: time },
        Unset("required"),
        "When it ends; a time before `from` is one of the next day, and `\"24:00\"` the end of the day.",
    );
    AT_DAYS: Key<List, Unset> = key(
        "days",
        List { of: "days on which it begins", most: 7, example: "[\"mon\", \"tue\"]" },
        Unset("every day"),
        "The days on which the entry begins to apply: `mon`, `tue`, `wed`, `thu`, `fri`, `sat`, `sun`.",
    );
    AT_WALL: Key<Text, Unset> = key(
        "wall",
        Text { form: "name of a wall", example: "hall" },
        Unset("`screen` says what is shown"),
        "What is shown: the cameras, layout and tour of `[wall.NAME]`.",
    );
    SCREEN: Key<OneOf<Screen>, Unset> = key(
        "screen",
        OneOf(&[("off", Screen::Off), ("on", Screen::On)]),
        Unset("`wall` says what is shown"),
        "`off`: the pages are black and fetch no pictures; a call-up, a key and a touch light them. `on`: what the wall \
         shows without a timetable, before later entries.",
    );
}

/// What an entry does with the screen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Screen {
    Off,
    On,
}

/// `hh:mm`, in minutes since midnight.
pub(super) fn time(value: &DeValue<'_>) -> Option<u16> {
    let (hours, minutes) = value.as_str()?.split_once(':')?;
    let number = |text: &str, most: u16| {
        let is_number = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u16>().ok().filter(|number| is_number && *number <= most)
    };
    let minute = 60 * number(hours, 24)? + number(minutes, 59).filter(|_| minutes.len() == 2)?;
    (minute <= DAY).then_some(minute)
}

//! The keys of `[wall]` and `[wall.NAME]`, and of their lists.

use super::{
    key::{Flag, Key, List, PageWord, Row, SecondsOrNever, Shape, Unset, Values, Whole, key, rows},
    keys::MAX_CAMERAS,
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

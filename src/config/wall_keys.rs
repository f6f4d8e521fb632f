//! The keys of `[wall]` and `[wall.NAME]`.

use super::{
    key::{Flag, Key, List, PageWord, Row, SecondsOrNever, Unset, WordOrRows, key, rows},
    keys::MAX_CAMERAS,
};

/// As the page names them: `1+5` is one large tile with five small ones.
pub const LAYOUTS: &[&str] = &["auto", "1", "4", "9", "16", "25", "1+5", "1+7", "1+12"];

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

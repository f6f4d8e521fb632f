//! What a wall can be told.

/// What a wall is told, by the last part of the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Show,
    Mark,
    Layout,
    Clear,
}

impl Order {
    pub fn of(word: &str) -> Option<Self> {
        Some(match word {
            "show" => Self::Show,
            "mark" => Self::Mark,
            "layout" => Self::Layout,
            "clear" => Self::Clear,
            _ => return None,
        })
    }
}

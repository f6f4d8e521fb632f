//! Complaints about a configuration: what is wrong, where, and what would be right.

use std::{
    collections::BTreeSet,
    fmt,
    path::{Path, PathBuf},
};

use crate::{camera::mask_credentials, text::counted};

/// Maximum number of complaints per file. The rest are only counted.
const MAX_COMPLAINTS: usize = 200;

/// A position in a text. Both numbers start at 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

/// One complaint, shown as `file:line:column: where: what is wrong; what would be right`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// The file as the caller named it.
    pub file: PathBuf,
    /// `None` if the complaint is about the whole file.
    pub position: Option<Position>,
    pub text: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some(Position { line, column }) = self.position {
            write!(f, "{line}:{column}:")?;
        }
        write!(f, " {}", self.text)
    }
}

/// Returns line and column of the byte at `offset`, which must be on a character boundary of
/// `text`. A byte order mark at the beginning of the file takes no column.
pub fn position(text: &str, offset: usize) -> Position {
    let before = &text[..offset];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let column = before[line_start..].trim_start_matches('\u{feff}').chars().count() + 1;
    Position { line: before.matches('\n').count() + 1, column }
}

/// Returns the line that ends a list of complaints, such as
/// `cameras.toml: 3 problems; keeping the previous configuration`.
pub fn summary(file: &Path, complaints: &[Complaint], consequence: &str) -> String {
    format!("{}: {}; {consequence}", file.display(), counted(complaints.len() as u64, "problem"))
}

/// Collects complaints while a file is checked.
pub(super) struct Diagnostics<'a> {
    file: &'a Path,
    text: &'a str,
    /// The byte at which each line begins.
    lines: Vec<usize>,
    complaints: Vec<(usize, String)>,
    warnings: Vec<(usize, String)>,
    /// Lines with a syntax error. What the parser made of such a line needs no complaint of its
    /// own, and must not be quoted: it may be part of a password.
    broken_lines: BTreeSet<usize>,
}

impl<'a> Diagnostics<'a> {
    pub(super) fn new(file: &'a Path, text: &'a str) -> Self {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(newline, _)| newline + 1)).collect();
        Self { file, text, lines, complaints: Vec::new(), warnings: Vec::new(), broken_lines: BTreeSet::new() }
    }

    /// For sections that are not in the file.
    pub(super) fn nowhere() -> Self {
        Self::new(Path::new(""), "")
    }

    /// Returns the line of the byte at `offset`, counted from 1.
    pub(super) fn line(&self, offset: usize) -> usize {
        self.lines.partition_point(|&start| start <= offset)
    }

    /// Records a syntax error. Only the first one of a line counts; the others follow from it.
    pub(super) fn broken(&mut self, offset: usize, text: String) {
        let line = self.line(offset);
        if self.broken_lines.insert(line) {
            self.complaints.push((offset, text));
        }
    }

    /// Whether any line from that of `start` to the one before that of `end` has a syntax error.
    pub(super) fn is_broken_between(&self, start: usize, end: usize) -> bool {
        let (first, last) = (self.line(start), self.line(end));
        self.broken_lines.range(first..last.max(first + 1)).next().is_some()
    }

    pub(super) fn report(&mut self, offset: usize, place: &str, text: impl fmt::Display) {
        if !self.broken_lines.contains(&self.line(offset)) {
            self.complaints.push((offset, format!("{place}: {text}")));
        }
    }

    /// A complaint that is not one of the list.
    pub(super) fn complaint(&self, offset: usize, place: &str, text: impl fmt::Display) -> Complaint {
        Complaint {
            file: self.file.to_owned(),
            position: Some(position(self.text, offset)),
            text: mask_credentials(&format!("{place}: {text}")),
        }
    }

    pub(super) fn remark(&mut self, offset: usize, place: &str, text: impl fmt::Display) {
        self.warnings.push((offset, format!("{place}: {text}")));
    }

    /// Returns the warnings if there are no complaints, else the complaints; each in file order.
    pub(super) fn finish(mut self) -> Result<Vec<Complaint>, Vec<Complaint>> {
        if self.complaints.is_empty() {
            let warnings = std::mem::take(&mut self.warnings);
            return Ok(self.in_order(warnings));
        }
        let complaints = std::mem::take(&mut self.complaints);
        Err(self.in_order(complaints))
    }

    fn in_order(&self, mut found: Vec<(usize, String)>) -> Vec<Complaint> {
        found.sort_by_key(|(offset, _)| *offset);
        found.dedup();
        let rest = found.len().saturating_sub(MAX_COMPLAINTS);
        if rest > 0 {
            found.truncate(MAX_COMPLAINTS - 1);
        }
        let complaint = |(offset, words): (usize, String)| Complaint {
            file: self.file.to_owned(),
            position: Some(position(self.text, offset)),
            text: mask_credentials(&words),
        };
        let mut complaints: Vec<Complaint> = found.into_iter().map(complaint).collect();
        if rest > 0 {
            let text = format!("and {} more problems; repair the first ones and check again", rest + 1);
            complaints.push(Complaint { file: self.file.to_owned(), position: None, text });
        }
        complaints
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn position_after_two_lines_counts_from_one() {
        assert_eq!(position("a\nbé = 1", 5), Position { line: 2, column: 3 });
    }

    #[test]
    fn position_after_a_byte_order_mark_does_not_count_it() {
        assert_eq!(position("\u{feff}ab", 4), Position { line: 1, column: 2 });
    }

    #[test]
    fn complaints_come_in_file_order_and_without_copies() {
        let mut diagnostics = Diagnostics::new(Path::new("f"), "one\ntwo");
        diagnostics.report(4, "b", "second");
        diagnostics.report(0, "a", "first");
        diagnostics.report(4, "b", "second");
        let shown: Vec<String> = diagnostics.finish().unwrap_err().iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["f:1:1: a: first", "f:2:1: b: second"]);
    }

    #[test]
    fn very_many_complaints_end_with_their_number() {
        let mut diagnostics = Diagnostics::new(Path::new("f"), "x");
        for n in 0..1000 {
            diagnostics.report(0, "x", n);
        }
        let complaints = diagnostics.finish().unwrap_err();
        assert_eq!(complaints.len(), MAX_COMPLAINTS);
        let last = complaints.last().unwrap().to_string();
        assert_eq!(last, "f: and 801 more problems; repair the first ones and check again");
    }

    #[test]
    fn summary_counts_one_problem_in_the_singular() {
        let one = [Complaint { file: "f".into(), position: None, text: "bad".into() }];
        assert_eq!(summary(Path::new("f"), &one, "waiting"), "f: 1 problem; waiting");
    }
}

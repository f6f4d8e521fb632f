//! Every path in a file: expanded `use` trees, and inline paths.

use super::source::Token;

/// The segments of a path such as `crate::hub::Stream`, with its line. `super` is already resolved
/// if it leads to the crate's root: the path then begins with `crate`.
#[derive(Debug, PartialEq)]
pub struct Path {
    pub segments: Vec<String>,
    pub line: usize,
}

/// All paths of two or more segments, and every `use`, in a module `depth` steps below the root.
pub fn paths(tokens: &[Token], depth: usize) -> Vec<Path> {
    let mut reader = Reader { tokens, at: 0, found: Vec::new() };
    let (mut braces, mut inline_modules) = (0_usize, Vec::new());
    while let Some(token) = tokens.get(reader.at) {
        let first_new = reader.found.len();
        match token.text.as_str() {
            "{" => braces += 1,
            "}" => {
                inline_modules.retain(|opened_at| *opened_at < braces);
                braces = braces.saturating_sub(1);
            }
            "mod" if reader.text(2) == "{" => {
                inline_modules.push(braces + 1);
                reader.at += 1;
            }
            "extern" if reader.text(1) == "crate" => {
                let segments = vec![reader.text(2).to_owned()];
                reader.found.push(Path { segments, line: token.line });
                reader.at += 2;
            }
            // `use<'a>` in a type captures lifetimes and imports nothing.
            "use" if reader.text(1) != "<" => {
                reader.at += 1;
                reader.tree(&[]);
                reader.resolve(first_new, depth + inline_modules.len());
                continue;
            }
            _ if is_name(&token.text) => {
                reader.inline();
                reader.resolve(first_new, depth + inline_modules.len());
                continue;
            }
            _ => {}
        }
        reader.at += 1;
    }
    reader.found
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

struct Reader<'a> {
    tokens: &'a [Token],
    at: usize,
    found: Vec<Path>,
}

impl Reader<'_> {
    /// The token `ahead` places after the current one; empty past the end.
    fn text(&self, ahead: usize) -> &str {
        self.tokens.get(self.at + ahead).map_or("", |token| &token.text)
    }

    /// Reads one `use` tree after `prefix`, up to the `,`, `}` or `;` that ends it.
    fn tree(&mut self, prefix: &[String]) {
        let line = self.tokens.get(self.at).map_or(0, |token| token.line);
        let mut segments = prefix.to_vec();
        loop {
            match self.text(0) {
                "::" => self.at += 1,
                "{" => {
                    self.at += 1;
                    while !matches!(self.text(0), "}" | "") {
                        self.tree(&segments);
                        if self.text(0) == "," {
                            self.at += 1;
                        }
                    }
                    self.at += 1;
                    return;
                }
                "as" => self.at += 2,
                "," | "}" | ";" | "" => break,
                segment => {
                    segments.push(segment.to_owned());
                    self.at += 1;
                }
            }
        }
        self.found.push(Path { segments, line });
    }

    fn inline(&mut self) {
        let line = self.tokens[self.at].line;
        let goes_on = self.goes_on();
        let mut segments = vec![self.text(0).to_owned()];
        self.at += 1;
        while self.text(0) == "::" && is_name(self.text(1)) {
            segments.push(self.text(1).to_owned());
            self.at += 2;
        }
        if segments.len() > 1 && !goes_on {
            self.found.push(Path { segments, line });
        }
    }

    /// Whether the current name continues a path, as in `a.name` and `Vec::<T>::name`, unlike in
    /// `-> ::name`.
    fn goes_on(&self) -> bool {
        let before = |steps| self.at.checked_sub(steps).map_or("", |at| self.tokens[at].text.as_str());
        match before(1) {
            "." => true,
            "::" => is_name(before(2)) || (before(2) == ">" && !matches!(before(3), "-" | "=")),
            _ => false,
        }
    }

    /// Resolves `self::` and `super::` in the paths from `first` on.
    fn resolve(&mut self, first: usize, depth: usize) {
        for path in &mut self.found[first..] {
            if path.segments.first().is_some_and(|s| s == "self") {
                path.segments.remove(0);
            }
            let supers = path.segments.iter().take_while(|s| *s == "super").count();
            if supers >= depth && supers > 0 {
                path.segments.splice(..supers, ["crate".to_owned()]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::source::Source;
    use super::*;

    fn found(text: &str, depth: usize) -> Vec<String> {
        paths(&Source::read(text).tokens, depth).iter().map(|path| path.segments.join("::")).collect()
    }

    #[test]
    fn use_trees_are_taken_apart() {
        assert_eq!(
            found("pub(crate) use crate::{hub::{self, stream::Stream as L}, ipc::*}; use ::smol;", 1),
            ["crate::hub::self", "crate::hub::stream::Stream", "crate::ipc::*", "smol"]
        );
    }

    #[test]
    fn inline_paths_are_found_in_code_types_and_macros() {
        assert_eq!(
            found("fn a(x: crate::web::B) -> Vec::<u8> { println!(\"{}\", ::opencv::c()); d.e::<f::g>(); }", 1),
            ["crate::web::B", "opencv::c", "f::g"]
        );
    }

    #[test]
    fn super_that_leaves_the_room_is_the_crate() {
        assert_eq!(found("use super::hub::Stream;", 1), ["crate::hub::Stream"]);
        assert_eq!(
            found("use super::stream::Stream; use super::super::web::A;", 2),
            ["super::stream::Stream", "crate::web::A"]
        );
        assert_eq!(
            found("mod inner { use super::own::A; use super::super::web::B; } use super::C;", 1),
            ["super::own::A", "crate::web::B", "crate::C"]
        );
    }
}

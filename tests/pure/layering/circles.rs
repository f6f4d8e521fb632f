//! Circles of imports between the files of the source tree.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::source::Source;

/// The files that each file imports from, by their modules.
pub struct Imports<'a> {
    files: BTreeMap<String, &'a Source>,
}

impl<'a> Imports<'a> {
    /// `files` are the modules, such as `hub::stream`, and their sources.
    pub fn new(files: impl IntoIterator<Item = (String, &'a Source)>) -> Self {
        Self { files: files.into_iter().collect() }
    }

    /// The file that defines what `path` names. A name that its module only imports is followed to its origin.
    fn definition(&self, path: &[String]) -> Option<&str> {
        let mut path = path.to_vec();
        // As many steps as a name can reasonably be passed on.
        for _ in 0..8 {
            if !matches!(path.first().map(String::as_str), Some("crate" | "cctv_agent")) {
                return None;
            }
            let inner = &path[1..];
            let (module, rest) = (1..=inner.len()).rev().find_map(|count| {
                let (module, _) = self.files.get_key_value(&inner[..count].join("::"))?;
                Some((module, &inner[count..]))
            })?;
            let Some(name) = rest.first() else { return Some(module) };
            let Some(import) = self.files[module].imports.iter().find(|import| import.name == *name) else {
                return Some(module);
            };
            path = import.from.iter().chain(&rest[1..]).cloned().collect();
        }
        None
    }

    fn edges(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let mut edges: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (module, source) in &self.files {
            let is_passed_on = |path: &[String]| source.imports.iter().any(|i| i.is_passed_on && i.from == path);
            let paths = source.paths.iter().map(|path| &path.segments[..]).filter(|path| !is_passed_on(path));
            let targets = paths.filter_map(|path| self.definition(path));
            edges.insert(module, targets.filter(|target| target != module).collect());
        }
        edges
    }

    /// The shortest circle through each file that is in one, each circle once, from its first file on.
    pub fn circles(&self) -> BTreeSet<Vec<&str>> {
        let edges = self.edges();
        edges.keys().filter_map(|file| shortest_circle(&edges, file)).collect()
    }
}

fn shortest_circle<'a>(edges: &BTreeMap<&'a str, BTreeSet<&'a str>>, start: &'a str) -> Option<Vec<&'a str>> {
    let mut came_from = BTreeMap::new();
    let mut next = VecDeque::from([start]);
    while let Some(file) = next.pop_front() {
        for &target in edges.get(file).into_iter().flatten() {
            if target == start {
                let mut circle = vec![file];
                while let Some(&before) = circle.last().and_then(|last| came_from.get(last)) {
                    circle.push(before);
                }
                circle.reverse();
                let first = (0..circle.len()).min_by_key(|at| circle[*at]).unwrap_or(0);
                circle.rotate_left(first);
                return Some(circle);
            }
            if target != start && !came_from.contains_key(target) {
                came_from.insert(target, file);
                next.push_back(target);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circles(files: &[(&str, &str)]) -> Vec<String> {
        let read = |module: &str, text: &str| Source::read(&module.split("::").collect::<Vec<_>>(), text);
        let sources: Vec<_> = files.iter().map(|(module, text)| (module.to_string(), read(module, text))).collect();
        let imports = Imports::new(sources.iter().map(|(module, source)| (module.clone(), source)));
        imports.circles().iter().map(|circle| circle.join(" -> ")).collect()
    }

    #[test]
    fn circle_of_siblings_is_found_once() {
        let files = [
            ("hub", "mod a; mod b; mod c; mod d; pub use a::A;"),
            ("hub::a", "use super::b::B; struct A;"),
            ("hub::b", "use super::c::C;"),
            ("hub::c", "fn d(_: super::a::A) {}"),
            ("hub::d", "use super::a::A;"),
        ];
        assert_eq!(circles(&files), ["hub::a -> hub::b -> hub::c"]);
    }

    #[test]
    fn name_that_is_passed_on_counts_for_its_origin() {
        let files = [
            ("hub", "mod a; mod b; pub use a::A; fn f() { b::g() }"),
            ("hub::a", "struct A;"),
            ("hub::b", "use super::A; fn g() {}"),
        ];
        assert_eq!(circles(&files), [""; 0]);
        let files = [("hub", "mod b; struct A; fn f() { b::g() }"), ("hub::b", "use super::A; fn g() {}")];
        assert_eq!(circles(&files), ["hub -> hub::b"]);
    }

    #[test]
    fn name_that_is_passed_on_and_not_used_is_no_import() {
        let child = ("hub::b", "use super::A; pub struct B; fn g(_: A) {}");
        assert_eq!(circles(&[("hub", "mod b; pub use b::B; pub struct A;"), child]), [""; 0]);
        assert_eq!(circles(&[("hub", "mod b; pub use b::B; pub struct A(B);"), child]), ["hub -> hub::b"]);
    }
}

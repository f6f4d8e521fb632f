//! What the rules need of a source file: its paths, `unwrap` calls, unsafe code and length, all without
//! `#[cfg(test)]` items.

use std::collections::BTreeSet;

use proc_macro2::{Delimiter, Group, Spacing, TokenStream, TokenTree};
use syn::{spanned::Spanned as _, visit::Visit};

/// One path, such as `crate::hub::Stream`, as seen from the root of the crate: `self`, `super` and the names of own
/// modules are resolved. A path into another crate begins with that crate's name.
#[derive(Debug, PartialEq)]
pub struct Path {
    pub segments: Vec<String>,
    pub line: usize,
}

/// A name that a `use` makes known, and where it comes from.
pub struct Import {
    pub name: String,
    pub from: Vec<String>,
    /// The file passes the name on, and does not use it itself.
    pub is_passed_on: bool,
}

pub struct Source {
    /// Every `use`, and every path of two or more segments, also in the arguments of macros.
    pub paths: Vec<Path>,
    /// What the file imports at its top level.
    pub imports: Vec<Import>,
    /// The lines with a call of `unwrap`.
    pub unwraps: Vec<usize>,
    /// The lines with the word `unsafe` or `unsafe_code`, and the word.
    pub unsafe_words: Vec<(usize, String)>,
    /// Number of lines.
    pub lines: usize,
}

impl Source {
    /// Reads the file of `module`: the names from the crate's root to it.
    ///
    /// # Panics
    /// If `text` is not Rust.
    pub fn read(module: &[&str], text: &str) -> Self {
        let mut lines = text.lines().count();
        let tokens = text.parse().unwrap_or_else(|error| panic!("{}: {error}", module.join("::")));
        let tokens = without_tests(tokens, &mut lines);
        let mut words = Words::default();
        words.read(tokens.clone());
        let file: syn::File = syn::parse2(tokens).unwrap_or_else(|error| panic!("{}: {error}", module.join("::")));
        let mut reader = Reader {
            module: module.iter().map(ToString::to_string).collect(),
            is_top: true,
            children: children(&file.items),
            is_public: false,
            names: BTreeSet::new(),
            paths: Vec::new(),
            imports: Vec::new(),
        };
        reader.visit_file(&file);
        let (paths, mut imports) = (reader.paths, reader.imports);
        for import in &mut imports {
            import.is_passed_on &= !reader.names.contains(&import.name);
        }
        Self { paths, imports, unwraps: words.unwraps, unsafe_words: words.unsafe_words, lines }
    }
}

fn children(items: &[syn::Item]) -> Vec<String> {
    let name = |item: &syn::Item| if let syn::Item::Mod(module) = item { Some(module.ident.to_string()) } else { None };
    items.iter().filter_map(name).collect()
}

fn line(tree: &TokenTree) -> usize {
    tree.span().start().line
}

fn is_punct(tree: Option<&TokenTree>, punct: char) -> bool {
    matches!(tree, Some(TokenTree::Punct(found)) if found.as_char() == punct)
}

fn is_group(tree: Option<&TokenTree>, delimiter: Delimiter) -> bool {
    matches!(tree, Some(TokenTree::Group(group)) if group.delimiter() == delimiter)
}

fn is_cfg_test(tree: Option<&TokenTree>) -> bool {
    is_group(tree, Delimiter::Bracket) && tree.is_some_and(|tree| tree.to_string().replace(' ', "") == "[cfg(test)]")
}

/// The tokens without the items that stand after `#[cfg(test)]`. Their lines are taken off `lines`.
fn without_tests(tokens: TokenStream, lines: &mut usize) -> TokenStream {
    let mut kept = Vec::new();
    let mut trees = tokens.into_iter().peekable();
    while let Some(tree) = trees.next() {
        if is_punct(Some(&tree), '#') && is_cfg_test(trees.peek()) {
            // The attributes and comments above belong to the item.
            while kept.len() >= 2
                && is_punct(kept.get(kept.len() - 2), '#')
                && is_group(kept.last(), Delimiter::Bracket)
            {
                kept.truncate(kept.len() - 2);
            }
            let last = end_of_item(&mut trees).unwrap_or_else(|| tree.clone());
            *lines -= last.span().end().line - line(&tree) + 1;
        } else if let TokenTree::Group(group) = tree {
            let mut inner = Group::new(group.delimiter(), without_tests(group.stream(), lines));
            inner.set_span(group.span());
            kept.push(inner.into());
        } else {
            kept.push(tree);
        }
    }
    kept.into_iter().collect()
}

/// Skips to the end of an item: its `;`, or its block, which is not the braces of a `use` or of a value; that of a field
/// is its comma.
fn end_of_item(trees: &mut impl Iterator<Item = TokenTree>) -> Option<TokenTree> {
    let (mut last, mut has_value, mut angles) = (None, false, 0_i32);
    for tree in trees {
        if let TokenTree::Punct(punct) = &tree {
            match punct.as_char() {
                '<' => angles += 1,
                '>' if !is_punct(last.as_ref(), '-') => angles -= 1,
                '=' => has_value = true,
                ';' => return Some(tree),
                ',' if angles == 0 => return Some(tree),
                _ => {}
            }
        }
        let is_use = matches!(&last, Some(TokenTree::Ident(word)) if word == "use") || is_punct(last.as_ref(), ':');
        if is_group(Some(&tree), Delimiter::Brace) && !has_value && !is_use {
            return Some(tree);
        }
        last = Some(tree);
    }
    last
}

/// Finds single words, wherever they stand.
#[derive(Default)]
struct Words {
    unwraps: Vec<usize>,
    unsafe_words: Vec<(usize, String)>,
}

impl Words {
    fn read(&mut self, tokens: TokenStream) {
        let trees: Vec<_> = tokens.into_iter().collect();
        for (at, tree) in trees.iter().enumerate() {
            match tree {
                TokenTree::Group(group) => self.read(group.stream()),
                TokenTree::Ident(name) if name == "unwrap" => {
                    let is_method = at.checked_sub(1).is_some_and(|before| is_punct(trees.get(before), '.'));
                    if is_method && is_group(trees.get(at + 1), Delimiter::Parenthesis) {
                        self.unwraps.push(line(tree));
                    }
                }
                TokenTree::Ident(name) if name == "unsafe" || name == "unsafe_code" => {
                    self.unsafe_words.push((line(tree), name.to_string()));
                }
                _ => {}
            }
        }
    }
}

/// Finds the paths.
struct Reader {
    /// The module here; inside of an inline module, that one.
    module: Vec<String>,
    is_top: bool,
    /// The modules declared in the module here.
    children: Vec<String>,
    /// Whether the `use` that is read is `pub`.
    is_public: bool,
    /// The first name of each path outside of `use`.
    names: BTreeSet<String>,
    paths: Vec<Path>,
    imports: Vec<Import>,
}

impl Reader {
    /// The path from the root of the crate.
    fn resolve(&self, segments: Vec<String>) -> Vec<String> {
        let supers = segments.iter().take_while(|segment| *segment == "super").count();
        let first = segments.first().cloned().unwrap_or_default();
        let is_own = first == "self" || supers > 0 || self.children.contains(&first);
        if !is_own {
            return segments;
        }
        let outer = self.module.iter().take(self.module.len().saturating_sub(supers)).cloned();
        let rest = segments.into_iter().skip(supers + usize::from(first == "self"));
        std::iter::once("crate".to_owned()).chain(outer).chain(rest).collect()
    }

    fn found(&mut self, segments: Vec<String>, line: usize) {
        let segments = self.resolve(segments);
        self.paths.push(Path { segments, line });
    }

    fn tree(&mut self, before: &[String], tree: &syn::UseTree) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        let line = tree.span().start().line;
        let (segments, name) = match tree {
            syn::UseTree::Path(path) => return self.tree(&with(&path.ident), &path.tree),
            syn::UseTree::Group(group) => return group.items.iter().for_each(|item| self.tree(before, item)),
            syn::UseTree::Name(name) => (with(&name.ident), name.ident.to_string()),
            syn::UseTree::Rename(rename) => (with(&rename.ident), rename.rename.to_string()),
            syn::UseTree::Glob(_) => ([before, &["*".to_owned()]].concat(), "*".to_owned()),
        };
        if self.is_top {
            let from = self.resolve(segments.clone());
            self.imports.push(Import { name, from, is_passed_on: self.is_public });
        }
        self.found(segments, line);
    }

    /// The paths in the arguments of a macro, which may be of any form.
    fn macro_tokens(&mut self, tokens: TokenStream) {
        let mut segments = Vec::new();
        let (mut first_line, mut colons) = (0, 0);
        let mut trees = tokens.into_iter().peekable();
        loop {
            let tree = trees.next();
            match &tree {
                Some(TokenTree::Ident(name)) if segments.is_empty() || colons == 2 => {
                    if segments.is_empty() {
                        first_line = name.span().start().line;
                    }
                    segments.push(name.to_string());
                    colons = 0;
                    continue;
                }
                Some(TokenTree::Punct(punct)) if punct.as_char() == ':' && !segments.is_empty() && colons < 2 => {
                    colons = if colons == 1 || punct.spacing() == Spacing::Joint { colons + 1 } else { 3 };
                    continue;
                }
                _ => {}
            }
            let path: Vec<String> = std::mem::take(&mut segments);
            self.names.extend(path.first().cloned());
            if path.len() > 1 {
                self.found(path, first_line);
            }
            colons = 0;
            match tree {
                Some(TokenTree::Group(group)) => self.macro_tokens(group.stream()),
                Some(TokenTree::Ident(name)) => {
                    first_line = name.span().start().line;
                    segments.push(name.to_string());
                }
                Some(_) => {}
                None => return,
            }
        }
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.is_public = !matches!(item.vis, syn::Visibility::Inherited);
        self.tree(&[], &item.tree);
    }

    fn visit_item_extern_crate(&mut self, item: &'ast syn::ItemExternCrate) {
        self.found(vec![item.ident.to_string()], item.ident.span().start().line);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let Some((_, items)) = &item.content else { return };
        let children = std::mem::replace(&mut self.children, children(items));
        let is_top = std::mem::replace(&mut self.is_top, false);
        self.module.push(item.ident.to_string());
        syn::visit::visit_item_mod(self, item);
        self.module.pop();
        (self.children, self.is_top) = (children, is_top);
    }

    fn visit_block(&mut self, block: &'ast syn::Block) {
        let is_top = std::mem::replace(&mut self.is_top, false);
        syn::visit::visit_block(self, block);
        self.is_top = is_top;
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.names.extend(path.segments.first().map(|segment| segment.ident.to_string()));
        if path.segments.len() > 1 {
            let segments = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            self.found(segments, path.span().start().line);
        }
        syn::visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        self.visit_path(&item.path);
        self.macro_tokens(item.tokens.clone());
    }

    /// `pub(in crate::hub)` says who may use an item, and uses nothing.
    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(module: &[&str], text: &str) -> Vec<String> {
        Source::read(module, text).paths.iter().map(|path| path.segments.join("::")).collect()
    }

    #[test]
    fn use_trees_are_taken_apart() {
        assert_eq!(
            found(&["a"], "pub(crate) use crate::{hub::{self, stream::Stream as L}, ipc::*}; use ::smol;"),
            ["crate::hub::self", "crate::hub::stream::Stream", "crate::ipc::*", "smol"]
        );
    }

    #[test]
    fn inline_paths_are_found_in_code_types_and_macros() {
        let text = "fn a(x: crate::web::B) -> Vec::<u8> { p!(\"{}\", ::opencv::c(), g: h::i); d.e::<f::g>(); }";
        assert_eq!(found(&["a"], text), ["crate::web::B", "opencv::c", "h::i", "f::g"]);
    }

    #[test]
    fn paths_are_resolved_to_the_root() {
        assert_eq!(found(&["web"], "use super::hub::Stream;"), ["crate::hub::Stream"]);
        assert_eq!(found(&["web"], "mod tile; use tile::A; use self::B;"), ["crate::web::tile::A", "crate::web::B"]);
        assert_eq!(
            found(&["a", "b"], "mod inner { use super::own::A; use super::super::web::B; } use super::C;"),
            ["crate::a::b::own::A", "crate::a::web::B", "crate::a::C"]
        );
    }

    #[test]
    fn who_may_use_an_item_is_no_import() {
        assert_eq!(found(&["a"], "pub(in crate::hub) fn a() {}"), [""; 0]);
    }

    #[test]
    fn test_items_are_left_out_and_their_lines_not_counted() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n  fn b() { c().unwrap(); }\n}\nfn d() {}\n";
        let source = Source::read(&["a"], text);
        assert_eq!((source.lines, source.unwraps.len()), (2, 0));
        let text = "#[cfg(test)]\nuse x::{y, z};\n#[cfg(test)]\nconst A: B = B { c: 2 };\nimpl D {\n    #[cfg(test)]\n    \
                    fn e() { f::g() }\n}\n";
        assert_eq!(Source::read(&["a"], text).lines, 2);
        let field = "struct A {\n    /// K.\n    #[cfg(test)]\n    b: C<d::E, f::G>,\n    h: i::J,\n}\n";
        assert_eq!(found(&["a"], field), ["i::J"]);
        assert_eq!(found(&["a"], text), [""; 0]);
    }
}

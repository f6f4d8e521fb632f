//! The fonts of cards: a small one in the program, and those of the system for what it lacks.
//!
//! The small font, `font.ttf`, is a part of WenQuanYi Micro Hei 0.2.0-beta (Apache License 2.0, or
//! GPL 3 with the font exception; see `font.LICENSE`): Latin, Cyrillic, punctuation, and the 5401
//! frequent Chinese characters of Big5. `scripts/font` makes it from Debian's package. It comes
//! first, so a card looks the same on every machine.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use ab_glyph::{Font, FontArc, FontRef, FontVec, Glyph, GlyphId, OutlinedGlyph, PxScale, ScaleFont, point};

/// Folders in which systems keep fonts.
const FONT_FOLDERS: [&str; 3] = ["/usr/share/fonts", "/usr/local/share/fonts", "/usr/share/cctv-agent/fonts"];

/// Parts of the file names of fonts that have the letters of many languages, best first: Noto CJK,
/// WenQuanYi, Android's fallback font, AR PL UMing, GNU Unifont, DejaVu.
const WIDE_FONTS: [&str; 7] =
    ["NotoSansCJK", "wqy-", "DroidSansFallback", "uming", "unifont", "NotoSans-", "DejaVuSans."];

/// Files that are looked at while searching a font; no system has more fonts that matter.
const MAX_FILES: usize = 5000;

/// Depth of folders in which fonts are searched.
const MAX_DEPTH: u8 = 4;

/// Maximum size of a font file, in bytes; Noto Sans CJK has 20 MB.
const MAX_FONT_BYTES: u64 = 64 << 20;

/// The glyph of characters that a font does not have.
const MISSING: GlyphId = GlyphId(0);

static SHIPPED: LazyLock<Option<FontArc>> =
    LazyLock::new(|| FontRef::try_from_slice(include_bytes!("font.ttf")).ok().map(FontArc::new));

/// The first font of the system, read when a character is missing for the first time.
static SYSTEM: LazyLock<Option<FontArc>> = LazyLock::new(|| FONT_FOLDERS.iter().map(Path::new).find_map(widest_font));

/// The font that has `character`, and its glyph there; the empty box of the small font if no font
/// has it. `None` if even the small font cannot be read.
fn glyph(character: char) -> Option<(&'static FontArc, GlyphId)> {
    let shipped = SHIPPED.as_ref()?;
    let own = shipped.glyph_id(character);
    if own != MISSING || character.is_control() {
        return Some((shipped, own));
    }
    let system = SYSTEM.as_ref().map(|font| (font, font.glyph_id(character)));
    system.filter(|(_, glyph)| *glyph != MISSING).or(Some((shipped, own)))
}

/// Whether some font has `character`.
pub(super) fn has(character: char) -> bool {
    glyph(character).is_some_and(|(_, glyph)| glyph != MISSING)
}

/// The width of `character` in letters of `em` pixels.
pub(super) fn advance(character: char, em: f32) -> f32 {
    glyph(character).map_or(em / 2.0, |(font, glyph)| font.as_scaled(scale(font, em)).h_advance(glyph))
}

/// The outline of `character` in letters of `em` pixels, with its origin on the baseline at
/// `(x, y)`. `None` for a blank.
pub(super) fn outline(character: char, em: f32, x: f32, y: f32) -> Option<OutlinedGlyph> {
    let (font, id) = glyph(character)?;
    font.outline_glyph(Glyph { id, scale: scale(font, em), position: point(x, y) })
}

/// The scale at which an em of `font` has `em` pixels.
fn scale(font: &FontArc, em: f32) -> PxScale {
    let units = font.units_per_em().unwrap_or(1000.0);
    PxScale::from(em * font.height_unscaled() / units)
}

/// The font below `folder` that comes first in [`WIDE_FONTS`].
fn widest_font(folder: &Path) -> Option<FontArc> {
    let mut files = Vec::new();
    collect(folder, MAX_DEPTH, &mut files);
    files.sort();
    let name_has = |file: &&PathBuf, part: &str| file.to_string_lossy().contains(part);
    WIDE_FONTS.iter().find_map(|part| files.iter().filter(|file| name_has(file, part)).find_map(|file| read(file).ok()))
}

/// Collects the font files below `folder` into `files`.
fn collect(folder: &Path, depth: u8, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if files.len() >= MAX_FILES {
            return;
        }
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && depth > 0 => collect(&path, depth - 1, files),
            Ok(_) if path.extension().is_some_and(|end| ["ttf", "ttc", "otf"].iter().any(|font| end == *font)) => {
                files.push(path);
            }
            _ => {}
        }
    }
}

/// Reads a font file; of a collection the first font.
fn read(path: &Path) -> io::Result<FontArc> {
    let bytes = fs::metadata(path)?.len();
    if bytes > MAX_FONT_BYTES {
        return Err(io::Error::other("the file is too large for a font"));
    }
    FontVec::try_from_vec_and_index(fs::read(path)?, 0).map(FontArc::new).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shipped_font_has_the_letters_of_names_in_taiwan_and_europe() {
        let font = SHIPPED.as_ref().unwrap();
        for character in "Gate 0-9 ÄÖÜßéñ Łódź Двор 大門停車場後院櫃檯機房電梯廚房走廊地下室圍牆「」（）：…–".chars()
        {
            assert_ne!(font.glyph_id(character), GlyphId(0), "{character}");
        }
    }

    #[test]
    fn width_grows_with_the_letters_and_wide_characters_fill_the_em() {
        assert!(advance('m', 40.0) > advance('i', 40.0));
        assert!((advance('門', 40.0) - 40.0).abs() < 4.0, "{}", advance('門', 40.0));
        assert!((advance('m', 80.0) - 2.0 * advance('m', 40.0)).abs() < 0.1);
    }

    #[test]
    fn unreadable_and_absent_fonts_are_no_fonts() {
        assert!(widest_font(Path::new("/nonexistent")).is_none());
        let folder = std::env::temp_dir().join(format!("cctv-agent-font-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("wqy-torn.ttf"), b"no font").unwrap();
        let none = widest_font(&folder).is_none();
        fs::write(folder.join("NotoSansCJK-Regular.ttf"), include_bytes!("font.ttf")).unwrap();
        let found = widest_font(&folder).is_some();
        fs::remove_dir_all(&folder).unwrap();
        assert!(none && found);
    }
}

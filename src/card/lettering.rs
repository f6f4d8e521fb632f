//! Lines of text, measured and wrapped before they are drawn.

use super::{
    canvas::{Canvas, Colour},
    font,
};
use crate::text::is_hidden;

/// Maximum length of a text, in characters; longer texts are cut before anything is measured.
const MAX_LEN: usize = 400;

/// Height of a capital in ems: the font's H has 0.73. Chinese characters are about 0.2 em higher
/// and lower together, for which the space between lines has room.
const CAPITAL: f32 = 0.73;

/// How heavy the strokes are.
#[derive(Clone, Copy)]
pub(super) enum Style {
    Plain,
    Bold,
}

impl Style {
    /// By how much strokes are thickened, as a fraction of the em: the font has one weight.
    fn thickening(self) -> f32 {
        match self {
            Self::Plain => 0.0,
            Self::Bold => 0.05,
        }
    }
}

/// One line, ready to be drawn.
pub(super) struct Text {
    text: String,
    style: Style,
    em: f32,
    width: i32,
    height: i32,
}

impl Text {
    fn new(text: &str, style: Style, height: i32) -> Self {
        let em = em(height);
        let width = text.chars().map(|c| advance(c, style, em)).sum::<f32>();
        #[expect(clippy::cast_possible_truncation, reason = "a cut text is at most some 100,000 pixels wide")]
        Self { text: text.to_owned(), style, em, width: width.ceil() as i32, height }
    }

    /// `text` with capitals of `height`, or smaller if it would be wider than `width`.
    pub(super) fn fitted(text: &str, style: Style, height: i32, width: i32) -> Self {
        let mut height = height.max(1);
        loop {
            let fitted = Self::new(text, style, height);
            if fitted.width <= width || height == 1 {
                return fitted;
            }
            // The width is proportional to the height, except for rounding.
            height = (height * width.max(1) / fitted.width).clamp(1, height - 1);
        }
    }

    pub(super) fn width(&self) -> i32 {
        self.width
    }

    /// The height of its capitals; descenders extend below.
    pub(super) fn height(&self) -> i32 {
        self.height
    }

    /// Draws the line with `(x, y)` as the upper left corner of its capitals.
    #[expect(clippy::cast_precision_loss, reason = "positions are a few thousand pixels")]
    pub(super) fn draw(&self, canvas: &mut Canvas, x: i32, y: i32, colour: Colour) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few pixels")]
        let thickening = (self.style.thickening() * self.em).round() as usize;
        let baseline = (y + self.height) as f32;
        let mut pen = x as f32;
        for character in self.text.chars() {
            if let Some(glyph) = font::outline(character, self.em, pen, baseline) {
                canvas.glyph(&glyph, thickening, colour);
            }
            pen += advance(character, self.style, self.em);
        }
    }
}

/// The em of letters with capitals of `height`, in pixels.
#[expect(clippy::cast_precision_loss, reason = "heights are a few thousand pixels")]
fn em(height: i32) -> f32 {
    height.max(1) as f32 / CAPITAL
}

/// The width of `character`, thickening included.
fn advance(character: char, style: Style, em: f32) -> f32 {
    font::advance(character, em) + style.thickening() * em
}

/// `text` in at most `most` lines of `width`, with capitals of `height`; the last line ends in
/// `…` if not all of it fits. Lines break at blanks, and anywhere between Chinese characters. A word
/// that is wider than a line is cut.
#[expect(clippy::cast_precision_loss, reason = "widths are a few thousand pixels")]
pub(super) fn wrapped(text: &str, style: Style, height: i32, width: i32, most: usize) -> Vec<Text> {
    let (em, width) = (em(height), width as f32);
    let measure = |text: &str| text.chars().map(|c| advance(c, style, em)).sum::<f32>();
    let (blank, mark) = (advance(' ', style, em), advance('…', style, em));
    let mut lines: Vec<(String, f32)> = Vec::new();
    let mut cut = false;
    for (is_word, piece) in pieces(text).filter(|_| most > 0) {
        let (gap, own) = (if is_word { blank } else { 0.0 }, measure(piece));
        let full = lines.len() == most;
        match lines.last_mut() {
            Some((line, used)) if *used + gap + own <= width => {
                line.push_str(if is_word { " " } else { "" });
                line.push_str(piece);
                *used += gap + own;
            }
            _ if full => {
                cut = true;
                break;
            }
            _ => lines.push((piece.to_owned(), own)),
        }
    }
    let last = lines.len().saturating_sub(1);
    let marked = lines.into_iter().enumerate().map(|(index, (mut line, mut used))| {
        if used > width || cut && index == last {
            while used + mark > width {
                let Some(character) = line.pop() else { break };
                used -= advance(character, style, em);
            }
            line.truncate(line.trim_end().len());
            line.push('…');
        }
        Text::new(&line, style, height)
    });
    marked.collect()
}

/// The parts of `text` between which a line may break, and whether a blank stands before each.
fn pieces(text: &str) -> impl Iterator<Item = (bool, &str)> {
    text.split_whitespace().flat_map(|word| {
        let mut breaks: Vec<usize> = vec![0];
        let mut before = None;
        for (at, character) in word.char_indices() {
            let between = before.is_some_and(|before| is_ideograph(before) && is_ideograph(character));
            if between {
                breaks.push(at);
            }
            before = Some(character);
        }
        breaks.push(word.len());
        let parts: Vec<(bool, &str)> = breaks.windows(2).map(|ends| (ends[0] == 0, &word[ends[0]..ends[1]])).collect();
        parts
    })
}

/// Characters of Chinese and Japanese between which a line may break.
fn is_ideograph(character: char) -> bool {
    matches!(character, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}')
}

/// `text` without control characters and what no font has; `None` if letters would be missing or
/// nothing would be left.
pub(super) fn readable(text: &str) -> Option<String> {
    let text = blanked(text);
    (!text.trim().is_empty() && text.chars().all(font::has)).then_some(text)
}

/// `text` without control characters, with `?` for what no font has.
pub(super) fn readable_or_marks(text: &str) -> String {
    blanked(text).chars().map(|c| if font::has(c) { c } else { '?' }).collect()
}

/// `text`, cut to [`MAX_LEN`] characters, with blanks for white space and without hidden characters.
fn blanked(text: &str) -> String {
    text.chars().take(MAX_LEN).map(|c| if c.is_whitespace() { ' ' } else { c }).filter(|c| !is_hidden(*c)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str, width: i32, most: usize) -> Vec<String> {
        wrapped(text, Style::Plain, 20, width, most).into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn text_is_wrapped_at_blanks_and_its_end_is_marked() {
        let width = Text::new("no route to", Style::Plain, 20).width();
        assert_eq!(lines("no route to host", width, 4), ["no route to", "host"]);
        assert_eq!(lines("", width, 4), [""; 0]);
        assert_eq!(lines("no route to host", width, 0), [""; 0]);
        let cut = lines("no route to host", width, 1);
        assert!(cut.len() == 1 && cut[0].starts_with("no r") && cut[0].ends_with('…'), "{cut:?}");
        assert!(lines(&"x".repeat(300), width, 2)[0].ends_with('…'));
    }

    #[test]
    fn chinese_is_wrapped_between_characters() {
        let width = Text::new("地下停車場", Style::Plain, 20).width();
        assert_eq!(lines("地下停車場出入口", width, 2), ["地下停車場", "出入口"]);
        assert_eq!(lines("gate 大門", 10_000, 2), ["gate 大門"]);
    }

    #[test]
    fn too_wide_text_gets_smaller_letters() {
        let text = Text::fitted("ACCESS DENIED", Style::Bold, 100, 300);
        assert!(text.width() <= 300 && text.height() < 100 && text.height() > 10);
        assert_eq!(Text::fitted("OFFLINE", Style::Bold, 20, 10_000).height(), 20);
    }

    #[test]
    fn text_keeps_what_can_be_read() {
        assert_eq!(readable("大門\t1\u{202e}\0").as_deref(), Some("大門 1"));
        assert_eq!(readable(" \n"), None);
        assert_eq!(readable("\u{10ffff}"), None);
        assert_eq!(readable_or_marks("a\u{10ffff}b"), "a?b");
        assert_eq!(readable_or_marks(&"x".repeat(1000)).len(), MAX_LEN);
    }
}

//! Lines of text in OpenCV's stroke fonts (Hershey's), which have only ASCII characters.

use opencv::{
    core::{Mat, Point, Scalar},
    imgproc,
};

/// Maximum length of a text, in characters; longer texts are cut before anything is measured.
const MAX_LEN: usize = 400;

/// How heavy the strokes are.
#[derive(Clone, Copy)]
pub(super) enum Style {
    Plain,
    Bold,
}

impl Style {
    /// Stroke width as a fraction of the height of capitals.
    fn weight(self) -> f64 {
        match self {
            Self::Plain => 0.10,
            Self::Bold => 0.17,
        }
    }

    /// Stroke width in pixels, for capitals of `height`.
    fn stroke(self, height: i32) -> i32 {
        #[expect(clippy::cast_possible_truncation, reason = "heights are a few thousand pixels")]
        let stroke = (f64::from(height) * self.weight()).round() as i32;
        stroke.max(1)
    }
}

const FONT: i32 = imgproc::FONT_HERSHEY_SIMPLEX;

/// The height of capitals in the font at scale 1, in pixels (measured: a drawn H is 21 high).
const CAPITAL: f64 = 21.0;

/// One line, ready to be drawn.
pub(super) struct Text {
    text: String,
    scale: f64,
    stroke: i32,
    width: i32,
    height: i32,
}

impl Text {
    fn new(text: &str, style: Style, height: i32) -> opencv::Result<Self> {
        let stroke = style.stroke(height);
        // The stroke extends by half its width above and below.
        let scale = f64::from((height - stroke).max(1)) / CAPITAL;
        let size = imgproc::get_text_size(text, FONT, scale, stroke, &mut 0)?;
        Ok(Self { text: text.to_owned(), scale, stroke, width: size.width, height })
    }

    /// `text` with capitals of `height`, or smaller if it would be wider than `width`.
    pub(super) fn fitted(text: &str, style: Style, height: i32, width: i32) -> opencv::Result<Self> {
        let mut height = height.max(1);
        loop {
            let fitted = Self::new(text, style, height)?;
            if fitted.width <= width || height == 1 {
                return Ok(fitted);
            }
            // The width is proportional to the height, except for rounding.
            height = (height * width.max(1) / fitted.width).clamp(1, height - 1);
        }
    }

    pub(super) fn width(&self) -> i32 {
        self.width
    }

    /// The height of its capitals, strokes included; descenders extend below.
    pub(super) fn height(&self) -> i32 {
        self.height
    }

    /// Draws the line with `corner` as the upper left corner of its capitals.
    pub(super) fn draw(&self, mat: &mut Mat, corner: Point, colour: Scalar) -> opencv::Result<()> {
        let origin = Point::new(corner.x, corner.y + self.height - self.stroke / 2);
        imgproc::put_text(mat, &self.text, origin, FONT, self.scale, colour, self.stroke, imgproc::LINE_AA, false)
    }
}

/// `text` in at most `most` lines of `width`, with capitals of `height`; the last line ends in
/// `...` if not all of it fits.
pub(super) fn wrapped(text: &str, style: Style, height: i32, width: i32, most: usize) -> opencv::Result<Vec<Text>> {
    let fits = |line: &str| Text::new(line, style, height).map(|text| text.width <= width);
    let mut lines: Vec<String> = Vec::new();
    let mut cut = false;
    for word in text.split_whitespace().filter(|_| most > 0) {
        let longer = lines.last().map(|line| format!("{line} {word}"));
        match longer {
            Some(longer) if fits(&longer)? => *lines.last_mut().expect("it was just read") = longer,
            _ if lines.len() == most => {
                cut = true;
                break;
            }
            _ => lines.push(word.to_owned()),
        }
    }
    let mut texts = Vec::new();
    let last = lines.len().saturating_sub(1);
    for (index, mut line) in lines.into_iter().enumerate() {
        let mut marked = if cut && index == last { format!("{line}...") } else { line.clone() };
        while !fits(&marked)? && line.pop().is_some() {
            marked = format!("{}...", line.trim_end());
        }
        texts.push(Text::new(&marked, style, height)?);
    }
    Ok(texts)
}

/// `text` in ASCII, if similar ASCII characters exist; `None` if letters would be missing or
/// nothing would be left.
pub(super) fn ascii(text: &str) -> Option<String> {
    let ascii = text.chars().take(MAX_LEN).map(replaced).collect::<Option<String>>()?;
    (!ascii.trim().is_empty()).then_some(ascii)
}

/// `text` in ASCII, with `?` for characters without a similar one.
pub(super) fn ascii_or_marks(text: &str) -> String {
    text.chars().take(MAX_LEN).map(|c| replaced(c).unwrap_or_else(|| "?".into())).collect()
}

/// The ASCII replacement for `c`.
fn replaced(c: char) -> Option<String> {
    let likeness = match c {
        ' '..='~' => return Some(c.to_string()),
        c if c.is_whitespace() => " ",
        '‘' | '’' | '‚' | '′' => "'",
        '“' | '”' | '„' | '«' | '»' | '″' => "\"",
        '‐' | '‑' | '‒' | '–' | '—' | '−' => "-",
        '…' => "...",
        '·' | '•' => "*",
        '×' => "x",
        '→' => "->",
        '°' => "deg",
        'À' | 'Á' | 'Â' | 'Ã' | 'Å' | 'Ą' => "A",
        'à' | 'á' | 'â' | 'ã' | 'å' | 'ą' => "a",
        'Ä' | 'Æ' => "Ae",
        'ä' | 'æ' => "ae",
        'Ç' | 'Ć' | 'Č' => "C",
        'ç' | 'ć' | 'č' => "c",
        'È' | 'É' | 'Ê' | 'Ë' | 'Ę' | 'Ě' => "E",
        'è' | 'é' | 'ê' | 'ë' | 'ę' | 'ě' => "e",
        'Ì' | 'Í' | 'Î' | 'Ï' => "I",
        'ì' | 'í' | 'î' | 'ï' => "i",
        'Ł' => "L",
        'ł' => "l",
        'Ñ' | 'Ń' => "N",
        'ñ' | 'ń' => "n",
        'Ò' | 'Ó' | 'Ô' | 'Õ' => "O",
        'ò' | 'ó' | 'ô' | 'õ' => "o",
        'Ö' | 'Ø' | 'Œ' => "Oe",
        'ö' | 'ø' | 'œ' => "oe",
        'Ř' => "R",
        'ř' => "r",
        'Ś' | 'Š' => "S",
        'ś' | 'š' => "s",
        'ß' => "ss",
        'Ù' | 'Ú' | 'Û' => "U",
        'ù' | 'ú' | 'û' => "u",
        'Ü' => "Ue",
        'ü' => "ue",
        'Ý' => "Y",
        'ý' | 'ÿ' => "y",
        'Ź' | 'Ż' | 'Ž' => "Z",
        'ź' | 'ż' | 'ž' => "z",
        _ => return None,
    };
    Some(likeness.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn western_european_names_are_spelled_in_ascii() {
        assert_eq!(ascii("Tür – Café “Größe”…").as_deref(), Some("Tuer - Cafe \"Groesse\"..."));
    }

    #[test]
    fn names_in_other_scripts_are_given_up() {
        for name in ["大門", "Вход", "gate 門", "", "  ", "\u{0}"] {
            assert_eq!(ascii(name), None, "{name:?}");
        }
        assert_eq!(ascii_or_marks("profile \"門\" — no"), "profile \"?\" - no");
    }

    #[test]
    fn fitted_text_is_never_wider_than_its_place() {
        for (height, width) in [(100, 50), (7, 300), (500, 1000), (1, 1), (3, 0)] {
            let text = Text::fitted("NO LIVE PICTURE", Style::Bold, height, width).unwrap();
            assert!(text.width() <= width.max(60) && text.height() <= height, "{height} {width}");
        }
    }

    #[test]
    fn long_text_is_wrapped_and_its_cut_is_marked() {
        let lines = wrapped(&"word ".repeat(100), Style::Plain, 20, 300, 3).unwrap();
        assert_eq!(lines.len(), 3);
        assert!(lines.iter().all(|line| line.width() <= 300));
        assert!(lines[2].text.ends_with("...") && !lines[1].text.ends_with("..."));
        assert_eq!(wrapped("two words", Style::Plain, 20, 300, 3).unwrap().len(), 1);
        assert_eq!(wrapped(" ", Style::Plain, 20, 300, 3).unwrap().len(), 0);
    }

    #[test]
    fn single_word_that_is_too_long_is_cut() {
        let lines = wrapped(&"w".repeat(400), Style::Plain, 20, 300, 3).unwrap();
        assert!(lines.len() == 1 && lines[0].width() <= 300 && lines[0].text.ends_with("..."));
    }
}

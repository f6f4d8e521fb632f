//! Draws the card, the placeholder image: a JPEG that says "no live picture" and why.
//!
//! It must not be mistaken for a picture from three metres away, or without colours. Therefore it
//! has hatching that no camera sees, a frame, and the largest letters that fit. A small card has
//! room for few words, so what does not fit is omitted, the least important first.

use jpeg_encoder::{ColorType, Encoder, EncodingError};

use crate::{
    camera::{CameraId, State, mask_credentials},
    media::Size,
};

mod canvas;
mod font;
mod lettering;

use canvas::{Area, Canvas, Colour};
use lettering::{Style, Text};

/// The size of a card for a viewer that requested none.
pub const DEFAULT_SIZE: Size = Size { width: 1280, height: 720 };

/// Smallest size of a card; smaller requests get this one, because smaller cards are unreadable.
pub const SMALLEST: Size = Size { width: 160, height: 90 };

/// Maximum length of each side, in pixels; larger cards would show nothing more.
pub const MAX_SIDE_LEN: u32 = 4096;

/// The content of a card.
#[derive(Clone, Debug, PartialEq)]
pub struct Card {
    pub id: CameraId,
    /// Shown if the fonts have its letters; otherwise the id is shown.
    pub name: String,
    pub state: State,
    /// The reason; may be empty.
    pub why: String,
    /// How long there has been no live picture; `None` if there never was one.
    pub since_seconds: Option<u64>,
}

/// The card cannot be compressed.
#[derive(Debug, thiserror::Error)]
#[error("cannot compress the card")]
pub struct Error(#[source] EncodingError);

/// Draws `card` as a JPEG of `size`, each side limited to [`SMALLEST`] and [`MAX_SIDE_LEN`], with
/// `quality` from 1 to 100.
///
/// # Errors
/// If the JPEG encoder refuses the size, which it takes up to 65,535.
///
/// # Blocking
/// Takes processor time: about 2 ms at 320x180, 20 ms at 1280x720, 160 ms at 3840x2160 (optimized,
/// one slow core). Draw once per change, not once per viewer. The first card with a character that
/// the small font lacks also reads a font of the system.
pub fn draw(size: Size, quality: u8, card: &Card) -> Result<Vec<u8>, Error> {
    let size = Size {
        width: size.width.clamp(SMALLEST.width, MAX_SIDE_LEN),
        height: size.height.clamp(SMALLEST.height, MAX_SIDE_LEN),
    };
    let canvas = picture(size, card);
    let mut jpeg = Vec::new();
    let side = |length: u32| u16::try_from(length).unwrap_or(u16::MAX);
    Encoder::new(&mut jpeg, quality.clamp(1, 100))
        .encode(canvas.rgb(), side(size.width), side(size.height), ColorType::Rgb)
        .map_err(Error)?;
    Ok(jpeg)
}

/// A longer reason ends in `…`.
const MAX_REASON_LINES: usize = 4;

// Adjacent colours also differ strongly in brightness.
const BLACK: Colour = [12; 3];
const DARK_STRIPE: Colour = [24; 3];
const LIGHT_STRIPE: Colour = [84; 3];
const PALE: Colour = [190; 3];
const WHITE: Colour = [245; 3];
const AMBER: Colour = [255, 190, 40];

/// The share of the hatching that is light.
const LIGHT_SHARE: f32 = 0.5;

/// The smallest letters, in pixels.
const SMALLEST_LETTERS: i32 = 8;

fn picture(size: Size, card: &Card) -> Canvas {
    let (width, height) = (pixels(size.width), pixels(size.height));
    let short = width.min(height);
    #[expect(clippy::cast_precision_loss, reason = "sides are a few thousand pixels")]
    let mut canvas = Canvas::hatched(size, short as f32 / 6.0, LIGHT_SHARE, DARK_STRIPE, LIGHT_STRIPE);
    let margin = short / 16;
    let panel = Area { x: margin, y: margin, width: width - 2 * margin, height: height - 2 * margin };
    let stroke = (short / 120).max(1);
    let lines = composed(card, panel.width - 4 * margin, panel.height - 2 * margin, SMALLEST_LETTERS);
    let text_height: i32 = lines.iter().map(Placed::height).sum();
    let band_height = (text_height + 2 * margin).min(panel.height);
    let band = Area { y: panel.y + (panel.height - band_height) / 2, height: band_height, ..panel };
    canvas.fill(band, BLACK);
    canvas.frame(band, stroke, PALE);
    let mut y = band.y + (band.height - text_height) / 2;
    for line in &lines {
        y += line.above;
        let x = (width - line.text.width()) / 2;
        let pad = line.pad;
        if line.boxed {
            let (width, height) = (line.text.width() + 4 * pad, line.text.height() + 2 * pad);
            canvas.fill(Area { x: x - 2 * pad, y, width, height }, AMBER);
        }
        line.text.draw(&mut canvas, x, y + pad, line.colour);
        y += line.text.height() + 2 * pad;
    }
    canvas
}

/// `length`, which is at most a few thousand, as a coordinate.
fn pixels(length: u32) -> i32 {
    i32::try_from(length).unwrap_or(i32::MAX)
}

/// A line of text and the space around it.
struct Placed {
    text: Text,
    above: i32,
    /// Space within its box, above and below.
    pad: i32,
    boxed: bool,
    colour: Colour,
}

impl Placed {
    fn height(&self) -> i32 {
        self.above + self.text.height() + 2 * self.pad
    }
}

/// The lines of `card` from top to bottom that fit into `width` and `height`, with letters not
/// smaller than `smallest`. The state and the headline always stay; then come the name, the reason
/// and the time, as far as there is space.
fn composed(card: &Card, width: i32, height: i32, smallest: i32) -> Vec<Placed> {
    // On a tall card, the width determines the size of the letters.
    let unit = height.min(width);
    let share = |percent: i32| (unit * percent / 100).max(smallest);
    let state = Text::fitted(state_word(card.state), Style::Bold, share(14), width * 9 / 10);
    let mut lines = vec![Placed { pad: share(14) / 4, text: state, above: 0, boxed: true, colour: BLACK }];
    let plain = |text: Text, above: i32, colour: Colour| Placed { text, above, pad: 0, boxed: false, colour };
    for (index, text) in headline(width, share(16)).into_iter().enumerate() {
        lines.push(plain(text, if index == 0 { share(8) } else { share(4) }, WHITE));
    }
    let mut room = height - lines.iter().map(Placed::height).sum::<i32>();
    let (gap, letters, leading) = (share(7), share(6), share(6) / 2);
    let name = lettering::readable(&card.name).unwrap_or_else(|| card.id.to_string());
    for text in lettering::wrapped(&name, Style::Bold, share(8), width, fitting(room - gap, share(8), 0).min(1)) {
        room -= gap + text.height();
        lines.push(plain(text, gap, AMBER));
    }
    let why = lettering::readable_or_marks(&mask_credentials(&card.why));
    let most = fitting(room - gap, letters, leading).min(MAX_REASON_LINES);
    for (index, text) in lettering::wrapped(&why, Style::Plain, letters, width, most).into_iter().enumerate() {
        let above = if index == 0 { gap } else { leading };
        room -= above + text.height();
        lines.push(plain(text, above, PALE));
    }
    if let Some(seconds) = card.since_seconds.filter(|_| room >= gap + letters) {
        let since = format!("no picture for {}", duration(seconds));
        lines.push(plain(Text::fitted(&since, Style::Plain, letters, width), gap, PALE));
    }
    lines
}

/// How many lines of `letters` with `leading` between them fit into `room`.
fn fitting(room: i32, letters: i32, leading: i32) -> usize {
    usize::try_from((room + leading) / (letters + leading)).unwrap_or(0)
}

/// "NO LIVE PICTURE" in one line, or in two if that makes the letters larger.
fn headline(width: i32, height: i32) -> Vec<Text> {
    let one = Text::fitted("NO LIVE PICTURE", Style::Bold, height, width);
    if one.height() * 4 >= height * 3 {
        return vec![one];
    }
    ["NO LIVE", "PICTURE"].into_iter().map(|half| Text::fitted(half, Style::Bold, height, width)).collect()
}

/// One word for a person. A card never says "LIVE", which would be wrong: it is drawn until the
/// first picture is there.
fn state_word(state: State) -> &'static str {
    match state {
        State::Connecting => "CONNECTING",
        State::Live => "STARTING",
        State::Stalled => "STALLED",
        State::Offline => "OFFLINE",
        State::Denied => "ACCESS DENIED",
    }
}

/// For example `12 s`, `3 min`, `2 h 5 min` or `3 days`: the two largest relevant units.
fn duration(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, _) => format!("{hours} h {} min", minutes % 60),
        (1, _, _) => format!("1 day {} h", hours % 24),
        _ => format!("{days} days"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zune_jpeg::{
        JpegDecoder,
        zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions},
    };

    fn card(name: &str, state: State, why: &str, since_seconds: Option<u64>) -> Card {
        Card { id: CameraId::new("gate").unwrap(), name: name.into(), state, why: why.into(), since_seconds }
    }

    /// The size of a JPEG and its pixels as levels of grey.
    fn decoded(jpeg: &[u8]) -> ((usize, usize), Vec<u8>) {
        let grey = DecoderOptions::default().jpeg_set_out_colorspace(ColorSpace::Luma);
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(jpeg), grey);
        let pixels = decoder.decode().unwrap();
        (decoder.dimensions().unwrap(), pixels)
    }

    /// Number of pixels of each of 256 levels of grey.
    fn histogram(jpeg: &[u8]) -> [usize; 256] {
        let mut histogram = [0; 256];
        for level in decoded(jpeg).1 {
            histogram[usize::from(level)] += 1;
        }
        histogram
    }

    const WHY: &str = "192.168.1.21 refused GetStreamUri: not authorized; check username and password";

    #[test]
    fn card_has_exactly_the_size_asked_for() {
        for (width, height) in [(1280, 720), (640, 360), (160, 90), (641, 479), (405, 720), (3840, 2160), (1000, 90)] {
            let jpeg = draw(Size { width, height }, 80, &card("Gate", State::Offline, WHY, Some(75))).unwrap();
            assert_eq!(decoded(&jpeg).0, (width as usize, height as usize));
        }
    }

    #[test]
    fn sizes_nobody_can_read_or_pay_for_are_limited() {
        for (width, height, drawn) in [(0, 0, (160, 90)), (1, 5000, (160, 4096)), (u32::MAX, 1, (4096, 90))] {
            let jpeg = draw(Size { width, height }, 50, &card("Gate", State::Stalled, WHY, None)).unwrap();
            assert_eq!(decoded(&jpeg).0, drawn);
        }
    }

    #[test]
    fn card_without_colours_has_dark_light_and_stripes() {
        for size in [SMALLEST, DEFAULT_SIZE] {
            let jpeg = draw(size, 80, &card("Gate", State::Offline, WHY, Some(75))).unwrap();
            let histogram = histogram(&jpeg);
            let share = |levels: std::ops::Range<usize>| {
                let count: usize = histogram[levels].iter().sum();
                count * 100 / (size.width * size.height) as usize
            };
            assert!(share(0..40) > 25, "dark: {} %", share(0..40));
            assert!(share(60..110) > 5, "stripes: {} %", share(60..110));
            assert!(share(170..256) > 4, "light: {} %", share(170..256));
        }
    }

    #[test]
    fn each_state_has_a_card_of_its_own() {
        let states = [State::Connecting, State::Live, State::Stalled, State::Offline, State::Denied];
        for size in [SMALLEST, DEFAULT_SIZE] {
            let mut cards: Vec<Vec<u8>> =
                states.iter().map(|state| draw(size, 80, &card("Gate", *state, WHY, None)).unwrap()).collect();
            cards.sort();
            cards.dedup();
            assert_eq!(cards.len(), states.len());
        }
    }

    #[test]
    fn name_and_reason_are_on_the_card() {
        let draw = |name, why| draw(DEFAULT_SIZE, 80, &card(name, State::Offline, why, None)).unwrap();
        assert_ne!(draw("Gate", WHY), draw("Yard", WHY));
        assert_ne!(draw("Gate", WHY), draw("Gate", "no route to host"));
        assert_ne!(draw("大門", WHY), draw("gate", WHY), "the name is readable in Chinese");
        assert_eq!(draw("\u{10ffff}", WHY), draw("gate", WHY), "the id stands in for a name without letters");
    }

    #[test]
    fn password_in_a_reason_is_not_on_the_card() {
        let draw = |why| draw(DEFAULT_SIZE, 80, &card("Gate", State::Denied, why, None)).unwrap();
        assert_eq!(draw("rtsp://u:hunter2@h/ failed"), draw("rtsp://***@h/ failed"));
    }

    #[test]
    fn odd_texts_are_no_trouble() {
        let long = "x".repeat(100_000);
        for text in [
            "",
            " ",
            "\0\n\r\t\u{7f}",
            "\u{1f4f7}",
            "%n%s%%",
            "ÄÖÜ ßé – “quoted” … 3 °C",
            &long,
            "門".repeat(500).as_str(),
        ] {
            for size in [SMALLEST, DEFAULT_SIZE] {
                draw(size, 80, &card(text, State::Stalled, text, Some(u64::MAX))).unwrap();
            }
        }
    }

    #[test]
    fn duration_is_told_in_the_units_that_matter() {
        for (seconds, expected) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3599, "59 min"),
            (7500, "2 h 5 min"),
            (90_000, "1 day 1 h"),
            (172_800, "2 days"),
        ] {
            assert_eq!(duration(seconds), expected);
        }
    }
}

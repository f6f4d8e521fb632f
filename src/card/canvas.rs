//! An RGB image in memory: rectangles, stripes and letters.

use ab_glyph::OutlinedGlyph;

use crate::media::Size;

/// Red, green and blue.
pub(super) type Colour = [u8; 3];

/// A rectangle in pixels; parts outside the image are not drawn.
#[derive(Clone, Copy)]
pub(super) struct Area {
    pub(super) x: i32,
    pub(super) y: i32,
    pub(super) width: i32,
    pub(super) height: i32,
}

pub(super) struct Canvas {
    size: Size,
    /// Rows from top to bottom, three bytes a pixel.
    rgb: Vec<u8>,
}

impl Canvas {
    /// Diagonal stripes of `dark` and `light`, each pair `period` pixels apart along a row; `light`
    /// takes `share` (0 to 1) of it. Edges are smoothed.
    pub(super) fn hatched(size: Size, period: f32, share: f32, dark: Colour, light: Colour) -> Self {
        let mut rgb = Vec::with_capacity(size.width as usize * size.height as usize * 3);
        let period = period.max(2.0);
        // One diagonal, from which each row is a shifted part.
        let diagonal: Vec<Colour> = (0..size.width + size.height)
            .map(|at| {
                let phase = (at as f32 + 0.5).rem_euclid(period);
                // Coverage of the pixel by the light stripe, which reaches from 0 to `share`.
                let light_share = (share * period - phase + 0.5).clamp(0.0, 1.0).min((phase + 0.5).clamp(0.0, 1.0));
                mixed(dark, light, light_share)
            })
            .collect();
        for y in 0..size.height as usize {
            diagonal[y..y + size.width as usize].iter().for_each(|pixel| rgb.extend_from_slice(pixel));
        }
        Self { size, rgb }
    }

    pub(super) fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    /// The pixel at `(x, y)`; `None` outside the image.
    fn pixel(&mut self, x: i32, y: i32) -> Option<&mut [u8]> {
        let (x, y) = (u32::try_from(x).ok()?, u32::try_from(y).ok()?);
        let at = (y as usize * self.size.width as usize + x as usize) * 3;
        if x < self.size.width { self.rgb.get_mut(at..at + 3) } else { None }
    }

    pub(super) fn fill(&mut self, area: Area, colour: Colour) {
        let inside = |at: i32, length: u32| usize::try_from(at).unwrap_or(0).min(length as usize);
        let columns = inside(area.x, self.size.width)..inside(area.x + area.width, self.size.width);
        let rows = inside(area.y, self.size.height)..inside(area.y + area.height, self.size.height);
        for row in rows {
            let start = row * self.size.width as usize;
            let pixels = &mut self.rgb[(start + columns.start) * 3..(start + columns.end) * 3];
            pixels.chunks_exact_mut(3).for_each(|pixel| pixel.copy_from_slice(&colour));
        }
    }

    /// Draws the border of `area`, `stroke` pixels wide and within it.
    pub(super) fn frame(&mut self, area: Area, stroke: i32, colour: Colour) {
        let Area { x, y, width, height } = area;
        for side in [
            Area { height: stroke, ..area },
            Area { y: y + height - stroke, height: stroke, ..area },
            Area { width: stroke, ..area },
            Area { x: x + width - stroke, width: stroke, ..area },
        ] {
            self.fill(side, colour);
        }
    }

    /// Draws a glyph where its outline lies, with its strokes `thickening` pixels wider to the right.
    pub(super) fn glyph(&mut self, glyph: &OutlinedGlyph, thickening: usize, colour: Colour) {
        let bounds = glyph.px_bounds();
        let (left, top, width) = (whole(bounds.min.x), whole(bounds.min.y), whole(bounds.width()));
        let width = usize::try_from(width).unwrap_or(0) + thickening;
        let rows = usize::try_from(whole(bounds.height())).unwrap_or(0);
        let mut coverage = vec![0.0_f32; width * rows];
        glyph.draw(|x, y, share| {
            if let Some(place) = coverage.get_mut(y as usize * width + x as usize) {
                *place = share.min(1.0);
            }
        });
        for (row, y) in coverage.chunks_exact(width.max(1)).zip(top..) {
            for x in 0..width {
                let share = row[x.saturating_sub(thickening)..=x].iter().copied().fold(0.0, f32::max);
                let at = left.saturating_add(i32::try_from(x).unwrap_or(i32::MAX));
                if share > 0.0
                    && let Some(pixel) = self.pixel(at, y)
                {
                    let below = [pixel[0], pixel[1], pixel[2]];
                    pixel.copy_from_slice(&mixed(below, colour, share));
                }
            }
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "positions are a few thousand pixels")]
fn whole(position: f32) -> i32 {
    position as i32
}

/// `share` (0 to 1) of `above`, and the rest of `below`.
fn mixed(below: Colour, above: Colour, share: f32) -> Colour {
    let mix = |(below, above): (u8, u8)| f32::from(below) + (f32::from(above) - f32::from(below)) * share;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a mean of two bytes is a byte")]
    let channel = |index: usize| mix((below[index], above[index])).round() as u8;
    [channel(0), channel(1), channel(2)]
}

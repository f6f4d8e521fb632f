//! The moving picture: hills under an evening sky, a sun crossing it, a train on the plain, and in
//! large letters the camera's id and a clock.
//!
//! Hue, hills and the train's direction differ between cameras. The landscape is painted once; a
//! frame repaints only what moves, which keeps 1080p at 25 fps to a few milliseconds a frame even
//! in a build without optimisation.

use crate::{
    canvas::{Area, Canvas},
    colour::{Rgb, between, hsl},
    font,
    ptz::View,
};

/// Time in which the sun crosses the sky; the next constant is the train's on the plain.
const SUN_PERIOD_MS: u64 = 26_000;
const TRAIN_PERIOD_MS: u64 = 11_000;
const WAGONS: i32 = 5;
/// Lengths in units of a ninetieth of the picture's height.
const WAGON_LENGTH: i32 = 15;
const WAGON_HEIGHT: i32 = 6;
const WAGON_GAP: i32 = 1;
/// Height of the rails and of the plain's edge, as shares of the picture's height.
const RAILS: f32 = 0.91;
const PLAIN: f32 = 0.80;

pub struct Scene {
    canvas: Canvas,
    /// What the camera sees when it looks ahead, without its id.
    world: Canvas,
    /// What it sees now.
    landscape: Canvas,
    id: String,
    /// Where it looks.
    view: View,
    /// First row of the hills in each column: the sun is not drawn from there on down.
    skyline: Vec<i32>,
    /// The areas to restore before the next frame.
    dirty: Vec<Area>,
    unit: i32,
    sun: Rgb,
    wagon: Rgb,
    leftwards: bool,
    /// How far sun and train are ahead of those of other cameras.
    lead_ms: u64,
    /// Added to Unix time to get the time on the clock.
    clock_offset_ms: i64,
}

impl Scene {
    /// Paints the landscape. `hue` is in degrees; `utc_offset` in seconds sets the clock to local
    /// time.
    pub fn new(mut landscape: Canvas, id: &str, hue: f32, utc_offset: i64) -> Self {
        let (width, height) = (landscape.width, landscape.height);
        let seed = id.bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        let ridges: Vec<Vec<f32>> = (0..3).map(|n| ridge(width, n, seed)).collect();
        let colours: Vec<Rgb> =
            (0..3).map(|n| hsl(hue + 8.0 * n as f32, 0.38 - 0.04 * n as f32, 0.40 - 0.10 * n as f32)).collect();
        let (zenith, horizon) = (hsl(hue - 12.0, 0.60, 0.20), hsl(hue + 35.0, 0.70, 0.72));
        let plain = hsl(hue + 20.0, 0.30, 0.10);
        landscape.paint(|x, y| {
            let level = y as f32 / height as f32;
            if level >= PLAIN {
                return between(hsl(hue + 18.0, 0.30, 0.15), plain, (level - PLAIN) / (1.0 - PLAIN));
            }
            for (ridge, &colour) in ridges.iter().zip(&colours).rev() {
                if level >= ridge[x] {
                    // There is mist at the foot of each hill.
                    let mist = ((level - ridge[x]) / (PLAIN - ridge[x]).max(0.01)).clamp(0.0, 1.0);
                    return between(colour, horizon, 0.35 * mist);
                }
            }
            between(zenith, horizon, (level / 0.72).clamp(0.0, 1.0).powf(1.3))
        });
        let unit = (height as i32 / 90).max(2) & !1;
        let mut scene = Self {
            skyline: (0..width)
                .map(|x| (ridges.iter().map(|ridge| ridge[x]).fold(PLAIN, f32::min) * height as f32).ceil() as i32)
                .collect(),
            canvas: landscape.clone(),
            world: landscape.clone(),
            landscape,
            id: id.to_owned(),
            view: View::default(),
            dirty: Vec::new(),
            unit,
            sun: hsl(hue + 45.0, 0.95, 0.86),
            wagon: hsl(hue + 170.0, 0.62, 0.52),
            lead_ms: u64::from(seed % 97) * 271,
            leftwards: seed.is_multiple_of(2),
            clock_offset_ms: utc_offset * 1000,
        };
        scene.paint_stars(seed);
        scene.paint_rails();
        scene.world = scene.landscape.clone();
        scene.paint_id();
        scene.canvas = scene.landscape.clone();
        scene
    }

    /// Turns the camera: the landscape, which goes round in a circle, moves the other way. The sun and the train stay
    /// where they are in the picture.
    pub fn look(&mut self, view: View) {
        if view == self.view {
            return;
        }
        self.view = view;
        let [pan, tilt, zoom] = view;
        let (width, height) = (self.world.width as f32, self.world.height as f32);
        let scale = 1.0 / (1.0 + 3.0 * zoom);
        let column = |x: usize| {
            let from = (x as f32 - width / 2.0) * scale + width / 2.0 + pan * width / 2.0;
            from.rem_euclid(width) as usize % self.world.width
        };
        let row = |y: usize| {
            let from = (y as f32 - height / 2.0) * scale + height / 2.0 - tilt * height / 4.0;
            from.clamp(0.0, height - 1.0) as usize
        };
        let columns: Vec<_> = (0..self.world.width).map(column).collect();
        let rows: Vec<_> = (0..self.world.height).map(row).collect();
        self.landscape.copy_mapped(&self.world, &columns, &rows);
        self.paint_id();
        self.canvas = self.landscape.clone();
        self.dirty.clear();
    }

    fn paint_stars(&mut self, seed: u32) {
        let mut random = seed | 1;
        let mut next = |below: usize| {
            // Xorshift: any sequence will do.
            random ^= random << 13;
            random ^= random >> 17;
            random ^= random << 5;
            random as usize % below
        };
        let size = (self.unit / 4).max(1);
        for _ in 0..60 {
            let (x, y) = (next(self.landscape.width) as i32, next(self.landscape.height * 2 / 5) as i32);
            let luma = 120 + next(100) as u8;
            self.landscape.fill(Area { x, y, width: size, height: size }, [luma, luma, luma]);
        }
    }

    fn paint_rails(&mut self) {
        let (width, y) = (self.landscape.width as i32, self.rails());
        let thickness = (self.unit / 3).max(1);
        self.landscape.fill(Area { x: 0, y, width, height: thickness }, [150, 150, 158]);
        for x in (0..width).step_by(self.unit as usize * 3) {
            let sleeper = Area { x, y: y + thickness, width: self.unit, height: thickness };
            self.landscape.fill(sleeper, [84, 72, 66]);
        }
    }

    fn paint_id(&mut self) {
        let id = self.id.as_str();
        let room = (self.landscape.width as i32 - 10 * self.unit) / (id.len() * font::ADVANCE).max(1) as i32;
        let scale = (self.unit * 2).min(room).max(2) & !1;
        let shade = (scale / 3).max(1);
        let (x, y) = (5 * self.unit, 5 * self.unit);
        self.landscape.text(x + shade, y + shade, scale, [0; 3], id);
        self.landscape.text(x, y, scale, [255; 3], id);
    }

    fn rails(&self) -> i32 {
        (self.landscape.height as f32 * RAILS) as i32 & !1
    }

    /// Draws the picture of this moment and returns it, without a stamp.
    pub fn draw(&mut self, unix_ms: u64) -> &mut Canvas {
        for area in self.dirty.drain(..) {
            self.canvas.restore(area, &self.landscape);
        }
        self.draw_sun(unix_ms);
        self.draw_train(unix_ms);
        self.draw_clock(unix_ms);
        &mut self.canvas
    }

    fn draw_sun(&mut self, unix_ms: u64) {
        let (width, height) = (self.canvas.width as f32, self.canvas.height as f32);
        let share = ((unix_ms + self.lead_ms) % SUN_PERIOD_MS) as f32 / SUN_PERIOD_MS as f32;
        let radius = height / 13.0;
        let x = -radius + share * (width + 2.0 * radius);
        let y = height * (0.70 - 0.56 * (share * std::f32::consts::PI).sin());
        let (top, bottom) = ((y - radius) as i32, (y + radius) as i32 + 1);
        for row in top..bottom {
            let off = row as f32 + 0.5 - y;
            let half = (radius * radius - off * off).max(0.0).sqrt();
            let (mut left, right) = ((x - half).max(0.0) as i32, ((x + half) as i32).min(width as i32));
            // Draws only the part above the hills, in one span per peak.
            while left < right {
                let end = (left..right).find(|&x| row >= self.skyline[x as usize]).unwrap_or(right);
                self.canvas.fill(Area { x: left, y: row, width: end - left, height: 1 }, self.sun);
                left = (end..right).find(|&x| row < self.skyline[x as usize]).unwrap_or(right);
            }
        }
        let side = 2 * radius as i32 + 4;
        self.dirty.push(Area { x: (x - radius) as i32 - 1, y: top - 1, width: side, height: side });
    }

    fn draw_train(&mut self, unix_ms: u64) {
        let (unit, width) = (self.unit, self.canvas.width as i32);
        let length = WAGONS * (WAGON_LENGTH + WAGON_GAP) * unit;
        let share = ((unix_ms + self.lead_ms) % TRAIN_PERIOD_MS) as f32 / TRAIN_PERIOD_MS as f32;
        let travelled = ((width + length) as f32 * share) as i32;
        let head = if self.leftwards { width - travelled } else { travelled - length } & !1;
        let roof = self.rails() - (WAGON_HEIGHT + 1) * unit;
        for n in 0..WAGONS {
            let x = head + n * (WAGON_LENGTH + WAGON_GAP) * unit;
            let engine = n == if self.leftwards { 0 } else { WAGONS - 1 };
            self.draw_wagon(x, roof, engine);
        }
        self.dirty.push(Area { x: head - 2, y: roof, width: length + 4, height: (WAGON_HEIGHT + 1) * unit + 2 });
    }

    fn draw_wagon(&mut self, x: i32, roof: i32, engine: bool) {
        let unit = self.unit;
        let at = |dx: i32, dy: i32, width: i32, height: i32| Area {
            x: x + dx * unit / 2,
            y: roof + dy * unit / 2,
            width: width * unit / 2,
            height: height * unit / 2,
        };
        let body = if engine { between(self.wagon, [255; 3], 0.35) } else { self.wagon };
        let (length, height) = (2 * WAGON_LENGTH, 2 * WAGON_HEIGHT);
        self.canvas.fill(at(1, 0, length - 2, 1), body);
        self.canvas.fill(at(0, 1, length, height - 1), body);
        self.canvas.fill(at(0, height - 3, length, 2), between(self.wagon, [0; 3], 0.45));
        for n in 0..5 {
            self.canvas.fill(at(1 + 6 * n, 3, 4, 4), if engine && n == 2 { body } else { [255, 236, 170] });
        }
        for dx in [3, length - 7] {
            self.canvas.fill(at(dx, height, 4, 2), [96, 98, 108]);
        }
    }

    fn draw_clock(&mut self, unix_ms: u64) {
        let ms = (unix_ms as i64 + self.clock_offset_ms).rem_euclid(86_400_000);
        let (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
        let text = format!("{hours:02}:{minutes:02}:{seconds:02}.{:03}", ms % 1000);
        let (x, y, scale) = (5 * self.unit, 22 * self.unit, self.unit);
        let shade = (scale / 3).max(1);
        self.canvas.text(x + shade, y + shade, scale, [0; 3], &text);
        self.canvas.text(x, y, scale, [255; 3], &text);
        let (width, height) = ((text.len() * font::ADVANCE) as i32, font::HEIGHT as i32);
        self.dirty.push(Area { x, y, width: width * scale + shade, height: height * scale + shade });
    }
}

/// The outline of the `n`th range of hills, from the back, as a share of the height for each
/// column.
fn ridge(width: usize, n: usize, seed: u32) -> Vec<f32> {
    let phase = (seed % 1000) as f32 * 0.37 + n as f32 * 2.1;
    let (base, swing) = (0.56 + 0.085 * n as f32, 0.10 - 0.022 * n as f32);
    (0..width)
        .map(|x| {
            let t = x as f32 / width as f32 * std::f32::consts::TAU;
            let waves = (t * (0.8 + 0.3 * n as f32) + phase).sin() * 0.55
                + (t * (2.3 + n as f32) + phase * 1.7).sin() * 0.28
                + (t * (6.1 + 1.3 * n as f32) + phase * 2.9).sin() * 0.12
                + (t * 17.0 + phase * 4.3).sin() * 0.05;
            base - swing * waves
        })
        .collect()
}

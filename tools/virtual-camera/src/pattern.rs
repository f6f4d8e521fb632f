//! The pictures of a camera: [`Pattern::Bars`] to measure colours, [`Pattern::Moving`] to watch.

use stamp::Stamp;

use crate::{
    canvas::{Area, Canvas},
    colour::Rgb,
    ptz::{self, View},
    scene::Scene,
};

/// The eight bars from left to right in red, green and blue: 75 % of full level, so 191 of 255.
pub const BARS: [Rgb; 8] =
    [[191, 191, 191], [191, 191, 0], [0, 191, 191], [0, 191, 0], [191, 0, 191], [191, 0, 0], [0, 0, 191], [0, 0, 0]];

pub enum Pattern {
    Bars(Canvas),
    Moving(Box<Scene>),
}

impl Pattern {
    /// Eight vertical bars, each an eighth of the width; only the stamp covers them.
    pub fn bars(mut canvas: Canvas) -> Self {
        let width = canvas.width;
        for (n, colour) in BARS.into_iter().enumerate() {
            let (left, right) = (n * width / BARS.len(), (n + 1) * width / BARS.len());
            let area = Area { x: left as i32, width: (right - left) as i32, ..canvas.whole() };
            canvas.fill(area, colour);
        }
        Self::Bars(canvas)
    }

    /// Draws the frame of `stamp` and returns its planes. `view`: where a camera looks that can be turned.
    pub fn frame(&mut self, stamp: Stamp, view: Option<View>) -> &[u8] {
        let canvas = match self {
            Self::Bars(canvas) => canvas,
            Self::Moving(scene) => {
                scene.look(view.unwrap_or_default());
                scene.draw(stamp.unix_ms)
            }
        };
        canvas.stamp(stamp);
        if let Some(view) = view {
            canvas.stamp_position(ptz::position(view));
        }
        canvas.data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::colour::{Coding, Matrix, Range};

    #[test]
    fn bars_fill_the_picture_and_carry_a_readable_stamp() {
        let coding = Coding { range: Range::Limited, matrix: Matrix::Bt601 };
        let mut pattern = Pattern::bars(Canvas::new(640, 360, coding));
        let stamp = Stamp { frame: 7, unix_ms: 1_700_000_000_123 };
        let data = pattern.frame(stamp, None);
        for (n, colour) in BARS.into_iter().enumerate() {
            let [luma, cb, cr] = coding.yuv(colour);
            for y in [0, 180, 343] {
                for x in [n * 80, n * 80 + 79] {
                    assert_eq!(data[y * 640 + x], luma);
                    let chroma = y / 2 * 320 + x / 2;
                    assert_eq!((data[640 * 360 + chroma], data[640 * 450 + chroma]), (cb, cr));
                }
            }
        }
        let pixels = stamp::Pixels { data, width: 640, height: 360, stride: 640, step: 1 };
        assert_eq!(stamp::read(&pixels), Ok(stamp));
    }

    #[test]
    fn moving_picture_changes_with_time_and_not_without() {
        let coding = Coding { range: Range::Full, matrix: Matrix::Bt709 };
        let scene = Scene::new(Canvas::new(320, 180, coding), "gate-2", 200.0, 0);
        let mut pattern = Pattern::Moving(Box::new(scene));
        let stamp = |unix_ms| Stamp { frame: 1, unix_ms };
        let first = pattern.frame(stamp(1_700_000_000_000), None).to_vec();
        let second = pattern.frame(stamp(1_700_000_001_000), None).to_vec();
        assert_ne!(first, second);
        assert_eq!(first, pattern.frame(stamp(1_700_000_000_000), None), "old places must be wiped without a trace");
        let pixels = stamp::Pixels { data: &second, width: 320, height: 180, stride: 320, step: 1 };
        assert_eq!(stamp::read(&pixels), Ok(stamp(1_700_000_001_000)));
    }

    #[test]
    fn scene_moves_with_the_camera_and_comes_back_with_it() {
        let coding = Coding { range: Range::Full, matrix: Matrix::Bt709 };
        let scene = Scene::new(Canvas::new(320, 180, coding), "gate-2", 200.0, 0);
        let mut pattern = Pattern::Moving(Box::new(scene));
        let stamp = Stamp { frame: 1, unix_ms: 1_700_000_000_000 };
        let ahead = pattern.frame(stamp, Some([0.0; 3])).to_vec();
        for view in [[0.5, 0.0, 0.0], [-0.5, 0.0, 0.0], [0.0, 0.5, 0.0], [0.0, -0.5, 0.0], [0.0, 0.0, 0.5]] {
            let aside = pattern.frame(stamp, Some(view)).to_vec();
            let changed = (0..320 * 100).filter(|&pixel| aside[pixel] != ahead[pixel]).count();
            assert!(changed > 320 * 3, "{view:?}: {changed} pixels");
            let pixels = stamp::Pixels { data: &aside, width: 320, height: 180, stride: 320, step: 1 };
            assert_eq!(stamp::read_position(&pixels), Ok(ptz::position(view)));
        }
        assert_eq!(pattern.frame(stamp, Some([0.0; 3])), ahead);
    }
}

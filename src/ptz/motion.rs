//! How a camera moves.

/// Speeds from -1 to 1: right, up, and towards the scene.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Motion {
    pub pan: f32,
    pub tilt: f32,
    pub zoom: f32,
}

impl Motion {
    /// Returns `None` unless each speed is from -1 to 1.
    pub fn new(pan: f32, tilt: f32, zoom: f32) -> Option<Self> {
        let is_valid = |speed: &f32| (-1.0..=1.0).contains(speed);
        [pan, tilt, zoom].iter().all(is_valid).then_some(Self { pan, tilt, zoom })
    }

    pub fn is_still(self) -> bool {
        self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_have_limits() {
        assert!(Motion::new(1.0, -1.0, 0.0).is_some());
        for wrong in [1.1, -1.1, f32::NAN, f32::INFINITY] {
            assert_eq!(Motion::new(wrong, 0.0, 0.0), None);
            assert_eq!(Motion::new(0.0, 0.0, wrong), None);
        }
        assert!(Motion::default().is_still() && !Motion::new(0.0, 0.0, 0.1).unwrap().is_still());
    }
}

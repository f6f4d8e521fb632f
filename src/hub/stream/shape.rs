//! The shape in which a stream is shown: what the stream says of itself, and what the configuration
//! makes of it.

use std::sync::Arc;

use super::{Inner, Stream, main_shape::MainShape};
use crate::{
    camera::picture_options::{Aspect, Mirror, PictureOptions},
    media::{SampleAspect, Size, StreamInfo, transform::Transform},
};

/// Shapes that differ by less than this, in percent, are taken for the same: cameras round sides to
/// whole blocks.
const SAME_SHAPE: u64 = 1;

impl Stream {
    /// Records that the stream was opened, or changed its size, shape, codec or codec
    /// configuration. `declared` is what the stream itself says.
    pub fn set_stream_info(&self, declared: StreamInfo) {
        let mut inner = self.inner();
        let kind = |info: StreamInfo| (info.codec, info.codec_config, info.size, info.sample_aspect);
        if inner.declared.is_some_and(|old| kind(old) != kind(declared)) {
            inner.withdraw();
            inner.look_back.clear();
            inner.sequence.mark_change();
        }
        inner.declared = Some(declared);
        inner.info = inner.shown_info();
        inner.subscribers.notify();
        inner.notify_camera();
        self.refresh_demand(&mut inner);
        let small = inner.small.upgrade();
        drop(inner);
        if let Some(small) = small {
            small.set_main_shape(MainShape::Declared(whole_shape(declared)));
        }
    }

    /// What the stream says of itself, whatever the configuration makes of it.
    pub fn declared_info(&self) -> Option<StreamInfo> {
        self.inner().declared
    }

    /// What the configuration makes of the picture.
    pub fn transform(&self) -> Transform {
        transform(&self.inner().options.picture)
    }

    /// Records the size of the main stream that the camera's list of profiles gives, for the time until
    /// that stream is opened. This is the small stream.
    pub fn expect_main_size(&self, size: Size) {
        if !matches!(self.inner().main_shape, MainShape::Declared(_)) {
            self.set_main_shape(MainShape::Listed(size));
        }
    }

    /// From now on `small`, the other stream of the camera, is shown in the shape of this one.
    pub(in crate::hub) fn lead(&self, small: &Arc<Stream>) {
        let mut inner = self.inner();
        inner.small = Arc::downgrade(small);
        let declared = inner.declared;
        drop(inner);
        if let Some(declared) = declared {
            small.set_main_shape(MainShape::Declared(whole_shape(declared)));
        }
    }

    fn set_main_shape(&self, main_shape: MainShape) {
        let mut inner = self.inner();
        inner.main_shape = main_shape;
        self.reshape(&mut inner);
    }

    /// Applies a change of the options, or of the main stream's shape, to the pictures that follow. Units
    /// are the same as before, so their viewers go on.
    pub(super) fn reshape(&self, inner: &mut Inner) {
        let shown = inner.shown_info();
        if inner.info != shown {
            inner.info = shown;
            inner.subscribers.notify();
            inner.notify_camera();
            self.refresh_demand(inner);
        }
    }
}

impl Inner {
    fn shown_info(&self) -> Option<StreamInfo> {
        self.declared.map(|declared| shown(declared, &self.options.picture, self.main_shape))
    }
}

/// The size of the whole picture on square pixels.
fn whole_shape(declared: StreamInfo) -> Size {
    declared.size.displayed(declared.sample_aspect)
}

fn shown(declared: StreamInfo, options: &PictureOptions, main_shape: MainShape) -> StreamInfo {
    let shape = match (options.aspect, main_shape) {
        (Aspect::Ratio(width, height), _) => Some(Size { width: width.into(), height: height.into() }),
        (Aspect::Main, MainShape::Declared(shape)) => Some(shape),
        // A stream that says that its samples are not square knows better.
        (Aspect::Main, MainShape::Listed(size)) if declared.sample_aspect == SampleAspect::SQUARE => Some(size),
        (Aspect::Main | Aspect::Stream, _) => None,
    };
    let shape = shape.filter(|shape| !is_same_shape(*shape, whole_shape(declared)));
    let sample_aspect = shape.map_or(declared.sample_aspect, |shape| SampleAspect::that_gives(declared.size, shape));
    StreamInfo { sample_aspect, transform: transform(options), ..declared }
}

fn is_same_shape(one: Size, other: Size) -> bool {
    let (one, other) = (u64::from(one.width) * u64::from(other.height), u64::from(other.width) * u64::from(one.height));
    one.abs_diff(other) * 100 <= one.max(other) * SAME_SHAPE
}

fn transform(options: &PictureOptions) -> Transform {
    // Top and bottom change places where left and right do and the picture is turned upside down.
    let (mirrored, turns) = match options.mirror {
        Mirror::None => (false, 0),
        Mirror::Horizontal => (true, 0),
        Mirror::Vertical => (true, 2),
    };
    Transform { crop: options.crop.into(), mirrored, quarter_turns: (options.quarter_turns + turns) % 4 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Codec;

    fn stream(size: (u32, u32), aspect: (u16, u16)) -> StreamInfo {
        StreamInfo {
            codec: Codec::H264,
            codec_config: None,
            size: Size { width: size.0, height: size.1 },
            sample_aspect: SampleAspect::new(aspect.0, aspect.1),
            transform: Transform::NONE,
            fps: 25.0,
        }
    }

    fn size(info: StreamInfo) -> (u32, u32) {
        let Size { width, height } = info.display_size();
        (width, height)
    }

    #[test]
    fn configured_aspect_replaces_what_the_stream_says() {
        let wide = PictureOptions { aspect: Aspect::Ratio(16, 9), ..PictureOptions::default() };
        for (declared, shown_as) in [
            (stream((704, 576), (1, 1)), (1024, 576)),
            (stream((352, 288), (12, 11)), (512, 288)),
            (stream((704, 480), (10, 11)), (854, 480)),
            (stream((640, 480), (1, 1)), (854, 480)),
            (stream((1920, 1080), (1, 1)), (1920, 1080)),
            // Rounded by the camera to whole blocks.
            (stream((640, 352), (1, 1)), (640, 360)),
            (stream((1920, 1088), (1, 1)), (1920, 1088)),
        ] {
            assert_eq!(size(shown(declared, &wide, MainShape::Unknown)), shown_as, "{:?}", declared.size);
        }
    }

    #[test]
    fn small_stream_has_the_shape_of_the_main_one() {
        let full_hd = Size { width: 1920, height: 1080 };
        let (cif, declared) = (stream((352, 288), (1, 1)), stream((352, 288), (12, 11)));
        let of_main = PictureOptions::default();
        assert_eq!(size(shown(cif, &of_main, MainShape::Unknown)), (352, 288));
        assert_eq!(size(shown(cif, &of_main, MainShape::Listed(full_hd))), (512, 288));
        assert_eq!(size(shown(cif, &of_main, MainShape::Declared(full_hd))), (512, 288));
        assert_eq!(size(shown(declared, &of_main, MainShape::Listed(full_hd))), (384, 288));
        assert_eq!(size(shown(declared, &of_main, MainShape::Declared(full_hd))), (512, 288));
        let own = PictureOptions { aspect: Aspect::Stream, ..PictureOptions::default() };
        assert_eq!(size(shown(cif, &own, MainShape::Declared(full_hd))), (352, 288));
        let nearly = stream((636, 360), (1, 1));
        assert_eq!(shown(nearly, &of_main, MainShape::Declared(full_hd)), nearly, "less than 1 % is nothing");
    }

    #[test]
    fn crop_and_turn_give_the_shown_size() {
        let options = PictureOptions {
            aspect: Aspect::Ratio(16, 9),
            crop: [250, 0, 250, 500],
            mirror: Mirror::None,
            quarter_turns: 1,
        };
        assert_eq!(size(shown(stream((704, 576), (1, 1)), &options, MainShape::Unknown)), (288, 512));
    }

    #[test]
    fn vertical_mirror_is_a_horizontal_one_upside_down() {
        let turned = |mirror, quarter_turns| {
            let transform = transform(&PictureOptions { mirror, quarter_turns, ..PictureOptions::default() });
            (transform.mirrored, transform.quarter_turns)
        };
        assert_eq!(turned(Mirror::Vertical, 0), (true, 2));
        assert_eq!(turned(Mirror::Vertical, 3), (true, 1));
        assert_eq!(turned(Mirror::Horizontal, 3), (true, 3));
        assert_eq!(turned(Mirror::None, 2), (false, 2));
    }
}

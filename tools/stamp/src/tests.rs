use super::*;

const STAMP: Stamp = Stamp { frame: 0x8001_F00D, unix_ms: 1_795_368_761_234 };

fn written(width: usize, height: usize, black: u8, white: u8) -> Vec<u8> {
    let mut luma = vec![128; width * height];
    write(&mut luma, width, height, width, black, white, STAMP);
    luma
}

fn luma(data: &[u8], width: usize, height: usize) -> Pixels<'_> {
    Pixels { data, width, height, stride: width, step: 1 }
}

#[test]
fn crc_of_the_published_check_string_is_the_published_one() {
    assert_eq!(crc16(b"123456789".iter()), 0x29B1);
}

#[test]
fn stamp_written_is_read_back_at_every_usual_size() {
    for (width, height) in [(1920, 1080), (1280, 720), (640, 360), (424, 240), (320, 180), (160, 96), (704, 576)] {
        let picture = written(width, height, 16, 235);
        assert_eq!(read(&luma(&picture, width, height)), Ok(STAMP), "{width}x{height}");
    }
}

#[test]
fn stamp_survives_box_scaling_to_320x180() {
    for (width, height) in [(1920, 1080), (1280, 720), (640, 360)] {
        let (picture, factor) = (written(width, height, 16, 235), width / 320);
        let small: Vec<u8> = (0..320 * 180)
            .map(|n| {
                let (x, y) = (n % 320 * factor, n / 320 * factor);
                let block = (0..factor).flat_map(|dy| (0..factor).map(move |dx| (dx, dy)));
                let sum: usize = block.map(|(dx, dy)| usize::from(picture[(y + dy) * width + x + dx])).sum();
                (sum / (factor * factor)) as u8
            })
            .collect();
        assert_eq!(read(&luma(&small, 320, 180)), Ok(STAMP));
    }
}

#[test]
fn stamp_is_read_from_rgb_with_padding_and_little_contrast() {
    let grey = written(640, 360, 60, 190);
    let stride = 640 * 3 + 5;
    let mut rgb = vec![7; stride * 360];
    for (n, &level) in grey.iter().enumerate() {
        let at = n / 640 * stride + n % 640 * 3;
        rgb[at..at + 3].copy_from_slice(&[0, level, 255]);
    }
    assert_eq!(read(&Pixels { data: &rgb, width: 640, height: 360, stride, step: 3 }), Ok(STAMP));
}

#[test]
fn missing_stamp_and_damaged_stamp_are_different_errors() {
    assert_eq!(read(&luma(&[128; 320 * 180], 320, 180)), Err(Unreadable::NoStamp));
    let mut picture = written(320, 180, 16, 235);
    for row in 43 * 4..44 * 4 {
        // One data cell is inverted.
        for x in 80..84 {
            picture[row * 320 + x] = 251 - picture[row * 320 + x];
        }
    }
    assert_eq!(read(&luma(&picture, 320, 180)), Err(Unreadable::Damaged));
    assert_eq!(read(&luma(&picture, 320, 181)), Err(Unreadable::TooSmall));
}

#[test]
fn area_holds_every_cell_and_nothing_else() {
    let picture = written(1280, 720, 0, 255);
    let (left, top, width, height) = area(1280, 720);
    for (n, &level) in picture.iter().enumerate() {
        let inside = (left..left + width).contains(&(n % 1280)) && (top..top + height).contains(&(n / 1280));
        assert_eq!(level != 128, inside);
    }
}

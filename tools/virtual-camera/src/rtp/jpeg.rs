//! JPEG in RTP (RFC 2435): the head of the file becomes a short header, its tables go along with
//! the first packet.

/// The quantisation tables are in the packets themselves.
const TABLES_INSIDE: u8 = 255;
/// Added to the type if there are restart markers.
const RESTARTS: u8 = 64;
const MAIN_HEADER: usize = 8;

/// The parts of a baseline JPEG file that RTP needs.
#[derive(Debug, PartialEq)]
pub struct Picture<'a> {
    width: u16,
    height: u16,
    /// 0: 4:2:2, 1: 4:2:0.
    kind: u8,
    /// Blocks between two restart markers; 0: there are none.
    restart_interval: u16,
    /// Luma and chroma, 64 bytes each.
    tables: [&'a [u8]; 2],
    scan: &'a [u8],
}

impl<'a> Picture<'a> {
    /// Reads a baseline JPEG file with 8-bit tables, sampled 4:2:0 or 4:2:2; `None` for any other.
    pub fn read(file: &'a [u8]) -> Option<Self> {
        let mut rest = file.strip_prefix(&[0xff, 0xd8])?;
        let mut tables: [&[u8]; 4] = [&[]; 4];
        let (mut frame, mut restart_interval) = (None, 0);
        loop {
            let [0xff, marker, high, low, ..] = *rest else { return None };
            let length = usize::from(u16::from_be_bytes([high, low]));
            let segment = rest.get(4..2 + length)?;
            rest = rest.get(2 + length..)?;
            match marker {
                0xdb => {
                    for table in segment.chunks(65) {
                        // The upper half is the precision: 0 is 8 bits.
                        *tables.get_mut(usize::from(*table.first()?))? = table.get(1..65)?;
                    }
                }
                0xc0 => frame = Some(segment),
                0xdd => restart_interval = u16::from_be_bytes([*segment.first()?, *segment.get(1)?]),
                0xda => break,
                _ => {}
            }
        }
        let &[8, h1, h0, w1, w0, 3, _, sampling, luma, _, 0x11, chroma, _, 0x11, _] = frame? else { return None };
        let kind = match sampling {
            0x21 => 0,
            0x22 => 1,
            _ => return None,
        };
        let table = |number: u8| tables.get(usize::from(number)).copied().filter(|table| table.len() == 64);
        Some(Self {
            width: u16::from_be_bytes([w1, w0]),
            height: u16::from_be_bytes([h1, h0]),
            kind,
            restart_interval,
            tables: [table(luma)?, table(chroma)?],
            scan: rest,
        })
    }

    /// Keeps the first half of the picture data.
    pub fn cut(&mut self) {
        self.scan = &self.scan[..self.scan.len() / 2];
    }

    /// The payloads of this picture, of `limit` bytes at most.
    pub fn payloads(&self, limit: usize) -> Vec<Vec<u8>> {
        let mut payloads = Vec::new();
        let mut offset = 0;
        while offset < self.scan.len() {
            let mut payload = self.header(offset);
            let end = self.scan.len().min(offset + limit - payload.len());
            payload.extend_from_slice(&self.scan[offset..end]);
            offset = end;
            payloads.push(payload);
        }
        payloads
    }

    fn header(&self, offset: usize) -> Vec<u8> {
        let restarts = if self.restart_interval > 0 { RESTARTS } else { 0 };
        let mut header = Vec::with_capacity(MAIN_HEADER);
        header.extend((offset as u32 & 0x00ff_ffff).to_be_bytes());
        // Sizes are in blocks of 8 pixels. A larger one has lost its upper bits, as on cameras.
        let blocks = |side: u16| (side.div_ceil(8) & 0xff) as u8;
        header.extend([self.kind | restarts, TABLES_INSIDE, blocks(self.width), blocks(self.height)]);
        if self.restart_interval > 0 {
            header.extend(self.restart_interval.to_be_bytes());
            header.extend([0xff, 0xff]);
        }
        if offset == 0 {
            header.extend([0, 0, 0, 128]);
            self.tables.iter().for_each(|table| header.extend_from_slice(table));
        }
        header
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(sampling: u8, scan: &[u8]) -> Vec<u8> {
        let mut file = vec![0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2];
        for (number, value) in [(0, 3), (1, 5)] {
            file.extend([0xff, 0xdb, 0, 67, number]);
            file.extend([value; 64]);
        }
        file.extend([0xff, 0xc0, 0, 17, 8, 0, 96, 0, 160, 3, 1, sampling, 0, 2, 0x11, 1, 3, 0x11, 1]);
        file.extend([0xff, 0xda, 0, 12, 3, 1, 0, 2, 0x11, 3, 0x11, 0, 63, 0]);
        file.extend(scan);
        file
    }

    #[test]
    fn first_packet_has_the_tables_and_all_have_size_and_offset() {
        let scan: Vec<u8> = (0..=255).cycle().take(700).collect();
        let file = file(0x22, &scan);
        let payloads = Picture::read(&file).unwrap().payloads(400);
        assert_eq!(payloads[0][..12], [0, 0, 0, 0, 1, 255, 20, 12, 0, 0, 0, 128]);
        assert_eq!((&payloads[0][12..76], &payloads[0][76..140]), (&[3; 64][..], &[5; 64][..]));
        assert_eq!(payloads[1][..8], [0, 0, 1, 4, 1, 255, 20, 12]);
        let joined: Vec<u8> = [&payloads[0][140..], &payloads[1][8..], &payloads[2][8..]].concat();
        assert!(payloads.len() == 3 && joined == scan);
    }

    #[test]
    fn restart_interval_and_sampling_are_told() {
        let mut file = file(0x21, &[7; 10]);
        file.splice(2..2, [0xff, 0xdd, 0, 4, 0, 9]);
        let payloads = Picture::read(&file).unwrap().payloads(400);
        assert_eq!(payloads[0][4..12], [64, 255, 20, 12, 0, 9, 0xff, 0xff]);
    }

    #[test]
    fn files_that_rtp_cannot_carry_are_refused() {
        assert_eq!(Picture::read(&file(0x11, &[1])), None);
        assert_eq!(Picture::read(b"\xff\xd8\xff\xdb"), None);
        assert_eq!(Picture::read(b"GIF89a"), None);
        let whole = file(0x22, &[7; 100]);
        let mut cut = Picture::read(&whole).unwrap();
        cut.cut();
        assert_eq!(cut.payloads(400)[0].len(), 140 + 50);
    }
}

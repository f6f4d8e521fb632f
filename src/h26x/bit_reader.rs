//! Reads the bits of an RBSP (raw byte sequence payload): fixed-length fields and Exp-Golomb codes
//! (H.264 9.1, H.265 9.2).
//!
//! Each read takes the name of the field as the standard's syntax table writes it. The name documents
//! the call. The tests compare the name and length of every field read with the fields written.
//!
//! A read past the end returns `None`. No input makes a read panic.

/// Removes the emulation prevention bytes of a NAL unit: `00 00 03` becomes `00 00` (H.264 7.3.1,
/// H.265 7.3.1.1).
pub fn unescape(nal: &[u8]) -> Vec<u8> {
    let mut rbsp = Vec::with_capacity(nal.len());
    let mut zeros = 0;
    for &byte in nal {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        rbsp.push(byte);
    }
    rbsp
}

/// A position in a bit string, most significant bit first.
pub struct BitReader<'a> {
    bytes: &'a [u8],
    /// Bits read so far.
    position: usize,
    /// Name and length of every field read.
    #[cfg(test)]
    pub fields: Vec<(&'static str, usize)>,
}

impl<'a> BitReader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            position: 0,
            #[cfg(test)]
            fields: Vec::new(),
        }
    }

    /// `u(1)`.
    pub fn read_flag(&mut self, name: &'static str) -> Option<bool> {
        self.read_bits(1, name).map(|bit| bit == 1)
    }

    /// `u(n)`: an unsigned field of `count` bits, at most 32.
    pub fn read_bits(&mut self, count: usize, name: &'static str) -> Option<u32> {
        let start = self.position;
        let value = self.bits(count)?;
        self.record(name, start);
        Some(value)
    }

    /// Skips a field of `count` bits.
    pub fn skip_bits(&mut self, count: usize, name: &'static str) -> Option<()> {
        let start = self.position;
        let end = start.checked_add(count).filter(|&end| end <= self.bytes.len() * 8)?;
        self.position = end;
        self.record(name, start);
        Some(())
    }

    /// `ue(v)`: an unsigned Exp-Golomb code of at most 32 bits of value.
    pub fn read_ue(&mut self, name: &'static str) -> Option<u32> {
        let start = self.position;
        let value = self.exp_golomb()?;
        self.record(name, start);
        Some(value)
    }

    /// `ue(v)` that the standard limits to `max`. `None` above: whatever follows cannot be trusted.
    pub fn read_ue_up_to(&mut self, max: u32, name: &'static str) -> Option<u32> {
        self.read_ue(name).filter(|&value| value <= max)
    }

    /// `se(v)`: a signed Exp-Golomb code.
    pub fn read_se(&mut self, name: &'static str) -> Option<i64> {
        let code = i64::from(self.read_ue(name)?);
        Some(if code % 2 == 1 { (code + 1) / 2 } else { -(code / 2) })
    }

    /// The next `N` bytes, which stay unread; `None` between two bytes.
    pub fn peek_bytes<const N: usize>(&self) -> Option<[u8; N]> {
        let rest = self.bytes.get(self.position / 8..).filter(|_| self.position.is_multiple_of(8))?;
        rest.first_chunk().copied()
    }

    fn bits(&mut self, count: usize) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.bytes.get(self.position / 8)?;
            value = value << 1 | u32::from(byte >> (7 - self.position % 8) & 1);
            self.position += 1;
        }
        Some(value)
    }

    fn exp_golomb(&mut self) -> Option<u32> {
        let mut leading_zero_bits = 0;
        while self.bits(1)? == 0 {
            leading_zero_bits += 1;
            if leading_zero_bits > 31 {
                return None;
            }
        }
        Some((1 << leading_zero_bits) - 1 + self.bits(leading_zero_bits)?)
    }

    #[cfg(test)]
    fn record(&mut self, name: &'static str, start: usize) {
        self.fields.push((name, self.position - start));
    }

    #[cfg(not(test))]
    fn record(&mut self, _name: &'static str, _start: usize) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_golomb_codes_have_the_values_of_table_9_1() {
        // 1 | 010 | 011 | 00100 | 00101, H.264 table 9-1: 0 1 2 3 4.
        const CODES: &[u8] = &[0b1010_0110, 0b0100_0010, 0b1000_0000];
        let mut reader = BitReader::new(CODES);
        let values: Vec<_> = (0..5).map(|_| reader.read_ue("ue").unwrap()).collect();
        assert_eq!(values, [0, 1, 2, 3, 4]);
        let mut reader = BitReader::new(CODES);
        let values: Vec<_> = (0..5).map(|_| reader.read_se("se").unwrap()).collect();
        assert_eq!(values, [0, 1, -1, 2, -2]);
    }

    #[test]
    fn longest_exp_golomb_code_has_31_leading_zeros() {
        let code = [0, 0, 0, 1, 0xff, 0xff, 0xff, 0xfe];
        assert_eq!(BitReader::new(&code).read_ue("ue"), Some(u32::MAX - 1));
        assert_eq!(BitReader::new(&[0; 16]).read_ue("ue"), None);
    }

    #[test]
    fn read_past_the_end_is_none() {
        let mut reader = BitReader::new(&[0xff]);
        assert_eq!(reader.read_bits(8, "byte"), Some(255));
        assert_eq!((reader.read_flag("flag"), reader.read_bits(1, "bit"), reader.read_ue("ue")), (None, None, None));
        assert_eq!(BitReader::new(&[0]).skip_bits(9, "bits"), None);
        assert_eq!(BitReader::new(&[0]).skip_bits(usize::MAX, "bits"), None);
    }

    #[test]
    fn peek_reads_whole_bytes_only() {
        let mut reader = BitReader::new(&[1, 2, 3]);
        assert_eq!((reader.peek_bytes(), reader.peek_bytes()), (Some([1, 2, 3]), None::<[u8; 4]>));
        reader.skip_bits(4, "half").unwrap();
        assert_eq!(reader.peek_bytes::<1>(), None);
        reader.skip_bits(4, "half").unwrap();
        assert_eq!(reader.peek_bytes(), Some([2, 3]));
    }

    #[test]
    fn unescape_removes_one_byte_per_escape() {
        assert_eq!(unescape(&[1, 0, 0, 3, 1, 0, 0, 3, 0, 0, 3, 3]), [1, 0, 0, 1, 0, 0, 0, 0, 3]);
    }
}

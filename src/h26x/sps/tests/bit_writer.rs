//! Writes the fields of a parameter set, and lists them for comparison with the fields read.

/// A bit string with the name and length of each of its fields.
#[derive(Clone, Default)]
pub struct BitWriter {
    bits: Vec<bool>,
    pub fields: Vec<(&'static str, usize)>,
}

impl BitWriter {
    /// `u(n)`.
    pub fn u(&mut self, len: usize, value: u32, name: &'static str) {
        self.bits.extend((0..len).rev().map(|bit| value >> bit & 1 == 1));
        self.fields.push((name, len));
    }

    pub fn flag(&mut self, value: bool, name: &'static str) {
        self.u(1, value.into(), name);
    }

    /// A field of zero bits that is longer than 32.
    pub fn long_zeros(&mut self, len: usize, name: &'static str) {
        self.bits.extend((0..len).map(|_| false));
        self.fields.push((name, len));
    }

    /// `ue(v)`.
    pub fn ue(&mut self, value: u32, name: &'static str) {
        let code = u64::from(value) + 1;
        let leading_zero_bits = code.ilog2() as usize;
        self.bits.extend((0..leading_zero_bits).map(|_| false));
        self.bits.extend((0..=leading_zero_bits).rev().map(|bit| code >> bit & 1 == 1));
        self.fields.push((name, 2 * leading_zero_bits + 1));
    }

    /// `se(v)`.
    pub fn se(&mut self, value: i32, name: &'static str) {
        let code = if value > 0 { 2 * value - 1 } else { -2 * value };
        self.ue(code.try_into().unwrap(), name);
    }

    /// The bits as bytes, with `rbsp_trailing_bits()`.
    pub fn rbsp(&self) -> Vec<u8> {
        let bits = [&self.bits[..], &[true]].concat();
        let byte = |bits: &[bool]| bits.iter().enumerate().fold(0, |byte, (at, &bit)| byte | u8::from(bit) << (7 - at));
        bits.chunks(8).map(byte).collect()
    }

    /// The bits as a NAL unit, with emulation prevention bytes.
    pub fn nal(&self) -> Vec<u8> {
        let mut nal = Vec::new();
        for byte in self.rbsp() {
            if nal.ends_with(&[0, 0]) && byte <= 3 {
                nal.push(3);
            }
            nal.push(byte);
        }
        nal
    }
}

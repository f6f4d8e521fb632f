//! Time zone files, as `/etc/localtime` is one: TZif of versions 1 to 4 (RFC 9636).

use super::rule::Rule;

/// Length of a header.
const HEADER_LEN: usize = 44;
/// Most extreme offsets that the format allows: -24:59:59 and 25:59:59.
const OFFSETS: std::ops::RangeInclusive<i64> = -89_999..=93_599;

/// The offsets of a zone over time, in seconds to be added to UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Before the first change.
    first: i64,
    /// The time of each change in seconds since 1970, in this order, and the offset from then on.
    changes: Vec<(i64, i64)>,
    /// From the last change on.
    rule: Option<Rule>,
}

impl Table {
    /// Reads a file. `None` if it is none of this kind, or is damaged.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let header = Header::take(&mut rest)?;
        if header.version < b'2' {
            return header.table(&mut rest, 4);
        }
        // Newer files begin with the same in times of 32 bits, for old programs.
        take(&mut rest, header.block_len(4)?)?;
        let header = Header::take(&mut rest)?;
        let mut table = header.table(&mut rest, 8)?;
        let footer = rest.strip_prefix(b"\n")?;
        let end = footer.iter().position(|byte| *byte == b'\n')?;
        let text = std::str::from_utf8(&footer[..end]).ok()?;
        if !text.is_empty() {
            table.rule = Some(Rule::parse(text)?);
        }
        Some(table)
    }

    /// The offset at `unix`, in seconds since 1970.
    pub fn offset(&self, unix: i64) -> i64 {
        let passed = self.changes.partition_point(|(at, _)| *at <= unix);
        match (&self.rule, passed.checked_sub(1)) {
            (Some(rule), _) if passed == self.changes.len() => rule.offset(unix),
            (_, Some(last)) => self.changes[last].1,
            (_, None) => self.first,
        }
    }
}

/// The numbers of entries that follow a header.
struct Header {
    version: u8,
    ut_marks: usize,
    standard_marks: usize,
    leap_seconds: usize,
    changes: usize,
    kinds: usize,
    letters: usize,
}

impl Header {
    fn take(bytes: &mut &[u8]) -> Option<Self> {
        let header = take(bytes, HEADER_LEN)?;
        let count = |index: usize| {
            let four = header.get(20 + 4 * index..24 + 4 * index)?;
            usize::try_from(u32::from_be_bytes(four.try_into().ok()?)).ok()
        };
        let all = Self {
            version: header[4],
            ut_marks: count(0)?,
            standard_marks: count(1)?,
            leap_seconds: count(2)?,
            changes: count(3)?,
            kinds: count(4)?,
            letters: count(5)?,
        };
        (header.starts_with(b"TZif") && all.kinds > 0).then_some(all)
    }

    /// Length of what follows, with times of `time_len` bytes.
    fn block_len(&self, time_len: usize) -> Option<usize> {
        let parts = [
            (self.changes, time_len + 1),
            (self.kinds, 6),
            (self.letters, 1),
            (self.leap_seconds, time_len + 4),
            (self.standard_marks, 1),
            (self.ut_marks, 1),
        ];
        parts.iter().try_fold(0_usize, |sum, (count, len)| sum.checked_add(count.checked_mul(*len)?))
    }

    /// Takes what follows the header.
    fn table(&self, bytes: &mut &[u8], time_len: usize) -> Option<Table> {
        // The lengths are checked against the bytes before anything is allocated.
        let mut block = take(bytes, self.block_len(time_len)?)?;
        let times = take(&mut block, self.changes * time_len)?;
        let indices = take(&mut block, self.changes)?;
        let kinds = take(&mut block, self.kinds * 6)?;
        let offset = |index: usize| {
            let kind = kinds.get(6 * index..6 * index + 4)?;
            let offset = i64::from(i32::from_be_bytes(kind.try_into().ok()?));
            OFFSETS.contains(&offset).then_some(offset)
        };
        let time = |bytes: &[u8]| match bytes {
            [a, b, c, d] => Some(i64::from(i32::from_be_bytes([*a, *b, *c, *d]))),
            _ => bytes.try_into().ok().map(i64::from_be_bytes),
        };
        let changes: Option<Vec<_>> = times
            .chunks(time_len)
            .zip(indices)
            .map(|(at, index)| Some((time(at)?, offset(usize::from(*index))?)))
            .collect();
        let changes = changes?;
        let is_sorted = changes.windows(2).all(|pair| pair[0].0 < pair[1].0);
        is_sorted.then_some(Table { first: offset(0)?, changes, rule: None })
    }
}

/// Takes `count` bytes from the beginning.
fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    Some(taken)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A file with these changes, an offset for each and one before them, and a footer.
    pub fn file(first: i32, changes: &[(i64, i32)], footer: &str) -> Vec<u8> {
        let offsets: Vec<i32> = std::iter::once(first).chain(changes.iter().map(|(_, offset)| *offset)).collect();
        let header = |changes: usize, kinds: usize| {
            let mut bytes = b"TZif2".to_vec();
            bytes.resize(20, 0);
            for count in [0, 0, 0, changes, kinds, 4] {
                bytes.extend(u32::try_from(count).unwrap().to_be_bytes());
            }
            bytes
        };
        let mut bytes = header(0, 1);
        bytes.extend([0; 6]);
        bytes.extend(b"UTC\0");
        bytes.extend(header(changes.len(), offsets.len()));
        changes.iter().for_each(|(at, _)| bytes.extend(at.to_be_bytes()));
        bytes.extend((1..=changes.len()).map(|index| u8::try_from(index).unwrap()));
        offsets.iter().for_each(|offset| bytes.extend([&offset.to_be_bytes()[..], &[0, 0]].concat()));
        bytes.extend(b"UTC\0");
        bytes.extend(format!("\n{footer}\n").bytes());
        bytes
    }

    #[test]
    fn changes_of_the_file_come_first_and_then_its_rule() {
        let table = Table::parse(&file(3208, &[(0, 3600), (1000, 7200)], "CET-1")).unwrap();
        let offsets = [i64::MIN, -1, 0, 999, 1000, i64::MAX].map(|unix| table.offset(unix));
        assert_eq!(offsets, [3208, 3208, 3600, 3600, 3600, 3600], "the rule from the last change on");
        let without = Table::parse(&file(0, &[(0, 3600)], "")).unwrap();
        assert_eq!([-1, 0, 5000].map(|unix| without.offset(unix)), [0, 3600, 3600]);
        let only_rule = Table::parse(&file(0, &[], "CST-8")).unwrap();
        assert_eq!(only_rule.offset(0), 28_800);
    }

    #[test]
    fn old_files_have_times_of_32_bits() {
        let mut bytes = b"TZif".to_vec();
        bytes.resize(20, 0);
        for count in [0_u32, 0, 0, 1, 2, 4] {
            bytes.extend(count.to_be_bytes());
        }
        bytes.extend((-5_i32).to_be_bytes());
        bytes.push(1);
        bytes.extend([&60_i32.to_be_bytes()[..], &[0, 0], &120_i32.to_be_bytes()[..], &[0, 0], b"UTC\0"].concat());
        let table = Table::parse(&bytes).unwrap();
        assert_eq!([-6, -5, 0].map(|unix| table.offset(unix)), [60, 120, 120]);
    }

    #[test]
    fn damaged_files_are_refused_and_no_cut_or_flip_is_a_crash() {
        let good = file(3600, &[(0, 7200), (5000, 3600)], "CET-1CEST,M3.5.0,M10.5.0/3");
        assert!(Table::parse(&good).is_some());
        for end in 0..good.len() {
            assert_eq!(Table::parse(&good[..end]), None, "cut at {end}");
        }
        for at in 0..good.len() {
            for flip in [1, 0x80, 0xff] {
                let mut bytes = good.clone();
                bytes[at] ^= flip;
                if let Some(table) = Table::parse(&bytes) {
                    let _ = [i64::MIN, 0, 4000, i64::MAX / 2].map(|unix| table.offset(unix));
                }
            }
        }
        for (wrong, bytes) in [
            ("times out of order", file(0, &[(5, 0), (5, 0)], "")),
            ("an offset of two days", file(200_000, &[], "")),
            ("a rule that is none", file(0, &[], "winter")),
            ("text", b"Europe/Berlin\n".to_vec()),
        ] {
            assert_eq!(Table::parse(&bytes), None, "{wrong}");
        }
    }
}

//! The camera's time, and its offset from ours, which a UsernameToken needs.
//!
//! A camera refuses a login whose time stamp differs by more than a few seconds from *its own*
//! clock. Camera clocks start in 1970 or are years off. So the camera's time is requested first and
//! used for the login; nothing here ever sets a clock.

use std::{
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};

use ::time::{Date, Duration, Month, OffsetDateTime, PrimitiveDateTime, Time};

/// Clocks that differ by at most this many seconds count as equal; the strictest camera known
/// allows 5.
const SAME_CLOCK: u64 = 5;

/// A date and time of day as a camera reports it, without a time zone; in the years 1970 to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CivilTime(PrimitiveDateTime);

impl CivilTime {
    /// From year, month and day, and hour, minute and second. A leap second is the first second of
    /// the next minute. Returns `None` unless the numbers are a real date and time from 1970 on.
    pub fn new(date: [i64; 3], time: [i64; 3]) -> Option<Self> {
        let [year, month, day] = date;
        let year = i32::try_from(year).ok().filter(|year| *year >= 1970)?;
        let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
        let date = Date::from_calendar_date(year, month, u8::try_from(day).ok()?).ok()?;
        let [hour, minute, second] = time.map(u8::try_from);
        let (hour, minute, second) = (hour.ok()?, minute.ok()?, second.ok()?);
        let leap = Duration::seconds(i64::from(second == 60));
        let time = Time::from_hms(hour, minute, if second == 60 { 59 } else { second }).ok()?;
        PrimitiveDateTime::new(date, time).checked_add(leap).map(Self)
    }

    /// Year, month and day.
    pub fn date(self) -> [i64; 3] {
        let (year, month, day) = self.0.to_calendar_date();
        [i64::from(year), i64::from(u8::from(month)), i64::from(day)]
    }

    /// Hour, minute and second.
    pub fn time(self) -> [i64; 3] {
        let (hour, minute, second) = self.0.as_hms();
        [hour, minute, second].map(i64::from)
    }

    /// Returns the seconds since 1970, with the fields read as UTC.
    pub fn to_unix(self) -> i64 {
        self.0.assume_utc().unix_timestamp()
    }

    /// Parses the `Date` field of an HTTP response in its usual form,
    /// `Sun, 22 Nov 2026 14:45:07 GMT`.
    pub fn from_http_date(text: &str) -> Option<Self> {
        const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let (_, rest) = text.split_once(',')?;
        let mut words = rest.split([' ', ':']).filter(|word| !word.is_empty());
        let day = words.next()?.parse().ok()?;
        let name = words.next()?;
        let month = MONTHS.iter().position(|month| month.eq_ignore_ascii_case(name))? + 1;
        let mut number = || words.next()?.parse::<i64>().ok();
        let year = number()?;
        Self::new([year, i64::try_from(month).ok()?, day], [number()?, number()?, number()?])
    }

    /// Parses a time of XML, `2026-11-22T14:45:07Z`. Fractions of a second and the zone are ignored.
    pub fn from_xml(text: &str) -> Option<Self> {
        let (date, time) = text.trim().split_once('T')?;
        let numbers = |text: &str, separator: char| {
            let parts: Option<Vec<i64>> = text.split(separator).map(|part| part.parse().ok()).collect();
            <[i64; 3]>::try_from(parts?).ok()
        };
        // `HH:MM:SS`, all of one byte each.
        Self::new(numbers(date, '-')?, numbers(time.get(..8)?, ':')?)
    }

    /// The inverse of [`to_unix`](Self::to_unix), limited to the years 1970 to 9999.
    pub fn from_unix(seconds: i64) -> Self {
        let time = OffsetDateTime::from_unix_timestamp(seconds.clamp(0, 253_402_300_799));
        let time = time.unwrap_or(OffsetDateTime::UNIX_EPOCH);
        Self(PrimitiveDateTime::new(time.date(), time.time()))
    }
}

/// As ISO 8601 without a zone: `2026-01-13T18:40:31`.
impl fmt::Display for CivilTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ([year, month, day], [hour, minute, second]) = (self.date(), self.time());
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
    }
}

/// How many seconds a camera's clock is ahead of ours; negative:
/// behind. The resolution is a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offset(pub i64);

impl Offset {
    /// Returns the offset of a camera with the time `theirs` when our
    /// time is `ours`, in Unix seconds.
    pub fn between(theirs: i64, ours: i64) -> Self {
        Self(theirs - ours)
    }

    /// Whether both offsets are equal for a camera that tolerates a few seconds.
    pub fn is_near(self, other: Self) -> bool {
        self.0.abs_diff(other.0) <= SAME_CLOCK
    }

    /// Returns the camera's time when ours is `ours`, in Unix seconds.
    pub fn apply(self, ours: i64) -> i64 {
        ours.saturating_add(self.0)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = if self.0 < 0 { "behind" } else { "ahead" };
        let seconds = self.0.unsigned_abs();
        match seconds {
            0..=1 => f.write_str("in step with ours"),
            2..=119 => write!(f, "{seconds} s {direction}"),
            120..=7199 => write!(f, "{} min {direction}", seconds / 60),
            7200..=172_799 => write!(f, "{} h {direction}", seconds / 3600),
            _ => write!(f, "{} days {direction}", seconds / 86_400),
        }
    }
}

/// Returns our own time in Unix seconds; 0 while our clock is before 1970.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_dates_have_their_unix_time() {
        let unix = |date, time| CivilTime::new(date, time).unwrap().to_unix();
        assert_eq!(unix([1970, 1, 1], [0, 0, 0]), 0);
        assert_eq!(unix([2000, 2, 29], [23, 59, 59]), 951_868_799);
        assert_eq!(unix([2026, 1, 13], [18, 40, 31]), 1_768_329_631);
    }

    #[test]
    fn unix_time_reads_back_within_its_years() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00"),
            (951_868_799, "2000-02-29T23:59:59"),
            (4_107_542_400, "2100-03-01T00:00:00"),
            (253_402_300_799, "9999-12-31T23:59:59"),
        ] {
            let civil = CivilTime::from_unix(seconds);
            assert_eq!((civil.to_unix(), civil.to_string().as_str()), (seconds, text));
        }
        assert_eq!(CivilTime::from_unix(-1), CivilTime::from_unix(0));
        assert_eq!(CivilTime::from_unix(i64::MAX), CivilTime::from_unix(253_402_300_799));
    }

    #[test]
    fn leap_second_is_the_first_of_the_next_minute() {
        let civil = CivilTime::new([2016, 12, 31], [23, 59, 60]).unwrap();
        assert_eq!(civil.to_string(), "2017-01-01T00:00:00");
        assert_eq!(CivilTime::new([9999, 12, 31], [23, 59, 60]), None);
    }

    #[test]
    fn impossible_dates_are_refused() {
        for date in
            [[2023, 2, 29], [1900, 1, 1], [2024, 13, 1], [2024, 0, 1], [2024, 4, 31], [2024, 1, 0], [10_000, 1, 1]]
        {
            assert_eq!(CivilTime::new(date, [0, 0, 0]), None, "{date:?}");
        }
        for time in [[24, 0, 0], [0, 60, 0], [0, 0, 61], [-1, 0, 0]] {
            assert_eq!(CivilTime::new([2024, 2, 29], time), None, "{time:?}");
        }
    }

    #[test]
    fn http_date_is_read() {
        let date = CivilTime::from_http_date("Sun, 22 Nov 2026 14:45:07 GMT").unwrap();
        assert_eq!(date.to_string(), "2026-11-22T14:45:07");
        for odd in ["", "Sun, 22 Nov", "Sun, 31 Feb 2026 14:45:07 GMT", "Sunday 22", "Sun, 22 Xxx 2026 14:45:07 GMT"] {
            assert_eq!(CivilTime::from_http_date(odd), None, "{odd}");
        }
    }

    #[test]
    fn offset_follows_the_camera() {
        let offset = Offset::between(1_000_100, 1_000_000);
        assert_eq!(offset.apply(1_000_007), 1_000_107);
        assert_eq!(offset.to_string(), "100 s ahead");
        assert_eq!(Offset(-3 * 86_400).to_string(), "3 days behind");
        assert_eq!(Offset(-1).to_string(), "in step with ours");
    }
}

//! The camera's time, and its offset from ours, which a UsernameToken needs.
//!
//! A camera refuses a login whose time stamp differs by more than a few seconds from *its own*
//! clock. Camera clocks start in 1970 or are years off. So the camera's time is requested first and
//! used for the login; nothing here ever sets a clock.

use std::{
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};

const SECONDS_PER_DAY: i64 = 86_400;

/// Clocks that differ by at most this many seconds count as equal; the strictest camera known
/// allows 5.
const SAME_CLOCK: u64 = 5;

/// A date and time of day as a camera reports it, without a time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CivilTime {
    /// 1970 to 9999.
    pub year: i64,
    pub month: i64,
    pub day: i64,
    pub hour: i64,
    pub minute: i64,
    /// 0 to 60: a leap second is possible.
    pub second: i64,
}

impl CivilTime {
    /// Returns `None` unless the numbers are a real date and time from 1970 on.
    pub fn new(date: [i64; 3], time: [i64; 3]) -> Option<Self> {
        let [year, month, day] = date;
        let [hour, minute, second] = time;
        let possible = (1970..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=days_in_month(year, month)).contains(&day)
            && (0..=23).contains(&hour)
            && (0..=59).contains(&minute)
            && (0..=60).contains(&second);
        possible.then_some(Self { year, month, day, hour, minute, second })
    }

    /// Returns the seconds since 1970, with the fields read as UTC.
    pub fn to_unix(self) -> i64 {
        // Days before each year and month, counted from March so that the leap day is the last day.
        let year = if self.month <= 2 { self.year - 1 } else { self.year };
        let month = (self.month + 9) % 12;
        let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + self.day - 1;
        // There are 719 468 days between 0000-03-01 and 1970-01-01.
        (days - 719_468) * SECONDS_PER_DAY + self.hour * 3600 + self.minute * 60 + self.second
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

    /// The inverse of [`to_unix`](Self::to_unix), limited to the years 1970 to 9999.
    pub fn from_unix(seconds: i64) -> Self {
        let seconds = seconds.clamp(0, 253_402_300_799);
        let (days, rest) = (seconds / SECONDS_PER_DAY, seconds % SECONDS_PER_DAY);
        let days = days + 719_468;
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month = (5 * day_of_year + 2) / 153;
        let month_from_january = if month < 10 { month + 3 } else { month - 9 };
        Self {
            year: era * 400 + year_of_era + i64::from(month_from_january <= 2),
            month: month_from_january,
            day: day_of_year - (153 * month + 2) / 5 + 1,
            hour: rest / 3600,
            minute: rest / 60 % 60,
            second: rest % 60,
        }
    }
}

/// As ISO 8601 without a zone: `2026-01-13T18:40:31`.
impl fmt::Display for CivilTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, month, day, hour, minute, second } = self;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
    }
}

fn days_in_month(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
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
    fn every_day_to_2200_reads_back() {
        for day in 0..84_000 {
            let seconds = day * SECONDS_PER_DAY + day % SECONDS_PER_DAY;
            let civil = CivilTime::from_unix(seconds);
            assert_eq!(civil.to_unix(), seconds);
            let again = CivilTime::new([civil.year, civil.month, civil.day], [civil.hour, civil.minute, civil.second]);
            assert_eq!(again, Some(civil));
        }
    }

    #[test]
    fn impossible_dates_are_refused() {
        for date in [[2023, 2, 29], [1900, 1, 1], [2024, 13, 1], [2024, 0, 1], [2024, 4, 31], [2024, 1, 0]] {
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

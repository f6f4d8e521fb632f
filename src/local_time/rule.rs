//! A rule of POSIX for the time of day, such as `CET-1CEST,M3.5.0,M10.5.0/3`: the offset of the standard time, and
//! when summer time begins and ends in each year.

use super::calendar::{SECONDS_PER_DAY, day_of, first_day_of, is_leap_year, weekday, year_of};

/// Largest offset from UTC, and largest time of a change, in hours (RFC 9636).
const MAX_OFFSET_HOURS: i64 = 24;
const MAX_TIME_HOURS: i64 = 167;
/// When clocks change if nobody says: at two o'clock.
const USUAL_TIME: i64 = 2 * 3600;
/// The changes if a rule names none, as glibc takes them: those of the United States.
const USUAL_CHANGES: &str = "M3.2.0,M11.1.0";

/// Offsets are seconds to be added to UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    standard: i64,
    summer: Option<Summer>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Summer {
    offset: i64,
    begin: Change,
    end: Change,
}

/// One of the two changes of a year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Change {
    day: Day,
    /// Seconds after the beginning of that day by the clock before the change; may be negative.
    time: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Day {
    /// From 1 to 365; February 29 is not counted.
    Julian(i64),
    /// From 0 to 365.
    OfYear(i64),
    /// The weekday (0: Sunday) in the week of the month; 5 is the last one.
    Weekday { month: i64, week: i64, weekday: i64 },
}

impl Rule {
    /// Reads a rule; `None` if `text` is none.
    pub fn parse(text: &str) -> Option<Self> {
        let mut rest = text;
        name(&mut rest)?;
        let standard = -offset(&mut rest)?;
        if rest.is_empty() {
            return Some(Self { standard, summer: None });
        }
        name(&mut rest)?;
        let summer = if rest.is_empty() || rest.starts_with(',') { standard + 3600 } else { -offset(&mut rest)? };
        let changes = if rest.is_empty() { USUAL_CHANGES } else { rest.strip_prefix(',')? };
        let (begin, end) = changes.split_once(',')?;
        let summer = Summer { offset: summer, begin: Change::parse(begin)?, end: Change::parse(end)? };
        Some(Self { standard, summer: Some(summer) })
    }

    /// The offset at `unix`, in seconds since 1970.
    pub fn offset(&self, unix: i64) -> i64 {
        let Some(Summer { offset, begin, end }) = &self.summer else { return self.standard };
        let year = year_of(day_of(unix.saturating_add(self.standard)));
        // The last change may be one of the year before.
        let changes = (year - 1..=year + 1)
            .flat_map(|year| [(begin.at(year, self.standard), *offset), (end.at(year, *offset), self.standard)]);
        let last = changes.filter(|(at, _)| *at <= unix).max_by_key(|(at, _)| *at);
        last.map_or(self.standard, |(_, offset)| offset)
    }
}

impl Change {
    fn parse(text: &str) -> Option<Self> {
        let (day, time) = text.split_once('/').map_or((text, None), |(day, time)| (day, Some(time)));
        let time = match time {
            None => USUAL_TIME,
            Some(mut time) => signed(&mut time, MAX_TIME_HOURS).filter(|_| time.is_empty())?,
        };
        let number = |text: &str, from: i64, to: i64| {
            let is_number = !text.is_empty() && text.len() <= 3 && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|number| is_number && (from..=to).contains(number))
        };
        let day = if let Some(day) = day.strip_prefix('J') {
            Day::Julian(number(day, 1, 365)?)
        } else if let Some(day) = day.strip_prefix('M') {
            let mut parts = day.split('.');
            let mut part = |from, to| number(parts.next()?, from, to);
            let (month, week, weekday) = (part(1, 12)?, part(1, 5)?, part(0, 6)?);
            parts.next().is_none().then_some(Day::Weekday { month, week, weekday })?
        } else {
            Day::OfYear(number(day, 0, 365)?)
        };
        Some(Self { day, time })
    }

    /// When it is, in seconds since 1970, if the clock has `offset` before it.
    fn at(self, year: i64, offset: i64) -> i64 {
        let day = match self.day {
            Day::Julian(day) => first_day_of(year, 1) + day - 1 + i64::from(is_leap_year(year) && day >= 60),
            Day::OfYear(day) => first_day_of(year, 1) + day,
            Day::Weekday { month, week, weekday: wanted } => {
                let first = first_day_of(year, month);
                let next = if month == 12 { first_day_of(year + 1, 1) } else { first_day_of(year, month + 1) };
                // `weekday` begins with Monday.
                let until = (wanted + 6 - weekday(first)).rem_euclid(7);
                let day = first + until + 7 * (week - 1);
                if day >= next { day - 7 } else { day }
            }
        };
        day * SECONDS_PER_DAY + self.time - offset
    }
}

/// Takes the name of a time from the beginning of `text`.
fn name(text: &mut &str) -> Option<()> {
    let is_quoted = text.starts_with('<');
    let end =
        if is_quoted { text.find('>')? } else { text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len()) };
    let (name, rest) = if is_quoted { (&text[1..end], &text[end + 1..]) } else { text.split_at(end) };
    let is_right = name.chars().all(|c| c.is_ascii_alphanumeric() || "+-".contains(c));
    *text = rest;
    (name.len() >= 3 && is_right).then_some(())
}

/// Takes hours, minutes and seconds west of Greenwich from the beginning of `text`.
fn offset(text: &mut &str) -> Option<i64> {
    signed(text, MAX_OFFSET_HOURS)
}

/// Takes `[+-]hh[:mm[:ss]]` from the beginning of `text`; in seconds.
fn signed(text: &mut &str, max_hours: i64) -> Option<i64> {
    let sign = if text.starts_with('-') { -1 } else { 1 };
    *text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let mut sum = 0;
    for (index, (unit, most)) in [(3600, max_hours), (60, 59), (1, 59)].into_iter().enumerate() {
        if index > 0 {
            let Some(rest) = text.strip_prefix(':') else { break };
            *text = rest;
        }
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (digits, rest) = text.split_at(end);
        let number: i64 = digits.parse().ok().filter(|number| digits.len() <= 3 && *number <= most)?;
        *text = rest;
        sum += number * unit;
    }
    Some(sign * sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offset_at(rule: &str, unix: i64) -> i64 {
        Rule::parse(rule).unwrap_or_else(|| panic!("{rule}")).offset(unix)
    }

    #[test]
    fn clocks_change_at_the_second_that_the_rule_says() {
        // Seconds since 1970 as `date -u -d … +%s` has them.
        for (rule, change, before, after) in [
            // 2026-03-29 01:00 UTC and 2026-10-25 01:00 UTC.
            ("CET-1CEST,M3.5.0,M10.5.0/3", 1_774_746_000, 3600, 7200),
            ("CET-1CEST,M3.5.0,M10.5.0/3", 1_792_890_000, 7200, 3600),
            // 2026-03-08 07:00 UTC and 2026-11-01 06:00 UTC.
            ("EST5EDT,M3.2.0,M11.1.0", 1_772_953_200, -18_000, -14_400),
            ("EST5EDT", 1_793_512_800, -14_400, -18_000),
            // The other half of the Earth: 2026-04-04 16:00 UTC and 2026-10-03 16:00 UTC.
            ("AEST-10AEDT,M10.1.0,M4.1.0/3", 1_775_318_400, 39_600, 36_000),
            ("AEST-10AEDT,M10.1.0,M4.1.0/3", 1_791_043_200, 36_000, 39_600),
            // Negative summer time (Ireland), and a change on Saturday at 24 o'clock by a negative time.
            ("IST-1GMT0,M10.5.0,M3.5.0/1", 1_792_890_000, 3600, 0),
            ("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 1_774_746_000, -7200, -3600),
            // Days by number: 2026-03-01 and, in a leap year, 2028-03-01, both at 02:00 UTC.
            ("AAA0BBB,J60,J300", 1_772_330_400, 0, 3600),
            ("AAA0BBB,J60,J300", 1_835_488_800, 0, 3600),
            ("AAA0BBB,59,300", 1_772_330_400, 0, 3600),
        ] {
            assert_eq!((offset_at(rule, change - 1), offset_at(rule, change)), (before, after), "{rule} at {change}");
        }
    }

    #[test]
    fn offset_without_summer_time_is_always_the_same() {
        for (rule, offset) in [("CST-8", 28_800), ("UTC0", 0), ("<+0545>-5:45", 20_700), ("<-03>+3", -10_800)] {
            assert_eq!((offset_at(rule, 0), offset_at(rule, 1_800_000_000)), (offset, offset), "{rule}");
        }
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for text in [
            "",
            "C",
            "CE-1",
            "CET",
            "CET-",
            "CET-x",
            "CET-25",
            "CET-1:60",
            "<CET-1",
            "CET-1CEST,",
            "CET-1CEST,M3.5.0",
            "CET-1CEST,M3.5.0,M10.5.0,M1.1.1",
            "CET-1CEST,M13.5.0,M10.5.0",
            "CET-1CEST,M3.6.0,M10.5.0",
            "CET-1CEST,M3.5.7,M10.5.0",
            "CET-1CEST,J0,J366",
            "CET-1CEST,366,1",
            "CET-1CEST,M3.5.0/168,M10.5.0",
            "CET-1CEST,M3.5,M10.5.0",
            "CET-1CEST,M+3.5.0,M10.5.0",
            "CET-1CEST,M3.5.0/,M10.5.0",
            "Europe/Berlin",
            "CET-1é",
            "é",
        ] {
            assert_eq!(Rule::parse(text), None, "{text}");
        }
    }

    #[test]
    fn no_moment_is_too_far_away() {
        let rule = Rule::parse("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        for unix in [i64::MIN / 4, -1, 0, 253_402_300_800, 1 << 40] {
            assert!([3600, 7200].contains(&rule.offset(unix)));
        }
    }
}

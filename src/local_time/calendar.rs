//! Days of the Gregorian calendar, counted from 1970-01-01.
//!
//! The computations are Howard Hinnant's (`days_from_civil` and `civil_from_days`): years begin in March, so that
//! the leap day is their last one.

pub const SECONDS_PER_DAY: i64 = 86_400;
const DAYS_PER_ERA: i64 = 146_097;
/// Days from 0000-03-01 to 1970-01-01.
const BEFORE_1970: i64 = 719_468;

/// The day of a moment in seconds since 1970.
pub fn day_of(seconds: i64) -> i64 {
    seconds.div_euclid(SECONDS_PER_DAY)
}

/// The weekday of `day`; 0: Monday.
pub fn weekday(day: i64) -> i64 {
    // 1970-01-01 was a Thursday.
    (day + 3).rem_euclid(7)
}

pub fn is_leap_year(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// The first day of `month` (1 to 12) in `year`.
pub fn first_day_of(year: i64, month: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5;
    era * DAYS_PER_ERA + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - BEFORE_1970
}

/// The year in which `day` lies.
pub fn year_of(day: i64) -> i64 {
    let day = day + BEFORE_1970;
    let (era, of_era) = (day.div_euclid(DAYS_PER_ERA), day.rem_euclid(DAYS_PER_ERA));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // From the 306th day on it is January.
    era * 400 + year_of_era + i64::from(day_of_year >= 306)
}

/// The year, the month (1 to 12) and the day of the month (1 to 31) of `day`.
pub fn date_of(day: i64) -> (i64, i64, i64) {
    let year = year_of(day);
    let month = (2..=12).take_while(|month| first_day_of(year, *month) <= day).last().unwrap_or(1);
    (year, month, day - first_day_of(year, month) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_years_and_weekdays_follow_each_other_for_a_thousand_years() {
        const LENGTHS: [i64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let mut day = first_day_of(1600, 1);
        for year in 1600..2600 {
            for (month, length) in (1..).zip(LENGTHS) {
                let length = length + i64::from(month == 2 && is_leap_year(year));
                assert_eq!(first_day_of(year, month), day, "{year}-{month}");
                assert_eq!((year_of(day), year_of(day + length - 1)), (year, year), "{year}-{month}");
                assert_eq!((date_of(day), date_of(day + length - 1)), ((year, month, 1), (year, month, length)));
                day += length;
            }
        }
        assert_eq!((first_day_of(1970, 1), first_day_of(2000, 3), first_day_of(2026, 12)), (0, 11_017, 20_788));
        // 1970-01-01: Thursday; 2026-12-01: Tuesday; the day before 1970: Wednesday.
        assert_eq!([0, 20_788, -1].map(weekday), [3, 1, 2]);
        assert_eq!((day_of(-1), day_of(86_399), day_of(86_400)), (-1, 0, 1));
    }
}

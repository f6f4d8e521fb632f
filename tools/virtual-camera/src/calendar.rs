//! Converts Unix seconds to date and time of day in UTC and back, as ONVIF writes them.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    pub year: i64,
    pub month: i64,
    pub day: i64,
    pub hour: i64,
    pub minute: i64,
    pub second: i64,
}

impl Moment {
    /// By the rules of the Gregorian calendar, counting years from March so that the leap day is
    /// last.
    pub fn from_unix(seconds: i64) -> Self {
        let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let days = days + 719_468; // 1970-01-01 counted from 0000-03-01
        let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * of_year + 2) / 153;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        Self {
            year: era * 400 + year_of_era + i64::from(month <= 2),
            month,
            day: of_year - (153 * from_march + 2) / 5 + 1,
            hour: of_day / 3600,
            minute: of_day / 60 % 60,
            second: of_day % 60,
        }
    }

    pub fn unix(self) -> i64 {
        let year = self.year - i64::from(self.month <= 2);
        let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let from_march = (self.month + 9) % 12;
        let of_year = (153 * from_march + 2) / 5 + self.day - 1;
        let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
        let days = era * 146_097 + of_era - 719_468;
        days * 86_400 + self.hour * 3600 + self.minute * 60 + self.second
    }

    /// Parses `YYYY-MM-DDTHH:MM:SS`, with optional decimals, and `Z`. Anything else is `None`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_suffix('Z')?;
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let marks = whole.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            10 => byte == b'T',
            13 | 16 => byte == b':',
            _ => byte.is_ascii_digit(),
        });
        if whole.len() != 19 || !marks || decimals.is_empty() || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let number = |from: usize, to: usize| whole[from..to].parse::<i64>().ok();
        let moment = Self {
            year: number(0, 4)?,
            month: number(5, 7)?,
            day: number(8, 10)?,
            hour: number(11, 13)?,
            minute: number(14, 16)?,
            second: number(17, 19)?,
        };
        // A date that does not exist converts back to another one.
        (Self::from_unix(moment.unix()) == moment).then_some(moment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_go_there_and_back() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:00:00Z", 951_825_600),
            ("2026-11-22T17:32:41Z", 1_795_368_761),
            ("1969-12-31T23:59:59Z", -1),
        ] {
            assert_eq!(Moment::parse(text).map(Moment::unix), Some(seconds), "{text}");
        }
    }

    #[test]
    fn impossible_dates_and_other_forms_are_refused() {
        for text in
            ["2026-02-29T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:00:00+00:00", "2026-01-01 00:00:00Z", "Z"]
        {
            assert_eq!(Moment::parse(text), None, "{text}");
        }
        assert!(Moment::parse("2026-01-01T00:00:00.123Z").is_some());
    }
}

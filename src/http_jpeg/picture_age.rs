//! How old a picture was when the camera sent it, as the head of its answer says.
//!
//! Both times are the camera's own, so its clock may be wrong. They are hints: many cameras send the same
//! time with every picture, and such a time is not believed.

use std::time::Duration;

use time::{Date, Month};

use crate::http_client::response::Response;

/// Longest age, for cameras that name a day of long ago.
const MAX_AGE: Duration = Duration::from_secs(24 * 3600);

/// What the pictures of one camera say of their age.
#[derive(Debug, Default)]
pub struct PictureAge {
    /// When the last picture was made, in seconds of the camera's clock.
    last_made: Option<f64>,
}

impl PictureAge {
    /// The age of the next picture, which is another one than the last.
    pub fn of(&mut self, head: &Response) -> Duration {
        let first = |name| head.all(name).next();
        let Some(made) = first("x-timestamp").and_then(timestamp).or_else(|| first("last-modified").and_then(date))
        else {
            return Duration::ZERO;
        };
        let is_constant = self.last_made.replace(made) == Some(made);
        let Some(sent) = first("date").and_then(date).filter(|_| !is_constant) else { return Duration::ZERO };
        Duration::try_from_secs_f64(sent - made).unwrap_or_default().min(MAX_AGE)
    }
}

/// Seconds since 1970, as `X-Timestamp` has them.
fn timestamp(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|seconds: &f64| seconds.is_finite() && *seconds > 0.0)
}

/// Seconds since 1970 of a date as HTTP has it: `Sun, 06 Nov 1994 08:49:37 GMT`.
fn date(text: &str) -> Option<f64> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut words = text.split_ascii_whitespace().skip(1);
    let day = words.next()?.parse().ok()?;
    let month = words.next()?;
    let month = (1..).zip(MONTHS).find(|(_, name)| name.eq_ignore_ascii_case(month))?.0;
    let year = words.next()?.parse().ok()?;
    let mut clock = words.next()?.split(':').map(|part| part.parse().ok());
    let [hour, minute, second] = [clock.next()??, clock.next()??, clock.next()??];
    let day = Date::from_calendar_date(year, Month::try_from(month).ok()?, day).ok()?;
    Some(day.with_hms(hour, minute, second).ok()?.assume_utc().unix_timestamp() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(fields: &[(&str, &str)]) -> Response {
        let headers = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Response { status: Some(200), headers, body: Vec::new() }
    }

    const SENT: (&str, &str) = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");

    #[test]
    fn dates_of_http_are_read_and_others_are_none() {
        assert_eq!(date(SENT.1), Some(784_111_777.0));
        for bad in
            ["", "Sun, 06 Nov 1994", "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 25:49:37 GMT", "1 2 3 4 5"]
        {
            assert_eq!(date(bad), None, "{bad}");
        }
    }

    #[test]
    fn age_is_what_lies_between_making_and_sending() {
        let of = |fields: &[(&str, &str)]| PictureAge::default().of(&head(fields));
        assert_eq!(of(&[SENT, ("last-modified", "Sun, 06 Nov 1994 08:49:30 GMT")]), Duration::from_secs(7));
        assert_eq!(of(&[SENT, ("x-timestamp", "784111776.5")]), Duration::from_millis(500));
        // Without both times, or from a clock that goes backwards, it is as old as its arrival.
        for fields in [&[SENT][..], &[("last-modified", SENT.1)], &[SENT, ("x-timestamp", "inf")]] {
            assert_eq!(of(fields), Duration::ZERO, "{fields:?}");
        }
        assert_eq!(of(&[SENT, ("last-modified", "Sun, 06 Nov 1994 08:50:37 GMT")]), Duration::ZERO);
        assert_eq!(of(&[SENT, ("last-modified", "Thu, 01 Jan 1970 00:00:00 GMT")]), MAX_AGE);
    }

    #[test]
    fn time_that_is_that_of_the_last_picture_is_not_believed() {
        let mut age = PictureAge::default();
        let firmware = head(&[SENT, ("last-modified", "Thu, 01 Jan 1970 00:00:00 GMT")]);
        assert_eq!(
            [age.of(&firmware), age.of(&firmware), age.of(&firmware)],
            [MAX_AGE, Duration::ZERO, Duration::ZERO]
        );
        assert_eq!(age.of(&head(&[SENT, ("last-modified", "Sun, 06 Nov 1994 08:49:30 GMT")])), Duration::from_secs(7));
    }
}

//! The timetable of one wall: which entry applies at a time of day, and until when.
//!
//! Both follow from what a clock at the wall shows, and from nothing else: a clock that jumps, by summer time or because it
//! was set, needs no care.

use crate::{
    config::{Entry, boundaries},
    local_time::LocalTime,
    web::Until,
};

const DAY: u32 = 24 * 60;
const WEEK: u32 = 7 * DAY;

/// The entry that applies at `now`, and until when it does; `None`: always.
pub fn at(entries: &[Entry], now: LocalTime) -> Option<(&Entry, Option<Until>)> {
    let fitting = |weekday: u8, minute: u16| entries.iter().position(|entry| entry.fits(weekday, minute));
    let index = fitting(now.weekday, now.minute)?;
    let ahead = |(weekday, minute): (u8, u16)| {
        let of_week = |weekday: u8, minute: u16| u32::from(weekday) * DAY + u32::from(minute);
        (of_week(weekday, minute) + WEEK - of_week(now.weekday, now.minute)) % WEEK
    };
    let changes = boundaries(entries).into_iter().filter(|(weekday, minute)| fitting(*weekday, *minute) != Some(index));
    let next = changes.min_by_key(|moment| ahead(*moment));
    let until = next.map(|moment| Until { minute: moment.1, weekday: (ahead(moment) > DAY).then_some(moment.0) });
    entries.get(index).map(|entry| (entry, until))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Shows;

    fn entry(from: u16, to: u16, days: &[usize], shows: Shows) -> Entry {
        Entry { from: 60 * from, to: 60 * to, days: std::array::from_fn(|day| days.contains(&day)), shows }
    }

    fn told(entries: &[Entry], weekday: u8, hour: u16) -> Option<(usize, Option<String>)> {
        let (entry, until) = at(entries, LocalTime { weekday, minute: 60 * hour })?;
        let index = entries.iter().position(|other| std::ptr::eq(other, entry))?;
        Some((index, until.map(|until| format!("{} {}", until.day().unwrap_or("-"), until.time()))))
    }

    #[test]
    fn first_entry_that_fits_applies_until_another_one_does() {
        const ALL: &[usize] = &[0, 1, 2, 3, 4, 5, 6];
        let entries = [
            entry(20, 22, &[4], Shows::Own),
            entry(18, 6, ALL, Shows::Nothing),
            entry(12, 13, &[5, 6], Shows::Wall("lunch".into())),
        ];
        for (weekday, hour, wanted) in [
            (0, 12, None),
            (0, 18, Some((1, "- 06:00"))),
            (1, 5, Some((1, "- 06:00"))),
            // On Friday the first one comes between.
            (4, 19, Some((1, "- 20:00"))),
            (4, 21, Some((0, "- 22:00"))),
            (4, 22, Some((1, "- 06:00"))),
            (6, 12, Some((2, "- 13:00"))),
        ] {
            let wanted = wanted.map(|(index, until)| (index, Some(until.to_owned())));
            assert_eq!(told(&entries, weekday, hour), wanted, "day {weekday} at {hour}");
        }
        // A weekend, and always.
        let weekend = [entry(0, 24, &[5, 6], Shows::Nothing)];
        assert_eq!(told(&weekend, 5, 3), Some((0, Some("mon 00:00".into()))));
        assert_eq!(told(&weekend, 6, 3), Some((0, Some("- 00:00".into()))));
        assert_eq!(told(&[entry(0, 24, ALL, Shows::Nothing)], 5, 3), Some((0, None)));
    }
}

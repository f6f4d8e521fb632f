//! The time on the clock at the wall: the local time of this machine, for timetables.
//!
//! The zone is that of `TZ`, else that of `/etc/localtime`, else the rule in `/etc/TZ` (uClibc). The C library's
//! `localtime_r` is not used: it may read the environment while another thread changes it.

mod calendar;
mod rule;
mod tzif;

use std::{
    env,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use crate::{disk, disk::regular_file};
use calendar::{SECONDS_PER_DAY, day_of, weekday};
use rule::Rule;
use tzif::Table;

/// Where zones have their files, unless `TZDIR` names another place.
const ZONES: &str = "/usr/share/zoneinfo";
const LOCALTIME: &str = "/etc/localtime";
const RULE: &str = "/etc/TZ";
/// Maximum size of a file; the largest of the tz database has 4 KiB.
const MAX_FILE_LEN: u64 = 64 << 10;
/// The file of a zone, which is named where one is wrong.
const EXAMPLE: &str = "ln -sf /usr/share/zoneinfo/Europe/Berlin /etc/localtime";

/// The time of day and the day of the week, as a clock at the wall shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalTime {
    /// 0: Monday.
    pub weekday: u8,
    /// Minutes since midnight by that clock, 0 to 1439.
    pub minute: u16,
}

/// A time zone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Zone {
    #[default]
    Utc,
    Table(Table),
    Rule(Rule),
}

impl Zone {
    /// The zone of this machine.
    ///
    /// # Errors
    /// Why it is not known, in one line with what would be right.
    ///
    /// # Blocking
    /// Blocks on the disk while it reads one small file.
    pub fn of_machine() -> Result<Self, String> {
        let zones = env::var_os("TZDIR").map_or_else(|| PathBuf::from(ZONES), PathBuf::from);
        match env::var("TZ") {
            Ok(name) => Self::named(&name, &zones),
            Err(env::VarError::NotUnicode(_)) => Err("TZ in the environment is not text".to_owned()),
            Err(env::VarError::NotPresent) => Self::of_files(Path::new(LOCALTIME), Path::new(RULE)),
        }
    }

    /// The zone of a rule of POSIX; `None` if `rule` is none.
    pub fn of_rule(rule: &str) -> Option<Self> {
        Rule::parse(rule).map(Self::Rule)
    }

    /// The zone of a value of `TZ`: the name of a file below `zones`, its whole path, or a rule.
    fn named(value: &str, zones: &Path) -> Result<Self, String> {
        let name = value.strip_prefix(':').unwrap_or(value);
        if name.is_empty() {
            return Ok(Self::Utc);
        }
        let path = zones.join(name);
        let is_inside = !Path::new(name).components().any(|part| part == std::path::Component::ParentDir);
        let read = if is_inside { read(&path) } else { Ok(None) };
        if let Ok(Some(bytes)) = &read {
            let table = Table::parse(bytes);
            return table.map(Self::Table).ok_or_else(|| format!("{} is no time zone", path.display()));
        }
        Self::of_rule(name).ok_or_else(|| {
            let wrong = read.err().map_or("there is no such time zone".to_owned(), |error| error.to_string());
            format!("TZ={value:?} in the environment: {wrong}; write one like Europe/Berlin, or install tzdata")
        })
    }

    fn of_files(localtime: &Path, rule: &Path) -> Result<Self, String> {
        let shown = localtime.display();
        match read(localtime) {
            Ok(Some(bytes)) => {
                let table = Table::parse(&bytes).map(Self::Table);
                table.ok_or_else(|| format!("{shown} is no time zone; {EXAMPLE}"))
            }
            Ok(None) => {
                let text = disk::read(rule).ok().flatten();
                let zone = text.and_then(|text| Self::of_rule(text.trim()));
                zone.ok_or_else(|| format!("{shown} does not exist; {EXAMPLE}"))
            }
            Err(error) => Err(format!("{shown} cannot be read: {}; {EXAMPLE}", no_os_code(&error))),
        }
    }

    /// The local date and time at `unix`, in seconds since 1970, as names of files have it: `2026-12-01T09-05-00`.
    pub fn file_stamp(&self, unix: i64) -> String {
        let local = self.local(unix);
        let (year, month, day) = calendar::date_of(day_of(local));
        let second = local.rem_euclid(SECONDS_PER_DAY);
        format!("{year:04}-{month:02}-{day:02}T{:02}-{:02}-{:02}", second / 3600, second / 60 % 60, second % 60)
    }

    /// Seconds since 1970-01-01 00:00 by the clock at the wall.
    fn local(&self, unix: i64) -> i64 {
        let offset = match self {
            Self::Utc => 0,
            Self::Table(table) => table.offset(unix),
            Self::Rule(rule) => rule.offset(unix),
        };
        unix.saturating_add(offset)
    }

    /// The local time at `unix`, in seconds since 1970.
    pub fn at(&self, unix: i64) -> LocalTime {
        let local = self.local(unix);
        let minute = local.rem_euclid(SECONDS_PER_DAY) / 60;
        // Both are within these bounds by the remainders.
        LocalTime {
            weekday: u8::try_from(weekday(day_of(local))).unwrap_or(0),
            minute: u16::try_from(minute).unwrap_or(0),
        }
    }
}

/// Reads a file, which may be a symbolic link; `None` if it does not exist.
fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match regular_file::open(path) {
        Ok((file, _)) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(MAX_FILE_LEN).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// The text of `error` without its number.
fn no_os_code(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// `weekday hh:mm`.
    fn shown(zone: &Zone, unix: i64) -> String {
        let LocalTime { weekday, minute } = zone.at(unix);
        let day = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"][usize::from(weekday)];
        format!("{day} {:02}:{:02}", minute / 60, minute % 60)
    }

    #[test]
    fn clock_shows_the_hour_that_is_missing_and_the_one_that_is_there_twice() {
        let zone = |name: &str| Zone::of_rule(name).unwrap();
        let berlin = zone("CET-1CEST,M3.5.0,M10.5.0/3");
        // 2026-03-29 00:59:59 UTC and a second later; 2026-10-25 00:59:59 UTC and a second later.
        assert_eq!(
            (shown(&berlin, 1_774_745_999), shown(&berlin, 1_774_746_000)),
            ("sun 01:59".into(), "sun 03:00".into())
        );
        assert_eq!(
            (shown(&berlin, 1_792_889_999), shown(&berlin, 1_792_890_000)),
            ("sun 02:59".into(), "sun 02:00".into())
        );
        assert_eq!(shown(&zone("CST-8"), 1_774_746_000), "sun 09:00");
        assert_eq!(shown(&Zone::Utc, -1), "wed 23:59");
    }

    #[test]
    fn zone_is_found_by_its_name_its_path_or_its_rule() {
        let folder = env::temp_dir().join(format!("cctv-zones-{}", std::process::id()));
        fs::create_dir_all(folder.join("Here")).unwrap();
        let file = folder.join("Here/There");
        fs::write(&file, tzif::tests::file(0, &[], "CST-8")).unwrap();
        fs::write(folder.join("broken"), "CST-8").unwrap();
        let named = |value: &str| Zone::named(value, &folder).map(|zone| shown(&zone, 0));
        for value in ["Here/There", ":Here/There", file.to_str().unwrap(), "CST-8", "<+08>-8"] {
            assert_eq!(named(value), Ok("thu 08:00".into()), "{value}");
        }
        assert_eq!((named(""), named("UTC0")), (Ok("thu 00:00".into()), Ok("thu 00:00".into())));
        for (value, wrong) in [
            (
                "Here/Nowhere",
                "TZ=\"Here/Nowhere\" in the environment: there is no such time zone; write one like Europe/Berlin",
            ),
            ("Here/../Here/There", "there is no such time zone"),
            ("broken", "broken is no time zone"),
            ("Here", "TZ=\"Here\" in the environment: "),
        ] {
            let told = named(value).unwrap_err();
            assert!(told.contains(wrong), "{value}: {told}");
        }
        // As the files of the machine.
        let of = |localtime: &str, rule: &str| Zone::of_files(&folder.join(localtime), &folder.join(rule));
        assert_eq!(of("Here/There", "none").map(|zone| shown(&zone, 0)), Ok("thu 08:00".into()));
        assert_eq!(of("none", "broken").map(|zone| shown(&zone, 0)), Ok("thu 08:00".into()), "the rule of uClibc");
        for (localtime, wrong) in [
            ("none", "none does not exist; ln -sf"),
            ("broken", "broken is no time zone; ln -sf"),
            ("Here", "Here cannot be read: "),
        ] {
            let told = of(localtime, "none").unwrap_err();
            assert!(told.contains(wrong) && !told.contains("os error"), "{localtime}: {told}");
        }
        fs::remove_dir_all(&folder).unwrap();
    }

    /// All hours of thirty years, of the files of this machine against the rules that they end with.
    #[test]
    fn files_of_the_tz_database_are_read() {
        for (name, rule) in [
            ("Europe/Berlin", "CET-1CEST,M3.5.0,M10.5.0/3"),
            ("America/New_York", "EST5EDT,M3.2.0,M11.1.0"),
            ("Asia/Taipei", "CST-8"),
            ("Australia/Sydney", "AEST-10AEDT,M10.1.0,M4.1.0/3"),
        ] {
            let Ok(Some(bytes)) = read(&Path::new(ZONES).join(name)) else {
                println!("skipped: {name} is not on this machine");
                continue;
            };
            let (table, rule) = (Table::parse(&bytes).expect(name), Rule::parse(rule).unwrap());
            // From 2010 on, beyond the changes that the file lists.
            for hour in 0..50 * 366 * 24 {
                let unix = 1_262_304_000 + hour * 3600;
                assert_eq!(table.offset(unix), rule.offset(unix), "{name} at {unix}");
            }
        }
    }
}

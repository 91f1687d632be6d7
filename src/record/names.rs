//! Names of files: in the order in which they were written, whatever the clock did, with their beginning for people.

/// The folders of a recording.
pub const FRAMES: &str = "frames";
/// Of migrations' records.
pub const MIGRATIONS: &str = "migrations";
/// The file that the one who records holds.
pub const LOCK: &str = "lock";
const ENDING: &str = ".frames";

/// Year, month, day, hour, minute, second, UTC, of seconds since 1970: Howard Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms", civil_from_days.
fn civil(seconds: u64) -> [u64; 6] {
    let (days, of_day) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    [year, month, day, of_day / 3600, of_day / 60 % 60, of_day % 60]
}

/// Days since 1970 of a date: days_from_civil.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let year = if month <= 2 { year.checked_sub(1)? } else { year };
    let (era, of_era) = (year / 400, year % 400);
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * shifted + 2) / 5 + day.checked_sub(1)?;
    (era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year).checked_sub(719_468)
}

/// A moment as `20261123T033635Z`.
pub fn moment(wall_ns: u64) -> String {
    let [year, month, day, hour, minute, second] = civil(wall_ns / 1_000_000_000);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

/// Seconds since 1970 of what `moment` gives.
pub fn seconds(text: &str) -> Option<u64> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<u64>().ok();
    let days = days(number(0..4)?, number(4..6)?, number(6..8)?)?;
    Some(days * 86_400 + number(9..11)? * 3600 + number(11..13)? * 60 + number(13..15)?)
}

/// The name of a file of frames.
pub fn frames(sequence: u64, wall_ns: u64) -> String {
    format!("{sequence:010}-{}{ENDING}", moment(wall_ns))
}

/// Sequence and beginning (seconds since 1970) of a file of frames; `None` if the name is not one.
pub fn parse_frames(name: &str) -> Option<(u64, u64)> {
    let (sequence, moment) = name.strip_suffix(ENDING)?.split_once('-')?;
    Some((sequence.parse().ok()?, seconds(moment)?))
}

#[cfg(test)]
mod tests {
    use super::{frames, moment, parse_frames, seconds};
    use proptest::prelude::{prop_assert_eq, proptest};

    #[test]
    fn moments_are_those_of_the_calendar() {
        // date -u -d @951782400
        assert_eq!(moment(951_782_400_000_000_000), "20000229T000000Z");
        assert_eq!(moment(0), "19700101T000000Z");
        assert_eq!(moment(1_795_405_595_999_999_999), "20261123T034635Z");
        assert_eq!(parse_frames("lock"), None);
        assert_eq!(parse_frames("0000000001-20261123T03.frames"), None);
    }

    proptest! {
        #[test]
        fn names_come_back(sequence in 0..u64::MAX, second in 0..10_000_000_000_u64) {
            let wall_ns = second * 1_000_000_000 + 5;
            prop_assert_eq!(seconds(&moment(wall_ns)), Some(second));
            prop_assert_eq!(parse_frames(&frames(sequence, wall_ns)), Some((sequence, second)));
        }
    }
}

//! Numbers as people read them.

use std::time::Duration;

/// A rate of bytes as links are spoken of: `9.41 Gbit/s`.
pub fn bits_per_second(bytes_per_second: f64) -> String {
    let bits = bytes_per_second * 8.0;
    let (scaled, unit) = match bits {
        b if b >= 1e9 => (b / 1e9, "Gbit/s"),
        b if b >= 1e6 => (b / 1e6, "Mbit/s"),
        b if b >= 1e3 => (b / 1e3, "kbit/s"),
        b => (b, "bit/s"),
    };
    format!("{} {unit}", three_digits(scaled))
}

/// An amount of memory: `512 MiB`, `1.5 GiB`.
pub fn bytes(bytes: f64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut scaled, mut unit) = (bytes, 0);
    // Not at 1024: what would be written as 1024 or 1000 of one unit is 1 of the next.
    while scaled >= 999.5 && unit + 1 < UNITS.len() {
        scaled /= 1024.0;
        unit += 1;
    }
    format!("{} {}", three_digits(scaled), UNITS[unit])
}

fn three_digits(value: f64) -> String {
    let text = match value {
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    };
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// A whole number with its thousands apart: `1 234 567`.
pub fn count(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

/// A time: `38 µs`, `1.2 ms`, `2 min 5 s`, `3 h 12 min`.
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    match seconds {
        s if s >= 3600.0 => format!("{:.0} h {:.0} min", (s / 3600.0).floor(), (s % 3600.0 / 60.0).floor()),
        s if s >= 100.0 => format!("{:.0} min {:.0} s", (s / 60.0).floor(), (s % 60.0).floor()),
        s if s >= 1.0 => format!("{} s", three_digits(s)),
        s if s >= 1e-3 => format!("{} ms", three_digits(s * 1e3)),
        s => format!("{} µs", three_digits(s * 1e6)),
    }
}

/// Seconds of a forecast: `0 s`, `38 s`; what is infinite never ends.
pub fn seconds(seconds: f64) -> String {
    match Duration::try_from_secs_f64(seconds) {
        Ok(Duration::ZERO) => "0 s".into(),
        Ok(time) => duration(time),
        Err(_) => "never ends".into(),
    }
}

/// The time of day in UTC: `14:03:07`.
pub fn time_of_day(wall_ns: u64) -> String {
    let second = wall_ns / 1_000_000_000 % 86_400;
    format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::{bits_per_second, bytes, count, duration, seconds, time_of_day};
    use std::time::Duration;

    #[test]
    fn numbers_read_well() {
        let rates = [0.0, 12.5, 1.25e5, 1.17625e9, 1.25e9, 1.25e10].map(bits_per_second);
        assert_eq!(rates, ["0 bit/s", "100 bit/s", "1 Mbit/s", "9.41 Gbit/s", "10 Gbit/s", "100 Gbit/s"]);
        assert_eq!(
            [0.0, 999.0, 1000.0, 1_234_567.0].map(count),
            ["0", "999", "1\u{202f}000", "1\u{202f}234\u{202f}567"]
        );
        let times = [38, 1200, 2_000_000].map(|us| duration(Duration::from_micros(us)));
        assert_eq!(times, ["38 µs", "1.2 ms", "2 s"]);
        let long = [99, 125, 11_537].map(|seconds| duration(Duration::from_secs(seconds)));
        assert_eq!(long, ["99 s", "2 min 5 s", "3 h 12 min"]);
        assert_eq!([0.0, 125.0, f64::INFINITY].map(seconds), ["0 s", "2 min 5 s", "never ends"]);
        let sizes = [0.0, 1536.0, 1_048_575.0, 536_870_912.0, 68_719_476_736.0, 1e18].map(bytes);
        assert_eq!(sizes, ["0 B", "1.5 KiB", "1 MiB", "512 MiB", "64 GiB", "909495 TiB"]);
        assert_eq!(time_of_day(1_795_359_859_685_808_200), "15:04:19");
    }
}

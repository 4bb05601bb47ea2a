//! Numbers as people read them, in few characters: five or six, so that columns are narrow.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// How many: `1234`, `12.3k`, `4.5M`.
pub(crate) fn count(number: u64) -> String {
    if number < 10_000 {
        return number.to_string();
    }
    let units = [(1e3, "k"), (1e6, "M"), (1e9, "G"), (1e12, "T")];
    for (unit, name) in units {
        let value = number as f64 / unit;
        // What would be rounded up to 1000 is one of the next.
        if value < 99.95 {
            return format!("{value:.1}{name}");
        }
        if value < 999.5 {
            return format!("{value:.0}{name}");
        }
    }
    format!("{:.0e}", number as f64)
}

/// How many a second: `0`, `0.02`, `1.5`, `12.3k`.
pub(crate) fn rate(per_second: f64) -> String {
    if per_second >= 99.95 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "casts saturate, and more than that is not to be read"
        )]
        return count(per_second.round() as u64);
    }
    match per_second {
        none if none <= 0.0 => "0".to_owned(),
        few if few < 0.01 => "<0.01".to_owned(),
        few if few < 0.995 => format!("{few:.2}"),
        some => format!("{some:.1}"),
    }
}

/// How long: `<1ms`, `45ms`, `1.2s`, `45s`, `3m05s`, `2h10m`, `12d`.
pub(crate) fn span(lasted: Duration) -> String {
    let seconds = lasted.as_secs();
    match lasted.as_millis() {
        0 => "<1ms".to_owned(),
        millis @ 1..1_000 => format!("{millis}ms"),
        1_000..10_000 => {
            // Down: what is 9.96 s is not ten.
            let tenths = lasted.as_millis() / 100;
            format!("{}.{}s", tenths / 10, tenths % 10)
        }
        _ if seconds < 60 => format!("{seconds}s"),
        _ if seconds < 10 * 60 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ if seconds < 60 * 60 => format!("{}m", seconds / 60),
        _ if seconds < 10 * 3600 => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
        _ if seconds < 48 * 3600 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// How long ago that was; nothing if it is to come.
pub(crate) fn ago(then: DateTime<Utc>, now: DateTime<Utc>) -> String {
    age((now - then).to_std().unwrap_or_default())
}

/// How long ago something was, in seconds at the least.
pub(crate) fn age(passed: Duration) -> String {
    // Clocks of milliseconds say nothing here.
    match passed.as_secs() {
        0 => "0s".to_owned(),
        seconds => span(Duration::from_secs(seconds)).replace(".0s", "s"),
    }
}

/// The time of a percentile, or `-` where nothing was measured.
pub(crate) fn span_or_none(lasted: Option<Duration>) -> String {
    lasted.map_or_else(|| "-".to_owned(), span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_short() {
        let counted = [
            (0, "0"),
            (9_999, "9999"),
            (12_345, "12.3k"),
            (99_960, "100k"),
            (999_499, "999k"),
            (999_600, "1.0M"),
            (4_500_000, "4.5M"),
            (12_000_000_000, "12.0G"),
            (u64::MAX, "2e19"),
        ];
        for (number, text) in counted {
            assert_eq!(count(number), text);
        }
    }

    #[test]
    fn rates_are_short() {
        let rated = [
            (0.0, "0"),
            (0.001, "<0.01"),
            (0.25, "0.25"),
            (0.999, "1.0"),
            (12.34, "12.3"),
            (99.96, "100"),
            (54_321.0, "54.3k"),
        ];
        for (per_second, text) in rated {
            assert_eq!(rate(per_second), text);
        }
    }

    #[test]
    fn durations_are_short() {
        let lasted = [
            (0, "<1ms"),
            (45, "45ms"),
            (1_260, "1.2s"),
            (9_990, "9.9s"),
            (45_600, "45s"),
            (185_000, "3m05s"),
            (600_000, "10m"),
            (7_800_000, "2h10m"),
            (36_000_000, "10h"),
            (172_800_000, "2d"),
        ];
        for (millis, text) in lasted {
            assert_eq!(span(Duration::from_millis(millis)), text);
        }
        let now = Utc::now();
        assert_eq!(ago(now - Duration::from_secs(4), now), "4s");
        assert_eq!(ago(now + Duration::from_secs(4), now), "0s");
    }
}

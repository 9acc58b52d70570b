//! Durations as people read them: two units at most, fewer the longer it is.
//!
//! Source: apimachinery `util/duration.HumanDuration`.

use jiff::{SignedDuration, Timestamp};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;

/// The time between an API timestamp and now; `<unknown>` without one.
pub(super) fn since(timestamp: &str, now: Timestamp) -> String {
    if timestamp.is_empty() {
        return "<unknown>".to_owned();
    }
    match timestamp.parse::<Timestamp>() {
        Ok(time) => human(now.duration_since(time)),
        Err(_) => "<invalid>".to_owned(),
    }
}

/// The time between two API timestamps; empty if either cannot be read.
pub(super) fn between(begin: &str, end: &str) -> String {
    match (begin.parse::<Timestamp>(), end.parse::<Timestamp>()) {
        (Ok(begin), Ok(end)) => human(end.duration_since(begin)),
        _ => String::new(),
    }
}

/// Such as `95s`, `3m20s`, `5h`, `2d3h`, `3y12d`.
pub(super) fn human(duration: SignedDuration) -> String {
    let seconds = duration.as_secs();
    let two = |large: i64, large_unit: &str, small: i64, small_unit: &str| {
        if small == 0 {
            format!("{large}{large_unit}")
        } else {
            format!("{large}{large_unit}{small}{small_unit}")
        }
    };
    let (minutes, hours, days) = (seconds / MINUTE, seconds / HOUR, seconds / DAY);
    match seconds {
        ..-1 => "<invalid>".to_owned(),
        -1 => "0s".to_owned(),
        0..120 => format!("{seconds}s"),
        _ if minutes < 10 => two(minutes, "m", seconds % MINUTE, "s"),
        _ if minutes < 180 => format!("{minutes}m"),
        _ if hours < 8 => two(hours, "h", minutes % 60, "m"),
        _ if hours < 48 => format!("{hours}h"),
        _ if hours < 192 => two(days, "d", hours % 24, "h"),
        _ if seconds < 2 * YEAR => format!("{days}d"),
        _ if seconds < 8 * YEAR => two(seconds / YEAR, "y", days % 365, "d"),
        _ => format!("{}y", seconds / YEAR),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(seconds: i64, expect: &str) {
        assert_eq!(human(SignedDuration::from_secs(seconds)), expect);
    }

    #[test]
    fn durations_read_as_kubectl_users_know_them() {
        check(-2, "<invalid>");
        check(-1, "0s");
        check(0, "0s");
        check(119, "119s");
        check(120, "2m");
        check(125, "2m5s");
        check(599, "9m59s");
        check(600, "10m");
        check(179 * 60, "179m");
        check(180 * 60, "3h");
        check(181 * 60, "3h1m");
        check(8 * HOUR + 60, "8h");
        check(48 * HOUR, "2d");
        check(51 * HOUR, "2d3h");
        check(8 * DAY + HOUR, "8d");
        check(2 * YEAR, "2y");
        check(2 * YEAR + DAY, "2y1d");
        check(9 * YEAR + DAY, "9y");
    }

    #[test]
    fn what_is_no_time_is_said_to_be_none() {
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(since("", now), "<unknown>");
        assert_eq!(since("yesterday", now), "<invalid>");
        assert_eq!(since("1969-12-31T23:59:30Z", now), "30s");
        assert_eq!(
            between("1969-12-31T23:59:30Z", "1970-01-01T00:00:00Z"),
            "30s"
        );
        assert_eq!(between("", "1970-01-01T00:00:00Z"), "");
    }
}

//! When: times as people speak of them.

use std::time::{Duration, SystemTime};

use super::Paper;
use super::text::clean;

/// How long ago, in the largest unit that says something: `12s`, `5m`, `3h`, `9d`. Empty when unreadable.
pub(crate) fn age(time: &str, paper: &Paper) -> String {
    parse(time)
        .map_or_else(String::new, |time| brief(paper.now.duration_since(time).unwrap_or(Duration::ZERO)))
}

/// A moment to the second.
pub(crate) fn moment(time: &str) -> String {
    parse(time).map_or_else(|| clean(time), |time| humantime::format_rfc3339_seconds(time).to_string())
}

/// ` until T (in 5m)`, or nothing when there is no end.
pub(crate) fn until(time: Option<&str>, paper: &Paper) -> String {
    let Some(text) = time else { return String::new() };
    let left = left(text, paper).map(|left| format!(" (in {left})")).unwrap_or_default();
    format!(" until {}{left}", moment(text))
}

/// How long until a moment: `8s`, `5m`; nothing when it is past or unreadable.
pub(crate) fn left(time: &str, paper: &Paper) -> Option<String> {
    parse(time).and_then(|time| time.duration_since(paper.now).ok()).map(brief)
}

/// How long something took: `35 ms`, `1.2 s`, `5m`. Empty when unreadable.
pub(crate) fn took(from: &str, to: &str) -> String {
    let (Some(from), Some(to)) = (parse(from), parse(to)) else { return String::new() };
    let took = to.duration_since(from).unwrap_or(Duration::ZERO);
    match took.as_millis() {
        0..1_000 => format!("{} ms", took.as_millis()),
        1_000..60_000 => format!("{:.1} s", took.as_secs_f64()),
        _ => brief(took),
    }
}

fn brief(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

fn parse(time: &str) -> Option<SystemTime> {
    humantime::parse_rfc3339_weak(time).ok()
}

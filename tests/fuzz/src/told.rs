//! Told: what must hold of every sentence with which an input is refused.

/// More lines do not fit on a screen.
const LINES_MAX: usize = 24;
/// Nor do more bytes.
const BYTES_MAX: usize = 4_096;

/// Panics unless what a leader says of a field is a line that a gRPC header and a terminal can carry.
///
/// # Panics
///
/// See above.
pub fn check_fault(words: &str, field: &str) {
    let fine = words.starts_with(field) && words.len() <= BYTES_MAX && !words.contains(char::is_control);
    assert!(fine, "fault: it is no line for a header or a terminal");
}

/// Panics unless the words say something, fit on a screen, can't move its cursor, and each line begins with `place`.
///
/// # Panics
///
/// See above.
pub fn check(words: &str, place: &str) {
    assert!(!words.trim().is_empty(), "told: nothing is said");
    assert!(words.len() <= BYTES_MAX, "told: {} bytes do not fit on a screen", words.len());
    assert!(words.lines().count() <= LINES_MAX, "told: more than {LINES_MAX} lines");
    let stray = words.chars().find(|c| c.is_control() && *c != '\n');
    assert!(stray.is_none(), "told: the control character {stray:?} reaches the terminal");
    let elsewhere = words.lines().find(|line| !line.starts_with(place));
    assert!(elsewhere.is_none(), "told: a line does not begin with its place {place:?}");
    for trace in ["panicked at", "stack backtrace", "RUST_BACKTRACE", "unwrap()"] {
        assert!(!words.contains(trace), "told: {trace:?} is no sentence");
    }
}

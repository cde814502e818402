//! Mistake: says what is wrong with a configuration file, on which line, and what was probably meant.

use std::path::{Path, PathBuf};

use watchdog_trust::distance;

/// Why the configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file can't be read.
    #[error("cannot read the configuration {}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What went wrong.
        source: std::io::Error,
    },
    /// Something in it is wrong.
    #[error("{}:{line}: {what}", path.display())]
    Wrong {
        /// Which file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong, and how to mend it.
        what: String,
    },
}

/// Turns the parser's error into one for people.
pub(super) fn explain(path: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    let line = error.span().map_or(1, |span| line_of(text, span.start));
    ConfigError::Wrong { path: path.to_owned(), line, what: told(&reword(error.message())) }
}

/// A value that the types allow and the rules do not.
pub(super) fn wrong(path: &Path, text: &str, key: &'static str, reason: &str) -> ConfigError {
    let names_it = |line: &str| {
        let bare = line.trim_start();
        !bare.starts_with('#') && bare.split(['=', ' ', '.', '[', ']']).any(|word| word == key)
    };
    let line = text.lines().position(names_it).map_or(1, |index| index + 1);
    ConfigError::Wrong { path: path.to_owned(), line, what: told(&format!("{key}: {reason}")) }
}

/// More characters than these do not fit on a screen.
const WHAT_CHARACTERS_MAX: usize = 1_000;

/// What is wrong, fit for a terminal: nothing in it moves the cursor, and the middle of a long one is left out.
fn told(what: &str) -> String {
    let harmless = |c: char| if c.is_control() { c.escape_default().collect() } else { c.to_string() };
    let what: String = what.chars().map(harmless).collect();
    let characters = what.chars().count();
    if characters <= WHAT_CHARACTERS_MAX {
        return what;
    }
    let start = what.chars().take(WHAT_CHARACTERS_MAX / 2);
    start.chain(" … ".chars()).chain(what.chars().skip(characters - WHAT_CHARACTERS_MAX / 4)).collect()
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// ``unknown field `x`, expected one of `a`, `b` `` becomes a sentence with the nearest of them.
fn reword(message: &str) -> String {
    let (kind, rest) =
        match (message.strip_prefix("unknown field `"), message.strip_prefix("unknown variant `")) {
            (Some(rest), _) => ("key", rest),
            (_, Some(rest)) => ("value", rest),
            _ => return message.trim().replace('\n', " "),
        };
    let Some((found, expected)) = rest.split_once('`') else { return message.to_owned() };
    let known: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
    match nearest(found, known.iter().copied()) {
        Some(meant) => format!("unknown {kind} `{found}`; did you mean `{meant}`?"),
        None => format!("unknown {kind} `{found}`; known are: {}", known.join(", ")),
    }
}

/// The most alike of `known`, if it is alike enough to be meant.
pub(crate) fn nearest<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = found.len().max(3) / 3 + 1;
    let scored = known.into_iter().map(|word| (distance(found, word), word));
    scored.filter(|(away, _)| *away <= limit).min().map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let known = ["clusters", "coordination", "lease_ms"];
        assert_eq!(nearest("cluster", known), Some("clusters"));
        assert_eq!(nearest("leasems", known), Some("lease_ms"));
        assert_eq!(nearest("zzz", known), None);
    }
}

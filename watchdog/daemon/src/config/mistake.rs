//! Mistake: says what is wrong with a configuration file, at which line and column, and what was probably meant.

use std::ops::Range;
use std::path::{Path, PathBuf};

use watchdog_trust::{Place, nearest};

use super::EXAMPLE;

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
    #[error("{}:{place}: {what}", path.display())]
    Wrong {
        /// Which file.
        path: PathBuf,
        /// Where in it.
        place: Place,
        /// What is wrong, and how to mend it.
        what: String,
    },
}

/// A file's text, so that mistakes can be placed in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    /// Which file.
    pub(super) path: &'a Path,
    /// What it holds.
    pub(super) text: &'a str,
}

impl Source<'_> {
    /// A value that the types allow and the rules do not.
    pub(super) fn wrong(&self, span: &Range<usize>, reason: &str) -> ConfigError {
        let what = match self.key_of(span) {
            Some(key) => format!("{key}: {reason}"),
            None => reason.to_owned(),
        };
        self.at(span.start, &what)
    }

    /// Turns the parser's error into one for people.
    pub(super) fn explain(&self, error: &toml::de::Error) -> ConfigError {
        let span = error.span().unwrap_or_default();
        let message = error.message().trim().replace('\n', ", ");
        if let Some(what) = about_keys(&message) {
            return self.at(span.start, &what);
        }
        let reason = reword(&message);
        let is_syntax = reason == message && self.key_of(&span).is_none();
        if is_syntax { self.at(span.start, &reason) } else { self.wrong(&span, &reason) }
    }

    fn at(&self, offset: usize, what: &str) -> ConfigError {
        let place = Place::of(self.text, offset);
        ConfigError::Wrong { path: self.path.to_owned(), place, what: told(what) }
    }

    /// The key whose value begins at `span`: what stands before the last `=` above it.
    fn key_of(&self, span: &Range<usize>) -> Option<&str> {
        let before = self.text.get(..span.start)?;
        let line =
            before.lines().rev().find(|line| !line.trim_start().starts_with('#') && line.contains('='))?;
        let key = line.split('=').next()?.trim();
        let bare =
            !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
        bare.then_some(key)
    }
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

/// Messages about the keys themselves: unknown and missing ones.
fn about_keys(message: &str) -> Option<String> {
    if let Some(missing) = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        let example = example_of(missing).unwrap_or(missing);
        return Some(format!("the key `{missing}` is missing; for example: {example}"));
    }
    let (found, expected) = message.strip_prefix("unknown field `")?.split_once('`')?;
    let known: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
    let hint = match (nearest(found, known.iter().copied()), example_table(found)) {
        (Some(meant), _) => format!("did you mean `{meant}`?"),
        (None, Some("")) => "it belongs above the first table".to_owned(),
        (None, Some(table)) => format!("it belongs into [{table}]"),
        (None, None) => format!("known are: {}", known.join(", ")),
    };
    Some(format!("unknown key `{found}`; {hint}"))
}

/// Messages about values: ``invalid type: string "3", expected u64`` and the like.
fn reword(message: &str) -> String {
    if let Some((found, expected)) =
        message.strip_prefix("unknown variant `").and_then(|rest| rest.split_once('`'))
    {
        let known: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
        return match nearest(found, known.iter().copied()) {
            Some(meant) => format!("unknown value `{found}`; did you mean `{meant}`?"),
            None => format!("unknown value `{found}`; known are: {}", known.join(", ")),
        };
    }
    let mismatch = ["invalid type: ", "invalid value: "].iter().find_map(|kind| message.strip_prefix(kind));
    match mismatch.and_then(|rest| rest.rsplit_once(", expected ")) {
        Some((found, expected)) => format!("expected {}, found {found}", plain(expected)),
        None if message == "invalid socket address syntax" => {
            "expected an address such as 127.0.0.1:7400".to_owned()
        }
        None => message.to_owned(),
    }
}

/// The parser's name of a type, in words.
fn plain(expected: &str) -> &str {
    match expected {
        "u64" | "u32" | "u16" => "a whole number that is not negative",
        "a string" | "a borrowed string" | "path string" => "a text in quotes",
        "a sequence" => "a list such as [\"demo\"]",
        "socket address" => "an address such as \"127.0.0.1:7400\"",
        other if other.starts_with("struct ") => "a table",
        other if other.starts_with("enum ") => "one of the known words in quotes",
        other => other,
    }
}

/// The line of the example that sets `key`, also one that is commented out.
fn example_of(key: &str) -> Option<&'static str> {
    example_lines()
        .find(|(_, line)| line.split_once(" = ").is_some_and(|(name, _)| name == key))
        .map(|(_, line)| line)
}

/// The table in which `key` stands in the example; empty for the top.
fn example_table(key: &str) -> Option<&'static str> {
    example_lines()
        .find(|(_, line)| line.split_once(" = ").is_some_and(|(name, _)| name == key))
        .map(|(table, _)| table)
}

/// Each line of the example without its comment sign, and the table that it stands in.
fn example_lines() -> impl Iterator<Item = (&'static str, &'static str)> {
    let mut table = "";
    EXAMPLE.lines().map(move |line| {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            table = name;
        }
        (table, line.strip_prefix("# ").unwrap_or(line))
    })
}

//! Mistake: says what is wrong with a file of identities, at which line and column, and what was probably meant.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Why a file of identities can't be used.
#[derive(Debug, thiserror::Error)]
pub enum IdentitiesError {
    /// It can't be read.
    #[error("cannot read the identities {}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What went wrong.
        source: std::io::Error,
    },
    /// Others than its owner may write to it, and so make themselves what they like.
    #[error(
        "{} may be written by others than its owner (mode {mode:03o}): chmod go-w {}",
        path.display(), path.display()
    )]
    Writable {
        /// Which file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It is larger than any list of people.
    #[error("{} is larger than {max} bytes", path.display())]
    TooLarge {
        /// Which file.
        path: PathBuf,
        /// How large it may be.
        max: u64,
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

/// A place in a text; both count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    line: usize,
    column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// A file's text, so that mistakes can be placed in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'a> {
    /// Which file.
    pub(crate) path: &'a Path,
    /// What it holds.
    pub(crate) text: &'a str,
}

impl Source<'_> {
    /// Something at `span` that the types allow and the rules do not.
    pub(crate) fn wrong(&self, span: &Range<usize>, what: &str) -> IdentitiesError {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        let place = Place {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        };
        IdentitiesError::Wrong { path: self.path.to_owned(), place, what: told(what) }
    }

    /// Turns the parser's error into one for people. A value is never repeated: it may be a token.
    pub(crate) fn explain(&self, error: &toml::de::Error) -> IdentitiesError {
        let span = error.span().unwrap_or_default();
        self.wrong(&span, &reword(error.message()))
    }
}

/// More characters than these do not fit on a screen.
const WHAT_CHARACTERS_MAX: usize = 600;

/// What is wrong, fit for a terminal: nothing in it moves the cursor, and the end of a long one is left out.
fn told(what: &str) -> String {
    let harmless = |c: char| if c.is_control() { c.escape_default().collect() } else { c.to_string() };
    let what: String = what.chars().map(harmless).collect();
    if what.chars().count() <= WHAT_CHARACTERS_MAX {
        return what;
    }
    what.chars().take(WHAT_CHARACTERS_MAX).chain(" …".chars()).collect()
}

fn reword(message: &str) -> String {
    let message = message.trim();
    if let Some(missing) = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        return format!("the key `{missing}` is missing");
    }
    if let Some((found, expected)) =
        message.strip_prefix("unknown field `").and_then(|rest| rest.split_once('`'))
    {
        let known: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
        return match nearest(found, known.iter().copied()) {
            Some(meant) => format!("unknown key `{found}`; did you mean `{meant}`?"),
            None => format!("unknown key `{found}`; known are: {}", known.join(", ")),
        };
    }
    let mismatch = ["invalid type: ", "invalid value: "].iter().find_map(|kind| message.strip_prefix(kind));
    match mismatch.and_then(|rest| rest.rsplit_once(", expected ")) {
        Some((_, "a sequence")) => "expected [[identity]], with two brackets, before each".to_owned(),
        Some((_, "a string")) => "expected a text in quotes".to_owned(),
        Some((_, expected)) if expected.starts_with("struct ") => "expected a table [[identity]]".to_owned(),
        Some((_, expected)) => format!("expected {expected}"),
        None => message.replace('\n', ", "),
    }
}

/// The most alike of `known`, if it is alike enough to be meant.
pub(crate) fn nearest<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = found.len().max(3) / 3 + 1;
    let scored = known.into_iter().map(|word| (distance(found, word), word));
    scored.filter(|(away, word)| *away <= limit && *away < word.len()).min().map(|(_, word)| word)
}

/// Insertions, deletions and replacements between two words (Levenshtein); what is long is like nothing.
fn distance(a: &str, b: &str) -> usize {
    if a.len() > 100 {
        return usize::MAX;
    }
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

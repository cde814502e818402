//! Mistake: says what is wrong with a file of identities, at which line and column, and what was probably meant.

use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::words::{Place, nearest};

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
        let place = Place::of(self.text, span.start);
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

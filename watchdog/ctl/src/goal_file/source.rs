//! Source: a text with its name, in which a byte has a line and a column.

use std::sync::OnceLock;

/// Of a longer field only the beginning and the end are told.
const FIELD_CHARACTERS_MAX: usize = 80;
/// The same of what is wrong with it, which may repeat the file.
const WHAT_CHARACTERS_MAX: usize = 240;

/// A text as it was read.
#[derive(Debug)]
pub(super) struct Source {
    /// The file's name, or `stdin`.
    pub(super) name: String,
    /// What it says.
    pub(super) text: String,
    /// Where its lines end; found when first asked for, because a file with many mistakes asks often.
    ends: OnceLock<Vec<usize>>,
}

/// What is wrong, and where.
#[derive(Debug)]
pub(super) struct Mistake {
    /// At which byte; `None` when it is about the whole.
    pub(super) at: Option<usize>,
    /// The field or key, as in `rollout.canary`; empty when there is none.
    pub(super) field: String,
    /// What is wrong with it, and how to mend it.
    pub(super) what: String,
}

impl Source {
    /// A text and its name.
    pub(super) fn new(name: String, text: String) -> Self {
        Self { name, text, ends: OnceLock::new() }
    }

    /// The line of a byte, from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        let ends = self.ends.get_or_init(|| self.text.match_indices('\n').map(|(end, _)| end).collect());
        ends.partition_point(|end| *end < at) + 1
    }

    /// `file:line:column`, both from 1; the column counts characters.
    pub(super) fn place(&self, at: usize) -> String {
        let before = self.before(at);
        let line = before.rsplit('\n').next().unwrap_or_default();
        format!("{}:{}:{}", self.name, self.line(at), line.chars().count() + 1)
    }

    /// A mistake behind its place.
    pub(super) fn complaint(&self, mistake: &Mistake) -> String {
        let place = mistake.at.map_or_else(|| self.name.clone(), |at| self.place(at));
        let colon = if mistake.field.is_empty() { "" } else { ": " };
        let field = told(&mistake.field, FIELD_CHARACTERS_MAX);
        format!("{place}: {field}{colon}{}", told(&mistake.what, WHAT_CHARACTERS_MAX))
    }

    fn before(&self, at: usize) -> &str {
        let mut end = at.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        &self.text[..end]
    }
}

/// The text fit for a line of a terminal: nothing in it moves the cursor, and the middle of a long one is left out.
pub(super) fn told(text: &str, characters_max: usize) -> String {
    let mut told = String::new();
    for character in text.chars() {
        match character {
            '\n' | '\r' | '\t' => told.push(' '),
            character if character.is_control() => told.extend(character.escape_default()),
            character => told.push(character),
        }
    }
    let characters = told.chars().count();
    if characters <= characters_max {
        return told;
    }
    let end = characters_max / 3;
    let start = told.chars().take(characters_max - end - 3);
    start.chain(" … ".chars()).chain(told.chars().skip(characters - end)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_and_stays_one() {
        let source = Source::new("goal.toml".to_owned(), "a\nbä\n\nc".to_owned());
        for (at, line) in [(0, 1), (1, 1), (2, 2), (5, 2), (6, 3), (7, 4), (99, 4)] {
            assert_eq!(source.line(at), line, "{at}");
        }
        let what = format!("{}; write less", "x\u{1b}[2J\n".repeat(9_000));
        let complaint = source.complaint(&Mistake { at: Some(2), field: String::new(), what });
        assert!(complaint.starts_with("goal.toml:2:1: x\\u{1b}[2J x"), "{complaint}");
        assert!(complaint.ends_with("; write less") && complaint.chars().count() < 300, "{complaint}");
    }
}

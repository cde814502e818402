//! Source: a text with its name, in which a byte has a line and a column.

/// A text as it was read.
#[derive(Debug)]
pub(super) struct Source {
    /// The file's name, or `stdin`.
    pub(super) name: String,
    /// What it says.
    pub(super) text: String,
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
    /// The line of a byte, from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        self.before(at).matches('\n').count() + 1
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
        format!("{place}: {}{colon}{}", mistake.field, mistake.what)
    }

    fn before(&self, at: usize) -> &str {
        let mut end = at.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        &self.text[..end]
    }
}

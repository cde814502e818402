//! Reader: values of the kinds that fields have; what doesn't fit is noted with its place, and reading goes on.

use crate::values::LONGEST;

use super::node::{Entry, Node, Shape};
use super::source::Mistake;

/// Reads, and remembers what was wrong.
#[derive(Debug, Default)]
pub(super) struct Reader {
    pub(super) mistakes: Vec<Mistake>,
}

impl Reader {
    /// Notes a mistake.
    pub(super) fn wrong(&mut self, at: usize, field: &str, what: impl Into<String>) {
        self.mistakes.push(Mistake { at: Some(at), field: field.to_owned(), what: what.into() });
    }

    /// Notes that something else was expected.
    pub(super) fn expected(&mut self, node: &Node, field: &str, what: &str) {
        self.wrong(node.at, field, format!("expected {what}, found {}", node.kind()));
    }

    /// The entries of a table.
    pub(super) fn table<'a>(&mut self, node: &'a Node, field: &str) -> Option<&'a [Entry]> {
        if let Shape::Table(entries) = &node.shape {
            return Some(entries);
        }
        self.expected(node, field, "a table");
        None
    }

    /// A text.
    pub(super) fn text<'a>(&mut self, node: &'a Node, field: &str) -> Option<&'a str> {
        if let Shape::Text(text) = &node.shape {
            return Some(text);
        }
        self.expected(node, field, "a text in quotes");
        None
    }

    /// True or false.
    pub(super) fn flag(&mut self, node: &Node, field: &str) -> Option<bool> {
        if let Shape::Flag(flag) = &node.shape {
            return Some(*flag);
        }
        self.expected(node, field, "true or false, without quotes");
        None
    }

    /// A whole number from 0 on.
    pub(super) fn whole(&mut self, node: &Node, field: &str) -> Option<u64> {
        let number = if let Shape::Number(number) = &node.shape { number.as_u64() } else { None };
        if number.is_none() {
            let found = match &node.shape {
                Shape::Number(number) => number.to_string(),
                _ => node.kind().to_owned(),
            };
            self.wrong(node.at, field, format!("expected a whole number from 0 on, found {found}"));
        }
        number
    }

    /// A number of replicas or of failures.
    pub(super) fn count(&mut self, node: &Node, field: &str) -> Option<u32> {
        let number = self.whole(node, field)?;
        let count = u32::try_from(number).ok();
        if count.is_none() {
            self.wrong(node.at, field, format!("{number} is more than {}", u32::MAX));
        }
        count
    }

    /// A duration such as `10s`, in milliseconds.
    pub(super) fn duration_ms(&mut self, node: &Node, field: &str) -> Option<u64> {
        let Shape::Text(text) = &node.shape else {
            let name = field.rsplit('.').next().unwrap_or(field);
            let lesson = format!("a duration in quotes, such as \"10s\" (or {name}_ms, in milliseconds)");
            self.expected(node, field, &lesson);
            return None;
        };
        match humantime::parse_duration(text) {
            Ok(duration) if duration.subsec_nanos() % 1_000_000 != 0 => {
                self.wrong(node.at, field, format!("{text:?} is finer than a millisecond; write \"10ms\""));
                None
            }
            Ok(duration) if duration > LONGEST => {
                self.wrong(node.at, field, format!("{text:?} is longer than a century"));
                None
            }
            Ok(duration) => u64::try_from(duration.as_millis()).ok(),
            Err(error) => {
                self.wrong(node.at, field, format!("{text:?}: {error}; write \"500ms\", \"10s\" or \"5m\""));
                None
            }
        }
    }
}

//! Audit: what is wrong anywhere in a tree, whatever the fields mean: names given twice, numbers that can't be kept.

use std::collections::HashMap;

use super::node::{Node, Shape, inside};
use super::source::{Mistake, Source};

/// The mistakes of a tree.
pub(super) fn audit(root: &Node, source: &Source) -> Vec<Mistake> {
    let mut auditor = Auditor { source, path: Vec::new(), mistakes: Vec::new() };
    auditor.look(root);
    auditor.mistakes
}

struct Auditor<'a> {
    source: &'a Source,
    /// The names and indices that lead here; made into text only for a mistake.
    path: Vec<Step<'a>>,
    mistakes: Vec<Mistake>,
}

enum Step<'a> {
    Name(&'a str),
    Index(usize),
}

impl<'a> Auditor<'a> {
    fn look(&mut self, node: &'a Node) {
        match &node.shape {
            Shape::Odd(why) => self.wrong(node.at, why.clone()),
            Shape::List(nodes) => {
                for (index, node) in nodes.iter().enumerate() {
                    self.path.push(Step::Index(index));
                    self.look(node);
                    self.path.pop();
                }
            }
            Shape::Table(entries) => {
                let mut first_at = HashMap::with_capacity(entries.len());
                for entry in entries {
                    self.path.push(Step::Name(&entry.name));
                    if let Some(first) = first_at.insert(entry.name.as_str(), entry.at) {
                        let line = self.source.line(first);
                        self.wrong(entry.at, format!("it is given twice, before in line {line}; keep one"));
                    }
                    self.look(&entry.node);
                    self.path.pop();
                }
            }
            Shape::Null | Shape::Flag(_) | Shape::Number(_) | Shape::Text(_) => {}
        }
    }

    fn wrong(&mut self, at: usize, what: String) {
        let mut field = String::new();
        for step in &self.path {
            field = match step {
                Step::Name(name) => inside(&field, name),
                Step::Index(index) => format!("{field}[{index}]"),
            };
        }
        self.mistakes.push(Mistake { at: Some(at), field, what });
    }
}

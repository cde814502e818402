//! Node: what a goal file says and where it says so, the same for TOML and JSON.

use serde_json::{Number, Value};

/// A value, and the byte at which it begins.
#[derive(Debug)]
pub(super) struct Node {
    /// Where.
    pub(super) at: usize,
    /// What.
    pub(super) shape: Shape,
}

/// What a value is.
#[derive(Debug)]
pub(super) enum Shape {
    /// JSON only.
    Null,
    /// True or false.
    Flag(bool),
    /// A number that comes back as it was written.
    Number(Number),
    /// A number that doesn't, with the reason.
    Odd(String),
    /// A text, or a TOML date.
    Text(String),
    /// An array.
    List(Vec<Node>),
    /// A TOML table or a JSON object; a name may stand in it twice until it is audited.
    Table(Vec<Entry>),
}

/// A named value of a table.
#[derive(Debug)]
pub(super) struct Entry {
    /// Its name.
    pub(super) name: String,
    /// Where the name stands.
    pub(super) at: usize,
    /// Its value.
    pub(super) node: Node,
}

impl Node {
    /// What it is, in words.
    pub(super) fn kind(&self) -> &'static str {
        match &self.shape {
            Shape::Null => "null",
            Shape::Flag(_) => "true or false",
            Shape::Number(_) | Shape::Odd(_) => "a number",
            Shape::Text(_) => "a text",
            Shape::List(_) => "a list",
            Shape::Table(_) => "a table",
        }
    }

    /// Its entries, when it is a table.
    pub(super) fn entries(&self) -> &[Entry] {
        if let Shape::Table(entries) = &self.shape { entries } else { &[] }
    }

    /// Its elements, when it is a list.
    pub(super) fn elements(&self) -> &[Node] {
        if let Shape::List(nodes) = &self.shape { nodes } else { &[] }
    }

    /// The entry of this name, when it is a table that has it.
    pub(super) fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.name == name)
    }

    /// It as JSON; what the audit refuses becomes null.
    pub(super) fn value(&self) -> Value {
        match &self.shape {
            Shape::Null | Shape::Odd(_) => Value::Null,
            Shape::Flag(flag) => Value::Bool(*flag),
            Shape::Number(number) => Value::Number(number.clone()),
            Shape::Text(text) => Value::String(text.clone()),
            Shape::List(nodes) => nodes.iter().map(Node::value).collect(),
            Shape::Table(entries) => {
                entries.iter().map(|entry| (entry.name.clone(), entry.node.value())).collect()
            }
        }
    }
}

/// A field within another, quoted where TOML would have it so: `set."model/fraud".uri`.
pub(super) fn inside(path: &str, name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let name = if !name.is_empty() && name.chars().all(bare) { name.to_owned() } else { format!("{name:?}") };
    if path.is_empty() { name } else { format!("{path}.{name}") }
}

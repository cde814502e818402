//! Json tree: JSON with the place of everything in it; `serde_json` says whether it is JSON, and a scan finds the places.

use serde_json::{Number, Value};

use super::node::{Entry, Node, Shape};
use super::source::Mistake;

/// Reads a JSON text.
///
/// # Errors
///
/// The first place where it is no JSON.
pub(super) fn tree(text: &str) -> Result<Node, Mistake> {
    match serde_json::from_str::<Value>(text) {
        Ok(_) => Ok(Scan { text, at: 0 }.node()),
        Err(error) => Err(mistake(&error, text)),
    }
}

/// Walks through a text that is known to be JSON, so that nothing in it can be missing.
struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl Scan<'_> {
    fn node(&mut self) -> Node {
        let byte = self.skip(b"");
        let at = self.at;
        let shape = match byte {
            b'{' => Shape::Table(self.entries()),
            b'[' => Shape::List(self.elements()),
            b'"' => Shape::Text(self.string()),
            _ => self.word(),
        };
        Node { at, shape }
    }

    fn entries(&mut self) -> Vec<Entry> {
        let mut entries = Vec::new();
        self.at += 1;
        while self.skip(b",") == b'"' {
            let at = self.at;
            let name = self.string();
            self.skip(b":");
            entries.push(Entry { name, at, node: self.node() });
        }
        self.at += 1;
        entries
    }

    fn elements(&mut self) -> Vec<Node> {
        let mut nodes = Vec::new();
        self.at += 1;
        while !matches!(self.skip(b","), b']' | 0) {
            nodes.push(self.node());
        }
        self.at += 1;
        nodes
    }

    fn string(&mut self) -> String {
        let start = self.at;
        self.at += 1;
        while !matches!(self.byte(), b'"' | 0) {
            self.at += if self.byte() == b'\\' { 2 } else { 1 };
        }
        self.at += 1;
        serde_json::from_str(self.since(start)).unwrap_or_default()
    }

    /// Null, true, false or a number.
    fn word(&mut self) -> Shape {
        let start = self.at;
        while matches!(self.byte(), b'a'..=b'z' | b'E' | b'0'..=b'9' | b'+' | b'-' | b'.') {
            self.at += 1;
        }
        let word = self.since(start);
        match word {
            "true" | "false" => Shape::Flag(word == "true"),
            _ => serde_json::from_str(word).map_or(Shape::Null, |number| kept(number, word)),
        }
    }

    /// Passes spaces and these; returns the byte behind, 0 at the end.
    fn skip(&mut self, also: &[u8]) -> u8 {
        while self.byte().is_ascii_whitespace() || (self.byte() != 0 && also.contains(&self.byte())) {
            self.at += 1;
        }
        self.byte()
    }

    fn byte(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    fn since(&self, start: usize) -> &str {
        self.text.get(start..self.at).unwrap_or_default()
    }
}

/// A whole number must stay whole.
fn kept(number: Number, written: &str) -> Shape {
    let whole = !written.contains(['.', 'e', 'E']) && written != "-0";
    if whole && number.is_f64() {
        return Shape::Odd(format!("{written} does not fit into 64 bits; write it as a text, in quotes"));
    }
    Shape::Number(number)
}

fn mistake(error: &serde_json::Error, text: &str) -> Mistake {
    let before: usize = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    let said = error.to_string();
    let said = said.rsplit_once(" at line ").map_or(said.as_str(), |(said, _)| said);
    let at = Some(before + error.column().saturating_sub(1));
    Mistake { at, field: String::new(), what: format!("not JSON: {said}") }
}

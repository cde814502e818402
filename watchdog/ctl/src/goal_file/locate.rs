//! Locate: the place of what the leader complains about; its sentences begin with a field or a key.

use super::node::{Entry, Node, Shape};

/// Where the field stands that `sentence` begins with, if it stands anywhere.
pub(super) fn place(root: &Node, sentence: &str) -> Option<usize> {
    let (field, what) = sentence.split_once(": ")?;
    key(root, field, what).or_else(|| path(root, field))
}

/// A key is set, or removed.
fn key(root: &Node, key: &str, what: &str) -> Option<usize> {
    if let Some(entry) = root.entry("set").and_then(|set| set.node.entry(key)) {
        let culprit = unknown(what).and_then(|name| named(&entry.node, name)).map(|culprit| culprit.at);
        let field = || what.split_once(": ").and_then(|(field, _)| path(&entry.node, field));
        return Some(culprit.or_else(field).unwrap_or(entry.at));
    }
    let removed = root.entry("remove")?.node.elements();
    removed.iter().find(|node| matches!(&node.shape, Shape::Text(text) if text == key)).map(|node| node.at)
}

/// A field such as `rollout.canary`; a duration goes without its unit too.
fn path(root: &Node, field: &str) -> Option<usize> {
    let mut node = root;
    let mut at = None;
    for name in field.split('.') {
        let entry = node.entry(name).or_else(|| node.entry(name.strip_suffix("_ms")?))?;
        at = Some(entry.at);
        node = &entry.node;
    }
    at
}

/// The name in the words of serde: "unknown field `strike`, expected …".
fn unknown(what: &str) -> Option<&str> {
    what.split_once("unknown field `")?.1.split_once('`').map(|(name, _)| name)
}

/// The first entry of this name, at any depth.
fn named<'a>(node: &'a Node, name: &str) -> Option<&'a Entry> {
    let deeper = || node.entries().iter().find_map(|entry| named(&entry.node, name));
    let elements = || node.elements().iter().find_map(|node| named(node, name));
    node.entry(name).or_else(deeper).or_else(elements)
}

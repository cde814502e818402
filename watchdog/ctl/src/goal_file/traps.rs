//! Traps: what TOML allows and hardly anybody means: a field of the goal that stands below a `[set."…"]`, and so in it.

use watchdog_core::state::Key;

use super::node::{Entry, Node, Shape, inside};
use super::source::Mistake;

/// A warning for each field of the goal that is part of a value.
pub(super) fn traps(root: &Node) -> Vec<Mistake> {
    let values = root.entry("set").map(|set| set.node.entries()).unwrap_or_default();
    let inner = values.iter().flat_map(|value| value.node.entries().iter().map(move |field| (value, field)));
    inner.filter(|(_, field)| looks_like_ours(field)).map(|(value, field)| trap(value, field)).collect()
}

fn trap(value: &Entry, field: &Entry) -> Mistake {
    let inside_of = inside("set", &value.name);
    let what = format!(
        "warning: it stands below [{inside_of}] and so is a part of that value; if the goal is meant, write it above \
         the first [table]"
    );
    Mistake { at: Some(field.at), field: field.name.clone(), what }
}

fn looks_like_ours(field: &Entry) -> bool {
    match (field.name.as_str(), &field.node.shape) {
        ("remove", Shape::List(keys)) => {
            let is_key = |node: &Node| matches!(&node.shape, Shape::Text(text) if Key::new(&**text).is_ok());
            keys.iter().all(is_key)
        }
        ("restore", Shape::Text(text)) => text == "stable",
        ("restart", Shape::Flag(_)) | ("restore", Shape::Number(_)) => true,
        _ => false,
    }
}

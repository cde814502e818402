//! Fields: from a tree to a goal, with every mistake noted.

use std::collections::BTreeSet;

use watchdog_core::goal::{Goal, Named, Restore};
use watchdog_core::ids::{GoalId, Version};
use watchdog_core::state::Key;

use super::node::{Entry, Node, Shape, inside};
use super::pace;
use super::reader::Reader;
use super::source::Mistake;

const FIELDS: [&str; 7] = ["name", "reason", "set", "remove", "restore", "restart", "rollout"];

/// Reads the goal.
///
/// # Errors
///
/// Everything that is wrong with it.
pub(super) fn goal(root: &Node) -> Result<Goal, Vec<Mistake>> {
    let mut reader = Reader::default();
    let mut goal = Goal::default();
    for entry in reader.table(root, "goal").unwrap_or_default() {
        // A program may write what it leaves out as null.
        if !matches!(entry.node.shape, Shape::Null) || !FIELDS.contains(&entry.name.as_str()) {
            field(&mut reader, &mut goal, entry);
        }
    }
    both(&mut reader, &goal, root);
    let empty = goal.set.is_empty() && goal.remove.is_empty() && goal.restore.is_none() && !goal.restart;
    if empty && reader.mistakes.is_empty() {
        let what = "it asks for nothing; give [set.\"kind/name\"], remove, restore or restart".to_owned();
        reader.mistakes.push(Mistake { at: None, field: "goal".to_owned(), what });
    }
    if reader.mistakes.is_empty() { Ok(goal) } else { Err(reader.mistakes) }
}

fn field(reader: &mut Reader, goal: &mut Goal, entry: &Entry) {
    let node = &entry.node;
    match entry.name.as_str() {
        "name" => goal.name = name(reader, node),
        "reason" => goal.reason = reader.text(node, "reason").unwrap_or_default().to_owned(),
        "set" => set(reader, goal, node),
        "remove" => remove(reader, goal, node),
        "restore" => goal.restore = restore(reader, node),
        "restart" => goal.restart = reader.flag(node, "restart").unwrap_or_default(),
        "rollout" => goal.rollout = pace::pace(reader, node),
        unknown => reader.wrong(entry.at, &inside("", unknown), stranger(unknown)),
    }
}

fn stranger(name: &str) -> String {
    if name.contains('/') {
        return format!("unknown field; to give that key a value, put it under set: [set.{name:?}]");
    }
    if pace::FIELDS.contains(&name) {
        return "unknown field; it belongs under [rollout]".to_owned();
    }
    format!("unknown field; a goal has {}", FIELDS.join(", "))
}

fn name(reader: &mut Reader, node: &Node) -> Option<GoalId> {
    let text = reader.text(node, "name")?;
    GoalId::new(text).map_err(|error| reader.wrong(node.at, "name", error.to_string())).ok()
}

fn set(reader: &mut Reader, goal: &mut Goal, node: &Node) {
    for entry in reader.table(node, "set").unwrap_or_default() {
        let field = inside("set", &entry.name);
        match Key::new(&*entry.name) {
            Ok(_) if matches!(entry.node.shape, Shape::Null) => {
                let what = "null is no value; to take the key away, name it under remove";
                reader.wrong(entry.node.at, &field, what);
            }
            Ok(key) => {
                goal.set.insert(key, entry.node.value());
            }
            Err(error) => reader.wrong(entry.at, &field, format!("{error}{}", split_key(entry))),
        }
    }
}

/// `[set.model.fraud]` is what many write first.
fn split_key(entry: &Entry) -> String {
    let inner = entry.node.entries().first().map(|inner| format!("{}/{}", entry.name, inner.name));
    let meant = inner.filter(|key| Key::new(&**key).is_ok());
    meant.map(|key| format!("; perhaps [set.{key:?}]")).unwrap_or_default()
}

fn remove(reader: &mut Reader, goal: &mut Goal, node: &Node) {
    let Shape::List(keys) = &node.shape else {
        reader.expected(node, "remove", "a list of keys, such as [\"rule/old\"]");
        return;
    };
    for (index, node) in keys.iter().enumerate() {
        let field = format!("remove[{index}]");
        let Some(text) = reader.text(node, &field) else { continue };
        match Key::new(text) {
            Ok(key) if goal.remove.contains(&key) => {
                reader.wrong(node.at, &field, format!("{key} is named twice; keep one"));
            }
            Ok(key) => {
                goal.remove.insert(key);
            }
            Err(error) => reader.wrong(node.at, &field, error.to_string()),
        }
    }
}

fn restore(reader: &mut Reader, node: &Node) -> Option<Restore> {
    let lesson = "\"stable\", or the number of a version without quotes";
    match &node.shape {
        Shape::Text(text) if text == "stable" => return Some(Restore::Named(Named::Stable)),
        Shape::Text(text) => reader.wrong(node.at, "restore", format!("expected {lesson}, found {text:?}")),
        Shape::Number(number) => match number.as_u64() {
            Some(version @ 1..) => return Some(Restore::Version(Version(version))),
            _ => reader.wrong(node.at, "restore", format!("there is no version {number}; they count from 1")),
        },
        _ => reader.expected(node, "restore", lesson),
    }
    None
}

/// A key can't be there and not be there.
fn both(reader: &mut Reader, goal: &Goal, root: &Node) {
    let both: BTreeSet<&str> =
        goal.remove.iter().filter(|key| goal.set.contains_key(key)).map(Key::as_str).collect();
    let removed = root.entry("remove").map(|entry| entry.node.elements()).unwrap_or_default();
    for (index, node) in removed.iter().enumerate() {
        if let Shape::Text(key) = &node.shape
            && both.contains(key.as_str())
        {
            reader.wrong(node.at, &format!("remove[{index}]"), format!("{key} is both set and removed"));
        }
    }
}

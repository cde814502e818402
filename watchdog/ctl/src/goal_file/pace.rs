//! Pace: the `[rollout]` of a goal file.

use std::collections::BTreeSet;

use watchdog_core::goal::{Canary, PaceWish};
use watchdog_core::ids::ReplicaId;

use super::node::{Entry, Node, Shape, inside};
use super::reader::Reader;

/// What may stand under `[rollout]`.
pub(super) const FIELDS: [&str; 8] =
    ["canary", "batch", "soak", "soak_ms", "probation", "probation_ms", "max_failures", "prove_start"];

/// Reads it.
pub(super) fn pace(reader: &mut Reader, node: &Node) -> PaceWish {
    let mut pace = PaceWish::default();
    let entries = reader.table(node, "rollout").unwrap_or_default();
    for entry in entries {
        if !matches!(entry.node.shape, Shape::Null) || !FIELDS.contains(&entry.name.as_str()) {
            field(reader, &mut pace, entry);
        }
    }
    for (brief, exact) in [("soak", "soak_ms"), ("probation", "probation_ms")] {
        if let (Some(_), Some(entry)) = (given(entries, brief), given(entries, exact)) {
            let field = inside("rollout", exact);
            reader.wrong(entry.at, &field, format!("{brief} is given too; keep one of them"));
        }
    }
    pace
}

fn field(reader: &mut Reader, pace: &mut PaceWish, entry: &Entry) {
    let (node, field) = (&entry.node, inside("rollout", &entry.name));
    match entry.name.as_str() {
        "canary" => pace.canary = canary(reader, node),
        "batch" => pace.batch = reader.count(node, &field),
        "soak" => pace.soak_ms = reader.duration_ms(node, &field),
        "soak_ms" => pace.soak_ms = reader.whole(node, &field),
        "probation" => pace.probation_ms = reader.duration_ms(node, &field),
        "probation_ms" => pace.probation_ms = reader.whole(node, &field),
        "max_failures" => pace.max_failures = reader.count(node, &field),
        "prove_start" => pace.prove_start = reader.flag(node, &field),
        _ => reader.wrong(entry.at, &field, format!("unknown field; rollout has {}", FIELDS.join(", "))),
    }
}

fn canary(reader: &mut Reader, node: &Node) -> Option<Canary> {
    let field = "rollout.canary";
    match &node.shape {
        Shape::Number(_) => reader.count(node, field).map(Canary::Count),
        Shape::List(names) if names.is_empty() => {
            let what = "it names nobody; name replicas, or give a number (0 for none)";
            reader.wrong(node.at, field, what);
            None
        }
        Shape::List(names) => {
            let mut replicas = Vec::new();
            let mut seen = BTreeSet::new();
            for (index, node) in names.iter().enumerate() {
                let field = format!("{field}[{index}]");
                let Some(text) = reader.text(node, &field) else { continue };
                match ReplicaId::new(text) {
                    Ok(replica) if !seen.insert(replica.clone()) => {
                        reader.wrong(node.at, &field, format!("{replica} is named twice; keep one"));
                    }
                    Ok(replica) => replicas.push(replica),
                    Err(error) => reader.wrong(node.at, &field, error.to_string()),
                }
            }
            Some(Canary::Replicas(replicas))
        }
        _ => {
            reader.expected(node, field, "a number, or a list of replicas such as [\"demo-a\"]");
            None
        }
    }
}

fn given<'a>(entries: &'a [Entry], name: &str) -> Option<&'a Entry> {
    entries.iter().find(|entry| entry.name == name && !matches!(entry.node.shape, Shape::Null))
}

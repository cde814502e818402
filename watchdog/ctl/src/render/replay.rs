//! Replay: whether a plan that was computed again came out the same, and else where it differs.

use serde::Serialize;
use serde_json::Value;

use super::Paper;
use super::paint::Tone;
use super::text::{list, paragraph};

/// More differences than these are only counted.
const DIFFERENCES_TOLD: usize = 10;
/// Longer values are cut.
const VALUE_CHARACTERS_MAX: usize = 120;

/// A plan as recorded and as computed again.
#[derive(Debug, Serialize)]
pub(crate) struct Replayed {
    /// Which plan.
    pub(crate) id: String,
    /// Whether both are the same, byte for byte.
    pub(crate) same: bool,
    /// The core that computed it again.
    pub(crate) core_version: String,
    /// The core that recorded it.
    pub(crate) recorded_core_version: String,
    /// As recorded.
    pub(crate) recorded: Value,
    /// As computed again; null when nothing would be done.
    pub(crate) recomputed: Option<Value>,
    /// Why nothing would be done.
    #[serde(skip)]
    pub(crate) refusals: Vec<String>,
}

/// Draws the verdict.
pub(crate) fn replayed(it: &Replayed, paper: &Paper) -> String {
    let id = &it.id;
    let (tone, verdict) = match (&it.recomputed, it.same) {
        (_, true) => {
            let core = &it.core_version;
            let text =
                format!("plan {id}, computed again from its input, is the same byte for byte (core {core}).");
            (Tone::Good, format!("The same plan: {text}"))
        }
        (Some(_), false) => {
            (Tone::Bad, format!("Another plan: {id}, computed again from its input, differs."))
        }
        (None, false) => {
            (Tone::Bad, format!("No plan: {id}, computed again from its input, comes to nothing."))
        }
    };
    let mut drawn = tone.paint(paragraph(&verdict, "  ", paper).trim_end(), paper) + "\n";
    if it.core_version != it.recorded_core_version {
        let (recorded, ours) = (&it.recorded_core_version, &it.core_version);
        let text = format!("It was recorded by core {recorded}; this is core {ours}.");
        drawn += &paragraph(&text, "  ", paper);
    }
    if let (Some(recomputed), false) = (&it.recomputed, it.same) {
        let mut differences = Vec::new();
        compare("", (&it.recorded, recomputed), &mut differences);
        let more = differences.len().saturating_sub(DIFFERENCES_TOLD);
        differences.truncate(DIFFERENCES_TOLD);
        if more > 0 {
            differences.push(format!("and {more} more"));
        }
        drawn += &list("Differences:", &differences, paper);
    }
    drawn + &list("Refused:", &it.refusals, paper)
}

/// Notes each path at which two values differ.
fn compare(path: &str, (recorded, recomputed): (&Value, &Value), differences: &mut Vec<String>) {
    match (recorded, recomputed) {
        (Value::Object(a), Value::Object(b)) => {
            for name in a.keys().chain(b.keys().filter(|name| !a.contains_key(*name))) {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                compare(&path, (field(a.get(name)), field(b.get(name))), differences);
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            for index in 0..a.len().max(b.len()) {
                compare(&format!("{path}[{index}]"), (field(a.get(index)), field(b.get(index))), differences);
            }
        }
        (a, b) if a != b => differences.push(format!("{path}: recorded {}, now {}", brief(a), brief(b))),
        _ => {}
    }
}

/// What is not there compares as null.
fn field(value: Option<&Value>) -> &Value {
    value.unwrap_or(&Value::Null)
}

fn brief(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= VALUE_CHARACTERS_MAX {
        return text;
    }
    text.chars().take(VALUE_CHARACTERS_MAX).chain(['…']).collect()
}

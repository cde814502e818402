//! Json: mutations of the values in a JSON text, which stays one; also of one line among many.

use serde_json::{Map, Value};

use super::words;
use crate::rng::Rng;

/// Deeper nesting is refused by every reader.
const DEPTH_MAX: usize = 130;

/// Changes one value of one line; false when that line is no JSON.
pub(super) fn mutate(input: &mut Vec<u8>, dictionary: &[Vec<u8>], rng: &mut Rng) -> bool {
    let mut lines: Vec<&[u8]> = input.split(|byte| *byte == b'\n').collect();
    let chosen = rng.below(lines.len());
    // A whole file is one value, whatever its lines.
    let (text, whole) = match serde_json::from_slice::<Value>(input) {
        Ok(value) => (Some((&input[..0], value)), true),
        Err(_) => (line(lines[chosen]), false),
    };
    let Some((before, mut value)) = text else { return false };
    let mut steps = rng.below(count(&value)) + 1;
    change(&mut value, &mut steps, dictionary, rng);
    let mut written = before.to_vec();
    let mut twice = if rng.one_in(8) { rng.below(20) + 1 } else { 0 };
    write(&value, &mut written, &mut twice);
    if whole {
        *input = written;
    } else {
        lines[chosen] = &written;
        *input = lines.join(&b'\n');
    }
    true
}

/// The JSON of a line, and what stands before it.
fn line(line: &[u8]) -> Option<(&[u8], Value)> {
    let start = line.iter().position(|byte| matches!(byte, b'{' | b'['))?;
    Some((&line[..start], serde_json::from_slice(&line[start..]).ok()?))
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(values) => values.iter().map(count).sum(),
        Value::Object(entries) => entries.values().map(count).sum(),
        _ => 0,
    }
}

/// Walks to the value after so many steps and changes that.
fn change(value: &mut Value, steps: &mut usize, dictionary: &[Vec<u8>], rng: &mut Rng) {
    *steps -= 1;
    if *steps == 0 {
        return alter(value, dictionary, rng);
    }
    let inner: Box<dyn Iterator<Item = &mut Value>> = match value {
        Value::Array(values) => Box::new(values.iter_mut()),
        Value::Object(entries) => Box::new(entries.values_mut()),
        _ => return,
    };
    for value in inner {
        change(value, steps, dictionary, rng);
        if *steps == 0 {
            return;
        }
    }
}

fn alter(value: &mut Value, dictionary: &[Vec<u8>], rng: &mut Rng) {
    match (rng.below(4), &mut *value) {
        (0, Value::Object(entries)) => {
            let key = entries.keys().nth(rng.below(entries.len())).cloned().unwrap_or_default();
            let taken = entries.remove(&key);
            if rng.one_in(2) {
                entries.insert(text(dictionary, rng), taken.unwrap_or_default());
            }
        }
        (1, Value::Object(entries)) => {
            entries.insert(text(dictionary, rng), invent(dictionary, rng));
        }
        (0, Value::Array(values)) if !values.is_empty() => {
            values.remove(rng.below(values.len()));
        }
        (1, Value::Array(values)) => {
            let copy = rng.pick(values).cloned().unwrap_or_else(|| invent(dictionary, rng));
            values.extend(vec![copy; rng.below(4) + 1]);
        }
        (2, _) if rng.one_in(10) => {
            let depth = rng.below(DEPTH_MAX);
            *value = (0..depth).fold(value.take(), |inner, _| Value::Array(vec![inner]));
        }
        _ => *value = invent(dictionary, rng),
    }
}

fn text(dictionary: &[Vec<u8>], rng: &mut Rng) -> String {
    String::from_utf8_lossy(&words::any(dictionary, rng)).into_owned()
}

fn invent(dictionary: &[Vec<u8>], rng: &mut Rng) -> Value {
    match rng.below(9) {
        0 => Value::Null,
        1 => Value::Bool(rng.one_in(2)),
        2 | 3 => serde_json::from_str(&words::number(rng)).unwrap_or_default(),
        4 => Value::Array(Vec::new()),
        5 => Value::Object(Map::new()),
        6 if rng.one_in(4) => Value::String("x".repeat(rng.below(70_000))),
        _ => Value::String(text(dictionary, rng)),
    }
}

/// Writes a value; the entry at which `twice` has counted down is written twice.
fn write(value: &Value, out: &mut Vec<u8>, twice: &mut usize) {
    let between = |out: &mut Vec<u8>, first: &mut bool| {
        if !std::mem::take(first) {
            out.push(b',');
        }
    };
    let mut first = true;
    match value {
        Value::Array(values) => {
            out.push(b'[');
            for value in values {
                between(out, &mut first);
                write(value, out, twice);
            }
            out.push(b']');
        }
        Value::Object(entries) => {
            out.push(b'{');
            for (name, value) in entries {
                let times = if *twice == 1 { 2 } else { 1 };
                *twice = twice.saturating_sub(1);
                for _ in 0..times {
                    between(out, &mut first);
                    out.extend_from_slice(Value::String(name.clone()).to_string().as_bytes());
                    out.push(b':');
                    write(value, out, twice);
                }
            }
            out.push(b'}');
        }
        plain => out.extend_from_slice(plain.to_string().as_bytes()),
    }
}

//! Toml: mutations of the lines of a TOML text.

use super::words;
use crate::rng::Rng;

/// Values of every type, and some of none.
const VALUES: [&str; 24] = [
    "\"\"",
    "\"x\"",
    "'y'",
    "true",
    "1.5",
    "[]",
    "{}",
    "[\"a\", \"a\"]",
    "[1, \"b\"]",
    "{ a = 1 }",
    "[[]]",
    "nan",
    "-inf",
    "1979-05-27T07:32:00Z",
    "07:32:00",
    "0xff",
    "0o17",
    "1_000",
    "\"\\u0000\"",
    "\"\\u001b[31m\"",
    "\"10s\"",
    "\"stable\"",
    "\"\"\"\na\n\"\"\"",
    "{ kind = \"tcp\" }",
];

/// Changes one line; false when there is none.
pub(super) fn mutate(input: &mut Vec<u8>, dictionary: &[Vec<u8>], rng: &mut Rng) -> bool {
    let Ok(text) = std::str::from_utf8(input) else { return false };
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if lines.is_empty() {
        return false;
    }
    let at = rng.below(lines.len());
    let other = rng.below(lines.len());
    match rng.below(8) {
        0 => drop(lines.remove(at)),
        1 => lines.insert(other, lines[at].clone()),
        2 => lines.swap(at, other),
        3 => lines.insert(at, format!("{} = {}", word(dictionary, rng), value(dictionary, rng))),
        4 => lines.insert(at, format!("[{}.\"{}\"]", word(dictionary, rng), word(dictionary, rng))),
        5 => lines[at] = rekeyed(&lines[at], &word(dictionary, rng)),
        _ => lines[at] = revalued(&lines[at], &value(dictionary, rng)),
    }
    *input = lines.join("\n").into_bytes();
    true
}

fn word(dictionary: &[Vec<u8>], rng: &mut Rng) -> String {
    String::from_utf8_lossy(&words::any(dictionary, rng)).into_owned()
}

fn value(dictionary: &[Vec<u8>], rng: &mut Rng) -> String {
    match rng.below(3) {
        0 => words::number(rng),
        1 => format!("\"{}\"", word(dictionary, rng)),
        _ => VALUES[rng.below(VALUES.len())].to_owned(),
    }
}

fn rekeyed(line: &str, key: &str) -> String {
    match line.split_once('=') {
        Some((_, value)) => format!("{key} ={value}"),
        None => format!("[{key}]"),
    }
}

fn revalued(line: &str, value: &str) -> String {
    match line.split_once('=') {
        Some((key, _)) => format!("{key}= {value}"),
        None => line.to_owned(),
    }
}

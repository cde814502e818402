//! Words: what inputs are made of, and what readers have always stumbled over.

use std::collections::BTreeSet;

use crate::rng::Rng;

/// Numbers at the edges of types, and some that are none.
pub const NUMBERS: [&str; 30] = [
    "0",
    "1",
    "-1",
    "2",
    "7",
    "63",
    "64",
    "127",
    "128",
    "255",
    "256",
    "32767",
    "65535",
    "65536",
    "86400001",
    "2147483647",
    "4294967295",
    "4294967296",
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775808",
    "0.1",
    "1e308",
    "1e309",
    "-0.0",
    "5e-324",
    "1e999",
];

/// Pieces that mean something somewhere.
pub const PIECES: [&str; 44] = [
    "",
    "\"",
    "\\",
    "\n",
    "\r\n",
    "\0",
    "\u{1b}[31m",
    "\u{202e}",
    "é",
    "𝒳",
    "\u{feff}",
    "{",
    "}",
    "[",
    "]",
    "[[",
    "]]",
    ":",
    ",",
    "=",
    ".",
    "/",
    "//",
    "..",
    "-",
    "--",
    "+",
    "#",
    "'",
    "'''",
    "\"\"\"",
    "null",
    "true",
    "false",
    "nan",
    "inf",
    "{}",
    "[]",
    "\\u0000",
    "\\ud800",
    "%00",
    "%s",
    "1970-01-01T00:00:00Z",
    "00000000-0000-0000-0000-000000000000",
];

/// More words than these are not needed.
const WORDS_MAX: usize = 2_000;

/// The words that stand in these inputs: names, keys, numbers.
pub fn of(inputs: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let in_word =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/' | b':');
    let mut words = BTreeSet::new();
    for input in inputs {
        for word in input.split(|byte| !in_word(byte)) {
            if (2..=80).contains(&word.len()) && words.len() < WORDS_MAX {
                words.insert(word.to_vec());
            }
        }
    }
    words.into_iter().collect()
}

/// A word: one of the target's own, a number, or a piece.
pub fn any(words: &[Vec<u8>], rng: &mut Rng) -> Vec<u8> {
    match rng.below(4) {
        0 => number(rng).into_bytes(),
        1 => PIECES[rng.below(PIECES.len())].as_bytes().to_vec(),
        _ => rng.pick(words).cloned().unwrap_or_default(),
    }
}

/// A number.
pub fn number(rng: &mut Rng) -> String {
    if rng.one_in(3) { rng.number().to_string() } else { NUMBERS[rng.below(NUMBERS.len())].to_owned() }
}

//! Source: rules about single files: length, module doc, words that mean unfinished, lints silenced without a reason.

use crate::{hold, rust_files};

const LINES_AIM: usize = 300;
const LINES_MAX: usize = 400;

/// Written in halves, so that this file does not complain about itself.
const UNFINISHED: [&str; 6] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("to", "do!("),
    concat!("unimple", "mented!("),
    concat!("#[ig", "nore"),
    concat!("//! St", "ub"),
];

/// What the core must be told instead of asking for it.
const IMPURE: [&str; 14] = [
    "async fn",
    ".await",
    "SystemTime::now",
    "Instant::now",
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::process",
    "std::thread",
    "println!",
    "dbg!",
    "HashMap",
    "HashSet",
];

/// Names that belong to concrete adapters.
const ADAPTERS: [&str; 3] =
    ["watchdog_journal", "watchdog_membership::zookeeper", "watchdog_membership::embedded"];

/// The numbered lines outside `#[cfg(test)]` modules. Relies on rustfmt: a module ends with `}` at its own indent.
fn lines_outside_tests(text: &str) -> Vec<(usize, &str)> {
    let mut kept = Vec::new();
    let mut end_of_tests: Option<String> = None;
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        if let Some(end) = &end_of_tests {
            if line == end {
                end_of_tests = None;
            }
            continue;
        }
        let mut following = lines.clone().map(|(_, next)| next.trim());
        let next = following.find(|next| !next.starts_with("#[")).unwrap_or_default();
        if line.trim() == "#[cfg(test)]" && next.starts_with("mod ") && next.ends_with('{') {
            end_of_tests = Some(format!("{}}}", &line[..line.len() - line.trim_start().len()]));
            continue;
        }
        kept.push((index + 1, line));
    }
    kept
}

/// The same without comments, cut at the first `//`.
fn code_outside_tests(text: &str) -> Vec<(usize, &str)> {
    let lines = lines_outside_tests(text).into_iter();
    lines.map(|(number, line)| (number, line.find("//").map_or(line, |comment| &line[..comment]))).collect()
}

fn too_long(text: &str) -> Vec<String> {
    let lines = lines_outside_tests(text).len();
    let complaint =
        || format!(": {lines} lines outside its tests, {LINES_MAX} at most, {LINES_AIM} if you can");
    (lines > LINES_MAX).then(complaint).into_iter().collect()
}

fn undocumented(text: &str) -> Vec<String> {
    let first = text.lines().next().unwrap_or_default();
    let told = first.strip_prefix("//! ").and_then(|doc| doc.split_once(": "));
    let fine = told.is_some_and(|(name, sentence)| !name.is_empty() && !sentence.trim().is_empty());
    let complaint = || format!(":1: starts with {first:?} instead of `//! Name: one sentence.`");
    (!fine).then(complaint).into_iter().collect()
}

fn unfinished(text: &str) -> Vec<String> {
    naming(&UNFINISHED, text.lines().enumerate().map(|(index, line)| (index + 1, line)))
}

fn impure(text: &str) -> Vec<String> {
    naming(&IMPURE, code_outside_tests(text).into_iter())
}

fn naming_adapters(text: &str) -> Vec<String> {
    naming(&ADAPTERS, code_outside_tests(text).into_iter())
}

fn naming_backoff(text: &str) -> Vec<String> {
    naming(&["backoff::", "use backoff", "extern crate backoff"], code_outside_tests(text).into_iter())
}

fn naming<'a>(words: &[&str], lines: impl Iterator<Item = (usize, &'a str)>) -> Vec<String> {
    let found = |(number, line): (usize, &str)| {
        words.iter().find(|word| says(line, word)).map(|word| format!(":{number}: says `{word}`"))
    };
    lines.filter_map(found).collect()
}

/// Whether the word stands in the line, and not only as the beginning of a longer one (`.awaiting`).
fn says(line: &str, word: &str) -> bool {
    let goes_on = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let next = line[at + word.len()..].chars().next();
        !(word.ends_with(goes_on) && next.is_some_and(goes_on))
    })
}

fn silenced_without_reason(text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    for opening in ["[allow(", "[expect("] {
        for (at, _) in text.match_indices(opening) {
            let line = text[..at].lines().count();
            let starts_attribute = text[..at].ends_with('#') || text[..at].ends_with("#!");
            let attribute = &text[at..at + text[at..].find(")]").unwrap_or(0)];
            if starts_attribute && !attribute.contains("reason = ") {
                complaints.push(format!(":{line}: `#{opening}…)]` gives no reason"));
            }
        }
    }
    complaints
}

#[test]
fn files_are_short() {
    let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "    x\n".repeat(1_000));
    assert_eq!(too_long(&"x\n".repeat(LINES_MAX + 1)).len(), 1);
    assert_eq!(too_long(&format!("{}{tests}", "x\n".repeat(LINES_MAX))), [""; 0], "tests count apart");
    let expecting = tests.replacen('\n', "\n#[expect(lint, reason = \"it is a test\")]\n", 1);
    assert_eq!(
        too_long(&format!("{}{expecting}", "x\n".repeat(LINES_MAX))),
        [""; 0],
        "attributes are theirs"
    );
    assert_eq!(
        too_long(&format!("{}{tests}x\n", "x\n".repeat(LINES_MAX))).len(),
        1,
        "what follows them counts"
    );

    hold(|_| true, too_long);
    for (path, text) in rust_files() {
        let lines = lines_outside_tests(&text).len();
        if lines > LINES_AIM {
            eprintln!("note: {path} has {lines} lines outside its tests; aim at {LINES_AIM}");
        }
    }
}

#[test]
fn files_say_what_they_are() {
    assert_eq!(undocumented("use std::fs;\n").len(), 1);
    assert_eq!(undocumented("//! Just a title\n").len(), 1);
    assert_eq!(undocumented("//! Strikes: counts faults in a row.\n"), [""; 0]);

    hold(|_| true, undocumented);
}

#[test]
fn nothing_is_left_unfinished() {
    for word in UNFINISHED {
        assert_eq!(unfinished(&format!("fn f() {{}}\n{word}\n")).len(), 1, "{word}");
    }

    hold(|_| true, unfinished);
}

#[test]
fn lints_are_silenced_with_a_reason() {
    assert_eq!(silenced_without_reason(concat!("#[al", "low(dead_code)]\n")).len(), 1);
    assert_eq!(silenced_without_reason(concat!("#![ex", "pect(\n    dead_code,\n)]\n")).len(), 1);
    assert_eq!(silenced_without_reason("#[expect(dead_code, reason = \"sampled\")]\n"), [""; 0]);

    hold(|_| true, silenced_without_reason);
}

#[test]
fn the_core_is_told() {
    for word in IMPURE {
        assert_eq!(impure(&format!("    {word}\n")).len(), 1, "{word}");
    }
    assert_eq!(impure("// no HashMap here\n"), [""; 0], "a comment may name it");

    hold(|path| path.starts_with("watchdog/core/src/") || path.starts_with("watchdog/leader/src/"), impure);
}

#[test]
fn adapters_are_named_in_wiring_only() {
    assert_eq!(naming_adapters("use watchdog_journal::Journal;\n").len(), 1);

    let wiring = ["watchdog/daemon/src/wiring.rs", "watchdog/daemon/src/wiring/"];
    let concerned = |path: &str| {
        path.starts_with("watchdog/daemon/src/") && !wiring.iter().any(|allowed| path.starts_with(allowed))
    };
    hold(concerned, naming_adapters);
}

#[test]
fn delays_come_from_one_file() {
    assert_eq!(naming_backoff("use backoff::ExponentialBackoff;\n").len(), 1);

    let concerned = |path: &str| path.starts_with("watchdog/ports/") && !path.ends_with("src/delays.rs");
    hold(concerned, naming_backoff);
}

//! Docs: what the pages say of files, tests, commands, refusals and keys is true; `UPDATE_EXPECT=1` rewrites what is
//! generated, and the diff is read.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "docs/commands.rs"]
mod commands;
#[path = "docs/examples.rs"]
mod examples;
#[path = "docs/links.rs"]
mod links;
#[path = "docs/promises.rs"]
mod promises;
#[path = "docs/reference.rs"]
mod reference;
#[path = "docs/source.rs"]
mod source;

use std::path::{Path, PathBuf};

/// Where the pages are.
const PAGES: &str = "watchdog/daemon/src/docs";

/// The root of the workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A file of the repository.
fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The README and every page: its path from the root, and its text.
fn pages() -> Vec<(String, String)> {
    let mut paths = vec!["README.md".to_owned()];
    for entry in std::fs::read_dir(root().join(PAGES)).unwrap() {
        paths.push(format!("{PAGES}/{}", entry.unwrap().file_name().into_string().unwrap()));
    }
    paths.sort();
    assert!(paths.len() > 6, "the walk finds the pages");
    paths.into_iter().map(|path| (path.clone(), read(&path))).collect()
}

/// A generated page must be as it would be generated now.
fn generated(path: &str, text: &str) {
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(root().join(path), text).unwrap();
    }
    let there = read(path);
    let differs = there.lines().zip(text.lines()).find(|(there, now)| there != now);
    assert!(
        there == text,
        "{path} is not up to date; UPDATE_EXPECT=1 rewrites it; it differs first at {differs:#?}"
    );
}

/// Lines, each with its end.
fn joined(lines: impl Iterator<Item = String>) -> String {
    lines.fold(String::new(), |text, line| text + &line + "\n")
}

/// Panics if there is anything to complain about.
fn none(complaints: &[String]) {
    assert!(complaints.is_empty(), "{} complaints:\n{}", complaints.len(), complaints.join("\n"));
}

//! Tidy: the rules of style and layout that neither the compiler nor clippy checks.
//!
//! Each rule is a function from text to complaints, and is shown a bad sample first, so that it cannot pass by
//! looking at nothing.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "tidy/dependencies.rs"]
mod dependencies;
#[path = "tidy/layout.rs"]
mod layout;
#[path = "tidy/source.rs"]
mod source;

use std::path::{Path, PathBuf};

/// The root of the workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every Rust file of ours: its path from the root, and its text.
fn rust_files() -> Vec<(String, String)> {
    let mut files = Vec::new();
    collect(&root(), &mut files);
    files.sort();
    assert!(files.len() > 20, "the walk finds our files");
    files
}

fn collect(directory: &Path, files: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let path = entry.path();
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            if name != "target" && (!name.starts_with('.') || name == ".cargo") {
                collect(&path, files);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let short = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
            files.push((short, std::fs::read_to_string(&path).unwrap()));
        }
    }
}

/// Applies a rule to every file that `concerns` it and panics with all complaints.
fn hold(concerns: impl Fn(&str) -> bool, rule: impl Fn(&str) -> Vec<String>) {
    let mut complaints = Vec::new();
    for (path, text) in rust_files().iter().filter(|(path, _)| concerns(path)) {
        complaints.extend(rule(text).into_iter().map(|complaint| format!("{path}{complaint}")));
    }
    none(&complaints);
}

/// Panics if there is anything to complain about.
fn none(complaints: &[String]) {
    assert!(complaints.is_empty(), "{} complaints:\n{}", complaints.len(), complaints.join("\n"));
}

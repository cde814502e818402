//! Names: the table of crash points and the points in the code are the same.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::Path;

use watchdog_crash::points;

/// How often each name stands in the code below `directory`.
fn in_code(directory: &Path, found: &mut BTreeMap<String, usize>) {
    for entry in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            in_code(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            for name in named(&std::fs::read_to_string(&path).unwrap()) {
                *found.entry(name).or_default() += 1;
            }
        }
    }
}

/// The names in a text of code, but for what stands in comments.
fn named(text: &str) -> Vec<String> {
    let code = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    let marks = code.flat_map(|line| line.split("crash_point!(\"").skip(1).map(ToOwned::to_owned));
    marks.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())).collect()
}

#[test]
fn every_name_of_the_table_stands_in_the_code_once_and_the_code_has_no_other() {
    assert_eq!(named("// crash_point!(\"no\")\n  x(); crash_point!(\"a.b\");"), ["a.b"]);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut found = BTreeMap::new();
    for part in ["watchdog/daemon", "watchdog/journal", "watchdog/membership", "replica-agent"] {
        in_code(&root.join(part), &mut found);
    }
    let listed: BTreeMap<String, usize> = points::all().map(|point| (point.name.to_owned(), 1)).collect();
    assert_eq!(points::all().count(), listed.len(), "a name is listed twice");
    assert_eq!(found, listed);
    assert!(listed.len() >= 42, "{}", listed.len());
}

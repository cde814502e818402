//! Layout: the visible top level, migrations that never change after release, and clippy's two configurations.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::{none, root};

const VISIBLE: [&str; 10] = [
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "examples",
    "migrations",
    "proto",
    "replica-agent",
    "tests",
    "watchdog",
];

/// Differences between what is there and what should be; `target` is cargo's and not part of the tree.
fn misplaced<'a>(there: impl Iterator<Item = &'a str>) -> Vec<String> {
    let there: BTreeSet<&str> = there.filter(|name| !name.starts_with('.') && *name != "target").collect();
    let wanted = BTreeSet::from(VISIBLE);
    let extra = there.difference(&wanted).map(|name| format!("{name} does not belong to the top level"));
    let missing = wanted.difference(&there).map(|name| format!("{name} is missing"));
    extra.chain(missing).collect()
}

/// Migrations that are not as they were released; `read` returns a file's bytes by its path below `migrations/`.
fn altered(released: &str, read: impl Fn(&str) -> Option<Vec<u8>>) -> Vec<String> {
    let mut complaints = Vec::new();
    for line in released.lines().filter(|line| !line.is_empty()) {
        match line.split_once("  ") {
            None => complaints.push(format!("`{line}` is not `sha256  file`")),
            Some((sum, file)) => match read(file) {
                None => complaints.push(format!("{file} was released and is gone")),
                Some(bytes) if hex(&bytes) != sum => {
                    complaints.push(format!("{file} was released and may not change; write a new migration"));
                }
                Some(_) => {}
            },
        }
    }
    complaints
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

/// Lines of the root's configuration that a crate's own one lacks; clippy reads one file only.
fn not_repeated(general: &str, own: &str) -> Vec<String> {
    let settings = general.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let lacking = settings.filter(|setting| !own.lines().any(|line| line == *setting));
    lacking.map(|setting| format!("the core's .clippy.toml lacks `{setting}`")).collect()
}

#[test]
fn the_top_level_is_as_designed() {
    let bad =
        VISIBLE.iter().copied().filter(|name| *name != "LICENSE").chain(["notes.txt", ".git", "target"]);
    assert_eq!(misplaced(bad), ["notes.txt does not belong to the top level", "LICENSE is missing"]);

    let names =
        std::fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    none(&misplaced(names.collect::<Vec<_>>().iter().map(String::as_str)));
}

#[test]
fn released_migrations_are_unchanged() {
    let released = format!("{}  0001_log.sql\n", hex(b"create table log"));
    assert_eq!(altered(&released, |_| Some(b"create table log".to_vec())), [""; 0]);
    assert_eq!(altered(&released, |_| Some(b"create table logs".to_vec())).len(), 1);
    assert_eq!(altered(&released, |_| None).len(), 1);
    assert_eq!(altered("0001_log.sql\n", |_| None).len(), 1);

    let directory = root().join("migrations");
    let released = std::fs::read_to_string(directory.join(".released")).unwrap();
    none(&altered(&released, |file| std::fs::read(directory.join(file)).ok()));
}

#[test]
fn the_core_has_all_lint_settings() {
    assert_eq!(not_repeated("# why\na = 1\nb = 2\n", "b = 2\n").len(), 1);

    let general = std::fs::read_to_string(root().join(".clippy.toml")).unwrap();
    for pure in ["core", "leader"] {
        let own = std::fs::read_to_string(root().join(format!("watchdog/{pure}/.clippy.toml"))).unwrap();
        assert!(own.contains("disallowed-methods"), "{pure} bans the clock");
        none(&not_repeated(&general, &own));
    }
}

//! Links: every link of the README and the pages leads to a file or a heading that is there, and every file that they
//! name is there.

use std::path::{Component, Path, PathBuf};

use crate::{PAGES, none, pages, root};

/// The targets of inline links and of definitions.
fn targets(text: &str) -> Vec<&str> {
    let inline = text.match_indices("](").filter_map(|(at, _)| text[at + 2..].split(')').next());
    let defined =
        text.lines().filter_map(|line| line.strip_prefix('[')?.split_once("]: ").map(|(_, target)| target));
    inline.chain(defined).collect()
}

/// Names of links that are used and not defined, or defined and not used.
fn loose(text: &str) -> Vec<String> {
    let definition = |line: &str| {
        line.strip_prefix('[').and_then(|rest| rest.split_once("]: ")).map(|(name, _)| name.to_owned())
    };
    let defined: Vec<String> = text.lines().filter_map(definition).collect();
    let used: Vec<&str> =
        text.match_indices("][").filter_map(|(at, _)| text[at + 2..].split(']').next()).collect();
    let undefined = used.iter().filter(|name| !defined.iter().any(|other| other == *name));
    let unused = defined.iter().filter(|name| !used.contains(&name.as_str()));
    undefined
        .map(|name| format!("[{name}] is not defined"))
        .chain(unused.map(|name| format!("[{name}] is not used")))
        .collect()
}

/// The anchor that a heading gets.
fn anchor(heading: &str) -> String {
    let letters = heading.trim_start_matches('#').trim().to_lowercase();
    letters
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

/// What is wrong with a target, seen from a page.
fn broken(page: &str, target: &str, read: impl Fn(&Path) -> Option<String>) -> Option<String> {
    if target.starts_with("https://") || target.starts_with("http://") {
        return None;
    }
    let (file, heading) =
        target.split_once('#').map_or((target, None), |(file, heading)| (file, Some(heading)));
    let path =
        if file.is_empty() { PathBuf::from(page) } else { plain(&Path::new(page).parent()?.join(file)) };
    let Some(text) = read(&path) else { return Some(format!("{page}: {target} leads nowhere")) };
    let headings = || text.lines().filter(|line| line.starts_with('#')).map(anchor);
    let missing = heading.is_some_and(|wanted| !headings().any(|heading| heading == wanted));
    missing.then(|| format!("{page}: {target} names no heading"))
}

/// Without `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    plain
}

/// Paths of this repository that stand between backticks.
fn named(text: &str) -> Vec<&str> {
    let ours = ["watchdog/", "replica-agent/", "proto/", "migrations/", "tests/", "examples/"];
    let words = text.split('`').skip(1).step_by(2);
    words
        .filter(|word| ours.iter().any(|start| word.starts_with(start)) && !word.contains([' ', '*', '…']))
        .collect()
}

fn file_or_directory(path: &Path) -> Option<String> {
    let path = root().join(path);
    if path.is_dir() {
        return Some(String::new());
    }
    // A picture is there as well as a text is.
    std::fs::read(path).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

#[test]
fn links_lead_somewhere() {
    let read = |path: &Path| (path == Path::new("a/b.md")).then(|| "# The End\n".to_owned());
    assert_eq!(broken("a/c.md", "b.md#the-end", read), None);
    assert_eq!(broken("a/c/d.md", "../b.md", read), None);
    assert!(broken("a/c.md", "b.md#the-start", read).is_some() && broken("a/c.md", "d.md", read).is_some());
    assert_eq!(targets("[x](y.md) [z][w]\n[w]: v.md\n"), ["y.md", "v.md"]);
    assert_eq!(loose("[z][w] [z][u]\n[w]: v.md\n[t]: s.md\n"), ["[u] is not defined", "[t] is not used"]);

    let mut complaints = Vec::new();
    for (page, text) in pages() {
        complaints
            .extend(targets(&text).iter().filter_map(|target| broken(&page, target, file_or_directory)));
        complaints.extend(loose(&text).into_iter().map(|complaint| format!("{page}: {complaint}")));
    }
    none(&complaints);
}

#[test]
fn files_that_are_named_are_there() {
    assert_eq!(
        named("see `tests/faults`, `examples/x.toml`, `watchdog dev` and `x/y`"),
        ["tests/faults", "examples/x.toml"]
    );
    let mut complaints = Vec::new();
    for (page, text) in pages() {
        let gone = named(&text).into_iter().filter(|path| !root().join(path).exists());
        complaints.extend(gone.map(|path| format!("{page}: {path} is not there")));
    }
    none(&complaints);
}

#[test]
fn pages_link_each_other_by_names_that_also_the_crate_documentation_knows() {
    let docs = crate::read("watchdog/daemon/src/docs.rs");
    let mut complaints = Vec::new();
    for (page, text) in pages().iter().filter(|(page, _)| page.starts_with(PAGES)) {
        let name = page.trim_start_matches(PAGES).trim_start_matches('/').trim_end_matches(".md");
        for line in [format!("\"[{name}]: crate::docs::{name}\""), format!("{name} \"docs/{name}.md\"")] {
            if !docs.contains(&line) {
                complaints.push(format!("docs.rs lacks {line}"));
            }
        }
        // A file of the repository is no page of the crate's documentation.
        let inline = text.match_indices("](").filter_map(|(at, _)| text[at + 2..].split(')').next());
        let relative = inline.filter(|target| !target.starts_with("http") && !target.starts_with('#'));
        complaints
            .extend(relative.map(|target| format!("{page}: {target} is linked without a name at the end")));
    }
    none(&complaints);
}

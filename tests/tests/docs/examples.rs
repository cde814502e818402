//! Examples: the annotated configuration files as tables: meaning from the comment above a key, bounds and what is
//! required from the program itself, the type of a value from the source.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;

use watchdog_tests::Directory;
use watchdog_tests::dev::program;

use crate::source::items;
use crate::{joined, none, read, root};

/// Numbers beyond the bounds of every key that has some; the second for those of half the size.
const BEYOND: [&str; 3] = ["9223372036854775807", "4294967295", "0"];

/// A configuration file and what reads it.
pub(crate) struct Configured {
    /// The annotated file.
    pub(crate) example: &'static str,
    /// The program whose `check-config` reads it.
    pub(crate) program: &'static str,
    /// The directory of the types, and the type of the whole file.
    pub(crate) types: (&'static str, &'static str),
}

/// Both of them.
pub(crate) const CONFIGURED: [Configured; 2] = [
    Configured {
        example: "examples/watchdog.toml",
        program: "watchdog",
        types: ("watchdog/daemon/src/config", "File"),
    },
    Configured {
        example: "examples/host-agent.toml",
        program: "replica-agent",
        types: ("replica-agent/host/src/config", "Config"),
    },
];

/// One key of an example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// `coordination`, or nothing above the first table.
    table: String,
    key: String,
    value: String,
    /// Whether the line is a comment that shows a value.
    shown_only: bool,
    line: usize,
    meaning: String,
}

/// The keys of an example, each with the comment above it; a key without a comment belongs to the one before.
fn rows(text: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    let (mut table, mut comment) = (String::new(), Vec::new());
    for (line, bare) in text.lines().enumerate() {
        let shown = bare.strip_prefix("# ").filter(|rest| is_assignment(rest));
        // Also a table that is commented out as a whole.
        if let Some(name) = bare.trim_start_matches("# ").strip_prefix('[').filter(|name| name.ends_with(']'))
        {
            name.trim_end_matches(']').clone_into(&mut table);
            comment.clear();
        } else if let Some((key, value)) =
            shown.or_else(|| is_assignment(bare).then_some(bare)).and_then(|it| it.split_once(" = "))
        {
            if !comment.is_empty() {
                let meaning = comment.join(" ");
                let (key, value) = (key.to_owned(), value.to_owned());
                rows.push(Row {
                    table: table.clone(),
                    key,
                    value,
                    shown_only: shown.is_some(),
                    line,
                    meaning,
                });
            }
            comment.clear();
        } else if let Some(words) = bare.strip_prefix('#') {
            comment.push(words.trim());
        } else {
            comment.clear();
        }
    }
    rows
}

fn is_assignment(text: &str) -> bool {
    text.split_once(" = ").is_some_and(|(key, _)| {
        !key.is_empty() && key.chars().all(|c| c.is_ascii_lowercase() || matches!(c, '_' | '.'))
    })
}

/// The sources of the types, as one text.
fn sources(directory: &str) -> String {
    let files = std::fs::read_dir(root().join(directory)).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|it| it == "rs")).collect();
    files.sort();
    files.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

/// `Option<Spanned<Vec<ClusterId>>>` without what does not matter to whoever writes the file.
fn bare(kind: &str) -> &str {
    for wrapper in ["Option<", "Spanned<", "BTreeMap<String, "] {
        if let Some(inner) = kind.strip_prefix(wrapper) {
            return bare(inner.trim_end_matches('>'));
        }
    }
    kind.rsplit("::").next().unwrap_or(kind)
}

/// Every key of the types, by its path from the whole file; `NAME` stands for what the owner chooses.
pub(crate) fn keys(sources: &str, whole: &str) -> BTreeMap<String, String> {
    let mut keys = BTreeMap::new();
    for field in items(sources, whole) {
        let below = items(sources, bare(&field.kind));
        let is_table = !below.is_empty() && below.iter().all(|item| !item.kind.is_empty());
        let chosen = if field.kind.contains("BTreeMap<String, ") && is_table { ".NAME" } else { "" };
        if is_table {
            for (key, kind) in self::keys(sources, bare(&field.kind)) {
                keys.insert(format!("{}{chosen}.{key}", field.name), kind);
            }
        } else {
            keys.insert(field.name, field.kind);
        }
    }
    keys
}

/// What the program says of a file with this text.
fn said(reader: &str, text: &str) -> (bool, String) {
    let directory = Directory::fresh("config-").unwrap();
    let file = directory.path().join("x.toml");
    std::fs::write(&file, text).unwrap();
    let output = Command::new(program(reader).unwrap()).arg("check-config").arg(&file).output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// The same text with another line at that place.
fn with_line(text: &str, at: usize, line: &str) -> String {
    let lines = text.lines().enumerate().map(|(index, old)| if index == at { line } else { old });
    joined(lines.map(str::to_owned))
}

impl Row {
    /// Its path as in [`keys`]: a program is called NAME.
    fn path(&self) -> String {
        let table: Vec<&str> = self.table.split('.').collect();
        let table = match table[..] {
            ["programs", _, ..] => {
                ["programs", "NAME"].iter().chain(&table[2..]).copied().collect::<Vec<_>>().join(".")
            }
            _ => self.table.clone(),
        };
        let key = self.key.split('.').next().unwrap_or_default();
        if table.is_empty() { key.to_owned() } else { format!("{table}.{key}") }
    }

    fn default(&self, configured: &Configured, text: &str, kind: &str) -> String {
        let optional = kind.contains("PathBuf") && kind.starts_with("Option") || kind.starts_with("BTreeMap");
        if self.shown_only {
            return if optional || !configured.shows_defaults() {
                String::new()
            } else {
                format!("`{}`", self.value)
            };
        }
        if !said(configured.program, &with_line(text, self.line, "")).0 {
            return "required".to_owned();
        }
        if optional || kind.starts_with("Option") { String::new() } else { format!("`{}`", self.value) }
    }

    /// What the program says of numbers that are too large or too small.
    fn allowed(&self, configured: &Configured, text: &str) -> String {
        if self.value.parse::<u64>().is_err() {
            return String::new();
        }
        let bounds = BEYOND.iter().find_map(|number| {
            let (_, said) =
                said(configured.program, &with_line(text, self.line, &format!("{} = {number}", self.key)));
            let told = |words: &str| {
                said.split(words).nth(1).and_then(|rest| rest.lines().next()).map(str::to_owned)
            };
            told("allowed are ").or_else(|| Some(format!("at least {}", told("must be at least ")?)))
        });
        bounds.unwrap_or_default()
    }
}

impl Configured {
    /// Whether what is commented out shows the default; else it is an example.
    fn shows_defaults(&self) -> bool {
        self.program == "watchdog"
    }

    /// Tables of all keys.
    pub(crate) fn tables(&self) -> String {
        let text = read(self.example);
        let kinds = keys(&sources(self.types.0), self.types.1);
        let mut drawn = String::new();
        let mut table = None;
        for row in rows(&text) {
            let path = row.path();
            let (own, key) = path.rsplit_once('.').unwrap_or(("", &path));
            if table.as_deref() != Some(own) {
                let title =
                    if own.is_empty() { "above the first table".to_owned() } else { format!("`[{own}]`") };
                let _ = write!(
                    drawn,
                    "\n### `{}`, {title}\n\n| key | default | bounds | meaning |\n| --- | --- | --- | --- |\n",
                    file_name(self.example)
                );
                table = Some(own.to_owned());
            }
            let named =
                kinds.iter().find(|(known, _)| **known == path || known.starts_with(&format!("{path}.")));
            let Some((_, kind)) = named else { panic!("{path} is in {} and not in the types", self.example) };
            let (default, allowed) = (row.default(self, &text, kind), row.allowed(self, &text));
            let meaning = marked(&row.meaning).replace('|', "\\|");
            let _ = writeln!(drawn, "| `{key}` | {default} | {allowed} | {meaning} |");
        }
        drawn
    }
}

/// With backticks around what a page would take for something else: names with `_`, and angles.
fn marked(comment: &str) -> String {
    let mut quoted = false;
    let words = comment.split(' ').map(|word| {
        let was_quoted = quoted;
        quoted ^= word.matches('`').count() % 2 == 1;
        let bare = word.trim_matches(['.', ',', ';', '(', ')']);
        let special = bare.contains(['_', '<', '*']) && !bare.contains('`') && !was_quoted;
        if special { word.replace(bare, &format!("`{bare}`")) } else { word.to_owned() }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn names_are_marked_and_what_is_marked_stays() {
    assert_eq!(
        marked("give one_of. Or `a b_c d` and WATCHDOG_<X>"),
        "give `one_of`. Or `a b_c d` and `WATCHDOG_<X>`"
    );
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[test]
fn every_key_of_the_types_is_in_its_example() {
    let sources_of = "struct File {\n    id: Id,\n    log: Option<logs::Log>,\n    all: BTreeMap<String, Log>,\n}\nstruct Log {\n    a_ms: Option<Spanned<u64>>,\n}\n";
    let found: Vec<String> = keys(sources_of, "File").into_keys().collect();
    assert_eq!(found, ["all.NAME.a_ms", "id", "log.a_ms"]);
    let read_rows =
        rows("# Head.\n\n# What.\n# More.\na_b = 1\nc = 2\n# Table.\n[t.u]\n# Sub,\n# x = \"y\"\n");
    let told: Vec<(String, &str)> = read_rows.iter().map(|row| (row.path(), row.meaning.as_str())).collect();
    assert_eq!(told, [("a_b".to_owned(), "What. More."), ("t.u.x".to_owned(), "Sub,")]);

    let mut complaints = Vec::new();
    for configured in &CONFIGURED {
        let text = read(configured.example);
        let keys = keys(&sources(configured.types.0), configured.types.1);
        assert!(keys.len() > 10, "{keys:?}");
        let named = |key: &str| text.contains(&format!("{key} = ")) || text.contains(&format!("{key}."));
        let lacking = keys
            .keys()
            .map(|path| (path, path.rsplit('.').next().unwrap_or_default()))
            .filter(|(_, key)| !named(key));
        complaints.extend(lacking.map(|(path, _)| format!("{} lacks {path}", configured.example)));
    }
    none(&complaints);
}

//! Goal file: what an operator wrote, read into a [`Goal`]; each mistake is told with its place and how to mend it.
//!
//! ```text
//! bytes ─► text ─┬─ TOML ─┐
//!                └─ JSON ─┴─► tree with places ─► audit ─► fields ─► Goal
//!                                   ▲
//! the leader's "no", which names a field ─┘ (locate)
//! ```

mod audit;
mod fields;
mod json_tree;
mod load;
mod locate;
mod node;
mod pace;
mod reader;
mod source;
#[cfg(test)]
mod tests;
mod toml_tree;
mod traps;

use std::path::Path;

use watchdog_core::goal::Goal;

use self::node::Node;
use self::source::Source;
use crate::failure::Failure;

/// Of a longer sentence of the leader only the beginning and the end are told.
const SENTENCE_CHARACTERS_MAX: usize = 1_000;
/// More mistakes than these are only counted.
const MISTAKES_TOLD: usize = 10;

/// A goal with the file that it came from.
#[derive(Debug)]
pub(crate) struct GoalFile {
    /// What is wanted.
    pub(crate) goal: Goal,
    /// What is allowed and hardly meant, a line each.
    pub(crate) warnings: Vec<String>,
    source: Source,
    root: Node,
}

impl GoalFile {
    /// Reads a file, or standard input when it is called `-`.
    ///
    /// # Errors
    ///
    /// [`Failure::Usage`] with each mistake on a line that begins with its place.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let source = load::load(path).map_err(Failure::Usage)?;
        Self::parse(source).map_err(Failure::Usage)
    }

    /// Reads what a file called `name` would hold.
    ///
    /// # Errors
    ///
    /// Each mistake on a line that begins with its place.
    pub(crate) fn of_bytes(name: &str, bytes: &[u8]) -> Result<Self, String> {
        Self::parse(load::source(name.to_owned(), bytes)?)
    }

    fn parse(source: Source) -> Result<Self, String> {
        if source.text.trim().is_empty() {
            let lesson = "it is empty; write what shall hold, such as `restart = true`";
            return Err(format!("{}: {lesson}", source.name));
        }
        let named_so = Path::new(&source.name).extension().is_some_and(|it| it.eq_ignore_ascii_case("json"));
        let is_json = named_so || source.text.trim_start().starts_with('{');
        let tree = if is_json { json_tree::tree(&source.text) } else { toml_tree::tree(&source.text) };
        let root = tree.map_err(|mistake| source.complaint(&mistake))?;
        let mistakes = audit::audit(&root, &source);
        if !mistakes.is_empty() {
            return Err(told(&source, mistakes));
        }
        match fields::goal(&root) {
            Ok(goal) => {
                let warnings = if is_json { Vec::new() } else { traps::traps(&root) };
                let warnings = warnings.iter().map(|mistake| source.complaint(mistake)).collect();
                Ok(Self { goal, warnings, source, root })
            }
            Err(mistakes) => Err(told(&source, mistakes)),
        }
    }

    /// What the leader said about this goal, behind the place of the field that it named.
    pub(crate) fn locate(&self, sentence: &str) -> String {
        match locate::place(&self.root, sentence) {
            Some(at) => {
                format!("{}: {}", self.source.place(at), source::told(sentence, SENTENCE_CHARACTERS_MAX))
            }
            None if sentence.starts_with("goal: ") => format!("{}: {sentence}", self.source.name),
            None => source::told(sentence, SENTENCE_CHARACTERS_MAX),
        }
    }
}

/// The mistakes in the order of the file, a line each.
fn told(source: &Source, mut mistakes: Vec<source::Mistake>) -> String {
    mistakes.sort_by_key(|mistake| mistake.at);
    let mut lines: Vec<String> =
        mistakes.iter().take(MISTAKES_TOLD).map(|mistake| source.complaint(mistake)).collect();
    if mistakes.len() > MISTAKES_TOLD {
        lines.push(format!("{}: and {} more mistakes", source.name, mistakes.len() - MISTAKES_TOLD));
    }
    lines.join("\n")
}

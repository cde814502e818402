//! Checks: what must hold of every history, one invariant a file.

mod acknowledged;
mod budget;
mod cut_off;
mod exclusive;
mod fallen;
mod intent;
pub mod interleaving;
mod obituary;
mod once;
mod record;
mod rest;
#[cfg(test)]
mod scene;
mod started;
mod unasked;

use serde::{Deserialize, Serialize};

use crate::history::History;

/// An invariant that was broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// Which.
    pub check: String,
    /// What happened, in one sentence.
    pub what: String,
}

/// Answers what is wrong with a history, each in one sentence.
type Check = fn(&History) -> Vec<String>;

/// All of them, by name.
pub const ALL: [(&str, Check); 13] = [
    ("interleaving", interleaving::check),
    ("once", once::check),
    ("intent", intent::check),
    ("record", record::check),
    ("budget", budget::check),
    ("acknowledged", acknowledged::check),
    ("obituary", obituary::check),
    ("unasked", unasked::check),
    ("started", started::check),
    ("exclusive", exclusive::check),
    ("fallen", fallen::check),
    ("rest", rest::check),
    ("cut_off", cut_off::check),
];

/// Everything that is wrong with a history.
pub fn all(history: &History) -> Vec<Violation> {
    let found = ALL.iter().flat_map(|(name, check)| {
        check(history).into_iter().map(|what| Violation { check: (*name).to_owned(), what })
    });
    found.collect()
}

//! Awaiting: bugs that were found and are not mended yet, by the words in which they show.
//!
//! They are counted apart and fail nothing; `tests/replay.rs` fails once one of them does not show any more.

/// A bug that waits to be mended.
#[derive(Debug, Clone, Copy)]
pub struct Bug {
    /// What the panic says.
    pub says: &'static str,
    /// In which target.
    pub target: &'static str,
    /// An input that shows it: a file below `awaiting/` and the target.
    pub input: &'static str,
}

/// All of them.
pub const BUGS: &[Bug] = &[
    // A null of the application is sent as a removal, so that no replica ever holds the state that was declared.
    Bug {
        says: "a replica that loads the difference holds another state",
        target: "goal_wire",
        input: "null-value",
    },
    // Accepted and written, and then no watchdog can read the record any more.
    Bug { says: "its entry can't be read from the journal again", target: "goal_wire", input: "deep-value" },
    Bug { says: "the wire takes a key that is given twice", target: "goal_wire", input: "key-twice" },
    Bug { says: "the wire takes a list for a goal", target: "goal_wire", input: "list" },
    Bug { says: "it is no line for a header or a terminal", target: "goal_wire", input: "long-refusal" },
    Bug { says: "a list is taken for a table", target: "declarations", input: "list" },
    Bug { says: "it comes out as another", target: "names", input: "upper-case-hash" },
];

/// Whether a panic is that of a bug which is known.
pub fn is_known(words: &str) -> bool {
    BUGS.iter().any(|bug| words.contains(bug.says))
}

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

/// All of them: none.
pub const BUGS: &[Bug] = &[];

/// Whether a panic in a target is that of a bug which is known.
pub fn is_known(target: &str, words: &str) -> bool {
    BUGS.iter().any(|bug| bug.target == target && words.contains(bug.says))
}

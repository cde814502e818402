//! Awaiting: bugs that were found and are not mended yet, by the words in which they show.
//!
//! They are counted apart and fail nothing; `tests/replay.rs` fails once one of them does not show any more.

/// A bug that waits to be mended.
#[derive(Debug, Clone, Copy)]
pub struct Bug {
    /// Where the panic is told, or what it says.
    pub says: &'static str,
    /// An input that shows it, below `awaiting/`.
    pub input: &'static str,
}

/// All of them.
pub const BUGS: &[Bug] = &[];

/// Whether a panic is that of a bug which is known.
pub fn is_known(words: &str) -> bool {
    BUGS.iter().any(|bug| words.contains(bug.says))
}

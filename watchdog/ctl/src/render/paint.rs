//! Paint: what a word means, as a colour.

use super::Paper;

/// What a word means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Nothing in particular.
    #[default]
    Plain,
    /// As it should be.
    Good,
    /// On its way, or not known.
    Unsure,
    /// Wrong.
    Bad,
    /// Less important.
    Faint,
    /// A heading.
    Strong,
}

impl Tone {
    /// The text in its colour, or as it is.
    pub(crate) fn paint(self, text: &str, paper: &Paper) -> String {
        let code = match self {
            Self::Plain => "",
            Self::Good => "32",
            Self::Unsure => "33",
            Self::Bad => "31",
            Self::Faint => "2",
            Self::Strong => "1",
        };
        if code.is_empty() || !paper.colour || text.is_empty() {
            return text.to_owned();
        }
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// Of a replica's state.
    pub(crate) fn of_state(state: &str) -> Self {
        match state {
            "healthy" => Self::Good,
            "starting" | "loading" | "draining" | "unknown" => Self::Unsure,
            _ => Self::Bad,
        }
    }

    /// Of a plan's or a step's status.
    pub(crate) fn of_status(status: &str) -> Self {
        match status {
            "done" => Self::Good,
            "failed" => Self::Bad,
            "running" | "awaiting_approval" | "unknown" => Self::Unsure,
            "pending" | "superseded" | "cancelled" => Self::Faint,
            _ => Self::Plain,
        }
    }

    /// Of a goal's status.
    pub(crate) fn of_goal(status: &str) -> Self {
        match status {
            "achieved" => Self::Good,
            "rejected" => Self::Bad,
            "pending" | "rolling" => Self::Unsure,
            "superseded" | "withdrawn" => Self::Faint,
            _ => Self::Plain,
        }
    }

    /// Of how far a goal is with a replica.
    pub(crate) fn of_stage(stage: &str) -> Self {
        match stage {
            "arrived" => Self::Good,
            "failed" => Self::Bad,
            "moving" | "trial" => Self::Unsure,
            "left" => Self::Faint,
            _ => Self::Plain,
        }
    }

    /// Of a version's mark.
    pub(crate) fn of_mark(mark: &str) -> Self {
        match mark {
            "stable" => Self::Good,
            "rejected" => Self::Bad,
            "candidate" => Self::Unsure,
            _ => Self::Plain,
        }
    }
}

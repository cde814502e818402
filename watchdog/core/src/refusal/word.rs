//! Word: each reason as it is called in JSON and in metrics.

use super::Reason;

impl Reason {
    /// The words for all of them.
    pub const WORDS: [&'static str; 34] = [
        "blind",
        "paused",
        "held",
        "quarantined",
        "would_disturb",
        "busy",
        "plan_full",
        "plan_open",
        "unsealed",
        "backing_off",
        "not_begun",
        "storm",
        "outdated",
        "flapping",
        "no_remedy",
        "unreachable",
        "lease_running",
        "not_fenced",
        "tree_not_gone",
        "no_host",
        "no_stable_version",
        "not_declared",
        "bad_declaration",
        "autonomy",
        "journal_behind",
        "declined",
        "rollout_held",
        "rollout_waits",
        "unprovable",
        "errand_failed",
        "place_taken",
        "left_to_goal",
        "not_well",
        "vetoed",
    ];

    /// The word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Blind { .. } => "blind",
            Self::Paused { .. } => "paused",
            Self::Held { .. } => "held",
            Self::Quarantined { .. } => "quarantined",
            Self::WouldDisturb { .. } => "would_disturb",
            Self::Busy { .. } => "busy",
            Self::PlanFull { .. } => "plan_full",
            Self::PlanOpen { .. } => "plan_open",
            Self::Unsealed { .. } => "unsealed",
            Self::BackingOff { .. } => "backing_off",
            Self::NotBegun { .. } => "not_begun",
            Self::Storm { .. } => "storm",
            Self::Outdated { .. } => "outdated",
            Self::Flapping { .. } => "flapping",
            Self::NoRemedy { .. } => "no_remedy",
            Self::Unreachable { .. } => "unreachable",
            Self::LeaseRunning { .. } => "lease_running",
            Self::NotFenced { .. } => "not_fenced",
            Self::TreeNotGone { .. } => "tree_not_gone",
            Self::NoHost { .. } => "no_host",
            Self::NoStableVersion => "no_stable_version",
            Self::NotDeclared => "not_declared",
            Self::BadDeclaration { .. } => "bad_declaration",
            Self::Autonomy { .. } => "autonomy",
            Self::JournalBehind { .. } => "journal_behind",
            Self::Declined { .. } => "declined",
            Self::RolloutHeld { .. } => "rollout_held",
            Self::RolloutWaits { .. } => "rollout_waits",
            Self::Unprovable { .. } => "unprovable",
            Self::ErrandFailed { .. } => "errand_failed",
            Self::PlaceTaken { .. } => "place_taken",
            Self::LeftToGoal { .. } => "left_to_goal",
            Self::NotWell => "not_well",
            Self::Vetoed { .. } => "vetoed",
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn the_word_is_that_of_json() {
        let samples = [
            Reason::NotWell,
            Reason::NoStableVersion,
            Reason::Busy { healing: 1, max: 1 },
            Reason::Vetoed { objection: String::new() },
            Reason::Unsealed { agent: String::new() },
        ];
        for reason in samples {
            let json = serde_json::to_value(&reason).unwrap();
            assert_eq!(json["kind"], reason.word());
            assert!(Reason::WORDS.contains(&reason.word()));
        }
    }
}

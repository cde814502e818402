//! Sentence: each reason in one sentence that an SRE understands.

use std::fmt;

use crate::policy::Remedy;
use crate::render;

use super::{Reason, list};

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blind { why, .. } => write!(f, "holding, because this watchdog can't see: {why}"),
            Self::Paused { by, why, until: None } => write!(f, "paused by {by}: {why}"),
            Self::Paused { by, why, until: Some(_) } => write!(f, "paused by {by} for a time: {why}"),
            Self::Held { target, by, why } => write!(f, "{target} is held by {by}: {why}"),
            Self::Quarantined { why } => write!(f, "quarantined until released: {why}"),
            Self::Autonomy { remedy, approvable: true } => {
                write!(f, "{} awaits approval, as policy says", remedy.word())
            }
            Self::Autonomy { remedy, approvable: false } => {
                write!(f, "{} is only observed, as policy says", remedy.word())
            }
            Self::JournalBehind { journal, expected } if journal < expected => write!(
                f,
                "the journal ends at version {journal}, but version {expected} was committed: it was restored from an older backup"
            ),
            Self::JournalBehind { expected, .. } => write!(
                f,
                "the journal has a version {expected}, but not what was recorded with it since: it was restored from an older backup, or is another one"
            ),
            Self::Declined { remedy, plan } => {
                write!(f, "{} was declined with plan {plan}; it is not asked again before ", remedy.word())?;
                f.write_str(match remedy {
                    Remedy::Reject | Remedy::MarkStable => "the goal is withdrawn or superseded",
                    Remedy::Roll => "the goal is withdrawn or superseded, or the replica gets a `release`",
                    _ => "the fault is gone, or `release`",
                })
            }
            Self::RolloutHeld { .. }
            | Self::RolloutWaits { .. }
            | Self::Unprovable { .. }
            | Self::LeftToGoal { .. }
            | Self::ErrandFailed { .. } => self.of_a_goal(f),
            Self::NotWell => f.write_str("it is not well where it is"),
            Self::Vetoed { objection } => write!(f, "the plan was vetoed: {objection}"),
            Self::WouldDisturb { .. }
            | Self::Busy { .. }
            | Self::PlanFull { .. }
            | Self::PlanOpen { .. }
            | Self::Unsealed { .. }
            | Self::BackingOff { .. }
            | Self::NotBegun { .. }
            | Self::PlaceTaken { .. }
            | Self::Storm { .. }
            | Self::Outdated { .. }
            | Self::Flapping { .. }
            | Self::NoRemedy { .. }
            | Self::Unreachable { .. }
            | Self::LeaseRunning { .. }
            | Self::NotFenced { .. }
            | Self::TreeNotGone { .. }
            | Self::NoHost { .. }
            | Self::NoStableVersion
            | Self::NotDeclared
            | Self::BadDeclaration { .. } => self.of_a_heal(f),
        }
    }
}

impl Reason {
    /// The sentences that say why a goal does not go on.
    fn of_a_goal(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RolloutHeld { goal, replica, host, why } => {
                let host = host.as_ref().map(|host| format!(" on {host}")).unwrap_or_default();
                write!(
                    f,
                    "goal {goal} is held: {replica} fails{host} on the stable version too ({why}), so the candidate is not to blame; look after it and `release {replica}`, or `goal withdraw {goal}`"
                )
            }
            Self::LeftToGoal { goal } => write!(f, "goal {goal} starts it on its own version"),
            Self::RolloutWaits { goal, replica, why } => write!(f, "goal {goal} waits for {replica}: {why}"),
            Self::Unprovable { goal, version } => write!(
                f,
                "goal {goal} waits: no replica is declared that could prove version {version}; declare one, or `goal withdraw {goal}`"
            ),
            Self::ErrandFailed { goal: Some(goal), why } => {
                write!(f, "the metadata log can't be changed for goal {goal}, and is asked again: {why}")
            }
            Self::ErrandFailed { goal: None, why } => {
                write!(f, "the log can't be returned to the stable version, and is asked again: {why}")
            }
            _ => Ok(()),
        }
    }

    /// The sentences that say why one replica is not healed now.
    fn of_a_heal(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WouldDisturb { disturbed, more, max } => {
                let disturbed = list(disturbed, *more);
                write!(f, "touching it would disturb more than {max}: already disturbed: {disturbed}")
            }
            Self::Busy { healing, max } => {
                write!(f, "{healing} heals are under way, {max} are allowed at once")
            }
            Self::PlanFull { healing } => {
                write!(
                    f,
                    "this plan deals with {healing}, which is as many as one may hold; the next one follows"
                )
            }
            Self::PlanOpen { plan } => write!(f, "plan {plan} is dealing with it"),
            Self::Unsealed { agent } => {
                write!(f, "an earlier leader's order may still be under way at {agent}, not sealed yet")
            }
            Self::BackingOff { tries, .. } => write!(f, "backing off after {}", render::tries(*tries)),
            Self::NotBegun { times, blame, why, .. } => {
                write!(
                    f,
                    "ordered {}, and nothing came of it ({}): {why}; it is ordered again",
                    render::times(*times),
                    blame.phrase()
                )
            }
            Self::PlaceTaken { by, host } => {
                write!(f, "it may take the place of {by}, which is leaving {host} and not gone yet")
            }
            Self::Storm { vanished, total, awaiting } => write!(
                f,
                "{vanished} of {total} vanished together without proof of death; held until {awaiting}, or `storm release`"
            ),
            Self::Outdated { fault } => {
                write!(f, "convicted as {fault}, but that is not what is seen now; looking again")
            }
            Self::Flapping { tries, max } => {
                write!(f, "it dies again and again; it runs now, after {tries} of {max} tries")
            }
            Self::NoRemedy { fault } => write!(f, "{fault} can't be healed from here"),
            Self::Unreachable { .. }
            | Self::LeaseRunning { .. }
            | Self::NotFenced { .. }
            | Self::TreeNotGone { .. }
            | Self::NoHost { .. } => self.of_a_host(f),
            Self::NoStableVersion => {
                f.write_str("nothing is stable yet, so there is nothing to return to; a human must decide")
            }
            Self::NotDeclared => f.write_str("it runs, but the log does not declare it"),
            Self::BadDeclaration { why } => write!(f, "its declaration can't be read: {why}"),
            _ => Ok(()),
        }
    }

    /// The sentences that name the hosts that stand in the way.
    fn of_a_host(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { host } => {
                write!(f, "it must be killed first, and the agent of {host} is not there to do it")
            }
            Self::LeaseRunning { host, .. } => {
                write!(f, "it may still run on {host}, whose lease has not run out")
            }
            Self::NotFenced { host } => write!(
                f,
                "it is exclusive and {host} is silent; the lease is over, but without a fence only a human can confirm that it is dead"
            ),
            Self::TreeNotGone { host } => write!(
                f,
                "it is exclusive, and only its main process on {host} is proven dead: end there what is left of it, then `watchdogctl goal apply` its declaration with exclusive = false until it runs"
            ),
            Self::NoHost { allowed, more } => {
                write!(f, "none of the hosts that may run it is there: {}", list(allowed, *more))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Version;

    #[test]
    fn a_journal_is_older_by_its_end_or_by_what_was_recorded_with_it() {
        let table = [
            (40, "ends at version 40, but version 41 was committed"),
            (41, "has a version 41, but not what was recorded with it since"),
        ];
        for (journal, said) in table {
            let reason = Reason::JournalBehind { journal: Version(journal), expected: Version(41) };
            let sentence = reason.to_string();
            assert!(sentence.contains(said) && sentence.contains("older backup"), "{sentence}");
        }
    }
}

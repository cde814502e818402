//! Offers: what a human can do about what stands in the way, each with its command; `status` prints them, and whoever
//! follows nothing else comes back to well.
//!
//! ```text
//! pause, holds ─► plans that wait for an answer ─► a storm ─► quarantines, no's, trials that failed
//!   ─► hosts that are gone ─► a stable version that can't be started ─► the goal that does not get on
//! ```
//!
//! The gentlest comes first: who works down the list gives up as little as may be.

use std::collections::{BTreeSet, VecDeque};

use crate::finding::Subject;
use crate::history::{History, PastHeal};
use crate::ids::{GoalId, PlanId, ReplicaId, Time, Version};
use crate::plan::PlanStatus;
use crate::policy::Remedy;
use crate::refusal::{Reason, Refusal};
use crate::rollout::Rollout;

/// What a human can tell the watchdogs to do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Command {
    /// To go on after a pause.
    Resume,
    /// To end a hold or a quarantine, or to ask again what was declined.
    Release {
        /// The replica or host.
        target: String,
    },
    /// To let a plan begin.
    Approve {
        /// Which.
        plan: PlanId,
    },
    /// To say no to a plan, so that another may be asked for once its replica is released.
    Decline {
        /// Which.
        plan: PlanId,
    },
    /// To heal what vanished together.
    ReleaseStorm,
    /// To say where a replica may run, by a goal.
    Redeclare {
        /// Which.
        replica: ReplicaId,
        /// Whether under another name, because of this one a life may still run where nobody sees it.
        anew: bool,
    },
    /// To return to what was stable before, whatever the stable version is.
    Restore {
        /// Which version.
        version: Version,
    },
    /// To take a goal back.
    Withdraw {
        /// Which.
        goal: GoalId,
    },
    /// To declare a goal in the place of the one that rolls.
    Supersede {
        /// That one.
        goal: GoalId,
    },
}

/// A way on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// What is done.
    pub command: Command,
    /// Why one would.
    pub sentence: String,
    /// What to type.
    pub line: String,
}

impl Offer {
    /// What to do, and why.
    pub fn of(command: Command, sentence: impl Into<String>) -> Self {
        let line = line(&command);
        Self { command, sentence: sentence.into(), line }
    }
}

/// The command line of a command.
pub fn line(command: &Command) -> String {
    match command {
        Command::Resume => "watchdogctl resume".to_owned(),
        Command::Release { target } => format!("watchdogctl release {target}"),
        Command::Approve { plan } => format!("watchdogctl plan approve {plan}"),
        Command::Decline { plan } => format!("watchdogctl plan reject {plan}"),
        Command::ReleaseStorm => "watchdogctl storm release --reason REASON".to_owned(),
        Command::Restore { version } => format!("watchdogctl goal restore {version} --force"),
        Command::Withdraw { goal } => format!("watchdogctl goal withdraw {goal}"),
        // A goal that rolls may wait for this very replica.
        Command::Redeclare { .. } | Command::Supersede { .. } => {
            "watchdogctl goal apply -f FILE --supersede".to_owned()
        }
    }
}

/// What can be done now, the gentlest first; empty when nothing waits for a human.
pub fn offers<'a>(
    history: &History,
    refusals: impl IntoIterator<Item = &'a Refusal>,
    now: Time,
) -> Vec<Offer> {
    let mut offers = Vec::new();
    offers.extend(halts(history, now));
    offers.extend(waiting(history));
    offers.extend(refusals.into_iter().filter_map(|refusal| of_refusal(refusal, history)));
    offers.extend(released(history));
    let fallen: Vec<&ReplicaId> = fallen(history).collect();
    let rolling = history.rollout.as_ref();
    let mut last = [restore(history, &fallen), rolling.map(|rollout| goal(rollout, history))];
    // Who fails only as what a goal adds is gone with it.
    if rolling.is_some_and(|rollout| fallen.iter().all(|replica| rollout.adds.contains(*replica))) {
        last.reverse();
    }
    offers.extend(last.into_iter().flatten());
    let mut known = BTreeSet::new();
    offers.retain(|offer| known.insert(offer.command.clone()));
    offers
}

fn halts(history: &History, now: Time) -> Vec<Offer> {
    let pause = history.pause.as_ref().filter(|pause| pause.stands(now));
    let resume =
        pause.map(|pause| Offer::of(Command::Resume, format!("paused by {}: {}", pause.by, pause.reason)));
    let holds = history.holds.iter().filter(|(_, hold)| hold.stands(now)).map(|(target, hold)| {
        let why = format!("{target} is held by {}: {}", hold.by, hold.reason);
        Offer::of(Command::Release { target: target.clone() }, why)
    });
    resume.into_iter().chain(holds).collect()
}

/// A plan that waits for a human bars its replicas, also when to approve it would do harm by now.
fn waiting(history: &History) -> Vec<Offer> {
    let open = history.open_plans.values().filter(|open| open.status == PlanStatus::AwaitingApproval);
    let both = open.flat_map(|open| {
        let plan = open.plan.id.clone();
        let why = format!("plan {plan} awaits approval: {}", open.plan.reason);
        let approve = Command::Approve { plan: plan.clone() };
        [Offer::of(approve, why.clone()), Offer::of(Command::Decline { plan }, why)]
    });
    both.collect()
}

fn of_refusal(refusal: &Refusal, history: &History) -> Option<Offer> {
    let replica = match &refusal.subject {
        Some(Subject::Replica(replica)) => Some(replica),
        Some(Subject::Host(_)) | None => None,
    };
    let command = match &refusal.reason {
        Reason::Storm { .. } => Command::ReleaseStorm,
        Reason::RolloutHeld { replica, .. } => Command::Release { target: replica.to_string() },
        Reason::Declined { .. } => match (replica, &history.rollout) {
            (Some(replica), _) => Command::Release { target: replica.to_string() },
            (None, Some(rollout)) => Command::Withdraw { goal: rollout.goal.clone() },
            (None, None) => Command::Release { target: history.quarantined.keys().next()?.to_string() },
        },
        Reason::NotFenced { .. } => Command::Redeclare { replica: replica?.clone(), anew: true },
        Reason::NoHost { .. } | Reason::TreeNotGone { .. } => {
            Command::Redeclare { replica: replica?.clone(), anew: false }
        }
        Reason::Unprovable { goal, .. } | Reason::ErrandFailed { goal: Some(goal), .. } => {
            Command::Withdraw { goal: goal.clone() }
        }
        Reason::Blind { .. }
        | Reason::Paused { .. }
        | Reason::Held { .. }
        | Reason::Quarantined { .. }
        | Reason::WouldDisturb { .. }
        | Reason::Busy { .. }
        | Reason::PlanOpen { .. }
        | Reason::Unsealed { .. }
        | Reason::BackingOff { .. }
        | Reason::Outdated { .. }
        | Reason::Flapping { .. }
        | Reason::NoRemedy { .. }
        | Reason::Unreachable { .. }
        | Reason::LeaseRunning { .. }
        | Reason::NoStableVersion
        | Reason::NotDeclared
        | Reason::BadDeclaration { .. }
        | Reason::Autonomy { .. }
        | Reason::JournalBehind { .. }
        | Reason::RolloutWaits { .. }
        | Reason::ErrandFailed { goal: None, .. }
        | Reason::NotBegun { .. }
        | Reason::PlaceTaken { .. }
        | Reason::LeftToGoal { .. }
        | Reason::PlanFull { .. }
        | Reason::NotWell
        | Reason::Vetoed { .. } => return None,
    };
    Some(Offer::of(command, refusal.to_string()))
}

fn released(history: &History) -> impl Iterator<Item = Offer> {
    history.quarantined.iter().map(|(replica, quarantine)| {
        let why = format!("{replica}: quarantined until released: {}", quarantine.why);
        Offer::of(Command::Release { target: replica.to_string() }, why)
    })
}

/// The return to what was stable before, when somebody could not be brought up since the stable version became so.
fn restore(history: &History, fallen: &[&ReplicaId]) -> Option<Offer> {
    let (stable, (before, _)) = history.stable.zip(history.stable_before())?;
    let names = fallen.iter().map(|replica| replica.as_str()).collect::<Vec<_>>().join(", ");
    let why = format!(
        "{names} could not be brought up on the stable version {stable}; version {before} was stable before it"
    );
    (!fallen.is_empty()).then(|| Offer::of(Command::Restore { version: before }, why))
}

/// Who could not be brought up on the state that is stable, since it became so.
fn fallen(history: &History) -> impl Iterator<Item = &ReplicaId> {
    let failed = move |heal: &PastHeal| {
        let starts = matches!(
            heal.remedy,
            Remedy::Start | Remedy::Restart | Remedy::Relocate | Remedy::Trial | Remedy::Quarantine
        );
        // What was never begun says nothing of the version.
        let gave_up = (heal.is_try() && !heal.worked()) || heal.remedy == Remedy::Quarantine;
        starts && gave_up && heal.at >= history.stable_at
    };
    let stable_hash = history.stable.and_then(|stable| history.marked_hashes.get(&stable));
    let other = history.rollout.as_ref().filter(|rollout| Some(&rollout.state_hash) != stable_hash);
    // Nor does what was tried on another state, or was forgiven when the goal that brought it ended.
    let on_stable = move |replica: &ReplicaId, heal: &PastHeal| {
        let rollout = other.filter(|rollout| rollout.expects(replica));
        let moved = rollout.and_then(|rollout| rollout.moved.get(replica));
        history.counts(replica, heal.at) && moved.is_none_or(|moved| heal.at < moved.at)
    };
    let fell = move |(replica, heals): (_, &VecDeque<PastHeal>)| {
        heals.iter().any(|heal| failed(heal) && on_stable(replica, heal)).then_some(replica)
    };
    history.heals.iter().filter_map(fell)
}

fn goal(rollout: &Rollout, history: &History) -> Offer {
    let goal = rollout.goal.clone();
    if history.stable.is_some() {
        let why =
            format!("goal {goal} rolls; its changes are taken back, and replicas return to what is stable");
        Offer::of(Command::Withdraw { goal }, why)
    } else {
        let why = format!("goal {goal} founds the cluster, and can only be set right by another");
        Offer::of(Command::Supersede { goal }, why)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::blame::Blame;
    use crate::goal::{Pace, PaceWish};
    use crate::history::{Begun, Miss, Pause, Quarantine};
    use crate::plan::Outcome;
    use crate::policy::Policy;
    use crate::record::Mark;
    use crate::rollout::Move;
    use crate::state::Hash;

    fn rolling(moved: Move) -> Rollout {
        Rollout {
            goal: "goal-9".parse().unwrap(),
            base: Version(7),
            to: Version(9),
            state_hash: Hash::of(b"c"),
            pace: Pace::resolve(&PaceWish::default(), &Policy::default()),
            restart: false,
            started_at: Time(10),
            guard: None,
            earlier: BTreeSet::new(),
            moved: [("a".parse().unwrap(), moved)].into(),
            trials: BTreeMap::new(),
            failures: Vec::new(),
            adds: BTreeSet::new(),
            edits: BTreeSet::new(),
            arrived: BTreeSet::new(),
        }
    }

    fn lines(history: &History, refusals: &[Refusal]) -> Vec<String> {
        offers(history, refusals, Time(50)).into_iter().map(|offer| offer.line).collect()
    }

    #[test]
    fn nothing_is_offered_where_nothing_waits_for_a_human() {
        assert_eq!(lines(&History::default(), &[]), Vec::<String>::new());
    }

    #[test]
    fn what_stands_in_the_way_is_offered_with_its_command_the_gentlest_first() {
        let stands = |until| Pause { by: "ann".into(), reason: "r".into(), until };
        let mut history = History { pause: Some(stands(None)), ..History::default() };
        history.holds.insert("h1".into(), stands(None));
        history.holds.insert("h2".into(), stands(Some(Time(49))));
        history.quarantined.insert("a".parse().unwrap(), Quarantine { why: "worn out".into(), on: None });
        let refusal = |subject: Option<&str>, reason| Refusal {
            subject: subject.map(|id| Subject::Replica(id.parse().unwrap())),
            reason,
        };
        let storm = Reason::Storm { vanished: 2, total: 3, awaiting: crate::refusal::StormAwaits::Hosts };
        let refusals = [
            refusal(Some("a"), Reason::Quarantined { why: "worn out".into() }),
            refusal(Some("b"), storm.clone()),
            refusal(Some("c"), storm),
            refusal(Some("d"), Reason::NotFenced { host: "h9".parse().unwrap() }),
            refusal(Some("e"), Reason::Busy { healing: 1, max: 1 }),
        ];
        let expected = [
            "watchdogctl resume",
            "watchdogctl release h1",
            "watchdogctl storm release --reason REASON",
            "watchdogctl goal apply -f FILE --supersede",
            "watchdogctl release a",
        ];
        assert_eq!(lines(&history, &refusals), expected);
    }

    #[test]
    fn who_could_not_be_brought_up_on_what_is_stable_may_return_to_what_was() {
        let mut history = History { stable: Some(Version(7)), stable_at: Time(10), ..History::default() };
        for (version, byte) in [(3, b"a"), (7, b"b")] {
            history.marks.insert(Version(version), Mark::Stable);
            history.marked_hashes.insert(Version(version), Hash::of(byte));
        }
        assert_eq!(lines(&history, &[]), Vec::<String>::new());
        let heal = |at, status| PastHeal {
            plan: "1-1".parse().unwrap(),
            remedy: Remedy::Restart,
            since: Time(0),
            host: None,
            life: None,
            at: Time(at),
            ended_at: None,
            status,
            missed: (status == PlanStatus::Failed).then(|| Miss {
                outcome: Outcome::Failed,
                blame: Blame::Replica,
                why: "it died".into(),
            }),
            begun: Begun::Surely,
        };
        history.heals.entry("b".parse().unwrap()).or_default().push_back(heal(5, PlanStatus::Failed));
        history.heals.entry("b".parse().unwrap()).or_default().push_back(heal(11, PlanStatus::Done));
        assert_eq!(lines(&history, &[]), Vec::<String>::new());
        history.heals.entry("a".parse().unwrap()).or_default().push_back(heal(11, PlanStatus::Failed));
        let restore = "watchdogctl goal restore 3 --force";
        assert_eq!(lines(&history, &[]), [restore]);

        let withdraw = "watchdogctl goal withdraw goal-9";
        for (moved_at, hash, adds, expected) in [
            (12, b"c", false, vec![restore, withdraw]),
            (11, b"c", false, vec![withdraw]),
            (11, b"b", false, vec![restore, withdraw]),
            (11, b"b", true, vec![withdraw, restore]),
        ] {
            let moved = Move { plan: "1-2".parse().unwrap(), at: Time(moved_at), volunteer: true };
            let mut rollout = Rollout { state_hash: Hash::of(hash), ..rolling(moved) };
            rollout.adds.extend(adds.then(|| "a".parse().unwrap()));
            history.rollout = Some(rollout);
            assert_eq!(lines(&history, &[]), expected, "moved at {moved_at}, and failed at 11");
        }
        history.rollout = None;
        history.forgiven.insert("a".parse().unwrap(), Time(12));
        assert_eq!(
            lines(&history, &[]),
            Vec::<String>::new(),
            "its failure ended with the goal that caused it"
        );
    }
}

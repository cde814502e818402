//! Fold: stories of the record, and what history makes of them.

use watchdog_core::finding::{Conviction, Evidence, FaultKind, Finding, Proof, Source, Subject};
use watchdog_core::history::{HEALS_KEPT, History, LIVES_KEPT};
use watchdog_core::ids::{Epoch, PlanId, Sequence, Time, Version};
use watchdog_core::observation::Obituary;
use watchdog_core::plan::{Act, Agent, Outcome, Plan, PlanStatus, Step};
use watchdog_core::policy::Remedy;
use watchdog_core::record::{Body, Entry, Mark};

use crate::world::{host, life, obituary, plan, replica};

/// A record that is written a second at a time.
#[derive(Default)]
pub(crate) struct Record {
    pub(crate) entries: Vec<Entry>,
    epoch: Epoch,
}

impl Record {
    pub(crate) fn write(&mut self, body: Body) -> &mut Self {
        if matches!(body, Body::TermOpened { .. }) {
            self.epoch = self.epoch.next();
        }
        let sequence = self.entries.len() as u64 + 1;
        self.entries.push(Entry {
            sequence: Sequence(sequence),
            at: Time(sequence * 1_000),
            epoch: self.epoch,
            by: "ann".to_owned(),
            body,
        });
        self
    }

    pub(crate) fn history(&self) -> History {
        History::replay(&self.entries)
    }
}

pub(crate) fn term() -> Body {
    Body::TermOpened { watchdog: "w1".parse().unwrap() }
}

pub(crate) fn start(bits: u128) -> Act {
    Act::Start { host: host("h1"), incarnation: life(bits), version: Version(7) }
}

pub(crate) fn kill(bits: u128) -> Act {
    Act::Kill { host: host("h1"), incarnation: life(bits), grace_ms: 0 }
}

/// The `count`th plan of `epoch`, of one step that touches `a`.
pub(crate) fn planned(epoch: u64, count: u64, act: Act) -> Plan {
    let id = PlanId::numbered(Epoch(epoch), count);
    let mut plan = Plan { epoch: Epoch(epoch), ..plan("a", Remedy::Start, act) };
    plan.steps[0].id = id.step(0);
    Plan { id, ..plan }
}

pub(crate) fn recorded(plan: &Plan) -> Body {
    Body::PlanRecorded { plan: plan.clone(), status: PlanStatus::Running }
}

pub(crate) fn intended(plan: &Plan) -> Body {
    let step = &plan.steps[0];
    Body::Intended {
        plan: plan.id.clone(),
        step: step.id.clone(),
        replica: step.replica.clone(),
        agent: step.agent(),
        instance: Some("instance-h1".to_owned()),
    }
}

pub(crate) fn closed(plan: &Plan, outcome: Outcome) -> Body {
    Body::Closed { plan: plan.id.clone(), step: plan.steps[0].id.clone(), outcome, error: None, blame: None }
}

pub(crate) fn ended(plan: &Plan, status: PlanStatus) -> Body {
    Body::PlanStatus { plan: plan.id.clone(), status, why: "it is told".to_owned() }
}

pub(crate) fn host_seen(boot: &str) -> Body {
    Body::HostSeen {
        host: host("h1"),
        instance: "instance-h1".to_owned(),
        boot_id: boot.to_owned(),
        address: "http://127.0.0.1:2".to_owned(),
    }
}

pub(crate) fn marked(version: u64, mark: Mark) -> Body {
    Body::Marked { version: Version(version), mark, state_hash: None, why: "it is told".to_owned() }
}

pub(crate) fn exited() -> Conviction {
    Conviction {
        finding: Finding {
            kind: FaultKind::Exited,
            subject: Subject::Replica(replica("a")),
            incarnation: Some(life(1)),
            detail: "exit 1".to_owned(),
            evidence: Evidence { source: Source::HostAgent, proof: Proof::Proven, at: Time(5), look: 5 },
        },
        strikes: 3,
        since: Time(5),
    }
}

/// A record of these bodies under one term, folded.
pub(crate) fn folded(bodies: impl IntoIterator<Item = Body>) -> History {
    let mut record = Record::default();
    record.write(term());
    for body in bodies {
        record.write(body);
    }
    record.history()
}

#[test]
fn a_step_is_open_from_its_intent_until_its_fate_is_known() {
    let plan = planned(1, 1, start(9));
    let begun = || [recorded(&plan), intended(&plan)];
    let history = folded(begun());
    let intent = &history.open_intents[&plan.steps[0].id];
    assert_eq!((intent.epoch, intent.at, &intent.agent), (Epoch(1), Time(3_000), &Agent::Host(host("h1"))));
    assert_eq!(history.lives[&replica("a")][0].incarnation, life(9));
    assert!(history.open_plans[&plan.id].progress.steps[&plan.steps[0].id].outcome.is_none());

    let table = [
        // outcome | unsettled | the life is remembered
        (Outcome::Done, false, true),
        (Outcome::Failed, false, true),
        (Outcome::Never, false, false),
        (Outcome::Unknown, true, true),
    ];
    for (outcome, unsettled, remembered) in table {
        let history = folded(begun().into_iter().chain([closed(&plan, outcome)]));
        assert!(history.open_intents.is_empty() && history.open_starts.is_empty(), "{outcome:?}");
        assert_eq!(history.unsettled.contains(&replica("a")), unsettled, "{outcome:?}");
        assert_eq!(history.lives.contains_key(&replica("a")), remembered, "{outcome:?}");
        let progress = &history.open_plans[&plan.id].progress.steps[&plan.steps[0].id];
        assert_eq!((progress.outcome, progress.finished_at), (Some(outcome), Some(Time(4_000))));
    }
}

#[test]
fn the_fate_of_a_step_counts_also_after_its_plan_was_closed() {
    let plan = planned(1, 1, start(9));
    let story = [recorded(&plan), intended(&plan), ended(&plan, PlanStatus::Superseded)];
    let history = folded(story.clone());
    assert!(history.open_plans.is_empty());
    assert_eq!(history.open_intents.len(), 1, "superseding a plan calls nothing back");

    let history = folded(story.into_iter().chain([closed(&plan, Outcome::Never)]));
    assert!(history.open_intents.is_empty() && history.lives.is_empty());
}

#[test]
fn a_new_term_inherits_intents_and_nothing_that_is_its_own() {
    let plan = planned(1, 1, kill(1));
    let sealed = Body::Sealed { agent: Agent::Host(host("h1")) };
    let before = folded([recorded(&plan), intended(&plan), sealed.clone()]);
    assert_eq!((before.plans_in_term, before.sealed.len()), (1, 1));

    let after = folded([recorded(&plan), intended(&plan), sealed, term()]);
    assert_eq!((after.epoch, after.plans_in_term, after.sealed.len()), (Epoch(2), 0, 0));
    assert_eq!(after.open_intents.len(), 1);
    assert_eq!(after.open_plans.len(), 1);
}

#[test]
fn heals_say_how_they_ended() {
    let plan = planned(1, 1, start(9));
    let table = [
        (PlanStatus::Running, None),
        (PlanStatus::Done, Some(Time(3_000))),
        (PlanStatus::Failed, Some(Time(3_000))),
        (PlanStatus::Superseded, Some(Time(3_000))),
        (PlanStatus::Cancelled, Some(Time(3_000))),
    ];
    for (status, ended_at) in table {
        let history = folded([recorded(&plan), ended(&plan, status)]);
        let heal = &history.heals[&replica("a")][0];
        assert_eq!((heal.status, heal.ended_at, heal.at), (status, ended_at, Time(2_000)));
        assert_eq!((heal.remedy, heal.host.as_ref()), (Remedy::Start, Some(&host("h1"))));
        assert_eq!(history.open_plans.contains_key(&plan.id), status.is_open(), "{status:?}");
    }
}

#[test]
fn who_was_seen_to_was_so_whatever_becomes_of_others_in_the_plan() {
    let (mine, others) = (planned(1, 1, start(9)), plan("b", Remedy::Start, start(10)));
    let mut both = mine.clone();
    both.heals.extend(others.heals);
    both.steps.extend(others.steps.into_iter().map(|step| Step { id: mine.id.step(1), ..step }));
    let until = |outcome| [recorded(&both), intended(&mine), closed(&mine, outcome)];
    for status in [PlanStatus::Done, PlanStatus::Failed, PlanStatus::Superseded, PlanStatus::Cancelled] {
        let heal = |outcome, whose| {
            let history = folded(until(outcome).into_iter().chain([ended(&both, status)]));
            let heal = &history.heals[&replica(whose)][0];
            (heal.status, heal.ended_at)
        };
        let with_it = (status, Some(Time(5_000)));
        assert_eq!(heal(Outcome::Done, "a"), (PlanStatus::Done, Some(Time(4_000))), "{status:?}");
        assert_eq!(heal(Outcome::Done, "b"), with_it, "{status:?}");
        assert_eq!(heal(Outcome::Failed, "a"), with_it, "{status:?}");
    }
}

#[test]
fn a_start_of_unknown_fate_is_held_against_a_replica_only_when_its_life_was_seen_to_die() {
    let plan = planned(1, 1, start(9));
    let until = [recorded(&plan), intended(&plan), closed(&plan, Outcome::Unknown)];
    for (status, is_try) in
        [("exit 1", true), ("signal 9 (SIGKILL)", true), ("unknown", false), ("rebooted", false)]
    {
        let word = Obituary { status: status.to_owned(), ..obituary("a", 9, "h1", Time(7)) };
        let story =
            until.iter().cloned().chain([ended(&plan, PlanStatus::Failed), Body::Died { obituary: word }]);
        let heal = folded(story).heals[&replica("a")][0].clone();
        assert_eq!((heal.is_try(), heal.came_to_nothing().is_none()), (is_try, is_try), "{status}");
    }
}

#[test]
fn an_unsettled_replica_is_settled_by_a_plan_that_is_done() {
    let (lost, retry) = (planned(1, 1, start(9)), planned(1, 2, start(10)));
    let story = [recorded(&lost), intended(&lost), closed(&lost, Outcome::Unknown)];
    let then = || story.clone().into_iter().chain([ended(&lost, PlanStatus::Failed), recorded(&retry)]);
    let unsettled = |end| folded(then().chain([end])).unsettled.len();
    assert_eq!(unsettled(ended(&retry, PlanStatus::Failed)), 1);
    assert_eq!(unsettled(ended(&retry, PlanStatus::Done)), 0);
}

#[test]
fn deaths_are_remembered_with_their_lives() {
    type Ends = &'static [(u128, Option<&'static str>)];
    let died = |bits| Body::Died { obituary: obituary("a", bits, "h1", Time(7)) };
    let plan = planned(1, 1, kill(3));
    let table: [(&str, Vec<Body>, Ends); 6] = [
        // story | record | lives of `a`, and how they ended
        ("one that we did not order", vec![died(3)], &[(3, Some("exit 1"))]),
        ("told twice", vec![died(3), died(3)], &[(3, Some("exit 1"))]),
        ("told in the wrong order", vec![died(5), died(3)], &[(5, Some("exit 1")), (3, Some("exit 1"))]),
        (
            "a confirmed kill is proof",
            vec![recorded(&plan), intended(&plan), closed(&plan, Outcome::Done)],
            &[(3, Some("killed"))],
        ),
        (
            "its obituary says more",
            vec![recorded(&plan), intended(&plan), closed(&plan, Outcome::Done), died(3)],
            &[(3, Some("exit 1"))],
        ),
        ("a failed kill proves nothing", vec![recorded(&plan), closed(&plan, Outcome::Failed)], &[]),
    ];
    for (story, bodies, expected) in table {
        let history = folded(bodies);
        let lives = history.lives.get(&replica("a")).into_iter().flatten();
        let lives: Vec<_> = lives
            .map(|it| (it.incarnation, it.obituary.as_ref().map(|obituary| obituary.status.clone())))
            .collect();
        let expected: Vec<_> =
            expected.iter().map(|(bits, end)| (life(*bits), end.map(str::to_owned))).collect();
        assert_eq!(lives, expected, "{story}");
    }
}

#[test]
fn another_boot_is_an_obituary_for_all_that_ran_before() {
    let plan = planned(1, 1, start(9));
    let started = || [host_seen("boot-1"), recorded(&plan), intended(&plan)].into_iter();
    let dead = |history: &History| history.lives[&replica("a")][0].obituary.is_some();
    let done = closed(&plan, Outcome::Done);
    assert!(dead(&folded(started().chain([done.clone(), host_seen("boot-2")]))));
    assert!(!dead(&folded(started().chain([done, host_seen("boot-1")]))), "only its agent came back");
    assert!(!dead(&folded(started().chain([host_seen("boot-2")]))), "it may have begun after the boot");
}

#[test]
fn the_newest_mark_that_stands_is_stable() {
    type Marks = &'static [(u64, Mark)];
    use Mark::{Candidate, Rejected, Stable};
    let table: [(&str, Marks, Option<u64>); 6] = [
        ("nothing is marked", &[], None),
        ("on trial only", &[(3, Candidate)], None),
        ("proven", &[(3, Candidate), (3, Stable)], Some(3)),
        ("a newer one is rejected", &[(3, Stable), (4, Candidate), (4, Rejected)], Some(3)),
        ("a stable one is rejected later", &[(3, Stable), (5, Stable), (5, Rejected)], Some(3)),
        ("all are rejected", &[(3, Stable), (3, Rejected)], None),
    ];
    for (story, marks, stable) in table {
        let history = folded(marks.iter().map(|(version, mark)| marked(*version, *mark)));
        assert_eq!(history.stable, stable.map(Version), "{story}");
    }
}

#[test]
fn operators_pause_hold_and_release() {
    let held = |target: &str| Body::Held {
        target: target.to_owned(),
        reason: "new disk".to_owned(),
        until: Some(Time(9_000)),
    };
    let released = |target: &str| Body::Released { target: target.to_owned() };
    let paused = Body::Paused { reason: "upgrade".to_owned(), until: Some(Time(5_000)) };
    let quarantined = Body::Quarantined { replica: replica("a"), why: "five tries".to_owned() };

    let history = folded([paused.clone(), host_seen("boot-1"), host_seen("boot-1"), host_seen("boot-1")]);
    let pause = history.pause.as_ref().unwrap();
    assert_eq!((pause.by.as_str(), pause.reason.as_str()), ("ann", "upgrade"));
    assert!(pause.stands(Time(4_999)) && !pause.stands(Time(5_000)), "it expires, and stays to be shown");
    assert_eq!(folded([paused, Body::Resumed]).pause, None);

    assert_eq!(folded([held("a"), held("h1")]).holds.len(), 2);
    assert_eq!(folded([held("a"), held("h1"), released("h1")]).holds.len(), 1);
    let storm = folded([Body::StormReleased { reason: "power cut".to_owned() }]);
    assert_eq!(storm.storm_released_at, Some(Time(2_000)));

    let plan = planned(1, 1, start(9));
    let tried = || [recorded(&plan), ended(&plan, PlanStatus::Failed), quarantined.clone()].into_iter();
    assert_eq!(folded(tried()).quarantined[&replica("a")].why, "five tries");
    let forgiven = folded(tried().chain([released("a")]));
    assert!(forgiven.quarantined.is_empty() && forgiven.heals.is_empty());
    assert_eq!(forgiven.forgiven[&replica("a")], Time(5_000));
    let only_held = [recorded(&plan), ended(&plan, PlanStatus::Failed), held("a"), released("a")];
    let history = folded(only_held);
    assert_eq!((history.heals.len(), history.released.len()), (1, 0), "the end of a hold forgives nothing");
}

#[test]
fn convictions_stand_until_they_are_cleared() {
    let convicted = Body::Convicted { conviction: exited() };
    let cleared = Body::Cleared { subject: Subject::Replica(replica("a")), fault: FaultKind::Exited };
    assert_eq!(folded([convicted.clone()]).convictions["a/exited"], exited());
    assert!(folded([convicted, cleared]).convictions.is_empty());
}

#[test]
fn what_was_folded_in_already_changes_nothing() {
    let mut record = Record::default();
    let plan = planned(1, 1, start(9));
    record.write(term()).write(recorded(&plan)).write(intended(&plan));
    let mut history = record.history();
    let before = history.clone();
    record.entries.iter().for_each(|entry| history.apply(entry));
    assert_eq!(history, before);
}

#[test]
fn memory_is_bounded() {
    let mut record = Record::default();
    record.write(term());
    for count in 1..=4_000 {
        let plan = planned(1, count, start(u128::from(count)));
        record.write(recorded(&plan)).write(intended(&plan)).write(closed(&plan, Outcome::Done));
        record.write(ended(&plan, PlanStatus::Done));
        record.write(Body::Died { obituary: obituary("a", u128::from(count), "h1", Time(7 * count)) });
    }
    let history = record.history();
    assert_eq!(history.lives[&replica("a")].len(), LIVES_KEPT);
    assert_eq!(history.forgotten[&replica("a")].len(), 1, "of those before them only when the last one died");
    let heals = &history.heals[&replica("a")];
    assert!(heals.len() > HEALS_KEPT, "an hour of heals is kept, however many");
    assert!(history.last_at.since_ms(heals[0].at) <= 3_605_000);
}

//! Forgotten: a life that was ordered, and of which the names or another's memory say otherwise, bars its replacement.

use watchdog_core::history::History;
use watchdog_core::ids::{Epoch, Incarnation, PlanId, Sequence, Time, Version};
use watchdog_core::input::{PlanInput, fresh_names};
use watchdog_core::plan::{Act, Outcome, Plan, PlanStatus, Step};
use watchdog_core::planner::plan;
use watchdog_core::record::{Body, Entry, Mark};
use watchdog_core::refusal::Reason;
use watchdog_core::vet::{Objection, vet};

use crate::world::{World, ago, host, incarnation, obituary, replica, right};

/// Two hours ahead of the clock that tells the story.
const AHEAD_MS: u64 = 7_200_000;

#[derive(Default)]
struct Record {
    entries: Vec<Entry>,
    epoch: u64,
    plans: u64,
}

impl Record {
    fn write(&mut self, body: Body) {
        let sequence = Sequence(self.entries.len() as u64 + 1);
        let (at, epoch) = (ago(900_000).plus_ms(sequence.0), Epoch(self.epoch));
        self.entries.push(Entry { sequence, at, epoch, by: "w1".to_owned(), body });
    }

    fn term(&mut self) {
        (self.epoch, self.plans) = (self.epoch + 1, 0);
        self.write(Body::TermOpened { watchdog: "w1".parse().unwrap() });
    }

    /// `b` is started on `h2`, which comes to `outcome`.
    fn start(&mut self, it: Incarnation, outcome: Option<Outcome>) {
        self.act(Act::Start { host: host("h2"), incarnation: it, version: Version(7) }, outcome);
    }

    fn act(&mut self, act: Act, outcome: Option<Outcome>) {
        self.plans += 1;
        let id = PlanId::numbered(Epoch(self.epoch), self.plans);
        let (replica, why) = (Some(replica("b")), String::new());
        let step = Step { id: id.step(0), replica, act, why, timeout_ms: 1_000, optional: false };
        let plan = Plan {
            id: id.clone(),
            epoch: Epoch(self.epoch),
            created_at: Time(1),
            reason: String::new(),
            convictions: Vec::new(),
            heals: Vec::new(),
            steps: vec![step.clone()],
        };
        self.write(Body::PlanRecorded { plan, status: PlanStatus::Running });
        self.write(Body::Intended {
            plan: id.clone(),
            step: step.id.clone(),
            replica: step.replica.clone(),
            agent: step.agent(),
            instance: Some("i-h2".to_owned()),
        });
        if let Some(outcome) = outcome {
            self.write(Body::Closed { plan: id.clone(), step: step.id, outcome, error: None, blame: None });
        }
        self.write(Body::PlanStatus { plan: id, status: PlanStatus::Done, why: String::new() });
    }

    fn death(&mut self, it: Incarnation) {
        self.write(Body::Died { obituary: obituary("b", it, &host("h2")) });
    }

    fn boot(&mut self, name: &str, boot: &str) {
        let (host, boot_id) = (host(name), boot.to_owned());
        let (instance, address) = (format!("i-{host}"), "127.0.0.1:1".to_owned());
        self.write(Body::HostSeen { host, instance, boot_id, address });
    }
}

/// The names that a leader gives whose clock is two hours ahead.
fn ahead(number: u128) -> Incarnation {
    Incarnation::from_u128((u128::from(ago(0).0 + AHEAD_MS) << 80) | number)
}

/// What an earlier leader, whose clock was ahead, left of `b`: twenty lives that died.
fn earlier_leader() -> Record {
    let mut record = Record { epoch: 3, ..Record::default() };
    record.term();
    for name in ["h1", "h2", "h3"] {
        record.boot(name, "boot-1");
    }
    let (state_hash, why) = (Some(right()), String::new());
    record.write(Body::Marked { version: Version(7), mark: Mark::Stable, state_hash, why });
    for number in 0..20 {
        record.start(ahead(number), Some(Outcome::Done));
        record.death(ahead(number));
    }
    record.term();
    record
}

/// `b`, which is exclusive, has not been seen for `silent_ms`, and nor has its host.
fn silent(record: &Record, silent_ms: u64) -> PlanInput {
    let mut world = World::new(3, 3);
    world.spec("b").exclusive = true;
    world.lose_host("h2", ago(silent_ms), true);
    world.input.history = History::replay(&record.entries).into();
    world.input()
}

#[test]
fn a_life_just_started_bars_another_although_its_name_is_the_oldest() {
    let mut record = earlier_leader();
    record.start(incarnation(42), Some(Outcome::Done));
    for (silent_ms, fenced) in [(1, false), (600_000, true)] {
        let decision = plan(&silent(&record, silent_ms));
        assert_eq!(decision.plan, None, "{silent_ms}");
        let why = decision.refusals.iter().map(|refusal| &refusal.reason);
        let why: Vec<_> = why
            .filter(|reason| matches!(reason, Reason::LeaseRunning { .. } | Reason::NotFenced { .. }))
            .collect();
        assert!(
            matches!(
                (why.as_slice(), fenced),
                ([Reason::LeaseRunning { .. }], false) | ([Reason::NotFenced { .. }], true)
            ),
            "{silent_ms}: {:?}",
            decision.refusals
        );
    }
}

/// What happened, how it is told, and whether another life may be started.
type Row<'a> = (&'a str, &'a dyn Fn(&mut Record), bool);

#[test]
#[expect(clippy::too_many_lines, reason = "a table is as long as its stories are many")]
fn the_linter_counts_lives_for_itself() {
    type Tell = fn(&mut Record);
    let (started, killed): (Tell, Act) = (
        |record| record.start(incarnation(42), Some(Outcome::Done)),
        Act::Kill { host: host("h2"), incarnation: incarnation(42), grace_ms: 0 },
    );
    let kill = |record: &mut Record, outcome| record.act(killed.clone(), outcome);
    let table: [Row<'_>; 11] = [
        // story | record | another life may be started
        ("never started", &|_| {}, true),
        ("started", &|it| started(it), false),
        ("its start is not answered", &|it| it.start(incarnation(42), None), false),
        (
            "what became of its start is not known",
            &|it| it.start(incarnation(42), Some(Outcome::Unknown)),
            false,
        ),
        (
            "its start failed, which does not say that nothing runs",
            &|it| it.start(incarnation(42), Some(Outcome::Failed)),
            false,
        ),
        ("it never began", &|it| it.start(incarnation(42), Some(Outcome::Never)), true),
        (
            "it died",
            &|it| {
                started(it);
                it.death(incarnation(42));
            },
            true,
        ),
        (
            "it was killed",
            &|it| {
                started(it);
                kill(it, Some(Outcome::Done));
            },
            true,
        ),
        (
            "a kill of it failed",
            &|it| {
                started(it);
                kill(it, Some(Outcome::Failed));
            },
            false,
        ),
        (
            "its host booted since",
            &|it| {
                started(it);
                it.boot("h2", "boot-2");
            },
            true,
        ),
        (
            "its host booted, and it may have begun after that",
            &|it| {
                it.start(incarnation(42), None);
                it.boot("h2", "boot-2");
            },
            false,
        ),
    ];
    for (story, tell, free) in table {
        let mut record = earlier_leader();
        tell(&mut record);
        // A planner that remembers nothing of it starts it anew.
        let mut input = silent(&record, 600_000);
        input.history.lives.clear();
        input.history.open_intents.clear();
        input.history.unsettled.clear();
        let drawn = plan(&input).plan.unwrap_or_else(|| panic!("{story}: no plan"));
        let (replica, host) = (replica("b"), host("h2"));
        let objection = Objection::NotProvenDead { replica, incarnation: incarnation(42), host };
        let expected = if free { vec![] } else { vec![objection] };
        assert_eq!(vet(&drawn, &input), expected, "{story}");
    }
}

#[test]
fn new_names_are_later_than_all_that_is_known() {
    let mut record = earlier_leader();
    record.start(incarnation(42), Some(Outcome::Done));
    let mut input = silent(&record, 1);
    let mut number = 0;
    let mut mint = || {
        number += 1;
        Incarnation::from_u128((u128::from(ago(0).0) << 80) | number)
    };
    let names = fresh_names((&input.history, &input.observation), 3, &mut mint);
    assert!(names[0] > ahead(19) && names.is_sorted_by(|one, next| one < next), "{names:?}");
    // Also than one that was never ordered, and is only seen.
    let life = input.observation.replicas[&replica("a")].lives.values().next().unwrap().clone();
    let stranger = Incarnation::from_u128(u128::from(ago(0).0 + 2 * AHEAD_MS) << 80);
    input.observation.replicas.get_mut(&replica("a")).unwrap().lives.insert(stranger, life);
    assert!(fresh_names((&input.history, &input.observation), 1, &mut mint)[0] > stranger);
}

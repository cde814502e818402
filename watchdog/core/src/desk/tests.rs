//! Tests: whose orders a desk takes, how often, and what it says became of them.

use super::*;

type TestDesk = Desk<&'static str, &'static str>;

const LEASE: Duration = Duration::from_secs(10);

fn step(text: &str) -> StepId {
    text.parse().unwrap()
}

fn replica(text: &str) -> ReplicaId {
    ReplicaId::new(text).unwrap()
}

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A desk whose fence has no lease, and what it remembers.
fn desk(epoch: u64) -> (TestDesk, Recent<&'static str>) {
    (Desk::new(Fence::new(Epoch(epoch))), Recent::default())
}

/// What comes of an order of epoch 1, in words; what may begin begins.
fn order((desk, memory): &mut (TestDesk, Recent<&'static str>), id: &str, of: &str) -> String {
    let (step, replica) = (step(id), replica(of));
    let step_order = StepOrder { epoch: Epoch(1), session: "", step: &step, replica: Some(&replica) };
    match desk.order(step_order, at(0), memory) {
        Ok(Taken::Begin { .. }) => {
            desk.begin(&step, Some(&replica), "follower");
            "begun".to_owned()
        }
        Ok(Taken::Follow(follower)) => (*follower).to_owned(),
        Ok(Taken::Ended(end)) => end.to_owned(),
        Err(refused) => refused.word().to_owned(),
    }
}

fn fate((desk, memory): &(TestDesk, Recent<&'static str>), id: &str, is_ours: bool) -> String {
    match desk.fate((&step(id), is_ours), memory) {
        Fate::Done(end) => end,
        Fate::Never => "never",
        Fate::Running(_) => "running",
        Fate::Lost => "lost",
    }
    .to_owned()
}

fn end((desk, memory): &mut (TestDesk, Recent<&'static str>), id: &str) {
    desk.ended(&step(id), "done");
    memory.remember(step(id), "done");
    assert_eq!(desk.filed(&step(id)), Some("follower"));
}

#[test]
fn an_older_epoch_is_refused_wherever_the_newer_one_came_from() {
    type Teach = fn(&mut Fence) -> bool;
    let table: [(&str, Teach); 4] = [
        ("an order", |fence| fence.admit((Epoch(5), ""), at(0)).unwrap()),
        ("a seal", |fence| fence.raise(Epoch(5)).unwrap()),
        ("a watched node", |fence| {
            fence.learn(Epoch(5));
            true
        }),
        ("a confirmation", |fence| {
            fence.confirm(Epoch(5), at(0));
            true
        }),
    ];
    for (source, teach) in table {
        let mut fence = Fence::new(Epoch(1));
        assert!(teach(&mut fence), "{source}: 5 is not on disk yet");
        let refused = fence.admit((Epoch(4), ""), at(0)).unwrap_err();
        assert_eq!(refused.to_string(), "epoch 4 is over; this agent has seen epoch 5", "{source}");
        fence.learn(Epoch(2));
        assert_eq!(fence.epoch(), Epoch(5), "{source}");
        fence.recorded(Epoch(5));
        assert_eq!(fence.raise(Epoch(5)), Ok(false), "{source}");
    }
}

#[test]
fn nothing_is_taken_without_word_of_who_leads_within_the_lease() {
    let unconfirmed = |age| Err(Refused::Unconfirmed { lease: LEASE, age });
    let mut fence = Fence::leased(LEASE, Epoch(4), "run");
    assert_eq!(fence.admit((Epoch(4), ""), at(1)), unconfirmed(None));
    assert!(!fence.confirm(Epoch(3), at(1)), "who is behind says nothing of who leads");
    assert_eq!(fence.admit((Epoch(4), ""), at(1)), unconfirmed(None));
    fence.confirm(Epoch(4), at(2));
    assert_eq!(fence.admit((Epoch(4), ""), at(12)), Ok(false));
    assert_eq!(fence.admit((Epoch(4), ""), at(13)), unconfirmed(Some(at(11))));
    assert_eq!(fence.raise(Epoch(5)), Ok(true), "a seal needs no lease: it begins nothing");
    assert!(unconfirmed(None).unwrap_err().passes());
}

#[test]
fn what_was_ordered_before_a_lapse_is_refused_after_it() {
    let mut fence = Fence::leased(LEASE, Epoch(0), "run");
    fence.confirm(Epoch(1), at(0));
    let first = fence.session();
    assert_eq!(first, "run-0");
    assert!(fence.admit((Epoch(1), &first), at(1)).is_ok());
    assert!(!fence.confirm(Epoch(1), at(10)), "a lease was not over");
    assert!(fence.admit((Epoch(1), &first), at(10)).is_ok());
    assert!(fence.confirm(Epoch(1), at(21)), "another session begins");
    let earlier = Err(Refused::EarlierSession { lease: LEASE });
    assert_eq!(fence.admit((Epoch(1), &first), at(21)), earlier);
    let second = fence.session();
    assert!(fence.admit((Epoch(1), &second), at(21)).is_ok());
    assert!(fence.admit((Epoch(1), ""), at(21)).is_ok(), "whoever knows of no session names none");
}

#[test]
fn a_step_is_begun_once_and_alone_on_its_replica() {
    let mut it = desk(1);
    assert_eq!(order(&mut it, "1-1-1", "a"), "begun");
    assert_eq!(order(&mut it, "1-1-1", "a"), "follower");
    assert_eq!(order(&mut it, "1-1-2", "a"), "busy");
    assert_eq!(order(&mut it, "1-1-3", "b"), "begun", "another replica is free");
    end(&mut it, "1-1-1");
    assert_eq!(order(&mut it, "1-1-1", "a"), "done");
    assert_eq!(order(&mut it, "1-1-2", "a"), "begun");
}

#[test]
fn a_step_that_ended_and_is_not_on_disk_yet_keeps_nobody_waiting() {
    let mut it = desk(1);
    order(&mut it, "1-1-1", "a");
    it.0.ended(&step("1-1-1"), "done");
    it.0.broken(&step("1-1-1"));
    assert_eq!(fate(&it, "1-1-1", true), "done", "the end that was told stands");
    assert_eq!(order(&mut it, "1-1-1", "a"), "follower");
    assert_eq!(order(&mut it, "1-1-2", "a"), "begun");
    it.0.broken(&step("1-1-2"));
    assert_eq!(fate(&it, "1-1-2", true), "lost", "whoever carried it out is gone without a word");
    assert_eq!(it.0.at_work().count(), 0);
}

#[test]
fn a_seal_learns_the_fate_of_each_step_and_bars_what_was_not_begun() {
    let mut it = desk(1);
    order(&mut it, "1-1-1", "a");
    end(&mut it, "1-1-1");
    order(&mut it, "1-1-2", "a");
    let steps = ["1-1-1", "1-1-2", "1-1-3"].map(step);
    let sealing = it.0.seal(Epoch(1), (&steps, true), &it.1).unwrap();
    let barred = Sealing { newer: false, given_up: vec![step("1-1-3")] };
    assert_eq!(sealing, barred);
    assert_eq!(["1-1-1", "1-1-2", "1-1-3"].map(|id| fate(&it, id, true)), ["done", "running", "never"]);
    assert_eq!(order(&mut it, "1-1-3", "b"), "given_up");
    assert_eq!(
        it.0.seal(Epoch(1), (&steps, true), &it.1),
        Ok(barred),
        "it must reach the disk with each seal"
    );
    it.0.sealed(&sealing.given_up);
    assert_eq!(order(&mut it, "1-1-3", "b"), "begun", "from there on the memory bars it");
}

#[test]
fn of_the_steps_of_another_life_nothing_is_known_and_nothing_barred() {
    let mut it = desk(1);
    let steps = [step("1-1-1")];
    let sealing = it.0.seal(Epoch(2), (&steps, false), &it.1).unwrap();
    assert_eq!(sealing, Sealing { newer: true, given_up: vec![] });
    assert_eq!(fate(&it, "1-1-1", false), "lost");
    let refused = it.0.seal(Epoch(1), (&steps, true), &it.1).unwrap_err();
    assert_eq!(refused.word(), "older_epoch");
}

#[test]
fn what_was_forgotten_is_not_called_never_begun() {
    let mut it = desk(1);
    for count in 0..=Recent::<&str>::MAX {
        it.1.remember(step(&format!("1-1-{count}")), "done");
    }
    assert_eq!(fate(&it, "1-1-0", true), "lost");
    assert_eq!(fate(&it, "1-1-1", true), "done");
    let sealing = it.0.seal(Epoch(1), (&[step("1-1-0")], true), &it.1).unwrap();
    assert_eq!(sealing.given_up, []);
}

#[test]
fn what_a_crash_left_open_is_settled_by_looking() {
    let table = [
        (Kind::Start, Some("pid 7"), None, Settled::Runs("pid 7")),
        (Kind::Start, None, Some("exit 1"), Settled::Lost),
        (Kind::Kill, None, Some("exit 1"), Settled::Dead("exit 1")),
        (Kind::Kill, Some("pid 7"), None, Settled::Lost),
        (Kind::Load, Some("pid 7"), None, Settled::Lost),
    ];
    for (kind, runs, obituary, settled) in table {
        assert_eq!(settle(kind, runs, obituary), settled, "{kind:?} {runs:?} {obituary:?}");
    }
}

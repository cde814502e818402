//! Large: what is recorded of a storm over a whole cluster stays small, whatever its size.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use watchdog_core::finding::Subject;
use watchdog_core::ids::{Incarnation, Version};
use watchdog_core::input::{Decision, PlanInput};
use watchdog_core::observation::{Loaded, ReplicaSeen};
use watchdog_core::plan::{Outcome, PlanStatus};
use watchdog_core::planner::plan;
use watchdog_core::policy::Limit;
use watchdog_core::record::{Body, ENTRY_BYTES_MAX};
use watchdog_core::refusal::news;
use watchdog_core::refusal::{NAMES_MAX, Reason, Refusal};
use watchdog_core::state::Hash;
use watchdog_core::tell::tell;

use crate::world::{World, ago, host, replica};

/// Half of so many replicas have exited, and half are on a wrong version.
fn ill(count: usize) -> World {
    let mut world = World::new(1, 3);
    let spec = world.input.replicas[&replica("a")].clone();
    for number in 0..count {
        let name = format!("replica-of-a-large-cluster-{number}");
        let home = host(&format!("h{}", number % 3 + 1));
        world.input.replicas.insert(replica(&name), spec.clone());
        world.input.observation.replicas.insert(replica(&name), ReplicaSeen::default());
        world.be_born(&name, (Incarnation::from_u128(10_000 + number as u128), &home), ago(500_000));
        if number % 2 == 0 {
            world.die(&name, None);
        } else {
            world.member(&name).loaded = Loaded { version: Version(6), state_hash: Hash::of(b"other") };
        }
    }
    world.input.fresh = (0..count as u128).map(|number| Incarnation::from_u128((1 << 90) + number)).collect();
    world
}

fn bytes(body: &Body) -> usize {
    serde_json::to_string(body).unwrap().len()
}

/// What is recorded of a decision.
fn recorded(input: &PlanInput, decision: &Decision) -> Vec<Body> {
    let convicted =
        input.convictions.iter().map(|conviction| Body::Convicted { conviction: conviction.clone() });
    let planned = decision.plan.clone().map(|plan| Body::PlanRecorded { plan, status: PlanStatus::Running });
    convicted.chain(planned).chain(news::of(&[], &decision.refusals)).map(Body::fit).collect()
}

#[test]
fn no_entry_of_a_storm_over_thousands_is_large() {
    type Bounds = fn(&mut World);
    let table: [(&str, Bounds, bool); 3] = [
        // bounds | how they are set | whether the plan is as large as one may be
        ("as they are by default", |_| {}, false),
        (
            "none",
            |world| {
                world.input.policy.max_disturbed = Limit::Share(1.0);
                world.input.policy.heals_parallel = u32::MAX;
            },
            true,
        ),
        ("nobody may be healed any more", |world| world.input.policy.heals_per_hour = 0, true),
    ];
    for count in [1_000, 4_000, 10_000] {
        for (story, bound, full) in table {
            let mut world = ill(count);
            bound(&mut world);
            let input = world.input();
            let decision = plan(&input);
            let largest = recorded(&input, &decision).iter().map(bytes).max().unwrap();
            assert!(largest <= ENTRY_BYTES_MAX, "{count}, {story}: {largest} bytes");
            let is_full = decision.refusals.iter().any(|it| matches!(it.reason, Reason::PlanFull { .. }));
            assert_eq!(is_full, full, "{count}, {story}");
            assert_eq!(decision.again_at, full.then_some(input.now), "the next plan follows at once");
            everybody_is_told_of(&input, &decision);
            println!("figure entry_bytes {count} {largest}");
        }
    }
}

/// Whoever is convicted is healed, or told why not.
fn everybody_is_told_of(input: &PlanInput, decision: &Decision) {
    let healed =
        decision.plan.iter().flat_map(|plan| &plan.heals).map(|heal| Subject::Replica(heal.replica.clone()));
    let refused = decision.refusals.iter().filter_map(|refusal| refusal.subject.clone());
    let told: BTreeSet<Subject> = healed.chain(refused).collect();
    assert!(input.convictions.iter().all(|conviction| told.contains(&conviction.finding.subject)));
}

#[test]
fn only_what_changed_is_recorded() {
    let refusal =
        |name: &str, reason: Reason| Refusal { subject: Some(Subject::Replica(replica(name))), reason };
    let busy = |name, healing| refusal(name, Reason::Busy { healing, max: 8 });
    let open = |name| refusal(name, Reason::PlanOpen { plan: "5-1".parse().unwrap() });
    let (a, b) = (busy("a", 1), busy("b", 1));
    let table = [
        // stood | stands | new | over | standing
        (vec![], vec![a.clone(), b.clone()], vec![a.clone(), b.clone()], json!({}), 2),
        (vec![a.clone()], vec![a.clone(), b.clone()], vec![b.clone()], json!({}), 2),
        (vec![a.clone(), b.clone()], vec![b.clone()], vec![], json!({ "busy": 1 }), 1),
        (
            vec![a.clone()],
            vec![refusal("a", Reason::NotWell)],
            vec![refusal("a", Reason::NotWell)],
            json!({ "busy": 1 }),
            1,
        ),
        (vec![a.clone()], vec![open("a")], vec![], json!({ "busy": 1 }), 0),
    ];
    for (old, new, told, over, standing) in table {
        let body = serde_json::to_value(news::of(&old, &new).unwrap()).unwrap();
        let expected =
            json!({ "kind": "refused", "refusals": told, "more": {}, "over": over, "standing": standing });
        assert_eq!(body, expected, "{old:?} then {new:?}");
    }
    assert_eq!(
        news::of(std::slice::from_ref(&a), &[busy("a", 7), open("b")]),
        None,
        "only a count in it moved"
    );
    assert_eq!(news::of(&[], &[]), None);
}

#[test]
fn what_is_not_told_is_counted() {
    let input = ill(2_000).input();
    let Some(Body::Refused { refusals, more, standing, .. }) = news::of(&[], &plan(&input).refusals) else {
        panic!("nothing is refused");
    };
    let counted = refusals.len() as u64 + more.values().sum::<u64>();
    assert_eq!((counted, standing > 1_900), (standing, true));
    for refusal in &refusals {
        if let Reason::WouldDisturb { disturbed, more, .. } = &refusal.reason {
            assert_eq!((disturbed.len(), *more > 900), (NAMES_MAX, true));
            assert!(refusal.to_string().ends_with(&format!(", and {more} more")), "{refusal}");
        }
    }
    let told =
        tell(&Body::Refused { refusals, more, over: [("busy".to_owned(), 3)].into(), standing }).message;
    assert!(
        told.len() < 8_192 && told.contains(" more: would_disturb") && told.ends_with("no longer, 3: busy"),
        "{told}"
    );
}

#[test]
fn long_texts_are_cut_and_what_acts_depend_on_is_not() {
    let long = "é".repeat(100_000);
    let (plan, step) = ("5-1".parse().unwrap(), "5-1-1".parse().unwrap());
    let told = [
        Body::Closed { plan, step, outcome: Outcome::Failed, error: Some(long.clone()), blame: None },
        Body::Escalated { subject: None, message: long.clone() },
        Body::Quarantined { replica: replica("a"), why: long.clone() },
    ];
    for body in told {
        let fitting = body.clone().fit();
        assert!(
            bytes(&fitting) < ENTRY_BYTES_MAX && tell(&fitting).message.contains("more bytes)"),
            "{fitting:?}"
        );
        assert_eq!(fitting.clone().fit(), fitting);
    }
    let value = json!({ "x": [long], "y": vec![1; 100_000] });
    let asked = Body::Asked {
        act: "goal apply".to_owned(),
        from: "127.0.0.1".to_owned(),
        proof: "token".to_owned(),
        claimed: None,
        before: Value::Null,
        after: value,
    };
    assert!(bytes(&asked.clone().fit()) < ENTRY_BYTES_MAX);
    let small = Body::Escalated { subject: None, message: "x".repeat(60_000) };
    assert_eq!(small.clone().fit(), small);
}

#[test]
fn what_earlier_versions_recorded_is_read() {
    let old = json!({ "kind": "refused", "refusals": [
        { "subject": { "replica": "a" }, "reason": { "kind": "would_disturb", "disturbed": ["b", "c"], "max": 1 } },
        { "subject": null, "reason": { "kind": "no_host", "allowed": ["h1"] } },
    ] });
    let told = tell(&serde_json::from_value(old).unwrap()).message;
    assert_eq!(
        told,
        "a: touching it would disturb more than 1: already disturbed: b, c; none of the hosts that may run it is there: h1"
    );
    let none: Body = serde_json::from_value(json!({ "kind": "refused", "refusals": [] })).unwrap();
    assert_eq!(tell(&none).message, "nothing stands in the way any more");
}

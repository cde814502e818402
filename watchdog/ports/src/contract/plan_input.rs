//! Plan input: the rules of what [`HealingLog`] keeps of the inputs of plans.

use serde_json::json;
use watchdog_core::ids::{ClusterId, Epoch, PlanId};
use watchdog_core::record::Body;

use super::healing_log::{escalated, fenced, write};
use super::{good, lead, led_cluster};
use crate::healing_log::{HealingLog, PLAN_INPUTS_MAX, PlanInputRecord, Write};
use crate::journal_error::JournalError;

fn plan(count: u64) -> PlanId {
    PlanId::numbered(Epoch(1), count)
}

fn input(count: u64, input: &str) -> PlanInputRecord {
    PlanInputRecord { plan: plan(count), core_version: "0.1.0".to_owned(), input: input.to_owned() }
}

fn planned(cluster: &ClusterId, epoch: u64, inputs: Vec<PlanInputRecord>) -> Write {
    Write { inputs, ..write(cluster, epoch, vec![escalated("a plan"), Body::Resumed]) }
}

async fn kept(journal: &impl HealingLog, cluster: &ClusterId, count: u64) -> Option<PlanInputRecord> {
    good(journal.plan_input(cluster, &plan(count)).await)
}

/// What a plan was computed from comes back to the last byte, each plan's own.
pub async fn an_input_is_read_back_byte_for_byte(journal: &impl HealingLog) {
    let cluster = led_cluster(journal).await;
    let odd = json!({"z": 1.0, "a": [null, 0.1, u64::MAX], "": "quotes ' \" \\ \0 雪 🦀\n"});
    let inputs = vec![input(1, &odd.to_string()), input(2, " {\"b\" : 1.0e0}\n\0"), input(3, "")];
    good(journal.write(planned(&cluster, 1, inputs.clone())).await);
    for (count, expected) in (1..).zip(inputs) {
        assert_eq!(kept(journal, &cluster, count).await, Some(expected));
    }
}

/// A plan of which nothing was written has no input, and neither has another cluster's.
pub async fn an_unknown_plan_has_no_input(journal: &impl HealingLog) {
    let (here, there) = (led_cluster(journal).await, led_cluster(journal).await);
    assert_eq!(kept(journal, &here, 1).await, None);
    good(journal.write(planned(&here, 1, vec![input(1, "here")])).await);
    assert_eq!(kept(journal, &here, 2).await, None);
    assert_eq!(kept(journal, &there, 1).await, None);
    good(journal.write(planned(&there, 1, vec![input(1, "there")])).await);
    assert_eq!(kept(journal, &here, 1).await, Some(input(1, "here")));
}

/// An input stands if and only if the entries stand that it was written with.
pub async fn an_input_is_written_with_its_entries_or_not_at_all(journal: &impl HealingLog) {
    let cluster = led_cluster(journal).await;
    let stale = planned(&cluster, 1, vec![input(1, "stale")]);
    lead(journal, &cluster, 5).await;
    fenced(journal.write(stale.clone()).await, 1, 5);
    fenced(journal.write(Write { epoch: Epoch(6), ..stale.clone() }).await, 6, 5);
    assert_eq!(kept(journal, &cluster, 1).await, None);
    let nul = PlanInputRecord { core_version: "a\0b".to_owned(), ..input(1, "{}") };
    let error = journal.write(planned(&cluster, 5, vec![input(2, "{}"), nul])).await.err();
    assert!(matches!(error, Some(JournalError::Unstorable { .. })), "{error:?}");
    assert_eq!(kept(journal, &cluster, 2).await, None);
    let written = good(journal.write(Write { epoch: Epoch(5), ..stale }).await);
    assert_eq!(written[0].sequence.0, 3, "a refused write leaves no gap");
    assert_eq!(kept(journal, &cluster, 1).await, Some(input(1, "stale")));
}

/// A request that is asked again writes nothing more, whatever it says the second time.
pub async fn an_input_asked_twice_is_kept_once(journal: &impl HealingLog) {
    let cluster = led_cluster(journal).await;
    let request = planned(&cluster, 1, vec![input(1, "first")]);
    let first = good(journal.write(request.clone()).await);
    assert_eq!(good(journal.write(request.clone()).await), first);
    lead(journal, &cluster, 2).await;
    let other = vec![input(1, "second"), input(2, "second")];
    let by_the_next = Write { epoch: Epoch(2), inputs: other, ..request };
    assert_eq!(good(journal.write(by_the_next).await), first);
    assert_eq!(kept(journal, &cluster, 1).await, Some(input(1, "first")));
    assert_eq!(kept(journal, &cluster, 2).await, None);
}

/// The newest are kept, in the order in which they were written; one written anew is new, and other clusters' don't count.
pub async fn only_the_newest_inputs_are_kept(journal: &impl HealingLog) {
    let (cluster, other) = (led_cluster(journal).await, led_cluster(journal).await);
    good(journal.write(planned(&other, 1, vec![input(1, "other")])).await);
    // Not in the order of their names.
    let many = (1..=PLAN_INPUTS_MAX).rev().map(|count| input(count, "many")).collect();
    good(journal.write(planned(&cluster, 1, many)).await);
    let (oldest, newest) = (PLAN_INPUTS_MAX, PLAN_INPUTS_MAX + 1);
    assert!(kept(journal, &cluster, oldest).await.is_some());
    good(journal.write(planned(&cluster, 1, vec![input(oldest, "anew")])).await);
    assert_eq!(kept(journal, &cluster, oldest).await, Some(input(oldest, "anew")));
    for count in newest..newest + 3 {
        good(journal.write(planned(&cluster, 1, vec![input(count, "more")])).await);
    }
    let table =
        [(newest + 2, true), (newest, true), (oldest, true), (oldest - 1, false), (oldest - 3, false)];
    for (count, there) in table.into_iter().chain([(oldest - 4, true), (1, true)]) {
        assert_eq!(kept(journal, &cluster, count).await.is_some(), there, "plan {count}");
    }
    assert!(kept(journal, &other, 1).await.is_some());
}

/// A cluster of thousands of replicas has a large input.
pub async fn a_large_input_is_kept(journal: &impl HealingLog) {
    let cluster = led_cluster(journal).await;
    let replica = |index: u64| json!({"replica": index, "hash": format!("{:x}", index.wrapping_mul(0x9E37_79B9_7F4A_7C15)), "why": "x".repeat(60)});
    let text = json!((0..50_000).map(replica).collect::<Vec<_>>()).to_string();
    assert!(text.len() > 5_000_000, "{}", text.len());
    good(journal.write(planned(&cluster, 1, vec![input(1, &text)])).await);
    // No diff of five megabytes.
    assert!(kept(journal, &cluster, 1).await == Some(input(1, &text)), "another text came back");
}

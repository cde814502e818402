//! Leaders: they die, sleep, resign, and come back to find another.

use serde_json::Value;
use watchdog_tests::story::{Backend, Story};

crate::stories!(
    a_leader_killed_in_the_middle_of_a_heal_is_succeeded_and_the_step_has_effect_once,
    a_leader_that_slept_through_its_session_is_refused_everywhere,
    a_resigned_leader_hands_over_at_once,
    an_agent_that_is_gone_with_an_open_order_stops_nobody_else,
);

fn a_leader_killed_in_the_middle_of_a_heal_is_succeeded_and_the_step_has_effect_once(backend: Backend) {
    let story = Story::begin(backend).unwrap();
    let (leader, epoch) = story.leader().unwrap();
    let leader_pid = story.pid(&leader).unwrap();
    let broken = story.replica("demo-b").unwrap();
    let since = story.now().unwrap();
    // A stopped replica takes a snapshot, a kill and a start: the longest heal there is.
    story.freeze(&[broken.pid]).unwrap();
    story.until_event("the first intent", since, |event| event["kind"] == "step_intended").unwrap();
    story.dev.kill9(leader_pid).unwrap();

    story
        .until("another leader", |status| (status["leader"]["epoch"].as_u64()? > epoch).then_some(()))
        .unwrap();
    story.until_replaced(&broken).unwrap();
    story.until_all_healthy().unwrap();
    let events = story.events().unwrap();
    let births = started(&events, "demo-b");
    let now = story.replica("demo-b").unwrap();
    assert_eq!(births.last(), Some(&now.incarnation), "the last that was started is the one that runs");
    let dead = births.iter().filter(|life| **life != now.incarnation);
    for life in dead {
        let buried = events.iter().any(|event| event["kind"] == "died" && mentions(event, life));
        assert!(buried, "{life} was started and is not proven dead");
    }
}

fn a_leader_that_slept_through_its_session_is_refused_everywhere(backend: Backend) {
    let story = Story::begin(backend).unwrap();
    let (sleeper, epoch) = story.leader().unwrap();
    let pid = story.pid(&sleeper).unwrap();
    story.freeze(&[pid]).unwrap();
    let next = story
        .until("another leader", |status| {
            let leader = &status["leader"];
            let newer = leader["epoch"].as_u64()? > epoch && leader["id"] != sleeper.as_str();
            newer.then(|| leader["epoch"].as_u64())?
        })
        .unwrap();
    story.thaw(&[pid]).unwrap();
    let dead = story.replica("demo-c").unwrap();
    story.kill(&dead).unwrap();
    story.until_replaced(&dead).unwrap();
    story
        .until("the sleeper follows again", |status| {
            let watchdogs = status["watchdogs"].as_array()?;
            watchdogs
                .iter()
                .find(|watchdog| watchdog["id"] == sleeper.as_str() && watchdog["role"] == "follower")?;
            Some(())
        })
        .unwrap();
    let mut highest = 0;
    for event in story.events().unwrap() {
        let of = event["epoch"].as_u64().unwrap();
        assert!(of >= highest, "an entry of epoch {of} stands behind one of epoch {highest}: {event}");
        highest = of;
    }
    assert!(highest >= next);
}

fn a_resigned_leader_hands_over_at_once(backend: Backend) {
    let story = Story::begin(backend).unwrap();
    let (leader, epoch) = story.leader().unwrap();
    let asked = story.dev.ctl(&["leader", "resign"]).unwrap();
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
    story
        .until("another leader", |status| {
            let now = &status["leader"];
            (now["epoch"].as_u64()? > epoch && now["id"] != leader.as_str()).then_some(())
        })
        .unwrap();
    let dead = story.replica("demo-a").unwrap();
    story.kill(&dead).unwrap();
    story.until_replaced(&dead).unwrap();
}

fn an_agent_that_is_gone_with_an_open_order_stops_nobody_else(backend: Backend) {
    let story = Story::begin(backend).unwrap();
    let (leader, epoch) = story.leader().unwrap();
    let leader_pid = story.pid(&leader).unwrap();
    let agent = story.pid("h2").unwrap();
    let mut spec = watchdog_tests::admin::value(&story.dev, "replica/demo-b").unwrap();
    spec["hosts"] = serde_json::json!(["h2"]);
    let since = story.now().unwrap();
    // Its session still lives when the order comes, so the order is sent and nothing is answered.
    story.freeze(&[agent]).unwrap();
    watchdog_tests::admin::append(&story.dev, &[("replica/demo-d", Some(spec))]).unwrap();
    story
        .until_event("an order to the frozen agent", since, |event| {
            event["kind"] == "step_intended" && event["replica"] == "demo-d"
        })
        .unwrap();
    story.dev.kill9(leader_pid).unwrap();

    story
        .until("another leader", |status| (status["leader"]["epoch"].as_u64()? > epoch).then_some(()))
        .unwrap();
    let dead = story.replica("demo-a").unwrap();
    assert_eq!(dead.host, "h1");
    story.kill(&dead).unwrap();
    story.until_replaced(&dead).unwrap();
    let why = story.why("demo-d").unwrap();
    assert_ne!(why["state"], "healthy", "{why}");

    story.thaw(&[agent]).unwrap();
    story.until_all_healthy().unwrap();
    let sealed =
        |event: &Value| event["kind"] == "sealed" || mentions(event, "unseen for longer than a lease");
    story.until_event("the order is settled", since, sealed).unwrap();
    assert_eq!(story.replica("demo-d").unwrap().host, "h2");
}

/// The lives of `replica` whose start was intended and not refused, in order.
fn started(events: &[Value], replica: &str) -> Vec<String> {
    let mut lives = Vec::new();
    for event in events.iter().filter(|event| event["kind"] == "plan_recorded") {
        let detail = detail(event);
        for step in detail["plan"]["steps"].as_array().into_iter().flatten() {
            if step["replica"] == replica && step["act"]["kind"] == "start" && was_begun(events, &step["id"])
            {
                lives.push(step["act"]["incarnation"].as_str().unwrap().to_owned());
            }
        }
    }
    lives
}

fn was_begun(events: &[Value], step: &Value) -> bool {
    let about = |event: &&Value| detail(event)["step"] == *step;
    let intended = events.iter().filter(|event| event["kind"] == "step_intended").any(|event| about(&event));
    let never = events
        .iter()
        .filter(|event| event["kind"] == "step_closed")
        .any(|event| about(&event) && matches!(detail(event)["outcome"].as_str(), Some("never" | "failed")));
    intended && !never
}

fn detail(event: &Value) -> Value {
    serde_json::from_str(event["detail_json"].as_str().unwrap_or("null")).unwrap()
}

fn mentions(event: &Value, life: &str) -> bool {
    event["detail_json"].as_str().is_some_and(|detail| detail.contains(life))
}

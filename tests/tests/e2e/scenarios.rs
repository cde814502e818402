//! Scenarios: `watchdog dev --scenario NAME` tells an incident, and says rightly whether it ended as it must.

use watchdog_tests::scenario::{Ended, play};
use watchdog_tests::story::Backend;

crate::stories!(
    crash,
    hang,
    drift,
    bad_model_on_b,
    bad_model_on_b_of_two,
    bad_model_everywhere,
    leader_dies_mid_rollout,
    bad_stable,
    slow_journal,
    scale_out,
    rolling_restart,
);

/// Tells it, and looks at what everybody looks at: the exit code, the last line, who is left.
fn told(backend: Backend, name: &str, more: &[&str]) -> Ended {
    let mut setup = backend.setup().unwrap();
    setup.more.extend(more.iter().map(ToString::to_string));
    let ended = play(&setup, name).unwrap();
    let text = ended.lines.join("\n");
    assert_eq!(ended.status.code(), Some(0), "{text}");
    let last = ended.lines.last().unwrap();
    assert!(last.starts_with(&format!("scenario {name} ended as it must (")), "{text}");
    assert!(ended.survivors.is_empty(), "{:?} outlived it\n{text}", ended.survivors);
    let ready = position(&ended, |line| line == "ready");
    let served = position(&ended, |line| line.starts_with("── check: every request was answered"));
    assert!(ready < served, "{text}");
    ended
}

fn position(ended: &Ended, fits: impl Fn(&str) -> bool) -> usize {
    let found = ended.lines.iter().position(|line| fits(line));
    found.unwrap_or_else(|| panic!("no such line:\n{}", ended.lines.join("\n")))
}

/// Lines of the record come one after the other, each once, and the checks after what they are about.
fn in_order(ended: &Ended, words: &[&str]) {
    let mut from = 0;
    for word in words {
        let found = ended.lines[from..].iter().position(|line| line.contains(word));
        from += found.unwrap_or_else(|| panic!("no {word:?} from there on:\n{}", ended.lines.join("\n"))) + 1;
    }
}

fn crash(backend: Backend) {
    let ended = told(backend, "crash", &[]);
    in_order(&ended, &["── kill -9 demo-b", "died ", "plan_recorded", "plan_status", "── check: "]);
}

fn hang(backend: Backend) {
    let ended = told(backend, "hang", &[]);
    in_order(&ended, &["── freeze demo-b", "snapshot_filed", "died ", "plan_status", "── check: "]);
}

fn drift(backend: Backend) {
    let ended = told(backend, "drift", &[]);
    in_order(&ended, &["── drift: demo-b", "convicted", "load v", "cleared", "── check: "]);
}

fn bad_model_on_b(backend: Backend) {
    let ended = told(backend, "bad-model-on-b", &[]);
    let good = founded(&ended);
    let (bad, undone) = (good + 1, good + 2);
    let story = [
        "── declare goal fraud-v2",
        "goal_declared",
        &format!("load v{bad} on demo-a"),
        &format!("load v{bad} on demo-b"),
        "died          demo-b",
        &format!("start demo-b on h2 with v{bad}"),
        &format!("start demo-b on h2 with v{good}"),
        &format!("version {bad} is rejected"),
        "undone",
        &format!("load v{undone} on demo-a"),
        "── check: ",
    ];
    in_order(&ended, &story);
}

/// The version with which the cluster began.
fn founded(ended: &Ended) -> u64 {
    let line = &ended.lines[position(ended, |line| line.starts_with("founded cluster demo"))];
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

fn bad_model_on_b_of_two(backend: Backend) {
    told(backend, "bad-model-on-b", &["--replicas", "2"]);
}

fn bad_model_everywhere(backend: Backend) {
    let ended = told(backend, "bad-model-everywhere", &[]);
    in_order(
        &ended,
        &["died          demo-a", "goal_ended", "undone", "── check: only demo-a was ever touched"],
    );
}

fn leader_dies_mid_rollout(backend: Backend) {
    let ended = told(backend, "leader-dies-mid-rollout", &[]);
    in_order(&ended, &["── kill -9 the leading watchdog", "term_opened", "goal_ended", "── check: goal"]);
}

fn bad_stable(backend: Backend) {
    let ended = told(backend, "bad-stable", &[]);
    let story = [
        "── declare goal fraud-v2",
        "── check: goal fraud-v2 was rejected",
        "── check: only demo-a was ever touched",
        "── check: goal fraud-v3 was achieved, and is stable",
        "── kill -9 demo-b",
        "── the status says: ",
        "--force",
        "── check: every replica holds the stable state of before",
        "── check: nothing is left to decide",
    ];
    in_order(&ended, &story);
}

fn slow_journal(backend: Backend) {
    let ended = told(backend, "slow-journal", &[]);
    let story = [
        "── kill -9 demo-b",
        "── demo-b lives again",
        "── check: goal fraud-v2 was achieved",
        "── check: nobody was quarantined",
    ];
    in_order(&ended, &story);
}

fn scale_out(backend: Backend) {
    let ended = told(backend, "scale-out", &[]);
    in_order(&ended, &["── declare goal scale-out", "── check: 5 replicas", "── declare goal scale-in"]);
}

fn rolling_restart(backend: Backend) {
    let ended = told(backend, "rolling-restart", &[]);
    in_order(
        &ended,
        &["start demo-a", "start demo-b", "start demo-c", "── check: never more than one was down"],
    );
}

/// Neither needs a cluster of its own on each back end.
mod refused {
    use watchdog_tests::dev::Setup;

    use super::play;

    #[test]
    fn an_unknown_scenario_is_refused_and_all_are_named() {
        let ended = play(&Setup::default(), "earthquake").unwrap();
        let text = ended.lines.join("\n");
        assert_eq!(ended.status.code(), Some(2), "{text}");
        for name in ["crash", "hang", "drift", "bad-model-on-b", "bad-model-everywhere"] {
            assert!(text.contains(name), "{name} is not named:\n{text}");
        }
        for name in ["leader-dies-mid-rollout", "bad-stable", "slow-journal", "scale-out", "rolling-restart"]
        {
            assert!(text.contains(name), "{name} is not named:\n{text}");
        }
        assert!(ended.survivors.is_empty());
    }

    #[test]
    fn a_scenario_that_cannot_end_as_it_must_fails_and_says_why() {
        let setup = Setup { replicas: Some(1), ..Setup::default() };
        let ended = play(&setup, "crash").unwrap();
        let text = ended.lines.join("\n");
        assert_eq!(ended.status.code(), Some(1), "{text}");
        let expected = "scenario crash did not end as it must: expected: a cluster of at least 2 replicas; found: demo-a";
        assert!(text.contains(expected), "{text}");
        assert!(ended.survivors.is_empty(), "{:?} outlived it\n{text}", ended.survivors);
    }
}

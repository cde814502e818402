//! Guards: what guards the cluster is tightened by operators and loosened by approvers, whichever way it is asked for.

use std::process::Output;

use watchdog_tests::agent::HostAgent;
use watchdog_tests::dev::program;
use watchdog_tests::door::{Door, Setup};
use watchdog_tests::story::PATIENCE;
use watchdog_tests::{Directory, wait_for};

struct Desk {
    door: Door,
    files: Directory,
}

impl Desk {
    fn goal(&self, name: &str, text: &str) -> String {
        let path = self.files.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn apply(&self, who: &str, name: &str, text: &str) -> Output {
        self.door.ctl(who, &["goal", "apply", "-f", &self.goal(name, text)]).unwrap()
    }

    #[track_caller]
    fn refused(&self, who: &str, (name, text): (&str, &str), what: &str) {
        let output = self.apply(who, name, text);
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{name}: {complaint}");
        assert!(complaint.contains("this takes the role approver, and olga is operator: "), "{complaint}");
        assert!(complaint.contains(what), "{complaint}");
    }

    #[track_caller]
    fn taken(&self, who: &str, (name, text): (&str, &str)) {
        let output = self.apply(who, name, text);
        assert_eq!(output.status.code(), Some(0), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn status_of(&self, goal: &str) -> String {
        let output = self.door.ctl("vera", &["-o", "json", "goal", "show", goal]).unwrap();
        let view: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        view["status"].as_str().unwrap().to_owned()
    }

    fn until(&self, goal: &str, status: &str) {
        let done = || (self.status_of(goal) == status).then_some(());
        let events = || {
            let output = self.door.ctl("vera", &["events"]).unwrap();
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        wait_for(&format!("{goal} is {status}"), std::time::Duration::from_secs(30), done)
            .unwrap_or_else(|error| panic!("{error}\n{}", events()));
    }
}

#[test]
fn operators_tighten_and_approvers_loosen() {
    let desk =
        Desk { door: Door::open(&Setup::default()).unwrap(), files: Directory::fresh("goals-").unwrap() };
    let policy = |fields: &str| format!("[set.\"policy/healing\"]\n{fields}\n");
    let loose = policy("max_disturbed = 3");
    desk.refused("olga", ("loose.toml", &loose), "policy/healing: max_disturbed from 1 to 3");
    let auto = policy("autonomy = { fall_back = 'auto' }");
    desk.refused("olga", ("auto.toml", &auto), "policy/healing: autonomy.fall_back from approve to auto");
    let json = "{\"set\": {\"policy/healing\": {\"storm_share\": 0.9}}}";
    desk.refused("olga", ("loose.json", json), "policy/healing: storm_share from 0.34 to 0.9");
    // The difference says so to whoever looks.
    let file = desk.goal("loose.toml", &loose);
    let output = desk.door.ctl("vera", &["goal", "diff", "-f", &file]).unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        shown.contains("it takes approver to apply it: policy/healing: max_disturbed from 1 to 3"),
        "{shown}"
    );

    let server = program("scoring-server").unwrap().display().to_string();
    let programs = format!("[programs.scoring-server]\nargv = [{server:?}]\n");
    let coordination = desk.door.coordination();
    let _agent = HostAgent::start(desk.files.path(), "h1", &coordination, &programs).unwrap();
    let founding = "name = 'founding'\n[set.\"replica/demo-a\"]\nhosts = ['h1']\nprogram = 'scoring-server'\n\
        [set.\"model/m\"]\nweights = {}\n[rollout]\nsoak = '0s'\n";
    let known = || (desk.apply("olga", "founding.toml", founding).status.code() == Some(0)).then_some(());
    wait_for("a founding on a host that is known", PATIENCE, known).unwrap();
    desk.until("founding", "achieved");
    let tight = format!("name = 'tight'\n{}", policy("heals_per_hour = 9"));
    desk.taken("olga", ("tight.toml", &tight));
    desk.until("tight", "achieved");
    // To take the key away is to loosen it too.
    let removed = "remove = [\"policy/healing\"]\n";
    desk.refused("olga", ("removed.toml", removed), "policy/healing: heals_per_hour from 9 to 20");

    // And so is to take back a goal that tightened it, while it rolls.
    let tighter = "name = 'tighter'\n[set.\"policy/healing\"]\nheals_per_hour = 8\n[set.\"model/m\"]\nweights = {}\nbias = 1\n[rollout]\nsoak = '10m'\n";
    desk.taken("olga", ("tighter.toml", tighter));
    desk.until("tighter", "rolling");
    let output = desk.door.ctl("olga", &["goal", "withdraw", "tighter"]).unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{complaint}");
    assert!(complaint.contains("policy/healing: heals_per_hour from 8 to 9"), "{complaint}");
    let output = desk.door.ctl("ada", &["goal", "withdraw", "tighter"]).unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    desk.until("tighter", "withdrawn");
    desk.taken("ada", ("removed.toml", removed));

    // What loosened nothing when it was declared may do so when its turn has come.
    let rolling = "name = 'rolling'\n[set.\"model/m\"]\nweights = {}\nbias = 2\n[rollout]\nsoak = '10m'\n";
    desk.taken("olga", ("rolling.toml", rolling));
    desk.until("rolling", "rolling");
    let strict = format!("name = 'strict'\n{}", policy("heals_per_hour = 7"));
    desk.taken("ada", ("strict.toml", &strict));
    let late = format!("name = 'late'\n{}", policy("heals_per_hour = 20"));
    desk.taken("olga", ("late.toml", &late));
    desk.door.ctl("olga", &["goal", "withdraw", "rolling"]).unwrap();
    desk.until("strict", "achieved");
    desk.until("late", "withdrawn");
    let output = desk.door.ctl("vera", &["goal", "show", "late"]).unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(shown.contains("policy/healing: heals_per_hour from 7 to 20"), "{shown}");
}

#[test]
fn a_number_that_cannot_be_is_refused_as_one() {
    let door = Door::open(&Setup::default()).unwrap();
    let bearer = format!("Bearer {}", door.token("alf").unwrap());
    let huge = u64::MAX;
    for path in [
        format!("/api/v1/demo/log?from={huge}"),
        format!("/api/v1/demo/log?from={}", i64::MAX),
        format!("/api/v1/demo/log/{huge}"),
        format!("/api/v1/demo/log/diff?a={huge}&b=1"),
        format!("/api/v1/demo/log/state?version={huge}"),
        format!("/api/v1/demo/events?after={huge}"),
        format!("/api/v1/demo/events?before={huge}"),
        format!("/api/v1/demo/events?limit={huge}"),
        "/api/v1/demo/log?from=-1".to_owned(),
    ] {
        let headers = [("authorization", bearer.as_str())];
        let ask = watchdog_tests::http::Ask { path: &path, headers: &headers, ..Default::default() };
        let answer = door.send(&ask).unwrap();
        assert!((400..500).contains(&answer.status), "{path}: {} {}", answer.status, answer.body);
        assert!(!answer.body.contains("corrupt"), "{path}: {}", answer.body);
    }
    let output = door.ctl("alf", &["pause", "--reason", "x", "--for", "90years"]).unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(String::from_utf8_lossy(&output.stderr).contains("longer than ten years"));
    let from = huge.to_string();
    let output = door.ctl("alf", &["log", "list", "--from", &from]).unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(complaint.contains("does not exist; the log ends at 0"), "{complaint}");
}

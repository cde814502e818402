//! Quick: ten faults, the time without ZooKeeper and the positive control, on a real cluster, within a minute.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Child, Command};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

/// Two clusters at once on two cores would measure each other.
static ALONE: Mutex<()> = Mutex::new(());

/// Nobody else has a cluster, and what it runs is built, which may take minutes and is not what is waited for below.
fn alone() -> MutexGuard<'static, ()> {
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    watchdog_faults::programs::build(Path::new(env!("CARGO_BIN_EXE_watchdog-faults"))).unwrap();
    alone
}

/// Killed also when the test fails before it does so.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn suite(arguments: &[&str]) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watchdog-faults"));
    command.args(arguments).output().unwrap()
}

#[test]
fn a_few_faults_violate_nothing_and_the_control_is_seen() {
    let _alone = alone();
    let output = suite(&["--seeds", "1..2", "--faults", "10", "--control", "3", "-o", "json"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stdout));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(told["faults"].as_u64() >= Some(8), "a fault that finds nobody to hit is left out: {told}");
    assert_eq!((&told["interleavings"], &told["cut_off"]["acts"]), (&0.into(), &0.into()), "{told}");
    assert!(told["cut_off"]["ms"].as_u64() >= Some(5_000), "two sessions: {told}");
    assert!(told["control"]["seen"].as_u64() >= Some(1), "{told}");
    assert!(told["questions"]["answered"].as_u64() > Some(100), "{told}");
}

#[test]
fn nothing_is_left_when_it_is_killed() {
    let _alone = alone();
    let mut command = Command::new(env!("CARGO_BIN_EXE_watchdog-faults"));
    // A name by which all of its processes are found, as each inherits it.
    let mark = format!("WATCHDOG_FAULTS_MARK_{}", std::process::id());
    let child = Killed(command.args(["--control", "0"]).env(&mark, "1").spawn().unwrap());
    let many = || marked(&mark) > 8;
    watchdog_tests::wait_for("its processes", std::time::Duration::from_mins(2), || many().then_some(()))
        .unwrap();
    drop(child);
    let none = || (marked(&mark) == 0).then_some(());
    watchdog_tests::wait_for("the last of its processes to go", std::time::Duration::from_secs(20), none)
        .unwrap();
}

/// How many processes have this variable in their environment.
fn marked(mark: &str) -> usize {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let carries = |entry: &std::fs::DirEntry| {
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        environment.windows(mark.len()).any(|window| window == mark.as_bytes())
    };
    processes.filter(carries).count()
}

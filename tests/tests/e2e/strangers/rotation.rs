//! Rotation: everybody gets a new certificate, and a new authority, while the cluster runs and heals.

use std::path::Path;
use std::time::Duration;

use watchdog_tests::story::{Backend, Story};
use watchdog_tests::wait_for;
use watchdog_trust::Role;
use watchdog_trust::mint::{Authority, Subject};

use super::{DAY, authority, encrypted};

/// Everybody in a cluster of `watchdog dev`.
const EVERYBODY: [(&str, Role); 6] = [
    ("w1", Role::Watchdog),
    ("w2", Role::Watchdog),
    ("w3", Role::Watchdog),
    ("h1", Role::Agent),
    ("h2", Role::Agent),
    ("admin", Role::Admin),
];

/// How often all of them have said that they use new files.
fn taken_up(story: &Story) -> Vec<usize> {
    let logs = story.dev.home().join("logs");
    let daemons = EVERYBODY.iter().filter(|(_, role)| *role != Role::Admin);
    let said = |(name, _): &(&str, Role)| {
        let log = std::fs::read_to_string(logs.join(format!("{name}.log"))).unwrap();
        log.matches("new certificates are in use").count()
    };
    daemons.map(said).collect()
}

fn until_taken_up(story: &Story, times: usize) {
    wait_for("everybody to use the new files", Duration::from_secs(30), || {
        taken_up(story).iter().all(|count| *count >= times).then_some(())
    })
    .unwrap();
}

fn heal(story: &Story, name: &str) {
    let dead = story.replica(name).unwrap();
    story.kill(&dead).unwrap();
    story.until_replaced(&dead).unwrap();
}

fn issue(directory: &Path, authority: &Authority) {
    for (name, role) in EVERYBODY {
        let hosts = ["127.0.0.1".to_owned()];
        let subject =
            Subject { name, role: Some(role), hosts: if role == Role::Admin { &[] } else { &hosts } };
        super::keep(directory, name, &authority.issue(&subject, DAY).unwrap());
    }
}

/// In one go, as a file is replaced by tools that know how.
fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(new, path).unwrap();
}

#[test]
fn certificates_and_their_authority_are_exchanged_without_a_restart() {
    let story = encrypted(Backend::Embedded);
    let pids: Vec<u32> = ["w1", "w2", "w3", "h1", "h2"].iter().map(|name| story.pid(name).unwrap()).collect();
    heal(&story, "demo-b");

    let (directory, old) = authority(&story);
    let new = Authority::make("the next authority", DAY).unwrap();
    let (before, after) = (&old.minted().certificate, &new.minted().certificate);
    replace(&directory.join("ca.pem"), &format!("{before}{after}"));
    until_taken_up(&story, 1);
    issue(&directory, &new);
    until_taken_up(&story, 2);
    replace(&directory.join("ca.pem"), after);
    until_taken_up(&story, 3);

    heal(&story, "demo-c");
    story.until_all_healthy().unwrap();
    let now: Vec<u32> = ["w1", "w2", "w3", "h1", "h2"].iter().map(|name| story.pid(name).unwrap()).collect();
    assert_eq!(now, pids, "nobody was restarted");
}

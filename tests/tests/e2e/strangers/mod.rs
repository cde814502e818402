//! Strangers: who has no certificate, a bad one, or one for something else gets nothing, and is in nobody's way.

mod calls;
mod deployment;
mod flood;
mod forged;
mod rotation;

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use watchdog_tests::story::{Backend, Story};
use watchdog_tests::visitor::Visitor;
use watchdog_tests::wait_for;
use watchdog_trust::Role;
use watchdog_trust::mint::{Authority, Minted, Subject};

crate::stories!(every_call_of_every_stranger_is_refused, strangers_get_nothing_and_are_in_nobodys_way);

use calls::every_call_of_every_stranger_is_refused;
use flood::strangers_get_nothing_and_are_in_nobodys_way;

const DAY: Duration = Duration::from_hours(24);

/// A cluster all of whose connections are encrypted.
fn encrypted(backend: Backend) -> Story {
    Story::with(backend, &["--tls"]).unwrap()
}

/// The directory with everybody's certificates, and its authority.
fn authority(story: &Story) -> (PathBuf, Authority) {
    let directory = story.dev.certificates().unwrap();
    let read = |file| std::fs::read_to_string(directory.join(file)).unwrap();
    let minted = Minted { certificate: read("ca.pem"), key: read("ca.key") };
    (directory, Authority::from_pem(minted).unwrap())
}

/// One listener of the cluster, by what stands there.
struct Place {
    what: &'static str,
    url: String,
    log: PathBuf,
}

/// A watchdog, a host agent, and an agent that is embedded in a replica there.
fn places(story: &Story) -> [Place; 3] {
    let home = story.dev.home();
    let status = story.until("a host", |status| {
        let host = status["hosts"].as_array()?.iter().find(|host| host["host"] == "h1")?;
        Some((status["watchdogs"][0].clone(), host["address"].as_str()?.to_owned()))
    });
    let (watchdog, host) = status.unwrap();
    let (id, url) = (watchdog["id"].as_str().unwrap(), watchdog["address"].as_str().unwrap());
    let (replica, embedded) = embedded(story, &home);
    [
        Place { what: "watchdog", url: url.to_owned(), log: home.join(format!("logs/{id}.log")) },
        Place { what: "host agent", url: host, log: home.join("logs/h1.log") },
        Place {
            what: "embedded agent",
            url: embedded,
            log: home.join(format!("hosts/h1/logs/demo/{replica}.err")),
        },
    ]
}

/// A replica on the first host, and where its agent listens.
fn embedded(story: &Story, home: &Path) -> (String, String) {
    let replicas = story.healthy().unwrap();
    let replica = replicas.iter().find(|replica| replica.host == "h1").unwrap();
    let file = home.join(format!("hosts/h1/run/{}/address.json", replica.incarnation));
    let addresses: serde_json::Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    (replica.name.clone(), addresses["agent"].as_str().unwrap().to_owned())
}

/// Makes a certificate of that authority that holds between two times, in days from now.
fn dated(directory: &Path, authority: &Authority, (name, from, until): (&str, i32, i32)) -> Visitor {
    let now = SystemTime::now();
    let time = |days: i32| {
        if days < 0 { now - DAY * days.unsigned_abs() } else { now + DAY * days.unsigned_abs() }
    };
    let subject = Subject { name, role: Some(Role::Watchdog), hosts: &[] };
    let minted = authority.issue_for(&subject, (time(from), time(until))).unwrap();
    keep(directory, name, &minted)
}

/// Makes a certificate of that role, which holds.
fn citizen(directory: &Path, authority: &Authority, (name, role): (&str, Option<Role>)) -> Visitor {
    let subject = Subject { name, role, hosts: &[] };
    keep(directory, name, &authority.issue(&subject, DAY).unwrap())
}

fn keep(directory: &Path, name: &str, minted: &Minted) -> Visitor {
    let file = |end: &str| directory.join(format!("{name}.{end}"));
    minted.replace(&file("pem"), &file("key")).unwrap();
    Visitor::citizen(directory, name)
}

/// Waits until a log tells of somebody who was turned away for this cause.
fn until_told(place: &Place, cause: &str) {
    // Between the field and its value there may be colours.
    let told = format!("\"{cause}\"");
    wait_for(&format!("{told} in the log of the {}", place.what), Duration::from_secs(20), || {
        std::fs::read_to_string(&place.log).ok().filter(|log| log.contains(&told))
    })
    .unwrap();
}

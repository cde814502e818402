//! Znodes: what stands in the coordination service, a line for each node: its path, a blank, and its bytes.
//!
//! *Holds*: what is told twice changes nothing; what is gone leaves nothing behind; a record is read as it is written.

use serde::Serialize;
use serde::de::DeserializeOwned;
use watchdog_core::ids::{ClusterId, Epoch, HostId, Incarnation, ReplicaId, Version};
use watchdog_core::state::Hash;
use watchdog_membership::outside::see;
use watchdog_membership::picture::Picture;
use watchdog_membership::records::{
    ContenderRecord, EpochRecord, FORMAT, Health, HostRecord, LoadedRecord, MemberRecord, ObituaryRecord,
    Paths, Phase, ProbeState, ProcessRecord, decode, encode,
};

use super::target;
use crate::target::{Flavour, Target, Verdict};

/// See the module.
pub const TARGET: Target = Target { fuzz, samples, ..target("znodes", Flavour::Json) };

fn fuzz(bytes: &[u8]) -> Verdict {
    let cluster: ClusterId = "demo".parse().expect("a name");
    let mut picture = Picture::default();
    let mut paths = Vec::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        let blank = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
        let (path, data) = line.split_at(blank);
        let Ok(path) = std::str::from_utf8(path) else { continue };
        let data = data.get(1..).unwrap_or_default();
        see(&mut picture, &cluster, (path, Some(data)));
        let again = see(&mut picture, &cluster, (path, Some(data)));
        assert!(again.is_empty(), "znode: the same again changes something");
        every_record(path, data);
        paths.push(path);
    }
    let seen = format!(
        "{} hosts {} processes {} members {} obituaries {} contenders {:?} {:?}",
        picture.hosts.len(),
        picture.processes.len(),
        picture.members.len(),
        picture.obituaries.len(),
        picture.contenders.len(),
        picture.epoch.is_some(),
        picture.malformed.values(),
    );
    let refused = picture.malformed.len() == paths.len();
    for path in paths {
        see(&mut picture, &cluster, (path, None));
    }
    assert_eq!(picture, Picture::default(), "znode: something is left of what is gone");
    if refused { Verdict::Refused(seen) } else { Verdict::Taken(seen) }
}

fn every_record(path: &str, data: &[u8]) {
    record::<EpochRecord>(path, data);
    record::<ContenderRecord>(path, data);
    record::<HostRecord>(path, data);
    record::<ProcessRecord>(path, data);
    record::<MemberRecord>(path, data);
    record::<ObituaryRecord>(path, data);
}

fn record<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(path: &str, data: &[u8]) {
    if let Ok(record) = decode::<T>(path, data) {
        let again =
            decode::<T>(path, &encode(&record)).expect("znode: a record can't be read as it is written");
        assert_eq!(record, again, "znode: a record is read as another");
    }
}

fn line<T: Serialize>(path: &str, record: &T) -> Vec<u8> {
    [path.as_bytes(), b" ", &encode(record)].concat()
}

const ONE: u128 = 0x0197_c7a0_5f3e_7c2d_8000_3f2a_6b1c_9d4e;

fn name<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("a name")
}

fn process() -> ProcessRecord {
    ProcessRecord {
        format: FORMAT,
        replica: name("demo-a"),
        incarnation: Incarnation::from_u128(ONE),
        host: name("h1"),
        pid: 7,
        start_ticks: 70,
        boot_id: "b".into(),
        phase: Phase::Running,
        probe: ProbeState::Failing,
        detail: "no answer".into(),
        since_ms: 1,
        loaded: Some(LoadedRecord { version: Version(3), state_hash: Hash::of(b"x") }),
        started_with: Some(Hash::of(b"y")),
    }
}

fn member() -> MemberRecord {
    MemberRecord {
        format: FORMAT,
        replica: name("demo-a"),
        incarnation: Incarnation::from_u128(ONE),
        host: name("h1"),
        pid: 7,
        start_ticks: 70,
        boot_id: "b".into(),
        address: "http://127.0.0.1:1".into(),
        service: None,
        version: Version(3),
        state_hash: Hash::of(b"x"),
        health: Health::Ready,
        detail: String::new(),
        epoch: Epoch(2),
        since_ms: 5,
    }
}

/// A node of every kind.
fn nodes() -> Vec<Vec<u8>> {
    let paths = Paths::new(&name("demo"));
    let (epoch, incarnation) = (Epoch(2), Incarnation::from_u128(ONE));
    let (host, replica): (HostId, ReplicaId) = (name("h1"), name("demo-a"));
    vec![
        line(
            &paths.epoch(),
            &EpochRecord {
                format: FORMAT,
                epoch,
                leader: name("w1"),
                term: epoch,
                head: Version(3),
                hash: Hash::of(b"x"),
            },
        ),
        line(
            &format!("{}/w1-c0ffee-0000000012", paths.contenders()),
            &ContenderRecord {
                format: FORMAT,
                watchdog: name("w1"),
                address: "http://127.0.0.1:2".into(),
                pid: 9,
                reaches_journal: true,
            },
        ),
        line(
            &paths.host(&host),
            &HostRecord {
                format: FORMAT,
                host: host.clone(),
                instance: "i".into(),
                address: "http://127.0.0.1:3".into(),
                pid: 8,
                boot_id: "b".into(),
                inventory_complete: true,
                session: "s".into(),
                epoch,
            },
        ),
        line(&paths.process(&replica, incarnation), &process()),
        line(&paths.member(&replica, incarnation), &member()),
        line(
            &paths.obituary(incarnation),
            &ObituaryRecord {
                format: FORMAT,
                replica,
                incarnation,
                host,
                status: "exit 1".into(),
                tree_gone: true,
                at_ms: 9,
            },
        ),
    ]
}

fn samples() -> Vec<Vec<u8>> {
    let mut samples = nodes();
    let whole = samples.join(&b'\n');
    let text = String::from_utf8_lossy(&whole).into_owned();
    samples.extend([
        whole,
        text.replace("\"format\":1", "\"format\":2").into_bytes(),
        text.replace("\"format\":1", "\"format\":0").into_bytes(),
        text.replace("demo-a", "demo-b").into_bytes(),
        text.replace("{\"", "{\"more\":1,\"").into_bytes(),
        b"/demo/members/demo-a {}\n/demo2/epoch {}\n/demo/epoch/x {}\n/demo/contenders/odd {}".to_vec(),
        b"/demo/epoch \xff".to_vec(),
    ]);
    samples
}

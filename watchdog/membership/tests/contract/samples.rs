//! Samples: records of a cluster called `demo`.

use watchdog_core::ids::{Epoch, Incarnation, Version};
use watchdog_core::state::Hash;
use watchdog_membership::records::{
    ContenderRecord, FORMAT, Health, HostRecord, MemberRecord, ObituaryRecord, Paths, Phase, ProbeState,
    ProcessRecord,
};

pub(crate) fn paths() -> Paths {
    Paths::new(&"demo".parse().unwrap())
}

pub(crate) fn contender(name: &str) -> ContenderRecord {
    let address = "http://127.0.0.1:7000".to_owned();
    ContenderRecord {
        format: FORMAT,
        watchdog: name.parse().unwrap(),
        address,
        pid: 7,
        reaches_journal: true,
    }
}

pub(crate) fn member(replica: &str, life: u128) -> MemberRecord {
    MemberRecord {
        format: FORMAT,
        replica: replica.parse().unwrap(),
        incarnation: Incarnation::from_u128(life),
        host: "h1".parse().unwrap(),
        pid: 4711,
        start_ticks: 99,
        boot_id: "b".into(),
        address: "http://127.0.0.1:7001".into(),
        service: None,
        version: Version(3),
        state_hash: Hash::default(),
        health: Health::Ready,
        detail: String::new(),
        epoch: Epoch(1),
        since_ms: 5,
    }
}

pub(crate) fn process(replica: &str, life: u128) -> ProcessRecord {
    ProcessRecord {
        format: FORMAT,
        replica: replica.parse().unwrap(),
        incarnation: Incarnation::from_u128(life),
        host: "h1".parse().unwrap(),
        pid: 4711,
        start_ticks: 99,
        boot_id: "b".into(),
        phase: Phase::Running,
        probe: ProbeState::Passing,
        detail: String::new(),
        since_ms: 5,
        loaded: None,
        started_with: None,
    }
}

pub(crate) fn obituary(replica: &str, life: u128) -> ObituaryRecord {
    ObituaryRecord {
        format: FORMAT,
        replica: replica.parse().unwrap(),
        incarnation: Incarnation::from_u128(life),
        host: "h1".parse().unwrap(),
        status: "signal 9 (SIGKILL)".into(),
        tree_gone: true,
        at_ms: 6,
    }
}

pub(crate) fn host() -> HostRecord {
    HostRecord {
        format: FORMAT,
        host: "h1".parse().unwrap(),
        instance: "i".into(),
        address: "http://127.0.0.1:7002".into(),
        pid: 12,
        boot_id: "b".into(),
        inventory_complete: true,
        session: "11f5b4a6".into(),
        epoch: Epoch(0),
    }
}

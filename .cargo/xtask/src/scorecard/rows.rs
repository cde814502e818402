//! Rows: what is promised, as data.

/// One line of the table.
pub(super) struct Row {
    pub(super) number: u8,
    pub(super) what: &'static str,
    /// The goal of the quick run.
    pub(super) quick: &'static str,
    /// The goal of the long run.
    pub(super) long: &'static str,
    /// What others show.
    pub(super) to_beat: &'static str,
}

const fn row(
    number: u8,
    what: &'static str,
    (quick, long): (&'static str, &'static str),
    to_beat: &'static str,
) -> Row {
    Row { number, what, quick, long, to_beat }
}

/// All of them.
pub(super) const ROWS: &[Row] = &[
    row(
        1,
        "simulated cluster-hours of the real core, 0 violations",
        ("≥ 2,000", "≥ 40,000"),
        "etcd: 4.5 years",
    ),
    row(2, "faults in simulation, ≥ 12 kinds, each ≥ 1 %", ("≥ 1 M", "≥ 50 M"), "-"),
    row(3, "mutants of safeguards killed by the right assertion", ("all of ≥ 25", "all, 50 times each"), "-"),
    row(
        4,
        "replay: same seed, same hash, across processes",
        ("100 seeds", "10,000"),
        "FoundationDB, TigerBeetle",
    ),
    row(5, "heals with one permanent fault", ("≥ 5 kinds × 500", "× 50,000"), "TigerBeetle"),
    row(6, "protocol states exhausted, ≥ 6 properties", ("≥ 3 M", "≥ 20 M"), "Oxide's TLA+"),
    row(7, "golden planner cases, read as stories", ("≥ 150", "≥ 900"), "Pacemaker 855"),
    row(8, "planner properties, in random worlds", ("10,000 cases", "1 M"), "Oxide 100"),
    row(9, "journal against its model, both databases", ("2,000 operations", "200,000"), "-"),
    row(10, "faults on a real 3-node ensemble, 0 interleavings", ("≥ 60", "≥ 5,000"), "Patroni 83 scenarios"),
    row(11, "positive control: stale acts seen with fencing off", ("≥ 1", "≥ 100"), "-"),
    row(12, "kill -9 during append, acknowledged entries lost", ("0 of 300", "0 of 50,000"), "-"),
    row(13, "named crash points in daemon and agents", ("≥ 42, each ≥ 3 kills", "each 100 kills"), "etcd 41"),
    row(14, "leader killed at every kind of plan step", ("all 9", "all × 50"), "-"),
    row(15, "disk full and EIO at each of the first writes", ("50", "200"), "-"),
    row(16, "wrong process signalled under forced pid reuse", ("0 of 200", "0 of 10,000"), "-"),
    row(17, "acts while cut off from ZooKeeper for two sessions", ("0", "0 in an hour"), "Patroni failsafe"),
    row(18, "restarts of one replica in 60 s; disturbed at once", ("≤ policy", "≤ policy"), "-"),
    row(19, "detection, heal, false heals", ("printed", "printed"), "nobody prints them"),
    row(20, "fuzz executions, 0 crashes, ≥ 8 targets", ("≥ 3 M", "≥ 1 G"), "etcd 18 fuzzers"),
    row(21, "bad inputs with a clear error, 0 panics", ("≥ 500", "≥ 500"), "-"),
    row(22, "RPC × bad identity, all refused", ("100 %", "+ expiry, rotation"), "-"),
    row(23, "known advisories in the lock file", ("0, listed exceptions", "the same"), "-"),
];

//! Dependencies: who may depend on whom, and which library has a single owner, read from `cargo metadata`.

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

/// Our crates, and which of ours each may build on. Dependencies point up the layout's list, never down.
const ALLOWED: [(&str, &[&str]); 20] = [
    ("watchdog-proto", &[]),
    ("watchdog-core", &[]),
    // Every crate in which a process may be told to die; it is nothing in a release build.
    ("watchdog-crash-points", &[]),
    // Every crate that listens or connects.
    ("watchdog-trust", &[]),
    // Every program that is watched; not the library for applications, which have telemetry of their own.
    ("watchdog-telemetry", &["watchdog-core", "watchdog-trust"]),
    ("watchdog-leader", &["watchdog-core"]),
    // It drives the leader that ships.
    ("watchdog-sim", &["watchdog-core", "watchdog-leader"]),
    ("watchdog-ports", &["watchdog-core"]),
    ("watchdog-journal", &["watchdog-ports", "watchdog-core", "watchdog-crash-points"]),
    ("watchdog-membership", &["watchdog-proto", "watchdog-core", "watchdog-crash-points"]),
    (
        "watchdog",
        &[
            "watchdog-proto",
            "watchdog-core",
            "watchdog-leader",
            "watchdog-crash-points",
            "watchdog-ports",
            "watchdog-journal",
            "watchdog-membership",
            "watchdog-trust",
            "watchdog-telemetry",
        ],
    ),
    ("watchdogctl", &["watchdog-proto", "watchdog-core", "watchdog-trust"]),
    ("replica_agent", AGENT),
    (
        "replica-agent",
        &[
            "watchdog-proto",
            "watchdog-membership",
            "watchdog-core",
            "watchdog-crash-points",
            "watchdog-trust",
            "watchdog-telemetry",
        ],
    ),
    ("scoring-server", &["replica_agent"]),
    // Everyone's tests build on its rigs, so it builds on nobody, and speaks to what it tests like any stranger.
    ("watchdog-tests", &["watchdog-proto"]),
    // It kills real processes, and speaks to them like any stranger.
    ("watchdog-crash", &["watchdog-crash-points", "watchdog-proto", "watchdog-tests"]),
    // It reads with everybody's readers, and nobody builds on it.
    (
        "watchdog-fuzz",
        &[
            "watchdog-proto",
            "watchdog-core",
            "watchdog-ports",
            "watchdog-journal",
            "watchdog-membership",
            "watchdog-trust",
            "watchdog-telemetry",
            "watchdogctl",
            "replica_agent",
            "replica-agent",
        ],
    ),
    // It judges real runs by the words of the core, on the rigs of the tests and by the simulator's chance.
    ("watchdog-faults", &["watchdog-core", "watchdog-proto", "watchdog-sim", "watchdog-tests"]),
    ("xtask", &[]),
];

/// What the embedded agent builds on.
const AGENT: &[&str] =
    &["watchdog-proto", "watchdog-membership", "watchdog-core", "watchdog-crash-points", "watchdog-trust"];

/// The crates that decide and are told everything.
const PURE: [&str; 2] = ["watchdog-core", "watchdog-leader"];

/// What they may use: each other, data, errors and hashing.
const CORE_LIBRARIES: [&str; 6] =
    ["serde", "serde_json", "serde_json_canonicalizer", "sha2", "thiserror", "watchdog-core"];

/// Libraries that stand behind one of our ports, and the crates that may name them.
const OWNED: [(&str, &[&str]); 10] = [
    // The host agent serves one page beside gRPC; the library for applications is no web server.
    ("axum", &["watchdog", "replica-agent", "scoring-server"]),
    ("opentelemetry", &["watchdog-telemetry", "replica_agent", "scoring-server"]),
    ("opentelemetry-proto", &["watchdog-tests"]),
    ("opentelemetry-otlp", &["watchdog-telemetry", "scoring-server"]),
    ("opentelemetry_sdk", &["watchdog-telemetry", "scoring-server"]),
    ("prometheus-client", &["watchdog-telemetry", "watchdog", "replica-agent"]),
    ("tracing-opentelemetry", &["watchdog-telemetry", "replica_agent", "scoring-server"]),
    ("backoff", &["watchdog-ports"]),
    ("sqlx", &["watchdog-journal"]),
    ("zookeeper-client", &["watchdog-membership", "watchdog-tests"]),
];

/// One line of a crate's `Cargo.toml`.
struct Edge<'a> {
    from: &'a str,
    to: &'a str,
    ours: bool,
    /// For tests only.
    dev: bool,
}

fn edges(metadata: &Metadata) -> Vec<Edge<'_>> {
    let mut edges = Vec::new();
    for package in &metadata.packages {
        for dependency in &package.dependencies {
            edges.push(Edge {
                from: package.name.as_str(),
                to: &dependency.name,
                ours: dependency.path.is_some(),
                dev: dependency.kind == DependencyKind::Development,
            });
        }
    }
    edges
}

/// The direction of dependencies. Tests may also use the rigs, and the end-to-end tests everything.
fn wrong_direction(edge: &Edge<'_>) -> Option<String> {
    let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == edge.from) else {
        return Some(format!("{} has no row in the table of allowed dependencies", edge.from));
    };
    let for_tests = edge.dev && (edge.to == "watchdog-tests" || edge.from == "watchdog-tests");
    let fine = !edge.ours || for_tests || allowed.contains(&edge.to);
    (!fine).then(|| format!("{} may not depend on {}", edge.from, edge.to))
}

fn impure_core(edge: &Edge<'_>) -> Option<String> {
    let fine = !PURE.contains(&edge.from) || edge.dev || CORE_LIBRARIES.contains(&edge.to);
    (!fine).then(|| format!("{} may not use {}: it is told everything", edge.from, edge.to))
}

fn not_the_owner(edge: &Edge<'_>) -> Option<String> {
    let (_, owners) = OWNED.iter().find(|(library, _)| *library == edge.to)?;
    let fine = edge.dev || owners.contains(&edge.from);
    (!fine).then(|| format!("{} may not use {}: only {} may", edge.from, edge.to, owners.join(" and ")))
}

fn hold(rule: fn(&Edge<'_>) -> Option<String>) {
    let manifest = crate::root().join("Cargo.toml");
    let metadata = MetadataCommand::new().manifest_path(manifest).no_deps().exec().unwrap();
    let edges = edges(&metadata);
    assert!(edges.iter().any(|edge| edge.ours) && edges.iter().any(|edge| !edge.ours), "metadata has edges");
    crate::none(&edges.iter().filter_map(rule).collect::<Vec<_>>());
}

#[test]
fn dependencies_point_up() {
    let bad = Edge { from: "watchdog-core", to: "watchdog-ports", ours: true, dev: false };
    assert!(wrong_direction(&bad).is_some());
    assert!(wrong_direction(&Edge { dev: true, ..bad }).is_some(), "not for tests either");
    let new = Edge { from: "watchdog-new", to: "serde", ours: false, dev: false };
    assert!(wrong_direction(&new).is_some(), "a new crate needs a row");
    let rig = Edge { from: "watchdog-journal", to: "watchdog-tests", ours: true, dev: true };
    assert_eq!(wrong_direction(&rig), None);
    assert!(wrong_direction(&Edge { dev: false, ..rig }).is_some());

    hold(wrong_direction);
}

#[test]
fn the_core_uses_data_errors_and_hashing_only() {
    let bad = Edge { from: "watchdog-core", to: "tokio", ours: false, dev: false };
    assert!(impure_core(&bad).is_some());
    assert!(impure_core(&Edge { from: "watchdog-leader", ..bad }).is_some());
    assert_eq!(impure_core(&Edge { to: "serde", ..bad }), None);

    hold(impure_core);
}

#[test]
fn a_library_behind_a_port_has_one_owner() {
    let bad = Edge { from: "watchdog", to: "sqlx", ours: false, dev: false };
    assert!(not_the_owner(&bad).is_some());
    assert_eq!(not_the_owner(&Edge { from: "watchdog-journal", ..bad }), None);

    hold(not_the_owner);
}

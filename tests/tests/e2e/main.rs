//! End to end: incidents on a real cluster, each on embedded + SQLite and on ZooKeeper x 3 + PostgreSQL.
//!
//! Build the programs first: `cargo xtask build`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod access;
mod clusters;
mod dashboard;
mod garbage;
mod goals;
mod hosts;
mod leaders;
mod metrics;
mod pauses;
mod procedures;
mod replicas;
mod scenarios;
mod stores;
mod strangers;
mod terminal;
mod traces;

/// Tells each story on both kinds of back end.
macro_rules! stories {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        mod embedded {
            $($(#[$doc])* #[test] fn $name() { super::$name(watchdog_tests::story::Backend::Embedded) })*
        }
        mod real {
            $($(#[$doc])* #[test] fn $name() { super::$name(watchdog_tests::story::Backend::Real) })*
        }
    };
}
pub(crate) use stories;

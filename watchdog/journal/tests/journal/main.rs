//! Journal: the contract and the faults, on real SQLite and PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod altered;
mod cancelled;
mod disk_full;
mod fencing;
mod kill;
mod migrating;
mod model;
mod opening;
mod postgres_faults;
mod refused;
mod standby;
mod support;

mod sqlite {
    watchdog_ports::journal_contract!(crate::support::sqlite());
}

mod postgres {
    watchdog_ports::journal_contract!(crate::support::postgres());
}

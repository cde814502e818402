//! Figures: measures what the README claims and prints it as a table, with the floor of this machine beside it.
//!
//! `cargo figures` builds everything in release mode first. Ratios to the floor
//! travel between machines; milliseconds do not.

mod crowd;
mod floor;
mod heal;
mod samples;

use anyhow::Context as _;
use watchdog_tests::dev::Setup;
use watchdog_tests::postgres::{Durability, Postgres};
use watchdog_tests::zookeeper::Ensemble;

use crate::samples::{Row, print};

/// How often a single replica is killed or stopped per set-up.
const HEALS: usize = 30;
/// How often it is stopped, which takes longer.
const HANGS: usize = 12;

fn main() -> anyhow::Result<()> {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let wants = |name: &str| wanted.is_empty() || wanted.iter().any(|word| word == name);
    let mut rows = vec![floor::first_answer()?, floor::fsync()?];
    if wants("embedded") {
        progress("embedded + SQLite");
        let heals = heal::measure(&Setup::default(), HEALS, HANGS).context("embedded + SQLite")?;
        rows.extend(heals.rows("embedded + SQLite", 40.0, 600.0));
    }
    if wants("zookeeper") {
        progress("ZooKeeper x 3 + PostgreSQL");
        let ensemble = Ensemble::start(3)?;
        let postgres = Postgres::start(Durability::Synced)?;
        let setup = Setup {
            coordination: Some(format!("zookeeper://{}", ensemble.connect_string())),
            journal: Some(postgres.create_database()?),
            ..Setup::default()
        };
        let heals = heal::measure(&setup, HEALS, HANGS).context("ZooKeeper x 3 + PostgreSQL")?;
        rows.extend(heals.rows("ZooKeeper x 3 + PostgreSQL", 80.0, 600.0));
    }
    if wants("crowd") {
        progress("100 replicas on one host");
        rows.extend(crowd::measure().context("100 replicas")?);
    }
    print(&rows);
    let short: Vec<&Row> = rows.iter().filter(|row| row.falls_short()).collect();
    anyhow::ensure!(short.is_empty(), "{} figures fall short of their goal", short.len());
    Ok(())
}

fn progress(what: &str) {
    eprintln!("measuring: {what}");
}

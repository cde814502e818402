//! Figures: measures what the README claims and prints it as a table, with the floor of this machine beside it.
//!
//! `cargo figures` builds everything in release mode first. Ratios to the floor
//! travel between machines; milliseconds do not.

mod board;
mod crowd;
mod floor;
mod goal;
mod heal;
mod samples;

use anyhow::Context as _;
use watchdog_tests::dev::Setup;
use watchdog_tests::postgres::{Durability, Postgres};
use watchdog_tests::zookeeper::Ensemble;

use crate::samples::{Row, print};

/// How often a single replica is killed or stopped per set-up.
const HEALS: usize = 30;
/// How often a good version is deployed, and a bad one.
const GOALS: usize = 20;
const BAD_GOALS: usize = 5;
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
        let goals =
            goal::measure(&Setup::default(), (GOALS, BAD_GOALS), "embedded + SQLite", (150.0, Some(500.0)));
        rows.extend(goals.context("goals on embedded + SQLite")?);
    }
    if wants("tls") {
        progress("embedded + SQLite, in the open and encrypted");
        rows.push(heal::encryption(HEALS).context("what TLS adds")?);
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
        let setup = Setup {
            journal: Some(postgres.create_database()?),
            coordination: Some(again(&ensemble)),
            ..setup
        };
        let goals = goal::measure(&setup, (GOALS, BAD_GOALS), "ZooKeeper x 3 + PostgreSQL", (400.0, None));
        rows.extend(goals.context("goals on ZooKeeper x 3 + PostgreSQL")?);
    }
    if wants("crowd") {
        progress("100 replicas on one host");
        rows.extend(crowd::measure().context("100 replicas")?);
    }
    if wants("dashboard") {
        progress("the dashboard with 500 replicas");
        rows.extend(board::measure().context("the dashboard")?);
    }
    print(&rows);
    let short: Vec<&Row> = rows.iter().filter(|row| row.falls_short()).collect();
    anyhow::ensure!(short.is_empty(), "{} figures fall short of their goal", short.len());
    Ok(())
}

/// Another cluster in the same ensemble.
fn again(ensemble: &Ensemble) -> String {
    format!("zookeeper://{}/goals", ensemble.connect_string())
}

fn progress(what: &str) {
    eprintln!("measuring: {what}");
}

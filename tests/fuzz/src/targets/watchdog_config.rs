//! Watchdog config: what the owner of a watchdog writes.
//!
//! *Holds*: what is refused is told with line and column, and never with the password of the database.

use std::path::Path;

use self::config::Config;
use super::{target, texts};
use crate::target::{Flavour, Target, Verdict};
use crate::told;

#[path = "../../../../watchdog/daemon/src/config/mod.rs"]
#[expect(dead_code, reason = "the daemon's own module, of which we only read")]
mod config;

/// See the module.
pub const TARGET: Target = Target { fuzz, samples, ..target("watchdog_config", Flavour::Toml) };

/// Stands in the samples as the password, and nowhere else.
const PASSWORD: &str = "s3cr3t";

fn fuzz(bytes: &[u8]) -> Verdict {
    let Ok(text) = std::str::from_utf8(bytes) else { return Verdict::no_text() };
    match understood(text) {
        Ok(summary) => Verdict::Taken(summary),
        Err(said) => {
            told::check(&said, "watchdog.toml:");
            // Elsewhere it would be a word like any other.
            let place = text.lines().find(|line| line.contains(PASSWORD));
            let secret = text.matches(PASSWORD).count() == 1
                && place.is_some_and(|line| line.starts_with("journal") && line.contains("://u:s3cr3t@"));
            assert!(!secret || !said.contains(PASSWORD), "config: the password is told");
            Verdict::Refused(said)
        }
    }
}

/// Reads a configuration; answers which clusters it guards.
///
/// # Errors
///
/// What its owner is told.
///
/// # Panics
///
/// When what is understood breaks a rule.
pub fn understood(text: &str) -> Result<String, String> {
    let config = Config::parse(Path::new("watchdog.toml"), text).map_err(|error| error.to_string())?;
    assert!(config.listen.ip().is_loopback(), "config: it listens beyond this machine");
    assert!(!config.clusters.is_empty(), "config: it guards nothing");
    Ok(format!("{} clusters, log {:?}", config.clusters.len(), config.log.format))
}

fn samples() -> Vec<Vec<u8>> {
    let example = include_str!("../../../../examples/watchdog.toml");
    let explicit: String = example
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(setting)
                if setting.contains(" = ")
                    && !setting.contains("_file")
                    && !setting.contains("identities") =>
            {
                format!("{setting}\n")
            }
            _ => format!("{line}\n"),
        })
        .collect();
    let small = "id = \"w\"\nlisten = \"127.0.0.1:0\"\nclusters = [\"a\", \"b\"]\njournal = \"JOURNAL\"\n[coordination]\nurl = \"URL\"\n";
    let with = |journal: &str, url: &str| small.replace("JOURNAL", journal).replace("URL", url);
    let mut samples = texts(&[example, &explicit]);
    samples.extend(texts(&[
        with("sqlite:/tmp/j.db", "zookeeper://h1,h2:2182/a/b"),
        with("postgres://watchdog:s3cr3t@db:5432/watchdog?sslmode=disable", "embedded://127.0.0.1:7100"),
        with("postgresql://u:s3cr3t@[::1]/d", "zookeeper://[::1]:2181"),
        with("postgres://u:s3cr3t@db", "zookeeper://h1"),
        with("mysql://u:s3cr3t@db/d", "etcd://h1"),
        with("sqlite::memory:", "embedded://10.0.0.1:1"),
        with("/tmp/j.db", "zookeeper://"),
        with("sqlite:j", "embedded://127.0.0.1:0") + "session_timeout_ms = 1\n[log]\nformat = \"xml\"\n",
        with("sqlite:j", "embedded://127.0.0.1:1") + "[log]\nfilter = \"inof\"\n",
        with("sqlite:j", "embedded://127.0.0.1:1")
            + "[log]\nformat = \"json\"\nfilter = \"info,a::b=debug,[x{y=\\\"z\\\"}]=warn\"\n",
        small.replace("127.0.0.1:0", "0.0.0.0:7400"),
        small.replace("listen", "lisen"),
        small.replace("id = \"w\"\n", ""),
        small.replace("[\"a\", \"b\"]", "[\"a\", \"a\"]"),
        small.replace("id", "query_timeout_ms = 0\nid"),
        small.replace("id = \"w\"", "id = \"w\"\naddress = \"https://h:1\""),
        small.replace("id = \"w\"", "id = 7"),
    ]));
    samples
}

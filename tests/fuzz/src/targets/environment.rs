//! Environment: the variables that a replica is started with, a line each.
//!
//! *Holds*: what is understood is told to the next process as something that is understood as the same.

use std::collections::BTreeMap;

use watchdog_membership::environment::Environment;

use super::{target, texts};
use crate::target::{Flavour, Target, Verdict};

/// See the module.
pub const TARGET: Target = Target { fuzz, samples, ..target("environment", Flavour::Text) };

fn fuzz(bytes: &[u8]) -> Verdict {
    let Ok(text) = std::str::from_utf8(bytes) else { return Verdict::no_text() };
    let variables = text.lines().filter_map(|line| line.split_once('='));
    let variables: BTreeMap<String, String> =
        variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    match Environment::parse(variables) {
        Ok(environment) => {
            let told = environment.variables();
            let heard =
                Environment::parse(told.clone()).expect("environment: it can't be told to another process");
            assert_eq!(heard.variables(), told, "environment: another process hears something else");
            Verdict::Taken(format!("{} parameters", heard.parameters.len()))
        }
        Err(error) => {
            let said = error.to_string();
            assert!(said.starts_with("WATCHDOG_"), "environment: the variable is not named");
            Verdict::Refused(said)
        }
    }
}

fn samples() -> Vec<Vec<u8>> {
    let least = "WATCHDOG_CLUSTER=demo\nWATCHDOG_REPLICA=demo-a\nWATCHDOG_HOST=h1\n\
        WATCHDOG_INCARNATION=0197c7a0-5f3e-7c2d-8000-3f2a6b1c9d4e\nWATCHDOG_STATE_FILE=/s\n";
    let all = format!(
        "{least}WATCHDOG_COORDINATION=embedded://127.0.0.1:1\nWATCHDOG_COORDINATION_AUTH_FILE=/a\nWATCHDOG_EPOCH=3\n\
         WATCHDOG_SESSION_TIMEOUT_MS=4000\nWATCHDOG_ADDRESS_FILE=/b\nWATCHDOG_PARAM_LISTEN=127.0.0.1:0\nPATH=/bin\n"
    );
    texts(&[
        least.to_owned(),
        all.clone(),
        all.replace("demo-a", "Demo A"),
        all.replace("=3", "=three"),
        all.replace("=/s", "="),
        all.replace("PARAM_LISTEN", "PARAM_a-b"),
        String::new(),
    ])
}

//! Names: the short texts by which everything is addressed.
//!
//! *Holds*: a text that is taken comes out as it went in, so that one thing has one name; a refusal is one short line.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use serde::Serialize;
use serde::de::DeserializeOwned;
use watchdog_core::ids::{ClusterId, GoalId, HostId, Incarnation, PlanId, ReplicaId, StepId, WatchdogId};
use watchdog_core::state::{Hash, Key};
use watchdog_membership::wire::{CoordinationUrl, Digest};

use super::{target, texts};
use crate::target::{Flavour, Target, Verdict};
use crate::told;

/// See the module.
pub const TARGET: Target = Target { fuzz, samples, ..target("names", Flavour::Text) };

fn fuzz(bytes: &[u8]) -> Verdict {
    let Ok(text) = std::str::from_utf8(bytes) else { return Verdict::no_text() };
    let said = [
        exact::<ClusterId>(text),
        exact::<ReplicaId>(text),
        exact::<HostId>(text),
        exact::<WatchdogId>(text),
        exact::<GoalId>(text),
        exact::<PlanId>(text),
        exact::<StepId>(text),
        exact::<Incarnation>(text),
        exact::<Hash>(text),
        exact::<Key>(text),
        one_line(text.parse::<CoordinationUrl>(), text),
        one_line(text.parse::<Digest>(), text),
    ];
    let refused: Vec<String> = said.iter().flatten().cloned().collect();
    let words = refused.join("; ");
    if refused.len() < said.len() { Verdict::Taken(words) } else { Verdict::Refused(words) }
}

fn exact<T>(text: &str) -> Option<String>
where
    T: FromStr<Err: Display> + Display + Serialize + DeserializeOwned + PartialEq + Debug,
{
    let json = serde_json::to_string(text).expect("a text is JSON");
    match text.parse::<T>() {
        Ok(name) => {
            assert_eq!(name.to_string(), text, "name: it comes out as another");
            assert_eq!(serde_json::to_string(&name).expect("a name is JSON"), json, "name: another in JSON");
            assert_eq!(serde_json::from_str::<T>(&json).ok(), Some(name), "name: refused in JSON");
            None
        }
        Err(error) => {
            assert!(serde_json::from_str::<T>(&json).is_err(), "name: taken in JSON");
            Some(checked(error.to_string()))
        }
    }
}

fn one_line<T, E: Display>(parsed: Result<T, E>, text: &str) -> Option<String> {
    // An address is told whole; whoever gives a long one gets it back.
    let said = parsed.err()?.to_string();
    Some(if text.len() < 300 { checked(said) } else { said })
}

fn checked(said: String) -> String {
    told::check(&said, "");
    assert!(said.lines().count() == 1, "name: more than a line is told");
    said
}

fn samples() -> Vec<Vec<u8>> {
    let hash = Hash::of(b"x").to_string();
    let mut samples = texts(&[
        "demo",
        "scoring-b",
        "3-17-2",
        "model/fraud",
        "setting/a_b.c-d",
        "0197c7a0-5f3e-7c2d-8000-3f2a6b1c9d4e",
        "zookeeper://h1,h2:2182,[::1]:2181/prod/a",
        "embedded://127.0.0.1:7000",
        "watchdog:s3cret\n",
        "-a",
        "a_b",
        "aä",
        "",
        "model/",
        "/x",
        "0197C7A0-5f3e-7c2d-8000-3f2a6b1c9d4e",
        "zookeeper://h1:0",
        "etcd://h1",
    ]);
    samples.extend(
        [hash.to_uppercase(), format!("+{}", &hash[1..]), "a".repeat(64), "a".repeat(63), hash]
            .map(String::into_bytes),
    );
    samples
}

//! State files: what a host agent leaves for a replica, and what the replica answers.
//!
//! *Holds*: what is read is written as something that is read as the same, with the same hash.

use serde_json::json;
use watchdog_core::state::State;
use watchdog_membership::handover::{Addresses, StateFile};

use super::{target, texts};
use crate::target::{Flavour, Target, Verdict};

/// See the module.
pub const TARGET: Target = Target { fuzz, samples, ..target("state_files", Flavour::Json) };

fn fuzz(bytes: &[u8]) -> Verdict {
    let addresses = serde_json::from_slice::<Addresses>(bytes);
    if let Ok(addresses) = &addresses {
        let again = serde_json::to_vec(addresses).expect("addresses are JSON");
        assert_eq!(
            serde_json::from_slice::<Addresses>(&again).ok().as_ref(),
            Some(addresses),
            "addresses: others"
        );
    }
    let file = match serde_json::from_slice::<StateFile>(bytes) {
        Ok(file) => file,
        Err(error) if addresses.is_err() => return Verdict::Refused(error.to_string()),
        Err(_) => return Verdict::Taken("addresses".to_owned()),
    };
    let again = serde_json::to_vec(&file).expect("a state is JSON");
    let again: StateFile =
        serde_json::from_slice(&again).expect("state file: it can't be read as it is written");
    assert_eq!(again, file, "state file: it is read as another");
    assert_eq!(again.state.hash(), file.state.hash(), "state file: its hash is another");
    Verdict::Taken(format!("{} keys, right: {}", file.state.0.len(), file.state.hash() == file.state_hash))
}

fn samples() -> Vec<Vec<u8>> {
    let state: State =
        serde_json::from_value(json!({"model/m": {"a": [1, 2.5, "x", null, true]}, "setting/s": -0.0}))
            .expect("a state");
    let hash = state.hash();
    let file = json!({"version": 3, "state_hash": hash, "state": state});
    let mut samples = texts(&[
        file.to_string(),
        json!({"version": 0, "state_hash": State::default().hash(), "state": {}}).to_string(),
        json!({"version": 1, "state_hash": "00", "state": {}}).to_string(),
        json!({"version": 1, "state_hash": hash, "state": {"model": 1}}).to_string(),
        json!({"version": 1, "state_hash": hash}).to_string(),
        json!({"agent": "http://127.0.0.1:1", "service": null}).to_string(),
        json!({"agent": "http://127.0.0.1:1", "service": "http://127.0.0.1:2"}).to_string(),
        json!({"service": 7}).to_string(),
    ]);
    samples.push(file.to_string().into_bytes()[..40].to_vec());
    samples
}

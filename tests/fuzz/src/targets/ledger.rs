//! Ledger: what a host agent must not forget, a line of checksum and JSON for each entry. `auto` stands for a checksum.
//!
//! *Holds*: what is believed is written anew as something that is believed as the same.

use host_agent::outside::{ledger, ledger_of};
use watchdog_core::state::Hash;

use super::target;
use crate::target::{Flavour, Target, Verdict};

/// See the module.
pub const TARGET: Target = Target { fuzz, samples, ..target("ledger", Flavour::Json) };

const AUTO: &[u8] = b"auto ";

fn fuzz(bytes: &[u8]) -> Verdict {
    let mut file = Vec::with_capacity(bytes.len() + 64);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_prefix(AUTO) {
            Some(json) => {
                let json = json.strip_suffix(b"\n").unwrap_or(json);
                file.extend_from_slice(&Hash::of(json).to_string().as_bytes()[..16]);
                file.push(b' ');
                file.extend_from_slice(json);
                file.push(b'\n');
            }
            None => file.extend_from_slice(line),
        }
    }
    let host = "h1".parse().expect("a name");
    match ledger(&file, &host) {
        Ok(again) => {
            let twice = ledger(&again, &host);
            assert_eq!(
                twice.as_deref(),
                Ok(&again[..]),
                "ledger: it is believed as another when it is written anew"
            );
            Verdict::Taken(kinds(&again))
        }
        Err(said) => Verdict::Refused(said),
    }
}

/// The kinds of entries, each once.
fn kinds(file: &[u8]) -> String {
    let text = String::from_utf8_lossy(file);
    let kinds = text.lines().filter_map(|line| line.split("\"entry\":\"").nth(1)?.split('"').next());
    kinds.collect::<std::collections::BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(" ")
}

fn samples() -> Vec<Vec<u8>> {
    let one = "0197c7a0-5f3e-7c2d-8000-3f2a6b1c9d4e";
    let zero = Hash::default().to_string();
    let life = format!(
        r#"{{"cluster":"demo","replica":"demo-a","incarnation":"{one}","program":"web","parameters":{{"listen":"x"}},"epoch":2,"version":3,"state_hash":"{zero}","lease_ms":5000,"probes":[{{"kind":"tcp"}}]}}"#
    );
    let process = r#"{"pid":7,"start_ticks":70,"boot_id":"b"}"#;
    let obituary = format!(
        r#"{{"format":1,"replica":"demo-a","incarnation":"{one}","host":"h1","status":"exit 1","tree_gone":true,"at_ms":9}}"#
    );
    let header = r#"{"entry":"ledger","format":1,"instance":"i","host":"h1"}"#.to_owned();
    let entries = [
        header.clone(),
        r#"{"entry":"epoch","cluster":"demo","epoch":7}"#.to_owned(),
        format!(
            r#"{{"entry":"begun","cluster":"demo","step":"3-1-1","replica":"demo-a","incarnation":"{one}","act":"start"}}"#
        ),
        format!(r#"{{"entry":"intended","life":{life}}}"#),
        format!(r#"{{"entry":"spawned","incarnation":"{one}","process":{process},"group":"/g"}}"#),
        format!(
            r#"{{"entry":"done","cluster":"demo","step":"3-1-1","outcome":{{"error":"","process":["demo-a","{one}",{process}]}}}}"#
        ),
        format!(
            r#"{{"entry":"loaded","incarnation":"{one}","loaded":{{"version":3,"state_hash":"{zero}"}}}}"#
        ),
        r#"{"entry":"lost","cluster":"demo","step":"3-1-2"}"#.to_owned(),
        format!(r#"{{"entry":"dead","cluster":"demo","obituary":{obituary}}}"#),
        format!(r#"{{"entry":"published","incarnation":"{one}"}}"#),
    ];
    let whole = ledger_of(entries.iter().map(String::as_str));
    let auto = |entries: &[String]| -> Vec<u8> {
        entries.iter().flat_map(|entry| [AUTO, entry.as_bytes(), b"\n"].concat()).collect()
    };
    let mut samples = vec![
        whole.clone(),
        whole[..whole.len() - 9].to_vec(),
        auto(&entries),
        auto(&entries[..6]),
        auto(&entries[..8]),
    ];
    samples.extend([
        auto(&[header.clone(), header.clone()]),
        auto(&[header.replace("\"format\":1", "\"format\":2"), r#"{"entry":"later"}"#.to_owned()]),
        auto(&[header.replace("\"format\":1", "\"format\":0")]),
        auto(&entries[1..]),
        auto(&[header, entries[8].clone(), entries[3].clone(), entries[4].clone()]),
        b"0000000000000000 {}\n".to_vec(),
        b"".to_vec(),
    ]);
    samples
}

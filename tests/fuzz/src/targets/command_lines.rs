//! Command lines: what people type at `watchdogctl` and at `replica-agent`, a word a line.
//!
//! *Holds*: whatever is wrong is told in words, and nothing is asked of anybody.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use super::{target, texts};
use crate::target::{Flavour, Target, Verdict};

/// See the module.
pub const TARGET: Target = Target { fuzz, samples, ..target("command_lines", Flavour::Text) };

/// Clap repeats what was typed; the terminal it was typed at can show it.
const BYTES_BEYOND_MAX: usize = 4_096;

/// Linux starts no program with a longer word.
const WORD_BYTES_MAX: usize = 32 * 4_096 - 1;

fn fuzz(bytes: &[u8]) -> Verdict {
    // A command line can't hold these.
    let bytes: Vec<u8> = bytes.iter().copied().filter(|byte| *byte != 0).collect();
    let words = bytes.split(|byte| *byte == b'\n').map(|word| &word[..word.len().min(WORD_BYTES_MAX)]);
    let words: Vec<OsString> = words.map(|word| OsString::from_vec(word.to_vec())).collect();
    let is_agent = words.first().is_some_and(|program| program == "replica-agent");
    let read = if is_agent {
        host_agent::outside::command_line(words)
    } else {
        watchdogctl::outside::command_line(words)
    };
    if let Err(said) = &read {
        assert!(!said.trim().is_empty(), "command line: nothing is said");
        assert!(said.len() <= 4 * bytes.len() + BYTES_BEYOND_MAX, "command line: too much is said");
    }
    Verdict::of(read)
}

fn samples() -> Vec<Vec<u8>> {
    let common = "watchdogctl\n--endpoint\nhttp://127.0.0.1:7400\n--cluster\ndemo\n";
    let commands = [
        "status",
        "status\n--watch",
        "-o\njson\nstatus",
        "--timeout\n5s\nstatus",
        "why\ndemo-a",
        "plan\nlist\n--limit\n3",
        "plan\nshow\n7-3",
        "plan\npreview",
        "plan\nreplay\n7-3",
        "log\nlist\n--from\n2",
        "log\ndiff\nstable\nhead",
        "log\nstate\nv12",
        "log\nverify",
        "pause\n--reason\nx\n--for\n2h",
        "hold\ndemo-a\n--reason\nx",
        "release\ndemo-a",
        "storm\nrelease\n--reason\nx",
        "events\n--since\n10m",
        "events\n--since\n2026-05-01T09:30:00Z\n--follow",
        "leader",
        "leader\nresign",
        "goal\ndiff\n-f\n-",
        "goal\napply\n-f\ng.toml\n--wait\n--for\n1h\n--at\n7\n--supersede",
        "goal\nlist",
        "goal\nrestore\nstable\n--name\ng\n--reason\nr",
        "goal\nwithdraw\ng",
        "--by\nme\nresume",
        "why\nDemo_A",
        "pause",
        "log\nshow\n-1",
        "--timeout\n0s\nstatus",
        "frobnicate",
        "--help",
        "events\n--since\nyesterday",
    ];
    let mut samples: Vec<Vec<u8>> = commands.map(|words| format!("{common}{words}").into_bytes()).to_vec();
    samples.extend(texts(&[
        "watchdogctl\nstatus",
        "watchdogctl\n-e\nhttps://a:1,b:2\n-c\nx\nstatus",
        "replica-agent\nrun\n--config\na.toml\n--host\nh1\n--listen\n127.0.0.1:0\n--dir\n/d\n--coordination\nembedded://127.0.0.1:1",
        "replica-agent\ncheck-config\na.toml",
        "replica-agent\nguardian\n/l\n0197c7a0-5f3e-7c2d-8000-3f2a6b1c9d4e\n/g",
        "replica-agent\nrun\n--listen\nlocalhost",
    ]));
    samples
}

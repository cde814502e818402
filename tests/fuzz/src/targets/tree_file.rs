//! Tree file: what the embedded coordination service keeps on its disk. A first line `auto` stands for the right hash.
//!
//! *Holds*: what is read is written again as something that is read as the same.

use std::collections::BTreeMap;

use watchdog_core::state::Hash;
use watchdog_membership::outside::{tree_file, tree_file_of};
use watchdog_membership::tree::Node;

use super::{target, texts};
use crate::target::{Flavour, Target, Verdict};

/// See the module.
pub const TARGET: Target = Target { fuzz, samples, ..target("tree_file", Flavour::Json) };

const AUTO: &[u8] = b"auto\n";

fn fuzz(bytes: &[u8]) -> Verdict {
    let file = match bytes.strip_prefix(AUTO) {
        Some(body) => [Hash::of(body).to_string().as_bytes(), b"\n", body].concat(),
        None => bytes.to_vec(),
    };
    match tree_file(&file) {
        Ok(again) => {
            assert_eq!(tree_file(&again), Ok(again.clone()), "tree file: it is read again as another");
            Verdict::Taken(again.len().to_string())
        }
        Err(said) => Verdict::Refused(said),
    }
}

fn samples() -> Vec<Vec<u8>> {
    let node =
        |data: &[u8], version| Node { data: data.to_vec(), created: 0, modified: 1, version, owner: None };
    let nodes = BTreeMap::from([
        ("/demo".to_owned(), node(b"", 0)),
        ("/demo/epoch".to_owned(), node(b"{\"format\":1}", 3)),
        ("/demo/obituaries/0197c7a0-5f3e-7c2d-8000-3f2a6b1c9d4e".to_owned(), node(&[0, 255, 10], 0)),
    ]);
    let whole = tree_file_of(&nodes);
    let body = whole.iter().position(|byte| *byte == b'\n').map_or(&[][..], |end| &whole[end + 1..]);
    let mut samples = vec![
        whole.clone(),
        [AUTO, body].concat(),
        tree_file_of(&BTreeMap::new()),
        whole[..whole.len() / 2].to_vec(),
    ];
    samples.extend(texts(&[
        "auto\n{\"format\":1,\"reserved\":1,\"nodes\":{}}",
        "auto\n{\"format\":2,\"reserved\":1,\"nodes\":{}}",
        "auto\n{\"format\":1,\"reserved\":9223372036854775807,\"nodes\":{}}",
        "auto\n{\"format\":1,\"reserved\":9,\"nodes\":{\"/a\":{\"data\":\"+f\",\"created\":1,\"modified\":1,\"version\":0}}}",
        "auto\n{\"format\":1,\"reserved\":9,\"nodes\":{\"/a/../b\":{\"data\":\"\",\"created\":1,\"modified\":1,\"version\":0}}}",
        "auto\n[]",
        "",
    ]));
    samples
}

//! Tree requests: commits that arrive at the embedded coordination service.
//!
//! *Holds*: a commit that is refused has changed nothing; after a restart everything persistent is there, and nothing else.

use std::collections::BTreeMap;

use prost::Message as _;
use watchdog_membership::outside::Tree;
use watchdog_membership::tree::Node;
use watchdog_proto::coordination::{Check, CommitRequest, Create, Delete, Operation, Set, operation};

use super::{message, target};
use crate::target::{Flavour, Target, Verdict};

/// See the module.
pub const TARGET: Target = Target { fuzz, samples, ..target("tree_requests", Flavour::Proto) };

/// The first byte says how many operations make a commit.
fn fuzz(bytes: &[u8]) -> Verdict {
    let Some((size, bytes)) = bytes.split_first() else { return Verdict::no_text() };
    let request = match CommitRequest::decode(bytes) {
        Ok(request) => request,
        Err(error) => return Verdict::Refused(error.to_string()),
    };
    let mut tree = Tree::default();
    let mut said = String::new();
    let mut before = tree.nodes();
    for operations in request.operations.chunks(usize::from(size % 4) + 1) {
        let commit = CommitRequest { session: 1, operations: operations.to_vec() };
        let done = tree.commit(commit);
        let after = tree.nodes();
        match done {
            Ok(paths) => {
                assert_eq!(paths.len(), operations.len(), "tree: another number of paths");
                said.push_str("done;");
            }
            Err(fault) => {
                assert_eq!(before, after, "tree: a refused commit has changed something");
                said = said + &fault + ";";
            }
        }
        before = after;
    }
    survives(&tree);
    if said.contains("done;") { Verdict::Taken(said) } else { Verdict::Refused(said) }
}

fn survives(tree: &Tree) {
    let persistent = |nodes: BTreeMap<String, Node>| -> BTreeMap<String, Node> {
        nodes.into_iter().filter(|(_, node)| node.owner.is_none()).collect()
    };
    let restarted = tree.restarted().expect("tree: the service can't read what it wrote");
    assert_eq!(persistent(tree.nodes()), restarted.nodes(), "tree: another one after a restart");
}

fn samples() -> Vec<Vec<u8>> {
    let create = |path: &str, ephemeral, sequential| {
        let create = Create { path: path.to_owned(), data: b"{}".to_vec(), ephemeral, sequential };
        Operation { operation: Some(operation::Operation::Create(create)) }
    };
    let set = |path: &str, version| {
        let set = Set { path: path.to_owned(), data: vec![0, 255], version };
        Operation { operation: Some(operation::Operation::Set(set)) }
    };
    let check = |path: &str, version| Operation {
        operation: Some(operation::Operation::Check(Check { path: path.to_owned(), version })),
    };
    let delete = |path: &str, version| Operation {
        operation: Some(operation::Operation::Delete(Delete { path: path.to_owned(), version })),
    };
    let rows = [
        vec![
            create("/demo/epoch", false, false),
            set("/demo/epoch", 0),
            set("/demo/epoch", -1),
            check("/demo/epoch", 2),
        ],
        vec![create("/demo/contenders/w-", true, true), create("/demo/contenders/w-", true, true)],
        vec![create("/a", true, false), create("/a/b", true, false)],
        vec![
            create("/a/b/c", false, false),
            delete("/a", -1),
            delete("/a/b/c", 0),
            delete("/a/b", -1),
            delete("/a", 0),
        ],
        vec![set("/none", -1), check("/none", -1), delete("/none", 3)],
        vec![create("/a", false, false), create("/a", false, false), set("/a", 7)],
        vec![create("a//b", false, false), create("/..", true, false), create("/a", false, true)],
        vec![Operation::default()],
    ];
    let mut samples = Vec::new();
    for (index, operations) in rows.into_iter().enumerate() {
        let size = u8::try_from(index % 4).unwrap_or(0);
        samples.push(message(size, &CommitRequest { session: 1, operations }));
    }
    samples
}

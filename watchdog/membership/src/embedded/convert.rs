//! Convert: between our operations and nodes and those of the protocol.

use watchdog_proto::coordination as proto;

use crate::tree::{Mode, Node, Operation, Refused};

/// How the protocol says "any version".
const ANY: i32 = -1;

/// Writes an operation.
pub(crate) fn operation_out(operation: Operation) -> proto::Operation {
    use proto::operation::Operation as Out;
    let version = |version: Option<i32>| version.unwrap_or(ANY);
    let operation = match operation {
        Operation::Check { path, version: v } => Out::Check(proto::Check { path, version: version(v) }),
        Operation::Set { path, data, version: v } => Out::Set(proto::Set { path, data, version: version(v) }),
        Operation::Delete { path, version: v } => Out::Delete(proto::Delete { path, version: version(v) }),
        Operation::Create { path, data, mode } => {
            let sequential = mode == Mode::EphemeralSequential;
            Out::Create(proto::Create { path, data, ephemeral: mode != Mode::Persistent, sequential })
        }
    };
    proto::Operation { operation: Some(operation) }
}

/// Reads an operation; `None` if it is none that we know.
pub(crate) fn operation_in(operation: proto::Operation) -> Option<Operation> {
    use proto::operation::Operation as In;
    let version = |version: i32| (version != ANY).then_some(version);
    Some(match operation.operation? {
        In::Check(proto::Check { path, version: v }) => Operation::Check { path, version: version(v) },
        In::Set(proto::Set { path, data, version: v }) => Operation::Set { path, data, version: version(v) },
        In::Delete(proto::Delete { path, version: v }) => Operation::Delete { path, version: version(v) },
        In::Create(proto::Create { path, data, ephemeral, sequential }) => {
            let mode = match (ephemeral, sequential) {
                (false, false) => Mode::Persistent,
                (true, false) => Mode::Ephemeral,
                (true, true) => Mode::EphemeralSequential,
                (false, true) => return None,
            };
            Operation::Create { path, data, mode }
        }
    })
}

/// Writes a node.
pub(crate) fn node_out(node: Option<Node>) -> proto::ReadNode {
    let node = node.map(|Node { data, created, modified, version, owner }| proto::TreeNode {
        data,
        created,
        modified,
        version,
        ephemeral: owner.is_some(),
        owner: owner.unwrap_or(0),
    });
    proto::ReadNode { node }
}

/// Reads a node.
pub(crate) fn node_in(node: proto::ReadNode) -> Option<Node> {
    let proto::TreeNode { data, created, modified, version, ephemeral, owner } = node.node?;
    Some(Node { data, created, modified, version, owner: ephemeral.then_some(owner) })
}

/// Reads `index N: reason`, as a refusal is told.
pub(crate) fn refusal_in(message: &str) -> Option<(usize, Refused)> {
    let (index, reason) = message.strip_prefix("index ")?.split_once(": ")?;
    let reasons = [Refused::Missing, Refused::Exists, Refused::BadVersion, Refused::NotEmpty];
    let reason = reasons.into_iter().find(|known| known.to_string() == reason)?;
    Some((index.parse().ok()?, reason))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::store::Fault;

    #[test]
    fn operations_and_nodes_survive_the_wire() {
        let path = || "/a".to_owned();
        let operations = [
            Operation::Check { path: path(), version: None },
            Operation::Check { path: path(), version: Some(0) },
            Operation::Set { path: path(), data: vec![1], version: Some(3) },
            Operation::Delete { path: path(), version: None },
            Operation::Create { path: path(), data: vec![], mode: Mode::Persistent },
            Operation::Create { path: path(), data: vec![], mode: Mode::Ephemeral },
            Operation::Create { path: path(), data: vec![], mode: Mode::EphemeralSequential },
        ];
        for operation in operations {
            assert_eq!(operation_in(operation_out(operation.clone())), Some(operation));
        }
        for owner in [None, Some(7)] {
            let node = Some(Node { data: vec![1, 2], created: 1, modified: 2, version: 3, owner });
            assert_eq!(node_in(node_out(node.clone())), node);
        }
        assert_eq!(node_in(node_out(None)), None);
    }

    #[test]
    fn refusals_are_understood_as_they_are_written() {
        for reason in [Refused::Missing, Refused::Exists, Refused::BadVersion, Refused::NotEmpty] {
            let told = Fault::Refused { index: 12, reason }.to_string();
            assert_eq!(refusal_in(&told), Some((12, reason)), "{told}");
        }
        for bad in ["", "index", "index x: the node exists", "index 1: because"] {
            assert_eq!(refusal_in(bad), None, "{bad}");
        }
    }
}

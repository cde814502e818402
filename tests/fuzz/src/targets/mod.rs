//! Targets: one file for each reader of bytes from outside.

pub mod aborts;
pub mod admin_replies;
pub mod admin_requests;
pub mod agent_orders;
pub mod command_lines;
pub mod declarations;
pub mod environment;
pub mod goal_files;
pub mod goal_wire;
pub mod host_config;
pub mod host_texts;
pub mod identities;
pub mod journal_rows;
pub mod ledger;
pub mod names;
pub mod plan_inputs;
pub mod records;
pub mod state_files;
pub mod tree_file;
pub mod tree_requests;
pub mod watchdog_config;
pub mod znodes;

use crate::target::{Flavour, Target};

/// All of them.
pub const ALL: &[Target] = &[
    goal_files::TOML,
    goal_files::JSON,
    goal_wire::TARGET,
    watchdog_config::TARGET,
    host_config::TARGET,
    declarations::TARGET,
    names::TARGET,
    command_lines::TARGET,
    znodes::TARGET,
    tree_file::TARGET,
    tree_requests::TARGET,
    ledger::TARGET,
    state_files::TARGET,
    environment::TARGET,
    host_texts::TARGET,
    identities::TARGET,
    agent_orders::EMBEDDED,
    agent_orders::HOST,
    admin_requests::TARGET,
    admin_replies::TARGET,
    journal_rows::TARGET,
    records::TARGET,
    plan_inputs::TARGET,
];

/// The target of this name.
pub fn named(name: &str) -> Option<&'static Target> {
    ALL.iter().chain([&aborts::TARGET]).find(|target| target.name == name)
}

/// A target.
const fn target(name: &'static str, flavour: Flavour) -> Target {
    Target { name, flavour, fuzz: |_| crate::target::Verdict::no_text(), samples: Vec::new }
}

/// Texts as inputs.
fn texts<T: AsRef<str>>(texts: &[T]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_ref().as_bytes().to_vec()).collect()
}

/// A protobuf message behind the byte that chooses it.
fn message(choice: u8, message: &impl prost::Message) -> Vec<u8> {
    let mut bytes = vec![choice];
    bytes.extend(message.encode_to_vec());
    bytes
}

//! Operator: what operators ask a leader to write, checked before anything is written.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use watchdog_core::change::Change;
use watchdog_core::goal::Goal;
use watchdog_core::goal::fault::{self, Fault};
use watchdog_core::ids::{GoalId, PlanId, Version};
use watchdog_core::policy::{Loosening, loosened};
use watchdog_core::record::Body;
use watchdog_core::state::{Key, State};
use watchdog_trust::{Proof, Role};

/// Who asks for something, and how we know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asker {
    /// Their name, for the record.
    pub(crate) name: String,
    /// From which address.
    pub(crate) from: SocketAddr,
    /// How we know.
    pub(crate) proof: Proof,
    /// What they may do.
    pub(crate) role: Role,
    /// What they called themselves, where that is another name.
    pub(crate) claimed: Option<String>,
}

/// What an operator asks for.
#[derive(Debug)]
pub(crate) struct Act {
    /// Who asks.
    pub(crate) asker: Asker,
    /// For what.
    pub(crate) wish: Wish,
    /// Where the answer goes: a sentence, the id of a goal or the version of an append; or why not.
    pub(crate) answer: oneshot::Sender<Result<String, Denial>>,
}

/// See [`Act`].
#[derive(Debug)]
pub(crate) enum Wish {
    /// Write this, and say that.
    Write {
        /// The entries.
        bodies: Vec<Body>,
        /// What to answer when they are written.
        done: String,
    },
    /// Append these changes to the metadata log.
    Append {
        /// The head that they were made for.
        expected: Version,
        /// Key and new value; `None` removes.
        edits: Vec<(Key, Option<Value>)>,
    },
    /// Declare this goal.
    Declare(Declaration),
    /// Take this goal back.
    Withdraw(GoalId),
    /// Make this earlier version stable again.
    Restore {
        /// Which.
        to: Version,
        /// Why.
        reason: String,
    },
    /// Let this plan begin.
    Approve(PlanId),
    /// Never let it begin.
    Decline(PlanId),
    /// End this open plan before its next step.
    Cancel(PlanId),
    /// Stop leading.
    Resign,
}

/// A goal as it is asked for.
#[derive(Debug)]
pub(crate) struct Declaration {
    /// What shall hold.
    pub(crate) spec: Goal,
    /// Identifies the request, so that it can be asked again.
    pub(crate) request: String,
    /// The head that its author has seen.
    pub(crate) at: Option<Version>,
    /// Whether it takes over from one that rolls.
    pub(crate) supersede: bool,
}

/// Why an operator's wish was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Denial {
    /// Another watchdog leads, or none.
    #[error("this watchdog does not lead the cluster")]
    NotLeader,
    /// The head has moved.
    #[error(
        "the log has moved on: its head is {found}, not {expected}; look at the difference and try again"
    )]
    HeadMoved {
        /// What was expected.
        expected: Version,
        /// What stands.
        found: Version,
    },
    /// Something in it is wrong.
    #[error("{field}: {what}")]
    Invalid {
        /// Which part.
        field: String,
        /// What is wrong with it.
        what: String,
    },
    /// It is more than who asks may do.
    #[error("this takes the role {needed}, and {name} is {role}: {what}")]
    Forbidden {
        /// Who asks.
        name: String,
        /// What they may do.
        role: Role,
        /// What it takes.
        needed: Role,
        /// What they would do.
        what: String,
    },
    /// It can't be done as things are.
    #[error("{0}")]
    Refused(String),
    /// The journal did not answer; whether it was written is not known.
    #[error("the journal did not confirm it: {0}; look before trying again")]
    Unconfirmed(String),
}

impl From<Fault> for Denial {
    fn from(fault: Fault) -> Self {
        Self::Invalid { field: fault.field, what: fault.what }
    }
}

/// Who may loosen what guards the cluster: those who also decide about what is guarded.
pub(crate) const MAY_LOOSEN: Role = Role::Approver;

/// Refuses changes that take a guard away, unless `asker` may do that.
///
/// # Errors
///
/// What would be loosened, from what to what.
pub(crate) fn guarded(asker: &Asker, changes: &[Change]) -> Result<(), Denial> {
    if asker.role.may(MAY_LOOSEN) {
        return Ok(());
    }
    let loosened = loosened(changes);
    if loosened.is_empty() {
        return Ok(());
    }
    let (name, role, needed) = (asker.name.clone(), asker.role, MAY_LOOSEN);
    Err(Denial::Forbidden { name, role, needed, what: told(&loosened) })
}

/// So many loosened guards are told one by one.
const LOOSENED_TOLD: usize = 8;

/// What is loosened, as people read it.
pub(crate) fn told(loosened: &[Loosening]) -> String {
    let mut all: Vec<String> = loosened.iter().take(LOOSENED_TOLD).map(ToString::to_string).collect();
    if loosened.len() > LOOSENED_TOLD {
        all.push(format!("and {} more", loosened.len() - LOOSENED_TOLD));
    }
    all.join("; ")
}

/// Where acts are sent.
pub(crate) type Acts = mpsc::Sender<Act>;

/// The changes that edits come to in `state`; edits that change nothing are left out.
///
/// # Errors
///
/// The first edit that may not be appended, by its key.
pub(crate) fn changes(state: &State, edits: Vec<(Key, Option<Value>)>) -> Result<Vec<Change>, Denial> {
    if edits.len() > fault::KEYS_MAX {
        let what = format!("there are {}; at most {} are allowed at once", edits.len(), fault::KEYS_MAX);
        return Err(Denial::Invalid { field: "changes".to_owned(), what });
    }
    let mut seen = BTreeSet::new();
    for (key, value) in &edits {
        if !seen.insert(key.clone()) {
            return Err(Denial::Invalid {
                field: key.to_string(),
                what: "the key is given twice".to_owned(),
            });
        }
        fault::of_edit(key, value.as_ref(), state)?;
    }
    let all = edits.into_iter().map(|(key, after)| Change::of(state, key, after));
    Ok(all.filter(|change| change.before != change.after).collect())
}

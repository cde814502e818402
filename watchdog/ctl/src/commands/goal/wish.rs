//! Wish: a goal on its way to the leader, who may find fault with it; the fault is told with its place in the file.

use std::path::Path;

use watchdog_core::goal::{Goal, Restore};
use watchdog_proto::admin::{GoalDiffReply, GoalDiffRequest};

use crate::arguments::RestoreTerms;
use crate::failure::Failure;
use crate::fleet::Client;
use crate::goal_file::GoalFile;
use crate::screen::complain;
use crate::settings::Settings;

/// See the module.
#[derive(Debug)]
pub(super) enum Wish {
    /// It came from a file.
    File(Box<GoalFile>),
    /// It was made on the command line.
    Words(Box<Goal>),
}

impl Wish {
    /// Reads a goal file, and says what is odd about it.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let file = GoalFile::read(path)?;
        file.warnings.iter().for_each(|warning| complain(warning));
        Ok(Self::File(Box::new(file)))
    }

    /// A goal that only returns to an earlier state.
    pub(super) fn restore(version: Restore, words: RestoreTerms) -> Self {
        let RestoreTerms { name, reason } = words;
        Self::Words(Box::new(Goal {
            name,
            reason: reason.unwrap_or_default(),
            restore: Some(version),
            ..Goal::default()
        }))
    }

    /// The goal as it goes over the wire.
    pub(super) fn json(&self) -> Result<String, Failure> {
        let goal = match self {
            Self::File(file) => &file.goal,
            Self::Words(goal) => goal,
        };
        Ok(serde_json::to_string(goal).map_err(std::io::Error::from)?)
    }

    /// What it would change now.
    pub(super) async fn diff(&self, settings: &Settings) -> Result<GoalDiffReply, Failure> {
        let request = GoalDiffRequest { cluster: settings.cluster.clone(), goal_json: self.json()? };
        let asked = settings.fleet.read(async |mut to: Client| to.goal_diff(request.clone()).await).await;
        asked.map_err(|failure| self.located(failure))
    }

    /// A "no" behind the place of what it names.
    pub(super) fn located(&self, failure: Failure) -> Failure {
        match (self, failure) {
            (Self::File(file), Failure::Refused(sentence)) => Failure::Refused(file.locate(&sentence)),
            (_, failure) => failure,
        }
    }
}

//! Ghost: who was declared dead never begins again, and does not stand in the group.

use std::collections::BTreeSet;

use watchdog_core::ids::Incarnation;

use super::{Audit, Truth};
use crate::fact::Fact;

/// See the module.
#[derive(Default)]
pub(super) struct Ghost(BTreeSet<Incarnation>);

impl Audit for Ghost {
    fn name(&self) -> &'static str {
        "ghost"
    }

    fn hear(&mut self, fact: &Fact<'_>, truth: &Truth<'_>) -> Option<String> {
        match fact {
            Fact::Buried { incarnation } => {
                self.0.insert(*incarnation);
                None
            }
            Fact::Born { life } if self.0.contains(&life.incarnation) => {
                Some(format!("{} begins as {}, which was declared dead", life.replica, life.incarnation))
            }
            Fact::Judged(_) => {
                let mut nodes = truth
                    .zoo
                    .lives
                    .iter()
                    .flat_map(|(replica, lives)| lives.values().map(move |nodes| (replica, nodes)));
                let (replica, _) = nodes.find(|(_, it)| it.obituary.is_some() && it.member.is_some())?;
                Some(format!("a dead life of {replica} stands in the group"))
            }
            _ => None,
        }
    }
}

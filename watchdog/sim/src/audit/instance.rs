//! Instance: a step is carried out by the very instance of an agent that it was intended for.

use std::collections::BTreeMap;

use watchdog_core::ids::StepId;
use watchdog_core::record::Body;

use super::{Audit, Truth};
use crate::fact::Fact;

/// See the module.
#[derive(Default)]
pub(super) struct Instance(BTreeMap<StepId, String>);

impl Audit for Instance {
    fn name(&self) -> &'static str {
        "instance"
    }

    fn hear(&mut self, fact: &Fact<'_>, _: &Truth<'_>) -> Option<String> {
        match fact {
            Fact::Committed { entry, .. } => {
                if let Body::Intended { step, instance: Some(instance), .. } = &entry.body {
                    self.0.insert(step.clone(), instance.clone());
                }
                None
            }
            Fact::Acts(effect) => {
                let meant = self.0.get(effect.step).filter(|it| **it != effect.instance)?;
                let instance = &effect.instance;
                Some(format!("step {} was for instance {meant}, and {instance} carries it out", effect.step))
            }
            _ => None,
        }
    }
}

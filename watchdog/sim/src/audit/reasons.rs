//! Reasons: for every convicted replica something is done, or there is a reason why not.

use watchdog_core::finding::Subject;

use super::{Audit, Truth};
use crate::fact::Fact;

/// See the module.
#[derive(Default)]
pub(super) struct Reasons;

impl Audit for Reasons {
    fn name(&self) -> &'static str {
        "reasons"
    }

    fn hear(&mut self, fact: &Fact<'_>, _: &Truth<'_>) -> Option<String> {
        let Fact::Judged(judged) = fact else { return None };
        let whole = judged.refusals.iter().any(|refusal| refusal.subject.is_none());
        let mut convicted = judged.convictions.iter().map(|conviction| &conviction.finding);
        let silent = convicted.find(|finding| {
            let Subject::Replica(replica) = &finding.subject else { return false };
            let refused = judged.refusals.iter().any(|it| it.subject.as_ref() == Some(&finding.subject));
            let planned = judged.plan.is_some_and(|plan| plan.heals.is_empty() || plan.heals(replica));
            let open = judged.history.open_plans.values().any(|open| open.plan.heals(replica));
            !(whole || refused || planned || open)
        })?;
        Some(format!("{} is {}, nothing is done about it, and nobody says why", silent.subject, silent.kind))
    }
}

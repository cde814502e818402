//! Convicted: a fault is convicted after as many strikes as policy says, and nobody is convicted of being gone who is proven to be there.

use watchdog_core::finding::{FaultKind, Proof, Source};
use watchdog_core::record::Body;

use super::{Audit, Truth};
use crate::fact::Fact;

/// What was shown before may be decided on, and be written, a little later.
const STALE_MS: u64 = 2_000;

/// See the module.
#[derive(Default)]
pub(super) struct Convicted;

impl Audit for Convicted {
    fn name(&self) -> &'static str {
        "convicted"
    }

    fn hear(&mut self, fact: &Fact<'_>, truth: &Truth<'_>) -> Option<String> {
        let Fact::Committed { entry, .. } = fact else { return None };
        let Body::Convicted { conviction } = &entry.body else { return None };
        let finding = &conviction.finding;
        let needed = truth.policy().strikes_for(finding.kind);
        if conviction.strikes < needed {
            return Some(format!(
                "{} is convicted as {} after {} strikes instead of {needed}",
                finding.subject, finding.kind, conviction.strikes
            ));
        }
        let gone = matches!(finding.kind, FaultKind::Exited | FaultKind::Missing);
        let proven = finding.evidence.proof == Proof::Proven && finding.evidence.source == Source::HostAgent;
        let life = finding.incarnation.and_then(|life| truth.lives.get(&life)).filter(|_| gone && proven)?;
        // Who is cut off shows for a while what it showed before.
        let host = &truth.hosts[life.host];
        let settled = truth.now - host.confirmed_at.max(life.born_at) > STALE_MS;
        let shows = host.unconfirmed_since.is_none() && (settled || !host.has_stock);
        if !shows {
            return None;
        }
        Some(format!("{} is convicted as {}, and runs ({})", life.replica, finding.kind, finding.detail))
    }
}

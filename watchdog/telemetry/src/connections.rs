//! Connections: what Prometheus is told of a listener: who was let in, who was turned away, and until when it is believed.

use std::fmt;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use watchdog_trust::{Counters, Credentials, Gate};

use crate::metrics::{Labels, Reading, number};

/// Reads one listener when somebody asks.
#[derive(Debug)]
pub struct Connections {
    prefix: &'static str,
    counters: Arc<Counters>,
    credentials: Option<Arc<Credentials>>,
}

impl Connections {
    /// Of the listener behind `gate`; all names begin with `prefix`.
    pub fn of(gate: &Gate, prefix: &'static str) -> Self {
        Self { prefix, counters: gate.counters.clone(), credentials: gate.credentials.clone() }
    }

    fn readings(&self) -> Vec<(&'static str, &'static str, bool, Vec<(Labels, f64)>)> {
        let seen = self.counters.snapshot();
        let of_cause = |(cause, count): (&watchdog_trust::Cause, &u64)| {
            (vec![("cause", cause.word().to_owned())], number(*count))
        };
        let until = self.credentials.as_ref().and_then(|credentials| credentials.facts());
        let until = until.and_then(|facts| facts.not_after.duration_since(UNIX_EPOCH).ok());
        let until = until.map(|until| (Labels::new(), until.as_secs_f64()));
        vec![
            ("connections_admitted", "Connections that were let in", true, plain(seen.admitted)),
            ("connections_open", "Connections that are open", false, plain(seen.open)),
            (
                "connections_refused",
                "Connections, and calls by the wrong role, that were turned away, by cause",
                true,
                seen.refused.iter().map(of_cause).collect(),
            ),
            (
                "certificate_expiry_timestamp_seconds",
                "Until when our certificate holds; there is none without TLS",
                false,
                until.into_iter().collect(),
            ),
        ]
    }
}

fn plain(count: u64) -> Vec<(Labels, f64)> {
    vec![(Labels::new(), number(count))]
}

impl Collector for Connections {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for (name, help, is_counter, values) in self.readings() {
            let name = format!("{}_{name}", self.prefix);
            Reading { name: &name, help, is_counter, values }.encode(&mut encoder)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::registry::Registry;

    use super::*;

    #[test]
    fn every_cause_is_there_from_the_beginning() -> Result<(), fmt::Error> {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Connections::of(&Gate::new(None), "watchdog")));
        let text = crate::metrics::text(&registry)?;
        for line in [
            "watchdog_connections_admitted_total 0",
            "watchdog_connections_open 0",
            "watchdog_connections_refused_total{cause=\"no_certificate\"} 0",
            "watchdog_connections_refused_total{cause=\"wrong_role\"} 0",
        ] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
        Ok(())
    }
}

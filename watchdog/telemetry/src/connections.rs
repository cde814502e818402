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

    fn refused(&self) -> Vec<(Labels, f64)> {
        let refused = self.counters.snapshot().refused;
        refused
            .iter()
            .map(|(cause, count)| (vec![("cause", cause.word().to_owned())], number(*count)))
            .collect()
    }

    fn expiry(&self) -> Option<f64> {
        let facts = self.credentials.as_ref()?.facts()?;
        facts.not_after.duration_since(UNIX_EPOCH).ok().map(|until| until.as_secs_f64())
    }
}

impl Collector for Connections {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let seen = self.counters.snapshot();
        let plain = |value: f64| vec![(Labels::new(), value)];
        let readings = [
            Reading {
                name: "connections_admitted",
                help: "Connections that were let in",
                is_counter: true,
                values: plain(number(seen.admitted)),
            },
            Reading {
                name: "connections_open",
                help: "Connections that are open",
                is_counter: false,
                values: plain(number(seen.open)),
            },
            Reading {
                name: "connections_refused",
                help: "Connections, and calls by the wrong role, that were turned away, by cause",
                is_counter: true,
                values: self.refused(),
            },
            Reading {
                name: "certificate_expiry_timestamp_seconds",
                help: "Until when our certificate holds; there is none without TLS",
                is_counter: false,
                values: self.expiry().map_or_else(Vec::new, plain),
            },
        ];
        for reading in readings {
            let name = format!("{}_{}", self.prefix, reading.name);
            Reading { name: &name, ..reading }.encode(&mut encoder)?;
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

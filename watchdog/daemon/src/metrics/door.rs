//! Door: what became of requests before any route saw them.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use watchdog_telemetry::metrics::{Reading, number};

use super::PREFIX;
use crate::access::Access;

/// Reads the counts of a door.
#[derive(Debug)]
pub(super) struct Requests(pub(super) Arc<Access>);

impl Collector for Requests {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let of_outcome = |(word, count): (&str, u64)| (vec![("outcome", word.to_owned())], number(count));
        let values = self.0.counts().snapshot().into_iter().map(of_outcome).collect();
        let name = format!("{PREFIX}_requests");
        let help = "Requests over gRPC and HTTP: those that were let in, and why others were not";
        Reading { name: &name, help, is_counter: true, values }.encode(&mut encoder)
    }
}

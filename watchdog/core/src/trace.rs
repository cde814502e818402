//! Trace: names the trace of a plan: the same one for every leader and every agent that works on it.
//!
//! ```text
//! cluster, plan, when it was made ──► trace ─┬─ plan (the root)
//!                                            ├─── step ── order (host agent, embedded agent)
//!                                            └─── seal (a later leader)
//! ```
//!
//! Nobody must hand the trace on: a new leader knows it from the record.

use std::fmt;
use std::str::FromStr;

use crate::ids::ClusterId;
use crate::plan::Plan;
use crate::state::Hash;

/// The target of all spans that belong to a plan, by which an exporter picks them.
pub const TARGET: &str = "watchdog::plan";

/// The name of the header, and of gRPC's metadata, that carries a [`TraceParent`].
pub const HEADER: &str = "traceparent";

/// A place in a trace: the span under which the next one hangs; its text is W3C Trace Context's `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    /// Which trace; not all zero.
    pub trace: [u8; 16],
    /// Which span of it; not all zero.
    pub span: [u8; 8],
}

/// A text that is no `traceparent`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no traceparent: expected 00-, 32 hex digits, -, 16 hex digits, - and two")]
pub struct NoTraceParent {
    text: String,
}

impl TraceParent {
    /// The root of a plan's trace. Plans are numbered anew when a cluster is founded anew, so their time counts too.
    pub fn of_plan(cluster: &ClusterId, plan: &Plan) -> Self {
        let name = format!("{cluster}/{}/{}", plan.id, plan.created_at.0);
        let hash = Hash::of(name.as_bytes());
        let (trace, rest) = hash.bytes().split_at(16);
        let mut parent = Self { trace: [0; 16], span: [0; 8] };
        parent.trace.copy_from_slice(trace);
        parent.span.copy_from_slice(&rest[..8]);
        parent
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("00-")?;
        self.trace.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("-")?;
        self.span.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        // All of a plan is traced, or nothing.
        f.write_str("-01")
    }
}

impl FromStr for TraceParent {
    type Err = NoTraceParent;

    fn from_str(text: &str) -> Result<Self, NoTraceParent> {
        parse(text).ok_or_else(|| NoTraceParent { text: text.chars().take(70).collect() })
    }
}

fn parse(text: &str) -> Option<TraceParent> {
    let (version, rest) = text.split_once('-')?;
    let (trace, rest) = rest.split_once('-')?;
    let (span, flags) = rest.split_once('-')?;
    let parent = TraceParent { trace: digits(trace)?, span: digits(span)? };
    let is_valid = parent.trace != [0; 16] && parent.span != [0; 8];
    // Later versions may say more behind the flags.
    let flags = if version == "00" { flags } else { flags.split('-').next()? };
    let known: [u8; 2] = [digits::<1>(version)?[0], digits::<1>(flags)?[0]];
    (is_valid && known[0] != 0xff).then_some(parent)
}

fn digits<const N: usize>(text: &str) -> Option<[u8; N]> {
    let lower_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if text.len() != 2 * N || !text.bytes().all(lower_hex) {
        return None;
    }
    let mut bytes = [0; N];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;
    use crate::ids::{Epoch, Time};

    const SAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn only_what_w3c_calls_a_traceparent_is_one() {
        let table = [
            (SAMPLE, true),
            // The sampled flag is not ours to heed: an agent may be asked by whoever does not export.
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", true),
            ("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more", true),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more", false),
            ("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false),
            ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", false),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", false),
            ("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", false),
            ("00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01", false),
            ("00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false),
            ("", false),
        ];
        for (text, good) in table {
            assert_eq!(text.parse::<TraceParent>().is_ok(), good, "{text}");
        }
        assert_eq!(SAMPLE.parse::<TraceParent>().unwrap().to_string(), SAMPLE);
    }

    #[test]
    fn a_plan_has_one_trace_and_another_plan_another() {
        let plan = Plan {
            id: "4-2".parse().unwrap(),
            epoch: Epoch(4),
            created_at: Time(7),
            reason: String::new(),
            convictions: Vec::new(),
            heals: Vec::new(),
            steps: Vec::new(),
        };
        let of = |cluster: &str, plan: &Plan| TraceParent::of_plan(&cluster.parse().unwrap(), plan);
        let first = of("demo", &plan);
        assert_eq!(first, of("demo", &plan.clone()));
        assert_ne!(first.trace, of("other", &plan).trace);
        assert_ne!(first.trace, of("demo", &Plan { created_at: Time(8), ..plan.clone() }).trace);
        assert_ne!(first.trace, of("demo", &Plan { id: "4-3".parse().unwrap(), ..plan }).trace);
        assert_eq!(first.to_string().parse(), Ok(first));
    }
}

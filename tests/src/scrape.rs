//! Scrape: what a process says at `/metrics`, understood.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Context as _;

use crate::http;

const PATIENCE: Duration = Duration::from_secs(10);

/// One line of a scrape.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The metric's name, with `_total`, `_bucket` and the like.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its value.
    pub value: f64,
}

/// All that a process said.
#[derive(Debug, Clone)]
pub struct Scrape {
    /// As it was sent.
    pub text: String,
    /// The metrics that it described, by name, with their types.
    pub types: BTreeMap<String, String>,
    /// The lines.
    pub samples: Vec<Sample>,
}

impl Scrape {
    /// Asks a process; `address` is that of its gRPC service.
    ///
    /// # Errors
    ///
    /// If it does not answer with metrics.
    pub fn of(address: &str) -> anyhow::Result<Self> {
        let (status, text) = http::ask("GET", address, "/metrics", PATIENCE)?;
        anyhow::ensure!(status == 200, "{address}/metrics answers {status}: {text}");
        Self::read(text)
    }

    /// Reads the text format of Prometheus, as far as it is used.
    ///
    /// # Errors
    ///
    /// With the line that is none.
    pub fn read(text: String) -> anyhow::Result<Self> {
        let (mut types, mut samples) = (BTreeMap::new(), Vec::new());
        for line in text.lines() {
            if let Some(described) = line.strip_prefix("# TYPE ") {
                let (name, kind) = described.split_once(' ').with_context(|| format!("no type: {line}"))?;
                anyhow::ensure!(
                    types.insert(name.to_owned(), kind.to_owned()).is_none(),
                    "described twice: {line}"
                );
            } else if !line.starts_with('#') && !line.is_empty() {
                samples.push(sample(line).with_context(|| format!("no sample: {line}"))?);
            }
        }
        Ok(Self { text, types, samples })
    }

    /// The sum of the samples of this name that carry these labels; `None` when there is none.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let fits = |sample: &&Sample| {
            let carries =
                |(name, value): &(&str, &str)| sample.labels.get(*name).is_some_and(|it| it == value);
            sample.name == name && labels.iter().all(carries)
        };
        let mut values = self.samples.iter().filter(fits).map(|sample| sample.value).peekable();
        values.peek()?;
        Some(values.sum())
    }

    /// All names of samples, and those of metrics that have none yet.
    pub fn names(&self) -> BTreeSet<String> {
        let described = self.types.iter().flat_map(|(name, kind)| {
            let parts: &[&str] = if kind == "histogram" { &["_bucket", "_count", "_sum"] } else { &[""] };
            parts.iter().map(move |part| format!("{name}{part}"))
        });
        described.chain(self.samples.iter().map(|sample| sample.name.clone())).collect()
    }
}

fn sample(line: &str) -> Option<Sample> {
    let (metric, value) = line.rsplit_once(' ')?;
    let (name, labels) = match metric.split_once('{') {
        Some((name, rest)) => (name, labels(rest.strip_suffix('}')?)?),
        None => (metric, BTreeMap::new()),
    };
    Some(Sample { name: name.to_owned(), labels, value: value.parse().ok()? })
}

/// Labels whose values hold neither quotes nor commas, as ours.
fn labels(text: &str) -> Option<BTreeMap<String, String>> {
    let one = |label: &str| {
        let (name, value) = label.split_once('=')?;
        Some((name.to_owned(), value.strip_prefix('"')?.strip_suffix('"')?.to_owned()))
    };
    text.split(',').map(one).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn lines_are_understood_and_nonsense_is_not() {
        let text = "# HELP a_total A.\n# TYPE a_total counter\na_total{x=\"1\",y=\"b c\"} 2\na_total{x=\"2\",y=\"d\"} 3.5\n# TYPE b_seconds histogram\n";
        let scrape = Scrape::read(text.to_owned()).unwrap();
        assert_eq!(scrape.sum("a_total", &[]), Some(5.5));
        assert_eq!(scrape.sum("a_total", &[("y", "b c")]), Some(2.0));
        assert_eq!(scrape.sum("a_total", &[("y", "e")]), None);
        assert!(scrape.names().contains("b_seconds_bucket") && scrape.names().contains("a_total"));
        for bad in ["a", "a{x=1} 2", "a{x=\"1\" 2", "a b", "# TYPE a\n", "# TYPE a gauge\n# TYPE a gauge\n"] {
            assert!(Scrape::read(bad.to_owned()).is_err(), "{bad}");
        }
    }
}

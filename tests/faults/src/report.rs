//! Report: tells how it goes, and prints the numbers at the end.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::time::Instant;

use crate::tally::{Tally, percentile};

/// One line that changes on a terminal, a line each elsewhere.
pub struct Progress {
    title: String,
    begun: Instant,
    is_terminal: bool,
}

impl Progress {
    /// Of something with this title.
    pub fn of(title: String) -> Self {
        Self { title, begun: Instant::now(), is_terminal: std::io::stderr().is_terminal() }
    }

    /// Says what goes on now.
    pub fn tell(&self, what: &str) {
        let seconds = self.begun.elapsed().as_secs();
        // Nobody may listen any more.
        let _ = if self.is_terminal {
            write!(std::io::stderr(), "\r\x1b[K{} {seconds:>4} s  {what}", self.title)
        } else {
            writeln!(std::io::stderr(), "{} {seconds:>4} s  {what}", self.title)
        };
    }

    /// Ends the line.
    pub fn end(&self) {
        if self.is_terminal {
            let _ = writeln!(std::io::stderr());
        }
    }
}

/// What people read.
pub fn table(tally: &Tally, control: Option<&Tally>) -> String {
    let mut rows: Vec<(String, String)> = Vec::new();
    let mut row = |name: &str, value: String| rows.push((name.to_owned(), value));
    for (kind, count) in &tally.faults {
        row(kind, count.to_string());
    }
    row("faults in all", tally.faults_in_all().to_string());
    let Tally { answered, retried, failed, .. } = tally;
    row("customers' questions", format!("{answered} answered, {retried} by the retry, {failed} failed"));
    row("terms of leaders", tally.terms.to_string());
    let goals: Vec<String> = tally.goals.iter().map(|(status, count)| format!("{count} {status}")).collect();
    row("goals", goals.join(", "));
    row("steps begun by agents", tally.acts.to_string());
    row("heals", tally.heals.to_string());
    for (name, samples) in [
        ("detection", &tally.detection_ms),
        ("decision", &tally.decision_ms),
        ("heal", &tally.heal_ms),
        ("rest after the last fault", &tally.rest_ms),
    ] {
        let (p50, p99) = (percentile(samples, 50), percentile(samples, 99));
        row(name, format!("p50 {p50} ms, p99 {p99} ms ({} samples)", samples.len()));
    }
    row("false heals", format!("{} of {}", tally.false_heals.len(), tally.heals));
    row("stale orders sent, refused", format!("{}, {}", tally.stale_sent, tally.stale_refused));
    row("stale acts", tally.stale_acts.to_string());
    if let Some(control) = control {
        let seen = format!("{} seen of {} orders", control.stale_acts, control.stale_sent);
        row("stale acts with the fence open (control)", seen);
    }
    if tally.cut_off_ms > 0 {
        let cut = format!("{} in {} ms", tally.cut_off_acts, tally.cut_off_ms);
        row("acts while cut off from ZooKeeper", cut);
    }
    row("violations", tally.violations.len().to_string());
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let mut text = String::new();
    for (name, value) in rows {
        // Writing to a text can't fail.
        let _ = writeln!(text, "{name:width$}  {value}");
    }
    for note in &tally.notes {
        let _ = writeln!(text, "note: {note}");
    }
    for heal in &tally.false_heals {
        let _ = writeln!(text, "false heal: {heal}");
    }
    for violation in &tally.violations {
        let _ = writeln!(text, "VIOLATED {}: {}", violation.check, violation.what);
    }
    text
}

/// What programs read: the numbers without their samples.
pub fn json(tally: &Tally, control: Option<&Tally>) -> serde_json::Value {
    let times = |samples: &[u64]| {
        serde_json::json!({
            "p50_ms": percentile(samples, 50), "p99_ms": percentile(samples, 99), "samples": samples.len()
        })
    };
    serde_json::json!({
        "seeds": tally.seeds,
        "seconds": tally.seconds,
        "faults": tally.faults_in_all(),
        "faults_by_kind": tally.faults,
        "questions": { "answered": tally.answered, "retried": tally.retried, "failed": tally.failed },
        "terms": tally.terms,
        "goals": tally.goals,
        "acts": tally.acts,
        "heals": tally.heals,
        "false_heals": tally.false_heals.len(),
        "detection": times(&tally.detection_ms),
        "decision": times(&tally.decision_ms),
        "heal": times(&tally.heal_ms),
        "rest": times(&tally.rest_ms),
        "stale_orders": { "sent": tally.stale_sent, "refused": tally.stale_refused },
        "interleavings": tally.stale_acts,
        "control": control.map(|it| serde_json::json!({ "sent": it.stale_sent, "seen": it.stale_acts })),
        "cut_off": { "ms": tally.cut_off_ms, "acts": tally.cut_off_acts },
        "notes": tally.notes,
        "violations": tally.violations,
    })
}

//! Shrink: from a failing seed to the least harm that still breaks the same invariant.

use crate::nemesis::Fault;
use crate::run::{Order, Outcome, run};

/// How many runs it may cost.
const RUNS_MAX: u32 = 400;

/// The least schedule that was found, and what came of it.
pub fn shrink(order: &Order, failed: &Outcome) -> (Vec<Fault>, Outcome) {
    let audit = failed.violation.as_ref().map(|violation| violation.audit);
    let at = failed.violation.as_ref().map_or(u64::MAX, |violation| violation.at);
    // What came after the break did not cause it.
    let mut faults: Vec<Fault> = failed.faults.iter().filter(|fault| fault.at <= at).cloned().collect();
    let mut runs = 0;
    let mut still_fails = |faults: &[Fault]| {
        runs += 1;
        let again = run(&Order { faults: Some(faults.to_vec()), tells: false, ..order.clone() });
        (runs <= RUNS_MAX && again.violation.as_ref().map(|it| it.audit) == audit, runs <= RUNS_MAX)
    };
    let mut size = faults.len().div_ceil(2).max(1);
    loop {
        let mut at = 0;
        let mut dropped = false;
        while at < faults.len() {
            let end = (at + size).min(faults.len());
            let rest: Vec<Fault> = faults[..at].iter().chain(&faults[end..]).cloned().collect();
            let (fails, may_go_on) = still_fails(&rest);
            if fails {
                faults = rest;
                dropped = true;
            } else {
                at = end;
            }
            if !may_go_on {
                break;
            }
        }
        if size == 1 && !dropped {
            break;
        }
        size = (size / 2).max(1);
        if !still_fails(&faults).1 {
            break;
        }
    }
    let outcome = run(&Order { faults: Some(faults.clone()), tells: true, ..order.clone() });
    (faults, outcome)
}

//! Bounds: a policy that can only be a slip, under which nothing would ever heal or everything at once, is refused where
//! it is declared.

use crate::policy::{Limit, Policy};

/// A field that is out of its bounds.
struct Slip<'a> {
    field: &'a str,
    is: String,
    must: &'a str,
}

/// What is wrong with the first field that is out of its bounds.
pub(super) fn slip(policy: &Policy) -> Option<String> {
    let Slip { field, is, must } = counts(policy).or_else(|| shares(policy))?;
    Some(format!("{field} is {is}; it must be {must}"))
}

fn counts(policy: &Policy) -> Option<Slip<'_>> {
    let by_fault = policy.strikes_by_fault.values().min().copied().unwrap_or(1);
    let times = &policy.timeouts;
    let counts = [
        ("check_interval_ms", policy.check_interval_ms),
        ("strikes", u64::from(policy.strikes)),
        ("strikes_by_fault", u64::from(by_fault)),
        ("heals_parallel", u64::from(policy.heals_parallel)),
        ("heals_per_hour", u64::from(policy.heals_per_hour)),
        ("flapping_deaths", u64::from(policy.flapping_deaths)),
        ("broken_stable", u64::from(policy.broken_stable)),
        ("timeouts.seal_ms", times.seal_ms),
        ("timeouts.start_ms", times.start_ms),
        ("timeouts.kill_ms", times.kill_ms),
        ("timeouts.drain_ms", times.drain_ms),
        ("timeouts.load_ms", times.load_ms),
        ("timeouts.probe_ms", times.probe_ms),
    ];
    let (field, is) = counts.into_iter().find(|(_, count)| *count == 0)?;
    Some(Slip { field, is: is.to_string(), must: "at least 1" })
}

fn shares(policy: &Policy) -> Option<Slip<'_>> {
    let is_share = |share: f64| share > 0.0 && share <= 1.0;
    let of_all = "above 0 and at most 1";
    let disturbed = match policy.max_disturbed {
        Limit::Share(share) => share,
        // A whole number, and 0 for whoever wants no replica that serves to be touched.
        Limit::Count(_) => 1.0,
    };
    let factor = policy.backoff.factor;
    let slips = [
        ("max_disturbed", disturbed, is_share(disturbed), of_all),
        ("storm_share", policy.storm_share, is_share(policy.storm_share), of_all),
        ("backoff.factor", factor, factor >= 1.0, "at least 1, so that no delay is shorter than the last"),
    ];
    let (field, is, _, must) = slips.into_iter().find(|(_, _, fits, _)| !fits)?;
    Some(Slip { field, is: is.to_string(), must })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_can_only_be_a_slip_is_told_with_the_bound() {
        let table = [
            (json!({}), None),
            (json!({"max_disturbed": 0}), None),
            (json!({"max_disturbed": 1.0, "storm_share": 1.0, "heals_parallel": 1}), None),
            (
                json!({"backoff": {"initial_ms": 0, "factor": 1.0, "max_ms": 0}, "flapping_deaths": 10_000}),
                None,
            ),
            (json!({"heals_parallel": 0}), Some("heals_parallel is 0; it must be at least 1")),
            (json!({"strikes": 0}), Some("strikes is 0; it must be at least 1")),
            (
                json!({"strikes_by_fault": {"exited": 1, "missing": 0}}),
                Some("strikes_by_fault is 0; it must be at least 1"),
            ),
            (json!({"timeouts": {"load_ms": 0}}), Some("timeouts.load_ms is 0; it must be at least 1")),
            (json!({"storm_share": 7}), Some("storm_share is 7; it must be above 0 and at most 1")),
            (json!({"storm_share": 0.0}), Some("storm_share is 0; it must be above 0 and at most 1")),
            (json!({"max_disturbed": -0.5}), Some("max_disturbed is -0.5; it must be above 0 and at most 1")),
            (
                json!({"backoff": {"factor": 0.5}}),
                Some(
                    "backoff.factor is 0.5; it must be at least 1, so that no delay is shorter than the last",
                ),
            ),
        ];
        for (policy, said) in table {
            let read: Policy = serde_json::from_value(policy.clone()).unwrap();
            assert_eq!(slip(&read).as_deref(), said, "{policy}");
        }
    }
}

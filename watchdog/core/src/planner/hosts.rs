//! Hosts: where a replica may be started, and which hosts may be touched at all.

use crate::ids::HostId;
use crate::input::PlanInput;
use crate::refusal::{Reason, few};
use crate::safety;

use super::case::Case;

/// Whether anything may be done on `host`.
///
/// # Errors
///
/// That it is held, or may still carry out an earlier leader's order.
pub fn touchable(input: &PlanInput, host: &HostId) -> Result<(), Reason> {
    safety::hold_on(host.as_str(), input)?;
    safety::host_is_sealed(host, input)
}

/// The allowed hosts on which it may be started now, the preferred first.
pub fn usable<'a>(case: &Case<'a>) -> Vec<&'a HostId> {
    let there = case.spec.hosts.iter().filter(|host| case.present(host).is_some());
    there.filter(|host| touchable(case.input, host).is_ok()).collect()
}

/// Why there is no usable host.
pub fn why_none(case: &Case) -> Reason {
    let mut there = case.spec.hosts.iter().filter(|host| case.present(host).is_some());
    let blocked = there.find_map(|host| touchable(case.input, host).err());
    blocked.unwrap_or_else(|| {
        let (allowed, more) = few(case.spec.hosts.iter().cloned());
        Reason::NoHost { allowed, more }
    })
}

//! Family: the processes of one life, where no control group holds them together.
//!
//! ```text
//! main process ─┐
//! its session  ─┼─► members ─► everything that descends from a member ─► members
//! incarnation in the environment, or known from an earlier look ─┘
//! ```
//!
//! One that has left the session, cleared its environment and lost its parent
//! before anybody looked is not found. So this kills, and never proves.

use std::collections::BTreeSet;

use rustix::process::{Signal, pidfd_send_signal};
use watchdog_membership::environment;

use super::proc::{self, Session, Stat};
use crate::ledger::Body;

/// A live process, as one look over all of them found it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// Its number.
    pub(crate) pid: u32,
    /// What /proc says of it.
    pub(crate) stat: Stat,
    /// Of which incarnation its environment speaks.
    pub(crate) incarnation: Option<String>,
}

/// One process, also after its number was given to another.
pub(crate) type Member = (u32, u64);

/// All live processes.
pub(crate) fn look() -> Vec<Seen> {
    let see = |pid: u32| {
        let stat = Stat::of(pid).filter(|stat| !stat.is_dead())?;
        let incarnation =
            proc::environment(pid).and_then(|mut variables| variables.remove(environment::INCARNATION));
        Some(Seen { pid, stat, incarnation })
    };
    proc::pids().into_iter().filter_map(see).collect()
}

/// The members of a life among `all`. `until` bounds its session when its main process is gone; `known` are members of
/// earlier looks.
pub(crate) fn of(
    body: &Body,
    all: &[Seen],
    (until, known): (Option<Session>, &BTreeSet<Member>),
) -> BTreeSet<Member> {
    let name = body.incarnation.to_string();
    let main = (body.process.pid, body.process.start_ticks);
    let main_lives = all.iter().any(|seen| (seen.pid, seen.stat.start_ticks) == main);
    let belongs = |seen: &&Seen| {
        let member = (seen.pid, seen.stat.start_ticks);
        let in_session = match until {
            // Its leader lives, so nobody else can have got its number.
            None => main_lives && seen.stat.session == body.process.pid,
            Some(session) => session.holds(&seen.stat),
        };
        member == main || in_session || known.contains(&member) || seen.incarnation.as_ref() == Some(&name)
    };
    let mut members: BTreeSet<Member> =
        all.iter().filter(belongs).map(|seen| (seen.pid, seen.stat.start_ticks)).collect();
    loop {
        let parents: BTreeSet<u32> = members.iter().map(|(pid, _)| *pid).collect();
        let before = members.len();
        let children = all.iter().filter(|seen| parents.contains(&seen.stat.parent));
        members.extend(children.map(|seen| (seen.pid, seen.stat.start_ticks)));
        if members.len() == before {
            return members;
        }
    }
}

/// Kills exactly these; answers how many there were to kill.
pub(crate) fn kill(members: &BTreeSet<Member>) -> usize {
    let kill = |(pid, start_ticks): &Member| {
        let is_it = || Stat::of(*pid).is_some_and(|stat| stat.start_ticks == *start_ticks && !stat.is_dead());
        // The handle pins the process, so a reused number is never signalled.
        proc::open(*pid, is_it).is_some_and(|handle| pidfd_send_signal(handle, Signal::KILL).is_ok())
    };
    members.iter().filter(|member| kill(member)).count()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;
    use crate::ledger::ProcessKey;

    fn seen(pid: u32, parent: u32, session: u32) -> Seen {
        let stat = Stat { state: 'S', parent, session, start_ticks: u64::from(pid) };
        Seen { pid, stat, incarnation: None }
    }

    #[test]
    fn a_life_is_its_session_its_carriers_and_all_that_descend_from_them() {
        let incarnation = "0197c7a0-5f3e-7c2d-8000-3f2a6b1c9d4e".parse().unwrap();
        let process = ProcessKey { pid: 10, start_ticks: 10, boot_id: "boot".into() };
        let body = Body { incarnation, process, group: None };
        let carrier = Seen { incarnation: Some(incarnation.to_string()), ..seen(20, 1, 20) };
        // The main one, one of its session, a worker of that in a session of its own, and its child; strangers.
        let all =
            [seen(10, 1, 10), seen(11, 10, 10), seen(12, 11, 12), seen(13, 12, 12), carrier, seen(30, 1, 30)];
        let pids = |members: BTreeSet<Member>| members.into_iter().map(|(pid, _)| pid).collect::<Vec<_>>();
        let none = BTreeSet::new();
        assert_eq!(pids(of(&body, &all, (None, &none))), [10, 11, 12, 13, 20]);
        let known = BTreeSet::from([(12, 12)]);
        assert_eq!(pids(of(&body, &all[2..], (None, &known))), [12, 13, 20], "the main process is gone");
        // A stranger that leads a session under the same number.
        let reused = [Seen { stat: Stat { start_ticks: 99, ..seen(10, 1, 10).stat }, ..seen(10, 1, 10) }];
        assert_eq!(pids(of(&body, &reused, (None, &none))), Vec::<u32>::new());
    }
}

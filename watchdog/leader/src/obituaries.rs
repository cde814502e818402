//! Obituaries: which proofs of death are believed, and for how long they stand in the group.

use std::collections::BTreeMap;

use watchdog_core::history::History;
use watchdog_core::ids::{HostId, Incarnation, Time};
use watchdog_core::observation::{Life, Obituary};
use watchdog_core::plan::Agent;

/// An obituary stands at least this long, in milliseconds, because it bars a late registration of the dead.
const STANDS_MS: u64 = 60_000;

/// Whether an obituary is that agent's to bring: a host's agent knows the lives on its host, an embedded agent its own,
/// and whoever stands for it its replica's.
pub fn may_bring(agent: &Agent, obituary: &Obituary, past: &History) -> bool {
    let may = match agent {
        Agent::Host(host) => obituary.host == *host,
        Agent::Replica(replica, incarnation) => {
            (&obituary.replica, obituary.incarnation) == (replica, *incarnation)
        }
        Agent::Leader => false,
    };
    may && ordered_on(obituary, past).is_none_or(|host| *host == obituary.host)
}

/// Whether the obituary of a life that stands in the group can't be the word of the host that the life was on, by the
/// record or, for a life that nobody ordered, by what stands about it.
pub fn is_forged(life: &Life, past: &History) -> bool {
    let Some(obituary) = &life.obituary else { return false };
    let seen_on = Some(&life.host).filter(|_| is_seen(life));
    // Of a life that nobody ordered or saw there is nothing to say against it, and nothing that it could do.
    ordered_on(obituary, past).or(seen_on).is_some_and(|host| *host != obituary.host)
}

/// Takes the forged obituaries away, and the lives of which nothing else stands.
pub(crate) fn disbelieve_forged(lives: &mut BTreeMap<Incarnation, Life>, past: &History) {
    lives.retain(|_, life| {
        if is_forged(life, past) {
            life.obituary = None;
        }
        is_seen(life) || life.obituary.is_some()
    });
}

fn is_seen(life: &Life) -> bool {
    life.process.is_some() || life.member.is_some()
}

fn ordered_on<'a>(obituary: &Obituary, past: &'a History) -> Option<&'a HostId> {
    let mut ordered = past.lives.get(&obituary.replica).into_iter().flatten();
    ordered.find(|life| life.incarnation == obituary.incarnation).map(|life| &life.host)
}

/// When each obituary was first seen here; the clock of its host may be another.
#[derive(Debug, Default)]
pub(crate) struct Burials(BTreeMap<Incarnation, Time>);

impl Burials {
    /// Of the obituaries that stand, those that the record holds and that have stood for so long that no late
    /// registration can be under way any more.
    pub(crate) fn outlived(
        &mut self,
        standing: &BTreeMap<Incarnation, Obituary>,
        (history, now): (&History, Time),
    ) -> Vec<Incarnation> {
        self.0.retain(|incarnation, _| standing.contains_key(incarnation));
        let mut outlived = Vec::new();
        for (incarnation, obituary) in standing {
            let since = *self.0.entry(*incarnation).or_insert(now);
            if now.since_ms(since) > STANDS_MS && history.knows_death(obituary) {
                outlived.push(*incarnation);
            }
        }
        outlived
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use std::collections::VecDeque;

    use watchdog_core::history::PastLife;
    use watchdog_core::ids::{Incarnation, Time};

    use super::*;

    fn past(host: Option<&str>) -> History {
        let life = |host: &str| {
            let (incarnation, host) = (Incarnation::from_u128(7), host.parse().unwrap());
            VecDeque::from([PastLife { incarnation, host, at: Time(1), obituary: None, buried_at: None }])
        };
        let lives = host.map(|host| ("demo-a".parse().unwrap(), life(host)));
        History { lives: lives.into_iter().collect(), ..History::default() }
    }

    fn obituary((replica, incarnation): (&str, Incarnation), host: &str) -> Obituary {
        Obituary {
            replica: replica.parse().unwrap(),
            incarnation,
            host: host.parse().unwrap(),
            status: "exit 1".to_owned(),
            tree_gone: true,
            at: Time(5),
        }
    }

    #[test]
    fn an_obituary_is_believed_only_of_whoever_can_know() {
        let (life, other) = (Incarnation::from_u128(7), Incarnation::from_u128(8));
        let host = |name: &str| Agent::Host(name.parse().unwrap());
        let own = |replica: &str, life| Agent::Replica(replica.parse().unwrap(), life);
        let table = [
            // by | of which life of demo-a | on which host | ordered on | believed
            (host("h1"), life, "h1", Some("h1"), true),
            (host("h1"), life, "h1", None, true),
            (host("h2"), life, "h1", Some("h1"), false),
            (host("h2"), life, "h2", Some("h1"), false),
            (host("h2"), other, "h2", Some("h1"), true),
            (own("demo-a", life), life, "h1", Some("h1"), true),
            (own("demo-a", life), life, "h2", Some("h1"), false),
            (own("demo-a", other), life, "h1", Some("h1"), false),
            (own("demo-b", life), life, "h1", Some("h1"), false),
            (Agent::Leader, life, "h1", Some("h1"), false),
        ];
        for (by, incarnation, on, ordered, believed) in table {
            let obituary = obituary(("demo-a", incarnation), on);
            assert_eq!(
                may_bring(&by, &obituary, &past(ordered)),
                believed,
                "{by} of {incarnation} on {on}, ordered on {ordered:?}"
            );
        }
    }

    #[test]
    fn an_obituary_goes_when_the_record_holds_it_and_it_has_stood_for_long() {
        let (life, other) = (Incarnation::from_u128(7), Incarnation::from_u128(8));
        let known = obituary(("demo-a", life), "h1");
        let mut history = past(Some("h1"));
        for past in history.lives.values_mut().flatten() {
            past.obituary = Some(known.clone());
        }
        let (mut burials, standing) = (Burials::default(), BTreeMap::from([(life, known)]));
        let unknown = BTreeMap::from([(other, obituary(("demo-b", other), "h1"))]);
        assert!(burials.outlived(&standing, (&history, Time(10))).is_empty(), "it was just seen");
        let later = Time(10 + STANDS_MS);
        assert!(burials.outlived(&standing, (&history, later)).is_empty());
        assert_eq!(burials.outlived(&standing, (&history, Time(later.0 + 1))), [life]);
        burials.outlived(&unknown, (&history, Time(10)));
        assert!(burials.outlived(&unknown, (&history, Time(later.0 + 1))).is_empty(), "the record lacks it");
    }
}

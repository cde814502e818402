//! Status: what the agent itself knows, and the record that follows from it and from the application's vitals.

use std::time::{Duration, Instant};

use tokio::sync::watch;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use watchdog_core::ids::{Epoch, Version};
use watchdog_membership::records::{FORMAT, Health, MemberRecord};

use crate::application::Condition;
use crate::checks::{Checks, STUCK_AFTER, Vitals};
use crate::identity::Identity;

/// The service of the standard health check that says whether the replica takes work, and not only that it lives.
pub const READY_SERVICE: &str = "ready";

/// How often it is looked whether the application hangs.
const STUCK_CHECK: Duration = Duration::from_millis(250);
/// A change of nothing but the wording is recorded this often at most.
const DETAIL_SPACING: Duration = Duration::from_secs(1);
/// The longest wording that is recorded, in characters.
const DETAIL_CHARS_MAX: usize = 500;

/// What the agent itself knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Status {
    /// The version that was last committed.
    pub(crate) version: Version,
    /// The highest epoch that was seen.
    pub(crate) epoch: Epoch,
    /// What is being loaded.
    pub(crate) loading: Option<Version>,
    /// Whether work is turned away.
    pub(crate) draining: bool,
    /// Whether a commit is under way, so that version and hash would not fit each other.
    pub(crate) frozen: bool,
}

/// How the replica feels, and why.
pub(crate) fn feel(status: &Status, vitals: &Vitals, stuck: bool, served: bool) -> (Health, String) {
    if stuck {
        let text =
            format!("the application has not answered its own checks for {} ms", STUCK_AFTER.as_millis());
        return (Health::Unhealthy, text);
    }
    if let Condition::Bad(reason) = &vitals.live {
        return (Health::Unhealthy, reason.clone());
    }
    let loading = status.loading.map(|version| format!("loading version {version}"));
    match (&vitals.ready, loading) {
        (_, loading) if status.draining => (Health::Draining, loading.unwrap_or_default()),
        (_, Some(loading)) if served => (Health::Loading, loading),
        (_, Some(loading)) => (Health::Starting, loading),
        (Condition::Good, None) => (Health::Ready, String::new()),
        (Condition::Bad(reason), None) if served => (Health::Unhealthy, reason.clone()),
        (Condition::Bad(reason), None) => (Health::Starting, reason.clone()),
    }
}

/// Keeps the member's record true.
pub(crate) struct Portrait {
    /// The record as it was last shown.
    shown: MemberRecord,
    shown_at: Instant,
    /// Whether the replica was ever ready.
    served: bool,
}

impl Portrait {
    pub(crate) fn new(us: &Identity, address: String, service: Option<String>) -> Self {
        let shown = MemberRecord {
            format: FORMAT,
            replica: us.replica.clone(),
            incarnation: us.incarnation,
            host: us.host.clone(),
            pid: us.pid,
            start_ticks: us.start_ticks,
            boot_id: us.boot_id.clone(),
            address,
            service,
            version: Version(0),
            state_hash: Vitals::empty().state_hash,
            health: Health::Starting,
            detail: String::new(),
            epoch: Epoch(0),
            since_ms: 0,
        };
        Self { shown, shown_at: Instant::now(), served: false }
    }

    /// The record as it was last shown.
    pub(crate) fn shown(&self) -> &MemberRecord {
        &self.shown
    }

    /// Brings the record up to date; whether it is worth showing.
    pub(crate) fn update(&mut self, status: &Status, vitals: &Vitals, stuck: bool) -> bool {
        let (health, detail) = feel(status, vitals, stuck, self.served);
        self.served |= health == Health::Ready;
        let (version, state_hash) = if status.frozen {
            (self.shown.version, self.shown.state_hash)
        } else {
            (vitals.version.unwrap_or(status.version), vitals.state_hash)
        };
        let detail = detail.chars().take(DETAIL_CHARS_MAX).collect();
        let moved = (version, health) != (self.shown.version, self.shown.health);
        let since_ms = if moved || self.shown.since_ms == 0 { now_ms() } else { self.shown.since_ms };
        let new = MemberRecord {
            version,
            state_hash,
            health,
            detail,
            epoch: status.epoch,
            since_ms,
            ..self.shown.clone()
        };
        if new == self.shown {
            return false;
        }
        let reworded = MemberRecord { detail: self.shown.detail.clone(), ..new.clone() } == self.shown;
        if reworded && self.shown_at.elapsed() < DETAIL_SPACING {
            return false;
        }
        self.shown = new;
        self.shown_at = Instant::now();
        true
    }
}

/// Shows the record in the group, and the health to whoever probes, whenever they change; ends with the agent.
pub(crate) async fn publish(
    mut portrait: Portrait,
    status: watch::Sender<Status>,
    checks: Checks,
    show: (watch::Sender<MemberRecord>, HealthReporter),
) {
    let (record, health) = show;
    let (mut status, mut vitals) = (status.subscribe(), checks.latest());
    let mut shown_health = None;
    loop {
        let (now, then) = (status.borrow_and_update().clone(), vitals.borrow_and_update().clone());
        if portrait.update(&now, &then, checks.stuck()) {
            record.send_replace(portrait.shown().clone());
        }
        let feeling = portrait.shown().health;
        if shown_health.replace(feeling) != Some(feeling) {
            let serving = |yes| if yes { ServingStatus::Serving } else { ServingStatus::NotServing };
            health.set_service_status("", serving(feeling != Health::Unhealthy)).await;
            let ready = matches!(feeling, Health::Ready | Health::Loading);
            health.set_service_status(READY_SERVICE, serving(ready)).await;
        }
        tokio::select! {
            Ok(()) = status.changed() => (),
            Ok(()) = vitals.changed() => (),
            () = tokio::time::sleep(STUCK_CHECK) => (),
        }
    }
}

fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_news_comes_first() {
        let bad = |reason: &str| Condition::bad(reason);
        let good = || Condition::Good;
        let loading = Some(Version(8));
        let table = [
            // live, ready, loading, draining, stuck, ever served | health, detail
            (good(), good(), None, false, false, false, Health::Ready, ""),
            (good(), bad("cold"), None, false, false, false, Health::Starting, "cold"),
            (good(), bad("cold"), None, false, false, true, Health::Unhealthy, "cold"),
            (good(), good(), loading, false, false, true, Health::Loading, "loading version 8"),
            (good(), bad("cold"), loading, false, false, false, Health::Starting, "loading version 8"),
            (good(), good(), loading, true, false, true, Health::Draining, "loading version 8"),
            (bad("ill"), good(), loading, true, false, true, Health::Unhealthy, "ill"),
            (
                good(),
                good(),
                None,
                false,
                true,
                true,
                Health::Unhealthy,
                "the application has not answered its own checks for 1000 ms",
            ),
        ];
        for (live, ready, loading, draining, stuck, served, health, detail) in table {
            let status = Status { loading, draining, ..Status::default() };
            let vitals = Vitals { live, ready, ..Vitals::empty() };
            let felt = feel(&status, &vitals, stuck, served);
            assert_eq!(felt, (health, detail.to_owned()), "{status:?} {vitals:?}");
        }
    }

    #[test]
    fn a_record_is_shown_only_when_it_changed() {
        let mut portrait = Portrait::new(&Identity::example(), "http://127.0.0.1:1".into(), None);
        let vitals = Vitals { ready: Condition::Good, ..Vitals::empty() };
        let mut status = Status::default();
        assert!(portrait.update(&status, &vitals, false), "it became ready");
        assert!(!portrait.update(&status, &vitals, false), "nothing changed");
        status.epoch = Epoch(4);
        assert!(portrait.update(&status, &vitals, false), "a newer epoch");
        status.version = Version(2);
        status.frozen = true;
        assert!(!portrait.update(&status, &vitals, false), "a commit is under way");
        status.frozen = false;
        assert!(portrait.update(&status, &vitals, false), "and over");
        assert_eq!(portrait.shown().version, Version(2));
    }

    #[test]
    fn a_chatty_application_does_not_flood_the_group() {
        let mut portrait = Portrait::new(&Identity::example(), "http://127.0.0.1:1".into(), None);
        let ill = |text: &str| Vitals { live: Condition::bad(text), ..Vitals::empty() };
        assert!(portrait.update(&Status::default(), &ill("queue 1"), false), "it fell ill");
        assert!(!portrait.update(&Status::default(), &ill("queue 2"), false), "only the wording changed");
        assert_eq!(portrait.shown().detail, "queue 1");
    }
}

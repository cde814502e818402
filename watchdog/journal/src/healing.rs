//! Healing: terms and the record.
//!
//! ```text
//! BEGIN ─► UPDATE term … WHERE epoch = ours ─► INSERT record, plan_input ─► COMMIT
//!               └ no row: fenced          └ same request: read what it did
//! ```

use async_trait::async_trait;
use watchdog_core::ids::{ClusterId, Epoch, PlanId, Sequence, Time, WatchdogId};
use watchdog_core::record::{Body, Entry};
use watchdog_core::state::Hash;
use watchdog_ports::healing_log::{HealingLog, PAGE_BYTES_MAX, PlanInputRecord, Write};
use watchdog_ports::journal_error::JournalError;

use crate::failure::Failure;
use crate::inputs;
use crate::journal::{Journal, insert};
use crate::rows::{digest, entry};
use crate::session::Bind;
use crate::sql::{self, RECORD};

const OPEN: &str = "open a term";
const WRITE: &str = "write the record";
const READ: &str = "read the record";

#[async_trait]
impl HealingLog for Journal {
    async fn highest_term(&self, cluster: &ClusterId) -> Result<Epoch, JournalError> {
        Ok(self.term(cluster).await?.map_or(Epoch(0), |term| term.epoch))
    }

    async fn open_term(
        &self,
        cluster: &ClusterId,
        epoch: Epoch,
        watchdog: &WatchdogId,
        at: Time,
    ) -> Result<(), JournalError> {
        let opening = Opening { cluster, epoch, watchdog, at };
        if epoch > Epoch(0) && self.try_open_term(&opening).await? {
            return Ok(());
        }
        match self.term(cluster).await? {
            // Our own opening, whose answer was lost.
            Some(term) if term.epoch == epoch && term.watchdog == watchdog.as_str() => {
                self.vouch(cluster, epoch, OPEN).await
            }
            term => {
                let theirs = term.map_or(Epoch(0), |term| term.epoch);
                Err(JournalError::Fenced { ours: epoch, theirs })
            }
        }
    }

    async fn write(&self, mut write: Write) -> Result<Vec<Entry>, JournalError> {
        write.check()?;
        let texts = texts(&write.bodies)?;
        let inputs = inputs::pack(std::mem::take(&mut write.inputs)).await?;
        let mut session = self.writer(WRITE).await?;
        let during = |failure: Failure| failure.during(WRITE);
        session.begin().await.map_err(during)?;
        let claim = vec![
            Bind::text(&write.cluster),
            Bind::number(write.epoch.0),
            Bind::number(write.bodies.len() as u64),
        ];
        let claimed = session.fetch(sql::CLAIM, claim, |row| row.number(0).map_err(unreadable_term)).await;
        let Some(last) = claimed.map_err(during)?.first().copied() else {
            session.rollback().await;
            drop(session);
            return Err(self.fenced(&write.cluster, write.epoch).await);
        };
        let first = Sequence(last - write.bodies.len() as u64 + 1);
        watchdog_crash_points::crash_point!("journal.write.claimed");
        match insert(&mut session, &RECORD, rows(&write, first, texts)).await {
            Ok(()) => {
                inputs::add(&mut session, &write.cluster, inputs).await.map_err(during)?;
                watchdog_crash_points::crash_point!("journal.write.inserted");
                session.commit().await.map_err(during)?;
                watchdog_crash_points::crash_point!("journal.write.committed");
            }
            Err(Failure::Duplicate(_)) => {
                session.rollback().await;
                drop(session);
                return self.written(&write, first).await;
            }
            Err(failure) => return Err(failure.during(WRITE)),
        }
        Ok(entries(write, first))
    }

    async fn entries(
        &self,
        cluster: &ClusterId,
        after: Sequence,
        limit: u32,
    ) -> Result<Vec<Entry>, JournalError> {
        // No signed column holds more, and the number would wrap.
        if after.0 > i64::MAX.cast_unsigned() {
            return Ok(Vec::new());
        }
        let mut session = self.reader(READ).await?;
        let page = [Bind::Int(limit.into()), Bind::number(PAGE_BYTES_MAX)];
        let binds = [Bind::text(cluster), Bind::number(after.0)].into_iter().chain(page).collect();
        let entries = session.fetch(sql::RECORDS, binds, entry).await;
        let entries = entries.map_err(|failure| failure.during(READ))?;
        let mut expected = after;
        for entry in &entries {
            expected = expected.next();
            if entry.sequence != expected {
                let what = "it is missing".to_owned();
                return Err(JournalError::CorruptRecord { sequence: expected, what });
            }
        }
        Ok(entries)
    }

    async fn plan_input(
        &self,
        cluster: &ClusterId,
        plan: &PlanId,
    ) -> Result<Option<PlanInputRecord>, JournalError> {
        inputs::read(&mut self.reader(READ).await?, cluster, plan).await
    }
}

struct Opening<'a> {
    cluster: &'a ClusterId,
    epoch: Epoch,
    watchdog: &'a WatchdogId,
    at: Time,
}

impl Journal {
    /// Opens the term, unless one as high is open.
    async fn try_open_term(&self, opening: &Opening<'_>) -> Result<bool, JournalError> {
        let Opening { cluster, epoch, watchdog, at } = *opening;
        let during = |failure: Failure| failure.during(OPEN);
        let bodies = vec![Body::TermOpened { watchdog: watchdog.clone() }];
        let texts = texts(&bodies)?;
        let mut session = self.writer(OPEN).await?;
        session.begin().await.map_err(during)?;
        let term =
            || vec![Bind::text(cluster), Bind::number(epoch.0), Bind::text(watchdog), Bind::number(at.0)];
        let opened = term().into_iter().chain([Bind::text(&Hash::default())]).collect();
        let opened =
            session.fetch(sql::OPEN_TERM, opened, |row| row.number(0).map_err(unreadable_term)).await;
        let Some(sequence) = opened.map_err(during)?.first().copied() else {
            session.rollback().await;
            return Ok(false);
        };
        session.execute(sql::ADD_TERM, term()).await.map_err(during)?;
        watchdog_crash_points::crash_point!("journal.term.added");
        let request = uuid::Uuid::new_v4();
        let by = watchdog.to_string();
        let write = Write { cluster: cluster.clone(), epoch, request, at, by, bodies, inputs: Vec::new() };
        insert(&mut session, &RECORD, rows(&write, Sequence(sequence), texts)).await.map_err(during)?;
        session.commit().await.map_err(during)?;
        watchdog_crash_points::crash_point!("journal.term.committed");
        Ok(true)
    }

    /// What this request wrote when it was asked before.
    async fn written(&self, write: &Write, claimed: Sequence) -> Result<Vec<Entry>, JournalError> {
        let mut session = self.reader(READ).await?;
        let binds = vec![Bind::text(&write.cluster), Bind::text(&write.request)];
        let entries = session.fetch(sql::RECORDS_OF_REQUEST, binds, entry).await;
        let entries = entries.map_err(|failure| failure.during(READ))?;
        if entries.is_empty() {
            let what = "it stands beyond the end of the record".to_owned();
            return Err(JournalError::CorruptRecord { sequence: claimed, what });
        }
        drop(session);
        self.vouch(&write.cluster, write.epoch, WRITE).await?;
        Ok(entries)
    }
}

/// The kind and the JSON text of each body.
fn texts(bodies: &[Body]) -> Result<Vec<(String, String)>, JournalError> {
    let text = |body: &Body| {
        let value = serde_json::to_value(body)
            .map_err(|error| JournalError::Unstorable { what: format!("the entry: {error}") })?;
        let kind = value.get("kind").and_then(serde_json::Value::as_str).unwrap_or_default();
        Ok((kind.to_owned(), value.to_string()))
    };
    bodies.iter().map(text).collect()
}

fn rows(write: &Write, first: Sequence, texts: Vec<(String, String)>) -> Vec<Vec<Bind>> {
    let row = |(part, (kind, body)): (u64, (String, String))| {
        let sequence = Sequence(first.0 + part);
        let digest = digest(sequence, &[&write.at.0, &write.epoch, &write.by, &body]);
        vec![
            Bind::text(&write.cluster),
            Bind::number(sequence.0),
            Bind::number(write.at.0),
            Bind::number(write.epoch.0),
            Bind::text(&write.by),
            Bind::Text(kind),
            Bind::Text(body),
            Bind::Text(digest),
            Bind::text(&write.request),
            Bind::number(part),
        ]
    };
    (0..).zip(texts).map(row).collect()
}

fn entries(write: Write, first: Sequence) -> Vec<Entry> {
    let Write { at, epoch, by, bodies, .. } = write;
    let entry = |(sequence, body)| Entry { sequence: Sequence(sequence), at, epoch, by: by.clone(), body };
    (first.0..).zip(bodies).map(entry).collect()
}

fn unreadable_term(what: String) -> JournalError {
    JournalError::Schema { what }
}

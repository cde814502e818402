//! Metadata: appends to the log of changes.
//!
//! ```text
//! state at the head (remembered, else read) ─► entries ─► BEGIN
//!   ─► UPDATE term … WHERE epoch = ours AND head = expected ─► INSERT change ─► COMMIT   (few changes: one trip)
//!               └ no row: read the term: fenced, asked before, or head moved
//! ```

use async_trait::async_trait;
use watchdog_core::change::{Head, LogEntry};
use watchdog_core::ids::{ClusterId, Epoch, Version};
use watchdog_core::state::State;
use watchdog_ports::journal_error::JournalError;
use watchdog_ports::metadata_log::{Append, MetadataLog, Verification};

use crate::failure::Failure;
use crate::journal::{Journal, insert};
use crate::rows::{Term, parsed};
use crate::session::{Bind, Session};
use crate::sql::{self, CHANGE, ROWS_MAX};
use crate::states::Known;

const APPEND: &str = "append to the log";

#[async_trait]
impl MetadataLog for Journal {
    async fn head(&self, cluster: &ClusterId) -> Result<Head, JournalError> {
        Ok(self.term(cluster).await?.map_or(Head::default(), |term| term.head))
    }

    async fn append(&self, append: Append) -> Result<Head, JournalError> {
        if let Some(known) = self.states.at(&append.cluster, append.expected)
            && let Attempt::Done(head) = self.attempt(&append, known).await?
        {
            return Ok(head);
        }
        // Nothing remembered, or not what stands; from here on the database is asked.
        let head = match self.standing(&append).await? {
            Standing::Asked(head) => return Ok(head),
            Standing::At(head) => head,
        };
        if head.version != append.expected {
            return Err(JournalError::HeadMoved { expected: append.expected, found: head.version });
        }
        let state = self.state_at(&append.cluster, head).await?;
        let known = Known { cluster: append.cluster.clone(), head, state };
        match self.attempt(&append, known).await? {
            Attempt::Done(head) => Ok(head),
            Attempt::Refused(error) => Err(error),
            Attempt::Raced => match self.standing(&append).await? {
                Standing::Asked(head) => Ok(head),
                Standing::At(head) => {
                    Err(JournalError::HeadMoved { expected: append.expected, found: head.version })
                }
            },
        }
    }

    async fn entries(
        &self,
        cluster: &ClusterId,
        from: Version,
        limit: u32,
    ) -> Result<Vec<LogEntry>, JournalError> {
        self.read_entries(cluster, from, limit).await
    }

    async fn state(&self, cluster: &ClusterId, version: Version) -> Result<State, JournalError> {
        self.read_state(cluster, version).await
    }

    async fn verify(&self, cluster: &ClusterId) -> Result<Verification, JournalError> {
        self.verify_log(cluster).await
    }
}

/// What became of an append on top of a state.
enum Attempt {
    Done(Head),
    /// It does not fit that state.
    Refused(JournalError),
    /// That is not the state that stands, or we don't lead.
    Raced,
}

/// What stands in the database.
enum Standing {
    /// The request was asked before, and ended here.
    Asked(Head),
    At(Head),
}

impl Journal {
    async fn attempt(&self, append: &Append, known: Known) -> Result<Attempt, JournalError> {
        let entries = match append.entries_on(known.head, &known.state) {
            Ok(entries) => entries,
            Err(error) => return Ok(Attempt::Refused(error)),
        };
        let new =
            entries.last().map_or(known.head, |entry| Head { version: entry.version, hash: entry.hash });
        let (moved, rows) = (move_head(append, known.head, new), rows(append, &entries));
        let mut session = self.writer(APPEND).await?;
        watchdog_crash_points::crash_point!("journal.append.ready");
        let done = if rows.len() <= ROWS_MAX {
            let sql = sql::append(session.dialect(), rows.len());
            let binds = moved.into_iter().chain(rows.into_iter().flatten()).collect();
            session.transact(sql, binds).await.map(|returned| returned > 0)
        } else {
            append_in_parts(&mut session, moved, rows).await
        };
        match done {
            Ok(true) => {}
            Ok(false) => return Ok(Attempt::Raced),
            Err(Failure::Duplicate(_)) => {
                session.rollback().await;
                let version = known.head.version.next();
                let what = "it stands beyond the head".to_owned();
                return Ok(Attempt::Refused(JournalError::CorruptLog { version, what }));
            }
            Err(failure) => return Err(failure.during(APPEND)),
        }
        watchdog_crash_points::crash_point!("journal.append.committed");
        drop(session);
        self.states.advance(known, &entries);
        self.keep_snapshot(&append.cluster, new).await;
        Ok(Attempt::Done(new))
    }

    /// Says why an append can't go on top of what we thought, or where it can.
    async fn standing(&self, append: &Append) -> Result<Standing, JournalError> {
        let term = self.term(&append.cluster).await?;
        let theirs = term.as_ref().map_or(Epoch(0), |term| term.epoch);
        let Some(Term { head, .. }) = term.filter(|term| term.epoch == append.epoch) else {
            return Err(JournalError::Fenced { ours: append.epoch, theirs });
        };
        let Some(asked) = self.appended(append).await? else { return Ok(Standing::At(head)) };
        self.vouch(&append.cluster, append.epoch, APPEND).await?;
        Ok(Standing::Asked(asked))
    }

    /// Where this request ended when it was asked before.
    async fn appended(&self, append: &Append) -> Result<Option<Head>, JournalError> {
        let mut session = self.reader(APPEND).await?;
        let binds = vec![Bind::text(&append.cluster), Bind::text(&append.request)];
        let found = session.fetch(sql::HEAD_OF_REQUEST, binds, |row| {
            let version = Version(row.number(0).unwrap_or_default());
            let hash = row.text(1).and_then(parsed);
            hash.map(|hash| Head { version, hash }).map_err(|what| JournalError::CorruptLog { version, what })
        });
        Ok(found.await.map_err(|failure| failure.during(APPEND))?.first().copied())
    }
}

/// Appends more rows than one statement takes; `false` means fenced or raced.
async fn append_in_parts(
    session: &mut Session,
    moved: Vec<Bind>,
    rows: Vec<Vec<Bind>>,
) -> Result<bool, Failure> {
    session.begin().await?;
    if session.execute(sql::MOVE_HEAD, moved).await? == 0 {
        session.rollback().await;
        return Ok(false);
    }
    insert(session, &CHANGE, rows).await?;
    session.commit().await?;
    Ok(true)
}

fn move_head(append: &Append, old: Head, new: Head) -> Vec<Bind> {
    vec![
        Bind::text(&append.cluster),
        Bind::number(append.epoch.0),
        Bind::number(old.version.0),
        Bind::text(&old.hash),
        Bind::number(new.version.0),
        Bind::text(&new.hash),
    ]
}

fn rows(append: &Append, entries: &[LogEntry]) -> Vec<Vec<Bind>> {
    let row = |(part, entry): (u64, &LogEntry)| {
        let text = |value: &Option<serde_json::Value>| Bind::maybe(value.as_ref().map(ToString::to_string));
        vec![
            Bind::text(&append.cluster),
            Bind::number(entry.version.0),
            Bind::number(entry.at.0),
            Bind::number(entry.epoch.0),
            Bind::text(&entry.author),
            Bind::maybe(entry.goal.as_ref().map(ToString::to_string)),
            Bind::text(&entry.change.key),
            text(&entry.change.before),
            text(&entry.change.after),
            Bind::text(&entry.previous),
            Bind::text(&entry.hash),
            Bind::text(&append.request),
            Bind::number(part),
        ]
    };
    (0..).zip(entries).map(row).collect()
}

//! Reading: entries, old states and the proof of the whole log.
//!
//! ```text
//! state(v) = newest snapshot ≤ v, bound by hash ─► fold of the entries after it, each checked
//! one batch is read while the one before it is parsed and hashed on two other threads
//! ```

use std::sync::Arc;

use watchdog_core::change::{Head, LogEntry};
use watchdog_core::ids::{ClusterId, Version};
use watchdog_core::state::{Hash, State};
use watchdog_ports::journal_error::JournalError;
use watchdog_ports::metadata_log::Verification;

use crate::journal::Journal;
use crate::rows::{Cells, Chain, RawChange, parsed};
use crate::session::{Bind, Session};
use crate::sql;
use crate::states::Known;

const READ: &str = "read the log";

/// Entries that are read at once.
const BATCH: u64 = 1_000;
/// Fewer entries than these are parsed where they are read.
const PARSED_AT_ONCE: usize = 64;
/// A snapshot is taken after as many changes at least …
const SNAPSHOT_EVERY: u64 = 1_000;
/// … and after one for every so many keys, so that snapshots of large states don't outgrow the log.
const KEYS_PER_CHANGE: u64 = 6;
/// A larger state is not kept as a snapshot.
const SNAPSHOT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A stretch of one cluster's log, read in order.
struct Walk<'a> {
    cluster: &'a ClusterId,
    chain: Chain,
    /// Where it ends.
    to: Version,
}

impl Journal {
    pub(crate) async fn read_entries(
        &self,
        cluster: &ClusterId,
        from: Version,
        limit: u32,
    ) -> Result<Vec<LogEntry>, JournalError> {
        // Not above what a signed column can hold: there is nothing, and the number would wrap.
        let to = Version(i64::MAX.cast_unsigned());
        if from > to {
            return Ok(Vec::new());
        }
        let mut session = self.reader(READ).await?;
        let mut chain = Chain::from(from);
        let rows = changes(&mut session, cluster, (chain.next(), to), u64::from(limit)).await?;
        drop(session);
        let mut entries = Vec::with_capacity(rows.len());
        for entry in parse(rows).await? {
            let entry = entry?;
            chain.link(&entry)?;
            entries.push(entry);
        }
        Ok(entries)
    }

    pub(crate) async fn read_state(
        &self,
        cluster: &ClusterId,
        version: Version,
    ) -> Result<State, JournalError> {
        if version == Version(0) {
            return Ok(State::default());
        }
        let mut session = self.reader(READ).await?;
        let binds = vec![Bind::text(cluster), Bind::number(version.0)];
        let rows = session.fetch(sql::HASH_AT, binds, |row| {
            let read = || Ok((Version(row.number(0)?), row.maybe_text(1)?.map(parsed).transpose()?));
            read().map_err(|what| JournalError::CorruptLog { version, what })
        });
        let row = rows.await.map_err(|failure| failure.during(READ))?.into_iter().next();
        drop(session);
        match row.unwrap_or_default() {
            (head, _) if head < version => Err(JournalError::NoSuchVersion { version, head }),
            (_, None) => Err(Chain::from(version).missing()),
            (_, Some(hash)) => {
                let state = self.state_at(cluster, Head { version, hash }).await?;
                Ok(Arc::unwrap_or_clone(state))
            }
        }
    }

    /// The state at an entry of the log, remembered from now on.
    pub(crate) async fn state_at(&self, cluster: &ClusterId, head: Head) -> Result<Arc<State>, JournalError> {
        if let Some(state) = self.states.get(cluster, head) {
            return Ok(state);
        }
        let mut session = self.reader(READ).await?;
        let (start, mut state) = snapshot(&mut session, cluster, head.version).await?;
        let mut reached = start;
        let walk = Walk { cluster, chain: Chain::after(start), to: head.version };
        walk.each(&mut session, |entry| {
            state.apply(&entry.change.key, entry.change.after.as_ref());
            reached = Head { version: entry.version, hash: entry.hash };
        })
        .await?;
        drop(session);
        if reached != head {
            let what = "it is not the entry that the log's end names".to_owned();
            return Err(JournalError::CorruptLog { version: head.version, what });
        }
        let state = Arc::new(state);
        self.states.put(Known { cluster: cluster.clone(), head, state: state.clone() });
        Ok(state)
    }

    pub(crate) async fn verify_log(&self, cluster: &ClusterId) -> Result<Verification, JournalError> {
        let end = self.term(cluster).await?.map_or(Head::default(), |term| term.head);
        let mut session = self.reader(READ).await?;
        let mut entries = 0;
        let mut reached = Head::default();
        let walk = Walk { cluster, chain: Chain::after(Head::default()), to: end.version };
        let walked = walk
            .each(&mut session, |entry| {
                entries += 1;
                reached = Head { version: entry.version, hash: entry.hash };
            })
            .await;
        let broken = match walked {
            Err(JournalError::CorruptLog { version, what }) => Some((version, what)),
            Err(error) => return Err(error),
            Ok(()) if reached != end => {
                entries -= 1;
                Some((end.version, "it is not the entry that the log's end names".to_owned()))
            }
            Ok(()) => {
                let mut session = self.reader(READ).await?;
                let beyond = session.fetch(sql::BEYOND_HEAD, vec![Bind::text(cluster)], |row| {
                    Ok(Version(row.number(0).unwrap_or_default()))
                });
                let beyond = beyond.await.map_err(|failure| failure.during(READ))?.first().copied();
                beyond.map(|version| (version, "it stands beyond the head".to_owned()))
            }
        };
        Ok(Verification { entries, broken })
    }

    /// Keeps the state at the head as a snapshot, when enough was appended since the last one.
    ///
    /// A cache: what goes wrong here is no concern of the append, which is done.
    pub(crate) async fn keep_snapshot(&self, cluster: &ClusterId, head: Head) {
        let Some(state) = self.states.get(cluster, head) else { return };
        let every = SNAPSHOT_EVERY.max(state.0.len() as u64 / KEYS_PER_CHANGE);
        if head.version.0 < every {
            return;
        }
        let last = match self.states.snapshot(cluster) {
            Some(last) => last,
            None => self.newest_snapshot(cluster).await.unwrap_or(head.version),
        };
        let due = head.version.0 >= last.0 + every;
        self.states.set_snapshot(cluster, if due { head.version } else { last });
        if !due {
            return;
        }
        if let Err(error) = self.add_snapshot(cluster, head, &state).await {
            tracing::debug!(%cluster, version = %head.version, %error, "snapshot not kept");
        }
    }

    async fn newest_snapshot(&self, cluster: &ClusterId) -> Result<Version, JournalError> {
        let mut session = self.reader(READ).await?;
        let newest = session
            .fetch(sql::NEWEST_SNAPSHOT, vec![Bind::text(cluster)], |row| {
                Ok(Version(row.number(0).unwrap_or_default()))
            })
            .await;
        Ok(newest.map_err(|failure| failure.during(READ))?.first().copied().unwrap_or_default())
    }

    async fn add_snapshot(&self, cluster: &ClusterId, head: Head, state: &State) -> Result<(), JournalError> {
        let operation = "keep a snapshot";
        let text = serde_json::to_string(state)
            .map_err(|error| JournalError::Unstorable { what: error.to_string() })?;
        if text.len() > SNAPSHOT_BYTES_MAX {
            return Ok(());
        }
        let binds = vec![
            Bind::text(cluster),
            Bind::number(head.version.0),
            Bind::text(&head.hash),
            Bind::text(&snapshot_digest(&head.hash.to_string(), &text)),
            Bind::Text(text),
        ];
        let mut session = self.writer(operation).await?;
        session.execute(sql::ADD_SNAPSHOT, binds).await.map_err(|failure| failure.during(operation))?;
        Ok(())
    }
}

impl Walk<'_> {
    /// Hands each entry to `each`, in order and checked.
    async fn each(
        mut self,
        session: &mut Session,
        mut each: impl FnMut(LogEntry) + Send,
    ) -> Result<(), JournalError> {
        let mut from = self.chain.next();
        let mut rows = changes(session, self.cluster, (from, self.to), BATCH).await?;
        while !rows.is_empty() {
            from = Version(from.0 + BATCH);
            let (next, entries) = if from > self.to {
                (Ok(Vec::new()), parse(rows).await?)
            } else {
                let (next, entries) =
                    tokio::join!(changes(session, self.cluster, (from, self.to), BATCH), parse(rows));
                (next, entries?)
            };
            for entry in entries {
                let entry = entry?;
                self.chain.link(&entry)?;
                each(entry);
            }
            rows = next?;
        }
        if self.chain.next() <= self.to { Err(self.chain.missing()) } else { Ok(()) }
    }
}

/// At most `limit` rows of the log.
async fn changes(
    session: &mut Session,
    cluster: &ClusterId,
    (from, to): (Version, Version),
    limit: u64,
) -> Result<Vec<RawChange>, JournalError> {
    if from > to {
        return Ok(Vec::new());
    }
    let binds = vec![Bind::text(cluster), Bind::number(from.0), Bind::number(to.0), Bind::number(limit)];
    session.fetch(sql::CHANGES, binds, RawChange::read).await.map_err(|failure| failure.during(READ))
}

/// Parses and checks rows, many of them on threads where that holds up nobody.
async fn parse(mut rows: Vec<RawChange>) -> Result<Vec<Result<LogEntry, JournalError>>, JournalError> {
    let work = |rows: Vec<RawChange>| rows.into_iter().map(RawChange::entry).collect::<Vec<_>>();
    if rows.len() <= PARSED_AT_ONCE {
        return Ok(work(rows));
    }
    let second = rows.split_off(rows.len() / 2);
    let halves = [rows, second].map(|rows| tokio::task::spawn_blocking(move || work(rows)));
    let mut entries = Vec::new();
    for half in halves {
        let half = half.await;
        entries.extend(
            half.map_err(|error| JournalError::Unavailable { operation: READ, source: error.into() })?,
        );
    }
    Ok(entries)
}

/// The newest usable snapshot at or before `version`, else the empty state.
async fn snapshot(
    session: &mut Session,
    cluster: &ClusterId,
    version: Version,
) -> Result<(Head, State), JournalError> {
    let mut at_most = version;
    loop {
        let binds = vec![Bind::text(cluster), Bind::number(at_most.0)];
        let found = session.fetch(sql::SNAPSHOT_AT_MOST, binds, |row| {
            let version = Version(row.number(0).unwrap_or_default());
            Ok((version, read_snapshot(row, version)))
        });
        let found = found.await.map_err(|failure| failure.during(READ))?.into_iter().next();
        match found {
            None => return Ok((Head::default(), State::default())),
            Some((_, Ok(found))) => return Ok(found),
            Some((version, Err(what))) => {
                tracing::warn!(%cluster, %version, what, "snapshot of the state is damaged and not used");
                at_most = Version(version.0.saturating_sub(1));
            }
        }
    }
}

/// Reads a snapshot, if it carries its digest.
pub(crate) fn read_snapshot(row: &dyn Cells, version: Version) -> Result<(Head, State), String> {
    let (hash, digest, text) = (row.text(1)?, row.text(2)?, row.text(3)?);
    if snapshot_digest(hash, text) != parsed(digest)? {
        return Err("it does not carry its digest".to_owned());
    }
    let state = serde_json::from_str(text).map_err(|error| error.to_string())?;
    Ok((Head { version, hash: parsed(hash)? }, state))
}

fn snapshot_digest(hash: &str, text: &str) -> Hash {
    Hash::of(format!("{hash}\n{text}").as_bytes())
}

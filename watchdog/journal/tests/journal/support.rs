//! Support: journals on fresh databases, raw statements behind their back, and things to write.

use std::time::Duration;

use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _, SqliteConnection};
use tempfile::TempDir;
use tokio::sync::OnceCell;
use uuid::Uuid;
use watchdog_core::change::{Change, Head};
use watchdog_core::ids::{ClusterId, Epoch, PlanId, Time, Version};
use watchdog_core::record::Body;
use watchdog_core::state::{Key, State};
use watchdog_journal::{Journal, Options};
use watchdog_ports::healing_log::{PlanInputRecord, Write};
use watchdog_ports::journal_error::JournalError;
use watchdog_ports::metadata_log::{Append, MetadataLog as _};

/// Long enough for a busy machine, short enough to be waited for.
pub(crate) const PATIENT: Options = Options { query_timeout: Duration::from_secs(20), connections: 8 };
/// For tests in which the database does not answer.
pub(crate) const HASTY: Options = Options { query_timeout: Duration::from_millis(400), connections: 4 };

/// A number of an environment variable; `otherwise` when it is not set.
pub(crate) fn asked(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |said| said.parse().unwrap())
}

/// A journal on a fresh file, and the directory that it stands in.
pub(crate) async fn sqlite() -> (Journal, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    (Journal::open(&sqlite_url(&directory), PATIENT).await.unwrap(), directory)
}

pub(crate) fn sqlite_url(directory: &TempDir) -> String {
    format!("sqlite:{}/journal.db", directory.path().display())
}

/// A journal on the database that all contract tests share.
pub(crate) async fn postgres() -> (Journal, ()) {
    static URL: OnceCell<String> = OnceCell::const_new();
    let url = URL.get_or_init(fresh_postgres).await;
    (Journal::open(url, PATIENT).await.unwrap(), ())
}

/// The address of an empty PostgreSQL database.
pub(crate) async fn fresh_postgres() -> String {
    tokio::task::spawn_blocking(watchdog_tests::postgres::shared).await.unwrap().unwrap()
}

/// Addresses of an empty database of each kind.
pub(crate) async fn fresh_urls() -> (Vec<String>, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    (vec![sqlite_url(&directory), fresh_postgres().await], directory)
}

/// Runs statements behind the journal's back.
pub(crate) async fn raw(url: &str, sql: &str) -> Result<(), sqlx::Error> {
    let sql = AssertSqlSafe(sql.to_owned());
    if url.starts_with("sqlite:") {
        let mut connection = SqliteConnection::connect(&format!("{url}?mode=rwc")).await?;
        sqlx::raw_sql(sql).execute(&mut connection).await?;
        connection.close().await
    } else {
        let mut connection = PgConnection::connect(url).await?;
        sqlx::raw_sql(sql).execute(&mut connection).await?;
        connection.close().await
    }
}

/// A number read behind the journal's back.
pub(crate) async fn raw_count(url: &str, sql: &str) -> i64 {
    let sql = AssertSqlSafe(sql.to_owned());
    if url.starts_with("sqlite:") {
        let mut connection = SqliteConnection::connect(url).await.unwrap();
        sqlx::query(sql).fetch_one(&mut connection).await.unwrap().get(0)
    } else {
        let mut connection = PgConnection::connect(url).await.unwrap();
        sqlx::query(sql).fetch_one(&mut connection).await.unwrap().get(0)
    }
}

pub(crate) fn write(cluster: &ClusterId, epoch: u64, messages: &[&str]) -> Write {
    let bodies = messages.iter().map(|message| escalated(message)).collect();
    let (epoch, request, inputs) = (Epoch(epoch), Uuid::new_v4(), Vec::new());
    Write { cluster: cluster.clone(), epoch, request, at: Time(1), by: "one".to_owned(), bodies, inputs }
}

/// What the first plan was computed from.
pub(crate) fn planned(input: &str) -> PlanInputRecord {
    let plan = PlanId::numbered(Epoch(1), 1);
    PlanInputRecord { plan, core_version: "0.1.0".to_owned(), input: input.to_owned() }
}

pub(crate) fn escalated(message: &str) -> Body {
    Body::Escalated { subject: None, message: message.to_owned() }
}

/// An append of `count` changes on top of `head`, all of new keys.
pub(crate) fn append(cluster: &ClusterId, head: Head, count: u64) -> Append {
    let change = |index| {
        let key = Key::new(format!("model/m-{}", head.version.0 + index)).unwrap();
        Change::of(&State::default(), key, Some(json!({"index": index, "padding": "x".repeat(200)})))
    };
    Append {
        cluster: cluster.clone(),
        epoch: Epoch(1),
        request: Uuid::new_v4(),
        expected: head.version,
        at: Time(1),
        author: "one".to_owned(),
        goal: None,
        changes: (1..=count).map(change).collect(),
    }
}

/// Appends `count` changes at the head.
pub(crate) async fn grow(journal: &Journal, cluster: &ClusterId, count: u64) -> Head {
    let head = journal.head(cluster).await.unwrap();
    journal.append(append(cluster, head, count)).await.unwrap()
}

#[track_caller]
pub(crate) fn assert_broken(error: Option<JournalError>, at: u64, story: &str) {
    match error {
        Some(JournalError::CorruptLog { version, .. }) => assert_eq!(version, Version(at), "{story}"),
        other => panic!("{story}: {other:?}"),
    }
}

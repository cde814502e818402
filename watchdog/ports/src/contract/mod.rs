//! Contract: what every adapter of a port must do, as tests to run against it.
//!
//! ```text
//! journal_contract!(open) ──► one #[tokio::test] per rule, each on what `open().await` returns
//! ```
#![expect(clippy::missing_panics_doc, reason = "a broken rule panics; that is what these functions are for")]

pub mod healing_log;
pub mod metadata_log;
pub mod plan_input;

use uuid::Uuid;
use watchdog_core::ids::{ClusterId, Epoch, Time, WatchdogId};

use crate::healing_log::HealingLog;

/// A cluster that no other test uses, so that tests can share a database.
pub fn fresh_cluster() -> ClusterId {
    named(ClusterId::new(format!("c-{}", Uuid::new_v4().simple())))
}

/// A cluster in which the watchdog `one` leads under epoch 1.
pub async fn led_cluster(journal: &impl HealingLog) -> ClusterId {
    let cluster = fresh_cluster();
    lead(journal, &cluster, 1).await;
    cluster
}

/// Opens the term `epoch` for the watchdog `one`.
async fn lead(journal: &impl HealingLog, cluster: &ClusterId, epoch: u64) {
    good(journal.open_term(cluster, Epoch(epoch), &watchdog("one"), Time(1)).await);
}

fn watchdog(name: &str) -> WatchdogId {
    named(WatchdogId::new(name))
}

fn named<T>(parsed: Result<T, watchdog_core::ids::NameError>) -> T {
    parsed.unwrap_or_else(|error| panic!("{error}"))
}

/// The value; an error ends the test with its whole chain of causes.
#[track_caller]
pub fn good<T, E: std::error::Error>(result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{error}: {error:?}"),
    }
}

/// One test per rule of [`healing_log`], [`plan_input`] and [`metadata_log`], run against what the expression opens.
///
/// The expression is evaluated in each test and gives a future of a journal and
/// whatever must live as long as it.
#[macro_export]
macro_rules! journal_contract {
    ($open:expr) => {
        $crate::journal_contract!(@tests $open, healing_log:
            terms_only_grow
            a_term_opened_again_by_the_same_watchdog_is_opened_once
            what_is_written_is_read_back
            an_older_term_writes_nothing
            a_request_asked_twice_is_written_once
            entries_are_paged
            a_page_has_a_byte_budget
            no_place_is_beyond_what_can_be_counted
            writers_at_once_leave_no_gap
            clusters_are_apart
            a_text_that_not_every_database_holds_is_refused
        );
        $crate::journal_contract!(@tests $open, plan_input:
            an_input_is_read_back_byte_for_byte
            an_unknown_plan_has_no_input
            an_input_is_written_with_its_entries_or_not_at_all
            an_input_asked_twice_is_kept_once
            only_the_newest_inputs_are_kept
            a_large_input_is_kept
        );
        $crate::journal_contract!(@tests $open, metadata_log:
            an_empty_log_has_the_empty_state
            appends_are_chained
            an_older_term_appends_nothing
            an_append_names_its_head
            a_change_fits_what_stands
            an_append_asked_twice_is_done_once
            every_version_has_its_state
            values_come_back_as_they_were
            a_value_has_a_largest_size
            of_two_appends_at_once_one_wins
            a_long_log_keeps_all_its_states
            a_log_is_paged_and_verified
            beyond_what_can_be_counted_there_is_nothing
        );
    };
    (@tests $open:expr, $module:ident: $($rule:ident)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $rule() {
            let (journal, _guard) = $open.await;
            $crate::contract::$module::$rule(&journal).await;
        }
    )*};
}

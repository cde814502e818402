//! Model: the protocol of DESIGN §3 and §6, every state of it within bounds, and what each safeguard is for.
//!
//! | here | there |
//! | --- | --- |
//! | `election.rs`: `Enter`, `Win`, `Mint`, `Expire` | `watchdog/membership/src/election.rs` (row of contenders), `term.rs` (`Term::mint`: check contender, set epoch by version) |
//! | `election.rs`: `OpenTerm`, `Leave` | `watchdog/journal/src/healing.rs` (`open_term`, conditional UPDATE), `watchdog/daemon/src/cluster/mod.rs` (`session`) |
//! | `leader.rs`: `Intend` | `watchdog/daemon/src/cluster/draft.rs` (`intend`), `judge.rs`; the budget and who may be touched: `watchdog/core/src/safety.rs`, `vet/{budget,fence}.rs` |
//! | `leader.rs`: `may_write`, `Learn` | `watchdog/journal/src/healing.rs` (`write`, CLAIM), `watchdog/daemon/src/cluster/books.rs` (a write of unknown fate is settled before the next) |
//! | `leader.rs`: `Send`, `Close` | `watchdog/daemon/src/cluster/execute.rs`, `watchdog/daemon/src/agents.rs` (asked again until there is an answer) |
//! | `leader.rs`: `AskSeal`, `Conclude`, `CloseAbsent` | `watchdog/daemon/src/cluster/seal.rs` (`advance`, `conclude`, `settled_without_asking`) |
//! | `agent.rs`: `Receive`, `TakeEffect`, `Finish` | `replica-agent/host/src/desk.rs` (`take`, `carry_out`), `acts.rs`, `fence.rs`; `replica-agent/src/desk.rs` |
//! | `agent.rs`: `Seal` | `replica-agent/host/src/server/mod.rs` (`seal`), `server/replies.rs`, `desk.rs` (`seal`, `fate`) |
//! | `agent.rs`: `Confirm`, `Vanish`, `OutlastLease` | `replica-agent/host/src/presence.rs`, `fence.rs` (`confirm`, `admit`), `watchdog/membership/src/link.rs` |
//! | `agent.rs`: `CrashAgent`, `LoseState` | `replica-agent/host/src/ledger/*.rs`, `supervisor/adopt.rs` (`settle_open_steps`) |
//! | `agent.rs`: `Show` | `watchdog/membership/src/{member,obituary,presence}.rs`, read by `watchdog/daemon/src/cluster/observe.rs` |
//!
//! *What happens.* Sessions expire while their owners do not know. A leader may be late by any time, with everything
//! that it does. A journal write commits or not, and its answer may never come. Orders and their answers are lost,
//! doubled by being sent again, overtake each other and come late by any time. Agents crash between begin and
//! result, lose their disk, are cut off for longer than a lease. The group shows the truth late. The ensemble is lost.
//!
//! *What is left out.* What is planned: a leader touches whom it may. Deaths of replicas that nobody ordered.
//! Placement, and so proof of death. An agent that hears of an epoch by its watch: whoever hears less takes more.
//! A journal restored from a backup. Embedded agents, which differ in having no lease ([`Mutant::TrustsOldEpoch`]).
//!
//! *What it taught.* A leader closes its own order only once the agent has said something after which it can't be begun
//! ([`Mutant::GivesUpUnsealed`]), and a death that the record knows counts before the group shows it
//! ([`Mutant::GroupBeforeRecord`]): both are so since. *Where it is stricter* than the code: what became of an order that
//! stays unknown is told by the agent, not by the group ([`Mutant::SettlesByGroup`]; the code waits out a lease first),
//! and so it is with embedded agents, whose orders are closed when they are not answered in time.
//!
//! What is exhausted in a second here is a fraction of what `cargo run --release -p watchdog-sim --example model`
//! exhausts.

mod protocol;

use protocol::bounds::{LONG, QUICK, SMALL};
use protocol::check::{HEADING, catch, exhaust};
use protocol::mutant::Mutant;

#[test]
fn nothing_is_wrong_in_any_state_of_the_small_bounds() {
    let figures = exhaust(SMALL, 1);
    println!("{HEADING}\n{figures}");
    assert_eq!(figures.complaints, [""; 0]);
    assert!(figures.states > 100_000, "the bounds hold more than {} states", figures.states);
}

#[test]
fn without_a_safeguard_the_property_that_belongs_to_it_is_violated() {
    for mutant in Mutant::ALL {
        let story = catch(mutant);
        let told = story.as_ref().map(|story| story.join("\n  "));
        println!("{mutant:?}: not true: {}\n  {}\n", mutant.caught_by(), told.unwrap_or_default());
        assert!(story.is_some(), "{mutant:?} is not caught by: {}", mutant.caught_by());
    }
}

#[test]
fn all_bounds_fit() {
    for bounds in QUICK.iter().chain(&LONG) {
        bounds.beginning();
    }
}

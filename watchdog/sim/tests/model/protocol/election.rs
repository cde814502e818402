//! Election: contenders, the epoch in the tree, the term in the journal.
//!
//! ```text
//! Enter ──► Win (first in the row) ──► Mint: multi{check contender, set epoch} ──► OpenTerm ──► leading
//!   ▲                                      │ refused                                  │ refused, or no answer
//!   └──────────────────────────────────────┴─────────────── Leave ◄───────────────────┘
//! ```

use super::Protocol;
use super::action::Action;
use super::mutant::Mutant;
use super::world::{Breach, Epoch, Reign, Reply, Seat, Set, Watchdog, World};

pub(super) fn actions(protocol: &Protocol, world: &World, actions: &mut Vec<Action>) {
    for watchdog in 0..protocol.bounds.watchdogs {
        let seat = world.tree.seat_of(watchdog);
        match world.watchdogs[watchdog] {
            Watchdog::Out => {
                if seat.is_none() && world.tree.row[protocol.bounds.row() - 1] == Seat::Empty {
                    actions.push(Action::Enter { watchdog });
                }
            }
            Watchdog::Waiting => match seat {
                Some(0) if world.tree.epoch.max(world.journal.term) < protocol.bounds.epochs => {
                    actions.push(Action::Win { watchdog });
                }
                Some(_) => {}
                None => actions.push(Action::Leave { watchdog }),
            },
            Watchdog::Won { .. } => {
                actions.extend([Action::Mint { watchdog }, Action::Leave { watchdog }]);
            }
            Watchdog::Minted { .. } => {
                let open = |answered| Action::OpenTerm { watchdog, answered };
                actions.extend([open(true), open(false), Action::Leave { watchdog }]);
            }
            Watchdog::Leading(_) => actions.push(Action::Leave { watchdog }),
        }
    }
    let taken = world.tree.row.iter().take_while(|seat| **seat != Seat::Empty).count();
    actions.extend((0..taken).map(|seat| Action::Expire { seat }));
}

pub(super) fn enter(world: &mut World, watchdog: usize) {
    if world.tree.enter(watchdog) {
        world.watchdogs[watchdog] = Watchdog::Waiting;
    }
}

pub(super) fn win(world: &mut World, watchdog: usize) {
    let seen = world.tree.epoch;
    let next = seen.max(world.journal.term) + 1;
    world.watchdogs[watchdog] = Watchdog::Won { seen, next };
}

pub(super) fn mint(protocol: &Protocol, world: &mut World, watchdog: usize) {
    let Watchdog::Won { seen, next } = world.watchdogs[watchdog] else { return };
    let checked = world.tree.seat_of(watchdog).is_some() && world.tree.epoch == seen;
    if !checked && !protocol.is(Mutant::MintsUnchecked) {
        return leave(world, watchdog);
    }
    if next <= world.tree.epoch {
        world.note(Breach::EpochTwice);
    }
    world.tree.epoch = next;
    world.watchdogs[watchdog] = Watchdog::Minted { epoch: next };
}

/// The conditional UPDATE of the term row: nothing happens unless the term is newer.
pub(super) fn open_term(world: &mut World, watchdog: usize, answered: bool) {
    let Watchdog::Minted { epoch } = world.watchdogs[watchdog] else { return };
    if world.journal.term >= epoch {
        return leave(world, watchdog);
    }
    world.journal.term = epoch;
    world.journal.sealed = Set::default();
    if answered {
        world.watchdogs[watchdog] = Watchdog::Leading(Reign { epoch, ..Reign::default() });
    } else {
        leave(world, watchdog);
    }
}

/// Its session lives on until it expires; what it knew and waited for is gone.
pub(super) fn leave(world: &mut World, watchdog: usize) {
    if let Some(epoch) = world.reign(watchdog).map(|reign| reign.epoch) {
        await_no_more(world, epoch);
    }
    world.watchdogs[watchdog] = Watchdog::Out;
    if let Some(seat) = world.tree.seat_of(watchdog) {
        world.tree.row[seat] = Seat::Orphan;
    }
}

fn await_no_more(world: &mut World, epoch: Epoch) {
    for step in world.steps.iter_mut().filter(|step| step.epoch == epoch) {
        (step.awaited, step.reply) = (false, Reply::Nothing);
    }
}

pub(super) fn expire(world: &mut World, seat: usize) {
    world.tree.leave(seat);
}

/// Every session ends with it; the journal keeps epochs growing.
pub(super) fn rebuild(world: &mut World) {
    world.spent.rebuilds += 1;
    world.tree = super::world::Tree::default();
}

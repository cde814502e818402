//! Properties: what must always hold, and what must happen somewhere lest the model be empty.

use stateright::Property;

use super::Protocol;
use super::leader::is_reckoned_with;
use super::world::{Breach, Fate, Progress, Row, Step, Watchdog, World};

/// By step id, whatever is sent how often.
pub(crate) const ONE_EFFECT: &str = "a step takes effect at most once";
/// Begins are compared by agent, effects by replica: what an agent said to be running may end beside a newer act on
/// another replica.
pub(crate) const NO_INTERLEAVING: &str = "at one agent no older epoch acts after a newer one";
/// At any time, over all leaders.
pub(crate) const BUDGET: &str = "no more serving replicas are disturbed than the budget allows";
/// Under the epoch of who acts.
pub(crate) const INTENT_FIRST: &str = "an effect has its intent in the journal before it";
/// So the epochs of the entries never fall.
pub(crate) const FENCED_JOURNAL: &str = "a fenced leader writes nothing to the journal";
/// Whatever that fate is, "never" first of all.
pub(crate) const CLOSED_IS_OVER: &str = "a step whose fate is recorded is never begun later";
/// Open intents, and orders of unknown fate to replicas that are not seen to be well.
pub(crate) const LEADER_KNOWS: &str = "who leads reckons with every touch that may still come";
/// Nor is one minted twice.
pub(crate) const UNIQUE_EPOCHS: &str = "an epoch has one leader";

/// All of them.
pub(crate) fn all() -> Vec<Property<Protocol>> {
    let always = Property::<Protocol>::always;
    let sometimes = Property::<Protocol>::sometimes;
    vec![
        always(ONE_EFFECT, |_, world| world.steps.iter().all(|step| step.effects <= 1)),
        always(NO_INTERLEAVING, |_, world| !world.has(Breach::Interleaved)),
        always(BUDGET, keeps_budget),
        always(INTENT_FIRST, |_, world| {
            !world.steps.iter().any(|step| step.row == Row::Unwritten && step.effects > 0)
        }),
        always(FENCED_JOURNAL, |_, world| !world.has(Breach::StaleWrite)),
        always(CLOSED_IS_OVER, |_, world| !world.has(Breach::BegunAfterClose)),
        always(LEADER_KNOWS, leader_knows),
        always(UNIQUE_EPOCHS, |_, world| !world.has(Breach::EpochTwice) && has_unique_leaders(world)),
        sometimes("a heal completes", |_, world| has_healed(world)),
        sometimes("the leader changes in the middle of a heal", |_, world| {
            leads_with(world, |epoch, step| step.row == Row::Open && step.sent > 0 && step.epoch < epoch)
        }),
        sometimes("a leader does not know that its term is over", |_, world| {
            leads_with(world, |epoch, step| step.awaited && step.epoch == epoch && epoch < world.journal.term)
        }),
        sometimes("an order outlives its leader", outlives),
        sometimes("a seal finds a step done", |_, world| finds(world, Fate::Done)),
        sometimes("a seal finds a step never begun", |_, world| finds(world, Fate::Never)),
        sometimes("a seal finds a step running", |_, world| finds(world, Fate::Running)),
        sometimes("a seal finds a step lost", |_, world| finds(world, Fate::Lost)),
    ]
}

/// Nobody but a leader's acts takes a replica down in this model.
fn keeps_budget(protocol: &Protocol, world: &World) -> bool {
    let replicas = &world.replicas[..protocol.bounds.replicas()];
    replicas.iter().filter(|replica| !replica.serves).count() <= protocol.bounds.disturbed_max
}

fn leader_knows(protocol: &Protocol, world: &World) -> bool {
    let looming = world.steps.iter().filter(|step| may_take_effect(protocol, world, step));
    looming.into_iter().all(|step| is_reckoned_with(protocol, world, step.replica))
}

/// Whether a step is under way at its agent, or an order of it may be begun when it arrives.
fn may_take_effect(protocol: &Protocol, world: &World, step: &Step) -> bool {
    let agent = &world.agents[protocol.home(step.replica)];
    // Who is not confirmed reads the epoch before it takes orders again.
    let fence = if agent.confirmed { agent.epoch } else { agent.epoch.max(world.tree.epoch) };
    let arrives = (0..usize::from(step.sent)).any(|copy| step.flying.contains(copy));
    let admitted = step.instance == agent.instance && step.epoch >= fence;
    match step.progress {
        Progress::Begun => true,
        Progress::Untouched => arrives && admitted,
        Progress::Acted | Progress::Done | Progress::Lost => false,
    }
}

fn has_unique_leaders(world: &World) -> bool {
    let epochs = world.watchdogs.iter().filter_map(|watchdog| match watchdog {
        Watchdog::Leading(reign) => Some(reign.epoch),
        Watchdog::Out | Watchdog::Waiting | Watchdog::Won { .. } | Watchdog::Minted { .. } => None,
    });
    let epochs: Vec<_> = epochs.collect();
    epochs.iter().enumerate().all(|(index, epoch)| !epochs[..index].contains(epoch))
}

/// Whether a replica was killed, started again, and is seen to serve, and all of it stands in the journal.
fn has_healed(world: &World) -> bool {
    world.replicas.iter().enumerate().any(|(replica, it)| {
        let mut steps = world.steps.iter().filter(|step| step.replica == replica && step.row != Row::Free);
        it.life > 1 && it.serves && it.shown == it.life && steps.all(|step| step.row == Row::Done)
    })
}

fn leads_with(world: &World, such: impl Fn(u8, &Step) -> bool) -> bool {
    let mut reigns = (0..world.watchdogs.len()).filter_map(|watchdog| world.reign(watchdog));
    reigns.any(|reign| world.steps.iter().any(|step| such(reign.epoch, step)))
}

fn outlives(protocol: &Protocol, world: &World) -> bool {
    world.steps.iter().any(|step| {
        let flying = (0..usize::from(step.sent)).any(|copy| step.flying.contains(copy));
        flying && step.epoch < world.agents[protocol.home(step.replica)].epoch
    })
}

fn finds(world: &World, fate: Fate) -> bool {
    let mut reigns = (0..world.watchdogs.len()).filter_map(|watchdog| world.reign(watchdog));
    reigns.any(|reign| reign.fates.contains(&fate))
}

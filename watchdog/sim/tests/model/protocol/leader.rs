//! Leader: what it may intend, and what it makes of answers.
//!
//! ```text
//! Intend (journal) ──► Learn ──► Send … Send ──► Close (journal)
//!    ▲ sealed? budget?                              ▲ the agent's answer
//!    │
//! older intents ──► AskSeal ──► Conclude (journal): done │ never │ lost; running is asked again
//! ```

use super::Protocol;
use super::action::Action;
use super::mutant::Mutant;
use super::world::{Act, Epoch, Fate, Progress, Reply, Row, Step, World};

pub(super) fn actions(protocol: &Protocol, world: &World, actions: &mut Vec<Action>) {
    for watchdog in 0..protocol.bounds.watchdogs {
        let Some(reign) = world.reign(watchdog) else { continue };
        let epoch = reign.epoch;
        for step in (0..protocol.bounds.steps).filter(|step| world.steps[*step].epoch == epoch) {
            of_step(protocol, world, step, actions);
        }
        if !may_write(world, epoch) {
            continue;
        }
        for agent in 0..protocol.bounds.agents() {
            if reign.answered.contains(agent) {
                actions.push(Action::Conclude { watchdog, agent });
            } else if !reign.asked.contains(agent) && has_older(protocol, world, epoch, agent) {
                actions.push(Action::AskSeal { watchdog, agent });
                let lease_over = !world.agents[agent].confirmed || protocol.is(Mutant::IgnoresLease);
                if world.agents[agent].gone && lease_over {
                    actions.push(Action::CloseAbsent { watchdog, agent });
                }
                if protocol.is(Mutant::TouchesUnsealed) {
                    actions.push(Action::Abort { watchdog, agent });
                }
            }
        }
        if free_step(protocol, world).is_some() {
            for replica in 0..protocol.bounds.replicas() {
                for act in [Act::Kill, Act::Start] {
                    if may_intend(protocol, world, epoch, (act, replica)) {
                        actions.push(Action::Intend { watchdog, act, replica });
                    }
                }
            }
        }
        if protocol.is(Mutant::ResumesIntents) {
            let older = |step: &Step| step.row == Row::Open && step.epoch < epoch;
            let open = (0..protocol.bounds.steps).filter(|step| older(&world.steps[*step]));
            actions.extend(open.map(|step| Action::Resume { watchdog, step }));
        }
    }
}

fn of_step(protocol: &Protocol, world: &World, index: usize, actions: &mut Vec<Action>) {
    let step = &world.steps[index];
    if step.row == Row::Unwritten {
        actions.push(Action::WriteLate { step: index });
    }
    if step.row == Row::Open && !step.awaited {
        actions.push(Action::Learn { step: index });
    }
    if step.awaited && step.sent < protocol.bounds.sends {
        actions.push(Action::Send { step: index });
    }
    if step.awaited && step.row == Row::Open && may_write(world, step.epoch) {
        let final_answer = match step.reply {
            Reply::Nothing => false,
            // After the first sending nothing else is under way.
            Reply::Refused => step.sent == 1,
            Reply::Done | Reply::Gone => true,
        };
        if final_answer {
            actions.push(Action::Close { step: index });
        } else if protocol.is(Mutant::GivesUpUnsealed) && step.sent > 0 {
            actions.push(Action::GiveUp { step: index });
        }
    }
}

/// Whether a write of this leader commits: its term stands, and no earlier write of it waits for its answer.
fn may_write(world: &World, epoch: Epoch) -> bool {
    let waits = |step: &Step| step.epoch == epoch && step.row == Row::Open && !step.awaited;
    world.journal.term == epoch && !world.steps.iter().any(waits)
}

fn free_step(protocol: &Protocol, world: &World) -> Option<usize> {
    (0..protocol.bounds.steps).find(|step| world.steps[*step].row == Row::Free)
}

/// Whether orders of older leaders to an agent stand open.
fn has_older(protocol: &Protocol, world: &World, epoch: Epoch, agent: usize) -> bool {
    let older = |step: &Step| step.row == Row::Open && step.epoch < epoch;
    world.steps.iter().any(|step| older(step) && protocol.home(step.replica) == agent)
}

fn may_intend(protocol: &Protocol, world: &World, epoch: Epoch, (act, replica): (Act, usize)) -> bool {
    let agent = protocol.home(replica);
    let sealed = world.journal.sealed.contains(agent) || !has_older(protocol, world, epoch, agent);
    if world.agents[agent].gone || !sealed || has_open_intent(world, replica) {
        return false;
    }
    let serves = seems_to_serve(protocol, world, epoch, replica);
    match act {
        // Nobody loses by the start of what is down.
        Act::Start => !serves,
        Act::Kill => {
            let others = (0..protocol.bounds.replicas()).filter(|other| *other != replica);
            let disturbed = others.filter(|other| is_disturbed(protocol, world, epoch, *other)).count();
            serves && disturbed < protocol.bounds.disturbed_max
        }
    }
}

fn has_open_intent(world: &World, replica: usize) -> bool {
    let open = |step: &Step| matches!(step.row, Row::Open | Row::Unwritten);
    world.steps.iter().any(|step| open(step) && step.replica == replica)
}

/// Whether the group shows it as serving, and the record does not say that this life was killed.
fn seems_to_serve(protocol: &Protocol, world: &World, epoch: Epoch, replica: usize) -> bool {
    let shown = world.replicas[replica].shown;
    let killed = |step: &Step| {
        let running = step.epoch == epoch || !protocol.is(Mutant::GroupBeforeRecord);
        (step.row, step.act, step.replica, step.life) == (Row::Done, Act::Kill, replica, shown) && running
    };
    shown != 0 && !world.steps.iter().any(killed)
}

fn is_disturbed(protocol: &Protocol, world: &World, epoch: Epoch, replica: usize) -> bool {
    let well = if protocol.is(Mutant::SettlesByGroup) {
        world.replicas[replica].shown != 0 && !world.agents[protocol.home(replica)].gone
    } else {
        is_well(protocol, world, epoch, replica)
    };
    let ordered = has_open_intent(world, replica) && !protocol.is(Mutant::BudgetIgnoresIntents);
    ordered || (is_unsettled(world, replica) && !well) || !seems_to_serve(protocol, world, epoch, replica)
}

/// Whether it stayed unknown what became of an order to it.
fn is_unsettled(world: &World, replica: usize) -> bool {
    world.steps.iter().any(|step| step.row == Row::Unknown && step.replica == replica)
}

/// Whether its agent, which has taken our epoch, says that it serves and that nothing is being done to it.
fn is_well(protocol: &Protocol, world: &World, epoch: Epoch, replica: usize) -> bool {
    let agent = &world.agents[protocol.home(replica)];
    let busy = world.steps.iter().any(|step| step.replica == replica && step.progress.is_running());
    agent.epoch >= epoch && !agent.gone && !busy && world.replicas[replica].serves
}

/// Whether whoever leads by the journal must reckon with a touch of this replica.
pub(super) fn is_reckoned_with(protocol: &Protocol, world: &World, replica: usize) -> bool {
    let unsettled = is_unsettled(world, replica) && !is_well(protocol, world, world.journal.term, replica);
    has_open_intent(world, replica) || unsettled
}

pub(super) fn intend(protocol: &Protocol, world: &mut World, watchdog: usize, (act, replica): (Act, usize)) {
    let (Some(epoch), Some(index)) = (epoch_of(world, watchdog), free_step(protocol, world)) else { return };
    let late = protocol.is(Mutant::ActsBeforeIntent) || protocol.is(Mutant::ChecksTermBySelect);
    let life = match act {
        Act::Kill => world.replicas[replica].shown,
        // Nobody else has it: lives before the first step are 1.
        Act::Start => u8::try_from(index).unwrap_or(u8::MAX) + 2,
    };
    if !late {
        world.write(epoch);
    }
    world.steps[index] = Step {
        row: if late { Row::Unwritten } else { Row::Open },
        act,
        replica,
        epoch,
        instance: world.agents[protocol.home(replica)].instance,
        life,
        awaited: protocol.is(Mutant::ActsBeforeIntent),
        ..Step::default()
    };
}

pub(super) fn send(world: &mut World, index: usize) {
    let step = &mut world.steps[index];
    step.flying.insert(usize::from(step.sent));
    step.sent += 1;
    // Nobody listens any more to the answer to the order before.
    step.reply = Reply::Nothing;
}

pub(super) fn close(world: &mut World, index: usize) {
    world.write(world.steps[index].epoch);
    let step = &mut world.steps[index];
    step.row = match step.reply {
        Reply::Done => Row::Done,
        Reply::Nothing | Reply::Refused | Reply::Gone if step.sent == 1 => Row::Failed,
        Reply::Nothing | Reply::Refused | Reply::Gone => Row::Unknown,
    };
    (step.awaited, step.reply) = (false, Reply::Nothing);
}

pub(super) fn ask_seal(world: &mut World, watchdog: usize, agent: usize) {
    if let Some(reign) = world.reign_mut(watchdog) {
        reign.asked.insert(agent);
    }
}

pub(super) fn conclude(protocol: &Protocol, world: &mut World, watchdog: usize, agent: usize) {
    let Some(mut reign) = world.reign(watchdog).cloned() else { return };
    world.write(reign.epoch);
    reign.answered.remove(agent);
    world.journal.sealed.insert(agent);
    for (step, fate) in world.steps.iter_mut().zip(&mut reign.fates) {
        if protocol.home(step.replica) != agent {
            continue;
        }
        step.row = match std::mem::take(fate) {
            Fate::Unasked | Fate::Running => step.row,
            Fate::Done => Row::Done,
            Fate::Never => Row::Never,
            Fate::Lost => Row::Unknown,
        };
    }
    if let Some(known) = world.reign_mut(watchdog) {
        *known = reign;
    }
}

/// Closes what older leaders have open at an agent.
pub(super) fn close_older(
    protocol: &Protocol,
    world: &mut World,
    (watchdog, agent): (usize, usize),
    row: Row,
) {
    let Some(epoch) = epoch_of(world, watchdog) else { return };
    world.write(epoch);
    let older = |step: &&mut Step| step.row == Row::Open && step.epoch < epoch;
    for step in world.steps.iter_mut().filter(older) {
        if protocol.home(step.replica) == agent {
            step.row = row;
        }
    }
}

/// Closes a step of which nobody says any more what became of it.
pub(super) fn give_up(world: &mut World, index: usize) {
    world.write(world.steps[index].epoch);
    let step = &mut world.steps[index];
    (step.row, step.awaited) = (Row::Unknown, false);
}

/// Writes an intent that was checked, or even sent, earlier. Only who asks for the term again is fenced.
pub(super) fn write_late(protocol: &Protocol, world: &mut World, index: usize) {
    let epoch = world.steps[index].epoch;
    if epoch == world.journal.term || protocol.is(Mutant::ChecksTermBySelect) {
        world.write(epoch);
        world.steps[index].row = Row::Open;
    }
}

/// Sends an older leader's step to whoever is there now, as if it were ours.
pub(super) fn resume(protocol: &Protocol, world: &mut World, watchdog: usize, index: usize) {
    let Some(epoch) = epoch_of(world, watchdog) else { return };
    let step = &mut world.steps[index];
    let instance = world.agents[protocol.home(step.replica)].instance;
    let (progress, was_begun, effects) = (Progress::Untouched, step.was_begun, step.effects);
    let progress = if step.instance == instance { step.progress } else { progress };
    *step = Step { epoch, instance, awaited: true, progress, was_begun, effects, ..step.clone() };
    send(world, index);
}

fn epoch_of(world: &World, watchdog: usize) -> Option<Epoch> {
    world.reign(watchdog).map(|reign| reign.epoch)
}

//! Agent: the fence, what was begun, and the faults between the two.
//!
//! ```text
//! Receive ──► instance? ──► confirmed? ──► epoch? ──► begun before? ──► replica free? ──► Begun, on disk
//!                │ gone        │ refused     │ refused    │ its answer      │ refused         ▼
//!                                                                          TakeEffect ──► Finish: Done, on disk
//! ```

use super::Protocol;
use super::action::Action;
use super::mutant::Mutant;
use super::world::{Act, Breach, Fate, Progress, Reply, Row, Step, World};

pub(super) fn actions(protocol: &Protocol, world: &World, actions: &mut Vec<Action>) {
    for (index, step) in world.steps[..protocol.bounds.steps].iter().enumerate() {
        let copies = (0..usize::from(step.sent)).filter(|copy| step.flying.contains(*copy));
        actions.extend(copies.map(|copy| Action::Receive { step: index, copy }));
        match step.progress {
            Progress::Begun => actions.push(Action::TakeEffect { step: index }),
            Progress::Acted => actions.push(Action::Finish { step: index }),
            Progress::Untouched | Progress::Done | Progress::Lost => {}
        }
    }
    for watchdog in 0..protocol.bounds.watchdogs {
        let Some(reign) = world.reign(watchdog) else { continue };
        let asked = (0..protocol.bounds.agents()).filter(|agent| reign.asked.contains(*agent));
        actions.extend(asked.map(|agent| Action::Seal { watchdog, agent }));
    }
    for (replica, is) in world.replicas[..protocol.bounds.replicas()].iter().enumerate() {
        if is.shown != if is.serves { is.life } else { 0 } {
            actions.push(Action::Show { replica });
        }
    }
    faults(protocol, world, actions);
}

fn faults(protocol: &Protocol, world: &World, actions: &mut Vec<Action>) {
    let (bounds, spent) = (&protocol.bounds, &world.spent);
    for (agent, is) in world.agents[..bounds.agents()].iter().enumerate() {
        if !is.confirmed {
            actions.push(Action::Confirm { agent });
        }
        if is.gone && is.confirmed {
            actions.push(Action::OutlastLease { agent });
        }
        if spent.agent_crashes < bounds.agent_crashes {
            actions.push(Action::CrashAgent { agent });
        }
        if spent.losses < bounds.losses {
            actions.push(Action::LoseState { agent });
        }
        if spent.absences < bounds.absences && !is.gone {
            actions.push(Action::Vanish { agent });
        }
    }
    if spent.rebuilds < bounds.rebuilds && world.tree.epoch > 0 {
        actions.push(Action::Rebuild);
    }
}

pub(super) fn receive(protocol: &Protocol, world: &mut World, index: usize, copy: usize) {
    world.steps[index].flying.remove(copy);
    let answer = match admit(protocol, world, index) {
        Ok(()) => return begin(protocol, world, index),
        Err(answer) => answer,
    };
    let step = &mut world.steps[index];
    // A leader waits for the answer to its last order only.
    if step.awaited && copy + 1 == usize::from(step.sent) {
        step.reply = answer;
    }
}

/// Whether the order is to be begun; else its answer, which for a running step comes later.
fn admit(protocol: &Protocol, world: &World, index: usize) -> Result<(), Reply> {
    let step = &world.steps[index];
    let agent = &world.agents[protocol.home(step.replica)];
    if step.instance != agent.instance {
        return Err(Reply::Gone);
    }
    if !agent.confirmed && !protocol.is(Mutant::TrustsOldEpoch) {
        // It passes, so the leader asks again.
        return Err(Reply::Nothing);
    }
    if step.epoch < agent.epoch && !protocol.is(Mutant::UnfencedAgents) {
        return Err(Reply::Refused);
    }
    match step.progress {
        Progress::Untouched => {}
        Progress::Begun | Progress::Acted => return Err(Reply::Nothing),
        Progress::Done => return Err(Reply::Done),
        Progress::Lost => return Err(Reply::Gone),
    }
    let busy = |other: &Step| other.replica == step.replica && other.progress.is_running();
    let alive = step.act == Act::Start && world.replicas[step.replica].serves;
    if alive || world.steps.iter().any(busy) { Err(Reply::Refused) } else { Ok(()) }
}

fn begin(protocol: &Protocol, world: &mut World, index: usize) {
    let (epoch, replica, closed) =
        (world.steps[index].epoch, world.steps[index].replica, world.steps[index].row.is_closed());
    let home = protocol.home(replica);
    let newer = |step: &Step| step.was_begun && step.epoch > epoch && protocol.home(step.replica) == home;
    if world.steps.iter().any(newer) {
        world.note(Breach::Interleaved);
    }
    if closed {
        world.note(Breach::BegunAfterClose);
    }
    let agent = &mut world.agents[home];
    agent.epoch = agent.epoch.max(epoch);
    let step = &mut world.steps[index];
    (step.progress, step.was_begun) = (Progress::Begun, true);
}

/// It is counted also when the life that it names is gone: it was carried out.
pub(super) fn take_effect(world: &mut World, index: usize) {
    let Step { act, replica, life, epoch, .. } = world.steps[index];
    let newer = |step: &Step| step.effects > 0 && step.epoch > epoch && step.replica == replica;
    if world.steps.iter().any(newer) {
        world.note(Breach::Interleaved);
    }
    let it = &mut world.replicas[replica];
    match act {
        Act::Kill if it.life == life => it.serves = false,
        Act::Start if !it.serves => (it.life, it.serves) = (life, true),
        // The right process dies, and nobody is started twice.
        Act::Kill | Act::Start => {}
    }
    let step = &mut world.steps[index];
    (step.progress, step.effects) = (Progress::Acted, step.effects + 1);
}

pub(super) fn finish(world: &mut World, index: usize) {
    let step = &mut world.steps[index];
    step.progress = Progress::Done;
    let listened = step.sent > 0 && !step.flying.contains(usize::from(step.sent - 1));
    if step.awaited && listened && step.reply == Reply::Nothing {
        step.reply = Reply::Done;
    }
}

/// Takes the epoch to the agent's disk, and has it say what became of each open step.
pub(super) fn seal(protocol: &Protocol, world: &mut World, watchdog: usize, agent: usize) {
    let Some(mut reign) = world.reign(watchdog).cloned() else { return };
    reign.asked.remove(agent);
    let epoch = reign.epoch;
    if epoch >= world.agents[agent].epoch {
        world.agents[agent].epoch = epoch;
        reign.answered.insert(agent);
        let instance = world.agents[agent].instance;
        for (step, fate) in world.steps.iter().zip(&mut reign.fates) {
            let asked = step.row == Row::Open && step.epoch < epoch;
            if asked && protocol.home(step.replica) == agent {
                *fate = fate_of(step, instance);
            }
        }
    }
    if let Some(known) = world.reign_mut(watchdog) {
        *known = reign;
    }
}

fn fate_of(step: &Step, instance: u8) -> Fate {
    match step.progress {
        // Of another instance's steps this one knows nothing.
        Progress::Untouched if step.instance != instance => Fate::Lost,
        Progress::Untouched => Fate::Never,
        Progress::Begun | Progress::Acted => Fate::Running,
        Progress::Done => Fate::Done,
        Progress::Lost => Fate::Lost,
    }
}

/// Reads the epoch afresh; a node that is not there says nothing.
pub(super) fn confirm(world: &mut World, agent: usize) {
    let read = world.tree.epoch;
    let agent = &mut world.agents[agent];
    agent.epoch = agent.epoch.max(read);
    (agent.confirmed, agent.gone) = (true, false);
}

pub(super) fn show(world: &mut World, replica: usize) {
    let it = &mut world.replicas[replica];
    it.shown = if it.serves { it.life } else { 0 };
}

/// What was running is lost; the disk stays.
pub(super) fn crash(protocol: &Protocol, world: &mut World, agent: usize) {
    world.spent.agent_crashes += 1;
    world.agents[agent].confirmed = false;
    if protocol.is(Mutant::ForgetsEpoch) {
        world.agents[agent].epoch = 0;
    }
    let forgets = protocol.is(Mutant::ForgetsSteps);
    for step in world.steps.iter_mut().filter(|step| protocol.home(step.replica) == agent) {
        if step.progress.is_running() {
            step.progress = Progress::Lost;
        }
        if forgets {
            step.progress = Progress::Untouched;
        }
    }
}

/// The disk is another one.
pub(super) fn lose_state(protocol: &Protocol, world: &mut World, agent: usize) {
    world.spent.losses += 1;
    let is = &mut world.agents[agent];
    (is.instance, is.epoch, is.confirmed) = (is.instance + 1, 0, false);
    for step in world.steps.iter_mut().filter(|step| protocol.home(step.replica) == agent) {
        step.progress = Progress::Untouched;
    }
}

pub(super) fn vanish(world: &mut World, agent: usize) {
    world.spent.absences += 1;
    world.agents[agent].gone = true;
}

//! Protocol: election, term, intent, seal, act and result as a model whose states can be exhausted.

pub(crate) mod action;
mod agent;
pub(crate) mod bounds;
pub(crate) mod check;
mod election;
mod leader;
pub(crate) mod mutant;
pub(crate) mod properties;
mod set;
pub(crate) mod world;

use stateright::{Model, Property};

use self::action::Action;
use self::bounds::Bounds;
use self::mutant::Mutant;
use self::world::{Row, World};

/// The model; with a mutant one of its safeguards is missing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Protocol {
    pub(crate) bounds: Bounds,
    pub(crate) mutant: Option<Mutant>,
}

impl Protocol {
    fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// The agent that keeps a replica.
    fn home(&self, replica: usize) -> usize {
        self.bounds.homes[replica]
    }
}

impl Model for Protocol {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![self.bounds.beginning()]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        election::actions(self, world, actions);
        leader::actions(self, world, actions);
        agent::actions(self, world, actions);
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        self.change(&mut next, action);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all()
    }
}

impl Protocol {
    fn change(&self, world: &mut World, action: Action) {
        match action {
            Action::Enter { watchdog } => election::enter(world, watchdog),
            Action::Win { watchdog } => election::win(world, watchdog),
            Action::Mint { watchdog } => election::mint(self, world, watchdog),
            Action::OpenTerm { watchdog, answered } => election::open_term(world, watchdog, answered),
            Action::Leave { watchdog } => election::leave(world, watchdog),
            Action::Expire { seat } => election::expire(world, seat),
            Action::Intend { watchdog, act, replica } => {
                leader::intend(self, world, watchdog, (act, replica));
            }
            Action::Learn { step } => world.steps[step].awaited = true,
            Action::Send { step } => leader::send(world, step),
            Action::Close { step } => leader::close(world, step),
            Action::AskSeal { watchdog, agent } => leader::ask_seal(world, watchdog, agent),
            Action::Conclude { watchdog, agent } => leader::conclude(self, world, watchdog, agent),
            Action::CloseAbsent { watchdog, agent } => {
                leader::close_older(self, world, (watchdog, agent), Row::Unknown);
            }
            Action::Receive { step, copy } => agent::receive(self, world, step, copy),
            Action::Seal { watchdog, agent } => agent::seal(self, world, watchdog, agent),
            Action::TakeEffect { step } => agent::take_effect(world, step),
            Action::Finish { step } => agent::finish(world, step),
            Action::Confirm { agent } => agent::confirm(world, agent),
            Action::Show { replica } => agent::show(world, replica),
            Action::CrashAgent { agent } => agent::crash(self, world, agent),
            Action::LoseState { agent } => agent::lose_state(self, world, agent),
            Action::Vanish { agent } => agent::vanish(world, agent),
            Action::OutlastLease { agent } => world.agents[agent].confirmed = false,
            Action::Rebuild => election::rebuild(world),
            Action::WriteLate { step } => leader::write_late(self, world, step),
            Action::Resume { watchdog, step } => leader::resume(self, world, watchdog, step),
            Action::Abort { watchdog, agent } => {
                leader::close_older(self, world, (watchdog, agent), Row::Never);
            }
            Action::GiveUp { step } => leader::give_up(world, step),
        }
    }
}

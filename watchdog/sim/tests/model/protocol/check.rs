//! Check: exhausts bounds, and tells what was found.

use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, Instant};

use stateright::{Checker, Expectation, HasDiscoveries, Model, Path};

use super::Protocol;
use super::action::Action;
use super::bounds::Bounds;
use super::mutant::Mutant;
use super::world::World;

/// What checking bounds came to.
#[derive(Debug)]
pub(crate) struct Figures {
    bounds: Bounds,
    /// Ways from one state to the next.
    transitions: usize,
    pub(crate) states: usize,
    /// The longest of the shortest ways to a state.
    depth: usize,
    time: Duration,
    /// What is not as it should be: a property that is violated, with the way there, or a situation that never comes.
    pub(crate) complaints: Vec<String>,
}

/// The heading of a table of [`Figures`].
pub(crate) const HEADING: &str = "bounds                      watchdogs agents replicas leaders steps sent faults | transitions      states depth  seconds";

/// One line of the table.
impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Bounds { name, watchdogs, epochs, steps, sends, .. } = self.bounds;
        let Bounds { agent_crashes, losses, absences, rebuilds, .. } = self.bounds;
        let (agents, replicas) = (self.bounds.agents(), self.bounds.replicas());
        let faults = agent_crashes + losses + absences + rebuilds;
        write!(
            f,
            "{name:<27} {watchdogs:>9} {agents:>6} {replicas:>8} {epochs:>7} {steps:>5} {sends:>4} {faults:>6} |"
        )?;
        let Self { transitions, states, depth, time, .. } = self;
        write!(f, " {transitions:>11} {states:>11} {depth:>5} {:>8.1}", time.as_secs_f64())
    }
}

/// Visits every state within the bounds.
#[expect(clippy::disallowed_methods, reason = "the time that it takes is a figure; nothing depends on it")]
pub(crate) fn exhaust(bounds: Bounds, threads: usize) -> Figures {
    let began = Instant::now();
    let protocol = Protocol { bounds, mutant: None };
    let checker = protocol.checker().threads(threads).spawn_bfs().join();
    let mut complaints = Vec::new();
    if !checker.is_done() {
        complaints.push("states are left".to_owned());
    }
    for property in protocol.properties() {
        match (&property.expectation, checker.discovery(property.name)) {
            (Expectation::Sometimes, None) => complaints.push(format!("never: {}", property.name)),
            (Expectation::Always, Some(path)) => {
                let story = story(&protocol, property.name, path).join("\n  ");
                complaints.push(format!("not true: {}\n  {story}", property.name));
            }
            (Expectation::Sometimes | Expectation::Eventually, Some(_))
            | (Expectation::Always | Expectation::Eventually, None) => {}
        }
    }
    Figures {
        bounds,
        transitions: checker.state_count(),
        states: checker.unique_state_count(),
        depth: checker.max_depth(),
        time: began.elapsed(),
        complaints,
    }
}

/// The way on which the mutant violates the property that belongs to it; `None` if there is none.
pub(crate) fn catch(mutant: Mutant) -> Option<Vec<String>> {
    let property = mutant.caught_by();
    let protocol = Protocol { bounds: mutant.bounds(), mutant: Some(mutant) };
    let only = HasDiscoveries::AllOf(BTreeSet::from([property]));
    let checker = protocol.checker().finish_when(only).spawn_bfs().join();
    checker.discovery(property).map(|path| story(&protocol, property, path))
}

/// A way, up to where the property is violated.
fn story(protocol: &Protocol, property: &'static str, path: Path<World, Action>) -> Vec<String> {
    let holds = protocol.property(property).condition;
    let fine = path.into_vec().into_iter().take_while(|(world, _)| holds(protocol, world));
    fine.filter_map(|(_, action)| action.map(|action| action.to_string())).collect()
}

//! Seal: takes the leader's epoch to whom it wants sealed.

use watchdog_core::plan::Outcome;
use watchdog_core::record::Body;
use watchdog_leader::seal::SealCall;

use crate::event::Event;
use crate::mutant::Safeguard;
use crate::net::Node;
use crate::world::World;

impl World {
    /// Asks an agent; its answer comes by itself. Without the safeguard nobody is asked, and what is made of that answered.
    pub(super) fn ask_seal(&mut self, dog: usize, call: &SealCall) -> Vec<Body> {
        if self.lacks(Safeguard::Seal) {
            return unasked(call);
        }
        let term = self.dogs[dog].term;
        if let Some(lead) = self.dogs[dog].lead.as_mut() {
            // Its answer is waited for at the usual pace.
            lead.calm = 0;
        }
        if let Some((host, to)) = self.whereabouts(&call.to.agent) {
            let delays = self.net.deliver((Node::Dog(dog), Node::Host(host)), &mut self.rng);
            for delay in delays.into_iter().flatten() {
                self.plan_in(delay, Event::Seal(to, Box::new(call.clone()), (dog, term)));
            }
        }
        Vec::new()
    }
}

fn unasked(call: &SealCall) -> Vec<Body> {
    let closed = call.steps.iter().map(|(step, plan)| Body::Closed {
        plan: plan.clone(),
        step: step.clone(),
        outcome: Outcome::Unknown,
        error: Some("nobody asked".to_owned()),
        blame: None,
    });
    std::iter::once(Body::Sealed { agent: call.to.agent.clone() }).chain(closed).collect()
}

//! Replaced: a machine that is gone for good, the one that stands in its place, and the operator who says so.

use serde_json::json;
use watchdog_core::goal::Goal;
use watchdog_core::ids::HostId;
use watchdog_core::replica::ReplicaSpec;
use watchdog_core::state::Key;

use crate::dog::Wish;
use crate::event::Event;
use crate::host::Host;
use crate::world::World;

/// How often an operator looks whether what was said holds, and says it again.
const SAID_EVERY_MS: u64 = 45_000;
/// So often at most.
const SAID_MAX: u32 = 60;

impl World {
    /// The machine that stands now where this one stood.
    pub(crate) fn stands_now(&self, host: usize) -> usize {
        let mut stands = host;
        while let Some(next) = self.hosts[stands].replaced_by {
            stands = next;
        }
        stands
    }

    /// Takes a machine away for ever; another, with a name of its own, comes up in its place.
    pub(crate) fn replace_host(&mut self, old: usize) -> bool {
        let new = self.hosts.len();
        let Ok(name) = HostId::new(format!("h{}", new + 1)) else { return false };
        self.lose_host(old);
        self.hosts[old].replaced_by = Some(new);
        self.setup.gone.insert(self.setup.hosts[old].clone());
        self.hosts.push(Host::new(name.as_str(), &self.setup.policy));
        self.setup.hosts.push(name);
        let soon = self.rng.range(100, 20_000);
        self.plan_in(soon, Event::Redeclare(old, new, SAID_MAX));
        true
    }

    /// An operator says of every replica that names the old machine that it may live on the new one instead.
    pub(crate) fn redeclare(&mut self, old: usize, new: usize, times: u32) {
        let new = self.stands_now(new);
        let (old_name, new_name) = (self.setup.hosts[old].clone(), self.setup.hosts[new].clone());
        let state = self.journal.state(self.journal.head().version);
        let mut goal = Goal::default();
        for (key, value) in state.0.iter().filter(|(key, _)| key.kind() == "replica") {
            let Ok(mut spec) = serde_json::from_value::<ReplicaSpec>(value.clone()) else { continue };
            let Some(place) = spec.hosts.iter().position(|host| *host == old_name) else { continue };
            if spec.hosts.contains(&new_name) {
                spec.hosts.remove(place);
            } else {
                spec.hosts[place] = new_name.clone();
            }
            goal.set.insert(Key::clone(key), json!(spec));
        }
        if times == 0 || self.nemesis.is_over {
            return;
        }
        // What was said and waits for its turn is not said again.
        if !goal.set.is_empty() && self.journal.folded.pending.is_empty() {
            self.say(|_| format!("an operator: {new_name} stands in the place of {old_name}"));
            self.wish(Wish::Declare(Box::new(goal), false));
        }
        self.plan_in(SAID_EVERY_MS, Event::Redeclare(old, new, times - 1));
    }
}

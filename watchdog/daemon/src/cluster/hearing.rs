//! Hearing: whether the agents answer this leader; when one does not, the lead is left to another watchdog.

use std::time::{Duration, Instant};

use watchdog_proto::agent::LookRequest;

use crate::cluster::lead::{Lead, Stop};

/// An agent that does not answer is asked so often whether it hears us, and waited for so long.
const ASK_AGAIN_EVERY: Duration = Duration::from_secs(2);
const ASK_AGAIN_PATIENCE: Duration = Duration::from_millis(500);

impl Lead {
    /// Leaves when an agent that is in the group has not answered for as long as a leader stays without a journal, and
    /// another watchdog is there that may reach it.
    pub(crate) async fn check_that_agents_hear_us(&mut self) -> Result<(), Stop> {
        if self.agents.all_answer() || self.asked_again_at.is_some_and(|at| at.elapsed() < ASK_AGAIN_EVERY) {
            return Ok(());
        }
        self.asked_again_at = Some(Instant::now());
        let (addresses, cluster, others) = {
            let world = self.world.lock();
            let present = world.observation.hosts.values().filter(|host| host.is_present());
            let lives = world.observation.replicas.values().flat_map(|seen| seen.lives.values());
            let members = lives.filter_map(|life| life.member.as_ref()).map(|member| &member.address);
            let addresses: Vec<String> = present.map(|host| &host.address).chain(members).cloned().collect();
            let others = world.contenders.iter().any(|other| other.watchdog != self.id);
            (addresses, world.cluster.to_string(), others)
        };
        for address in self.agents.silent_for(self.resign_after, &addresses) {
            // Nobody may have asked it since.
            let request = LookRequest { cluster: cluster.clone(), replicas: Vec::new() };
            let answer = self.agents.look(&address, request, ASK_AGAIN_PATIENCE).await;
            let silent = answer.is_err() && !self.agents.silent_for(self.resign_after, &addresses).is_empty();
            if others && silent && self.agents.may_leave_for(&address) {
                return Err(Stop::Unheard(address));
            }
        }
        Ok(())
    }
}

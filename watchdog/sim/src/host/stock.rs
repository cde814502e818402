//! Stock: how a host agent falls, rises, finds its processes again, and buries its dead.

use watchdog_core::desk::{Kind, Settled, settle};
use watchdog_core::ids::{Incarnation, ReplicaId};
use watchdog_core::observation::{Obituary, Probed};

use super::{End, Kept, Living};
use crate::event::{AgentWork, Event};
use crate::fact::Fact;
use crate::mutant::Safeguard;
use crate::order::Reply;
use crate::world::World;

impl World {
    /// The agent's process ends; replicas go on.
    pub(crate) fn fell_agent(&mut self, index: usize) {
        let forgets_steps = self.lacks(Safeguard::StepsOnDisk);
        let host = &mut self.hosts[index];
        host.agent_up = false;
        host.begin_run();
        host.session = None;
        host.has_stock = false;
        host.kept.clear();
        // What nobody has read is lost with its process.
        host.unread.clear();
        if forgets_steps {
            host.disk.steps.clear();
        }
        self.cover();
    }

    /// The agent starts again.
    pub(crate) fn raise_agent(&mut self, index: usize) {
        let host = &mut self.hosts[index];
        if !host.on || host.agent_up || host.agent_off_by > 0 {
            return;
        }
        host.agent_up = true;
        host.begin_run();
        // Until it has heard of the epoch it can't know who leads.
        host.unconfirmed_since = Some(0);
        let run = host.run;
        self.say(|world| format!("the agent of {} is back", world.setup.hosts[index]));
        let soon = self.rng.range(20, 400);
        self.plan_in(soon, Event::Agent(index, run, AgentWork::TakeStock));
        self.cover();
    }

    /// Loses the agent's state directory: what comes back is another instance.
    pub(crate) fn lose_disk(&mut self, index: usize) {
        let name = self.setup.hosts[index].to_string();
        let host = &mut self.hosts[index];
        host.disk = super::Disk { instance: format!("{name}-{}", host.run + 1), ..super::Disk::default() };
    }

    /// Finds again what runs, and declares dead what does not.
    pub(crate) fn take_stock(&mut self, index: usize) {
        let carried: Vec<Incarnation> =
            self.lives.values().filter(|life| life.host == index).map(|life| life.incarnation).collect();
        for incarnation in &carried {
            if self.hosts[index].disk.dead.contains_key(incarnation) {
                self.die(*incarnation, "signal 9 (SIGKILL)");
            } else {
                self.adopt(index, *incarnation);
            }
        }
        let blind = self.lacks(Safeguard::Adoption);
        let boot = self.hosts[index].boot;
        let absent: Vec<(Incarnation, bool)> = self.hosts[index]
            .disk
            .living
            .iter()
            .filter(|(incarnation, _)| blind || !carried.contains(incarnation))
            .map(|(incarnation, living)| (*incarnation, living.boot != boot))
            .collect();
        for (incarnation, rebooted) in absent {
            self.bury(index, incarnation, if rebooted { Obituary::REBOOTED } else { Obituary::UNSEEN });
        }
        self.settle_open_steps(index);
        self.hosts[index].has_stock = true;
        self.show(index);
    }

    fn adopt(&mut self, index: usize, incarnation: Incarnation) {
        let Some(life) = self.lives.get(&incarnation) else { return };
        let living = Living {
            replica: life.replica.clone(),
            pid: Some(life.pid),
            boot: self.hosts[index].boot,
            loaded: (!life.embeds).then(|| super::loaded(life.version, life.hash)),
        };
        let pid = life.pid;
        let host = &mut self.hosts[index];
        host.disk.living.entry(incarnation).or_insert(living).pid = Some(pid);
        self.keep(index, incarnation);
    }

    /// Takes a process under care: it is probed and shown from here on.
    pub(crate) fn keep(&mut self, index: usize, incarnation: Incarnation) {
        let since = self.wall_of_host(index);
        let run = self.hosts[index].run;
        let kept = Kept { probe: Probed::Unknown, stopping: false, since };
        self.hosts[index].kept.insert(incarnation, kept);
        let soon = self.rng.range(100, 320);
        self.plan_in(soon, Event::Agent(index, run, AgentWork::Probe(incarnation)));
        self.show(index);
    }

    fn settle_open_steps(&mut self, index: usize) {
        let host = &mut self.hosts[index];
        let (kept, dead) = (&host.kept, &host.disk.dead);
        for begun in host.disk.steps.values_mut().filter(|begun| begun.end == End::Open) {
            let obituary = dead.get(&begun.life).map(|(obituary, _)| obituary.clone());
            begun.end = match settle(begun.kind, kept.get(&begun.life), obituary) {
                Settled::Runs(_) => End::Done(Reply::done()),
                Settled::Dead(obituary) => End::Done(Reply::dead(Some(obituary))),
                Settled::Lost => End::Lost,
            };
        }
    }

    /// The agent learns that a process of its host has ended.
    pub(crate) fn notice(&mut self, index: usize, incarnation: Incarnation, status: &str) {
        if !self.hosts[index].disk.dead.contains_key(&incarnation) {
            self.bury(index, incarnation, status);
        }
        self.hosts[index].kept.remove(&incarnation);
        let killing: Vec<_> = self.hosts[index]
            .desk
            .at_work()
            .filter(|(_, it)| it.kind == Kind::Kill && it.order.act.incarnation() == Some(incarnation))
            .map(|(step, _)| step.clone())
            .collect();
        let obituary = self.hosts[index].disk.dead.get(&incarnation).map(|(obituary, _)| obituary.clone());
        for step in killing {
            let reply = Reply::dead(obituary.clone());
            self.end_at_host(index, &step, &reply);
        }
        self.show(index);
    }

    /// Writes the obituary of a life that never began here and never will.
    pub(crate) fn bury_unborn(&mut self, index: usize, replica: ReplicaId, incarnation: Incarnation) {
        let unborn = Living { replica, pid: None, boot: 0, loaded: None };
        self.hosts[index].disk.living.entry(incarnation).or_insert(unborn);
        self.bury(index, incarnation, "never started");
    }

    /// Writes an obituary; it is shown when the coordination service can be reached.
    pub(crate) fn bury(&mut self, index: usize, incarnation: Incarnation, status: &str) {
        let at = self.wall_of_host(index);
        let name = self.setup.hosts[index].clone();
        let host = &mut self.hosts[index];
        let Some(living) = host.disk.living.remove(&incarnation) else { return };
        let obituary = Obituary {
            replica: living.replica,
            incarnation,
            host: name,
            status: status.to_owned(),
            tree_gone: true,
            at,
        };
        self.hear(&Fact::Buried { incarnation });
        let host = &mut self.hosts[index];
        host.kept.remove(&incarnation);
        host.disk.dead.insert(incarnation, (obituary, false));
    }
}
